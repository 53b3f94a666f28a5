//! Recordings made by hand, decided by the matcher, compared, and played from both sides.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::net::Ipv4Addr;
use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;

use super::compare::{Played, Strictness, Subject, compare};
use super::dialogue::Session;
use super::matcher::{Cast, Decision, Matcher};
use super::player::{Credentials, Playback, play};
use super::server::{Settings, StandIn, Unexpected};
use crate::subject::Target;
use crate::transcript::{
    Channel, CloseKind, Command, Connection, DataMode, End, Event, EventKind, Leg, Side, Transcript,
};

/// Writes a transcript of a client.
#[derive(Debug, Default)]
struct Script {
    events: Vec<Event>,
    data: u32,
}

impl Script {
    fn new() -> Self {
        let mut script = Self::default();
        script.add(EventKind::Connected {
            local: "127.0.0.1:1".into(),
            peer: "127.0.0.1:21".into(),
        });
        script.reply("220 ready\r\n");
        script
    }

    fn add(&mut self, what: EventKind) {
        let channel = match &what {
            EventKind::DataOpened { .. }
            | EventKind::DataFromClient { .. }
            | EventKind::DataFromServer { .. }
            | EventKind::DataClosed(_) => Channel::Data(self.data),
            _ => Channel::Control,
        };
        self.events.push(Event {
            at: self.events.len() as u64,
            connection: Connection::main(),
            channel,
            line: 0,
            what,
        });
    }

    fn command(&mut self, line: &str) {
        let octets = format!("{line}\r\n").into_bytes();
        self.add(EventKind::FromClient { octets });
    }

    fn reply(&mut self, reply: &str) {
        self.add(EventKind::FromServer {
            octets: reply.into(),
        });
    }

    /// A command and its reply.
    fn exchange(&mut self, line: &str, reply: &str) {
        self.command(line);
        self.reply(&format!("{reply}\r\n"));
    }

    fn closed(&mut self, by: Side) {
        let how = CloseKind::Clean;
        self.add(EventKind::DataClosed(End { by, how }));
    }

    fn transfer(&mut self, line: &str, octets: &[u8], mode: DataMode) {
        match mode {
            DataMode::Pasv => self.exchange("PASV", "227 Passive (127,0,0,1,4,5)."),
            DataMode::Epsv => self.exchange("EPSV", "229 Extended (|||1029|)"),
            DataMode::Port => self.exchange("PORT 127,0,0,1,4,5", "200 ok"),
            DataMode::Eprt => self.exchange("EPRT |1|127.0.0.1|1029|", "200 ok"),
        }
        self.command(line);
        self.reply("150 here\r\n");
        self.data += 1;
        let (local, peer) = (String::new(), String::new());
        self.add(EventKind::DataOpened { mode, local, peer });
        let octets = octets.to_vec().into();
        if line.starts_with("STOR") {
            self.add(EventKind::DataFromClient { octets });
            self.closed(Side::Client);
            self.closed(Side::Server);
        } else {
            self.add(EventKind::DataFromServer { octets });
            self.closed(Side::Server);
            self.closed(Side::Client);
        }
        self.reply("226 done\r\n");
    }

    fn sessions(mut self) -> Vec<Session> {
        self.exchange("QUIT", "221 bye");
        let (by, how) = (Side::Server, CloseKind::Clean);
        self.add(EventKind::Closed(End { by, how }));
        Session::all(
            &Transcript {
                events: self.events,
                ..Transcript::default()
            },
            Leg::Server,
        )
    }
}

/// A session with these commands and their replies; `data:` is the data of a download or upload.
fn session(exchanges: &[(&str, &str)]) -> Session {
    let mut script = Script::new();
    for (line, reply) in exchanges {
        match reply.strip_prefix("data:") {
            Some(octets) => script.transfer(line, octets.as_bytes(), DataMode::Epsv),
            None => script.exchange(line, reply),
        }
    }
    script.sessions().remove(0)
}

/// What the matcher decides for each of these commands: the first line of the reply, or `no`.
fn decided(matcher: &mut Matcher, lines: &[&str]) -> Vec<String> {
    let decide = |line: &&str| {
        let decision = matcher.decide(&Command::of_line(line.as_bytes()));
        shown(&decision)
    };
    lines.iter().map(decide).collect()
}

fn shown(decision: &Decision) -> String {
    match decision {
        Decision::Play(line) => {
            let reply = line.completion().map(|reply| reply.lines[0].clone());
            let data = line.transfer.as_ref().map(|it| it.from_server.to_vec());
            let data = data.filter(|data| !data.is_empty());
            String::from_utf8(data.or(reply).unwrap()).unwrap()
        }
        Decision::Prepare(_) => "port".into(),
        Decision::Reply(text) => text.clone(),
        Decision::Refuse(..) => "no".into(),
    }
}

const LOGIN: [(&str, &str); 3] = [
    ("USER u", "331 pw"),
    ("PASS <secret>", "230 in"),
    ("TYPE I", "200 I"),
];

/// The recorded commands after the login, those of the client, and what each gets.
#[rstest]
#[case::once_more(&[("RETR a", "data:A")], &["RETR a", "RETR a"], &["A", "A"])]
#[case::other_file(&[("RETR a", "data:A")], &["RETR b"], &["no"])]
#[case::independent(
    &[("RETR a", "data:A"), ("DELE b", "250 x")], &["DELE b", "RETR a"], &["250 x", "A"])]
#[case::dependent(
    &[("RETR a", "data:A"), ("DELE a", "250 x")], &["DELE a", "RETR a"], &["no", "A"])]
#[case::not_again_after_a_change(
    &[("RETR a", "data:A"), ("DELE a", "250 x")], &["RETR a", "DELE a", "RETR a"],
    &["A", "250 x", "no"])]
#[case::a_listing_shows_what_is_below(
    &[("LIST d", "data:L"), ("MKD d/e", "257 e")], &["MKD d/e"], &["no"])]
#[case::renamed_in_order(
    &[("RNFR a", "350 x"), ("RNTO b", "250 y")], &["RNTO b", "RNFR a", "RNTO b"],
    &["no", "350 x", "250 y"])]
#[case::answers_of_the_right_time(
    &[("SIZE a", "550 no"), ("STOR a", "data:A"), ("SIZE a", "213 1")],
    &["STOR a", "SIZE a"], &["226 done", "213 1"])]
#[case::answers_before_and_after(
    &[("SIZE a", "550 no"), ("STOR a", "data:A"), ("SIZE a", "213 1")],
    &["SIZE a", "SIZE a", "STOR a", "SIZE a"], &["550 no", "550 no", "226 done", "213 1"])]
#[case::an_offset_within_a_whole_file(
    &[("RETR a", "data:ABCDEF")], &["REST 4", "RETR a"],
    &["350 The next transfer begins at octet 4.", "EF"])]
#[case::an_offset_of_which_only_the_end_is_known(
    &[("REST 4", "350 r"), ("RETR a", "data:EF")], &["RETR a", "REST 5", "RETR a"],
    &["no", "350 The next transfer begins at octet 5.", "F"])]
#[case::an_upload_from_another_offset(
    &[("REST 4", "350 r"), ("STOR a", "data:EF")], &["STOR a"], &["no"])]
#[case::moved(
    &[("CWD d", "250 d"), ("RETR a", "data:A")], &["CWD /d", "CDUP", "RETR ../d/a"],
    &["250 d", "no", "A"])]
#[case::a_known_directory(
    &[("PWD", "257 \"/h\" x"), ("CWD d", "250 d")], &["CWD d", "PWD"],
    &["250 d", "257 \"/h/d\" is the current directory."])]
#[case::any_port(
    &[("LIST", "data:L")], &["PASV", "PORT 127,0,0,1,1,1", "EPRT |1|127.0.0.1|9|", "LIST"],
    &["port", "port", "port", "L"])]
#[case::unknown_things(
    &[("FEAT", "211 f")], &["SYST", "FEAT", "FEAT", "NOOP", "XYZZY"],
    &["no", "211 f", "211 f", "200 NOOP done.", "no"])]
#[case::other_names_of_verbs(&[("MKD d", "257 d")], &["XMKD d"], &["257 d"])]
#[case::in_its_place(
    &[("SITE x", "200 x"), ("RETR a", "data:A")], &["RETR a", "SITE x", "RETR a"],
    &["no", "200 x", "A"])]
#[case::a_refused_login(
    &[("REIN", "220 again"), ("USER v", "331 pw"), ("PASS <secret>", "530 no")],
    &["REIN", "USER w", "PASS x"], &["220 again", "331 pw", "530 no"])]
fn a_client_may_leave_the_order_as_far_as_the_result_is_the_same(
    #[case] recorded: &[(&str, &str)],
    #[case] lines: &[&str],
    #[case] expected: &[&str],
) {
    let mut matcher = Matcher::new(1, &session(&[&LOGIN, recorded].concat()));
    decided(&mut matcher, &["USER x", "PASS y", "TYPE I"]);
    assert_eq!(decided(&mut matcher, lines), expected);
}

#[test]
fn nothing_is_done_of_a_command_that_is_refused() {
    let recorded = session(&[&LOGIN[..], &[("STOR a", "data:A"), ("RETR a", "data:A")]].concat());
    let mut matcher = Matcher::new(1, &recorded);
    assert_eq!(decided(&mut matcher, &["STOR a"]), ["no"]);
    let missing: Vec<_> = matcher.missing().iter().map(|line| &line.shown).collect();
    assert_eq!(missing, ["USER u", "PASS <secret>", "STOR a", "RETR a"]);
}

#[test]
fn a_client_may_do_what_another_session_has() {
    let of = |name: &str| session(&[&LOGIN[..], &[(name, "data:A")]].concat());
    let mut cast = Cast::new(&[of("RETR a"), of("RETR b"), of("RETR c")]);
    let decide = |cast: &mut Cast, client, line: &str| {
        shown(
            &cast
                .decide(client, &Command::of_line(line.as_bytes()))
                .unwrap(),
        )
    };
    // Two clients do the work of three sessions.
    for client in [1, 2] {
        assert!(cast.join(client).is_some());
        for line in ["USER x", "PASS y", "TYPE I"] {
            assert_ne!(decide(&mut cast, client, line), "no");
        }
    }
    for (client, line) in [(1, "RETR b"), (1, "RETR c"), (2, "RETR a")] {
        assert_eq!(decide(&mut cast, client, line), "A", "{line}");
    }
    assert_eq!(decide(&mut cast, 2, "RETR d"), "no");
    let problems: Vec<_> = cast.deviations().into_iter().map(|it| it.problem).collect();
    assert_eq!(problems[0], "the recording does not have this command here");
}

/// What was played instead of a recorded NOOP or RETR, and what the comparison finds.
#[rstest]
#[case(&[("NOOP", "200 one")], &[("NOOP", "200 two")], Strictness::Codes, &[])]
#[case(&[("NOOP", "200 one")], &[("NOOP", "200 two")], Strictness::Text, &[Subject::Replies])]
#[case(&[("NOOP", "200 1.2.3.4")], &[("NOOP", "200 1.2.3.5")], Strictness::Text, &[])]
#[case(&[("NOOP", "200 1.2.3.4")], &[("NOOP", "200 1.2.3.5")], Strictness::Exact, &[Subject::Replies])]
#[case(&[("NOOP", "200 one")], &[("NOOP", "250 one")], Strictness::Codes, &[Subject::Replies])]
#[case(&[("NOOP", "200 a")], &[("NOOP", "200 a\r\n200 b")], Strictness::Codes, &[Subject::Unasked])]
#[case(&[("RETR a", "data:A")], &[("RETR a", "data:B")], Strictness::Codes, &[Subject::Data])]
#[case(&[("RETR a", "data:A")], &[("RETR a", "550 no")], Strictness::Codes,
    &[Subject::Replies, Subject::DataConnection])]
#[case(&[("NLST", "data:a\r\nb\r\n")], &[("NLST", "data:b\r\na\r\n")], Strictness::Codes, &[])]
#[case(&[("NLST", "data:a\r\nb\r\n")], &[("NLST", "data:b\r\na\r\n")], Strictness::Exact, &[Subject::Data])]
#[case(&[("NLST", "data:a\r\nb\r\n")], &[("NLST", "data:b\r\n")], Strictness::Codes, &[Subject::Data])]
fn differences_are_found_as_strictly_as_asked(
    #[case] recorded: &[(&str, &str)],
    #[case] live: &[(&str, &str)],
    #[case] strictness: Strictness,
    #[case] expected: &[Subject],
) {
    let recorded = session(recorded);
    let mut live = session(live);
    // Live transfers have the numbers of the recorded ones, and the same exchanges.
    if live.exchanges.len() < recorded.exchanges.len() {
        let port = recorded.exchanges[1].clone();
        live.exchanges.insert(1, port);
    }
    let played = Played {
        session: live,
        ..Played::default()
    };
    let found = compare(1, &recorded, &played, strictness);
    let subjects: Vec<_> = found.iter().map(|it| it.subject).collect();
    assert_eq!(subjects, expected, "{found:?}");
}

/// Something a session may have.
#[derive(Debug, Clone)]
enum Step {
    Command(u8, String),
    Transfer(bool, u8, Vec<u8>, DataMode),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let mode = prop_oneof![
        Just(DataMode::Pasv),
        Just(DataMode::Epsv),
        Just(DataMode::Port),
        Just(DataMode::Eprt)
    ];
    let octets = proptest::collection::vec(any::<u8>(), 0..3000);
    let step = prop_oneof![
        (any::<u8>(), "[ -~]{0,40}").prop_map(|(which, text)| Step::Command(which, text)),
        (any::<bool>(), any::<u8>(), octets, mode)
            .prop_map(|(up, name, octets, mode)| Step::Transfer(up, name, octets, mode)),
    ];
    proptest::collection::vec(step, 0..12)
}

/// Plays a recording against a stand-in for its own server.
async fn played_to_itself(sessions: &[Session]) {
    let settings = Settings {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        unexpected: Unexpected::Refuse,
        patience: Duration::from_secs(20),
        recorded_pace: false,
    };
    let server = StandIn::start(sessions, settings).unwrap();
    let target = Target::at("127.0.0.1", vec![server.address()]);
    let playback = Playback {
        credentials: Credentials {
            password: Some("x".into()),
            ..Credentials::default()
        },
        patience: Duration::from_secs(20),
        recorded_pace: false,
    };
    let played = play(sessions, &target, &playback).await.unwrap();
    let deviations = server.finish(Duration::from_secs(20)).await;
    assert_eq!(deviations, []);
    for (recorded, played) in sessions.iter().zip(&played) {
        assert_eq!(compare(1, recorded, played, Strictness::Exact), []);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_recording_that_is_played_to_itself_is_equal(steps in steps()) {
        let mut script = Script::new();
        for (line, reply) in LOGIN {
            script.exchange(line, reply);
        }
        for step in steps {
            match step {
                Step::Command(which, text) => {
                    let verb = ["NOOP", "SYST", "FEAT", "SITE x", "MKD a", "RMD a", "STAT", "HELP"];
                    let reply = match which % 3 {
                        0 => format!("200 {text}"),
                        1 => format!("211-{text}\r\n {text}\r\n211 end"),
                        _ => format!("500 {text}"),
                    };
                    script.exchange(verb[usize::from(which) % verb.len()], &reply);
                }
                Step::Transfer(up, name, octets, mode) => {
                    let verb = if up { "STOR" } else { "RETR" };
                    script.transfer(&format!("{verb} f{}", name % 4), &octets, mode);
                }
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(played_to_itself(&script.sessions()));
    }
}
