//! Records a session of the proxy as a transcript, while it happens.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use regex::bytes::Regex;

use super::observer::{Channel, Leg, Observer, Sighting};
use super::write_out::WriteOut;
use crate::data::Data;
use crate::transcript::{
    self, Connection, DataMode, End, Event, EventKind, Header, ObservationKind, Scrub, Seat, Side,
};

/// Octets of a data connection that become one event.
const PIECE: u64 = 1 << 20;
/// How many times octets may come before they become one event.
const PARTS: usize = 1000;
/// How long octets of a data connection wait for more while more come.
const LONGEST_WAIT: Duration = Duration::from_millis(250);

/// Writes what is observed to a file, each event soon after it is complete. The arguments of PASS,
/// ACCT and ADAT are never written, nor what matches one of the patterns on a control connection.
pub(crate) struct Recorder {
    start: Instant,
    file: WriteOut,
    state: Mutex<State>,
}

struct State {
    /// Octets of data connections that wait for more, and since when.
    data: BTreeMap<(Leg, u32), (Data, Instant)>,
    /// Lines of control connections, which may wait for their end.
    scrub: Scrub<(Leg, Side)>,
}

impl Recorder {
    /// Records to this file, which is replaced.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn create(path: &Path, name: String, scrub: Vec<Regex>) -> io::Result<Self> {
        let header = Header {
            seat: Seat::Proxy,
            started: Some(jiff::Timestamp::now()),
            name,
            ..Header::default()
        };
        Ok(Self {
            start: Instant::now(),
            file: WriteOut::create(path, header)?,
            state: Mutex::new(State {
                data: BTreeMap::new(),
                scrub: Scrub::new(scrub),
            }),
        })
    }

    /// Writes what waited for more, waits until all is written, and reports the first error there
    /// was.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.write_waiting(&mut self.state());
        self.file.finish()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, channel: transcript::Channel, what: EventKind) {
        let at = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.file.push(Event {
            at,
            connection: Connection::main(),
            channel,
            line: 0,
            what,
        });
    }

    fn write_waiting(&self, state: &mut State) {
        self.write_data(state);
        for ((leg, from), octets) in state.scrub.rest() {
            self.write_control(leg, from, octets);
        }
    }

    fn write_data(&self, state: &mut State) {
        for ((leg, number), (octets, _)) in std::mem::take(&mut state.data) {
            let what = match leg {
                Leg::Client => EventKind::DataFromClient { octets },
                Leg::Server => EventKind::DataFromServer { octets },
            };
            self.write(transcript::Channel::LegData(leg, number), what);
        }
    }

    fn write_control(&self, leg: Leg, from: Side, octets: Vec<u8>) {
        let what = match from {
            Side::Client => EventKind::FromClient { octets },
            Side::Server => EventKind::FromServer { octets },
        };
        self.write(transcript::Channel::LegControl(leg), what);
    }

    fn control(&self, state: &mut State, leg: Leg, from: Side, octets: &[u8]) {
        let whole = state.scrub.apply((leg, from), octets.to_vec());
        if !whole.is_empty() {
            self.write_control(leg, from, whole);
        }
    }
}

impl Observer for Recorder {
    fn ended(&self) {
        self.write_waiting(&mut self.state());
    }

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        self.file.poll_room(context)
    }

    fn see(&self, leg: Leg, channel: Channel, sighting: &Sighting<'_>) {
        let mut state = self.state();
        let state = &mut *state;
        let theirs = match leg {
            Leg::Client => Side::Client,
            Leg::Server => Side::Server,
        };
        let ours = match leg {
            Leg::Client => Side::Server,
            Leg::Server => Side::Client,
        };
        match (channel, sighting) {
            (Channel::Control, Sighting::Received(octets)) => {
                self.write_data(state);
                return self.control(state, leg, theirs, octets);
            }
            (Channel::Control, Sighting::Sent(octets)) => {
                self.write_data(state);
                return self.control(state, leg, ours, octets);
            }
            (Channel::Data(number), Sighting::Data(octets)) => {
                let held = state.data.entry((leg, number));
                let (held, since) = held.or_insert_with(|| (Data::default(), Instant::now()));
                held.extend(Data::from((*octets).clone()));
                let is_whole = held.len() >= PIECE || held.parts().len() >= PARTS;
                if is_whole || since.elapsed() >= LONGEST_WAIT {
                    self.write_data(state);
                }
                return;
            }
            _ => {}
        }
        self.write_waiting(state);
        let (to, what) = match channel {
            Channel::Control => (
                transcript::Channel::LegControl(leg),
                control_event(leg, theirs, sighting),
            ),
            Channel::Data(number) => (
                transcript::Channel::LegData(leg, number),
                data_event(leg, theirs, sighting),
            ),
        };
        if let Some(what) = what {
            self.write(to, what);
        }
    }
}

/// The addresses of client and server on a leg, as text.
fn ends(leg: Leg, ours: SocketAddr, theirs: SocketAddr) -> (String, String) {
    match leg {
        Leg::Client => (theirs.to_string(), ours.to_string()),
        Leg::Server => (ours.to_string(), theirs.to_string()),
    }
}

fn control_event(leg: Leg, by: Side, sighting: &Sighting<'_>) -> Option<EventKind> {
    Some(match sighting {
        Sighting::Opened { ours, theirs, .. } => {
            let (local, peer) = ends(leg, *ours, *theirs);
            EventKind::Connected { local, peer }
        }
        Sighting::Failed(error) => EventKind::ConnectFailed {
            error: (*error).to_owned(),
        },
        Sighting::TlsStarted(facts) => EventKind::TlsEstablished((*facts).clone()),
        Sighting::TlsEnded => EventKind::TlsEnded { clean: true },
        Sighting::Urgent => EventKind::Urgent {
            from: match by {
                Side::Client => Side::Server,
                Side::Server => Side::Client,
            },
        },
        Sighting::Ended(how) => EventKind::Closed(End { by, how: *how }),
        Sighting::Fault(fault) => EventKind::Observed {
            kind: ObservationKind::InjectedFault,
            fact: (*fault).to_owned(),
            octets: Data::default(),
            ok: true,
        },
        Sighting::Received(_) | Sighting::Sent(_) | Sighting::Data(_) => return None,
    })
}

fn data_event(leg: Leg, by: Side, sighting: &Sighting<'_>) -> Option<EventKind> {
    Some(match sighting {
        Sighting::Opened { ours, theirs, mode } => {
            let (local, peer) = ends(leg, *ours, *theirs);
            let mode = mode.unwrap_or(DataMode::Pasv);
            EventKind::DataOpened { mode, local, peer }
        }
        Sighting::Failed(error) => EventKind::DataFailed {
            error: (*error).to_owned(),
        },
        Sighting::TlsStarted(facts) => EventKind::TlsEstablished((*facts).clone()),
        Sighting::Ended(how) => EventKind::DataClosed(End { by, how: *how }),
        Sighting::TlsEnded
        | Sighting::Received(_)
        | Sighting::Data(_)
        | Sighting::Urgent
        | Sighting::Sent(_)
        | Sighting::Fault(_) => return None,
    })
}
