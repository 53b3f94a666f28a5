//! The facts of MLST and MLSD (RFC 3659 §7.5): names, selection and values.

use super::time::write_time_val;
use crate::auth::Permissions;
use crate::storage::{FileKind, Metadata};
use std::io::Write as _;

/// Defines the facts by their names.
macro_rules! facts {
    ($($fact:ident => $name:literal,)*) => {
        /// A fact of a file.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each is the fact of its name")]
        pub enum Fact { $($fact),* }

        impl Fact {
            /// All of them, in the order of output.
            pub const ALL: [Self; 12] = [$(Self::$fact),*];

            /// The name; system-specific ones are spelled as by other servers.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$fact => $name,)*
                }
            }
        }
    };
}

facts! {
    Type => "type",
    Size => "size",
    Modify => "modify",
    Create => "create",
    Perm => "perm",
    Unique => "unique",
    UnixMode => "UNIX.mode",
    UnixOwner => "UNIX.owner",
    UnixGroup => "UNIX.group",
    Charset => "charset",
    Lang => "lang",
    MediaType => "media-type",
}

/// A set of facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts(u16);

impl Facts {
    /// No facts.
    pub const NONE: Self = Self(0);
    /// The initial selection. The others are the same for every file, so they are sent on request.
    pub const DEFAULT: Self = Self::NONE
        .with(Fact::Type)
        .with(Fact::Size)
        .with(Fact::Modify)
        .with(Fact::Create)
        .with(Fact::Perm)
        .with(Fact::Unique)
        .with(Fact::UnixMode);

    /// Adds a fact.
    #[must_use]
    pub const fn with(self, fact: Fact) -> Self {
        Self(self.0 | 1 << fact as u16)
    }

    /// Removes a fact.
    #[must_use]
    pub const fn without(self, fact: Fact) -> Self {
        Self(self.0 & !(1 << fact as u16))
    }

    /// Whether it contains a fact.
    #[must_use]
    pub const fn contains(self, fact: Fact) -> bool {
        self.0 >> (fact as u16) & 1 == 1
    }

    /// The facts it contains, in the order of output.
    pub fn iter(self) -> impl Iterator<Item = Fact> {
        Fact::ALL
            .into_iter()
            .filter(move |fact| self.contains(*fact))
    }

    /// Adds the fact of that name, in any case; unknown names are ignored (RFC 3659 §7.9).
    pub fn select(&mut self, name: &[u8]) {
        let named = |fact: &Fact| fact.name().as_bytes().eq_ignore_ascii_case(name);
        if let Some(fact) = Fact::ALL.into_iter().find(named) {
            *self = self.with(fact);
        }
    }
}

/// Facts that the operator has configured. A server must not guess them (RFC 3659 §7.5.6, §7.5.8),
/// so without configuration there are none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OperatorFacts {
    /// The natural language of file names.
    pub language: Option<String>,
    /// Extensions of file names, without the dot, and their media types.
    pub media_types: Vec<(String, String)>,
}

impl OperatorFacts {
    /// Removes the facts that are not configured.
    #[must_use]
    pub fn restrict(configured: Option<&Self>, mut facts: Facts) -> Facts {
        if configured.is_none_or(|configured| configured.language.is_none()) {
            facts = facts.without(Fact::Lang);
        }
        if configured.is_none_or(|configured| configured.media_types.is_empty()) {
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

/// Whether it is `type/subtype`, of the characters that are allowed (RFC 6838 §4.2).
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

/// How a name refers to a file: it determines whether the name can be removed and renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// The name of the file itself.
    Own,
    /// A symbolic link: DELE removes the link, RMD does not, and RNFR renames it.
    Link,
    /// The root directory, which can be neither removed nor renamed.
    Root,
}

/// A file and its name.
#[derive(Debug, Clone, Copy)]
pub struct KnownFacts<'a> {
    /// The text after the facts: a name or a path.
    pub name: &'a [u8],
    /// How the name refers to the file.
    pub naming: Naming,
    /// The metadata of the storage.
    pub metadata: &'a Metadata,
    /// The permissions of the user.
    pub permissions: Permissions,
    /// The facts that the operator has configured.
    pub operator_facts: Option<&'a OperatorFacts>,
}

/// Appends the facts, each with its semicolon (RFC 3659 §7.2). Unknown facts are left out.
///
/// A directory is always `dir`, also the requested one: a listing has no lines for it or its
/// parent, so `cdir` and `pdir` are not needed to distinguish them (RFC 3659 §7.5.1).
pub fn write_facts(known: KnownFacts<'_>, facts: Facts, to: &mut Vec<u8>) {
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

fn write_value(known: KnownFacts<'_>, fact: Fact, to: &mut Vec<u8>) -> Option<()> {
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
        // The charset of the name, not of the content (RFC 3659 §7.5.9).
        Fact::Charset => {
            std::str::from_utf8(known.name).ok()?;
            to.extend_from_slice(b"UTF-8");
        }
        Fact::Lang => to.extend_from_slice(known.operator_facts?.language.as_ref()?.as_bytes()),
        Fact::MediaType if metadata.kind == FileKind::File => {
            let name = match memchr::memrchr(b'/', known.name) {
                Some(slash) => &known.name[slash + 1..],
                None => known.name,
            };
            to.extend_from_slice(known.operator_facts?.media_type(name)?.as_bytes());
        }
        Fact::MediaType => return None,
    }
    Some(())
}

/// The letters of the perm fact: those of permitted commands (RFC 3659 §7.5.5). For a directory,
/// `d` refers to RMD, which does not remove a link; whether the directory is empty is not checked.
fn write_perm(known: KnownFacts<'_>, to: &mut Vec<u8>) {
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
        // A dangling link.
        FileKind::Symlink => &[d, f],
    };
    let granted = letters.iter().filter(|(_, granted)| *granted);
    to.extend(granted.map(|(letter, _)| letter));
}
