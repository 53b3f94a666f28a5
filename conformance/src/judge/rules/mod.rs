//! The always-on judges: each looks at every transcript, whatever its scenario asks for.

mod address;
mod closing;
mod feat;
mod limits;
mod mlsx;
mod one_completion;
mod pathname;
mod reply_code;
mod reply_syntax;
mod telnet;
#[cfg(test)]
mod tests;
mod tls;
mod values;

use crate::catalogue::Registry;
use crate::data::Data;
use crate::scenario::{Connection, Level};
use crate::transcript::{Conversation, Exchange, Reply, Transcript};
use crate::verdict::Finding;

/// The input of a judge.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// What happened.
    pub transcript: &'a Transcript,
    /// The same, as commands and replies: [`Conversation::all`] of it.
    pub conversations: &'a [Conversation],
    /// The registry of commands.
    pub registry: &'a Registry,
}

/// A judge that looks at every transcript, whatever its scenario asks.
#[derive(Debug, Clone, Copy)]
pub struct Judge {
    /// Its name in reports.
    pub name: &'static str,
    /// Its rule, in one sentence.
    pub statement: &'static str,
    /// The consequence for users of the server when the rule is broken.
    pub impact: &'static str,
    /// The clause.
    pub clause: &'static str,
    /// The requirements that cannot be broken in any transcript without a finding of its; ids of
    /// the catalogue.
    pub covers: &'static [&'static str],
    /// The judge; what it finds has no name yet.
    pub(crate) judge: fn(&Context<'_>) -> Vec<Finding>,
}

impl Judge {
    /// What it finds in a transcript.
    #[must_use]
    pub fn findings(&self, context: &Context<'_>) -> Vec<Finding> {
        let mut findings = (self.judge)(context);
        for finding in &mut findings {
            finding.judge = self.name.into();
        }
        findings
    }
}

/// Every always-on judge, in the order of reports.
pub const JUDGES: &[Judge] = &[
    reply_syntax::JUDGE,
    reply_code::JUDGE,
    one_completion::JUDGE,
    address::JUDGE,
    pathname::JUDGE,
    feat::JUDGE,
    mlsx::JUDGE,
    values::JUDGE,
    telnet::JUDGE,
    tls::JUDGE,
    closing::JUDGE,
    limits::JUDGE,
];

/// A rule of a judge; findings repeat its fields.
struct Rule {
    level: Level,
    clause: &'static str,
    requirement: &'static str,
}

/// Where a finding shows.
struct Location<'a> {
    connection: &'a Connection,
    event: usize,
}

impl Context<'_> {
    /// A finding: the broken rule, the place, the expectation and the observation.
    fn broken(
        &self,
        rule: &Rule,
        place: &Location<'_>,
        expected: impl Into<String>,
        observed: impl Into<String>,
    ) -> Finding {
        Finding {
            judge: String::new(),
            level: rule.level,
            requirement: rule.requirement.into(),
            clause: rule.clause.into(),
            about: Vec::new(),
            expected: expected.into(),
            observed: observed.into(),
            connection: place.connection.clone(),
            line: self
                .transcript
                .events
                .get(place.event)
                .map_or(0, |event| event.line),
            event: place.event,
            shows_impact: false,
        }
    }

    /// Every exchange that can be judged, with its connection and completion.
    fn whole(&self) -> impl Iterator<Item = Whole<'_>> {
        self.conversations.iter().flat_map(|conversation| {
            conversation.exchanges.iter().filter_map(|exchange| {
                let (event, reply) = exchange.completion()?;
                let place = Location {
                    connection: &conversation.connection,
                    event: *event,
                };
                exchange.is_whole().then_some(Whole {
                    exchange,
                    reply,
                    place,
                })
            })
        })
    }
}

/// An exchange that can be judged.
struct Whole<'a> {
    exchange: &'a Exchange,
    /// The completion.
    reply: &'a Reply,
    /// Where the completion is.
    place: Location<'a>,
}

impl Whole<'_> {
    /// Whether it is about one of these verbs and was completed with this code.
    fn is(&self, verbs: &[&str], code: u16) -> bool {
        self.reply.code == code && verbs.contains(&self.exchange.name())
    }
}

/// A reply for a message: its lines, cut to a length a person reads.
pub(in crate::judge) fn quoted(reply: &Reply) -> String {
    let lines: Vec<String> = reply.lines.iter().take(4).map(|line| shown(line)).collect();
    let more = if reply.lines.len() > 4 { " …" } else { "" };
    format!("{}{more}", lines.join(" / "))
}

/// Octets for a message: escaped, and cut to a length a person reads.
pub(in crate::judge) fn shown(octets: &[u8]) -> String {
    let cut = &octets[..octets.len().min(LONGEST)];
    let more = if octets.len() > LONGEST { "…" } else { "" };
    format!("{}{more}", crate::transcript::escape(cut))
}

/// The same for the octets of a transfer.
pub(in crate::judge) fn shown_data(octets: &Data) -> String {
    shown(&octets.slice(0..LONGEST as u64 + 1).joined())
}

/// Octets shown in a message.
const LONGEST: usize = 120;
