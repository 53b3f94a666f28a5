#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

use super::*;
use crate::scenario::{Diagnostic, render};
use proptest::prelude::*;
use rstest::rstest;

const FRONT: &str = "+++\ntitle  = \"A download that is cut short is not reported as a success\"\n\
    cites  = [\"RFC 959 §3.4\"]\nlevel  = \"may\"\nclient = true\naxes   = [\"data\", \"tls\"]\n+++\n";

const BODY: &str = "\
@given big.bin pattern(200000)
@given \"a b\" \"x\"
@given empty/
@local big.bin pattern(200000)[..100]
@server limits.idle \"2s\"
@login anna \"a b\"
@fault when RETR nth 1 do close at 65536

# The fault strikes once.
@task download big.bin
@expect local big.bin complete | exit failure
!should within 10s
!about c1 c2
@expect sent \"RETR *\" before QUIT | sent PASS* never
@task list
@expect output \"a b\" | sent LIST* times 2 | sent NLST at most 1 | remote empty directory
@expect exit any
@task rename \"a b\" c
@expect remote \"a b\" absent | remote c \"x\"
";

fn parsed(body: &str) -> Result<Scenario, Vec<Diagnostic>> {
    parse(ScenarioId("client/x".into()), &format!("{FRONT}{body}"))
}

fn accept_all(scenario: &Scenario) -> Vec<Diagnostic> {
    let knowledge = Knowledge {
        requirement: &|_| None,
        fault: &|line| match line {
            "bad" => Err("no fault".into()),
            _ => Ok(()),
        },
        settings: &|settings| match settings {
            [("bad", _)] => Err("no setting".into()),
            _ => Ok(()),
        },
    };
    lint(scenario, &knowledge)
}

#[test]
fn a_scenario_in_canonical_layout_is_written_as_it_was_read() {
    let text = format!("{FRONT}{BODY}");
    assert!(is_client(&text));
    assert_eq!(format(&text), text);
}

#[test]
fn tasks_have_the_files_before_and_the_obligations_after_them() {
    let scenario = parsed(BODY).unwrap();
    let steps = scenario.steps();
    assert_eq!(steps.len(), 3);
    assert_eq!(steps[0].local.len(), 1);
    assert_eq!(steps[0].obligations.len(), 3);
    assert_eq!(steps[0].obligations[1].about, ["c1", "c2"]);
    assert!(steps[0].obligations[1].wish);
    assert_eq!(steps[2].task.names, ["a b", "c"]);
    assert_eq!(scenario.account(), Some(("anna", "a b")));
    assert_eq!(scenario.given().count(), 3);
    assert_eq!(scenario.faults().count(), 1);
    assert_eq!(scenario.settings().next(), Some(("limits.idle", "\"2s\"")));
}

#[rstest]
#[case::no_statement("download x", "a statement begins with `@` or `!`")]
#[case::typing_error("@taks login", "did you mean `task`?")]
#[case::no_task("@task", "a task is missing")]
#[case::unknown_task("@task donwload x", "did you mean `download`?")]
#[case::no_name("@task rename a", "a name is missing")]
#[case::too_much("@task login x", "`x` is too much here")]
#[case::leads_out("@given ../x \"\"", "a pathname is relative")]
#[case::absolute("@local /x \"\"", "a pathname is relative")]
#[case::no_content("@given x", "a directory is written `NAME/`")]
#[case::unknown_clause("@expect exti success", "did you mean `exit`?")]
#[case::unknown_class("@expect exit sucess", "did you mean `success`?")]
#[case::no_glob("@expect sent", "a glob is missing")]
#[case::no_unit("@expect within 5", "a time has a unit")]
#[case::no_clause("@expect exit any |", "an expectation is missing")]
#[case::no_subject("!about c1", "`!about` is after an `@expect`")]
#[case::no_wish("!should exit any", "`!should` is after an `@expect`")]
#[case::variable("@given x ${y}", "has no value here")]
#[case::unknown_remark("!abuot x", "did you mean `about`?")]
fn an_error_has_a_message_and_a_place(#[case] body: &str, #[case] message: &str) {
    let text = format!("{FRONT}{body}\n");
    let found = parse(ScenarioId("x".into()), &text).unwrap_err();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].line, 8);
    let shown = render("x.ftpt", &text, &found, false);
    assert!(shown.contains(message) && shown.contains('^'), "{shown}");
}

#[rstest]
#[case::no_task("@given x \"\"\n", "gives the client no task")]
#[case::no_expectation("@task login\n", "nothing is expected of this task")]
#[case::early(
    "@expect exit any\n@task login\n@expect exit any\n",
    "is after a `@task`"
)]
#[case::late(
    "@task login\n@expect exit any\n@given x \"\"\n",
    "before the first `@task`"
)]
#[case::never_complete(
    "@task download x\n@expect local x complete\n",
    "no `@given` names `x`"
)]
#[case::fault("@fault bad\n@task login\n@expect exit any\n", "no fault")]
#[case::setting("@server bad 1\n@task login\n@expect exit any\n", "no setting")]
#[case::about("@task login\n@expect exit any\n!about c9\n", "`c9` is not among")]
fn what_cannot_be_meant_is_reported(#[case] body: &str, #[case] message: &str) {
    let found = accept_all(&parsed(body).unwrap());
    assert!(
        found.iter().any(|it| it.message.contains(message)),
        "{found:?}"
    );
}

#[test]
fn the_levels_and_sides_of_requirements_are_checked() {
    let catalogue = crate::catalogue::Catalogue::built_in();
    let knowledge = Knowledge {
        requirement: &|id| catalogue.get(id),
        fault: &|_| Ok(()),
        settings: &|_| Ok(()),
    };
    let with = |covers: &str| {
        let front = FRONT.replace(
            "level  = \"may\"",
            &format!("covers = [\"{covers}\"]\nlevel  = \"must\""),
        );
        let text = format!("{front}@task login\n@expect exit any\n");
        let scenario = parse(ScenarioId("x".into()), &text).unwrap();
        let found = lint(&scenario, &knowledge);
        found.into_iter().map(|it| it.message).collect::<Vec<_>>()
    };
    assert!(with("c959-4.2-multiline").is_empty());
    assert!(with("c959-5.4-wait-greeting")[0].contains("above that of every requirement"));
    assert!(with("959-5.4-greeting-code")[0].contains("is about servers"));
    assert!(with("nonsense")[0].contains("there is no requirement"));
}

#[test]
fn a_scenario_for_servers_is_not_one_for_clients() {
    let text = "+++\ntitle = \"a\"\ncites = [\"x\"]\nlevel = \"may\"\n+++\n> NOOP\n< 200\n";
    assert!(!is_client(text) && !is_client("nonsense"));
    assert_eq!(format(text), text);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_places_inside_it(
        text in ".{0,200}",
        body in r#"[@!a-z "|+()0-9/.\n]{0,200}"#,
    ) {
        for text in [text, format!("{FRONT}{body}\n")] {
            match parse(ScenarioId("x".into()), &text) {
                Ok(scenario) => {
                    let formatted = format(&text);
                    prop_assert_eq!(&format(&formatted), &formatted);
                    let again = parse(ScenarioId("x".into()), &formatted).unwrap();
                    prop_assert_eq!(again.statements.len(), scenario.statements.len());
                }
                Err(found) => {
                    prop_assert!(!found.is_empty());
                    prop_assert!(found.iter().all(|it| it.span.end <= text.len()));
                    prop_assert!(!render("x.ftpt", &text, &found, false).is_empty());
                }
            }
        }
    }
}
