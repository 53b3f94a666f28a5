#!/usr/bin/env bash
# Everything that must hold before a change lands: layout, lints, tests, docs, scenarios, the main job.
set -euo pipefail
cd "$(dirname "$0")/.."
step() { printf '\n== %s\n' "$*"; }

step "layout";      cargo fmt --all --check
step "lints";       cargo clippy --locked --workspace --all-targets -- -D warnings
step "tests";       cargo test --locked --workspace
step "docs";        RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
step "scenarios";   cargo run --locked --quiet -- lint scenarios
                    cargo run --locked --quiet -- fmt --check scenarios
step "coverage";    cargo run --locked --quiet -- coverage --require must=95,should=85
step "main job";    cargo run --locked --quiet -- check
