//! `ftpspec import`: the FTP sessions of a capture as transcripts, and a transcript as a scenario.

use super::exit_code::{CommandError, ExitCode};
use super::session_files::numbered;
use crate::import::{self, Options, Sink, Summary};
use crate::recording::{self, BlobFolder};
use crate::scenario_writer::scenario_of;
use crate::text::counted;
use crate::transcript::{Event, Header, Writer};
use clap::Args;
use regex::bytes::Regex;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

pub(super) const HELP: &str = "\
Reads pcap and pcapng, as tcpdump, dumpcap, tshark and Wireshark write them.
Each FTP session becomes one file of JSON lines (Transcript 2), seen as its
client saw it: FILE, then FILE with -2, -3 … before its ending. Octets of data
connections above 64 KiB are in the folder FILE.data, named by their SHA-256.
The arguments of PASS, ACCT and ADAT are never written.

Sessions are found at port 21, at the ports of --port, and elsewhere by a 220
and an FTP command after it. Data connections are found by 227, 229, PORT and
EPRT. What the capture lacks is an observation in the transcript: octets that
were not captured, a session that began earlier, what TLS encrypts after AUTH.

With an --out that ends in .ftpt, FILE is a transcript, of `ftpspec record` or of
an import, and becomes a scenario: what the client did, with the replies that it
got. `ftpspec run` plays it in a directory of its own, with the user of the run.
What a scenario cannot express is a comment in it.

Examples:
  tcpdump -i any -w ftp.pcap tcp
  ftpspec import ftp.pcap --out session.jsonl
  ftpspec import ftp.pcapng --port 2121 --out session.jsonl
  ftpspec judge session.jsonl
  ftpspec import session.jsonl --out session.ftpt
  ftpspec run session.ftpt --target ftp://user:pw@host";

/// Imports a capture of packets as transcripts, or a transcript as a scenario.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// The capture: pcap or pcapng. For a scenario: the transcript.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The file of the first session, or the scenario (.ftpt).
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A port of FTP servers, besides 21; may be repeated.
    #[arg(long, value_name = "N")]
    port: Vec<u16>,
    /// Replaces what matches in lines of the control connection before it is written; may be
    /// repeated.
    #[arg(long, value_name = "REGEX")]
    scrub: Vec<Regex>,
}

impl Import {
    /// Imports, and reports on stderr what was found.
    pub(super) fn run(self) -> Result<ExitCode, CommandError> {
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", self.file.display());
        if same_file(&self.file, &self.out) {
            return Err(CommandError::usage(named(&"--out is the same file")));
        }
        if self.out.extension().is_some_and(|ending| ending == "ftpt") {
            return self.scenario();
        }
        let capture = File::open(&self.file).map_err(|error| CommandError::usage(named(&error)))?;
        let mut files = Files {
            out: self.out.clone(),
            open: BTreeMap::new(),
            names: Vec::new(),
        };
        let options = Options {
            ports: self.port.clone(),
            scrub: self.scrub.clone(),
        };
        let summary = import::import(capture, options, &mut files);
        let summary = summary.map_err(|error| CommandError::usage(named(&error)))?;
        for name in &files.names {
            anstream::eprintln!("imported {}", name.display());
        }
        let notes = notes(&summary);
        if summary.sessions == 0 {
            let found = format!("no FTP session in {}", packets(&summary));
            let all = [vec![named(&found)], notes, vec![HINT.to_owned()]].concat();
            return Err(CommandError::usage(all.join("\n  ")));
        }
        anstream::eprintln!(
            "{} with {} in {}",
            counted_u64(summary.sessions, "session"),
            counted_u64(summary.data_connections, "data connection"),
            packets(&summary)
        );
        for note in notes {
            anstream::eprintln!("  {note}");
        }
        Ok(ExitCode::Success)
    }

    /// Writes the scenario of a transcript.
    fn scenario(&self) -> Result<ExitCode, CommandError> {
        if !self.port.is_empty() || !self.scrub.is_empty() {
            let message = "--port and --scrub are for captures; a transcript is taken as it is";
            return Err(CommandError::usage(message));
        }
        let transcript = recording::open(&self.file).map_err(CommandError::usage)?;
        fs::write(&self.out, scenario_of(&transcript))
            .map_err(|error| CommandError::usage(format!("{}: {error}", self.out.display())))?;
        anstream::eprintln!("imported {}", self.out.display());
        Ok(ExitCode::Success)
    }
}

const HINT: &str = "--port N names another port of FTP servers";

/// One file for each session.
struct Files {
    out: PathBuf,
    open: BTreeMap<u64, Writer<File, BlobFolder>>,
    names: Vec<PathBuf>,
}

impl Sink for Files {
    fn begin(&mut self, session: u64, header: Header) -> io::Result<()> {
        let file = numbered(&self.out, session);
        let writer = recording::create(&file, header).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", file.display()))
        })?;
        self.open.insert(session, writer);
        self.names.push(file);
        Ok(())
    }

    fn event(&mut self, session: u64, event: Event) -> io::Result<()> {
        match self.open.get_mut(&session) {
            Some(writer) => writer.event(&event),
            None => Ok(()),
        }
    }

    fn end(&mut self, session: u64) -> io::Result<()> {
        self.open.remove(&session);
        Ok(())
    }
}

/// What is not in the transcripts, and why.
fn notes(summary: &Summary) -> Vec<String> {
    let connection = "TCP connection";
    let notes = [
        (summary.missing, "octet", "missing in the capture"),
        (summary.other, connection, "of other protocols skipped"),
        (
            summary.encrypted,
            connection,
            "skipped: encrypted from the first octet",
        ),
        (
            summary.fragments,
            "IP fragment",
            "skipped: fragments are not put together",
        ),
        (
            summary.headless,
            "TCP segment",
            "skipped: cut within the header",
        ),
        (
            summary.unknown_link,
            "frame",
            "skipped: of an unknown link type",
        ),
        (
            summary.over_limit,
            "segment",
            "skipped: too many connections at a time",
        ),
        (
            summary.sessions_over_limit,
            "session",
            "skipped: too many at a time",
        ),
        (
            summary.gave_up_waiting,
            "time",
            "too many segments waited for an earlier one",
        ),
    ];
    let notes = notes.into_iter().filter(|(count, ..)| *count > 0);
    let mut notes: Vec<String> = notes
        .map(|(count, what, why)| format!("{} {why}", counted_u64(count, what)))
        .collect();
    if summary.torn {
        notes.push("the file is torn: it ends, or is damaged, after the last packet".into());
    }
    notes
}

fn packets(summary: &Summary) -> String {
    counted_u64(summary.packets, "packet")
}

fn counted_u64(count: u64, what: &str) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), what)
}

/// Whether both names lead to the same file.
fn same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
