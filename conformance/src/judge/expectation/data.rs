//! Steps that concern the data connection.

use super::{Here, Walk};
use crate::data::Data;
use crate::judge::{shown, shown_data};
use crate::scenario::{Content, Receive, TextPattern, Variables};
use crate::transcript::{Awaited, CloseKind, EventKind, Side, doubled_cr};
use std::net::{IpAddr, SocketAddr};

impl Walk<'_> {
    /// `@data`: the reply is positive, and passive connects.
    pub(super) fn data_prepared(&mut self, here: &Here<'_>) {
        let refused = match self.first_reply(here) {
            None => true,
            Some((_, reply)) => reply.class() != 2,
        };
        let failed = |what: &EventKind| {
            matches!(
                what,
                EventKind::DataFailed { .. }
                    | EventKind::Silence {
                        awaited: Awaited::DataConnection,
                        ..
                    }
            )
        };
        if refused || self.any(here, failed) {
            self.broken(here, "");
        }
    }

    /// `@refused`: no connection, or one that is closed at once without an octet.
    pub(super) fn refused(&mut self, here: &Here<'_>) {
        let opened = self.any(here, |what| matches!(what, EventKind::DataOpened { .. }));
        let octets = self.any(here, |what| {
            matches!(what, EventKind::DataFromServer { .. })
        });
        let closed = self.any(
            here,
            |what| matches!(what, EventKind::DataClosed(end) if end.by == Side::Server),
        );
        if octets || (opened && !closed) {
            self.find_at_last(here, "the data connection was accepted");
        }
    }

    /// `@send`, `@write`: the server took every octet.
    pub(super) fn sent(&mut self, here: &Here<'_>, content: &Content) {
        let Ok(wanted) = content.data(&self.variables) else {
            return self.broken(here, "");
        };
        let taken: u64 = here
            .events
            .iter()
            .map(|index| match self.what(*index) {
                EventKind::DataFromClient { octets } => octets.len(),
                _ => 0,
            })
            .sum();
        if taken < wanted.len() {
            let observed = format!("the server took {taken} of {} octets", wanted.len());
            if taken > 0 {
                self.find_at_last(here, &observed)
            } else {
                self.broken(here, &observed)
            }
        } else if self.any(here, |what| matches!(what, EventKind::DataFailed { .. })) {
            self.broken(here, "");
        }
    }

    /// `@receive`: the right octets, and then the end of the data connection.
    pub(super) fn receive(&mut self, here: &Here<'_>, receive: &Receive) {
        let ended = here
            .events
            .iter()
            .find_map(|index| match self.what(*index) {
                EventKind::DataClosed(end) if end.by == Side::Server => Some(end.how),
                _ => None,
            });
        match ended {
            None => return self.broken(here, ""),
            Some(CloseKind::Reset) => {
                return self.find_at_last(here, "the server reset the data connection");
            }
            Some(CloseKind::Clean | CloseKind::NoCloseNotify) => {}
        }
        let data = self.data(here);
        let observed = match receive {
            Receive::Anything => None,
            Receive::Exactly(content) => self.otherwise_than(content, &data),
            other => self.otherwise(other, &data.joined()),
        };
        if let Some(observed) = observed {
            self.find_at_last(here, &observed);
        }
    }

    /// Describes what is wrong with the received data.
    fn otherwise(&mut self, receive: &Receive, octets: &[u8]) -> Option<String> {
        match receive {
            Receive::Anything => None,
            Receive::Coded(coding, inside) => match coding.decoded(octets) {
                Ok(decoded) => self
                    .otherwise(inside, &decoded)
                    .map(|observed| format!("decoded: {observed}")),
                Err(error) => Some(format!("{error}: {}", octets_shown(octets))),
            },
            Receive::Exactly(content) => self.otherwise_than(content, &octets.into()),
            Receive::Matching(pattern) => {
                let text = String::from_utf8_lossy(octets);
                let fits = pattern.matches(&text, &mut self.variables);
                (!fits).then(|| listing_shown(octets))
            }
            Receive::Lines(wanted) => {
                let wanted: Result<Vec<Vec<u8>>, _> = wanted
                    .iter()
                    .map(|line| line.octets(&self.variables))
                    .collect();
                match wanted {
                    Ok(wanted) => other_lines(wanted, octets),
                    Err(error) => Some(error.to_string()),
                }
            }
            Receive::Has(globs) => self.globs(globs, octets, Lines::Some),
            Receive::HasNot(globs) => self.globs(globs, octets, Lines::None),
            Receive::Once(globs) => self.globs(globs, octets, Lines::One),
            Receive::Dated(entries) => self.dated(entries, octets),
        }
    }

    /// Describes where the received data differs from the content.
    fn otherwise_than(&self, content: &Content, came: &Data) -> Option<String> {
        match content.data(&self.variables) {
            Ok(wanted) => difference(&wanted, came),
            Err(error) => Some(error.to_string()),
        }
    }

    /// `@read`: a number of octets.
    pub(super) fn read(&mut self, here: &Here<'_>, count: u64) {
        let came = self.data(here).len();
        if came != count {
            self.broken(here, &format!("{came} octets"));
        }
    }

    /// `@eof`: the server ends the data connection, in whatever manner; in the middle of our
    /// handshake, too.
    pub(super) fn data_ends(&mut self, here: &Here<'_>) {
        let by_server = |what: &EventKind| match what {
            EventKind::DataClosed(end) => end.by == Side::Server,
            EventKind::TlsFailed { data, .. } => *data,
            _ => false,
        };
        if !self.any(here, by_server) {
            self.broken(here, "");
        }
    }

    /// `@nodata`: no octet, and no data connection where we listen for one.
    pub(super) fn no_data(&mut self, here: &Here<'_>) {
        let came = |what: &EventKind| {
            matches!(
                what,
                EventKind::DataFromServer { .. } | EventKind::DataOpened { .. }
            )
        };
        if self.any(here, came) {
            self.find_at_last(here, "the server opened or used a data connection");
        }
    }

    fn data(&self, here: &Here<'_>) -> Data {
        let mut data = Data::default();
        for index in &here.events {
            if let EventKind::DataFromServer { octets } = self.what(*index) {
                data.extend(octets.clone());
            }
        }
        data
    }

    fn globs(&mut self, globs: &[TextPattern], octets: &[u8], wanted: Lines) -> Option<String> {
        let text = String::from_utf8_lossy(octets);
        let lines: Vec<&str> = text.lines().collect();
        globs.iter().find_map(|glob| {
            // Two are enough to know.
            let fits = lines
                .iter()
                .filter(|line| glob.matches(line, &mut self.variables))
                .take(2)
                .count();
            let how = match (wanted, fits) {
                (Lines::Some | Lines::One, 0) => "no line fits",
                (Lines::None, 1..) => "a line fits",
                (Lines::One, 2..) => "more than one line fits",
                _ => return None,
            };
            let shown = listing_shown(octets);
            Some(format!("{how} `{}`: {shown}", glob.source))
        })
    }

    fn find_at_last(&mut self, here: &Here<'_>, observed: &str) {
        let event = here.events.last().copied().unwrap_or(0);
        self.find(here.step, here.step.line, event, observed.to_owned(), true);
    }
}

/// How many lines a glob has to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    None,
    One,
    Some,
}

/// Where octets differ from the wanted ones, in words; `None` if they do not.
pub(super) fn difference(wanted: &Data, came: &Data) -> Option<String> {
    if wanted == came {
        return None;
    }
    let at = wanted.common_beginning(came);
    let count = match (came.len(), wanted.len()) {
        (0, wanted) => return Some(format!("not one of {wanted} octets")),
        (came, wanted) if came == wanted => format!("{came} octets"),
        (came, wanted) => format!("{came} octets where {wanted} are wanted"),
    };
    let from = at.saturating_sub(8);
    let cut = if from > 0 { "…" } else { "" };
    Some(format!(
        "{count}, different from octet {at} on: {cut}{}",
        shown_data(&came.slice(from..u64::MAX))
    ))
}

fn other_lines(mut wanted: Vec<Vec<u8>>, octets: &[u8]) -> Option<String> {
    let mut came: Vec<Vec<u8>> = Vec::new();
    let mut rest = octets;
    while !rest.is_empty() {
        let Some(end) = memchr::memmem::find(rest, b"\r\n") else {
            return Some(format!("a line without CRLF: {}", shown(rest)));
        };
        came.push(rest[..end].to_vec());
        rest = &rest[end + 2..];
    }
    wanted.sort();
    came.sort();
    (wanted != came).then(|| octets_shown(octets))
}

pub(super) fn listing_shown(octets: &[u8]) -> String {
    octets_shown(octets) + doubled_cr(octets)
}

fn octets_shown(octets: &[u8]) -> String {
    if octets.is_empty() {
        "no octets".into()
    } else {
        shown(octets)
    }
}

/// The variables `@listen` sets.
pub(super) fn set_listener(variables: &mut Variables, local: SocketAddr) {
    let ip = local.ip().to_canonical();
    let family = if ip.is_ipv4() { 1 } else { 2 };
    variables.set("address", ip.to_string());
    variables.set("port", local.port().to_string());
    variables.set("family", family.to_string());
    variables.set("eprt", format!("|{family}|{ip}|{}|", local.port()));
    if let IpAddr::V4(ip) = ip {
        let [high, low] = local.port().to_be_bytes();
        let host = ip.to_string().replace('.', ",");
        variables.set("hostport", format!("{host},{high},{low}"));
    }
}
