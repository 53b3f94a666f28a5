//! Converts what the reference server observes on the wire to events of a transcript with the seat
//! of the server.
//!
//! Each session of the server is a transcript of its own. Passwords are in the events; a
//! [`Writer`](crate::transcript::Writer) masks them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ftpspec_server::observe::tap::{self, ChannelId, Observation, StreamEnd, WireFact};

use crate::transcript::{Channel, CloseKind, Command, Connection, DataMode, End, Event, EventKind};
use crate::transcript::{Side, TlsFacts};

/// Longer command lines do not select a data mode.
const LINE_LIMIT: usize = 512;

/// A tap of the reference server that passes each event to a function, with the number of the
/// session.
pub struct TranscriptTap<F> {
    started: Instant,
    sessions: Mutex<BTreeMap<u64, SessionState>>,
    on_event: F,
}

impl<F: Fn(u64, Event)> TranscriptTap<F> {
    /// The times of events count from now. The function is called by the sessions of the server and
    /// must not block.
    #[must_use]
    pub fn new(on_event: F) -> Self {
        Self {
            started: Instant::now(),
            sessions: Mutex::default(),
            on_event,
        }
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<u64, SessionState>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F> fmt::Debug for TranscriptTap<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TranscriptTap").finish_non_exhaustive()
    }
}

impl<F: Fn(u64, Event) + Send + Sync + 'static> tap::Tap for TranscriptTap<F> {
    fn observe(&self, observation: &Observation<'_>) {
        let number = observation.session;
        let mut sessions = self.sessions();
        let state = sessions.entry(number).or_default();
        let Some(what) = state.event(observation.channel, &observation.fact) else {
            return;
        };
        if matches!(what, EventKind::Closed(_)) {
            sessions.remove(&number);
        }
        drop(sessions);
        let event = Event {
            at: u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            connection: Connection::main(),
            channel: channel(observation.channel),
            line: 0,
            what,
        };
        (self.on_event)(number, event);
    }
}

/// The state of a session that its events depend on.
#[derive(Debug, Default)]
struct SessionState {
    /// The channels under TLS.
    protected: BTreeSet<Channel>,
    /// The channels of which one side has ended its direction.
    half_closed: BTreeSet<Channel>,
    /// The command line that is being received.
    line: Vec<u8>,
    /// The last data mode that the client requested.
    mode: Option<DataMode>,
}

impl SessionState {
    /// The event for a fact; `None` for unknown facts of a newer server.
    fn event(&mut self, id: ChannelId, fact: &WireFact<'_>) -> Option<EventKind> {
        let channel = channel(id);
        let data = id != ChannelId::Control;
        Some(match *fact {
            WireFact::Opened { by, client, server } => {
                let (local, peer) = (client.to_string(), server.to_string());
                match data {
                    false => EventKind::Connected { local, peer },
                    true => EventKind::DataOpened {
                        mode: self.mode.unwrap_or(match by {
                            tap::Side::Client => DataMode::Pasv,
                            tap::Side::Server => DataMode::Port,
                        }),
                        local,
                        peer,
                    },
                }
            }
            WireFact::TlsStarted(facts) => {
                self.protected.insert(channel);
                EventKind::TlsEstablished(TlsFacts {
                    data,
                    version: facts.version.replace("TLSv1_", "TLS 1."),
                    suite: facts.suite.clone(),
                    resumed: facts.resumed,
                    certificate: None,
                })
            }
            WireFact::TlsFailed { error } => EventKind::TlsFailed {
                data,
                error: error.to_owned(),
            },
            WireFact::TlsEnded => {
                self.protected.remove(&channel);
                EventKind::TlsEnded { clean: true }
            }
            WireFact::Octets { from, octets } => match (data, from) {
                (false, tap::Side::Client) => {
                    self.follow(octets);
                    EventKind::from_client(octets)
                }
                (false, tap::Side::Server) => EventKind::from_server(octets),
                (true, tap::Side::Client) => EventKind::DataFromClient {
                    octets: octets.into(),
                },
                (true, tap::Side::Server) => EventKind::DataFromServer {
                    octets: octets.into(),
                },
            },
            WireFact::Urgent => EventKind::Urgent { from: Side::Client },
            WireFact::Ended { by, how } => {
                let end = self.end(channel, by, how);
                let is_half = matches!(
                    how,
                    StreamEnd::Fin | StreamEnd::CloseNotify | StreamEnd::MissingCloseNotify
                ) && self.half_closed.insert(channel);
                match (is_half, data) {
                    (true, _) => EventKind::HalfClosed(end),
                    (false, true) => EventKind::DataClosed(end),
                    (false, false) => EventKind::Closed(end),
                }
            }
            _ => return None,
        })
    }

    fn end(&self, channel: Channel, by: tap::Side, how: StreamEnd) -> End {
        let how = match how {
            StreamEnd::Reset => CloseKind::Reset,
            StreamEnd::MissingCloseNotify => CloseKind::NoCloseNotify,
            StreamEnd::TimedOut | StreamEnd::Closed if self.protected.contains(&channel) => {
                CloseKind::NoCloseNotify
            }
            _ => CloseKind::Clean,
        };
        let by = match by {
            tap::Side::Client => Side::Client,
            tap::Side::Server => Side::Server,
        };
        End { by, how }
    }

    /// Parses what the client sent, for the data mode.
    fn follow(&mut self, octets: &[u8]) {
        for octet in octets {
            if *octet != b'\n' {
                if self.line.len() < LINE_LIMIT {
                    self.line.push(*octet);
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let command = Command::of_line(line.trim_ascii_end());
            self.mode = DataMode::of(&command.verb).or(self.mode);
        }
    }
}

fn channel(id: ChannelId) -> Channel {
    match id {
        ChannelId::Control => Channel::Control,
        ChannelId::Data(number) => Channel::Data(u32::try_from(number).unwrap_or(u32::MAX)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use crate::data::Data;
    use crate::runner::play;
    use crate::runner::testing::{job, play_options};
    use crate::subject::Embedded;
    use std::sync::Arc;

    /// What both seats have to record for one connection.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Wire {
        /// The addresses of the client and of the server.
        addresses: Option<(String, String)>,
        mode: Option<DataMode>,
        /// Version, cipher suite, and whether a session was resumed.
        tls: Vec<(String, String, bool)>,
        from_client: Vec<u8>,
        from_server: Vec<u8>,
        /// The first end of a data connection.
        end: Option<End>,
    }

    fn wire<'a>(events: impl Iterator<Item = &'a Event>) -> BTreeMap<Channel, Wire> {
        let mut channels: BTreeMap<Channel, Wire> = BTreeMap::new();
        for event in events.filter(|event| event.what.is_wire_fact()) {
            let wire = channels.entry(event.channel).or_default();
            let joined = |octets: &Data| octets.to_vec();
            match &event.what {
                EventKind::Connected { local, peer } => {
                    wire.addresses = Some((local.clone(), peer.clone()));
                }
                EventKind::DataOpened { mode, local, peer } => {
                    wire.addresses = Some((local.clone(), peer.clone()));
                    wire.mode = Some(*mode);
                }
                EventKind::TlsEstablished(facts) => {
                    let TlsFacts { version, suite, .. } = facts.clone();
                    wire.tls.push((version, suite, facts.resumed));
                }
                EventKind::FromClient { octets } => wire.from_client.extend(octets),
                EventKind::FromServer { octets } => wire.from_server.extend(octets),
                EventKind::DataFromClient { octets } => wire.from_client.extend(joined(octets)),
                EventKind::DataFromServer { octets } => wire.from_server.extend(joined(octets)),
                EventKind::HalfClosed(end) | EventKind::DataClosed(end)
                    if event.channel != Channel::Control =>
                {
                    wire.end.get_or_insert_with(|| end.clone());
                }
                _ => {}
            }
        }
        channels
    }

    #[tokio::test]
    async fn both_seats_agree_on_what_was_on_the_wire() {
        let seen: Arc<Mutex<BTreeMap<u64, Vec<Event>>>> = Arc::default();
        let store = seen.clone();
        let tap = TranscriptTap::new(move |session, event| {
            let mut sessions = store.lock().unwrap();
            sessions.entry(session).or_default().push(event);
        });
        let server = Embedded::start_with_tap(tap).await.unwrap();
        let dialogue = "@put a \"0123\"\n@get a \"0123\"\n@names a\n> PWD\n< 257";
        let mut clients = Vec::new();
        for variant in [
            "pasv",
            "epsv",
            "port",
            "eprt tls",
            "epsv tls",
            "pasv implicit",
        ] {
            let mut options = play_options();
            options.timeouts = crate::driver::Timeouts::default();
            let played = play(job(variant, "", dialogue), server.target(), &options).await;
            assert_eq!(played.stop, None, "{variant}: {:#?}", played.transcript);
            clients.push((variant, played.transcript.events));
        }
        server.stop().await;
        let sessions = seen.lock().unwrap();
        let by_server: Vec<_> = sessions
            .values()
            .map(|events| wire(events.iter()))
            .collect();
        for (variant, events) in clients {
            for connection in [Connection::main(), Connection::runner()] {
                let own = events.iter().filter(|it| it.connection == connection);
                let by_client = wire(own);
                let addresses = &by_client[&Channel::Control].addresses;
                let same = by_server
                    .iter()
                    .find(|it| it[&Channel::Control].addresses == *addresses);
                assert_eq!(same.unwrap(), &by_client, "{variant} {connection}");
            }
        }
    }
}
