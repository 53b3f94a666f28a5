//! User steps, and the comparison of their results, which is the same for all drivers.

use super::Expected;
use crate::data::Data;
use crate::scenario::{ContentError, UserStep, Variables, names_in_range};
use crate::transcript::doubled_cr;

/// The maximum number of characters shown of received names.
const LONGEST: usize = 1000;

/// The result of a user step, with any driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StepResult {
    /// It was done; with the data that the step reads, if any.
    Done(Data),
    /// A number, for SIZE.
    Number(u64),
    /// The server refused, with its text.
    Refused(String),
    /// The client could not process the reply or data, with its error.
    Failed(String),
}

/// A user step with its variables and contents resolved.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedStep {
    /// The name of the step in reports.
    pub(crate) shown: String,
    /// The octets to send, or the expected octets.
    pub(crate) octets: Data,
    /// The step with variables replaced.
    pub(crate) step: UserStep,
    /// Whether the server must refuse it.
    pub(crate) fails: bool,
}

impl ResolvedStep {
    /// Resolves contents and names.
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

    /// The data that the step reads.
    pub(crate) fn expected(&self) -> Expected {
        match &self.step {
            UserStep::Get(..) | UserStep::Resume(..) => Expected::Content(self.octets.clone()),
            _ => Expected::Listing,
        }
    }

    /// Whether the result is the expected one, with a description.
    pub(crate) fn compare(&self, result: &StepResult) -> (bool, String) {
        let shown = &self.shown;
        match (result, self.fails) {
            (StepResult::Refused(words), true) => {
                return (true, format!("{shown}: refused: {words}"));
            }
            (StepResult::Refused(words), false) => {
                return (false, format!("{shown}: refused: {words}"));
            }
            (StepResult::Failed(words), _) => return (false, format!("{shown}: failed: {words}")),
            (_, true) => return (false, format!("{shown}: was not refused")),
            (_, false) => {}
        }
        match (&self.step, result) {
            (UserStep::Get(..) | UserStep::Resume(..), StepResult::Done(came)) => (
                *came == self.octets,
                format!("{shown}: {} octets", came.len()),
            ),
            (UserStep::Names(names), StepResult::Done(came)) => {
                let came = came.joined();
                let ends = doubled_cr(&came);
                let (mut came, mut names) = (lines(&came), names.clone());
                // Some servers list the directory itself and its parent, which clients ignore.
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
            (UserStep::List(names), StepResult::Done(came)) => {
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
            (UserStep::Size(_, count), StepResult::Number(came)) => {
                (came == count, format!("{shown}: {came}"))
            }
            (_, StepResult::Done(_)) => (true, format!("{shown}: done")),
            (_, _) => (false, format!("{shown}: unexpected kind of result")),
        }
    }
}

/// The name without its directory, since NLST may list pathnames: RFC 1123 §4.1.2.7 only requires
/// that a client can use them unchanged.
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

    fn user_step(step: UserStep, fails: bool) -> ResolvedStep {
        ResolvedStep::new(&step, fails, &Variables::default()).unwrap()
    }

    #[test]
    fn get_expects_exactly_its_octets() {
        let get = user_step(UserStep::Get("a".into(), Content::literal(b"abc")), false);
        assert!(get.compare(&StepResult::Done("abc".into())).0);
        assert!(!get.compare(&StepResult::Done("ab".into())).0);
        assert!(!get.compare(&StepResult::Refused("550 no".into())).0);
    }

    #[test]
    fn names_expects_its_names_in_any_order() {
        let names = user_step(UserStep::Names(vec!["a".into(), "b".into()]), false);
        assert!(names.compare(&StepResult::Done("b\r\na\r\n".into())).0);
        assert!(!names.compare(&StepResult::Done("b\r\na\r\nc\r\n".into())).0);
        assert!(
            names
                .compare(&StepResult::Done(".\r\n..\r\na\r\nb\r\n".into()))
                .0
        );
        assert!(
            names
                .compare(&StepResult::Done("./a\r\n/c d/b\r\n".into()))
                .0
        );
        assert!(!names.compare(&StepResult::Done("c/a\r\nb\r\n".into())).0);
    }

    #[test]
    fn fails_expects_a_refusal_and_not_a_client_error() {
        let delete = user_step(UserStep::Delete("a".into()), true);
        assert!(delete.compare(&StepResult::Refused("550 no".into())).0);
        assert!(!delete.compare(&StepResult::Done(Data::default())).0);
        assert!(!delete.compare(&StepResult::Failed("no reply".into())).0);
    }
}
