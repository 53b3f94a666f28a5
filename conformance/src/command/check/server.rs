//! The server under test.

use super::wish::Wish;
use super::{Failure, usage};
use crate::command::TROUBLE;
use crate::driver::Trust;
use crate::target::{Embedded, Target};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// Scenarios played at once against the bundled server.
const AT_ONCE: usize = 8;

/// The server under test, and whether we have to stop it.
pub(super) struct Server {
    embedded: Option<Embedded>,
    pub(super) target: Arc<Target>,
    /// As a URL without password, or `embedded`.
    pub(super) shown: String,
}

impl Server {
    pub(super) async fn of(wish: &Wish) -> Result<Self, Failure> {
        let Some(url) = &wish.url else {
            let embedded = Embedded::start().await.map_err(|message| Failure {
                code: TROUBLE,
                message,
            })?;
            let mut target = Arc::clone(embedded.target());
            if wish.read_only {
                Arc::make_mut(&mut target).writable = false;
            }
            return Ok(Self {
                embedded: Some(embedded),
                target,
                shown: "embedded".into(),
            });
        };
        let url = if url.contains("://") {
            url.clone()
        } else {
            format!("ftp://{url}")
        };
        let mut target = Target::from_url(&url).await.map_err(usage)?;
        if let Some(user) = &wish.user {
            target.user.clone_from(user);
        }
        if let Some(password) = &wish.password {
            target.password.clone_from(password);
        }
        if let Some(ca) = &wish.ca {
            target.trust = trust(ca)?;
        }
        if let Some(port) = wish.implicit_port {
            let beside = |address: &SocketAddr| SocketAddr::new(address.ip(), port);
            target.implicit = target.addresses.iter().map(beside).collect();
        }
        if wish.path.is_some() {
            target.path.clone_from(&wish.path);
        }
        target.writable = !wish.read_only;
        let shown = without_password(&url);
        Ok(Self {
            embedded: None,
            target: Arc::new(target),
            shown,
        })
    }

    /// Directories of two runs against one server must not meet; those of the bundled one are alike from run to run.
    pub(super) fn run_name(&self, started: u64) -> String {
        match self.embedded {
            Some(_) => "run".into(),
            None => format!("{:x}{:x}", started & 0xff_ffff, std::process::id() & 0xfff),
        }
    }

    /// How many scenarios are played at once, if nobody says otherwise.
    pub(super) fn usual_jobs(&self) -> usize {
        match self.embedded {
            Some(_) => AT_ONCE,
            None => 1,
        }
    }

    pub(super) async fn stop(self) {
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
    }
}

fn trust(ca: &Path) -> Result<Trust, Failure> {
    let pem = std::fs::read(ca).map_err(|error| usage(format!("{}: {error}", ca.display())))?;
    Trust::from_pem(&pem).map_err(|error| usage(format!("{}: {error}", ca.display())))
}

fn without_password(url: &str) -> String {
    let Ok(mut parsed) = url::Url::parse(url) else {
        return "?".into();
    };
    // Only a URL without host refuses this, and that is no target.
    let _ = parsed.set_password(None);
    parsed.to_string().trim_end_matches('/').to_owned()
}
