//! A blocking FTP client that shows exactly what it receives.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// The reply to NOOP, after which everything that came before it has been seen.
const BARRIER: &[u8] = b"200 Command okay.\r\n";
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

trait Connection: Read + Write + Send {}
impl<T: Read + Write + Send> Connection for T {}

/// A control connection, and what is needed for its data connections.
pub(crate) struct Client {
    address: SocketAddr,
    tcp: TcpStream,
    control: Box<dyn Connection>,
    tls: Option<Arc<ClientConfig>>,
}

/// What came over a data connection, and whether it ended as a whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) octets: Vec<u8>,
    pub(crate) whole: bool,
}

/// A client configuration that trusts this authority.
pub(crate) fn trusting(ca_pem: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

fn connected(address: SocketAddr) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(address)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

fn protected(
    tcp: TcpStream,
    config: &Arc<ClientConfig>,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, tcp);
    stream.conn.complete_io(&mut stream.sock)?;
    Ok(stream)
}

impl Client {
    /// Connects; the greeting is not read.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let tcp = connected(address).unwrap();
        Self {
            address,
            control: Box::new(tcp.try_clone().unwrap()),
            tcp,
            tls: None,
        }
    }

    /// Connects with implicit TLS.
    pub(crate) fn connect_tls(address: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let mut client = Self::connect(address);
        client.shake_hands(config)?;
        Ok(client)
    }

    /// Begins TLS; data connections are protected from now on.
    pub(crate) fn shake_hands(&mut self, config: &Arc<ClientConfig>) -> io::Result<()> {
        self.control = Box::new(protected(self.tcp.try_clone()?, config)?);
        self.tls = Some(Arc::clone(config));
        Ok(())
    }

    /// The control connection below TLS.
    pub(crate) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    pub(crate) fn send(&mut self, line: &str) {
        self.send_octets(format!("{line}\r\n").as_bytes());
    }

    pub(crate) fn send_octets(&mut self, octets: &[u8]) {
        // The peer may be gone, which reading shows.
        let _gone = self.control.write_all(octets);
        let _gone = self.control.flush();
    }

    /// One line, or what came before the end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        let mut octet = [0];
        while !line.ends_with(b"\n") && matches!(self.control.read(&mut octet), Ok(1)) {
            line.push(octet[0]);
        }
        String::from_utf8_lossy(&line).into_owned()
    }

    /// One whole reply.
    pub(crate) fn reply(&mut self) -> String {
        let mut reply = self.line();
        let code = reply.get(..3).unwrap_or_default().to_owned();
        if reply.get(3..4) == Some("-") {
            loop {
                let line = self.line();
                let is_last = line.is_empty() || line.starts_with(&format!("{code} "));
                reply += &line;
                if is_last {
                    break;
                }
            }
        }
        reply
    }

    pub(crate) fn command(&mut self, line: &str) -> String {
        self.send(line);
        self.reply()
    }

    /// A command that has to succeed.
    #[track_caller]
    pub(crate) fn expect(&mut self, line: &str, code: &str) -> String {
        let reply = self.command(line);
        assert!(reply.starts_with(code), "{line}: {reply}");
        reply
    }

    /// The greeting, TLS if there is a configuration for it, and a login.
    #[track_caller]
    pub(crate) fn log_in(&mut self, tls: Option<&Arc<ClientConfig>>, password: &str) {
        let greeting = self.reply();
        assert!(greeting.starts_with("220"), "{greeting}");
        if let Some(config) = tls {
            self.expect("AUTH TLS", "234");
            self.shake_hands(config).unwrap();
        }
        if self.tls.is_some() {
            self.expect("PBSZ 0", "200");
            self.expect("PROT P", "200");
        }
        self.expect("USER u", "331");
        self.expect(&format!("PASS {password}"), "230");
        self.expect("TYPE I", "200");
    }

    /// All that comes up to the reply to a NOOP, or up to the end of the connection; and whether it
    /// ended, and in which way.
    pub(crate) fn until_barrier(&mut self) -> (String, Option<bool>) {
        self.send("NOOP");
        let mut octets = Vec::new();
        let mut octet = [0];
        let end = loop {
            match self.control.read(&mut octet) {
                Ok(1) => octets.push(octet[0]),
                Ok(_) => break Some(true),
                Err(_) => break Some(false),
            }
            if octets.ends_with(BARRIER) {
                break None;
            }
        };
        (octets.escape_ascii().to_string(), end)
    }

    /// The address of a data connection that PASV or EPSV names.
    pub(crate) fn passive(&mut self, command: &str) -> SocketAddr {
        let reply = self.command(command);
        let mut numbers = reply[3..].split(|it: char| !it.is_ascii_digit());
        let mut numbers: Vec<u16> = numbers.by_ref().filter_map(|it| it.parse().ok()).collect();
        let mut address = self.address;
        match numbers.pop() {
            Some(port) if command.starts_with("EPSV") => address.set_port(port),
            Some(low) => {
                let high = numbers.pop().unwrap_or_else(|| panic!("{reply}"));
                address.set_port(high * 256 + low);
            }
            None => panic!("{reply}"),
        }
        address
    }

    /// Sends a command after PORT or EPRT, and reads the data connection to its end; replies are not
    /// read.
    pub(crate) fn download_active(&mut self, port: &str, line: &str) -> Received {
        let local = self.tcp.local_addr().unwrap();
        let listener = TcpListener::bind((local.ip(), 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let argument = match (port, address) {
            ("PORT", SocketAddr::V4(v4)) => {
                let [high, low] = v4.port().to_be_bytes();
                let host = v4.ip().to_string().replace('.', ",");
                format!("{host},{high},{low}")
            }
            (_, address) => {
                let family = if address.is_ipv6() { 2 } else { 1 };
                format!("|{family}|{}|{}|", address.ip(), address.port())
            }
        };
        self.expect(&format!("{port} {argument}"), "200");
        self.send(line);
        let tcp = listener.accept().map(|(tcp, _)| tcp);
        self.received(tcp)
    }

    fn received(&self, tcp: io::Result<TcpStream>) -> Received {
        let mut octets = Vec::new();
        let read = tcp.and_then(|tcp| match &self.tls {
            Some(config) => protected(tcp, config)?.read_to_end(&mut octets),
            None => { tcp }.read_to_end(&mut octets),
        });
        let whole = read.is_ok();
        Received { octets, whole }
    }

    /// Sends a command and reads the data connection to its end; replies are not read.
    pub(crate) fn download(&mut self, line: &str) -> Received {
        let address = self.passive("EPSV");
        let tcp = connected(address);
        self.send(line);
        self.received(tcp)
    }

    /// Sends a command and these octets over a data connection; replies are not read.
    pub(crate) fn upload(&mut self, line: &str, octets: &[u8]) {
        let address = self.passive("EPSV");
        let tcp = connected(address);
        self.send(line);
        let Some(config) = &self.tls else {
            let _broken = tcp.and_then(|mut tcp| tcp.write_all(octets));
            return;
        };
        let _broken = tcp.and_then(|tcp| {
            let mut stream = protected(tcp, config)?;
            stream.write_all(octets)?;
            stream.conn.send_close_notify();
            stream.flush()?;
            stream.sock.shutdown(std::net::Shutdown::Write)?;
            // What the server still sends, so that no reset destroys what was sent.
            stream.sock.read_to_end(&mut Vec::new()).map(drop)
        });
    }
}
