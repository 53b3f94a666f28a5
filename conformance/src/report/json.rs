//! `report.json`: for programs, versioned.

use super::{Report, SCHEMA, VERSION};

/// The report as JSON, with a newline at its end.
#[must_use]
pub fn json(report: &Report) -> String {
    debug_assert_eq!(report.version, VERSION);
    let mut text = serde_json::to_string_pretty(report)
        .expect("a report holds only strings, numbers and lists, which JSON can hold");
    text.push('\n');
    text
}

/// Why a text is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// It is something else, or was cut short.
    #[error("this is no report of ftpspec: {0}\nMake one with `ftpspec check --report-json FILE`.")]
    Other(serde_json::Error),
    /// It is from a newer ftpspec.
    #[error(
        "this report has version {0}, and this ftpspec reads up to {VERSION}: use the ftpspec that wrote it"
    )]
    Newer(u32),
}

/// The report in a JSON text of this version or an older one. Fields that are not known are passed over.
///
/// # Errors
/// It is no report, or one of a later version.
pub fn read(text: &str) -> Result<Report, ReportError> {
    #[derive(serde::Deserialize)]
    struct Head {
        schema: String,
        version: u32,
    }
    let head: Head = serde_json::from_str(text).map_err(ReportError::Other)?;
    if head.schema != SCHEMA {
        let wrong = format!("its schema is `{}`", head.schema.escape_debug());
        return Err(ReportError::Other(serde::de::Error::custom(wrong)));
    }
    if head.version > VERSION {
        return Err(ReportError::Newer(head.version));
    }
    serde_json::from_str(text).map_err(ReportError::Other)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use crate::report::tests::report;
    use crate::verdict::Outcome;

    #[test]
    fn a_report_is_read_back_as_it_was_written() {
        let text = json(&report(&[Outcome::Pass, Outcome::Fail]));
        assert_eq!(json(&read(&text).unwrap()), text);
    }

    #[test]
    fn fields_of_a_later_ftpspec_are_passed_over_and_those_of_an_older_one_not_missed() {
        let mut value = serde_json::to_value(report(&[Outcome::Fail])).unwrap();
        value["new"] = "x".into();
        value["scenarios"][0]["new"] = 1.into();
        for later in ["commands", "needs"] {
            value["scenarios"][0].as_object_mut().unwrap().remove(later);
        }
        assert_eq!(
            json(&read(&value.to_string()).unwrap()),
            json(&report(&[Outcome::Fail]))
        );
    }

    #[test]
    fn what_is_no_report_is_told_so() {
        let newer = r#"{"schema":"ftpspec-report","version":2}"#;
        for (text, why) in [
            ("", "this is no report"),
            (r#"{"schema":"x","version":1}"#, "its schema is `x`"),
            (newer, "version 2"),
            (
                r#"{"schema":"ftpspec-report","version":1}"#,
                "missing field",
            ),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn schema_version_and_outcome_words_are_what_programs_rely_on() {
        let text = json(&report(&[Outcome::Misadvertised]));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["schema"], "ftpspec-report");
        assert_eq!(value["version"], 1);
        assert_eq!(value["scenarios"][0]["outcome"], "misadvertised");
        assert_eq!(value["scenarios"][0]["scenario"], "rfc959/noop-200");
    }
}
