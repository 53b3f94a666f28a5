//! Processes of `ftpspec` that print a first line when they are ready.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

pub(crate) const FTPSPEC: &str = env!("CARGO_BIN_EXE_ftpspec");

/// A process of `ftpspec` and its first line.
pub(crate) struct Running {
    pub(crate) process: Child,
    pub(crate) ready: Value,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(FTPSPEC)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| {
            let mut said = String::new();
            process
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut said)
                .unwrap();
            panic!("{error}: {line}{said}")
        });
        Self { process, ready }
    }

    pub(crate) fn text(&self, key: &str) -> String {
        self.ready[key].as_str().unwrap().to_owned()
    }

    pub(crate) fn port(&self) -> u64 {
        self.ready["port"].as_u64().unwrap()
    }

    /// Asks it to stop, and waits until it has; its exit code.
    pub(crate) fn stop(self) -> i32 {
        self.stop_and_read().0
    }

    /// As [`stop`](Self::stop), with what it wrote to stderr.
    pub(crate) fn stop_and_read(mut self) -> (i32, String) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, Signal::INT).unwrap();
        let mut said = String::new();
        let mut stderr = self.process.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        let status = self.process.wait().unwrap();
        (status.code().unwrap(), said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}
