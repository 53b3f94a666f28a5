//! A test of an FTP client that asks the server what the client did, in place of guessing from what is left on disk.
//!
//! `cargo run -p ftpspec-server --example assert_what_the_client_did`

use std::error::Error;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ftpspec_server::Server;
use ftpspec_server::observe::journal::{CloseReason, EventKind, Journal};
use ftpspec_server::storage::{MemFs, VirtualPath, read_file};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let files = MemFs::new();
    let journal = Journal::new().hashing();
    let server = Server::builder()
        .storage(files.clone())
        .user("test", "secret")
        .journal(&journal)
        .start()
        .await?;

    let address = server.addresses()[0];
    tokio::task::spawn_blocking(move || the_client_under_test(address)).await??;

    // It said goodbye; no sleep is needed to know it.
    let closed = |event: &_| matches!(what(event), EventKind::Closed { .. });
    let closed = journal.wait_for(closed, Duration::from_secs(10)).await;
    let closed = closed.ok_or("the client never closed its session")?;
    assert_eq!(
        closed.what,
        EventKind::Closed {
            reason: CloseReason::Quit
        }
    );

    // It logged in once, switched to TYPE I before it sent anything, and nothing was refused.
    let commands = journal.commands();
    assert_eq!(commands[..3], ["USER test", "PASS ***", "TYPE I"]);
    assert!(journal.codes().iter().all(|code| *code < 400));

    // One file came, whole.
    let [upload] = &journal.uploads()[..] else {
        return Err("one upload was expected".into());
    };
    let path = VirtualPath::root().join(b"report.txt")?;
    assert_eq!((&upload.path, upload.octets), (&path, 6));
    assert_eq!(read_file(&files, &path, 1 << 20)?, b"hello\n");
    println!(
        "{} octets, SHA-256 {}",
        upload.octets,
        upload.sha256.as_deref().unwrap_or("unknown")
    );

    server.stop().await;
    Ok(())
}

fn what(event: &ftpspec_server::observe::journal::Event) -> &EventKind {
    &event.what
}

/// Stands for the program that is tested.
fn the_client_under_test(server: SocketAddr) -> io::Result<()> {
    let mut control = BufReader::new(TcpStream::connect(server)?);
    let mut ask = |command: &str| -> io::Result<String> {
        control.get_mut().write_all(command.as_bytes())?;
        let mut reply = String::new();
        control.read_line(&mut reply)?;
        Ok(reply)
    };
    ask("")?;
    for command in ["USER test\r\n", "PASS secret\r\n", "TYPE I\r\n"] {
        ask(command)?;
    }
    let reply = ask("EPSV\r\n")?;
    let port = reply.split('|').nth(3).and_then(|port| port.parse().ok());
    let port = port.ok_or(io::ErrorKind::InvalidData)?;
    let mut data = TcpStream::connect(SocketAddr::new(server.ip(), port))?;
    ask("STOR report.txt\r\n")?;
    data.write_all(b"hello\n")?;
    drop(data);
    ask("")?;
    ask("QUIT\r\n")?;
    Ok(())
}
