//! The scenarios for clients and the adapters, inside the binary or as files.

use super::adapter::Adapter;
use super::language::{Knowledge, Scenario, lint, parse};
use super::play::{check_fault, check_settings};
use crate::catalogue::Catalogue;
use crate::scenario::{Diagnostic, ScenarioId, Severity};
use crate::suite::{Broken, SourceFile, embedded_adapters, embedded_client_files, selects};
use crate::text::read_limited;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// The largest adapter file, in octets.
const ADAPTER_LIMIT: u64 = 1 << 20;

/// Scenarios that can be played, and files that cannot be read.
#[derive(Debug, Clone, Default)]
pub struct Suite {
    /// Sorted by id.
    pub scenarios: Vec<Arc<Scenario>>,
    /// In the order of the files.
    pub broken: Vec<Broken>,
}

impl Suite {
    /// The suite inside the binary.
    #[must_use]
    pub fn embedded() -> Self {
        Self::read(embedded_client_files())
    }

    /// The scenarios of these files.
    #[must_use]
    pub(crate) fn read(files: impl IntoIterator<Item = SourceFile>) -> Self {
        let mut suite = Self::default();
        for SourceFile { path, text } in files {
            match checked(ScenarioId::of_path(&path), &text) {
                Ok(scenario) => suite.scenarios.push(Arc::new(scenario)),
                Err(diagnostics) => suite.broken.push(Broken {
                    path: path.display().to_string(),
                    text,
                    diagnostics,
                }),
            }
        }
        suite.scenarios.sort_by(|one, other| one.id.cmp(&other.id));
        suite
    }

    /// The id of each scenario, and the requirements that it covers.
    pub fn covered(&self) -> impl Iterator<Item = (&str, &[String])> {
        let scenarios = self.scenarios.iter();
        scenarios.map(|scenario| (scenario.id.0.as_str(), scenario.about.covers.as_slice()))
    }

    /// The scenarios that any of the patterns selects; all of them without a pattern.
    #[must_use]
    pub fn select(&self, patterns: &[String]) -> Vec<Arc<Scenario>> {
        let whole = |pattern: &String| self.scenarios.iter().any(|it| it.id.0 == *pattern);
        let fits = |pattern: &String, id: &str| match whole(pattern) {
            true => pattern == id,
            false => selects(pattern, id),
        };
        let scenarios = self.scenarios.iter().filter(|scenario| {
            patterns.is_empty() || patterns.iter().any(|it| fits(it, &scenario.id.0))
        });
        scenarios.cloned().collect()
    }
}

/// A scenario without errors.
///
/// # Errors
/// What is wrong with it, warnings among it.
pub fn checked(id: ScenarioId, text: &str) -> Result<Scenario, Vec<Diagnostic>> {
    let scenario = parse(id, text)?;
    let found = linted(&scenario);
    match found.iter().any(|it| it.severity == Severity::Error) {
        true => Err(found),
        false => Ok(scenario),
    }
}

/// What is wrong with a scenario that can be read.
#[must_use]
pub(crate) fn linted(scenario: &Scenario) -> Vec<Diagnostic> {
    let catalogue = Catalogue::built_in();
    let knowledge = Knowledge {
        requirement: &|id| catalogue.get(id),
        fault: &check_fault,
        settings: &check_settings,
    };
    lint(scenario, &knowledge)
}

/// The names of the built-in adapters, sorted.
#[must_use]
pub(crate) fn adapter_names() -> Vec<String> {
    let files = embedded_adapters().into_iter();
    let names = files.filter_map(|(name, _)| Some(name.strip_suffix(".toml")?.to_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// An adapter with the directory of its files. The directory of a built-in adapter is removed when
/// this is dropped.
#[derive(Debug)]
pub(crate) struct LoadedAdapter {
    /// The adapter.
    pub adapter: Adapter,
    /// Where the files beside it are.
    pub files: std::path::PathBuf,
    _directory: Option<TempDir>,
}

impl LoadedAdapter {
    /// A built-in adapter by its name, or the adapter in a file.
    ///
    /// # Errors
    /// There is no such adapter or file, or it has an error, as a sentence.
    pub(crate) fn find(name: &str) -> Result<Self, String> {
        let wanted = format!("{name}.toml");
        let built_in = embedded_adapters();
        let Some((_, text)) = built_in.iter().find(|(file, _)| *file == wanted) else {
            return Self::of_file(Path::new(name));
        };
        let failed = |error: io::Error| format!("adapter {name}: {error}");
        let directory = tempfile::Builder::new()
            .prefix("ftpspec-adapter-")
            .tempdir();
        let directory = directory.map_err(failed)?;
        for (file, octets) in built_in.iter().filter(|(file, _)| !file.ends_with(".toml")) {
            fs::write(directory.path().join(file), octets).map_err(failed)?;
        }
        let adapter = String::from_utf8_lossy(text).parse();
        Ok(Self {
            adapter: adapter.map_err(|why: String| format!("adapter {name}: {why}"))?,
            files: directory.path().to_owned(),
            _directory: Some(directory),
        })
    }

    fn of_file(path: &Path) -> Result<Self, String> {
        let text = read_limited(path, ADAPTER_LIMIT).map_err(|error| {
            let names = adapter_names().join(", ");
            format!("adapter: {error}\nThe built-in adapters are {names}.")
        })?;
        let adapter: Result<Adapter, String> = text.parse();
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Ok(Self {
            adapter: adapter.map_err(|why| format!("adapter {}: {why}", path.display()))?,
            files: absolute
                .parent()
                .unwrap_or_else(|| Path::new("/"))
                .to_owned(),
            _directory: None,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]
    use super::*;
    use crate::scenario::render;

    #[test]
    fn the_embedded_suite_has_no_error_and_is_in_canonical_layout() {
        let suite = Suite::embedded();
        let broken = suite.broken.iter();
        let shown = broken.map(|it| render(&it.path, &it.text, &it.diagnostics, false));
        assert_eq!(shown.collect::<String>(), "");
        for scenario in &suite.scenarios {
            let formatted = crate::client::language::format(&scenario.text);
            assert_eq!(formatted, scenario.text, "{}", scenario.id);
            assert!(!scenario.about.covers.is_empty(), "{}", scenario.id);
            assert!(!scenario.about.impact.is_empty(), "{}", scenario.id);
        }
    }

    #[test]
    fn every_built_in_adapter_can_be_read() {
        let names = adapter_names();
        assert!(names.contains(&"curl".to_owned()));
        for name in names {
            let loaded = LoadedAdapter::find(&name).unwrap();
            assert_eq!(loaded.adapter.name, name);
            assert!(loaded.files.is_dir());
        }
        let error = LoadedAdapter::find("no-such-adapter").unwrap_err();
        assert!(error.contains("The built-in adapters are"), "{error}");
    }
}
