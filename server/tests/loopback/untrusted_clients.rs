//! Peers that are hostile, or have disappeared.

use std::net::SocketAddr;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::client::{Client, Data, connect_from};
use crate::{builder, logged_in};

#[tokio::test]
async fn a_hundred_thousand_pipelined_commands_get_as_many_replies() {
    const COMMANDS: usize = 100_000;
    let server = builder().start().await.unwrap();
    let stream = TcpStream::connect(server.addresses()[0]).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let sending = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        let commands = [b"NOOP\r\n".repeat(COMMANDS), b"QUIT\r\n".to_vec()].concat();
        writing.write_all(&commands).await.unwrap();
        writing
    });
    let mut replies = String::new();
    reading.read_to_string(&mut replies).await.unwrap();
    assert_eq!(
        replies
            .lines()
            .filter(|line| line.starts_with("200 "))
            .count(),
        COMMANDS
    );
    assert!(replies.lines().last().unwrap().starts_with("221 "));
    sending.await.unwrap();
}

#[tokio::test]
async fn another_client_on_the_passive_port_is_refused_and_the_owner_is_served() {
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    client.upload("STOR file", b"for the owner", false).await;
    let port = client.extended_passive().await;
    let address = SocketAddr::new(server.addresses()[0].ip(), port);

    let mut stranger = connect_from("127.0.0.2", address).await;
    assert_eq!(stranger.read(&mut [0; 1]).await.unwrap_or(0), 0);

    let data = Data::Passive(TcpStream::connect(address).await.unwrap());
    let octets = client.finish_download("RETR file", data).await;
    assert_eq!(octets, b"for the owner");
}

#[tokio::test]
async fn a_lost_control_connection_leaves_the_old_file() {
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    client.upload("STOR file", b"old", false).await;
    let mut data = client.begin("STOR file").await;
    data.write(b"new and").await;
    drop(client);
    // The server closes the data connection when the transfer has ended.
    assert_eq!(data.read(&mut [0; 1]).await, 0);
    let mut client = logged_in(&server).await;
    assert_eq!(client.download("RETR file", false).await, b"old");
}

#[tokio::test]
async fn a_client_that_reads_no_replies_is_not_read_either() {
    let server = builder().start().await.unwrap();
    let client = Client::connect(server.addresses()[0]).await;
    let stream = client.wire.tcp();
    let commands = b"HELP\r\n".repeat(10_000);
    // Far more than any socket buffer: if the server continued to read, this would not end.
    let mut accepted = 0;
    let stalled = loop {
        match tokio::time::timeout(std::time::Duration::from_millis(500), stream.writable()).await {
            Err(_) => break true,
            Ok(ready) => ready.unwrap(),
        }
        match stream.try_write(&commands) {
            Ok(octets) => accepted += octets,
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
        if accepted > 256 << 20 {
            break false;
        }
    };
    assert!(stalled, "{accepted} octets were taken");
}
