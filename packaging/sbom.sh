#!/usr/bin/env bash
# Writes the bill of materials of the program, target/maitred.cdx.json (CycloneDX): every library with its
# version, licence and checksum. It needs cargo-cyclonedx.
set -euo pipefail
cd "$(dirname "$0")/.."

host=$(rustc -vV | sed -n 's/^host: //p')
cargo cyclonedx --format json --target "$host" --no-build-deps --override-filename maitred.cdx
mv maitred.cdx.json target/maitred.cdx.json
