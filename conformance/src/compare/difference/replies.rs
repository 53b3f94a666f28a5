//! Compares two dialogues of a scenario, command by command.
//!
//! The texts of two servers usually differ in every reply, which would hide differences that
//! matter. So different codes are listed per scenario, and different texts once per pair of texts.

use crate::compare::replies::{Pair, pairs};
use crate::scenario::TestCase;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What differs in the replies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Replies {
    /// The number of identical dialogues.
    pub same: usize,
    /// The number of differing dialogues.
    pub other: usize,
    /// Commands with different reply codes.
    pub codes: Vec<Code>,
    /// Replies with the same codes and different texts; each pair once, by verb.
    pub words: Vec<Words>,
    /// Differences on data connections, and of connections opened or closed.
    pub around: Vec<Around>,
    /// Dialogues in which the sides received different commands.
    pub ways: Vec<Way>,
}

/// A command with different reply codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Code {
    #[serde(flatten)]
    pub case: TestCase,
    /// The command line; empty for the greeting.
    pub command: String,
    /// The lines of the replies on the first side; none if it did not answer.
    pub a: Vec<String>,
    /// And on the second.
    pub b: Vec<String>,
}

/// A pair of replies with the same codes and different texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Words {
    /// The verb; empty for the greeting.
    pub verb: String,
    /// The lines of the first side.
    pub a: Vec<String>,
    /// And of the second.
    pub b: Vec<String>,
    /// How often.
    pub count: usize,
    /// The first one it was seen in.
    #[serde(flatten)]
    pub case: TestCase,
}

/// A difference other than replies after a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Around {
    #[serde(flatten)]
    pub case: TestCase,
    /// The command line it follows.
    pub command: String,
    /// What happened on the first side.
    pub a: Vec<String>,
    /// And on the second.
    pub b: Vec<String>,
}

/// A dialogue in which the sides received different commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Way {
    #[serde(flatten)]
    pub case: TestCase,
    /// Commands only the first side was given.
    pub only_a: Vec<String>,
    /// Commands only the second side was given.
    pub only_b: Vec<String>,
}

impl Replies {
    pub(super) fn is_empty(&self) -> bool {
        self.other == 0
    }
}

/// Compares the dialogues both sides have.
pub(super) fn compare(a: &BTreeMap<TestCase, String>, b: &BTreeMap<TestCase, String>) -> Replies {
    let mut replies = Replies::default();
    let mut words = BTreeMap::new();
    for (case, a) in a {
        let Some(b) = b.get(case) else { continue };
        let (a, b) = (a.trim_end(), b.trim_end());
        if a == b {
            replies.same += 1;
            continue;
        }
        replies.other += 1;
        dialogue(case, &turns(a), &turns(b), &mut replies, &mut words);
    }
    replies.words = words.into_values().collect();
    // What is seen most often first.
    replies
        .words
        .sort_by(|one, other| (&one.verb, other.count).cmp(&(&other.verb, one.count)));
    replies
}

/// A command and its replies, up to the next command on the same control connection.
#[derive(Debug, Default)]
struct Turn<'a> {
    /// The connection's name; empty for the main one.
    connection: &'a str,
    /// Empty before the first command.
    command: &'a str,
    /// Lines of replies, without `S: `.
    replies: Vec<&'a str>,
    /// Everything else.
    around: Vec<&'a str>,
    /// Both, in their order.
    all: Vec<&'a str>,
}

fn turns(dialogue: &str) -> Vec<Turn<'_>> {
    let mut turns = Vec::<Turn<'_>>::new();
    for line in dialogue.lines() {
        let (connection, said) = named(line);
        let command = said.strip_prefix("C: ");
        let last = turns.iter().rposition(|turn| turn.connection == connection);
        let turn = match last.filter(|_| command.is_none()) {
            Some(last) => &mut turns[last],
            None => turns.push_mut(Turn {
                connection,
                command: command.unwrap_or_default(),
                ..Turn::default()
            }),
        };
        if command.is_some() {
            continue;
        }
        turn.all.push(said);
        match said.strip_prefix("S: ") {
            Some(reply) => turn.replies.push(reply),
            None => turn.around.push(said),
        }
    }
    turns
}

/// The name of the control connection a line is about, empty for the main one, and the line without
/// it.
fn named(line: &str) -> (&str, &str) {
    let known = |rest: &str| {
        ["C: ", "S: ", "D> ", "D< ", "-- "]
            .iter()
            .any(|who| rest.starts_with(who))
    };
    match line.split_once(' ') {
        Some((name, rest)) if !known(line) && known(rest) => (name, rest),
        _ => ("", line),
    }
}

/// The verb of a command line, as it is written in the RFCs.
fn verb(command: &str) -> String {
    let word = command.split([' ', '\\']).next().unwrap_or_default();
    word.to_ascii_uppercase()
}

/// The codes of whole replies among these lines.
fn codes<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let whole = lines.iter().filter(|line| {
        let code = line.bytes().take_while(u8::is_ascii_digit).count() == 3;
        code && !line[3..].starts_with('-')
    });
    whole.map(|line| &line[..3]).collect()
}

fn dialogue(
    case: &TestCase,
    a: &[Turn<'_>],
    b: &[Turn<'_>],
    replies: &mut Replies,
    words: &mut BTreeMap<(String, Vec<String>, Vec<String>), Words>,
) {
    let owned =
        |lines: &[&str]| -> Vec<String> { lines.iter().map(|line| (*line).into()).collect() };
    let named = |turn: &Turn<'_>| -> String {
        let named = format!("{} {}", turn.connection, turn.command);
        named.trim().to_owned()
    };
    let (mut only_a, mut only_b) = (Vec::new(), Vec::new());
    for pair in pairs(a, b, named) {
        let (a, b) = match pair {
            Pair::Both(a, b) => (a, b),
            Pair::OnlyA(a) => {
                only_a.push(named(a));
                continue;
            }
            Pair::OnlyB(b) => {
                only_b.push(named(b));
                continue;
            }
        };
        if a.replies != b.replies {
            let (said_a, said_b) = (owned(&a.replies), owned(&b.replies));
            if codes(&a.replies) == codes(&b.replies) {
                let verb = verb(a.command);
                let sort = (verb.clone(), said_a.clone(), said_b.clone());
                let first = || Words {
                    verb,
                    a: said_a,
                    b: said_b,
                    count: 0,
                    case: case.clone(),
                };
                words.entry(sort).or_insert_with(first).count += 1;
            } else {
                replies.codes.push(Code {
                    case: case.clone(),
                    command: a.command.to_owned(),
                    a: said_a,
                    b: said_b,
                });
            }
        }
        let (around_a, around_b) = if a.around != b.around {
            (&a.around, &b.around)
        } else if a.replies == b.replies && a.all != b.all {
            // The same in another order.
            (&a.all, &b.all)
        } else {
            continue;
        };
        replies.around.push(Around {
            case: case.clone(),
            command: a.command.to_owned(),
            a: owned(around_a),
            b: owned(around_b),
        });
    }
    if !only_a.is_empty() || !only_b.is_empty() {
        replies.ways.push(Way {
            case: case.clone(),
            only_a,
            only_b,
        });
    }
}

/// The lines of FEAT in a dialogue, if it was asked before an OPTS could change them.
pub(super) fn features(dialogue: &str) -> Option<BTreeSet<String>> {
    let turns = turns(dialogue);
    let mut before = turns.iter().take_while(|turn| verb(turn.command) != "OPTS");
    let listing = before.find(|turn| {
        verb(turn.command) == "FEAT"
            && turn
                .replies
                .first()
                .is_some_and(|line| line.starts_with("211-"))
    })?;
    let between = listing
        .replies
        .iter()
        .skip(1)
        .take_while(|line| !line.starts_with("211 "));
    Some(between.map(|line| line.trim().to_owned()).collect())
}
