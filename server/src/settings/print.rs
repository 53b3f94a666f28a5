//! Printing: the settings as a file that is read as the same.

use super::form::{Form, Section};
use super::value::{Value, Written, quoted};

/// The text of a table and of the tables in it.
pub(super) fn print(section: &mut impl Section) -> String {
    let mut printer = Printer::default();
    section.fill(&mut printer);
    printer.text()
}

/// A table that is being printed: its own keys come before other tables.
#[derive(Default)]
struct Printer {
    /// The path of this table, as in its header.
    way: String,
    values: String,
    tables: String,
}

impl Printer {
    fn text(self) -> String {
        self.values + &self.tables
    }

    fn inner(&mut self, key: &str, (open, close): (&str, &str), section: &mut impl Section) {
        let way = match self.way.as_str() {
            "" => key.to_owned(),
            way => format!("{way}.{key}"),
        };
        let mut inner = Self {
            way,
            ..Self::default()
        };
        section.fill(&mut inner);
        self.tables
            .push_str(&format!("\n{open}{}{close}\n", inner.way));
        self.tables.push_str(&inner.text());
    }
}

impl Form for Printer {
    fn value<T: Value>(&mut self, key: &'static str, value: &mut T) {
        self.values.push_str(&match value.write() {
            Written::Value(value) => format!("{key} = {value}\n"),
            Written::Comment(why) => format!("# {key}: {why}\n"),
            Written::Nothing => String::new(),
        });
    }

    fn table<T: Section>(&mut self, key: &'static str, table: &mut T) {
        self.inner(key, ("[", "]"), table);
    }

    fn optional<T: Section + Default>(&mut self, key: &'static str, table: &mut Option<T>) {
        if let Some(table) = table {
            self.inner(key, ("[", "]"), table);
        }
    }

    fn tables<T: Section + Default>(&mut self, key: &'static str, tables: &mut Vec<T>) {
        for table in tables {
            self.inner(key, ("[[", "]]"), table);
        }
    }

    fn pairs(
        &mut self,
        key: &'static str,
        pairs: &mut Vec<(String, String)>,
        _: fn(&str, &str) -> Result<(), String>,
    ) {
        if !pairs.is_empty() {
            self.tables.push_str(&format!("\n[{key}]\n"));
        }
        for (name, value) in pairs {
            self.tables
                .push_str(&format!("{} = {}\n", quoted(name), quoted(value)));
        }
    }
}
