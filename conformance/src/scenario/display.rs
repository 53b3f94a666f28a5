//! Statements as text in the canonical layout, for the formatter, reports and recordings.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use super::content::quoted;
use super::{
    Action, Connection, Content, Expect, Given, Octets, Receive, ReplyPattern, Step, TextPattern,
    TlsVersion, UserStep,
};

impl Display for Step {
    /// The statement; a block and a `!` wish have lines of their own. What a failure is about is no
    /// part of it.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_step(f, self, |_, _| Ok(()))
    }
}

/// A step as in a file, with its `!about` and `!impact` lines.
pub(super) struct Written<'a>(pub(super) &'a Step);

impl Display for Written<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = label(self.0);
        write_step(f, self.0, |f, line| {
            let mut bound = self.0.about.iter().filter(|bound| bound.line == line);
            bound.try_for_each(|it| write!(f, "\n{name}!about {}", it.requirements.join(" ")))?;
            let mut impact = self.0.impact.iter().filter(|impact| impact.line == line);
            impact.try_for_each(|it| {
                let always = if it.always { " always" } else { "" };
                write!(f, "\n{name}!impact{always}")
            })
        })
    }
}

/// The name of its control connection, if it needs one.
fn label(step: &Step) -> &str {
    match step.connection == Connection::main() {
        true => "",
        false => step.connection.0.as_str(),
    }
}

/// `after` writes what follows the statement and its `!should`, given the line of each.
fn write_step(
    f: &mut Formatter<'_>,
    step: &Step,
    after: impl Fn(&mut Formatter<'_>, u32) -> fmt::Result,
) -> fmt::Result {
    let name = label(step);
    match &step.action {
        Action::Expect(expect) => write_expect(f, name, expect, step.line, after),
        Action::TlsOrEnd(version) => {
            write!(f, "{name}{}", Action::Tls(*version))?;
            after(f, step.line)?;
            write!(f, "\n{name}!ends")
        }
        action => {
            write!(f, "{name}{action}")?;
            after(f, step.line)
        }
    }
}

impl Display for Action {
    /// The statement without the name of its control connection.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(line) if line.is_empty() => f.write_str(">"),
            Self::Send(line) => write!(f, "> {line}"),
            Self::Expect(expect) => write_expect(f, "", expect, 0, |_, _| Ok(())),
            Self::Octets(Octets::Raw(content)) => write!(f, "@raw {content}"),
            Self::Octets(Octets::Bytewise(content)) => write!(f, "@bytewise {content}"),
            Self::Octets(Octets::Segments(contents)) => write_list(f, "@segment", contents),
            Self::Repeat(turns) => write!(f, "@repeat {turns}"),
            Self::End => f.write_str("@end"),
            Self::Silent(duration) => write!(f, "@silent {}", Time(*duration)),
            Self::Closed => f.write_str("@closed"),
            Self::Alive => f.write_str("@alive"),
            Self::Open => f.write_str("@open"),
            Self::Login => f.write_str("@login"),
            Self::Drop => f.write_str("@drop"),
            Self::TlsOrEnd(version) => write!(f, "{}\n!ends", Self::Tls(*version)),
            Self::Tls(None) => f.write_str("@tls"),
            Self::Tls(Some(version)) => write!(f, "@tls {version}"),
            Self::Clear => f.write_str("@clear"),
            Self::Data(None) => f.write_str("@data"),
            Self::Data(Some(mode)) => write!(f, "@data {mode}"),
            Self::Listen => f.write_str("@listen"),
            Self::Connect => f.write_str("@connect"),
            Self::Refused => f.write_str("@refused"),
            Self::StalePort => f.write_str("@stale-port"),
            Self::ThirdParty => f.write_str("@third-party"),
            Self::Handshake => f.write_str("@handshake"),
            Self::SendData(content) => write!(f, "@send {content}"),
            Self::WriteData(content) => write!(f, "@write {content}"),
            Self::Receive(receive) => write!(f, "@receive {receive}"),
            Self::Read(octets) => write!(f, "@read {octets}"),
            Self::CloseData => f.write_str("@close"),
            Self::ResetData => f.write_str("@reset"),
            Self::DataEnds => f.write_str("@eof"),
            Self::NoData => f.write_str("@nodata"),
            Self::Given(Given::File(name, content)) => {
                write!(f, "@given {} {content}", Name(name))
            }
            Self::Given(Given::Directory(name)) => {
                write!(f, "@given {}", Name(&format!("{name}/")))
            }
            Self::Stored(name, content) => write!(f, "@stored {} {content}", Name(name)),
            Self::Missing(name) => write!(f, "@missing {}", Name(name)),
            Self::User { step, fails: false } => write!(f, "@{step}"),
            Self::User { step, fails: true } => write_failing(f, step),
        }
    }
}

impl Display for Receive {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(content) => write!(f, "{content}"),
            Self::Matching(pattern) => write!(f, "{pattern}"),
            Self::Lines(lines) => write_list(f, "lines", lines),
            Self::Has(patterns) => write_list(f, "has", patterns.iter().map(QuotedGlob)),
            Self::HasNot(patterns) => write_list(f, "hasnot", patterns.iter().map(QuotedGlob)),
            Self::Once(patterns) => write_list(f, "once", patterns.iter().map(QuotedGlob)),
            Self::Dated(entries) => {
                f.write_str("dated")?;
                entries
                    .iter()
                    .try_for_each(|it| write!(f, " {} {}", Name(&it.name), Name(&it.time)))
            }
            Self::Anything => f.write_str("*"),
            Self::Coded(coding, inside) => write!(f, "{} {inside}", coding.word()),
        }
    }
}

impl Display for UserStep {
    /// The step without its `@`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(name, content) => write!(f, "put {} {content}", Name(name)),
            Self::Append(name, content) => write!(f, "append {} {content}", Name(name)),
            Self::Get(name, content) => write!(f, "get {} {content}", Name(name)),
            Self::Resume(name, offset, content) => {
                write!(f, "resume {} {offset} {content}", Name(name))
            }
            Self::Names(names) => write_list(f, "names", names.iter().map(|name| Name(name))),
            Self::List(names) => write_list(f, "list", names.iter().map(|name| Name(name))),
            Self::Size(name, octets) => write!(f, "size {} {octets}", Name(name)),
            Self::Rename(old, new) => write!(f, "rename {} {}", Name(old), Name(new)),
            Self::Delete(name) => write!(f, "delete {}", Name(name)),
            Self::Mkdir(name) => write!(f, "mkdir {}", Name(name)),
            Self::Rmdir(name) => write!(f, "rmdir {}", Name(name)),
            Self::Cwd(name) => write!(f, "cwd {}", Name(name)),
        }
    }
}

impl Display for TlsVersion {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V12 => "1.2",
            Self::V13 => "1.3",
        })
    }
}

fn write_expect(
    f: &mut Formatter<'_>,
    name: &str,
    expect: &Expect,
    line: u32,
    after: impl Fn(&mut Formatter<'_>, u32) -> fmt::Result,
) -> fmt::Result {
    let codes = &expect.codes;
    write!(f, "{name}< {codes}")?;
    match &expect.text {
        None => {}
        Some(ReplyPattern::Text(text)) => write!(f, " {text}")?,
        Some(ReplyPattern::Block {
            first,
            between,
            last,
        }) => {
            write!(f, "-{first}")?;
            for line in between {
                match line {
                    None => write!(f, "\n{name}< ...")?,
                    Some(line) if line.source.is_empty() => write!(f, "\n{name}<")?,
                    Some(line) => write!(f, "\n{name}< {line}")?,
                }
            }
            write!(f, "\n{name}< {codes} {last}")?;
        }
    }
    after(f, line)?;
    if let Some(should) = &expect.should {
        let wish = &should.1;
        write!(f, "\n{name}!should {}", wish.codes)?;
        if let Some(ReplyPattern::Text(text)) = &wish.text {
            write!(f, " {text}")?;
        }
        after(f, should.0)?;
    }
    if let Some((_, codes)) = &expect.after {
        write!(f, "\n{name}!after {codes}")?;
    }
    if let Some(ends) = &expect.ends {
        let codes = (!ends.codes.is_empty()).then(|| ends.codes.to_string());
        let closed = ends.closed.then(|| "closed".to_owned());
        let all: Vec<String> = codes.into_iter().chain(closed).collect();
        write!(f, "\n{name}!ends {}", all.join(" | "))?;
    }
    Ok(())
}

/// What would have come is not said of a step that is refused.
fn write_failing(f: &mut Formatter<'_>, step: &UserStep) -> fmt::Result {
    let nothing = |content: &Content| content.to_string() == "\"\"";
    match step {
        UserStep::Get(name, content) if nothing(content) => {
            write!(f, "@fails get {}", Name(name))
        }
        UserStep::Resume(name, offset, content) if nothing(content) => {
            write!(f, "@fails resume {} {offset}", Name(name))
        }
        UserStep::Size(name, 0) => write!(f, "@fails size {}", Name(name)),
        step => write!(f, "@fails {step}"),
    }
}

fn write_list<T: Display>(
    f: &mut Formatter<'_>,
    word: &str,
    list: impl IntoIterator<Item = T>,
) -> fmt::Result {
    f.write_str(word)?;
    for element in list {
        write!(f, " {element}")?;
    }
    Ok(())
}

/// A pathname: a bare word where that is one word to every reader.
struct Name<'a>(&'a str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // Outside of quotes a backslash is itself.
        let visible = self.0.replace('\\', "");
        let as_it_is = quoted(visible.as_bytes()).len() == visible.len() + 2;
        let one_word = !self.0.is_empty() && !self.0.contains(char::is_whitespace);
        match as_it_is && one_word {
            true => f.write_str(self.0),
            false => f.write_str(&quoted(self.0.as_bytes())),
        }
    }
}

/// A glob between quotes; every quote in it gets its backslash.
struct QuotedGlob<'a>(&'a TextPattern);

impl Display for QuotedGlob<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        let mut escaped = false;
        for character in self.0.source.chars() {
            if character == '"' && !escaped {
                f.write_str("\\")?;
            }
            escaped = character == '\\' && !escaped;
            write!(f, "{character}")?;
        }
        f.write_str("\"")
    }
}

/// `200ms`, `2s`.
struct Time(Duration);

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            milliseconds if milliseconds > 0 && milliseconds % 1000 == 0 => {
                write!(f, "{}s", milliseconds / 1000)
            }
            milliseconds => write!(f, "{milliseconds}ms"),
        }
    }
}
