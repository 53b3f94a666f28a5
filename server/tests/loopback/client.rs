//! A client of which tests control every octet.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use ftpspec_server::ServerHandle;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A connection, protected or not.
pub(crate) enum Wire {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Gone,
}

impl Wire {
    pub(crate) async fn write(&mut self, octets: &[u8]) {
        match self {
            Self::Clear(stream) => stream.write_all(octets).await.unwrap(),
            Self::Tls(stream) => {
                stream.write_all(octets).await.unwrap();
                stream.flush().await.unwrap();
            }
            Self::Gone => panic!("the connection is gone"),
        }
    }

    /// Reads once; 0 at any kind of end.
    pub(crate) async fn read(&mut self, to: &mut [u8]) -> usize {
        match self {
            Self::Clear(stream) => stream.read(to).await.unwrap_or(0),
            Self::Tls(stream) => stream.read(to).await.unwrap_or(0),
            Self::Gone => 0,
        }
    }

    /// Reads to the orderly end, which is close_notify under TLS.
    pub(crate) async fn read_to_end(&mut self) -> Vec<u8> {
        let mut octets = Vec::new();
        match self {
            Self::Clear(stream) => stream.read_to_end(&mut octets).await.unwrap(),
            Self::Tls(stream) => stream.read_to_end(&mut octets).await.unwrap(),
            Self::Gone => 0,
        };
        octets
    }

    /// Ends the direction to the server; under TLS with close_notify.
    pub(crate) async fn end(&mut self) {
        match self {
            Self::Clear(stream) => stream.shutdown().await.unwrap(),
            Self::Tls(stream) => stream.shutdown().await.unwrap(),
            Self::Gone => {}
        }
    }

    /// The stream of a connection in clear.
    pub(crate) fn into_clear(self) -> TcpStream {
        match self {
            Self::Clear(stream) => stream,
            Self::Tls(_) | Self::Gone => panic!("it is not in the clear"),
        }
    }

    /// The stream of a connection that is protected.
    pub(crate) fn into_tls(self) -> TlsStream<TcpStream> {
        match self {
            Self::Tls(stream) => *stream,
            Self::Clear(_) | Self::Gone => panic!("it is not protected"),
        }
    }

    /// The state of TLS.
    pub(crate) fn tls(&self) -> &ClientConnection {
        match self {
            Self::Tls(stream) => stream.get_ref().1,
            Self::Clear(_) | Self::Gone => panic!("it is not protected"),
        }
    }

    pub(crate) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Clear(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
            Self::Gone => panic!("the connection is gone"),
        }
    }
}

/// A certificate of a client and its private key.
pub(crate) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// TLS in one version only, for servers with a certificate of this authority.
pub(crate) fn client_config(
    ca: &str,
    version: &'static SupportedProtocolVersion,
    identity: Option<Identity>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(ca.as_bytes()).unwrap();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    match identity {
        None => config.with_no_client_auth(),
        Some((chain, key)) => config.with_client_auth_cert(chain, key).unwrap(),
    }
}

/// TLS of a client that trusts this server.
pub(crate) fn connector(
    server: &ServerHandle,
    version: &'static SupportedProtocolVersion,
) -> TlsConnector {
    let config = client_config(server.ca_pem().unwrap(), version, None);
    TlsConnector::from(Arc::new(config))
}

pub(crate) struct Client {
    pub(crate) wire: Wire,
    /// Set by [`protect`](Self::protect): data connections are protected too.
    pub(crate) tls: Option<TlsConnector>,
    pub(crate) received: Vec<u8>,
    server: SocketAddr,
}

/// A connection from this address and any port.
pub(crate) async fn connect_from(source: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let source: std::net::IpAddr = source.parse().unwrap();
    socket.bind((source, 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

/// A data connection before and after it is established.
pub(crate) enum Data {
    Passive(TcpStream),
    Active(TcpListener),
}

impl Client {
    /// Connects and reads the greeting.
    pub(crate) async fn connect(server: SocketAddr) -> Self {
        let mut client = Self::open(server).await;
        client.receive("220 ").await;
        client
    }

    /// Connects with implicit TLS.
    pub(crate) async fn connect_implicit(server: SocketAddr, tls: TlsConnector) -> Self {
        let mut client = Self::open(server).await;
        client.shake_hands(tls).await;
        client.receive("220 ").await;
        client
    }

    /// Connects from another loopback address and reads the greeting.
    pub(crate) async fn connect_from(source: &str, server: SocketAddr) -> Self {
        let mut client = Self::open_from(source, server).await;
        client.receive("220 ").await;
        client
    }

    /// Connects from another loopback address.
    pub(crate) async fn open_from(source: &str, server: SocketAddr) -> Self {
        Self::on(connect_from(source, server).await, server)
    }

    pub(crate) async fn open(server: SocketAddr) -> Self {
        Self::on(TcpStream::connect(server).await.unwrap(), server)
    }

    fn on(stream: TcpStream, server: SocketAddr) -> Self {
        Self {
            wire: Wire::Clear(stream),
            tls: None,
            received: Vec::new(),
            server,
        }
    }

    pub(crate) async fn login(&mut self) {
        self.expect("USER test", "331").await;
        self.expect("PASS secret", "230").await;
        self.expect("TYPE I", "200").await;
    }

    pub(crate) async fn protect(&mut self, tls: TlsConnector) {
        self.expect("AUTH TLS", "234").await;
        self.shake_hands(tls).await;
        self.protect_data().await;
    }

    pub(crate) async fn protect_data(&mut self) {
        self.expect("PBSZ 0", "200").await;
        self.expect("PROT P", "200").await;
    }

    pub(crate) async fn shake_hands(&mut self, tls: TlsConnector) {
        let name = ServerName::from(self.server.ip());
        self.shake_hands_with(tls, name).await;
    }

    /// Names the host in the handshake, unless it is an address.
    pub(crate) async fn shake_hands_with(&mut self, tls: TlsConnector, name: ServerName<'static>) {
        self.try_shake_hands(tls, name).await.unwrap();
    }

    /// As [`shake_hands_with`](Self::shake_hands_with), where the handshake may fail.
    pub(crate) async fn try_shake_hands(
        &mut self,
        tls: TlsConnector,
        name: ServerName<'static>,
    ) -> io::Result<()> {
        let stream = self.take_wire().into_clear();
        self.wire = Wire::Tls(Box::new(tls.connect(name, stream).await?));
        self.tls = Some(tls);
        Ok(())
    }

    /// Takes the control connection out of the client.
    pub(crate) fn take_wire(&mut self) -> Wire {
        std::mem::replace(&mut self.wire, Wire::Gone)
    }

    pub(crate) async fn send(&mut self, command: &str) {
        self.wire.write(format!("{command}\r\n").as_bytes()).await;
    }

    /// The next reply, without its last line end; empty at the end of the connection.
    pub(crate) async fn reply(&mut self) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.received).into_owned();
            let mut taken = 0;
            for line in text.split_inclusive("\r\n") {
                taken += line.len();
                let ends =
                    line.as_bytes().get(3) == Some(&b' ') && line[..3].parse::<u16>().is_ok();
                if ends && line.ends_with("\r\n") {
                    self.received.drain(..taken);
                    return text[..taken - 2].to_owned();
                }
            }
            let mut octets = [0; 4096];
            match self.wire.read(&mut octets).await {
                0 => return String::new(),
                count => self.received.extend_from_slice(&octets[..count]),
            }
        }
    }

    /// The next reply, which begins with `code`.
    #[track_caller]
    pub(crate) fn receive(&mut self, code: &str) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        async move {
            let reply = self.reply().await;
            assert!(reply.starts_with(code), "{caller}: {reply}");
            reply
        }
    }

    pub(crate) async fn ask(&mut self, command: &str) -> String {
        self.send(command).await;
        self.reply().await
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, command: &str, code: &str) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        async move {
            let reply = self.ask(command).await;
            assert!(reply.starts_with(code), "{caller}: {command}: {reply}");
            reply
        }
    }

    /// EPSV: the port.
    pub(crate) async fn extended_passive(&mut self) -> u16 {
        let reply = self.expect("EPSV", "229").await;
        reply.split('|').nth(3).unwrap().parse().unwrap()
    }

    /// EPSV and connecting.
    pub(crate) async fn passive(&mut self) -> Data {
        let address = SocketAddr::new(self.server.ip(), self.extended_passive().await);
        Data::Passive(TcpStream::connect(address).await.unwrap())
    }

    /// Listening and EPRT.
    pub(crate) async fn active(&mut self) -> Data {
        let here = self.wire.tcp().local_addr().unwrap().ip();
        let listener = TcpListener::bind((here, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let family = if here.is_ipv4() { 1 } else { 2 };
        self.expect(&format!("EPRT |{family}|{here}|{port}|"), "200")
            .await;
        Data::Active(listener)
    }

    /// Begins a transfer over a passive data connection.
    #[track_caller]
    pub(crate) fn begin(&mut self, command: &str) -> impl Future<Output = Wire> {
        let caller = std::panic::Location::caller();
        async move {
            let data = self.passive().await;
            let reply = self.ask(command).await;
            assert!(reply.starts_with("150"), "{caller}: {command}: {reply}");
            self.establish(data).await
        }
    }

    /// The data connection of a transfer whose 150 has come.
    pub(crate) async fn establish(&self, data: Data) -> Wire {
        let stream = match data {
            Data::Passive(stream) => stream,
            Data::Active(listener) => listener.accept().await.unwrap().0,
        };
        match &self.tls {
            None => Wire::Clear(stream),
            Some(tls) => Wire::Tls(Box::new(
                tls.connect(ServerName::from(self.server.ip()), stream)
                    .await
                    .unwrap(),
            )),
        }
    }

    /// As [`establish`](Self::establish); the connection may end during its TLS handshake.
    pub(crate) async fn try_establish(&self, data: Data) -> Wire {
        match (data, &self.tls) {
            (Data::Passive(stream), Some(tls)) => {
                let name = ServerName::from(self.server.ip());
                let protected = tls.connect(name, stream).await;
                protected.map_or(Wire::Gone, |stream| Wire::Tls(Box::new(stream)))
            }
            (data, _) => self.establish(data).await,
        }
    }

    pub(crate) async fn data(&mut self, active: bool) -> Data {
        if active {
            self.active().await
        } else {
            self.passive().await
        }
    }

    pub(crate) async fn download(&mut self, command: &str, active: bool) -> Vec<u8> {
        let data = self.data(active).await;
        self.finish_download(command, data).await
    }

    pub(crate) async fn finish_download(&mut self, command: &str, data: Data) -> Vec<u8> {
        self.expect(command, "150").await;
        let octets = self.establish(data).await.read_to_end().await;
        self.receive("226").await;
        octets
    }

    pub(crate) async fn upload(&mut self, command: &str, octets: &[u8], active: bool) {
        let data = self.data(active).await;
        self.expect(command, "150").await;
        let mut data = self.establish(data).await;
        data.write(octets).await;
        data.end().await;
        self.receive("226").await;
    }

    /// Uploads, and closes the data connection with everything the server sends unread in its
    /// socket. Returns the completion reply.
    pub(crate) async fn upload_unread(&mut self, command: &str, octets: &[u8]) -> String {
        let mut data = self.begin(command).await;
        data.write(octets).await;
        data.end().await;
        drop(data);
        self.reply().await
    }
}
