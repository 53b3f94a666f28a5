use super::super::testing::{any_transcript, transcript};
use super::*;
use crate::catalogue::Registry;
use crate::scenario::{ScenarioId, parse};
use crate::transcript::{End, Event, TlsFacts, Transcript};
use proptest::prelude::*;
use rstest::rstest;
use std::sync::LazyLock;

/// Lines before the dialogue; steps count from 1 after them.
const FRONT: &str = "+++\ntitle = \"t\"\ncites = [\"RFC 959 §5.4\"]\ncovers = [\"959-5.4-noop-reply\"]\n\
                     level = \"must\"\nlogin = false\n+++\n";
const OFFSET: u32 = 7;

fn scenario(steps: &str) -> Scenario {
    parse(ScenarioId("a/b".into()), &format!("{FRONT}{steps}\n")).expect("a test scenario is sound")
}

/// Plays nothing: the dialogue's line numbers count from the first step.
fn played(dialogue: &[&str]) -> Transcript {
    let mut transcript = transcript(dialogue);
    for event in &mut transcript.events {
        if event.line > 0 {
            event.line += OFFSET;
        }
    }
    transcript
}

fn judged(steps: &str, stop: Option<&Stop>, transcript: &Transcript) -> Assessment {
    judged_by(&scenario(steps), stop, transcript)
}

fn judged_by(scenario: &Scenario, stop: Option<&Stop>, transcript: &Transcript) -> Assessment {
    judged_knowing(scenario, stop, transcript, &Features::default())
}

fn judged_knowing(
    scenario: &Scenario,
    stop: Option<&Stop>,
    transcript: &Transcript,
    features: &Features,
) -> Assessment {
    let conversations = Conversation::all(transcript);
    let registry = Registry::built_in();
    let context = Context {
        transcript,
        conversations: &conversations,
        registry,
    };
    expectation(scenario, stop, &context, features)
}

/// Level, line of the step, and what was observed, of each finding.
pub(super) fn found(steps: &str, dialogue: &[&str]) -> Vec<(Level, u32, String)> {
    let judgement = judged(steps, None, &played(dialogue));
    let findings = judgement.findings.into_iter();
    findings
        .map(|f| (f.level, f.line.saturating_sub(OFFSET), f.observed))
        .collect()
}

const END: [&str; 5] = ["0:C: NOOP", "S: 200 x", "C: QUIT", "S: 221 x", "closed"];

#[rstest]
#[case::reply("> NOOP\n< 200", &["1:C: NOOP", "2:S: 200 x"])]
#[case::text("> SYST\n< 215 UNIX *", &["1:C: SYST", "2:S: 215 UNIX Type: L8"])]
#[case::capture("> PWD\n< 257 \"${here}\"*\n> CWD ${here}\n< 250", &["1:C: PWD", "2:S: 257 \"/a\" x", "3:C: CWD /a", "4:S: 250 x"])]
#[case::wish("> CDUP\n< 2yz\n!should 200 | 250", &["1:C: CDUP", "2:S: 250 x"])]
#[case::after("> RETR a\n< 425\n!after 125 | 150", &["1:C: RETR a", "2:S: 150 x", "S: 425 x"])]
#[case::nothing_before("> RETR a\n< 425\n!after 125 | 150", &["1:C: RETR a", "2:S: 425 x"])]
#[case::silence("@silent 200ms", &["1:quiet"])]
#[case::closed_when_read("> QUIT\n< 221\n@closed", &["1:C: QUIT", "2:S: 221 x", "3:closed"])]
#[case::closed_before("> QUIT\n< 221\n@closed", &["1:C: QUIT", "2:S: 221 x", "closed"])]
#[case::alive("@alive", &["1:C: NOOP", "S: 200 x"])]
#[case::data("@data PASV\n> RETR a\n< 150\n@receive \"abc\"\n< 226", &["1:C: PASV", "S: 227 (127,0,0,1,4,1)", "2:C: RETR a", "3:S: 150 x", "4:D< abc", "D.", "5:S: 226 x"])]
#[case::lines("@receive lines \"b\" \"a\"", &["1:D< a\\r\\nb\\r\\n", "D."])]
#[case::has("@receive has \"*.b\"", &["1:D< x\\r\\na.b\\r\\n", "D."])]
#[case::once("@receive once \"*.b\"", &["1:D< x\\r\\na.b\\r\\n", "D."])]
#[case::has_not("@receive hasnot \"*.b\"", &["1:D< x\\r\\n", "D."])]
#[case::text_of_data("@receive /^a.c$/", &["1:D< abc", "D."])]
#[case::deflated("@receive zlib \"abcabcabcabc\\n\"", &["1:D< x\\x9cKLJN", "D< \\x84!.\\x00\"\\x83\\x04\\xa3", "D."])]
#[case::anything("@receive *", &["1:D< abc", "D."])]
#[case::read("@read 2\n@eof", &["1:D< ab", "2:D."])]
#[case::nothing("@nodata", &["1:D."])]
#[case::send("@send \"abc\"", &["1:D> abc"])]
fn what_holds_is_no_finding(#[case] steps: &str, #[case] dialogue: &[&str]) {
    let mut all = vec!["0:S: 220 x"];
    all.extend(dialogue);
    if !dialogue.iter().any(|line| line.ends_with("closed")) {
        all.extend(END);
    }
    assert_eq!(found(steps, &all), []);
}

#[rstest]
#[case::code("> NOOP\n< 200", &["1:C: NOOP", "2:S: 250 x"], (Level::Must, 2, "250 x"))]
#[case::text("> SYST\n< 215 UNIX *", &["1:C: SYST", "2:S: 215 WINDOWS"], (Level::Must, 2, "215 WINDOWS"))]
#[case::wish("> CDUP\n< 2yz\n!should 200", &["1:C: CDUP", "2:S: 250 x"], (Level::Should, 3, "250 x"))]
#[case::after("> RETR a\n< 425\n!after 125 | 150", &["1:C: RETR a", "2:S: 150 x", "S: 226 x"], (Level::Must, 2, "226 x"))]
#[case::only_before("> RETR a\n< 425\n!after 125 | 150", &["1:C: RETR a", "2:S: 150 x", "silence"], (Level::Must, 2, "no reply within 5000 ms"))]
#[case::no_reply("> NOOP\n< 200", &["1:C: NOOP", "2:silence"], (Level::Must, 2, "no reply within 5000 ms"))]
#[case::half_a_reply("> FEAT\n< 211", &["1:C: FEAT", "2:S: 211-x", "silence"], (Level::Must, 2, "no end of this reply within 5000 ms: 211-x"))]
#[case::left("> NOOP\n< 200", &["1:C: NOOP", "2:closed"], (Level::Must, 2, "the server closed the control connection"))]
#[case::no_silence("@silent 200ms", &["1:S: 200 x"], (Level::Must, 1, "200 x"))]
#[case::open("> QUIT\n< 221\n@closed", &["1:C: QUIT", "2:S: 221 x", "3:quiet"], (Level::Must, 3, "the control connection stays open"))]
#[case::twice_alive("@alive", &["1:C: NOOP", "S: 200 x", "S: 200 y"], (Level::Must, 1, "one more reply: 200 y"))]
#[case::octets("@receive \"abc\"", &["1:D< abd", "D."], (Level::Must, 1, "3 octets, different from octet 2 on: abd"))]
#[case::no_end("@receive \"abc\"", &["1:D< abc", "2:C: X"], (Level::Must, 1, "data: abc"))]
#[case::not_deflated("@receive zlib *", &["1:D< abc", "D."], (Level::Must, 1, "not a complete zlib stream: abc"))]
#[case::inflated("@receive zlib \"abc\"", &["1:D< x\\x9cKLJN\\x84!.\\x00\"\\x83\\x04\\xa3", "D."], (Level::Must, 1, "decoded: 13 octets where 3 are wanted, different from octet 3 on: abcabcabcabc\\n"))]
#[case::order("@receive lines \"a\"", &["1:D< a\\r\\nb\\r\\n", "D."], (Level::Must, 1, "a\\r\\nb\\r\\n"))]
#[case::bare_lf("@receive lines \"a\"", &["1:D< a\\n", "D."], (Level::Must, 1, "a line without CRLF: a\\n"))]
#[case::once_and_again("@receive once \"*.b\"", &["1:D< a.b\\r\\n.b\\r\\n", "D."], (Level::Must, 1, "more than one line fits `*.b`: a.b\\r\\n.b\\r\\n"))]
#[case::has("@receive has \"*.b\"", &["1:D< x\\r\\n", "D."], (Level::Must, 1, "no line fits `*.b`: x\\r\\n"))]
#[case::doubled_cr("@receive has \"a\"", &["1:D< a\\r\\r\\n", "D."], (Level::Must, 1, "no line fits `a`: a\\r\\r\\n (its lines end in CR CR LF)"))]
#[case::has_not("@receive hasnot \"*.b\"", &["1:D< a.b\\r\\n", "D."], (Level::Must, 1, "a line fits `*.b`: a.b\\r\\n"))]
#[case::data("@nodata", &["1:D< a"], (Level::Must, 1, "the server opened or used a data connection"))]
#[case::half_sent("@send \"abc\"", &["1:D> a"], (Level::Must, 1, "the server took 1 of 3 octets"))]
#[case::passive_refused("@data PASV", &["1:C: PASV", "S: 425 x"], (Level::Must, 1, "425 x"))]
fn what_does_not_hold_is_one_finding(
    #[case] steps: &str,
    #[case] dialogue: &[&str],
    #[case] (level, line, observed): (Level, u32, &str),
) {
    let mut all = vec!["0:S: 220 x"];
    all.extend(dialogue);
    let findings = found(steps, &all);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!((findings[0].0, findings[0].1), (level, line));
    assert!(findings[0].2.starts_with(observed), "{}", findings[0].2);
}

#[rstest]
#[case::one_too_many(&["0:C: NOOP", "S: 226 x", "S: 200 x"], "one more reply: 200 x")]
#[case::hidden_behind_quit(&["0:C: NOOP", "S: 200 x", "C: QUIT", "S: 200 x", "S: 221 x"], "one more reply to QUIT: 221 x")]
#[case::other_reply(&["0:C: NOOP", "S: 226 x"], "226 x")]
#[case::none(&["0:C: NOOP", "silence"], "no reply")]
#[case::gone(&["0:C: NOOP", "closed"], "the server closed the control connection")]
fn the_barrier_finds_a_reply_too_many_or_too_few(#[case] end: &[&str], #[case] observed: &str) {
    let mut all = vec!["0:S: 220 x", "1:C: PWD", "2:S: 257 \"/\""];
    all.extend(end);
    assert_eq!(
        found("> PWD\n< 257", &all),
        [(Level::Must, 0, observed.to_owned())]
    );
}

#[rstest]
#[case::not_implemented(502, &[], true)]
#[case::unknown(500, &[], true)]
#[case::one_too_many(502, &["S: 502 x"], false)]
#[case::refused_for_another_reason(550, &[], false)]
#[case::understood_before(502, &["S: 221 x", "0:S: 220 x", "C: NOOP", "S: 200 x"], false)]
fn a_server_without_noop_is_asked_for_one_reply_to_it_and_no_more(
    #[case] code: u16,
    #[case] behind: &[&str],
    #[case] holds: bool,
) {
    let reply = format!("S: {code} x");
    let mut all = vec!["0:S: 220 x", "1:C: NOOP", &reply, "0:C: NOOP", &reply];
    all.extend(behind);
    let transcript = played(&all);
    let features = Features::of(&Conversation::all(&transcript));
    let judgement = judged_knowing(&scenario("@alive"), None, &transcript, &features);
    assert_eq!(judgement.findings.is_empty(), holds, "{judgement:?}");
    // Without that knowledge it is a server that does not answer NOOP.
    assert!(!judged("@alive", None, &transcript).findings.is_empty());
    // What a scenario itself requires of NOOP stays.
    let about = judged_knowing(&scenario("> NOOP\n< 200"), None, &transcript, &features);
    assert!(!about.findings.is_empty());
}

#[test]
fn a_legal_reply_that_leaves_nothing_to_test_ends_the_scenario() {
    let steps = "> CCC\n< 200\n!ends 534\n> NOOP\n< 200";
    let transcript = played(&["0:S: 220 x", "1:C: CCC", "2:S: 534 x"]);
    let judgement = judged(steps, None, &transcript);
    assert_eq!(
        judgement,
        Assessment {
            findings: Vec::new(),
            ended: Some(Ending::Reply)
        }
    );
}

const REFUSED_LOGIN: &str = "> PASS x\n< 530\n> PWD\n< 5yz\n!ends 421 | closed\n> QUIT\n< 221";

#[rstest]
#[case::instead_of_a_reply(&["3:C: PWD", "4:closed"], None)]
#[case::before_the_command_is_sent(&["closed"], Some(3))]
#[case::but_does_not(&["3:C: PWD", "4:silence"], Some(4))]
#[case::after_half_a_reply(&["3:C: PWD", "4:S: 530-x", "closed"], Some(4))]
fn where_a_server_may_close_the_scenario_holds_and_ends(
    #[case] end: &[&str],
    #[case] lost_at: Option<u32>,
) {
    let transcript = played(&[&["0:S: 220 x", "1:C: PASS x", "2:S: 530 x"], end].concat());
    let stop = lost_at.map(|line| Stop::ConnectionLost {
        line: line + OFFSET,
    });
    let judgement = judged(REFUSED_LOGIN, stop.as_ref(), &transcript);
    let legal = lost_at.is_none_or(|line| line < 4);
    assert_eq!(judgement.ended, legal.then_some(Ending::Closed));
    assert_eq!(judgement.findings.is_empty(), legal);
}

#[test]
fn closing_is_a_failure_where_the_scenario_does_not_allow_it() {
    let transcript = played(&["0:S: 220 x", "1:C: PASS x", "2:S: 530 x", "closed"]);
    let stop = Stop::ConnectionLost { line: 3 + OFFSET };
    let steps = REFUSED_LOGIN.replace(" | closed", "");
    let judgement = judged(&steps, Some(&stop), &transcript);
    assert_eq!(judgement.ended, None);
    assert_eq!(judgement.findings.len(), 1);
}

#[rstest]
#[case::let_in("2:S: 230 x", Some(true))]
#[case::refused_with_a_wrong_code("2:S: 551 x", Some(false))]
#[case::no_reply("2:silence", Some(false))]
#[case::refused("2:S: 530 x", None)]
fn only_the_opposite_of_what_is_expected_has_the_impact(
    #[case] reply: &str,
    #[case] shows_impact: Option<bool>,
) {
    let steps = "> PASS x\n< 530\n!impact\n> PWD\n< 5yz";
    let transcript = played(&["0:S: 220 x", "1:C: PASS x", reply, "3:C: PWD", "4:S: 530 x"]);
    let findings = judged(steps, None, &transcript).findings;
    let here = findings.iter().find(|finding| finding.line == 2 + OFFSET);
    assert_eq!(here.map(|finding| finding.shows_impact), shows_impact);
}

#[test]
fn a_failure_weighs_no_more_than_the_requirement_it_is_about() {
    let front = FRONT.replace(
        "959-5.4-noop-reply",
        "2228-3-pbsz-before-auth-503\", \"959-5.4-noop-reply",
    );
    let steps = "> NOOP\n< 200\n!about 2228-3-pbsz-before-auth-503\n> NOOP\n< 200";
    let scenario = parse(ScenarioId("a/b".into()), &format!("{front}{steps}\n"))
        .expect("a test scenario is sound");
    let transcript = played(&[
        "0:S: 220 x",
        "1:C: NOOP",
        "2:S: 250 x",
        "4:C: NOOP",
        "5:S: 250 x",
    ]);
    let findings = judged_by(&scenario, None, &transcript).findings;
    let levels: Vec<_> = findings.iter().map(|finding| finding.level).collect();
    assert_eq!(levels[..2], [Level::Should, Level::Must]);
}

#[test]
fn steps_after_the_one_that_stopped_the_player_are_not_judged() {
    let stop = Stop::Mismatch { line: 2 + OFFSET };
    let transcript = played(&["0:S: 220 x", "1:C: NOOP", "2:S: 500 x"]);
    let judgement = judged("> NOOP\n< 200\n> PWD\n< 257", Some(&stop), &transcript);
    assert_eq!(judgement.findings.len(), 1);
    assert_eq!(judgement.findings[0].expected, "200");
    assert_eq!(judgement.findings[0].clause, "RFC 959 §5.4");
}

#[test]
fn where_the_player_could_not_go_on_something_does_not_hold() {
    let stop = Stop::TimedOut { line: 1 + OFFSET };
    let transcript = played(&["0:S: 220 x", "1:C: NOOP", "silence"]);
    let findings = judged("> NOOP\n< 200", Some(&stop), &transcript).findings;
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].observed, "no reply within 5000 ms");
}

#[test]
fn what_stopped_before_the_first_step_is_no_finding_of_the_scenario() {
    let transcript = played(&["0:S: 220 x", "silence"]);
    for stop in [
        Stop::Prerequisite("login".into()),
        Stop::Internal("x".into()),
        Stop::TargetGone("x".into()),
        Stop::TimedOut { line: 0 },
    ] {
        assert_eq!(
            judged("> NOOP\n< 200", Some(&stop), &transcript),
            Assessment::default()
        );
    }
}

fn with(dialogue: &[&str], line: u32, what: EventKind) -> Transcript {
    let mut transcript = played(dialogue);
    transcript.events.push(Event::at_line(line + OFFSET, what));
    transcript
}

#[rstest]
#[case("@get a \"abc\"", b"abc", true, None)]
#[case("@get a \"abc\"", b"abd", true, Some("3 octets, different"))]
#[case("@get a \"abc\"", b"", false, Some("@get: refused: 550 no"))]
#[case("@stored a \"abc\"", b"ab", true, Some("2 octets where 3"))]
#[case("@missing a", b"", true, None)]
fn what_a_driver_found_out_is_weighed(
    #[case] step: &str,
    #[case] octets: &[u8],
    #[case] ok: bool,
    #[case] observed: Option<&str>,
) {
    let name = step.split(' ').next().unwrap_or_default();
    let kind = match name {
        "@stored" => ObservationKind::Stored,
        "@missing" => ObservationKind::Missing,
        _ => ObservationKind::UserStep,
    };
    let fact = if ok {
        format!("{name}: done")
    } else {
        format!("{name}: refused: 550 no")
    };
    let what = EventKind::Observed {
        kind,
        fact,
        octets: octets.into(),
        ok,
    };
    let judgement = judged(step, None, &with(&["0:S: 220 x"], 1, what));
    let came = judgement
        .findings
        .first()
        .map(|finding| finding.observed.as_str());
    assert_eq!(came.is_some(), observed.is_some(), "{came:?}");
    assert!(
        came.unwrap_or_default()
            .starts_with(observed.unwrap_or_default()),
        "{came:?}"
    );
}

#[test]
fn a_handshake_must_stand_in_the_version_that_is_pinned() {
    let facts = |version: &str| {
        let (suite, resumed) = (String::new(), false);
        EventKind::TlsEstablished(TlsFacts {
            data: false,
            version: version.into(),
            suite,
            resumed,
            certificate: None,
        })
    };
    let findings = |step: &str, what| judged(step, None, &with(&["0:S: 220 x"], 1, what)).findings;
    assert_eq!(findings("@tls", facts("TLS 1.3")), []);
    assert_eq!(findings("@tls 1.2", facts("TLS 1.2")), []);
    assert_eq!(
        findings("@tls 1.2", facts("TLS 1.3"))[0].observed,
        "TLS 1.3"
    );
    let failed = || EventKind::TlsFailed {
        data: false,
        error: "bad".into(),
    };
    assert_eq!(
        findings("@tls", failed())[0].observed,
        "the TLS handshake failed: bad"
    );
    let ended = judged("@tls\n!ends", None, &with(&["0:S: 220 x"], 1, failed())).ended;
    assert_eq!(ended, Some(Ending::Reply));
}

#[test]
fn a_connection_that_goes_on_in_clear_without_close_notify_is_a_warning() {
    let transcript = with(&["0:S: 220 x"], 1, EventKind::TlsEnded { clean: false });
    let findings = judged("@clear", None, &transcript).findings;
    assert_eq!(
        findings.iter().map(|f| f.level).collect::<Vec<_>>(),
        [Level::Should]
    );
}

#[test]
fn a_refused_connection_is_none_or_closed_at_once() {
    let opened = || EventKind::DataOpened {
        mode: crate::scenario::DataMode::Pasv,
        local: "127.0.0.1:1".into(),
        peer: "127.0.0.1:2".into(),
    };
    let mut transcript = with(&["0:S: 220 x"], 1, opened());
    assert_eq!(judged("@refused", None, &transcript).findings.len(), 1);
    let end = End {
        by: Side::Server,
        how: CloseKind::Clean,
    };
    let closed = Event {
        what: EventKind::DataClosed(end),
        ..transcript.events[2].clone()
    };
    transcript.events.push(closed);
    assert_eq!(judged("@refused", None, &transcript).findings, []);
}

#[test]
fn the_listener_gives_variables_their_values() {
    let listening = EventKind::DataListening {
        local: "127.0.0.1:1027".into(),
    };
    let mut transcript = with(&["0:S: 220 x"], 1, listening);
    let replies = "200 127,0,0,1,4,3 |1|127.0.0.1|1027| 127.0.0.1 1027 1\r\n";
    let event = |line, what| Event::at_line(line + OFFSET, what);
    transcript
        .events
        .push(event(2, EventKind::from_client(b"X\r\n")));
    transcript
        .events
        .push(event(3, EventKind::from_server(replies)));
    let steps = "@listen\n> X\n< 200 ${hostport} ${eprt} ${address} ${port} ${family}";
    assert_eq!(judged(steps, None, &transcript).findings, []);
}

const EVERYTHING: &str = "< 220\n> PWD\n< 257 \"${here}\"*\n!should 257 /x/\n@data PASV\n@send \"abc\"\n< 226\n\
    @data PASV\n@receive lines \"a\" \"b\"\n@closed\n@alive\n@silent 1ms\n@refused\n@nodata\n@eof\n@read 3\n\
    @stored a \"b\"\n@missing a\n@tls 1.2\n@clear\n@listen\n@connect\n@receive /a/\n@receive hasnot \"*\"\n@receive *";

proptest! {
    #[test]
    fn no_transcript_makes_the_expectation_panic(transcript in any_transcript(), stop in 0..40u32) {
        static SCENARIO: LazyLock<Scenario> = LazyLock::new(|| scenario(EVERYTHING));
        let stop = Stop::TimedOut { line: stop };
        for stop in [None, Some(&stop)] {
            for finding in judged_by(&SCENARIO, stop, &transcript).findings {
                prop_assert!(finding.event <= transcript.events.len());
            }
        }
    }
}

/// The reference server makes no thumbnails: these scenarios are proven on dialogues written by
/// hand. Each line belongs to the step of that number, if any.
fn thumbnails_hold(id: &str, text: &str, dialogue: &[(Option<usize>, String)]) -> bool {
    let scenario = parse(ScenarioId(id.into()), text).expect("the suite is sound");
    let dialogue = dialogue.iter().map(|(step, line)| match step {
        Some(step) => format!("{}:{line}", scenario.steps[*step].line),
        None => line.clone(),
    });
    let dialogue: Vec<String> = dialogue.chain(END.map(String::from)).collect();
    let dialogue: Vec<&str> = dialogue.iter().map(String::as_str).collect();
    let judgement = judged_by(&scenario, None, &transcript(&dialogue));
    judgement.findings.is_empty()
}

/// How they begin: step 0 is the preparation, 1 the port, 2 the command, 3 its reply.
fn asked_for_a_thumbnail(command: &str, answer: &str) -> Vec<(Option<usize>, String)> {
    vec![
        (Some(1), "C: PASV".into()),
        (None, "S: 227 (127,0,0,1,4,1)".into()),
        (Some(2), format!("C: {command}")),
        (Some(3), format!("S: {answer}")),
    ]
}

#[rstest]
#[case::holds("150 Here (67 bytes)", "\\x89PNG\\r\\n\\x1a\\n", true)]
#[case::no_size("150 Here it comes", "\\x89PNG\\r\\n\\x1a\\n", false)]
#[case::no_picture("150 Here (3 bytes)", "red", false)]
#[case::refused("550 That is no picture", "", false)]
fn a_thumbnail_is_a_picture_of_the_announced_size(
    #[case] preliminary: &str,
    #[case] data: &str,
    #[case] holds: bool,
) {
    let text = include_str!("../../../../scenarios/peterson/thmb-sends-an-image.ftpt");
    let mut dialogue = asked_for_a_thumbnail("THMB PNG 2 2 red.png", preliminary);
    dialogue.extend([
        (Some(4), format!("D< {data}")),
        (None, "D.".into()),
        (Some(5), "S: 226 x".into()),
    ]);
    let held = thumbnails_hold("peterson/thmb-sends-an-image", text, &dialogue);
    assert_eq!(held, holds);
}

#[rstest]
#[case::holds("550 That is no picture", true)]
#[case::another_code("451 That is no picture", false)]
#[case::sent("150 Here (0 bytes)", false)]
fn what_is_no_picture_has_no_thumbnail(#[case] answer: &str, #[case] holds: bool) {
    let text = include_str!("../../../../scenarios/peterson/thmb-not-an-image-550.ftpt");
    let dialogue = asked_for_a_thumbnail("THMB PNG 16 16 words.png", answer);
    let held = thumbnails_hold("peterson/thmb-not-an-image-550", text, &dialogue);
    assert_eq!(held, holds);
}
