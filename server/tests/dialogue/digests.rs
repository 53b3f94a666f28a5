//! XCRC and its like (Globalscape; draft-bryan-ftpext-hash-02 Appendix B), MD5 and MMD5
//! (draft-twine-ftpmd5-00).

use super::world::World;
use super::{LOGIN, NOBODY, dialogue, limited, link, logged_in};

#[test]
fn each_replies_with_its_digest_and_nothing_else() {
    logged_in(
        "C: XCRC a / S: 250 a684c7c6\\r\\n / C: XMD5 a / S: 250 781e5e245d69b566979b86e28d23f2c7\\r\\n
         C: XSHA a / S: 250 87acec17cd9dcd20a716cc2cf67417b71c8a7016\\r\\n / C: XSHA1 a / S: 250 87acec17cd9dcd20a716cc2cf67417b71c8a7016\\r\\n
         C: XSHA256 a / S: 250 84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882\\r\\n
         C: XSHA512 a / S: 250 bb96c2fc40d2d54617d6f276febe571f623a8dadf0b734855299b0e107fda32cf6b69f2da32b36445d73690b93cbd0f7bfc20e0f7f28553d2a4428f23b716e90\\r\\n
         C: XCRC empty / S: 250 00000000\\r\\n",
    );
}

#[test]
fn the_algorithm_of_hash_and_the_type_do_not_matter() {
    logged_in(
        "C: TYPE A / S: 200 / C: OPTS HASH MD5 / S: 200 / C: XCRC text / S: 250 12ba0be6\\r\\n",
    );
}

#[test]
fn a_range_goes_from_an_octet_up_to_before_another() {
    logged_in(
        "C: XCRC a 3 7 / S: 250 8d339230\\r\\n / C: XCRC \"a\" 3 7 / S: 250 8d339230\\r\\n / C: XCRC a, 3, 7 / S: 250 8d339230\\r\\n
         C: XCRC a 8 / S: 250 0943260c\\r\\n / C: XCRC a 8 10 / S: 250 0943260c\\r\\n / C: XCRC a 0 10 / S: 250 a684c7c6\\r\\n
         C: XCRC a 8 11 / S: 550 The range is beyond the end of the file.\\r\\n / C: XCRC a 7 3 / S: 550 / C: XCRC \"a\" x / S: 501",
    );
}

#[test]
fn rang_is_no_range_of_theirs() {
    logged_in("C: TYPE I / S: 200 / C: RANG 0 0 / S: 350 / C: XCRC a / S: 250 a684c7c6\\r\\n");
}

#[test]
fn a_number_is_a_part_of_the_name_if_there_is_such_a_file() {
    logged_in(
        "C: TYPE I / S: 200 / C: PASV / S: 227 / U: 3456 / C: STOR a 3 7 / S: 150 / S: 226 / C: XCRC a 3 7 / S: 250 8d339230\\r\\n
         C: DELE a / S: 250 / C: XCRC a 3 7 / S: 250 8d339230\\r\\n / C: XCRC \"a 3 7\" / S: 250 8d339230\\r\\n / C: XCRC \"a\" 3 7 / S: 550",
    );
}

#[test]
fn only_a_file_has_a_digest() {
    logged_in(
        "C: XCRC nosuch / S: 550 / C: XMD5 d / S: 550 / C: XSHA / S: 501 / C: XSHA512 \"a / S: 501 / C: XSHA256  / S: 501",
    );
}

#[test]
fn md5_repeats_the_name_and_the_digest_is_in_capitals() {
    logged_in(
        "C: MD5 a / S: 251 a 781E5E245D69B566979B86E28D23F2C7\\r\\n / C: MD5 \"d/../a\" / S: 251 \"d/../a\" 781E5E245D69B566979B86E28D23F2C7\\r\\n
         C: MD5 nosuch / S: 550 / C: MD5 d / S: 504 A directory has no digest.\\r\\n / C: MD5 / S: 501 / C: MD5 \"a / S: 501",
    );
}

#[test]
fn mmd5_replies_for_all_files_or_for_none() {
    logged_in(
        "C: MMD5 a, \"d/f\",empty / S: 252 a 781E5E245D69B566979B86E28D23F2C7,\"d/f\" 8FA14CDD754F91CC6554C9E71929CCE7,empty D41D8CD98F00B204E9800998ECF8427E\\r\\n
         C: MMD5 a / S: 251 a 781E5E245D69B566979B86E28D23F2C7\\r\\n
         C: MMD5 a,nosuch / S: 504 / C: MMD5 a,d / S: 504 / C: MMD5 nosuch / S: 550 / C: MMD5 a, / S: 501 / C: MMD5 / S: 501",
    );
}

#[test]
fn a_digest_needs_the_permission_to_read() {
    let mut world = dialogue(NOBODY);
    world.play("C: XCRC a / S: 550 Permission denied.\\r\\n / C: MD5 a / S: 550 / C: MMD5 a,d / S: 550 / C: XSHA512 a 0 1 / S: 550");
}

#[test]
fn sizes_in_type_a_are_counted_up_to_a_limit() {
    let mut world = World::new(limited(|limits| limits.ascii_size = 9), link());
    world.play(LOGIN);
    world.play("C: TYPE A / S: 200 / C: SIZE text / S: 213 10\\r\\n");
    world.play("C: SIZE a / S: 550 The file is too large for SIZE in TYPE A.\\r\\n");
    world.play("C: TYPE I / S: 200 / C: SIZE a / S: 213 10\\r\\n");
}
