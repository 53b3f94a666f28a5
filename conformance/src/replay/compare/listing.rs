//! Listings without what differs from one run to the next though nothing has changed.

use std::sync::LazyLock;

use regex::Regex;

/// `ls -l`, as most servers write it for LIST and STAT.
static UNIX: LazyLock<Regex> = LazyLock::new(|| {
    let date = r"[A-Z][a-z]{2}\s+\d{1,2}\s+(?:\d{4}|\d{1,2}:\d{2})|\d{4}-\d{2}-\d{2} \d{2}:\d{2}";
    let pattern = format!(
        r"^\s?([bcdlps-][-rwxsStT]{{9}}[+.@]?)\s+\d+\s+\S+\s+\S+\s+(\d+)\s+(?:{date})\s(.*)$"
    );
    Regex::new(&pattern).expect("a test compiles it")
});
/// As Windows servers write it.
static DOS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"^\s?\d{2}-\d{2}-\d{2,4}\s+\d{2}:\d{2}(?:[AP]M)?\s+(<DIR>|\d+)\s+(.*)$";
    Regex::new(pattern).expect("a test compiles it")
});
/// The facts of MLSD and MLST (RFC 3659 §7.2).
static FACTS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\s?((?:[^;= ]+=[^;]*;)+) (.*)$").expect("a test compiles it"));

/// Facts that differ between two runs (RFC 3659 §7.5), in lower case.
const VARYING_FACTS: [&str; 9] = [
    "modify",
    "create",
    "unique",
    "unix.owner",
    "unix.group",
    "unix.uid",
    "unix.gid",
    "unix.ownername",
    "unix.groupname",
];

/// A line of a listing without times, owners, unique facts and sizes of directories. Any other line
/// is returned as it is.
pub(super) fn without_varying(line: &str) -> String {
    if let Some(found) = UNIX.captures(line) {
        let (mode, size, name) = (&found[1], &found[2], &found[3]);
        let size = if mode.starts_with('d') {
            "<size>"
        } else {
            size
        };
        return format!("{mode} {size} <date> {name}");
    }
    if let Some(found) = DOS.captures(line) {
        return format!("<date> {} {}", &found[1], &found[2]);
    }
    if let Some(found) = FACTS.captures(line) {
        return format!("{} {}", facts(&found[1]), &found[2]);
    }
    match line.strip_prefix("total ") {
        Some(blocks) if blocks.bytes().all(|it| it.is_ascii_digit()) => "total <blocks>".into(),
        _ => line.into(),
    }
}

/// Two listings in the form in which they are compared: lines in order of their text, because the
/// order of a directory is not defined.
pub(super) fn normalized(listing: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(listing);
    let mut lines: Vec<String> = text.lines().map(without_varying).collect();
    lines.sort();
    lines
}

fn facts(facts: &str) -> String {
    let lower = facts.to_ascii_lowercase();
    let is_directory = ["type=dir;", "type=cdir;", "type=pdir;"]
        .iter()
        .any(|it| lower.contains(it));
    let fact = |fact: &str| {
        let (name, _) = fact.split_once('=').unwrap_or((fact, ""));
        let lower = name.to_ascii_lowercase();
        let size = matches!(lower.as_str(), "size" | "sizd");
        match VARYING_FACTS.contains(&lower.as_str()) || (is_directory && size) {
            true => format!("{name}=<{lower}>;"),
            false => format!("{fact};"),
        }
    };
    facts.split_terminator(';').map(fact).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        "-rw-r--r--    1 1000     1000           12 Jan 02 10:11 a b",
        "-rw-r--r-- 12 <date> a b"
    )]
    #[case(
        "drwxr-xr-x 2 root root 4096 Mar  1  2024 d",
        "drwxr-xr-x <size> <date> d"
    )]
    #[case("01-02-24  10:11AM       <DIR>          d", "<date> <DIR> d")]
    #[case("01-02-2024  10:11AM  12 a.txt", "<date> 12 a.txt")]
    #[case(
        "type=file;size=3;modify=20240102030405;UNIX.mode=0644;unique=1a; a",
        "type=file;size=3;modify=<modify>;UNIX.mode=0644;unique=<unique>; a"
    )]
    #[case("Type=dir;Sizd=4096; d", "Type=dir;Sizd=<sizd>; d")]
    #[case("total 12", "total <blocks>")]
    #[case("total 12 reports", "total 12 reports")]
    #[case("a.txt", "a.txt")]
    fn only_what_varies_is_replaced(#[case] line: &str, #[case] expected: &str) {
        assert_eq!(without_varying(line), expected);
    }

    #[test]
    fn the_order_of_a_listing_does_not_matter_and_its_entries_do() {
        assert_eq!(normalized(b"b\r\na\r\n"), normalized(b"a\r\nb\r\n"));
        assert_ne!(normalized(b"b\r\n"), normalized(b"a\r\nb\r\n"));
    }
}
