//! Each rule on a transcript that breaks it, and on transcripts of conforming clients.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

use super::*;
use crate::catalogue::{Catalogue, RequirementSide};
use crate::client::language::parse;
use crate::client::outcome::{Exit, FileState, Place, Seen, TaskRun};
use crate::data::Data;
use crate::judge::testing::transcript;
use crate::scenario::ScenarioId;
use rstest::rstest;
use std::collections::BTreeSet;
use std::time::Duration;

const FRONT: &str = "+++\ntitle = \"x\"\ncites = [\"x\"]\nlevel = \"may\"\nclient = true\n+++\n";

/// What a rule finds in a dialogue, in a variant. `statements` come before the task.
fn observed(name: &str, variant: &str, statements: &str, dialogue: &[&str]) -> Vec<String> {
    let text =
        format!("{FRONT}{statements}\n@given a \"12345\"\n@task download a\n@expect exit any\n");
    let scenario = parse(ScenarioId("x".into()), &text).unwrap();
    let line = scenario.steps()[0].line;
    let mut transcript = transcript(dialogue);
    transcript
        .events
        .iter_mut()
        .for_each(|event| event.line = line);
    let conversations = Conversation::all(&transcript);
    let run = TaskRun {
        line,
        exit: Exit::Code(0),
        took: Duration::ZERO,
        stdout: Vec::new(),
        stderr: Vec::new(),
        files: vec![Seen {
            place: Place::Local,
            name: "a".into(),
            state: FileState::File(Data::from("123")),
        }],
    };
    let context = Context {
        scenario: &scenario,
        variant: variant.parse().unwrap(),
        transcript: &transcript,
        conversations: &conversations,
        tasks: &[run],
    };
    let rule = RULES.iter().find(|rule| rule.name == name).unwrap();
    let findings = rule.findings(&context).into_iter();
    findings.map(|finding| finding.observed).collect()
}

#[rstest]
#[case::refused(
    "truthful-exit",
    "passive",
    "",
    &["S: 220 x", "C: RETR a", "S: 550 No."],
    "was answered 550"
)]
#[case::cut(
    "truthful-exit",
    "passive",
    "",
    &["S: 220 x", "C: RETR a", "S: 150 x", "S: 426 cut"],
    "has 3 of 5 octets after RETR was answered 426"
)]
#[case::silent(
    "truthful-exit",
    "passive",
    "",
    &["S: 220 x", "C: RETR a", "S: 150 x"],
    "not completed"
)]
#[case::no_transfer("truthful-exit", "passive", "", &["C: NOOP", "S: 200 x"], "after no transfer")]
#[case::in_clear(
    "password-protected",
    "passive tls",
    "",
    &["S: 220 x", "C: USER a", "S: 331 x", "C: PASS b", "S: 230 x"],
    "PASS came before TLS"
)]
#[case::data("data-protected", "passive tls", "", &["D< x"], "in clear")]
#[case::prot(
    "pbsz-before-prot",
    "passive tls",
    "",
    &["S: 220 x", "C: PROT P", "S: 200 x"],
    "without PBSZ"
)]
#[case::session(
    "session-reuse",
    "passive tls",
    "@server tls.session_reuse \"require\"",
    &["data tls x"],
    "another TLS session"
)]
#[case::port(
    "own-address-only",
    "active",
    "",
    &["S: 220 x", "C: PORT 127,0,0,3,4,1", "S: 200 x"],
    "named 127.0.0.3"
)]
#[case::eprt(
    "own-address-only",
    "active",
    "",
    &["S: 220 x", "C: EPRT |1|10.0.0.1|99|", "S: 200 x"],
    "named 10.0.0.1"
)]
#[case::pipelined(
    "one-command-at-a-time",
    "passive",
    "",
    &["S: 220 x", "C: NOOP / PWD", "S: 200 x", "S: 257 \"/\""],
    "PWD came before the reply to NOOP"
)]
#[case::during(
    "waits-for-completion",
    "passive",
    "",
    &["S: 220 x", "C: RETR a", "S: 150 x", "C: NOOP", "S: 226 x", "S: 200 x"],
    "NOOP came during RETR"
)]
#[case::rest(
    "rest-before-transfer",
    "passive",
    "",
    &["S: 220 x", "C: REST 4", "S: 350 x", "C: PASV", "S: 227 x"],
    "PASV came after REST"
)]
#[case::between(
    "rnto-after-rnfr",
    "passive",
    "",
    &["S: 220 x", "C: RNFR a", "S: 350 x", "C: NOOP", "S: 200 x"],
    "NOOP came after RNFR"
)]
#[case::refused_rnfr(
    "rnto-after-rnfr",
    "passive",
    "",
    &["S: 220 x", "C: RNFR a", "S: 550 x", "C: RNTO b", "S: 503 x"],
    "after RNFR was answered 550"
)]
#[case::alone(
    "rnto-after-rnfr",
    "passive",
    "",
    &["S: 220 x", "C: NOOP", "S: 200 x", "C: RNTO b", "S: 503 x"],
    "RNTO came after NOOP"
)]
#[case::same_port(
    "port-for-each-transfer",
    "passive",
    "",
    &[
        "S: 220 x", "C: PASV", "S: 227 x", "C: RETR a", "S: 150 x", "S: 226 x", "C: RETR b",
        "S: 425 x",
    ],
    "no data port"
)]
#[case::all(
    "epsv-all",
    "passive",
    "",
    &["S: 220 x", "C: EPSV ALL", "S: 200 x", "C: PASV", "S: 500 x"],
    "PASV came after EPSV ALL"
)]
#[case::ipv6(
    "extended-over-ipv6",
    "passive ipv6",
    "",
    &["S: 220 x", "C: PASV", "S: 425 x"],
    "PASV was sent over IPv6"
)]
#[case::again(
    "no-repeated-login",
    "passive",
    "",
    &["S: 220 x", "C: PASS a", "S: 530 x", "C: PASS a", "S: 530 x"],
    "sent again"
)]
#[case::lf("command-lines", "passive", "", &["S: 220 x", "C! NOOP\\n"], "LF alone")]
#[case::cr("command-lines", "passive", "", &["S: 220 x", "C! NO\\rOP\\r\\n"], "CR alone")]
#[case::nul("command-lines", "passive", "", &["S: 220 x", "C! NO\\x00OP\\r\\n"], "NUL")]
#[case::two_spaces(
    "one-space",
    "passive",
    "",
    &["S: 220 x", "C: RETR  a", "S: 550 x"],
    "two spaces"
)]
#[case::host(
    "host-first",
    "passive",
    "",
    &["S: 220 x", "C: USER a", "S: 331 x", "C: HOST b", "S: 503 x"],
    "HOST came after USER"
)]
#[case::port_of_host(
    "host-without-port",
    "passive",
    "",
    &["S: 220 x", "C: HOST b:21", "S: 501 x"],
    "HOST named b:21"
)]
#[case::option(
    "no-telnet-options",
    "passive",
    "",
    &["S: 220 x", "C! \\xff\\xfb\\x01NOOP\\r\\n", "S: 200 x"],
    "option"
)]
fn a_breach_is_found(
    #[case] rule: &str,
    #[case] variant: &str,
    #[case] statements: &str,
    #[case] dialogue: &[&str],
    #[case] expected: &str,
) {
    let found = observed(rule, variant, statements, dialogue);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains(expected), "{found:?}");
}

#[rstest]
#[case::server_lied(
    "truthful-exit",
    "passive",
    "",
    &["S: 220 x", "C: RETR a", "S: 150 x", "S: 226 x"]
)]
#[case::under_tls(
    "password-protected",
    "passive tls",
    "",
    &["S: 220 x", "tls x", "C: PASS b", "S: 230 x"]
)]
#[case::no_tls_wanted("password-protected", "passive", "", &["S: 220 x", "C: PASS b", "S: 230 x"])]
#[case::protected("data-protected", "passive tls", "", &["data tls x", "D< x"])]
#[case::sized(
    "pbsz-before-prot",
    "passive tls",
    "",
    &["S: 220 x", "C: PBSZ 0", "S: 200 x", "C: PROT P", "S: 200 x"]
)]
#[case::not_required("session-reuse", "passive tls", "", &["data tls x"])]
#[case::own(
    "own-address-only",
    "active",
    "",
    &["S: 220 x", "C: PORT 127,0,0,1,4,1", "S: 200 x", "C: EPRT |1|127.0.0.1|99|", "S: 200 x"]
)]
#[case::abort(
    "waits-for-completion",
    "passive",
    "",
    &["S: 220 x", "C: RETR a", "S: 150 x", "C: ABOR", "S: 426 x", "S: 226 x"]
)]
#[case::never_answered("one-command-at-a-time", "passive", "", &["S: 220 x", "C: NOOP", "C: QUIT"])]
#[case::rest_zero(
    "rest-before-transfer",
    "passive",
    "",
    &["S: 220 x", "C: REST 0", "S: 350 x", "C: PASV", "S: 227 x"]
)]
#[case::rest_refused(
    "rest-before-transfer",
    "passive",
    "",
    &["S: 220 x", "C: REST 4", "S: 502 x", "C: PASV", "S: 227 x"]
)]
#[case::rename(
    "rnto-after-rnfr",
    "passive",
    "",
    &["S: 220 x", "C: RNFR a", "S: 350 x", "C: RNTO b", "S: 250 x"]
)]
#[case::own_port(
    "port-for-each-transfer",
    "passive",
    "",
    &[
        "S: 220 x", "C: PASV", "S: 227 x", "C: RETR a", "S: 550 x", "C: RETR b", "S: 150 x",
        "S: 226 x",
    ]
)]
#[case::epsv(
    "epsv-all",
    "passive",
    "",
    &["S: 220 x", "C: EPSV ALL", "S: 200 x", "C: EPSV", "S: 229 x"]
)]
#[case::ipv4("extended-over-ipv6", "passive", "", &["S: 220 x", "C: PASV", "S: 227 x"])]
#[case::other_password(
    "no-repeated-login",
    "passive",
    "",
    &["S: 220 x", "C: PASS a", "S: 530 x", "C: PASS b", "S: 230 x"]
)]
#[case::transient(
    "no-repeated-login",
    "passive",
    "",
    &["S: 220 x", "C: PASS a", "S: 421 x", "C: PASS a", "S: 230 x"]
)]
#[case::cr_nul("command-lines", "passive", "", &["S: 220 x", "C! CWD a\\r\\x00\\r\\n"])]
#[case::leading_space(
    "one-space",
    "passive",
    "@given \" x\" \"\"",
    &["S: 220 x", "C: RETR  x", "S: 550 x"]
)]
#[case::host(
    "host-first",
    "passive",
    "",
    &["S: 220 x", "C: HOST b", "S: 220 x", "C: USER a", "S: 331 x"]
)]
#[case::host_in_brackets(
    "host-without-port",
    "passive",
    "",
    &["S: 220 x", "C: HOST [::1]", "S: 220 x", "C: HOST ::1", "S: 501 x"]
)]
#[case::synch(
    "no-telnet-options",
    "passive",
    "",
    &["S: 220 x", "C! \\xff\\xf4\\xff\\xf2ABOR\\r\\n", "S: 226 x"]
)]
#[case::octet_255(
    "no-telnet-options",
    "passive",
    "",
    &["S: 220 x", "C! CWD \\xff\\xff\\xfb\\r\\n", "S: 550 x"]
)]
#[case::answered_twice(
    "one-command-at-a-time",
    "passive",
    "@fault when NOOP do duplicate",
    &["S: 220 x", "C: NOOP / PWD", "S: 200 x"]
)]
fn a_conforming_client_is_not_accused(
    #[case] rule: &str,
    #[case] variant: &str,
    #[case] statements: &str,
    #[case] dialogue: &[&str],
) {
    let found = observed(rule, variant, statements, dialogue);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn rules_have_one_name_each_and_cover_requirements_of_clients() {
    let names: BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), RULES.len());
    for rule in RULES {
        for id in rule.covers {
            let requirement = Catalogue::built_in().get(id).unwrap();
            assert_eq!(requirement.side, RequirementSide::Client, "{id}");
            assert!(rule.level >= requirement.level, "{}: {id}", rule.name);
        }
        assert!(
            rule.impact.ends_with('.') && !rule.statement.ends_with('.'),
            "{}",
            rule.name
        );
    }
}

#[rstest]
#[case::broken(&["C: REST 5", "S: 350 x", "C: PWD", "S: 257 \"/\" x"], 1)]
#[case::followed(&["C: PWD", "S: 257 \"/\" x", "C: REST 5", "S: 350 x"], 0)]
fn a_recorded_session_is_judged_without_a_scenario(
    #[case] dialogue: &[&str],
    #[case] findings: usize,
) {
    let mut tally = super::super::Tally::default();
    let begin = ["S: 220 x", "C: EPSV", "S: 229 (|||2000|)"];
    let dialogue = [&begin, dialogue, &["C: RETR a", "S: 550 x"]].concat();
    tally.look_at_recording("s.jsonl", &transcript(&dialogue));
    let verdicts = tally.verdicts();
    let broken = verdicts.iter().filter(|verdict| verdict.count > 0);
    let names: Vec<&str> = broken.map(|verdict| verdict.judge.as_str()).collect();
    assert_eq!(names, ["rest-before-transfer"][..findings].to_vec());
}
