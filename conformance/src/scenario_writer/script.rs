//! The statements of a scenario, from what happened in a recording.

use std::collections::VecDeque;

use super::content::Contents;
use super::dialogue::{Dialogue, Happening};
use super::pathname::{components, escaped, resolve, written};
use super::tree::{Entry, Path, Tree};
use crate::data::CONTENT_LIMIT;
use crate::scenario::{Action, Content, Octets};
use crate::transcript::{Command, Reply, Transcript};

/// Statements of a scenario; it plays 10,000 at most.
const STATEMENTS: usize = 9_000;
/// Commands that are listed after the end of what can be written.
const LISTED: usize = 50;
/// Commands that the runner sends itself before a scenario begins.
const OF_LOGIN: [&str; 8] = [
    "USER", "PASS", "ACCT", "AUTH", "ADAT", "PBSZ", "PROT", "HOST",
];
/// Commands after which pathnames, files or protection are no longer known.
const STARTS_ANEW: [&str; 6] = ["USER", "PASS", "ACCT", "REIN", "AUTH", "SMNT"];
/// Commands whose argument is a pathname.
pub(super) const WITH_PATHNAME: [&str; 23] = [
    "APPE", "CWD", "DELE", "HASH", "LIST", "MDTM", "MKD", "MLSD", "MLST", "NLST", "RETR", "RMD",
    "RNFR", "RNTO", "SIZE", "STAT", "STOR", "XCRC", "XCWD", "XMD5", "XMKD", "XRMD", "XSHA1",
];

/// Commands with a data connection.
pub(super) const TRANSFERS: [&str; 7] = ["APPE", "LIST", "MLSD", "NLST", "RETR", "STOR", "STOU"];

/// A line of the scenario.
#[derive(Debug)]
pub(super) enum Line {
    Step(Action),
    Note(String),
}

/// A scenario while it is written.
#[derive(Debug)]
pub(super) struct Script<'a> {
    pub(super) dialogue: &'a Dialogue,
    pub(super) lines: Vec<Line>,
    pub(super) tree: Tree,
    pub(super) contents: Contents,
    /// The exchange in which the session was logged in.
    pub(super) login: Option<usize>,
    pub(super) barrier: bool,
    /// Of the directory that the session started in.
    pub(super) home: Vec<String>,
    /// TYPE A, as each session begins.
    pub(super) text: bool,
    pub(super) offset: u64,
    renamed: Option<Path>,
    /// The commands so far, by exchange.
    commands: Vec<(usize, Command)>,
    /// What STOU called a file, and the variable for that.
    pub(super) unique: Vec<(String, String)>,
    /// The variables that have a value.
    captured: Vec<String>,
    /// The verbs of commands that have no final reply yet.
    pub(super) unanswered: VecDeque<String>,
    /// A data connection is prepared and has not ended.
    pub(super) is_ready: bool,
    /// A transfer has begun, and nothing was said of its data.
    in_transfer: bool,
    stopped: Option<usize>,
}

impl<'a> Script<'a> {
    /// Writes what happened, in a tree in which some things are there.
    pub(super) fn write(dialogue: &'a Dialogue, transcript: &'a Transcript, tree: Tree) -> Self {
        let happenings = dialogue.happenings(transcript);
        let login = dialogue.login();
        let mut script = Self {
            dialogue,
            lines: Vec::new(),
            tree,
            contents: Contents::default(),
            login,
            barrier: true,
            home: home(dialogue, &happenings),
            text: true,
            offset: 0,
            renamed: None,
            commands: Vec::new(),
            unique: Vec::new(),
            captured: Vec::new(),
            unanswered: VecDeque::new(),
            is_ready: false,
            in_transfer: false,
            stopped: None,
        };
        script.find_unique_names(&happenings);
        for happening in &happenings {
            script.happened(happening);
        }
        script
    }

    fn happened(&mut self, happening: &Happening<'_>) {
        if self.stopped.is_some() {
            return self.list(happening);
        }
        if self.lines.len() >= STATEMENTS {
            return self.stop("the rest is longer than a scenario may be");
        }
        match happening {
            Happening::Command(exchange, command) => {
                self.commands.push((*exchange, (*command).clone()));
                if !self.is_of_login(*exchange, command) {
                    self.command(*exchange, command);
                }
            }
            Happening::Reply(exchange, reply, is_last) => {
                let command = self.command_of(*exchange);
                let is_skipped = match &command {
                    Some(command) => self.is_of_login(*exchange, command),
                    // The greeting.
                    None => self.login.is_some(),
                };
                if !is_skipped {
                    self.reply(*exchange, command.as_ref(), reply, *is_last);
                }
            }
            Happening::Unasked(reply) => self.expect(reply, None),
            // Otherwise the runner protects the session before it logs in.
            Happening::Protected if self.login.is_none() && self.follows_auth() => {
                self.step(Action::Tls(None));
            }
            Happening::Protected => {}
            Happening::Cleared => self.step(Action::Clear),
            Happening::Closed => {
                self.barrier = false;
                self.step(Action::Closed);
                self.stopped = Some(0);
            }
            Happening::Lost(fact) => self.stop(fact),
        }
    }

    pub(super) fn step(&mut self, action: Action) {
        match &action {
            Action::Data(_) => (self.is_ready, self.in_transfer) = (true, false),
            Action::Receive(_) | Action::SendData(_) | Action::DataEnds | Action::CloseData => {
                (self.is_ready, self.in_transfer) = (false, false);
            }
            Action::Send(line) => {
                let verb = line.split(' ').next().unwrap_or_default();
                self.unanswered.push_back(verb.to_owned());
            }
            Action::Expect(expect) => self.in_transfer |= expect.codes.preliminary(),
            _ => {}
        }
        self.lines.push(Line::Step(action));
    }

    pub(super) fn stop(&mut self, why: &str) {
        self.lines
            .push(Line::Note(format!("Not written from here on: {why}")));
        self.stopped = Some(0);
        self.barrier = false;
    }

    /// After the end only comments.
    fn list(&mut self, happening: &Happening<'_>) {
        let (Happening::Command(_, command), Some(listed)) = (happening, &mut self.stopped) else {
            return;
        };
        *listed += 1;
        if *listed <= LISTED {
            let argument = command.argument.as_deref().unwrap_or_default();
            let argument = String::from_utf8_lossy(argument);
            let line = format!("> {} {argument}", command.verb);
            self.lines.push(Line::Note(line.trim_end().to_owned()));
        }
    }

    /// Whether the runner does this itself: the commands of a login, and before it everything that
    /// a session without login would answer differently.
    fn is_of_login(&self, exchange: usize, command: &Command) -> bool {
        let is_done = self
            .dialogue
            .code(exchange)
            .is_some_and(|code| code / 100 == 2);
        let is_before = self.login.is_some_and(|login| exchange <= login);
        is_before && (OF_LOGIN.contains(&command.verb.as_str()) || !is_done)
    }

    /// Whether AUTH is the last command.
    fn follows_auth(&self) -> bool {
        let last = self.commands.last();
        last.is_some_and(|(_, command)| command.verb == "AUTH")
    }

    fn command_of(&self, exchange: usize) -> Option<Command> {
        let found = self
            .commands
            .iter()
            .rev()
            .find(|(number, _)| *number == exchange);
        found.map(|(_, command)| command.clone())
    }

    fn command(&mut self, exchange: usize, command: &Command) {
        let verb = command.verb.as_str();
        if self.login.is_some() && STARTS_ANEW.contains(&verb) {
            return self.stop(&format!("{verb} begins anew"));
        }
        let argument = argument(command);
        let is_done = self
            .dialogue
            .code(exchange)
            .is_some_and(|code| code / 100 == 2);
        if let ("MODE" | "STRU", true) = (verb, is_done)
            && !matches!(argument.to_ascii_uppercase().as_str(), "S" | "F")
        {
            return self.stop(&format!(
                "{verb} {argument} changes what transfers look like"
            ));
        }
        if !self.dialogue.is_answered(exchange) {
            let line = format!("Never answered: > {verb} {argument}");
            return self.lines.push(Line::Note(line.trim_end().to_owned()));
        }
        if let Some(path) = self.path(command)
            && self.is_by_others(verb, &path, is_done)
        {
            return self.stop("another session makes and removes files here");
        }
        let is_prepared = self.dialogue.preparation(exchange);
        if is_prepared.is_some() && self.dialogue.pipelined.contains(&exchange) {
            return self.stop("a data connection is prepared before earlier commands are answered");
        }
        if let Some(mode) = is_prepared {
            return self.step(Action::Data(Some(mode)));
        }
        if matches!(verb, "PORT" | "EPRT") && is_done {
            self.step(Action::Listen);
            let line = match verb {
                "PORT" => "PORT ${hostport}",
                _ => "EPRT ${eprt}",
            };
            return self.step(Action::Send(line.into()));
        }
        let has_data = self.dialogue.transfer(exchange).is_some();
        if has_data && !self.is_ready {
            self.lines
                .push(Line::Note("Without PORT in the recording.".into()));
            self.step(Action::Data(Some(crate::scenario::DataMode::Port)));
        }
        let line = self.line(command);
        self.step(line);
        if verb == "ABOR" && self.is_ready && self.in_transfer {
            self.step(Action::DataEnds);
        }
    }

    /// Whether the result of a command cannot follow from what this session did.
    fn is_by_others(&self, verb: &str, path: &Path, is_done: bool) -> bool {
        let is_there = matches!(
            verb,
            "CWD" | "DELE" | "MDTM" | "RETR" | "RMD" | "RNFR" | "SIZE"
        );
        let removes = matches!(verb, "RMD" | "XRMD");
        match is_done {
            true if removes => {
                self.tree.is_foreign(path) || self.tree.names_in(path).next().is_some()
            }
            true => is_there && self.tree.is_foreign(path),
            false => removes && self.tree.is_empty_directory(path),
        }
    }

    /// A command line, with pathnames of the run.
    fn line(&self, command: &Command) -> Action {
        let verb = command.verb.as_str();
        let Some(octets) = &command.argument else {
            return self.send(command.verb.clone(), verb.as_bytes());
        };
        let whole = [verb.as_bytes(), b" ", octets].concat();
        let Ok(argument) = std::str::from_utf8(octets) else {
            return raw(&whole);
        };
        let is_known = |variable: &String| self.captured.contains(variable);
        let mut unique = self.unique.iter();
        let unique = unique.find(|(name, variable)| name == argument && is_known(variable));
        let mapped = match verb {
            "PASS" => "not-${password}".to_owned(),
            verb if WITH_PATHNAME.contains(&verb) && unique.is_some() => {
                format!("${{{}}}", unique.map_or("", |(_, it)| it))
            }
            _ if !WITH_PATHNAME.contains(&verb) || argument.starts_with('-') => escaped(argument),
            _ if argument.is_empty() => String::new(),
            _ => written(&self.home, &self.tree.cwd, argument),
        };
        self.send(format!("{verb} {mapped}"), &whole)
    }

    fn send(&self, line: String, octets: &[u8]) -> Action {
        let is_above = self.tree.cwd.is_empty() && self.login.is_some();
        if is_above && matches!(line.as_str(), "CDUP" | "XCUP") {
            return Action::Send("CWD ${dir}".into());
        }
        let is_plain = !line.is_empty()
            && !line.contains(char::is_control)
            && line.trim_end() == line
            && line.trim_start() == line;
        match is_plain {
            true => Action::Send(line),
            false => raw(octets),
        }
    }

    fn reply(&mut self, exchange: usize, command: Option<&Command>, reply: &Reply, is_last: bool) {
        let verb = command.map_or("", |command| command.verb.as_str());
        if self.dialogue.preparation(exchange).is_some() {
            return;
        }
        let transfer = self.dialogue.transfer(exchange).is_some();
        let is_unfinished = self.dialogue.code(exchange).is_none();
        self.barrier &= !is_unfinished;
        if transfer && reply.class() == 1 && (is_unfinished || self.dialogue.is_aborted(exchange)) {
            let is_first = !self.in_transfer;
            self.expect(reply, None);
            if self.is_ready && is_first {
                self.begin_aborted(exchange, command);
            }
            return;
        }
        if transfer && is_last && self.is_ready && self.in_transfer {
            self.data(exchange, command, reply);
        }
        let is_transfer = command.is_some_and(Command::is_transfer);
        let is_unused = is_transfer && !transfer && is_last;
        let text = self.text_of(exchange, command, reply);
        if verb == "STOU" && text.is_some() {
            self.captured.push(variable_of(exchange));
        }
        self.expect(reply, text);
        if is_unused && self.is_ready {
            self.step(Action::CloseData);
        }
        if is_last && reply.class() < 4 {
            self.done(command, reply);
        }
    }

    /// What follows for the tree from a command that was done.
    fn done(&mut self, command: Option<&Command>, reply: &Reply) {
        let Some(command) = command else {
            return;
        };
        let file = || Entry::File(None, None);
        let path = self.path(command);
        let argument = argument(command);
        match (command.verb.as_str(), path) {
            ("TYPE", _) => self.text = argument.starts_with(['A', 'a', 'E', 'e']),
            ("REST", _) => self.offset = argument.trim().parse().unwrap_or(0),
            ("CWD" | "XCWD", Some(path)) => {
                self.tree.exists(&path, Entry::Directory);
                self.tree.cwd = path;
            }
            ("CWD" | "XCWD", None) => self.tree.cwd.clear(),
            ("CDUP" | "XCUP", _) => {
                self.tree.cwd.pop();
            }
            ("MKD" | "XMKD", Some(path)) => self.tree.make(&path, Entry::Directory),
            ("RMD" | "XRMD", Some(path)) => self.tree.remove(&path, Entry::Directory),
            ("DELE", Some(path)) => self.tree.remove(&path, file()),
            ("RNFR", Some(path)) => {
                self.tree.exists(&path, file());
                self.renamed = Some(path);
            }
            ("RNTO", Some(path)) => {
                if let Some(from) = self.renamed.take() {
                    self.tree.rename(&from, &path);
                }
            }
            ("SIZE", Some(path)) => {
                let size = reply.text().trim().parse().ok();
                self.tree.sized(
                    &path,
                    size.filter(|size| *size <= CONTENT_LIMIT && !self.text),
                );
            }
            ("MLST", Some(path)) if reply.text().to_ascii_lowercase().contains("type=dir") => {
                self.tree.exists(&path, Entry::Directory);
            }
            ("MDTM" | "MLST" | "HASH" | "XCRC" | "XMD5" | "XSHA1", Some(path)) => {
                self.tree.exists(&path, file());
            }
            _ => {}
        }
        if command.is_transfer() {
            self.offset = 0;
        }
    }

    /// The pathname of a command, where it stays in the directory of the run.
    pub(super) fn path(&self, command: &Command) -> Option<Path> {
        let argument = argument(command);
        let is_option = argument.starts_with('-');
        (!is_option)
            .then(|| resolve(&self.home, &self.tree.cwd, &argument))
            .flatten()
    }
}

/// The variable for the name that STOU chose.
pub(super) fn variable_of(exchange: usize) -> String {
    format!("unique{exchange}")
}

pub(super) fn argument(command: &Command) -> String {
    let octets = command.argument.as_deref().unwrap_or_default();
    String::from_utf8_lossy(octets).into_owned()
}

/// Exact octets and CRLF.
fn raw(line: &[u8]) -> Action {
    let octets = [line, b"\r\n"].concat();
    Action::Octets(Octets::Raw(Content::literal(&octets)))
}

/// The directory that a session starts in: what PWD says before any CWD.
fn home(dialogue: &Dialogue, happenings: &[Happening<'_>]) -> Vec<String> {
    let mut asked = None;
    for happening in happenings {
        match happening {
            Happening::Command(exchange, command) => {
                let is_done = dialogue.code(*exchange).is_some_and(|code| code / 100 == 2);
                match command.verb.as_str() {
                    "CWD" | "XCWD" | "CDUP" | "XCUP" if is_done => break,
                    "PWD" | "XPWD" => asked = Some(*exchange),
                    _ => {}
                }
            }
            Happening::Reply(exchange, reply, _)
                if asked == Some(*exchange) && reply.code == 257 =>
            {
                let text = reply.text();
                let quoted = text.strip_prefix('"').and_then(|rest| rest.split_once('"'));
                let path = quoted.map_or("", |(path, _)| path);
                return components(path).map(str::to_owned).collect();
            }
            _ => {}
        }
    }
    Vec::new()
}
