//! The server under test.

use super::options::{A_SERVER, Wish, with_scheme};
use super::reproduce::shown;
use super::{Failure, usage};
use crate::command::TROUBLE;
use crate::driver::Trust;
use crate::subject::{
    Embedded, Exec, ExecCommand, ExecWish, Supervisor, Target, TargetError, Unmanaged, unguessable,
};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Scenarios played at once against the bundled server.
const AT_ONCE: usize = 8;

/// The server under test, and whether we have to stop it.
pub(super) struct Server {
    embedded: Option<Embedded>,
    /// The one that was started.
    pub(super) exec: Option<Exec>,
    pub(super) target: Arc<Target>,
    /// As a URL without password, or `embedded`.
    pub(super) shown: String,
}

impl Server {
    pub(super) async fn of(wish: &Wish) -> Result<Self, Failure> {
        if let Some(command) = &wish.exec {
            return Self::started(wish, command).await;
        }
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
                exec: None,
                target,
                shown: "embedded".into(),
            });
        };
        let mut target = Target::from_url(&with_scheme(url), &wish.addresses)
            .await
            .map_err(wrong)?;
        if let Some(user) = &wish.user {
            target.user.clone_from(user);
        }
        if let Some(password) = &wish.password {
            target.password.clone_from(password);
        }
        if let Some(ca) = &wish.ca {
            target.trust = trust(ca)?;
        }
        target.implicit = beside(&target.addresses, wish.implicit_port);
        if wish.path.is_some() {
            target.path.clone_from(&wish.path);
        }
        target.writable = !wish.read_only;
        let shown = shown(url);
        Ok(Self {
            embedded: None,
            exec: None,
            target: Arc::new(target),
            shown,
        })
    }

    async fn started(wish: &Wish, command: &str) -> Result<Self, Failure> {
        if wish.url.is_some() {
            return Err(usage("exec: give a URL or a command to start, not both"));
        }
        let start = command.parse::<ExecCommand>().map_err(usage)?;
        let trust = match &wish.ca {
            Some(ca) => trust(ca)?,
            None => Trust::Anything,
        };
        let exec = Exec::start(ExecWish {
            command: start,
            user: wish.user.clone(),
            password: wish.password.clone(),
            trust,
            patience: Duration::from_secs_f64(wish.timeout).saturating_mul(3),
        });
        let exec = exec.await.map_err(|message| Failure {
            code: TROUBLE,
            message,
        })?;
        let mut target = Target::clone(exec.target());
        target.implicit = beside(&target.addresses, wish.implicit_port);
        target.writable = !wish.read_only;
        target.path.clone_from(&wish.path);
        Ok(Self {
            embedded: None,
            exec: Some(exec),
            target: Arc::new(target),
            shown: command.to_owned(),
        })
    }

    /// The part of directory names that is the run's own. A server that begins empty has no files
    /// of somebody else, and transcripts of it are alike from run to run; anywhere else nobody can
    /// guess it.
    pub(super) fn run_name(&self) -> String {
        match self.embedded {
            Some(_) => "run".into(),
            None => unguessable(),
        }
    }

    /// How many scenarios are played at once, if nobody says otherwise.
    pub(super) fn usual_jobs(&self) -> usize {
        match (&self.embedded, &self.exec) {
            (Some(_), _) => AT_ONCE,
            (None, Some(_)) => AT_ONCE / 2,
            (None, None) => 1,
        }
    }

    pub(super) async fn stop(self) {
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
    }
}

/// Who looks after it.
pub(super) enum Nurse {
    /// Somebody else.
    Unmanaged(Unmanaged),
    /// We do.
    Exec(Exec),
}

impl Supervisor for Nurse {
    fn death(&mut self) -> Option<String> {
        match self {
            Self::Unmanaged(afar) => afar.death(),
            Self::Exec(exec) => exec.death(),
        }
    }

    async fn last_words(&mut self) -> Option<String> {
        match self {
            Self::Unmanaged(afar) => afar.last_words().await,
            Self::Exec(exec) => exec.last_words().await,
        }
    }

    async fn restart(&mut self) -> Result<String, String> {
        match self {
            Self::Unmanaged(afar) => afar.restart().await,
            Self::Exec(exec) => exec.restart().await,
        }
    }
}

/// Why there is no such server, and how one is named.
fn wrong(error: TargetError) -> Failure {
    match error {
        TargetError::NoAddress(..) => Failure {
            code: TROUBLE,
            message: format!(
                "{error}\nIs the name right? --address IP says where a server is whose name is not known here."
            ),
        },
        _ => usage(format!("{error}\n{A_SERVER}")),
    }
}

/// Where TLS begins with the first octet, if that is another port of the same addresses.
fn beside(addresses: &[SocketAddr], port: Option<u16>) -> Vec<SocketAddr> {
    let Some(port) = port else {
        return Vec::new();
    };
    let mut beside = addresses.to_vec();
    beside.iter_mut().for_each(|address| address.set_port(port));
    beside
}

fn trust(ca: &Path) -> Result<Trust, Failure> {
    let wrong = |why: String| usage(format!("--ca: {}: {why}", ca.display()));
    let pem = std::fs::read(ca).map_err(|error| wrong(error.to_string()))?;
    Trust::from_pem(&pem).map_err(|error| wrong(error.to_string()))
}
