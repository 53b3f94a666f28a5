//! A session that uses most of what a recording can have, and its recording.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use super::client::{Client, trusting};
use super::processes::{FTPSPEC, Running};

/// How data connections are prepared and protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pasv,
    Epsv,
    Port,
    Eprt,
    /// EPSV over IPv6.
    Ipv6,
    /// EPSV under AUTH TLS and PROT P.
    Tls,
    /// EPSV under implicit TLS.
    Implicit,
}

/// What is downloaded.
pub(crate) const FILE: &[u8] = b"0123456789 of a file that was there before\r\n";
/// What is uploaded.
pub(crate) const UPLOAD: &[u8] = b"what the client sends";

/// A directory with a file for the server, and room for recordings.
pub(crate) struct Room {
    folder: tempfile::TempDir,
    kind: Kind,
}

impl Room {
    pub(crate) fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("seed")).unwrap();
        fs::write(folder.path().join("seed/file"), FILE).unwrap();
        Self { folder, kind }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A reference server with the file.
    pub(crate) fn serve(&self, more: &[&str]) -> Running {
        let seed = self.path().join("seed");
        let bind = self.address().to_string();
        let mut arguments = vec!["serve", "--user", "u:pw", "--seed", seed.to_str().unwrap()];
        arguments.extend(["--bind", &bind]);
        if self.kind == Kind::Implicit {
            arguments.extend(["--tls", "implicit"]);
        }
        arguments.extend(more);
        Running::start(&arguments)
    }

    fn address(&self) -> IpAddr {
        match self.kind {
            Kind::Ipv6 => Ipv6Addr::LOCALHOST.into(),
            _ => Ipv4Addr::LOCALHOST.into(),
        }
    }

    /// The URL of a server, with the user.
    pub(crate) fn url(&self, server: &Running) -> String {
        let address = SocketAddr::new(self.address(), u16::try_from(server.port()).unwrap());
        format!("{}://u:pw@{address}", self.scheme())
    }

    fn scheme(&self) -> &'static str {
        match self.kind {
            Kind::Implicit => "ftps",
            _ => "ftp",
        }
    }

    /// Records what this client does with a reference server.
    pub(crate) fn record(&self, client: impl FnOnce(SocketAddr, &str)) -> PathBuf {
        let server = self.serve(&[]);
        let upstream = self.url(&server).replace("u:pw@", "");
        let out = self.path().join("s.jsonl");
        let listen = SocketAddr::new(self.address(), 0).to_string();
        let recorder = Running::start(&[
            "record",
            "--upstream",
            &upstream,
            "--insecure",
            "--listen",
            &listen,
            "--out",
            out.to_str().unwrap(),
            "--format",
            "json",
        ]);
        let ca = fs::read_to_string(recorder.text("ca")).unwrap();
        let address = recorder.text("address").parse().unwrap();
        client(address, &ca);
        assert_eq!(recorder.stop(), 0);
        out
    }

    /// The session below, recorded.
    pub(crate) fn recorded(&self) -> PathBuf {
        self.record(|address, ca| self.session(address, ca))
    }

    /// A login, directories, and each kind of transfer.
    pub(crate) fn session(&self, address: SocketAddr, ca_pem: &str) {
        let tls = trusting(ca_pem);
        let mut client = self.logged_in(address, &tls);
        client.expect("SYST", "215");
        client.expect("PWD", "257");
        client.expect("MKD d", "257");
        client.expect("CWD d", "250");
        self.put(&mut client, "STOR a", UPLOAD);
        client.expect("REST 4", "350");
        self.put(&mut client, "STOR a", &UPLOAD[4..]);
        client.expect("SIZE a", "213");
        assert_eq!(self.get(&mut client, "RETR /file"), FILE);
        client.expect("REST 10", "350");
        assert_eq!(self.get(&mut client, "RETR ../file"), &FILE[10..]);
        assert!(!self.get(&mut client, "LIST").is_empty());
        assert!(!self.get(&mut client, "MLSD").is_empty());
        client.expect("RNFR a", "350");
        client.expect("RNTO b", "250");
        // A data connection that is there before the transfer is refused.
        let unused = TcpStream::connect(client.passive("EPSV")).unwrap();
        client.expect("RETR missing", "550");
        drop(unused);
        client.expect("DELE b", "250");
        client.expect("CDUP", "25");
        client.expect("RMD d", "250");
        client.expect("QUIT", "221");
        // The end of the connection: everything has been seen.
        assert_eq!(client.line(), "");
    }

    pub(crate) fn logged_in(&self, address: SocketAddr, tls: &Arc<ClientConfig>) -> Client {
        let mut client = match self.kind {
            Kind::Implicit => Client::connect_tls(address, tls).unwrap(),
            _ => Client::connect(address),
        };
        client.log_in((self.kind == Kind::Tls).then_some(tls), "pw");
        client
    }

    /// A download, with its replies.
    #[track_caller]
    pub(crate) fn get(&self, client: &mut Client, command: &str) -> Vec<u8> {
        let octets = match self.kind {
            Kind::Tls | Kind::Implicit | Kind::Ipv6 | Kind::Epsv => client.download(command).octets,
            _ => {
                let mut octets = Vec::new();
                self.connection(client, command)
                    .read_to_end(&mut octets)
                    .unwrap();
                octets
            }
        };
        self.completed(client, command);
        octets
    }

    /// An upload, with its replies.
    #[track_caller]
    pub(crate) fn put(&self, client: &mut Client, command: &str, octets: &[u8]) {
        match self.kind {
            Kind::Tls | Kind::Implicit | Kind::Ipv6 | Kind::Epsv => client.upload(command, octets),
            _ => self.connection(client, command).write_all(octets).unwrap(),
        }
        self.completed(client, command);
    }

    #[track_caller]
    fn completed(&self, client: &mut Client, command: &str) {
        // In the active modes the preliminary reply was read before.
        let mut reply = client.reply();
        if reply.starts_with('1') {
            reply = client.reply();
        }
        assert!(reply.starts_with("226"), "{command}: {reply}");
    }

    /// A data connection in clear for this command, which is sent.
    fn connection(&self, client: &mut Client, command: &str) -> TcpStream {
        let tcp = match self.kind {
            Kind::Port | Kind::Eprt => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                let port = listener.local_addr().unwrap().port();
                let line = match self.kind {
                    Kind::Port => format!("PORT 127,0,0,1,{},{}", port >> 8, port & 255),
                    _ => format!("EPRT |1|127.0.0.1|{port}|"),
                };
                client.expect(&line, "200");
                client.expect(command, "150");
                listener.accept().unwrap().0
            }
            _ => {
                let address = client.passive("PASV");
                client.send(command);
                TcpStream::connect(address).unwrap()
            }
        };
        tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        tcp
    }
}

/// `ftpspec replay FILE --against URL`
pub(crate) fn replay(file: &Path, url: &str, more: &[&str]) -> Output {
    Command::new(FTPSPEC)
        .arg("replay")
        .arg(file)
        .args(["--against", url])
        .args(more)
        .output()
        .unwrap()
}

/// What it printed on both streams, and its exit code.
pub(crate) fn said(output: &Output) -> (String, Option<i32>) {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    (text + &errors, output.status.code())
}

/// Whether this machine has IPv6.
pub(crate) fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}
