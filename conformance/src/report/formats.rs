//! The formats of a report besides the terminal's and JSON: files that `check` and `report` write.

use super::{Sanitized, html, junit, markdown};

/// A format of a report.
#[derive(Debug)]
pub(crate) struct FileFormat {
    /// The option that names the file, without `--`.
    pub option: &'static str,
    /// The help of that option.
    pub help: &'static str,
    /// Renders the report. With `strict` a WARN is a failure, too.
    pub render: fn(&Sanitized, bool) -> String,
}

/// Markdown, which is also the job summary of GitHub Actions.
pub(crate) const MARKDOWN: FileFormat = FileFormat {
    option: "md",
    help: "Also writes the report as Markdown",
    render: markdown,
};

/// Every format.
pub(crate) const FORMATS: [FileFormat; 3] = [
    FileFormat {
        option: "html",
        help: "Also writes the report as one self-contained HTML file",
        render: html,
    },
    FileFormat {
        option: "junit",
        help: "Also writes the report as JUnit XML, for CI systems",
        render: junit,
    },
    MARKDOWN,
];
