//! Plays each kind of statement.

use super::Stop;
use super::player::{Player, stop};
use super::sandbox::Fetched;
use super::user;
use crate::data::Data;
use crate::driver::{
    DriverError, Expected, ResolvedStep, StepResult, eprt_argument, host_number, port_argument,
};
use crate::scenario::{
    Action, Connection, Content, DataMode, Expect, Match, Octets, Receive, Step, matches,
};
use crate::subject::Session;
use crate::transcript::{EventKind, ObservationKind, Reply};

/// The maximum number of replies before an expected one.
const AFTER_LIMIT: usize = 100;

impl Player {
    pub(super) async fn step(&mut self, step: &Step) -> Result<(), Stop> {
        let name = &step.connection;
        match &step.action {
            Action::Given(_) | Action::Repeat(_) | Action::End => Ok(()),
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
                let reply = self.expected(name, expect, step.line).await?;
                self.compare(expect, &reply, step.line)
            }
            Action::Stored(file, content) => self.stored(file, content).await,
            Action::Missing(file) => self.missing(file).await,
            Action::User {
                step: wanted,
                fails,
            } => {
                let user_step = ResolvedStep::new(wanted, *fails, &self.variables)
                    .map_err(|_| Stop::Mismatch { line: step.line })?;
                self.user_step(name, &user_step, step.line).await
            }
            Action::Listen => self.listen(name, step.line).await,
            action => self.act(name, action, step.line).await,
        }
    }

    /// Plays a statement that needs only this session.
    async fn act(&mut self, name: &Connection, action: &Action, line: u32) -> Result<(), Stop> {
        let mode = self.variant().data;
        let (way, longest) = (self.timeouts.way, self.timeouts.longest_silence);
        let prepared = self.prepared(action, line)?;
        let data = match action {
            Action::SendData(content) | Action::WriteData(content) => self.octets(content)?,
            _ => Data::default(),
        };
        let expected = match action {
            Action::Receive(receive) => self.expected_data(receive),
            _ => Expected::Listing,
        };
        let session = self.session(name)?;
        let control = &mut session.control;
        let done = match action {
            Action::Send(_) | Action::Octets(_) => control.send(&prepared).await,
            Action::Silent(duration) => control.silent((*duration).min(longest) + way).await,
            Action::Closed => control.until_closed().await,
            // A server without NOOP is alive as well.
            Action::Alive => match session.exchange("NOOP").await {
                Ok(reply) if reply.code / 100 == 2 || matches!(reply.code, 500 | 502) => Ok(()),
                Ok(_) => Err(DriverError::Broken),
                Err(fault) => Err(fault),
            },
            // The data connection stays open: the server has to end it now.
            Action::Drop => {
                control.close().await;
                Ok(())
            }
            // A failed handshake ends the dialogue in either case.
            Action::Tls(version) | Action::TlsOrEnd(version) => control.handshake(*version).await,
            Action::Clear => control.back_to_clear().await,
            Action::Data(named) => match session.prepare(named.unwrap_or(mode)).await {
                Ok(reply) if reply.code / 100 == 2 => Ok(()),
                Ok(_) => Err(DriverError::Broken),
                Err(fault) => Err(fault),
            },
            Action::Connect => session.connect_passive().await,
            Action::Refused => session.passive_is_refused().await,
            Action::StalePort => session.stale_port().await,
            Action::ThirdParty => session.third_party().await,
            Action::Handshake => session.data_ready().await.map(|_| ()),
            Action::SendData(_) => send_data(session, &data, true).await,
            Action::WriteData(_) => send_data(session, &data, false).await,
            // The judge compares the data; the dialogue goes on.
            Action::Receive(_) => {
                let data = session.data_ready().await;
                match data {
                    Ok(data) => data.read_to_end(&expected).await.map(|_| ()),
                    Err(fault) => Err(fault),
                }
            }
            Action::DataEnds => match session.data_ready().await {
                Ok(data) => data.outlast().await,
                // An aborted handshake is recorded, and so is the end of the connection.
                Err(DriverError::Broken) => Ok(()),
                Err(fault) => Err(fault),
            },
            Action::Read(count) => match session.data_ready().await {
                Ok(data) => data.read_exactly(*count).await.map(|_| ()),
                Err(fault) => Err(fault),
            },
            Action::CloseData => {
                session.data.cut().await;
                Ok(())
            }
            Action::ResetData => {
                session.data.reset();
                Ok(())
            }
            Action::NoData => match session.data.no_data().await {
                // Recorded; nothing that follows depends on it.
                Err(DriverError::Broken | DriverError::TimedOut) => Ok(()),
                other => other,
            },
            Action::Given(_)
            | Action::Repeat(_)
            | Action::End
            | Action::Open
            | Action::Login
            | Action::Expect(_)
            | Action::Stored(..)
            | Action::Missing(_)
            | Action::User { .. }
            | Action::Listen => Err(DriverError::Internal(
                "a statement in the wrong place".into(),
            )),
        };
        done.map_err(|fault| stop(fault, line))
    }

    /// The octets a statement sends, cut into segments.
    fn prepared(&self, action: &Action, line: u32) -> Result<Vec<Vec<u8>>, Stop> {
        // The reply that should have set a missing variable did not match, which is reported there.
        let unknown = |_| Stop::Mismatch { line };
        let octets = |content: &Content| {
            let octets = self.octets(content).map_err(unknown)?;
            Ok::<_, Stop>(octets.to_vec())
        };
        Ok(match action {
            Action::Send(text) => {
                let mut octets = self
                    .variables
                    .expand(text)
                    .map_err(|_| Stop::Mismatch { line })?;
                octets.push_str("\r\n");
                vec![octets.into_bytes()]
            }
            Action::Octets(Octets::Raw(content)) => vec![octets(content)?],
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

    /// The data that `@receive` expects. A variable without a value is reported by the judge.
    fn expected_data(&self, receive: &Receive) -> Expected {
        match receive {
            Receive::Exactly(content) => match content.data(&self.variables) {
                Ok(data) => Expected::Content(data),
                Err(_) => Expected::Listing,
            },
            Receive::Coded(_, inside) => match self.expected_data(inside) {
                Expected::Content(data) => {
                    self.recorder.allow(data.len().saturating_mul(2));
                    Expected::Coded(data.len())
                }
                other => other,
            },
            _ => Expected::Listing,
        }
    }

    /// Reads replies up to the first one that is not allowed before the expected one (`!after`).
    async fn expected(
        &mut self,
        name: &Connection,
        expect: &Expect,
        line: u32,
    ) -> Result<Reply, Stop> {
        for _ in 0..AFTER_LIMIT {
            let reply = self.session(name)?.read_reply().await;
            let reply = reply.map_err(|fault| stop(fault, line))?;
            if !expect.goes_before(reply.code) {
                return Ok(reply);
            }
        }
        Err(Stop::Mismatch { line })
    }

    /// Stops at a reply of a class that is not expected; every other mismatch is left to the judge.
    fn compare(&mut self, expect: &Expect, reply: &Reply, line: u32) -> Result<(), Stop> {
        let found = matches(expect, reply, &mut self.variables);
        if found == Match::Holds {
            return Ok(());
        }
        // Equally valid, but nothing remains to be played.
        if expect.ends_with(reply.code) {
            return Err(Stop::Mismatch { line });
        }
        if found == Match::WrongText {
            return Ok(());
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
        if let Some(hostnumber) = host_number(local) {
            self.variables.set("hostnumber", hostnumber);
        }
        if let Some(hostport) = port_argument(local) {
            self.variables.set("hostport", hostport);
        }
        Ok(())
    }

    async fn stored(&mut self, name: &str, content: &Content) -> Result<(), Stop> {
        let (name, wanted) = (self.expand(name)?, self.octets(content)?);
        let expected = Expected::Content(wanted.clone());
        let (fact, octets, ok) = match self.sandbox()?.fetch(&name, &expected).await? {
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
                Data::default(),
                false,
            ),
        };
        self.recorder.record(
            &Connection::runner(),
            EventKind::Observed {
                kind: ObservationKind::Stored,
                fact,
                octets,
                ok,
            },
        );
        Ok(())
    }

    async fn missing(&mut self, name: &str) -> Result<(), Stop> {
        let name = self.expand(name)?;
        let ok = self.sandbox()?.is_missing(&name).await?;
        let fact = format!(
            "@missing {name}: {}",
            if ok { "is missing" } else { "is there" }
        );
        self.recorder.record(
            &Connection::runner(),
            EventKind::Observed {
                kind: ObservationKind::Missing,
                fact,
                octets: Data::default(),
                ok,
            },
        );
        Ok(())
    }

    async fn user_step(
        &mut self,
        name: &Connection,
        user_step: &ResolvedStep,
        line: u32,
    ) -> Result<(), Stop> {
        let mode = self.variant().data;
        let result = match &mut self.suppaftp {
            Some(client) => client.play_step(user_step).await,
            None => user::play_step(self.session(name)?, mode, user_step).await,
        };
        let result = match result {
            Ok(result) => result,
            Err(fault) => {
                let fact = format!("{}: could not be done", user_step.shown);
                let what = EventKind::Observed {
                    kind: ObservationKind::UserStep,
                    fact,
                    octets: Data::default(),
                    ok: false,
                };
                self.recorder.record(name, what);
                return Err(stop(fault, line));
            }
        };
        let (ok, fact) = user_step.compare(&result);
        let refused = matches!(result, StepResult::Refused(_));
        let octets = if let StepResult::Done(octets) = result {
            octets
        } else {
            Data::default()
        };
        self.recorder.record(
            name,
            EventKind::Observed {
                kind: ObservationKind::UserStep,
                fact,
                octets,
                ok,
            },
        );
        // The dialogue goes on after unexpected octets, but not after a step that was not done.
        if ok || refused == user_step.fails {
            Ok(())
        } else {
            Err(Stop::Mismatch { line })
        }
    }
}

async fn send_data(session: &mut Session, octets: &Data, end: bool) -> Result<(), DriverError> {
    let data = session.data_ready().await?;
    data.write(octets).await?;
    if end {
        data.close().await;
    }
    Ok(())
}
