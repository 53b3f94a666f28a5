//! A small FTP server for the player's tests: correct except for what a test makes it do.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod tree;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use self::tree::{Files, Tree};
use super::{CancelToken, Job, PlayOptions, Played, Prerequisites, Schedule};
use crate::driver::Timeouts;
use crate::scenario::{ScenarioId, Variant, parse};
use crate::subject::Target;

/// Plays this many jobs at once, without further limits.
pub(super) fn at_once(at_once: usize) -> Schedule {
    Schedule {
        at_once,
        connections: None,
        blocked: BTreeMap::new(),
        prerequisites: Prerequisites::default(),
        cancel: CancelToken::never(),
    }
}

/// What a server does instead of its correct reply.
#[derive(Debug, Clone)]
pub(super) enum Do {
    /// Sends these octets.
    Say(&'static str),
    /// Sends them one octet at a time.
    Bytewise(&'static str),
    /// Listens, and announces this address with its port.
    Passive(&'static str),
    /// Sends these octets on the data connection, between 150 and 226.
    Data(&'static str),
    Close,
    /// Stops the server: nothing is answered, and no connection is accepted.
    Die,
}

type Rule = dyn Fn(&str) -> Option<Vec<Do>> + Send + Sync;

/// The single fault of a server's file system, in every session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum FileFault {
    #[default]
    None,
    /// PWD reports `/` wherever the session is.
    ConstantPwd,
    /// CWD replies 250 and does nothing.
    CwdGoesNowhere,
    /// CWD enters `/elsewhere`, whatever its argument.
    CwdGoesElsewhere,
    /// CWD does nothing in a session that has not created a directory itself.
    CwdForItsMakerOnly,
    /// MKD replies 257 and creates nothing.
    MkdMakesNothing,
    /// MKD creates nothing, and CWD replies 250 and does nothing.
    NoDirectories,
    /// Every command takes the last component of a pathname and works in `/`.
    Flat,
    /// Every listing has this content.
    Listing(&'static str),
    AbsoluteNlst,
    /// Names are case-insensitive.
    CaseBlind,
    /// RMD removes a directory with everything in it.
    RmdRemovesTrees,
}

/// The server, with a log of the commands it received.
pub(super) struct Fake {
    pub(super) target: Arc<Target>,
    heard: Arc<Mutex<Vec<String>>>,
    files: Files,
    peak: Arc<AtomicUsize>,
}

impl Fake {
    /// Starts a server. The rule is consulted first for each command line.
    pub(super) async fn start(
        rule: impl Fn(&str) -> Option<Vec<Do>> + Send + Sync + 'static,
    ) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), usize::MAX, rule).await
    }

    /// Plays a scenario with this front matter and dialogue against the server.
    pub(super) async fn play(&self, variant: &str, front: &str, dialogue: &str) -> Played {
        super::play(job(variant, front, dialogue), &self.target, &play_options()).await
    }

    /// Starts a server with this fault and these files; entries without octets are directories.
    pub(super) async fn with_fault(
        fault: FileFault,
        files: BTreeMap<String, Option<Vec<u8>>>,
    ) -> Self {
        let files = Files::new(Mutex::new(files));
        let address = "127.0.0.1:0".parse().unwrap();
        Self::start_with(address, usize::MAX, |_| None, (fault, files)).await
    }

    /// Starts a server at this address, with at most this many sessions.
    pub(super) async fn start_at(
        address: SocketAddr,
        sessions: usize,
        rule: impl Fn(&str) -> Option<Vec<Do>> + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(address, sessions, rule, Default::default()).await
    }

    async fn start_with(
        address: SocketAddr,
        sessions: usize,
        rule: impl Fn(&str) -> Option<Vec<Do>> + Send + Sync + 'static,
        (fault, files): (FileFault, Files),
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::<Mutex<Vec<String>>>::default();
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
                let talk = FakeSession {
                    control: BufReader::new(tcp),
                    rule: rule.clone(),
                    heard: all.clone(),
                    files: Tree::new(fault, tree.clone()),
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

    /// The maximum number of simultaneous sessions so far.
    pub(super) fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// The command lines received in all sessions.
    pub(super) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// All pathnames on the server.
    pub(super) fn has(&self) -> Vec<String> {
        self.files.lock().unwrap().keys().cloned().collect()
    }

    /// The entry at this pathname: the octets of a file, `None` for a directory.
    pub(super) fn at(&self, path: &str) -> Option<Option<Vec<u8>>> {
        self.files.lock().unwrap().get(path).cloned()
    }
}

/// A job for a scenario with this additional front matter, in this variant.
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

/// Options with short time-outs and constant names.
pub(crate) fn play_options() -> PlayOptions {
    let short = Duration::from_secs(1);
    let timeouts = Timeouts {
        connect: short,
        reply: short,
        data: short,
        handshake: short,
        quiet: Duration::from_millis(50),
        way: Duration::ZERO,
        statement: Duration::ZERO,
        ..Timeouts::default()
    };
    PlayOptions {
        timeouts,
        deadline: Duration::from_secs(10),
        run: "t".into(),
    }
}

struct FakeSession {
    control: BufReader<TcpStream>,
    rule: Arc<Rule>,
    heard: Arc<Mutex<Vec<String>>>,
    files: Tree,
    passive: Option<TcpListener>,
    active: Option<SocketAddr>,
    dying: Arc<Notify>,
}

impl FakeSession {
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
        // The client may have left.
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
                // The client may have left.
                let _ = data.write_all(octets).await;
                drop(data);
                self.say("226 done\r\n").await;
            }
            None => self.say("425 no data connection\r\n").await,
        }
    }

    async fn behave(&mut self, line: &str) {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        let path = self.files.resolved(argument);
        let reply = match verb {
            "USER" => "331 password".to_owned(),
            "PASS" => "230 in".into(),
            "NOOP" | "TYPE" => "200 ok".into(),
            "SYST" => "215 UNIX Type: L8".into(),
            "QUIT" => "221 bye".into(),
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
            "STOR" | "APPE" if !self.files.takes(&path) => "553 no".into(),
            "STOR" | "APPE" => match self.data().await {
                Some(mut data) => {
                    let mut octets = Vec::new();
                    if data.read_to_end(&mut octets).await.is_err() {
                        return self.say("426 it broke\r\n").await;
                    }
                    self.files.store(path, octets, verb == "APPE");
                    "226 stored".into()
                }
                None => "425 no data connection".into(),
            },
            "RETR" => match self.files.get(&path) {
                Some(Some(octets)) => return self.send(&octets).await,
                _ => "550 no such file".into(),
            },
            "MLSD" | "LIST" | "NLST" => {
                let path = self
                    .files
                    .resolved(argument.trim_start_matches("-a").trim_start());
                let listing = self.files.listing(verb, &path);
                return self.send(listing.as_bytes()).await;
            }
            _ => self
                .files
                .obey(verb, path)
                .unwrap_or_else(|| "502 not implemented".into()),
        };
        self.say(&format!("{reply}\r\n")).await;
    }
}
