//! The module graph of this crate has no cycles: modules beside each other import one way only, so
//! that each can be read without those that use it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use regex::Regex;

/// Folders with cycles that are being removed.
const EXEMPT: [&str; 2] = ["command", "cli"];

/// The path of a module below the crate, as in `["transcript", "file"]`.
type Module = Vec<String>;

/// The code of every module without comments, texts and tests.
fn modules(folder: &Path, at: &Module, found: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut module = at.clone();
        let is_root = at.is_empty() && matches!(name.as_str(), "lib" | "main");
        if !matches!(name.as_str(), "mod") && !is_root {
            module.push(name.clone());
        }
        if matches!(name.as_str(), "tests" | "testing" | "claims") {
            continue;
        }
        if path.is_dir() {
            modules(&path, &module, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.insert(module, code(&fs::read_to_string(&path).unwrap()));
        }
    }
}

fn code(text: &str) -> String {
    let lines = text
        .lines()
        .take_while(|line| !line.starts_with("mod tests {"));
    let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
    let text = lines.collect::<Vec<_>>().join("\n");
    let texts = Regex::new(r#""(?:[^"\\]|\\.)*""#).unwrap();
    texts.replace_all(&text, "\"\"").into_owned()
}

/// The paths that a `use` names, braces resolved.
fn expanded(path: &str) -> Vec<String> {
    let Some((start, inside)) = path.split_once('{') else {
        return vec![path.trim().to_owned()];
    };
    let inside = inside.trim_end().strip_suffix('}').unwrap_or(inside);
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for letter in inside.chars() {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        match letter {
            ',' if depth == 0 => parts.push(String::new()),
            other => parts.last_mut().unwrap().push(other),
        }
    }
    let parts = parts.iter().map(|part| part.trim());
    let parts = parts.filter(|part| !part.is_empty());
    let paths = parts.map(|part| format!("{}{part}", start.trim()));
    paths.flat_map(|path| expanded(&path)).collect()
}

fn uses(text: &str) -> impl Iterator<Item = (bool, String)> + use<> {
    let pattern = Regex::new(r"(?m)^\s*(pub(?:\([a-z]+\))?\s+)?use\s+([^;]+);").unwrap();
    let found: Vec<_> = pattern
        .captures_iter(text)
        .flat_map(|found| {
            let is_public = found.get(1).is_some();
            let paths = expanded(&found[2].replace('\n', " "));
            paths.into_iter().map(move |path| (is_public, path))
        })
        .collect();
    found.into_iter()
}

struct Graph {
    modules: BTreeMap<Module, String>,
    /// The module that a name is re-exported from.
    exported: BTreeMap<(Module, String), Module>,
}

impl Graph {
    fn of(modules: BTreeMap<Module, String>) -> Self {
        let mut graph = Self {
            modules,
            exported: BTreeMap::new(),
        };
        for (module, text) in &graph.modules {
            for (_, path) in uses(text).filter(|(is_public, _)| *is_public) {
                let (from, name) = path.rsplit_once("::").unwrap_or(("", &path));
                if let Some(from) = graph.resolved(module, &format!("{from}::{name}"))
                    && from != *module
                {
                    let name = (module.clone(), name.to_owned());
                    graph.exported.insert(name, from);
                }
            }
        }
        graph
    }

    /// The module that a path leads to; `None` outside of this crate.
    fn resolved(&self, from: &Module, path: &str) -> Option<Module> {
        let mut parts: Vec<&str> = path.split("::").map(str::trim).collect();
        let mut at = match parts[0] {
            "crate" => Module::new(),
            "self" => from.clone(),
            "super" => from[..from.len().checked_sub(1)?].to_vec(),
            first => {
                let mut child = from.clone();
                child.push(first.to_owned());
                self.modules.contains_key(&child).then(|| from.clone())?
            }
        };
        if matches!(parts[0], "crate" | "self" | "super") {
            parts.remove(0);
        }
        for part in parts {
            if part == "super" {
                at.pop()?;
                continue;
            }
            let name = (at.clone(), part.to_owned());
            at.push(part.to_owned());
            if !self.modules.contains_key(&at) {
                at.pop();
                return Some(self.exported.get(&name).cloned().unwrap_or(at));
            }
        }
        Some(at)
    }

    /// For each folder: which of the modules in it names which other.
    fn siblings(&self) -> BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> {
        let inline = Regex::new(r"\b(?:crate|super)(?:::\w+)+").unwrap();
        let mut edges: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for (module, text) in &self.modules {
            let private = uses(text).filter(|(is_public, _)| !is_public);
            let without_uses = Regex::new(r"(?m)^\s*(?:pub(?:\([a-z]+\))?\s+)?use\s+[^;]+;");
            let rest = without_uses.unwrap().replace_all(text, "").into_owned();
            let inline = inline.find_iter(&rest).map(|it| it.as_str().to_owned());
            for path in private.map(|(_, path)| path).chain(inline) {
                let Some(target) = self.resolved(module, &path) else {
                    continue;
                };
                let common = module.iter().zip(&target).take_while(|(a, b)| a == b);
                let common = common.count();
                if let (Some(from), Some(to)) = (module.get(common), target.get(common)) {
                    let folder = edges.entry(module[..common].to_vec()).or_default();
                    folder.entry(from.clone()).or_default().insert(to.clone());
                }
            }
        }
        edges
    }
}

/// The modules from which no order can be made, if there are some.
fn cycle(edges: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut left: BTreeSet<String> = edges.keys().cloned().collect();
    loop {
        let names = |name: &String| edges[name].iter().any(|to| left.contains(to));
        let free: Vec<_> = left.iter().filter(|it| !names(it)).cloned().collect();
        if free.is_empty() {
            return left;
        }
        for name in free {
            left.remove(&name);
        }
    }
}

fn cycles(modules: BTreeMap<Module, String>) -> Vec<String> {
    let folders = Graph::of(modules).siblings().into_iter();
    let folders = folders.filter(|(folder, _)| {
        !EXEMPT
            .iter()
            .any(|it| folder.starts_with(&[(*it).to_owned()]))
    });
    folders
        .map(|(folder, edges)| (folder, cycle(&edges)))
        .filter(|(_, cycle)| !cycle.is_empty())
        .map(|(folder, cycle)| format!("in `{}`: {cycle:?}", folder.join("/")))
        .collect()
}

#[test]
fn modules_import_one_way_only() {
    let mut found = BTreeMap::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    modules(&root, &Module::new(), &mut found);
    let cycles = cycles(found);
    assert!(cycles.is_empty(), "{}", cycles.join("\n"));
}

#[test]
fn a_cycle_is_found_through_re_exports_and_braces() {
    let module = |path: &str, text: &str| {
        let path = path
            .split('/')
            .filter(|it| !it.is_empty())
            .map(str::to_owned);
        (path.collect::<Module>(), code(text))
    };
    let mut all = BTreeMap::from([
        module("a", "mod x;\nmod y;\npub use x::X;\n"),
        module("a/x", "use crate::b::{B, c::{C}};\nstruct X;\n"),
        module("a/y", "use super::X;\n"),
        module("b", "mod c;\n"),
        module("b/c", "struct C;\n// use crate::a;\n"),
    ]);
    assert_eq!(cycles(all.clone()), [""; 0]);
    all.extend([module("b/c", "fn c() {\n    crate::a::X;\n}\n")]);
    assert_eq!(cycles(all), ["in ``: {\"a\", \"b\"}"]);
}
