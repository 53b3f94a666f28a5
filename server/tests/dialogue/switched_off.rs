//! Every verb can be switched off, and is then as if it did not exist.

use super::world::World;
use super::{LOGIN, dialogue, link, setup};
use ftpspec_server::internals::pi::Setup;
use ftpspec_server::internals::wire::{ControlEvent, Feature, VERBS, Verb, VerbSet};

fn without(verbs: &[Verb]) -> World {
    let disabled: VerbSet = verbs.iter().copied().collect();
    World::new(
        Setup {
            disabled,
            ..setup()
        },
        link(),
    )
}

/// The lines of a reply without the first and the last.
fn between(world: &mut World, line: &str) -> Vec<String> {
    let said = world.receive(ControlEvent::Line(line.as_bytes().to_vec()));
    let lines: Vec<String> = said[0]
        .lines()
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    lines[1..lines.len() - 1].to_vec()
}

fn names(lines: &[String], name: &str) -> bool {
    lines
        .iter()
        .any(|line| line.split_whitespace().any(|word| word == name))
}

#[test]
fn each_verb_is_502_before_and_after_the_login() {
    for row in VERBS {
        for argument in ["", " a", " 20020717210715 a", " 0", " TLS"] {
            let mut world = without(&[row.verb]);
            world.play(&format!("C: {}{argument} / S: 502", row.name));
            if !matches!(row.verb, Verb::User | Verb::Pass) {
                world.play(LOGIN);
                world.play(&format!("C: {}{argument} / S: 502", row.name));
            }
        }
    }
}

#[test]
fn feat_and_help_name_each_verb_until_it_is_switched_off() {
    for row in VERBS.iter().filter(|row| row.implemented) {
        let mut on = without(&[]);
        let mut off = without(&[row.verb]);
        if row.verb != Verb::Help {
            assert!(names(&between(&mut on, "HELP"), row.name), "{}", row.name);
            assert!(!names(&between(&mut off, "HELP"), row.name), "{}", row.name);
            on.play(&format!("C: HELP {} / S: 214", row.name));
            off.play(&format!("C: HELP {} / S: 501", row.name));
        }
        if row.verb != Verb::Feat && row.feature != Feature::Unlisted {
            let (on, off) = (between(&mut on, "FEAT"), between(&mut off, "FEAT"));
            assert_eq!(off.len() + 1, on.len(), "{}", row.name);
            assert!(off.iter().all(|line| on.contains(line)), "{}", row.name);
        }
    }
}

#[test]
fn without_site_there_is_no_help_about_it() {
    without(&[Verb::Site]).play("C: HELP SITE / S: 501 / C: SITE HELP / S: 502");
}

#[test]
fn options_of_what_is_switched_off_are_gone() {
    without(&[Verb::Hash]).play("C: OPTS HASH MD5 / S: 501 / C: OPTS MLST size; / S: 200");
    without(&[Verb::Mlst]).play("C: OPTS MLST size; / S: 200");
    without(&[Verb::Mlst, Verb::Mlsd]).play("C: OPTS MLST size; / S: 501");
    dialogue("C: OPTS HASH MD5 / S: 200");
}

#[test]
fn a_verb_switched_off_forgets_what_was_pending() {
    let mut world = without(&[Verb::Clnt]);
    world.play(LOGIN);
    world.play("C: RNFR a / S: 350 / C: CLNT x / S: 502 / C: RNTO b / S: 503");
}

#[test]
fn abor_switched_off_waits_for_the_end_of_the_transfer() {
    let mut world = without(&[Verb::Abor]);
    world.play(LOGIN);
    world.play(
        "C: PASV / S: 227 / B: RETR a / S: 150 / M: ABOR / N: / E: complete / S: 226 / S: 502",
    );
}
