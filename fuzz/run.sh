#!/usr/bin/env bash
# Runs every fuzz target in turn: fuzz/run.sh SECONDS [TARGET…]
#
# New finds go to fuzz/work/TARGET and what crashes to fuzz/artifacts/TARGET; the corpora in
# fuzz/corpus are read and not written, so that they stay small (`cargo fuzz cmin` merges finds).
# Needs cargo-fuzz (`cargo install cargo-fuzz --locked`) and a C++ compiler. No sanitizer: the
# package forbids unsafe code, and what is looked for are panics, hangs and broken promises.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:?"usage: fuzz/run.sh SECONDS [TARGET...]"}
shift
if [ $# -eq 0 ]; then
    mapfile -t targets < <(cargo fuzz list)
else
    targets=("$@")
fi

failed=0
for target in "${targets[@]}"; do
    printf '\n== %s, %s s\n' "$target" "$seconds"
    mkdir -p "fuzz/work/$target"
    # A single worker, an input of at most 64 KiB, at most 10 s and 2 GiB for one of them.
    nice -n 15 cargo fuzz run -s none "$target" "fuzz/work/$target" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 || failed=1
done
exit "$failed"
