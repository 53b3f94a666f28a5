//! RFC 959: the greeting, the login, parameters, files and services.

use super::world::World;
use super::{LOGIN, READER, dialogue, limited, link, logged_in, logged_in_to, setup};
use ftpspec_server::internals::pi::{Control, Setup, TlsPolicy};
use ftpspec_server::internals::wire::{ControlEvent, Verb, VerbSet};

fn greeting(text: &str) -> String {
    let setup = Setup {
        greeting: text.into(),
        ..setup()
    };
    let mut octets = Vec::new();
    let world = World::new(setup, link());
    world.session.greeting().encode(&mut octets);
    String::from_utf8(octets).unwrap()
}

#[test]
fn the_greeting_is_220() {
    assert_eq!(greeting("Hello."), "220 Hello.\r\n");
    assert_eq!(greeting(""), "220 \r\n");
    assert_eq!(
        greeting("One.\nTwo.\nThree."),
        "220-One.\r\nTwo.\r\n220 Three.\r\n"
    );
}

#[test]
fn verbs_are_taken_in_any_case() {
    dialogue("C: nOoP / S: 200 / C: user test / S: 331 / C: Pass secret / S: 230");
}

#[test]
fn a_line_that_is_not_a_command_is_500() {
    dialogue("C: XYZZ / S: 500 / C: / S: 500 / C:  NOOP / S: 500 / C: NOOP / S: 200");
}

#[test]
fn what_is_known_but_not_done_is_502() {
    logged_in("C: LPSV / S: 502 / C: LPRT x / S: 502 / C: THMB JPG 9 9 a / S: 502");
}

#[test]
fn a_verb_that_is_switched_off_is_502_and_not_named() {
    let setup = Setup {
        disabled: [Verb::Mdtm, Verb::Noop].into_iter().collect::<VerbSet>(),
        ..setup()
    };
    let mut world = World::new(setup, link());
    world.play("C: NOOP / S: 502 / C: HELP NOOP / S: 501");
    for command in ["FEAT", "HELP"] {
        let replies = world.receive(ControlEvent::Line(command.into()));
        for line in replies[0].lines() {
            let line = String::from_utf8_lossy(line);
            assert!(!line.contains("MDTM") && !line.contains("NOOP"), "{line}");
        }
    }
}

#[test]
fn before_the_login_most_is_530() {
    for command in [
        "CWD d",
        "CDUP",
        "PWD",
        "XPWD",
        "MKD x",
        "RMD d",
        "DELE a",
        "RNFR a",
        "RNTO b",
        "RETR a",
        "STOR x",
        "APPE x",
        "STOU",
        "LIST",
        "NLST",
        "MLSD",
        "MLST",
        "SIZE a",
        "MDTM a",
        "TYPE I",
        "MODE S",
        "STRU F",
        "PASV",
        "EPSV",
        "PORT 1,2,3,4,5,6",
        "REST 1",
        "ALLO 1",
        "SMNT x",
        "SITE HELP",
        "HASH a",
        "STAT a",
        "AVBL",
        "COMB a b",
        "MFMT 20200101000000 a",
    ] {
        dialogue(&format!("C: {command} / S: 530"));
    }
}

#[test]
fn queries_about_the_server_are_answered_before_the_login() {
    dialogue(
        "C: SYST / S: 215 UNIX Type: L8 / C: FEAT / S: 211- / C: HELP / S: 214- / C: HELP RETR / S: 214-
         C: OPTS UTF8 ON / S: 200 / C: CLNT me / S: 200 / C: NOOP / S: 200 / C: STAT / S: 211- / C: ABOR / S: 226",
    );
}

#[test]
fn any_user_name_is_331_and_a_wrong_password_530() {
    dialogue("C: USER nosuch / S: 331 / C: PASS x / S: 530 / C: PWD / S: 530");
    dialogue("C: USER test / S: 331 / C: PASS wrong / S: 530 / C: PASS secret / S: 503");
}

#[test]
fn pass_must_follow_user_at_once() {
    dialogue("C: PASS secret / S: 503");
    dialogue("C: USER test / S: 331 / C: NOOP / S: 200 / C: PASS secret / S: 503");
    dialogue("C: USER test / S: 331 / C: PASS secret / S: 230 / C: PASS secret / S: 503");
}

#[test]
fn user_and_pass_need_their_arguments() {
    dialogue("C: USER / S: 501 / C: USER  / S: 501 / C: USER test / S: 331 / C: PASS / S: 501");
    dialogue(&format!("C: USER {} / S: 501", "u".repeat(513)));
}

#[test]
fn a_new_user_flushes_the_login_and_keeps_the_parameters() {
    logged_in(
        "C: TYPE I / S: 200 / C: USER test / S: 331 / C: PWD / S: 530
         C: USER test / S: 331 / C: PASS secret / S: 230 / C: STAT / S: 211 ~ TYPE: Image",
    );
}

#[test]
fn acct_is_superfluous_or_out_of_order() {
    dialogue("C: ACCT x / S: 503");
    logged_in("C: ACCT x / S: 202 / C: ACCT / S: 501");
}

#[test]
fn quit_is_221_and_the_end() {
    let world = dialogue("C: QUIT / S: 221");
    assert!(world.closed);
}

#[test]
fn rein_resets_everything_but_the_connection() {
    logged_in(&format!(
        "C: TYPE I / S: 200 / C: CWD d / S: 250 / C: OPTS HASH MD5 / S: 200 MD5 / C: PASV / S: 227
         C: REIN / S: 220 / C: PWD / S: 530 / {LOGIN} / C: PWD / S: 257 \"/\" / C: OPTS HASH / S: 200 SHA-256
         C: STAT / S: 211 ~ TYPE: ASCII / C: LIST / S: 425"
    ));
}

#[test]
fn rein_drops_the_data_port() {
    let world = dialogue("C: REIN / S: 220");
    assert_eq!(world.control, Some(Control::DropDataPort));
}

#[test]
fn types_are_504_if_the_rfc_has_them_and_501_if_not() {
    logged_in(
        "C: TYPE A / S: 200 / C: TYPE A N / S: 200 / C: type i / S: 200 / C: TYPE  I / S: 200 / C: TYPE L 8 / S: 200
         C: TYPE A C / S: 200 ~ kept / C: TYPE E / S: 200 / C: TYPE e n / S: 200 / C: TYPE E C / S: 200 ~ kept
         C: TYPE L 36 / S: 504 / C: STAT / S: 211 ~ TYPE: EBCDIC Carriage Control; STRU: File; MODE: Stream
         C: TYPE L / S: 501 / C: TYPE L x / S: 501 / C: TYPE X / S: 501 / C: TYPE / S: 501 / C: TYPE A N X / S: 501",
    );
}

#[test]
fn structures_and_modes_likewise() {
    logged_in(
        "C: STRU F / S: 200 / C: stru f / S: 200 / C: STRU R / S: 200 / C: STRU P / S: 504 / C: STRU X / S: 501
         C: MODE S / S: 200 / C: mode s / S: 200 / C: MODE B / S: 200 / C: MODE C / S: 200 / C: MODE X / S: 501
         C: STAT / S: 211 ~ STRU: Record; MODE: Compressed
         C: MODE Z / S: 200 / C: STRU / S: 501 / C: MODE SS / S: 501",
    );
}

#[test]
fn port_goes_to_the_client_and_to_no_well_known_port() {
    logged_in(
        "C: PORT 192,0,2,7,200,1 / S: 200 / C: PORT 192,0,2,7,200,0 / S: 200 / C: PORT 192,0,2,7,4,0 / S: 200
         C: PORT 192,0,2,8,200,1 / S: 501 / C: PORT 127,0,0,1,200,1 / S: 501 / C: PORT 0,0,0,0,200,1 / S: 501
         C: PORT 192,0,2,7,0,25 / S: 504 / C: PORT 192,0,2,7,3,255 / S: 504 / C: PORT 192,0,2,7,0,0 / S: 504
         C: PORT 1,2,3 / S: 501 / C: PORT 256,0,0,1,1,1 / S: 501 / C: PORT a,b,c,d,e,f / S: 501 / C: PORT / S: 501",
    );
}

#[test]
fn pasv_names_the_address_the_client_connected_to() {
    logged_in("C: PASV / S: 227 Entering Passive Mode (192,0,2,1,8,73) / C: PASV x / S: 501");
}

#[test]
fn the_directory_is_changed_and_reported() {
    logged_in(
        "C: PWD / S: 257 \"/\" / C: CWD d / S: 250 / C: PWD / S: 257 \"/d\" / C: CWD e / S: 250
         C: XPWD / S: 257 \"/d/e\" / C: CDUP / S: 250 / C: XCUP / S: 250 / C: CDUP / S: 250 / C: PWD / S: 257 \"/\" 
         C: XCWD /d/e/../e / S: 250 / C: PWD / S: 257 \"/d/e\" / C: CWD ../../../../d / S: 250 / C: PWD / S: 257 \"/d\"",
    );
}

#[test]
fn a_failed_cwd_changes_nothing() {
    logged_in(
        "C: CWD d / S: 250 / C: CWD nosuch / S: 550 / C: CWD f / S: 550 / C: CWD / S: 501 / C: CWD  / S: 501
         C: PWD / S: 257 \"/d\"",
    );
}

#[test]
fn mkd_replies_with_the_whole_path_with_quotes_doubled() {
    logged_in(
        "C: CWD d / S: 250 / C: MKD n / S: 257 \"/d/n\" / C: MKD n / S: 550 / C: XMKD a\"b / S: 257 \"/d/a\"\"b\" 
         C: CWD a\"b / S: 250 / C: PWD / S: 257 \"/d/a\"\"b\"  / C: MKD nosuch/x / S: 550 / C: MKD / S: 501",
    );
}

#[test]
fn rmd_and_dele_distinguish_files_from_directories() {
    logged_in(
        "C: RMD d / S: 550 / C: RMD d/e / S: 250 / C: RMD d/e / S: 550 / C: RMD a / S: 550 / C: XRMD nosuch / S: 550
         C: DELE d / S: 550 / C: DELE a / S: 250 / C: DELE a / S: 550 / C: DELE / S: 501",
    );
    logged_in("C: RMD /. / S: 550 / C: MKD /. / S: 550 / C: RNFR /. / S: 550");
}

#[test]
fn rename_takes_two_commands_in_succession() {
    logged_in("C: RNFR a / S: 350 / C: RNTO b / S: 250 / C: SIZE a / S: 550 / F: /b = 0123456789");
    logged_in("C: RNTO b / S: 503");
    logged_in("C: RNFR a / S: 350 / C: NOOP / S: 200 / C: RNTO b / S: 503");
    logged_in("C: RNFR a / S: 350 / C: XYZZ / S: 500 / C: RNTO b / S: 503");
    logged_in("C: RNFR a / S: 350 / C: RNTO nosuch/b / S: 553 / C: RNTO b / S: 503");
    logged_in("C: RNFR nosuch / S: 550 / C: RNTO b / S: 503");
    logged_in("C: RNFR a / S: 350 / C: RNTO / S: 501 / C: RNTO b / S: 503");
}

#[test]
fn rnfr_is_forgotten_by_an_overlong_line_too() {
    let mut world = dialogue(LOGIN);
    for (event, code) in [
        (ControlEvent::Overlong, 500),
        (ControlEvent::Malformed, 501),
    ] {
        world.play("C: RNFR a / S: 350");
        let said = world.receive(event);
        assert_eq!(said.len(), 1);
        assert_eq!(said[0].code.0, code);
        world.play("C: RNTO b / S: 503");
    }
}

#[test]
fn a_directory_cannot_be_renamed_into_itself() {
    logged_in("C: RNFR d / S: 350 / C: RNTO d/e/d / S: 553");
}

#[test]
fn stat_reports_the_parameters() {
    logged_in(
        "C: TYPE I / S: 200 / C: STAT / S: 211-Status of test.example ~ TYPE: Image; STRU: File; MODE: Stream
         C: STAT / S: 211 ~ Logged in as test / C: PASV / S: 227 / C: STAT / S: 211 ~ Listening",
    );
}

#[test]
fn stat_of_a_pathname_lists_over_the_control_connection() {
    logged_in(
        "C: STAT d / S: 212-Status of /d ~ f\\r\\n-rw / C: STAT a / S: 213- ~ 10 Nov 23 04:00 a\\r\\n213 End
         C: STAT nosuch / S: 450 / C: STAT d/*.txt / S: 212 ~ g.txt",
    );
}

#[test]
fn help_lists_verbs_and_explains_one() {
    logged_in(
        "C: HELP / S: 214- ~ RETR / C: HELP retr / S: 214-Syntax: RETR <SP> <pathname> / C: HELP NOSUCH / S: 501
         C: HELP SITE / S: 214- / C: SITE HELP / S: 214- / C: SITE / S: 501 / C: SITE EXEC id / S: 501
         C: HELP NOOP / S: 214-Syntax: NOOP / C: HELP LIST / S: 214-Syntax: LIST[<SP> <pathname>] / C: HELP LPSV / S: 501",
    );
}

#[test]
fn allo_is_refused_where_stor_would_be() {
    let too_large = "S: 552 File too large.\\r\\n";
    logged_in_to(
        limited(|limits| limits.upload = 1000),
        &format!(
            "C: ALLO 1000 / S: 202 / C: ALLO 1001 / {too_large} / C: ALLO 99999999999999999999 R 1 / {too_large}"
        ),
    );
    // All files of this world together may have 4 GiB.
    logged_in(
        "C: ALLO 1000000 / S: 202 / C: ALLO 9999999999 / S: 552 Storage quota exceeded.\\r\\n
         C: TYPE I / S: 200 / C: PASV / S: 227 / C: REST 5 / S: 350 / C: ALLO 5 / S: 202 / C: RETR a / S: 150 / S: 226 / D: 56789",
    );
}

#[test]
fn allo_and_smnt_are_superfluous() {
    logged_in(
        "C: ALLO 100 / S: 202 / C: ALLO 100 R 10 / S: 202 / C: ALLO x / S: 501 / C: ALLO / S: 501 / C: SMNT x / S: 202",
    );
}

#[test]
fn superfluous_arguments_are_501() {
    dialogue("C: NOOP x / S: 501 / C: SYST x / S: 501 / C: QUIT x / S: 501 / C: NOOP  / S: 200");
    logged_in("C: PWD x / S: 501 / C: CDUP x / S: 501");
}

#[test]
fn permission_is_by_effect() {
    dialogue(&format!(
        "{READER} / C: STOR x / S: 550 / C: APPE a / S: 550 / C: STOU / S: 550 / C: DELE a / S: 550 / C: RNFR a / S: 550
         C: MKD x / S: 550 / C: RMD d/e / S: 550 / C: MFMT 20200101000000 a / S: 550 / C: COMB x a / S: 550
         C: SIZE a / S: 550 / C: TYPE I / S: 200 / C: SIZE a / S: 213 10 / C: HASH a / S: 213 / F: /a = 0123456789"
    )
    .replace("C: SIZE a / S: 550 / ", ""));
    dialogue(
        "C: USER nobody / S: 331 / C: PASS secret / S: 230 / C: RETR a / S: 550 / C: LIST / S: 550 / C: MLST / S: 550
         C: SIZE a / S: 550 / C: MDTM a / S: 550 / C: HASH a / S: 552 / C: STAT d / S: 550 / C: NLST / S: 550 / C: MLSD / S: 550",
    );
}

#[test]
fn invalid_pathnames_are_refused() {
    let long = "n".repeat(256);
    logged_in(&format!(
        "C: CWD {long} / S: 550 / C: STOR {long} / S: 553 / C: MKD {long} / S: 550 / C: LIST {long} / S: 450"
    ));
    // CR NUL on the wire is a CR in the line (RFC 2640 §3.1).
    logged_in("C: STOR a\\rb / S: 553 / C: CWD a\\rb / S: 501 / C: USER a\\rb / S: 501");
}

#[test]
fn names_are_octets() {
    logged_in("C: MKD caf\\xe9 / S: 257 \"/caf\\xe9\" / C: MKD f\\xff / S: 257 \"/f\\xff\\xff\"");
}

#[test]
fn without_tls_its_verbs_are_502() {
    let setup = Setup {
        tls: TlsPolicy::Off,
        ..setup()
    };
    World::new(setup, link())
        .play("C: AUTH TLS / S: 502 / C: PBSZ 0 / S: 502 / C: PROT P / S: 502 / C: CCC / S: 502");
}
