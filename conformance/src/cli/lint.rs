//! `ftpspec lint`: checks scenario files for errors.

use super::exit_code::{CommandError, ExitCode};
use super::output::finish;
use super::scenario_files;
use crate::client::language::{self, is_client};
use crate::client::suite::linted;
use crate::scenario::{ScenarioId, Severity, lint, parse, render};
use crate::suite::{SourceFile, knowledge};
use crate::text::counted;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Lint {
    /// Files or directories.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

impl Lint {
    /// Prints diagnostics to stderr and a summary to stdout; warnings do not change the exit code.
    pub(super) fn run(self) -> Result<ExitCode, CommandError> {
        let files = scenario_files(&self.paths)?;
        let knowledge = knowledge();
        let (mut errors, mut warnings) = (0, 0);
        for SourceFile { path, text } in &files {
            let id = ScenarioId::of_path(path);
            let found = match is_client(text) {
                true => language::parse(id, text).map(|scenario| linted(&scenario)),
                false => parse(id, text).map(|scenario| lint(&scenario, &knowledge)),
            };
            let found = found.unwrap_or_else(|found| found);
            let of_file = found.iter().filter(|it| it.severity == Severity::Error);
            let of_file = of_file.count();
            errors += of_file;
            warnings += found.len() - of_file;
            let path = path.display().to_string();
            anstream::eprint!("{}", render(&path, text, &found, true));
        }
        let summary = format!(
            "{}: {}, {}\n",
            counted(files.len(), "scenario"),
            counted(errors, "error"),
            counted(warnings, "warning")
        );
        let code = match errors {
            0 => ExitCode::Success,
            _ => ExitCode::Usage,
        };
        finish(&summary, code)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::suite::Suite;
    use std::fs;
    use std::path::Path;

    #[test]
    fn the_embedded_suite_has_no_error() {
        let knowledge = knowledge();
        let mut report = String::new();
        for scenario in Suite::embedded().scenarios {
            let mut found = lint(&scenario, &knowledge);
            found.retain(|found| found.severity == Severity::Error);
            assert!(!scenario.about.covers.is_empty(), "{}", scenario.id);
            report.push_str(&render(&scenario.id.0, &scenario.text, &found, false));
        }
        assert!(report.is_empty(), "{report}");
    }

    #[test]
    fn only_errors_change_the_exit_code() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.ftpt");
        let code = |path: &Path| {
            let paths = vec![path.to_owned()];
            Lint { paths }.run().unwrap_or_else(|error| error.code)
        };
        assert_eq!(code(&path), ExitCode::Usage);
        assert_eq!(code(directory.path()), ExitCode::NothingSelected);
        let covered = Catalogue::built_in().ids().next().unwrap();
        let front = format!(
            "+++\ntitle = \"a.\"\ncites = [\"RFC 959 §1\"]\ncovers = [\"{covered}\"]\nlevel = \"may\"\n+++\n"
        );
        fs::write(&path, format!("{front}> NOOP\n< 200\n")).unwrap();
        assert_eq!(code(&path), ExitCode::Success);
        fs::write(&path, format!("{front}@receive *\n")).unwrap();
        assert_eq!(code(&path), ExitCode::Usage);
        fs::write(&path, format!("{front}NOOP\n")).unwrap();
        assert_eq!(code(&path), ExitCode::Usage);
    }
}
