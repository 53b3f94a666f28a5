//! Transcripts for tests, written as dialogues.

use super::{Context, Judge};
use crate::catalogue::Registry;
use crate::scenario::{Connection, DataMode, Level, new_turn};
use crate::transcript::{
    Awaited, CloseKind, Conversation, End, Event, EventKind, ObservationKind, Side, TlsFacts,
    Transcript, unescape,
};
use crate::verdict::Finding;
use proptest::prelude::*;

/// A transcript with an open control connection, from lines of a dialogue. Escapes as in
/// transcripts.
///
/// `C: ` and `S: ` are lines (CRLF added, ` / ` parts a reply's lines), `C! ` and `S! ` raw octets,
/// `D< ` octets from the server's data connection, `D.` its clean end, `D. cut` one without
/// close_notify, `tls x` and `data tls x` a handshake in which the server shows the certificate
/// `x`, `port from` and `pasv from` with an address an established data connection, `silence` a
/// reply that did not come, `closed` the server's end of the control connection (`closed cut`
/// without close_notify, `closed reset` by RST); `turn` begins a turn of a `@repeat`. A number
/// before a colon, as in `7:C: NOOP`, is the line of the scenario; it stays until the next.
pub(crate) fn transcript(dialogue: &[&str]) -> Transcript {
    let mut transcript = Transcript::default();
    let mut line = 0;
    let connected = EventKind::Connected {
        local: "127.0.0.1:40000".into(),
        peer: "127.0.0.1:2121".into(),
    };
    let mut add = |line, what| {
        transcript.events.push(Event::at_line(line, what));
    };
    add(line, connected);
    for statement in dialogue {
        let mut rest = *statement;
        if let Some((number, behind)) = rest.split_once(':')
            && let Ok(number) = number.parse()
        {
            line = number;
            rest = behind;
        }
        add(line, what(rest));
    }
    transcript
}

fn what(statement: &str) -> EventKind {
    let octets = |text: &str| unescape(text).expect("a test writes whole escapes");
    let lines = |text: &str| octets(&format!("{}\\r\\n", text.replace(" / ", "\\r\\n")));
    let end = End {
        by: Side::Server,
        how: CloseKind::Clean,
    };
    match statement.split_at(statement.len().min(3)) {
        ("C: ", text) => EventKind::from_client(lines(text)),
        ("S: ", text) => EventKind::from_server(lines(text)),
        ("C! ", text) => EventKind::from_client(octets(text)),
        ("S! ", text) => EventKind::from_server(octets(text)),
        ("D< ", text) => EventKind::DataFromServer {
            octets: octets(text).into(),
        },
        ("D> ", text) => EventKind::DataFromClient {
            octets: octets(text).into(),
        },
        ("D.", "") => EventKind::DataClosed(end),
        _ => match statement {
            "turn" => new_turn(1),
            "silence" => EventKind::Silence {
                waited_ms: 5000,
                awaited: Awaited::Reply,
            },
            "quiet" => EventKind::Silence {
                waited_ms: 200,
                awaited: Awaited::Nothing,
            },
            "closed" => EventKind::Closed(end),
            "closed cut" => EventKind::Closed(End {
                how: CloseKind::NoCloseNotify,
                ..end
            }),
            "closed reset" => EventKind::Closed(End {
                how: CloseKind::Reset,
                ..end
            }),
            "D. cut" => EventKind::DataClosed(End {
                how: CloseKind::NoCloseNotify,
                ..end
            }),
            tls if tls.starts_with("tls ") || tls.starts_with("data tls ") => {
                let certificate = tls.rsplit(' ').next().filter(|it| !it.is_empty());
                EventKind::TlsEstablished(TlsFacts {
                    data: tls.starts_with("data "),
                    version: "TLS 1.3".into(),
                    suite: String::new(),
                    resumed: false,
                    certificate: certificate.map(str::to_owned),
                })
            }
            other if other.contains(" from ") => {
                let (mode, peer) = other.split_once(" from ").expect("just looked at");
                EventKind::DataOpened {
                    mode: if mode == "port" {
                        DataMode::Port
                    } else {
                        DataMode::Pasv
                    },
                    local: "127.0.0.1:40001".into(),
                    peer: peer.into(),
                }
            }
            other => panic!("`{other}` is no statement of a test dialogue"),
        },
    }
}

/// The findings of one judge in a dialogue.
pub(super) fn findings(judge: &Judge, dialogue: &[&str]) -> Vec<Finding> {
    let transcript = transcript(dialogue);
    let conversations = Conversation::all(&transcript);
    let registry = Registry::built_in();
    judge.findings(&Context {
        transcript: &transcript,
        conversations: &conversations,
        registry,
    })
}

/// The levels of what one judge finds, for tables.
pub(super) fn levels(judge: &Judge, dialogue: &[&str]) -> Vec<Level> {
    findings(judge, dialogue)
        .into_iter()
        .map(|finding| finding.level)
        .collect()
}

/// Any transcript, with what judges look for in it more often than chance would have it.
pub(super) fn any_transcript() -> impl Strategy<Value = Transcript> {
    let sent = proptest::sample::select(vec![
        "NOOP\r\n",
        "RETR a\r\n",
        "MLSD\r\n",
        "MLST a\r\n",
        "FEAT\r\n",
        "PASV\r\n",
        "EPSV\r\n",
        "PWD\r\n",
        "MKD a\r\n",
        "SIZE a\r\n",
        "MDTM a\r\n",
        "ABOR\r\n",
        "STAT\r\n",
        "NO",
        "\n",
        "\u{ff}\r\n",
    ]);
    let received = proptest::sample::select(vec![
        "200 ok\r\n",
        "150 go\r\n",
        "226 done\r\n",
        "213 12\r\n",
        "213 20240101000000\r\n",
        "211-Feat\r\n REST STREAM\r\n",
        "211 End\r\n",
        "250-a\r\n type=file;size=1; a\r\n250 End\r\n",
        "227 (1,2,3,4,5,6)\r\n",
        "229 (|||7|)\r\n",
        "229 (",
        "257 \"a\"\r\n",
        "257 \"",
        "999\r\n",
        "\r\n",
        "\r",
        "227 999,1,1,1,1,1\r\n",
        "\u{e9}",
    ]);
    let data = proptest::sample::select(vec![
        "type=file; a\r\n",
        "size=x; a\r\n",
        " \r\n",
        "\n",
        "=;= ",
    ]);
    let octets = || proptest::collection::vec(any::<u8>(), 0..24);
    let end = (any::<bool>(), 0..3u8).prop_map(|(us, how)| End {
        by: if us { Side::Client } else { Side::Server },
        how: [CloseKind::Clean, CloseKind::NoCloseNotify, CloseKind::Reset][usize::from(how)],
    });
    let what = prop_oneof![
        1 => Just(EventKind::Connected { local: "x".into(), peer: "[::1]:1".into() }),
        5 => sent.prop_map(|text| EventKind::FromClient { octets: text.into() }),
        5 => received.prop_map(|text| EventKind::FromServer { octets: text.into() }),
        1 => octets().prop_map(|octets| EventKind::FromClient { octets }),
        1 => octets().prop_map(|octets| EventKind::FromServer { octets }),
        2 => data.prop_map(|text| EventKind::DataFromServer { octets: text.into() }),
        1 => octets().prop_map(|octets| EventKind::DataFromServer { octets: octets.into() }),
        1 => end.clone().prop_map(EventKind::DataClosed),
        1 => end.prop_map(EventKind::Closed),
        1 => (octets(), any::<bool>())
            .prop_map(|(octets, ok)| EventKind::Observed { kind: ObservationKind::UserStep, fact: "fact".into(), octets: octets.into(), ok }),
        1 => Just(EventKind::Silence { waited_ms: 1, awaited: Awaited::Reply }),
        1 => Just(EventKind::TlsEnded { clean: false }),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(data, one)| EventKind::TlsEstablished(TlsFacts {
            data,
            version: "TLS 1.3".into(),
            suite: String::new(),
            resumed: false,
            certificate: Some(if one { "aa" } else { "bb" }.into()),
        })),
    ];
    let event = (what, 0..30u32, any::<bool>()).prop_map(|(what, line, main)| Event {
        at: 0,
        channel: crate::transcript::Channel::Control,
        connection: if main {
            Connection::main()
        } else {
            Connection("B".into())
        },
        line,
        what,
    });
    proptest::collection::vec(event, 0..40).prop_map(|events| Transcript {
        events,
        ..Transcript::default()
    })
}

proptest! {
    #[test]
    fn no_transcript_makes_a_judge_panic(transcript in any_transcript()) {
        let conversations = Conversation::all(&transcript);
        let registry = Registry::built_in();
        let context = Context { transcript: &transcript, conversations: &conversations, registry };
        for finding in super::JUDGES.iter().flat_map(|judge| judge.findings(&context)) {
            prop_assert!(finding.event < transcript.events.len());
        }
    }
}
