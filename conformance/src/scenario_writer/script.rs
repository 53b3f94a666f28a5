//! The statements of a scenario, from what happened in a recording.

use super::content::Contents;
use super::dialogue::{Dialogue, Happening};
use super::pathname::{components, escaped, resolve, written};
use super::tree::{Body, Entry, Path, Tree};
use crate::data::{CONTENT_LIMIT, Data};
use crate::scenario::{Action, Codes, Content, Expect, Octets, Receive, ReplyPattern, TextPattern};
use crate::transcript::{Command, Reply, Transcript};

/// Statements of a scenario; it plays 10,000 at most.
const STATEMENTS: usize = 9_000;
/// Commands that are listed after the end of what can be written.
const LISTED: usize = 50;
/// A file that is long enough for its transfer to be aborted.
const LONG: u64 = 16_000_000;
/// Commands that the runner sends itself before a scenario begins.
const OF_LOGIN: [&str; 8] = [
    "USER", "PASS", "ACCT", "AUTH", "ADAT", "PBSZ", "PROT", "HOST",
];
/// Commands after which pathnames, files or protection are no longer known.
const STARTS_ANEW: [&str; 6] = ["USER", "PASS", "ACCT", "REIN", "AUTH", "SMNT"];
/// Commands whose argument is a pathname.
const WITH_PATHNAME: [&str; 23] = [
    "APPE", "CWD", "DELE", "HASH", "LIST", "MDTM", "MKD", "MLSD", "MLST", "NLST", "RETR", "RMD",
    "RNFR", "RNTO", "SIZE", "STAT", "STOR", "XCRC", "XCWD", "XMD5", "XMKD", "XRMD", "XSHA1",
];

/// A line of the scenario.
#[derive(Debug)]
pub(super) enum Line {
    Step(Action),
    Note(String),
}

/// A scenario while it is written.
#[derive(Debug)]
pub(super) struct Script<'a> {
    dialogue: &'a Dialogue,
    pub(super) lines: Vec<Line>,
    pub(super) tree: Tree,
    pub(super) contents: Contents,
    /// The exchange in which the session was logged in.
    pub(super) login: Option<usize>,
    pub(super) barrier: bool,
    /// Of the directory that the session started in.
    home: Vec<String>,
    /// TYPE A, as each session begins.
    text: bool,
    offset: u64,
    renamed: Option<Path>,
    /// The commands so far, by exchange.
    commands: Vec<(usize, Command)>,
    /// What STOU called a file, and the variable for that.
    unique: Vec<(String, String)>,
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
            Happening::Unasked(reply) => self.expect(reply, None, false),
            Happening::Cleared => self.step(Action::Clear),
            Happening::Closed => {
                self.barrier = false;
                self.step(Action::Closed);
            }
            Happening::Lost(fact) => self.stop(fact),
        }
    }

    fn step(&mut self, action: Action) {
        self.lines.push(Line::Step(action));
    }

    fn stop(&mut self, why: &str) {
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

    /// Whether the runner does this itself: the commands of a login, and before it everything that a
    /// session without login would answer differently.
    fn is_of_login(&self, exchange: usize, command: &Command) -> bool {
        let is_done = self
            .dialogue
            .code(exchange)
            .is_some_and(|code| code / 100 == 2);
        let is_before = self.login.is_some_and(|login| exchange <= login);
        is_before && (OF_LOGIN.contains(&command.verb.as_str()) || !is_done)
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
        if has_data && !self.is_ready() {
            self.lines
                .push(Line::Note("Without PORT in the recording.".into()));
            self.step(Action::Data(Some(crate::scenario::DataMode::Port)));
        }
        let line = self.line(command);
        self.step(line);
        if verb == "ABOR" && self.is_in_transfer() {
            self.step(Action::DataEnds);
        }
    }

    /// Whether a data connection is prepared.
    fn is_ready(&self) -> bool {
        let data = self.lines.iter().rev().find_map(|line| match line {
            Line::Step(Action::Data(_)) => Some(true),
            Line::Step(
                Action::Receive(_) | Action::SendData(_) | Action::DataEnds | Action::CloseData,
            ) => Some(false),
            _ => None,
        });
        data.unwrap_or(false)
    }

    /// Whether a transfer has begun and its data connection has not ended.
    fn is_in_transfer(&self) -> bool {
        let last = self.lines.iter().rev().find_map(|line| match line {
            Line::Step(Action::Expect(expect)) if expect.codes.preliminary() => Some(true),
            Line::Step(Action::Data(_) | Action::Receive(_) | Action::SendData(_)) => Some(false),
            _ => None,
        });
        last.unwrap_or(false) && self.is_ready()
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
        let unique = self.unique.iter().find(|(name, _)| name == argument);
        let mapped = match verb {
            "PASS" => "not-${password}".to_owned(),
            _ if unique.is_some() => format!("${{{}}}", unique.map_or("", |(_, it)| it)),
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
        if transfer && reply.class() == 1 && self.dialogue.is_aborted(exchange) {
            self.expect(reply, None, false);
            return self.begin_aborted(exchange, command);
        }
        if transfer && is_last && self.is_in_transfer() {
            self.data(exchange, command, reply);
        }
        let is_transfer = command.is_some_and(Command::is_transfer);
        let is_refused = is_transfer && !transfer && is_last && reply.class() >= 4;
        let is_upload = matches!(verb, "STOR" | "STOU" | "APPE");
        let is_ready = is_transfer && !transfer && self.is_ready();
        if is_refused && is_upload && is_ready {
            self.step(Action::CloseData);
        }
        let text = self.text_of(exchange, command, reply);
        self.expect(reply, text, is_refused);
        if is_ready && is_last && !(is_refused && is_upload) {
            self.step(Action::CloseData);
        }
        if is_last && reply.class() < 4 {
            self.done(command, reply);
        }
    }

    /// What is known of the text of a reply.
    fn text_of(&self, exchange: usize, command: Option<&Command>, reply: &Reply) -> Option<String> {
        let command = command?;
        let text = reply.text();
        match command.verb.as_str() {
            "PWD" | "XPWD" if reply.code == 257 => {
                let quoted = text.strip_prefix('"')?.split_once('"')?.0;
                let path: Vec<&str> = components(quoted).collect();
                let here = self.home.iter().chain(&self.tree.cwd);
                if !here.eq(path) {
                    return None;
                }
                let below: String = self
                    .tree
                    .cwd
                    .iter()
                    .map(|name| format!("/{name}"))
                    .collect();
                Some(format!(
                    "\"${{dir}}{}\"*",
                    TextPattern::literal(&below).source.trim_start_matches('\\')
                ))
            }
            "SIZE" if reply.code == 213 && !self.text => {
                let path = self.path(command)?;
                let size: u64 = text.trim().parse().ok()?;
                let known = match self.tree.file(&path) {
                    Some(body) if body.text => None,
                    Some(body) => Some(body.octets.len()),
                    None => (size <= CONTENT_LIMIT).then_some(size),
                };
                (known == Some(size)).then(|| size.to_string())
            }
            "STOU" => {
                let (name, variable) = self.unique.iter().find(|(name, variable)| {
                    *variable == variable_of(exchange) && text.contains(name.as_str())
                })?;
                let (before, after) = text.split_once(name.as_str())?;
                let tail = before
                    .char_indices()
                    .rev()
                    .take(6)
                    .last()
                    .map_or(0, |(at, _)| at);
                let rest: String = after.chars().take(3).collect();
                let before = TextPattern::literal(&before[tail..]).source;
                let end = if after.chars().count() > 3 { "*" } else { "" };
                let rest = TextPattern::literal(&rest).source;
                Some(format!("*{before}${{{variable}}}{rest}{end}"))
            }
            _ => None,
        }
    }

    fn expect(&mut self, reply: &Reply, text: Option<String>, is_refused: bool) {
        let codes = match reply.code {
            // Which of them depends on when the data connection was opened.
            125 | 150 => "125 | 150".to_owned(),
            code => code.to_string(),
        };
        let (Ok(codes), Ok(before)) = (codes.parse::<Codes>(), "125 | 150".parse::<Codes>()) else {
            return self.stop("a reply has no code");
        };
        let text = text.map(|source| ReplyPattern::Text(TextPattern { source }));
        self.step(Action::Expect(Expect {
            codes,
            text,
            should: None,
            after: is_refused.then_some((0, before)),
            ends: None,
        }));
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
            ("RNFR", path) => self.renamed = path,
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
    fn path(&self, command: &Command) -> Option<Path> {
        let argument = argument(command);
        let is_option = argument.starts_with('-');
        (!is_option)
            .then(|| resolve(&self.home, &self.tree.cwd, &argument))
            .flatten()
    }

    /// The first octets of a transfer that is aborted later.
    fn begin_aborted(&mut self, exchange: usize, command: Option<&Command>) {
        let transfer = self
            .dialogue
            .transfer(exchange)
            .cloned()
            .unwrap_or_default();
        let path = command.and_then(|command| self.path(command));
        if transfer.from_client.is_empty() {
            if let Some(path) = path {
                self.tree.sized(
                    &path,
                    Some(transfer.from_server.len().min(CONTENT_LIMIT - LONG) + LONG),
                );
            }
            let read = transfer.from_server.len().min(1000);
            if read > 0 {
                self.step(Action::Read(read));
            }
        } else {
            let text = self.text;
            let octets = transfer.from_client;
            let content = self.contents.on_the_wire(&Body { octets, text });
            self.step(Action::WriteData(content));
        }
    }

    /// The octets of a transfer that came to its end.
    fn data(&mut self, exchange: usize, command: Option<&Command>, reply: &Reply) {
        let transfer = self
            .dialogue
            .transfer(exchange)
            .cloned()
            .unwrap_or_default();
        let Some(command) = command else {
            return;
        };
        let path = self.path(command);
        let text = self.text;
        match command.verb.as_str() {
            "STOR" | "STOU" | "APPE" => {
                let body = Body {
                    octets: transfer.from_client,
                    text,
                };
                let content = self.contents.on_the_wire(&body);
                self.step(Action::SendData(content));
                if reply.class() == 2
                    && command.verb != "STOU"
                    && let Some(path) = path
                {
                    self.stored(&path, body, command.verb == "APPE");
                }
            }
            "RETR" if reply.class() != 2 => self.step(Action::DataEnds),
            "RETR" => {
                let received = self.received(path.as_ref(), transfer.from_server);
                self.step(Action::Receive(received));
            }
            _ => {
                let directory = path.unwrap_or_else(|| self.tree.cwd.clone());
                let listing = self.listing(&directory, &transfer.from_server);
                self.step(Action::Receive(listing));
            }
        }
    }

    fn stored(&mut self, path: &Path, body: Body, appends: bool) {
        let is_whole = self.offset == 0 && !appends;
        let before = self.tree.file(path).map(|before| before.octets.clone());
        let joined = before
            .filter(|before| Contents::is_literal(before))
            .map(|before| {
                let end = if appends { before.len() } else { self.offset };
                let mut whole = before.slice(0..end);
                whole.extend(body.octets.clone());
                whole
            });
        let known = match (is_whole, joined) {
            (true, _) => Some(body),
            (false, Some(octets)) if Contents::is_literal(&octets) => Some(Body { octets, ..body }),
            (false, None) if appends => Some(body),
            _ => None,
        };
        self.tree.make(path, Entry::File(known, None));
    }

    /// What a download brings.
    fn received(&mut self, path: Option<&Path>, octets: Data) -> Receive {
        let (offset, text) = (self.offset, self.text);
        if let Some(path) = path.filter(|_| offset <= CONTENT_LIMIT / 2) {
            // What is before the offset is not known.
            let mut whole = Data::repeated(b"?".to_vec(), offset);
            whole.extend(octets.clone());
            self.tree.read(
                path,
                Body {
                    octets: whole,
                    text,
                },
            );
            let known = self
                .tree
                .file(path)
                .filter(|known| known.text == text)
                .cloned();
            let is_same = |known: &Body| {
                offset <= known.octets.len()
                    && known.octets.slice(offset..known.octets.len()) == octets
            };
            if let Some(known) = known.filter(is_same) {
                return Receive::Exactly(match offset {
                    0 => self.contents.on_the_wire(&known),
                    offset => self.contents.rest(&known, offset),
                });
            }
        }
        match Contents::is_literal(&octets) {
            true => Receive::Exactly(Content::literal(&octets.joined())),
            false => {
                self.lines.push(Line::Note(
                    "Too long, and not what was stored before.".into(),
                ));
                Receive::Anything
            }
        }
    }

    /// The names in a listing that the scenario makes sure of.
    fn listing(&self, directory: &Path, octets: &Data) -> Receive {
        let listing = String::from_utf8_lossy(&octets.joined()).into_owned();
        let is_listed = |name: &&str| listing.lines().any(|line| line.ends_with(name));
        let names = self.tree.names_in(directory).filter(is_listed);
        let globs = names.map(|name| TextPattern {
            source: format!("*{}", TextPattern::literal(name).source),
        });
        let globs: Vec<TextPattern> = globs.collect();
        match globs.is_empty() {
            true => Receive::Anything,
            false => Receive::Has(globs),
        }
    }

    /// The names that STOU chose and that a later command uses.
    fn find_unique_names(&mut self, happenings: &[Happening<'_>]) {
        for (index, happening) in happenings.iter().enumerate() {
            let Happening::Reply(exchange, reply, _) = happening else {
                continue;
            };
            let text = reply.text();
            let command = happenings[..index]
                .iter()
                .rev()
                .find_map(|earlier| match earlier {
                    Happening::Command(number, command) if number == exchange => Some(command),
                    _ => None,
                });
            if command.is_none_or(|command| command.verb != "STOU") {
                continue;
            }
            let later = happenings[index..].iter().filter_map(|later| match later {
                Happening::Command(_, command)
                    if WITH_PATHNAME.contains(&command.verb.as_str()) =>
                {
                    Some(argument(command))
                }
                _ => None,
            });
            let mut later = later.filter(|name| name.len() > 2 && text.contains(name.as_str()));
            if let Some(name) = later.next() {
                self.unique.push((name, variable_of(*exchange)));
            }
        }
    }
}

/// The variable for the name that STOU chose.
fn variable_of(exchange: usize) -> String {
    format!("unique{exchange}")
}

fn argument(command: &Command) -> String {
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
