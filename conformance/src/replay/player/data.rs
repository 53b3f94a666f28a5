//! A data connection of a session that is played again: it does what the client of the recording
//! did, instruction by instruction.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::data::{Data, Gatherer};
use crate::driver::TlsClient;
use crate::proxy::Stream;
use crate::replay::dialogue::Transfer;
use crate::transcript::{CloseKind, DataMode, End, Side};

/// Octets that are read at a time.
const PIECE: usize = 64 << 10;
/// Octets a server may send beyond those of the recording.
const SURPLUS: u64 = 1 << 20;
/// The same for a listing.
const LISTING_SURPLUS: u64 = 16 << 20;

/// How a data connection is opened.
#[derive(Debug)]
pub(super) enum Opening {
    /// We connect to where the live reply leads.
    Connect(SocketAddr),
    /// The server connects to us.
    Accept(TcpListener, IpAddr),
}

/// What the client of the recording did next.
#[derive(Debug)]
pub(super) enum Instruction {
    /// Began TLS.
    Handshake(TlsClient),
    /// Sent octets.
    Send(Data),
    /// Received octets; all that it received up to then.
    ReceiveUpTo(u64),
    /// Saw the end of what the server sends.
    ReceiveToEnd,
    /// Ended its direction.
    End(CloseKind),
    /// Nothing more: what is on its way is received.
    Finish,
}

/// How far a data connection has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Octets moved.
    pub(super) moved: u64,
    /// Instructions carried out.
    pub(super) done: usize,
}

/// A data connection that is used by a task of its own.
#[derive(Debug)]
pub(super) struct DataConnection {
    instructions: mpsc::UnboundedSender<Instruction>,
    given: usize,
    progress: watch::Receiver<Progress>,
    task: JoinHandle<Transfer>,
}

/// What the recording has of it.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) mode: DataMode,
    pub(super) octets: Data,
    pub(super) is_listing: bool,
}

impl DataConnection {
    /// Begins to open it.
    pub(super) fn open(opening: Opening, recorded: Recorded, patience: Duration) -> Self {
        let (instructions, received) = mpsc::unbounded_channel();
        let (reporter, progress) = watch::channel(Progress::default());
        let worker = Worker {
            stream: Stream::Closed,
            transfer: Transfer::default(),
            reporter,
            patience,
        };
        let task = tokio::spawn(worker.run(opening, recorded, received));
        Self {
            instructions,
            given: 0,
            progress,
            task,
        }
    }

    /// Gives it one more instruction.
    pub(super) fn instruct(&mut self, instruction: Instruction) {
        if self.instructions.send(instruction).is_ok() {
            self.given += 1;
        }
    }

    /// How far it has come.
    pub(super) fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Whether every instruction has been carried out, or no more will be.
    pub(super) fn is_idle(&self) -> bool {
        self.task.is_finished() || self.progress().done >= self.given
    }

    /// Ready when it has come further, or has ended.
    pub(super) async fn changed(&mut self) {
        let _ended = self.progress.changed().await;
    }

    /// What happened on it, at the end. It is stopped when nothing has moved for this time.
    pub(super) async fn finish(mut self, patience: Duration) -> Transfer {
        self.instruct(Instruction::Finish);
        loop {
            let before = self.progress();
            tokio::select! {
                transfer = &mut self.task => return transfer.unwrap_or_default(),
                () = tokio::time::sleep(patience) => {}
            }
            if self.progress() == before {
                self.task.abort();
                return Transfer {
                    error: Some("nothing moved on the data connection".into()),
                    ..Transfer::default()
                };
            }
        }
    }

    /// Stops it at once: the server refused the transfer.
    pub(super) fn abandon(self) {
        self.task.abort();
    }
}

struct Worker {
    stream: Stream,
    transfer: Transfer,
    reporter: watch::Sender<Progress>,
    patience: Duration,
}

impl Worker {
    async fn run(
        mut self,
        opening: Opening,
        recorded: Recorded,
        mut instructions: mpsc::UnboundedReceiver<Instruction>,
    ) -> Transfer {
        match timeout(self.patience, opened(opening)).await {
            Ok(Ok(tcp)) => {
                self.stream = Stream::Clear(tcp);
                self.transfer.mode = Some(recorded.mode);
            }
            Ok(Err(error)) => {
                self.transfer.error = Some(error.to_string());
                return self.transfer;
            }
            Err(_) => {
                self.transfer.error = Some("no data connection came in time".into());
                return self.transfer;
            }
        }
        let surplus = if recorded.is_listing {
            LISTING_SURPLUS
        } else {
            SURPLUS
        };
        let most = recorded.octets.len() + surplus;
        let mut got = Gatherer::new(&recorded.octets);
        while let Some(instruction) = instructions.recv().await {
            let is_last = matches!(instruction, Instruction::Finish);
            if let Err(error) = self.carry_out(instruction, &mut got, most).await {
                self.transfer.error.get_or_insert(error);
                break;
            }
            self.reporter.send_modify(|progress| progress.done += 1);
            if is_last {
                break;
            }
        }
        self.transfer.from_server = got.finish();
        self.transfer
    }

    async fn carry_out(
        &mut self,
        instruction: Instruction,
        got: &mut Gatherer<'_>,
        most: u64,
    ) -> Result<(), String> {
        match instruction {
            Instruction::Handshake(client) => {
                let shaken = timeout(self.patience, self.stream.connect_tls(&client, true)).await;
                shaken.map_err(|_| "the TLS handshake took too long".to_owned())??;
                self.transfer.protected = true;
            }
            Instruction::Send(octets) => self.send(&octets).await?,
            Instruction::ReceiveUpTo(position) => {
                while got.len() < position && self.receive(got, position).await? {}
            }
            Instruction::ReceiveToEnd | Instruction::Finish => {
                while self.receive(got, most + 1).await? {
                    if got.len() > most {
                        return Err(format!("the server sent more than {most} octets"));
                    }
                }
            }
            Instruction::End(how) => {
                let ending = poll_fn(|context| self.stream.poll_end(context, how));
                let _gone = timeout(self.patience, ending).await;
                self.transfer.ends.push(End {
                    by: Side::Client,
                    how,
                });
            }
        }
        Ok(())
    }

    async fn send(&mut self, octets: &Data) -> Result<(), String> {
        for piece in octets.pieces() {
            let mut rest = &piece[..];
            while !rest.is_empty() {
                let writing = poll_fn(|context| self.stream.poll_write(context, rest));
                let written = match timeout(self.patience, writing).await {
                    Ok(Ok(written)) => written,
                    Ok(Err(error)) => return Err(error.to_string()),
                    Err(_) => return Err("the server does not read".into()),
                };
                rest = &rest[written..];
                self.moved(written);
            }
        }
        let flushing = poll_fn(|context| self.stream.poll_flush(context));
        match timeout(self.patience, flushing).await {
            Ok(Ok(())) => self.transfer.from_client.extend(octets.clone()),
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err("the server does not read".into()),
        }
        Ok(())
    }

    /// Receives octets up to this position; `false` at the end.
    async fn receive(&mut self, got: &mut Gatherer<'_>, position: u64) -> Result<bool, String> {
        if self.transfer.end_of(Side::Server).is_some() {
            return Ok(false);
        }
        let left = usize::try_from(position.saturating_sub(got.len())).unwrap_or(PIECE);
        let mut piece = vec![0; left.clamp(1, PIECE)];
        let reading = poll_fn(|context| self.stream.poll_read(context, &mut piece));
        match timeout(self.patience, reading).await {
            Ok(Ok(octets)) => {
                got.take(&piece[..octets]);
                self.moved(octets);
                Ok(true)
            }
            Ok(Err(how)) => {
                self.transfer.ends.push(End {
                    by: Side::Server,
                    how,
                });
                Ok(false)
            }
            Err(_) => Err("no more data came, and no end".into()),
        }
    }

    fn moved(&self, octets: usize) {
        self.reporter
            .send_modify(|progress| progress.moved += octets as u64);
    }
}

async fn opened(opening: Opening) -> io::Result<TcpStream> {
    let tcp = match opening {
        Opening::Connect(address) => TcpStream::connect(address).await?,
        Opening::Accept(listener, server) => loop {
            let (tcp, from) = listener.accept().await?;
            // Only the peer of the control connection (RFC 2577 §4).
            if from.ip().to_canonical() == server.to_canonical() {
                break tcp;
            }
        },
    };
    tcp.set_nodelay(true)?;
    Ok(tcp)
}
