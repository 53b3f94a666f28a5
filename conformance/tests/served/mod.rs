//! `ftpspec serve` as a process.

use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// A server, stopped when dropped.
pub(crate) struct Served {
    pub(crate) process: Child,
    /// Its ready line.
    pub(crate) ready: Value,
}

impl Served {
    /// Starts `ftpspec serve` and waits until it is ready.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_ftpspec"))
            .arg("serve")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap();
        Self { process, ready }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}
