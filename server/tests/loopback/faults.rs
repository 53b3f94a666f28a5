//! The fault plan on the wire: each fault has its effect, and the session continues if it should.

use std::time::{Duration, Instant};

use ftpspec_server::fault::Plan;
use ftpspec_server::{Limits, ServerHandle, Tls};
use rstest::rstest;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Client, Data, Wire, connector};
use crate::{VERSIONS, builder, logged_in, protected};

/// A server with short limits and these faults, one per line.
async fn faulty(plan: &str) -> ServerHandle {
    let limits = Limits {
        data_connection: Duration::from_millis(100),
        data_stall: Duration::from_millis(200),
        handshake: Duration::from_millis(500),
        ..Limits::default()
    };
    builder()
        .tls(Tls::explicit())
        .limits(limits)
        .faults(Plan::of_lines(plan).unwrap())
        .start()
        .await
        .unwrap()
}

/// Reads as many octets as `expected` has, and compares them.
#[track_caller]
fn receives<'a>(client: &'a mut Client, expected: &'a str) -> impl Future<Output = ()> + 'a {
    let caller = std::panic::Location::caller();
    async move {
        while client.received.len() < expected.len() {
            let mut octets = [0; 4096];
            let count = client.wire.read(&mut octets).await;
            assert!(count > 0, "{caller}: {}", client.received.escape_ascii());
            client.received.extend_from_slice(&octets[..count]);
        }
        let received: Vec<u8> = client.received.drain(..expected.len()).collect();
        let expected = expected.as_bytes().escape_ascii().to_string();
        assert_eq!(received.escape_ascii().to_string(), expected, "{caller}");
    }
}

/// Asserts that no octet is left to read, and that the session answers.
async fn goes_on(client: &mut Client) {
    client.send("PWD").await;
    receives(client, "257 \"/\" is the current directory.\r\n").await;
}

#[rstest]
#[case("reply 450 Not \"now\".", "450 Not \"now\".\r\n")]
#[case("reply 226 \"a\\n226 b\\r\\nc\"", "226-a\r\n 226 b\r\n226 c\r\n")]
#[case("lines \"a\\nb\"", "200-a\r\nb\r\n200 Command okay.\r\n")]
#[case("delay 50ms", "200 Command okay.\r\n")]
#[case("drop", "")]
#[case("duplicate", "200 Command okay.\r\n200 Command okay.\r\n")]
#[case("split bytewise", "200 Command okay.\r\n")]
#[case("bare LF", "200 Command okay.\n")]
#[case("wrong last line", "200-Command okay.\r\n201 End\r\n")]
#[case("NUL in text", "200 Comman\0d okay.\r\n")]
#[case("long line 30", "200 Command okay.xxxxxxxxxxxxx\r\n")]
#[case("hyphen on last line", "200-Command okay.\r\n")]
#[case("lowercase", "200 command okay.\r\n")]
#[case("no text", "200\r\n")]
#[tokio::test]
async fn a_reply_is_spoiled_once_and_the_next_is_whole(
    #[case] action: &str,
    #[case] expected: &str,
) {
    let server = faulty(&format!("when NOOP nth 2 do {action}")).await;
    let mut client = logged_in(&server).await;
    client.expect("NOOP", "200 Command okay.").await;
    client.send("NOOP").await;
    receives(&mut client, expected).await;
    client.expect("NOOP", "200 Command okay.").await;
    goes_on(&mut client).await;
    let counts = server.fault_counts();
    assert_eq!((counts[0].seen, counts[0].injected), (3, 1));
}

#[tokio::test]
async fn a_delayed_reply_is_late_and_a_split_one_comes_in_pieces() {
    let server = faulty("when NOOP do delay 100ms\nwhen SYST do split bytewise").await;
    let mut client = logged_in(&server).await;
    let start = Instant::now();
    client.expect("NOOP", "200").await;
    assert!(start.elapsed() >= Duration::from_millis(100));
    client.send("SYST").await;
    let (mut pieces, mut octets) = (0, Vec::new());
    while !octets.ends_with(b"\n") {
        let mut piece = [0; 100];
        let count = client.wire.read(&mut piece).await;
        octets.extend_from_slice(&piece[..count]);
        pieces += 1;
    }
    assert_eq!(octets, b"215 UNIX Type: L8\r\n");
    assert!(pieces > 1, "{pieces}");
}

#[tokio::test]
async fn a_command_that_is_answered_by_the_plan_is_not_carried_out() {
    let server = faulty("when MKD path /a do reply 250 Done.").await;
    let mut client = logged_in(&server).await;
    client.expect("MKD a", "250 Done.").await;
    client.expect("CWD a", "550").await;
    client.expect("MKD b", "257").await;
    client.expect("CWD b", "250").await;
}

#[tokio::test]
async fn an_unsolicited_421_follows_the_reply_and_ends_the_session() {
    let server = faulty("when NOOP do unsolicited 421 Bye.").await;
    let mut client = logged_in(&server).await;
    client.send("NOOP").await;
    receives(&mut client, "200 Command okay.\r\n421 Bye.\r\n").await;
    assert_eq!(client.reply().await, "");
    logged_in(&server).await;
}

#[tokio::test]
async fn hang_up_closes_the_connection_without_a_reply() {
    let server = faulty("when NOOP do hang up\nwhen connect session 2 do hang up").await;
    let mut client = logged_in(&server).await;
    client.send("NOOP").await;
    assert_eq!(client.wire.read_to_end().await, b"");
    let mut second = Client::open(server.addresses()[0]).await;
    assert_eq!(second.wire.read_to_end().await, b"");
}

#[tokio::test]
async fn the_greeting_is_a_reply_too() {
    let plan = "when connect session 1 do reply 421 Full.\nwhen connect session 2 do wrong last line\n\
                when connect session 3 do reply 120 x\n";
    assert!(Plan::of_lines(plan).is_err(), "no 1yz");
    let plan = plan.replace("120 x", "230 Come in.");
    let server = faulty(&plan).await;
    let mut client = Client::open(server.addresses()[0]).await;
    receives(&mut client, "421 Full.\r\n").await;
    assert_eq!(client.reply().await, "");
    let mut client = Client::open(server.addresses()[0]).await;
    receives(
        &mut client,
        "220-ftpspec reference server ready.\r\n221 End\r\n",
    )
    .await;
    client.login().await;
    let mut client = Client::open(server.addresses()[0]).await;
    receives(&mut client, "230 Come in.\r\n").await;
    client.login().await;
}

#[tokio::test]
async fn faults_find_their_user_and_their_turn() {
    let server = faulty("when login user test nth 2 do reply 530 Not today.").await;
    let mut client = logged_in(&server).await;
    client.expect("USER other", "331").await;
    client.expect("PASS secret", "530 Login incorrect.").await;
    client.expect("USER test", "331").await;
    client.expect("PASS secret", "530 Not today.").await;
    client.login().await;
}

/// 10 000 octets as `file`.
async fn with_a_file(server: &ServerHandle) -> (Client, Vec<u8>) {
    let mut client = logged_in(server).await;
    let content: Vec<u8> = (0..10_000_u32).map(|number| (number % 251) as u8).collect();
    client.upload("STOU file", &content, false).await;
    (client, content)
}

/// Begins a transfer, reads until the end or failure of the data connection: what came, whether it
/// ended orderly.
async fn retrieve(client: &mut Client) -> (Vec<u8>, bool) {
    let mut data = client.begin("RETR file").await;
    let mut octets = Vec::new();
    let end = match &mut data {
        Wire::Clear(stream) => stream.read_to_end(&mut octets).await,
        Wire::Tls(stream) => stream.read_to_end(&mut octets).await,
        Wire::Gone => unreachable!("it was just established"),
    };
    (octets, end.is_ok())
}

#[rstest]
#[case("reset at 4096", 4096, false, "426")]
#[case("close at 4096", 4096, true, "426")]
#[case("close at 10000", 10_000, true, "426")]
#[case("truncate to 4096", 4096, true, "226")]
#[case("stall at 4096", 4096, false, "426")]
#[case("vanish at 4096", 4096, true, "451")]
#[tokio::test]
async fn a_download_is_cut_short(
    #[case] action: &str,
    #[case] octets: usize,
    #[case] orderly: bool,
    #[case] reply: &str,
) {
    let server = faulty(&format!("when RETR nth 1 do {action}")).await;
    let (mut client, content) = with_a_file(&server).await;
    let (received, end) = retrieve(&mut client).await;
    if action.starts_with("vanish") {
        // What was read with the failing piece is not sent.
        assert!(received.len() <= octets && content.starts_with(&received));
    } else {
        assert_eq!(received, content[..octets]);
    }
    if !action.starts_with("stall") {
        assert_eq!(end, orderly);
    }
    client.receive(reply).await;
    goes_on(&mut client).await;
    assert_eq!(client.download("RETR file", false).await, content);
}

#[rstest]
#[case("corrupt octet 0", 0..1, b"\x01")]
#[case("corrupt octet 9999", 9999..10_000, b"\xd3")]
#[case("extra 4 octets", 10_000..10_000, b"XXXX")]
#[tokio::test]
async fn what_is_moved_is_changed_both_ways(
    #[case] action: &str,
    #[case] place: std::ops::Range<usize>,
    #[case] becomes: &[u8],
) {
    let plan = format!("when RETR nth 1 do {action}\nwhen STOR do {action}");
    let server = faulty(&plan).await;
    let (mut client, content) = with_a_file(&server).await;
    let mut changed = content.clone();
    changed.splice(place, becomes.iter().copied());
    let received = client.download("RETR file", false).await;
    assert_eq!(received, changed);
    client.upload("STOR other", &content, false).await;
    assert_eq!(client.download("RETR other", false).await, changed);
    assert_eq!(client.download("RETR file", false).await, content);
}

#[rstest]
#[case("reset at 4096", "426", None)]
#[case("close at 4096", "426", None)]
#[case("stall at 4096", "426", None)]
#[case("truncate to 4096", "226", Some(4096))]
#[case("full at 4096", "452", None)]
#[case("full at 4096 552", "552", None)]
#[tokio::test]
async fn an_upload_is_cut_short(
    #[case] action: &str,
    #[case] reply: &str,
    #[case] kept: Option<usize>,
) {
    let server = faulty(&format!("when STOR nth 1 do {action}")).await;
    let mut client = logged_in(&server).await;
    let content = [b'x'; 10_000];
    let mut data = client.begin("STOR file").await.into_clear();
    // The connection may end while the client writes.
    let _ = data.write_all(&content).await;
    let _ = data.shutdown().await;
    assert!(client.reply().await.starts_with(reply), "{action}");
    let size = match kept {
        Some(octets) => format!("213 {octets}"),
        None => "550".into(),
    };
    client.expect("SIZE file", &size).await;
    client.upload("STOR file", &content, false).await;
    goes_on(&mut client).await;
}

#[tokio::test]
async fn a_slow_connection_is_slow_in_both_directions() {
    let server = faulty("when data do slow 1000 octets/s\nwhen listing do slow storage 30ms").await;
    let mut client = logged_in(&server).await;
    for command in ["upload", "download"] {
        let start = Instant::now();
        if command == "upload" {
            client.upload("STOR file", &[b'x'; 200], false).await;
        } else {
            assert_eq!(client.download("RETR file", false).await, [b'x'; 200]);
        }
        // There is no pause after the last piece.
        assert!(start.elapsed() >= Duration::from_millis(130), "{command}");
    }
    let start = Instant::now();
    client.download("NLST", false).await;
    assert!(start.elapsed() >= Duration::from_millis(60));
}

#[rstest]
#[case("never accept")]
#[case("refuse")]
#[tokio::test]
async fn a_data_connection_does_not_come_about(#[case] action: &str) {
    for active in [false, true] {
        let server = faulty(&format!("when data nth 1 do {action}")).await;
        let mut client = logged_in(&server).await;
        let data = client.data(active).await;
        client.expect("NLST", "150").await;
        client.receive("425").await;
        if let Data::Passive(mut stream) = data {
            assert!(stream.read_u8().await.is_err());
        }
        assert_eq!(client.download("NLST", active).await, b"");
    }
}

#[tokio::test]
async fn pasv_and_epsv_name_the_wrong_place() {
    let plan = "when PASV nth 1 do wrong address\nwhen PASV nth 2 do wrong port 5\n\
                when EPSV nth 1 do wrong port 6\nwhen EPSV nth 2 do refuse";
    let server = faulty(plan).await;
    let mut client = logged_in(&server).await;
    let reply = client.expect("PASV", "227").await;
    assert!(reply.contains("(192,0,2,1,"), "{reply}");
    let reply = client.expect("PASV", "227").await;
    assert!(reply.contains("(127,0,0,1,0,5)"), "{reply}");
    client
        .expect("EPSV", "229 Entering Extended Passive Mode (|||6|)")
        .await;
    let reply = client.expect("EPSV", "229").await;
    let port: u16 = reply.split('|').nth(3).unwrap().parse().unwrap();
    let refused = TcpStream::connect(("127.0.0.1", port)).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    client.expect("NLST", "150").await;
    client.receive("425").await;
    assert_eq!(client.download("NLST", false).await, b"");
}

#[tokio::test]
async fn the_replies_around_a_transfer_come_early_or_not_or_together() {
    let plan = "when RETR nth 1 do early 226\nwhen RETR nth 2 do missing 226\n\
                when RETR nth 3 do missing 150\nwhen RETR nth 4 do glue";
    let server = faulty(plan).await;
    let (mut client, content) = with_a_file(&server).await;
    let opening = "150 Opening data connection, type Image.\r\n";
    let complete = "226 Transfer complete.\r\n";

    let data = client.passive().await;
    client.send("RETR file").await;
    receives(&mut client, &format!("{opening}{complete}")).await;
    assert_eq!(client.establish(data).await.read_to_end().await, content);
    goes_on(&mut client).await;

    for (first, then) in [(opening, ""), ("", complete)] {
        let data = client.passive().await;
        client.send("RETR file").await;
        receives(&mut client, first).await;
        assert_eq!(client.establish(data).await.read_to_end().await, content);
        receives(&mut client, then).await;
        goes_on(&mut client).await;
    }

    let data = client.passive().await;
    client.send("RETR file").await;
    assert_eq!(client.establish(data).await.read_to_end().await, content);
    let mut segment = [0; 1000];
    let count = client.wire.read(&mut segment).await;
    assert_eq!(segment[..count], *format!("{opening}{complete}").as_bytes());
    assert_eq!(client.download("RETR file", false).await, content);
}

#[tokio::test]
async fn abor_ends_a_transfer_that_a_fault_holds_up() {
    let server = faulty("when RETR do stall\nwhen RETR do duplicate").await;
    let (mut client, _) = with_a_file(&server).await;
    let data = client.passive().await;
    client.expect("RETR file", "150").await;
    client.send("ABOR").await;
    for code in ["426", "426", "226"] {
        client.receive(code).await;
    }
    drop(data);
    goes_on(&mut client).await;
}

#[tokio::test]
async fn the_storage_fails_as_planned_for_one_command() {
    let plan = "when SIZE nth 1 do denied\nwhen RETR nth 1 do vanish\nwhen DELE nth 1 do vanish\n\
                when MKD nth 1 do full at 0";
    let server = faulty(plan).await;
    let (mut client, content) = with_a_file(&server).await;
    client.expect("SIZE file", "550 Permission denied.").await;
    client.expect("SIZE file", "213 10000").await;
    let data = client.passive().await;
    client.expect("RETR file", "550 No such file").await;
    drop(data);
    assert_eq!(client.download("RETR file", false).await, content);
    client.expect("MKD d", "452").await;
    client.expect("MKD d", "257").await;
    client.expect("DELE file", "550").await;
    client.expect("DELE file", "250").await;
}

#[tokio::test]
async fn feat_lies() {
    let server = faulty("when FEAT do hide mlst\nwhen FEAT do advertise XLIE now").await;
    let mut client = logged_in(&server).await;
    let features = client.expect("FEAT", "211").await;
    assert!(
        !features.contains("MLST") && features.contains("\r\n XLIE now\r\n"),
        "{features}"
    );
    client.expect("MLST /", "250").await;
}

#[tokio::test]
async fn limits_are_planned() {
    let server = faulty("when connect from 2 do max sessions 1\nwhen NOOP do idle 50ms").await;
    let mut client = logged_in(&server).await;
    let mut second = Client::open(server.addresses()[0]).await;
    receives(&mut second, "421 Too many sessions.\r\n").await;
    assert_eq!(second.reply().await, "");
    client.expect("NOOP", "200").await;
    client.receive("421").await;
    assert_eq!(client.reply().await, "");
}

/// A client that checks the certificate for `name`: the error, if any.
async fn handshake(server: &ServerHandle, name: &str) -> Result<(), std::io::Error> {
    let mut client = Client::connect(server.addresses()[0]).await;
    client.expect("AUTH TLS", "234").await;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    client
        .try_shake_hands(connector(server, &TLS13), name)
        .await
}

#[rstest]
#[case("certificate expired", "localhost", "Expired")]
#[case("certificate wrong-name", "localhost", "NotValidForName")]
#[case("certificate unknown-CA", "localhost", "UnknownIssuer")]
#[case("certificate self-signed", "localhost", "UnknownIssuer")]
#[case("handshake alert", "localhost", "HandshakeFailure")]
#[case("handshake stall", "localhost", "eof")]
#[case("plaintext", "localhost", "InvalidContentType")]
#[tokio::test]
async fn a_handshake_fails_and_the_next_does_not(
    #[case] action: &str,
    #[case] name: &str,
    #[case] why: &str,
) {
    let server = faulty(&format!("when handshake nth 1 do {action}")).await;
    let error = handshake(&server, name).await.unwrap_err();
    assert!(format!("{error:?}").contains(why), "{error:?}");
    handshake(&server, name).await.unwrap();
}

#[tokio::test]
async fn only_one_thing_is_wrong_with_a_certificate() {
    let server = faulty("when handshake nth 1 do certificate wrong-name").await;
    handshake(&server, "wrong.invalid").await.unwrap();
}

#[tokio::test]
async fn auth_is_refused_and_the_session_goes_on_in_the_clear() {
    let server = faulty("when AUTH nth 1 do reply 431 Not available.").await;
    let mut client = Client::connect(server.addresses()[0]).await;
    client.expect("AUTH TLS", "431 Not available.").await;
    client.expect("USER test", "331").await;
    client.protect(connector(&server, &TLS13)).await;
    client.login().await;
}

#[tokio::test]
async fn a_reply_in_clear_follows_234() {
    let server = faulty("when AUTH do plaintext").await;
    let mut client = Client::connect(server.addresses()[0]).await;
    client.send("AUTH TLS").await;
    let both = "234 Begin the TLS handshake.\r\n220 This was sent in the clear.\r\n";
    receives(&mut client, both).await;
    client.shake_hands(connector(&server, &TLS12)).await;
    client.protect_data().await;
    client.login().await;
}

#[tokio::test]
async fn tls_ends_without_close_notify() {
    let server = faulty("when data nth 2 do no close_notify\nwhen QUIT do no close_notify").await;
    let mut client = protected(&server, connector(&server, &TLS13)).await;
    client.upload("STOR file", &[b'x'; 100], false).await;
    let (octets, orderly) = retrieve(&mut client).await;
    assert_eq!((octets.len(), orderly), (100, false));
    client.receive("226").await;
    let (octets, orderly) = retrieve(&mut client).await;
    assert_eq!((octets.len(), orderly), (100, true));
    client.receive("226").await;
    client.expect("QUIT", "221").await;
    let Wire::Tls(stream) = &mut client.wire else {
        panic!("it is protected");
    };
    let error = stream.read_u8().await.unwrap_err();
    assert!(error.to_string().contains("close_notify"), "{error}");
}

#[rstest]
#[case("reset at 4096", 4096, false, "426")]
#[case("close at 4096", 4096, true, "426")]
#[case("truncate to 4096", 4096, true, "226")]
#[case("stall at 4096", 4096, false, "426")]
#[tokio::test]
async fn a_protected_download_is_cut_short_after_the_planned_octets_of_the_file(
    #[case] action: &str,
    #[case] octets: usize,
    #[case] orderly: bool,
    #[case] reply: &str,
) {
    for version in VERSIONS {
        let server = faulty(&format!("when RETR nth 1 do {action}")).await;
        let mut client = protected(&server, connector(&server, version)).await;
        client.upload("STOR file", &[b'x'; 10_000], false).await;
        let (received, end) = retrieve(&mut client).await;
        assert_eq!((received.len(), end), (octets, orderly));
        client.receive(reply).await;
        goes_on(&mut client).await;
        assert_eq!(client.download("RETR file", false).await.len(), 10_000);
    }
}

#[tokio::test]
async fn a_data_connection_must_resume_a_session() {
    let server = faulty("when data do require session reuse").await;
    for version in VERSIONS {
        let mut client = protected(&server, connector(&server, version)).await;
        client.upload("STOR file", b"mine", false).await;
        // Another TLS client has no session to resume.
        client.tls = Some(connector(&server, version));
        let stranger = client.begin("STOR file").await;
        client.receive("522").await;
        drop(stranger);
        goes_on(&mut client).await;
    }
}

#[tokio::test]
async fn a_server_without_a_plan_counts_nothing() {
    let server = builder().faults(Plan::new()).start().await.unwrap();
    logged_in(&server).await;
    assert!(server.fault_counts().is_empty());
}
