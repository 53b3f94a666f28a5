//! The ftpspec command.
fn main() {}
