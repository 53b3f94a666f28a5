//! User steps: what a user wishes, and whether what a client found out is that. Every driver is weighed alike.

use super::Expected;
use crate::data::Data;
use crate::scenario::{ContentError, UserStep, Variables, names_in_range};
use crate::transcript::doubled_cr;

/// Characters shown of the names that came.
const LONGEST: usize = 1000;

/// What a user step came to, whoever played it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// It was done; octets or lines where the step reads some.
    Done(Data),
    /// A number, for SIZE.
    Number(u64),
    /// The server refused, in its words.
    Refused(String),
    /// The client could make nothing of what came, in its words.
    Failed(String),
}

/// A step with its contents worked out.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// The step as it is shown.
    pub(crate) shown: String,
    /// What is sent or wanted.
    pub(crate) octets: Data,
    /// The step with variables replaced.
    pub(crate) step: UserStep,
    /// Whether it must be refused.
    pub(crate) fails: bool,
}

impl Wish {
    /// Works out contents and names.
    pub(crate) fn new(step: &UserStep, fails: bool, known: &Variables) -> Result<Self, String> {
        use UserStep as S;
        let name = |name: &String| known.expand(name);
        let names = |names: &[String]| {
            let names = names.iter().flat_map(|name| names_in_range(name));
            names.map(|it| name(&it)).collect::<Result<Vec<_>, _>>()
        };
        let content = |it: &crate::scenario::Content| {
            it.data(known)
                .map_err(|error: ContentError| error.to_string())
        };
        let mut octets = Data::default();
        if let S::Put(_, it) | S::Append(_, it) | S::Get(_, it) | S::Resume(_, _, it) = step {
            octets = content(it)?;
        }
        let (word, step) = match step {
            S::Put(a, it) => ("put", S::Put(name(a)?, it.clone())),
            S::Append(a, it) => ("append", S::Append(name(a)?, it.clone())),
            S::Get(a, it) => ("get", S::Get(name(a)?, it.clone())),
            S::Resume(a, at, it) => ("resume", S::Resume(name(a)?, *at, it.clone())),
            S::Names(all) => ("names", S::Names(names(all)?)),
            S::List(all) => ("list", S::List(names(all)?)),
            S::Size(a, count) => ("size", S::Size(name(a)?, *count)),
            S::Rename(a, b) => ("rename", S::Rename(name(a)?, name(b)?)),
            S::Delete(a) => ("delete", S::Delete(name(a)?)),
            S::Mkdir(a) => ("mkdir", S::Mkdir(name(a)?)),
            S::Rmdir(a) => ("rmdir", S::Rmdir(name(a)?)),
            S::Cwd(a) => ("cwd", S::Cwd(name(a)?)),
        };
        let shown = if fails {
            format!("@fails {word}")
        } else {
            format!("@{word}")
        };
        Ok(Self {
            shown,
            octets,
            step,
            fails,
        })
    }

    /// What the step reads.
    pub(crate) fn expected(&self) -> Expected {
        match &self.step {
            UserStep::Get(..) | UserStep::Resume(..) => Expected::Content(self.octets.clone()),
            _ => Expected::Listing,
        }
    }

    /// Whether what came is what the step wants, and that in words.
    pub(crate) fn weigh(&self, told: &Told) -> (bool, String) {
        let shown = &self.shown;
        match (told, self.fails) {
            (Told::Refused(words), true) => return (true, format!("{shown}: refused: {words}")),
            (Told::Refused(words), false) => return (false, format!("{shown}: refused: {words}")),
            (Told::Failed(words), _) => return (false, format!("{shown}: failed: {words}")),
            (_, true) => return (false, format!("{shown}: was not refused")),
            (_, false) => {}
        }
        match (&self.step, told) {
            (UserStep::Get(..) | UserStep::Resume(..), Told::Done(came)) => (
                *came == self.octets,
                format!("{shown}: {} octets", came.len()),
            ),
            (UserStep::Names(names), Told::Done(came)) => {
                let came = came.joined();
                let ends = doubled_cr(&came);
                let (mut came, mut names) = (lines(&came), names.clone());
                // Some servers name the directory itself and its parent, and clients pass over them.
                for name in &mut came {
                    *name = plain(name).to_owned();
                }
                came.retain(|name| name != "." && name != "..");
                came.sort_unstable();
                names.sort_unstable();
                let all = came.join(", ");
                let (head, more) = match all.char_indices().nth(LONGEST) {
                    Some((cut, _)) => (&all[..cut], "…"),
                    None => (&all[..], ""),
                };
                let fact = format!("{shown}: {head}{more}{ends}");
                (came == names, fact)
            }
            (UserStep::List(names), Told::Done(came)) => {
                let came = came.joined();
                let ends = doubled_cr(&came);
                let came = lines(&came);
                let missing = names
                    .iter()
                    .find(|name| !came.iter().any(|line| line.ends_with(name.as_str())));
                let fact = match missing {
                    Some(missing) => format!("{shown}: no line ends in {missing}{ends}"),
                    None => format!("{shown}: {} lines", came.len()),
                };
                (missing.is_none(), fact)
            }
            (UserStep::Size(_, count), Told::Number(came)) => {
                (came == count, format!("{shown}: {came}"))
            }
            (_, Told::Done(_)) => (true, format!("{shown}: done")),
            (_, _) => (false, format!("{shown}: no such answer")),
        }
    }
}

/// The name behind its directory, where NLST tells whole pathnames: RFC 1123 §4.1.2.7 wants only that a client can use
/// them as they stand.
fn plain(pathname: &str) -> &str {
    if pathname.starts_with('/') {
        pathname.rsplit('/').next().unwrap_or(pathname)
    } else {
        pathname.strip_prefix("./").unwrap_or(pathname)
    }
}

/// The lines of a listing.
fn lines(octets: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(octets)
        .lines()
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use crate::scenario::Content;

    fn wish(step: UserStep, fails: bool) -> Wish {
        Wish::new(&step, fails, &Variables::default()).unwrap()
    }

    #[test]
    fn a_get_wants_exactly_its_octets() {
        let get = wish(UserStep::Get("a".into(), Content::literal(b"abc")), false);
        assert!(get.weigh(&Told::Done("abc".into())).0);
        assert!(!get.weigh(&Told::Done("ab".into())).0);
        assert!(!get.weigh(&Told::Refused("550 no".into())).0);
    }

    #[test]
    fn names_may_come_in_any_order_but_no_other_ones() {
        let names = wish(UserStep::Names(vec!["a".into(), "b".into()]), false);
        assert!(names.weigh(&Told::Done("b\r\na\r\n".into())).0);
        assert!(!names.weigh(&Told::Done("b\r\na\r\nc\r\n".into())).0);
        assert!(names.weigh(&Told::Done(".\r\n..\r\na\r\nb\r\n".into())).0);
        assert!(names.weigh(&Told::Done("./a\r\n/c d/b\r\n".into())).0);
        assert!(!names.weigh(&Told::Done("c/a\r\nb\r\n".into())).0);
    }

    #[test]
    fn what_fails_must_be_refused_and_not_merely_broken() {
        let delete = wish(UserStep::Delete("a".into()), true);
        assert!(delete.weigh(&Told::Refused("550 no".into())).0);
        assert!(!delete.weigh(&Told::Done(Data::default())).0);
        assert!(!delete.weigh(&Told::Failed("no reply".into())).0);
    }
}
