//! Ports for passive data connections, and how they are announced.

use std::ops::RangeInclusive;

/// The ports on which PASV and EPSV listen, and the ports they announce, which differ behind NAT or
/// in a container.
///
/// ```
/// use ftpspec_server::PassivePorts;
///
/// let same = PassivePorts::from(50_000..=50_009);
/// let shifted = PassivePorts::mapped(50_000..=50_009, 31_000);
/// let published = PassivePorts::from_iter([(50_000, 49_153), (50_001, 49_207)]);
/// assert_eq!(same.announced(50_003), 50_003);
/// assert_eq!(shifted.announced(50_003), 31_003);
/// assert_eq!(published.announced(50_001), 49_207);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PassivePorts {
    /// Ranges of ports to listen on, and the announced port of the first of each. None: any free
    /// port.
    ranges: Vec<(RangeInclusive<u16>, u16)>,
    /// Whether sessions of different clients may use the same port.
    shared: bool,
}

impl PassivePorts {
    /// Any free port, a dynamic port (49152 to 65535) if possible.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Ports of `listened`; they are announced as `announced` and those after it.
    #[must_use]
    pub fn mapped(listened: RangeInclusive<u16>, announced: u16) -> Self {
        Self {
            ranges: vec![(listened, announced)],
            shared: false,
        }
    }

    /// The same ports, shared: sessions of clients with different addresses may use one port at the
    /// same time; the address of a connection decides to which session it belongs. Sessions of one
    /// client still need one port each: if all are in use, PASV and EPSV are answered 425.
    ///
    /// For containers and firewalls that open few ports. Without effect on [`any`](Self::any).
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// The announced port of a port to listen on.
    #[must_use]
    pub fn announced(&self, listened: u16) -> u16 {
        let range = self
            .ranges
            .iter()
            .find(|(range, _)| range.contains(&listened));
        range.map_or(listened, |(range, first)| {
            first.saturating_add(listened - range.start())
        })
    }

    /// The number of ports; `None` if any port is allowed.
    pub(crate) fn count(&self) -> Option<u64> {
        (!self.ranges.is_empty()).then(|| self.ranges.iter().map(|(range, _)| length(range)).sum())
    }

    /// One of the ports, by its index.
    pub(crate) fn nth(&self, mut index: u64) -> Option<u16> {
        for (range, _) in &self.ranges {
            if index < length(range) {
                return range.start().checked_add(u16::try_from(index).ok()?);
            }
            index -= length(range);
        }
        None
    }
}

/// The ports to listen on, announced unchanged.
impl From<RangeInclusive<u16>> for PassivePorts {
    fn from(listened: RangeInclusive<u16>) -> Self {
        let first = *listened.start();
        Self::mapped(listened, first)
    }
}

/// Pairs of a port to listen on and its announced port.
impl FromIterator<(u16, u16)> for PassivePorts {
    fn from_iter<T: IntoIterator<Item = (u16, u16)>>(pairs: T) -> Self {
        let pairs = pairs.into_iter();
        Self {
            ranges: pairs
                .map(|(listened, announced)| (listened..=listened, announced))
                .collect(),
            shared: false,
        }
    }
}

fn length(range: &RangeInclusive<u16>) -> u64 {
    if range.is_empty() {
        0
    } else {
        u64::from(range.end() - range.start()) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_is_tried_once() {
        let mut ports = PassivePorts::from(10..=12);
        ports.ranges.push((20..=20, 5));
        let all: Vec<_> = (0..4).map(|index| ports.nth(index)).collect();
        assert_eq!(all, [Some(10), Some(11), Some(12), Some(20)]);
        assert_eq!((ports.count(), ports.nth(4)), (Some(4), None));
    }

    #[test]
    #[expect(clippy::reversed_empty_ranges, reason = "that is the claim")]
    fn an_empty_range_has_no_port_and_is_not_any_port() {
        let ports = PassivePorts::from(12..=10);
        assert_eq!((ports.count(), ports.nth(0)), (Some(0), None));
        assert_eq!(PassivePorts::any().count(), None);
    }

    #[test]
    fn a_map_that_leaves_the_ports_ends_at_the_last() {
        assert_eq!(
            PassivePorts::mapped(1_000..=2_000, 65_000).announced(2_000),
            65_535
        );
    }
}
