//! `expectation`: compares what a scenario expects with what happened while it was played.
//!
//! The player only decides whether a dialogue can go on. Here every step is looked at again, by the
//! line its events carry, so that a transcript that was recorded, replayed or written by hand is
//! judged like one that was just played.

mod data;
mod dated;
mod ending;
mod finding;
mod place;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use ending::Ending;

use super::{Context, quoted};
use crate::scenario::{
    Action, BeforeTurns, Connection, Content, Expect, Level, Match, PlayedStep, Scenario, Step,
    TlsVersion, UserStep, Variables, matches,
};
use crate::transcript::Features;
use crate::transcript::{
    Awaited, CloseKind, Conversation, EventKind, ObservationKind, Reply, Side,
};
use crate::verdict::{Finding, Stop};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;

const NAME: &str = "expectation";

/// The result of a scenario's own expectations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Assessment {
    /// The findings.
    pub findings: Vec<Finding>,
    /// How the dialogue ended early, where something just as legal left the rest nothing to test
    /// (`!ends`).
    pub ended: Option<Ending>,
}

/// Holds a scenario's steps against the transcript, as far as they were played.
///
/// `@alive` and the barrier ask for one reply to one command. A server that does not implement NOOP
/// is asked no more than that: its one refusal will do, and what NOOP itself has to be is for the
/// scenarios about it.
pub(crate) fn expectation(
    scenario: &Scenario,
    stop: Option<&Stop>,
    context: &Context<'_>,
    features: &Features,
) -> Assessment {
    let last = match stop {
        None => u32::MAX,
        // That statement only shows the excess.
        Some(Stop::LimitExceeded { line, .. }) if *line > 0 => line - 1,
        Some(Stop::Prerequisite(_) | Stop::Internal(_) | Stop::TargetGone(_)) => {
            return Assessment::default();
        }
        Some(stop) => match stop.line() {
            // Line 0 is the barrier at the end, unless not one step was played.
            Some(0) if !context.has_dialogue() => return Assessment::default(),
            Some(0) | None => u32::MAX,
            Some(line) => line,
        },
    };
    let mut walk = Walk::new(scenario, context, features.lacks("NOOP"));
    let stopped = walk.last_place(last);
    for place in scenario.in_order() {
        if !walk.is_up_to((place.turn, place.step.line), stopped) {
            continue;
        }
        walk.step(place);
        if walk.judgement.ended.is_some() {
            return walk.judgement;
        }
    }
    if matches!(stop, Some(Stop::LimitExceeded { .. })) {
        return walk.judgement;
    }
    if matches!(stop, Some(Stop::ConnectionLost { .. })) && walk.may_be_closed_after(last) {
        walk.judgement.ended = Some(Ending::Closed);
        return walk.judgement;
    }
    if last == u32::MAX && scenario.about.barrier {
        walk.barrier();
    }
    // The player could not go on, so something did not hold, even if no rule here says what.
    if last != u32::MAX
        && walk.judgement.findings.is_empty()
        && let Some(step) = scenario.steps.iter().find(|step| step.line == last)
    {
        walk.turn = stopped.0;
        let events = walk.at(&step.connection, step.line);
        walk.broken(&Here { step, events }, "");
    }
    walk.judgement
}

impl Context<'_> {
    fn has_dialogue(&self) -> bool {
        let events = &self.transcript.events;
        events
            .iter()
            .any(|event| event.line > 0 && event.connection != Connection::runner())
    }
}

struct Walk<'a> {
    scenario: &'a Scenario,
    context: &'a Context<'a>,
    replies: BTreeMap<usize, Vec<&'a Reply>>,
    /// Events by connection, turn and line.
    events: BTreeMap<(&'a str, u32, u32), Vec<usize>>,
    /// The lines of each `@repeat`.
    repeats: Vec<RangeInclusive<u32>>,
    /// The turn of each event.
    turns: Vec<u32>,
    /// The turn of the step that is looked at; 0 outside of `@repeat`.
    turn: u32,
    before_turns: BeforeTurns,
    variables: Variables,
    /// Whether NOOP is not implemented.
    lacks_noop: bool,
    judgement: Assessment,
}

impl<'a> Walk<'a> {
    fn new(scenario: &'a Scenario, context: &'a Context<'a>, lacks_noop: bool) -> Self {
        let turns = scenario.turns_of(&context.transcript.events);
        let mut events: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (index, (event, turn)) in context.transcript.events.iter().zip(&turns).enumerate() {
            let key = (event.connection.0.as_str(), *turn, event.line);
            events.entry(key).or_default().push(index);
        }
        Self {
            scenario,
            context,
            replies: Conversation::replies(context.conversations),
            events,
            repeats: scenario.repeats(),
            turns,
            turn: 0,
            before_turns: BeforeTurns::default(),
            variables: Variables(context.transcript.variables.clone()),
            lacks_noop,
            judgement: Assessment::default(),
        }
    }

    fn step(&mut self, PlayedStep { step, turn }: PlayedStep<'_>) {
        self.turn = turn;
        let here = Here {
            step,
            events: self.at(&step.connection, step.line),
        };
        match &step.action {
            Action::Expect(expect) => self.expect(&here, expect),
            Action::Silent(_) => self.silent(&here),
            Action::Closed => self.closed(&here),
            Action::Alive => self.alive(&here),
            Action::Open => {
                if !self.any(&here, |what| matches!(what, EventKind::Connected { .. })) {
                    self.broken(&here, "");
                }
            }
            Action::Tls(version) => self.tls(&here, *version),
            Action::TlsOrEnd(version) => {
                if self.any(&here, is_handshake) {
                    self.tls(&here, *version);
                } else {
                    self.judgement.ended = Some(Ending::Reply);
                }
            }
            Action::Clear => self.plain(&here),
            Action::Data(_) => self.data_prepared(&here),
            Action::Listen => self.listen(&here),
            Action::Connect => {
                if !self.any(&here, |what| matches!(what, EventKind::DataOpened { .. })) {
                    self.broken(&here, "");
                }
            }
            Action::Refused => self.refused(&here),
            Action::SendData(content) | Action::WriteData(content) => self.sent(&here, content),
            Action::Receive(receive) => self.receive(&here, receive),
            Action::Read(count) => self.read(&here, *count),
            Action::DataEnds => self.data_ends(&here),
            Action::NoData => self.no_data(&here),
            Action::Stored(_, content) => {
                self.observed(step, ObservationKind::Stored, Some(content));
            }
            Action::Missing(_) => self.observed(step, ObservationKind::Missing, None),
            Action::User { step: user, fails } => {
                let content = match user {
                    UserStep::Get(_, content) | UserStep::Resume(_, _, content) if !fails => {
                        Some(content)
                    }
                    _ => None,
                };
                self.observed(step, ObservationKind::UserStep, content);
            }
            Action::Repeat(_) => self.before_turns.begin(turn, &mut self.variables),
            Action::End
            | Action::Send(_)
            | Action::Octets(_)
            | Action::Login
            | Action::Drop
            | Action::Handshake
            | Action::StalePort
            | Action::ThirdParty
            | Action::CloseData
            | Action::ResetData
            | Action::Given(_) => {}
        }
    }

    fn expect(&mut self, here: &Here<'_>, expect: &Expect) {
        let expected = self
            .all_replies(here)
            .into_iter()
            .find(|(_, reply)| !expect.goes_before(reply.code));
        let Some((event, reply)) = expected.filter(|(_, reply)| reply.is_whole()) else {
            if expect.ends_when_closed() && expected.is_none() && self.is_closed(here) {
                self.judgement.ended = Some(Ending::Closed);
                return;
            }
            return self.broken(here, "");
        };
        let observed = quoted(reply);
        match matches(expect, reply, &mut self.variables) {
            Match::Holds => {}
            Match::WrongCode | Match::WrongText if expect.ends_with(reply.code) => {
                self.judgement.ended = Some(Ending::Reply);
                return;
            }
            found @ (Match::WrongCode | Match::WrongText) => {
                let contradicts =
                    found == Match::WrongText || expect.codes.are_contradicted_by(reply.code);
                return self.find(here.step, here.step.line, event, observed, contradicts);
            }
        }
        if let Some((line, should)) = expect.should.as_deref()
            && matches(should, reply, &mut self.variables) != Match::Holds
        {
            self.find(here.step, *line, event, observed, true);
            if let Some(finding) = self.judgement.findings.last_mut() {
                finding.level = finding.level.max(Level::Should);
            }
        }
    }

    fn silent(&mut self, here: &Here<'_>) {
        if self.any(here, |what| {
            matches!(what, EventKind::FromServer { .. } | EventKind::Closed(_))
        }) {
            self.broken(here, "");
        }
    }

    fn alive(&mut self, here: &Here<'_>) {
        let (event, observed) = match self.all_replies(here).as_slice() {
            [] => return self.broken(here, ""),
            [(_, reply)] if self.answers_noop(reply) => return,
            [(_, first), (event, reply), ..] if self.answers_noop(first) => {
                (*event, format!("one more reply: {}", quoted(reply)))
            }
            [(event, reply), ..] => (*event, quoted(reply)),
        };
        self.find(here.step, here.step.line, event, observed, true);
    }

    /// Whether this server answers every NOOP like that.
    fn answers_noop(&self, reply: &Reply) -> bool {
        reply.code == 200 || (self.lacks_noop && matches!(reply.code, 500 | 502))
    }

    fn tls(&mut self, here: &Here<'_>, version: Option<TlsVersion>) {
        let wanted = match version {
            None => "",
            Some(TlsVersion::V12) => "TLS 1.2",
            Some(TlsVersion::V13) => "TLS 1.3",
        };
        let facts = here
            .events
            .iter()
            .find_map(|index| match self.what(*index) {
                EventKind::TlsEstablished(facts) if !facts.data => Some((*index, facts)),
                _ => None,
            });
        match facts {
            None => self.broken(here, ""),
            Some((event, facts)) if !facts.version.starts_with(wanted) => {
                let version = facts.version.clone();
                self.find(here.step, here.step.line, event, version, true);
            }
            Some(_) => {}
        }
    }

    /// That the server says close_notify is TLS's own rule; the session goes on without it all the
    /// same.
    fn plain(&mut self, here: &Here<'_>) {
        let ended = here
            .events
            .iter()
            .find_map(|index| match self.what(*index) {
                EventKind::TlsEnded { clean } => Some((*index, *clean)),
                _ => None,
            });
        match ended {
            None => self.broken(here, ""),
            Some((event, false)) => {
                let observed = "the server sent no close_notify of its own".to_owned();
                self.find(here.step, here.step.line, event, observed, false);
                if let Some(finding) = self.judgement.findings.last_mut() {
                    finding.level = finding.level.max(Level::Should);
                }
            }
            Some((_, true)) => {}
        }
    }

    /// An observation of a driver or of the runner's own connection.
    fn observed(&mut self, step: &Step, about: ObservationKind, content: Option<&Content>) {
        let found = [&step.connection, &Connection::runner()]
            .into_iter()
            .find_map(|connection| {
                self.at(connection, step.line)
                    .into_iter()
                    .rev()
                    .find_map(|index| match self.what(index) {
                        EventKind::Observed {
                            kind,
                            fact,
                            octets,
                            ok,
                        } if *kind == about => Some((index, fact.clone(), octets, *ok)),
                        _ => None,
                    })
            });
        let Some((event, fact, octets, ok)) = found else {
            let events = self.at(&step.connection, step.line);
            return self.broken(&Here { step, events }, "");
        };
        if !ok {
            // The result of a refused step is not known.
            let contradicts = match step.action {
                Action::User { fails: false, .. } => !octets.is_empty(),
                _ => true,
            };
            return self.find(step, step.line, event, fact, contradicts);
        }
        let wanted = content.and_then(|content| content.data(&self.variables).ok());
        if let Some(difference) = wanted.and_then(|it| data::difference(&it, octets)) {
            self.find(step, step.line, event, difference, true);
        }
    }

    // Building blocks of the steps above and in the other files.

    fn at(&self, connection: &Connection, line: u32) -> Vec<usize> {
        self.events
            .get(&(connection.0.as_str(), self.turn, line))
            .cloned()
            .unwrap_or_default()
    }

    fn what(&self, index: usize) -> &'a EventKind {
        &self.context.transcript.events[index].what
    }

    fn any(&self, here: &Here<'_>, is: impl Fn(&EventKind) -> bool) -> bool {
        here.events.iter().any(|index| is(self.what(*index)))
    }

    fn all_replies(&self, here: &Here<'_>) -> Vec<(usize, &'a Reply)> {
        self.replies_in(here.events.iter().copied())
    }

    fn replies_in(&self, events: impl Iterator<Item = usize>) -> Vec<(usize, &'a Reply)> {
        let mut replies = Vec::new();
        for event in events {
            let here = self.replies.get(&event).into_iter().flatten();
            replies.extend(here.map(|reply| (event, *reply)));
        }
        replies
    }

    fn first_reply(&self, here: &Here<'_>) -> Option<(usize, &'a Reply)> {
        self.all_replies(here).into_iter().next()
    }

    /// The step failed, and the events of its line show why.
    fn broken(&mut self, here: &Here<'_>, otherwise: &str) {
        let shown = here
            .events
            .iter()
            .rev()
            .find_map(|index| Some((*index, self.shows(*index)?)));
        let (event, observed) = shown.unwrap_or_else(|| self.before(here, otherwise));
        // The absence of data shows the impact only if no data was expected.
        let contradicts = matches!(
            here.step.action,
            Action::Closed
                | Action::Silent(_)
                | Action::NoData
                | Action::Refused
                | Action::DataEnds
        );
        self.find(here.step, here.step.line, event, observed, contradicts);
    }

    /// The reply of which the last line had not come when this event happened.
    fn half_a_reply(&self, index: usize) -> Option<&'a Reply> {
        let events = &self.context.transcript.events;
        let own = events[..index].iter().enumerate().rev().find(|(_, event)| {
            event.connection == events[index].connection
                && matches!(
                    event.what,
                    EventKind::FromServer { .. } | EventKind::FromClient { .. }
                )
        });
        let replies = self.replies.get(&own?.0)?;
        replies.last().copied().filter(|reply| !reply.is_whole())
    }

    /// An event in words, if it can be the reason that a step does not hold.
    fn shows(&self, index: usize) -> Option<String> {
        Some(match self.what(index) {
            EventKind::FromServer { octets } => {
                match self.replies.get(&index).and_then(|r| r.first()) {
                    Some(reply) if !reply.is_whole() => {
                        format!("a reply without end: {}", quoted(reply))
                    }
                    Some(reply) => quoted(reply),
                    None => super::shown(octets),
                }
            }
            EventKind::ConnectFailed { error } => format!("no control connection: {error}"),
            EventKind::TlsFailed { error, .. } => format!("the TLS handshake failed: {error}"),
            EventKind::Closed(end) => match (end.by, end.how) {
                (Side::Client, _) => "we had closed the control connection".into(),
                (Side::Server, CloseKind::Reset) => {
                    "the server reset the control connection".into()
                }
                (Side::Server, _) => "the server closed the control connection".into(),
            },
            EventKind::Silence { waited_ms, awaited } => {
                let awaited = match awaited {
                    Awaited::Reply => match self.half_a_reply(index) {
                        None => "no reply",
                        Some(half) => {
                            let half = quoted(half);
                            return Some(format!(
                                "no end of this reply within {waited_ms} ms: {half}"
                            ));
                        }
                    },
                    Awaited::Nothing => return None,
                    Awaited::Data => "neither more octets nor the end of the data connection",
                    Awaited::DataConnection => "no data connection",
                    Awaited::Close => "the control connection stays open",
                    Awaited::Handshake => "no TLS handshake",
                };
                format!("{awaited} within {waited_ms} ms")
            }
            EventKind::DataFailed { error } => format!("no data connection: {error}"),
            EventKind::DataFromServer { octets } => format!("data: {}", super::shown_data(octets)),
            EventKind::LimitExceeded(excess) => excess.to_string(),
            EventKind::DataClosed(end) if end.by == Side::Server => {
                "the server ended the data connection".into()
            }
            _ => return None,
        })
    }

    fn listen(&mut self, here: &Here<'_>) {
        let local = here
            .events
            .iter()
            .find_map(|index| match self.what(*index) {
                EventKind::DataListening { local } => local.parse::<SocketAddr>().ok(),
                _ => None,
            });
        match local {
            None => self.broken(here, ""),
            Some(local) => data::set_listener(&mut self.variables, local),
        }
    }
}

/// A step and the events of its line on its connection.
struct Here<'a> {
    step: &'a Step,
    events: Vec<usize>,
}

fn is_handshake(what: &EventKind) -> bool {
    matches!(what, EventKind::TlsEstablished(facts) if !facts.data)
}
