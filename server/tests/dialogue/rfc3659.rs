//! RFC 3659: SIZE, MDTM, REST, MLST and MLSD.

use super::{READER, dialogue, logged_in, logged_in_to, setup};
use ftpspec_server::internals::pi::Setup;
use ftpspec_server::internals::wire::OperatorFacts;
use std::sync::Arc;

#[test]
fn size_is_what_retr_would_send() {
    logged_in(
        "C: TYPE I / S: 200 / C: SIZE text / S: 213 8\\r\\n / C: TYPE A / S: 200 / C: SIZE text / S: 213 10\\r\\n
         C: TYPE E / S: 200 / C: SIZE text / S: 213 8\\r\\n / C: STRU R / S: 200 / C: SIZE text / S: 213 10\\r\\n
         C: MODE B / S: 200 / C: SIZE text / S: 550 / C: MODE Z / S: 200 / C: SIZE text / S: 213 10",
    );
    logged_in(
        "C: SIZE nosuch / S: 550 / C: SIZE d / S: 550 / C: SIZE / S: 501 / C: TYPE I / S: 200 / C: SIZE d / S: 550 / C: SIZE a* / S: 550",
    );
}

#[test]
fn mdtm_reports_the_time_and_never_sets_it() {
    logged_in(
        "C: mdtm a / S: 213 20231123040000\\r\\n / C: MDTM nosuch / S: 550 / C: MDTM / S: 501 / C: MDTM 19990929043300 a / S: 550
         C: MDTM a / S: 213 20231123040000\\r\\n / C: MDTM d / S: 213",
    );
}

#[test]
fn a_restart_marker_is_digits_a_file_could_have() {
    logged_in(
        "C: REST 0 / S: 350 / C: REST 5368709120 / S: 350 / C: REST 9223372036854775807 / S: 350
         C: REST 9223372036854775808 / S: 501 / C: REST -1 / S: 501 / C: REST abc / S: 501 / C: REST / S: 501 / C: REST 1 2 / S: 501",
    );
}

#[test]
fn rest_makes_the_next_transfer_begin_there_and_no_other() {
    logged_in(
        "C: TYPE I / S: 200 / C: PASV / S: 227 / C: REST 4 / S: 350 / C: RETR a / S: 150 / S: 226 / D: 456789
         C: PASV / S: 227 / C: RETR a / S: 150 / S: 226 / D: 0123456789",
    );
    logged_in(
        "C: TYPE I / S: 200 / C: PASV / S: 227 / C: REST 4 / S: 350 / C: REST 0 / S: 350 / C: RETR a / S: 150 / S: 226 / D: 0123456789",
    );
}

#[test]
fn rest_and_stor_keep_the_head() {
    logged_in(
        "C: TYPE I / S: 200 / U: xy / C: PASV / S: 227 / C: REST 8 / S: 350 / C: STOR a / S: 150 / S: 226 / F: /a = 01234567xy",
    );
    logged_in(
        "C: TYPE I / S: 200 / U: xy / C: PASV / S: 227 / C: REST 10 / S: 350 / C: STOR a / S: 150 / S: 226 / F: /a = 0123456789xy",
    );
}

#[test]
fn after_rest_appe_acts_as_stor() {
    logged_in(
        "C: TYPE I / S: 200 / U: xy / C: PASV / S: 227 / C: REST 8 / S: 350 / C: APPE a / S: 150 / S: 226 / F: /a = 01234567xy",
    );
}

#[test]
fn rest_and_stou_do_not_go_together() {
    logged_in(
        "C: TYPE I / S: 200 / C: PASV / S: 227 / C: REST 2 / S: 350 / C: STOU / S: 554 / C: STOU / S: 150 / S: 226",
    );
}

#[test]
fn a_failed_transfer_forgets_the_marker() {
    logged_in(
        "C: TYPE I / S: 200 / C: REST 4 / S: 350 / C: RETR a / S: 425 / C: PASV / S: 227 / C: RETR a / S: 150 / S: 226 / D: 0123456789",
    );
    logged_in(
        "C: TYPE I / S: 200 / C: PASV / S: 227 / C: REST 4 / S: 350 / C: RETR nosuch / S: 550 / C: PASV / S: 227 / C: RETR a / S: 150 / S: 226 / D: 0123456789",
    );
}

#[test]
fn what_prepares_a_transfer_keeps_the_marker() {
    for between in [
        "C: PASV / S: 227",
        "C: EPSV / S: 229",
        "C: PORT 192,0,2,7,200,1 / S: 200",
        "C: EPRT |1|192.0.2.7|6275| / S: 200",
        "C: TYPE I / S: 200",
        "C: MODE S / S: 200",
        "C: STRU F / S: 200",
        "C: SIZE a / S: 213",
        "C: MDTM a / S: 213",
        "C: NOOP / S: 200",
        "C: ALLO 1 / S: 202",
        "C: FEAT / S: 211",
        "C: OPTS UTF8 ON / S: 200",
        "C: STAT / S: 211",
        "C: PBSZ 0 / S: 503",
        "C: PROT P / S: 503",
    ] {
        logged_in(&format!(
            "C: TYPE I / S: 200 / C: PASV / S: 227 / C: REST 8 / S: 350 / {between} / C: RETR a / S: 150 / S: 226 / D: 89"
        ));
    }
}

#[test]
fn what_leads_elsewhere_forgets_the_marker() {
    for between in [
        "C: CWD d / S: 250",
        "C: PWD / S: 257",
        "C: ABOR / S: 226 / C: PASV / S: 227",
        "C: XYZZ / S: 500",
    ] {
        logged_in(&format!(
            "C: TYPE I / S: 200 / C: PASV / S: 227 / C: REST 8 / S: 350 / {between} / C: RETR /a / S: 150 / S: 226 / D: 0123456789"
        ));
    }
}

#[test]
fn mlst_is_one_line_with_the_whole_path() {
    logged_in(
        "C: OPTS MLST type;size;modify; / S: 200 MLST OPTS type;size;modify;\\r\\n / C: CWD d / S: 250
         C: MLST f / S: 250-Facts\\r\\n type=file;size=1;modify=20231123040000; /d/f\\r\\n250 End\\r\\n
         C: MLST / S: 250-Facts\\r\\n type=dir;modify=20231123040000; /d\\r\\n250 End\\r\\n
         C: MLST nosuch / S: 550 / C: MLST a* / S: 550",
    );
}

#[test]
fn without_facts_mlst_has_two_spaces() {
    logged_in(
        "C: OPTS MLST / S: 200 MLST OPTS\\r\\n / C: MLST a / S: 250-Facts\\r\\n  /a\\r\\n250 End\\r\\n",
    );
}

#[test]
fn facts_are_chosen_in_any_case_and_unknown_ones_passed_over() {
    logged_in(
        "C: OPTS MLST SIZE;frogs;Type; / S: 200 MLST OPTS type;size;\\r\\n / C: OPTS MLST fish; / S: 200 MLST OPTS\\r\\n
         C: OPTS MLST size; / S: 200 MLST OPTS size; / C: OPTS MLST unique type; / S: 501 / C: MLST a / S: 250 ~  size=10; /a",
    );
}

#[test]
fn mlsd_lists_names_only() {
    logged_in(
        "C: OPTS MLST type; / S: 200 / C: PASV / S: 227 / C: MLSD d / S: 150 / S: 226
         D: type=file; .hidden\\r\\ntype=dir; e\\r\\ntype=file; f\\r\\ntype=file; g.txt\\r\\n
         C: PASV / S: 227 / C: MLSD d/e / S: 150 / S: 226 / D: ",
    );
}

#[test]
fn mlsd_of_a_file_is_501_and_of_nothing_550() {
    logged_in(
        "C: PASV / S: 227 / C: MLSD a / S: 501 / C: MLSD nosuch / S: 550 / C: MLSD d/* / S: 550",
    );
}

#[test]
fn perm_has_the_letters_of_what_the_user_may_do() {
    logged_in(
        "C: OPTS MLST perm; / S: 200 / C: MLST a / S: 250 ~  perm=adfrw; / C: MLST d / S: 250 ~  perm=cdeflmp;",
    );
    dialogue(&format!(
        "{} / C: OPTS MLST perm; / S: 200 / C: MLST a / S: 250 ~  perm=r; / C: MLST d / S: 250 ~  perm=el;",
        READER
    ));
}

#[test]
fn owner_group_and_charset_come_on_demand() {
    logged_in(
        "C: OPTS MLST unix.owner;UNIX.GROUP;Charset; / S: 200 MLST OPTS UNIX.owner;UNIX.group;charset;\\r\\n
         C: MLST a / S: 250 ~  UNIX.owner=ftp;UNIX.group=ftp;charset=UTF-8; /a",
    );
}

#[test]
fn media_types_and_languages_are_configured_and_never_guessed() {
    logged_in(
        "C: OPTS MLST media-type;lang; / S: 200 MLST OPTS\\r\\n / C: MLST d/g.txt / S: 250 ~   /d/g.txt",
    );
    let operator_facts = OperatorFacts {
        language: Some("en".into()),
        media_types: vec![("txt".into(), "text/plain".into())],
    };
    let setup = Setup {
        operator_facts: Some(Arc::new(operator_facts)),
        ..setup()
    };
    logged_in_to(
        setup,
        "C: FEAT / S: 211 ~ charset;lang;media-type;\\r\\n / C: OPTS MLST media-type;lang; / S: 200 MLST OPTS lang;media-type;
         C: MLST d/g.txt / S: 250 ~  lang=en;media-type=text/plain; /d/g.txt / C: MLST d/f / S: 250 ~  lang=en; /d/f
         C: PASV / S: 227 / C: MLSD d / S: 150 / S: 226 / D: lang=en; .hidden\\r\\nlang=en; e\\r\\nlang=en; f\\r\\nlang=en;media-type=text/plain; g.txt\\r\\n",
    );
}
