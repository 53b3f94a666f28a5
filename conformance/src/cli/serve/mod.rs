//! `ftpspec serve`: the disposable reference server.

mod args;
mod journal;
mod ready;
mod session_log;
mod settings;
mod systemd;

pub(super) use args::{HELP, Serve};

use super::Format;
use super::ca_file::CaFile;
use super::exit_code::{CommandError, ExitCode};
use super::signals::StopSignals;
use ftpspec_server::ServerHandle;
use ftpspec_server::auth::accounts::PasswordHash;
use ftpspec_server::fault;
use ftpspec_server::observe::journal::Journal;
use ftpspec_server::settings::Settings;
use journal::JournalFile;
use ready::Ready;
use std::error::Error as _;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

/// Maximum octets of a password on stdin.
const MAX_PASSWORD: u64 = 4096;

impl Serve {
    /// Runs the command. Errors are reported on stderr.
    pub(super) async fn run(self) -> Result<ExitCode, CommandError> {
        if self.list_faults {
            let printed = print(&fault::describe());
            return printed.map_err(|error| CommandError::failure(message(&error)));
        }
        let usage = |error: io::Error| CommandError::usage(message(&error));
        if self.hash_password {
            return hash_password().map_err(usage);
        }
        // Installed before anything exists that has to be cleaned up: from here on a signal stops
        // the server in order.
        let stop = StopSignals::listen().map_err(usage)?;
        let print_config = self.print_config;
        let default_format = match io::stdout().is_terminal() && !self.quiet {
            true => Format::Human,
            false => Format::Json,
        };
        let format = self.format.unwrap_or(default_format);
        let listeners = self.systemd.then(systemd::listeners).transpose();
        let listeners = listeners.map_err(usage)?.unwrap_or_default();
        let passed: io::Result<Vec<_>> = listeners.iter().map(TcpListener::local_addr).collect();
        let settings = self.settings(&passed.map_err(usage)?).map_err(usage)?;
        if print_config {
            return print(&settings.to_toml()).map_err(usage);
        }
        Ok(serve(settings, listeners, format, stop).await)
    }
}

/// Serves until a signal comes. Errors are reported on stderr.
///
/// Returns [`ExitCode::Usage`] if the server could not start (for example a port in use, an invalid
/// certificate or a missing directory), and [`ExitCode::Failure`] if stdout, the file of the CA or
/// the journal could not be written.
async fn serve(
    settings: Settings,
    listeners: Vec<TcpListener>,
    format: Format,
    mut stop: StopSignals,
) -> ExitCode {
    let started = tokio::select! {
        biased;
        () = stop.next() => return ExitCode::Success,
        started = start(&settings, listeners, format) => started,
    };
    let (server, mut journal_file) = match started {
        Ok(started) => started,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::Usage;
        }
    };
    let ca = server.ca_pem().map(CaFile::write).transpose();
    let ready = ca.and_then(|ca| {
        let ready = Ready::new(&settings, &server, ca.as_ref())?;
        print(&match format {
            Format::Json => ready.json(),
            Format::Human => ready.greeting(),
        })?;
        Ok(ca)
    });
    let ca = match ready {
        Ok(ca) => ca,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::Failure;
        }
    };
    let session_log = match format {
        Format::Json => None,
        Format::Human => server.journal().map(session_log::print),
    };
    match &mut journal_file {
        None => stop.next().await,
        // The server continues without a journal: its users did not ask for one.
        Some(journal) => tokio::select! {
            () = stop.next() => {}
            _ = journal.written() => stop.next().await,
        },
    }
    server.stop().await;
    drop(ca);
    if let Some(session_log) = session_log {
        // A terminal that does not read must not keep the process alive.
        tokio::select! {
            _ = session_log => {}
            () = stop.next() => {}
        }
    }
    let written = match &mut journal_file {
        Some(journal) => journal.written().await,
        None => Ok(()),
    };
    match written {
        Ok(()) => ExitCode::Success,
        Err(()) => ExitCode::Failure,
    }
}

/// Opens the directories and the journal, and starts the server.
async fn start(
    settings: &Settings,
    listeners: Vec<TcpListener>,
    format: Format,
) -> io::Result<(ServerHandle, Option<JournalFile>)> {
    let settings = settings.clone();
    // Copying a directory may take long, and opening a named pipe waits for its reader.
    let preparing = tokio::task::spawn_blocking(move || {
        let prepared = settings.prepare().map_err(io::Error::other)?;
        let journal_file = settings.journal.as_deref().map(JournalFile::open);
        Ok::<_, io::Error>((prepared, journal_file.transpose()?))
    });
    let (prepared, journal_file) = preparing.await??;
    for skipped in prepared.skipped {
        complain(&format!("not seeded: {skipped}"));
    }
    let mut builder = prepared.builder;
    for listener in listeners {
        builder = builder.listener(listener);
    }
    if let Some(file) = &journal_file {
        builder = builder.journal(file.journal());
    } else if format == Format::Human {
        builder = builder.journal(&Journal::keeping(session_log::MAX_EVENTS));
    }
    let server = builder.start().await.map_err(|error| {
        let cause = error.source().map(|cause| format!(": {cause}"));
        io::Error::other(format!("{error}{}", cause.unwrap_or_default()))
    })?;
    Ok((server, journal_file))
}

/// Asks for a password, or reads the first line of stdin if that is not a terminal, and prints its
/// hash.
///
/// # Errors
/// There is no password, or stdout cannot be written to.
fn hash_password() -> io::Result<ExitCode> {
    let password = if io::stdin().is_terminal() {
        rpassword::prompt_password("Password: ")?
    } else {
        let mut line = String::new();
        io::stdin().lock().take(MAX_PASSWORD).read_line(&mut line)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    if password.is_empty() {
        return Err(io::Error::other("there is no password on stdin"));
    }
    let hash = PasswordHash::of(password.as_bytes()).map_err(io::Error::other)?;
    print(&format!("{hash}\n"))
}

/// Writes to stdout.
fn print(text: &str) -> io::Result<ExitCode> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(ExitCode::Success)
}

/// Reports on stderr, if that can be written to.
fn complain(problem: &str) {
    let _ = writeln!(io::stderr(), "{}", message(&problem));
}

fn message(problem: &dyn std::fmt::Display) -> String {
    format!("serve: {problem}")
}

fn about(error: &io::Error, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
