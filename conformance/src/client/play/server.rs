//! The reference server of one scenario: its settings, its fault plan, its files, and what it
//! observes.

use super::recorder::Recorder;
use crate::client::language::{File, Scenario};
use crate::client::outcome::FileState;
use crate::client::variant::{Protection, Variant};
use crate::data::{CONTENT_LIMIT, Data};
use crate::scenario::Variables;
use crate::subject::TranscriptTap;
use crate::transcript::ObservationKind;
use ftpspec_server::fault::{Action, Fault};
use ftpspec_server::settings::Settings;
use ftpspec_server::storage::{Files, MemFs, VirtualPath, make_directories, read_file, write_file};
use ftpspec_server::{Plan, ServerHandle};
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

/// The user and password, where the scenario names none.
const ACCOUNT: (&str, &str) = ("ftpspec", "in the open");

/// The address that `wrong address` announces where a connection to it shall be seen.
const FOREIGN: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The octets of all files.
const QUOTA: u64 = 256 << 20;

/// Settings of the server, unless the scenario has others: a client that waits for a fault to end
/// does not wait long.
const DEFAULTS: [(&str, &str); 7] = [
    ("tls.mode", "\"explicit\""),
    ("limits.data_connection", "\"4s\""),
    ("limits.data_stall", "\"4s\""),
    ("limits.handshake", "\"4s\""),
    ("limits.idle", "\"1m\""),
    ("limits.stop", "\"1s\""),
    ("limits.failed_logins", "5"),
];

/// A server that plays its part of a scenario.
#[derive(Debug)]
pub(super) struct Server {
    handle: ServerHandle,
    files: MemFs,
    /// Where clients connect.
    pub(super) address: SocketAddr,
    /// The certificate authority, in PEM.
    pub(super) ca: String,
    /// The user.
    pub(super) user: String,
    /// The password.
    pub(super) password: String,
    trap: Option<tokio::task::JoinHandle<()>>,
}

/// Whether a line is a fault.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_fault(line: &str) -> Result<(), String> {
    let fault = line.parse::<Fault>();
    fault.map(drop).map_err(|error| error.to_string())
}

/// Whether a server can have these settings.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn check_settings(settings: &[(&str, &str)]) -> Result<(), String> {
    let text = settings_text(settings, Variant::default(), None);
    let settings = Settings::parse(&text);
    settings.map(drop).map_err(|error| with_cause(&error))
}

fn with_cause(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// The settings as a file. `ports` is the only passive port.
fn settings_text(settings: &[(&str, &str)], variant: Variant, ports: Option<u16>) -> String {
    let host = match variant.ipv6 {
        true => "[::1]:0",
        false => "127.0.0.1:0",
    };
    let mut text = format!("listen = [\"{host}\"]\n");
    if variant.protection == Protection::Implicit {
        text.push_str(&format!("listen_implicit = [\"{host}\"]\n"));
    }
    let named = |key: &str| settings.iter().any(|(other, _)| *other == key);
    let defaults = DEFAULTS.iter().filter(|(key, _)| !named(key));
    for (key, value) in defaults.chain(settings) {
        text.push_str(&format!("{key} = {value}\n"));
    }
    if let Some(port) = ports {
        text.push_str(&format!(
            "passive.ports = [\"{port}\"]\npassive.shared = true\n"
        ));
    }
    text
}

impl Server {
    /// Starts the server of a scenario on free loopback ports.
    ///
    /// # Errors
    /// If it cannot start, as text.
    pub(super) async fn start(
        scenario: &Scenario,
        variant: Variant,
        recorder: &Arc<Recorder>,
    ) -> Result<Self, String> {
        let failed = |error: &dyn Error| {
            let cause = with_cause(error);
            format!("the server of the scenario did not start: {cause}")
        };
        let plan = Plan::of_lines(&scenario.faults().collect::<Vec<_>>().join("\n"));
        let plan = plan.map_err(|error| failed(&error))?;
        let foreign = |fault: &Fault| fault.action == Action::WrongAddress(FOREIGN);
        let trap = match plan.faults.iter().any(foreign) {
            true => Some(trap().map_err(|error| {
                format!("the system has no address {FOREIGN} to observe: {error}")
            })?),
            false => None,
        };
        let port = trap.as_ref().map(|(_, port)| *port);
        let account = scenario.account().unwrap_or(ACCOUNT);
        let settings: Vec<_> = scenario.settings().collect();
        let text = settings_text(&settings, variant, port);
        let settings = Settings::parse(&text).map_err(|error| failed(&error))?;
        let prepared = settings.prepare().map_err(|error| failed(&error))?;
        let files = MemFs::new().with_quota(QUOTA);
        for file in scenario.given() {
            give(&files, file)?;
        }
        let observer = Arc::clone(recorder);
        let tap = TranscriptTap::new(move |session, event| observer.take(session, event));
        let builder = prepared
            .builder
            .storage(files.clone())
            .tap(tap)
            .faults(plan);
        let builder = builder.user(account.0, account.1);
        let handle = builder.start().await.map_err(|error| failed(&error))?;
        let addresses = match variant.protection {
            Protection::Implicit => handle.implicit_addresses(),
            Protection::Clear | Protection::Explicit => handle.addresses(),
        };
        let address = addresses.first().copied();
        let address = address.ok_or("the server of the scenario has no address")?;
        Ok(Self {
            ca: handle.ca_pem().unwrap_or_default().to_owned(),
            handle,
            files,
            address,
            user: account.0.to_owned(),
            password: account.1.to_owned(),
            trap: trap.map(|(listener, _)| watch(listener, Arc::clone(recorder))),
        })
    }

    /// What is at a pathname.
    pub(super) fn file(&self, name: &str) -> FileState {
        let Ok(path) = VirtualPath::root().join(name.as_bytes()) else {
            return FileState::Other("a name that no file can have".into());
        };
        let files = Files::new(Arc::new(self.files.clone()));
        match read_file(&self.files, &path, CONTENT_LIMIT as usize) {
            Ok(octets) => FileState::File(Data::from(octets)),
            Err(_) if !files.exists(name) => FileState::Absent,
            Err(_) if files.list(name).is_ok() => FileState::Directory,
            Err(error) => FileState::Other(error.to_string()),
        }
    }

    /// Stops the server.
    pub(super) async fn stop(self) {
        if let Some(trap) = self.trap {
            trap.abort();
        }
        self.handle.stop().await;
    }
}

/// Puts a file or directory on the server.
fn give(files: &MemFs, file: &File) -> Result<(), String> {
    let about = |error: &dyn std::fmt::Display| format!("@given {}: {error}", file.name);
    let path = VirtualPath::root().join(file.name.as_bytes());
    let path = path.map_err(|error| about(&error))?;
    let Some(content) = &file.content else {
        let made = make_directories(files, &path);
        return made.map(drop).map_err(|error| about(&error));
    };
    if let Some((directory, _)) = file.name.rsplit_once('/') {
        let directory = VirtualPath::root().join(directory.as_bytes());
        let directory = directory.map_err(|error| about(&error))?;
        make_directories(files, &directory).map_err(|error| about(&error))?;
    }
    let octets = content.octets(&Variables::default());
    let octets = octets.map_err(|error| about(&error))?;
    write_file(files, &path, octets.into()).map_err(|error| about(&error))
}

/// A listener at the foreign address, at a port that is free at the address of the server, too.
fn trap() -> std::io::Result<(TcpListener, u16)> {
    for _ in 0..100 {
        let listener = TcpListener::bind((IpAddr::from(FOREIGN), 0))?;
        let port = listener.local_addr()?.port();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            listener.set_nonblocking(true)?;
            return Ok((listener, port));
        }
    }
    Err(std::io::ErrorKind::AddrInUse.into())
}

/// Records each connection to the foreign address.
fn watch(listener: TcpListener, recorder: Arc<Recorder>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
            return;
        };
        while let Ok((_, peer)) = listener.accept().await {
            let fact = format!("{peer} connected to {FOREIGN}, which is not the server");
            recorder.note(ObservationKind::ForeignAddress, fact, false);
        }
    })
}
