//! Absolute paths inside the root of a user. A path that escapes the root cannot be constructed.

use crate::text::as_text;
use serde::{Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// The longest path, in octets.
pub const MAX_PATH: usize = 4096;
/// The longest name, in octets.
pub const MAX_NAME: usize = 255;

/// An absolute, normalised path: begins with `/`, no empty, `.` or `..` component, no trailing `/`
/// except for the root. Octets, not text: RFC 2640 §2 allows any octets but NUL, CR and LF.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtualPath(Arc<[u8]>);

/// Why octets are not a valid path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It contains NUL, CR or LF.
    #[error("the pathname contains NUL, CR or LF")]
    Control,
    /// It is longer than [`MAX_PATH`], or a name is longer than [`MAX_NAME`].
    #[error("the pathname is too long")]
    TooLong,
}

impl VirtualPath {
    /// `/`
    #[must_use]
    pub fn root() -> Self {
        Self(Arc::from(&b"/"[..]))
    }

    /// Resolves `pathname` from here: absolute if it begins with `/`, else below `self`. The parent
    /// of the root is the root.
    ///
    /// # Errors
    /// [`PathError`] if the octets are not a valid path.
    pub fn join(&self, pathname: &[u8]) -> Result<Self, PathError> {
        if pathname
            .iter()
            .any(|octet| matches!(octet, 0 | b'\r' | b'\n'))
        {
            return Err(PathError::Control);
        }
        let mut parts: Vec<&[u8]> = if pathname.starts_with(b"/") {
            Vec::new()
        } else {
            self.components().collect()
        };
        for part in pathname.split(|octet| *octet == b'/') {
            match part {
                b"" | b"." => {}
                b".." => {
                    parts.pop();
                }
                name if name.len() > MAX_NAME => return Err(PathError::TooLong),
                name => parts.push(name),
            }
        }
        let mut joined = Vec::with_capacity(pathname.len() + 1);
        for part in &parts {
            joined.push(b'/');
            joined.extend_from_slice(part);
        }
        if joined.is_empty() {
            joined.push(b'/');
        }
        if joined.len() > MAX_PATH {
            return Err(PathError::TooLong);
        }
        Ok(Self(joined.into()))
    }

    /// The names from the root down.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0
            .split(|octet| *octet == b'/')
            .filter(|part| !part.is_empty())
    }

    /// The last name; `None` for the root.
    #[must_use]
    pub fn name(&self) -> Option<&[u8]> {
        self.components().next_back()
    }

    /// The parent directory; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let cut = self.0.iter().rposition(|octet| *octet == b'/')?;
        match (self.is_root(), cut) {
            (true, _) => None,
            (false, 0) => Some(Self::root()),
            (false, cut) => Some(Self(self.0[..cut].into())),
        }
    }

    /// Whether it is `/`.
    #[must_use]
    pub fn is_root(&self) -> bool {
        &*self.0 == b"/"
    }

    /// Whether `self` is `other` or below it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        other.is_root()
            || self
                .0
                .strip_prefix(&*other.0)
                .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }

    /// The octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path as text, if it is UTF-8.
    #[must_use]
    pub fn to_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

/// As escaped text.
impl Serialize for VirtualPath {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        as_text(&self.0, to)
    }
}

impl fmt::Debug for VirtualPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails may panic")]
mod tests {
    use super::*;

    use proptest::prelude::*;
    use rstest::rstest;

    fn path(pathname: &str) -> VirtualPath {
        VirtualPath::root().join(pathname.as_bytes()).unwrap()
    }

    #[rstest]
    #[case("", "/w/d")]
    #[case("a", "/w/d/a")]
    #[case("a/", "/w/d/a")]
    #[case("./a//b/.", "/w/d/a/b")]
    #[case("..", "/w")]
    #[case("../../../../a", "/a")]
    #[case("a/../../b", "/w/b")]
    #[case("/", "/")]
    #[case("//a/..", "/")]
    #[case("/..", "/")]
    #[case("...", "/w/d/...")]
    #[case("a\\..\\b", "/w/d/a\\..\\b")]
    fn a_pathname_leads_from_here(#[case] pathname: &str, #[case] expected: &str) {
        let there = path("/w/d").join(pathname.as_bytes()).unwrap();
        assert_eq!(there.to_str(), Some(expected));
    }

    #[rstest]
    #[case(b"a\0b".to_vec(), PathError::Control)]
    #[case(b"a\rb".to_vec(), PathError::Control)]
    #[case(b"a\nb".to_vec(), PathError::Control)]
    #[case(vec![b'a'; MAX_NAME + 1], PathError::TooLong)]
    #[case(b"abcdefg/".repeat(MAX_PATH / 8 + 1), PathError::TooLong)]
    fn what_is_no_pathname_is_refused(#[case] pathname: Vec<u8>, #[case] error: PathError) {
        assert_eq!(VirtualPath::root().join(&pathname), Err(error));
    }

    #[test]
    fn a_directory_contains_what_is_below_and_not_what_begins_alike() {
        assert!(path("/a").is_within(&path("/a")));
        assert!(path("/a/b/c").is_within(&path("/a")));
        assert!(path("/a").is_within(&path("/")));
        assert!(!path("/ab").is_within(&path("/a")));
        assert!(!path("/a").is_within(&path("/a/b")));
    }

    proptest! {
        #[test]
        fn no_pathname_leads_out_and_parts_make_the_whole(pathname in "[./ab]{0,30}") {
            let there = path("/w").join(pathname.as_bytes()).unwrap();
            prop_assert!(there.as_bytes().starts_with(b"/"));
            prop_assert!(there.components().all(|name| !matches!(name, b"" | b"." | b"..")));
            prop_assert_eq!(there.parent().is_none(), there.is_root());
            if let (Some(parent), Some(name)) = (there.parent(), there.name()) {
                prop_assert_eq!(parent.join(name).unwrap(), there);
            }
        }
    }
}
