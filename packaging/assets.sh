#!/usr/bin/env bash
# Writes what packages hold in addition to files of the repository into target/packaging: man pages and
# completions, which the program itself makes, the changelog, and the licences of the libraries.
#
# packaging/assets.sh PROGRAM
set -euo pipefail
cd "$(dirname "$0")/.."

program=$(realpath "$1")
out=target/packaging
rm -rf "$out"
mkdir -p "$out/completions"

# Without a configuration of the machine that builds.
export MAITRED_CONFIG=/nonexistent
"$program" man "$out/man"
for page in "$out"/man/*; do
    section=${page##*.}
    install -D -m 644 "$page" "$out/man$section/$(basename "$page")"
done
rm -r "$out/man"
gzip --best --no-name "$out"/man*/*

"$program" completions bash > "$out/completions/maitred"
"$program" completions zsh > "$out/completions/_maitred"
"$program" completions fish > "$out/completions/maitred.fish"

gzip --best --no-name --stdout CHANGELOG.md > "$out/changelog.gz"

# Debian's own changelog: the packages have no history apart from that of the program.
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
date=$(date --utc --rfc-email --date="@${SOURCE_DATE_EPOCH:-$(stat --format %Y CHANGELOG.md)}")
gzip --best --no-name > "$out/changelog.Debian.gz" << END
maitred ($version-1) unstable; urgency=medium

  * The package of maitred $version; changelog.gz says what changed.

 -- The maitred developers <maitred@localhost>  $date
END

packaging/third-party-licences.sh | gzip --best --no-name > "$out/THIRD-PARTY-LICENSES.gz"
