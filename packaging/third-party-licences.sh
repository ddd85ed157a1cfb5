#!/usr/bin/env bash
# Prints the licences of the libraries that are linked into the program: most of them must accompany it.
# A text that several libraries have is printed once. Reads the sources that cargo has downloaded.
set -euo pipefail
cd "$(dirname "$0")/.."

registry=("${CARGO_HOME:-$HOME/.cargo}"/registry/src/*)
declare -A printed=()

cargo tree --locked --offline --edges normal --prefix none --format '{p}|{l}' \
    | sed 's/ (\*)$//' | sort --unique \
    | while IFS='|' read -r package terms; do
        read -r name version _ <<< "$package"
        [ "$name" != maitred ] || continue
        folder=
        for source in "${registry[@]}"; do
            [ ! -d "$source/$name-${version#v}" ] || folder=$source/$name-${version#v}
        done
        printf '\n==== %s %s: %s\n' "$name" "${version#v}" "$terms"
        [ -n "$folder" ] || { echo "the source of $name is not in $registry" >&2; exit 1; }
        while read -r file; do
            hash=$(sha256sum < "$file")
            if [ -n "${printed[$hash]:-}" ]; then
                printf '%s: as in %s\n' "${file##*/}" "${printed[$hash]}"
            else
                printed[$hash]="$name, ${file##*/}"
                printf '%s:\n\n' "${file##*/}"
                cat "$file"
                echo
            fi
        done < <(find "$folder" -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' \) | sort)
    done
