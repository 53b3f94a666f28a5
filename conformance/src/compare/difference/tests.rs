#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use super::*;
use rstest::rstest;

fn case(scenario: &str, variant: &str) -> TestCase {
    TestCase {
        scenario: scenario.into(),
        variant: variant.parse().unwrap(),
    }
}

/// A snapshot of lines: `OUTCOME scenario [variant]`, and its dialogue with ` / ` between lines.
fn side(name: &str, snapshots: &[(&str, &str)]) -> Side {
    let snapshot = |(described, dialogue): &(&str, &str)| {
        let (outcome, rest) = described.split_once(' ').unwrap();
        let (scenario, variant) = rest.strip_suffix(']').unwrap().split_once(" [").unwrap();
        Snapshot {
            case: case(scenario, variant),
            outcome: outcome.parse().unwrap(),
            dialogue: dialogue.replace(" / ", "\n"),
        }
    };
    let snapshots: Vec<_> = snapshots.iter().map(snapshot).collect();
    Side::of_snapshots(name, &snapshots)
}

const FEAT: &str =
    "S: 220 hi / C: FEAT / S: 211-Features / S:  SIZE / S:  REST STREAM / S: 211 End";

fn old() -> Side {
    side(
        "old/",
        &[
            ("PASS rfc2389/feat [pasv]", FEAT),
            (
                "FAIL rfc959/abor [epsv]",
                "S: 220 hi / C: ABOR / S: 225 Nothing. / C: NOOP / S: 200 ok",
            ),
            (
                "FAIL rfc959/abor [pasv]",
                "S: 220 hi / C: ABOR / S: 225 Nothing. / C: NOOP / S: 200 ok",
            ),
            (
                "PASS rfc959/list [pasv]",
                "S: 220 hi / C: LIST / S: 150 Go. / D< a\\r\\n / -- data connection closed by the server / S: 226 Done.",
            ),
            ("PASS rfc959/noop [pasv]", "S: 220 hi / C: NOOP / S: 200 ok"),
            (
                "PASS rfc959/order [pasv]",
                "C: RETR a / S: 150 x / -- data connection closed by the server / S: 226 y",
            ),
            (
                "PASS rfc959/two [pasv]",
                "S: 220 hi / C: PWD / S: 257 \"/\" / B S: 220 hi / B C: NOOP / B S: 200 ok",
            ),
        ],
    )
}

fn new() -> Side {
    side(
        "new/",
        &[
            ("PASS rfc2389/feat [pasv]", &FEAT.replace("SIZE", "MDTM")),
            (
                "PASS rfc959/abor [epsv]",
                "S: 220 hi / C: ABOR / S: 226 Ended. / C: NOOP / S: 200 ok",
            ),
            (
                "PASS rfc959/abor [pasv]",
                "S: 220 hi / C: ABOR / S: 226 Ended. / C: NOOP / S: 200 ok",
            ),
            (
                "PASS rfc959/list [pasv]",
                "S: 220 hi / C: LIST / S: 150 Go. / D< a\\r\\nb\\r\\n / -- data connection closed by the server / S: 226 Done.",
            ),
            (
                "PASS rfc959/noop [epsv]",
                "S: 220 hi / C: NOOP / S: 200 Fine.",
            ),
            (
                "PASS rfc959/noop [pasv]",
                "S: 220 hi / C: NOOP / S: 200 Fine.",
            ),
            (
                "PASS rfc959/order [pasv]",
                "C: RETR a / S: 150 x / S: 226 y / -- data connection closed by the server",
            ),
            (
                "PASS rfc959/two [pasv]",
                "S: 220 hi / C: PWD / S: 257 \"/\" is here. / B S: 220 hi / B C: NOOP / B S: 200 Fine.",
            ),
        ],
    )
}

#[test]
fn a_person_sees_by_document_what_differs_and_nothing_else() {
    insta::assert_snapshot!(terminal(&compare(&old(), &new()), false), @r#"
    A  old/
    B  new/

    The same codes in other words
      FEAT
          211-Features
        -  SIZE
        +  MDTM
           REST STREAM
          211 End
           in rfc2389/feat [pasv]
      NOOP
        A  200 ok
        B  200 Fine.
           2 times, first in rfc959/noop [pasv]
      PWD
        A  257 "/"
        B  257 "/" is here.
           in rfc959/two [pasv]

    Other data, or another end of a connection
      rfc959/list [pasv], LIST
        - D< a\r\n
        + D< a\r\nb\r\n
          -- data connection closed by the server
      rfc959/order [pasv], RETR a
          S: 150 x
        + S: 226 y
          -- data connection closed by the server
        - S: 226 y

    Other reply codes, A → B
      rfc959
        abor
          ABOR [pasv, epsv]
            A  225 Nothing.
            B  226 Ended.

    FEAT
      only A  SIZE
      only B  MDTM

    Only B played
      rfc959
        noop [epsv]

    Other verdicts, A → B
      rfc959
        FAIL → PASS  abor [pasv, epsv]

    7 compared: 2 other verdicts, 1 only B played, 2 feature lines
      dialogues: 0 alike, 7 not: 2 commands with other codes, 3 sorts of other words
    "#);
}

#[test]
fn colours_come_only_when_asked_for() {
    let difference = compare(&old(), &new());
    assert!(!terminal(&difference, false).contains('\u{1b}'));
    assert!(terminal(&difference, true).contains('\u{1b}'));
}

#[test]
fn different_codes_and_different_texts_are_distinguished() {
    let replies = compare(&old(), &new()).replies.unwrap();
    let codes: Vec<_> = replies
        .codes
        .iter()
        .map(|code| (code.command.as_str(), &code.a[..], &code.b[..]))
        .collect();
    let ended = (
        "ABOR",
        &["225 Nothing.".to_owned()][..],
        &["226 Ended.".to_owned()][..],
    );
    assert_eq!(codes, [ended, ended]);
    let words: Vec<_> = replies
        .words
        .iter()
        .map(|words| (words.verb.as_str(), words.count))
        .collect();
    assert_eq!(words, [("FEAT", 1), ("NOOP", 2), ("PWD", 1)]);
    assert_eq!((replies.same, replies.other), (0, 7));
}

#[test]
fn a_side_is_like_itself() {
    let difference = compare(&old(), &old());
    assert!(difference.is_empty(), "{difference:?}");
    assert_eq!(difference.compared, 7);
    assert!(terminal(&difference, false).ends_with("A and B are alike\n"));
    assert!(!compare(&old(), &new()).is_empty());
}

#[rstest]
#[case::verdict(|side: &mut Side| { side.outcomes.insert(case("rfc959/noop", "pasv"), Outcome::Error); })]
#[case::only_one(|side: &mut Side| { side.outcomes.insert(case("rfc959/new", "pasv"), Outcome::Pass); })]
#[case::judge(|side: &mut Side| { side.judges.insert("feat".into(), Outcome::Fail); })]
#[case::feature(|side: &mut Side| { side.features = Some(["TVFS".to_owned()].into()); })]
#[case::reply(|side: &mut Side| { side.dialogues.as_mut().unwrap().insert(case("rfc959/noop", "pasv"), "S: 220 ho".into()); })]
fn every_sort_of_difference_counts(#[case] change: fn(&mut Side)) {
    let mut one = old();
    one.judges.insert("feat".into(), Outcome::Pass);
    let mut other = one.clone();
    assert!(compare(&one, &other).is_empty());
    change(&mut other);
    assert!(!compare(&one, &other).is_empty());
    assert!(!compare(&other, &one).is_empty());
}

#[test]
fn a_report_has_verdicts_and_features_and_no_replies() {
    let difference = compare(
        &Side {
            dialogues: None,
            ..old()
        },
        &new(),
    );
    assert_eq!(difference.replies, None);
    let features = difference.features.clone().unwrap();
    assert_eq!(
        (features.only_a, features.only_b),
        (vec!["SIZE".to_owned()], vec!["MDTM".to_owned()])
    );
    assert!(terminal(&difference, false).contains("a report holds none"));
}

#[rstest]
#[case::plain(FEAT, Some(&["REST STREAM", "SIZE"][..]))]
#[case::after_opts(
    "C: OPTS MLST size / S: 200 x / C: FEAT / S: 211-x / S:  A / S: 211 End",
    None
)]
#[case::not_there("C: FEAT / S: 500 What?", None)]
#[case::empty("C: FEAT / S: 211 None.", None)]
fn features_are_read_where_nothing_changed_them(
    #[case] dialogue: &str,
    #[case] expected: Option<&[&str]>,
) {
    let read = replies::features(&dialogue.replace(" / ", "\n"));
    let expected = expected.map(|lines| lines.iter().map(|line| (*line).to_owned()).collect());
    assert_eq!(read, expected);
}

#[test]
fn the_json_form_is_versioned() {
    let value: serde_json::Value = serde_json::from_str(&compare(&old(), &new()).json()).unwrap();
    assert_eq!(
        (&value["schema"], &value["version"]),
        (&"ftpspec-diff".into(), &1.into())
    );
    assert_eq!(value["verdicts"][0]["a"], "fail");
    assert_eq!(value["replies"]["codes"][0]["command"], "ABOR");
}
