//! The reference server as a target, in this process.
//!
//! Besides the `serve` command this is the only file of the runner that may name the server: the judge must not share
//! a codec with the accused.

use std::sync::Arc;

use ftpspec_server::{Running, Server, Tls};

use super::Target;
use crate::driver::Trust;

/// The reference server, running in this process with an empty file system and every feature on.
#[derive(Debug)]
pub struct Embedded {
    running: Running,
    target: Arc<Target>,
}

impl Embedded {
    /// Starts it on free loopback ports.
    ///
    /// # Errors
    /// When it cannot listen, or makes no certificate; in words.
    pub async fn start() -> Result<Self, String> {
        let failed = |error: &dyn std::error::Error| match error.source() {
            Some(source) => format!("the reference server did not start: {error}: {source}"),
            None => format!("the reference server did not start: {error}"),
        };
        let (user, password) = ("ftpspec", "in the open");
        let running = Server::builder()
            .user(user, password)
            .tls(Tls::explicit())
            .allow_ccc()
            .start()
            .await
            .map_err(|error| failed(&error))?;
        let trust = match running.ca_pem() {
            Some(pem) => Trust::from_pem(pem.as_bytes())?,
            None => Trust::Anything,
        };
        let target = Arc::new(Target {
            user: user.into(),
            password: password.into(),
            trust,
            ..Target::at("localhost", running.addresses().to_vec())
        });
        Ok(Self { running, target })
    }

    /// How it is reached.
    #[must_use]
    pub fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// Stops it; transfers may end first.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}
