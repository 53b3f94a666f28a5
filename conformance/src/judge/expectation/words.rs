//! What a statement requires, in words: most readers of a report have never seen a scenario.

use crate::scenario::{
    Action, Codes, Dated, Expect, Receive, ReplyPattern, Step, TextPattern, TlsVersion, quoted,
};
use std::fmt::Display;

/// The expectation at this line of the step: its own, or that of its `!should`.
pub(super) fn expected(step: &Step, line: u32) -> String {
    match &step.action {
        Action::Expect(expect) => match expect.should.as_deref() {
            Some((at, wish)) if *at == line => reply(wish),
            _ => reply(expect),
        },
        Action::Silent(wait) => format!("nothing is said for {} ms", wait.as_millis()),
        Action::Closed => "the server closes the control connection".into(),
        Action::Alive => "one reply to NOOP, 200".into(),
        Action::Open => "a control connection".into(),
        Action::Tls(version) | Action::TlsOrEnd(version) => match version {
            None => "a TLS handshake".into(),
            Some(TlsVersion::V12) => "a handshake of TLS 1.2".into(),
            Some(TlsVersion::V13) => "a handshake of TLS 1.3".into(),
        },
        Action::Clear => "close_notify from both sides, and the session goes on in clear".into(),
        Action::Data(None) => "a way to make a data connection".into(),
        Action::Data(Some(mode)) => format!("a way to make a data connection, by {mode}"),
        Action::Listen => "a port of ours".into(),
        Action::Connect => "a data connection".into(),
        Action::Refused => "a data connection is refused".into(),
        Action::SendData(content) | Action::WriteData(content) => {
            format!("the server takes {content}")
        }
        Action::Receive(receive) => data(receive),
        Action::Read(count) => format!("data of {count} octets and more"),
        Action::DataEnds => "the server ends the data connection".into(),
        Action::NoData => "no data connection is opened or used".into(),
        Action::Stored(name, content) => format!("{} holds {content}", name_of(name)),
        Action::Missing(name) => format!("{} is not there", name_of(name)),
        Action::User { step, fails: false } => format!("it works to {step}"),
        Action::User { step, fails: true } => format!("it is refused to {step}"),
        // These only have to succeed.
        action => format!("the session goes on: {action}"),
    }
}

fn reply(expect: &Expect) -> String {
    let codes = codes(&expect.codes);
    match &expect.text {
        None => codes,
        Some(ReplyPattern::Text(text)) => format!("{codes} {text}"),
        Some(ReplyPattern::Block {
            first,
            between,
            last,
        }) => {
            let between = between.iter().map(|line| match line {
                None => "…".into(),
                Some(line) => line.to_string(),
            });
            let lines: Vec<String> = std::iter::once(first.to_string())
                .chain(between)
                .chain([last.to_string()])
                .filter(|line| !line.is_empty())
                .collect();
            format!("{codes} of several lines: {}", lines.join(" / "))
        }
    }
}

/// `500, 501 or 502`.
fn codes(codes: &Codes) -> String {
    let codes: Vec<String> = codes.0.iter().map(ToString::to_string).collect();
    match codes.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

fn data(receive: &Receive) -> String {
    match receive {
        Receive::Exactly(content) => format!("the data {content}"),
        Receive::Matching(pattern) => format!("data with {pattern}"),
        Receive::Lines(lines) => match lines.as_slice() {
            [] => "no lines of data".into(),
            lines => format!("these lines of data, in any order: {}", listed(lines)),
        },
        Receive::Has(globs) => format!("lines of data for {}", of_globs(globs)),
        Receive::HasNot(globs) => format!("no line of data for {}", of_globs(globs)),
        Receive::Once(globs) => format!("exactly one line of data for {}", of_globs(globs)),
        Receive::Dated(entries) => {
            let entry = |it: &Dated| format!("{} of {}", name_of(&it.name), it.time);
            let entries = entries.iter().map(entry).collect::<Vec<_>>();
            format!("one line with its date for each: {}", listed(&entries))
        }
        Receive::Anything => "data to its end".into(),
        Receive::Coded(coding, inside) => format!("{} of {}", coding.noun(), data(inside)),
    }
}

fn of_globs(globs: &[TextPattern]) -> String {
    let globs = globs.iter().map(|glob| quoted(glob.source.as_bytes()));
    listed(&globs.collect::<Vec<_>>())
}

fn name_of(name: &str) -> String {
    quoted(name.as_bytes())
}

fn listed(items: &[impl Display]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Scenario, ScenarioId, parse};
    use rstest::rstest;

    fn scenario(dialogue: &str) -> Scenario {
        let front = "+++\ntitle = \"t\"\ncites = [\"RFC 959 §5.4\"]\ncovers = [\"a\"]\nlevel = \"must\"\n+++\n";
        parse(ScenarioId("a/b".into()), &format!("{front}{dialogue}\n")).expect("it is sound")
    }

    #[rstest]
    #[case("> A\n< 200", "200")]
    #[case("> A\n< 125 | 150", "125 or 150")]
    #[case("> A\n< 500 | 50z | 5yz", "500, 50z or 5yz")]
    #[case("> A\n< 257 \"${dir}\"*", "257 \"${dir}\"*")]
    #[case(
        "> A\n< 211-Features\n< ...\n< 211 End",
        "211 of several lines: Features / … / End"
    )]
    #[case("@silent 300ms", "nothing is said for 300 ms")]
    #[case("@tls 1.2", "a handshake of TLS 1.2")]
    #[case("@receive pattern(9)[1..]", "the data pattern(9)[1..]")]
    #[case(
        "@receive lines \"b\" \"a\"",
        "these lines of data, in any order: \"b\", \"a\""
    )]
    #[case("@receive hasnot \"x*\"", "no line of data for \"x*\"")]
    #[case("@receive once \"x*\"", "exactly one line of data for \"x*\"")]
    #[case(
        "@receive dated a 20020717210714",
        "one line with its date for each: \"a\" of 20020717210714"
    )]
    #[case("@receive zlib \"a\"", "one zlib stream of the data \"a\"")]
    #[case("@stored a \"b\"", "\"a\" holds \"b\"")]
    #[case("@fails delete a", "it is refused to delete a")]
    fn an_expectation_is_described_without_the_language_of_scenarios(
        #[case] dialogue: &str,
        #[case] words: &str,
    ) {
        let scenario = scenario(dialogue);
        let step = scenario.steps.last().expect("there is a step");
        assert_eq!(expected(step, step.line), words);
    }

    #[test]
    fn a_should_is_described_instead_of_what_is_accepted() {
        let scenario = scenario("> A\n< 5yz\n!should 504 | 534");
        let step = scenario.steps.last().expect("there is a step");
        assert_eq!(expected(step, step.line), "5yz");
        assert_eq!(expected(step, step.line + 1), "504 or 534");
    }
}
