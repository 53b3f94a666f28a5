#!/usr/bin/env bash
# Every fuzz target, one after the other, for so many seconds each. Not part of ci/check.sh: the corpora are, as a test.
#
#   ci/fuzz.sh [SECONDS [TARGET…]]         60 seconds and all targets if nothing is said
#
# Needs `cargo install cargo-fuzz` and a C++ compiler. What is found new goes to target/fuzz-corpus/, what breaks a law to
# ROOM/fuzz/artifacts/TARGET/.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
wanted=("${@:2}")

cargo fuzz --version >/dev/null 2>&1 || { echo "fuzz: cargo-fuzz is missing: cargo install cargo-fuzz"; exit 1; }

failed=()
for room in server conformance; do
  for target in $(cargo fuzz list --fuzz-dir "$room/fuzz"); do
    [ ${#wanted[@]} -eq 0 ] || [[ " ${wanted[*]} " == *" $target "* ]] || continue
    printf '\n== %s: %s\n' "$room" "$target"
    found=target/fuzz-corpus/$room/$target
    mkdir -p "$found"
    seeds=("$room/fuzz/corpus/$target")
    [ "$target" != scenario ] || seeds+=(scenarios)
    # No sanitizer: there is no unsafe code to watch, and so the stable toolchain is enough.
    cargo fuzz run --fuzz-dir "$room/fuzz" --target-dir target/fuzz --sanitizer none "$target" \
      "$found" "${seeds[@]}" -- \
      -max_total_time="$seconds" -max_len=16384 -timeout=20 -print_final_stats=1 || failed+=("$room/$target")
  done
done

[ ${#failed[@]} -eq 0 ] || { echo "fuzz: laws are broken: ${failed[*]}"; exit 1; }
