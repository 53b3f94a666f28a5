//! The module graph of a crate: which module uses which, read from its sources.
//!
//! At every level the sibling modules must form an acyclic graph, each taken with everything below
//! it. A module may use its own parent, and a parent its children: those are one unit. A name that
//! a module re-exports counts as used from where it is defined.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree, Visibility};

/// A module by its names below the crate; the root has none.
type Module = Vec<String>;

/// Modules that only tests have.
const TESTS: [&str; 3] = ["tests", "testing", "fuzzing"];

/// Every cycle among sibling modules of the crate with this `src` folder, with an example of each
/// use.
pub(crate) fn cycles(src: &Path) -> Vec<String> {
    let mut sources = BTreeMap::new();
    read(src, &mut Vec::new(), &mut sources);
    cycles_among(&sources)
}

/// The same for modules given as text.
pub(crate) fn cycles_among(sources: &BTreeMap<Module, String>) -> Vec<String> {
    let graph = Graph::of(sources);
    graph
        .levels()
        .iter()
        .flat_map(|level| level.cycles())
        .collect()
}

fn read(folder: &Path, module: &mut Module, sources: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if TESTS.contains(&stem.as_str()) {
            continue;
        }
        if path.is_dir() {
            module.push(stem);
            read(&path, module, sources);
            module.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let mut name = module.clone();
            if !matches!(stem.as_str(), "mod" | "lib" | "main") {
                name.push(stem.clone());
            }
            if stem != "main" {
                sources.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
}

/// What one file names.
#[derive(Default)]
struct Names {
    /// Paths it uses.
    used: BTreeSet<Vec<String>>,
    /// Re-exported names and their paths.
    exported: Vec<(String, Vec<String>)>,
}

impl Names {
    fn of(text: &str) -> Self {
        let mut names = Self::default();
        names.visit_file(&syn::parse_file(text).unwrap());
        names
    }

    fn tree(&mut self, before: &[String], tree: &UseTree, exported: bool) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            UseTree::Path(path) => {
                self.tree(&with(path.ident.to_string()), &path.tree, exported);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(before, tree, exported);
                }
            }
            UseTree::Name(name) => self.name(
                name.ident.to_string(),
                with(name.ident.to_string()),
                exported,
            ),
            UseTree::Rename(rename) => {
                self.name(
                    rename.rename.to_string(),
                    with(rename.ident.to_string()),
                    exported,
                );
            }
            UseTree::Glob(_) => self.name("*".into(), before.to_vec(), exported),
        }
    }

    fn name(&mut self, name: String, path: Vec<String>, exported: bool) {
        if exported {
            self.exported.push((name, path));
        } else {
            self.used.insert(path);
        }
    }
}

fn only_for_tests(attributes: &[Attribute]) -> bool {
    let is_cfg = |it: &&Attribute| it.path().is_ident("cfg");
    let mut conditions = attributes
        .iter()
        .filter(is_cfg)
        .map(|it| it.parse_args::<syn::Ident>());
    conditions.any(|condition| condition.is_ok_and(|it| it == "test" || it == "doctest"))
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(it) => &it.attrs,
            Item::Fn(it) => &it.attrs,
            Item::Use(it) => &it.attrs,
            Item::Impl(it) => &it.attrs,
            Item::Struct(it) => &it.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !only_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        visit::visit_item_mod(self, module);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let exported = !matches!(item.vis, Visibility::Inherited);
        self.tree(&[], &item.tree, exported);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path
            .segments
            .iter()
            .map(|it| it.ident.to_string())
            .collect();
        if matches!(names[0].as_str(), "crate" | "super" | "self") && names.len() > 1 {
            self.used.insert(names);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let text = call.tokens.to_string().replace(' ', "");
        let part_of_a_path = |letter: char| !(letter.is_alphanumeric() || "_:".contains(letter));
        for word in text.split(part_of_a_path) {
            let path: Vec<String> = word.split("::").map(str::to_owned).collect();
            if matches!(path[0].as_str(), "crate" | "super") && path.len() > 1 {
                self.used.insert(path);
            }
        }
        visit::visit_macro(self, call);
    }
}

struct Graph {
    modules: BTreeSet<Module>,
    /// Names that a module re-exports, and where they are from.
    exported: BTreeMap<(Module, String), Module>,
    /// From, to, and the path that was written.
    edges: BTreeSet<(Module, Module, String)>,
}

impl Graph {
    fn of(sources: &BTreeMap<Module, String>) -> Self {
        let names: BTreeMap<&Module, Names> = sources
            .iter()
            .map(|(module, text)| (module, Names::of(text)))
            .collect();
        let mut graph = Self {
            modules: sources.keys().cloned().collect(),
            exported: BTreeMap::new(),
            edges: BTreeSet::new(),
        };
        // A re-export of a re-export is known after another round.
        for _ in 0..3 {
            for (module, names) in &names {
                for (name, path) in &names.exported {
                    if let Some(origin) = graph.resolve(module, path)
                        && origin != **module
                    {
                        graph
                            .exported
                            .insert(((*module).clone(), name.clone()), origin);
                    }
                }
            }
        }
        for (module, names) in &names {
            for path in &names.used {
                if let Some(origin) = graph.resolve(module, path) {
                    graph
                        .edges
                        .insert(((*module).clone(), origin, path.join("::")));
                }
            }
        }
        graph
    }

    /// The module in which what a path names is defined; `None` if it is of another crate.
    fn resolve(&self, from: &Module, path: &[String]) -> Option<Module> {
        let mut module = from.clone();
        let mut rest = path;
        match path[0].as_str() {
            "crate" => {
                module.clear();
                rest = &rest[1..];
            }
            "super" | "self" => {
                while let Some(step @ ("super" | "self")) = rest.first().map(String::as_str) {
                    if step == "super" {
                        module.pop();
                    }
                    rest = &rest[1..];
                }
            }
            first
                if self
                    .modules
                    .contains(&[&module[..], &[first.to_owned()]].concat()) => {}
            _ => return None,
        }
        for name in rest {
            let child = [&module[..], std::slice::from_ref(name)].concat();
            if self.modules.contains(&child) {
                module = child;
            } else {
                let origin = self.exported.get(&(module.clone(), name.clone()));
                return Some(origin.cloned().unwrap_or(module));
            }
        }
        Some(module)
    }

    /// The graph of the children of every module.
    fn levels(&self) -> Vec<Level> {
        let mut levels: BTreeMap<Module, Level> = BTreeMap::new();
        for (from, to, path) in &self.edges {
            let shared = from
                .iter()
                .zip(to)
                .take_while(|(one, other)| one == other)
                .count();
            if shared < from.len() && shared < to.len() {
                let parent = from[..shared].to_vec();
                let level = levels.entry(parent.clone()).or_insert_with(|| Level {
                    parent,
                    uses: BTreeMap::new(),
                });
                let example = format!("{} uses {path}", from.join("::"));
                let uses = level.uses.entry(from[shared].clone()).or_default();
                uses.entry(to[shared].clone()).or_insert(example);
            }
        }
        levels.into_values().collect()
    }
}

/// The children of a module and what they use of each other.
struct Level {
    parent: Module,
    uses: BTreeMap<String, BTreeMap<String, String>>,
}

impl Level {
    /// The shortest cycle through each module that is on one; each cycle once.
    fn cycles(&self) -> Vec<String> {
        let mut found = BTreeMap::new();
        for start in self.uses.keys() {
            if let Some(cycle) = self.shortest_cycle(start) {
                let members: BTreeSet<&String> = cycle.iter().collect();
                found
                    .entry(members.into_iter().cloned().collect::<Vec<_>>())
                    .or_insert(cycle);
            }
        }
        found
            .into_values()
            .map(|cycle| self.described(&cycle))
            .collect()
    }

    fn shortest_cycle(&self, start: &str) -> Option<Vec<String>> {
        let mut paths = std::collections::VecDeque::from([vec![start.to_owned()]]);
        let mut seen = BTreeSet::new();
        while let Some(path) = paths.pop_front() {
            for next in self
                .uses
                .get(path.last().unwrap())
                .into_iter()
                .flat_map(BTreeMap::keys)
            {
                if next == start {
                    return Some(path);
                }
                if seen.insert(next.clone()) {
                    paths.push_back([&path[..], std::slice::from_ref(next)].concat());
                }
            }
        }
        None
    }

    fn described(&self, cycle: &[String]) -> String {
        let next = cycle.iter().skip(1).chain(cycle.first());
        let uses = cycle
            .iter()
            .zip(next)
            .map(|(from, to)| &self.uses[from][to]);
        let uses: Vec<String> = uses.map(|example| format!("\n    {example}")).collect();
        let parent = if self.parent.is_empty() {
            "the crate".into()
        } else {
            self.parent.join("::")
        };
        format!("cycle in {parent}: {}{}", cycle.join(" -> "), uses.concat())
    }
}

#[test]
fn a_cycle_is_found_at_its_level_and_through_re_exports() {
    let sources = |texts: &[(&str, &str)]| {
        let module = |name: &str| {
            name.split("::")
                .filter(|it| !it.is_empty())
                .map(str::to_owned)
                .collect()
        };
        texts
            .iter()
            .map(|(name, text)| (module(name), (*text).to_owned()))
            .collect()
    };
    let acyclic = [
        ("", "mod a; mod b;"),
        ("a", "mod x; pub use x::X; use crate::b::B;"),
        ("a::x", "use super::Y; pub struct X;"),
        (
            "b",
            "#[cfg(test)] mod tests { use crate::a::X; } pub struct B;",
        ),
    ];
    assert_eq!(cycles_among(&sources(&acyclic)), [""; 0]);
    let mut cyclic = acyclic;
    cyclic[3].1 = "fn f() { println!(\"{}\", crate::a::X); }";
    let found = cycles_among(&sources(&cyclic));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("cycle in the crate: a -> b\n"),
        "{found:?}"
    );
    let siblings = [
        ("a", "mod x; mod y; pub use x::X; pub use y::Y;"),
        ("a::x", "use super::Y;"),
        ("a::y", "use super::X;"),
    ];
    assert!(cycles_among(&sources(&siblings))[0].starts_with("cycle in a: x -> y\n"));
}
