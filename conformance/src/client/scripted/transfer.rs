//! The data connections of the scripted client.

use super::Bug;
use super::session::{Session, Stream, patiently};
use crate::driver::{TlsClient, Trust, eprt_argument, port_argument};
use crate::driver::{extended_passive_port, passive_address};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

/// The most octets that are received.
const MOST: usize = 80 << 20;

/// Which way the data goes.
pub(super) enum Direction<'a> {
    Send(&'a [u8]),
    Receive(&'a mut Vec<u8>),
}

/// A data connection that stands, or one that the server opens.
enum Data {
    Open(TcpStream),
    Awaited(TcpListener),
}

impl Session<'_> {
    /// Sends REST; whether it was accepted.
    pub(super) async fn restart(&mut self, offset: u64) -> Result<bool, String> {
        self.offset = Some(offset);
        if self.has(Bug::CommandAfterRest) {
            let accepted = self.command(&format!("REST {offset}")).await?.code == 350;
            self.offset = None;
            return Ok(accepted);
        }
        Ok(true)
    }

    /// Sends a command with a data connection and transfers the data.
    pub(super) async fn transfer(
        &mut self,
        command: &str,
        direction: Direction<'_>,
    ) -> Result<(), String> {
        if self.has(Bug::SamePort) && self.last_port.is_some() {
            let reply = self.command(command).await?;
            return Err(format!("{command}: {}", reply.code));
        }
        let data = self.prepare().await?;
        if let Some(offset) = self.offset.take() {
            self.expect(&format!("REST {offset}"), 3).await?;
        }
        self.send(command).await?;
        if self.has(Bug::CommandInTransfer) {
            self.send("NOOP").await?;
        }
        let first = self.reply().await?;
        let completed = match first.class() {
            1 => false,
            2 => true,
            _ => return Err(format!("{command}: {}", first.code)),
        };
        let stream = self.open_data(data).await?;
        let moved = self.move_data(stream, direction).await;
        if self.has(Bug::IgnoresCompletion) {
            return moved;
        }
        // The reply says why the data ended.
        let last = match completed {
            true => Ok(first),
            false => self.reply().await,
        };
        if self.has(Bug::CommandInTransfer) {
            let _ = self.reply().await;
        }
        moved?;
        match last? {
            reply if reply.class() == 2 => Ok(()),
            reply => Err(format!("{command}: {}", reply.code)),
        }
    }

    async fn prepare(&mut self) -> Result<Data, String> {
        if self.setting.variant.active {
            return self.listen().await.map(Data::Awaited);
        }
        if self.has(Bug::EpsvAllThenPasv) {
            self.expect("EPSV ALL", 2).await?;
            self.old_commands = true;
            self.command("PASV").await?;
            self.old_commands = false;
        }
        if !self.old_commands {
            match self.extended_passive().await {
                Ok(stream) => return Ok(Data::Open(stream)),
                Err(why) if self.setting.variant.ipv6 || self.has(Bug::NoFallback) => {
                    return Err(why);
                }
                Err(_) => self.old_commands = true,
            }
        }
        self.passive().await.map(Data::Open)
    }

    async fn extended_passive(&mut self) -> Result<TcpStream, String> {
        let reply = self.command("EPSV").await?;
        let port = match reply.code {
            229 => extended_passive_port(&reply.text()).ok_or("229 without a port")?,
            code => return Err(format!("EPSV: {code}")),
        };
        self.connect(SocketAddr::new(self.peer.ip(), port)).await
    }

    async fn passive(&mut self) -> Result<TcpStream, String> {
        let reply = self.command("PASV").await?;
        let (address, port) = match reply.code {
            227 => passive_address(&reply.text()).ok_or("227 without an address")?,
            code => return Err(format!("PASV: {code}")),
        };
        let ip = match self.has(Bug::ForeignAddress) {
            true => IpAddr::from(address),
            false => self.peer.ip(),
        };
        self.connect(SocketAddr::new(ip, port)).await
    }

    async fn connect(&mut self, address: SocketAddr) -> Result<TcpStream, String> {
        self.last_port = Some(address);
        if self.has(Bug::ConnectsLate) {
            // The server waits for the connection, and the client for the 150.
            self.send("RETR nothing-yet").await?;
            self.reply().await?;
        }
        patiently(self.habits, "data connection", TcpStream::connect(address)).await
    }

    async fn listen(&mut self) -> Result<TcpListener, String> {
        let listener = TcpListener::bind((self.local.ip(), 0)).await;
        let listener = listener.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let old = port_argument(address);
        if !self.old_commands {
            let asked = self
                .command(&format!("EPRT {}", eprt_argument(address)))
                .await?;
            if asked.class() == 2 {
                return Ok(listener);
            }
            if old.is_none() || self.has(Bug::NoFallback) {
                return Err(format!("EPRT: {}", asked.code));
            }
            self.old_commands = true;
        }
        let mut argument = old.unwrap_or_else(|| "127,0,0,1,4,1".to_owned());
        if self.has(Bug::ForeignPort) {
            let foreign =
                SocketAddr::new(IpAddr::from(Ipv4Addr::new(127, 0, 0, 3)), address.port());
            argument = port_argument(foreign).unwrap_or(argument);
        }
        self.expect(&format!("PORT {argument}"), 2).await?;
        Ok(listener)
    }

    /// The data connection, protected if that was agreed.
    async fn open_data(&mut self, data: Data) -> Result<Box<dyn Stream>, String> {
        let stream = match data {
            Data::Open(stream) => stream,
            Data::Awaited(listener) => {
                patiently(self.habits, "data connection", listener.accept())
                    .await?
                    .0
            }
        };
        if !self.protected {
            return Ok(Box::new(stream));
        }
        let tls = match self.has(Bug::NewTlsSession) {
            true => {
                let pem = std::fs::read(self.setting.ca).map_err(|error| error.to_string())?;
                TlsClient::new(&Trust::from_pem(&pem)?, self.setting.host, self.peer.ip())?
            }
            false => self.tls.clone(),
        };
        let shaken = TlsConnector::from(tls.config()).connect(tls.name(), stream);
        let stream = patiently(self.habits, "handshake", shaken).await?;
        Ok(Box::new(stream))
    }

    async fn move_data(
        &mut self,
        mut stream: Box<dyn Stream>,
        direction: Direction<'_>,
    ) -> Result<(), String> {
        match direction {
            Direction::Send(octets) => {
                for piece in octets.chunks(16 << 10) {
                    patiently(self.habits, "upload", stream.write_all(piece)).await?;
                }
                patiently(self.habits, "upload", stream.shutdown()).await
            }
            Direction::Receive(octets) => loop {
                let mut piece = [0; 16 << 10];
                let read = patiently(self.habits, "download", stream.read(&mut piece)).await;
                match read {
                    Ok(0) => return Ok(()),
                    Ok(_) if octets.len() > MOST => return Err("too many octets".into()),
                    Ok(count) => octets.extend_from_slice(&piece[..count]),
                    Err(_) if self.has(Bug::IgnoresCut) => return Ok(()),
                    Err(why) => return Err(why),
                }
            },
        }
    }
}
