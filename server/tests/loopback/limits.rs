//! Everything that a client can make the server hold or wait for has a limit, which the 421 names.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ftpspec_server::Limits;
use ftpspec_server::auth::Network;
use tokio::io::AsyncWriteExt as _;

use crate::attacks::own_sources;
use crate::client::{Client, Wire};
use crate::{builder, limited, logged_in, serve};

/// Far longer than a test takes, for limits that must not be what ends it.
const LONG: Duration = Duration::from_secs(600);
/// Hardly any time.
const SHORT: Duration = Duration::from_millis(50);

/// Each limit, and the test that reaches it.
#[rustfmt::skip]
const REACHED: &[(&str, &str)] = &[
    ("sessions", "one_connection_too_many_receives_421"),
    ("sessions_per_address", "the_sessions_of_one_address_are_limited_and_others_are_served"),
    ("sessions_per_user", "the_sessions_of_a_user_are_limited_and_released"),
    ("connections_per_second", "the_rate_of_connections_is_limited"),
    ("failed_logins", "too_many_wrong_passwords_are_421_and_the_end"),
    ("login_delay", "wrong_passwords_delay_only_the_session_that_sends_them"),
    ("longest_login_delay", "delays_double_up_to_the_longest_and_are_forgotten"),
    ("login", "a_login_that_does_not_come_is_421_whatever_is_sent_meanwhile"),
    ("session", "a_session_has_an_end_even_in_a_transfer"),
    ("idle", "an_idle_connection_receives_421"),
    ("longest_idle", "a_session_may_choose_how_long_it_is_idle_within_limits"),
    ("handshake", "a_data_connection_that_does_not_shake_hands_is_522"),
    ("data_connection", "a_data_connection_that_does_not_come_is_425"),
    ("data_stall", "a_silent_data_connection_is_closed"),
    ("reply_stall", "a_client_that_reads_no_replies_is_disconnected"),
    ("queued_commands", "commands_that_wait_for_a_transfer_are_limited"),
    ("commands_per_second", "the_command_rate_is_limited_for_each_session"),
    ("queued_replies", "a_client_that_reads_no_replies_is_not_read_either"),
    ("upload", "an_upload_larger_than_the_limit_is_552"),
    ("listing", "a_listing_with_more_entries_than_the_limit_is_451"),
    ("long_jobs", "long_jobs_take_turns_and_one_too_many_is_450"),
    ("long_job_wait", "long_jobs_take_turns_and_one_too_many_is_450"),
    ("ascii_size", "sizes_in_type_a_are_counted_up_to_a_limit"),
    ("stop", "a_transfer_that_outlasts_the_stop_is_426_and_421"),
];

#[test]
fn each_limit_has_a_test_that_reaches_it() {
    let shown = format!("{:#?}", Limits::default());
    let fields = shown.lines().filter_map(|line| {
        let field = line.strip_prefix("    ")?.split_once(':')?.0;
        (!field.starts_with(' ')).then(|| field.to_owned())
    });
    let limits: BTreeSet<String> = fields.collect();
    let named = REACHED.iter().map(|(limit, _)| (*limit).to_owned());
    assert_eq!(named.collect::<BTreeSet<_>>(), limits);
    let all = own_sources();
    for (limit, test) in REACHED {
        assert!(all.contains(&format!("fn {test}(")), "{limit}: no {test}");
    }
}

#[track_caller]
fn is_421(reply: &str, about: &str) {
    assert!(
        reply.starts_with("421 ") && reply.contains(about),
        "{reply}"
    );
}

#[tokio::test]
async fn the_sessions_of_one_address_are_limited_and_others_are_served() {
    let server = limited(|limits| limits.sessions_per_address = 1).await;
    let address = server.addresses()[0];
    let mut first = logged_in(&server).await;
    let mut second = Client::open(address).await;
    is_421(&second.reply().await, "from your address");
    assert_eq!(second.reply().await, "");
    let mut elsewhere = Client::open_from("127.0.0.2", address).await;
    elsewhere.receive("220 ").await;

    first.expect("QUIT", "221").await;
    drop(first);
    // The slot is released when the server has seen the end.
    loop {
        let mut again = Client::open(address).await;
        let reply = again.reply().await;
        if reply.starts_with("220 ") {
            break;
        }
        is_421(&reply, "from your address");
    }
}

#[tokio::test]
async fn the_sessions_of_a_user_are_limited_and_released() {
    let limits = Limits {
        sessions_per_user: 1,
        ..Limits::default()
    };
    let server = serve(builder().user("other", "secret").limits(limits)).await;
    let mut first = logged_in(&server).await;
    let mut second = Client::connect(server.addresses()[0]).await;
    second.expect("USER other", "331").await;
    second.expect("PASS secret", "230").await;
    second.expect("USER test", "331").await;
    is_421(&second.ask("PASS secret").await, "of this user");
    assert_eq!(second.reply().await, "");

    // A logout releases the session of the user, although the connection stays.
    first.expect("REIN", "220").await;
    first.expect("NOOP", "200").await;
    let mut third = logged_in(&server).await;
    third.login().await;
    first.expect("USER test", "331").await;
    is_421(&first.ask("PASS secret").await, "of this user");
}

#[tokio::test]
async fn the_rate_of_connections_is_limited() {
    let server = limited(|limits| limits.connections_per_second = 0).await;
    let mut client = Client::open(server.addresses()[0]).await;
    is_421(&client.reply().await, "in one second");
}

#[tokio::test]
async fn a_login_that_does_not_come_is_421_whatever_is_sent_meanwhile() {
    let server = limited(|limits| {
        limits.login = SHORT;
        limits.idle = LONG;
    })
    .await;
    let mut silent = Client::connect(server.addresses()[0]).await;
    is_421(&silent.reply().await, "login");
    assert_eq!(silent.reply().await, "");

    let mut busy = Client::connect(server.addresses()[0]).await;
    loop {
        let reply = busy.ask("NOOP").await;
        if !reply.starts_with("200 ") {
            break is_421(&reply, "login");
        }
    }
}

#[tokio::test]
async fn the_login_limit_does_not_apply_after_the_login() {
    let server = limited(|limits| {
        limits.login = Duration::from_millis(500);
        limits.idle = LONG;
    })
    .await;
    let mut watch = Client::connect(server.addresses()[0]).await;
    let mut client = logged_in(&server).await;
    is_421(&watch.reply().await, "login");
    client.expect("NOOP", "200").await;
    client.expect("REIN", "220").await;
    is_421(&client.reply().await, "login");
}

#[tokio::test]
async fn a_session_has_an_end_even_in_a_transfer() {
    let server = limited(|limits| limits.session = Some(Duration::from_millis(300))).await;
    let mut idle = logged_in(&server).await;
    let mut busy = logged_in(&server).await;
    let data = busy.passive().await;
    busy.expect("STOR file", "150").await;
    is_421(&idle.reply().await, "lasted");
    busy.receive("426").await;
    is_421(&busy.reply().await, "lasted");
    drop(data);
    assert_eq!(busy.reply().await, "");
}

#[tokio::test]
async fn wrong_passwords_delay_only_the_session_that_sends_them() {
    let server = limited(|limits| {
        limits.login_delay = LONG;
        limits.longest_login_delay = LONG;
    })
    .await;
    let mut wrong = Client::connect(server.addresses()[0]).await;
    wrong.expect("USER test", "331").await;
    wrong.send("PASS wrong").await;
    let mut right = logged_in(&server).await;
    right.expect("NOOP", "200").await;
    // Only the stop ends the wait.
    let stopping = tokio::spawn(server.stop());
    is_421(&wrong.reply().await, "stopping");
    drop((wrong, right));
    stopping.await.unwrap();
}

#[tokio::test]
async fn the_command_rate_is_limited_for_each_session() {
    let server = limited(|limits| limits.commands_per_second = 5).await;
    let second = Duration::from_secs(1);
    let began = Instant::now();
    let mut client = logged_in(&server).await;
    client.expect("NOOP", "200").await;
    client.expect("NOOP", "200").await;
    client.expect("NOOP", "200").await;
    assert!(began.elapsed() >= second, "{:?}", began.elapsed());

    // In a transfer, too.
    let began = Instant::now();
    let mut other = logged_in(&server).await;
    let data = other.passive().await;
    other.expect("STOR file", "150").await;
    other.expect("STAT", "211").await;
    assert!(began.elapsed() >= second, "{:?}", began.elapsed());
    drop(data);
    other.receive("226").await;
}

#[tokio::test]
async fn commands_that_wait_for_a_transfer_are_limited() {
    let server = limited(|limits| limits.queued_commands = 1).await;
    let mut client = logged_in(&server).await;
    let data = client.passive().await;
    client.expect("STOR file", "150").await;
    // STAT would be answered at once, if it were read.
    client.send("PWD\r\nSTAT").await;
    client.establish(data).await.end().await;
    for code in ["226", "257", "211"] {
        let reply = client.reply().await;
        assert!(reply.starts_with(code), "{code}: {reply}");
    }
}

#[tokio::test]
async fn a_client_that_reads_no_replies_is_disconnected() {
    let server = limited(|limits| limits.reply_stall = SHORT).await;
    let mut client = logged_in(&server).await;
    let Wire::Clear(stream) = &mut client.wire else {
        panic!("it is in the clear");
    };
    let commands = b"HELP\r\n".repeat(1_000);
    // As long as the connection is there, one can write, or has to wait.
    while stream.write_all(&commands).await.is_ok() {}
    logged_in(&server).await.expect("NOOP", "200").await;
}

#[tokio::test]
async fn an_upload_larger_than_the_limit_is_552() {
    let server = limited(|limits| limits.upload = 10).await;
    let mut client = logged_in(&server).await;
    client.upload("STOR file", b"0123456789", false).await;
    client.upload("APPE file", b"0123456789", false).await;
    for preparation in ["TYPE I", "TYPE A", "MODE B", "MODE C"] {
        client.expect(preparation, "200").await;
        for command in ["STOR file", "APPE file", "STOU"] {
            let mut data = client.begin(command).await;
            // In MODE B a header of 11 octets, in MODE C a count of 11.
            let octets: &[u8] = match preparation {
                "MODE B" => b"\x40\x00\x0b0123456789a",
                "MODE C" => b"\x0b0123456789a\x00\x40",
                _ => b"0123456789a",
            };
            data.write(octets).await;
            data.end().await;
            let reply = client.reply().await;
            assert!(reply.starts_with("552 "), "{preparation} {command} {reply}");
        }
    }
    client.expect("MODE S", "200").await;
    client.expect("TYPE I", "200").await;
    client.expect("SIZE file", "213 20").await;
    assert_eq!(client.download("NLST", false).await, b"file\r\n");
}

#[tokio::test]
async fn a_listing_with_more_entries_than_the_limit_is_451() {
    let server = limited(|limits| limits.listing = 2).await;
    let mut client = logged_in(&server).await;
    client.expect("MKD one", "257").await;
    client.expect("MKD two", "257").await;
    client.expect("STAT /", "212").await;
    assert_eq!(client.download("NLST", false).await, b"one\r\ntwo\r\n");
    client.expect("MKD three", "257").await;
    client.expect("STAT /", "451").await;
    for command in ["LIST", "NLST", "MLSD"] {
        let mut data = client.begin(command).await;
        assert_eq!(data.read(&mut [0; 1024]).await, 0);
        let reply = client.reply().await;
        assert!(reply.starts_with("451 "), "{command}: {reply}");
    }
    // The limit is for the entries that are listed.
    assert_eq!(client.download("NLST t*", false).await, b"three\r\ntwo\r\n");
}

#[tokio::test]
async fn a_transfer_that_outlasts_the_stop_is_426_and_421() {
    let server = limited(|limits| limits.stop = SHORT).await;
    let mut client = logged_in(&server).await;
    client.upload("STOR file", b"old", false).await;
    let mut data = client.begin("STOR file").await;
    data.write(b"half of a new").await;
    let stopping = tokio::spawn(server.stop());
    client.receive("426").await;
    is_421(&client.reply().await, "stopping");
    assert_eq!(client.reply().await, "");
    drop((client, data));
    stopping.await.unwrap();
}

async fn balanced(patience: Duration) -> ftpspec_server::ServerHandle {
    let limits = Limits {
        sessions_per_address: 1,
        handshake: patience,
        ..Limits::default()
    };
    builder()
        .proxy_protocol_from(["127.0.0.3".parse::<Network>().unwrap()])
        .limits(limits)
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn with_a_load_balancer_the_client_is_the_one_in_the_header() {
    let server = balanced(LONG).await;
    let address = server.addresses()[0];
    let mut client = Client::open_from("127.0.0.3", address).await;
    let header = b"PROXY TCP4 127.0.0.9 127.0.0.1 4000 21\r\nNOOP\r\n";
    client.wire.write(header).await;
    client.receive("220 ").await;
    client.receive("200 ").await;
    client.login().await;
    // PORT goes to the client, and not to the balancer.
    client.expect("PORT 127,0,0,3,100,0", "501").await;
    client.expect("PORT 127,0,0,9,100,0", "200").await;

    // The passive port is for the client: the load balancer is refused there.
    let port = client.extended_passive().await;
    let mut balancer = Client::open_from("127.0.0.3", (address.ip(), port).into()).await;
    assert_eq!(balancer.reply().await, "");
    let data = Client::open_from("127.0.0.9", (address.ip(), port).into()).await;
    client.expect("STOR file", "150").await;
    let mut data = data.wire;
    data.write(b"content").await;
    data.end().await;
    client.receive("226").await;

    // Limits count clients, not balancers.
    let mut same = Client::open_from("127.0.0.3", address).await;
    same.wire.write(header).await;
    is_421(&same.reply().await, "from your address");
    let mut other = Client::open_from("127.0.0.3", address).await;
    let mut version_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    version_2.extend([127, 0, 0, 8, 127, 0, 0, 1, 1, 0, 0, 21]);
    other.wire.write(&version_2).await;
    other.receive("220 ").await;
}

#[tokio::test]
async fn a_load_balancer_that_sends_no_header_is_closed_without_a_reply() {
    let server = balanced(SHORT).await;
    let address = server.addresses()[0];
    let mut garbage = Client::open_from("127.0.0.3", address).await;
    garbage.wire.write(b"USER test\r\nPASS secret\r\n").await;
    assert_eq!(garbage.reply().await, "");
    let mut silent = Client::open_from("127.0.0.3", address).await;
    assert_eq!(silent.reply().await, "");
}

#[tokio::test]
async fn only_a_trusted_load_balancer_names_another_client() {
    let server = balanced(LONG).await;
    let mut client = Client::open(server.addresses()[0]).await;
    let header = b"PROXY TCP4 127.0.0.9 127.0.0.1 4000 21\r\n";
    client.wire.write(header).await;
    loop {
        let reply = client.reply().await;
        if !reply.starts_with("220 ") {
            break assert!(reply.starts_with("500 "), "{reply}");
        }
    }
}
