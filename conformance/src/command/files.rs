//! Reports into files.

use crate::report::{self, Report};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Where GitHub Actions takes the summary of a job from.
const GITHUB: &str = "GITHUB_STEP_SUMMARY";

/// The files a report is written to, besides stdout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportFiles {
    /// `report.json`
    pub json: Option<PathBuf>,
    /// `report.html`
    pub html: Option<PathBuf>,
    /// `junit.xml`
    pub junit: Option<PathBuf>,
    /// `report.md`
    pub markdown: Option<PathBuf>,
    /// Also appended to the job summary of GitHub Actions.
    pub github: bool,
}

impl ReportFiles {
    /// Makes sure that there is somewhere to write to, before a long run.
    ///
    /// # Errors
    /// A directory that cannot be made, or no job summary to append to. The message names it.
    pub(super) fn prepare(&self) -> Result<(), String> {
        let directories = self
            .paths()
            .filter_map(Path::parent)
            .filter(|path| !path.as_os_str().is_empty());
        for directory in directories {
            fs::create_dir_all(directory)
                .map_err(|error| format!("{}: {error}", directory.display()))?;
        }
        for path in self.paths() {
            writable(path).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        if self.github && summary().is_none() {
            return Err(format!(
                "--github: {GITHUB} is not set; it is on GitHub Actions only\nUse --md FILE elsewhere."
            ));
        }
        Ok(())
    }

    /// Writes every file that was asked for. One that cannot be written does not keep the others.
    ///
    /// # Errors
    /// What could not be written, line by line.
    pub(super) fn write(&self, report: &Report, strict: bool) -> Result<(), String> {
        let mut failed = Vec::new();
        let mut keep = |path: &Option<PathBuf>, text: &dyn Fn() -> String| {
            if let Some(path) = path
                && let Err(error) = fs::write(path, text())
            {
                failed.push(format!("{}: {error}", path.display()));
            }
        };
        keep(&self.json, &|| report::json(report));
        keep(&self.html, &|| report::html(report, strict));
        keep(&self.junit, &|| report::junit(report, strict));
        keep(&self.markdown, &|| report::markdown(report, strict));
        if self.github
            && let Some(path) = summary()
        {
            let file = fs::OpenOptions::new().append(true).create(true).open(&path);
            let text = report::markdown(report, strict);
            if let Err(error) = file.and_then(|mut file| file.write_all(text.as_bytes())) {
                failed.push(format!("{}: {error}", PathBuf::from(path).display()));
            }
        }
        if failed.is_empty() {
            Ok(())
        } else {
            Err(failed.join("\n"))
        }
    }

    /// Whether nothing was asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.paths().next().is_none() && !self.github
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        let all = [&self.json, &self.html, &self.junit, &self.markdown];
        all.into_iter().flatten().map(PathBuf::as_path)
    }
}

/// Whether a file can be written. One that was not there is not there afterwards; what is no file (a pipe, a device) is not
/// touched before there is something to say.
fn writable(path: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    // Nothing is cut off: a run may still come to nothing.
    options.append(true);
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_file() || there.is_dir() => options.open(path).map(drop),
        Ok(_) => Ok(()),
        Err(_) => {
            options.create_new(true).open(path)?;
            fs::remove_file(path)
        }
    }
}

fn summary() -> Option<OsString> {
    std::env::var_os(GITHUB).filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;

    #[test]
    fn a_directory_that_cannot_be_made_is_told_before_the_run() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("file");
        fs::write(&file, "").unwrap();
        let files = ReportFiles {
            junit: Some(file.join("below").join("junit.xml")),
            ..ReportFiles::default()
        };
        assert!(
            files
                .prepare()
                .unwrap_err()
                .starts_with(&file.join("below").display().to_string())
        );
        let new = scratch.path().join("new");
        let of = |path: &Path| ReportFiles {
            junit: Some(path.to_owned()),
            ..ReportFiles::default()
        };
        of(&new.join("junit.xml")).prepare().unwrap();
        assert!(new.is_dir() && !new.join("junit.xml").exists());
        // What is there stays until there is something to replace it; a directory is no file.
        fs::write(&file, "before").unwrap();
        of(&file).prepare().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "before");
        let refused = of(&new).prepare().unwrap_err();
        assert!(refused.starts_with(&new.display().to_string()), "{refused}");
    }
}
