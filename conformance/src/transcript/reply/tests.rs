#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use proptest::prelude::*;
use rstest::rstest;

fn all(octets: &[u8]) -> Vec<Reply> {
    let mut reader = ReplyReader::default();
    reader.push(octets);
    let mut replies: Vec<_> = std::iter::from_fn(|| reader.next_reply()).collect();
    replies.extend(reader.finish());
    replies
}

fn one(octets: &[u8]) -> Reply {
    let mut replies = all(octets);
    assert_eq!(replies.len(), 1, "{replies:?}");
    replies.pop().unwrap()
}

#[test]
fn a_line_with_code_and_space_is_a_reply() {
    let reply = one(b"220 ready\r\n");
    assert_eq!((reply.code, reply.text().as_str()), (220, "ready"));
    assert!(reply.faults.is_empty() && !reply.is_multiline());
}

#[test]
fn a_multi_line_reply_ends_with_its_own_code_and_a_space() {
    let reply = one(b"123-First line\r\nSecond line\r\n  234 A line\r\n123 The last line\r\n");
    assert_eq!(reply.code, 123);
    assert_eq!(
        reply.text(),
        "First line\nSecond line\n  234 A line\nThe last line"
    );
    assert_eq!(reply.first_line_text(), "First line");
    assert_eq!(reply.between().len(), 2);
    assert!(reply.faults.is_empty());
}

#[test]
fn carriage_return_and_nul_is_a_carriage_return() {
    let reply = one(b"257 \"a\r\0b\"\r\n");
    assert_eq!(reply.lines, [b"257 \"a\rb\"".to_vec()]);
    assert!(reply.faults.is_empty());
}

#[test]
fn telnet_commands_are_no_part_of_the_text() {
    let reply = one(b"\xff\xfc\x06200 a\xff\xffb\r\n");
    assert_eq!(reply.lines, [b"200 a\xffb".to_vec()]);
    assert_eq!(reply.faults, [ReplyFault::NotUtf8 { line: 1 }]);
}

#[rstest]
#[case::bare_lf(b"200 ok\n", 200, ReplyFault::BareLf { line: 1 })]
#[case::bare_cr_within(b"200 a\rb\r\n", 200, ReplyFault::BareCr { line: 1 })]
#[case::nul(b"200 a\0b\r\n", 200, ReplyFault::Nul { line: 1 })]
#[case::lone_iac_at_the_end(b"200 \xff\r\n", 200, ReplyFault::LoneIac { line: 1 })]
#[case::lone_iac_within(b"200 \xffa\r\n", 200, ReplyFault::LoneIac { line: 1 })]
#[case::no_code(b"hello\r\n", 0, ReplyFault::NoCode)]
#[case::blank(b"\r\n", 0, ReplyFault::NoCode)]
#[case::two_digits(b"20 ok\r\n", 0, ReplyFault::NoCode)]
#[case::impossible(b"900 ok\r\n", 900, ReplyFault::ImpossibleCode)]
#[case::no_space(b"200\r\n", 200, ReplyFault::NoSeparator { line: 1 })]
#[case::other_separator(b"200:ok\r\n", 200, ReplyFault::NoSeparator { line: 1 })]
#[case::bare_last_line(b"211-a\r\n b\r\n211\r\n", 211, ReplyFault::BareLastLine)]
#[case::repeated(b"211-a\r\n211-b\r\n211 c\r\n", 211, ReplyFault::RepeatedCode { line: 2 })]
#[case::number(b"211-a\r\n123 b\r\n211 c\r\n", 211, ReplyFault::InteriorNumber { line: 2 })]
#[case::wrong_last_line(b"211-a\r\n211-b\r\n", 211, ReplyFault::Unfinished)]
#[case::no_line_end(b"211 a", 211, ReplyFault::Unfinished)]
#[case::not_utf8(b"200 \xe9\r\n", 200, ReplyFault::NotUtf8 { line: 1 })]
fn each_fault_is_reported(#[case] octets: &[u8], #[case] code: u16, #[case] fault: ReplyFault) {
    let reply = one(octets);
    assert_eq!(reply.code, code);
    assert!(reply.faults.contains(&fault), "{:?}", reply.faults);
    assert_eq!(reply.octets, octets);
}

#[test]
fn a_carriage_return_before_another_reply_ends_the_line() {
    let replies = all(b"200 a\r200 b\r\n");
    assert_eq!(replies.len(), 2);
    assert_eq!(replies[0].faults, [ReplyFault::BareCr { line: 1 }]);
    assert!(replies[1].faults.is_empty());
}

#[test]
fn dates_between_first_and_last_line_are_no_reply_codes() {
    assert!(
        one(b"213-status\r\n2024-01-01 a\r\n213 end\r\n")
            .faults
            .is_empty()
    );
}

#[test]
fn a_long_line_is_reported_with_its_length() {
    let octets = [b"200 ", [b'x'; LONG_LINE].as_slice(), b"\r\n"].concat();
    let fault = ReplyFault::LongLine {
        line: 1,
        length: LONG_LINE + 4,
    };
    assert_eq!(one(&octets).faults, [fault]);
}

#[test]
fn an_endless_reply_is_cut_off_and_the_next_one_is_found() {
    let long = [
        b"200 ",
        vec![b'x'; LONG_REPLY].as_slice(),
        b"\r\n221 bye\r\n",
    ]
    .concat();
    let mut whole = all(&long);
    assert_eq!(whole.len(), 2);
    assert_eq!(whole[1].code, 221);
    let cut = whole.remove(0);
    assert!(cut.faults.contains(&ReplyFault::TooLong) && cut.octets.len() == LONG_REPLY);
    assert!(!cut.is_whole());

    let mut reader = ReplyReader::default();
    let mut pieces = Vec::new();
    for piece in long.chunks(1000) {
        reader.push(piece);
        pieces.extend(std::iter::from_fn(|| reader.next_reply()));
    }
    assert_eq!(pieces, all(&long));
}

#[test]
fn a_reply_of_endless_lines_is_cut_off() {
    let reply = [&b"200-x\r\n"[..], &b"a\n".repeat(3 * LONG_REPLY_LINES)].concat();
    let cut = all(&reply).remove(0);
    assert_eq!(cut.lines.len(), LONG_REPLY_LINES);
    assert!(cut.faults.contains(&ReplyFault::TooLong) && !cut.is_whole());
}

#[test]
fn many_small_replies_at_once_are_read_in_linear_time() {
    assert_eq!(all(&b"1\n".repeat(200_000)).len(), 200_000);
}

fn wire() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => proptest::sample::select(vec![
            &b"200 ok\r\n"[..], b"211-a\r\n", b"211 b\r\n", b"211-", b"211", b" ", b"\r", b"\n",
            b"\r\n", b"\0", b"\xff\xfb", b"\xff", b"123 x\r\n", b"\r12", b"text",
        ])
        .prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn cutting_the_octets_anywhere_gives_the_same_replies(
        octets in wire(), cuts in proptest::collection::vec(1usize..7, 1..40)
    ) {
        let mut reader = ReplyReader::default();
        let mut replies = Vec::new();
        let mut rest = octets.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, behind) = rest.split_at((*cut).min(rest.len()));
            reader.push(piece);
            rest = behind;
            replies.extend(std::iter::from_fn(|| reader.next_reply()));
        }
        replies.extend(reader.finish());
        prop_assert_eq!(replies, all(&octets));
    }

    #[test]
    fn no_octet_is_lost(octets in wire()) {
        let read: Vec<u8> = all(&octets).into_iter().flat_map(|reply| reply.octets).collect();
        prop_assert_eq!(read, octets);
    }
}
