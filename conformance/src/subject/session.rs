//! A control connection with its data connection, and what every dialogue needs: greeting,
//! protection, login, and the preparation of data connections.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::Target;
use crate::data::Data;
use crate::driver::{
    Control, DataPort, DriverError, Recorder, SetupError, Timeouts, TlsClient, UNSAFE,
    eprt_argument, extended_passive_port, passive_address, port_argument,
};
use crate::scenario::{Connection, DataMode, Protection, Variant};
use crate::text::first_line;
use crate::transcript::{EventKind, ObservationKind, Reply};

/// A control connection with its data connection.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) control: Control,
    /// Its data connection.
    pub(crate) data: DataPort,
    target: Arc<Target>,
    protection: Protection,
    name: Connection,
    recorder: Recorder,
    passive: Option<(DataMode, SocketAddr)>,
    /// The previous one.
    earlier: Option<(DataMode, SocketAddr)>,
}

impl Session {
    /// Connects, starts implicit TLS if required, and leaves the greeting unread.
    pub(crate) async fn connect(
        name: Connection,
        target: &Arc<Target>,
        variant: Variant,
        timeouts: Timeouts,
        recorder: &Recorder,
    ) -> Result<Self, SetupError> {
        let address = target.address_for(variant.protection, variant.ipv6);
        let address = address.ok_or_else(|| {
            SetupError::Refused(format!("the target has no address for {variant}"))
        })?;
        let tls = TlsClient::new(&target.trust, &target.host, address.ip())
            .map_err(SetupError::Internal)?;
        let control =
            Control::connect(name.clone(), address, tls, timeouts, recorder.clone()).await?;
        let mut session = Self {
            control,
            data: DataPort::new(name.clone(), timeouts, recorder.clone()),
            target: target.clone(),
            protection: variant.protection,
            name,
            recorder: recorder.clone(),
            passive: None,
            earlier: None,
        };
        if variant.protection == Protection::Implicit {
            session.shake_hands().await?;
        }
        Ok(session)
    }

    /// Reads the greeting if it is unread, logs in and enters the target's path.
    pub(crate) async fn log_in(&mut self) -> Result<(), SetupError> {
        if !self.control.is_greeted() {
            self.greeting().await?;
        }
        self.secure().await?;
        self.authenticate().await?;
        if let Some(path) = self.target.path.clone() {
            self.required(&format!("CWD {path}"), &[250, 200]).await?;
        }
        Ok(())
    }

    /// Reads the greeting; 120 announces another one (RFC 959 §5.4).
    async fn greeting(&mut self) -> Result<(), SetupError> {
        loop {
            let reply = self
                .control
                .read_reply()
                .await
                .map_err(|fault| SetupError::of("greeting", fault))?;
            match reply.code {
                120 => {}
                200..300 => return Ok(()),
                _ => return Err(refused("greeting", &reply)),
            }
        }
    }

    async fn shake_hands(&mut self) -> Result<(), SetupError> {
        let shaken = self.control.handshake(None).await;
        shaken.map_err(|fault| match self.control.tls_failure() {
            Some(why) => SetupError::Refused(format!("TLS handshake: {why}")),
            None => SetupError::of("TLS handshake", fault),
        })
    }

    /// Sends AUTH TLS, PBSZ and PROT as the variant requires (RFC 4217 §4, RFC 2228 §3).
    async fn secure(&mut self) -> Result<(), SetupError> {
        let private = match self.protection {
            Protection::Clear => return Ok(()),
            Protection::Explicit { data_private } => data_private,
            Protection::Implicit => true,
        };
        if !self.control.is_tls() {
            self.required("AUTH TLS", &[234]).await?;
            self.shake_hands().await?;
        }
        if private {
            self.required("PBSZ 0", &[200]).await?;
            self.required("PROT P", &[200]).await?;
        }
        Ok(())
    }

    /// Sends USER, PASS and ACCT as the server requires (RFC 959 §5.4, §6).
    async fn authenticate(&mut self) -> Result<(), SetupError> {
        let target = self.target.clone();
        let mut reply = self
            .request(&format!("USER {}", target.user), "USER")
            .await?;
        if reply.code == 331 {
            reply = self
                .request(&format!("PASS {}", target.password), "PASS")
                .await?;
        }
        if reply.code == 332 {
            let Some(account) = &target.account else {
                return Err(SetupError::Refused(
                    "login: the server requires ACCT, and no account is given".into(),
                ));
            };
            reply = self.request(&format!("ACCT {account}"), "ACCT").await?;
        }
        if (200..300).contains(&reply.code) {
            Ok(())
        } else {
            Err(refused("login", &reply))
        }
    }

    /// Sends a command that must be answered with one of the codes.
    pub(crate) async fn required(
        &mut self,
        line: &str,
        codes: &[u16],
    ) -> Result<Reply, SetupError> {
        let reply = self.request(line, line).await?;
        if codes.contains(&reply.code) {
            Ok(reply)
        } else {
            Err(refused(line, &reply))
        }
    }

    /// Enters the directory, and removes from it the marker that was made there for this
    /// session: only a session that is in that directory can.
    pub(crate) async fn enter(&mut self, directory: &str, marker: &str) -> Result<(), SetupError> {
        for (verb, name) in [("CWD", directory), ("RMD", marker)] {
            let reply = self.request(&format!("{verb} {name}"), verb).await?;
            if !(200..300).contains(&reply.code) {
                return Err(outside(verb, &reply));
            }
        }
        Ok(())
    }

    pub(crate) async fn request(&mut self, line: &str, what: &str) -> Result<Reply, SetupError> {
        self.exchange(line)
            .await
            .map_err(|fault| SetupError::of(what, fault))
    }

    /// Sends one line and takes one reply.
    pub(crate) async fn exchange(&mut self, line: &str) -> Result<Reply, DriverError> {
        self.control.send_line(line).await?;
        self.read_reply().await
    }

    /// Reads one reply and acts on it: remembers the address in 227 and 229, and performs the TLS
    /// handshake on a private data connection when the transfer begins.
    pub(crate) async fn read_reply(&mut self) -> Result<Reply, DriverError> {
        let reply = self.control.read_reply().await?;
        match reply.code {
            100..200 if self.data.is_prepared() => {
                if let Some(client) = self.control.data_protection().cloned() {
                    // A failure is recorded; the steps and replies that follow show its effect.
                    let _ = self.data.ready(Some(&client)).await;
                }
            }
            227 => {
                let named = self.address_of_227(&reply).map(|at| (DataMode::Pasv, at));
                self.earlier = std::mem::replace(&mut self.passive, named);
            }
            229 => {
                let named = extended_passive_port(&reply.text())
                    .map(|port| (DataMode::Epsv, self.at_peer(port)));
                self.earlier = std::mem::replace(&mut self.passive, named);
            }
            _ => {}
        }
        Ok(reply)
    }

    /// Prepares a data connection; connects at once in passive mode. Returns the reply, which may
    /// be a refusal.
    pub(crate) async fn prepare(&mut self, mode: DataMode) -> Result<Reply, DriverError> {
        let (reply, wanted) = match mode {
            DataMode::Pasv => (self.exchange("PASV").await?, 227),
            DataMode::Epsv => (self.exchange("EPSV").await?, 229),
            DataMode::Port => {
                let local = self.data.listen(mode, self.control.local()).await?;
                let argument = port_argument(local).ok_or_else(|| {
                    DriverError::Internal("PORT cannot name an IPv6 address".into())
                })?;
                (self.exchange(&format!("PORT {argument}")).await?, 200)
            }
            DataMode::Eprt => {
                let local = self.data.listen(mode, self.control.local()).await?;
                (
                    self.exchange(&format!("EPRT {}", eprt_argument(local)))
                        .await?,
                    200,
                )
            }
        };
        if reply.code != wanted {
            self.data.close().await;
            return Ok(reply);
        }
        if wanted != 200 {
            self.connect_passive().await?;
        }
        Ok(reply)
    }

    /// Connects to the address of the last 227 or 229.
    pub(crate) async fn connect_passive(&mut self) -> Result<(), DriverError> {
        let (mode, address) = self.passive_address()?;
        self.data.connect(mode, address).await
    }

    /// Checks that connecting to the address of the last 227 or 229 is refused.
    pub(crate) async fn passive_is_refused(&mut self) -> Result<(), DriverError> {
        let (mode, address) = self.passive_address()?;
        self.data.is_refused(mode, address).await
    }

    /// Connects to the address of the 227 or 229 before the last one, and stays connected. Does
    /// nothing if both addresses are the same: the connection would be taken for the data
    /// connection.
    pub(crate) async fn stale_port(&mut self) -> Result<(), DriverError> {
        let Some((_, address)) = self.earlier else {
            return Err(self.no_address("no 227 or 229 before the last one contained an address"));
        };
        if self.passive.is_some_and(|(_, last)| last == address) {
            return Ok(());
        }
        self.data.connect_besides(address).await;
        Ok(())
    }

    /// Connects to the address of the last 227 or 229 from another address, and stays connected.
    pub(crate) async fn third_party(&mut self) -> Result<(), DriverError> {
        let (_, address) = self.passive_address()?;
        self.data.third_party(address).await
    }

    /// Waits until the data connection is open, under TLS if it is private.
    pub(crate) async fn data_ready(&mut self) -> Result<&mut DataPort, DriverError> {
        let client = self.control.data_protection().cloned();
        self.data.ready(client.as_ref()).await?;
        Ok(&mut self.data)
    }

    fn passive_address(&self) -> Result<(DataMode, SocketAddr), DriverError> {
        self.passive
            .ok_or_else(|| self.no_address("no 227 or 229 contained an address"))
    }

    fn no_address(&self, why: &str) -> DriverError {
        let error = why.to_owned();
        self.recorder
            .record(&self.name, EventKind::DataFailed { error });
        DriverError::Broken
    }

    /// The address to connect to for a 227: its port at the server's own address. A server must not
    /// direct the tester to another host (a reversed bounce attack, RFC 2577 §3), and one behind
    /// NAT may not know its public address. A different address in the reply is recorded.
    fn address_of_227(&self, reply: &Reply) -> Option<SocketAddr> {
        let (ip, port) = passive_address(&reply.text())?;
        if self.control.peer().ip().to_canonical() != IpAddr::from(ip) {
            let named = SocketAddr::from((ip, port));
            let fact =
                format!("the 227 contains {named}; connecting to the server's own address instead");
            let what = EventKind::Observed {
                kind: ObservationKind::ForeignAddress,
                fact,
                octets: Data::default(),
                ok: true,
            };
            self.recorder.record(&self.name, what);
        }
        Some(self.at_peer(port))
    }

    fn at_peer(&self, port: u16) -> SocketAddr {
        let mut address = self.control.peer();
        address.set_port(port);
        address
    }
}

/// The error for a session that is not in the directory of the run, as this reply shows; 421 is
/// reported as such.
pub(crate) fn outside(verb: &str, reply: &Reply) -> SetupError {
    match refused(verb, reply) {
        SetupError::Refused(_) => SetupError::Refused(UNSAFE.into()),
        other => other,
    }
}

/// The error for a refused command.
pub(crate) fn refused(what: &str, reply: &Reply) -> SetupError {
    // A reason must not contain a password.
    let what = if what.starts_with("PASS ") {
        "PASS"
    } else {
        what
    };
    let words = format!("{what}: {} {}", reply.code, first_line(&reply.text()));
    if reply.code == 421 {
        SetupError::Busy(words)
    } else {
        SetupError::Refused(words)
    }
}
