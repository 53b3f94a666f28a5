//! How a corpus is replayed: what `tests/fuzz_corpus.rs` of both crates do.

use crate::laws::Law;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// Puts every file of `corpus/NAME` through the law of that name.
///
/// # Panics
/// With the names of the files that break their law, and with that of a law that has no files.
pub(crate) fn every_file_obeys_its_law(fuzz: &Path, laws: &[Law]) {
    let mut broken = Vec::new();
    for (name, law) in laws {
        let files = children(&fuzz.join("corpus").join(name));
        assert!(!files.is_empty(), "the target {name} has no corpus");
        for file in files {
            let data = fs::read(&file).unwrap();
            // The panic itself is on stderr.
            if catch_unwind(|| law(&data)).is_err() {
                broken.push(file.display().to_string());
            }
        }
    }
    assert!(broken.is_empty(), "broken by\n{}", broken.join("\n"));
}

/// The same with some octets of a file replaced: a little fuzzing in every test run. Large files
/// take too long for that.
///
/// # Panics
/// With the damage that breaks a law.
pub(crate) fn damaged_files_obey_it_too(fuzz: &Path, laws: &[Law]) {
    for (name, law) in laws {
        let files: Vec<Vec<u8>> = children(&fuzz.join("corpus").join(name))
            .iter()
            .map(|file| fs::read(file).unwrap())
            .filter(|data| (1..=1024).contains(&data.len()))
            .collect();
        let damage = prop::collection::vec(any::<(Index, u8)>(), 1..6);
        let mut runner = TestRunner::new(Config {
            cases: 64,
            failure_persistence: None,
            ..Config::default()
        });
        let outcome = runner.run(&(any::<Index>(), damage), |(file, damage)| {
            let mut data = file.get(&files).clone();
            for (at, octet) in damage {
                *at.get_mut(&mut data) = octet;
            }
            law(&data);
            Ok(())
        });
        assert!(outcome.is_ok(), "{name}: {outcome:?}");
    }
}

/// Each law has a target that tries it, and a corpus.
///
/// # Panics
/// If one of the three is missing, or has no business there.
pub(crate) fn laws_targets_and_corpora_go_together(fuzz: &Path, laws: &[Law]) {
    let laws: BTreeSet<String> = laws.iter().map(|(name, _)| (*name).into()).collect();
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let targets: BTreeSet<String> = manifest["bin"]
        .as_array()
        .unwrap()
        .iter()
        .map(|target| target["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(targets, laws);
    for name in &targets {
        let source = fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(
            source.contains(&format!("::{name}(data)")),
            "the target {name} tries another law"
        );
    }
    let corpora: BTreeSet<String> = children(&fuzz.join("corpus"))
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(corpora, laws);
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let Ok(children) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut children: Vec<_> = children.map(|child| child.unwrap().path()).collect();
    children.sort();
    children
}
