//! Plays the statements of one dialogue in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::names::made_by_users;
use super::requirements_of_scenario::needs_directory;
use super::sandbox::{CLEAN_UP, Sandbox};
use super::{Job, Stop, Variant};
use crate::data::Data;
use crate::driver::{Client, DriverError, Recorder, SetupError, Suppaftp, Timeouts};
use crate::scenario::{
    Action, BeforeTurns, Connection, Content, DriverKind, Given, PlayedStep, Protection, Variables,
    new_turn,
};
use crate::subject::{Session, Target};
use crate::transcript::{EventKind, ObservationKind};

/// The state of one running job: its connections and variables.
#[derive(Debug)]
pub(super) struct Player {
    job: Job,
    target: Arc<Target>,
    pub(super) timeouts: Timeouts,
    pub(super) recorder: Recorder,
    pub(super) variables: Variables,
    pub(super) sessions: BTreeMap<Connection, Session>,
    pub(super) suppaftp: Option<Suppaftp>,
    sandbox: Option<Sandbox>,
    /// The directory that is being created.
    opening: Option<String>,
}

impl From<SetupError> for Stop {
    fn from(error: SetupError) -> Self {
        match error {
            SetupError::Gone(why) => Self::TargetGone(why),
            SetupError::Refused(why) => Self::Prerequisite(why),
            SetupError::Busy(why) => Self::Busy(why),
            SetupError::Internal(why) => Self::Internal(why),
        }
    }
}

impl Player {
    /// A player without connections.
    pub(super) fn new(
        job: Job,
        target: Arc<Target>,
        timeouts: Timeouts,
        recorder: Recorder,
    ) -> Self {
        let mut variables = Variables::default();
        variables.set("user", &target.user);
        variables.set("password", &target.password);
        if let Some(address) = target.address(job.variant.ipv6) {
            variables.set("host", address.ip().to_string());
        }
        recorder.begin_with(variables.0.clone());
        Self {
            job,
            target,
            timeouts,
            recorder,
            variables,
            sessions: BTreeMap::new(),
            suppaftp: None,
            sandbox: None,
            opening: None,
        }
    }

    /// Plays the whole dialogue, from the connection to the final NOOP.
    pub(super) async fn play(&mut self, directory: String) -> Result<(), Stop> {
        let scenario = self.job.scenario.clone();
        if needs_directory(&scenario, &self.target) {
            self.open_sandbox(directory).await?;
        }
        let mut before = BeforeTurns::default();
        for PlayedStep { step, turn } in scenario.in_order() {
            self.recorder.at_line(step.line);
            match &step.action {
                Action::Repeat(_) => before.begin(turn, &mut self.variables),
                Action::Given(given) => self.give(given).await?,
                _ => {}
            }
        }
        self.recorder.at_line(0);
        self.begin().await?;
        for PlayedStep { step, turn } in scenario.in_order() {
            self.recorder.at_line(step.line);
            if matches!(step.action, Action::Repeat(_)) {
                before.begin(turn, &mut self.variables);
                self.recorder.record(&Connection::runner(), new_turn(turn));
            }
            self.step(step).await?;
        }
        self.recorder.at_line(0);
        self.end().await
    }

    /// Closes all connections and removes everything that was created. Returns the name of a
    /// directory that could not be removed.
    pub(super) async fn leave(&mut self) -> Option<String> {
        self.recorder.at_line(0);
        for session in self.sessions.values_mut() {
            session.data.close().await;
            session.control.close().await;
        }
        self.sessions.clear();
        self.suppaftp = None;
        if let Some(sandbox) = self.sandbox.take() {
            let more = self.timeouts.for_statements(&self.job.scenario);
            let names = made_by_users(&self.job.scenario);
            return sandbox.clean_up(&names, CLEAN_UP + more).await;
        }
        // Cancelled while the directory was being created: it may or may not exist.
        let name = self.opening.take()?;
        let variant = self.raw();
        Sandbox::sweep(&self.target, variant, self.timeouts, &self.recorder, name).await
    }

    fn raw(&self) -> Variant {
        Variant {
            driver: DriverKind::Raw,
            ..self.variant()
        }
    }

    pub(super) fn variant(&self) -> Variant {
        self.job.variant
    }

    async fn open_sandbox(&mut self, directory: String) -> Result<(), Stop> {
        self.opening = Some(directory.clone());
        // Prepared with the protection of the variant: the server may require TLS.
        let opened = Sandbox::open(
            &self.target,
            self.raw(),
            self.timeouts,
            &self.recorder,
            directory,
        );
        let sandbox = opened.await;
        self.opening = None;
        // From here on clean-up removes it.
        let sandbox = self.sandbox.insert(sandbox?);
        sandbox.go_in().await?;
        self.variables.set("dir", sandbox.pathname());
        self.recorder.begin_with(self.variables.0.clone());
        Ok(())
    }

    pub(super) fn sandbox(&mut self) -> Result<&mut Sandbox, Stop> {
        self.sandbox
            .as_mut()
            .ok_or_else(|| Stop::Prerequisite("the target is read-only".into()))
    }

    async fn give(&mut self, given: &Given) -> Result<(), Stop> {
        let (name, made, octets) = match given {
            Given::File(name, content) => {
                let name = self.expand(name)?;
                let octets = self.octets(content)?;
                (
                    name.clone(),
                    self.sandbox()?.make_file(&name, &octets).await,
                    octets,
                )
            }
            Given::Directory(name) => {
                let name = self.expand(name)?;
                (
                    name.clone(),
                    self.sandbox()?.make_directory(&name).await,
                    Data::default(),
                )
            }
        };
        let fact = format!("@given {name}");
        let what = EventKind::Observed {
            kind: ObservationKind::Given,
            fact,
            octets,
            ok: made.is_ok(),
        };
        self.recorder.record(&Connection::runner(), what);
        made.map_err(Stop::from)
    }

    /// Opens the main connection and logs in, unless the scenario does that itself.
    async fn begin(&mut self) -> Result<(), Stop> {
        let login = self.job.scenario.about.login;
        if self.variant().driver == DriverKind::Suppaftp {
            let enter = self.proof().await?;
            let target = &self.target;
            let how = Client {
                host: target.host.clone(),
                address: target.address(self.variant().ipv6),
                trust: target.trust.clone(),
                user: target.user.clone(),
                password: target.password.clone(),
                path: target.path.clone(),
                mode: self.variant().data,
                tls: self.variant().protection != Protection::Clear,
                enter,
            };
            let recorder = self.recorder.clone();
            let client = Suppaftp::log_in(how, self.timeouts, recorder).await?;
            self.suppaftp = Some(client);
            return Ok(());
        }
        let main = self.connect(Connection::main()).await?;
        self.sessions.insert(Connection::main(), main);
        if login {
            self.log_in(&Connection::main()).await
        } else {
            Ok(())
        }
    }

    async fn connect(&self, name: Connection) -> Result<Session, Stop> {
        let variant = self.variant();
        Ok(Session::connect(name, &self.target, variant, self.timeouts, &self.recorder).await?)
    }

    /// Opens a further connection. That the server refuses it does not mean that the target is
    /// gone.
    pub(super) async fn one_more(&self, name: &Connection, line: u32) -> Result<Session, Stop> {
        self.connect(name.clone()).await.map_err(|stop| match stop {
            Stop::TargetGone(_) => Stop::Mismatch { line },
            other => other,
        })
    }

    pub(super) async fn log_in(&mut self, name: &Connection) -> Result<(), Stop> {
        let session = self.session(name)?;
        session.log_in().await?;
        if let Some((directory, marker)) = self.proof().await? {
            self.session(name)?.enter(&directory, &marker).await?;
        }
        Ok(())
    }

    /// The directory that a session has to enter, and a marker in it for that session.
    async fn proof(&mut self) -> Result<Option<(String, String)>, Stop> {
        let Some(sandbox) = &mut self.sandbox else {
            return Ok(None);
        };
        let marker = sandbox.mark().await?;
        Ok(Some((sandbox.pathname().to_owned(), marker)))
    }

    /// Sends NOOP and expects exactly one 200, so that a missing or extra earlier reply is detected
    /// here at the latest. Then sends QUIT and reads until the server closes, so that an extra
    /// reply after that to NOOP is detected too.
    async fn end(&mut self) -> Result<(), Stop> {
        let barrier = self.job.scenario.about.barrier;
        let Some(main) = self.sessions.get_mut(&Connection::main()) else {
            return Ok(());
        };
        if !main.control.is_open() {
            return Ok(());
        }
        if barrier {
            let noop = main.exchange("NOOP").await;
            main.control.record_unread_replies();
            noop.map_err(|fault| stop(fault, 0))?;
            let quiet = self.timeouts.quiet;
            // How a session ends is not part of this scenario.
            if main.control.send_line("QUIT").await.is_ok() {
                let _ = main.read_reply().await;
                let ended = main.control.until_closed_within(quiet).await;
                if let Err(fault @ DriverError::LimitExceeded(_)) = ended {
                    return Err(stop(fault, 0));
                }
            }
        }
        Ok(())
    }

    pub(super) fn session(&mut self, name: &Connection) -> Result<&mut Session, Stop> {
        let line = self.recorder.line();
        self.sessions
            .get_mut(name)
            .ok_or_else(|| Stop::Internal(format!("line {line}: connection {name} is not open")))
    }

    pub(super) fn expand(&self, text: &str) -> Result<String, Stop> {
        let line = self.recorder.line();
        self.variables
            .expand(text)
            .map_err(|_| Stop::Mismatch { line })
    }

    pub(super) fn octets(&self, content: &Content) -> Result<Data, Stop> {
        let line = self.recorder.line();
        content
            .data(&self.variables)
            .map_err(|_| Stop::Mismatch { line })
    }
}

/// Why the dialogue stops at an error.
pub(super) fn stop(fault: DriverError, line: u32) -> Stop {
    match fault {
        DriverError::TimedOut => Stop::TimedOut { line },
        DriverError::Ended => Stop::ConnectionLost { line },
        DriverError::Broken => Stop::Mismatch { line },
        DriverError::LimitExceeded(excess) => Stop::LimitExceeded { line, excess },
        DriverError::Internal(error) => Stop::Internal(format!("line {line}: {error}")),
    }
}
