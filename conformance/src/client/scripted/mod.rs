//! A small FTP client of ours, for the tests of scenarios and rules. It carries out every task, in
//! the way of its habits, and has one fault if it is asked to.

mod bugs;
mod session;
mod transfer;

pub(crate) use bugs::{BUGS, Bug};

use super::adapter::Setting;
use super::task::TaskKind;
use session::Session;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use transfer::Direction;

/// How the client works.
#[derive(Debug, Clone)]
pub(crate) struct Habits {
    /// Asks for PASV and PORT, in place of EPSV and EPRT where that is possible.
    pub old_commands: bool,
    /// Asks for the size of a file before it retrieves it.
    pub asks_size: bool,
    /// Enters the directory of a file, in place of using its pathname.
    pub enters_directories: bool,
    /// How long it waits for a reply, for data and for a connection.
    pub patience: Duration,
    /// Its fault.
    pub bug: Option<Bug>,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            old_commands: false,
            asks_size: true,
            enters_directories: false,
            patience: Duration::from_millis(1500),
            bug: None,
        }
    }
}

/// The exit status and stdout after a task. It is 127 for a task that does not exist.
pub(crate) async fn carry_out(setting: &Setting<'_>, habits: &Habits) -> (i32, Vec<u8>) {
    let Ok(kind) = setting.task.parse::<TaskKind>() else {
        return (super::task::UNKNOWN_TASK, Vec::new());
    };
    let mut stdout = Vec::new();
    let done = task(kind, setting, habits, &mut stdout).await;
    match habits.bug {
        Some(Bug::NeverEnds) => std::future::pending().await,
        Some(Bug::RuinsFiles) => ruin(setting).await,
        _ => {}
    }
    let code = match (done, habits.bug) {
        (_, Some(Bug::AlwaysSucceeds)) => 0,
        (_, Some(Bug::AlwaysFails)) => 1,
        (Ok(()), _) => 0,
        (Err(_), _) => 1,
    };
    (code, stdout)
}

async fn task(
    kind: TaskKind,
    setting: &Setting<'_>,
    habits: &Habits,
    stdout: &mut Vec<u8>,
) -> Result<(), String> {
    if habits.bug == Some(Bug::DoesNothing) {
        return Ok(());
    }
    let mut session = Session::open(setting, habits).await?;
    let name = |index: usize| setting.names.get(index).map_or("", String::as_str);
    let local = Path::new(setting.directory).join(name(0));
    let done = match kind {
        TaskKind::Login => Ok(()),
        TaskKind::Download => download(&mut session, name(0), &local, false).await,
        TaskKind::ResumeDownload => download(&mut session, name(0), &local, true).await,
        TaskKind::Upload => upload(&mut session, name(0), &local, false).await,
        TaskKind::ResumeUpload => upload(&mut session, name(0), &local, true).await,
        TaskKind::List => {
            let command = match name(0) {
                "" => "LIST".to_owned(),
                name => format!("LIST {name}"),
            };
            session.transfer(&command, Direction::Receive(stdout)).await
        }
        TaskKind::Mkdir => session.expect(&format!("MKD {}", name(0)), 2).await,
        TaskKind::Delete => session.expect(&format!("DELE {}", name(0)), 2).await,
        TaskKind::Rename => rename(&mut session, name(0), name(1)).await,
        TaskKind::MirrorDown => mirror_down(&mut session, name(0), local).await,
        TaskKind::MirrorUp => mirror_up(&mut session, name(0), local).await,
    };
    session.close().await;
    done
}

/// Appends an octet to the files of a task, and to every file in the initial directory.
async fn ruin(setting: &Setting<'_>) {
    let habits = Habits::default();
    for name in setting.names {
        let local = Path::new(setting.directory).join(name);
        let file = fs::OpenOptions::new().create(true).append(true).open(local);
        let _ = file.and_then(|mut file| file.write_all(b"!"));
    }
    let Ok(mut session) = Session::open(setting, &habits).await else {
        return;
    };
    let mut listed = Vec::new();
    let _ = session
        .transfer("NLST", Direction::Receive(&mut listed))
        .await;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let names = setting.names.iter().map(String::as_str);
    for name in listed.lines().chain(names) {
        let _ = session
            .transfer(&format!("APPE {name}"), Direction::Send(b"!"))
            .await;
    }
    session.close().await;
}

async fn rename(session: &mut Session<'_>, from: &str, to: &str) -> Result<(), String> {
    let asked = session.expect(&format!("RNFR {from}"), 3).await;
    if session.has(Bug::RenamesAnyway) {
        let _ = asked;
    } else {
        asked?;
    }
    if session.has(Bug::CommandAfterRnfr) {
        session.expect("NOOP", 2).await?;
    }
    session.expect(&format!("RNTO {to}"), 2).await
}

/// Retrieves a file; with `resume`, what is missing of it.
async fn download(
    session: &mut Session<'_>,
    name: &str,
    local: &Path,
    resume: bool,
) -> Result<(), String> {
    session.expect("TYPE I", 2).await?;
    let name = session.enter(name).await?;
    let size = session.size(name).await?;
    let have = match resume {
        true => fs::metadata(local).map_or(0, |it| it.len()),
        false => 0,
    };
    if resume && size == Some(have) && !session.has(Bug::AppendsAgain) {
        return Ok(());
    }
    if size.is_some_and(|size| size < have) {
        return Err("the local file is longer".into());
    }
    let mut start = have;
    if have > 0 && !session.has(Bug::AppendsAgain) {
        let restarted = session.restart(have).await?;
        start = if restarted { have } else { 0 };
    }
    let mut octets = Vec::new();
    let command = format!("RETR {name}");
    let received = session.transfer(&command, Direction::Receive(&mut octets));
    let received = received.await;
    if session.has(Bug::LosesTail) {
        octets.pop();
    }
    let opened = fs::OpenOptions::new()
        .create(true)
        .write(true)
        .append(start > 0)
        .truncate(start == 0)
        .open(local);
    let written = opened.and_then(|mut file| file.write_all(&octets));
    written.map_err(|error| error.to_string())?;
    received?;
    let length = start + octets.len() as u64;
    match size {
        Some(size) if size > length && !session.has(Bug::TrustsEnd) => {
            Err(format!("{length} of {size} octets"))
        }
        _ => Ok(()),
    }
}

/// Stores a file; with `resume`, what the server does not have of it.
async fn upload(
    session: &mut Session<'_>,
    name: &str,
    local: &Path,
    resume: bool,
) -> Result<(), String> {
    let mut octets = fs::read(local).map_err(|error| error.to_string())?;
    session.expect("TYPE I", 2).await?;
    let name = session.enter(name).await?;
    if session.has(Bug::LosesTail) {
        octets.pop();
    }
    let mut start = 0;
    if resume && !session.has(Bug::AppendsAgain) {
        start = session.ask_size(name).await?.unwrap_or(0);
        if start > octets.len() as u64 {
            return Err("the file on the server is longer".into());
        }
        if start > 0 && !session.restart(start).await? {
            start = 0;
        }
    }
    let verb = match resume && session.has(Bug::AppendsAgain) {
        true => "APPE",
        false => "STOR",
    };
    let rest = octets.get(usize::try_from(start).unwrap_or(usize::MAX)..);
    let rest = Direction::Send(rest.unwrap_or_default());
    session.transfer(&format!("{verb} {name}"), rest).await
}

async fn mirror_down(session: &mut Session<'_>, name: &str, local: PathBuf) -> Result<(), String> {
    let mut left = vec![(format!("/{name}"), local)];
    while let Some((name, local)) = left.pop() {
        fs::create_dir_all(&local).map_err(|error| error.to_string())?;
        let mut listing = Vec::new();
        let command = format!("MLSD {name}");
        let listed = session.transfer(&command, Direction::Receive(&mut listing));
        listed.await?;
        let listing = String::from_utf8_lossy(&listing).into_owned();
        for line in listing.lines() {
            let Some((facts, entry)) = line.split_once(' ') else {
                continue;
            };
            let facts = facts.to_ascii_lowercase();
            let leads_out = entry.contains('/') || matches!(entry, "" | "." | "..");
            if leads_out {
                continue;
            }
            let below = (format!("{name}/{entry}"), local.join(entry));
            if facts.contains("type=dir;") {
                left.push(below);
            } else if facts.contains("type=file;") {
                download(session, &below.0, &below.1, false).await?;
            }
        }
    }
    Ok(())
}

async fn mirror_up(session: &mut Session<'_>, name: &str, local: PathBuf) -> Result<(), String> {
    let mut left = vec![(format!("/{name}"), local)];
    while let Some((name, local)) = left.pop() {
        // It may be there already.
        let _ = session.command(&format!("MKD {name}")).await?;
        for entry in fs::read_dir(&local).map_err(|error| error.to_string())? {
            let path = entry.map_err(|error| error.to_string())?.path();
            let entry = path.file_name().unwrap_or_default().to_string_lossy();
            let name = format!("{name}/{entry}");
            match path.is_dir() {
                true => left.push((name, path)),
                false => upload(session, &name, &path, false).await?,
            }
        }
    }
    Ok(())
}
