//! Events of the journal, decisions of hooks, and the list of sessions.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use ftpspec_server::fault::Plan;
use ftpspec_server::internals::wire::{Reply, Verb};
use ftpspec_server::observe::hooks::{BoxFuture, CommandAction, Greeting, Request};
use ftpspec_server::observe::journal::{
    CloseReason, DataMode, Event, EventKind, Journal, Notice, Outcome, Side, StreamEnd,
};
use ftpspec_server::storage::Change;
use ftpspec_server::{Hooks, PassivePorts, SessionInfo, Tls};
use rustls::version::TLS13;

use crate::client::{Client, Data, connector};
use crate::{SOON, builder, content, free_port, logged_in, path, protected, serve, sha256};

async fn closed(journal: &Journal) -> Arc<Event> {
    let closed = |event: &Event| matches!(event.what, EventKind::Closed { .. });
    journal.wait_for(closed, SOON).await.unwrap()
}

/// The names of the events, as NDJSON has them.
fn kinds(journal: &Journal) -> Vec<String> {
    let of = |event: &Arc<Event>| {
        let value: serde_json::Value = serde_json::from_str(&event.to_json()).unwrap();
        value["event"].as_str().unwrap().to_owned()
    };
    journal.events().iter().map(of).collect()
}

#[tokio::test]
async fn a_session_is_recorded_from_connecting_to_closing() {
    let journal = Journal::new().hashing();
    let server = builder().journal(&journal).start().await.unwrap();
    let mut client = logged_in(&server).await;
    client.upload("STOR file", &content(), false).await;
    client.expect("QUIT", "221").await;
    assert_eq!(client.reply().await, "");
    drop(client);
    assert_eq!(
        closed(&journal).await.what,
        EventKind::Closed {
            reason: CloseReason::Quit
        }
    );

    let expected = "connected reply command reply command logged_in reply command reply \
        command reply command transfer_started reply data_opened data_closed transfer_ended \
        stored reply command reply closed";
    assert_eq!(
        kinds(&journal),
        expected.split_whitespace().collect::<Vec<_>>()
    );
    let commands = [
        "USER test",
        "PASS ***",
        "TYPE I",
        "EPSV",
        "STOR file",
        "QUIT",
    ];
    assert_eq!(journal.commands(), commands);
    assert_eq!(journal.codes(), [220, 331, 230, 200, 229, 150, 226, 221]);
    let uploads = journal.uploads();
    assert_eq!(uploads.len(), 1);
    assert_eq!(uploads[0].path, path("file"));
    assert_eq!(uploads[0].octets, 300_000);
    assert_eq!(uploads[0].sha256, Some(sha256(&content())));

    let session = journal.session(1);
    assert_eq!(session.len(), journal.events().len());
    assert!(
        session
            .iter()
            .zip(1..)
            .all(|(event, order)| event.order == order)
    );
    let by: Vec<_> = session
        .iter()
        .filter_map(|event| match event.what {
            EventKind::DataClosed { by, how, .. } => Some((by, how)),
            _ => None,
        })
        .collect();
    assert_eq!(
        by,
        [(Side::Client, StreamEnd::Fin)],
        "the one who sends closes"
    );
}

#[tokio::test]
async fn a_download_has_the_digest_of_what_went_over_the_wire() {
    let journal = Journal::new().hashing();
    let server = builder().journal(&journal).start().await.unwrap();
    let mut client = logged_in(&server).await;
    client.upload("STOR file", &content(), true).await;
    client.download("RETR file", true).await;
    client.expect("REST 299999", "350").await;
    client.download("RETR file", false).await;
    let transfers = journal.transfers();
    assert_eq!(transfers[0].sha256, transfers[1].sha256);
    assert_eq!(
        (transfers[2].octets, transfers[2].verb.as_str()),
        (1, "RETR")
    );
    assert_ne!(transfers[1].sha256, transfers[2].sha256);
    assert_eq!(journal.uploads().len(), 1);
}

#[tokio::test]
async fn a_password_is_in_no_event_whatever_the_client_writes() {
    let journal = Journal::new();
    let server = builder().journal(&journal).start().await.unwrap();
    let mut client = Client::connect(server.addresses()[0]).await;
    client.expect("USER test", "331").await;
    for line in [
        "pass Geheim",
        " PASS Geheim",
        "PASSGeheim",
        "ACCT Geheim",
        "ADAT Geheim",
    ] {
        client.ask(line).await;
    }
    client.expect("USER test", "331").await;
    client.expect("PASS wrong-Geheim", "530").await;
    client.expect("QUIT", "221").await;
    closed(&journal).await;
    for event in journal.events() {
        assert!(!event.to_json().contains("Geheim"), "{}", event.to_json());
    }
    let user = b"test".to_vec();
    let refused = EventKind::LoginRefused { user };
    assert!(journal.events().iter().any(|event| event.what == refused));
}

#[tokio::test]
async fn the_journal_distinguishes_aborted_lost_and_refused_transfers() {
    let journal = Journal::new();
    let server = builder().journal(&journal).start().await.unwrap();
    let mut client = logged_in(&server).await;
    let data = client.passive().await;
    client.expect("STOR aborted", "150").await;
    client.expect("ABOR", "426").await;
    client.receive("226").await;
    drop(data);

    let Data::Passive(data) = client.passive().await else {
        panic!("it is passive");
    };
    client.expect("STOR lost", "150").await;
    socket2::SockRef::from(&data)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(data);
    client.receive("426").await;

    let data = client.passive().await;
    client.expect("RETR missing", "550").await;
    drop(data);

    let data = client.passive().await;
    client.expect("STOR gone", "150").await;
    drop(client);
    assert_eq!(
        closed(&journal).await.what,
        EventKind::Closed {
            reason: CloseReason::Lost
        }
    );
    drop(data);
    let outcomes: Vec<_> = journal
        .transfers()
        .into_iter()
        .map(|facts| (facts.verb, facts.outcome))
        .collect();
    assert_eq!(outcomes[0], ("STOR".into(), Outcome::Aborted));
    assert_eq!(outcomes[1], ("STOR".into(), Outcome::ConnectionLost));
    assert!(
        matches!(&outcomes[2].1, Outcome::NotOpened { .. }),
        "{outcomes:?}"
    );
    assert_eq!(outcomes[3], ("STOR".into(), Outcome::SessionEnded));
    assert!(journal.uploads().is_empty());
    assert!(journal.changes().is_empty());
}

#[tokio::test]
async fn tls_facts_of_both_connections_are_recorded() {
    let journal = Journal::new();
    let server = serve(builder().tls(Tls::explicit()).journal(&journal)).await;
    let mut client = protected(&server, connector(&server, &TLS13)).await;
    client.upload("STOR file", b"content", false).await;
    let events = journal.events();
    let control = events.iter().find_map(|event| match &event.what {
        EventKind::TlsStarted(facts) => Some(facts),
        _ => None,
    });
    let control = control.unwrap();
    assert_eq!(
        (control.version.as_str(), control.resumed),
        ("TLSv1_3", false)
    );
    assert!(control.suite.starts_with("TLS13_"), "{}", control.suite);
    let data = events.iter().find_map(|event| match &event.what {
        EventKind::DataOpened { mode, tls, .. } => Some((*mode, tls.as_ref()?.resumed)),
        _ => None,
    });
    assert_eq!(data, Some((DataMode::Passive, true)));
    let session = &server.sessions()[0];
    assert!(session.tls.is_some() && session.protects_data);
    client.expect("REIN", "220").await;
}

#[tokio::test]
async fn changes_to_the_storage_are_recorded() {
    let journal = Journal::new();
    let server = builder().journal(&journal).start().await.unwrap();
    let mut client = logged_in(&server).await;
    client.expect("MKD d", "257").await;
    client.upload("STOU d/name", b"1", false).await;
    client.upload("STOU d/name", b"2", false).await;
    client.expect("RNFR d/name", "350").await;
    client.expect("RNTO moved", "250").await;
    client.expect("DELE moved", "250").await;
    client.expect("DELE d/name.1", "250").await;
    client.expect("DELE missing", "550").await;
    client.expect("RMD d", "250").await;
    let (from, to) = (path("d/name"), path("moved"));
    let expected = [
        Change::DirectoryMade { path: path("d") },
        Change::Stored {
            path: path("d/name"),
        },
        Change::Stored {
            path: path("d/name.1"),
        },
        Change::Renamed { from, to },
        Change::Removed {
            path: path("moved"),
        },
        Change::Removed {
            path: path("d/name.1"),
        },
        Change::DirectoryRemoved { path: path("d") },
    ];
    assert_eq!(journal.changes(), expected);
}

#[tokio::test]
async fn a_subscription_and_the_json_lines_end_with_the_server() {
    let journal = Journal::new();
    let written = Shared::default();
    let writing = journal.write_to(written.clone());
    let mut subscription = journal.subscribe();
    let server = builder().journal(&journal).start().await.unwrap();
    let mut client = logged_in(&server).await;
    client.expect("NOOP \u{e4}\\", "501").await;
    client.expect("QUIT", "221").await;
    assert_eq!(client.reply().await, "");
    drop(client);
    server.stop().await;
    let mut events = 0;
    while let Some(notice) = subscription.next().await {
        assert!(matches!(notice, Notice::Event(_)));
        events += 1;
    }
    writing.await.unwrap().unwrap();
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(r#"{"journal":1}"#));
    assert_eq!(lines.clone().count(), events);
    assert!(
        text.contains(r#""event":"command","line":"NOOP \\xc3\\xa4\\\\""#),
        "{text}"
    );
    assert!(
        lines
            .last()
            .unwrap()
            .contains(r#""event":"closed","reason":"quit""#),
        "{text}"
    );
}

#[derive(Debug, Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_session_can_be_seen_and_closed_from_outside() {
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    client.expect("MKD d", "257").await;
    client.expect("CWD d", "250").await;
    client.expect("CLNT a client 1.0", "200").await;
    let [session] = &server.sessions()[..] else {
        panic!("there is one session");
    };
    assert_eq!(session.user.as_deref(), Some("test"));
    assert_eq!(session.client.as_deref(), Some(&b"a client 1.0"[..]));
    assert_eq!(session.last_command.as_deref(), Some("CLNT"));
    assert_eq!(session.peer, client.wire.tcp().local_addr().unwrap());
    client.expect("NOOP", "200").await;
    let session = session.now();
    assert_eq!(session.path, Some(path("d")));
    assert_eq!(session.data_mode, None);

    session.close();
    client.receive("421").await;
    assert_eq!(client.reply().await, "");
    drop(client);
    server.stop().await;
    assert!(session.is_over());
}

#[tokio::test]
async fn a_session_in_a_transfer_can_be_closed_too() {
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    let data = client.passive().await;
    client.expect("STOR file", "150").await;
    server.sessions()[0].close();
    client.receive("421").await;
    assert_eq!(client.reply().await, "");
    drop(data);
    assert!(server.sessions().iter().all(SessionInfo::is_over));
}

#[tokio::test]
async fn a_hook_before_a_verb_can_refuse_it_and_nothing_else() {
    let observed = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&observed);
    let server = serve(
        builder()
            .before([Verb::Dele, Verb::Rnto], |session, command| {
                assert_eq!(session.user.as_deref(), Some("test"));
                match command.argument() {
                    b"kept" => CommandAction::reply(550, "It is kept.\nFor ever."),
                    b"last" => CommandAction::Close(Reply::text(421, "That was too much.")),
                    b"odd" => CommandAction::reply(150, "Wait."),
                    _ => CommandAction::Proceed,
                }
            })
            .after([Verb::Dele, Verb::Stor], move |_, command, reply| {
                let line = String::from_utf8(command.line().to_vec()).unwrap();
                record.lock().unwrap().push((line, reply.code.0));
            }),
    )
    .await;
    let mut client = logged_in(&server).await;
    for name in ["kept", "other"] {
        client.upload(&format!("STOR {name}"), b"1", false).await;
    }
    let reply = client.expect("DELE kept", "550").await;
    assert_eq!(reply, "550-It is kept.\r\n550 For ever.");
    client.expect("DELE other", "250").await;
    client.expect("DELE odd", "451").await;
    client.expect("RNFR kept", "350").await;
    client.expect("RNTO kept", "550").await;
    // Refused or not, the RNFR before it is used up.
    client.expect("RNTO elsewhere", "503").await;
    client.expect("SIZE kept", "213").await;
    client.expect("DELE last", "421").await;
    assert_eq!(client.reply().await, "");
    let observed = observed.lock().unwrap().clone();
    let codes: Vec<_> = observed
        .iter()
        .map(|(line, code)| (line.as_str(), *code))
        .collect();
    let expected = [
        ("STOR kept", 226),
        ("STOR other", 226),
        ("DELE kept", 550),
        ("DELE other", 250),
        ("DELE odd", 451),
        ("DELE last", 421),
    ];
    assert_eq!(codes, expected);
}

/// Replaces the text wherever it can, after a wait.
#[derive(Debug, Default)]
struct Talkative {
    refuses: bool,
    seen: Mutex<Vec<EventKind>>,
}

impl Hooks for Talkative {
    fn connected<'a>(&'a self, session: &'a SessionInfo) -> BoxFuture<'a, Greeting> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            if self.refuses {
                return Greeting::Refuse(Reply::text(421, "Not you."));
            }
            Greeting::Greeting(format!("You are number {}\nof many.", session.id))
        })
    }

    fn before<'a>(
        &'a self,
        _: &'a SessionInfo,
        command: &'a Request,
    ) -> BoxFuture<'a, CommandAction> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            match command.verb() {
                Some(Verb::Quit) => CommandAction::Close(Reply::text(221, "Farewell.")),
                Some(Verb::Site) => CommandAction::reply(200, "A service of mine."),
                None => CommandAction::reply(500, "What?"),
                _ => CommandAction::Proceed,
            }
        })
    }

    fn login(&self, _: &SessionInfo, user: &[u8], granted: bool) -> Option<String> {
        Some(format!("{}: {granted}", user.escape_ascii()))
    }

    fn event(&self, _: &SessionInfo, what: &EventKind) {
        self.seen.lock().unwrap().push(what.clone());
    }
}

#[tokio::test]
async fn hooks_may_wait_and_decide_the_texts_of_greeting_login_and_goodbye() {
    let hooks = Arc::new(Talkative::default());
    let server = builder().shared_hooks(hooks.clone()).start().await.unwrap();
    let mut client = Client::open(server.addresses()[0]).await;
    assert_eq!(client.reply().await, "220-You are number 1\r\n220 of many.");
    client.expect("USER test", "331").await;
    assert_eq!(client.ask("PASS wrong").await, "530 test: false");
    client.expect("USER test", "331").await;
    assert_eq!(client.ask("PASS secret").await, "230 test: true");
    assert_eq!(client.ask("SITE MINE").await, "200 A service of mine.");
    assert_eq!(client.ask("BLAH").await, "500 What?");
    client.expect("TYPE I", "200").await;
    client.upload("STOR file", b"1", true).await;
    assert_eq!(client.ask("QUIT").await, "221 Farewell.");
    assert_eq!(client.reply().await, "");
    drop(client);
    server.stop().await;
    let seen = hooks.seen.lock().unwrap();
    let user = "test".into();
    assert!(seen.contains(&EventKind::LoggedIn { user }));
    assert!(seen.contains(&EventKind::Changed(Change::Stored { path: path("file") })));
    assert!(seen.contains(&EventKind::Command {
        line: b"PASS ***".to_vec()
    }));
    assert_eq!(
        seen.last(),
        Some(&EventKind::Closed {
            reason: CloseReason::Quit
        })
    );
}

#[tokio::test]
async fn a_client_can_be_refused_before_it_is_greeted() {
    let hooks = Talkative {
        refuses: true,
        ..Talkative::default()
    };
    let server = builder().hooks(hooks).start().await.unwrap();
    let mut client = Client::open(server.addresses()[0]).await;
    assert_eq!(client.reply().await, "421 Not you.");
    assert_eq!(client.reply().await, "");
}

/// What a 227 announces.
async fn announced(client: &mut Client) -> String {
    let reply = client.expect("PASV", "227").await;
    let from = reply.find('(').unwrap() + 1;
    reply[from..reply.len() - 1].to_owned()
}

fn address_of(announced: &str) -> (String, u16) {
    let numbers: Vec<&str> = announced.split(',').collect();
    let port = |index: usize| numbers[index].parse::<u16>().unwrap();
    (numbers[..4].join("."), port(4) << 8 | port(5))
}

#[tokio::test]
async fn what_is_announced_can_change_while_the_server_runs() {
    let server = serve(builder().public_address(Ipv4Addr::new(192, 0, 2, 1))).await;
    let mut client = logged_in(&server).await;
    assert_eq!(address_of(&announced(&mut client).await).0, "192.0.2.1");
    server.set_public_address(None);
    let listened = free_port();
    server.set_passive_ports(PassivePorts::from_iter([(listened, 31_000)]));
    let (ip, port) = address_of(&announced(&mut client).await);
    assert_eq!((ip.as_str(), port), ("127.0.0.1", 31_000));
    let reply = client.expect("EPSV", "229").await;
    assert!(reply.contains("(|||31000|)"), "{reply}");
    // It really listens at the other.
    let data = tokio::net::TcpStream::connect(("127.0.0.1", listened))
        .await
        .unwrap();
    let listing = client.finish_download("NLST", Data::Passive(data)).await;
    assert_eq!(listing, b"");
    server.set_passive_ports(PassivePorts::any());
    assert_ne!(address_of(&announced(&mut client).await).1, 31_000);
}

#[tokio::test]
async fn the_public_address_can_be_another_for_each_client() {
    let server = serve(
        builder()
            .public_address(Ipv4Addr::new(192, 0, 2, 1))
            .public_address_by(|session| async move {
                tokio::task::yield_now().await;
                (session.user.as_deref() == Some("test")).then_some(Ipv4Addr::new(192, 0, 2, 9))
            })
            .user("other", "secret"),
    )
    .await;
    let mut client = logged_in(&server).await;
    assert_eq!(address_of(&announced(&mut client).await).0, "192.0.2.9");
    client.expect("USER other", "331").await;
    client.expect("PASS secret", "230").await;
    assert_eq!(address_of(&announced(&mut client).await).0, "192.0.2.1");
}

#[tokio::test]
async fn every_change_to_the_storage_is_recorded_and_nothing_else() {
    let journal = Journal::new();
    let server = builder().journal(&journal).start().await.unwrap();
    let mut client = logged_in(&server).await;
    client.upload("STOR file", b"content", false).await;
    for (command, code) in [
        ("MKD d", "257"),
        ("MKD d", "550"),
        ("SITE MKDIR d/e/f", "200"),
        ("SITE MKDIR d/e/f", "200"),
        ("SITE CHMOD 600 file", "200"),
        ("SITE CHMOD 600 nosuch", "550"),
        ("SITE UTIME 20240102030405 file", "200"),
        ("MFMT 20240102030406 file", "213"),
        ("MFCT 20240102030407 file", "213"),
        ("MFF modify=20240102030408;UNIX.mode=0644; file", "213"),
        ("SITE SYMLINK file link", "200"),
        ("RNFR file", "350"),
        ("RNTO moved", "250"),
        ("DELE moved", "250"),
        ("DELE moved", "550"),
        ("RMD d/e/f", "250"),
        ("SITE RMDIR d/e", "250"),
        ("RMDA d", "250"),
    ] {
        client.expect(command, code).await;
    }
    let time = |second: u64| Some(UNIX_EPOCH + Duration::from_secs(1_704_164_640 + second));
    let facts = |modified, created, mode| Change::FactsSet {
        path: path("file"),
        modified,
        created,
        mode,
    };
    let directory = |name| Change::DirectoryMade { path: path(name) };
    let expected = [
        Change::Stored { path: path("file") },
        directory("d"),
        directory("d/e"),
        directory("d/e/f"),
        facts(None, None, Some(0o600)),
        facts(time(5), None, None),
        facts(time(6), None, None),
        facts(None, time(7), None),
        facts(time(8), None, Some(0o644)),
        Change::LinkMade {
            path: path("link"),
            target: b"file".to_vec(),
        },
        Change::Renamed {
            from: path("file"),
            to: path("moved"),
        },
        Change::Removed {
            path: path("moved"),
        },
        Change::DirectoryRemoved {
            path: path("d/e/f"),
        },
        Change::SubtreeRemoved { path: path("d/e") },
        Change::SubtreeRemoved { path: path("d") },
    ];
    assert_eq!(journal.changes(), expected);
    let lines: Vec<String> = journal
        .events()
        .iter()
        .map(|event| event.to_json())
        .collect();
    for part in [
        r#""event":"facts_set","path":"/file","modified":"2024-01-02T03:04:08.000000Z","mode":"0644"}"#,
        r#""event":"link_made","path":"/link","target":"file"}"#,
        r#""event":"renamed","from":"/file","to":"/moved"}"#,
        r#""event":"subtree_removed","path":"/d"}"#,
    ] {
        assert!(lines.iter().any(|line| line.ends_with(part)), "{part}");
    }
}

#[tokio::test]
async fn injected_faults_are_recorded_with_their_events() {
    let journal = Journal::new();
    let plan = "when connect nth 2 do reply 421 Full\n\
        when NOOP nth 2 do reply 451 Later\n\
        when PASS do delay 1ms\n\
        when RETR do drop";
    let server = serve(
        builder()
            .journal(&journal)
            .faults(Plan::of_lines(plan).unwrap()),
    )
    .await;
    let mut client = logged_in(&server).await;
    client.expect("NOOP", "200").await;
    client.expect("NOOP", "451").await;
    let mut refused = Client::open(server.addresses()[0]).await;
    refused.receive("421 ").await;

    let struck: Vec<_> = journal
        .events()
        .iter()
        .filter_map(|event| match &event.what {
            EventKind::FaultInjected { number, line, .. } => {
                let line = line.as_ref().map(|line| line.escape_ascii().to_string());
                Some((event.session, *number, line))
            }
            _ => None,
        })
        .collect();
    let expected = [
        (1, 3, Some("PASS ***".into())),
        (1, 2, Some("NOOP".into())),
        (2, 1, None),
    ];
    assert_eq!(struck, expected);
    let faults = journal.faults();
    assert_eq!(faults[0], "when PASS do delay 1ms");
    assert_eq!(faults.len(), 3);
    let json = journal
        .events()
        .iter()
        .find(|event| matches!(event.what, EventKind::FaultInjected { .. }))
        .unwrap()
        .to_json();
    assert!(
        json.ends_with(r#""event":"fault_injected","number":3,"fault":"when PASS do delay 1ms","line":"PASS ***"}"#),
        "{json}"
    );
}
