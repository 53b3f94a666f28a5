//! A small FTP server for the player's tests: well-behaved, but for what a test has it do instead.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{Job, Manner, Variant};
use crate::driver::Timeouts;
use crate::scenario::{ScenarioId, parse};
use crate::target::Target;

/// What a server does in place of what it should.
#[derive(Debug, Clone)]
pub(super) enum Do {
    /// Sends these octets.
    Say(&'static str),
    /// Sends them one by one.
    Bytewise(&'static str),
    /// Listens, and names this address with its port.
    Passive(&'static str),
    /// Sends these octets on the data connection, between 150 and 226.
    Data(&'static str),
    /// Closes the control connection.
    Close,
    /// Ends the whole server: nothing is answered, no connection is taken any more.
    Die,
}

type Rule = dyn Fn(&str) -> Option<Vec<Do>> + Send + Sync;

/// The server, and everything that was said to it.
pub(super) struct Fake {
    pub(super) target: Arc<Target>,
    heard: Arc<Mutex<Vec<String>>>,
    files: Files,
    peak: Arc<AtomicUsize>,
}

/// Pathnames; directories have no octets.
type Files = Arc<Mutex<BTreeMap<String, Option<Vec<u8>>>>>;

impl Fake {
    /// Starts one. The rule is asked for each command line first.
    pub(super) async fn start(
        rule: impl Fn(&str) -> Option<Vec<Do>> + Send + Sync + 'static,
    ) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), usize::MAX, rule).await
    }

    /// Starts one there, with so many sessions at most.
    pub(super) async fn start_at(
        address: SocketAddr,
        sessions: usize,
        rule: impl Fn(&str) -> Option<Vec<Do>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let files = Files::default();
        let rule: Arc<Rule> = Arc::new(rule);
        let (all, tree) = (heard.clone(), files.clone());
        let peak = Arc::<AtomicUsize>::default();
        let most = peak.clone();
        tokio::spawn(async move {
            let dying = Arc::<Notify>::default();
            let mut talks = JoinSet::new();
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = dying.notified() => return,
                };
                let Ok((mut tcp, _)) = accepted else { return };
                while talks.try_join_next().is_some() {}
                if talks.len() >= sessions {
                    let _ = tcp.write_all(b"421 too many\r\n").await;
                    continue;
                }
                let talk = Talk {
                    control: BufReader::new(tcp),
                    rule: rule.clone(),
                    heard: all.clone(),
                    files: tree.clone(),
                    directory: "/".into(),
                    passive: None,
                    active: None,
                    dying: dying.clone(),
                };
                talks.spawn(talk.go_on());
                most.fetch_max(talks.len(), Ordering::Relaxed);
            }
        });
        let target = Arc::new(Target::at("127.0.0.1", vec![address]));
        Self {
            target,
            heard,
            files,
            peak,
        }
    }

    /// So many sessions there were at once, at most.
    pub(super) fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// The command lines it got, from everybody.
    pub(super) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// The pathnames it has.
    pub(super) fn has(&self) -> Vec<String> {
        self.files.lock().unwrap().keys().cloned().collect()
    }
}

/// A scenario with this front matter besides the required, to be played in this variant.
pub(crate) fn job(variant: &str, front: &str, dialogue: &str) -> Job {
    let text = format!(
        "+++\ntitle = \"t\"\ncites = [\"RFC 959 §4.2\"]\ncovers = [\"x\"]\nlevel = \"must\"\n{front}\n+++\n{dialogue}\n"
    );
    let scenario = parse(ScenarioId("test".into()), &text).unwrap();
    Job {
        number: 0,
        scenario: Arc::new(scenario),
        variant: variant.parse::<Variant>().unwrap(),
    }
}

/// The line of the scenario on which the dialogue begins.
pub(crate) const FIRST: u32 = 8;

/// Little patience, and names that stay the same.
pub(crate) fn manner() -> Manner {
    let short = Duration::from_secs(1);
    let timeouts = Timeouts {
        connect: short,
        reply: short,
        data: short,
        handshake: short,
        quiet: Duration::from_millis(50),
        way: Duration::ZERO,
    };
    Manner {
        timeouts,
        deadline: Duration::from_secs(10),
        run: "t".into(),
    }
}

struct Talk {
    control: BufReader<TcpStream>,
    rule: Arc<Rule>,
    heard: Arc<Mutex<Vec<String>>>,
    files: Files,
    directory: String,
    passive: Option<TcpListener>,
    active: Option<SocketAddr>,
    dying: Arc<Notify>,
}

impl Talk {
    async fn go_on(mut self) {
        self.say("220 ready\r\n").await;
        loop {
            let mut line = Vec::new();
            if self.control.read_until(b'\n', &mut line).await.unwrap_or(0) == 0 {
                return;
            }
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.heard.lock().unwrap().push(line.clone());
            match (self.rule)(&line) {
                Some(deeds) => {
                    for deed in deeds {
                        match deed {
                            Do::Say(text) => self.say(text).await,
                            Do::Bytewise(text) => {
                                for at in 0..text.len() {
                                    self.say(&text[at..=at]).await;
                                    tokio::task::yield_now().await;
                                }
                            }
                            Do::Passive(host) => self.listen(host).await,
                            Do::Data(text) => self.send(text.as_bytes()).await,
                            Do::Close => return,
                            Do::Die => {
                                self.dying.notify_one();
                                std::future::pending::<()>().await;
                            }
                        }
                    }
                }
                None => self.behave(&line).await,
            }
            if line == "QUIT" {
                return;
            }
        }
    }

    async fn say(&mut self, text: &str) {
        // The client may be gone.
        let _ = self.control.get_mut().write_all(text.as_bytes()).await;
    }

    async fn listen(&mut self, host: &str) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let [high, low] = listener.local_addr().unwrap().port().to_be_bytes();
        self.passive = Some(listener);
        self.say(&format!("227 Entering ({host},{high},{low})\r\n"))
            .await;
    }

    async fn data(&mut self) -> Option<TcpStream> {
        self.say("150 here it comes\r\n").await;
        match (self.passive.take(), self.active.take()) {
            (Some(listener), _) => Some(listener.accept().await.ok()?.0),
            (None, Some(address)) => TcpStream::connect(address).await.ok(),
            (None, None) => None,
        }
    }

    async fn send(&mut self, octets: &[u8]) {
        match self.data().await {
            Some(mut data) => {
                data.write_all(octets).await.unwrap();
                drop(data);
                self.say("226 done\r\n").await;
            }
            None => self.say("425 no data connection\r\n").await,
        }
    }

    async fn behave(&mut self, line: &str) {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        let path = match argument.strip_prefix('/') {
            Some(_) => argument.to_owned(),
            None => format!("{}/{argument}", self.directory.trim_end_matches('/')),
        };
        let below = format!("{}/", path.trim_end_matches('/'));
        let known = self.files.lock().unwrap().get(&path).cloned();
        let reply = match verb {
            "USER" => "331 password".to_owned(),
            "PASS" => "230 in".into(),
            "NOOP" | "TYPE" => "200 ok".into(),
            "SYST" => "215 UNIX Type: L8".into(),
            "QUIT" => "221 bye".into(),
            "PWD" => format!("257 \"{}\"", self.directory),
            "MKD" if known.is_none() => {
                self.files.lock().unwrap().insert(path.clone(), None);
                format!("257 \"{path}\"")
            }
            "CWD" if path == "/" || known == Some(None) => {
                self.directory = path;
                "250 there".into()
            }
            "DELE" if matches!(known, Some(Some(_))) => {
                self.files.lock().unwrap().remove(&path);
                "250 gone".into()
            }
            "RMD" if known == Some(None) => {
                let mut files = self.files.lock().unwrap();
                if files.keys().any(|name| name.starts_with(&below)) {
                    "550 not empty".into()
                } else {
                    files.remove(&path);
                    "250 gone".into()
                }
            }
            "PASV" => return self.listen("127,0,0,1").await,
            "PORT" => {
                let numbers: Vec<u8> = argument
                    .split(',')
                    .map(|number| number.parse().unwrap())
                    .collect();
                let port = u16::from_be_bytes([numbers[4], numbers[5]]);
                self.active = Some(SocketAddr::from(([127, 0, 0, 1], port)));
                "200 ok".into()
            }
            "STOR" => match self.data().await {
                Some(mut data) => {
                    let mut octets = Vec::new();
                    data.read_to_end(&mut octets).await.unwrap();
                    self.files.lock().unwrap().insert(path, Some(octets));
                    "226 stored".into()
                }
                None => "425 no data connection".into(),
            },
            "RETR" => match known {
                Some(Some(octets)) => return self.send(&octets).await,
                _ => "550 no such file".into(),
            },
            "MLSD" => {
                let here = format!("{}/", self.directory.trim_end_matches('/'));
                let files = self.files.lock().unwrap().clone();
                let lines: String = files
                    .iter()
                    .filter_map(|(name, node)| Some((name.strip_prefix(&here)?, node)))
                    .filter(|(name, _)| !name.contains('/'))
                    .map(|(name, node)| {
                        let kind = if node.is_some() { "file" } else { "dir" };
                        format!("type={kind}; {name}\r\n")
                    })
                    .collect();
                return self.send(lines.as_bytes()).await;
            }
            "MKD" | "CWD" | "DELE" | "RMD" => "550 no".into(),
            _ => "502 not implemented".into(),
        };
        self.say(&format!("{reply}\r\n")).await;
    }
}
