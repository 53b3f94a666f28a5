//! `report.json`: for programs, versioned.

use super::{Report, SCHEMA, VERSION};

/// The report as JSON, with a final newline.
#[must_use]
pub fn json(report: &Report) -> String {
    debug_assert_eq!(report.version, VERSION);
    let mut text = serde_json::to_string_pretty(report)
        .expect("a report holds only strings, numbers and lists, which JSON can hold");
    text.push('\n');
    text
}

/// Why a text is not a report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// It is something else, or truncated.
    #[error(
        "this is not a report of ftpspec: {0}\nMake one with `ftpspec check --report-json FILE`."
    )]
    Other(serde_json::Error),
    /// It is from a newer ftpspec.
    #[error(
        "this report has version {0}, and this ftpspec reads up to {VERSION}: use the ftpspec that wrote it"
    )]
    Newer(u32),
    /// It has a key of an earlier version.
    #[error(
        "the report has the key `{0}`, which was renamed to `{1}`: make the report again with this ftpspec"
    )]
    RenamedKey(&'static str, &'static str),
}

/// The keys of earlier versions, and those that replace them.
const RENAMED_KEYS: [(&str, &str); 7] = [
    ("took_ms", "duration_ms"),
    ("again", "reproduce"),
    ("wire", "excerpt"),
    ("facts", "notices"),
    ("narrowed", "filters"),
    ("broken_files", "invalid_scenarios"),
    ("baseline_faults", "baseline_errors"),
];

/// Reads a report in JSON of this version or an older one. Unknown fields are ignored.
///
/// # Errors
/// The text is not a report, or has keys of an earlier or a later version.
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
    match serde_json::from_str(text) {
        Ok(report) => Ok(report),
        Err(error) => Err(renamed_key(text).unwrap_or(ReportError::Other(error))),
    }
}

/// The first key of an earlier version in the report or its first scenario.
fn renamed_key(text: &str) -> Option<ReportError> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let row = value.get("scenarios").and_then(|rows| rows.get(0));
    let has = |key: &str| value.get(key).is_some() || row.is_some_and(|row| row.get(key).is_some());
    let mut keys = RENAMED_KEYS.into_iter();
    let (old, new) = keys.find(|(old, _)| has(old))?;
    Some(ReportError::RenamedKey(old, new))
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
    fn unknown_fields_are_ignored_and_newer_fields_are_optional() {
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
    fn each_key_of_an_earlier_version_is_refused_with_its_new_name() {
        for (old, new) in RENAMED_KEYS {
            let mut value = serde_json::to_value(report(&[Outcome::Fail])).unwrap();
            let fields = match value.get(new) {
                Some(_) => value.as_object_mut(),
                None => value["scenarios"][0].as_object_mut(),
            };
            let fields = fields.unwrap();
            let moved = fields.remove(new).unwrap_or_default();
            fields.insert(old.into(), moved);
            // Reports of that version had all of the old keys.
            value.as_object_mut().unwrap().remove("duration_ms");
            let error = read(&value.to_string()).unwrap_err().to_string();
            assert!(
                error.contains(&format!("`{old}`, which was renamed to `{new}`")),
                "{error}"
            );
        }
    }

    #[test]
    fn other_texts_are_refused_with_a_reason() {
        let newer = r#"{"schema":"ftpspec-report","version":2}"#;
        for (text, why) in [
            ("", "this is not a report"),
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
