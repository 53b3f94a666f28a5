//! Pathnames and patterns: no pathname leaves the root, and a pattern matches as defined.

use ftpspec_server::internals::wire::{is_pattern, matches};
use ftpspec_server::storage::{MAX_NAME, MAX_PATH, VirtualPath};

/// The lines are pathnames, each relative to the one before it, and each also a pattern for the one
/// before it.
pub fn pathname(data: &[u8]) {
    let mut here = VirtualPath::root();
    let mut before: &[u8] = b"";
    for pathname in data.split(|octet| *octet == b'\n').take(16) {
        if let Ok(path) = here.join(pathname) {
            holds(&path);
            assert_eq!(
                path.components().collect::<Vec<_>>(),
                names(&here, pathname)
            );
            // As an absolute pathname it is the same path.
            assert_eq!(here.join(path.as_bytes()).ok().as_ref(), Some(&path));
            here = path;
        }
        pattern(pathname, before);
        before = pathname;
    }
}

fn holds(path: &VirtualPath) {
    assert!(path.is_within(&VirtualPath::root()) && path.as_bytes().starts_with(b"/"));
    assert!(path.as_bytes().len() <= MAX_PATH);
    for name in path.components() {
        assert!((1..=MAX_NAME).contains(&name.len()) && name != b"." && name != b"..");
        assert!(!name.contains(&0));
    }
    match path.parent() {
        None => assert!(path.is_root() && path.name().is_none()),
        Some(parent) => {
            assert!(path.is_within(&parent) && !parent.is_within(path));
            let name = path.name().unwrap_or_default();
            assert_eq!(parent.join(name).ok().as_ref(), Some(path));
        }
    }
}

/// The names of a pathname, resolved one by one.
fn names<'a>(from: &'a VirtualPath, pathname: &'a [u8]) -> Vec<&'a [u8]> {
    let mut names: Vec<&[u8]> = Vec::new();
    if !pathname.starts_with(b"/") {
        names.extend(from.components());
    }
    for part in pathname.split(|octet| *octet == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    names
}

/// Compares with the definition, unless that takes too long.
fn pattern(pattern: &[u8], name: &[u8]) {
    let found = matches(pattern, name);
    if !is_pattern(pattern) {
        assert_eq!(found, pattern == name);
    }
    assert!(matches(b"*", name));
    let stars = pattern.iter().filter(|octet| **octet == b'*').count();
    if !pattern.contains(&b'[') && stars <= 3 && name.len() <= 32 {
        assert_eq!(found, defined(pattern, name), "{pattern:?} {name:?}");
    }
}

fn defined(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', after @ ..], _) => (0..=name.len()).any(|at| defined(after, &name[at..])),
        ([b'?', after @ ..], [_, rest @ ..]) => defined(after, rest),
        ([octet, after @ ..], [other, rest @ ..]) => octet == other && defined(after, rest),
        _ => false,
    }
}
