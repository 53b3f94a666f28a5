//! Checks beyond the grammar: whether a scenario is consistent in itself and with the catalogue.

mod about;
mod front;
mod transfer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use super::{
    Action, Connection, Dated, Diagnostic, DriverKind, Expect, Given, Level, Octets, Receive,
    ReplyPattern, Scenario, Severity, Step, TextPattern, UserStep,
};
use super::{Content, variables};
use crate::text::did_you_mean;
use front::quoted_texts;

/// The knowledge a scenario is checked against. Empty parts are not checked.
#[derive(Debug, Clone, Default)]
pub struct Knowledge {
    /// Every requirement: its id, and how binding it is.
    pub requirements: BTreeMap<String, Level>,
    /// Every verb of the registry.
    pub verbs: BTreeSet<String>,
}

/// Variables that have a value from the start.
const GIVEN_VARIABLES: &[&str] = &["user", "password", "dir", "host"];

/// Variables that `@listen` gives a value.
const LISTEN_VARIABLES: &[&str] = &[
    "address",
    "family",
    "port",
    "hostnumber",
    "hostport",
    "eprt",
];

/// The variable that `@repeat` gives a value.
const TURN: &str = "turn";

/// The largest number of diagnostics; a file with more is probably not a scenario.
const DIAGNOSTICS_LIMIT: usize = 100;

/// How many patterns are compiled to see whether they can be: no scenario has more, and it takes a
/// while.
const COMPILED_PATTERNS: usize = 200;

/// Errors and warnings beyond the grammar.
#[must_use]
pub fn lint(scenario: &Scenario, knowledge: &Knowledge) -> Vec<Diagnostic> {
    let mut linter = Linter::new(scenario);
    linter.front_matter(knowledge);
    linter.dialogue();
    linter.impact();
    linter.found.sort_by_key(|found| found.span.start);
    linter.found
}

struct Linter<'a> {
    scenario: &'a Scenario,
    /// The octets of each line, without its end.
    lines: Vec<Range<usize>>,
    found: Vec<Diagnostic>,
    known: BTreeSet<&'a str>,
    captured: BTreeSet<String>,
    connections: BTreeMap<&'a Connection, State<'a>>,
    /// Where each quoted text of the front matter starts.
    quoted: BTreeMap<&'a str, usize>,
    compiled: usize,
}

/// What has happened on one control connection.
#[derive(Debug, Default)]
struct State<'a> {
    /// A data connection is prepared and has not ended.
    data: bool,
    /// Lines of commands that have no completion reply yet, each with its verb.
    unanswered: VecDeque<(u32, &'a str)>,
    /// Exact octets were sent: how many commands those are is the scenario's own business.
    uncounted: bool,
}

impl<'a> Linter<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let mut start = 0;
        let lines = scenario
            .text
            .split_inclusive('\n')
            .map(|line| {
                let span = start..start + line.trim_end_matches(['\r', '\n']).len();
                start += line.len();
                span
            })
            .collect();
        let mut connections = BTreeMap::new();
        let main = scenario
            .steps
            .iter()
            .map(|step| &step.connection)
            .find(|one| one.0 == "main");
        if let Some(main) = main {
            connections.insert(main, State::default());
        }
        Self {
            scenario,
            lines,
            found: Vec::new(),
            known: GIVEN_VARIABLES.iter().copied().collect(),
            captured: BTreeSet::new(),
            connections,
            quoted: quoted_texts(&scenario.text),
            compiled: 0,
        }
    }

    fn dialogue(&mut self) {
        for step in &self.scenario.steps {
            if self.is_full() {
                break;
            }
            self.connection(step);
            self.variables(step);
            self.data(step);
            self.replies(step);
            self.about(step);
        }
        let states = std::mem::take(&mut self.connections);
        for (connection, state) in states {
            let Some((line, _)) = state.unanswered.front().filter(|_| !state.uncounted) else {
                continue;
            };
            let message = match state.unanswered.len() {
                1 => "from here on a command is never answered".to_owned(),
                more => format!("from here on {more} commands are never answered"),
            };
            let name = if connection.0 == "main" {
                ""
            } else {
                connection.0.as_str()
            };
            let help = format!("`{name}< CODES` expects its reply");
            self.warning(self.line(*line), message, Some(help));
        }
    }

    fn connection(&mut self, step: &'a Step) {
        if matches!(step.action, Action::Open | Action::Login) {
            self.connections.entry(&step.connection).or_default();
        }
        if !self.connections.contains_key(&step.connection) {
            let name = &step.connection.0;
            let message = format!("the control connection `{name}` is not open yet");
            let help = format!("`{name}@login` or `{name}@open` opens it");
            self.error(self.line(step.line), message, Some(help));
            // Once is enough.
            self.connections.entry(&step.connection).or_default();
        }
    }

    fn variables(&mut self, step: &'a Step) {
        let mut used: Vec<&str> = Vec::new();
        match &step.action {
            Action::Send(line) => {
                used.extend(names_in(line));
                if line.ends_with(char::is_whitespace) {
                    let span = self.line(step.line);
                    let help = "if that is meant, `@raw \"…\"` shows it".to_owned();
                    self.warning(
                        span.end - 1..span.end,
                        "the line ends with a blank",
                        Some(help),
                    );
                }
            }
            Action::Octets(Octets::Raw(content) | Octets::Bytewise(content))
            | Action::SendData(content)
            | Action::WriteData(content) => used.extend(content.variables()),
            Action::Octets(Octets::Segments(contents)) => {
                used.extend(contents.iter().flat_map(Content::variables));
            }
            Action::Given(Given::File(name, content)) | Action::Stored(name, content) => {
                used.extend(names_in(name));
                used.extend(content.variables());
            }
            Action::Given(Given::Directory(name)) | Action::Missing(name) => {
                used.extend(names_in(name));
            }
            Action::User { step, .. } => used.extend(names_in_user_step(step)),
            Action::Listen => self.known.extend(LISTEN_VARIABLES),
            Action::Repeat(_) => {
                self.known.insert(TURN);
            }
            Action::End => {
                self.known.remove(TURN);
            }
            Action::Expect(expect) => self.expectation(step.line, expect),
            Action::Receive(receive) => self.receive(step.line, receive, &mut used),
            _ => {}
        }
        self.must_be_known(step.line, used);
    }

    fn receive(&mut self, line: u32, receive: &'a Receive, used: &mut Vec<&'a str>) {
        match receive {
            Receive::Exactly(content) => used.extend(content.variables()),
            Receive::Lines(contents) => used.extend(contents.iter().flat_map(Content::variables)),
            Receive::Matching(pattern) => self.pattern(line, pattern),
            Receive::Has(patterns) | Receive::HasNot(patterns) | Receive::Once(patterns) => {
                for pattern in patterns {
                    self.pattern(line, pattern);
                }
            }
            Receive::Dated(entries) => {
                for Dated { name, time } in entries {
                    used.extend(names_in(name).chain(names_in(time)));
                }
            }
            Receive::Coded(_, inside) => self.receive(line, inside, used),
            Receive::Anything => {}
        }
    }

    fn expectation(&mut self, line: u32, expect: &'a Expect) {
        match &expect.text {
            None => {}
            Some(ReplyPattern::Text(text)) => self.pattern(line, text),
            Some(ReplyPattern::Block {
                first,
                between,
                last,
            }) => {
                for pattern in between.iter().flatten().chain([first, last]) {
                    self.pattern(line, pattern);
                }
            }
        }
        if let Some(should) = &expect.should {
            self.expectation(should.0, &should.1);
        }
    }

    /// A glob captures unknown variables; a regular expression captures its named groups only.
    fn pattern(&mut self, line: u32, pattern: &'a TextPattern) {
        self.compiled += 1;
        if self.compiled <= COMPILED_PATTERNS
            && let Err(message) = pattern.matcher(&pattern.any_values())
        {
            self.error(self.line(line), message, None);
        }
        match pattern.regex() {
            Some(_) => {
                self.must_be_known(line, pattern.variables());
                self.captured.extend(pattern.groups());
            }
            None => self.known.extend(pattern.variables()),
        }
    }

    fn must_be_known(&mut self, line: u32, used: Vec<&'a str>) {
        for name in used {
            if self.known.contains(name) || self.captured.contains(name) {
                continue;
            }
            if self.is_full() {
                return;
            }
            let whole = self.line(line);
            let written = format!("${{{name}}}");
            let at = self.scenario.text[whole.clone()].find(&written);
            let span = match at {
                Some(at) => whole.start + at..whole.start + at + written.len(),
                None => whole,
            };
            let help = match LISTEN_VARIABLES.contains(&name) {
                true => Some("`@listen` gives it a value".to_owned()),
                false => did_you_mean(
                    name,
                    self.known
                        .iter()
                        .copied()
                        .chain(self.captured.iter().map(String::as_str)),
                ),
            };
            self.error(
                span,
                format!("the variable `{name}` has no value here"),
                help,
            );
            // Once is enough.
            self.known.insert(name);
        }
    }

    fn data(&mut self, step: &'a Step) {
        let state = self.connections.entry(&step.connection).or_default();
        let (needs, ends) = match step.action {
            Action::Data(_) | Action::Listen | Action::Connect => {
                state.data = true;
                return;
            }
            Action::WriteData(_) | Action::Read(_) | Action::Handshake => (true, false),
            Action::SendData(_)
            | Action::Receive(_)
            | Action::CloseData
            | Action::ResetData
            | Action::DataEnds
            | Action::NoData => (true, true),
            _ => (false, false),
        };
        let missing = needs && !state.data;
        if ends {
            state.data = false;
        }
        if missing {
            let help = "`@data` prepares one before the transfer command".to_owned();
            let message = "there is no data connection here";
            self.error(self.line(step.line), message, Some(help));
        }
    }

    fn replies(&mut self, step: &'a Step) {
        let state = self.connections.entry(&step.connection).or_default();
        match &step.action {
            Action::Send(line) => {
                let verb = line.split(' ').next().unwrap_or_default();
                state.unanswered.push_back((step.line, verb));
            }
            Action::Expect(expect) if !expect.codes.preliminary() => {
                let answered = state.unanswered.pop_front();
                let has_data_connection = state.data;
                if let Some((_, verb)) = answered.filter(|_| !state.uncounted) {
                    self.refusal(step.line, verb, expect, has_data_connection);
                }
            }
            // What follows is about the transfer that has begun.
            Action::Expect(_) => {
                if let Some((_, verb)) = state.unanswered.front_mut() {
                    *verb = "";
                }
            }
            Action::Octets(_) => state.uncounted = true,
            // Nobody waits for an answer any more.
            Action::Closed | Action::Drop => state.unanswered.clear(),
            _ => {}
        }
    }

    /// Whether the limit of diagnostics is reached, so that checking can stop.
    fn is_full(&self) -> bool {
        self.found.len() >= DIAGNOSTICS_LIMIT
    }

    fn line(&self, line: u32) -> Range<usize> {
        self.lines
            .get(line.saturating_sub(1) as usize)
            .cloned()
            .unwrap_or(0..0)
    }

    fn error(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.push(Severity::Error, span, message.into(), help);
    }

    fn warning(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.push(Severity::Warning, span, message.into(), help);
    }

    fn push(
        &mut self,
        severity: Severity,
        span: Range<usize>,
        message: String,
        help: Option<String>,
    ) {
        if self.is_full() {
            return;
        }
        let line = self.lines.partition_point(|line| line.end < span.start) + 1;
        let line = u32::try_from(line.min(self.lines.len().max(1))).unwrap_or(u32::MAX);
        self.found.push(Diagnostic {
            severity,
            message,
            line,
            span,
            help,
        });
    }
}

fn names_in(text: &str) -> impl Iterator<Item = &str> {
    variables::parts(text.as_bytes()).filter_map(|part| match part {
        variables::Part::Variable(name) => Some(name),
        variables::Part::Octets(_) => None,
    })
}

fn names_in_user_step(step: &UserStep) -> Vec<&str> {
    let (names, content): (Vec<&String>, Option<&Content>) = match step {
        UserStep::Put(name, content)
        | UserStep::Append(name, content)
        | UserStep::Get(name, content)
        | UserStep::Resume(name, _, content) => (vec![name], Some(content)),
        UserStep::Names(names) | UserStep::List(names) => (names.iter().collect(), None),
        UserStep::Rename(old, new) => (vec![old, new], None),
        UserStep::Size(name, _)
        | UserStep::Delete(name)
        | UserStep::Mkdir(name)
        | UserStep::Rmdir(name)
        | UserStep::Cwd(name) => (vec![name], None),
    };
    let in_content = content.map(Content::variables).unwrap_or_default();
    names
        .into_iter()
        .flat_map(|name| names_in(name))
        .chain(in_content)
        .collect()
}

#[cfg(test)]
mod tests;
