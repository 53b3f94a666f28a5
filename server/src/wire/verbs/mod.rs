//! The table of verbs: the only place that defines the name, syntax and login rule of a verb, its
//! line of FEAT and its text of HELP. The parser, the login check, FEAT, HELP and SITE HELP all use
//! it.

mod table;

pub use table::{VERBS, Verb};

impl Verb {
    /// The verb of that name, in any case (RFC 959 §5.3).
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        let mut upper = [0; LONGEST];
        let upper = upper.get_mut(..name.len())?;
        upper.copy_from_slice(name);
        upper.make_ascii_uppercase();
        let found = VERBS
            .binary_search_by(|row| row.name.as_bytes().cmp(upper))
            .ok()?;
        Some(VERBS[found].verb)
    }

    /// Its row in the table.
    #[must_use]
    pub fn row(self) -> &'static VerbRow {
        &VERBS[self as usize]
    }
}

/// The length of the longest verb.
const LONGEST: usize = 7;

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct VerbRow {
    /// The verb.
    pub verb: Verb,
    /// Its name.
    pub name: &'static str,
    /// The syntax of its argument, in the notation of RFC 959 §5.3.1; empty without an argument.
    pub syntax: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    /// Whether it takes an argument.
    pub arity: Arity,
    /// Who may use it.
    pub login: LoginRule,
    /// Its line of FEAT.
    pub feature: Feature,
    /// How it is handled during a transfer.
    pub in_transfer: InTransfer,
    /// Whether a restart marker set by REST stays valid after it.
    pub keeps_restart: bool,
    /// Whether it is implemented; if not, 502.
    pub implemented: bool,
}

/// Whether a verb takes an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// No argument: 501 with one.
    None,
    /// An optional argument.
    Optional,
    /// A required argument: 501 without one.
    Required,
}

/// Who may use a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginRule {
    /// Any client.
    Always,
    /// Logged-in users: 530 before the login.
    LoggedIn,
}

/// How FEAT lists a verb (RFC 2389 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Not at all: it is in RFC 959, or belongs to another line.
    Unlisted,
    /// With this line.
    Line(&'static str),
    /// `MLST` with the facts, the selected ones marked (RFC 3659 §7.8).
    Facts,
    /// `LANG` with the languages, the current one marked (RFC 2640 §4.3).
    Languages,
    /// `HASH` with the algorithms, the selected one marked.
    Hashes,
}

/// How a command is handled during a transfer (RFC 959 §4.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InTransfer {
    /// It waits until the transfer has ended, since replies keep the order of the commands.
    Waits,
    /// It may be answered at once: ABOR, STAT without argument, and NOOP if so configured.
    Passes,
}

/// A set of verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VerbSet(u128);

impl VerbSet {
    /// The empty set.
    pub const EMPTY: Self = Self(0);

    /// Adds a verb.
    #[must_use]
    pub const fn with(self, verb: Verb) -> Self {
        Self(self.0 | 1 << verb as u128)
    }

    /// Whether the set contains a verb.
    #[must_use]
    pub const fn contains(self, verb: Verb) -> bool {
        self.0 >> (verb as u128) & 1 == 1
    }
}

impl FromIterator<Verb> for VerbSet {
    fn from_iter<T: IntoIterator<Item = Verb>>(verbs: T) -> Self {
        verbs.into_iter().fold(Self::EMPTY, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_upper_case_and_not_too_long() {
        assert!(VERBS.is_sorted_by(|a, b| a.name < b.name));
        assert!(VERBS.len() <= 128, "a VerbSet holds 128 verbs");
        for row in VERBS {
            assert!(row.name.len() <= LONGEST, "{}", row.name);
            assert!(
                row.name
                    .bytes()
                    .all(|octet| octet.is_ascii_uppercase() || octet.is_ascii_digit()),
                "{}",
                row.name
            );
        }
    }

    #[test]
    fn every_verb_is_found_in_any_case_and_nothing_else_is() {
        for row in VERBS {
            assert_eq!(Verb::named(row.name.as_bytes()), Some(row.verb));
            assert_eq!(
                Verb::named(row.name.to_lowercase().as_bytes()),
                Some(row.verb)
            );
        }
        for other in [&b""[..], b"RET", b"RETRX", b"XXXXXXXXXXXX", b"R\xffTR"] {
            assert_eq!(Verb::named(other), None);
        }
    }

    #[test]
    fn syntax_says_what_arity_says() {
        for row in VERBS {
            let syntax = row.syntax;
            let expected = match row.arity {
                Arity::None => syntax.is_empty(),
                Arity::Optional => syntax.starts_with('['),
                Arity::Required => syntax.starts_with("<SP>"),
            };
            assert!(expected, "{} {syntax}", row.name);
        }
    }

    #[test]
    fn every_row_has_a_sentence_of_help() {
        for row in VERBS {
            assert!(row.help.ends_with('.'), "{}", row.name);
        }
    }

    #[test]
    fn feature_lines_begin_with_their_verb() {
        for row in VERBS {
            if let Feature::Line(line) = row.feature {
                assert!(line.starts_with(row.name), "{line}");
            }
        }
    }

    #[test]
    fn what_is_only_recognized_promises_nothing() {
        for row in VERBS.iter().filter(|row| !row.implemented) {
            assert_eq!(row.feature, Feature::Unlisted, "{}", row.name);
        }
    }

    #[test]
    fn base_commands_and_feat_itself_are_no_features() {
        let base = [
            "USER", "PASS", "ACCT", "CWD", "CDUP", "SMNT", "QUIT", "REIN", "PORT", "PASV", "TYPE",
            "STRU", "RETR", "STOR", "STOU", "APPE", "ALLO", "RNFR", "RNTO", "ABOR", "DELE", "RMD",
            "MKD", "PWD", "LIST", "NLST", "SITE", "SYST", "STAT", "HELP", "NOOP", "FEAT", "OPTS",
            "MLSD",
        ];
        for name in base {
            let verb = Verb::named(name.as_bytes());
            assert_eq!(
                verb.map(|verb| verb.row().feature),
                Some(Feature::Unlisted),
                "{name}"
            );
            assert_eq!(verb.map(|verb| verb.row().implemented), Some(true));
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set: VerbSet = [Verb::Abor, Verb::Xsha512].into_iter().collect();
        assert!(set.contains(Verb::Abor) && set.contains(Verb::Xsha512));
        assert!(!set.contains(Verb::Retr));
    }
}
