//! What a fault does: the actions, and the one table that the parser, the suggestions and
//! `--list-faults` read.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::Trigger;
use super::cursor::Cursor;
use super::error::ParseError;
use crate::wire::Verb;

/// The longest time a fault waits.
const LONGEST_TIME: Duration = Duration::from_hours(1);
/// The longest line a fault makes.
const LONGEST_LINE: u64 = 1 << 20;

/// What a fault does. How each is written and what it does exactly: [`ACTIONS`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is documented by its row in the table")]
pub enum Action {
    Reply {
        code: u16,
        text: Vec<u8>,
    },
    Lines(Vec<u8>),
    Delay(Duration),
    Drop,
    Duplicate,
    SplitBytewise,
    BareLf,
    WrongLastLine,
    NulInText,
    LongLine(usize),
    HyphenOnLastLine,
    Lowercase,
    NoText,
    Unsolicited421(Vec<u8>),
    HangUp,
    Glue,
    EarlyCompletion,
    MissingCompletion,
    MissingPreliminary,
    NeverAccept,
    StallAt(u64),
    Refuse,
    ResetAt(u64),
    CloseAt(u64),
    TruncateTo(u64),
    CorruptOctet(u64),
    Extra(u64),
    Slow(u64),
    WrongAddress(Ipv4Addr),
    /// `None` is the port after the real one.
    WrongPort(Option<u16>),
    Certificate(BadCertificate),
    NoCloseNotify,
    RequireSessionReuse,
    Plaintext,
    HandshakeStall,
    HandshakeAlert,
    Full {
        at: u64,
        /// 552 in place of 452: the user's allocation is exceeded, not the capacity of the storage.
        allocation: bool,
    },
    Denied,
    /// `None`: it cannot be opened; else reading fails at this octet.
    Vanish(Option<u64>),
    SlowStorage(Duration),
    Hide(Vec<u8>),
    Advertise(Vec<u8>),
    MaxSessions(usize),
    Idle(Duration),
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadCertificate {
    /// It expired yesterday. It is issued by the CA that clients trust.
    Expired,
    /// It is issued for `wrong.invalid`, by the CA that clients trust.
    WrongName,
    /// It is issued by an untrusted CA.
    UnknownCa,
    /// It is self-signed.
    SelfSigned,
}

impl BadCertificate {
    /// All kinds, with their words.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Expired, "expired"),
        (Self::WrongName, "wrong-name"),
        (Self::UnknownCa, "unknown-CA"),
        (Self::SelfSigned, "self-signed"),
    ];
}

/// A row of [`ACTIONS`].
#[derive(Debug, Clone, Copy)]
pub struct ActionRow {
    /// The syntax: words in lower case are literal, words in capitals are values.
    pub syntax: &'static str,
    /// The events that it applies to.
    pub scope: Scope,
    /// What happens then, in one line.
    pub help: &'static str,
    /// The words it begins with.
    pub(super) words: &'static [&'static str],
    /// Reads what follows them.
    pub(super) read: fn(&mut Cursor<'_>) -> Result<Action, ParseError>,
}

impl ActionRow {
    /// Whether a proxy in front of another server can do it: all but what the storage does.
    #[must_use]
    pub fn works_in_proxy(&self) -> bool {
        self.scope != Scope::Storage
    }
}

impl Action {
    /// Its row of [`ACTIONS`].
    #[must_use]
    pub fn row(&self) -> Option<&'static ActionRow> {
        let text = self.to_string();
        let words: Vec<&str> = text.split(' ').collect();
        let rows = ACTIONS.iter().filter(|row| words.starts_with(row.words));
        rows.max_by_key(|row| row.words.len())
    }
}

/// The events that an action applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// `connect`, `login` and every verb, the transfers among them.
    Replies,
    /// The verbs that have a data connection.
    Transfers,
    /// Transfers, PASV and EPSV.
    DataPorts,
    /// PASV alone.
    Pasv,
    /// PASV and EPSV.
    Passive,
    /// `handshake`.
    Handshake,
    /// AUTH and `handshake`.
    Auth,
    /// Transfers and QUIT.
    Closing,
    /// Every verb that needs a login.
    Storage,
    /// FEAT.
    Feat,
    /// `connect`.
    Connect,
}

impl Scope {
    /// Whether an action of this scope applies to `what`.
    #[must_use]
    pub fn holds(self, what: Trigger) -> bool {
        let verb = |verbs: &[Verb]| matches!(what, Trigger::Verb(verb) if verbs.contains(&verb));
        match self {
            Self::Replies => what != Trigger::Handshake,
            Self::Transfers => what.is_transfer(),
            Self::DataPorts => what.is_transfer() || verb(&[Verb::Pasv, Verb::Epsv]),
            Self::Pasv => verb(&[Verb::Pasv]),
            Self::Passive => verb(&[Verb::Pasv, Verb::Epsv]),
            Self::Handshake => what == Trigger::Handshake,
            Self::Auth => what == Trigger::Handshake || verb(&[Verb::Auth]),
            Self::Closing => what.is_transfer() || verb(&[Verb::Quit]),
            Self::Storage => {
                let login = [Verb::User, Verb::Pass, Verb::Acct, Verb::Rein, Verb::Auth];
                what.is_command() && what != Trigger::Login && !verb(&login)
            }
            Self::Feat => verb(&[Verb::Feat]),
            Self::Connect => what == Trigger::Connect,
        }
    }

    /// The events it applies to, for an error message.
    #[must_use]
    pub fn needs(self) -> &'static str {
        match self {
            Self::Replies => "a verb, `connect` or `login`",
            Self::Transfers => {
                "a transfer: `data`, `listing`, `upload`, `download` or one of their verbs"
            }
            Self::DataPorts => "a transfer, PASV or EPSV",
            Self::Pasv => "PASV",
            Self::Passive => "PASV or EPSV",
            Self::Handshake => "`handshake`",
            Self::Auth => "AUTH or `handshake`",
            Self::Closing => "a transfer or QUIT",
            Self::Storage => "a verb that works on files",
            Self::Feat => "FEAT",
            Self::Connect => "`connect`",
        }
    }
}

const fn row(
    scope: Scope,
    syntax: &'static str,
    words: &'static [&'static str],
    help: &'static str,
    read: fn(&mut Cursor<'_>) -> Result<Action, ParseError>,
) -> ActionRow {
    ActionRow {
        syntax,
        scope,
        help,
        words,
        read,
    }
}

/// Every action there is.
#[rustfmt::skip]
pub const ACTIONS: &[ActionRow] = &[
    // Replies: the completion reply of the command, or the greeting.
    row(Scope::Replies, "reply CODE [TEXT]", &["reply"], "The command is not carried out; this reply is sent in its place. `\\n` in a quoted text begins a line. After 421 the connection is closed.", |c| {
        let code = c.number("a reply code from 200 to 599", 200, 599)? as u16;
        let text = c.text_or("Injected by the fault plan.")?;
        Ok(Action::Reply { code, text })
    }),
    row(Scope::Replies, "lines TEXT", &["lines"], "The reply has these lines before its own text; `\\n` in a quoted text begins another.", |c| Ok(Action::Lines(c.text("a text")?))),
    row(Scope::Replies, "delay TIME", &["delay"], "The reply comes this much later.", |c| Ok(Action::Delay(c.time(LONGEST_TIME)?))),
    row(Scope::Replies, "drop", &["drop"], "The command is carried out and the reply is not sent.", |_| Ok(Action::Drop)),
    row(Scope::Replies, "duplicate", &["duplicate"], "The reply is sent twice.", |_| Ok(Action::Duplicate)),
    row(Scope::Replies, "split bytewise", &["split", "bytewise"], "Each octet of the reply in a segment of its own, 2 ms apart.", |_| Ok(Action::SplitBytewise)),
    row(Scope::Replies, "bare LF", &["bare", "LF"], "Lines of the reply end with LF alone.", |_| Ok(Action::BareLf)),
    row(Scope::Replies, "wrong last line", &["wrong", "last", "line"], "The reply has many lines, and the last has the code of another reply.", |_| Ok(Action::WrongLastLine)),
    row(Scope::Replies, "NUL in text", &["NUL", "in", "text"], "A NUL in the middle of the last line.", |_| Ok(Action::NulInText)),
    row(Scope::Replies, "long line N", &["long", "line"], "The last line is N octets long.", |c| {
        Ok(Action::LongLine(c.number("a length up to 1048576", 5, LONGEST_LINE)? as usize))
    }),
    row(Scope::Replies, "hyphen on last line", &["hyphen", "on", "last", "line"], "A hyphen after the code of the last line: the reply never ends.", |_| Ok(Action::HyphenOnLastLine)),
    row(Scope::Replies, "lowercase", &["lowercase"], "The whole reply in lower case.", |_| Ok(Action::Lowercase)),
    row(Scope::Replies, "no text", &["no", "text"], "The last line is the code and nothing more, not even the space.", |_| Ok(Action::NoText)),
    row(Scope::Replies, "unsolicited 421 [TEXT]", &["unsolicited", "421"], "After the reply an unrequested 421; then the connection is closed.", |c| {
        Ok(Action::Unsolicited421(c.text_or("The service is not available.")?))
    }),
    row(Scope::Replies, "hang up", &["hang", "up"], "The command is not carried out; the control connection is closed without a reply.", |_| Ok(Action::HangUp)),
    row(Scope::Transfers, "glue", &["glue"], "The 150 waits, and leaves in one segment with the completion.", |_| Ok(Action::Glue)),
    row(Scope::Transfers, "early 226", &["early", "226"], "226 comes right after 150, before the data; none comes after it.", |_| Ok(Action::EarlyCompletion)),
    row(Scope::Transfers, "missing 226", &["missing", "226"], "The transfer completes without a 226.", |_| Ok(Action::MissingCompletion)),
    row(Scope::Transfers, "missing 150", &["missing", "150"], "The transfer starts without a 150.", |_| Ok(Action::MissingPreliminary)),
    // Data connections.
    row(Scope::Transfers, "never accept", &["never", "accept"], "The data connection is not accepted; 425 after Limits::data_connection.", |_| Ok(Action::NeverAccept)),
    row(Scope::Transfers, "stall [at N]", &["stall"], "After N octets (0) nothing moves; 426 after Limits::data_stall.", |c| Ok(Action::StallAt(c.at()?.unwrap_or(0)))),
    row(Scope::DataPorts, "refuse", &["refuse"], "Nothing listens at the port that PASV or EPSV announces; a transfer gets no data connection, 425.", |_| Ok(Action::Refuse)),
    row(Scope::Transfers, "reset at N", &["reset"], "After N octets the data connection is reset; 426.", |c| Ok(Action::ResetAt(c.needs_at()?))),
    row(Scope::Transfers, "close at N", &["close"], "After N octets the data connection is closed; 426.", |c| Ok(Action::CloseAt(c.needs_at()?))),
    row(Scope::Transfers, "truncate to N", &["truncate", "to"], "Only the first N octets are moved; still 226.", |c| Ok(Action::TruncateTo(c.octets()?))),
    row(Scope::Transfers, "corrupt octet N", &["corrupt", "octet"], "Octet N, the first is 0, has its lowest bit inverted.", |c| Ok(Action::CorruptOctet(c.octets()?))),
    row(Scope::Transfers, "extra N octets", &["extra"], "N times `X` after the end.", |c| {
        let octets = c.octets()?;
        c.word("octets")?;
        Ok(Action::Extra(octets))
    }),
    row(Scope::Transfers, "slow N octets/s", &["slow"], "The data connection moves N octets a second.", |c| {
        let octets = c.number("how many octets a second", 1, u64::from(u32::MAX))?;
        c.word("octets/s")?;
        Ok(Action::Slow(octets))
    }),
    row(Scope::Pasv, "wrong address [ADDRESS]", &["wrong", "address"], "227 announces this address (192.0.2.1).", |c| Ok(Action::WrongAddress(c.address_or(Ipv4Addr::new(192, 0, 2, 1))?))),
    row(Scope::Passive, "wrong port [N]", &["wrong", "port"], "227 or 229 announces this port (the one after the real one).", |c| Ok(Action::WrongPort(c.port()?))),
    // TLS.
    row(Scope::Handshake, "certificate KIND", &["certificate"], "The certificate is `expired`, `wrong-name`, `unknown-CA` or `self-signed`.", |c| Ok(Action::Certificate(c.one_of("certificate", &BadCertificate::ALL)?))),
    row(Scope::Closing, "no close_notify", &["no", "close_notify"], "TLS ends with the end of the TCP connection alone.", |_| Ok(Action::NoCloseNotify)),
    row(Scope::Transfers, "require session reuse", &["require", "session", "reuse"], "522 if a protected data connection does not resume a TLS session.", |_| Ok(Action::RequireSessionReuse)),
    row(Scope::Auth, "plaintext", &["plaintext"], "AUTH: a reply in the clear after the 234, in its segment. Handshake: a reply in the clear in its place.", |_| Ok(Action::Plaintext)),
    row(Scope::Handshake, "handshake stall", &["handshake", "stall"], "The ClientHello is never answered; closed after Limits::handshake.", |_| Ok(Action::HandshakeStall)),
    row(Scope::Handshake, "handshake alert", &["handshake", "alert"], "The ClientHello is answered by the alert handshake_failure.", |_| Ok(Action::HandshakeAlert)),
    // Storage.
    row(Scope::Storage, "full at N [552]", &["full"], "The storage is full after N octets: 452, or 552 for the user's allocation.", |c| {
        let at = c.needs_at()?;
        let allocation = c.one_of_or(&[(false, "452"), (true, "552")], false);
        Ok(Action::Full { at, allocation })
    }),
    row(Scope::Storage, "denied", &["denied"], "The storage denies every operation: 550.", |_| Ok(Action::Denied)),
    row(Scope::Storage, "vanish [at N]", &["vanish"], "The file exists, but is gone when it is opened, or when octet N is read.", |c| Ok(Action::Vanish(c.at()?))),
    row(Scope::Storage, "slow storage TIME", &["slow", "storage"], "Each call of the storage takes this long.", |c| Ok(Action::SlowStorage(c.time(LONGEST_TIME)?))),
    // FEAT.
    row(Scope::Feat, "hide LABEL", &["hide"], "The lines of this feature are left out; the feature is supported.", |c| Ok(Action::Hide(c.text_line("a feature label")?))),
    row(Scope::Feat, "advertise LINE", &["advertise"], "An additional feature that is not supported.", |c| Ok(Action::Advertise(c.text_line("a feature line")?))),
    // Limits.
    row(Scope::Connect, "max sessions N", &["max", "sessions"], "With more than N control connections open: 421 and closed.", |c| {
        Ok(Action::MaxSessions(c.number("how many sessions", 0, 1_000_000)? as usize))
    }),
    row(Scope::Replies, "idle TIME", &["idle"], "From now on the session may be idle this long; then 421.", |c| Ok(Action::Idle(c.time(LONGEST_TIME)?))),
];

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply { code, text } => write!(f, "reply {code} {}", Quoted(text)),
            Self::Delay(time) => write!(f, "delay {}", Time(*time)),
            Self::Drop => f.write_str("drop"),
            Self::Duplicate => f.write_str("duplicate"),
            Self::SplitBytewise => f.write_str("split bytewise"),
            Self::BareLf => f.write_str("bare LF"),
            Self::WrongLastLine => f.write_str("wrong last line"),
            Self::NulInText => f.write_str("NUL in text"),
            Self::LongLine(length) => write!(f, "long line {length}"),
            Self::HyphenOnLastLine => f.write_str("hyphen on last line"),
            Self::Lowercase => f.write_str("lowercase"),
            Self::NoText => f.write_str("no text"),
            Self::Unsolicited421(text) => write!(f, "unsolicited 421 {}", Quoted(text)),
            Self::HangUp => f.write_str("hang up"),
            Self::Glue => f.write_str("glue"),
            Self::EarlyCompletion => f.write_str("early 226"),
            Self::MissingCompletion => f.write_str("missing 226"),
            Self::MissingPreliminary => f.write_str("missing 150"),
            Self::NeverAccept => f.write_str("never accept"),
            Self::StallAt(octet) => write!(f, "stall at {octet}"),
            Self::Refuse => f.write_str("refuse"),
            Self::ResetAt(octet) => write!(f, "reset at {octet}"),
            Self::CloseAt(octet) => write!(f, "close at {octet}"),
            Self::TruncateTo(octets) => write!(f, "truncate to {octets}"),
            Self::CorruptOctet(octet) => write!(f, "corrupt octet {octet}"),
            Self::Extra(octets) => write!(f, "extra {octets} octets"),
            Self::Slow(rate) => write!(f, "slow {rate} octets/s"),
            Self::WrongAddress(address) => write!(f, "wrong address {address}"),
            Self::WrongPort(None) => f.write_str("wrong port"),
            Self::WrongPort(Some(port)) => write!(f, "wrong port {port}"),
            Self::Certificate(kind) => {
                let known = BadCertificate::ALL.iter().find(|(known, _)| known == kind);
                write!(f, "certificate {}", known.map_or("", |(_, word)| word))
            }
            Self::NoCloseNotify => f.write_str("no close_notify"),
            Self::RequireSessionReuse => f.write_str("require session reuse"),
            Self::Plaintext => f.write_str("plaintext"),
            Self::HandshakeStall => f.write_str("handshake stall"),
            Self::HandshakeAlert => f.write_str("handshake alert"),
            Self::Full { at, allocation } => {
                write!(f, "full at {at}{}", if *allocation { " 552" } else { "" })
            }
            Self::Denied => f.write_str("denied"),
            Self::Vanish(None) => f.write_str("vanish"),
            Self::Vanish(Some(octet)) => write!(f, "vanish at {octet}"),
            Self::SlowStorage(time) => write!(f, "slow storage {}", Time(*time)),
            Self::Lines(text) => write!(f, "lines {}", Quoted(text)),
            Self::Hide(label) => write!(f, "hide {}", Quoted(label)),
            Self::Advertise(line) => write!(f, "advertise {}", Quoted(line)),
            Self::MaxSessions(sessions) => write!(f, "max sessions {sessions}"),
            Self::Idle(time) => write!(f, "idle {}", Time(*time)),
        }
    }
}

/// Quoted text that is parsed as the same text.
pub(super) struct Quoted<'a>(pub(super) &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for chunk in self.0.utf8_chunks() {
            for letter in chunk.valid().chars() {
                match letter {
                    '\\' | '"' => write!(f, "\\{letter}")?,
                    '\n' => f.write_str("\\n")?,
                    '\r' => f.write_str("\\r")?,
                    '\t' => f.write_str("\\t")?,
                    '\0'..=' ' if letter != ' ' => write!(f, "\\x{:02x}", u32::from(letter))?,
                    other => write!(f, "{other}")?,
                }
            }
            for octet in chunk.invalid() {
                write!(f, "\\x{octet:02x}")?;
            }
        }
        f.write_str("\"")
    }
}

struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0.as_millis())
    }
}
