//! `report.json`: for programs, versioned.

use super::{Report, VERSION};

/// The report as JSON, with a newline at its end.
#[must_use]
pub fn json(report: &Report) -> String {
    debug_assert_eq!(report.version, VERSION);
    let mut text = serde_json::to_string_pretty(report)
        .expect("a report holds only strings, numbers and lists, which JSON can hold");
    text.push('\n');
    text
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
        let read: Report = serde_json::from_str(&text).unwrap();
        assert_eq!(json(&read), text);
    }

    #[test]
    fn schema_version_and_outcome_words_are_what_programs_rely_on() {
        let text = json(&report(&[Outcome::FalseAd]));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["schema"], "ftpspec-report");
        assert_eq!(value["version"], 1);
        assert_eq!(value["scenarios"][0]["outcome"], "false-ad");
        assert_eq!(value["scenarios"][0]["scenario"], "rfc959/noop-200");
    }
}
