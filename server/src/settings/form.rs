//! The structure of a settings file, defined once for reading, printing and checking.

use super::value::Value;

/// A table of the file: its keys, and the rules about several of them together.
pub(super) trait Section {
    /// Visits all keys.
    fn fill(&mut self, form: &mut impl Form);
}

/// An operation on the keys of a table.
pub(super) trait Form: Sized {
    /// `key = value`.
    fn value<T: Value>(&mut self, key: &'static str, value: &mut T);

    /// `[key]`, with the defaults if it is missing.
    fn table<T: Section>(&mut self, key: &'static str, table: &mut T);

    /// An optional `[key]`.
    fn optional<T: Section + Default>(&mut self, key: &'static str, table: &mut Option<T>);

    /// `[[key]]`.
    fn tables<T: Section + Default>(&mut self, key: &'static str, tables: &mut Vec<T>);

    /// `[key]` with arbitrary keys.
    fn pairs(
        &mut self,
        key: &'static str,
        pairs: &mut Vec<(String, String)>,
        check: fn(&str, &str) -> Result<(), String>,
    );

    /// Reports an error at a key that was read, or at the table if the key is missing.
    fn wrong(&mut self, key: &str, why: impl Into<String>) {
        let _ = (key, why);
    }

    /// Whether the value of the key was invalid; then it has been reported already.
    fn is_spoiled(&self, key: &str) -> bool {
        let _ = key;
        false
    }
}
