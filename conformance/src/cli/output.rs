//! Where results go: stdout, and the files of a report.

use super::Format;
use super::exit_code::{CommandError, ExitCode};
use crate::report::{self, FORMATS, FileFormat, Look, MARKDOWN, Report, Sanitized};
use anstream::{AutoStream, ColorChoice};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The variable that names the job summary of GitHub Actions.
const GITHUB: &str = "GITHUB_STEP_SUMMARY";

/// Whether stdout shows colours.
pub(super) fn has_colour() -> bool {
    AutoStream::choice(&io::stdout()) != ColorChoice::Never
}

/// Writes a text to stdout, without its colours where stdout shows none.
///
/// # Errors
/// stdout cannot be written to. A reader that left early (`| head`) is not an error.
fn write(text: &str) -> Result<(), String> {
    let mut stdout = anstream::stdout();
    let written = stdout.write_all(text.as_bytes());
    match written.and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("stdout: {error}")),
        _ => Ok(()),
    }
}

/// Writes a text to stdout as the last step of a command, which then ends with `code`.
pub(super) fn finish(text: &str, code: ExitCode) -> Result<ExitCode, CommandError> {
    match write(text) {
        Ok(()) => Ok(code),
        Err(error) => Err(CommandError::failure(error)),
    }
}

/// Writes the report to stdout.
///
/// # Errors
/// stdout cannot be written to.
pub(super) fn print_report(report: &Report, strict: bool, format: Format) -> Result<(), String> {
    let colour = has_colour();
    write(&match format {
        Format::Json => report::json(report),
        Format::Human => report::terminal(&Sanitized::of(report), Look { colour, strict }),
    })
}

/// The files a report is written to, besides stdout.
#[derive(Debug, Clone, Default)]
pub(super) struct ReportFiles {
    /// The JSON file; its option has another name in each verb.
    json: Option<PathBuf>,
    /// The files of [`FORMATS`], in their order.
    files: [Option<PathBuf>; FORMATS.len()],
    /// Also appends the Markdown to the job summary of GitHub Actions.
    github: bool,
}

impl Args for ReportFiles {
    fn augment_args(command: Command) -> Command {
        let file = |format: &FileFormat| {
            let parser = value_parser!(PathBuf);
            let option = Arg::new(format.option).long(format.option);
            option
                .value_name("FILE")
                .value_parser(parser)
                .help(format.help)
        };
        let github = Arg::new("github").long("github").action(ArgAction::SetTrue);
        command.args(FORMATS.iter().map(file)).arg(github.help(
            "Also appends the Markdown to the job summary of GitHub Actions ($GITHUB_STEP_SUMMARY)",
        ))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ReportFiles {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self {
            json: None,
            files: FORMATS
                .each_ref()
                .map(|format| matches.get_one(format.option).cloned()),
            github: matches.get_flag("github"),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl ReportFiles {
    pub(super) fn with_json(self, json: Option<PathBuf>) -> Self {
        Self { json, ..self }
    }

    /// Checks that every file can be written, before a long run; creates missing directories.
    ///
    /// # Errors
    /// The first file that cannot be written, or no job summary to append to.
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
                "--github: {GITHUB} is not set; only GitHub Actions sets it\n\
                 Use --md FILE elsewhere."
            ));
        }
        Ok(())
    }

    /// Writes every file, even if one of them cannot be written.
    ///
    /// # Errors
    /// The files that could not be written, one per line.
    pub(super) fn write(&self, report: &Report, strict: bool) -> Result<(), String> {
        let mut failed = Vec::new();
        let mut save = |path: &Path, written: io::Result<()>| {
            if let Err(error) = written {
                failed.push(format!("{}: {error}", path.display()));
            }
        };
        if let Some(path) = &self.json {
            save(path, fs::write(path, report::json(report)));
        }
        let report = &Sanitized::of(report);
        for (format, path) in FORMATS.iter().zip(&self.files) {
            if let Some(path) = path {
                save(path, fs::write(path, (format.render)(report, strict)));
            }
        }
        if let (true, Some(path)) = (self.github, summary()) {
            let file = fs::OpenOptions::new().append(true).create(true).open(&path);
            let text = (MARKDOWN.render)(report, strict);
            let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
            save(Path::new(&path), written);
        }
        if failed.is_empty() {
            Ok(())
        } else {
            Err(failed.join("\n"))
        }
    }

    /// Whether no file is requested.
    pub(super) fn is_empty(&self) -> bool {
        self.paths().next().is_none() && !self.github
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        let all = std::iter::once(&self.json).chain(&self.files);
        all.flatten().map(PathBuf::as_path)
    }
}

/// Whether a file can be written. A new file is removed again; a pipe or a device is not opened.
fn writable(path: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    // Does not truncate: the run may still fail.
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
    fn a_file_that_cannot_be_written_is_reported_before_the_run() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("file");
        fs::write(&file, "").unwrap();
        let files = ReportFiles {
            json: Some(file.join("below").join("report.json")),
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
            json: Some(path.to_owned()),
            ..ReportFiles::default()
        };
        of(&new.join("report.json")).prepare().unwrap();
        assert!(new.is_dir() && !new.join("report.json").exists());
        // An existing file is kept until the report is written; a directory is refused.
        fs::write(&file, "before").unwrap();
        of(&file).prepare().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "before");
        let refused = of(&new).prepare().unwrap_err();
        assert!(refused.starts_with(&new.display().to_string()), "{refused}");
    }
}
