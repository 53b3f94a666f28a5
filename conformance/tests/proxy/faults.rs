//! `ftpspec proxy`, as a process, in front of the reference server: each fault shows on the client's
//! side what the same fault shows where the reference server injects it itself.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::client::{Client, trusting};
use crate::processes::{FTPSPEC, Running};
use ftpspec::recording;
use ftpspec::transcript::{EventKind, ObservationKind};
use ftpspec_server::fault::Plan;
use ftpspec_server::storage::{VirtualPath, write_file};
use ftpspec_server::{Limits, MemFs, Server, ServerHandle, Tls};
use rstest::rstest;
use rustls::ClientConfig;
use tokio::runtime::Runtime;

/// The reference server with short limits, on threads of its own.
struct Upstream {
    handle: ServerHandle,
    _runtime: Runtime,
    content: Vec<u8>,
}

impl Upstream {
    fn start(plan: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let limits = Limits {
            data_connection: Duration::from_millis(100),
            data_stall: Duration::from_millis(300),
            handshake: Duration::from_millis(500),
            ..Limits::default()
        };
        let builder = Server::builder()
            .user("u", "pw")
            .tls(Tls::explicit())
            .limits(limits)
            .faults(Plan::of_lines(plan).unwrap());
        let content: Vec<u8> = (0..10_000_u32).map(|number| (number % 251) as u8).collect();
        let storage = MemFs::new();
        let path = VirtualPath::root().join(b"file").unwrap();
        write_file(&storage, &path, content.clone().into()).unwrap();
        let handle = runtime.block_on(builder.storage(storage).start()).unwrap();
        Self {
            handle,
            _runtime: runtime,
            content,
        }
    }

    fn address(&self) -> SocketAddr {
        self.handle.addresses()[0]
    }

    fn tls(&self) -> Arc<ClientConfig> {
        trusting(self.handle.ca_pem().unwrap())
    }
}

/// The proxy in front of a server, with these faults.
fn proxy(upstream: &Upstream, faults: &[&str], more: &[&str], folder: &Path) -> Running {
    let ca = folder.join("upstream.pem");
    fs::write(&ca, upstream.handle.ca_pem().unwrap()).unwrap();
    let url = format!("ftp://localhost:{}", upstream.address().port());
    let mut arguments = vec!["proxy", "--upstream", &url, "--format", "json"];
    arguments.extend(["--upstream-ca", ca.to_str().unwrap()]);
    if !more.contains(&"--hold") {
        arguments.extend(["--hold", "1"]);
    }
    for fault in faults {
        arguments.extend(["--fault", fault]);
    }
    arguments.extend(more);
    Running::start(&arguments)
}

/// The address of a proxy, and what its clients trust.
fn reached(proxy: &Running) -> (SocketAddr, Arc<ClientConfig>) {
    let ca = fs::read_to_string(proxy.text("ca")).unwrap();
    (proxy.text("address").parse().unwrap(), trusting(&ca))
}

/// What a client sees of a whole session, in the words of the dialogue.
fn dialogue(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> Vec<String> {
    let mut client = Client::connect(address);
    client.log_in(tls, "pw");
    let mut seen = Vec::new();
    for command in ["SYST", "FEAT", "RETR file", "STOR up", "SIZE up", "QUIT"] {
        match command {
            "RETR file" => {
                let download = client.download(command);
                let octets = (download.octets.len(), download.octets.last().copied());
                // A server that never accepts a connection resets it in the end.
                let is_whole = download.whole || octets.0 == 0;
                seen.push(format!("{octets:?} {is_whole}"));
            }
            "STOR up" => client.upload(command, &[b'x'; 5000]),
            _ => client.send(command),
        }
        let (replies, end) = client.until_barrier();
        let lines = replies.split_inclusive("\\r\\n").map(|line| {
            // Only the code of what is said around a transfer is the same for all servers.
            let code = &line[..3.min(line.len())];
            let is_transfer = ["150", "425", "426", "522"].contains(&code);
            if is_transfer { code } else { line }
        });
        seen.push(format!("{command}: {}", lines.collect::<String>()));
        if let Some(orderly) = end {
            seen.push(format!("closed: {orderly}"));
            break;
        }
    }
    seen
}

/// The dialogue without faults.
fn plain_dialogue(protected: bool) -> &'static [String] {
    static DIALOGUES: [OnceLock<Vec<String>>; 2] = [OnceLock::new(), OnceLock::new()];
    DIALOGUES[usize::from(protected)].get_or_init(|| {
        let server = Upstream::start("");
        let tls = protected.then(|| server.tls());
        dialogue(server.address(), tls.as_ref())
    })
}

#[rstest]
#[case("when SYST do reply 450 Not \"now\".")]
#[case("when SYST do reply 226 \"a\\n226 b\\r\\nc\"")]
#[case("when SYST do reply 421 Bye")]
#[case("when SYST do lines \"a\\nb\"")]
#[case("when SYST do delay 50ms")]
#[case("when SYST do drop")]
#[case("when SYST do duplicate")]
#[case("when SYST do split bytewise")]
#[case("when SYST do bare LF")]
#[case("when SYST do wrong last line")]
#[case("when SYST do NUL in text")]
#[case("when SYST do long line 40")]
#[case("when FEAT do hyphen on last line")]
#[case("when FEAT do lowercase")]
#[case("when SYST do no text")]
#[case("when SYST do unsolicited 421 Bye.")]
#[case("when SYST do hang up")]
#[case("when FEAT do hide MLST")]
#[case("when FEAT do advertise XLIE now")]
#[case("when RETR do glue")]
#[case("when data do early 226")]
#[case("when data do missing 226")]
#[case("when data do missing 150")]
#[case("when data do never accept")]
#[case("when data do refuse")]
#[case("when data do stall at 4096")]
#[case("when data do stall")]
#[case("when data do reset at 4096")]
#[case("when data do close at 4096")]
#[case("when data do close at 10000")]
#[case("when data do truncate to 4096")]
#[case("when data do corrupt octet 9999")]
#[case("when data do extra 4 octets")]
#[case("when data do slow 50000 octets/s")]
#[case("when data do require session reuse")]
#[case("when data do no close_notify")]
#[case("when QUIT do no close_notify")]
#[case("when EPSV do wrong port 9")]
#[case("when EPSV do refuse")]
#[case("when SYST do idle 1m")]
fn a_fault_shows_through_the_proxy_what_it_shows_on_the_reference_server(#[case] fault: &str) {
    let folder = tempfile::tempdir().unwrap();
    let own = Upstream::start(fault);
    let upstream = Upstream::start("");
    let proxy = proxy(&upstream, &[fault], &[], folder.path());
    let (address, tls) = reached(&proxy);
    for protected in [false, true] {
        let own_tls = protected.then(|| own.tls());
        let expected = dialogue(own.address(), own_tls.as_ref());
        let seen = dialogue(address, protected.then_some(&tls));
        assert_eq!(seen, expected);
        // Some faults are about time or segments, or are about what this client does not do.
        let is_visible = !["delay", "split", "slow", "require", "idle", "glue", "early"]
            .iter()
            .any(|it| fault.contains(it))
            && (protected || !fault.contains("close_notify"));
        assert_eq!(seen != plain_dialogue(protected), is_visible, "{seen:?}");
    }
}

#[rstest]
#[case("certificate expired", "Expired")]
#[case("certificate wrong-name", "NotValidForName")]
#[case("certificate unknown-CA", "UnknownIssuer")]
#[case("certificate self-signed", "UnknownIssuer")]
#[case("handshake alert", "HandshakeFailure")]
#[case("handshake stall", "eof")]
#[case("plaintext", "InvalidContentType")]
fn a_handshake_fails_as_on_the_reference_server_and_the_next_does_not(
    #[case] action: &str,
    #[case] why: &str,
) {
    let folder = tempfile::tempdir().unwrap();
    let fault = format!("when handshake nth 1 do {action}");
    let shaken = |address: SocketAddr, tls: &Arc<ClientConfig>| {
        let mut client = Client::connect(address);
        client.reply();
        client.expect("AUTH TLS", "234");
        client
            .shake_hands(tls)
            .map_err(|error| format!("{error:?}"))
    };
    let own = Upstream::start(&fault);
    let upstream = Upstream::start("");
    let proxy = proxy(&upstream, &[&fault], &[], folder.path());
    let (address, tls) = reached(&proxy);
    for (address, tls) in [(own.address(), own.tls()), (address, tls)] {
        let error = shaken(address, &tls).unwrap_err();
        assert!(
            error.to_lowercase().contains(&why.to_lowercase()),
            "{error}"
        );
        shaken(address, &tls).unwrap();
    }
}

#[rstest]
#[case("reply 421 Full.", &["421 Full.\\r\\n"], Some(true))]
#[case("reply 230 Welcome.", &["230 Welcome.\\r\\n", "200 "], None)]
#[case("wrong last line", &["220-", "221 End\\r\\n", "200 "], None)]
#[case("hang up", &[], Some(true))]
#[case("max sessions 0", &["421 Too many sessions.\\r\\n"], Some(true))]
fn the_greeting_is_a_reply_too(
    #[case] action: &str,
    #[case] parts: &[&str],
    #[case] end: Option<bool>,
) {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start("");
    let fault = format!("when connect nth 2 do {action}");
    let proxy = proxy(&upstream, &[&fault], &[], folder.path());
    let (address, _) = reached(&proxy);
    Client::connect(address).log_in(None, "pw");
    let (seen, ended) = Client::connect(address).until_barrier();
    for part in parts {
        assert!(seen.contains(part), "{seen}");
    }
    assert_eq!((ended, seen.is_empty()), (end, parts.is_empty()));
    Client::connect(address).log_in(None, "pw");
}

#[test]
fn a_reset_at_an_octet_reaches_the_client_at_that_octet_with_tls_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start("");
    let record = folder.path().join("s.jsonl");
    let fault = "when RETR nth 2 path /file user u do reset at 4096";
    let more = ["--record", record.to_str().unwrap()];
    let proxy = proxy(&upstream, &[fault], &more, folder.path());
    let (address, tls) = reached(&proxy);
    let mut client = Client::connect(address);
    client.log_in(Some(&tls), "pw");
    for (length, code) in [(10_000, "226"), (4096, "426"), (10_000, "226")] {
        let received = client.download("RETR file");
        assert_eq!(received.octets, upstream.content[..length]);
        assert_eq!(received.whole, length == 10_000);
        assert!(client.reply().starts_with("150"));
        assert!(client.reply().starts_with(code));
    }
    client.expect("QUIT", "221");
    drop(client);
    assert_eq!(proxy.stop(), 0);
    let recorded = recording::open(&record).unwrap();
    let faults = recorded
        .events
        .iter()
        .filter_map(|event| match &event.what {
            EventKind::Observed { kind, fact, .. } => Some((*kind, fact.as_str())),
            _ => None,
        });
    let fact = "when RETR nth 2 user \"u\" path \"/file\" do reset at 4096";
    let expected = [(ObservationKind::InjectedFault, fact)];
    assert_eq!(faults.collect::<Vec<_>>(), expected);
}

#[test]
fn a_path_is_resolved_from_the_last_known_directory() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start("");
    let faults = [
        "when SIZE path /d/x do reply 550 deep",
        "when SIZE path /x session 1 do reply 550 top",
    ];
    let proxy = proxy(&upstream, &faults, &[], folder.path());
    let (address, _) = reached(&proxy);
    let mut client = Client::connect(address);
    client.log_in(None, "pw");
    assert_eq!(client.command("SIZE x"), "550 top\r\n");
    client.expect("MKD d", "257");
    client.expect("CWD nowhere", "550");
    assert_eq!(client.command("SIZE x"), "550 top\r\n");
    client.expect("CWD d", "250");
    assert_eq!(client.command("SIZE x"), "550 deep\r\n");
    assert_eq!(client.command("SIZE ../x"), "550 top\r\n");
    client.expect("CDUP", "250");
    assert_eq!(client.command("SIZE d/x"), "550 deep\r\n");
    let mut second = Client::connect(address);
    second.log_in(None, "pw");
    assert!(second.command("SIZE x").contains("No such file"));
}

#[test]
fn a_transfer_that_the_plan_refuses_is_not_asked_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start("");
    let fault = "when data nth 1 do reply 550 No.";
    let proxy = proxy(&upstream, &[fault], &[], folder.path());
    let (address, _) = reached(&proxy);
    let mut client = Client::connect(address);
    client.log_in(None, "pw");
    client.passive("PASV");
    assert_eq!(client.command("STOR new"), "550 No.\r\n");
    client.expect("SIZE new", "550");
    assert_eq!(client.download("RETR file").octets, upstream.content);
    client.expect("NOOP", "150");
}

#[test]
fn abor_ends_a_transfer_that_a_fault_holds_up() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start("");
    let proxy = proxy(
        &upstream,
        &["when RETR do never accept"],
        &["--hold", "3600"],
        folder.path(),
    );
    let (address, _) = reached(&proxy);
    let mut client = Client::connect(address);
    client.log_in(None, "pw");
    client.passive("PASV");
    client.expect("RETR file", "150");
    client.expect("ABOR", "425");
    assert!(client.reply().starts_with("226"));
    client.expect("NOOP", "200");
}

#[test]
fn a_fault_of_the_storage_is_refused_with_the_list_of_the_others() {
    let url = "ftp://127.0.0.1:9";
    let output = Command::new(FTPSPEC)
        .args([
            "proxy",
            "--upstream",
            url,
            "--fault",
            "when STOR do full at 9",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("`when STOR do full at 9` needs the storage"),
        "{text}"
    );
    let listed = Command::new(FTPSPEC)
        .args(["proxy", "--list-faults"])
        .output()
        .unwrap();
    let list = String::from_utf8_lossy(&listed.stdout);
    assert_eq!(listed.status.code(), Some(0));
    assert!(
        text.contains(&*list) && list.contains("reset at N"),
        "{list}"
    );
    assert!(!list.contains("full at N"), "{list}");
}
