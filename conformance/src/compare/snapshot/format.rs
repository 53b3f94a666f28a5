//! Reads and writes the `.snap` format of the crate insta, so that `cargo insta review` works.
//!
//! ```text
//! ---
//! source: scenarios/rfc959/noop-says-200.ftpt
//! description: "PASS: rfc959/noop-says-200 [pasv]"
//! ---
//! S: 220 …
//! ```

use std::fmt;

/// A file in the format of insta: two fields of its front matter and the compared text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snap {
    /// The file it was made from.
    pub source: String,
    /// One line that identifies it.
    pub description: String,
    /// The text, without a final line end.
    pub contents: String,
}

/// Why a text is not a snapshot of ftpspec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SnapError {
    /// It has no complete front matter.
    #[error("it has no front matter between two lines `---`")]
    NoFrontMatter,
    /// A quoted value is not terminated or has an invalid escape.
    #[error("its `{0}` is no string")]
    BrokenValue(&'static str),
    /// The description does not name a scenario and variant.
    #[error("its description is not `OUTCOME: scenario [variant]`")]
    NotOurs,
}

impl Snap {
    /// Reads a file. Other fields of insta (`expression`, `assertion_line`, `info` …) are ignored.
    ///
    /// # Errors
    /// [`SnapError::NoFrontMatter`] and [`SnapError::BrokenValue`].
    pub(crate) fn read(text: &str) -> Result<Self, SnapError> {
        let text = text.replace("\r\n", "\n");
        let rest = text.strip_prefix("---\n").ok_or(SnapError::NoFrontMatter)?;
        let (front, contents) = match rest.strip_prefix("---\n") {
            Some(contents) => ("", contents),
            None => rest.split_once("\n---\n").ok_or(SnapError::NoFrontMatter)?,
        };
        let value = |field: &'static str| {
            // Indented lines belong to another field.
            let written = front.lines().find_map(|line| {
                let value = line.strip_prefix(field)?.strip_prefix(':')?;
                Some(value.trim())
            });
            scalar(written.unwrap_or_default()).ok_or(SnapError::BrokenValue(field))
        };
        Ok(Self {
            source: value("source")?,
            description: value("description")?,
            contents: contents.trim_end().to_owned(),
        })
    }
}

impl fmt::Display for Snap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "---")?;
        writeln!(f, "source: {}", written(&self.source))?;
        writeln!(f, "description: {}", written(&self.description))?;
        writeln!(f, "---")?;
        writeln!(f, "{}", self.contents.trim_end())
    }
}

/// The value of a YAML scalar on one line: plain, in single quotes or in double quotes.
fn scalar(text: &str) -> Option<String> {
    if text.starts_with('"') {
        // insta uses the escapes of JSON within double quotes.
        return serde_json::from_str(text).ok();
    }
    if let Some(rest) = text.strip_prefix('\'') {
        return Some(rest.strip_suffix('\'')?.replace("''", "'"));
    }
    Some(text.to_owned())
}

/// A YAML scalar: plain where that is unambiguous, otherwise in double quotes.
fn written(text: &str) -> String {
    let plain = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.contains(['/', '.'])
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "/._-".contains(letter));
    if plain {
        return text.to_owned();
    }
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::path::Path;

    fn snap(contents: &str) -> Snap {
        Snap {
            source: "scenarios/rfc959/noop-says-200.ftpt".into(),
            description: "PASS: rfc959/noop-says-200 [epsv tls]".into(),
            contents: contents.into(),
        }
    }

    #[test]
    fn what_insta_wrote_is_written_again_octet_by_octet() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
        let mut compared = 0;
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "snap") {
                let text = std::fs::read_to_string(&path).unwrap();
                assert_eq!(Snap::read(&text).unwrap().to_string(), text, "{path:?}");
                compared += 1;
            }
        }
        assert!(compared > 100, "only {compared} snapshots");
    }

    #[test]
    fn insta_takes_what_we_write_for_its_own() {
        let contents = "-- connected\nS: 220 \"a\" 'b' #c\nS: 211-x\n---\nS:  y\nC: NOOP";
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kept.snap");
        std::fs::write(&path, snap(contents).to_string()).unwrap();
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_snapshot_path(directory.path());
        let like = |text: &str| {
            let compare = || settings.bind(|| insta::assert_snapshot!("kept", text));
            catch_unwind(AssertUnwindSafe(compare)).is_ok()
        };
        assert!(like(contents));
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            snap(contents).to_string()
        );
        // With INSTA_UPDATE=always it writes what it would have refused.
        let refused = !like("-- connected\nS: 220 something else");
        assert!(refused || std::fs::read_to_string(&path).unwrap() != snap(contents).to_string());
    }

    #[rstest]
    #[case::insta_s_other_fields(
        "---\nsource: a.rs\nassertion_line: 7\ndescription: PASS\nexpression: x\ninfo:\n  source: b\n---\nS: 220\n",
        "a.rs"
    )]
    #[case::single_quotes("---\nsource: 'it''s'\ndescription: PASS\n---\nS: 220\n", "it's")]
    #[case::windows(
        "---\r\nsource: a.rs\r\ndescription: PASS\r\n---\r\nS: 220\r\n",
        "a.rs"
    )]
    fn other_ways_to_write_the_same_are_read(#[case] text: &str, #[case] source: &str) {
        let read = Snap::read(text).unwrap();
        assert_eq!(
            (
                read.source.as_str(),
                read.description.as_str(),
                read.contents.as_str()
            ),
            (source, "PASS", "S: 220")
        );
    }

    #[rstest]
    #[case("", SnapError::NoFrontMatter)]
    #[case("S: 220\n", SnapError::NoFrontMatter)]
    #[case("---\nsource: a\n", SnapError::NoFrontMatter)]
    #[case("---\nsource: \"a\n---\nx\n", SnapError::BrokenValue("source"))]
    #[case(
        "---\ndescription: 'a\n---\nx\n",
        SnapError::BrokenValue("description")
    )]
    fn what_is_no_snapshot_says_why(#[case] text: &str, #[case] why: SnapError) {
        assert_eq!(Snap::read(text), Err(why));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(source in "[^\r\n]{0,20}", description in "\\PC{0,20}", contents in "[^\r]{0,60}") {
            let written = Snap { source: source.trim().into(), description, contents: contents.trim_end().into() };
            prop_assert_eq!(Snap::read(&written.to_string()).unwrap(), written);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(---\n)?[^\0]{0,60}(\n---\n)?.{0,20}") {
            let _ = Snap::read(&text);
        }
    }
}
