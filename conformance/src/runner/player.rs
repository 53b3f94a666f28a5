//! Plays the statements of one dialogue, one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::session::Session;
use super::user;
use super::workshop::{Fetched, Workshop};
use super::{Job, Protection, Stop, Variant};
use crate::driver::{
    Client, Fault, Recorder, Setback, Suppaftp, Timeouts, Told, Wish, eprt_argument, port_argument,
};
use crate::scenario::{
    Action, Connection, Content, DataMode, DriverKind, Expect, Given, Match, Octets, Step,
    Variables, matches,
};
use crate::target::Target;
use crate::transcript::{Reply, What};

/// The hands of one job: its connections and what the dialogue has learnt.
#[derive(Debug)]
pub(super) struct Player {
    job: Job,
    target: Arc<Target>,
    timeouts: Timeouts,
    recorder: Recorder,
    variables: Variables,
    sessions: BTreeMap<Connection, Session>,
    suppaftp: Option<Suppaftp>,
    workshop: Option<Workshop>,
}

impl From<Setback> for Stop {
    fn from(setback: Setback) -> Self {
        match setback {
            Setback::Gone(why) => Self::TargetGone(why),
            Setback::Refused(why) => Self::Prerequisite(why),
            Setback::Trouble(why) => Self::Trouble(why),
        }
    }
}

impl Player {
    /// With nothing connected yet.
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
            workshop: None,
        }
    }

    /// Plays the whole dialogue, from before the login to the barrier.
    pub(super) async fn play(&mut self, directory: String) -> Result<(), Stop> {
        let scenario = self.job.scenario.clone();
        if self.wants_directory() {
            self.open_workshop(directory).await?;
        }
        for step in &scenario.steps {
            self.recorder.at_line(step.line);
            if let Action::Given(given) = &step.action {
                self.give(given).await?;
            }
        }
        self.recorder.at_line(0);
        self.begin().await?;
        for step in &scenario.steps {
            self.recorder.at_line(step.line);
            self.step(step).await?;
        }
        self.recorder.at_line(0);
        self.end().await
    }

    /// Closes what is still open, and hands over the runner's own connection for clean-up.
    pub(super) async fn leave(&mut self) -> Option<Workshop> {
        self.recorder.at_line(0);
        for session in self.sessions.values_mut() {
            session.data.close().await;
            session.control.close().await;
        }
        self.sessions.clear();
        self.suppaftp = None;
        self.workshop.take()
    }

    fn variant(&self) -> Variant {
        self.job.variant
    }

    /// Whether somebody logs in, or something has to be prepared.
    fn wants_directory(&self) -> bool {
        let scenario = &self.job.scenario;
        self.target.writable
            && (scenario.about.login
                || scenario.steps.iter().any(|step| {
                    matches!(
                        step.action,
                        Action::Login | Action::Given(_) | Action::Stored(..) | Action::Missing(_)
                    )
                }))
    }

    async fn open_workshop(&mut self, directory: String) -> Result<(), Stop> {
        // Prepared in the same security as the variant: a server may want TLS of everybody.
        let workshop = Workshop::open(
            &self.target,
            Variant {
                driver: DriverKind::Raw,
                ..self.variant()
            },
            self.timeouts,
            &self.recorder,
            directory,
        )
        .await?;
        self.variables.set("dir", workshop.enter());
        self.recorder.begin_with(self.variables.0.clone());
        self.workshop = Some(workshop);
        Ok(())
    }

    fn workshop(&mut self) -> Result<&mut Workshop, Stop> {
        self.workshop
            .as_mut()
            .ok_or_else(|| Stop::Prerequisite("the target is not to be written to".into()))
    }

    async fn give(&mut self, given: &Given) -> Result<(), Stop> {
        let (name, made, octets) = match given {
            Given::File(name, content) => {
                let name = self.expand(name)?;
                let octets = self.octets(content)?;
                (
                    name.clone(),
                    self.workshop()?.make_file(&name, &octets).await,
                    octets,
                )
            }
            Given::Directory(name) => {
                let name = self.expand(name)?;
                (
                    name.clone(),
                    self.workshop()?.make_directory(&name).await,
                    vec![],
                )
            }
        };
        let fact = format!("@given {name}");
        let what = What::Observed {
            fact,
            octets,
            ok: made.is_ok(),
        };
        self.recorder.record(&Connection::runner(), what);
        made.map_err(Stop::from)
    }

    /// Connects the main connection and logs in, if the scenario does not want to see that itself.
    async fn begin(&mut self) -> Result<(), Stop> {
        let login = self.job.scenario.about.login;
        if self.variant().driver == DriverKind::Suppaftp {
            let enter = self
                .workshop
                .as_ref()
                .map(|workshop| workshop.enter().to_owned());
            let how = Client {
                mode: self.variant().data,
                ipv6: self.variant().ipv6,
                tls: self.variant().protection != Protection::Clear,
                enter,
            };
            let recorder = self.recorder.clone();
            let client = Suppaftp::log_in(&self.target, how, self.timeouts, recorder).await?;
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

    /// A further connection of the dialogue; the target is not gone because it will not have that one.
    async fn one_more(&self, name: &Connection, line: u32) -> Result<Session, Stop> {
        self.connect(name.clone()).await.map_err(|stop| match stop {
            Stop::TargetGone(_) => Stop::Mismatch { line },
            other => other,
        })
    }

    async fn log_in(&mut self, name: &Connection) -> Result<(), Stop> {
        let enter = self
            .workshop
            .as_ref()
            .map(|workshop| workshop.enter().to_owned());
        let session = self.session(name)?;
        session.log_in().await?;
        if let Some(enter) = enter {
            session
                .required(&format!("CWD {enter}"), &[250, 200])
                .await?;
        }
        Ok(())
    }

    /// NOOP and exactly one 200: a reply too many or too few anywhere before shows here at the latest. Then QUIT, and
    /// whatever comes until the server closes, so that a reply too many cannot hide behind the one of NOOP.
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
            main.control.write_down_left_over();
            noop.map_err(|fault| stop(fault, 0))?;
            let quiet = self.timeouts.quiet;
            // How a session ends is no part of this scenario.
            if main.control.send_line("QUIT").await.is_ok() {
                let _ = main.hear().await;
                let _ = main.control.until_closed_within(quiet).await;
            }
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), Stop> {
        let name = &step.connection;
        match &step.action {
            Action::Given(_) => Ok(()),
            Action::Open => {
                let session = self.one_more(name, step.line).await?;
                self.sessions.insert(name.clone(), session);
                Ok(())
            }
            Action::Login => {
                if !self.sessions.contains_key(name) {
                    let session = self.one_more(name, step.line).await?;
                    self.sessions.insert(name.clone(), session);
                }
                self.log_in(name).await
            }
            Action::Expect(expect) => {
                let reply = self.session(name)?.hear().await;
                let reply = reply.map_err(|fault| stop(fault, step.line))?;
                self.compare(expect, &reply, step.line)
            }
            Action::Stored(file, content) => self.stored(file, content).await,
            Action::Missing(file) => self.missing(file).await,
            Action::User {
                step: wanted,
                fails,
            } => {
                let wish = Wish::new(wanted, *fails, &self.variables)
                    .map_err(|_| Stop::Mismatch { line: step.line })?;
                self.user_step(name, &wish, step.line).await
            }
            Action::Listen => self.listen(name, step.line).await,
            action => self.act(name, action, step.line).await,
        }
    }

    /// The statements that only need the one session.
    async fn act(&mut self, name: &Connection, action: &Action, line: u32) -> Result<(), Stop> {
        let mode = self.variant().data;
        let prepared = self.prepared(action, line)?;
        let session = self.session(name)?;
        let control = &mut session.control;
        let done = match action {
            Action::Send(_) | Action::Octets(_) => control.send(&prepared).await,
            Action::Silent(duration) => control.silent(*duration).await,
            Action::Closed => control.until_closed().await,
            Action::Alive => match session.exchange("NOOP").await {
                Ok(reply) if reply.code / 100 == 2 => Ok(()),
                Ok(_) => Err(Fault::Broken),
                Err(fault) => Err(fault),
            },
            // The data connection stays: whether the server ends it is what such a scenario asks.
            Action::Drop => {
                session.control.close().await;
                Ok(())
            }
            // A handshake that fails ends the dialogue either way.
            Action::Tls(version) | Action::TlsOrEnd(version) => control.handshake(*version).await,
            Action::Plain => control.back_to_clear().await,
            Action::Data(named) => match session.prepare(named.unwrap_or(mode)).await {
                Ok(reply) if reply.code / 100 == 2 => Ok(()),
                Ok(_) => Err(Fault::Broken),
                Err(fault) => Err(fault),
            },
            Action::Connect => session.connect_passive().await,
            Action::Refused => session.passive_is_refused().await,
            Action::Handshake => session.data_ready().await.map(|_| ()),
            Action::SendData(_) => send_data(session, &prepared, true).await,
            Action::WriteData(_) => send_data(session, &prepared, false).await,
            // What came is compared by whoever judges; the dialogue goes on.
            Action::Receive(_) | Action::DataEnds => receive(session, None).await,
            Action::Read(count) => receive(session, Some(*count)).await,
            Action::CloseData => {
                session.data.cut().await;
                Ok(())
            }
            Action::ResetData => {
                session.data.reset();
                Ok(())
            }
            Action::NoData => match session.data.no_data().await {
                // Written down; nothing that follows depends on it.
                Err(Fault::Broken | Fault::TimedOut) => Ok(()),
                other => other,
            },
            Action::Given(_)
            | Action::Open
            | Action::Login
            | Action::Expect(_)
            | Action::Stored(..)
            | Action::Missing(_)
            | Action::User { .. }
            | Action::Listen => Err(Fault::Trouble("a statement in the wrong place".into())),
        };
        done.map_err(|fault| stop(fault, line))
    }

    /// The octets a statement sends, cut into segments.
    fn prepared(&self, action: &Action, line: u32) -> Result<Vec<Vec<u8>>, Stop> {
        // A variable without a value was to be captured by a reply that did not fit, which is told there.
        let unknown = |_| Stop::Mismatch { line };
        let octets = |content: &Content| self.octets(content).map_err(unknown);
        Ok(match action {
            Action::Send(text) => {
                let mut octets = self
                    .variables
                    .expand(text)
                    .map_err(|_| Stop::Mismatch { line })?;
                octets.push_str("\r\n");
                vec![octets.into_bytes()]
            }
            Action::Octets(Octets::Raw(content))
            | Action::SendData(content)
            | Action::WriteData(content) => vec![octets(content)?],
            Action::Octets(Octets::Segments(contents)) => {
                contents.iter().map(octets).collect::<Result<_, _>>()?
            }
            Action::Octets(Octets::Bytewise(content)) => octets(content)?
                .into_iter()
                .map(|octet| vec![octet])
                .collect(),
            _ => vec![],
        })
    }

    /// A reply of another class than any expected one cannot be gone on with; everything else is the judge's.
    fn compare(&mut self, expect: &Expect, reply: &Reply, line: u32) -> Result<(), Stop> {
        if matches(expect, reply, &mut self.variables) != Match::WrongCode {
            return Ok(());
        }
        // Just as legal, but nothing is left to be played.
        if expect
            .ends
            .as_ref()
            .is_some_and(|(_, codes)| codes.matches(reply.code))
        {
            return Err(Stop::Mismatch { line });
        }
        let class = u8::try_from(reply.code / 100).unwrap_or(0);
        let fits = expect
            .codes
            .0
            .iter()
            .any(|code| code.0[0].is_none_or(|it| it == class));
        if fits {
            Ok(())
        } else {
            Err(Stop::Mismatch { line })
        }
    }

    async fn listen(&mut self, name: &Connection, line: u32) -> Result<(), Stop> {
        let mode = match self.variant().data {
            DataMode::Port | DataMode::Pasv => DataMode::Port,
            DataMode::Eprt | DataMode::Epsv => DataMode::Eprt,
        };
        let session = self.session(name)?;
        let own = session.control.local();
        let local = session
            .data
            .listen(mode, own)
            .await
            .map_err(|fault| stop(fault, line))?;
        self.variables
            .set("family", if local.is_ipv4() { "1" } else { "2" });
        self.variables
            .set("address", local.ip().to_canonical().to_string());
        self.variables.set("port", local.port().to_string());
        self.variables.set("eprt", eprt_argument(local));
        if let Some(hostport) = port_argument(local) {
            self.variables.set("hostport", hostport);
        }
        Ok(())
    }

    async fn stored(&mut self, name: &str, content: &Content) -> Result<(), Stop> {
        let (name, wanted) = (self.expand(name)?, self.octets(content)?);
        let (fact, octets, ok) = match self.workshop()?.fetch(&name).await? {
            Fetched::Octets(octets) => {
                let ok = octets == wanted;
                (
                    format!("@stored {name}: {} octets", octets.len()),
                    octets,
                    ok,
                )
            }
            Fetched::Refused(reply) => (
                format!("@stored {name}: refused: {}", reply.code),
                vec![],
                false,
            ),
        };
        self.recorder
            .record(&Connection::runner(), What::Observed { fact, octets, ok });
        Ok(())
    }

    async fn missing(&mut self, name: &str) -> Result<(), Stop> {
        let name = self.expand(name)?;
        let ok = self.workshop()?.is_missing(&name).await?;
        let fact = format!(
            "@missing {name}: {}",
            if ok { "is missing" } else { "is there" }
        );
        self.recorder.record(
            &Connection::runner(),
            What::Observed {
                fact,
                octets: vec![],
                ok,
            },
        );
        Ok(())
    }

    async fn user_step(&mut self, name: &Connection, wish: &Wish, line: u32) -> Result<(), Stop> {
        let mode = self.variant().data;
        let told = match &mut self.suppaftp {
            Some(client) => client.say(wish).await,
            None => user::say(self.session(name)?, mode, wish).await,
        };
        let told = match told {
            Ok(told) => told,
            Err(fault) => {
                let fact = format!("{}: could not be done", wish.shown);
                let what = What::Observed {
                    fact,
                    octets: vec![],
                    ok: false,
                };
                self.recorder.record(name, what);
                return Err(stop(fault, line));
            }
        };
        let (ok, fact) = wish.weigh(&told);
        let refused = matches!(told, Told::Refused(_));
        let octets = if let Told::Done(octets) = told {
            octets
        } else {
            vec![]
        };
        self.recorder
            .record(name, What::Observed { fact, octets, ok });
        // Other octets than wished can be gone on with; what was not done is missing later.
        if ok || refused == wish.fails {
            Ok(())
        } else {
            Err(Stop::Mismatch { line })
        }
    }

    fn session(&mut self, name: &Connection) -> Result<&mut Session, Stop> {
        let line = self.recorder.line();
        self.sessions
            .get_mut(name)
            .ok_or_else(|| Stop::Trouble(format!("line {line}: connection {name} is not open")))
    }

    fn expand(&self, text: &str) -> Result<String, Stop> {
        let line = self.recorder.line();
        self.variables
            .expand(text)
            .map_err(|_| Stop::Mismatch { line })
    }

    fn octets(&self, content: &Content) -> Result<Vec<u8>, Stop> {
        let line = self.recorder.line();
        content
            .octets(&self.variables)
            .map_err(|_| Stop::Mismatch { line })
    }
}

async fn send_data(session: &mut Session, octets: &[Vec<u8>], end: bool) -> Result<(), Fault> {
    let data = session.data_ready().await?;
    for octets in octets {
        data.write(octets).await?;
    }
    if end {
        data.close().await;
    }
    Ok(())
}

async fn receive(session: &mut Session, count: Option<u64>) -> Result<(), Fault> {
    let data = session.data_ready().await?;
    match count {
        Some(count) => data.read_exactly(count).await.map(|_| ()),
        None => data.read_to_end().await.map(|_| ()),
    }
}

fn stop(fault: Fault, line: u32) -> Stop {
    match fault {
        Fault::TimedOut => Stop::TimedOut { line },
        Fault::Ended => Stop::ConnectionLost { line },
        Fault::Broken => Stop::Mismatch { line },
        Fault::Trouble(trouble) => Stop::Trouble(format!("line {line}: {trouble}")),
    }
}
