//! Rebuilds the crate when a scenario changes: the suite is embedded in the binary.

fn main() {
    println!("cargo::rerun-if-changed=../scenarios");
}
