//! Requirements of real clients: 22 points, each of which a known server failed with a known
//! client.

use ftpspec_server::ServerHandle;
use ftpspec_server::storage::MemFs;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tokio::io::AsyncReadExt as _;

use crate::attacks::own_sources;
use crate::client::{Client, Wire, connector};
use crate::{VERSIONS, builder, logged_in, protected, serve, start_with_tls};

/// Each point, and the tests that check it: here, in the other files of this directory, in
/// `dialogue/` and in `src/`.
const POINTS: [(&str, &[&str]); 22] = [
    (
        "TLS 1.3 tickets on data connections come with what is read; a lost tail of an upload is never 226",
        &[
            "a_client_that_closes_an_upload_without_reading_loses_nothing_of_it",
            "tickets_come_with_what_the_client_reads",
            "an_uploader_that_never_reads_loses_nothing",
            "an_upload_that_ends_without_close_notify_is_426_and_the_old_file_stays",
            "an_upload_that_is_reset_is_426_and_the_old_file_stays",
        ],
    ),
    (
        "a ticket on the control connection; reuse is not asked for by itself",
        &[
            "data_connections_resume_the_session_of_the_control_connection",
            "reuse_that_is_optional_serves_every_client",
        ],
    ),
    (
        "the handshake of a data connection begins when it is accepted",
        &[
            "a_client_may_shake_hands_before_it_sends_the_command",
            "an_empty_upload_may_end_before_the_command",
        ],
    ),
    (
        "urgent data is read in line, Telnet commands are taken out anywhere",
        &[
            "abor_is_answered_while_the_client_does_not_read",
            "abor_in_the_telnet_manner_is_abor",
        ],
    ),
    (
        "ABOR during a transfer is 426, then 226, even while a send is blocked; afterwards 226",
        &[
            "abor_is_answered_while_the_client_does_not_read",
            "abor_ends_a_transfer_with_426_and_226",
            "abor_with_nothing_to_end_is_226_and_closes_the_port",
        ],
    ),
    (
        "LIST and NLST take leading options; a file of that name can be reached",
        &[
            "leading_options_of_listings_are_taken",
            "a_file_that_looks_like_an_option_can_be_reached",
        ],
    ),
    (
        "listings of what is not there are refused, of what is empty are empty",
        &[
            "list_and_nlst_take_directories_files_and_nothing",
            "mlsd_of_a_file_is_501_and_of_nothing_550",
            "a_listing_of_an_empty_directory_is_226_and_no_octets",
        ],
    ),
    (
        "REST outlives PASV, EPSV, TYPE and SIZE, and no failed transfer",
        &[
            "what_prepares_a_transfer_keeps_the_marker",
            "a_failed_transfer_forgets_the_marker",
            "axel_tries_rest_1_and_rest_0",
        ],
    ),
    (
        "PASV may come before TYPE, CWD or SIZE",
        &[
            "php_sends_pasv_then_type_and_promise_ftp_rest_then_epsv",
            "links_sends_pasv_then_cwd_and_snarf_pasv_then_size",
        ],
    ),
    (
        "SYST, FEAT, OPTS, CLNT, HELP and AUTH have an answer before the login",
        &[
            "queries_about_the_server_are_answered_before_the_login",
            "basic_ftp_sends_options_before_the_login",
        ],
    ),
    (
        "TYPE A N and TYPE L 8 are taken",
        &["suppaftp_names_the_format_and_the_byte_size"],
    ),
    (
        "EPRT addresses are numbers; one that is nobody's is refused",
        &[
            "eprt_takes_any_delimiter_and_compares_addresses_as_numbers",
            "eprt_to_another_host_or_a_low_port_is_refused",
        ],
    ),
    (
        "EPSV takes 1, 2 and ALL",
        &[
            "after_epsv_all_there_is_only_epsv",
            "the_other_protocol_is_522_with_the_one_that_works",
        ],
    ),
    (
        "unknown commands are 500 or 502, and the session goes on",
        &[
            "a_line_that_is_not_a_command_is_500",
            "what_is_known_but_not_done_is_502",
            "other_mechanisms_are_504",
        ],
    ),
    (
        "the data connection of a refused transfer is closed by FIN; clients that never connect, or leave",
        &[
            "the_data_connection_of_a_refused_transfer_ends_in_order",
            "a_data_connection_that_does_not_come_is_425",
            "a_client_that_connects_and_leaves_is_answered",
        ],
    ),
    (
        "a client that closes the data connection early is answered once",
        &["a_client_that_closes_a_download_early_is_answered_once"],
    ),
    (
        "implicit TLS protects data without PBSZ and PROT",
        &[
            "implicit_tls_is_protected_throughout_and_stays_so",
            "files_travel_protected_explicitly_and_implicitly_in_both_versions",
        ],
    ),
    (
        "MLSD has the facts, and OPTS MLST passes over those it has not",
        &[
            "mlsd_lists_names_only",
            "mlst_is_one_line_with_the_whole_path",
            "facts_are_chosen_in_any_case_and_unknown_ones_passed_over",
        ],
    ),
    (
        "modification times are kept",
        &[
            "mfmt_sets_the_modification_time",
            "mdtm_reports_the_time_and_never_sets_it",
        ],
    ),
    ("NLST expands patterns", &["mget_expands_by_nlst"]),
    (
        "257, 227, 229 and replies of many lines are written as programs read them",
        &[
            "mkd_replies_with_the_whole_path_with_quotes_doubled",
            "pasv_names_the_address_the_client_connected_to",
            "epsv_replies_with_the_port_only",
            "stat_reports_the_parameters",
        ],
    ),
    (
        "PASV names the address the client connected to",
        &["pasv_names_the_address_the_client_connected_to"],
    ),
];

#[test]
fn each_point_has_its_tests() {
    let all = own_sources();
    for (point, tests) in POINTS {
        assert!(!tests.is_empty(), "{point}");
        for test in tests {
            assert!(all.contains(&format!("fn {test}()")), "{point}: {test}");
        }
    }
}

async fn start_protected(version: &'static SupportedProtocolVersion) -> (ServerHandle, Client) {
    let server = start_with_tls().await;
    let client = protected(&server, connector(&server, version)).await;
    (server, client)
}

#[tokio::test]
async fn an_uploader_that_never_reads_loses_nothing() {
    let content: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
    for version in VERSIONS {
        let (_server, mut client) = start_protected(version).await;
        for round in 0..20 {
            let reply = client.upload_unread("STOR file", &content).await;
            assert!(reply.starts_with("226"), "{version:?} {round}: {reply}");
            assert_eq!(client.expect("SIZE file", "213").await, "213 200000");
        }
    }
}

#[tokio::test]
async fn an_upload_that_is_reset_is_426_and_the_old_file_stays() {
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    client.upload("STOR file", b"old", false).await;
    let mut data = client.begin("STOR file").await;
    data.write(b"new, but").await;
    data.tcp().set_zero_linger().unwrap();
    drop(data);
    client.receive("426").await;
    assert_eq!(client.download("RETR file", false).await, b"old");
}

#[tokio::test]
async fn an_empty_upload_may_end_before_the_command() {
    for version in VERSIONS {
        let (_server, mut client) = start_protected(version).await;
        let data = client.passive().await;
        let mut data = client.establish(data).await;
        data.end().await;
        client.expect("STOR empty", "150").await;
        client.receive("226").await;
        assert_eq!(client.expect("SIZE empty", "213").await, "213 0");
    }
}

#[tokio::test]
async fn a_listing_of_an_empty_directory_is_226_and_no_octets() {
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    client.expect("MKD empty", "257").await;
    for command in ["NLST empty", "LIST empty"] {
        assert_eq!(client.download(command, false).await, b"", "{command}");
    }
    let facts = client.download("MLSD empty", false).await;
    let facts = String::from_utf8(facts).unwrap();
    assert!(
        facts
            .lines()
            .all(|line| line.contains("type=cdir") || line.contains("type=pdir")),
        "{facts}"
    );
}

#[tokio::test]
async fn the_data_connection_of_a_refused_transfer_ends_in_order() {
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    for (command, sends) in [("RETR missing", false), ("STOR missing/file", true)] {
        let data = client.passive().await;
        let mut data = client.establish(data).await;
        if sends {
            // A close with this unread would be a reset.
            data.write(&[0; 100_000]).await;
        }
        let reply = client.ask(command).await;
        assert!(reply.starts_with("55"), "{command}: {reply}");
        let Wire::Clear(stream) = &mut data else {
            panic!("it is clear");
        };
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0, "{command}");
        client.expect("NOOP", "200").await;
    }
}

#[tokio::test]
async fn a_client_that_connects_and_leaves_is_answered() {
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    client.upload("STOR file", &vec![7; 8 << 20], false).await;
    let data = client.passive().await;
    drop(data);
    client.expect("RETR file", "150").await;
    client.receive("42").await;
    client.expect("NOOP", "200").await;
}

#[tokio::test]
async fn a_client_that_closes_a_download_early_is_answered_once() {
    for version in [None, Some(&TLS12), Some(&TLS13)] {
        let server = serve(
            builder()
                .storage(MemFs::new())
                .tls(ftpspec_server::Tls::explicit()),
        )
        .await;
        let mut client = Client::connect(server.addresses()[0]).await;
        if let Some(version) = version {
            client.protect(connector(&server, version)).await;
        }
        client.login().await;
        client.upload("STOR file", &vec![7; 32 << 20], false).await;
        for offset in [0, 1_000] {
            client.expect(&format!("REST {offset}"), "350").await;
            let mut data = client.begin("RETR file").await;
            assert!(data.read(&mut [0; 100]).await > 0);
            drop(data);
            client.receive("426").await;
            // Exactly one: what follows is the answer to this.
            client.expect("NOOP", "200").await;
        }
    }
}

#[tokio::test]
async fn tickets_come_with_what_the_client_reads() {
    let (_server, mut client) = start_protected(&TLS13).await;
    let tickets = |wire: &Wire| wire.tls().tls13_tickets_received();
    assert!(tickets(&client.wire) >= 1);
    for command in ["NLST", "STOR file"] {
        let mut data = client.begin(command).await;
        data.end().await;
        client.receive("226").await;
        assert_eq!(tickets(&data), 0);
        assert_eq!(data.read_to_end().await, b"");
        assert_eq!(tickets(&data), 2);
    }
}
