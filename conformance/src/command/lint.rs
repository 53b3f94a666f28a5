//! `ftpspec lint`: reads scenario files and tells what is wrong with them.

use std::path::PathBuf;

use super::{OK, USAGE, some_files, stdout};
use crate::scenario::{ScenarioId, Severity, lint as check, parse, render};
use crate::suite::{SourceFile, knowledge};
use crate::text::counted;

/// Tells what is wrong with these scenario files and those below these directories.
///
/// Diagnostics go to stderr, the summary to stdout. Returns the exit code: 0 without errors (warnings are none),
/// 2 with errors or a path that cannot be read, 4 if there is no scenario at all.
#[must_use]
pub fn lint(paths: &[PathBuf]) -> i32 {
    let files = match some_files(paths) {
        Ok(files) => files,
        Err(code) => return code,
    };
    let knowledge = knowledge();
    let (mut errors, mut warnings) = (0, 0);
    for SourceFile { path, text } in &files {
        let found = match parse(ScenarioId::of_path(path), text) {
            Ok(scenario) => check(&scenario, &knowledge),
            Err(found) => found,
        };
        let wrong = found
            .iter()
            .filter(|found| found.severity == Severity::Error)
            .count();
        errors += wrong;
        warnings += found.len() - wrong;
        anstream::eprint!(
            "{}",
            render(&path.display().to_string(), text, &found, true)
        );
    }
    let summary = format!(
        "{}: {}, {}\n",
        counted(files.len(), "scenario"),
        counted(errors, "error"),
        counted(warnings, "warning")
    );
    stdout::say(&summary, if errors == 0 { OK } else { USAGE })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]
    use super::super::NOTHING;
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::suite::Suite;
    use std::fs;

    #[test]
    fn the_embedded_suite_has_no_error() {
        let knowledge = knowledge();
        let mut report = String::new();
        for scenario in Suite::embedded().scenarios {
            let mut found = check(&scenario, &knowledge);
            found.retain(|found| found.severity == Severity::Error);
            assert!(!scenario.about.covers.is_empty(), "{}", scenario.id);
            report.push_str(&render(&scenario.id.0, &scenario.text, &found, false));
        }
        assert!(report.is_empty(), "{report}");
    }

    #[test]
    fn the_exit_code_tells_errors_from_warnings() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.ftpt");
        let paths = [path.clone()];
        assert_eq!(lint(&paths), USAGE);
        assert_eq!(lint(&[directory.path().to_owned()]), NOTHING);
        let covered = Catalogue::built_in().ids().next().unwrap();
        let front = format!(
            "+++\ntitle = \"a.\"\ncites = [\"RFC 959 §1\"]\ncovers = [\"{covered}\"]\nlevel = \"may\"\n+++\n"
        );
        fs::write(&path, format!("{front}> NOOP\n< 200\n")).unwrap();
        assert_eq!(lint(&paths), OK);
        fs::write(&path, format!("{front}@receive *\n")).unwrap();
        assert_eq!(lint(&paths), USAGE);
        fs::write(&path, format!("{front}NOOP\n")).unwrap();
        assert_eq!(lint(&paths), USAGE);
    }
}
