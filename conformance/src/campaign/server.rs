//! The server under test.

use super::CampaignError;
use super::options::{DEFAULT_TIMEOUT, Options, URL_SYNTAX, with_scheme};
use super::reproduce::without_password;
use crate::driver::Trust;
use crate::subject::{
    Embedded, Exec, ExecCommand, ExecOptions, Supervisor, Target, TargetError, Unmanaged,
    unguessable,
};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// The number of scenarios played at the same time against the bundled server.
const JOBS: usize = 8;

/// The server under test.
pub(super) struct ServerUnderTest {
    embedded: Option<Embedded>,
    /// The process, if a command was started.
    pub(super) exec: Option<Exec>,
    pub(super) target: Arc<Target>,
    /// A URL without password, a command, or `embedded`.
    pub(super) name: String,
}

impl ServerUnderTest {
    /// Starts the server, or resolves its URL.
    pub(super) async fn start(options: &Options) -> Result<Self, CampaignError> {
        let mut server = match (&options.url, &options.exec) {
            (Some(_), Some(_)) => {
                let message = "exec: give either a URL or a command, not both";
                return Err(CampaignError::usage(message));
            }
            (None, None) => Self::embedded().await?,
            (None, Some(command)) => Self::exec(options, command).await?,
            (Some(url), None) => Self::remote(options, url).await?,
        };
        let target = Arc::make_mut(&mut server.target);
        target.writable = !options.read_only;
        if server.embedded.is_none() {
            target.implicit = with_port(&target.addresses, options.implicit_port);
            if options.path.is_some() {
                target.path.clone_from(&options.path);
            }
        }
        Ok(server)
    }

    async fn embedded() -> Result<Self, CampaignError> {
        let embedded = Embedded::start().await;
        let embedded = embedded.map_err(CampaignError::Unreachable)?;
        Ok(Self {
            target: Arc::clone(embedded.target()),
            embedded: Some(embedded),
            exec: None,
            name: "embedded".into(),
        })
    }

    async fn remote(options: &Options, url: &str) -> Result<Self, CampaignError> {
        let target = Target::from_url(&with_scheme(url), &options.addresses).await;
        let mut target = target.map_err(not_a_target)?;
        if let Some(user) = &options.user {
            target.user.clone_from(user);
        }
        if let Some(password) = &options.password {
            target.password.clone_from(password);
        }
        if let Some(ca) = &options.ca {
            target.trust = trust(ca)?;
        }
        Ok(Self {
            embedded: None,
            exec: None,
            target: Arc::new(target),
            name: without_password(url),
        })
    }

    async fn exec(options: &Options, command: &str) -> Result<Self, CampaignError> {
        let trust = match &options.ca {
            Some(ca) => trust(ca)?,
            None => Trust::Anything,
        };
        let exec = Exec::start(ExecOptions {
            command: command
                .parse::<ExecCommand>()
                .map_err(CampaignError::usage)?,
            user: options.user.clone(),
            password: options.password.clone(),
            trust,
            patience: options.timeout.unwrap_or(DEFAULT_TIMEOUT) * 3,
        });
        let exec = exec.await.map_err(CampaignError::Unreachable)?;
        Ok(Self {
            embedded: None,
            target: Arc::clone(exec.target()),
            exec: Some(exec),
            name: command.to_owned(),
        })
    }

    /// The part of directory names that identifies the run. A server that starts empty holds no
    /// foreign files, and a fixed name makes its transcripts reproducible; elsewhere it is random.
    pub(super) fn run_name(&self) -> String {
        match self.embedded {
            Some(_) => "run".into(),
            None => unguessable(),
        }
    }

    /// How many scenarios are played at the same time unless `--jobs` is given.
    pub(super) fn default_jobs(&self) -> usize {
        match (&self.embedded, &self.exec) {
            (Some(_), _) => JOBS,
            (None, Some(_)) => JOBS / 2,
            (None, None) => 1,
        }
    }

    pub(super) async fn stop(self) {
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
    }
}

/// Supervises the server under test.
pub(super) enum ServerSupervisor {
    /// A server that is already running elsewhere.
    Unmanaged(Unmanaged),
    /// A server that was started here.
    Exec(Exec),
}

impl Supervisor for ServerSupervisor {
    fn death(&mut self) -> Option<String> {
        match self {
            Self::Unmanaged(unmanaged) => unmanaged.death(),
            Self::Exec(exec) => exec.death(),
        }
    }

    async fn last_words(&mut self) -> Option<String> {
        match self {
            Self::Unmanaged(unmanaged) => unmanaged.last_words().await,
            Self::Exec(exec) => exec.last_words().await,
        }
    }

    async fn restart(&mut self) -> Result<String, String> {
        match self {
            Self::Unmanaged(unmanaged) => unmanaged.restart().await,
            Self::Exec(exec) => exec.restart().await,
        }
    }
}

fn not_a_target(error: TargetError) -> CampaignError {
    match error {
        TargetError::NoAddress(..) => CampaignError::Unreachable(format!(
            "{error}\nIs the name right? --address IP gives the address of a server whose name \
             cannot be resolved here."
        )),
        _ => CampaignError::usage(format!("{error}\n{URL_SYNTAX}")),
    }
}

/// The same addresses with another port; none without a port.
fn with_port(addresses: &[SocketAddr], port: Option<u16>) -> Vec<SocketAddr> {
    let port = port.into_iter();
    port.flat_map(|port| {
        let addresses = addresses.iter().copied();
        addresses.map(move |mut address| {
            address.set_port(port);
            address
        })
    })
    .collect()
}

fn trust(ca: &Path) -> Result<Trust, CampaignError> {
    let invalid = |why: String| CampaignError::usage(format!("--ca: {}: {why}", ca.display()));
    let pem = std::fs::read(ca).map_err(|error| invalid(error.to_string()))?;
    Trust::from_pem(&pem).map_err(|error| invalid(error.to_string()))
}
