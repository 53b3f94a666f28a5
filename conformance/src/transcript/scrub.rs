//! Replaces what matches patterns in the lines of a control connection, before it is stored.

use std::collections::BTreeMap;

use regex::bytes::Regex;

/// A line that grows longer is taken in pieces.
const LONGEST_LINE: usize = 64 << 10;
/// The replacement of text that is not to be stored.
const SCRUBBED: &[u8] = b"<scrubbed>";

/// Holds lines of several directions back until they are whole, so that patterns are found however
/// the octets are cut. Without patterns nothing is held back.
#[derive(Debug, Clone)]
pub(crate) struct Scrub<K> {
    patterns: Vec<Regex>,
    lines: BTreeMap<K, Vec<u8>>,
}

impl<K: Ord> Scrub<K> {
    /// Replaces what matches any of these patterns.
    pub(crate) fn new(patterns: Vec<Regex>) -> Self {
        Self {
            patterns,
            lines: BTreeMap::new(),
        }
    }

    /// The next octets of a direction; returns whole lines, scrubbed, or nothing yet.
    pub(crate) fn apply(&mut self, direction: K, octets: Vec<u8>) -> Vec<u8> {
        if self.patterns.is_empty() {
            return octets;
        }
        let held = self.lines.entry(direction).or_default();
        held.extend_from_slice(&octets);
        let end = match memchr::memrchr(b'\n', held) {
            _ if held.len() > LONGEST_LINE => held.len(),
            Some(end) => end + 1,
            None => 0,
        };
        let whole = held.drain(..end).collect();
        self.scrubbed(whole)
    }

    /// Lines that did not become whole, scrubbed.
    pub(crate) fn rest(&mut self) -> Vec<(K, Vec<u8>)> {
        let lines = std::mem::take(&mut self.lines).into_iter();
        lines
            .filter(|(_, octets)| !octets.is_empty())
            .map(|(direction, octets)| (direction, self.scrubbed(octets)))
            .collect()
    }

    fn scrubbed(&self, octets: Vec<u8>) -> Vec<u8> {
        self.patterns.iter().fold(octets, |octets, pattern| {
            pattern.replace_all(&octets, SCRUBBED).into_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;

    #[test]
    fn a_pattern_is_found_however_a_line_is_cut() {
        let mut scrub = Scrub::new(vec![Regex::new("hello").unwrap()]);
        assert!(scrub.apply(1, b"220 he".to_vec()).is_empty());
        assert_eq!(
            scrub.apply(1, b"llo\r\n331 hell".to_vec()),
            b"220 <scrubbed>\r\n"
        );
        assert_eq!(scrub.rest(), [(1, b"331 hell".to_vec())]);
        assert_eq!(Scrub::new(Vec::new()).apply(1, b"x".to_vec()), b"x");
    }
}
