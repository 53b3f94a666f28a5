//! RFC 2640: LANG, the language of reply texts.

use super::{LOGIN, dialogue, logged_in};
use ftpspec_server::internals::wire::ControlEvent;
use std::fs;
use std::path::Path;

#[test]
fn replies_change_their_language_and_change_back() {
    dialogue(
        "C: LANG de / S: 200 Antworten sind auf Deutsch. / C: NOOP / S: 200 Befehl / C: XYZZ / S: 500 Unbekannter Befehl.
         C: LANG en / S: 200 Replies are in English. / C: NOOP / S: 200 Command okay.
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
         C: NOOP / S: 200 Befehl",
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
    logged_in("C: LANG de / S: 200 / C: REIN / S: 220 Service / C: FEAT / S: 211 ~  LANG EN*;DE");
}

#[test]
fn replies_given_later_and_during_a_transfer_are_translated_too() {
    logged_in(
        "C: LANG de / S: 200 / C: DELE nosuch / S: 550 Datei oder Verzeichnis / C: PASV / S: 227 Entering Passive Mode (
         B: LIST / S: 150 Hier kommt die Liste. / M: STAT / S: 211-Status ~  LIST, 42 octets
         M: ABOR / S: 426 Die \\xc3\\x9cbertragung wurde abgebrochen. / S: 226 Die",
    );
}

#[test]
fn codes_facts_and_listings_do_not_depend_on_the_language() {
    for line in [
        "PWD", "MLST a", "STAT d", "SIZE a", "SYST", "EPSV", "PASV", "MLST ", "TYPE Q",
    ] {
        // One world for both, so that times are the same.
        let mut world = dialogue(LOGIN);
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

/// Otherwise a reply text that is changed would lose its translation unnoticed.
#[test]
fn every_translated_text_is_a_text_of_the_sources() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = fs::read_to_string(src.join("wire/command.rs")).unwrap();
    for entry in fs::read_dir(src.join("pi")).unwrap() {
        sources += &fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    let german = fs::read_to_string(src.join("wire/german.txt")).unwrap();
    for line in german.lines() {
        let (english, _) = line.split_once(" = ").unwrap();
        assert!(sources.contains(&format!("\"{english}\"")), "{english}");
    }
}
