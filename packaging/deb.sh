#!/usr/bin/env bash
# Builds the package of Debian: target/debian/maitred_VERSION-1_ARCHITECTURE.deb. It needs cargo-deb,
# cargo-auditable, which puts the list of the libraries into the program, and dpkg-dev to find the libraries
# that the program loads. Build on the oldest system that it is for: its C library is the oldest with which
# the program starts.
set -euo pipefail
cd "$(dirname "$0")/.."

# Relative relocations are written in their short form: 28 KB instead of 3.1 MB, which the loader would
# read, and keep in memory, at each start. A system with glibc 2.36 or newer can load them (Debian 12).
RUSTFLAGS="-C link-arg=-Wl,-z,pack-relative-relocs ${RUSTFLAGS:-}" \
    cargo auditable build --locked --profile dist
packaging/assets.sh target/dist/maitred
cargo deb --locked --no-build --profile dist
