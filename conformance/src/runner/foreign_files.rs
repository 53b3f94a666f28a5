//! A run changes nothing that was on a server before, whatever faults that server has.
//!
//! Each server here has one fault and holds files under every name that the scenarios use, in the
//! login directory and elsewhere. Scenarios that store, rename and remove are played against it one
//! by one, without the prerequisites that would keep most of them from being played: each has to be
//! safe by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;

use super::testing::{Fake, FileFault, play_options};
use super::{Job, Stop, play};
use crate::scenario::{Action, Scenario, UserStep, Variant};
use crate::suite::Suite;

/// The scenarios that are played: each stores, renames or removes something.
const PLAYED: [&str; 4] = [
    "rfc959/{appe,stor-re,dele,rmd,mkd,rename,rn,directories,two-sessions,list-names}*",
    "rfc959/{rein-forgets-the-w,directory-not-renamed-into-itself,refused-before-login}*",
    "rfc1123/{several-commands,nlst-names}*",
    "user/{append,directories,rename,delete}*",
];

fn scenarios() -> Vec<Arc<Scenario>> {
    let suite = Suite::embedded();
    let played = suite.select(&PLAYED.map(str::to_owned));
    played.into_iter().cloned().map(Arc::new).collect()
}

/// The names that these scenarios give to files, and those they give to directories.
fn names(scenarios: &[Arc<Scenario>]) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut files, mut directories) = (BTreeSet::new(), BTreeSet::new());
    let steps = scenarios.iter().flat_map(|scenario| &scenario.steps);
    for step in steps {
        match &step.action {
            Action::Send(line) => match line.split_once(' ') {
                Some(("STOR" | "APPE" | "DELE" | "RNFR" | "RNTO", name)) => {
                    files.insert(name.to_owned());
                }
                Some(("RMD" | "MKD" | "CWD", name)) => {
                    directories.insert(name.to_owned());
                }
                _ => {}
            },
            Action::User { step, .. } => match step {
                UserStep::Put(name, _) | UserStep::Append(name, _) | UserStep::Delete(name) => {
                    files.insert(name.clone());
                }
                UserStep::Rename(from, to) => files.extend([from.clone(), to.clone()]),
                UserStep::Mkdir(name) | UserStep::Rmdir(name) => {
                    directories.insert(name.clone());
                }
                _ => {}
            },
            _ => {}
        }
    }
    let is_plain = |name: &String| !name.contains(['/', '$', '\r', '\0']) && !name.contains("..");
    files.retain(is_plain);
    directories.retain(|name| is_plain(name) && !files.contains(name));
    (files, directories)
}

/// Files that exist on the server before the run.
fn existing_files(scenarios: &[Arc<Scenario>]) -> BTreeMap<String, Option<Vec<u8>>> {
    let (files, directories) = names(scenarios);
    assert!(files.len() > 10 && directories.len() > 5, "names are found");
    let mut all = BTreeMap::from([("/elsewhere".to_owned(), None)]);
    for place in ["", "/elsewhere"] {
        for name in files.iter().map(String::as_str).chain(["precious.txt"]) {
            let path = format!("{place}/{name}");
            all.insert(path.clone(), Some(path.into_bytes()));
        }
        for name in &directories {
            all.insert(format!("{place}/{name}"), None);
        }
    }
    all
}

#[rstest]
#[case::right(FileFault::None, true)]
#[case::constant_pwd(FileFault::ConstantPwd, true)]
#[case::cwd_goes_nowhere(FileFault::CwdGoesNowhere, false)]
#[case::cwd_goes_elsewhere(FileFault::CwdGoesElsewhere, false)]
#[case::cwd_for_its_maker_only(FileFault::CwdForItsMakerOnly, false)]
#[case::mkd_makes_nothing(FileFault::MkdMakesNothing, false)]
#[case::no_directories(FileFault::NoDirectories, false)]
#[case::flat(FileFault::Flat, false)]
#[case::listing_of_elsewhere(
    FileFault::Listing("type=file; precious.txt\r\ntype=dir; elsewhere\r\nprecious.txt\r\n"),
    true
)]
#[case::listing_that_leads_up(
    FileFault::Listing(
        "type=file; ../precious.txt\r\ntype=dir; ..\r\ntype=file; /precious.txt\r\n../a.bin\r\n"
    ),
    true
)]
#[case::listing_with_commands(
    FileFault::Listing("type=file; x\rDELE /precious.txt\r\ntype=file; x\0DELE /precious.txt\r\n"),
    true
)]
#[case::absolute_nlst(FileFault::AbsoluteNlst, true)]
#[case::case_blind(FileFault::CaseBlind, true)]
#[case::rmd_removes_trees(FileFault::RmdRemovesTrees, true)]
#[tokio::test]
async fn no_existing_file_is_changed(#[case] fault: FileFault, #[case] is_played: bool) {
    let scenarios = scenarios();
    let existing = existing_files(&scenarios);
    let server = Fake::with_fault(fault, existing.clone()).await;
    let (mut reasons, mut played_whole) = (BTreeSet::new(), 0);
    let mut options = play_options();
    let patience = Duration::from_millis(250);
    options.timeouts.reply = patience;
    options.timeouts.data = patience;
    options.deadline = Duration::from_secs(2);
    for (number, scenario) in scenarios.into_iter().enumerate() {
        let logs_in = scenario.about.login;
        let id = scenario.id.clone();
        let job = Job {
            number,
            scenario,
            variant: Variant::PLAIN,
        };
        let played = play(job, &server.target, &options).await;
        let changed = |(path, node): &(&String, _)| server.at(path).as_ref() != Some(*node);
        if let Some((path, _)) = existing.iter().find(changed) {
            let dialogue = played.transcript.events.iter();
            let lines: Vec<_> = dialogue.flat_map(crate::transcript::lines).collect();
            panic!("{id} changed {path}:\n{}", lines.join("\n"));
        }
        match played.stop {
            None => played_whole += 1,
            Some(Stop::Prerequisite(why)) if logs_in => drop(reasons.insert(why)),
            Some(_) => {}
        }
    }
    if is_played {
        assert!(played_whole > 10, "{played_whole}: {reasons:?}");
    } else {
        assert_eq!(reasons.len(), 1, "one reason for all: {reasons:?}");
    }
    // With wrong listings the clean-up cannot find everything.
    if !matches!(fault, FileFault::Listing(_)) {
        let mut left = server.has();
        left.retain(|path| !existing.contains_key(path));
        assert!(left.is_empty(), "{left:?}");
    }
}

/// A scenario must not change anything outside its directory.
#[test]
fn no_scenario_stores_or_removes_by_a_pathname_outside_its_directory() {
    const CHANGES: [&str; 12] = [
        "STOR", "APPE", "DELE", "RMD", "XRMD", "MKD", "XMKD", "RNTO", "MFMT", "MFCT", "MFF", "RMDA",
    ];
    for scenario in Suite::embedded().scenarios {
        for step in &scenario.steps {
            let Action::Send(line) = &step.action else {
                continue;
            };
            let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
            if !CHANGES.iter().any(|it| it.eq_ignore_ascii_case(verb)) {
                continue;
            }
            let leads_out = argument.starts_with('/')
                || argument.starts_with("${") && !argument.starts_with("${dir}/")
                || argument.split('/').any(|name| name == "..");
            assert!(!leads_out, "{}: {line}", scenario.id);
        }
    }
}
