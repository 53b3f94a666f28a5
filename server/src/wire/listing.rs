//! The lines of LIST, NLST, MLSD, MLST and STAT (RFC 959 §4.1.3, RFC 3659 §7, RFC 1123 §4.1.2.7).

use super::facts::{Facts, KnownFacts, Naming, OperatorFacts, write_facts};
use super::glob;
use super::time::write_list_date;
use crate::auth::Permissions;
use crate::storage::{Entry, FileKind, Metadata, Owners};
use std::io::Write as _;
use std::sync::Arc;
use std::time::SystemTime;

/// Whether LIST, NLST and STAT show names that begin with a dot. MLSD always shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DotNames {
    /// Always.
    #[default]
    Shown,
    /// With the option `-a`, or where a pattern begins with a dot.
    Hidden,
}

/// How listings show symbolic links. A dangling link is shown as a link unless links are hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Links {
    /// LIST and STAT show the link and its target; MLSD describes the target, as MLST does.
    #[default]
    Shown,
    /// LIST and STAT describe the target, too.
    Followed,
    /// Links are left out. Their names can be used all the same.
    Hidden,
}

/// The format of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListingFormat {
    /// LIST and STAT: like `ls -l`.
    Long {
        /// Names that begin with a dot are shown too.
        all: bool,
    },
    /// NLST: names that RETR accepts.
    Names {
        /// Names that begin with a dot are shown too.
        all: bool,
    },
    /// MLSD: facts.
    Facts(Facts),
}

/// Writes the lines of one listing.
#[derive(Debug, Clone)]
pub struct Lister {
    /// The format of the lines.
    pub format: ListingFormat,
    /// Only names that match this pattern.
    pub pattern: Option<Vec<u8>>,
    /// NLST: octets before each name, so that RETR accepts the result (RFC 1123 §4.1.2.7).
    pub prefix: Vec<u8>,
    /// The permissions of the user, for the perm fact.
    pub permissions: Permissions,
    /// How symbolic links are shown.
    pub links: Links,
    /// The facts that the operator has configured.
    pub operator_facts: Option<Arc<OperatorFacts>>,
    /// The current time, for the format of dates in LIST.
    pub now: SystemTime,
}

impl Lister {
    /// Whether an entry of a directory belongs in the listing. A requested file always does.
    #[must_use]
    pub fn shows(&self, entry: &Entry) -> bool {
        let name = &entry.name[..];
        if self.links == Links::Hidden && entry.metadata.kind == FileKind::Symlink {
            return false;
        }
        // A name with a line end would break the listing (RFC 3659 §2.2).
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

    /// Whether the target of a link is described in its place.
    #[must_use]
    pub fn follows_links(&self) -> bool {
        match self.format {
            ListingFormat::Long { .. } => self.links == Links::Followed,
            ListingFormat::Names { .. } => false,
            ListingFormat::Facts(_) => true,
        }
    }

    /// Appends the line of an entry, with CRLF.
    pub fn write(&self, entry: &Entry, naming: Naming, to: &mut Vec<u8>) {
        match self.format {
            ListingFormat::Long { .. } => write_long(entry, self.now, to),
            ListingFormat::Names { .. } => {
                to.extend_from_slice(&self.prefix);
                to.extend_from_slice(&entry.name);
            }
            ListingFormat::Facts(facts) => {
                let known = KnownFacts {
                    name: &entry.name,
                    naming,
                    metadata: &entry.metadata,
                    permissions: self.permissions,
                    operator_facts: self.operator_facts.as_deref(),
                };
                write_facts(known, facts, to);
                to.push(b' ');
                to.extend_from_slice(&entry.name);
            }
        }
        to.extend_from_slice(b"\r\n");
    }
}

/// Appends a line like those of `ls -l`, without line end. Owner and group are `ftp` if the storage
/// does not know them.
pub fn write_long(entry: &Entry, now: SystemTime, to: &mut Vec<u8>) {
    let Metadata {
        kind,
        len,
        mode,
        modified,
        target,
        owners,
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
    let _ = match owners {
        None => write!(to, " 1 ftp      ftp      {len:>12} "),
        Some(Owners { owner, group }) => write!(to, " 1 {owner:<8} {group:<8} {len:>12} "),
    };
    write_list_date(modified.unwrap_or(SystemTime::UNIX_EPOCH), now, to);
    to.push(b' ');
    to.extend_from_slice(&entry.name);
    if let Some(target) = target {
        to.extend_from_slice(b" -> ");
        // The target of a link is any octets; a line end in it must not begin another line.
        to.extend(target.iter().map(|octet| match octet {
            b'\r' | b'\n' | 0 => b'?',
            other => *other,
        }));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

    use super::super::facts::Fact;
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
                owners: None,
            },
        }
    }

    fn lister(format: ListingFormat) -> Lister {
        Lister {
            format,
            pattern: None,
            prefix: Vec::new(),
            permissions: Permissions::READ_ONLY,
            links: Links::Shown,
            operator_facts: None,
            now: parse_time_val(b"20231201000000").unwrap(),
        }
    }

    fn written(lister: &Lister, entry: &Entry) -> String {
        let mut text = Vec::new();
        lister.write(entry, Naming::Own, &mut text);
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
    fn owners_are_those_the_storage_knows() {
        use crate::storage::Owner;
        let mut owned = entry("f", FileKind::File);
        owned.metadata.owners = Some(Owners {
            owner: Owner::named("alice"),
            group: Owner::number(100),
        });
        let long = lister(ListingFormat::Long { all: false });
        assert_eq!(
            written(&long, &owned),
            "-rw-r--r-- 1 alice    100               123 Nov 23 04:00 f\r\n"
        );
        let facts = Facts::NONE.with(Fact::UnixOwner).with(Fact::UnixGroup);
        assert_eq!(
            written(&lister(ListingFormat::Facts(facts)), &owned),
            "UNIX.owner=alice;UNIX.group=100; f\r\n"
        );
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
    fn facts_are_those_that_are_known_and_allowed() {
        let facts = lister(ListingFormat::Facts(Facts::DEFAULT));
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
    fn configured_media_types_are_reported_and_nothing_is_guessed() {
        let all = Fact::ALL.into_iter().fold(Facts::NONE, Facts::with);
        let wanted = all
            .without(Fact::Modify)
            .without(Fact::Create)
            .without(Fact::Perm);
        let operator_facts = OperatorFacts {
            language: Some("de".into()),
            media_types: vec![("txt".into(), "text/plain".into())],
        };
        let telling = Lister {
            operator_facts: Some(Arc::new(operator_facts)),
            ..lister(ListingFormat::Facts(wanted))
        };
        let owned = "UNIX.owner=ftp;UNIX.group=ftp;charset=UTF-8;lang=de;";
        assert_eq!(
            written(&telling, &entry("a.TXT", FileKind::File)),
            format!("type=file;size=123;unique=2a;{owned}media-type=text/plain; a.TXT\r\n")
        );
        for (name, kind, begin) in [
            (".txt", FileKind::File, "type=file;size=123;"),
            ("txt", FileKind::File, "type=file;size=123;"),
            ("d.txt", FileKind::Directory, "type=dir;"),
        ] {
            assert_eq!(
                written(&telling, &entry(name, kind)),
                format!("{begin}unique=2a;{owned} {name}\r\n")
            );
        }
        let silent = lister(ListingFormat::Facts(wanted));
        assert_eq!(
            written(&silent, &entry("a.txt", FileKind::File)),
            "type=file;size=123;unique=2a;UNIX.owner=ftp;UNIX.group=ftp;charset=UTF-8; a.txt\r\n"
        );
    }

    #[test]
    fn a_name_in_no_known_charset_has_no_charset_fact() {
        let charset = lister(ListingFormat::Facts(Facts::NONE.with(Fact::Charset)));
        let mut line = Vec::new();
        let mut latin = entry("", FileKind::File);
        latin.name = b"caf\xe9".to_vec();
        charset.write(&latin, Naming::Own, &mut line);
        assert_eq!(line, b" caf\xe9\r\n");
    }

    #[test]
    fn without_facts_a_space_is_left() {
        let none = lister(ListingFormat::Facts(Facts::NONE));
        assert_eq!(written(&none, &entry("f", FileKind::File)), " f\r\n");
    }

    #[test]
    fn dot_names_are_shown_on_demand_and_in_mlsd() {
        assert!(!lister(ListingFormat::Long { all: false }).shows(&entry(".x", FileKind::File)));
        assert!(lister(ListingFormat::Long { all: true }).shows(&entry(".x", FileKind::File)));
        assert!(lister(ListingFormat::Facts(Facts::DEFAULT)).shows(&entry(".x", FileKind::File)));
        let dotted = Lister {
            pattern: Some(b".*".to_vec()),
            ..lister(ListingFormat::Names { all: false })
        };
        assert!(dotted.shows(&entry(".x", FileKind::File)));
        assert!(!dotted.shows(&entry("x", FileKind::File)));
    }

    #[test]
    fn a_name_with_a_line_end_is_left_out() {
        assert!(
            !lister(ListingFormat::Facts(Facts::DEFAULT)).shows(&entry("a\r\nb", FileKind::File))
        );
    }

    #[test]
    fn links_are_left_out_where_they_are_hidden() {
        let mut hiding = lister(ListingFormat::Long { all: true });
        assert!(hiding.shows(&entry("l", FileKind::Symlink)));
        hiding.links = Links::Hidden;
        assert!(!hiding.shows(&entry("l", FileKind::Symlink)));
        assert!(hiding.shows(&entry("f", FileKind::File)));
    }
}
