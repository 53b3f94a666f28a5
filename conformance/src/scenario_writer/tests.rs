use super::scenario_of;
use crate::judge::testing::transcript;
use crate::scenario::{Knowledge, ScenarioId, Severity, format, lint, parse};
use crate::transcript::{ChannelNumbers, Transcript, escape};
use proptest::prelude::*;
use rstest::rstest;

/// A recording whose data connections have channels of their own.
fn recorded(dialogue: &[&str]) -> Transcript {
    let mut transcript = transcript(dialogue);
    let mut numbers = ChannelNumbers::default();
    for event in &mut transcript.events {
        event.channel = numbers.channel(&event.connection, &event.what);
    }
    transcript
}

/// The scenario of a recording, without front matter. It has no error and is in canonical layout.
fn written(transcript: &Transcript) -> String {
    let text = scenario_of(transcript);
    let scenario = parse(ScenarioId("recorded".into()), &text);
    let scenario = scenario.unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
    let found = lint(&scenario, &Knowledge::default());
    let errors: Vec<_> = found
        .iter()
        .filter(|it| it.severity == Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:?}\n{text}");
    assert_eq!(format(&text), text);
    text
}

fn of_session(dialogue: &[&str]) -> String {
    const LOGIN: [&str; 5] = [
        "S: 220 x",
        "C: USER a",
        "S: 331 x",
        "C: PASS <secret>",
        "S: 230 x",
    ];
    let text = written(&recorded(&[&LOGIN[..], dialogue].concat()));
    let (_, statements) = text[3..].split_once("+++\n").unwrap();
    statements.trim().to_owned()
}

#[rstest]
#[case::a_download_is_given(
    &["C: TYPE I", "S: 200 x", "C: PASV", "S: 227 x", "pasv from 127.0.0.1:9", "C: RETR d/a",
    "S: 150 x",
      "D< abc", "D.", "S: 226 x"],
    "@given d/\n@given d/a \"abc\"\n\n> TYPE I\n< 200\n@data PASV\n> RETR d/a\n< 125 | 150\n\
    @receive \"abc\"\n< 226"
)]
#[case::text_is_given_with_the_line_ends_of_most_systems(
    &["C: EPSV", "S: 229 x", "pasv from 127.0.0.1:9", "C: RETR a", "S: 150 x", "D< x\\r\\n",
    "D.", "S: 226 x"],
    "@given a \"x\\n\"\n\n@data EPSV\n> RETR a\n< 125 | 150\n@receive \"x\\r\\n\"\n< 226"
)]
#[case::an_upload_is_not_given(
    &["C: TYPE I", "S: 200 x", "C: PORT 127,0,0,1,1,1", "S: 200 x", "C: STOR a", "S: 150 x",
      "port from 127.0.0.1:9", "D> abc", "D.", "S: 226 x", "C: SIZE a", "S: 213 3", "C: DELE a",
      "S: 250 x"],
    "> TYPE I\n< 200\n@data PORT\n> STOR a\n< 125 | 150\n@send \"abc\"\n< 226\n> SIZE a\n\
    < 213 3\n> DELE a\n< 250"
)]
#[case::absolute_pathnames_are_below_the_directory_of_the_run(
    &["C: PWD", "S: 257 \"/home/a\" x", "C: MKD /home/a/new", "S: 257 x", "C: CWD /home/a/new",
    "S: 250 x",
      "C: PWD", "S: 257 \"/home/a/new\" x", "C: CDUP", "S: 250 x", "C: CDUP", "S: 250 x"],
    "> PWD\n< 257 \"${dir}\"*\n> MKD ${dir}/new\n< 257\n> CWD ${dir}/new\n< 250\n> PWD\n\
     < 257 \"${dir}/new\"*\n> CDUP\n< 250\n> CWD ${dir}\n< 250"
)]
#[case::a_refused_transfer_may_begin(
    &["C: PASV", "S: 227 x", "pasv from 127.0.0.1:9", "C: STOR a", "S: 553 x"],
    "@data PASV\n> STOR a\n@close\n< 553\n!after 125 | 150"
)]
#[case::what_is_renamed_or_removed_was_there(
    &["C: RNFR a", "S: 350 x", "C: RNTO b", "S: 250 x", "C: RMD d", "S: 250 x", "C: DELE b",
    "S: 250 x"],
    "@given a \"\"\n@given d/\n\n> RNFR a\n< 350\n> RNTO b\n< 250\n> RMD d\n< 250\n> DELE b\n< 250"
)]
#[case::a_resumed_download_has_its_beginning_in_the_file(
    &["C: TYPE I", "S: 200 x", "C: PASV", "S: 227 x", "pasv from 127.0.0.1:9", "C: REST 4",
    "S: 350 x",
      "C: RETR a", "S: 150 x", "D< efg", "D.", "S: 226 x"],
    "@given a \"????efg\"\n\n> TYPE I\n< 200\n@data PASV\n> REST 4\n< 350\n> RETR a\n< 125 | 150\n\
     @receive \"efg\"\n< 226"
)]
#[case::a_listing_has_the_names_that_are_known(
    &["C: MKD d", "S: 257 x", "C: PASV", "S: 227 x", "pasv from 127.0.0.1:9", "C: NLST", "S: 150 x",
      "D< d\\r\\nother\\r\\n", "D.", "S: 226 x"],
    "> MKD d\n< 257\n@data PASV\n> NLST\n< 125 | 150\n@receive has \"*d\"\n< 226"
)]
#[case::a_name_of_stou_is_a_variable(
    &["C: PASV", "S: 227 x", "pasv from 127.0.0.1:9", "C: STOU", "S: 150 FILE: u1x7", "D> a",
    "D.", "S: 226 x",
      "C: DELE u1x7", "S: 250 x"],
    "@data PASV\n> STOU\n< 125 | 150 *FILE: ${unique4}\n@send \"a\"\n< 226\n> DELE ${unique4}\n\
    < 250"
)]
#[case::what_is_no_plain_line_is_sent_as_it_is(
    &["C: SITE ${x} ", "S: 500 x", "C: NOOP", "S: 200 x"],
    "@raw \"SITE $${x} \\r\\n\"\n< 500\n> NOOP\n< 200"
)]
#[case::what_another_session_makes_is_not_written(
    &["C: MKD d", "S: 257 x", "C: SIZE d/a", "S: 213 1", "C: NOOP", "S: 200 x"],
    "> MKD d\n< 257\n# Not written from here on: another session makes and removes files here\n\
    # > NOOP"
)]
#[case::a_session_ends_with_quit(
    &["C: QUIT", "S: 221 x", "closed"],
    "> QUIT\n< 221\n@closed"
)]
fn a_session_becomes_a_scenario(#[case] dialogue: &[&str], #[case] expected: &str) {
    assert_eq!(of_session(dialogue), expected);
}

#[test]
fn an_aborted_download_is_long_enough_to_be_aborted() {
    let text = of_session(&[
        "C: TYPE I",
        "S: 200 x",
        "C: PASV",
        "S: 227 x",
        "pasv from 127.0.0.1:9",
        "C: RETR a",
        "S: 150 x",
        "D< abc",
        "C: ABOR",
        "D. cut",
        "S: 426 x",
        "S: 226 x",
    ]);
    let end = "> RETR a\n< 125 | 150\n@read 3\n> ABOR\n@eof\n< 426\n< 226";
    assert!(
        text.ends_with(end) && text.contains("@given a pattern(16000003)"),
        "{text}"
    );
}

#[test]
fn long_contents_have_others_of_their_length() {
    let long = format!("D< {}", "ab".repeat(1000));
    let other = format!("D< {}", "cd".repeat(1000));
    let mut dialogue = vec!["C: TYPE I", "S: 200 x"];
    for (name, octets) in [
        ("C: RETR a", &long),
        ("C: RETR b", &other),
        ("C: RETR a", &long),
    ] {
        dialogue.extend([
            "C: PASV",
            "S: 227 x",
            "pasv from 127.0.0.1:9",
            name,
            "S: 150 x",
            octets,
            "D.",
            "S: 226 x",
        ]);
    }
    let text = of_session(&dialogue);
    assert!(
        text.contains("@given a pattern(2000)\n@given b pattern(2001)[1..]"),
        "{text}"
    );
    assert_eq!(text.matches("@receive pattern(2000)\n").count(), 2);
}

#[test]
fn tls_is_an_axis_and_a_failed_login_is_played() {
    let text = written(&recorded(&[
        "S: 220 x",
        "C: AUTH TLS",
        "S: 234 x",
        "tls x",
        "C: USER a",
        "S: 331 x",
        "C: PASS <secret>",
        "S: 230 x",
        "C: PBSZ 0",
        "S: 200 x",
        "C: PROT P",
        "S: 200 x",
    ]));
    assert!(
        text.contains("needs = [\"TLS\"]\naxes  = [\"tls\"]\n"),
        "{text}"
    );
    assert!(
        text.ends_with("+++\n> PBSZ 0\n< 200\n> PROT P\n< 200\n"),
        "{text}"
    );
    let text = written(&recorded(&["S: 220 x", "C: AUTH TLS", "S: 234 x", "tls x"]));
    assert!(
        text.contains("login = false") && !text.contains("axes"),
        "{text}"
    );
    assert!(text.ends_with("< 220\n> AUTH TLS\n< 234\n@tls\n"), "{text}");
    let text = written(&recorded(&[
        "S: 220 x",
        "C: USER a",
        "S: 331 x",
        "C: PASS <secret>",
        "S: 530 x",
    ]));
    assert!(text.contains("login = false"), "{text}");
    assert!(
        text.ends_with("< 220\n> USER a\n< 331\n> PASS not-${password}\n< 530\n"),
        "{text}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_recording_becomes_a_scenario_without_errors(
        logged_in in any::<bool>(),
        exchanges in prop::collection::vec((
            prop::sample::select(vec![
                "PASV", "EPSV", "PORT 127,0,0,1,1,1", "RETR", "STOR", "APPE", "STOU", "LIST",
                "MLSD", "CWD", "CDUP",
                "MKD", "RMD", "DELE", "RNFR", "RNTO", "SIZE", "REST 3", "TYPE I", "TYPE A",
                "ABOR", "QUIT", "REIN",
                "MODE B", "AUTH TLS", "PBSZ 0", "\u{e9}x", "", "FEAT", "PWD",
                "EPRT |1|127.0.0.1|257|",
            ]),
            prop::sample::select(vec!["a", "/a/b", "../x", "d/e", "${dir}", "a b ", "-la", "*",
            "", "\"q\"", "\\x"]),
            prop::sample::select(vec![0, 120, 150, 200, 213, 226, 227, 229, 230, 234, 250, 257,
            350, 421, 426, 530, 550, 999]),
            prop::collection::vec(prop::sample::select(vec!["D< x", "D> ", "D.",
            "pasv from 127.0.0.1:9", "S: 226 x", "closed", "tls x"]), 0..3),
        ), 0..20),
    ) {
        let mut dialogue: Vec<String> = vec!["S: 220 x".into()];
        if logged_in {
            dialogue.extend(["C: USER a".to_owned(), "S: 230 x".to_owned()]);
        }
        for (verb, argument, code, more) in exchanges {
            let (verb, argument) = (escape(verb.as_bytes()), escape(argument.as_bytes()));
            dialogue.push(format!("C: {verb} {argument}"));
            dialogue.push(format!("S: {code:03} {argument} x"));
            dialogue.extend(more.into_iter().map(str::to_owned));
        }
        let dialogue: Vec<&str> = dialogue.iter().map(String::as_str).collect();
        written(&recorded(&dialogue));
    }
}
