//! `ftpspec fmt`: puts scenario files into their canonical layout.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::{NOT_AS_EXPECTED, OK, USAGE, some_files, stdout};
use crate::scenario::{Scenario, ScenarioId, format, parse, render};
use crate::suite::SourceFile;

/// What is done with the canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fmt {
    /// Files that differ are written.
    Write,
    /// Files that differ are named, and nothing is written.
    Check,
    /// Each scenario is written to stdout as one line of JSON.
    Json,
}

/// Formats these scenario files and those below these directories.
///
/// A file with errors is told and left alone; the others are formatted all the same. Returns the exit code: 0 when
/// all is well, 1 if [`Fmt::Check`] found a file that differs, 2 with errors, 4 if there is no scenario at all.
#[must_use]
pub fn fmt(paths: &[PathBuf], what: Fmt) -> i32 {
    let files = match some_files(paths) {
        Ok(files) => files,
        Err(code) => return code,
    };
    let mut code = OK;
    for file in &files {
        code = code.max(match parse(ScenarioId::of_path(&file.path), &file.text) {
            Ok(scenario) => done(file, &scenario, what).unwrap_or_else(|error| {
                anstream::eprintln!("error: {}: {error}", file.path.display());
                USAGE
            }),
            Err(found) => {
                let path = file.path.display().to_string();
                anstream::eprint!("{}", render(&path, &file.text, &found, true));
                USAGE
            }
        });
    }
    code
}

fn done(file: &SourceFile, scenario: &Scenario, what: Fmt) -> io::Result<i32> {
    if what == Fmt::Json {
        let json = serde_json::to_string(scenario)? + "\n";
        return Ok(stdout::say(&json, OK));
    }
    let formatted = format(&file.text);
    if formatted == file.text {
        return Ok(OK);
    }
    if what == Fmt::Check {
        let path = format!("{}\n", file.path.display());
        return Ok(stdout::say(&path, NOT_AS_EXPECTED));
    }
    fs::write(&file.path, formatted)?;
    Ok(OK)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]
    use super::super::NOTHING;
    use super::*;

    const UNTIDY: &str = "+++\nlevel = \"may\"\ntitle = \"a\"\ncites = [\"RFC 959 §1\"]\ncovers = [\"x\"]\n+++\n\n> NOOP\n<200\n";

    #[test]
    fn check_changes_nothing_and_write_settles_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.ftpt");
        let paths = [directory.path().to_owned()];
        assert_eq!(fmt(&paths, Fmt::Check), NOTHING);
        fs::write(&path, UNTIDY).unwrap();
        assert_eq!(fmt(&paths, Fmt::Json), OK);
        assert_eq!(fmt(&paths, Fmt::Check), NOT_AS_EXPECTED);
        assert_eq!(fs::read_to_string(&path).unwrap(), UNTIDY);
        assert_eq!(fmt(&paths, Fmt::Write), OK);
        assert_eq!(fmt(&paths, Fmt::Check), OK);
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
        assert_eq!(fmt(&[directory.path().to_owned()], Fmt::Write), USAGE);
        assert_eq!(fs::read_to_string(&broken).unwrap(), "nonsense");
        assert_eq!(fmt(&[untidy], Fmt::Check), OK);
    }
}
