//! One client of a stand-in for a server.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::time::{sleep, timeout};

use super::data::{Port, end, give, listen, take, with_address};
use super::{Shared, Unexpected};
use crate::data::{Data, Gatherer};
use crate::proxy::{ClientLines, ClientPiece, PortCommand, Stream, active_address, passive_line};
use crate::replay::dialogue::Transfer;
use crate::replay::matcher::{Decision, Line, Role};
use crate::transcript::{CloseKind, Command, Reply, Side};

/// Recorded pauses that are longer are shortened to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Commands that may wait while a transfer goes on.
const MOST_WAITING: usize = 1000;

/// Why the session ends.
#[derive(Debug)]
pub(super) enum Over {
    /// The client left, or the recording ends the connection here.
    Done,
    /// Something the recording does not have.
    Failed,
}

/// A control connection with a client.
pub(super) struct Session {
    shared: Arc<Shared>,
    client: usize,
    stream: Stream,
    lines: ClientLines,
    /// Commands that came during a transfer.
    waiting: VecDeque<Command>,
    port: Port,
    /// Whether data connections are under TLS.
    private: bool,
    peer: IpAddr,
    local: SocketAddr,
}

impl Session {
    pub(super) fn new(
        shared: Arc<Shared>,
        client: usize,
        stream: Stream,
        (local, peer): (SocketAddr, IpAddr),
    ) -> Self {
        Self {
            shared,
            client,
            stream,
            lines: ClientLines::default(),
            waiting: VecDeque::new(),
            port: Port::None,
            private: false,
            peer,
            local,
        }
    }

    /// Serves the client to its end.
    pub(super) async fn run(mut self) {
        let served = self.serve().await;
        self.port.close();
        let how = match served {
            Ok(how) => how,
            Err(Over::Done | Over::Failed) => CloseKind::Clean,
        };
        let _gone = timeout(
            self.shared.patience,
            poll_fn(|context| self.stream.poll_end(context, how)),
        )
        .await;
    }

    async fn serve(&mut self) -> Result<CloseKind, Over> {
        let joined = self
            .shared
            .cast()
            .join(self.client)
            .map(|session| (session.greeting.clone(), session.is_implicit));
        let Some((greeting, is_implicit)) = joined else {
            let text = "421 The recording has no further session.".to_owned();
            self.say(&text).await?;
            return Ok(CloseKind::Clean);
        };
        if is_implicit {
            self.begin_tls().await?;
            self.private = true;
        }
        for reply in greeting {
            self.write(&reply.octets).await?;
        }
        loop {
            let Some(command) = self.next_command().await? else {
                return Ok(CloseKind::Clean);
            };
            if let Some(how) = self.command(&command).await? {
                return Ok(how);
            }
        }
    }

    /// Deals with one command; returns how the connection ends, if it does.
    async fn command(&mut self, command: &Command) -> Result<Option<CloseKind>, Over> {
        let decision = self.shared.cast().decide(self.client, command);
        match decision.ok_or(Over::Done)? {
            Decision::Play(line) => self.play(command, &line).await,
            Decision::Prepare(line) => self.prepare(command, line.as_deref()).await.map(|()| None),
            Decision::Reply(text) => self.say(&text).await.map(|()| None),
            Decision::Refuse(reply, _) => self.refuse(&reply).await.map(|()| None),
        }
    }

    async fn refuse(&mut self, reply: &str) -> Result<(), Over> {
        let lost = self.shared.cast().is_lost();
        match self.shared.unexpected {
            Unexpected::Refuse if !lost => self.say(reply).await,
            _ => {
                let text = reply.get(4..).unwrap_or_default();
                self.say(&format!("421 {text}")).await?;
                Err(Over::Failed)
            }
        }
    }

    async fn play(&mut self, command: &Command, line: &Line) -> Result<Option<CloseKind>, Over> {
        let refused = line.completion().is_some_and(|reply| reply.class() >= 4);
        let preliminary = line.replies.iter().any(|(_, reply)| reply.class() == 1);
        if command.is_transfer() && line.request.role == Role::Files && (preliminary || !refused) {
            self.transfer(command, line).await?;
            return Ok(line.closes);
        }
        self.replies(&line.replies).await?;
        let code = line.completion().map_or(0, |reply| reply.code);
        match (line.request.verb.as_str(), code) {
            ("AUTH", 234) => {
                self.lines.rest();
                self.begin_tls().await?;
            }
            ("CCC", 200) => self.stream.end_tls().await,
            ("PROT", 200..=299) => self.private = line.request.argument == "P",
            ("QUIT", _) => return Ok(Some(line.closes.unwrap_or(CloseKind::Clean))),
            _ => {}
        }
        Ok(line.closes)
    }

    /// Agrees upon a data port, whatever the recording used.
    async fn prepare(&mut self, command: &Command, line: Option<&Line>) -> Result<(), Over> {
        let argument = command.argument.as_deref().unwrap_or_default();
        let Some(kind) = PortCommand::of(&command.verb) else {
            return self.say("502 Not in the recording.").await;
        };
        if let PortCommand::Port | PortCommand::Eprt = kind {
            let address = active_address(kind, argument)
                .filter(|address| address.ip().to_canonical() == self.peer.to_canonical());
            let Some(address) = address else {
                return self.say("501 Not an address of the client.").await;
            };
            self.port.close();
            self.port = Port::Active(address);
            return match line {
                Some(line) => self.replies(&line.replies).await,
                None => self.say("200 Data port accepted.").await,
            };
        }
        let family = match self.local.ip().to_canonical() {
            IpAddr::V4(_) => &b"1"[..],
            IpAddr::V6(_) => b"2",
        };
        match argument {
            b"" => {}
            argument if argument == family => {}
            argument if argument.eq_ignore_ascii_case(b"ALL") => {
                return self.say("200 EPSV ALL accepted.").await;
            }
            _ => {
                let family = String::from_utf8_lossy(family).into_owned();
                return self.say(&format!("522 Use the family ({family}).")).await;
            }
        }
        let (listener, address) = match listen(self.local) {
            Ok(listening) => listening,
            Err(error) => return self.say(&format!("425 No data port: {error}.")).await,
        };
        let recorded = line.and_then(|line| Some((line.completion()?, line)));
        let recorded = recorded.and_then(|(reply, line)| {
            let octets = with_address(&reply.octets, address)?;
            Some((octets, line))
        });
        let octets = match recorded {
            Some((octets, line)) => {
                self.wait(line.replies.first().map_or(Duration::ZERO, |it| it.0))
                    .await;
                octets
            }
            None => match passive_line(kind, address) {
                Some(octets) => octets,
                None => return self.say("425 PASV cannot name an IPv6 address.").await,
            },
        };
        self.port.close();
        self.port = Port::passive(listener, self.peer, self.data_tls());
        self.write(&octets).await
    }

    fn data_tls(&self) -> Option<Arc<ServerConfig>> {
        self.private
            .then(|| Arc::clone(self.shared.authority.config(true)))
    }

    /// Plays a transfer: its preliminary reply, its data, its last reply.
    async fn transfer(&mut self, command: &Command, line: &Line) -> Result<(), Over> {
        let first = line
            .replies
            .iter()
            .take_while(|(_, reply)| reply.class() == 1)
            .count();
        let (preliminary, last) = line.replies.split_at(first);
        self.replies(preliminary).await?;
        let none = Transfer::default();
        let recorded = line.transfer.as_ref().unwrap_or(&none);
        // Without a recorded data connection there is none now, such as after a 425.
        if line.transfer.is_none() && last.iter().any(|(_, reply)| reply.class() >= 4) {
            return self.replies(last).await;
        }
        let port = std::mem::replace(&mut self.port, Port::None);
        let patience = self.shared.patience;
        let opened = port.open(self.data_tls(), patience).await;
        let mut stream = match opened {
            Ok(stream) => stream,
            Err(problem) => {
                self.shared
                    .cast()
                    .note(self.client, line.shown.clone(), problem.clone());
                return self
                    .say(&format!("425 No data connection: {problem}."))
                    .await;
            }
        };
        let is_upload = matches!(line.request.verb.as_str(), "STOR" | "STOU" | "APPE");
        let mut got = Gatherer::new(&recorded.from_client);
        let moved = {
            let moving = async {
                match is_upload {
                    true => take(&mut stream, &mut got, recorded.from_client.len(), patience)
                        .await
                        .map(Some),
                    false => give(&mut stream, &recorded.from_server, patience)
                        .await
                        .map(|()| None)
                        .map_err(|(sent, problem)| format!("after {sent} octets: {problem}")),
                }
            };
            tokio::pin!(moving);
            self.until_moved(moving, line.is_aborted).await?
        };
        let how = recorded
            .end_of(Side::Server)
            .map_or(CloseKind::Clean, |end| end.how);
        end(stream, how, patience).await;
        let (abort, result) = moved;
        let got = got.finish();
        let problem = match result {
            Some(Err(problem)) if !recorded.is_cut() && abort.is_none() => Some(problem),
            _ if is_upload => difference(
                &recorded.from_client,
                &got,
                line.is_aborted || recorded.is_cut(),
            ),
            _ => None,
        };
        match problem {
            Some(problem) => {
                let came = crate::data::escape(command.verb.as_bytes());
                let came = format!("{came} {}", line.request.argument);
                self.shared.cast().note(self.client, came, problem.clone());
                self.refuse(&format!("550 {problem}.")).await?;
            }
            None => self.replies(last).await?,
        }
        match abort {
            Some(command) => Box::pin(self.command(&command)).await.map(drop),
            None => Ok(()),
        }
    }

    /// Watches the control connection while data moves. Returns ABOR, if it came, and what became
    /// of the data, if it did not.
    async fn until_moved<T>(
        &mut self,
        mut moving: std::pin::Pin<&mut impl Future<Output = T>>,
        awaits_abort: bool,
    ) -> Result<(Option<Command>, Option<T>), Over> {
        let mut result = None;
        let deadline = sleep(self.shared.patience);
        tokio::pin!(deadline);
        let mut watches = true;
        loop {
            if result.is_some() && !awaits_abort {
                return Ok((None, result));
            }
            tokio::select! {
                moved = &mut moving, if result.is_none() => {
                    result = Some(moved);
                    deadline.as_mut().reset(tokio::time::Instant::now() + self.shared.patience);
                }
                command = self.received_command(), if watches => match command? {
                    Some(command) if command.verb == "ABOR" => return Ok((Some(command), result)),
                    Some(command) if self.waiting.len() < MOST_WAITING => {
                        self.waiting.push_back(command);
                    }
                    _ => watches = false,
                },
                () = &mut deadline, if result.is_some() => return Ok((None, result)),
            }
        }
    }

    /// The next command; `None` when the client has left.
    async fn next_command(&mut self) -> Result<Option<Command>, Over> {
        if let Some(command) = self.waiting.pop_front() {
            return Ok(Some(command));
        }
        match timeout(self.shared.idle, self.received_command()).await {
            Ok(command) => command,
            Err(_) => {
                self.say("421 Nothing came for too long.").await?;
                Err(Over::Failed)
            }
        }
    }

    /// Cancel safe.
    async fn received_command(&mut self) -> Result<Option<Command>, Over> {
        loop {
            while let Some(piece) = self.lines.next_piece() {
                match piece {
                    ClientPiece::Command(line) => {
                        let line = line.strip_suffix(b"\n").unwrap_or(&line);
                        let line = line.strip_suffix(b"\r").unwrap_or(line);
                        if !line.is_empty() {
                            return Ok(Some(Command::of_line(line)));
                        }
                    }
                    ClientPiece::Telnet { .. } => {}
                    ClientPiece::Raw(octets) => return Ok(Some(Command::of_line(&octets))),
                }
            }
            let mut piece = [0; 4096];
            match poll_fn(|context| self.stream.poll_read_control(context, &mut piece)).await {
                Ok(octets) => self.lines.push(&piece[..octets]),
                Err(_) => return Ok(None),
            }
        }
    }

    async fn begin_tls(&mut self) -> Result<(), Over> {
        let config = self.shared.authority.config(false);
        let shaken = self.stream.accept_tls(config, false);
        match timeout(self.shared.patience, shaken).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(problem)) => {
                let problem = format!("the TLS handshake failed: {problem}");
                self.shared.cast().note(self.client, String::new(), problem);
                Err(Over::Failed)
            }
            Err(_) => Err(Over::Failed),
        }
    }

    async fn replies(&mut self, replies: &[(Duration, Reply)]) -> Result<(), Over> {
        for (waited, reply) in replies {
            self.wait(*waited).await;
            self.write(&reply.octets).await?;
        }
        Ok(())
    }

    async fn wait(&self, recorded: Duration) {
        if self.shared.recorded_pace {
            sleep(recorded.min(LONGEST_PAUSE)).await;
        }
    }

    async fn say(&mut self, line: &str) -> Result<(), Over> {
        self.write(format!("{line}\r\n").as_bytes()).await
    }

    async fn write(&mut self, octets: &[u8]) -> Result<(), Over> {
        let mut rest = octets;
        let writing = async {
            while !rest.is_empty() {
                let written = poll_fn(|context| self.stream.poll_write(context, rest)).await?;
                rest = &rest[written..];
            }
            poll_fn(|context| self.stream.poll_flush(context)).await
        };
        match timeout(self.shared.patience, writing).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Over::Done),
        }
    }
}

/// How an upload differs from the recorded one; of one that was cut, as far as both go.
fn difference(recorded: &Data, got: &Data, is_cut: bool) -> Option<String> {
    let same = recorded.common_beginning(got);
    let end = match is_cut {
        true => recorded.len().min(got.len()),
        false => recorded.len().max(got.len()),
    };
    (same < end).then(|| {
        format!(
            "the upload of {} octets differs from the recorded {} at octet {same}",
            got.len(),
            recorded.len()
        )
    })
}
