#!/usr/bin/env bash
# The whole suite against the reference server on each storage it has; every one must pass.
# ci/backends.sh [STORAGE…]; a part of the suite with SELECT='rfc3659/*'.
set -euo pipefail
cd "$(dirname "$0")/.."
storages=("$@")
[ ${#storages[@]} -gt 0 ] || storages=(mem disk overlay quota vfs-memory vfs-physical)
cargo build --locked --quiet -p ftpspec
cargo build --locked --quiet -p ftpspec-server --example backends
bin="${CARGO_TARGET_DIR:-target}/debug"
work="$(mktemp -d)"
server=""
end() { [ -z "$server" ] || kill -INT "$server" 2>/dev/null || true; rm -rf "$work"; }
trap end EXIT

failed=0
for storage in "${storages[@]}"; do
  printf '\n== %s\n' "$storage"
  mkdir "$work/$storage"
  # The line that names the address comes through a FIFO: reading it is waiting for the server.
  mkfifo "$work/ready"
  "$bin/examples/backends" "$storage" "$work/$storage" > "$work/ready" &
  server=$!
  read -r url < "$work/ready"
  if ! "$bin/ftpspec" check "$url" --jobs 4 ${SELECT:+--select "$SELECT"} > "$work/report"; then
    failed=1
    cat "$work/report"
  else
    sed -nE '/^(UNSUPPORTED|N\/A)/,/^$/p' "$work/report"
    tail -n 4 "$work/report"
  fi
  kill -INT "$server"
  wait "$server" || failed=1
  server=""
  rm "$work/ready"
done
exit "$failed"
