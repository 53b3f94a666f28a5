//! Plays user steps with an independent client, the suppaftp crate.
//!
//! It does not expose replies, so each step is recorded as an observation and not as octets. Its
//! limits: data is always private under TLS, TLS is never implicit, active mode is PORT on IPv4 and
//! EPRT on IPv6, and it parses addresses in the usual form only.

use crate::text::first_line;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use suppaftp::tokio::{AsyncRustlsConnector, AsyncRustlsFtpStream};
use suppaftp::types::FileType;
use suppaftp::{FtpError, Mode, Status};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::address::{extended_passive_port, passive_address};
use super::{
    DriverError, Recorder, ResolvedStep, SetupError, StepResult, Timeouts, TlsClient, Trust, UNSAFE,
};
use crate::data::{Data, Gatherer};
use crate::scenario::{Connection, DataMode, UserStep};
use crate::transcript::{Awaited, EventKind, Excess, Limit};

/// The maximum number of characters shown of a client's error.
const LONGEST: usize = 300;

/// A session of the suppaftp client.
pub(crate) struct Suppaftp {
    client: AsyncRustlsFtpStream,
    recorder: Recorder,
    patience: Duration,
}

/// The configuration of the client.
pub(crate) struct Client {
    /// The host name expected in the certificate.
    pub(crate) host: String,
    /// The address of the server; `None` if it has none of the wanted family.
    pub(crate) address: Option<SocketAddr>,
    pub(crate) trust: Trust,
    pub(crate) user: String,
    pub(crate) password: String,
    /// The directory to enter after login.
    pub(crate) path: Option<String>,
    /// The data mode; PORT and EPRT both mean active.
    pub(crate) mode: DataMode,
    /// Whether it uses AUTH TLS.
    pub(crate) tls: bool,
    /// The scenario's directory, and the marker that is removed to prove that the session is in it.
    pub(crate) enter: Option<(String, String)>,
}

impl fmt::Debug for Suppaftp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suppaftp").finish_non_exhaustive()
    }
}

impl Suppaftp {
    /// Connects, logs in and enters the directory.
    pub(crate) async fn log_in(
        how: Client,
        timeouts: Timeouts,
        recorder: Recorder,
    ) -> Result<Self, SetupError> {
        let patience = timeouts.reply * 2 + timeouts.data + timeouts.handshake;
        let logging_in = connect(&how, timeouts, &recorder);
        let client = timeout(patience, logging_in)
            .await
            .unwrap_or_else(|_| Err(SetupError::Refused("suppaftp: no login in time".into())))?;
        Ok(Self {
            client,
            recorder,
            patience,
        })
    }

    pub(crate) async fn play_step(
        &mut self,
        user_step: &ResolvedStep,
    ) -> Result<StepResult, DriverError> {
        let patience = self.patience;
        let playing = play(&mut self.client, user_step, &self.recorder);
        match self.recorder.timeout(patience, playing).await {
            Ok(Ok(told)) => Ok(told),
            Ok(Err(StepError::Client(FtpError::ConnectionError(error)))) if is_end(&error) => {
                Err(DriverError::Ended)
            }
            Ok(Err(StepError::Client(error))) => Ok(result_of(error)),
            Ok(Err(StepError::Limit(excess))) => {
                let what = EventKind::LimitExceeded(excess);
                self.recorder.record(&Connection::main(), what);
                Err(DriverError::LimitExceeded(excess))
            }
            Err(_) => {
                let waited_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
                let silence = EventKind::Silence {
                    waited_ms,
                    awaited: Awaited::Reply,
                };
                self.recorder.record(&Connection::main(), silence);
                Err(DriverError::TimedOut)
            }
        }
    }
}

/// Why a step was not played to its end.
enum StepError {
    Client(FtpError),
    /// The server sent too much.
    Limit(Excess),
}

impl From<FtpError> for StepError {
    fn from(error: FtpError) -> Self {
        Self::Client(error)
    }
}

/// Whether a 227 contains an address that suppaftp does not find: it requires parentheses, without
/// which RFC 1123 §4.1.2.6 requires clients to work.
pub(crate) fn misses_passive(text: &str) -> bool {
    let is_address = |inside: &str| {
        let numbers: Vec<&str> = inside.split(',').collect();
        numbers.len() == 6 && numbers.iter().all(|number| is_number(number))
    };
    passive_address(text).is_some() && !in_parentheses(text).any(is_address)
}

/// Whether a 229 contains a port that suppaftp does not find: it requires `|`, although RFC 2428 §3
/// allows any printable character.
pub(crate) fn misses_extended_passive(text: &str) -> bool {
    let is_port = |inside: &str| {
        let port = inside.strip_prefix("|||");
        port.and_then(|port| port.strip_suffix('|'))
            .is_some_and(is_number)
    };
    extended_passive_port(text).is_some() && !in_parentheses(text).any(is_port)
}

fn in_parentheses(text: &str) -> impl Iterator<Item = &str> {
    let opened = text.split('(').skip(1);
    opened.filter_map(|rest| rest.split_once(')').map(|(inside, _)| inside))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit())
}

async fn connect(
    how: &Client,
    timeouts: Timeouts,
    recorder: &Recorder,
) -> Result<AsyncRustlsFtpStream, SetupError> {
    let address = how
        .address
        .ok_or_else(|| SetupError::Refused("the target has no address of that family".into()))?;
    let tcp = timeout(timeouts.connect, TcpStream::connect(address))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let gone = |error: io::Error| SetupError::Gone(format!("no connection to {address}: {error}"));
    let tcp = tcp.map_err(|error| {
        let failed = EventKind::ConnectFailed {
            error: error.to_string(),
        };
        recorder.record(&Connection::main(), failed);
        gone(error)
    })?;
    let local = tcp.local_addr().map_err(gone)?;
    let stands = EventKind::Connected {
        local: local.to_string(),
        peer: address.to_string(),
    };
    recorder.record(&Connection::main(), stands);

    let refused = |error: FtpError| match &error {
        FtpError::UnexpectedResponse(reply) if reply.body.starts_with(b"421") => {
            SetupError::Busy(shortened(&error))
        }
        _ => SetupError::Refused(shortened(&error)),
    };
    let mut client = AsyncRustlsFtpStream::connect_with_stream(tcp)
        .await
        .map_err(refused)?;
    if how.tls {
        let tls = TlsClient::new(&how.trust, &how.host, address.ip());
        let tls = tls.map_err(SetupError::Internal)?;
        let connector = AsyncRustlsConnector::from(TlsConnector::from(tls.config()));
        let name = tls.name().to_str().into_owned();
        client = client
            .into_secure(connector, &name)
            .await
            .map_err(refused)?;
    }
    // Like the raw driver, connects to the server's own address, whatever a 227 contains.
    client.set_passive_nat_workaround(true);
    match how.mode {
        DataMode::Pasv => client.set_mode(Mode::Passive),
        DataMode::Epsv => client.set_mode(Mode::ExtendedPassive),
        DataMode::Port | DataMode::Eprt => client = client.active_mode(timeouts.data),
    }
    client
        .login(&how.user, &how.password)
        .await
        .map_err(refused)?;
    if let Some(path) = &how.path {
        client.cwd(path).await.map_err(refused)?;
    }
    if let Some((directory, marker)) = &how.enter {
        let outside = |error: FtpError| {
            let is_reply = matches!(error, FtpError::UnexpectedResponse(_));
            match refused(error) {
                SetupError::Refused(_) if is_reply => SetupError::Refused(UNSAFE.into()),
                other => other,
            }
        };
        client.cwd(directory).await.map_err(outside)?;
        client.rmdir(marker).await.map_err(outside)?;
    }
    Ok(client)
}

async fn play(
    client: &mut AsyncRustlsFtpStream,
    user_step: &ResolvedStep,
    recorder: &Recorder,
) -> Result<StepResult, StepError> {
    use UserStep as S;
    let done = StepResult::Done(Data::default());
    match &user_step.step {
        S::Put(name, _) | S::Append(name, _) => {
            client.transfer_type(FileType::Binary).await?;
            let mut transfer = if matches!(user_step.step, S::Put(..)) {
                client.put_with_stream(name).await?
            } else {
                client.append_with_stream(name).await?
            };
            for piece in user_step.octets.pieces() {
                let written = transfer.write_all(&piece).await;
                written.map_err(FtpError::ConnectionError)?;
            }
            recorder.add_upload(user_step.octets.len());
            transfer.finish().await?;
        }
        S::Get(name, _) | S::Resume(name, _, _) => {
            client.transfer_type(FileType::Binary).await?;
            if let S::Resume(_, at, _) = user_step.step {
                let at = usize::try_from(at).map_err(|_| FtpError::BadResponse)?;
                client.resume_transfer(at).await?;
            }
            let mut transfer = client.retr_as_stream(name).await?;
            let octets = whole(&mut transfer, user_step, recorder).await?;
            transfer.finish().await?;
            return Ok(StepResult::Done(octets));
        }
        S::Names(_) | S::List(_) => {
            // In the current type: its TYPE for ASCII is `A N`, which some servers do not support.
            let verb = match user_step.step {
                S::Names(_) => "NLST",
                _ => "LIST",
            };
            // The client's own methods do not limit the length of a listing.
            let begins = [Status::AboutToSend, Status::AlreadyOpen];
            let (_, mut transfer) = client.custom_data_command(verb, &begins).await?;
            let octets = whole(&mut transfer, user_step, recorder).await?;
            let mut octets = &octets.joined()[..];
            let lines = AsyncRustlsFtpStream::get_lines_from_stream(&mut octets).await;
            transfer.finish().await?;
            return Ok(StepResult::Done(lines?.join("\n").into()));
        }
        S::Size(name, _) => {
            client.transfer_type(FileType::Binary).await?;
            let size = client.size(name).await?;
            let size = u64::try_from(size).map_err(|_| FtpError::BadResponse)?;
            return Ok(StepResult::Number(size));
        }
        S::Rename(from, to) => client.rename(from, to).await?,
        S::Delete(name) => client.rm(name).await?,
        S::Mkdir(name) => client.mkdir(name).await?,
        S::Rmdir(name) => client.rmdir(name).await?,
        S::Cwd(name) => client.cwd(name).await?,
    }
    Ok(done)
}

/// All octets of a transfer.
async fn whole(
    transfer: &mut (impl AsyncRead + Unpin),
    user_step: &ResolvedStep,
    recorder: &Recorder,
) -> Result<Data, StepError> {
    let expected = user_step.expected();
    let content = expected.content();
    let most = expected.limit(recorder.uploaded());
    let mut gathered = Gatherer::new(&content);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = transfer.read(&mut buffer).await;
        let read = read.map_err(FtpError::ConnectionError)?;
        if read == 0 {
            return Ok(gathered.finish());
        }
        let stored = gathered.take(&buffer[..read]);
        recorder.hold(stored).await.map_err(StepError::Limit)?;
        if gathered.len() > most {
            let limit = Limit::Data;
            return Err(StepError::Limit(Excess { limit, most }));
        }
    }
}

/// The result of a step, from an error of the client.
fn result_of(error: FtpError) -> StepResult {
    match &error {
        FtpError::UnexpectedResponse(reply) if matches!(reply.body.first(), Some(b'4' | b'5')) => {
            let text = String::from_utf8_lossy(&reply.body);
            StepResult::Refused(first_line(&text))
        }
        _ => StepResult::Failed(error.to_string().chars().take(LONGEST).collect()),
    }
}

/// The client's error, shortened for a report.
fn shortened(error: &FtpError) -> String {
    let words = format!("suppaftp: {error}");
    words.chars().take(LONGEST).collect()
}

fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::UnexpectedEof | Kind::ConnectionReset | Kind::BrokenPipe
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_their_usual_form_only() {
        for usual in [
            "Passive (127,0,0,1,4,210).",
            "Passive (1 of 2) is (127,0,0,1,4,210)",
        ] {
            assert!(!misses_passive(usual), "{usual}");
        }
        for other in ["=127,0,0,1,4,210", "Entering Passive Mode 127,0,0,1,4,210"] {
            assert!(misses_passive(other), "{other}");
        }
        assert!(!misses_extended_passive("Entering (|||6446|)"));
        assert!(misses_extended_passive("Entering (!!!6446!)"));
        assert!(!misses_passive("no address") && !misses_extended_passive("(||||)"));
    }
}
