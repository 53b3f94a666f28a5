//! The scenarios: those embedded in the binary, or those of a directory.

pub(crate) mod sets;
pub(crate) mod suggest;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use globset::GlobBuilder;
use include_dir::{Dir, include_dir};

use crate::catalogue::{Catalogue, Registry};
use crate::scenario::{
    Diagnostic, FILE_LIMIT, Knowledge, Scenario, ScenarioId, Severity, lint, parse,
};

/// Everything below `scenarios/` when this was built.
static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../scenarios");

/// The directory of scenarios for clients.
const CLIENTS: &str = "client";

/// What a scenario file is called.
pub(crate) const ENDING: &str = "ftpt";

/// Scenarios that can be played, and files that cannot be read. One broken file does not stop the
/// others.
#[derive(Debug, Clone, Default)]
pub struct Suite {
    /// Sorted by id.
    pub scenarios: Vec<Scenario>,
    /// Sorted by path.
    pub broken: Vec<Broken>,
}

/// A scenario file with errors.
#[derive(Debug, Clone)]
pub struct Broken {
    /// As it was given, or below `scenarios/`.
    pub path: String,
    /// What it holds, for [`crate::scenario::render`].
    pub text: String,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

/// A scenario file as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceFile {
    /// As it was given, or below `scenarios/`.
    pub path: PathBuf,
    /// What it holds.
    pub text: String,
}

impl Suite {
    /// The suite inside the binary.
    #[must_use]
    pub fn embedded() -> Self {
        // The tests of the suite have linted it.
        Self::read(embedded_files(), parse)
    }

    /// The scenarios in these files and directories. One in which `ftpspec lint` finds an error is
    /// broken.
    ///
    /// # Errors
    /// A path that cannot be read. The message names it.
    pub fn load(paths: &[PathBuf]) -> io::Result<Self> {
        let knowledge = knowledge();
        Ok(Self::read(files_in(paths)?, |id, text| {
            let scenario = parse(id, text)?;
            let mut found = lint(&scenario, &knowledge);
            found.retain(|found| found.severity == Severity::Error);
            match found.is_empty() {
                true => Ok(scenario),
                false => Err(found),
            }
        }))
    }

    fn read(
        files: impl IntoIterator<Item = SourceFile>,
        checked: impl Fn(ScenarioId, &str) -> Result<Scenario, Vec<Diagnostic>>,
    ) -> Self {
        let mut suite = Self::default();
        for SourceFile { path, text } in files {
            match checked(ScenarioId::of_path(&path), &text) {
                Ok(scenario) => suite.scenarios.push(scenario),
                Err(diagnostics) => {
                    let path = path.display().to_string();
                    suite.broken.push(Broken {
                        path,
                        text,
                        diagnostics,
                    });
                }
            }
        }
        suite.scenarios.sort_by(|one, other| one.id.cmp(&other.id));
        suite.broken.sort_by(|one, other| one.path.cmp(&other.path));
        suite
    }

    /// The scenario of this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Scenario> {
        self.scenarios.iter().find(|scenario| scenario.id.0 == id)
    }

    /// The scenarios any of the patterns selects, in order of their ids; all of them without a
    /// pattern. The whole id of a scenario selects that one alone, though it may be a part of
    /// another id.
    #[must_use]
    pub fn select(&self, patterns: &[String]) -> Vec<&Scenario> {
        let fits = |pattern: &String, id: &str| match self.get(pattern) {
            Some(whole) => whole.id.0 == id,
            None => selects(pattern, id),
        };
        self.scenarios
            .iter()
            .filter(|scenario| {
                let mut patterns_left = patterns.iter();
                patterns.is_empty() || patterns_left.any(|pattern| fits(pattern, &scenario.id.0))
            })
            .collect()
    }
}

/// What scenarios are checked against: the requirements and the registry this was built with.
pub(crate) fn knowledge() -> Knowledge {
    Knowledge {
        requirements: Catalogue::built_in()
            .iter()
            .map(|it| (it.id.clone(), it.level))
            .collect(),
        verbs: Registry::built_in().verbs().map(str::to_owned).collect(),
    }
}

/// Whether a pattern of `--select` fits an id.
///
/// With `*`, `?`, `[` or `{` it is a glob for the whole id (`rfc3659/rest-*`, `*` crosses slashes).
/// The name of a directory selects what is in it (`rfc959` does not select `rfc9590/…`). Anything
/// else is a part of the id.
pub(crate) fn selects(pattern: &str, id: &str) -> bool {
    if pattern.contains(['*', '?', '[', '{']) {
        let glob = GlobBuilder::new(pattern).case_insensitive(true).build();
        return glob.is_ok_and(|glob| glob.compile_matcher().is_match(id));
    }
    let (pattern, id) = (pattern.to_lowercase(), id.to_lowercase());
    let pattern = pattern.trim_end_matches('/');
    let directory = pattern.strip_prefix("rfc").unwrap_or("x");
    if !directory.is_empty() && directory.bytes().all(|octet| octet.is_ascii_digit()) {
        return id.split('/').any(|part| part == pattern);
    }
    id.contains(pattern)
}

/// The frozen sets inside the binary: their names, and what they hold.
pub(crate) fn embedded_sets() -> Vec<(String, &'static str)> {
    let files = EMBEDDED
        .get_dir("sets")
        .map(Dir::files)
        .into_iter()
        .flatten();
    let sets = files.filter_map(|file| {
        let name = file.path().file_stem()?.to_str()?;
        let is_set = file
            .path()
            .extension()
            .is_some_and(|ending| ending == "toml");
        Some((name.to_owned(), file.contents_utf8()?)).filter(|_| is_set)
    });
    sets.collect()
}

/// The scenario files inside the binary; those in `client/` are about clients and not part of the
/// suite.
fn embedded_files() -> Vec<SourceFile> {
    scenario_files(&EMBEDDED, |path| path != Path::new(CLIENTS))
}

/// The scenario files for clients inside the binary.
pub(crate) fn embedded_client_files() -> Vec<SourceFile> {
    let clients = EMBEDDED.get_dir(CLIENTS);
    clients.map_or_else(Vec::new, |clients| scenario_files(clients, |_| true))
}

/// The files of the adapters inside the binary, by their names.
pub(crate) fn embedded_adapters() -> Vec<(String, &'static [u8])> {
    let adapters = EMBEDDED.get_dir("client/adapters");
    let files = adapters.into_iter().flat_map(Dir::files);
    let named = files.filter_map(|file| {
        let name = file.path().file_name()?.to_str()?;
        Some((name.to_owned(), file.contents()))
    });
    named.collect()
}

/// The scenario files below a directory, without those in directories that are left out.
fn scenario_files(root: &'static Dir<'_>, enters: impl Fn(&Path) -> bool) -> Vec<SourceFile> {
    let mut directories = vec![root];
    let mut files = Vec::new();
    while let Some(directory) = directories.pop() {
        directories.extend(directory.dirs().filter(|below| enters(below.path())));
        files.extend(
            directory
                .files()
                .filter(|file| is_scenario(file.path()))
                .map(|file| {
                    let text = String::from_utf8_lossy(file.contents()).into_owned();
                    SourceFile {
                        path: file.path().to_owned(),
                        text,
                    }
                }),
        );
    }
    files
}

/// The scenario files at these paths and below them, sorted, each once. A file is read whatever it
/// is called.
///
/// # Errors
/// A path that cannot be read. The message names it.
pub(crate) fn files_in(paths: &[PathBuf]) -> io::Result<Vec<SourceFile>> {
    let mut found = BTreeSet::new();
    let mut left: Vec<(PathBuf, bool)> = paths.iter().map(|path| (path.clone(), true)).collect();
    let mut entered = BTreeSet::new();
    while let Some((path, given)) = left.pop() {
        let about =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        if !fs::metadata(&path).map_err(about)?.is_dir() {
            if given || is_scenario(&path) {
                found.insert(path);
            }
            continue;
        }
        // A link may lead back to where we came from.
        if !entered.insert(path.canonicalize().map_err(about)?) {
            continue;
        }
        let client = path.file_name().is_some_and(|name| name == CLIENTS) && !given;
        for entry in fs::read_dir(&path).map_err(about)?.filter(|_| !client) {
            left.push((entry.map_err(about)?.path(), false));
        }
    }
    found.into_iter().map(read_file).collect()
}

fn read_file(path: PathBuf) -> io::Result<SourceFile> {
    use io::Read as _;
    let about =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    // One octet more than the grammar accepts is enough for its error.
    let limit = FILE_LIMIT as u64 + 1;
    let mut octets = Vec::new();
    fs::File::open(&path)
        .map_err(about)?
        .take(limit)
        .read_to_end(&mut octets)
        .map_err(about)?;
    let text = String::from_utf8_lossy(&octets).into_owned();
    Ok(SourceFile { path, text })
}

fn is_scenario(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == ENDING)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]
    use super::*;
    use rstest::rstest;

    const GOOD: &str =
        "+++\ntitle = \"a\"\ncites = [\"RFC 959 §1\"]\nlevel = \"may\"\n+++\n> NOOP\n< 200\n";

    #[rstest]
    #[case("rfc959", "rfc959/noop", true)]
    #[case("RFC959/", "rfc959/noop", true)]
    #[case("rfc959", "rfc9590/noop", false)]
    #[case("rfc3659/rest-*", "rfc3659/rest-retr", true)]
    #[case("rfc3659/rest-*", "rfc3659/size", false)]
    #[case("*retr", "rfc3659/rest-retr", true)]
    #[case("rest", "rfc3659/rest-retr", true)]
    #[case("rfc3659/rest", "rfc3659/rest-retr", true)]
    #[case("{rfc959,mfmt}/*", "mfmt/past", true)]
    #[case("[", "rfc959/noop", false)]
    #[case("stor", "rfc3659/rest-retr", false)]
    fn a_pattern_selects_by_glob_directory_or_part(
        #[case] pattern: &str,
        #[case] id: &str,
        #[case] selected: bool,
    ) {
        assert_eq!(selects(pattern, id), selected);
    }

    #[test]
    fn the_whole_id_of_a_scenario_selects_it_alone() {
        let suite = Suite::embedded();
        let selected = suite.select(&["rfc3659/feat-mlst".into()]);
        let ids: Vec<_> = selected.iter().map(|it| it.id.0.as_str()).collect();
        assert_eq!(ids, ["rfc3659/feat-mlst"]);
        assert!(suite.select(&["rfc3659/feat-ml".into()]).len() > 1);
    }

    #[test]
    fn a_broken_file_does_not_stop_the_others() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("scenarios");
        for (name, text) in [
            ("rfc1/b.ftpt", GOOD),
            ("rfc1/a.ftpt", GOOD),
            ("broken.ftpt", "nonsense"),
            ("README.md", "not a scenario"),
            ("client/c.ftpt", GOOD),
        ] {
            let path = below.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let suite = Suite::load(&[directory.path().to_owned(), below.join("rfc1/a.ftpt")]).unwrap();
        let ids: Vec<&str> = suite
            .scenarios
            .iter()
            .map(|scenario| scenario.id.0.as_str())
            .collect();
        assert_eq!(ids, ["rfc1/a", "rfc1/b"]);
        assert_eq!(suite.broken.len(), 1);
        assert!(suite.broken[0].path.ends_with("broken.ftpt"));
        assert!(suite.get("rfc1/a").is_some() && suite.get("rfc1").is_none());
        assert_eq!(suite.select(&["b".into()]).len(), 1);
        assert_eq!(suite.select(&[]).len(), 2);
    }

    #[test]
    fn a_path_that_is_not_there_is_named() {
        let error = Suite::load(&["no/such/file".into()]).unwrap_err();
        assert!(error.to_string().starts_with("no/such/file: "), "{error}");
    }

    #[test]
    fn the_embedded_suite_is_whole() {
        let suite = Suite::embedded();
        let broken: Vec<&str> = suite
            .broken
            .iter()
            .map(|broken| broken.path.as_str())
            .collect();
        assert!(broken.is_empty(), "{broken:?}");
        assert!(
            suite
                .scenarios
                .windows(2)
                .all(|pair| pair[0].id < pair[1].id)
        );
    }
}
