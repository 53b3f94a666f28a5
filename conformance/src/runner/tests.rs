//! The player against correct and faulty servers.

use std::time::{Duration, Instant};

use rstest::rstest;

use super::testing::{Do, FIRST, Fake, at_once, job, play_options};
use super::{Played, RunEvent, Stop, play, run_all};
use crate::scenario::Connection;
use crate::subject::Unmanaged;
use crate::transcript::{Awaited, CloseKind as How, Event, EventKind, Side};

const DIRECTORY: &str = "ftpspec-t-0000";

fn on<'a>(played: &'a Played, connection: &str, line: u32) -> Vec<&'a EventKind> {
    let is = |event: &&Event| event.connection.0 == connection && event.line == line;
    played
        .transcript
        .events
        .iter()
        .filter(is)
        .map(|event| &event.what)
        .collect()
}

fn received(octets: &str) -> EventKind {
    EventKind::from_server(octets)
}

fn sent(octets: &str) -> EventKind {
    EventKind::from_client(octets)
}

#[tokio::test]
async fn a_dialogue_is_played_to_its_end_and_cleaned_up() {
    let server = Fake::start(|_| None).await;
    let dialogue = "@given in.txt \"abc\"\n@given sub/\n@data\n> RETR in.txt\n< 150\n@receive \"abc\"\n< 226\n\
        @data\n> STOR sub/out.txt\n< 150\n@send \"xyz\"\n< 226\n@stored sub/out.txt \"xyz\"\n@missing nothing";
    for variant in ["pasv", "port"] {
        let played = server.play(variant, "", dialogue).await;
        assert_eq!(played.stop, None, "{variant}: {:#?}", played.transcript);
        let stored = on(&played, "runner", FIRST + 12);
        assert!(
            matches!(stored.last(), Some(EventKind::Observed { octets, ok: true, .. }) if *octets == "xyz".into())
        );
        assert!(server.has().is_empty(), "{:?}", server.has());
        assert_eq!(played.transcript.variables["dir"], format!("/{DIRECTORY}"));
    }
}

#[tokio::test]
async fn repeated_statements_are_played_once_in_each_turn() {
    let server = Fake::start(|_| None).await;
    let dialogue = "@repeat 2\n@given a${turn}.txt \"abc\"\n> SYST\n< 215 ${system}\n@end\n@repeat 3\n@put b${turn}.txt \"x\"\n@end";
    let played = server.play("pasv", "", dialogue).await;
    assert_eq!(played.stop, None, "{:#?}", played.transcript);
    let heard = played.transcript.events.iter();
    let heard = heard.filter_map(|event| match &event.what {
        EventKind::FromClient { octets } => {
            Some(String::from_utf8_lossy(octets).trim_end().to_owned())
        }
        _ => None,
    });
    let heard: Vec<_> = heard
        .filter(|line| line.starts_with("STOR") || line.starts_with("SYST"))
        .collect();
    let wanted = [
        "STOR a1.txt",
        "STOR a2.txt",
        "SYST",
        "SYST",
        "STOR b1.txt",
        "STOR b2.txt",
        "STOR b3.txt",
    ];
    assert_eq!(heard, wanted);
    assert_eq!(
        super::names::made_by_users(&played.job.scenario),
        [b"b3.txt", b"b2.txt", b"b1.txt"]
    );
    assert!(server.has().is_empty(), "{:?}", server.has());
}

#[tokio::test]
async fn silence_does_not_count_towards_the_deadline() {
    let server = Fake::start(|_| None).await;
    let mut options = play_options();
    options.deadline = Duration::from_millis(300);
    let job = job("pasv", "", "@repeat 2\n@silent 250ms\n@end\n> SYST\n< 215");
    assert_eq!(play(job, &server.target, &options).await.stop, None);
}

#[tokio::test]
async fn every_turn_of_every_statement_adds_to_the_deadline() {
    let server = Fake::start(|_| None).await;
    let mut options = play_options();
    options.deadline = Duration::ZERO;
    options.timeouts.statement = Duration::from_millis(500);
    let slow = job("pasv", "", "@repeat 40\n> SYST\n< 215\n@end");
    assert_eq!(play(slow, &server.target, &options).await.stop, None);
}

#[tokio::test]
async fn login_and_end_have_no_line_number() {
    let server = Fake::start(|_| None).await;
    let played = server.play("pasv", "", "> SYST\n< 215").await;
    assert_eq!(on(&played, "main", FIRST), [&sent("SYST\r\n")]);
    assert_eq!(
        on(&played, "main", FIRST + 1),
        [&received("215 UNIX Type: L8\r\n")]
    );
    let own = on(&played, "main", 0);
    assert!(own.contains(&&sent("USER anonymous\r\n")));
    assert!(own.contains(&&sent(&format!("CWD /{DIRECTORY}\r\n"))));
    assert!(own.contains(&&sent(&format!("RMD {DIRECTORY}-marker-1\r\n"))));
    let end: Vec<_> = own[own.len() - 5..].to_vec();
    assert_eq!(
        end[..4],
        [
            &sent("NOOP\r\n"),
            &received("200 ok\r\n"),
            &sent("QUIT\r\n"),
            &received("221 bye\r\n")
        ]
    );
    assert!(matches!(end[4], EventKind::Closed(end) if end.by == Side::Server));
}

#[tokio::test]
async fn a_reply_in_single_octets_is_one_reply() {
    let rule = |line: &str| (line == "SYST").then(|| vec![Do::Bytewise("215-a\r\n215 b\r\n")]);
    let server = Fake::start(rule).await;
    let played = server.play("pasv", "", "> SYST\n< 215").await;
    assert_eq!(played.stop, None);
    assert_eq!(
        on(&played, "main", FIRST + 1),
        [&received("215-a\r\n215 b\r\n")]
    );
}

#[tokio::test]
async fn an_extra_reply_is_taken_by_the_next_expectation() {
    let rule = |line: &str| (line == "SYST").then(|| vec![Do::Say("215 a\r\n250 b\r\n")]);
    let server = Fake::start(rule).await;
    let played = server
        .play("pasv", "", "> SYST\n< 215\n> NOOP\n< 2yz")
        .await;
    assert_eq!(on(&played, "main", FIRST + 3), [&received("250 b\r\n")]);
}

#[tokio::test]
async fn an_extra_reply_before_the_end_is_recorded_there() {
    let rule = |line: &str| (line == "SYST").then(|| vec![Do::Say("215 a\r\n200 b\r\n")]);
    let server = Fake::start(rule).await;
    let played = server.play("pasv", "", "> SYST\n< 215").await;
    let own = on(&played, "main", 0);
    let noop = own
        .iter()
        .position(|what| **what == sent("NOOP\r\n"))
        .expect("the barrier");
    let replies = own[noop..]
        .iter()
        .filter(|what| matches!(what, EventKind::FromServer { .. }))
        .count();
    assert_eq!(replies, 3, "{own:#?}");
}

#[tokio::test]
async fn half_a_reply_is_kept_when_the_server_closes() {
    let rule = |line: &str| (line == "SYST").then(|| vec![Do::Say("215-half\r\n21"), Do::Close]);
    let server = Fake::start(rule).await;
    let played = server.play("pasv", "", "> SYST\n< 215").await;
    assert_eq!(played.stop, Some(Stop::ConnectionLost { line: FIRST + 1 }));
    let events = on(&played, "main", FIRST + 1);
    assert_eq!(events[0], &received("215-half\r\n21"));
    assert!(
        matches!(events[1], EventKind::Closed(end) if end.by == Side::Server && end.how == How::Clean)
    );
    assert!(server.has().is_empty(), "clean-up follows whatever happens");
}

#[tokio::test]
async fn a_time_out_ends_the_dialogue_and_clean_up_follows() {
    let server = Fake::start(|line| (line == "SYST").then(Vec::new)).await;
    let began = Instant::now();
    let played = server.play("pasv", "", "> SYST\n< 215").await;
    assert_eq!(played.stop, Some(Stop::TimedOut { line: FIRST + 1 }));
    let silence = EventKind::Silence {
        waited_ms: 1000,
        awaited: Awaited::Reply,
    };
    assert_eq!(on(&played, "main", FIRST + 1), [&silence]);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(server.has().is_empty(), "{:?}", server.has());
}

#[tokio::test]
async fn the_deadline_ends_a_dialogue_that_no_single_time_out_ends() {
    let server = Fake::start(|line| (line == "SYST").then(Vec::new)).await;
    let mut options = play_options();
    options.timeouts.reply = Duration::from_secs(3600);
    options.deadline = Duration::from_secs(2);
    let played = play(job("pasv", "", "> SYST\n< 215"), &server.target, &options).await;
    assert_eq!(played.stop, Some(Stop::TimedOut { line: FIRST + 1 }));
    assert!(server.has().is_empty(), "{:?}", server.has());
}

#[tokio::test]
async fn a_reply_of_another_class_stops_and_another_code_does_not() {
    let dialogue = "> SYST\n< 250\n> NOSUCH\n< 200\n> NOOP\n< 200";
    let server = Fake::start(|_| None).await;
    let played = server.play("pasv", "", dialogue).await;
    assert_eq!(played.stop, Some(Stop::Mismatch { line: FIRST + 3 }));
    assert!(
        !server.heard().contains(&"NOOP".to_owned()),
        "nothing is sent after it"
    );
}

#[tokio::test]
async fn a_captured_value_is_sent_again() {
    let server = Fake::start(|_| None).await;
    let dialogue = "> MKD a\n< 257 \"${made}\"\n> CWD ${made}\n< 250";
    let played = server.play("pasv", "", dialogue).await;
    assert_eq!(played.stop, None);
    let line = format!("CWD /{DIRECTORY}/a\r\n");
    assert_eq!(on(&played, "main", FIRST + 2), [&sent(&line)]);
}

#[rstest]
#[case::outside("192,0,2,1", "192.0.2.1")]
#[case::another_of_the_loopback_network("127,0,0,9", "127.0.0.9")]
#[tokio::test]
async fn a_227_of_another_host_is_not_followed(#[case] host: &'static str, #[case] named: &str) {
    let rule = move |line: &str| (line == "PASV").then(|| vec![Do::Passive(host)]);
    let server = Fake::start(rule).await;
    let dialogue =
        "@given a \"1\"\n@data\n> RETR a\n< 150\n@receive *\n< 226\n> PASV\n< 227\n@connect";
    let played = server.play("pasv", "", dialogue).await;
    assert_eq!(played.stop, None, "{:#?}", played.transcript);
    let events = played.transcript.events.iter();
    let events: Vec<_> = events
        .filter(|event| event.connection == Connection::main())
        .collect();
    let observed = events.iter().filter(|event| {
        matches!(&event.what, EventKind::Observed { fact, ok: true, .. } if fact.contains(named))
    });
    assert_eq!(observed.count(), 2);
    let peers = events.iter().filter_map(|event| match &event.what {
        EventKind::DataOpened { peer, .. } => Some(peer),
        _ => None,
    });
    let peers: Vec<_> = peers.collect();
    assert_eq!(peers.len(), 2);
    assert!(
        peers.iter().all(|peer| peer.starts_with("127.0.0.1:")),
        "{peers:?}"
    );
}

#[tokio::test]
async fn suppaftp_follows_no_227_of_another_host_either() {
    let rule = |line: &str| (line == "PASV").then(|| vec![Do::Passive("127,0,0,9")]);
    let server = Fake::start(rule).await;
    let dialogue = "@put a \"1\"\n@get a \"1\"";
    let job = job("pasv suppaftp", "drivers = [\"suppaftp\"]", dialogue);
    let played = play(job, &server.target, &play_options()).await;
    assert_eq!(played.stop, None, "{:#?}", played.transcript);
}

#[tokio::test]
async fn a_227_without_an_address_ends_the_dialogue() {
    let main_only = |line: &str| (line == "PASV").then(|| vec![Do::Say("227 somewhere\r\n")]);
    let server = Fake::start(main_only).await;
    let played = server.play("pasv", "", "@data\n> NOOP\n< 200").await;
    assert_eq!(played.stop, Some(Stop::Mismatch { line: FIRST }));
    assert!(matches!(
        on(&played, "main", FIRST).last(),
        Some(EventKind::DataFailed { .. })
    ));
}

#[tokio::test]
async fn the_wait_for_a_data_connection_is_limited() {
    let rule = |line: &str| (line == "RETR a").then(|| vec![Do::Say("150 soon\r\n")]);
    let server = Fake::start(rule).await;
    let dialogue = "@data\n> RETR a\n< 150\n@receive *";
    let played = server.play("port", "", dialogue).await;
    assert_eq!(played.stop, Some(Stop::TimedOut { line: FIRST + 3 }));
    let silence = EventKind::Silence {
        waited_ms: 1000,
        awaited: Awaited::DataConnection,
    };
    assert_eq!(on(&played, "main", FIRST + 3), [&silence]);
}

#[tokio::test]
async fn nodata_passes_without_a_data_connection() {
    let server = Fake::start(|_| None).await;
    let dialogue = "@data\n> RETR nothing\n< 550\n@nodata\n> NOOP\n< 200";
    for variant in ["port", "pasv"] {
        let played = server.play(variant, "", dialogue).await;
        assert_eq!(played.stop, None, "{variant}");
        let events = on(&played, "main", FIRST + 3);
        assert!(
            !events
                .iter()
                .any(|what| matches!(what, EventKind::DataFromServer { .. }))
        );
    }
}

#[tokio::test]
async fn a_handshake_that_the_server_refuses_is_recorded_as_failed() {
    let rule = |line: &str| (line == "AUTH TLS").then(|| vec![Do::Say("234 go\r\n"), Do::Close]);
    let server = Fake::start(rule).await;
    let dialogue = "< 220\n> AUTH TLS\n< 234\n@tls";
    let played = server.play("pasv", "login = false", dialogue).await;
    let line = FIRST + 3;
    assert_eq!(played.stop, Some(Stop::Mismatch { line }));
    let events = on(&played, "main", line);
    assert!(
        matches!(events[..], [EventKind::TlsFailed { data: false, .. }]),
        "{events:?}"
    );
}

#[tokio::test]
async fn a_tls_variant_without_auth_tls_lacks_a_prerequisite() {
    let server = Fake::start(|_| None).await;
    let played = server.play("pasv tls", "", "> NOOP\n< 200").await;
    assert!(
        matches!(&played.stop, Some(Stop::Prerequisite(why)) if why.starts_with("AUTH TLS: 502"))
    );
}

#[tokio::test]
async fn a_refused_login_is_a_missing_prerequisite() {
    let rule = |line: &str| {
        line.starts_with("PASS ")
            .then(|| vec![Do::Say("530 no\r\n")])
    };
    let server = Fake::start(rule).await;
    let played = server.play("pasv", "", "> NOOP\n< 200").await;
    let Some(Stop::Prerequisite(why)) = &played.stop else {
        panic!("{:?}", played.stop)
    };
    assert!(why.contains("530"), "{why}");
    assert!(!why.contains(&server.target.password), "{why}");
}

#[rstest]
#[case::up("type=dir; ..\r\n")]
#[case::absolute("type=file; /etc/passwd\r\n")]
#[case::through("type=file; a/../../b\r\n")]
#[case::a_second_command("type=file; a\nDELE /b\r\n")]
#[tokio::test]
async fn clean_up_ignores_names_that_lead_elsewhere(#[case] listing: &'static str) {
    let rule = move |line: &str| match line {
        "MLSD" | "LIST" | "LIST -a" | "NLST" => Some(vec![Do::Data(listing)]),
        _ => None,
    };
    let server = Fake::start(rule).await;
    server.play("pasv", "", "> MKD a\n< 257").await;
    for line in server.heard() {
        if let Some((_, name)) = line
            .split_once(' ')
            .filter(|(verb, _)| matches!(*verb, "DELE" | "RMD"))
        {
            let name = name.strip_prefix(&format!("{DIRECTORY}/")).unwrap_or(name);
            assert!(!name.contains('/') && name != "..", "{line}");
        }
    }
}

#[tokio::test]
async fn clean_up_enters_no_directory_that_the_run_did_not_create() {
    // `out` may be a link to anywhere, which the server shows as a directory.
    let rule = |line: &str| match line.split_once('/') {
        None if line.starts_with("RMD ftpspec-") && !line.contains("-marker-") => {
            Some(vec![Do::Say("550 full\r\n")])
        }
        Some(("DELE ftpspec-t-0000" | "RMD ftpspec-t-0000", "out")) => {
            Some(vec![Do::Say("550 no\r\n")])
        }
        _ if line.starts_with("MLSD") => Some(vec![Do::Data("type=dir; out\r\n")]),
        _ => None,
    };
    let server = Fake::start(rule).await;
    let played = server.play("pasv", "", "> MKD a\n< 257").await;
    let heard = server.heard();
    assert!(
        heard.contains(&"RMD ftpspec-t-0000/out".to_owned()),
        "{heard:?}"
    );
    assert!(!heard.iter().any(|line| line.contains("out/")), "{heard:?}");
    let left = on(&played, &Connection::runner().0, 0);
    assert!(
        left.iter()
            .any(|what| matches!(what, EventKind::Observed { ok: false, .. }))
    );
}

#[tokio::test]
async fn results_come_in_the_order_of_the_plan() {
    let server = Fake::start(|line| (line == "SYST").then(Vec::new)).await;
    let slow = job("pasv", "", "> SYST\n< 215");
    let mut jobs = vec![slow];
    for number in 1..6 {
        let mut quick = job("pasv", "", "> NOOP\n< 200");
        quick.number = number;
        jobs.push(quick);
    }
    let mut finished = Vec::new();
    let mut unmanaged = Unmanaged::new(&server.target, Duration::ZERO);
    let schedule = at_once(3);
    run_all(
        jobs,
        &server.target,
        &play_options(),
        schedule,
        &mut unmanaged,
        |event| {
            if let RunEvent::Finished(played) = event {
                finished.push((played.job.number, played.stop.is_none()));
            }
        },
    )
    .await;
    assert_eq!(
        finished,
        [
            (0, false),
            (1, true),
            (2, true),
            (3, true),
            (4, true),
            (5, true)
        ]
    );
}

#[tokio::test]
async fn every_job_is_reported_when_the_target_is_gone() {
    let mut target = (*Fake::start(|_| None).await.target).clone();
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    target.addresses = vec![closed.local_addr().expect("its address")];
    drop(closed);
    let jobs: Vec<_> = (0..5).map(|_| job("pasv", "", "> NOOP\n< 200")).collect();
    let mut stops = Vec::new();
    let target = std::sync::Arc::new(target);
    let mut unmanaged = Unmanaged::new(&target, Duration::ZERO);
    let schedule = at_once(1);
    run_all(
        jobs,
        &target,
        &play_options(),
        schedule,
        &mut unmanaged,
        |event| {
            if let RunEvent::Finished(played) = event {
                stops.push(played.stop);
            }
        },
    )
    .await;
    assert_eq!(stops.len(), 5);
    assert!(
        stops
            .iter()
            .all(|stop| matches!(stop, Some(Stop::TargetGone(_)))),
        "{stops:?}"
    );
}

#[tokio::test]
async fn clean_up_stops_at_the_maximum_depth() {
    let rule = |line: &str| {
        if line.starts_with("MLSD") {
            return Some(vec![Do::Data("type=dir; again\r\n")]);
        }
        let is_refused = line.ends_with("/again") || line.ends_with("ftpspec-t-0000");
        let removes = line.starts_with("RMD ") || line.starts_with("DELE ");
        (removes && is_refused).then(|| vec![Do::Say("550 no\r\n")])
    };
    let server = Fake::start(rule).await;
    let dialogue = "> MKD again\n< 257";
    let played = server.play("pasv", "", dialogue).await;
    let heard = server.heard();
    let depths = heard.iter().map(|line| line.matches("/again").count());
    assert_eq!(depths.max(), Some(17));
    let left = on(&played, &Connection::runner().0, 0);
    assert!(
        left.iter()
            .any(|what| matches!(what, EventKind::Observed { ok: false, .. }))
    );
}
