//! RFC 2640: LANG, the language of reply texts.

use super::world::World;
use super::{LOGIN, dialogue, link, logged_in, setup};
use ftpspec_server::wire::{ControlEvent, Language, VERBS};
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn replies_change_their_language_and_change_back() {
    dialogue(
        "C: LANG de / S: 200 Antworten sind auf Deutsch. / C: NOOP / S: 200 Es wurde nichts getan. / C: XYZZ / S: 500 Unbekannter Befehl.
         C: LANG en / S: 200 Replies are in English. / C: NOOP / S: 200 Nothing was done.
         C: LANG DE / S: 200 Antworten / C: LANG / S: 200 Replies are in English.",
    );
}

#[test]
fn sub_tags_are_served_by_their_primary_tag() {
    dialogue("C: LANG de-AT / S: 200 Antworten / C: lang en-GB / S: 200 Replies");
}

#[test]
fn other_languages_are_504_and_what_is_no_tag_501() {
    dialogue(
        "C: LANG de / S: 200 / C: LANG fr / S: 504 Diese Sprache / C: LANG 1! / S: 501 Ein Sprach / C: LANG abcdefghij / S: 501
         C: NOOP / S: 200 Es wurde nichts getan.",
    );
}

#[test]
fn feat_marks_the_language_in_force() {
    dialogue(
        "C: FEAT / S: 211 ~ \\r\\n LANG EN*;DE\\r\\n / C: LANG de / S: 200 / C: FEAT / S: 211 ~ \\r\\n LANG EN;DE*\\r\\n",
    );
}

#[test]
fn rein_speaks_english_again() {
    logged_in("C: LANG de / S: 200 / C: REIN / S: 220 Ready / C: FEAT / S: 211 ~  LANG EN*;DE");
}

#[test]
fn what_is_answered_later_and_during_a_transfer_is_translated_too() {
    logged_in(
        "C: LANG de / S: 200 / C: MKD n / S: 257 \"/n\" wurde angelegt. / C: DELE nosuch / S: 550 Datei oder Verzeichnis
         C: REST 3 / S: 350 Die n\\xc3\\xa4chste \\xc3\\x9cbertragung beginnt bei Oktett 3. / C: PASV / S: 227 Entering Passive Mode (
         B: LIST / S: 150 Hier kommt die Liste. / M: STAT / S: 211-Zustand von test.example ~  LIST, 42 Oktette bewegt / M: ABOR
         S: 426 Die \\xc3\\x9cbertragung wurde abgebrochen. / S: 226 Die",
    );
}

#[test]
fn help_explains_in_the_language_chosen() {
    dialogue("C: LANG de / S: 200 / C: HELP NOOP / S: 214 ~ \\r\\n Tut nichts.\\r\\n");
}

#[test]
fn codes_facts_and_listings_do_not_depend_on_the_language() {
    for line in [
        "PWD", "MLST a", "STAT d", "SIZE a", "SYST", "EPSV", "PASV", "MLST ", "TYPE Q",
    ] {
        // One world for both: what it shows of times is the same.
        let mut world = World::new(setup(), link());
        world.play(LOGIN);
        let mut said = |language: &str| {
            world.play(&format!("C: LANG {language} / S: 200"));
            let reply = world.receive(ControlEvent::Line(line.into())).remove(0);
            let lines: Vec<Vec<u8>> = reply.lines().map(<[u8]>::to_vec).collect();
            let between = lines[1..].split_last().map(|(_, between)| between.to_vec());
            (reply.code, between)
        };
        assert_eq!(said("en"), said("de"), "{line}");
    }
}

/// Reads the sources: texts given to `done`, `SyntaxError` and the like, and the sentences of HELP.
#[test]
fn every_text_has_a_german_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![root.join("wire/command.rs")];
    for entry in std::fs::read_dir(root.join("pi")).unwrap() {
        files.push(entry.unwrap().path());
    }
    let mut missing = BTreeSet::new();
    for file in files.iter().filter(|file| file.is_file()) {
        let source = std::fs::read_to_string(file).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        for opening in ["done(", "SyntaxError(", "fixed(", "plain("] {
            for call in source.split(opening).skip(1) {
                let call = &call[..call.find(");").unwrap_or(call.len()).min(200)];
                let Some(text) = call.split('"').nth(1) else {
                    continue;
                };
                if text.ends_with('.')
                    && !text.contains('{')
                    && Language::German.translated(text.as_bytes()).is_none()
                {
                    missing.insert(text.to_owned());
                }
            }
        }
    }
    for row in VERBS {
        if row.implemented && Language::German.translated(row.help.as_bytes()).is_none() {
            missing.insert(row.help.to_owned());
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
