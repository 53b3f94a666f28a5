//! Measures the memory of one idle session: the memory of the server divided by its sessions.
//!
//! ```text
//! cargo run --release -p ftpspec-server --example idle_sessions -- 5000 tls
//! ```
//!
//! The clients run in a second process. Each session takes a file descriptor in both processes
//! (`ulimit -n`). Linux only: memory is read from /proc.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;

use ftpspec_server::storage::MemFs;
use ftpspec_server::{Server, Tls};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Sessions opened before the first measurement, so that it includes all shared memory.
const BEFORE: usize = 200;
/// The first argument of the process with the clients.
const CLIENTS: &str = "clients";

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [CLIENTS, address, ca] => clients(address.parse()?, ca).await,
        [sessions, how @ ("clear" | "tls")] => measure(sessions.parse()?, how == "tls").await,
        _ => Err("usage: idle_sessions SESSIONS clear|tls".into()),
    }
}

async fn measure(sessions: usize, protected: bool) -> Outcome<()> {
    let mut builder = Server::builder()
        .storage(MemFs::new())
        .user("test", "secret");
    if protected {
        builder = builder.tls(Tls::explicit());
    }
    let server = builder.start().await?;
    let mut clients = Command::new(std::env::current_exe()?)
        .args([CLIENTS, &server.addresses()[0].to_string()])
        .arg(server.ca_pem().unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let (Some(mut requests), Some(answers)) = (clients.stdin.take(), clients.stdout.take()) else {
        return Err("the pipes to the process with the clients are missing".into());
    };
    let mut answers = BufReader::new(answers);
    let mut open = |more: usize| -> Outcome<u64> {
        writeln!(requests, "{more}")?;
        let mut answer = String::new();
        if answers.read_line(&mut answer)? == 0 {
            return Err("the clients failed".into());
        }
        resident_memory()
    };
    let before = open(BEFORE)?;
    let after = open(sessions)?;
    println!(
        "{} idle sessions: {} KiB before the last {sessions}, {after} KiB after, {:.2} KiB each",
        server.session_count(),
        before,
        (after.saturating_sub(before)) as f64 / sessions as f64,
    );
    drop(requests);
    clients.wait()?;
    Ok(())
}

/// The resident memory of this process in KiB.
fn resident_memory() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("/proc/self/status has no VmRSS")?.parse()?)
}

/// Reads numbers of sessions from standard input, one per line, opens them, and prints the total
/// after each line when they are logged in.
async fn clients(server: SocketAddr, ca: &str) -> Outcome<()> {
    let tls = (!ca.is_empty()).then(|| connector(ca)).transpose()?;
    let mut clear = Vec::new();
    let mut protected = Vec::new();
    for line in std::io::stdin().lines() {
        let more: usize = line?.trim().parse()?;
        for _ in 0..more {
            let mut stream = TcpStream::connect(server).await?;
            expect(&mut stream, "", "220").await?;
            match &tls {
                None => {
                    log_in(&mut stream).await?;
                    clear.push(stream);
                }
                Some(tls) => {
                    expect(&mut stream, "AUTH TLS\r\n", "234").await?;
                    let name = ServerName::from(server.ip());
                    let mut stream = tls.connect(name, stream).await?;
                    expect(&mut stream, "PBSZ 0\r\n", "200").await?;
                    expect(&mut stream, "PROT P\r\n", "200").await?;
                    log_in(&mut stream).await?;
                    protected.push(stream);
                }
            }
        }
        println!("{}", clear.len() + protected.len());
    }
    Ok(())
}

fn connector(ca: &str) -> Outcome<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn log_in(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Outcome<()> {
    expect(stream, "USER test\r\n", "331").await?;
    expect(stream, "PASS secret\r\n", "230").await
}

/// Sends a command, unless it is empty, and reads a reply of one line.
async fn expect(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    command: &str,
    code: &str,
) -> Outcome<()> {
    stream.write_all(command.as_bytes()).await?;
    stream.flush().await?;
    let mut line = String::new();
    tokio::io::BufReader::with_capacity(512, stream)
        .read_line(&mut line)
        .await?;
    if line.starts_with(code) {
        Ok(())
    } else {
        Err(format!("{command:?} was answered {line:?}").into())
    }
}
