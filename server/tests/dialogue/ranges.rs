//! RANG (draft-bryan-ftp-range-09), and directories as a whole: DSIZ, RMDA
//! (draft-peterson-streamlined-ftp-command-extensions §2, §3).

use super::{NOBODY, READER, dialogue, logged_in};

#[test]
fn both_ends_of_a_range_are_in_it() {
    logged_in(
        "C: TYPE I / S: 200 / C: PASV / S: 227
         C: RANG 0 0 / S: 350 Range set to octets 0 to 0.\\r\\n / C: RETR a / S: 150 / S: 226 / D: 0
         C: PASV / S: 227 / C: RANG 3 6 / S: 350 / C: RETR a / S: 150 / S: 226 / D: 3456",
    );
}

#[test]
fn what_of_a_range_is_not_in_the_file_is_not_sent() {
    logged_in(
        "C: TYPE I / S: 200 / C: PASV / S: 227 / C: RANG 8 99 / S: 350 / C: RETR a / S: 150 / S: 226 / D: 89
         C: PASV / S: 227 / C: RANG 10 10 / S: 350 / C: RETR a / S: 150 / S: 226 / D:
         C: PASV / S: 227 / C: RANG 50 9223372036854775807 / S: 350 / C: RETR a / S: 150 / S: 226 / D: ",
    );
}

#[test]
fn a_range_is_for_the_next_transfer_only() {
    logged_in(
        "C: TYPE I / S: 200 / C: RANG 3 6 / S: 350 / C: PASV / S: 227 / C: RETR a / S: 150 / S: 226 / D: 3456
         C: PASV / S: 227 / C: RETR a / S: 150 / S: 226 / D: 0123456789
         C: RANG 3 6 / S: 350 / C: PWD / S: 257 / C: PASV / S: 227 / C: RETR a / S: 150 / S: 226 / D: 0123456789",
    );
}

#[test]
fn one_zero_is_the_whole_file_again() {
    logged_in(
        "C: RANG 1 0 / S: 350 Range cleared.\\r\\n / C: TYPE I / S: 200 / C: PASV / S: 227
         C: RANG 3 6 / S: 350 / C: RANG 1 0 / S: 350 / C: RETR a / S: 150 / S: 226 / D: 0123456789",
    );
}

#[test]
fn the_last_of_rest_and_rang_counts() {
    logged_in(
        "C: TYPE I / S: 200 / C: PASV / S: 227 / C: RANG 3 6 / S: 350 / C: REST 8 / S: 350 / C: RETR a / S: 150 / S: 226 / D: 89
         C: PASV / S: 227 / C: REST 8 / S: 350 / C: RANG 3 6 / S: 350 / C: RETR a / S: 150 / S: 226 / D: 3456",
    );
}

#[test]
fn an_invalid_range_is_refused_and_resets() {
    logged_in(
        "C: TYPE I / S: 200 / C: PASV / S: 227 / C: RANG 3 6 / S: 350 / C: RANG 6 3 / S: 501 / C: RETR a / S: 150 / S: 226 / D: 0123456789
         C: RANG / S: 501 / C: RANG 1 / S: 501 / C: RANG a b / S: 501 / C: RANG -1 2 / S: 501 / C: RANG 0 9223372036854775808 / S: 501
         C: RANG 0 1 2 / S: 501",
    );
}

#[test]
fn a_range_needs_type_i() {
    logged_in(
        "C: TYPE A / S: 200 / C: RANG 3 6 / S: 551 RANG requires TYPE I.\\r\\n
         C: TYPE I / S: 200 / C: PASV / S: 227 / C: RANG 0 0 / S: 350 / C: TYPE A / S: 200 / C: RETR a / S: 555",
    );
}

#[test]
fn a_range_needs_a_mode_without_markers() {
    logged_in(
        "C: TYPE I / S: 200 / C: MODE B / S: 200 / C: RANG 3 6 / S: 551 RANG requires MODE S or Z.\\r\\n
         C: MODE C / S: 200 / C: RANG 3 6 / S: 551 / C: RANG 1 0 / S: 350 / C: MODE Z / S: 200 / C: RANG 3 6 / S: 350
         C: MODE S / S: 200 / C: PASV / S: 227 / C: RANG 3 6 / S: 350 / C: MODE B / S: 200 / C: RETR a / S: 555",
    );
}

#[test]
fn only_a_file_has_a_range() {
    logged_in(
        "C: TYPE I / S: 200 / C: RANG 3 6 / S: 350 / C: RETR nosuch / S: 550 / C: RANG 3 6 / S: 350 / C: RETR a / S: 425
         C: PASV / S: 227 / C: RANG 3 6 / S: 350 / C: RETR d / S: 550",
    );
}

#[test]
fn what_is_stored_into_a_range_changes_nothing_else() {
    logged_in(
        "C: TYPE I / S: 200 / C: PASV / S: 227 / U: wxyz / C: RANG 3 6 / S: 350 / C: STOR a / S: 150 / S: 226 / F: /a = 012wxyz789
         C: PASV / S: 227 / U: AB / C: RANG 9 10 / S: 350 / C: STOR a / S: 150 / S: 226 / F: /a = 012wxyz78AB
         C: PASV / S: 227 / U: + / C: RANG 0 0 / S: 350 / C: APPE a / S: 150 / S: 226 / F: /a = +12wxyz78AB
         C: PASV / S: 227 / U: new / C: RANG 0 2 / S: 350 / C: STOR b / S: 150 / S: 226 / F: /b = new",
    );
}

#[test]
fn a_range_beyond_the_end_cannot_be_stored_into() {
    logged_in(
        "C: TYPE I / S: 200 / C: PASV / S: 227 / C: RANG 11 12 / S: 350 / C: STOR a / S: 554 / F: /a = 0123456789
         C: RANG 1 2 / S: 350 / C: STOR new / S: 554 / C: MLST new / S: 550
         C: RANG 0 1 / S: 350 / C: STOU / S: 554 / C: RANG 0 1 / S: 350 / C: STOR d / S: 553",
    );
}

#[test]
fn hash_is_of_the_range_and_names_it() {
    logged_in(
        "C: TYPE I / S: 200 / C: OPTS HASH SHA-1 / S: 200 / C: RANG 0 4 / S: 350
         C: HASH a / S: 213 SHA-1 0-4 11904a4e8b77f6242e2d288705023adad00a9310 a\\r\\n
         C: HASH a / S: 213 SHA-1 0-9 87acec17cd9dcd20a716cc2cf67417b71c8a7016 a\\r\\n
         C: RANG 9 99 / S: 350 / C: HASH a / S: 213 SHA-1 9-9 0ade7c2cf97f75d009975f4d720d1fa6c19f4897 a\\r\\n
         C: RANG 10 10 / S: 350 / C: HASH a / S: 550 / C: RANG 0 1 / S: 350 / C: HASH nosuch / S: 550
         C: RANG 0 1 / S: 350 / C: HASH d / S: 553",
    );
}

#[test]
fn feat_names_it_as_the_draft_does() {
    logged_in("C: FEAT / S: 211 ~ \\r\\n RANG STREAM\\r\\n");
}

#[test]
fn dsiz_is_the_sum_of_all_files_below() {
    logged_in(
        "C: DSIZ / S: 213 22\\r\\n / C: DSIZ d / S: 213 3\\r\\n / C: DSIZ d/e / S: 213 0\\r\\n / C: TYPE I / S: 200 / C: DSIZ d / S: 213 3\\r\\n
         C: CWD d / S: 250 / C: DSIZ / S: 213 3\\r\\n / C: DSIZ f / S: 550 / C: DSIZ nosuch / S: 550",
    );
}

#[test]
fn rmda_removes_a_directory_with_all_that_is_in_it() {
    logged_in(
        "C: RMD d / S: 550 / C: RMDA d / S: 250 / C: MLST d / S: 550 / C: RMDA d / S: 550 / C: RMDA a / S: 550 Not a directory.\\r\\n
         C: RMDA /. / S: 550 Permission denied.\\r\\n / C: RMDA .. / S: 550 / C: RMDA / S: 501 / F: /a = 0123456789",
    );
}

#[test]
fn a_reader_removes_no_directory() {
    let mut world = dialogue(READER);
    world.play("C: RMDA d / S: 550 Permission denied.\\r\\n / C: DSIZ d / S: 213 3\\r\\n");
    world.play("C: TYPE I / S: 200 / C: PASV / S: 227 / C: RANG 0 0 / S: 350 / C: STOR a / S: 550");
    world.play("F: /a = 0123456789");
    world.play(NOBODY);
    world.play("C: DSIZ / S: 550 / C: RANG 0 0 / S: 350 / C: RETR a / S: 550");
}
