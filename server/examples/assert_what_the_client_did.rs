//! A test of an FTP client that asserts what the client did, not only which files are left.
//!
//! `cargo run -p ftpspec-server --example assert_what_the_client_did`

use std::error::Error;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ftpspec_server::observe::journal::{CloseReason, Event, EventKind};
use ftpspec_server::{Journal, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let journal = Journal::new().hashing();
    let server = Server::builder()
        .user("test", "secret")
        .journal(&journal)
        .start()
        .await?;

    let address = server.addresses()[0];
    tokio::task::spawn_blocking(move || client_under_test(address)).await??;

    // The client ended its session with QUIT. The journal is awaited; the test does not sleep.
    let closed = |event: &Event| matches!(event.what, EventKind::Closed { .. });
    let closed = journal.wait_for(closed, Duration::from_secs(10)).await;
    let closed = closed.ok_or("the client did not close its session")?;
    assert_eq!(
        closed.what,
        EventKind::Closed {
            reason: CloseReason::Quit
        }
    );

    // It logged in once and set TYPE I before the upload, and no command was refused.
    let commands = journal.commands();
    assert_eq!(commands[..3], ["USER test", "PASS ***", "TYPE I"]);
    assert!(journal.codes().iter().all(|code| *code < 400));

    // It uploaded one complete file.
    let [upload] = &journal.uploads()[..] else {
        return Err("expected one upload".into());
    };
    assert_eq!(upload.path.as_bytes(), b"/report.txt");
    assert_eq!(upload.octets, 6);
    assert_eq!(server.files().read("/report.txt")?, b"hello\n");
    println!(
        "{} octets, SHA-256 {}",
        upload.octets,
        upload.sha256.as_deref().unwrap_or("unknown")
    );

    server.stop().await;
    Ok(())
}

/// A stand-in for the program under test.
fn client_under_test(server: SocketAddr) -> io::Result<()> {
    let mut control = BufReader::new(TcpStream::connect(server)?);
    let mut exchange = |command: &str| -> io::Result<String> {
        control.get_mut().write_all(command.as_bytes())?;
        let mut reply = String::new();
        control.read_line(&mut reply)?;
        Ok(reply)
    };
    exchange("")?;
    for command in ["USER test\r\n", "PASS secret\r\n", "TYPE I\r\n"] {
        exchange(command)?;
    }
    let reply = exchange("EPSV\r\n")?;
    let port = reply.split('|').nth(3).and_then(|port| port.parse().ok());
    let port = port.ok_or(io::ErrorKind::InvalidData)?;
    let mut data = TcpStream::connect(SocketAddr::new(server.ip(), port))?;
    exchange("STOR report.txt\r\n")?;
    data.write_all(b"hello\n")?;
    drop(data);
    exchange("")?;
    exchange("QUIT\r\n")?;
    Ok(())
}
