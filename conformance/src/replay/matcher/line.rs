//! The commands of a recording as a stand-in for the server knows them: what each is about, what it
//! reads and changes. Pure.

use std::time::Duration;

use crate::driver::quoted_pathname;
use crate::replay::compare::command_line;
use crate::replay::dialogue::{Session, Transfer};
use crate::transcript::{CloseKind, Command, Reply};

/// What a client may do with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Prepares a data connection: one may stand for another, and each is answered anew.
    Preparation,
    /// Asks or sets something without effect on files: may be omitted, repeated or sent elsewhere.
    Omissible,
    /// Logs in: any credentials do.
    Login,
    /// Reads or changes directories and files: may come in another order as far as the result is
    /// the same.
    Files,
    /// Sets the offset of the next transfer.
    Restart,
    /// Interrupts a transfer.
    Abort,
    /// Ends the session.
    Quit,
    /// Anything else stays in its place.
    InOrder,
}

/// How a command with [`Role::Files`] deals with the pathname it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Reads,
    Changes,
    /// Names none.
    None,
}

/// What is known of each verb; others are [`Role::InOrder`].
const VERBS: [(&str, Role, Use); 47] = [
    ("PASV", Role::Preparation, Use::None),
    ("EPSV", Role::Preparation, Use::None),
    ("PORT", Role::Preparation, Use::None),
    ("EPRT", Role::Preparation, Use::None),
    ("SYST", Role::Omissible, Use::None),
    ("FEAT", Role::Omissible, Use::None),
    ("OPTS", Role::Omissible, Use::None),
    ("CLNT", Role::Omissible, Use::None),
    ("LANG", Role::Omissible, Use::None),
    ("HOST", Role::Omissible, Use::None),
    ("NOOP", Role::Omissible, Use::None),
    ("HELP", Role::Omissible, Use::None),
    ("STAT", Role::Omissible, Use::Reads),
    ("PWD", Role::Omissible, Use::Reads),
    ("TYPE", Role::Omissible, Use::None),
    ("MODE", Role::Omissible, Use::None),
    ("STRU", Role::Omissible, Use::None),
    ("ALLO", Role::Omissible, Use::None),
    ("SIZE", Role::Omissible, Use::Reads),
    ("MDTM", Role::Omissible, Use::Reads),
    ("PBSZ", Role::Omissible, Use::None),
    ("PROT", Role::Omissible, Use::None),
    ("AUTH", Role::Omissible, Use::None),
    ("USER", Role::Login, Use::None),
    ("PASS", Role::Login, Use::None),
    ("ACCT", Role::Login, Use::None),
    ("CWD", Role::Files, Use::Reads),
    ("CDUP", Role::Files, Use::Reads),
    ("RETR", Role::Files, Use::Reads),
    ("LIST", Role::Files, Use::Reads),
    ("NLST", Role::Files, Use::Reads),
    ("MLSD", Role::Files, Use::Reads),
    ("MLST", Role::Files, Use::Reads),
    ("STOR", Role::Files, Use::Changes),
    ("STOU", Role::Files, Use::Changes),
    ("APPE", Role::Files, Use::Changes),
    ("DELE", Role::Files, Use::Changes),
    ("MKD", Role::Files, Use::Changes),
    ("RMD", Role::Files, Use::Changes),
    ("RNFR", Role::Files, Use::Changes),
    ("RNTO", Role::Files, Use::Changes),
    ("MFMT", Role::Files, Use::Changes),
    ("MFCT", Role::Files, Use::Changes),
    ("MFF", Role::Files, Use::Changes),
    ("REST", Role::Restart, Use::None),
    ("ABOR", Role::Abort, Use::None),
    ("QUIT", Role::Quit, Use::None),
];
/// Commands that are answered again when a client repeats them.
const REPEATABLE: [&str; 7] = ["CWD", "CDUP", "RETR", "LIST", "NLST", "MLSD", "MLST"];

/// Other names of verbs (RFC 775).
const ALIASES: [(&str, &str); 5] = [
    ("XPWD", "PWD"),
    ("XCWD", "CWD"),
    ("XCUP", "CDUP"),
    ("XMKD", "MKD"),
    ("XRMD", "RMD"),
];

/// What a command is about: equal for commands that ask for the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The verb in capitals, under its usual name.
    pub(crate) verb: String,
    /// What it may do.
    pub(crate) role: Role,
    /// The absolute pathname; for other verbs the argument.
    pub(crate) argument: String,
    /// Options such as `-a` before the pathname.
    options: String,
    usage: Use,
}

/// A recorded command with what followed from it.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// As it is shown.
    pub(crate) shown: String,
    pub(crate) request: Request,
    /// Its replies, and those that no command asked for before the next one; with the time that
    /// passed before each.
    pub(crate) replies: Vec<(Duration, Reply)>,
    pub(crate) transfer: Option<Transfer>,
    /// Where its transfer began (REST).
    pub(crate) offset: u64,
    /// TYPE, STRU and MODE in effect.
    pub(crate) representation: String,
    /// Whether ABOR interrupted it.
    pub(crate) is_aborted: bool,
    /// How the server ended the control connection after it.
    pub(crate) closes: Option<CloseKind>,
    /// The pathname RNTO renames, which it changes, too.
    also_changes: Option<String>,
}

/// What a session's commands depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// The working directory, absolute.
    pub(crate) directory: String,
    /// TYPE, STRU and MODE that were set.
    pub(crate) representation: String,
}

impl State {
    /// At the beginning of a session with this login directory.
    pub(crate) fn new(login_directory: &str) -> Self {
        Self {
            directory: login_directory.to_owned(),
            representation: "A".into(),
        }
    }

    /// Takes note of a command that was done.
    pub(crate) fn done(&mut self, request: &Request) {
        match request.verb.as_str() {
            "CWD" | "CDUP" => self.directory.clone_from(&request.argument),
            "TYPE" => self.representation.clone_from(&request.argument),
            _ => {}
        }
    }
}

impl Request {
    /// Whether the answer depends on the file or directory that the pathname names.
    pub(crate) fn looks_at_file(&self) -> bool {
        self.usage == Use::Reads && self.verb != "PWD" && !self.argument.is_empty()
    }

    /// What a command asks for in this directory.
    pub(crate) fn new(command: &Command, directory: &str) -> Self {
        let alias = ALIASES.iter().find(|(alias, _)| *alias == command.verb);
        let verb = alias.map_or(command.verb.as_str(), |(_, verb)| verb);
        let known = VERBS.iter().find(|(known, ..)| *known == verb);
        let (role, usage) = known.map_or((Role::InOrder, Use::None), |(_, role, usage)| {
            (*role, *usage)
        });
        let argument = command.argument.as_deref().unwrap_or_default();
        let text = String::from_utf8_lossy(argument).into_owned();
        if let Some((options, path)) = changed_attribute(verb, &text) {
            return Self {
                verb: verb.to_owned(),
                role: Role::Files,
                argument: resolved(directory, path),
                options,
                usage: Use::Changes,
            };
        }
        let (options, argument) = match (verb, usage) {
            (_, Use::None) => (String::new(), plain(verb, &text)),
            ("CDUP", _) => (String::new(), resolved(directory, "..")),
            ("PWD", _) => (String::new(), directory.to_owned()),
            // Times are those of the client's files, which a test makes anew.
            ("MFMT" | "MFCT" | "MFF", _) => {
                let path = text.split_once(' ').map_or("", |(_, path)| path);
                (String::new(), resolved(directory, path))
            }
            // A name that the server chooses.
            ("STOU", _) => (String::new(), directory.to_owned()),
            ("LIST" | "NLST" | "STAT", _) => {
                let (options, path) = options_of(&text);
                let path = match (verb, path) {
                    // The state of the server.
                    ("STAT", "") => String::new(),
                    (_, path) => resolved(directory, path),
                };
                (options.to_owned(), path)
            }
            _ => (String::new(), resolved(directory, &text)),
        };
        Self {
            verb: verb.to_owned(),
            role,
            argument,
            options,
            usage,
        }
    }
}

impl Line {
    /// The commands of a session, without the greeting, and its login directory as far as it is
    /// known.
    pub(crate) fn all(session: &Session) -> (Vec<Self>, Option<String>) {
        let login_directory = login_directory(session);
        let mut state = State::new(login_directory.as_deref().unwrap_or("/"));
        let aborted = session.aborted();
        let time = |event: usize| session.events.get(event).map_or(0, |(_, it)| it.at);
        let mut lines: Vec<Self> = Vec::new();
        let mut offset = 0;
        for (index, exchange) in session.exchanges.iter().enumerate() {
            let Some(command) = &exchange.command else {
                continue;
            };
            let request = Request::new(command, &state.directory);
            let next = session.exchanges.get(index + 1);
            let next = next.map_or(usize::MAX, |next| next.sent);
            let unasked = session.unasked.iter();
            let unasked = unasked.filter(|(event, _)| (exchange.sent..next).contains(event));
            let mut replies: Vec<(usize, Reply)> =
                exchange.replies.iter().chain(unasked).cloned().collect();
            replies.sort_by_key(|(event, _)| *event);
            let mut before = time(exchange.sent);
            let replies = replies.into_iter().map(|(event, reply)| {
                let waited = time(event).saturating_sub(before);
                before = time(event).max(before);
                (Duration::from_micros(waited), reply)
            });
            let renamed = match request.verb.as_str() {
                "RNTO" => lines
                    .last()
                    .map(|line: &Self| line.request.argument.clone()),
                _ => None,
            };
            let closed = session
                .closed
                .as_ref()
                .filter(|(event, _)| *event > exchange.sent && *event < next);
            let line = Self {
                shown: command_line(exchange),
                replies: replies.collect(),
                transfer: exchange
                    .transfer
                    .and_then(|it| session.transfers.get(&it))
                    .cloned(),
                offset: if exchange.is_transfer() { offset } else { 0 },
                representation: state.representation.clone(),
                is_aborted: aborted.contains(&index),
                closes: closed.map(|(_, end)| end.how),
                also_changes: renamed,
                request,
            };
            if line.is_done() {
                state.done(&line.request);
            }
            match line.request.verb.as_str() {
                "REST" if line.is_done() => offset = line.request.argument.parse().unwrap_or(0),
                _ if exchange.is_transfer() => offset = 0,
                _ => {}
            }
            lines.push(line);
        }
        (lines, login_directory)
    }

    /// The reply that completed it.
    pub(crate) fn completion(&self) -> Option<&Reply> {
        let mut replies = self.replies.iter().map(|(_, reply)| reply);
        replies.find(|reply| reply.class() != 1)
    }

    /// Whether it was not refused.
    pub(crate) fn is_done(&self) -> bool {
        self.completion().is_some_and(|reply| reply.class() < 4)
    }

    /// Whether all of what it transfers is known.
    pub(crate) fn is_whole(&self) -> bool {
        let cut = self.transfer.as_ref().is_none_or(Transfer::is_cut);
        let done = self.completion().is_some_and(|reply| reply.class() == 2);
        done && !cut && !self.is_aborted
    }

    /// Whether it is answered again when the client repeats it.
    pub(crate) fn is_repeatable(&self) -> bool {
        REPEATABLE.contains(&self.request.verb.as_str())
    }

    /// Whether the client has to send it.
    pub(crate) fn is_required(&self) -> bool {
        !matches!(
            self.request.role,
            Role::Preparation | Role::Omissible | Role::Restart | Role::Quit
        )
    }

    /// Whether the order of these two makes a difference.
    pub(crate) fn depends_on(&self, other: &Self) -> bool {
        if self.request.role != Role::Files || other.request.role != Role::Files {
            return true;
        }
        let changes = |line: &Self| -> Vec<String> {
            let own = (line.request.usage == Use::Changes).then(|| line.request.argument.clone());
            own.into_iter().chain(line.also_changes.clone()).collect()
        };
        let names = |line: &Self| -> Vec<String> {
            let own = Some(line.request.argument.clone());
            own.into_iter().chain(line.also_changes.clone()).collect()
        };
        let meet = |these: &[String], those: &[String]| {
            these
                .iter()
                .any(|it| those.iter().any(|other| overlap(it, other)))
        };
        meet(&changes(self), &names(other)) || meet(&names(self), &changes(other))
    }

    /// Whether it changes what is named by this pathname, or a part of it.
    pub(crate) fn changes(&self, pathname: &str) -> bool {
        let own = self.request.usage == Use::Changes && overlap(&self.request.argument, pathname);
        let other = self.also_changes.as_deref();
        self.is_done() && (own || other.is_some_and(|it| overlap(it, pathname)))
    }
}

/// Whether one of two absolute pathnames is or contains the other.
fn overlap(one: &str, other: &str) -> bool {
    let below = |outer: &str, inner: &str| {
        inner
            .strip_prefix(outer.trim_end_matches('/'))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    below(one, other) || below(other, one)
}

/// The pathname from the root, without `.` and `..`.
fn resolved(directory: &str, path: &str) -> String {
    let whole = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{directory}/{path}"),
    };
    let mut names: Vec<&str> = Vec::new();
    for name in whole.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

/// Options as those of `ls`, and what follows them.
fn options_of(text: &str) -> (&str, &str) {
    let mut rest = text;
    while rest.starts_with('-') {
        let end = rest.find(' ').unwrap_or(rest.len());
        rest = rest[end..].trim_start();
    }
    (text[..text.len() - rest.len()].trim_end(), rest)
}

/// What SITE CHMOD, SITE UTIME or MDTM with a time asks for, and the path. Times are not part of it:
/// they are those of the client's files, which a test makes anew.
fn changed_attribute<'a>(verb: &str, argument: &'a str) -> Option<(String, &'a str)> {
    let is_time = |word: &str| word.len() >= 12 && word.bytes().all(|it| it.is_ascii_digit());
    let (first, rest) = argument.split_once(' ')?;
    if verb == "MDTM" {
        return is_time(first).then_some(("time".to_owned(), rest));
    }
    let what = first.to_ascii_uppercase();
    match (verb, what.as_str()) {
        ("SITE", "CHMOD") => {
            let (mode, path) = rest.split_once(' ')?;
            Some((format!("{what} {mode}"), path))
        }
        ("SITE", "UTIME") => {
            // `UTIME time path`, or `UTIME path accessed modified created UTC`.
            let path = match rest.split_once(' ') {
                Some((time, path)) if is_time(time) => path,
                _ => rest.rsplitn(5, ' ').last()?,
            };
            Some((what, path))
        }
        _ => None,
    }
}

/// The argument of a verb without pathname, in the form in which it is compared.
fn plain(verb: &str, argument: &str) -> String {
    let upper = argument.trim().to_ascii_uppercase();
    match (verb, upper.as_str()) {
        ("TYPE", "A N") => "A".into(),
        ("TYPE", "L 8") => "I".into(),
        ("TYPE" | "MODE" | "STRU" | "AUTH" | "PROT" | "OPTS" | "HELP", _) => upper,
        // Names of programs, numbers.
        ("CLNT" | "HOST" | "ALLO" | "NOOP" | "USER" | "PASS" | "ACCT", _) => String::new(),
        _ => argument.to_owned(),
    }
}

/// The login directory: what the first PWD says, unless a CWD came before it.
fn login_directory(session: &Session) -> Option<String> {
    let mut exchanges = session.exchanges.iter();
    let moves = ["CWD", "XCWD", "CDUP", "XCUP", "PWD", "XPWD"];
    let first = exchanges.find(|exchange| moves.contains(&exchange.verb()))?;
    let reply = first.completion().filter(|reply| reply.code == 257)?;
    quoted_pathname(&reply.first_line_text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("CWD b", "CWD /a/b", true)]
    #[case("XCWD ./b/", "CWD b", true)]
    #[case("CDUP", "CWD ..", false)]
    #[case("LIST", "LIST .", true)]
    #[case("LIST -a", "LIST", false)]
    #[case("LIST -a b", "LIST -a /a/b", true)]
    #[case("TYPE a n", "TYPE A", true)]
    #[case("TYPE I", "TYPE A", false)]
    #[case("PASS x", "PASS y", true)]
    #[case("SITE x", "SITE y", false)]
    #[case("SITE chmod 644 ./b c", "SITE CHMOD 644 /a/b c", true)]
    #[case("SITE CHMOD 644 b", "SITE CHMOD 600 b", false)]
    #[case("SITE UTIME 20260101000000 b", "SITE utime 20270101000000 /a/b", true)]
    #[case("SITE UTIME 20260101000000 b", "SITE UTIME 20260101000000 c", false)]
    #[case(
        "SITE UTIME b c 20260101000000 20260101000000 20260101000000 UTC",
        "SITE UTIME b c 20270101000000 20270101000000 20270101000000 UTC",
        true
    )]
    #[case("MDTM 20260101000000 b", "MDTM 20270101000000 b", true)]
    #[case("MDTM 20260101000000 b", "MDTM b", false)]
    #[case("RETR a", "RETR b", false)]
    fn requests_for_the_same_are_equal(
        #[case] one: &str,
        #[case] other: &str,
        #[case] is_same: bool,
    ) {
        let request = |line: &str| Request::new(&Command::of_line(line.as_bytes()), "/a");
        assert_eq!(request(one) == request(other), is_same);
    }

    #[rstest]
    #[case("/a", "/a/b", true)]
    #[case("/", "/a", true)]
    #[case("/a", "/ab", false)]
    #[case("/a/b", "/a/c", false)]
    fn pathnames_overlap(#[case] one: &str, #[case] other: &str, #[case] expected: bool) {
        assert_eq!(overlap(one, other), expected);
        assert_eq!(overlap(other, one), expected);
    }
}
