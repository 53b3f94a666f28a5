use super::*;
use crate::judge::testing::transcript as played;
use crate::transcript::Event;
use proptest::prelude::*;
use rstest::rstest;

/// `VERB code code, VERB code; unasked code`.
fn shown(transcript: &Transcript) -> String {
    let conversations = Conversation::all(transcript);
    assert_eq!(conversations.len(), 1);
    let codes = |replies: &[(usize, Reply)]| -> String {
        replies
            .iter()
            .map(|(_, reply)| format!(" {}", reply.code))
            .collect()
    };
    let exchanges: Vec<String> = conversations[0]
        .exchanges
        .iter()
        .map(|exchange| format!("{}{}", exchange.name(), codes(&exchange.replies)))
        .collect();
    format!(
        "{};{}",
        exchanges.join(", "),
        codes(&conversations[0].unasked)
    )
}

#[rstest]
#[case::plain(&["S: 220 hi", "C: noop", "S: 200 ok"], "greeting 220, NOOP 200;")]
#[case::delayed(&["S: 120 wait", "S: 220 hi"], "greeting 120 220;")]
#[case::transfer(
    &["S: 220 hi", "C: RETR a", "S: 150 x", "S: 226 x"], "greeting 220, RETR 150 226;")]
#[case::pipelined(
    &["S: 220 hi", "C: PWD", "C: NOOP", "S: 257 x", "S: 200 x"],
    "greeting 220, PWD 257, NOOP 200;")]
#[case::aborted(
    &["S: 220 hi", "C: RETR a", "S: 150 x", "C: ABOR", "S: 426 x", "S: 226 x"],
    "greeting 220, RETR 150 426, ABOR 226;")]
#[case::abort_after_the_end(
    &["S: 220 hi", "C: RETR a", "S: 150 x", "C: ABOR", "S: 226 x", "S: 225 x"],
    "greeting 220, RETR 150 226, ABOR 225;")]
#[case::abort_without_reply_of_its_own(
    &["S: 220 hi", "C: RETR a", "S: 150 x", "C: ABOR", "S: 226 x", "C: NOOP", "S: 200 x"],
    "greeting 220, RETR 150 226, ABOR, NOOP 200;")]
#[case::status_in_transfer(
    &["S: 220 hi", "C: RETR a", "S: 150 x", "C: STAT", "S: 213 x", "S: 226 x"],
    "greeting 220, RETR 150 226, STAT 213;")]
#[case::unasked(&["S: 220 hi", "S: 200 x", "C: NOOP", "S: 200 x"],
    "greeting 220, NOOP 200; 200")]
#[case::unanswered(&["S: 220 hi", "C: NOOP"], "greeting 220, NOOP;")]
fn replies_are_paired_with_the_command_they_answer(
    #[case] dialogue: &[&str],
    #[case] expected: &str,
) {
    assert_eq!(shown(&played(dialogue)), expected);
}

#[test]
fn after_a_reply_that_did_not_come_in_time_nothing_is_certain() {
    let mut transcript = played(&["S: 220 hi", "C: NOOP"]);
    let late = played(&["S: 200 late", "C: PWD", "S: 257 x"]).events;
    let what = EventKind::Silence {
        waited_ms: 5,
        awaited: Awaited::Reply,
    };
    let silence = Event {
        what,
        ..transcript.events[0].clone()
    };
    transcript.events.push(silence);
    transcript.events.extend(late.into_iter().skip(1));
    let conversations = Conversation::all(&transcript);
    let whole: Vec<bool> = conversations[0]
        .exchanges
        .iter()
        .map(Exchange::is_whole)
        .collect();
    assert_eq!(whole, [true, false, false]);
}

#[test]
fn telnet_signals_before_abor_are_no_part_of_the_verb() {
    let mut transcript = played(&["S: 220 hi"]);
    let octets = b"\xff\xf4\xff\xf2ABOR\r\n".to_vec();
    transcript
        .events
        .push(Event::at_line(2, EventKind::FromClient { octets }));
    assert_eq!(shown(&transcript), "greeting 220, ABOR;");
}

#[test]
fn an_answer_to_half_a_line_is_shown_and_not_judged() {
    let transcript = played(&["S: 220 hi", "C! NOOP\\n", "S: 200 ok"]);
    let conversations = Conversation::all(&transcript);
    let exchange = &conversations[0].exchanges[1];
    assert!(exchange.irregular && !exchange.is_whole());
    assert_eq!(exchange.replies.len(), 1);
}

#[test]
fn an_alert_where_the_handshake_belongs_is_no_reply() {
    let mut transcript = played(&["S: 220 hi", "C: AUTH TLS", "S: 234 go", "C: no handshake"]);
    transcript.events.push(Event::at_line(
        0,
        EventKind::from_server(vec![0x15, 3, 3, 0, 2, 2, 0x32]),
    ));
    let conversations = Conversation::all(&transcript);
    let replies: Vec<_> = conversations[0]
        .every_reply()
        .map(|(_, reply)| reply.code)
        .collect();
    assert_eq!(replies, [220, 234]);
}

#[test]
fn what_was_sent_before_the_handshake_waits_for_nothing_after_it() {
    let mut transcript = played(&["S: 220 hi", "C: AUTH TLS", "C: NOOP", "S: 234 go"]);
    let facts = crate::transcript::TlsFacts {
        data: false,
        version: "TLS 1.3".into(),
        suite: String::new(),
        resumed: false,
        certificate: None,
    };
    let mut add = |what| {
        transcript.events.push(Event::at_line(2, what));
    };
    add(EventKind::TlsEstablished(facts));
    add(EventKind::from_client(b"PWD\r\n"));
    add(EventKind::from_server(b"257 x\r\n"));
    assert_eq!(shown(&transcript), "greeting 220, AUTH 234, NOOP, PWD 257;");
}

proptest! {
    #[test]
    fn every_reply_stays_visible(
        sent in proptest::collection::vec(proptest::option::of(
            proptest::sample::select(vec!["NOOP", "RETR a", "ABOR", "STAT"])), 0..12),
        codes in proptest::collection::vec(
            proptest::sample::select(vec!["S: 150 x", "S: 226 x", "S: 200 x", "S: 426 x"]), 12),
    ) {
        let sent: Vec<Option<String>> =
            sent.into_iter().map(|s| s.map(|s| format!("C: {s}"))).collect();
        let mut dialogue = Vec::new();
        let mut received = 0;
        for (line, code) in sent.iter().zip(&codes) {
            match line {
                Some(line) => dialogue.push(line.as_str()),
                None => {
                    dialogue.push(code);
                    received += 1;
                }
            }
        }
        let conversations = Conversation::all(&played(&dialogue));
        prop_assert_eq!(conversations[0].every_reply().count(), received);
    }
}

#[rstest]
#[case::implicit(&[], "greeting 220, NOOP 200;")]
#[case::injected(&["C: NOOP"], "greeting, NOOP, NOOP 220; 200")]
fn a_greeting_may_come_after_the_handshake_if_nothing_was_said_before(
    #[case] before: &[&str],
    #[case] paired: &str,
) {
    let mut transcript = played(before);
    let facts = crate::transcript::TlsFacts {
        data: false,
        version: "TLS 1.3".into(),
        suite: String::new(),
        resumed: false,
        certificate: None,
    };
    transcript.events.push(Event {
        what: EventKind::TlsEstablished(facts),
        ..transcript.events[0].clone()
    });
    let after = played(&["C: NOOP", "S: 220 hi", "S: 200 ok"]).events;
    let order = if before.is_empty() {
        [2, 1, 3]
    } else {
        [1, 2, 3]
    };
    transcript
        .events
        .extend(order.into_iter().map(|at| after[at].clone()));
    assert_eq!(shown(&transcript), paired);
}
