//! The suite travels inside the binary; a changed scenario has to build it anew.

fn main() {
    println!("cargo::rerun-if-changed=../scenarios");
}
