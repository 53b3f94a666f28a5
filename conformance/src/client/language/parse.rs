//! The grammar: front matter, then one statement per line.

use super::{About, Clause, ExitClass, File, FileClause, Occurrence, Scenario, Sent};
use super::{Statement, StatementKind};
use crate::client::task::{TASKS, Task, TaskKind};
use crate::client::variant::NEEDS;
use crate::scenario::parse::cursor::Cursor;
use crate::scenario::parse::front::{Front, LEVELS, boolean, one_of, sentence, text, with_front};
use crate::scenario::parse::{Line, Problem, Problems};
use crate::scenario::parse::{front_matter, lines_of, shown, within_limit};
use crate::scenario::{Diagnostic, ScenarioId, TextPattern};
use crate::text::did_you_mean;
use std::ops::Range;
use toml::de::DeTable;

/// Every key of the front matter, in the order of the canonical layout.
pub(crate) const KEYS: &[&str] = &[
    "title", "impact", "cites", "covers", "level", "client", "needs", "axes",
];

/// The statements that begin with `@`.
const STATEMENTS: [&str; 7] = [
    "given", "local", "fault", "server", "login", "task", "expect",
];

/// The remarks that begin with `!`.
const REMARKS: [&str; 2] = ["should", "about"];

/// The words a clause begins with.
const CLAUSES: [&str; 6] = ["exit", "within", "local", "remote", "output", "sent"];

/// Whether the front matter says `client = true`.
#[must_use]
pub(crate) fn is_client(text: &str) -> bool {
    let lines = lines_of(text);
    let Some((front, _)) = front_matter(&lines, &mut Problems::new("")) else {
        return false;
    };
    let (table, _) = DeTable::parse_recoverable(&text[front]);
    let value = table.get_ref().get("client");
    value.is_some_and(|value| value.get_ref().as_bool() == Some(true))
}

/// Reads one scenario file.
///
/// # Errors
/// Everything that is wrong, not only the first.
pub(crate) fn parse(id: ScenarioId, text: &str) -> Result<Scenario, Vec<Diagnostic>> {
    within_limit(text)?;
    let lines = lines_of(text);
    let mut problems = Problems::new(text);
    let Some((front_text, body)) = front_matter(&lines, &mut problems) else {
        return Err(problems.into_diagnostics());
    };
    let start = front_text.start;
    let about = with_front(&text[front_text], start, KEYS, &mut problems, about);
    let statements = statements(&lines[body..], &mut problems);
    let found = problems.into_diagnostics();
    match about {
        Some(about) if found.is_empty() => Ok(Scenario {
            id,
            about,
            statements,
            text: text.to_owned(),
        }),
        _ => Err(found),
    }
}

fn about(front: &Front<'_, '_>, problems: &mut Problems) -> Option<About> {
    let title = front.required("title", problems, |value| sentence(value, "the title"));
    let impact = front.optional("impact", problems, |value| sentence(value, "the text"));
    let cites = front.required_texts("cites", problems);
    let covers = front.texts("covers", problems).unwrap_or_default();
    let level = front.required("level", problems, |value| one_of(text(value)?, LEVELS));
    let client = front.required("client", problems, |value| match boolean(value)? {
        true => Ok(()),
        false => Err(("a scenario for clients has `client = true`".into(), None)),
    });
    let mut needs = Vec::new();
    for (word, span) in front.texts("needs", problems).unwrap_or_default() {
        match one_of(&word, NEEDS) {
            Ok(need) => needs.push(need),
            Err((message, help)) => problems.push(Problem::new(span, message).maybe_help(help)),
        }
    }
    let (mut data, mut tls) = (false, false);
    for (word, span) in front.texts("axes", problems).unwrap_or_default() {
        match word.as_str() {
            "data" => data = true,
            "tls" => tls = true,
            _ => {
                let problem = Problem::new(span, "an axis is `data` or `tls`");
                problems.push(problem.maybe_help(did_you_mean(&word, ["data", "tls"])));
            }
        }
    }
    client?;
    Some(About {
        title: title?,
        impact: impact.unwrap_or_default(),
        cites: cites?,
        covers: covers.into_iter().map(|(id, _)| id).collect(),
        level: level?,
        needs,
        data,
        tls,
    })
}

fn statements(lines: &[Line<'_>], problems: &mut Problems) -> Vec<Statement> {
    let mut statements: Vec<Statement> = Vec::new();
    // A remark about a statement that is wrong is not reported as well.
    let mut broken = false;
    let real = lines.iter().filter(|it| !it.is_blank() && !it.is_comment());
    for line in real {
        let before = statements.last().filter(|_| !broken);
        match statement(*line, before, broken) {
            Ok(kind) => {
                broken = false;
                statements.push(Statement {
                    line: line.number,
                    kind,
                });
            }
            Err(problem) => {
                broken = true;
                problems.push(problem);
            }
        }
    }
    statements
}

/// One statement, after the statement before it.
fn statement(
    line: Line<'_>,
    before: Option<&Statement>,
    broken: bool,
) -> Result<StatementKind, Problem> {
    let indent = line.text.len() - line.text.trim_start().len();
    let whole = line.text.trim_start();
    let sigil = whole.chars().next();
    let Some(sigil @ ('@' | '!')) = sigil else {
        let problem = Problem::new(line.span(), "a statement begins with `@` or `!`");
        return Err(problem.maybe_help(did_you_mean(whole, STATEMENTS)));
    };
    let mut cursor = Cursor::new(&whole[1..], line.start + indent + 1);
    let Some((name, span)) = cursor.word() else {
        return Err(Problem::new(
            line.span(),
            "the name of a statement is missing",
        ));
    };
    let kind = match (sigil, name) {
        ('@', "given") => StatementKind::Given(file(&mut cursor)?),
        ('@', "local") => StatementKind::Local(file(&mut cursor)?),
        ('@', "fault") => StatementKind::Fault(rest(&mut cursor, "a fault is missing")?),
        ('@', "server") => {
            let key = cursor.word().map(|(key, _)| key.to_owned());
            let Some(key) = key else {
                let problem = Problem::new(cursor.here(), "the key of a setting is missing");
                return Err(problem.help("as in `@server limits.idle \"2s\"`"));
            };
            StatementKind::Server(
                key,
                rest(&mut cursor, "the value of the setting is missing")?,
            )
        }
        ('@', "login") => StatementKind::Login(cursor.name()?, cursor.name()?),
        ('@', "task") => StatementKind::Task(task(&mut cursor)?),
        ('@', "expect") => StatementKind::Expect(clauses(&mut cursor)?),
        ('!', "should") => {
            let fits = before.is_some_and(|it| {
                matches!(it.kind, StatementKind::Expect(_) | StatementKind::About(_))
            });
            if !fits && !broken {
                return Err(Problem::new(span, "`!should` is after an `@expect`"));
            }
            StatementKind::Should(clauses(&mut cursor)?)
        }
        ('!', "about") => {
            let fits = before.is_some_and(|it| {
                matches!(it.kind, StatementKind::Expect(_) | StatementKind::Should(_))
            });
            if !fits && !broken {
                let message = "`!about` is after an `@expect` or a `!should`";
                return Err(Problem::new(span, message));
            }
            let ids = rest(&mut cursor, "the id of a requirement is missing")?;
            StatementKind::About(ids.split_whitespace().map(str::to_owned).collect())
        }
        _ => {
            let known: &[&str] = if sigil == '@' { &STATEMENTS } else { &REMARKS };
            let message = format!("there is no statement `{sigil}{}`", shown(name));
            let problem = Problem::new(span.start - 1..span.end, message);
            let help = did_you_mean(name, known.iter().copied());
            let listed = format!("the statements are {}", known.join(", "));
            return Err(problem.help(help.unwrap_or(listed)));
        }
    };
    cursor.end()?;
    Ok(kind)
}

/// The rest of the line.
fn rest(cursor: &mut Cursor<'_>, missing: &str) -> Result<String, Problem> {
    let here = cursor.here();
    match cursor.take_rest().0 {
        "" => Err(Problem::new(here, missing)),
        rest => Ok(rest.to_owned()),
    }
}

/// `NAME CONTENT` or `NAME/`.
fn file(cursor: &mut Cursor<'_>) -> Result<File, Problem> {
    let (name, span) = pathname(cursor)?;
    if let Some(directory) = name.strip_suffix('/') {
        let name = directory.to_owned();
        return Ok(File {
            name,
            content: None,
        });
    }
    if cursor.at_end() {
        let problem = Problem::new(span, "the content of the file is missing");
        return Err(problem.help("a directory is written `NAME/`"));
    }
    Ok(File {
        name,
        content: Some(content(cursor)?),
    })
}

/// A relative pathname that stays below its directory.
fn pathname(cursor: &mut Cursor<'_>) -> Result<(String, Range<usize>), Problem> {
    cursor.skip_blanks();
    let start = cursor.position();
    let name = cursor.name()?;
    let span = cursor.since(start);
    let path = name.strip_suffix('/').unwrap_or(&name);
    if name.contains('\0') || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        let problem = Problem::new(span, "a pathname is relative and has no empty or dot names");
        return Err(problem);
    }
    Ok((name, span))
}

/// Octets without variables: nothing is captured here.
fn content(cursor: &mut Cursor<'_>) -> Result<crate::scenario::Content, Problem> {
    cursor.skip_blanks();
    let start = cursor.position();
    let content = cursor.content()?;
    match content.data(&crate::scenario::Variables::default()) {
        Ok(_) => Ok(content),
        Err(error) => Err(Problem::new(cursor.since(start), error.to_string())),
    }
}

/// `TASK NAME …`
fn task(cursor: &mut Cursor<'_>) -> Result<Task, Problem> {
    let names = || TASKS.iter().map(|row| row.name);
    let Some((word, span)) = cursor.word() else {
        let problem = Problem::new(cursor.here(), "a task is missing");
        return Err(problem.help(names().collect::<Vec<_>>().join(", ")));
    };
    let Ok(kind) = word.parse::<TaskKind>() else {
        let problem = Problem::new(span, format!("there is no task `{}`", shown(word)));
        let help = did_you_mean(word, names());
        return Err(problem.help(help.unwrap_or_else(|| names().collect::<Vec<_>>().join(", "))));
    };
    let row = kind.row();
    let mut names = Vec::new();
    while names.len() < row.arguments.len() && !cursor.at_end() {
        names.push(pathname(cursor)?.0);
    }
    if names.len() < row.arguments.len() - row.optional {
        let problem = Problem::new(cursor.here(), "a name is missing");
        return Err(problem.help(format!("`@task {} {}`", row.name, row.arguments.join(" "))));
    }
    Ok(Task { kind, names })
}

/// `CLAUSE | CLAUSE …`
fn clauses(cursor: &mut Cursor<'_>) -> Result<Vec<Clause>, Problem> {
    let mut clauses = Vec::new();
    loop {
        clauses.push(clause(cursor)?);
        cursor.skip_blanks();
        if !cursor.take("|") {
            return Ok(clauses);
        }
    }
}

fn clause(cursor: &mut Cursor<'_>) -> Result<Clause, Problem> {
    let Some((word, span)) = cursor.word() else {
        let problem = Problem::new(cursor.here(), "an expectation is missing");
        return Err(problem.help(format!("one of {}", CLAUSES.join(", "))));
    };
    Ok(match word {
        "exit" => Clause::Exit(exit_class(cursor)?),
        "within" => Clause::Within(cursor.duration()?),
        "local" => Clause::Local(pathname(cursor)?.0, file_clause(cursor)?),
        "remote" => Clause::Remote(pathname(cursor)?.0, file_clause(cursor)?),
        "output" => {
            cursor.skip_blanks();
            let start = cursor.position();
            let text = String::from_utf8(cursor.quoted()?);
            let not_text = |_| Problem::new(cursor.since(start), "the text has to be UTF-8");
            Clause::Output(text.map_err(not_text)?)
        }
        "sent" => Clause::Sent(sent(cursor)?),
        _ => {
            let problem = Problem::new(span, format!("`{}` cannot be expected", shown(word)));
            let help = did_you_mean(word, CLAUSES);
            return Err(problem.help(help.unwrap_or_else(|| CLAUSES.join(", "))));
        }
    })
}

fn exit_class(cursor: &mut Cursor<'_>) -> Result<ExitClass, Problem> {
    let here = cursor.here();
    let classes = [
        ("success", ExitClass::Success),
        ("failure", ExitClass::Failure),
        ("any", ExitClass::Any),
    ];
    let (word, span) = cursor.word().unwrap_or(("", here));
    let (message, help) = match one_of(word, &classes) {
        Ok(class) => return Ok(class),
        Err(complaint) => complaint,
    };
    Err(Problem::new(span, message).maybe_help(help))
}

fn file_clause(cursor: &mut Cursor<'_>) -> Result<FileClause, Problem> {
    cursor.skip_blanks();
    let words = [
        ("complete", FileClause::Complete),
        ("absent", FileClause::Absent),
        ("directory", FileClause::Directory),
    ];
    for (word, clause) in words {
        if cursor.take(word) {
            return Ok(clause);
        }
    }
    if cursor.at_end() {
        let problem = Problem::new(cursor.here(), "what the file has to be is missing");
        return Err(problem.help("complete, absent, directory, or its octets"));
    }
    Ok(FileClause::Content(content(cursor)?))
}

fn sent(cursor: &mut Cursor<'_>) -> Result<Sent, Problem> {
    let glob = glob(cursor)?;
    cursor.skip_blanks();
    let how = if cursor.take("never") {
        Occurrence::Never
    } else if cursor.take("times") {
        Occurrence::Times(count(cursor)?)
    } else if cursor.take("at most") {
        Occurrence::AtMost(count(cursor)?)
    } else if cursor.take("before") {
        Occurrence::Before(self::glob(cursor)?)
    } else {
        Occurrence::Once
    };
    Ok(Sent { glob, how })
}

fn count(cursor: &mut Cursor<'_>) -> Result<u32, Problem> {
    cursor.skip_blanks();
    let start = cursor.position();
    let number = cursor.number()?;
    u32::try_from(number).map_err(|_| Problem::new(cursor.since(start), "the number is too large"))
}

/// A glob: a word, or in quotes.
fn glob(cursor: &mut Cursor<'_>) -> Result<TextPattern, Problem> {
    cursor.skip_blanks();
    if cursor.rest().starts_with('"') {
        return cursor.quoted_glob();
    }
    match cursor.word() {
        Some((word, span)) => cursor.pattern(word, span.start),
        None => Err(Problem::new(cursor.here(), "a glob is missing")),
    }
}
