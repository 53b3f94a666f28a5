//! Who ended a data connection, and how: the journal and the tap record what was seen on the wire.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ftpspec_server::fault::{ACTIONS, Plan, Trigger};
use ftpspec_server::internals::wire::Verb;
use ftpspec_server::observe::journal::{Event, EventKind, Journal, Outcome};
use ftpspec_server::observe::tap::{ChannelId, Observation, Side, StreamEnd, Tap, WireFact};
use ftpspec_server::storage::{MemFs, write_file};
use ftpspec_server::tls::CloseNotify;
use ftpspec_server::{Limits, ServerHandle, Tls};
use rstest::rstest;
use rustls::version::TLS13;
use tokio::io::AsyncWriteExt as _;

use crate::client::{Client, Wire, connector};
use crate::{SOON, builder, content, path, serve};

/// The side that ended a connection, and how.
type End = (Side, StreamEnd);

const CLIENT_FIN: End = (Side::Client, StreamEnd::Fin);
const CLIENT_CLOSE_NOTIFY: End = (Side::Client, StreamEnd::CloseNotify);
const CLIENT_RESET: End = (Side::Client, StreamEnd::Reset);
const TIMED_OUT: End = (Side::Server, StreamEnd::TimedOut);
const CLOSED: End = (Side::Server, StreamEnd::Closed);

const ORDINARY: Option<End> = Some((Side::Server, StreamEnd::Fin));
const ORDINARY_TLS: Option<End> = Some((Side::Server, StreamEnd::CloseNotify));
const STALLED: Option<End> = Some(TIMED_OUT);
const RESET: Option<End> = Some((Side::Server, StreamEnd::Reset));
const UNANNOUNCED: Option<End> = Some((Side::Server, StreamEnd::MissingCloseNotify));

/// What the tap has recorded of one server.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Vec<(ChannelId, String)>>);

impl Tap for Recorder {
    fn observe(&self, seen: &Observation<'_>) {
        let text = match seen.fact {
            WireFact::Opened { by, .. } => format!("opened by {by:?}"),
            WireFact::TlsStarted(facts) => format!("TLS {}", facts.version),
            WireFact::Octets { from, octets } => format!("{from:?}: {}", octets.escape_ascii()),
            WireFact::Ended { by, how } => format!("{by:?} ended: {how:?}"),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push((seen.channel, text));
    }
}

impl Recorder {
    /// What was recorded of one channel.
    pub(crate) fn of(&self, channel: ChannelId) -> Vec<String> {
        let seen = self.0.lock().unwrap();
        let of_channel = |(at, text): &(ChannelId, String)| (*at == channel).then(|| text.clone());
        seen.iter().filter_map(of_channel).collect()
    }

    /// The first end of a channel.
    fn first_end(&self, channel: ChannelId) -> Option<String> {
        let ended = |text: &String| text.contains(" ended: ");
        self.of(channel).into_iter().find(ended)
    }
}

struct Setup {
    server: ServerHandle,
    journal: Journal,
    tap: Arc<Recorder>,
    client: Client,
}

impl Setup {
    async fn start(tls: bool, plan: &str, settings: Tls) -> Self {
        let journal = Journal::new();
        let tap = Arc::new(Recorder::default());
        let limits = Limits {
            data_connection: Duration::from_millis(100),
            data_stall: Duration::from_millis(200),
            stop: Duration::from_millis(50),
            ..Limits::default()
        };
        let files = MemFs::new();
        write_file(&files, &path("file"), content().into()).unwrap();
        let server = serve(
            builder()
                .storage(files)
                .tls(settings)
                .limits(limits)
                .journal(&journal)
                .tap(Arc::clone(&tap))
                .faults(Plan::of_lines(plan).unwrap()),
        )
        .await;
        let mut client = Client::connect(server.addresses()[0]).await;
        if tls {
            client.protect(connector(&server, &TLS13)).await;
        }
        client.login().await;
        Self {
            server,
            journal,
            tap,
            client,
        }
    }

    /// The end of the data connection of the only transfer, as the journal has it; the tap has the
    /// same. `None` if the transfer had no data connection.
    async fn end(&self) -> Option<End> {
        let closed = |event: &Event| matches!(event.what, EventKind::Closed { .. });
        self.journal.wait_for(closed, SOON).await.unwrap();
        let events = self.journal.events();
        let mut ends = events.iter().filter_map(|event| match event.what {
            EventKind::DataClosed {
                connection,
                by,
                how,
            } => Some((connection, by, how)),
            _ => None,
        });
        let (connection, by, how) = ends.next()?;
        assert_eq!((connection, ends.next()), (1, None));
        let tapped = self.tap.first_end(ChannelId::Data(1));
        assert_eq!(tapped, Some(format!("{by:?} ended: {how:?}")));
        Some((by, how))
    }
}

/// Actions that can be done to RETR, and the end of its data connection in the clear and under TLS.
#[rustfmt::skip]
const FAULTS: &[(&str, Option<End>, Option<End>)] = &[
    ("reply 450", None, None),
    ("lines \"a\"", ORDINARY, ORDINARY_TLS),
    ("delay 1ms", ORDINARY, ORDINARY_TLS),
    ("drop", ORDINARY, ORDINARY_TLS),
    ("duplicate", ORDINARY, ORDINARY_TLS),
    ("split bytewise", ORDINARY, ORDINARY_TLS),
    ("bare LF", ORDINARY, ORDINARY_TLS),
    ("wrong last line", ORDINARY, ORDINARY_TLS),
    ("NUL in text", ORDINARY, ORDINARY_TLS),
    ("long line 99", ORDINARY, ORDINARY_TLS),
    ("hyphen on last line", ORDINARY, ORDINARY_TLS),
    ("lowercase", ORDINARY, ORDINARY_TLS),
    ("no text", ORDINARY, ORDINARY_TLS),
    ("unsolicited 421", ORDINARY, ORDINARY_TLS),
    ("hang up", None, None),
    ("glue", ORDINARY, ORDINARY_TLS),
    ("early 226", ORDINARY, ORDINARY_TLS),
    ("missing 226", ORDINARY, ORDINARY_TLS),
    ("missing 150", ORDINARY, ORDINARY_TLS),
    ("never accept", None, None),
    ("stall at 100", STALLED, STALLED),
    ("refuse", None, None),
    ("reset at 100", RESET, RESET),
    ("close at 100", ORDINARY, ORDINARY_TLS),
    ("truncate to 100", ORDINARY, ORDINARY_TLS),
    ("corrupt octet 7", ORDINARY, ORDINARY_TLS),
    ("extra 10 octets", ORDINARY, ORDINARY_TLS),
    ("slow 10000000 octets/s", ORDINARY, ORDINARY_TLS),
    ("no close_notify", ORDINARY, UNANNOUNCED),
    ("require session reuse", ORDINARY, ORDINARY_TLS),
    ("full at 100", ORDINARY, ORDINARY_TLS),
    ("denied", None, None),
    ("vanish at 100", ORDINARY, UNANNOUNCED),
    ("slow storage 1ms", ORDINARY, ORDINARY_TLS),
    ("idle 1m", ORDINARY, ORDINARY_TLS),
];

#[test]
fn every_action_that_can_be_done_to_a_transfer_is_in_the_table() {
    for row in ACTIONS {
        if row.scope.holds(Trigger::Verb(Verb::Retr)) {
            let value = |word: &str| word.starts_with('[') || word.to_uppercase() == word;
            let words: Vec<&str> = row.syntax.split(' ').collect();
            let fixed = words[1..].iter().take_while(|word| !value(word)).count();
            let name = words[..=fixed].join(" ");
            let listed = FAULTS.iter().any(|(action, ..)| action.starts_with(&name));
            assert!(listed, "{}", row.syntax);
        }
    }
}

#[tokio::test]
async fn the_end_of_a_download_is_what_each_fault_made_of_it() {
    for (action, clear, protected) in FAULTS {
        for (tls, expected) in [(false, clear), (true, protected)] {
            let plan = format!("when RETR do {action}");
            let mut setup = Setup::start(tls, &plan, Tls::explicit()).await;
            let data = setup.client.passive().await;
            setup.client.send("RETR file").await;
            setup.client.send("QUIT").await;
            let mut data = setup.client.try_establish(data).await;
            let mut octets = vec![0; 64 << 10];
            while data.read(&mut octets).await > 0 {}
            drop(data);
            while setup.client.wire.read(&mut octets).await > 0 {}
            drop(setup.client.take_wire());
            assert_eq!(setup.end().await, *expected, "{action}, TLS: {tls}");
        }
    }
}

/// A way in which the data connection of an upload ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    ClientEnds,
    ClientResets,
    /// FIN without close_notify.
    ClientCutsTls,
    ClientStalls,
    Abort,
    Quit,
    ControlLost,
    Stop,
    ClosedByOperator,
}

async fn uploaded(way: Way, tls: bool, settings: Tls) -> (Option<End>, Outcome) {
    let mut setup = Setup::start(tls, "", settings).await;
    let mut data = setup.client.begin("STOR upload").await;
    data.write(b"some octets").await;
    let opened = |event: &Event| matches!(event.what, EventKind::DataOpened { .. });
    setup.journal.wait_for(opened, SOON).await.unwrap();
    match way {
        Way::ClientEnds => data.end().await,
        Way::ClientResets => data.tcp().set_zero_linger().unwrap(),
        Way::ClientCutsTls => {
            if let Wire::Tls(stream) = &mut data {
                stream.get_mut().0.shutdown().await.unwrap();
            }
        }
        Way::Quit => {
            setup.client.send("QUIT").await;
            data.end().await;
        }
        Way::Abort => setup.client.send("ABOR").await,
        Way::ControlLost => drop(setup.client.take_wire()),
        Way::ClosedByOperator => setup.server.sessions()[0].close(),
        Way::ClientStalls | Way::Stop => {}
    }
    if way == Way::ClientResets {
        drop(data);
    } else if way == Way::Stop {
        let Setup {
            server,
            journal,
            tap,
            client,
        } = setup;
        server.stop().await;
        drop(data);
        let server = builder().start().await.unwrap();
        setup = Setup {
            server,
            journal,
            tap,
            client,
        };
    }
    let ended = |event: &Event| matches!(event.what, EventKind::TransferEnded(_));
    setup.journal.wait_for(ended, SOON).await.unwrap();
    drop(setup.client.take_wire());
    let outcome = setup.journal.transfers()[0].outcome.clone();
    (setup.end().await, outcome)
}

#[rstest]
#[case(Way::ClientEnds, CLIENT_FIN, CLIENT_CLOSE_NOTIFY, Outcome::Complete)]
#[case(Way::ClientResets, CLIENT_RESET, CLIENT_RESET, Outcome::ConnectionLost)]
#[case(Way::ClientStalls, TIMED_OUT, TIMED_OUT, Outcome::ConnectionLost)]
#[case(Way::Quit, CLIENT_FIN, CLIENT_CLOSE_NOTIFY, Outcome::Complete)]
#[case(Way::Abort, CLOSED, CLOSED, Outcome::Aborted)]
#[case(Way::ControlLost, CLOSED, CLOSED, Outcome::SessionEnded)]
#[case(Way::Stop, CLOSED, CLOSED, Outcome::Aborted)]
#[case(Way::ClosedByOperator, CLOSED, CLOSED, Outcome::SessionEnded)]
#[tokio::test]
async fn the_end_of_an_upload_is_what_the_client_or_the_server_did(
    #[case] way: Way,
    #[case] clear: End,
    #[case] protected: End,
    #[case] outcome: Outcome,
) {
    for (tls, expected) in [(false, clear), (true, protected)] {
        let ended = uploaded(way, tls, Tls::explicit()).await;
        assert_eq!(ended, (Some(expected), outcome.clone()), "TLS: {tls}");
    }
}

#[tokio::test]
async fn a_missing_close_notify_is_reported_whether_it_is_tolerated_or_not() {
    let missing = Some((Side::Client, StreamEnd::MissingCloseNotify));
    for (rule, outcome) in [
        (CloseNotify::Lenient, Outcome::Complete),
        (CloseNotify::Strict, Outcome::ConnectionLost),
    ] {
        let settings = Tls::explicit().close_notify(rule);
        let ended = uploaded(Way::ClientCutsTls, true, settings).await;
        assert_eq!(ended, (missing, outcome), "{rule:?}");
    }
}

#[tokio::test]
async fn a_client_that_resets_a_download_has_ended_it() {
    for tls in [false, true] {
        let mut setup = Setup::start(tls, "", Tls::explicit()).await;
        let large = content().repeat(100);
        setup.client.upload("STOR large", &large, false).await;
        let mut data = setup.client.begin("RETR large").await;
        data.read(&mut [0]).await;
        data.tcp().set_zero_linger().unwrap();
        drop(data);
        setup.client.receive("426").await;
        let end = setup.tap.first_end(ChannelId::Data(2));
        assert_eq!(end.as_deref(), Some("Client ended: Reset"), "TLS: {tls}");
    }
}

#[tokio::test]
async fn the_tap_sees_both_connections_in_the_clear() {
    for tls in [false, true] {
        let mut setup = Setup::start(tls, "", Tls::explicit()).await;
        setup.client.upload("STOR new", b"content", false).await;
        setup.client.expect("QUIT", "221").await;
        assert_eq!(setup.client.reply().await, "");
        setup.client.wire.end().await;
        drop(setup.client.take_wire());
        setup.end().await;
        let control = setup.tap.of(ChannelId::Control);
        let data = setup.tap.of(ChannelId::Data(1));
        assert_eq!(control[0], "opened by Client");
        assert!(control[1].starts_with("Server: 220 "), "{control:?}");
        assert!(
            control.contains(&"Client: PASS secret\\r\\n".into()),
            "{control:?}"
        );
        let (version, end) = match tls {
            true => (Some("TLS TLSv1_3"), "CloseNotify"),
            false => (None, "Fin"),
        };
        assert!(
            control.contains(&format!("Server ended: {end}")),
            "{control:?}"
        );
        let expected: Vec<String> = ["opened by Client"]
            .into_iter()
            .chain(version)
            .map(str::to_owned)
            .chain([
                "Client: content".to_owned(),
                format!("Client ended: {end}"),
                format!("Server ended: {end}"),
            ])
            .collect();
        assert_eq!(data, expected);
    }
}
