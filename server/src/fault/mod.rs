//! Fault plans: a server that misbehaves on purpose, at a stated moment, reproducibly (a [`Plan`]).
//!
//! They test clients: how does a client react when the 226 never comes? A plan is given to
//! [`ServerBuilder::faults`](crate::ServerBuilder::faults), to `ftpspec serve --fault` or in a TOML
//! file; the syntax is the same.
//!
//! ```text
//! when WHAT [nth N | every N | from N] [user NAME] [path GLOB] [session N] do ACTION [times K]
//!
//! when RETR nth 2 do reset at 4096
//! when upload path '*.iso' do full at 1000000 552
//! when login user bob do reply 530 "Not today."
//! when connect from 3 do max sessions 2
//! when LIST every 3 do delay 300ms times 2
//! ```
//!
//! **WHAT** is an event of the server:
//!
//! | WHAT | when |
//! |---|---|
//! | a verb | a command line with it is taken up, before the login rule and the argument are looked at |
//! | `connect` | a control connection has come, before its greeting |
//! | `login` | PASS |
//! | `handshake` | the TLS handshake of a control connection begins |
//! | `data` | any command with a data connection: the three below |
//! | `listing` | LIST, NLST, MLSD |
//! | `upload` | STOR, STOU, APPE |
//! | `download` | RETR |
//!
//! **Which of them**: `user` is the name last given with USER. `path` is a pattern for the argument
//! as a pathname: a pattern that begins with `/` is matched against the whole path (`*` matches `/`
//! too), any other against its last name. `session` is the number of the control connection,
//! counted from 1 in the order the server accepted them.
//!
//! **Counting.** Each fault of a plan counts, for the whole server and as long as it runs, the
//! events that match its WHAT, user, path and session. `nth 2` is the second of them, `every 2` the
//! second, fourth …, `from 2` the second and all after; without one of these, all. `times K`
//! disables the fault after it was injected K times. Nothing is random and nothing is timed: the
//! same commands in the same order meet the same faults. Sessions that run at the same time share
//! the counters, so a test that has to know which one is affected names the session or the user. A
//! command that is answered during a transfer (ABOR, STAT, and NOOP if `noop_in_transfer` is
//! `"at_once"`) is counted when it comes, and one that waits for the end of the transfer when its
//! turn comes.
//!
//! **Several faults** may be injected at one event; all take effect. Reply faults change the
//! completion reply of the command, or the greeting, but no 1yz reply before it. Data faults count
//! octets of the data connection, after TLS.
//!
//! **Texts** extend to the end of the line, or are in double quotes. In quotes `\n`, `\r`, `\t`,
//! `\\`, `\"` and `\xNN` (an octet by two hexadecimal digits) are escapes, and no others. A text
//! with more than one line is sent as a multi-line reply.
//!
//! In TOML each part has a key: `when`, `nth`, `every`, `from`, `user`, `path`, `session`, `do`,
//! `times`.
//!
//! ```toml
//! [[fault]]
//! when = "RETR"
//! nth = 2
//! do = "reset at 4096"
//! ```
//!
//! The actions are the table [`ACTIONS`]; `ftpspec serve --list-faults` prints it ([`describe`]).
//! `refuse AUTH` is `when AUTH do reply 431`.

mod action;
mod count;
mod cursor;
mod error;
mod grammar;
mod reply;
mod similar;
mod storage;
#[cfg(test)]
mod tests;
mod token;
mod toml;

pub use action::{ACTIONS, Action, ActionRow, BadCertificate, Scope};
pub use count::{FaultCount, FaultEvent, Faults, Injection};
pub use error::ParseError;
pub(crate) use similar::nearest;
pub use toml::TomlError;
pub(crate) use toml::{KEYS, words as line};

pub use reply::{EARLY, IN_PLACE_OF_TLS, apply_to_reply};
pub(crate) use storage::FaultyStorage;

use std::fmt;

use crate::wire::Verb;
use action::Quoted;

/// Faults, in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The faults.
    pub faults: Vec<Fault>,
}

impl Plan {
    /// No faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fault.
    #[must_use]
    pub fn with(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// A plan of one fault for each line; empty lines and those that begin with `#` are skipped.
    ///
    /// # Errors
    /// [`ParseError`] of the first line that is not a fault.
    pub fn of_lines(lines: &str) -> Result<Self, ParseError> {
        let faults = lines
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        Ok(Self { faults })
    }

    /// A plan written in TOML, as `[[fault]]` tables.
    ///
    /// # Errors
    /// [`TomlError`].
    pub fn from_toml(text: &str) -> Result<Self, TomlError> {
        toml::read(text)
    }

    /// Adds the faults of another plan after these.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.faults.extend(other.faults);
        self
    }

    /// The bad certificates that the plan needs.
    pub(crate) fn certificates(&self) -> Vec<BadCertificate> {
        let wanted = |kind: &BadCertificate| {
            let action = Action::Certificate(*kind);
            self.faults.iter().any(|fault| fault.action == action)
        };
        let kinds = BadCertificate::ALL.into_iter().map(|(kind, _)| kind);
        kinds.filter(wanted).collect()
    }
}

impl FromIterator<Fault> for Plan {
    fn from_iter<T: IntoIterator<Item = Fault>>(faults: T) -> Self {
        Self {
            faults: faults.into_iter().collect(),
        }
    }
}

/// One fault: at which event, at which of its occurrences, and what is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The event.
    pub what: Trigger,
    /// Which of the matching events.
    pub occurrence: Occurrence,
    /// Only this user's.
    pub user: Option<String>,
    /// Only at paths this pattern takes.
    pub path: Option<String>,
    /// Only in this session.
    pub session: Option<u64>,
    /// What is done.
    pub action: Action,
    /// How often at most.
    pub times: Option<u64>,
}

/// An event of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// A command.
    Verb(Verb),
    /// A control connection has come.
    Connect,
    /// PASS.
    Login,
    /// The TLS handshake of a control connection begins.
    Handshake,
    /// Any transfer.
    Data,
    /// LIST, NLST, MLSD.
    Listing,
    /// STOR, STOU, APPE.
    Upload,
    /// RETR.
    Download,
}

const LISTING: &[Verb] = &[Verb::List, Verb::Nlst, Verb::Mlsd];
const UPLOAD: &[Verb] = &[Verb::Stor, Verb::Stou, Verb::Appe];
const DOWNLOAD: &[Verb] = &[Verb::Retr];

impl Trigger {
    /// The events that are not verbs: name, event, description.
    pub const NAMED: [(&'static str, Self, &'static str); 7] = [
        (
            "connect",
            Self::Connect,
            "a control connection has come, before its greeting",
        ),
        ("login", Self::Login, "PASS"),
        (
            "handshake",
            Self::Handshake,
            "the TLS handshake of a control connection begins",
        ),
        ("data", Self::Data, "any command with a data connection"),
        ("listing", Self::Listing, "LIST, NLST, MLSD"),
        ("upload", Self::Upload, "STOR, STOU, APPE"),
        ("download", Self::Download, "RETR"),
    ];

    /// The event of this name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let verb = Verb::named(name.as_bytes()).map(Self::Verb);
        verb.or_else(|| {
            let mut named = Self::NAMED.iter();
            named
                .find(|(known, ..)| known.eq_ignore_ascii_case(name))
                .map(|(_, what, _)| *what)
        })
    }

    /// Whether it is a command line, with a user and perhaps a path.
    #[must_use]
    pub fn is_command(self) -> bool {
        !matches!(self, Self::Connect | Self::Handshake)
    }

    /// Whether there is a data connection.
    #[must_use]
    pub fn is_transfer(self) -> bool {
        match self {
            Self::Data | Self::Listing | Self::Upload | Self::Download => true,
            Self::Verb(verb) => Self::Data.is_of(verb),
            Self::Connect | Self::Login | Self::Handshake => false,
        }
    }

    /// Whether a command with this verb is such an event.
    fn is_of(self, verb: Verb) -> bool {
        match self {
            Self::Verb(own) => own == verb,
            Self::Login => verb == Verb::Pass,
            Self::Listing => LISTING.contains(&verb),
            Self::Upload => UPLOAD.contains(&verb),
            Self::Download => DOWNLOAD.contains(&verb),
            Self::Data => [LISTING, UPLOAD, DOWNLOAD].concat().contains(&verb),
            Self::Connect | Self::Handshake => false,
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Verb(verb) = self {
            return f.write_str(verb.row().name);
        }
        let named = Self::NAMED.iter().find(|(_, what, _)| what == self);
        f.write_str(named.map_or("", |(name, ..)| name))
    }
}

/// Which of the matching events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurrence {
    /// This one, counted from 1.
    Nth(u64),
    /// Every n-th occurrence; 1 means all.
    Every(u64),
    /// This occurrence and all after it.
    From(u64),
}

impl Occurrence {
    fn holds(self, number: u64) -> bool {
        match self {
            Self::Nth(nth) => number == nth,
            Self::Every(every) => number.is_multiple_of(every),
            Self::From(first) => number >= first,
        }
    }
}

/// The fault in the syntax of a plan; parsing it returns the same fault.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "when {}", self.what)?;
        match self.occurrence {
            Occurrence::Every(1) => {}
            Occurrence::Nth(number) => write!(f, " nth {number}")?,
            Occurrence::Every(number) => write!(f, " every {number}")?,
            Occurrence::From(number) => write!(f, " from {number}")?,
        }
        if let Some(user) = &self.user {
            write!(f, " user {}", Quoted(user.as_bytes()))?;
        }
        if let Some(path) = &self.path {
            write!(f, " path {}", Quoted(path.as_bytes()))?;
        }
        if let Some(session) = self.session {
            write!(f, " session {session}")?;
        }
        write!(f, " do {}", self.action)?;
        if let Some(times) = self.times {
            write!(f, " times {times}")?;
        }
        Ok(())
    }
}

/// The grammar, the events and the actions as a help text.
#[must_use]
pub fn describe() -> String {
    describe_rows(|_| true)
}

/// [`describe`], with the actions that a proxy in front of another server can do.
#[must_use]
pub fn describe_for_proxy() -> String {
    let rows = describe_rows(ActionRow::works_in_proxy);
    format!("{rows}\nA proxy waits as long as --hold says where a limit of the server is named.\n")
}

fn describe_rows(shown: fn(&ActionRow) -> bool) -> String {
    let mut text = String::from(
        "when WHAT [nth N | every N | from N] [user NAME] [path GLOB] [session N] do ACTION [times K]\n\nWHAT\n",
    );
    let mut line = |name: &str, help: &str| {
        text.push_str(&format!("  {name:<24} {help}\n"));
    };
    line("a verb", "a command with it");
    for (name, _, help) in Trigger::NAMED {
        line(name, help);
    }
    for (title, scopes) in [
        (
            "to any reply (a verb, connect, login)",
            &[Scope::Replies][..],
        ),
        (
            "to transfers, and to what is named in brackets",
            &[Scope::Transfers, Scope::DataPorts, Scope::Closing],
        ),
        ("to PASV and EPSV", &[Scope::Passive, Scope::Pasv]),
        ("to handshake and AUTH", &[Scope::Handshake, Scope::Auth]),
        ("to verbs that work on files", &[Scope::Storage]),
        ("to FEAT", &[Scope::Feat]),
        ("to connect", &[Scope::Connect]),
    ] {
        let rows = ACTIONS.iter();
        let mut rows = rows
            .filter(|row| scopes.contains(&row.scope) && shown(row))
            .peekable();
        if rows.peek().is_some() {
            text.push_str(&format!("\nACTION {title}\n"));
        }
        for row in rows {
            let also = match row.scope {
                Scope::DataPorts => " [PASV, EPSV]",
                Scope::Closing => " [QUIT]",
                Scope::Pasv => " [PASV]",
                Scope::Auth => " [AUTH]",
                _ => "",
            };
            text.push_str(&format!("  {:<24} {}{also}\n", row.syntax, row.help));
        }
    }
    text
}
