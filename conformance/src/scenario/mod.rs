//! Scenarios: scripted transcripts a person can read beside the RFC.
//!
//! The language is described in `scenarios/README.md`; [`parse()`] is its grammar, the types here
//! are its meaning. Nothing in this module uses a socket or the file system.

mod bound;
mod codes;
mod content;
mod display;
pub(crate) mod error;
mod expect;
mod format;
mod impact;
mod json;
mod lint;
mod need;
pub(crate) mod parse;
mod pattern;
mod ranges;
mod turns;
mod variables;
mod variant;

pub(crate) use crate::catalogue::Level;
pub(crate) use crate::data::CONTENT_LIMIT;
pub use crate::transcript::Connection;
pub(crate) use crate::transcript::DataMode;
pub(crate) use codes::{CodePattern, Codes};
pub(crate) use content::quoted;
pub(crate) use content::{Content, ContentError, Piece, Slice, Source};
pub use error::Diagnostic;
pub(crate) use error::Severity;
pub use error::render;
pub(crate) use expect::{Match, matches};
pub use format::format;
pub(crate) use format::layout;
pub use lint::{Knowledge, lint};
pub(crate) use need::Need;
pub(crate) use parse::FILE_LIMIT;
pub use parse::parse;
pub(crate) use pattern::TextPattern;
pub(crate) use ranges::names_in_range;
pub(crate) use turns::PlayedStep;
pub(crate) use turns::{BeforeTurns, new_turn};
pub(crate) use variables::Variables;
pub(crate) use variant::{Protection, TestCase, Variant};
pub(crate) use variant::{optional as optional_variant, shown_case};

use crate::transfer_mode::Coding;
use serde::Serialize;
use std::fmt;
use std::path::{Component, Path};
use std::time::Duration;

/// The path below `scenarios/` without its ending, as in `rfc3659/rest-retr-offset`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ScenarioId(pub String);

impl ScenarioId {
    /// The id of the scenario in this file: its path below the last directory `scenarios`,
    /// without extension. A file elsewhere is named by its whole path.
    #[must_use]
    pub fn of_path(path: &Path) -> Self {
        let mut parts: Vec<String> = Vec::new();
        for component in path.with_extension("").components() {
            match component {
                Component::Normal(part) if part == "scenarios" => parts.clear(),
                Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
                Component::ParentDir => parts.push("..".into()),
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
        Self(parts.join("/"))
    }
}

impl fmt::Display for ScenarioId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One parsed scenario file.
#[derive(Debug, Clone, Serialize)]
pub struct Scenario {
    /// Its path below `scenarios/`, without ending.
    pub id: ScenarioId,
    /// What the front matter says.
    pub about: About,
    /// The dialogue, in order.
    pub steps: Vec<Step>,
    /// The whole file, for error messages and reports.
    #[serde(skip)]
    pub text: String,
}

impl Scenario {
    /// Whether it has this need of its own.
    #[must_use]
    pub fn needs(&self, need: &Need) -> bool {
        self.about.needs.contains(need)
    }
}

/// The front matter.
#[derive(Debug, Clone, Serialize)]
pub struct About {
    /// The claim, as a sentence without a full stop.
    pub title: String,
    /// The consequence of a failure for users of the server, in one sentence; empty if not stated.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub impact: String,
    /// Clauses, as in `RFC 959 §5.4`.
    pub cites: Vec<String>,
    /// Requirement ids of `scenarios/requirements/`.
    pub covers: Vec<String>,
    /// The level of a broken expectation.
    pub level: Level,
    /// What the scenario depends on.
    pub needs: Vec<Need>,
    /// What is varied.
    pub axes: Axes,
    /// Whether the runner logs in and enters a fresh directory first.
    pub login: bool,
    /// Whether the runner ends with a NOOP that must get exactly one 200.
    pub barrier: bool,
    /// Who may play it.
    pub drivers: Vec<DriverKind>,
    /// Only played when this profile is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// Along which axes a scenario is varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Axes {
    /// Each data mode: PASV, EPSV, PORT, EPRT.
    pub data: bool,
    /// In clear, and with protected control and data connections.
    pub tls: bool,
}

/// The client that plays a scenario.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum DriverKind {
    /// Our own driver; can send any octets.
    Raw,
    /// The suppaftp crate; user steps only.
    Suppaftp,
    /// The client under test (`check-client`).
    ClientUnderTest,
}

/// One statement and its place.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// 1-based line in the file.
    pub line: u32,
    /// Which control connection it is about.
    pub connection: Connection,
    /// What is done or expected.
    #[serde(flatten)]
    pub action: Action,
    /// What its `!about` lines say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<Bound>,
    /// The line with `!impact`: the statement, or its `!should`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub impact: Vec<Impact>,
}

impl Step {
    /// The requirements a failure at this line of the step is about, where it says so. What is said
    /// of the statement goes for its `!should`, too, if that has no `!about` of its own.
    #[must_use]
    pub fn is_about(&self, line: u32) -> &[String] {
        let said = |line: u32| self.about.iter().find(|bound| bound.line == line);
        said(line)
            .or_else(|| said(self.line))
            .map_or(&[], |bound| &bound.requirements)
    }
}

/// `!about`: which of the requirements that a scenario covers a failure is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bound {
    /// The line of the statement, or of its `!should`.
    pub line: u32,
    /// Ids.
    pub requirements: Vec<String>,
}

/// `!impact`: a failure here has the impact that the front matter's `impact` describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Impact {
    /// The line of the statement, or of its `!should`.
    pub line: u32,
    /// `!impact always`: however the statement fails, and not only where the opposite of what it
    /// expects was observed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub always: bool,
}

/// What a statement does or expects. See `scenarios/README.md` for each.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "action", content = "argument", rename_all = "snake_case")]
pub enum Action {
    /// `> LINE`. May contain `${variables}`.
    Send(String),
    /// `< CODES [TEXT]` with its `!should`, `!after` and `!ends`.
    Expect(Expect),
    /// `@raw`, `@segment`, `@bytewise`.
    Octets(Octets),
    /// `@repeat N`: what follows up to `@end` is played N times.
    Repeat(u32),
    /// `@end`
    End,
    /// `@silent`
    Silent(#[serde(serialize_with = "json::milliseconds")] Duration),
    /// `@closed`
    Closed,
    /// `@alive`
    Alive,
    /// `@open`
    Open,
    /// `@login`
    Login,
    /// `@drop`
    Drop,
    /// `@tls`
    Tls(Option<TlsVersion>),
    /// `@tls` with `!ends`: a handshake that fails is just as legal; the player stops there, as for
    /// [`Expect::ends`].
    TlsOrEnd(Option<TlsVersion>),
    /// `@clear`
    Clear,
    /// `@data`
    Data(Option<DataMode>),
    /// `@listen`
    Listen,
    /// `@connect`
    Connect,
    /// `@refused`
    Refused,
    /// `@stale-port`
    StalePort,
    /// `@third-party`
    ThirdParty,
    /// `@handshake`
    Handshake,
    /// `@send`
    SendData(Content),
    /// `@write`
    WriteData(Content),
    /// `@receive`
    Receive(Receive),
    /// `@read`
    Read(u64),
    /// `@close`
    CloseData,
    /// `@reset`
    ResetData,
    /// `@eof`
    DataEnds,
    /// `@nodata`
    NoData,
    /// `@given NAME CONTENT`, `@given NAME/`
    Given(Given),
    /// `@stored`
    Stored(String, Content),
    /// `@missing`
    Missing(String),
    /// A user step, and whether it must be refused (`@fails`).
    User {
        /// What the user does.
        step: UserStep,
        /// It must be refused.
        fails: bool,
    },
}

/// One expected reply.
#[derive(Debug, Clone, Serialize)]
pub struct Expect {
    /// The codes that hold.
    pub codes: Codes,
    /// The text, if it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<ReplyPattern>,
    /// The stricter wish and its line.
    #[serde(
        serialize_with = "json::should",
        skip_serializing_if = "Option::is_none"
    )]
    pub should: Option<Box<(u32, Self)>>,
    /// `!after`: codes of replies that may come before it, any number of them, and the line.
    #[serde(
        serialize_with = "json::after",
        skip_serializing_if = "Option::is_none"
    )]
    pub after: Option<(u32, Codes)>,
    /// `!ends`: also legal, but the rest of the scenario cannot be tested then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<Ends>,
}

/// `!ends`: the player stops there.
#[derive(Debug, Clone, Serialize)]
pub struct Ends {
    /// The line of the `!ends`.
    pub line: u32,
    /// Replies with these codes end the scenario; the outcome is INCONCLUSIVE if everything before
    /// held.
    #[serde(skip_serializing_if = "Codes::is_empty")]
    pub codes: Codes,
    /// The server may close the control connection instead of replying; the scenario holds if
    /// everything before did.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
}

impl Expect {
    /// Whether a reply with this code only goes before the expected one (`!after`).
    #[must_use]
    pub fn goes_before(&self, code: u16) -> bool {
        let after = self.after.as_ref();
        !self.codes.matches(code) && after.is_some_and(|(_, codes)| codes.matches(code))
    }

    /// Whether a reply with this code leaves the rest nothing to test (`!ends`).
    #[must_use]
    pub fn ends_with(&self, code: u16) -> bool {
        let ends = self.ends.as_ref();
        ends.is_some_and(|ends| ends.codes.matches(code))
    }

    /// Whether the server may close the control connection instead of replying (`!ends closed`).
    #[must_use]
    pub fn ends_when_closed(&self) -> bool {
        self.ends.as_ref().is_some_and(|ends| ends.closed)
    }
}

/// The text of an expected reply.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyPattern {
    /// The text of the whole reply.
    Text(TextPattern),
    /// A block: first line, lines between, last line. `None` among the lines is `...`.
    Block {
        /// After `NNN-`.
        first: TextPattern,
        /// Whole lines; `None` is any number of lines.
        between: Vec<Option<TextPattern>>,
        /// After `NNN `.
        last: TextPattern,
    },
}

/// Exact octets, and how they are cut into segments.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Octets {
    /// All at once.
    Raw(Content),
    /// Each in a segment of its own.
    Segments(Vec<Content>),
    /// One octet per segment.
    Bytewise(Content),
}

/// What must come over the data connection until its end.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Receive {
    /// Exactly these octets.
    Exactly(Content),
    /// Text in which this is found.
    Matching(TextPattern),
    /// Exactly these CRLF lines, in any order.
    Lines(Vec<Content>),
    /// For each glob a line.
    Has(Vec<TextPattern>),
    /// No line for any of the globs.
    HasNot(Vec<TextPattern>),
    /// For each glob exactly one line.
    Once(Vec<TextPattern>),
    /// A listing with one line for each of these names, whose date is this time.
    Dated(Vec<Dated>),
    /// Whatever comes.
    Anything,
    /// Coded by a transmission mode, with the expected decoded data; never nested.
    Coded(Coding, Box<Self>),
}

/// One entry that `@receive dated` asks for. Both texts may contain `${variables}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dated {
    /// What its line ends with.
    pub name: String,
    /// A time-val (RFC 3659 §2.3).
    pub time: String,
}

/// What is created before the dialogue.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Given {
    /// A file.
    File(String, Content),
    /// A directory.
    Directory(String),
}

/// What a user does, whatever commands it takes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UserStep {
    /// STOR in TYPE I.
    Put(String, Content),
    /// APPE in TYPE I.
    Append(String, Content),
    /// RETR in TYPE I: exactly these octets.
    Get(String, Content),
    /// REST and RETR: exactly these octets.
    Resume(String, u64, Content),
    /// NLST: exactly these names, in any order. A name may have a range in it, `${1..300}`.
    Names(Vec<String>),
    /// LIST: each name at the end of a line. A name may have a range in it.
    List(Vec<String>),
    /// SIZE in TYPE I.
    Size(String, u64),
    /// RNFR, RNTO.
    Rename(String, String),
    /// DELE.
    Delete(String),
    /// MKD.
    Mkdir(String),
    /// RMD.
    Rmdir(String),
    /// CWD.
    Cwd(String),
}

/// TLS versions a scenario can pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum TlsVersion {
    /// TLS 1.2
    #[serde(rename = "1.2")]
    V12,
    /// TLS 1.3
    #[serde(rename = "1.3")]
    V13,
}
