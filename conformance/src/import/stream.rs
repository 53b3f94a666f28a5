//! One TCP connection of a capture, put together from its segments: in whatever order, however
//! often and in whatever pieces they were captured.
//!
//! The octets of each direction are in the order of their sequence numbers. Between the directions
//! the acknowledgement numbers decide: what a segment acknowledges comes before what it carries.
//! So a dialogue of commands and replies is read the same from every permutation of its segments.

use std::collections::BTreeMap;

use super::packet::Segment;

/// Octets of one direction that wait for earlier ones.
const HELD_OCTETS: usize = 4 << 20;
/// Segments of one direction that wait for earlier ones.
const HELD_SEGMENTS: usize = 8192;
/// How long what was acknowledged, and so was received, may still be found later in the capture, in
/// microseconds.
const LATE: i64 = 1_000_000;
/// A sequence number further away belongs to another connection: no window is larger (RFC 7323
/// §2.3).
const WINDOW: u64 = 1 << 30;

/// One of the two ends of a connection: an index.
pub(super) type End = usize;

/// What happened in one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// The sender.
    pub(super) from: End,
    /// When it was captured, in microseconds since 1970.
    pub(super) at: i64,
    /// What it was.
    pub(super) what: What,
}

/// What can happen in one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// The next octets.
    Octets(Vec<u8>),
    /// So many octets are not in the capture.
    Missing(u64),
    /// The capture has no beginning of this direction.
    BeganEarlier,
    /// The next octet is urgent data.
    Urgent,
    /// FIN
    Fin,
    /// RST
    Reset,
}

impl Piece {
    /// How many octets it holds.
    pub(super) fn len(&self) -> usize {
        match &self.what {
            What::Octets(octets) => octets.len(),
            _ => 0,
        }
    }

    /// How many octets it says are missing.
    pub(super) fn missing(&self) -> u64 {
        match &self.what {
            What::Missing(octets) => *octets,
            _ => 0,
        }
    }
}

/// A connection while it is put together.
#[derive(Debug, Default)]
pub(super) struct Stream {
    directions: [Direction; 2],
    /// A RST was delivered.
    reset: bool,
}

/// What one end sent.
#[derive(Debug, Default)]
struct Direction {
    /// The position of the next octet to deliver: a sequence number that does not wrap around.
    /// Before the beginning is known, that of the first segment that was seen.
    next: Option<u64>,
    /// The beginning is known.
    begun: bool,
    /// Where the first octet is, if a SYN was seen.
    first: Option<u64>,
    /// FIN was delivered.
    finished: bool,
    /// What the peer has acknowledged.
    acknowledged: u64,
    held: BTreeMap<u64, Held>,
    held_octets: usize,
    /// The position of the last urgent octet that was announced, and whether it was delivered.
    urgent: Option<u64>,
}

/// A segment that waits.
#[derive(Debug)]
struct Held {
    at: i64,
    /// The position in the other direction up to which it acknowledges.
    after: Option<u64>,
    octets: Vec<u8>,
    missing: u32,
    urgent: Option<u64>,
    fin: bool,
    rst: bool,
}

impl Stream {
    /// Takes a segment that this end sent, and returns what is complete now.
    pub(super) fn push(&mut self, from: End, segment: &Segment<'_>, at: i64) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if self.reset {
            return pieces;
        }
        let to = 1 - from;
        let after = segment.acknowledged.map(|number| {
            let position = self.directions[to].position(number);
            let known = &mut self.directions[to].acknowledged;
            *known = position.max(*known);
            position
        });
        let unanswered =
            self.directions[to].first.is_some() && !self.directions[to].begun_to_send();
        let direction = &mut self.directions[from];
        let position = direction.position(segment.sequence);
        if segment.syn && !direction.begun {
            direction.begin(position + 1);
            direction.first = Some(position + 1);
        }
        // SYN with ACK is the answer to a SYN, also to one that was not captured.
        if let Some(first) = after.filter(|_| segment.syn && !self.directions[to].begun) {
            self.directions[to].begin(first);
            self.directions[to].first = Some(first);
        }
        let direction = &mut self.directions[from];
        // A connection that is refused: the RST is all there is of this direction.
        if segment.rst && !direction.begun && direction.held.is_empty() && unanswered {
            direction.begin(position);
        }
        direction.hold(position + u64::from(segment.syn), segment, after, at);
        self.deliver(&mut pieces);
        while self.is_stuck(at) {
            self.give_up_waiting(&mut pieces);
        }
        pieces
    }

    /// Gives up waiting for what is missing and returns what is left.
    pub(super) fn finish(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        self.deliver(&mut pieces);
        while self.held() > 0 && !self.reset {
            self.give_up_waiting(&mut pieces);
        }
        // After a RST nothing is delivered.
        self.forget();
        pieces
    }

    /// Drops what waits. What identifies the connection stays known.
    pub(super) fn forget(&mut self) {
        for direction in &mut self.directions {
            direction.held.clear();
            direction.held_octets = 0;
        }
    }

    /// How many octets and segments wait.
    pub(super) fn held(&self) -> usize {
        let held = self.directions.iter();
        held.map(|it| it.held_octets + it.held.len()).sum()
    }

    /// Whether both ends sent SYN.
    pub(super) fn is_established(&self) -> bool {
        self.directions
            .iter()
            .all(|direction| direction.first.is_some())
    }

    /// Whether it was ended by RST.
    pub(super) fn was_reset(&self) -> bool {
        self.reset
    }

    /// Whether nothing comes any more.
    pub(super) fn is_over(&self) -> bool {
        self.reset || self.directions.iter().all(|it| it.finished)
    }

    /// Whether this segment begins another connection between the same ports.
    pub(super) fn is_replaced_by(&self, from: End, segment: &Segment<'_>) -> bool {
        let direction = &self.directions[from];
        let (Some(next), true) = (direction.next, segment.syn) else {
            return false;
        };
        match direction.first {
            Some(first) => u64::from(segment.sequence.wrapping_add(1)) != first & 0xffff_ffff,
            None => direction.begun && unwrapped(next, segment.sequence) > next,
        }
    }

    fn deliver(&mut self, pieces: &mut Vec<Piece>) {
        loop {
            let ready = (0..2).find(|from| self.is_ready(*from, true));
            let Some(from) = ready.filter(|_| !self.reset) else {
                return;
            };
            self.deliver_first(from, pieces);
        }
    }

    /// Whether the first segment that this end sent continues what was delivered.
    fn is_ready(&self, from: End, in_order: bool) -> bool {
        let direction = &self.directions[from];
        let Some((position, held)) = direction.held.first_key_value() else {
            return false;
        };
        direction.begun
            && direction.next.is_some_and(|next| *position <= next)
            && (!in_order
                || held
                    .after
                    .is_none_or(|after| self.directions[1 - from].has(after)))
    }

    fn deliver_first(&mut self, from: End, pieces: &mut Vec<Piece>) {
        let direction = &mut self.directions[from];
        let Some((position, held)) = direction.held.pop_first() else {
            return;
        };
        direction.held_octets -= held.octets.len();
        self.reset |= direction.deliver(from, position, held, pieces);
    }

    /// Whether what waits has waited long enough.
    fn is_stuck(&self, now: i64) -> bool {
        !self.reset
            && (0..2).any(|from| {
                let direction = &self.directions[from];
                let Some((position, held)) = direction.held.first_key_value() else {
                    return false;
                };
                // What nobody has received may still be sent again, however late.
                let received = direction.acknowledged >= *position;
                let waits_for_peer = self.is_ready(from, false);
                let is_late = now.saturating_sub(held.at) > LATE;
                direction.held_octets > HELD_OCTETS
                    || direction.held.len() > HELD_SEGMENTS
                    || (is_late && (received || waits_for_peer || !direction.begun))
            })
    }

    /// One step past something that is missing: of what waits, the oldest goes on.
    fn give_up_waiting(&mut self, pieces: &mut Vec<Piece>) {
        let oldest = |from: &End| self.directions[*from].oldest();
        let waiting = (0..2).filter(|from| oldest(from).is_some());
        // What is missing in one direction comes before what acknowledges it.
        let missing = |from: &End| !self.is_ready(*from, false);
        let first = waiting.min_by_key(|from| (!missing(from), oldest(from)));
        let Some(from) = first else {
            return;
        };
        let at = self.directions[from].oldest().unwrap_or_default();
        if missing(&from) {
            let position = self.directions[from].first_position();
            self.directions[from].skip_to(from, position, at, pieces);
        } else {
            if let Some(after) = self.directions[from].first_after() {
                self.directions[1 - from].skip_to(1 - from, after, at, pieces);
            }
            self.deliver_first(from, pieces);
        }
        self.deliver(pieces);
    }
}

impl Direction {
    /// The position of a sequence number: the one nearest to what was seen last.
    fn position(&mut self, number: u32) -> u64 {
        let near = *self
            .next
            .get_or_insert_with(|| (1 << 32) | u64::from(number));
        unwrapped(near, number)
    }

    fn begin(&mut self, at: u64) {
        self.next = Some(at);
        self.begun = true;
    }

    fn begun_to_send(&self) -> bool {
        !self.held.is_empty() || self.next != self.first
    }

    /// Whether everything before this position was delivered.
    fn has(&self, position: u64) -> bool {
        self.begun && self.next.is_some_and(|next| next >= position)
    }

    fn oldest(&self) -> Option<i64> {
        self.held.first_key_value().map(|(_, held)| held.at)
    }

    fn first_after(&self) -> Option<u64> {
        self.held.first_key_value().and_then(|(_, held)| held.after)
    }

    fn hold(&mut self, position: u64, segment: &Segment<'_>, after: Option<u64>, at: i64) {
        let next = self.next.unwrap_or(position);
        if self.finished || position > next.saturating_add(WINDOW) {
            return;
        }
        let end = position + segment.octets.len() as u64 + u64::from(segment.missing);
        let held = |urgent| Held {
            at,
            after,
            octets: Vec::new(),
            missing: 0,
            urgent,
            fin: false,
            rst: false,
        };
        if segment.rst {
            let waiting = self.held.entry(position);
            waiting.or_insert_with(|| held(None)).rst = true;
            return;
        }
        if end > position && !(self.begun && end <= next) {
            let urgent = segment.urgent.map(|pointer| position + u64::from(pointer));
            let held = self.held.entry(position).or_insert_with(|| held(urgent));
            // Of copies the longest counts, and the earliest acknowledgement.
            let is_longer = segment.octets.len() > held.octets.len();
            if is_longer || held.octets.is_empty() {
                self.held_octets += segment.octets.len() - held.octets.len();
                held.octets = segment.octets.to_vec();
                held.missing = segment.missing;
            }
            held.after = match (held.after, after) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            held.urgent = held.urgent.or(urgent);
        }
        if segment.fin {
            let waiting = self.held.entry(end);
            waiting.or_insert_with(|| held(None)).fin = true;
        }
    }

    /// Delivers a segment that begins at or before the next octet; returns whether it was a RST.
    fn deliver(&mut self, from: End, position: u64, held: Held, pieces: &mut Vec<Piece>) -> bool {
        let mut piece = |what| {
            pieces.push(Piece {
                from,
                at: held.at,
                what,
            });
        };
        let next = self.next.unwrap_or(position);
        let captured = position + held.octets.len() as u64;
        let mut octets = held.octets;
        let known = usize::try_from(next.saturating_sub(position)).unwrap_or(usize::MAX);
        octets.drain(..known.min(octets.len()));
        // In practice the pointer is at the octet after the urgent one (RFC 6093 §2.1).
        let urgent = held.urgent.filter(|urgent| Some(*urgent) > self.urgent);
        if let Some(urgent) = urgent.filter(|urgent| (next + 1..=captured).contains(urgent)) {
            self.urgent = Some(urgent);
            let before = usize::try_from(urgent - 1 - next).unwrap_or(usize::MAX);
            let rest = octets.split_off(before.min(octets.len()));
            if !octets.is_empty() {
                piece(What::Octets(octets));
            }
            piece(What::Urgent);
            octets = rest;
        }
        if !octets.is_empty() {
            piece(What::Octets(octets));
        }
        let end = captured + u64::from(held.missing);
        let mut now = next.max(captured);
        if held.missing > 0 && end > now {
            piece(What::Missing(end - now));
            now = end;
        }
        if held.fin && now == end {
            piece(What::Fin);
            now += 1;
            self.finished = true;
            self.held.clear();
            self.held_octets = 0;
        }
        self.next = Some(now);
        if held.rst {
            piece(What::Reset);
        }
        held.rst
    }

    fn first_position(&self) -> u64 {
        let first = self.held.first_key_value().map(|(position, _)| *position);
        first.or(self.next).unwrap_or_default()
    }

    /// Goes on at this position, although not everything before it is there.
    fn skip_to(&mut self, from: End, position: u64, at: i64, pieces: &mut Vec<Piece>) {
        let next = self.next.unwrap_or(position);
        let what = match self.begun {
            false => What::BeganEarlier,
            true if self.finished || position <= next => return,
            // A FIN takes a sequence number: one that is acknowledged and followed by nothing.
            true if position == next + 1 && self.held.is_empty() => {
                self.finished = true;
                What::Fin
            }
            true => What::Missing(position - next),
        };
        pieces.push(Piece { from, at, what });
        self.begin(position);
    }
}

/// The position with this sequence number that is nearest.
fn unwrapped(near: u64, number: u32) -> u64 {
    // The lower half of a position is its sequence number.
    let distance = number
        .wrapping_sub((near & 0xffff_ffff) as u32)
        .cast_signed();
    near.saturating_add_signed(i64::from(distance))
}
