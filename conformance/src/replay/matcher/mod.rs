//! Decides what a stand-in for the server replies to a command: which exchange of the recording it
//! is. Pure.
//!
//! A client may leave the recorded order as far as the result is the same; [`Role`] says for each
//! verb how far that is. Anything else is a [`Deviation`].

mod cast;
mod line;

pub(crate) use cast::Cast;
pub(crate) use line::{Line, Role};

use serde::Serialize;

use crate::data::{Data, escape};
use crate::replay::dialogue::Session;
use crate::transcript::{Command, Reply};
use line::{Request, State};

/// Commands that are named as expected.
const NAMED: usize = 3;

/// What a client did that the recording does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deviation {
    /// The number of the session in the recordings, from 1.
    pub session: usize,
    /// What the client sent; empty if something is missing.
    pub came: String,
    /// What was expected, at most three commands.
    pub expected: Vec<String>,
    /// The recorded command that is most like it; may be empty.
    pub nearest: String,
    /// What is wrong.
    pub problem: String,
}

impl std::fmt::Display for Deviation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "session {}: {}", self.session, self.problem)?;
        if !self.came.is_empty() {
            write!(f, "\n  came      {}", self.came)?;
        }
        for (index, line) in self.expected.iter().enumerate() {
            let label = if index == 0 { "expected" } else { "" };
            write!(f, "\n  {label:<8}  {line}")?;
        }
        if !self.nearest.is_empty() {
            write!(f, "\n  nearest   {}", self.nearest)?;
        }
        Ok(())
    }
}

/// What is to be done for a command.
#[derive(Debug, Clone)]
pub(crate) enum Decision {
    /// What the recording has.
    Play(Box<Line>),
    /// A data port is agreed upon; the recorded line of the same verb, if there is one.
    Prepare(Option<Box<Line>>),
    /// A reply that follows from the recording.
    Reply(String),
    /// Something the recording does not have, with the reply that says so.
    Refuse(String, Box<Deviation>),
}

/// A session of a recording, and what of it a client has done.
#[derive(Debug, Clone)]
pub(crate) struct Matcher {
    number: usize,
    lines: Vec<Line>,
    done: Vec<bool>,
    /// All lines before this one are done.
    first_undone: usize,
    /// After the last command done of those the client has to send.
    cursor: usize,
    knows_directory: bool,
    login_directory: String,
    state: State,
    /// The offset of the next transfer.
    offset: u64,
    /// The greeting, and how the server ended the connection after it.
    pub(crate) greeting: Vec<Reply>,
    pub(crate) is_implicit: bool,
}

impl Matcher {
    /// Nothing has been done of this session, the `number`-th from 1.
    pub(crate) fn new(number: usize, session: &Session) -> Self {
        let (lines, login_directory) = Line::all(session);
        let greeting = session.exchanges.iter().filter(|it| it.command.is_none());
        let greeting = greeting.flat_map(|it| &it.replies);
        let knows_directory = login_directory.is_some();
        let login_directory = login_directory.unwrap_or_else(|| "/".into());
        Self {
            number,
            done: vec![false; lines.len()],
            first_undone: 0,
            cursor: 0,
            lines,
            state: State::new(&login_directory),
            knows_directory,
            login_directory,
            offset: 0,
            greeting: greeting.map(|(_, reply)| reply.clone()).collect(),
            is_implicit: session.is_implicit(),
        }
    }

    /// What follows from this command. Nothing is done of what is refused.
    pub(crate) fn decide(&mut self, command: &Command) -> Decision {
        let request = Request::new(command, &self.state.directory);
        let decision = match request.role {
            Role::Preparation => self.preparation(&request),
            Role::Omissible => self.omissible(&request, command),
            Role::Login => self.login(&request, command),
            Role::Files | Role::InOrder | Role::Abort => self.required(&request, command),
            Role::Restart => self.restart(&request),
            Role::Quit => self.quit(&request),
        };
        if let Decision::Play(line) = &decision {
            if line.is_done() {
                self.state.done(&request);
            }
            if line.request.role == Role::Login {
                self.state = State {
                    directory: self.login_directory.clone(),
                    ..self.state.clone()
                };
            }
        }
        decision
    }

    /// What follows from the command of a client that plays another session, in the directory and
    /// at the offset of that one; `None` if it is nothing that this session has still to do. It need
    /// not be logged in here.
    pub(crate) fn lend(&mut self, command: &Command, borrower: &mut Self) -> Option<Decision> {
        let request = Request::new(command, &borrower.state.directory);
        let mut tried = self.clone();
        if request.role == Role::Omissible {
            tried.state = borrower.state.clone();
            let answer = tried.omissible(&request, command);
            let Decision::Play(line) = &answer else {
                return None;
            };
            if line.is_done() {
                borrower.state.done(&request);
            }
            return Some(answer);
        }
        if request.role != Role::Files {
            return None;
        }
        for (index, line) in self.lines.iter().enumerate() {
            tried.done[index] |= line.request.role == Role::Login;
        }
        tried.offset = borrower.offset;
        let decision = tried.required(&request, command);
        let Decision::Play(line) = &decision else {
            return None;
        };
        for (index, done) in tried.done.iter().enumerate() {
            if *done && self.lines[index].request.role != Role::Login {
                self.mark(index);
            }
        }
        borrower.offset = 0;
        if line.is_done() {
            borrower.state.done(&request);
        }
        Some(decision)
    }

    /// What the client has not done of what it has to do.
    pub(crate) fn missing(&self) -> Vec<&Line> {
        let lines = self.lines.iter().zip(&self.done);
        let missing = lines.filter(|(line, done)| !**done && line.is_required());
        missing.map(|(line, _)| line).collect()
    }

    /// Whether nothing has been done of it.
    pub(crate) fn is_untouched(&self) -> bool {
        !self.done.contains(&true)
    }

    /// That the client has not done everything.
    pub(crate) fn unfinished(&self) -> Option<Deviation> {
        let missing = self.missing();
        let count = missing.len();
        (count > 0).then(|| Deviation {
            session: self.number,
            came: String::new(),
            expected: missing
                .iter()
                .take(NAMED)
                .map(|line| line.shown.clone())
                .collect(),
            nearest: String::new(),
            problem: match count {
                1 => "the client did not send a command of the recording".into(),
                _ => format!("the client did not send {count} commands of the recording"),
            },
        })
    }

    /// A deviation that is found outside, in a transfer.
    pub(crate) fn deviation(&self, came: String, problem: String) -> Deviation {
        Deviation {
            session: self.number,
            came,
            expected: Vec::new(),
            nearest: String::new(),
            problem,
        }
    }

    fn preparation(&mut self, request: &Request) -> Decision {
        let same = |line: &Line| line.request.verb == request.verb;
        let undone = self.undone().find(|index| same(&self.lines[*index]));
        let known = undone.or_else(|| self.lines.iter().rposition(same));
        if let Some(index) = known {
            self.mark(index);
            let line = Box::new(self.lines[index].clone());
            return match line.is_done() {
                true => Decision::Prepare(Some(line)),
                false => Decision::Play(line),
            };
        }
        Decision::Prepare(None)
    }

    /// The nearest recorded answer in the same state: what changes the file must be done already,
    /// or not yet.
    fn omissible(&mut self, request: &Request, command: &Command) -> Decision {
        let cursor = self.cursor;
        let same = |index: &usize| {
            let line = &self.lines[*index];
            let typed = request.verb != "SIZE" || line.representation == self.state.representation;
            line.request == *request && typed
        };
        let undone_change = |index: usize| {
            let mut before = self.undone().take_while(|before| *before < index);
            before.any(|before| self.lines[before].changes(&request.argument))
        };
        let done_change = |index: usize| {
            let mut after = self.lines.iter().zip(&self.done).skip(index);
            after.any(|(line, done)| *done && line.changes(&request.argument))
        };
        let names_file = request.looks_at_file();
        let mut later = (cursor..self.lines.len()).filter(same);
        let later =
            later.find(|index| !(self.done[*index] || (names_file && undone_change(*index))));
        let earlier = || {
            let mut earlier = (0..self.lines.len()).rev().filter(same);
            earlier.find(|index| {
                !names_file || (!done_change(*index) && (*index < cursor || !undone_change(*index)))
            })
        };
        match later.or_else(earlier) {
            Some(index) => self.take(index),
            None => match request.verb.as_str() {
                "NOOP" => Decision::Reply("200 NOOP done.".into()),
                "PWD" if self.knows_directory => {
                    let directory = self.state.directory.replace('"', "\"\"");
                    Decision::Reply(format!("257 \"{directory}\" is the current directory."))
                }
                _ => self.refuse(command, "the recording has no answer to this command here"),
            },
        }
    }

    /// The next login command of the recording, whatever the name.
    fn login(&mut self, request: &Request, command: &Command) -> Decision {
        let same = |line: &Line| line.request.verb == request.verb;
        let undone = self.undone().find(|index| same(&self.lines[*index]));
        let Some(index) = undone.or_else(|| self.lines.iter().rposition(same)) else {
            return self.refuse(command, "the recording has no such login");
        };
        self.take(index)
    }

    fn required(&mut self, request: &Request, command: &Command) -> Decision {
        let same = |index: &usize| self.lines[*index].request == *request;
        let exact = |index: &usize| same(index) && self.lines[*index].offset == self.offset;
        let wanted = self.undone().find(exact);
        if let Some(index) = wanted.or_else(|| self.undone().find(same)) {
            let before = self.undone().take_while(|before| *before < index);
            let needed = before
                .filter(|before| self.lines[*before].is_required())
                .find(|before| self.lines[index].depends_on(&self.lines[*before]));
            if let Some(needed) = needed {
                let problem = format!("this command comes before `{}`", self.lines[needed].shown);
                return self.refuse(command, &problem);
            }
            return self.play(index, command);
        }
        self.again(request, command)
    }

    /// What was done is answered again where nothing has changed since.
    fn again(&mut self, request: &Request, command: &Command) -> Decision {
        let known = self.lines.iter().enumerate().rfind(|(index, line)| {
            self.done[*index] && line.request == *request && line.is_repeatable()
        });
        let Some((index, _)) = known else {
            return self.refuse(command, "the recording does not have this command here");
        };
        let mut later = self.lines.iter().zip(&self.done).skip(index + 1);
        if later.any(|(line, done)| *done && line.changes(&request.argument)) {
            return self.refuse(command, "the recording does not have this command again");
        }
        self.play(index, command)
    }

    /// Plays a line; its transfer begins where the client wants it to.
    fn play(&mut self, index: usize, command: &Command) -> Decision {
        let mut line = self.lines[index].clone();
        let offset = self.offset;
        if line.transfer.is_some() && line.offset != offset {
            let Some(octets) = self.octets_from(index, offset) else {
                let problem = format!(
                    "the recording has this transfer from octet {}, not from {offset}",
                    line.offset
                );
                return self.refuse(command, &problem);
            };
            if let Some(transfer) = &mut line.transfer {
                transfer.from_server = octets;
            }
        }
        self.offset = 0;
        self.mark(index);
        Decision::Play(Box::new(line))
    }

    /// The octets of a file from an offset, where all of them were recorded.
    fn octets_from(&self, index: usize, offset: u64) -> Option<Data> {
        let wanted = &self.lines[index];
        if wanted.request.verb != "RETR" || wanted.representation != "I" {
            return None;
        }
        let mut lines = self.lines.iter();
        let whole = lines.find(|line| {
            line.request == wanted.request
                && line.representation == wanted.representation
                && line.offset <= offset
                && line.is_whole()
        })?;
        let octets = &whole.transfer.as_ref()?.from_server;
        Some(octets.slice(offset - whole.offset..u64::MAX))
    }

    fn restart(&mut self, request: &Request) -> Decision {
        let known = self
            .undone()
            .find(|index| self.lines[*index].request == *request);
        let known = known.or_else(|| {
            let mut undone = self.undone();
            undone.find(|index| self.lines[*index].request.role == Role::Restart)
        });
        if let Some(index) = known {
            self.mark(index);
            if !self.lines[index].is_done() {
                return self.take(index);
            }
        }
        let Ok(offset) = request.argument.trim().parse() else {
            return Decision::Reply("501 The restart marker is not a number.".into());
        };
        self.offset = offset;
        match known.filter(|index| self.lines[*index].request == *request) {
            Some(index) => self.take(index),
            None => Decision::Reply(format!("350 The next transfer begins at octet {offset}.")),
        }
    }

    fn quit(&mut self, request: &Request) -> Decision {
        match self
            .lines
            .iter()
            .position(|line| line.request.verb == request.verb)
        {
            Some(index) => self.take(index),
            None => Decision::Reply("221 Goodbye.".into()),
        }
    }

    fn refuse(&self, command: &Command, problem: &str) -> Decision {
        let argument = command.argument.as_deref().map(escape);
        let came = match &argument {
            Some(_) if matches!(command.verb.as_str(), "PASS" | "ACCT") => command.verb.clone(),
            Some(argument) => format!("{} {argument}", escape(command.verb.as_bytes())),
            None => escape(command.verb.as_bytes()),
        };
        let missing = self.missing();
        let expected: Vec<String> = missing
            .iter()
            .take(NAMED)
            .map(|line| line.shown.clone())
            .collect();
        let likeness = |line: &&Line| (strsim::jaro_winkler(&line.shown, &came) * 1e6) as u64;
        let nearest = self.lines.iter().max_by_key(likeness);
        let next = expected.first().map_or("QUIT", String::as_str);
        let known = self
            .lines
            .iter()
            .any(|line| line.request.verb == command.verb);
        let code = match (known, command.argument.is_some()) {
            (true, true) => 550,
            (true, false) => 503,
            (false, _) => 502,
        };
        let reply = format!("{code} Not in the recording: {came}; expected {next}.");
        Decision::Refuse(
            reply,
            Box::new(Deviation {
                session: self.number,
                came,
                expected,
                nearest: nearest.map(|line| line.shown.clone()).unwrap_or_default(),
                problem: problem.to_owned(),
            }),
        )
    }

    fn undone(&self) -> impl Iterator<Item = usize> + '_ {
        (self.first_undone..self.lines.len()).filter(|index| !self.done[*index])
    }

    fn take(&mut self, index: usize) -> Decision {
        self.mark(index);
        Decision::Play(Box::new(self.lines[index].clone()))
    }

    fn mark(&mut self, index: usize) {
        self.done[index] = true;
        if self.lines[index].is_required() {
            self.cursor = self.cursor.max(index + 1);
        }
        while self.done.get(self.first_undone) == Some(&true) {
            self.first_undone += 1;
        }
    }
}
