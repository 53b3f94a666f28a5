//! Every file of the fuzz corpora, through its law. `server/fuzz/README.md` describes their origin.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

#[path = "../fuzz/laws/mod.rs"]
pub mod laws;
#[path = "../../server/fuzz/replay.rs"]
mod replay;

use laws::LAWS;
use std::path::Path;

const FUZZ: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz");

#[test]
fn every_file_of_the_corpora_obeys_its_law() {
    replay::every_file_obeys_its_law(Path::new(FUZZ), LAWS);
}

#[test]
fn damaged_files_of_the_corpora_obey_it_too() {
    replay::damaged_files_obey_it_too(Path::new(FUZZ), LAWS);
}

#[test]
fn laws_targets_and_corpora_go_together() {
    replay::laws_targets_and_corpora_go_together(Path::new(FUZZ), LAWS);
}
