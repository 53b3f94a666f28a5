//! Known attacks on FTP servers, and the test or scenario that shows that each fails.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use ftpspec_server::storage::MemFs;
use ftpspec_server::{Limits, Tls};
use rustls::version::TLS13;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::client::{Client, Data, Wire, connector};
use crate::{builder, limited, logged_in, serve};

/// The attack, and the names of tests of this crate or of scenarios that show that it fails. If
/// there is none, the reason.
#[rustfmt::skip]
const ATTACKS: &[(&str, &[&str])] = &[
    ("1 bounce to a third host (CVE-1999-0017)", &["a_data_connection_to_another_host_is_refused", "rfc2577/port-to-another-host", "rfc2428/eprt-foreign-address"]),
    ("2 theft of a passive connection (VU#2558)", &["another_client_on_the_passive_port_is_refused_and_the_owner_is_served"]),
    ("3 a stranger keeps the owner out", &["another_client_on_the_passive_port_is_refused_and_the_owner_is_served"]),
    ("4 passive ports that can be guessed", &["the_next_passive_port_is_not_the_next_number"]),
    ("5 all passive ports taken by one client", &["a_session_has_one_listener_however_often_it_asks"]),
    ("6 a 227 with somebody else's address", &["pasv_names_the_address_the_client_connected_to"]),
    ("7 a data connection that does not come, or is silent", &["a_data_connection_that_does_not_come_is_425", "a_silent_data_connection_is_closed"]),
    ("8 a client that does not read its data", &["abor_is_answered_while_the_client_does_not_read"]),
    ("9 one waits for 150, the other for the connection", &["files_travel_at_every_address_active_and_passive_in_the_clear"]),
    ("10 EPSV ALL that does not last", &["rfc2428/epsv-all-lasts", "after_epsv_all_there_is_only_epsv"]),
    ("11 connections reset before they are accepted", &["connections_that_are_reset_at_once_do_no_harm"]),
    ("12 replies in names", &["rfc959/malformed-arguments", "line_ends_are_crlf_or_lf_and_a_bare_cr_or_nul_is_malformed"]),
    ("13 commands after AUTH (CVE-2011-0411)", &["octets_sent_after_auth_never_become_a_command"]),
    ("14 a ClientHello right after 234", &["a_client_may_shake_hands_before_it_sends_the_command"]),
    ("15 a login that survives AUTH", &["auth_resets_the_login_and_all_parameters", "tls_in_tls_is_503"]),
    ("16 protection decided before the transfer", &["protection_is_decided_at_the_transfer"]),
    ("17 protection required of PASV only", &["where_data_is_required_nothing_goes_in_the_clear_over_epsv_or_eprt"]),
    ("18 a data connection of another session", &["required_reuse_distinguishes_the_session_of_another_connection_from_none"]),
    ("19 reuse that fails at the second transfer", &["required_reuse_serves_clients_that_resume_and_refuses_others_with_a_reason"]),
    ("20 truncation taken for the end", &["an_upload_that_ends_without_close_notify_is_426_and_the_old_file_stays"]),
    ("21 no close_notify from the server", &["files_travel_protected_explicitly_and_implicitly_in_both_versions"]),
    ("22 renegotiation: rustls has none, so that no client here can ask for it", &[]),
    ("23 other protocols (ALPACA, CVE-2021-3618)", &["commands_in_a_request_of_another_protocol_are_not_done", "a_client_of_another_protocol_is_refused_in_the_handshake"]),
    ("24 a handshake that does not come", &["a_data_connection_that_does_not_shake_hands_is_522"]),
    ("25 CCC loses or takes what is around it", &["after_ccc_clear_text_in_the_same_segment_as_close_notify_is_read", "ccc_is_refused_in_the_clear_before_the_login_and_by_policy"]),
    ("26 AUTH without a certificate", &["without_tls_its_verbs_are_502"]),
    ("27 a line without end", &["rfc959/line-too-long-500", "the_tail_of_an_overlong_line_is_not_a_command", "a_line_without_end_is_421_and_a_close"]),
    ("28 a long line split into commands (CVE-2008-4242)", &["the_tail_of_an_overlong_line_is_not_a_command"]),
    ("29 more or fewer replies than commands", &["each_line_gets_exactly_one_completion"]),
    ("30 Telnet commands (CVE-2010-4221)", &["a_subnegotiation_without_end_does_not_swallow_the_session", "a_flood_of_options_gets_a_bounded_answer"]),
    ("31 urgent data, floods of STAT in a transfer", &["abor_is_answered_while_the_client_does_not_read", "a_flood_of_stat_in_a_transfer_is_answered_one_by_one"]),
    ("32 NUL in arguments (CVE-2025-47812)", &["lines_have_no_nul_and_no_line_feed", "rfc959/nul-in-a-pathname"]),
    // Names stay usable: octet by octet where clients use them (257, MLST, 150 FILE, 213 HASH,
    // LIST, NLST, MLSD), and never with CR, LF or NUL. In what people read (STAT) control
    // characters are `?`.
    ("33 control octets in arguments", &["line_ends_are_crlf_or_lf_and_a_bare_cr_or_nul_is_malformed", "rfc959/malformed-arguments", "control_characters_of_names_act_on_no_terminal_that_shows_texts"]),
    ("34 quotes in 257", &["mkd_replies_with_the_whole_path_with_quotes_doubled"]),
    ("35 patterns that explode (CVE-2010-2632)", &["a_pattern_full_of_stars_ends_soon"]),
    ("36 recursive listings", &["a_listing_is_of_one_directory_however_deep_the_tree", "leading_options_of_listings_are_taken"]),
    ("37 REST out of range", &["a_restart_marker_out_of_all_range_allocates_nothing", "rfc3659/rest-bad-marker"]),
    ("38 SIZE and digests that cost", &["sizes_in_type_a_are_counted_up_to_a_limit"]),
    ("39 bombs in MODE Z", &["a_bomb_in_mode_z_is_552_at_the_quota_and_the_old_file_stays"]),
    ("40 COMB onto itself", &["comb_refuses_to_name_a_file_twice"]),
    ("41 STOU without a free name", &["stou_never_takes_a_name_that_is_taken"]),
    ("42 addresses that are none", &["nonsense_is_501", "rfc959/port-bad-syntax-501", "rfc2428/eprt-malformed"]),
    ("43 verbs where nobody expects them", &["before_the_login_most_is_530", "each_line_gets_exactly_one_completion"]),
    ("44 commands in the middle of a transfer (CVE-2023-24042)", &["no_command_during_a_transfer_is_lost", "rein_and_user_during_a_transfer_let_it_finish"]),
    ("45 memory used after it is freed", &["there_is_no_unsafe_code_here"]),
    ("46 clients that say little, for long", &["a_login_that_does_not_come_is_421_whatever_is_sent_meanwhile", "the_sessions_of_one_address_are_limited_and_others_are_served"]),
    ("47 HTTP, SMTP and SSH", &["commands_in_a_request_of_another_protocol_are_not_done"]),
    ("48 replies that are not read", &["a_client_that_reads_no_replies_is_not_read_either"]),
    ("49 paths that leave the root", &["invalid_pathnames_are_refused", "the_directory_is_changed_and_reported"]),
    ("50 links that leave the root (CVE-2017-7418)", &["links_never_lead_out_of_the_root", "a_link_leads_to_its_target_and_never_out"]),
    ("51 SITE without a login (CVE-2015-3306)", &["every_service_needs_a_login"]),
    ("52 verbs that forget permissions", &["permission_is_by_effect", "a_reader_changes_nothing_by_site"]),
    ("53 ways around a quota (CVE-2021-40524)", &["what_is_there_counts_and_every_way_to_make_it_more_is_charged", "an_append_is_charged_for_the_file_it_extends", "an_aborted_upload_that_is_kept_is_charged"]),
    ("54 a failed upload that spoils the old file", &["a_lost_control_connection_leaves_the_old_file", "rfc959/stor-reset-leaves-the-old-file"]),
    ("55 privileges that are kept: the server takes and drops none, it has those of its process", &[]),
    ("56 RMD of files, DELE of directories, renaming into oneself", &["rmd_and_dele_distinguish_files_from_directories", "a_directory_cannot_be_renamed_into_itself"]),
    ("57 finding out who there is", &["any_user_name_is_331_and_a_wrong_password_530", "rfc2577/user-does-not-reveal-names"]),
    ("58 trying passwords", &["too_many_wrong_passwords_are_421_and_the_end", "wrong_passwords_delay_only_the_session_that_sends_them"]),
    ("59 SQL and formats in user names", &["a_user_name_is_a_name_and_no_language"]),
    ("60 RNFR kept over REIN", &["what_was_to_be_renamed_is_forgotten_by_rein"]),
    ("61 what anonymous may change: nothing", &["permission_is_by_effect"]),
    ("62 one host's certificate, another's users", &["a_certificate_of_one_host_logs_nobody_in_to_another", "host_must_be_the_name_of_the_tls_handshake"]),
];

fn sources(directory: &Path, into: &mut String) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

/// All sources of this crate, including tests.
pub(crate) fn own_sources() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = String::new();
    sources(&root.join("src"), &mut all);
    sources(&root.join("tests"), &mut all);
    all
}

#[test]
fn each_attack_has_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all = own_sources();
    for (number, (attack, shown_by)) in (1..).zip(ATTACKS) {
        assert!(attack.starts_with(&format!("{number} ")), "{attack}");
        assert!(!shown_by.is_empty() || attack.contains(':'), "{attack}");
        for name in *shown_by {
            let there = if name.contains('/') {
                root.join(format!("../scenarios/{name}.ftpt")).exists()
            } else {
                all.contains(&format!("fn {name}("))
            };
            assert!(there, "{attack}: there is no {name}");
        }
    }
    assert_eq!(ATTACKS.len(), 62);
}

#[tokio::test]
async fn a_data_connection_to_another_host_is_refused() {
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    let victim = TcpListener::bind("127.0.0.3:0").await.unwrap();
    let port = victim.local_addr().unwrap().port();
    let (high, low) = (port >> 8, port & 255);
    for command in [
        format!("PORT 127,0,0,3,{high},{low}"),
        format!("PORT 0,0,0,0,{high},{low}"),
        format!("PORT 255,255,255,255,{high},{low}"),
        format!("PORT 127,0,0,259,{high},{low}"),
        format!("PORT 0177,0,0,03,{high},{low}"),
        "PORT 127,0,0,1,0,22".into(),
        format!("EPRT |1|127.0.0.3|{port}|"),
        format!("EPRT |1|0.0.0.0|{port}|"),
        format!("EPRT |1|0177.0.0.3|{port}|"),
        format!("EPRT |1|2130706435|{port}|"),
        format!("EPRT |2|::ffff:127.0.0.3|{port}|"),
        format!("EPRT |2|::1|{port}|"),
        "EPRT |1|127.0.0.1|22|".into(),
        format!("EPRT |1|127.0.0.1|{}|", u32::from(port) + 65536),
    ] {
        client.expect(&command, "5").await;
        client.expect("NLST", "425").await;
    }
    let nobody =
        std::future::poll_fn(|cx| std::task::Poll::Ready(victim.poll_accept(cx).is_pending()));
    assert!(nobody.await, "the server connected to the victim");
}

#[tokio::test]
async fn a_session_has_one_listener_however_often_it_asks() {
    // A few ports that are free now; another process may take some of them.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().min(u16::MAX - 3);
    drop(free);
    let server = serve(builder().passive_ports(port..=port + 3)).await;
    let mut client = logged_in(&server).await;
    for _ in 0..300 {
        client.expect("EPSV", "229").await;
        client.expect("PASV", "227").await;
    }
    let mut other = logged_in(&server).await;
    other.expect("EPSV", "229").await;
}

#[tokio::test]
async fn a_silent_data_connection_is_closed() {
    let server = limited(|limits| limits.data_stall = Duration::from_millis(50)).await;
    let mut client = logged_in(&server).await;
    let data = client.passive().await;
    client.expect("STOR file", "150").await;
    client.receive("426").await;
    client.expect("SIZE file", "550").await;
    drop(data);
}

#[tokio::test]
async fn connections_that_are_reset_at_once_do_no_harm() {
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    client.upload("STOR file", b"content", false).await;
    let reset = async |address: SocketAddr| {
        let stream = TcpStream::connect(address).await.unwrap();
        socket2::SockRef::from(&stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    };
    for _ in 0..100 {
        reset(server.addresses()[0]).await;
    }
    assert_eq!(client.download("RETR file", false).await, b"content");
    for _ in 0..20 {
        let port = client.extended_passive().await;
        reset(SocketAddr::new(server.addresses()[0].ip(), port)).await;
        client.expect("RETR file", "150").await;
        // In either order of the events there is an answer.
        assert!(client.reply().await.len() > 4);
    }
    client.expect("NOOP", "200").await;
}

#[tokio::test]
async fn a_flood_of_stat_in_a_transfer_is_answered_one_by_one() {
    const COMMANDS: usize = 2_000;
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    let data = client.passive().await;
    client.expect("STOR file", "150").await;
    client.wire.write(&b"STAT\r\n".repeat(COMMANDS)).await;
    for _ in 0..COMMANDS {
        client.receive("211").await;
    }
    let mut data = client.establish(data).await;
    data.end().await;
    client.receive("226").await;
}

#[tokio::test]
async fn commands_in_a_request_of_another_protocol_are_not_done() {
    let server = builder().start().await.unwrap();
    let commands = "USER test\r\nPASS secret\r\nMKD smuggled\r\n";
    let long = "x".repeat(10_000);
    for (request, before) in [
        (
            format!("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n{commands}"),
            0,
        ),
        (
            format!("POST /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n{commands}"),
            1,
        ),
        (format!("GET /{commands}"), 0),
        (format!("EHLO example.org\r\n{commands}"), 0),
        (format!("SSH-2.0-OpenSSH_9.9\r\n{commands}"), 0),
    ] {
        let mut client = Client::connect(server.addresses()[0]).await;
        client.wire.write(request.as_bytes()).await;
        for _ in 0..before {
            client.receive("500 ").await;
        }
        client.receive("421 ").await;
        assert_eq!(client.reply().await, "");
    }
    logged_in(&server).await.expect("CWD smuggled", "550").await;
}

#[tokio::test]
async fn a_line_without_end_is_421_and_a_close() {
    let server = builder().start().await.unwrap();
    // Before a login and after it, and with Telnet commands, which are not held either.
    for (login, octets) in [
        (false, &b"x"[..]),
        (true, b"x"),
        (false, &[255, 241]),
        (false, &[255, 250, 1, 2]),
    ] {
        let mut client = Client::connect(server.addresses()[0]).await;
        if login {
            client.login().await;
        }
        let flood = octets.repeat((4 << 20) / octets.len());
        let Wire::Clear(stream) = &mut client.wire else {
            panic!("it is in the clear");
        };
        // The server may have closed before all of it is sent.
        let _ = stream.write_all(&flood).await;
        let mut reply = client.reply().await;
        if reply.starts_with("500 ") {
            reply = client.reply().await;
        }
        assert_eq!(reply, "421 The line is too long, closing.");
        assert_eq!(client.reply().await, "");
    }
    // Long lines one after the other are not one line.
    let mut client = logged_in(&server).await;
    for _ in 0..40 {
        let line = "x".repeat(64 << 10);
        assert!(client.ask(&line).await.starts_with("500 "));
    }
    client.expect("NOOP", "200").await;
}

#[tokio::test]
async fn control_characters_of_names_act_on_no_terminal_that_shows_texts() {
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    let name = "a\u{1b}[2J\u{7}\u{9b}z";
    let made = client.expect(&format!("MKD {name}"), "257").await;
    assert!(made.starts_with(&format!("257 \"/{name}\"")), "{made:?}");
    // Where a client uses the name it is the name.
    let moved = client.expect(&format!("CWD {name}"), "250").await;
    assert!(!moved.contains('\u{1b}'), "{moved:?}");
    assert_eq!(
        client.expect("PWD", "257").await,
        format!("257 \"/{name}\" is the current directory.")
    );
    client.expect("CDUP", "250").await;
    assert!(
        client
            .expect(&format!("MLST {name}"), "250")
            .await
            .contains(name)
    );
    for command in ["NLST", "MLSD", "LIST"] {
        let listing = client.download(command, false).await;
        let listing = String::from_utf8(listing).unwrap();
        assert!(listing.contains(name), "{command}: {listing:?}");
    }
    // Where people read it, it is shown.
    for command in ["STAT /", &format!("STAT {name}")] {
        let status = client.expect(command, "21").await;
        assert!(status.contains("a?[2J??z"), "{command}: {status:?}");
        let acts = |char: char| char.is_control() && !matches!(char, '\r' | '\n');
        assert!(!status.contains(acts), "{command}: {status:?}");
    }
    let refused = client.expect(&format!("OPTS MODE Z {name}"), "501").await;
    assert!(!refused.contains('\u{1b}'), "{refused:?}");
}

#[tokio::test]
async fn a_restart_marker_out_of_all_range_allocates_nothing() {
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    client.upload("STOR file", b"content", false).await;
    for marker in [
        "-1",
        "1e9",
        "9223372036854775808",
        "1000000000000000000000000000000",
        "",
    ] {
        client.expect(&format!("REST {marker}"), "501").await;
    }
    for marker in [1_u64 << 31, 1 << 32, 1 << 62] {
        for command in ["RETR file", "STOR file", "STOR new"] {
            let Data::Passive(data) = client.passive().await else {
                panic!("it is passive");
            };
            client.expect(&format!("REST {marker}"), "350").await;
            client.expect(command, "5").await;
            drop(Wire::Clear(data));
        }
    }
    assert_eq!(client.download("RETR file", false).await, b"content");
}

#[tokio::test]
async fn what_was_to_be_renamed_is_forgotten_by_rein() {
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    client.upload("STOR file", b"content", false).await;
    client.expect("RNFR file", "350").await;
    client.expect("REIN", "220").await;
    client.expect("RNTO moved", "530").await;
    client.login().await;
    client.expect("RNTO moved", "503").await;
    client.expect("SIZE file", "213").await;
}

#[tokio::test]
async fn the_next_passive_port_is_not_the_next_number() {
    const PORTS: usize = 40;
    // A range of ports, and any port of the operating system.
    for range in [Some(20_000..=30_000), None] {
        let server = match range {
            Some(range) => builder().passive_ports(range).start().await.unwrap(),
            None => builder().start().await.unwrap(),
        };
        let mut client = logged_in(&server).await;
        let mut ports = Vec::new();
        for _ in 0..PORTS {
            let reply = client.expect("EPSV", "229").await;
            ports.push(reply.split('|').nth(3).unwrap().parse::<i32>().unwrap());
        }
        let steps: HashSet<i32> = ports.windows(2).map(|two| two[1] - two[0]).collect();
        assert!(steps.len() > PORTS / 2, "{ports:?}");
    }
}

#[tokio::test]
async fn a_data_connection_that_does_not_shake_hands_is_522() {
    let limits = Limits {
        // The control connection shakes hands in this time, too.
        handshake: Duration::from_secs(2),
        ..Limits::default()
    };
    let server = serve(builder().tls(Tls::explicit()).limits(limits)).await;
    let mut client = logged_in(&server).await;
    client.protect(connector(&server, &TLS13)).await;
    client.login().await;
    // Nothing is sent, or the beginning of a ClientHello.
    for beginning in [&b""[..], &[22, 3, 1]] {
        let Data::Passive(data) = client.passive().await else {
            panic!("it is passive");
        };
        let mut data = Wire::Clear(data);
        data.write(beginning).await;
        client.expect("STOR file", "150").await;
        client.receive("522 ").await;
        client.expect("SIZE file", "550").await;
    }
}

#[tokio::test]
async fn a_bomb_in_mode_z_is_552_at_the_quota_and_the_old_file_stays() {
    use std::io::Write as _;

    let files = MemFs::new().with_quota(8 << 20);
    let server = builder().storage(files.clone()).start().await.unwrap();
    let mut client = logged_in(&server).await;
    client.upload("STOR file", b"old", false).await;
    let mut bomb = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![0; 32 << 20]).unwrap();
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 64 << 10, "{}", bomb.len());
    client.expect("MODE Z", "200").await;
    for command in ["STOR file", "APPE file", "STOU"] {
        let mut data = client.begin(command).await.into_clear();
        // The server may have closed before all of it is sent.
        let _ = data.write_all(&bomb).await;
        let reply = client.reply().await;
        assert!(reply.starts_with("552 "), "{command}: {reply}");
        assert_eq!(files.used(), 3);
    }
    client.expect("MODE S", "200").await;
    assert_eq!(client.download("RETR file", false).await, b"old");
    assert_eq!(client.download("NLST", false).await, b"file\r\n");
}

#[tokio::test]
async fn a_listing_is_of_one_directory_however_deep_the_tree() {
    const DEPTH: usize = 200;
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    for _ in 0..DEPTH {
        client.expect("MKD d", "257").await;
        client.expect("CWD d", "250").await;
    }
    client.expect("CWD /", "250").await;
    for command in ["NLST", "NLST -R", "LIST -R", "LIST -lR", "MLSD"] {
        let listing = client.download(command, false).await;
        let lines = listing.split(|octet| *octet == b'\n').count() - 1;
        assert!(lines <= 3, "{command}: {lines} lines");
        assert!(!listing.windows(3).any(|part| part == b"d/d"), "{command}");
    }
    // These do go through it.
    client.expect("DSIZ d", "213 0").await;
    client.expect("RMDA d", "250").await;
    assert_eq!(client.download("NLST", false).await, b"");
}

#[test]
fn there_is_no_unsafe_code_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| -> toml::Table {
        let text = std::fs::read_to_string(root.join(path)).unwrap();
        text.parse().unwrap()
    };
    let forbidden = &read("../Cargo.toml")["workspace"]["lints"]["rust"]["unsafe_code"];
    assert_eq!(forbidden.as_str(), Some("forbid"));
    assert_eq!(
        read("Cargo.toml")["lints"]["workspace"].as_bool(),
        Some(true)
    );
}

#[tokio::test]
async fn a_user_name_is_a_name_and_no_language() {
    let server = builder().start().await.unwrap();
    for name in [
        "' OR '1'='1",
        "test'--",
        "test\" OR \"\"=\"",
        "test; DROP TABLE users",
        "%s%n%x%n",
        "{0}{user}",
        "${jndi:ldap://127.0.0.1/a}",
        "$(id)",
        "`id`",
        "*",
        "te*",
        "test\\",
        "TEST",
        "test/../test",
    ] {
        let mut client = Client::connect(server.addresses()[0]).await;
        client
            .expect(&format!("USER {name}"), "331 Password required.")
            .await;
        client.expect("PASS secret", "530 Login incorrect.").await;
        client.expect("PWD", "530").await;
    }
    logged_in(&server).await.expect("PWD", "257").await;
}
