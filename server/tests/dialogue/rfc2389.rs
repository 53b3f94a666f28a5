//! RFC 2389: FEAT and OPTS.

use super::world::World;
use super::{dialogue, link, logged_in, setup};
use ftpspec_server::internals::pi::{Setup, TlsPolicy};
use ftpspec_server::internals::wire::ControlEvent;

fn features(setup: Setup) -> Vec<String> {
    let mut world = World::new(setup, link());
    let said = world.receive(ControlEvent::Line(b"FEAT".to_vec()));
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].code.0, 211);
    let lines: Vec<String> = said[0]
        .lines()
        .map(|line| String::from_utf8(line.to_vec()).unwrap())
        .collect();
    assert_eq!(lines.last().map(String::as_str), Some("End"));
    lines[1..lines.len() - 1].to_vec()
}

#[test]
fn features_are_listed_as_their_documents_require() {
    assert_eq!(
        features(setup()),
        [
            " AUTH TLS",
            " AVBL",
            " CCC",
            " CLNT",
            " COMB",
            " CSID",
            " DSIZ",
            " EPRT",
            " EPSV",
            " HASH SHA-256*;SHA-512;SHA-1;MD5;CRC32;",
            " HOST",
            " LANG EN*;DE",
            " MD5",
            " MDTM",
            " MFCT",
            " MFF Modify;Create;UNIX.mode;",
            " MFMT",
            " MLST type*;size*;modify*;create*;perm*;unique*;UNIX.mode*;UNIX.owner;UNIX.group;charset;",
            " MMD5",
            " MODE Z",
            " PBSZ",
            " PROT",
            " RANG STREAM",
            " REST STREAM",
            " RMDA",
            " SIZE",
            " XCRC",
            " XMD5",
            " XSHA",
            " XSHA1",
            " XSHA256",
            " XSHA512",
            " TVFS",
            " UTF8",
        ]
    );
}

#[test]
fn what_is_not_offered_is_not_listed() {
    let lines = features(Setup {
        tls: TlsPolicy::Off,
        ..setup()
    });
    for absent in [" AUTH TLS", " PBSZ", " PROT", " CCC"] {
        assert!(!lines.iter().any(|line| line == absent), "{absent}");
    }
    let lines = features(Setup {
        allow_ccc: false,
        ..setup()
    });
    assert!(!lines.iter().any(|line| line == " CCC"));
}

#[test]
fn feat_takes_no_argument() {
    dialogue("C: FEAT x / S: 501 / C: feat / S: 211-");
}

#[test]
fn options_of_what_has_none_are_501() {
    dialogue(
        "C: OPTS / S: 501 / C: OPTS NOSUCH x / S: 501 / C: OPTS FEAT / S: 501 / C: OPTS OPTS / S: 501 / C: OPTS MLSD type; / S: 501",
    );
}

#[test]
fn utf8_is_always_on() {
    dialogue(
        "C: OPTS UTF8 ON / S: 200 / C: opts utf8 on / S: 200 / C: OPTS UTF8 / S: 200 / C: OPTS UTF8 OFF / S: 200 / C: OPTS UTF8 X / S: 501",
    );
}

#[test]
fn the_marks_follow_the_options() {
    logged_in(
        "C: OPTS MLST type; / S: 200 MLST OPTS type;\\r\\n / C: FEAT / S: 211 ~  MLST type*;size;modify;create;perm;unique;UNIX.mode;UNIX.owner;UNIX.group;charset;\\r\\n
         C: OPTS HASH sha-512 / S: 200 SHA-512 / C: FEAT / S: 211 ~  HASH SHA-256;SHA-512*;SHA-1;MD5;CRC32;\\r\\n",
    );
}
