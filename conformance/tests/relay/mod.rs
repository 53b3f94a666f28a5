//! A relay in front of the reference server. It passes on what both sides send and changes what the
//! fault is about. It handles one command and reply after the other, PASV and EPSV over IPv4.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use regex::bytes::Regex;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The fault.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// What a command line becomes.
    Command(fn(&[u8]) -> Vec<u8>),
    /// What the reply to a verb becomes.
    Reply(&'static str, fn(&[u8]) -> Vec<u8>),
    /// What the data of a command becomes: its verbs, then the argument and the data.
    Data(&'static [&'static str], fn(&str, &[u8]) -> Vec<u8>),
    /// ABOR is not answered before the data connection is established.
    DeafWhileItWaits,
}

/// It stops when dropped.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    _running: JoinSet<()>,
}

impl Relay {
    pub(crate) async fn start(server: SocketAddr, fault: Fault) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut sessions = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                sessions.spawn(async move {
                    let server = TcpStream::connect(server).await.unwrap();
                    // Either side may leave whenever it likes.
                    let _ = session(client, server, fault).await;
                });
            }
        });
        Self {
            address,
            _running: running,
        }
    }
}

/// What the data connection has to know.
#[derive(Default)]
struct Said {
    line: String,
    /// The client has connected to the passive port.
    connected: bool,
}

async fn session(client: TcpStream, server: TcpStream, fault: Fault) -> std::io::Result<()> {
    let said = Arc::new(Mutex::new(Said::default()));
    let (client_reads, mut to_client) = client.into_split();
    let (server_reads, mut to_server) = server.into_split();
    let mut commands = BufReader::new(client_reads);
    let mut replies = BufReader::new(server_reads);
    let mut transfers = JoinSet::new();
    let (mut line, mut reply) = (Vec::new(), Vec::new());
    let mut line_of_reply = Vec::new();
    loop {
        tokio::select! {
            got = commands.read_until(b'\n', &mut line) => {
                if got? == 0 {
                    return Ok(());
                }
                let whole = std::mem::take(&mut line);
                let text = String::from_utf8_lossy(&whole).trim_end().to_owned();
                let passed = match fault {
                    Fault::Command(changed) => {
                        let mut passed = changed(text.as_bytes());
                        passed.extend(b"\r\n");
                        passed
                    }
                    Fault::DeafWhileItWaits
                        if text == "ABOR" && !said.lock().unwrap().connected =>
                    {
                        continue;
                    }
                    _ => whole,
                };
                said.lock().unwrap().line = text;
                to_server.write_all(&passed).await?;
            }
            got = replies.read_until(b'\n', &mut line_of_reply) => {
                if got? == 0 {
                    return Ok(());
                }
                let last = std::mem::take(&mut line_of_reply);
                reply.extend_from_slice(&last);
                let code = last.get(..3).unwrap_or_default();
                let digits = code.len() == 3 && code.iter().all(u8::is_ascii_digit);
                if !digits || last.get(3) != Some(&b' ') {
                    continue;
                }
                let mut whole = std::mem::take(&mut reply);
                let verb = said.lock().unwrap().line.clone();
                if whole.starts_with(b"227") || whole.starts_with(b"229") {
                    whole = relayed(&whole, &said, fault, &mut transfers).await?;
                }
                if let Fault::Reply(about, changed) = fault
                    && verb.split(' ').next() == Some(about)
                {
                    whole = changed(&whole);
                }
                to_client.write_all(&whole).await?;
            }
        }
    }
}

/// A 227 or 229 that leads to the relay.
async fn relayed(
    reply: &[u8],
    said: &Arc<Mutex<Said>>,
    fault: Fault,
    transfers: &mut JoinSet<std::io::Result<()>>,
) -> std::io::Result<Vec<u8>> {
    let number = |octets: &[u8]| String::from_utf8_lossy(octets).parse::<u16>().unwrap();
    let passive = Regex::new(r"(\d+),(\d+)\)").unwrap();
    let extended = Regex::new(r"\|\|\|(\d+)\|").unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let [high, low] = listener.local_addr()?.port().to_be_bytes();
    let ours = u16::from_be_bytes([high, low]);
    let (port, reply) = match (passive.captures(reply), extended.captures(reply)) {
        (Some(found), _) => {
            let port = number(&found[1]) * 256 + number(&found[2]);
            let ours = format!("{high},{low})");
            (port, passive.replace(reply, ours.as_bytes()).into_owned())
        }
        (None, Some(found)) => {
            let ours = format!("|||{ours}|");
            (
                number(&found[1]),
                extended.replace(reply, ours.as_bytes()).into_owned(),
            )
        }
        (None, None) => return Ok(reply.to_vec()),
    };
    said.lock().unwrap().connected = false;
    let said = Arc::clone(said);
    transfers.spawn(async move {
        let (mut client, _) = listener.accept().await?;
        said.lock().unwrap().connected = true;
        let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let up = async {
            tokio::io::copy(&mut from_client, &mut to_server).await?;
            to_server.shutdown().await
        };
        let down = async {
            let mut data = Vec::new();
            from_server.read_to_end(&mut data).await?;
            let line = said.lock().unwrap().line.clone();
            let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
            if let Fault::Data(verbs, changed) = fault
                && verbs.contains(&verb)
            {
                data = changed(argument, &data);
            }
            to_client.write_all(&data).await?;
            to_client.shutdown().await
        };
        tokio::try_join!(up, down)?;
        Ok(())
    });
    Ok(reply)
}
