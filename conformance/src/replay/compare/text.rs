//! The texts of replies without what differs from one run to the next.

use std::sync::LazyLock;

use regex::Regex;

use super::listing::without_varying;
use crate::transcript::{Reply, masked};

/// Identifiers of sessions and how many users there are.
static IDENTIFIERS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"(?i)\b[0-9a-f]{8,}\b", "<id>"),
        (
            r"(?i)\b(session|connection|user number|process) #?\d+",
            "$1 <id>",
        ),
        (
            r"(?i)\blocal time is now \d\d:\d\d\b",
            "local time is now <time>",
        ),
    ]
    .map(|(pattern, stands)| (Regex::new(pattern).expect("a test compiles it"), stands))
    .into()
});
/// A name of a host; only looked for in a greeting, where there are no names of files.
static HOST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}\b").expect("a test compiles it")
});

/// The lines of replies in the form in which they are compared. The live login directory stands as
/// the recorded one.
pub(super) fn comparable(
    replies: &[Reply],
    is_greeting: bool,
    directories: Option<&(String, String)>,
) -> Vec<String> {
    let line = |line: &Vec<u8>| {
        let mut line = String::from_utf8_lossy(line).into_owned();
        if let Some((recorded, live)) = directories.filter(|(_, live)| live.len() > 1) {
            let below = format!("{}/", recorded.trim_end_matches('/'));
            line = line.replace(&format!("{live}/"), &below);
            line = line.replace(live.as_str(), recorded);
        }
        // The masks know a reply by its beginning.
        let mut line = masked(format!("S: {}", without_varying(&line)));
        for (pattern, stands) in IDENTIFIERS.iter() {
            line = pattern.replace_all(&line, *stands).into_owned();
        }
        if is_greeting {
            line = HOST.replace_all(&line, "<host>").into_owned();
        }
        line
    };
    replies
        .iter()
        .flat_map(|reply| &reply.lines)
        .map(line)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::ReplyReader;
    use rstest::rstest;

    fn lines(octets: &str, is_greeting: bool) -> Vec<String> {
        let mut reader = ReplyReader::default();
        reader.push(octets.as_bytes());
        let replies: Vec<Reply> = std::iter::from_fn(|| reader.next_reply()).collect();
        comparable(
            &replies,
            is_greeting,
            Some(&("/a".into(), "/live/b".into())),
        )
    }

    #[rstest]
    #[case(
        "220 ftp.example.org ready\r\n",
        "220 mirror.example.net ready\r\n",
        true
    )]
    #[case("227 x (127,0,0,1,4,5)\r\n", "227 x (10,0,0,1,6,7)\r\n", false)]
    #[case("213 20240102030405\r\n", "213 20250102030405\r\n", false)]
    #[case("200 Session 4711\r\n", "200 Session 12\r\n", false)]
    #[case("221 deadbeef01\r\n", "221 0123456789\r\n", false)]
    #[case("257 \"/a/x\"\r\n", "257 \"/live/b/x\"\r\n", false)]
    fn what_varies_is_equal(#[case] one: &str, #[case] other: &str, #[case] is_greeting: bool) {
        assert_eq!(lines(one, is_greeting), lines(other, is_greeting));
    }

    #[rstest]
    #[case("250 a.txt\r\n", "250 b.txt\r\n")]
    #[case("257 \"/x\"\r\n", "257 \"/y\"\r\n")]
    #[case("213 5\r\n", "213 6\r\n")]
    fn what_means_something_differs(#[case] one: &str, #[case] other: &str) {
        assert_ne!(lines(one, false), lines(other, false));
    }
}
