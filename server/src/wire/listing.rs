//! What LIST, NLST, MLSD, MLST and STAT write about a file (RFC 959 §4.1.3, RFC 3659 §7, RFC 1123 §4.1.2.7).

use super::glob;
use super::time::{write_list_date, write_time_val};
use crate::auth::Permissions;
use crate::storage::{Entry, FileKind, Metadata};
use std::io::Write as _;
use std::time::SystemTime;

/// How a listing is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListingFormat {
    /// LIST and STAT: like `ls -l`; with `.`-names too if `all`.
    Long {
        /// Names that begin with a dot are shown too.
        all: bool,
    },
    /// NLST: names that RETR takes.
    Names {
        /// Names that begin with a dot are shown too.
        all: bool,
    },
    /// MLSD: facts.
    Facts(Facts),
}

/// Which MLSx facts are sent (RFC 3659 §7.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// `type=`
    pub kind: bool,
    /// `size=`
    pub size: bool,
    /// `modify=`
    pub modify: bool,
    /// `create=`
    pub create: bool,
    /// `perm=`
    pub perm: bool,
    /// `unique=`
    pub unique: bool,
    /// `UNIX.mode=`
    pub unix_mode: bool,
}

impl Facts {
    /// All of them: what a session begins with.
    pub const ALL: Self = Self {
        kind: true,
        size: true,
        modify: true,
        create: true,
        perm: true,
        unique: true,
        unix_mode: true,
    };
    /// None of them.
    pub const NONE: Self = Self {
        kind: false,
        size: false,
        modify: false,
        create: false,
        perm: false,
        unique: false,
        unix_mode: false,
    };

    /// The names, in the order in which facts are written, and whether each is sent.
    #[must_use]
    pub fn named(&self) -> [(&'static str, bool); 7] {
        [
            ("type", self.kind),
            ("size", self.size),
            ("modify", self.modify),
            ("create", self.create),
            ("perm", self.perm),
            ("unique", self.unique),
            ("UNIX.mode", self.unix_mode),
        ]
    }

    /// Selects the fact of that name, in any case; unknown ones are passed over (RFC 3659 §7.9).
    pub fn select(&mut self, name: &[u8]) {
        let facts: [(&[u8], &mut bool); 7] = [
            (b"type", &mut self.kind),
            (b"size", &mut self.size),
            (b"modify", &mut self.modify),
            (b"create", &mut self.create),
            (b"perm", &mut self.perm),
            (b"unique", &mut self.unique),
            (b"UNIX.mode", &mut self.unix_mode),
        ];
        for (known, selected) in facts {
            if known.eq_ignore_ascii_case(name) {
                *selected = true;
            }
        }
    }
}

/// Writes the lines of one listing.
#[derive(Debug, Clone)]
pub struct Lister {
    /// How they are written.
    pub format: ListingFormat,
    /// Only names this pattern matches.
    pub pattern: Option<Vec<u8>>,
    /// NLST: octets before each name, so that RETR takes the result (RFC 1123 §4.1.2.7).
    pub prefix: Vec<u8>,
    /// What the user may do, for the perm fact.
    pub permissions: Permissions,
    /// The time, for how LIST dates are written.
    pub now: SystemTime,
}

impl Lister {
    /// Whether a name found in a directory belongs into the listing. One that was asked for by itself always does.
    #[must_use]
    pub fn shows(&self, name: &[u8]) -> bool {
        // A name with a line end would break the listing: RFC 3659 §2.2.
        if memchr::memchr3(b'\r', b'\n', 0, name).is_some() {
            return false;
        }
        let dot_names = match (&self.pattern, self.format) {
            (Some(pattern), _) if pattern.starts_with(b".") => true,
            (_, ListingFormat::Long { all } | ListingFormat::Names { all }) => all,
            (_, ListingFormat::Facts(_)) => true,
        };
        (dot_names || !name.starts_with(b"."))
            && self
                .pattern
                .as_ref()
                .is_none_or(|pattern| glob::matches(pattern, name))
    }

    /// Appends the line of an entry, with CRLF.
    pub fn write(&self, entry: &Entry, to: &mut Vec<u8>) {
        match self.format {
            ListingFormat::Long { .. } => write_long(entry, self.now, to),
            ListingFormat::Names { .. } => {
                to.extend_from_slice(&self.prefix);
                to.extend_from_slice(&entry.name);
            }
            ListingFormat::Facts(facts) => {
                write_facts(&entry.metadata, facts, self.permissions, to);
                to.push(b' ');
                to.extend_from_slice(&entry.name);
            }
        }
        to.extend_from_slice(b"\r\n");
    }
}

/// Appends a line like those of `ls -l`, without line end. Owner and group are always `ftp`: who owns a file on this
/// host is nobody's business.
pub fn write_long(entry: &Entry, now: SystemTime, to: &mut Vec<u8>) {
    let Metadata {
        kind,
        len,
        mode,
        modified,
        target,
        ..
    } = &entry.metadata;
    let (letter, usual) = match kind {
        FileKind::File => (b'-', 0o644),
        FileKind::Directory => (b'd', 0o755),
        FileKind::Symlink => (b'l', 0o777),
    };
    to.push(letter);
    let mode = mode.unwrap_or(usual);
    for bit in (0..9).rev() {
        let letter = b"xwr"[bit % 3];
        to.push(if mode >> bit & 1 == 1 { letter } else { b'-' });
    }
    let _ = write!(to, " 1 ftp      ftp      {len:>12} ");
    write_list_date(modified.unwrap_or(SystemTime::UNIX_EPOCH), now, to);
    to.push(b' ');
    to.extend_from_slice(&entry.name);
    if let Some(target) = target {
        to.extend_from_slice(b" -> ");
        // What a link says is any octets; a line end in it must not make another line.
        to.extend(target.iter().map(|octet| match octet {
            b'\r' | b'\n' | 0 => b'?',
            other => *other,
        }));
    }
}

/// Appends the facts, each with its semicolon (RFC 3659 §7.2). Facts nothing is known of are left out.
pub fn write_facts(metadata: &Metadata, facts: Facts, permissions: Permissions, to: &mut Vec<u8>) {
    if facts.kind {
        to.extend_from_slice(match metadata.kind {
            FileKind::File => b"type=file;",
            FileKind::Directory => b"type=dir;",
            FileKind::Symlink => b"type=OS.unix=symlink;",
        });
    }
    if facts.size && metadata.kind == FileKind::File {
        let _ = write!(to, "size={};", metadata.len);
    }
    if let Some(modified) = metadata.modified.filter(|_| facts.modify) {
        to.extend_from_slice(b"modify=");
        write_time_val(modified, to);
        to.push(b';');
    }
    if let Some(created) = metadata.created.filter(|_| facts.create) {
        // RFC 3659 §7.5.4: never later than modify, which MFMT may have set back.
        let created = metadata.modified.map_or(created, |at| at.min(created));
        to.extend_from_slice(b"create=");
        write_time_val(created, to);
        to.push(b';');
    }
    if facts.perm {
        to.extend_from_slice(b"perm=");
        write_perm(metadata.kind, permissions, to);
        to.push(b';');
    }
    if let Some(unique) = metadata.unique.filter(|_| facts.unique) {
        let _ = write!(to, "unique={unique:x};");
    }
    if let Some(mode) = metadata.mode.filter(|_| facts.unix_mode) {
        let _ = write!(to, "UNIX.mode={:04o};", mode & 0o7777);
    }
}

/// The letters of the perm fact (RFC 3659 §7.5.5).
fn write_perm(kind: FileKind, may: Permissions, to: &mut Vec<u8>) {
    let letters = match kind {
        FileKind::Directory => [
            (b'c', may.write),
            (b'd', may.remove),
            (b'e', true),
            (b'f', may.remove),
            (b'l', may.list),
            (b'm', may.make_directory),
            (b'p', may.remove),
        ],
        FileKind::File | FileKind::Symlink => [
            (b'a', may.write),
            (b'd', may.remove),
            (b'f', may.remove),
            (b'r', may.read),
            (b'w', may.write),
            (b' ', false),
            (b' ', false),
        ],
    };
    to.extend(
        letters
            .iter()
            .filter_map(|(letter, granted)| granted.then_some(*letter)),
    );
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

    use super::super::time::parse_time_val;
    use super::*;

    fn entry(name: &str, kind: FileKind) -> Entry {
        Entry {
            name: name.into(),
            metadata: Metadata {
                kind,
                len: if kind == FileKind::File { 123 } else { 0 },
                mode: None,
                modified: parse_time_val(b"20231123040000"),
                created: parse_time_val(b"20231124000000"),
                unique: Some(0x2a),
                target: (kind == FileKind::Symlink).then(|| b"else\nwhere".to_vec()),
            },
        }
    }

    fn lister(format: ListingFormat) -> Lister {
        Lister {
            format,
            pattern: None,
            prefix: Vec::new(),
            permissions: Permissions::READ_ONLY,
            now: parse_time_val(b"20231201000000").unwrap(),
        }
    }

    fn written(lister: &Lister, entry: &Entry) -> String {
        let mut text = Vec::new();
        lister.write(entry, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn long_lines_look_like_ls() {
        let long = lister(ListingFormat::Long { all: false });
        assert_eq!(
            written(&long, &entry("a b.txt", FileKind::File)),
            "-rw-r--r-- 1 ftp      ftp               123 Nov 23 04:00 a b.txt\r\n"
        );
        assert!(written(&long, &entry("d", FileKind::Directory)).starts_with("drwxr-xr-x 1 ftp"));
        assert!(written(&long, &entry("l", FileKind::Symlink)).ends_with("l -> else?where\r\n"));
    }

    #[test]
    fn names_carry_the_prefix_that_retr_needs() {
        let names = Lister {
            prefix: b"d/".to_vec(),
            ..lister(ListingFormat::Names { all: false })
        };
        assert_eq!(written(&names, &entry("f", FileKind::File)), "d/f\r\n");
    }

    #[test]
    fn facts_say_what_is_known_and_allowed() {
        let facts = lister(ListingFormat::Facts(Facts::ALL));
        assert_eq!(
            written(&facts, &entry("f", FileKind::File)),
            "type=file;size=123;modify=20231123040000;create=20231123040000;perm=r;unique=2a; f\r\n"
        );
        assert_eq!(
            written(&facts, &entry("d", FileKind::Directory)),
            "type=dir;modify=20231123040000;create=20231123040000;perm=el;unique=2a; d\r\n"
        );
    }

    #[test]
    fn without_facts_a_space_is_left() {
        let none = lister(ListingFormat::Facts(Facts::NONE));
        assert_eq!(written(&none, &entry("f", FileKind::File)), " f\r\n");
    }

    #[test]
    fn dot_names_are_shown_on_demand_and_in_mlsd() {
        assert!(!lister(ListingFormat::Long { all: false }).shows(b".x"));
        assert!(lister(ListingFormat::Long { all: true }).shows(b".x"));
        assert!(lister(ListingFormat::Facts(Facts::ALL)).shows(b".x"));
        let dotted = Lister {
            pattern: Some(b".*".to_vec()),
            ..lister(ListingFormat::Names { all: false })
        };
        assert!(dotted.shows(b".x"));
        assert!(!dotted.shows(b"x"));
    }

    #[test]
    fn a_name_with_a_line_end_is_left_out() {
        assert!(!lister(ListingFormat::Facts(Facts::ALL)).shows(b"a\r\nb"));
    }
}
