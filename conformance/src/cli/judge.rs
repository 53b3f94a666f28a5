//! `ftpspec judge`: judges recorded sessions with the rules that hold in every transcript.

use super::Format;
use super::exit_code::{CommandError, ExitCode};
use super::output::finish;
use crate::catalogue::Registry;
use crate::client::judge::Tally as ClientTally;
use crate::judge::{Context, JudgeTally};
use crate::recording;
use crate::text::counted;
use crate::transcript::{Conversation, Leg};
use crate::verdict::JudgeVerdict;
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Judges recorded sessions without any network.
#[derive(Debug, Args)]
pub(super) struct Judge {
    /// Transcripts, of `ftpspec record`, of --transcripts or of any other seat.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Whose part is judged.
    #[arg(long, value_enum, default_value = "server")]
    side: Side,
    /// Fails where a SHOULD is broken, too.
    #[arg(long)]
    strict: bool,
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// `--side`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Side {
    /// What the server sent.
    Server,
    /// What the client sent.
    Client,
    /// Both.
    Both,
}

/// The result as JSON.
#[derive(Debug, Serialize)]
struct Judged {
    schema: &'static str,
    version: u32,
    commands: usize,
    judges: Vec<JudgeVerdict>,
}

impl Judge {
    /// Prints what each rule found; the exit code is 1 where a MUST is broken.
    pub(super) fn run(self) -> Result<ExitCode, CommandError> {
        let judges_server = self.side != Side::Client;
        let judges_client = self.side != Side::Server;
        let mut tally = JudgeTally::default();
        let mut client_tally = ClientTally::default();
        let mut commands = 0;
        for file in &self.files {
            let transcript = recording::open(file).map_err(CommandError::usage)?;
            let name = file.display().to_string();
            if judges_client {
                client_tally.look_at_recording(&name, &transcript.leg(Leg::Client));
            }
            // What a proxy recorded is judged as the server sent it.
            let transcript = transcript.leg(Leg::Server);
            let conversations = Conversation::all(&transcript);
            commands += conversations
                .iter()
                .map(|conversation| conversation.exchanges.len())
                .sum::<usize>();
            let context = Context {
                transcript: &transcript,
                conversations: &conversations,
                registry: Registry::built_in(),
            };
            if judges_server {
                tally.look(&name, transcript.variant.parse().ok(), &context);
            }
        }
        let mut judges = Vec::new();
        if judges_server {
            judges.extend(tally.verdicts());
        }
        if judges_client {
            judges.extend(client_tally.verdicts());
        }
        let judged = Judged {
            schema: "ftpspec-judgement",
            version: 1,
            commands,
            judges,
        };
        let fails = judged.judges.iter().any(|it| it.outcome.fails(self.strict));
        let code = match fails {
            true => ExitCode::NotAsExpected,
            false => ExitCode::Success,
        };
        let text = match self.format {
            Format::Json => serde_json::to_string_pretty(&judged)
                .map_err(|error| CommandError::failure(format!("judge: {error}")))?,
            Format::Human => self.described(&judged),
        };
        finish(&format!("{}\n", text.trim_end()), code)
    }

    fn described(&self, judged: &Judged) -> String {
        let mut text = String::new();
        for verdict in judged.judges.iter().filter(|verdict| verdict.count > 0) {
            let _ = writeln!(text, "{} {}", verdict.outcome.word(), verdict.judge);
            let _ = writeln!(
                text,
                "  rule      {} ({})",
                verdict.statement, verdict.clause
            );
            if !verdict.impact.is_empty() {
                let _ = writeln!(text, "  means     {}", verdict.impact);
            }
            for found in &verdict.findings {
                let finding = &found.finding;
                let _ = writeln!(text, "  in        {}", found.scenario);
                let _ = writeln!(
                    text,
                    "  clause    {} ({})",
                    finding.clause,
                    finding.level.word()
                );
                let _ = writeln!(text, "  expected  {}", finding.expected);
                let _ = writeln!(text, "  observed  {}", finding.observed);
                for (index, line) in found.excerpt.iter().enumerate() {
                    let label = if index == 0 { "wire" } else { "" };
                    let _ = writeln!(text, "  {label:<8}  {line}");
                }
            }
            let _ = writeln!(text);
        }
        let broken = judged
            .judges
            .iter()
            .filter(|verdict| verdict.count > 0)
            .count();
        let _ = writeln!(
            text,
            "{} in {}: {} of {} rules broken",
            counted(judged.commands, "command"),
            counted(self.files.len(), "session"),
            broken,
            judged.judges.len(),
        );
        text
    }
}
