//! Both sides of the recorder differ: in how TLS begins, and in the family of addresses.

use std::fs;
use std::path::Path;

use ftpspec::recording;
use ftpspec::transcript::{Channel, EventKind, Leg, Transcript};
use rstest::rstest;
use serde_json::Value;

use crate::client::{Client, trusting};
use crate::processes::Running;

const PASSWORD: &str = "pw";

fn serve(more: &[&str]) -> Running {
    Running::start(&[&["serve", "--user", "u:pw"], more].concat())
}

fn record(url: &str, ca: &str, out: &Path, more: &[&str]) -> Running {
    let arguments = ["record", "--upstream", url, "--upstream-ca", ca];
    let out = ["--out", out.to_str().unwrap(), "--format", "json"];
    Running::start(&[&arguments[..], &out, more].concat())
}

/// Uploads and downloads; the replies are those of a server.
fn carry(client: &mut Client) {
    let content: Vec<u8> = (0..300_000_u32)
        .map(|number| (number % 251) as u8)
        .collect();
    client.upload("STOR file", &content);
    for code in ["150", "226"] {
        let reply = client.reply();
        assert!(reply.starts_with(code), "{reply}");
    }
    let received = client.download("RETR file");
    assert!(received.whole && received.octets == content);
    for code in ["150", "226"] {
        let reply = client.reply();
        assert!(reply.starts_with(code), "{reply}");
    }
}

/// On which channels TLS was established.
fn protected(transcript: &Transcript) -> Vec<(Leg, bool)> {
    let mut found: Vec<(Leg, bool)> = transcript
        .events
        .iter()
        .filter(|event| matches!(event.what, EventKind::TlsEstablished(_)))
        .map(|event| match event.channel {
            Channel::LegControl(leg) => (leg, false),
            Channel::LegData(leg, _) => (leg, true),
            other => panic!("{other}"),
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

const CLIENT: [(Leg, bool); 2] = [(Leg::Client, false), (Leg::Client, true)];
const SERVER: [(Leg, bool); 2] = [(Leg::Server, false), (Leg::Server, true)];

#[rstest]
#[case::same("explicit", "ftp", "", "auth", true, true)]
#[case::clear("explicit", "ftp", "", "clear", false, false)]
#[case::off("explicit", "ftp", "--upstream-tls off", "auth", true, false)]
#[case::explicit("explicit", "ftp", "--upstream-tls explicit", "clear", false, true)]
#[case::both_by_auth("explicit", "ftp", "--upstream-tls explicit", "auth", true, true)]
#[case::implicit_to_explicit("explicit", "ftp", "--listen-tls implicit", "implicit", true, true)]
#[case::implicit("implicit", "ftps", "", "implicit", true, true)]
#[case::explicit_to_implicit("implicit", "ftps", "--listen-tls explicit", "auth", true, true)]
#[case::clear_to_implicit("implicit", "ftps", "--listen-tls explicit", "clear", false, true)]
#[case::by_option("implicit", "ftp", "--upstream-tls implicit", "auth", true, true)]
fn each_side_begins_tls_in_its_own_way(
    #[case] server: &str,
    #[case] scheme: &str,
    #[case] options: &str,
    #[case] client: &str,
    #[case] client_protected: bool,
    #[case] server_protected: bool,
) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("s.jsonl");
    let server = serve(&["--tls", server]);
    let url = format!("{scheme}://localhost:{}", server.port());
    let options: Vec<&str> = options.split_whitespace().collect();
    let recorder = record(&url, &server.text("ca"), &out, &options);
    let address = recorder.text("address").parse().unwrap();
    let tls = trusting(&fs::read_to_string(recorder.text("ca")).unwrap());
    let mut session = match client {
        "implicit" => Client::connect_tls(address, &tls).unwrap(),
        _ => Client::connect(address),
    };
    session.log_in((client == "auth").then_some(&tls), PASSWORD);
    carry(&mut session);
    session.expect("QUIT", "221");
    drop(session);
    assert_eq!(recorder.stop(), 0);
    let transcript = recording::open(&out).unwrap();
    let expected = [
        client_protected.then_some(CLIENT),
        server_protected.then_some(SERVER),
    ];
    let expected: Vec<_> = expected.into_iter().flatten().flatten().collect();
    assert_eq!(protected(&transcript), expected);
}

/// 127.0.0.1 and, where this machine has it, ::1. What is not played without it is reported by the
/// suite's own tests.
fn addresses(server: &Running) -> Vec<String> {
    let Value::Array(addresses) = &server.ready["addresses"] else {
        panic!("{}", server.ready);
    };
    let text = |address: &Value| address.as_str().unwrap().to_owned();
    addresses.iter().map(text).collect()
}

#[test]
fn either_side_has_the_family_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(&[]);
    for upstream in addresses(&server) {
        for listen in addresses(&server) {
            let listen_at = match listen.starts_with('[') {
                true => "[::1]:0",
                false => "127.0.0.1:0",
            };
            let out = folder.path().join("s.jsonl");
            let url = format!("ftp://{upstream}");
            let recorder = record(&url, &server.text("ca"), &out, &["--listen", listen_at]);
            let mut client = Client::connect(recorder.text("address").parse().unwrap());
            client.log_in(None, PASSWORD);
            carry(&mut client);
            client.expect("TYPE I", "200");
            for port in ["PORT", "EPRT"] {
                if port == "PORT" && listen.starts_with('[') {
                    continue;
                }
                let received = client.download_active(port, "RETR file");
                assert_eq!((received.octets.len(), received.whole), (300_000, true));
                assert!(client.reply().starts_with("150"));
                assert!(client.reply().starts_with("226"), "{listen} to {upstream}");
            }
            client.expect("QUIT", "221");
            drop(client);
            assert_eq!(recorder.stop(), 0);
            let transcript = recording::open(&out).unwrap();
            let opened = transcript
                .events
                .iter()
                .filter_map(|event| match &event.what {
                    EventKind::DataOpened { local, .. } => {
                        Some((event.channel.leg(), local.clone()))
                    }
                    _ => None,
                });
            for (leg, local) in opened {
                let expected = match leg {
                    Some(Leg::Client) => &listen,
                    _ => &upstream,
                };
                assert_eq!(local.starts_with('['), expected.starts_with('['), "{local}");
            }
        }
    }
}
