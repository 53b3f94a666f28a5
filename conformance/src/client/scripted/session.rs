//! The control connection of the scripted client.

use super::{Bug, Habits};
use crate::client::adapter::Setting;
use crate::client::variant::Protection;
use crate::driver::{TlsClient, Trust};
use crate::transcript::{Reply, ReplyReader};
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// A connection, with or without TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A session that is logged in.
pub(super) struct Session<'a> {
    pub(super) setting: &'a Setting<'a>,
    pub(super) habits: &'a Habits,
    /// The address of the server.
    pub(super) peer: SocketAddr,
    /// Our own.
    pub(super) local: SocketAddr,
    pub(super) tls: TlsClient,
    /// Whether data connections are protected.
    pub(super) protected: bool,
    /// Whether PASV and PORT replace EPSV and EPRT.
    pub(super) old_commands: bool,
    /// The data port of the last transfer.
    pub(super) last_port: Option<SocketAddr>,
    /// The offset of the next transfer.
    pub(super) offset: Option<u64>,
    stream: Box<dyn Stream>,
    reader: ReplyReader,
    /// The server has closed it.
    closed: bool,
}

/// Waits as long as the client has patience.
pub(super) async fn patiently<T, E: std::fmt::Display>(
    habits: &Habits,
    what: &str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, String> {
    if habits.bug == Some(Bug::NeverGivesUp) {
        return match work.await {
            Ok(done) => Ok(done),
            Err(_) => std::future::pending().await,
        };
    }
    match timeout(habits.patience, work).await {
        Ok(done) => done.map_err(|error| format!("{what}: {error}")),
        Err(_) => Err(format!("{what}: too long")),
    }
}

impl<'a> Session<'a> {
    /// Connects, protects the session if that is asked for, and logs in.
    pub(super) async fn open(setting: &'a Setting<'a>, habits: &'a Habits) -> Result<Self, String> {
        let ip: IpAddr = setting
            .host
            .parse()
            .map_err(|_| "the host is not an address".to_owned())?;
        let peer = SocketAddr::new(ip, setting.port);
        let stream = patiently(habits, "connect", TcpStream::connect(peer)).await?;
        let local = stream.local_addr().map_err(|error| error.to_string())?;
        let pem = std::fs::read(setting.ca).map_err(|error| error.to_string())?;
        let trust = match habits.bug {
            Some(Bug::AnyCertificate) => Trust::Anything,
            _ => Trust::from_pem(&pem)?,
        };
        let mut session = Self {
            setting,
            habits,
            peer,
            local,
            tls: TlsClient::new(&trust, setting.host, ip)?,
            protected: false,
            old_commands: habits.old_commands && !setting.variant.ipv6
                || habits.bug == Some(Bug::OldCommandsOverIpv6),
            last_port: None,
            offset: None,
            stream: Box::new(stream),
            reader: ReplyReader::default(),
            closed: false,
        };
        if setting.variant.protection == Protection::Implicit && !session.has(Bug::SkipsTls) {
            session.handshake().await?;
        }
        session.greeting().await?;
        let asked = setting.variant.protection == Protection::Explicit;
        if asked && !session.has(Bug::SkipsTls) {
            session.auth().await?;
        }
        if session.has(Bug::HostWithPort) {
            session.command("HOST localhost:21").await?;
        }
        session.login().await?;
        if session.has(Bug::HostAfterLogin) {
            session.command("HOST localhost").await?;
        }
        if session.protected && !session.has(Bug::ClearData) {
            if !session.has(Bug::SkipsPbsz) {
                session.expect("PBSZ 0", 2).await?;
            }
            session.expect("PROT P", 2).await?;
        } else {
            session.protected = false;
        }
        if session.has(Bug::TelnetOptions) {
            session.write(b"\xff\xfb\x01").await?;
        }
        Ok(session)
    }

    pub(super) fn has(&self, bug: Bug) -> bool {
        self.habits.bug == Some(bug)
    }

    async fn greeting(&mut self) -> Result<(), String> {
        loop {
            let greeting = self.reply().await?;
            match greeting.class() {
                1 => {}
                2 => return Ok(()),
                _ if self.has(Bug::LoginAfterRefusal) => return Ok(()),
                _ => return Err(format!("greeting {}", greeting.code)),
            }
        }
    }

    /// AUTH TLS and the handshake.
    async fn auth(&mut self) -> Result<(), String> {
        let reply = self.command("AUTH TLS").await?;
        if reply.code != 234 {
            if self.has(Bug::TlsIfPossible) {
                return Ok(());
            }
            return Err(format!("AUTH {}", reply.code));
        }
        // What came in clear after the 234 is not part of the protected session.
        let injected = !self.reader.rest().is_empty();
        if injected && !self.has(Bug::ReadsInjected) {
            return Err("there is more in clear after the 234".into());
        }
        self.handshake().await
    }

    async fn handshake(&mut self) -> Result<(), String> {
        let stream = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        let connector = TlsConnector::from(self.tls.config());
        let shaken = connector.connect(self.tls.name(), stream);
        self.stream = Box::new(patiently(self.habits, "handshake", shaken).await?);
        self.protected = true;
        Ok(())
    }

    async fn login(&mut self) -> Result<(), String> {
        let (user, password) = (self.setting.user, self.setting.password);
        if self.has(Bug::Pipelines) {
            let both = format!("USER {user}\r\nPASS {password}\r\n");
            self.write(both.as_bytes()).await?;
            self.reply().await?;
            return self.class_of_reply(2).await;
        } else {
            let reply = self.command(&format!("USER {user}")).await?;
            let refused = !matches!(reply.class(), 2 | 3);
            if refused && !self.has(Bug::LoginAfterRefusal) {
                return Err(format!("USER {}", reply.code));
            }
            if reply.class() == 2 && !self.has(Bug::PasswordAnyway) {
                return Ok(());
            }
        }
        let reply = self.command(&format!("PASS {password}")).await?;
        if reply.class() == 2 || self.has(Bug::LoginAfterRefusal) {
            return Ok(());
        }
        if self.has(Bug::RetriesLogin) {
            self.expect(&format!("USER {user}"), 3).await?;
            return self.expect(&format!("PASS {password}"), 2).await;
        }
        self.close().await;
        Err(format!("PASS {}", reply.code))
    }

    async fn class_of_reply(&mut self, class: u16) -> Result<(), String> {
        let reply = self.reply().await?;
        match reply.class() == class {
            true => Ok(()),
            false => Err(reply.code.to_string()),
        }
    }

    /// Sends a command and returns its reply.
    pub(super) async fn command(&mut self, line: &str) -> Result<Reply, String> {
        self.send(line).await?;
        self.reply().await
    }

    /// Sends a command that has to be answered by a reply of this class.
    pub(super) async fn expect(&mut self, line: &str, class: u16) -> Result<(), String> {
        let reply = self.command(line).await?;
        let usual = [200, 213, 220, 226, 230, 250, 257, 331, 350].contains(&reply.code);
        match reply.class() == class && (usual || !self.has(Bug::ExactCodes)) {
            true => Ok(()),
            false => Err(format!("{line}: {}", reply.code)),
        }
    }

    /// Sends a command line.
    pub(super) async fn send(&mut self, line: &str) -> Result<(), String> {
        let mut octets = line.as_bytes().to_vec();
        if self.has(Bug::DoubleSpace)
            && line.starts_with("SIZE ")
            && let Some(space) = memchr::memchr(b' ', &octets)
        {
            octets.insert(space, b' ');
        }
        if self.has(Bug::NulInArgument) && line.starts_with("TYPE") {
            octets.push(0);
        }
        octets.extend(match self.has(Bug::BareLineFeed) {
            true => &b"\n"[..],
            false => &b"\r\n"[..],
        });
        self.write(&octets).await
    }

    async fn write(&mut self, octets: &[u8]) -> Result<(), String> {
        let written = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        patiently(self.habits, "write", written).await
    }

    /// The next reply.
    pub(super) async fn reply(&mut self) -> Result<Reply, String> {
        loop {
            if let Some(reply) = self.reader.next_reply() {
                return Ok(reply);
            }
            let mut piece = [0; 4096];
            let read = self.stream.read(&mut piece);
            let count = patiently(self.habits, "reply", read).await?;
            if count == 0 {
                self.closed = true;
                return match self.has(Bug::NeverGivesUp) {
                    true => std::future::pending().await,
                    false => Err("the control connection was closed".into()),
                };
            }
            let octets = &piece[..count];
            if octets.contains(&0) {
                return Err("there is a NUL in a reply".into());
            }
            if self.has(Bug::FullReplyInOneRead) && !octets.ends_with(b"\n") {
                return Err("a reply is not whole".into());
            }
            if self.has(Bug::StopsAtFirstLine) {
                // Each line is a reply of its own.
                let lines = octets.to_vec();
                let ended: Vec<u8> = lines
                    .split_inclusive(|octet| *octet == b'\n')
                    .flat_map(|line| {
                        let mut line = line.to_vec();
                        if line.get(3) == Some(&b'-') {
                            line[3] = b' ';
                        }
                        line
                    })
                    .collect();
                self.reader.push(&ended);
            } else {
                self.reader.push(octets);
            }
        }
    }

    /// Enters the directory of a file, if that is a habit; returns how the file is named then.
    pub(super) async fn enter<'n>(&mut self, name: &'n str) -> Result<&'n str, String> {
        match name.rsplit_once('/') {
            Some((directory, file)) if self.habits.enters_directories => {
                let directory = directory.trim_start_matches('/');
                self.expect(&format!("CWD /{directory}"), 2).await?;
                Ok(file)
            }
            _ => Ok(name),
        }
    }

    /// The size of a file on the server, if the client asks for it and it is known.
    pub(super) async fn size(&mut self, name: &str) -> Result<Option<u64>, String> {
        match self.habits.asks_size {
            true => self.ask_size(name).await,
            false => Ok(None),
        }
    }

    /// The size of a file on the server, if it is known.
    pub(super) async fn ask_size(&mut self, name: &str) -> Result<Option<u64>, String> {
        let reply = self.command(&format!("SIZE {name}")).await?;
        let text = reply.first_line_text();
        Ok(match reply.code {
            213 => text.trim().parse().ok(),
            _ => None,
        })
    }

    /// Ends the session.
    pub(super) async fn close(&mut self) {
        if self.has(Bug::NoQuit) || self.closed {
            return;
        }
        if self.send("QUIT").await.is_ok() {
            let _ = timeout(self.habits.patience, self.reply()).await;
        }
        let _ = timeout(self.habits.patience, self.stream.shutdown()).await;
    }
}
