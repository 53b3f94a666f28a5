//! The reader of baselines: entries that can be meant, or an error that says where.

use ftpspec::internals::baseline::Baseline;
use ftpspec::internals::verdict::Outcome;

const FILE: &str = "baseline.toml";

/// The octets are the file.
pub fn baseline(file: &[u8]) {
    let Ok(text) = std::str::from_utf8(file) else {
        return;
    };
    let baseline = match Baseline::read(FILE, text) {
        Ok(baseline) => baseline,
        Err(error) => return assert!(error.to_string().starts_with(FILE)),
    };
    let mut line = 0;
    for entry in &baseline.entries {
        assert!(entry.line > line, "entries are in the order of the file");
        line = entry.line;
        assert!(
            !entry.reason.trim().is_empty(),
            "{}: no reason",
            entry.about
        );
        // The others fail no run, or are never excused.
        let excusable = [
            Outcome::Warn,
            Outcome::Fail,
            Outcome::Misadvertised,
            Outcome::Blocked,
        ];
        assert!(
            excusable.contains(&entry.outcome),
            "{}",
            entry.outcome.word()
        );
        assert!(!entry.about.to_string().is_empty());
    }
    assert!(line <= text.lines().count().max(1));
}
