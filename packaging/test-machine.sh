#!/usr/bin/env bash
# Makes the tree of a small Debian 12 with systemd, apt and sudo, in which tests/docs/package.rs installs the
# package. Needs root, and Debian's package mmdebstrap.
#
# packaging/test-machine.sh DIR
set -euo pipefail

tree=$1
[ ! -e "$tree" ] || exit 0
mkdir -p "$(dirname "$tree")"
# Only a complete tree gets the name.
unfinished=$(mktemp -d "$tree.XXXXXX")
trap 'rm -rf "$unfinished"' EXIT
chmod 755 "$unfinished"
mmdebstrap --quiet --variant=apt --include=systemd,systemd-sysv,ca-certificates,sudo \
    --aptopt='APT::Install-Recommends "0"' bookworm "$unfinished"
rm -rf "$unfinished"/var/lib/apt/lists/* "$unfinished"/var/cache/apt/archives/*
mv "$unfinished" "$tree"
