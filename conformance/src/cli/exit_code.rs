//! How a command ends: exit codes and errors.

use crate::campaign::CampaignError;
use crate::report::RunStatus;

/// The exit codes as `--help` lists them.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
    0  as expected
    1  nonconformance, or a difference
    2  usage error, or a scenario file with errors
    3  target unreachable, or internal error
    4  nothing selected
  130  interrupted";

/// How a command ended. The number is the exit code of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ExitCode {
    /// Everything is as expected.
    Success = 0,
    /// A nonconformance, or a difference.
    NotAsExpected = 1,
    /// Wrong arguments, or a scenario file with errors.
    Usage = 2,
    /// The target cannot be reached, an outcome is ERROR, or ftpspec itself failed.
    Failure = 3,
    /// Nothing is selected.
    NothingSelected = 4,
    /// A signal ended the command.
    Interrupted = 130,
}

impl From<RunStatus> for ExitCode {
    fn from(status: RunStatus) -> Self {
        match status {
            RunStatus::AsExpected => Self::Success,
            RunStatus::NotAsExpected => Self::NotAsExpected,
            RunStatus::InvalidScenarios => Self::Usage,
            RunStatus::Error => Self::Failure,
            RunStatus::NothingPlayed => Self::NothingSelected,
            RunStatus::Interrupted => Self::Interrupted,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// Why a command failed: the message for stderr, and the exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct CommandError {
    pub(super) code: ExitCode,
    pub(super) message: String,
}

impl CommandError {
    pub(super) fn usage(message: impl ToString) -> Self {
        Self::new(ExitCode::Usage, message)
    }

    pub(super) fn failure(message: impl ToString) -> Self {
        Self::new(ExitCode::Failure, message)
    }

    pub(super) fn nothing_selected(message: impl ToString) -> Self {
        Self::new(ExitCode::NothingSelected, message)
    }

    fn new(code: ExitCode, message: impl ToString) -> Self {
        let message = message.to_string();
        Self { code, message }
    }
}

impl From<CampaignError> for CommandError {
    fn from(error: CampaignError) -> Self {
        match error {
            CampaignError::Usage(_) => Self::usage(error),
            CampaignError::NothingSelected(_) => Self::nothing_selected(error),
            CampaignError::Unreachable(_) => Self::failure(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_every_exit_code() {
        let listed = EXIT_CODES.lines().skip(1);
        let numbers = listed.filter_map(|line| line.split_whitespace().next()?.parse().ok());
        let codes = [
            ExitCode::Success,
            ExitCode::NotAsExpected,
            ExitCode::Usage,
            ExitCode::Failure,
            ExitCode::NothingSelected,
            ExitCode::Interrupted,
        ];
        assert_eq!(numbers.collect::<Vec<u8>>(), codes.map(|code| code as u8));
    }
}
