//! Deep links: the names of places in the page, the same in every report.

use crate::text::hexadecimal;
use sha2::{Digest as _, Sha256};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The anchors in use.
#[derive(Debug, Default)]
pub(super) struct Anchors(RefCell<BTreeSet<String>>);

impl Anchors {
    /// The id for the first element that asks for it; `None` for later elements about the same
    /// thing.
    pub(super) fn take(&self, id: String) -> Option<String> {
        self.0.borrow_mut().insert(id.clone()).then_some(id)
    }
}

/// The id of a scenario.
pub(super) fn scenario(id: &str) -> String {
    format!("scenario/{}", plain(id))
}

/// The id of a requirement.
pub(super) fn requirement(id: &str) -> String {
    format!("requirement/{}", plain(id))
}

/// The id of an always-on judge.
pub(super) fn judge(name: &str) -> String {
    format!("judge/{}", plain(name))
}

/// The link to an id.
pub(super) fn to(id: &str) -> String {
    format!("#{id}")
}

/// The longest name, in octets, that is shown completely.
const WHOLE: usize = 200;

/// Only characters that are valid in an id and in a link. Different texts stay different.
fn plain(text: &str) -> String {
    if text.len() > WHOLE {
        let digest = Sha256::digest(text.as_bytes());
        return format!("long_{}", hexadecimal(&digest));
    }
    let mut plain = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'/' => {
                plain.push(char::from(octet));
            }
            other => {
                let _ = write!(plain, "_{other:02x}");
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_same_in_every_report_and_no_two_names_share_one() {
        assert_eq!(
            scenario("rfc959/noop-says-200"),
            "scenario/rfc959/noop-says-200"
        );
        assert_eq!(scenario("a b"), "scenario/a_20b");
        assert_eq!(scenario("a_20b"), "scenario/a_5f20b");
        assert_eq!(scenario("\"<ü"), "scenario/_22_3c_c3_bc");
        let long = "x".repeat(1 << 20);
        assert!(scenario(&long).len() < 100);
        assert_ne!(scenario(&long), scenario(&long[1..]));
    }

    #[test]
    fn only_the_first_place_has_the_id() {
        let anchors = Anchors::default();
        assert_eq!(anchors.take(judge("feat")).as_deref(), Some("judge/feat"));
        assert_eq!(anchors.take(judge("feat")), None);
    }
}
