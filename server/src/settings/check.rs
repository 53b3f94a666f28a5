//! Rules about several settings together, checked without a file.

use super::form::{Form, Section};
use super::value::Value;

/// The rules that are broken, each as `table.key: why`.
pub(super) fn check(section: &mut impl Section) -> Vec<String> {
    let mut checker = Checker::default();
    section.fill(&mut checker);
    checker.wrong
}

#[derive(Default)]
struct Checker {
    /// The path of this table, with a dot after each part.
    way: String,
    wrong: Vec<String>,
}

impl Checker {
    fn inner(&mut self, key: &str, section: &mut impl Section) {
        let length = self.way.len();
        self.way.push_str(key);
        self.way.push('.');
        section.fill(self);
        self.way.truncate(length);
    }
}

impl Form for Checker {
    fn value<T: Value>(&mut self, _: &'static str, _: &mut T) {}

    fn table<T: Section>(&mut self, key: &'static str, table: &mut T) {
        self.inner(key, table);
    }

    fn optional<T: Section + Default>(&mut self, key: &'static str, table: &mut Option<T>) {
        if let Some(table) = table {
            self.inner(key, table);
        }
    }

    fn tables<T: Section + Default>(&mut self, key: &'static str, tables: &mut Vec<T>) {
        for table in tables {
            self.inner(key, table);
        }
    }

    fn pairs(
        &mut self,
        key: &'static str,
        pairs: &mut Vec<(String, String)>,
        check: fn(&str, &str) -> Result<(), String>,
    ) {
        for (name, value) in pairs {
            if let Err(why) = check(name, value) {
                self.wrong(key, why);
            }
        }
    }

    fn wrong(&mut self, key: &str, why: impl Into<String>) {
        self.wrong
            .push(format!("{}{key}: {}", self.way, why.into()));
    }
}
