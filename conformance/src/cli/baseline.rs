//! `ftpspec baseline update`.

use super::exit_code::{CommandError, ExitCode};
use super::output::finish;
use super::report::read_report;
use crate::baseline::update;
use crate::compare::snapshot::unified;
use crate::text::read_limited;
use clap::{Args, Subcommand};
use std::fs;
use std::path::PathBuf;

/// The size limit of a baseline file, in octets.
const FILE_LIMIT: u64 = 16 << 20;

const HELP: &str = "\
A baseline is a TOML file. `variant` and `scenario` may be globs; anything
worse than `outcome`, and an ERROR, is never excused:
  [[known]]
  scenario = \"rfc959/abor-idle\"
  variant = \"*\"
  outcome = \"FAIL\"
  reason = \"The vendor will not change this\"
  issue = \"https://example.org/7\"
  [[known]]
  judge = \"reply-syntax\"
  outcome = \"FAIL\"
  reason = \"Bare LF in the banner\"

Examples:
  ftpspec check ftp://host --format json > report.json
  ftpspec baseline update known.toml --from report.json --reason 'Version 3.0'
  ftpspec check ftp://host --baseline known.toml";

/// `ftpspec baseline`
#[derive(Debug, Subcommand)]
pub(super) enum Baseline {
    /// Adds new failures of a report and removes entries that no longer fail. Comments, order and
    /// reasons are kept.
    #[command(after_help = HELP)]
    Update(Update),
}

#[derive(Debug, Args)]
pub(super) struct Update {
    /// The baseline; created if it does not exist.
    file: PathBuf,
    /// The report: `check --format json`.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// The reason of new entries.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Includes broken SHOULDs.
    #[arg(long)]
    strict: bool,
    /// Shows the changes without writing them; exit code 1 if there are any.
    #[arg(long)]
    dry_run: bool,
}

impl Baseline {
    pub(super) fn run(self) -> Result<ExitCode, CommandError> {
        let Self::Update(update) = self;
        update.run()
    }
}

impl Update {
    fn run(self) -> Result<ExitCode, CommandError> {
        let reason = self.reason.trim();
        if reason.is_empty() {
            let message = "--reason: say why these deviations are accepted";
            return Err(CommandError::usage(message));
        }
        let report = read_report(&self.from).map_err(CommandError::usage)?;
        let file = self.file.display().to_string();
        let text = match self.file.try_exists() {
            Ok(false) => String::new(),
            _ => read_limited(&self.file, FILE_LIMIT).map_err(CommandError::usage)?,
        };
        let update =
            update(&file, &text, &report, reason, self.strict).map_err(CommandError::usage)?;
        if update.removed.is_empty() && update.added.is_empty() {
            return finish(
                &format!("{file} already agrees with the report\n"),
                ExitCode::Success,
            );
        }
        let removed = update.removed.iter();
        let removed = removed.map(|entry| format!("removed {entry}: no longer fails\n"));
        let added = update.added.iter();
        let added = added.map(|entry| format!("added   {entry}\n"));
        let mut changes: String = removed.chain(added).collect();
        if self.dry_run {
            changes += &unified(&text, &update.text, true);
            return finish(&changes, ExitCode::NotAsExpected);
        }
        fs::write(&self.file, &update.text)
            .map_err(|error| CommandError::usage(format!("{file}: {error}")))?;
        finish(&changes, ExitCode::Success)
    }
}
