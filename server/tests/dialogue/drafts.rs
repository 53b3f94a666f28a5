//! MFMT, HASH, COMB, AVBL and CLNT.

use super::{READER, dialogue, logged_in};

#[test]
fn opts_mode_z_sets_the_level_or_takes_it_back() {
    logged_in(
        "C: OPTS MODE Z / S: 200 ~ LEVEL 1 / C: OPTS MODE Z LEVEL 9 / S: 200 ~ LEVEL 9 / C: MODE Z / S: 200
         C: OPTS MODE Z LEVEL 10 / S: 501 Invalid option of MODE Z: LEVEL 10\\r\\n
         C: opts mode z WINDOW 15 / S: 501 Invalid option of MODE Z: WINDOW 15\\r\\n / C: OPTS MODE Z LEVEL / S: 501
         C: OPTS MODE B / S: 501 / C: OPTS MODE / S: 501
         C: OPTS MODE Z / S: 200 ~ LEVEL 1",
    );
}

#[test]
fn mfmt_sets_the_modification_time() {
    logged_in(
        "C: mfmt 20020717210715 a / S: 213 Modify=20020717210715; a\\r\\n / C: MDTM a / S: 213 20020717210715\\r\\n
         C: MFMT 20020717210715.5 d/f / S: 213 Modify=20020717210715.500; d/f\\r\\n / C: MDTM d/f / S: 213 20020717210715.500",
    );
}

#[test]
fn mfmt_refuses_invalid_dates_and_missing_files() {
    logged_in(
        "C: MFMT 20010229000000 a / S: 501 / C: MFMT a / S: 501 / C: MFMT 20020717210715 / S: 501 / C: MFMT 20020717210715  / S: 501
         C: MFMT 20020717210715 nosuch / S: 550 / C: MFMT / S: 501",
    );
}

#[test]
fn hash_replies_with_algorithm_range_digest_and_name() {
    logged_in(
        "C: HASH a / S: 213 SHA-256 0-9 84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882 a\\r\\n
         C: OPTS HASH MD5 / S: 200 MD5 / C: CWD d / S: 250 / C: HASH ../a / S: 213 MD5 0-9 781e5e245d69b566979b86e28d23f2c7 ../a\\r\\n
         C: OPTS HASH CRC32 / S: 200 CRC32 / C: HASH /empty / S: 213 CRC32 0-0 00000000 /empty\\r\\n",
    );
}

#[test]
fn hash_does_not_depend_on_the_type() {
    logged_in(
        "C: TYPE A / S: 200 / C: OPTS HASH SHA-1 / S: 200 SHA-1 / C: HASH text / S: 213 SHA-1 0-7 ",
    );
}

#[test]
fn hash_of_directories_and_nothing_is_refused() {
    logged_in("C: HASH d / S: 553 / C: HASH nosuch / S: 550 / C: HASH / S: 501");
}

#[test]
fn a_name_in_quotes_is_read_as_comb_reads_it() {
    logged_in("C: HASH \"empty\" / S: 213 SHA-256 0-0 ~  empty\\r\\n / C: HASH \"d\" / S: 553");
    for wrong in ["\"empty", "\"empty\"x", "\"empty\" x", "\"\""] {
        logged_in(&format!("C: HASH {wrong} / S: 501"));
    }
}

#[test]
fn an_unknown_algorithm_leaves_the_selection() {
    logged_in(
        "C: OPTS HASH md5 / S: 200 MD5 / C: OPTS HASH CRC-37 / S: 501 / C: OPTS HASH / S: 200 MD5\\r\\n / C: OPTS HASH a b / S: 501",
    );
}

#[test]
fn comb_appends_and_removes() {
    logged_in(
        "C: COMB \"t t\" a \"d/f\" / S: 250 / F: /t t = 0123456789f / C: MLST a / S: 550 / C: MLST d/f / S: 550",
    );
    logged_in("C: COMB a d/f / S: 250 / F: /a = 0123456789f");
}

#[test]
fn comb_refuses_to_name_a_file_twice() {
    logged_in(
        "C: COMB a a / S: 501 / C: COMB a ./a / S: 501 / C: COMB t a a / S: 501 / C: COMB t a d/../a / S: 501 / F: /a = 0123456789",
    );
}

#[test]
fn comb_needs_a_target_and_sources_that_are_there() {
    logged_in(
        "C: COMB / S: 501 / C: COMB t / S: 501 / C: COMB \"t a / S: 501 / C: COMB t nosuch / S: 550 / C: MLST t / S: 550",
    );
}

#[test]
fn avbl_is_of_directories() {
    logged_in(
        "C: AVBL / S: 213 4294967274\\r\\n / C: AVBL d / S: 213 / C: AVBL a / S: 550 / C: AVBL nosuch / S: 550",
    );
}

#[test]
fn mfct_sets_the_creation_time() {
    logged_in(
        "C: MFCT 20020717212230 a / S: 213 Create=20020717212230; a\\r\\n / C: OPTS MLST modify;create; / S: 200
         C: MLST a / S: 250 ~  modify=20231123040000;create=20020717212230; /a
         C: MFCT 20010229000000 a / S: 501 / C: MFCT a / S: 501 / C: MFCT 20020717212230 nosuch / S: 550",
    );
}

#[test]
fn mff_sets_several_facts_at_once() {
    logged_in(
        "C: MFF UNIX.mode=640;Create=20020717212230;modify=20020717212231; d/f / S: 213 Modify=20020717212231;Create=20020717212230;UNIX.mode=0640; d/f\\r\\n
         C: OPTS MLST modify;create;UNIX.mode; / S: 200 / C: MLST d/f / S: 250 ~  modify=20020717212231;create=20020717212230;UNIX.mode=0640; /d/f",
    );
}

#[test]
fn mff_refuses_what_cannot_be_set_and_names_it() {
    logged_in(
        "C: MFF Modify=20020717212230;Size=3; a / S: 504 That fact cannot be set: Size\\r\\n / C: MDTM a / S: 213 20231123040000
         C: MFF UNIX.owner=root; a / S: 504 That fact cannot be set: UNIX.owner / C: MFF Modify=20010229000000; a / S: 501
         C: MFF Modify=20020717212230 a / S: 501 / C: MFF Modify=20020717212230; nosuch / S: 550 / C: MFF / S: 501",
    );
}

#[test]
fn a_reader_sets_no_facts() {
    dialogue(&format!(
        "{} / C: MFCT 20020717212230 a / S: 550 / C: MFF UNIX.mode=777; a / S: 550 / C: MFMT 20020717212230 a / S: 550",
        READER
    ));
}

#[test]
fn client_and_server_identify_themselves() {
    logged_in(
        "C: CSID Name=Client; Version=1.0; Frogs=many; / S: 200 Name=ftpspec; Version= ~ ; CaseSensitive=1;\\r\\n / C: CSID / S: 501 / C: CSID me / S: 501",
    );
    dialogue("C: CSID Name=Client; / S: 530");
}

#[test]
fn a_client_may_send_its_name() {
    dialogue("C: CLNT NcFTP 3.2.6 linux / S: 200 / C: CLNT / S: 501");
}
