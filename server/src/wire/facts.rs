//! The facts of MLST and MLSD: which there are, which are sent, and what is written (RFC 3659 §7.5).

use super::time::write_time_val;
use crate::auth::Permissions;
use crate::storage::{FileKind, Metadata};
use std::io::Write as _;

/// A fact of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the fact of its name")]
pub enum Fact {
    Type,
    Size,
    Modify,
    Create,
    Perm,
    Unique,
    UnixMode,
    UnixOwner,
    UnixGroup,
    Charset,
    Lang,
    MediaType,
}

impl Fact {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 12] = [
        Self::Type,
        Self::Size,
        Self::Modify,
        Self::Create,
        Self::Perm,
        Self::Unique,
        Self::UnixMode,
        Self::UnixOwner,
        Self::UnixGroup,
        Self::Charset,
        Self::Lang,
        Self::MediaType,
    ];

    /// The name; those of a system as other servers spell them.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Size => "size",
            Self::Modify => "modify",
            Self::Create => "create",
            Self::Perm => "perm",
            Self::Unique => "unique",
            Self::UnixMode => "UNIX.mode",
            Self::UnixOwner => "UNIX.owner",
            Self::UnixGroup => "UNIX.group",
            Self::Charset => "charset",
            Self::Lang => "lang",
            Self::MediaType => "media-type",
        }
    }
}

/// A set of facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts(u16);

impl Facts {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// What a session begins with. The others say the same of every file, so they come on demand.
    pub const DEFAULT: Self = Self::NONE
        .with(Fact::Type)
        .with(Fact::Size)
        .with(Fact::Modify)
        .with(Fact::Create)
        .with(Fact::Perm)
        .with(Fact::Unique)
        .with(Fact::UnixMode);

    /// With this one.
    #[must_use]
    pub const fn with(self, fact: Fact) -> Self {
        Self(self.0 | 1 << fact as u16)
    }

    /// Without this one.
    #[must_use]
    pub const fn without(self, fact: Fact) -> Self {
        Self(self.0 & !(1 << fact as u16))
    }

    /// Whether it is among them.
    #[must_use]
    pub const fn contains(self, fact: Fact) -> bool {
        self.0 >> (fact as u16) & 1 == 1
    }

    /// Those of them, in the order in which they are written.
    pub fn iter(self) -> impl Iterator<Item = Fact> {
        Fact::ALL
            .into_iter()
            .filter(move |fact| self.contains(*fact))
    }

    /// Adds the fact of that name, in any case; unknown ones are passed over (RFC 3659 §7.9).
    pub fn select(&mut self, name: &[u8]) {
        let named = |fact: &Fact| fact.name().as_bytes().eq_ignore_ascii_case(name);
        if let Some(fact) = Fact::ALL.into_iter().find(named) {
            *self = self.with(fact);
        }
    }
}

/// What whoever runs the server says of files. A server must not guess these facts (RFC 3659 §7.5.6, §7.5.8), so without
/// a word there are none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OperatorFacts {
    /// The natural language of file names.
    pub language: Option<String>,
    /// Endings of file names, without the dot, and the media types they stand for.
    pub media_types: Vec<(String, String)>,
}

impl OperatorFacts {
    /// The facts there is something to say for.
    #[must_use]
    pub fn restrict(told: Option<&Self>, mut facts: Facts) -> Facts {
        if told.is_none_or(|told| told.language.is_none()) {
            facts = facts.without(Fact::Lang);
        }
        if told.is_none_or(|told| told.media_types.is_empty()) {
            facts = facts.without(Fact::MediaType);
        }
        facts
    }

    fn media_type(&self, name: &[u8]) -> Option<&str> {
        let dot = memchr::memrchr(b'.', name).filter(|dot| *dot > 0)?;
        let ending = &name[dot + 1..];
        let mut types = self.media_types.iter();
        let (_, media_type) =
            types.find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(ending))?;
        Some(media_type)
    }
}

/// `type/subtype`, of the characters such names have (RFC 6838 §4.2).
#[must_use]
pub(crate) fn is_media_type(text: &str) -> bool {
    let named = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&octet))
    };
    text.split_once('/')
        .is_some_and(|(main, sub)| named(main) && named(sub))
}

/// How a name stands for what is described: it decides whether the name can be removed and renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// It is its own name.
    Own,
    /// It is a symbolic link: DELE removes the link, RMD does not, and RNFR renames it.
    Link,
    /// It is the top directory, which is neither removed nor renamed.
    Root,
}

/// What is known of a file and its name.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What is sent after the facts: a name or a path.
    pub name: &'a [u8],
    /// How the name stands for it.
    pub naming: Naming,
    /// What the storage says.
    pub metadata: &'a Metadata,
    /// What the user may do.
    pub permissions: Permissions,
    /// What whoever runs the server says.
    pub told: Option<&'a OperatorFacts>,
}

/// Appends the facts, each with its semicolon (RFC 3659 §7.2). Facts nothing is known of are left out.
///
/// A directory is `dir`, also where it is the one that was asked for: a listing has no lines for it or its parent, so
/// there is nothing that `cdir` and `pdir` would have to be told from (RFC 3659 §7.5.1).
pub fn write_facts(known: Known<'_>, facts: Facts, to: &mut Vec<u8>) {
    for fact in facts.iter() {
        let start = to.len();
        to.extend_from_slice(fact.name().as_bytes());
        to.push(b'=');
        if write_value(known, fact, to).is_some() {
            to.push(b';');
        } else {
            to.truncate(start);
        }
    }
}

fn write_value(known: Known<'_>, fact: Fact, to: &mut Vec<u8>) -> Option<()> {
    let metadata = known.metadata;
    match fact {
        Fact::Type => to.extend_from_slice(match metadata.kind {
            FileKind::File => b"file",
            FileKind::Directory => b"dir",
            FileKind::Symlink => b"OS.unix=symlink",
        }),
        Fact::Size if metadata.kind == FileKind::File => {
            let _ = write!(to, "{}", metadata.len);
        }
        Fact::Size => return None,
        Fact::Modify => write_time_val(metadata.modified?, to),
        Fact::Create => {
            // RFC 3659 §7.5.4: never later than modify, which MFMT may have set back.
            let created = metadata.created?;
            let created = metadata.modified.map_or(created, |at| at.min(created));
            write_time_val(created, to);
        }
        Fact::Perm => write_perm(known, to),
        Fact::Unique => {
            let _ = write!(to, "{:x}", metadata.unique?);
        }
        Fact::UnixMode => {
            let _ = write!(to, "{:04o}", metadata.mode? & 0o7777);
        }
        // As in LIST.
        Fact::UnixOwner | Fact::UnixGroup => match &metadata.owners {
            None => to.extend_from_slice(b"ftp"),
            Some(owners) if fact == Fact::UnixOwner => {
                let _ = write!(to, "{}", owners.owner);
            }
            Some(owners) => {
                let _ = write!(to, "{}", owners.group);
            }
        },
        // Of the name, not of the content (RFC 3659 §7.5.9).
        Fact::Charset => {
            std::str::from_utf8(known.name).ok()?;
            to.extend_from_slice(b"UTF-8");
        }
        Fact::Lang => to.extend_from_slice(known.told?.language.as_ref()?.as_bytes()),
        Fact::MediaType if metadata.kind == FileKind::File => {
            let name = match memchr::memrchr(b'/', known.name) {
                Some(slash) => &known.name[slash + 1..],
                None => known.name,
            };
            to.extend_from_slice(known.told?.media_type(name)?.as_bytes());
        }
        Fact::MediaType => return None,
    }
    Some(())
}

/// The letters of the perm fact: those whose command works (RFC 3659 §7.5.5). For a directory, `d`
/// is about RMD, which does not remove a link; whether the directory is empty is not looked at.
fn write_perm(known: Known<'_>, to: &mut Vec<u8>) {
    let (may, kind) = (known.permissions, known.metadata.kind);
    let removable = match (known.naming, kind) {
        (Naming::Root, _) | (Naming::Link, FileKind::Directory) => false,
        (Naming::Own | Naming::Link, _) => may.delete,
    };
    let (d, f) = (
        (b'd', removable),
        (b'f', may.rename && known.naming != Naming::Root),
    );
    let letters: &[(u8, bool)] = match kind {
        FileKind::Directory => &[
            (b'c', may.create),
            d,
            (b'e', true),
            f,
            (b'l', may.list),
            (b'm', may.make_directory),
            (b'p', may.delete),
        ],
        FileKind::File => &[
            (b'a', may.append),
            d,
            f,
            (b'r', may.read),
            (b'w', may.overwrite),
        ],
        // It leads to nothing.
        FileKind::Symlink => &[d, f],
    };
    let granted = letters.iter().filter(|(_, granted)| *granted);
    to.extend(granted.map(|(letter, _)| letter));
}
