//! Lints, one by one.
#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]
use super::*;
use crate::scenario::{ScenarioId, parse, render};
use rstest::rstest;

const FRONT: &str = "+++\ntitle = \"A claim\"\ncites = [\"RFC 959 §5.4\"]\ncovers = [\"959-a\"]\nlevel = \"must\"\n+++\n";

fn knowledge() -> Knowledge {
    Knowledge {
        requirements: [
            ("959-a".to_owned(), Level::Must),
            ("959-b".to_owned(), Level::Should),
        ]
        .into(),
        verbs: ["NOOP".to_owned(), "REST".to_owned()].into(),
    }
}

fn found(text: &str) -> Vec<String> {
    let scenario = parse(ScenarioId("x".into()), text).unwrap();
    lint(&scenario, &knowledge())
        .iter()
        .map(|found| format!("{} at `{}`", found.message, &text[found.span.clone()]))
        .collect()
}

#[rstest]
#[case::plain("> NOOP\n< 200")]
#[case::preliminary("@data\n> LIST\n< 125 | 150\n@receive *\n< 226")]
#[case::pipelined("> NOOP\n> NOOP\n< 200\n< 200")]
#[case::quit("> QUIT\n@closed")]
#[case::dropped("> STOR x\n@drop")]
#[case::raw("@raw \"NOOP\\r\\n\"\n< 200\n> NOOP")]
#[case::captured("> MKD a\n< 257 \"${made}\"*\n> CWD ${made}\n< 250")]
#[case::captured_by_group("> PWD\n< 257 /(?<x>.)/\n> CWD ${x}\n< 250 /${x}/")]
#[case::listened(
    "@listen\n> PORT ${hostport}\n< 200\n> PORT ${hostnumber},4,1\n< 200\n> EPRT |${family}|${address}|${port}|\n< 200"
)]
#[case::turns("@repeat 2\n> MKD a${turn}\n< 257 \"${made}\"*\n> CWD ${made}\n< 250\n@end")]
#[case::dated("> MDTM a\n< 213 ${t}\n@data\n> LIST\n< 150\n@receive dated a ${t}\n< 226")]
#[case::given("@given ${user} ${dir}\n> USER ${user}$${x}\n< 331 ${password} ${host}")]
#[case::second("B@login\nB> NOOP\nB< 200\nC@open\nC< 220")]
#[case::data_outlives_the_control_connection("@data\n> RETR x\n< 150\n@drop\n@eof")]
#[case::refused_with_or_without_a_preliminary_reply("@data\n> RETR x\n< 4yz\n!after 125 | 150")]
#[case::fails_after_its_preliminary_reply("@data\n> STOR x\n< 150\n@send \"a\"\n< 426 | 451")]
#[case::refused_without_waiting_for_data("@data\n> STOR x\n@close\n< 4yz\n!after 125 | 150")]
#[case::refused_without_a_data_connection("> STOR x\n< 4yz\n!after 125 | 150")]
#[case::refused_or_not("@data\n> RETR x\n< 125 | 150 | 5yz")]
#[case::kept_open("@data\n@write \"a\"\n@write \"b\"\n@send \"c\"")]
fn a_sound_dialogue_is_not_blamed(#[case] dialogue: &str) {
    assert_eq!(found(&format!("{FRONT}{dialogue}\n")), Vec::<String>::new());
}

#[rstest]
#[case("", "the dialogue is empty at ``")]
#[case(
    "> CWD ${made}\n< 250",
    "the variable `made` has no value here at `${made}`"
)]
#[case(
    "> PORT ${hostport}\n< 200",
    "the variable `hostport` has no value here at `${hostport}`"
)]
#[case(
    "@repeat 2\n@alive\n@end\n@put ${turn} \"a\"",
    "the variable `turn` has no value here at `${turn}`"
)]
#[case(
    "@data\n> LIST\n< 150\n@receive dated a ${t}\n< 226",
    "the variable `t` has no value here at `${t}`"
)]
#[case("@put a ${b}", "the variable `b` has no value here at `${b}`")]
#[case("> X\n< 200 /${b}/", "the variable `b` has no value here at `${b}`")]
#[case("@receive *", "there is no data connection here at `@receive *`")]
#[case(
    "@data\n@send \"a\"\n@send \"b\"",
    "there is no data connection here at `@send \"b\"`"
)]
#[case("@data\nB@login\nB@eof", "there is no data connection here at `B@eof`")]
#[case(
    "B> NOOP\nB< 200",
    "the control connection `B` is not open yet at `B> NOOP`"
)]
#[case("> NOOP", "from here on a command is never answered at `> NOOP`")]
#[case(
    "> A\n< 150\n> B\n< 200",
    "from here on a command is never answered at `> B`"
)]
#[case(
    "> A\n> B\n> C\n< 200",
    "from here on 2 commands are never answered at `> B`"
)]
#[case(
    "> X\n< 200 /(?:a{1000}){1000}/",
    "the pattern is too large at `< 200 /(?:a{1000}){1000}/`"
)]
#[case("> NOOP \n< 200", "the line ends with a blank at ` `")]
#[case(
    "@data\n> RETR x\n< 4yz | 550",
    "RETR may be refused after a preliminary reply as well at `< 4yz | 550`"
)]
#[case(
    "@data\n> STOR x\n@close\n< 553\n!after 125",
    "STOR may be refused after a preliminary reply as well at `< 553`"
)]
#[case(
    "@data\n> APPE x\n< 4yz | 5yz\n!after 125 | 150",
    "after a preliminary reply the server waits for the data of APPE at `< 4yz | 5yz`"
)]
#[case(
    "> NOOP\n< 200\n!impact",
    "the front matter has no `impact` for this `!impact` at `< 200`"
)]
fn inconsistent_statements_are_reported(#[case] dialogue: &str, #[case] expected: &str) {
    assert_eq!(found(&format!("{FRONT}{dialogue}\n")), [expected]);
}

#[rstest]
#[case(
    "covers = [\"959-a\"]",
    "covers = [\"959-c\"]",
    "there is no requirement `959-c` at `959-c`"
)]
#[case(
    "covers = [\"959-a\"]",
    "covers = [\"959-a\", \"959-a\"]",
    "`959-a` is covered twice at `959-a`"
)]
#[case("A claim", "A claim.", "a title has no full stop at `A claim.`")]
#[case(
    "level",
    "impact = \"Files get lost\"\nlevel",
    "what it means for a person is a sentence with a full stop at `Files get lost`"
)]
#[case(
    "covers = [\"959-a\"]",
    "covers = [\"959-b\"]",
    "level must is above should, the strictest level of the requirements it covers at `must`"
)]
#[case("RFC 959 §5.4", "RFC959 5.4", "this cites no clause at `RFC959 5.4`")]
#[case(
    "level",
    "needs = [\"RSET STREAM\"]\nlevel",
    "the need `RSET STREAM` is unknown at `RSET STREAM`"
)]
#[case(
    "level",
    "drivers = [\"suppaftp\"]\nlevel",
    "only user steps can be played by suppaftp at `> NOOP`"
)]
fn the_front_matter_is_held_against_the_catalogue(
    #[case] from: &str,
    #[case] to: &str,
    #[case] expected: &str,
) {
    let text = format!("{}> NOOP\n< 200\n", FRONT.replace(from, to));
    assert_eq!(found(&text), [expected]);
}

#[test]
fn what_it_means_for_a_person_is_short() {
    let long = format!("{}.", "a".repeat(200));
    let text = FRONT.replace("level", &format!("impact = \"{long}\"\nlevel"));
    assert_eq!(
        found(&format!("{text}> NOOP\n< 200\n")),
        [format!(
            "201 characters are a lot; a person reads 200 at a glance at `{long}`"
        )]
    );
    let text = text.replace("aa.", "a.");
    assert!(found(&format!("{text}> NOOP\n< 200\n")).is_empty());
}

#[test]
fn an_impact_is_said_of_the_statements_it_is_true_of() {
    let front = FRONT.replace("level", "impact = \"Files get lost.\"\nlevel");
    let unclear =
        "of which failures is this true? no statement says `!impact` at `Files get lost.`";
    assert_eq!(found(&format!("{front}> NOOP\n< 200\n@alive\n")), [unclear]);
    assert!(found(&format!("{front}> NOOP\n< 200\n")).is_empty());
    assert!(found(&format!("{front}> NOOP\n< 200\n@alive\n!impact\n")).is_empty());
}

#[test]
fn lints_suggest_what_was_probably_meant() {
    let text = format!("{}> CWD ${{dri}}\n", FRONT.replace("959-a", "959-aa"));
    let scenario = parse(ScenarioId("x".into()), &text).unwrap();
    let found = lint(&scenario, &knowledge());
    insta::assert_snapshot!(render("x.ftpt", &text, &found, false), @r##"
    error: there is no requirement `959-aa`
     --> x.ftpt:4:12
      |
    4 | covers = ["959-aa"]
      |            ^^^^^^
      |
      = help: did you mean `959-a`?

    warning: from here on a command is never answered
     --> x.ftpt:7:1
      |
    7 | > CWD ${dri}
      | ^^^^^^^^^^^^
      |
      = help: `< CODES` expects its reply

    error: the variable `dri` has no value here
     --> x.ftpt:7:7
      |
    7 | > CWD ${dri}
      |       ^^^^^^
      |
      = help: did you mean `dir`?
    "##);
}
