//! `@` statements.

use super::super::ranges;
use super::super::turns::TURNS_LIMIT;
use super::super::{
    Action, CONTENT_LIMIT, Content, DataMode, Dated, Given, Octets, Piece, Receive, Source,
    TlsVersion, UserStep,
};
use super::cursor::Cursor;
use super::{Problem, did_you_mean};
use crate::transfer_mode::Coding;

/// Every word that may follow `@`.
const NAMES: &[&str] = &[
    // Order
    "repeat",
    "end",
    // Control connection
    "raw",
    "segment",
    "bytewise",
    "silent",
    "closed",
    "alive",
    "open",
    "login",
    "drop",
    "tls",
    "clear",
    // Data connection
    "data",
    "listen",
    "connect",
    "refused",
    "stale-port",
    "third-party",
    "send",
    "write",
    "receive",
    "read",
    "close",
    "reset",
    "eof",
    "nodata",
    "handshake",
    // Preparation
    "given",
    "stored",
    "missing",
    // User steps
    "put",
    "append",
    "get",
    "resume",
    "names",
    "list",
    "size",
    "rename",
    "delete",
    "mkdir",
    "rmdir",
    "cwd",
    "fails",
];

/// Words that followed `@` in earlier versions, and the words that replace them.
const RENAMED: &[(&str, &str)] = &[
    ("plain", "clear"),
    ("earlier", "stale-port"),
    ("stranger", "third-party"),
];

/// Every word that may follow `@`.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().copied()
}

/// The statement after `@`.
pub(super) fn statement(
    connection: Option<&str>,
    mut cursor: Cursor<'_>,
) -> Result<Action, Problem> {
    let start = cursor.position();
    let word = cursor.take_while(|character| !character.is_whitespace());
    let span = start - 1..cursor.position();
    let action = match word {
        "repeat" | "end" if connection.is_some() => {
            let message = format!("`@{word}` is about statements of any connection");
            return Err(Problem::new(span, message).help("write it without a connection name"));
        }
        "repeat" => Action::Repeat(turns(&mut cursor)?),
        "end" => Action::End,
        "raw" => Action::Octets(Octets::Raw(cursor.content()?)),
        "segment" => Action::Octets(Octets::Segments(one_or_more(&mut cursor, Cursor::content)?)),
        "bytewise" => Action::Octets(Octets::Bytewise(cursor.content()?)),
        "silent" => Action::Silent(cursor.duration()?),
        "closed" => Action::Closed,
        "alive" => Action::Alive,
        "open" if connection.is_none() => {
            let problem = Problem::new(span, "the main connection is open already");
            return Err(problem.help("another one has a name, as in `B@open`"));
        }
        "open" => Action::Open,
        "login" => Action::Login,
        "drop" => Action::Drop,
        "tls" => Action::Tls(choice(&mut cursor, TLS_VERSIONS)?),
        "clear" => Action::Clear,
        "data" => Action::Data(choice(
            &mut cursor,
            &DataMode::ALL.map(|it| (it.verb(), it)),
        )?),
        "listen" => Action::Listen,
        "connect" => Action::Connect,
        "refused" => Action::Refused,
        "stale-port" => Action::StalePort,
        "third-party" => Action::ThirdParty,
        "handshake" => Action::Handshake,
        "send" => Action::SendData(cursor.content()?),
        "write" => Action::WriteData(cursor.content()?),
        "receive" => Action::Receive(receive(&mut cursor)?),
        "read" => Action::Read(read(&mut cursor)?),
        "close" => Action::CloseData,
        "reset" => Action::ResetData,
        "eof" => Action::DataEnds,
        "nodata" => Action::NoData,
        "given" | "stored" | "missing" if connection.is_some() => {
            let message = format!("`@{word}` uses the runner's own connection");
            return Err(Problem::new(span, message).help("write it without a connection name"));
        }
        "given" => Action::Given(given(&mut cursor)?),
        "stored" => Action::Stored(cursor.name()?, cursor.content()?),
        "missing" => Action::Missing(cursor.name()?),
        "fails" => {
            let step = failing_step(&mut cursor)?;
            Action::User { step, fails: true }
        }
        _ => match user_step(word, &mut cursor, false)? {
            Some(step) => Action::User { step, fails: false },
            None => {
                if let Some((old, new)) = RENAMED.iter().find(|(old, _)| *old == word) {
                    let message = format!("`@{old}` was renamed to `@{new}`");
                    return Err(Problem::new(span, message));
                }
                let message = format!("there is no statement `@{}`", super::shown(word));
                let problem = Problem::new(span, message);
                let meant = did_you_mean(word, names()).map(|help| help.replacen('`', "`@", 1));
                return Err(problem.maybe_help(meant));
            }
        },
    };
    cursor.end()?;
    Ok(action)
}

/// The values of `@tls`, as they are written.
pub(in crate::scenario) const TLS_VERSIONS: &[(&str, TlsVersion)] =
    &[("1.2", TlsVersion::V12), ("1.3", TlsVersion::V13)];

fn choice<T: Copy>(cursor: &mut Cursor<'_>, choices: &[(&str, T)]) -> Result<Option<T>, Problem> {
    let Some((word, span)) = cursor.word() else {
        return Ok(None);
    };
    if let Some((_, value)) = choices.iter().find(|(name, _)| *name == word) {
        return Ok(Some(*value));
    }
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    let problem = Problem::new(span, format!("this is one of {}", names.join(", ")));
    Err(problem.maybe_help(did_you_mean(word, names)))
}

fn one_or_more<'a, T>(
    cursor: &mut Cursor<'a>,
    mut read: impl FnMut(&mut Cursor<'a>) -> Result<T, Problem>,
) -> Result<Vec<T>, Problem> {
    let mut all = vec![read(cursor)?];
    while !cursor.at_end() {
        all.push(read(cursor)?);
    }
    Ok(all)
}

fn any_number<'a, T>(
    cursor: &mut Cursor<'a>,
    read: impl FnMut(&mut Cursor<'a>) -> Result<T, Problem>,
) -> Result<Vec<T>, Problem> {
    match cursor.at_end() {
        true => Ok(Vec::new()),
        false => one_or_more(cursor, read),
    }
}

fn receive(cursor: &mut Cursor<'_>) -> Result<Receive, Problem> {
    cursor.skip_blanks();
    let mut ahead = cursor.clone();
    let word = ahead.word().map(|(word, _)| word);
    let coding = Coding::ALL.into_iter().find(|it| Some(it.word()) == word);
    let Some(coding) = coding else {
        return received(cursor);
    };
    *cursor = ahead;
    received(cursor).map(|inside| Receive::Coded(coding, Box::new(inside)))
}

fn received(cursor: &mut Cursor<'_>) -> Result<Receive, Problem> {
    cursor.skip_blanks();
    if cursor.rest().starts_with('/') {
        let (source, start) = cursor.take_rest();
        if source.len() < 2 || !source.ends_with('/') {
            let problem = Problem::new(
                start..start + source.len(),
                "the regular expression is not closed",
            );
            return Err(problem.help("write it between slashes, `/…/`"));
        }
        return cursor.pattern(source, start).map(Receive::Matching);
    }
    let mut ahead = cursor.clone();
    let glob = |cursor: &mut Cursor<'_>| {
        cursor.skip_blanks();
        cursor.quoted_glob()
    };
    let receive = match ahead.word() {
        Some(("*", _)) => Receive::Anything,
        Some(("lines", _)) => Receive::Lines(any_number(&mut ahead, Cursor::content)?),
        Some(("has", _)) => Receive::Has(one_or_more(&mut ahead, glob)?),
        Some(("hasnot", _)) => Receive::HasNot(one_or_more(&mut ahead, glob)?),
        Some(("once", _)) => Receive::Once(one_or_more(&mut ahead, glob)?),
        Some(("dated", _)) => Receive::Dated(one_or_more(&mut ahead, dated)?),
        _ => return cursor.content().map(Receive::Exactly),
    };
    *cursor = ahead;
    Ok(receive)
}

fn turns(cursor: &mut Cursor<'_>) -> Result<u32, Problem> {
    cursor.skip_blanks();
    let start = cursor.position();
    let turns = cursor.number()?;
    match u32::try_from(turns) {
        Ok(turns @ 1..=TURNS_LIMIT) => Ok(turns),
        _ => Err(Problem::new(
            cursor.since(start),
            format!("the number of turns is from 1 to {TURNS_LIMIT}"),
        )),
    }
}

/// The names of `@names` and `@list`.
fn names_and_ranges(cursor: &mut Cursor<'_>) -> Result<Vec<String>, Problem> {
    cursor.skip_blanks();
    let start = cursor.position();
    let names = any_number(cursor, Cursor::name_or_range)?;
    let count = names.iter().map(|name| ranges::count(name)).sum::<usize>();
    match count > ranges::NAMES_LIMIT {
        true => Err(Problem::new(
            cursor.since(start),
            format!("a statement names at most {} names", ranges::NAMES_LIMIT),
        )),
        false => Ok(names),
    }
}

/// A name and the time-val its line has to show.
fn dated(cursor: &mut Cursor<'_>) -> Result<Dated, Problem> {
    let name = cursor.name()?;
    if cursor.at_end() {
        let problem = Problem::new(cursor.here(), "the time of this entry is missing");
        return Err(problem.help("as in `@receive dated a.txt 20020717210714`"));
    }
    let time = cursor.name()?;
    Ok(Dated { name, time })
}

fn read(cursor: &mut Cursor<'_>) -> Result<u64, Problem> {
    cursor.skip_blanks();
    let start = cursor.position();
    let octets = cursor.number()?;
    match octets > CONTENT_LIMIT {
        true => Err(Problem::new(
            cursor.since(start),
            "`@read` reads 64 MiB at most",
        )),
        false => Ok(octets),
    }
}

fn given(cursor: &mut Cursor<'_>) -> Result<Given, Problem> {
    cursor.skip_blanks();
    let start = cursor.position();
    let name = cursor.name()?;
    if let Some(directory) = name.strip_suffix('/')
        && cursor.at_end()
    {
        return Ok(Given::Directory(directory.to_owned()));
    }
    if cursor.at_end() {
        let problem = Problem::new(cursor.here(), "the octets of the file are missing");
        return Err(problem.help("a directory ends with a slash, as in `@given name/`"));
    }
    if name.ends_with('/') {
        return Err(Problem::new(
            cursor.since(start),
            "a directory has no octets",
        ));
    }
    Ok(Given::File(name, cursor.content()?))
}

fn failing_step(cursor: &mut Cursor<'_>) -> Result<UserStep, Problem> {
    cursor.skip_blanks();
    // `@fails @get …` reads well, too.
    cursor.take("@");
    let Some((word, span)) = cursor.word() else {
        let problem = Problem::new(cursor.here(), "the user step that fails is missing");
        return Err(problem.help("as in `@fails delete name`"));
    };
    user_step(word, cursor, true)?.ok_or_else(|| {
        let problem = Problem::new(span, format!("`{}` is not a user step", super::shown(word)));
        problem.maybe_help(did_you_mean(word, names()))
    })
}

/// The user step of this name. One that fails need not say what would have come.
fn user_step(
    word: &str,
    cursor: &mut Cursor<'_>,
    fails: bool,
) -> Result<Option<UserStep>, Problem> {
    let wanted = |cursor: &mut Cursor<'_>| match fails && cursor.at_end() {
        true => Ok(nothing()),
        false => cursor.content(),
    };
    let number = |cursor: &mut Cursor<'_>| {
        cursor.skip_blanks();
        cursor.number()
    };
    Ok(Some(match word {
        "put" => UserStep::Put(cursor.name()?, cursor.content()?),
        "append" => UserStep::Append(cursor.name()?, cursor.content()?),
        "get" => UserStep::Get(cursor.name()?, wanted(cursor)?),
        "resume" => UserStep::Resume(cursor.name()?, number(cursor)?, wanted(cursor)?),
        "names" => UserStep::Names(names_and_ranges(cursor)?),
        "list" => UserStep::List(names_and_ranges(cursor)?),
        "size" => {
            let name = cursor.name()?;
            UserStep::Size(
                name,
                if fails && cursor.at_end() {
                    0
                } else {
                    number(cursor)?
                },
            )
        }
        "rename" => UserStep::Rename(cursor.name()?, cursor.name()?),
        "delete" => UserStep::Delete(cursor.name()?),
        "mkdir" => UserStep::Mkdir(cursor.name()?),
        "rmdir" => UserStep::Rmdir(cursor.name()?),
        "cwd" => UserStep::Cwd(cursor.name()?),
        _ => return Ok(None),
    }))
}

/// The content of a step that never gets that far.
fn nothing() -> Content {
    Content(vec![Piece {
        source: Source::Literal(Vec::new()),
        slice: None,
    }])
}
