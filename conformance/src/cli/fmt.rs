//! `ftpspec fmt`: formats scenario files.

use super::exit_code::{CommandError, ExitCode};
use super::output::finish;
use super::scenario_files;
use crate::client::language::{self, is_client};
use crate::scenario::{ScenarioId, format, parse, render};
use crate::suite::SourceFile;
use clap::Args;
use std::fs;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Fmt {
    /// Files or directories.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Changes nothing; lists the files that would change, and fails if there are any.
    #[arg(long)]
    check: bool,
    /// Writes each scenario as one line of JSON to stdout instead.
    #[arg(long, conflicts_with = "check")]
    json: bool,
}

impl Fmt {
    /// Formats every file. One with errors is left alone, and the exit code says so.
    pub(super) fn run(self) -> Result<ExitCode, CommandError> {
        let mut code = ExitCode::Success;
        for file in &scenario_files(&self.paths)? {
            let id = ScenarioId::of_path(&file.path);
            let formatted = match is_client(&file.text) {
                true => language::parse(id, &file.text)
                    .map(|scenario| (language::format(&file.text), json(&scenario))),
                false => {
                    parse(id, &file.text).map(|scenario| (format(&file.text), json(&scenario)))
                }
            };
            code = code.max(match formatted {
                Ok((formatted, json)) => self.format(file, &formatted, &json)?,
                Err(found) => {
                    let path = file.path.display().to_string();
                    anstream::eprint!("{}", render(&path, &file.text, &found, true));
                    ExitCode::Usage
                }
            });
        }
        Ok(code)
    }

    fn format(
        &self,
        file: &SourceFile,
        formatted: &str,
        json: &str,
    ) -> Result<ExitCode, CommandError> {
        let path = file.path.display();
        let failed =
            |error: &dyn std::fmt::Display| CommandError::usage(format!("error: {path}: {error}"));
        if self.json {
            return finish(json, ExitCode::Success);
        }
        if formatted == file.text {
            return Ok(ExitCode::Success);
        }
        if self.check {
            return finish(&format!("{path}\n"), ExitCode::NotAsExpected);
        }
        fs::write(&file.path, formatted).map_err(|error| failed(&error))?;
        Ok(ExitCode::Success)
    }
}

/// A scenario as one line of JSON.
fn json(scenario: &impl serde::Serialize) -> String {
    serde_json::to_string(scenario).expect("texts, numbers and lists are always JSON") + "\n"
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]
    use super::*;
    use std::path::Path;

    const UNTIDY: &str = "+++\nlevel = \"may\"\ntitle = \"a\"\ncites = [\"RFC 959 §1\"]\ncovers = [\"x\"]\n+++\n\n> NOOP\n<200\n";

    fn code(path: &Path, option: &str) -> ExitCode {
        let fmt = Fmt {
            paths: vec![path.to_owned()],
            check: option == "--check",
            json: option == "--json",
        };
        fmt.run().unwrap_or_else(|error| error.code)
    }

    #[test]
    fn check_and_json_change_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.ftpt");
        let code = |option| code(directory.path(), option);
        assert_eq!(code("--check"), ExitCode::NothingSelected);
        fs::write(&path, UNTIDY).unwrap();
        assert_eq!(code("--json"), ExitCode::Success);
        assert_eq!(code("--check"), ExitCode::NotAsExpected);
        assert_eq!(fs::read_to_string(&path).unwrap(), UNTIDY);
        assert_eq!(code(""), ExitCode::Success);
        assert_eq!(code("--check"), ExitCode::Success);
        assert_ne!(fs::read_to_string(&path).unwrap(), UNTIDY);
    }

    #[test]
    fn a_file_with_errors_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (broken, untidy) = (
            directory.path().join("a.ftpt"),
            directory.path().join("b.ftpt"),
        );
        fs::write(&broken, "nonsense").unwrap();
        fs::write(&untidy, UNTIDY).unwrap();
        assert_eq!(code(directory.path(), ""), ExitCode::Usage);
        assert_eq!(fs::read_to_string(&broken).unwrap(), "nonsense");
        assert_eq!(code(&untidy, "--check"), ExitCode::Success);
    }
}
