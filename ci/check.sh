#!/usr/bin/env bash
# Everything that must hold before a change lands: layout, dependencies, lints, tests, docs, scenarios, the main job.
set -euo pipefail
cd "$(dirname "$0")/.."
step() { printf '\n== %s\n' "$*"; }

step "layout";      cargo fmt --all --check
step "dependencies"
cargo deny --version >/dev/null 2>&1 || {
  echo "dependencies: cargo-deny is missing: cargo install --locked --no-default-features cargo-deny"
  exit 1
}
cargo deny --locked check --hide-inclusion-graph bans licenses sources
if cargo deny --log-level off fetch db >/dev/null 2>&1; then
  cargo deny --locked check --disable-fetch advisories
else
  echo "advisories: ignored: the database at github.com/RustSec/advisory-db could not be fetched"
fi
step "lints";       cargo clippy --locked --workspace --all-targets -- -D warnings
step "tests";       cargo test --locked --workspace
step "docs";        RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
step "scenarios";   cargo run --locked --quiet -- lint scenarios
                    cargo run --locked --quiet -- fmt --check scenarios
step "coverage";    cargo run --locked --quiet -- coverage --require must=95,should=85
step "main job";    cargo run --locked --quiet -- check
