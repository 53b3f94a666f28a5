//! What a settings file consists of, said once: reading, printing and listing the keys all go by it.

use super::value::Value;

/// A table of the file: its keys, and what must be true of them together.
pub(super) trait Section {
    /// Goes through all keys.
    fn fill(&mut self, form: &mut impl Form);
}

/// What is done with the keys of a table.
pub(super) trait Form: Sized {
    /// `key = value`.
    fn value<T: Value>(&mut self, key: &'static str, value: &mut T);

    /// `[key]`, with defaults where it is missing.
    fn table<T: Section>(&mut self, key: &'static str, table: &mut T);

    /// `[key]`, which may be missing.
    fn optional<T: Section + Default>(&mut self, key: &'static str, table: &mut Option<T>);

    /// `[[key]]`.
    fn tables<T: Section + Default>(&mut self, key: &'static str, tables: &mut Vec<T>);

    /// `[key]` with keys of the user's choice.
    fn pairs(
        &mut self,
        key: &'static str,
        pairs: &mut Vec<(String, String)>,
        check: fn(&str, &str) -> Result<(), String>,
    );

    /// What is wrong with a key that was read, or with the table if the key is not there.
    fn wrong(&mut self, key: &str, why: impl Into<String>) {
        let _ = (key, why);
    }

    /// Whether the file said something of a key that was wrong, and told.
    fn is_spoiled(&self, key: &str) -> bool {
        let _ = key;
        false
    }
}
