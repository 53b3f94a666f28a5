//! A small FTP server that is correct except that it sends one reply or transfer without end.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What is sent without end, and in response to which command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Endless {
    verb: &'static str,
    begin: &'static [u8],
    then: &'static [u8],
    data: bool,
}

impl Endless {
    /// A transfer by this command.
    pub(crate) const fn data(verb: &'static str, then: &'static [u8]) -> Self {
        Self {
            verb,
            begin: b"",
            then,
            data: true,
        }
    }

    /// The reply to this command, or the greeting if it is empty: `first` once, then `then` without
    /// end.
    pub(crate) const fn control(
        verb: &'static str,
        begin: &'static [u8],
        then: &'static [u8],
    ) -> Self {
        Self {
            verb,
            begin,
            then,
            data: false,
        }
    }

    fn tell(&self, stream: &mut Stream) -> io::Result<()> {
        stream.write_all(self.begin)?;
        let many = self.then.repeat((64 << 10) / self.then.len() + 1);
        loop {
            stream.write_all(&many)?;
        }
    }
}

/// Entries by pathname; a directory has no octets.
type Files = Arc<Mutex<BTreeMap<String, Option<Vec<u8>>>>>;

/// The server. Its threads end with their connections.
pub(crate) struct EndlessServer {
    address: SocketAddr,
    tls: bool,
}

impl EndlessServer {
    /// Starts it, under TLS from the first octet or in clear.
    pub(crate) fn start(endless: Endless, tls: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let config = tls.then(config);
        let files = Files::default();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (config, files) = (config.clone(), files.clone());
                thread::spawn(move || {
                    // The runner ends a connection that exceeds a limit.
                    let _ = serve(stream?, config, files, endless);
                    io::Result::Ok(())
                });
            }
        });
        Self { address, tls }
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls { "ftps" } else { "ftp" };
        format!("{scheme}://test:test@{}", self.address)
    }
}

fn config() -> Arc<ServerConfig> {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".into()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    Arc::new(config)
}

enum Stream {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    fn new(tcp: TcpStream, config: Option<&Arc<ServerConfig>>) -> Self {
        match config {
            None => Self::Clear(tcp),
            Some(config) => {
                let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                Self::Tls(Box::new(StreamOwned::new(connection, tcp)))
            }
        }
    }

    /// Ends the connection with close_notify under TLS, and FIN.
    fn end(mut self) -> io::Result<()> {
        if let Self::Tls(tls) = &mut self {
            tls.conn.send_close_notify();
            tls.flush()?;
        }
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(tcp) => tcp.read(into),
            Self::Tls(tls) => tls.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(tcp) => tcp.write(octets),
            Self::Tls(tls) => tls.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

fn serve(
    tcp: TcpStream,
    config: Option<Arc<ServerConfig>>,
    files: Files,
    endless: Endless,
) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let mut control = BufReader::new(Stream::new(tcp, config.as_ref()));
    if endless.verb.is_empty() {
        return endless.tell(control.get_mut());
    }
    control.get_mut().write_all(b"220 ready\r\n")?;
    let mut here = String::from("/");
    let mut passive: Option<TcpListener> = None;
    loop {
        let mut line = Vec::new();
        if control.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        let verb = verb.to_ascii_uppercase();
        if verb == endless.verb && !endless.data {
            return endless.tell(control.get_mut());
        }
        let path = match argument {
            "" => here.clone(),
            _ if argument.starts_with('/') => argument.to_owned(),
            _ => format!("{}/{argument}", here.trim_end_matches('/')),
        };
        let path = path.as_str();
        let reply = match verb.as_str() {
            "PASV" | "EPSV" => {
                let listener = TcpListener::bind("127.0.0.1:0")?;
                let port = listener.local_addr()?.port();
                passive = Some(listener);
                match verb.as_str() {
                    "PASV" => format!("227 (127,0,0,1,{},{})", port >> 8, port & 255),
                    _ => format!("229 (|||{port}|)"),
                }
            }
            "RETR" | "STOR" | "LIST" | "NLST" | "MLSD" => {
                let Some(listener) = passive.take() else {
                    control.get_mut().write_all(b"425 no address\r\n")?;
                    continue;
                };
                let known = files.lock().unwrap().get(path).cloned().flatten();
                if verb == "RETR" && known.is_none() {
                    control.get_mut().write_all(b"550 no such file\r\n")?;
                    continue;
                }
                control.get_mut().write_all(b"150 now\r\n")?;
                let mut data = Stream::new(listener.accept()?.0, config.as_ref());
                if verb == endless.verb {
                    // The session goes on after the runner has ended the data connection.
                    let _ = endless.tell(&mut data);
                } else if verb == "STOR" {
                    let mut octets = Vec::new();
                    data.read_to_end(&mut octets)?;
                    files.lock().unwrap().insert(path.to_owned(), Some(octets));
                } else if verb == "RETR" {
                    data.write_all(&known.unwrap_or_default())?;
                    data.end()?;
                } else {
                    data.write_all(listing(&files, path, &verb).as_bytes())?;
                    data.end()?;
                }
                "226 done".to_owned()
            }
            _ => answer(&verb, argument, path, &mut here, &files),
        };
        control
            .get_mut()
            .write_all(format!("{reply}\r\n").as_bytes())?;
        if verb == "QUIT" {
            return Ok(());
        }
    }
}

fn listing(files: &Files, path: &str, verb: &str) -> String {
    let below = format!("{}/", path.trim_end_matches('/'));
    let files = files.lock().unwrap();
    let entries = files.iter().filter_map(|(name, octets)| {
        let name = name
            .strip_prefix(&below)
            .filter(|name| !name.contains('/'))?;
        let kind = if octets.is_some() { "file" } else { "dir" };
        Some(match verb {
            "NLST" => format!("{name}\r\n"),
            "MLSD" => format!("type={kind}; {name}\r\n"),
            _ => format!(
                "{}rw-r--r-- 1 a a 3 Jan 2 2024 {name}\r\n",
                &kind.replace('f', "-")[..1]
            ),
        })
    });
    entries.collect()
}

fn answer(verb: &str, argument: &str, path: &str, here: &mut String, files: &Files) -> String {
    let mut files = files.lock().unwrap();
    let is_directory = path == "/" || files.get(path) == Some(&None);
    let below = format!("{path}/");
    let done = match verb {
        "USER" => return "331 password".into(),
        "PASS" => return "230 in".into(),
        "FEAT" => return "211-Features\r\n EPSV\r\n SIZE\r\n MLST type*;\r\n211 End".into(),
        "SYST" => return "215 UNIX Type: L8".into(),
        "STAT" => return "211 fine".into(),
        "QUIT" => return "221 bye".into(),
        "PWD" => return format!("257 \"{here}\""),
        "TYPE" | "MODE" | "STRU" | "NOOP" | "PBSZ" | "PROT" => return "200 ok".into(),
        "SIZE" => match files.get(path) {
            Some(Some(octets)) => return format!("213 {}", octets.len()),
            _ => false,
        },
        "CWD" if is_directory => {
            path.clone_into(here);
            true
        }
        "MKD" if !argument.is_empty() && !files.contains_key(path) => {
            files.insert(path.to_owned(), None);
            return format!("257 \"{path}\"");
        }
        "RMD" if is_directory && !files.keys().any(|name| name.starts_with(&below)) => {
            files.remove(path).is_some()
        }
        "DELE" if !is_directory => files.remove(path).is_some(),
        "CWD" | "MKD" | "RMD" | "DELE" => false,
        _ => return "502 not here".into(),
    };
    match done {
        true => "250 done".into(),
        false => "550 no".into(),
    }
}
