//! What a terminal shows of the sessions of a proxy: a line for each login, transfer and fault, and
//! a progress line for long transfers.

use super::Format;
use super::upstream::is_human;
use crate::data::escape;
use crate::proxy::{Activity, OnActivity};
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Activities that wait to be printed.
const WAITING: usize = 10_000;
/// A transfer that takes longer has a progress line.
const LONG: Duration = Duration::from_secs(1);
/// Between two states of the progress line.
const BETWEEN: Duration = Duration::from_millis(200);

/// Prints what happens in sessions on a thread of its own: a terminal that does not take it holds up
/// no session.
pub(super) struct Printer {
    lines: SyncSender<Message>,
    thread: JoinHandle<()>,
}

enum Message {
    Activity(u64, Activity),
    Stop,
}

impl Printer {
    /// Prints on stdout, if that is for people. What differs from a recording goes to stderr.
    pub(super) fn start(format: Option<Format>) -> Self {
        let (lines, received) = mpsc::sync_channel(WAITING);
        let human = is_human(format);
        let thread = std::thread::spawn(move || {
            let mut progress = Progress::new(human);
            while let Ok(Message::Activity(session, activity)) = received.recv() {
                print(&mut progress, human, session, &activity);
            }
            progress.clear();
        });
        Self { lines, thread }
    }

    /// What is called when something happens; what cannot be printed in time is left out.
    pub(super) fn on_activity(&self) -> OnActivity {
        let lines = self.lines.clone();
        Arc::new(move |session, activity| {
            let _full = lines.try_send(Message::Activity(session, activity));
        })
    }

    /// Prints what is left.
    pub(super) fn finish(self) {
        if self.lines.send(Message::Stop).is_ok() {
            let _panicked = self.thread.join();
        }
    }
}

fn print(progress: &mut Progress, human: bool, session: u64, activity: &Activity) {
    if let Activity::Moved { command, octets } = activity {
        return progress.moved(session, command, *octets);
    }
    progress.clear();
    if let Activity::Drift(found) = activity {
        anstream::eprintln!("DRIFT session {session}, {found}");
    } else if let Some(text) = describe(activity).filter(|_| human) {
        let time = jiff::Timestamp::now().strftime("%H:%M:%SZ");
        let _not_read = writeln!(io::stdout(), "{time} session {session}: {text}");
    }
}

fn describe(activity: &Activity) -> Option<String> {
    Some(match activity {
        Activity::Connected(from) => format!("connected from {from}"),
        Activity::LoggedIn(user) => format!("logged in as {}", escape(user)),
        Activity::LoginRefused(user, code) => {
            format!("login refused for {}: {code}", escape(user))
        }
        Activity::Transferred {
            command,
            octets,
            took,
            code,
        } => {
            let rate = rate(*octets, *took);
            format!("{}: {octets} octets, {rate}, {code}", escape(command))
        }
        Activity::Fault(fault) => format!("fault injected: {}", escape(fault.as_bytes())),
        Activity::Problem(leg, problem) => format!("{leg}: {}", escape(problem.as_bytes())),
        Activity::Ended => "ended".to_owned(),
        Activity::Moved { .. } | Activity::Drift(_) => return None,
    })
}

/// Octets a second, in the largest unit.
fn rate(octets: u64, took: Duration) -> String {
    let milliseconds = took.as_millis().max(1);
    let rate = u128::from(octets) * 1000 / milliseconds;
    match rate {
        0..10_000 => format!("{rate} B/s"),
        10_000..10_000_000 => format!("{} kB/s", rate / 1000),
        _ => format!("{} MB/s", rate / 1_000_000),
    }
}

/// The progress of one long transfer, in a line of a terminal that is overwritten.
struct Progress {
    on_terminal: bool,
    /// The transfer that is shown: session and command, and since when.
    shown: Option<(u64, Vec<u8>, Instant)>,
    written: Option<Instant>,
}

impl Progress {
    fn new(human: bool) -> Self {
        Self {
            on_terminal: human
                && io::stderr().is_terminal()
                && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
            shown: None,
            written: None,
        }
    }

    fn moved(&mut self, session: u64, command: &[u8], octets: u64) {
        if !self.on_terminal {
            return;
        }
        let now = Instant::now();
        let is_shown =
            |(number, line, _): &(u64, Vec<u8>, Instant)| *number == session && line == command;
        if self.shown.as_ref().is_none_or(|shown| !is_shown(shown)) {
            if self.written.is_none() {
                self.shown = Some((session, command.to_vec(), now));
            }
            return;
        }
        let Some((_, _, since)) = self.shown else {
            return;
        };
        let due = match self.written {
            Some(written) => now - written >= BETWEEN,
            None => now - since >= LONG,
        };
        if due {
            let rate = rate(octets, now - since);
            let command = escape(command);
            eprint!("\r\x1b[2Ksession {session}: {command}: {octets} octets, {rate}");
            self.written = Some(now);
        }
    }

    fn clear(&mut self) {
        if self.written.take().is_some() {
            eprint!("\r\x1b[2K");
        }
        self.shown = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_is_one_line_with_its_size_and_rate() {
        let transferred = |octets, milliseconds| Activity::Transferred {
            command: b"RETR a\x1bb".to_vec(),
            octets,
            took: Duration::from_millis(milliseconds),
            code: 226,
        };
        let line = |octets, milliseconds| describe(&transferred(octets, milliseconds));
        assert_eq!(
            line(50_000_000, 2000).as_deref(),
            Some("RETR a\\x1bb: 50000000 octets, 25 MB/s, 226")
        );
        assert_eq!(
            line(9, 0).as_deref(),
            Some("RETR a\\x1bb: 9 octets, 9000 B/s, 226")
        );
    }
}
