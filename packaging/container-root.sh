#!/usr/bin/env bash
# Writes the file tree of the container into a folder: the program, the libraries that it loads, the
# certificates, and nothing else: no shell and no package manager. `Dockerfile` copies the tree.
#
# packaging/container-root.sh PROGRAM DIR
set -euo pipefail
cd "$(dirname "$0")/.."

program=$(realpath "$1")
tree=$2
user=10001

rm -rf "$tree"
install -d "$tree"/root/{etc/maitred,etc/ssl/certs,usr/bin,var/lib,tmp} "$tree/state/maitred"
chmod 1777 "$tree/root/tmp"
chmod 700 "$tree/state/maitred"
install -m 755 "$program" "$tree/root/usr/bin/maitred"

# The loader and the libraries, at the places where the program looks for them.
ldd "$program" | grep --only-matching '/[^ ]*' | while read -r library; do
    install -D -m 755 "$library" "$tree/root$library"
done

install -m 644 config.toml "$tree/root/etc/maitred/config.toml"
# The authorities that Debian's package ca-certificates trusts.
install -m 644 /etc/ssl/certs/ca-certificates.crt "$tree/root/etc/ssl/certs/ca-certificates.crt"
# How the C library finds names; without this file it asks no name server in some versions.
echo 'hosts: files dns' > "$tree/root/etc/nsswitch.conf"
echo "maitred:x:$user:$user::/var/lib/maitred:/usr/sbin/nologin" > "$tree/root/etc/passwd"
echo "maitred:x:$user:" > "$tree/root/etc/group"
install -D -m 644 LICENSE-MIT "$tree/root/usr/share/doc/maitred/LICENSE-MIT"
install -m 644 LICENSE-APACHE "$tree/root/usr/share/doc/maitred/LICENSE-APACHE"
packaging/third-party-licences.sh > "$tree/root/usr/share/doc/maitred/THIRD-PARTY-LICENSES"
