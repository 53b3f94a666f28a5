//! Parses the listings of servers as far as clean-up needs them. Their content is not trusted: a
//! name is only used below the run's own directory.

/// An entry of a listing.
#[derive(Debug, PartialEq, Eq)]
pub struct ListedName {
    /// Its name: not empty, not `.` or `..`, without separators, LF and NUL.
    pub name: Vec<u8>,
    /// Whether the listing describes it as a directory.
    pub is_directory: bool,
}

/// The format of the lines of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// MLSD: facts and a name (RFC 3659 §7.2).
    Facts,
    /// LIST, as `ls -l` writes it.
    Long,
    /// NLST: names alone.
    Names,
}

/// The commands that list a directory, the most informative first.
pub(super) const LISTINGS: [(&str, Form); 4] = [
    ("MLSD", Form::Facts),
    ("LIST -a", Form::Long),
    ("LIST", Form::Long),
    ("NLST", Form::Names),
];

/// The entries of a listing whose names are safe in a command. NLST may report a name with its
/// directory, which is removed.
pub fn entries(form: Form, listing: &[u8]) -> impl Iterator<Item = ListedName> {
    let lines = listing.split(|octet| *octet == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let read = match form {
        Form::Facts => mlsd_entry,
        Form::Long => list_entry,
        Form::Names => nlst_entry,
    };
    lines
        .filter_map(read)
        .filter(|entry| is_plain_name(&entry.name))
}

/// Whether a name can be used in a command and refers to an entry of the directory itself.
pub(super) fn is_plain_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..")
        && !name
            .iter()
            .any(|octet| matches!(octet, b'/' | b'\\' | b'\n' | 0))
}

/// `facts SP pathname` (RFC 3659 §7.2).
fn mlsd_entry(line: &[u8]) -> Option<ListedName> {
    let space = line.iter().position(|octet| *octet == b' ')?;
    let facts = String::from_utf8_lossy(&line[..space]).to_ascii_lowercase();
    let kind = facts.split(';').find_map(|fact| fact.strip_prefix("type="));
    if matches!(kind, Some("cdir" | "pdir")) {
        return None;
    }
    Some(ListedName {
        name: line[space + 1..].to_vec(),
        is_directory: kind == Some("dir"),
    })
}

/// A line in the format of `ls -l`, which servers use although no RFC specifies it.
fn list_entry(line: &[u8]) -> Option<ListedName> {
    let kind = line.first()?;
    if !matches!(kind, b'-' | b'd' | b'l') {
        return None;
    }
    let mut rest = line;
    for field in 0..8 {
        let end = rest.iter().position(|octet| *octet == b' ')?;
        let next = rest[end..].iter().position(|octet| *octet != b' ')?;
        // A name may begin with spaces, so exactly one space separates it from the fields.
        rest = &rest[end + if field == 7 { 1 } else { next }..];
    }
    let arrow = rest
        .windows(4)
        .position(|part| part == b" -> ")
        .filter(|_| *kind == b'l');
    let name = arrow.map_or(rest, |arrow| &rest[..arrow]);
    Some(ListedName {
        name: name.to_vec(),
        is_directory: *kind == b'd',
    })
}

/// A name, possibly preceded by its directory. Its type is unknown, so nothing below it is touched.
fn nlst_entry(line: &[u8]) -> Option<ListedName> {
    Some(ListedName {
        name: line.rsplit(|octet| *octet == b'/').next()?.to_vec(),
        is_directory: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, is_directory: bool) -> Option<ListedName> {
        Some(ListedName {
            name: name.into(),
            is_directory,
        })
    }

    #[test]
    fn a_listing_identifies_directories() {
        assert_eq!(mlsd_entry(b"Type=dir;Modify=2; a b"), entry("a b", true));
        assert_eq!(
            mlsd_entry(b"type=OS.unix=slink:/etc; link"),
            entry("link", false)
        );
        assert_eq!(mlsd_entry(b"type=pdir; .."), None);
        assert_eq!(
            list_entry(b"drwxr-xr-x   2 ftp ftp   0 Jan  1 10:00 a b"),
            entry("a b", true)
        );
        assert_eq!(
            list_entry(b"lrwxrwxrwx   1 ftp ftp   4 Jan  1 10:00 link -> /etc"),
            entry("link", false)
        );
        assert_eq!(
            list_entry(b"-rw-r--r--   1 ftp ftp   4 Jan  1 10:00  a "),
            entry(" a ", false)
        );
        assert_eq!(list_entry(b"total 12"), None);
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_never_removed() {
        for name in ["", ".", "..", "../x", "/etc", "a/b", "a\\b", "a\nb", "a\0"] {
            assert!(!is_plain_name(name.as_bytes()), "{name:?}");
        }
        assert!(is_plain_name(b"..."));
    }
}
