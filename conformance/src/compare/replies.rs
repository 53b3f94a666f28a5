//! Pairs two sequences and compares the replies to a command.

use crate::transcript::Reply;
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::hash::Hash;

/// An element of one of two sequences, and the one it belongs to in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair<'a, T> {
    /// The elements belong together.
    Both(&'a T, &'a T),
    /// Only the first sequence has it.
    OnlyA(&'a T),
    /// Only the second sequence has it.
    OnlyB(&'a T),
}

/// Pairs the elements that have equal keys, in their order; as few as possible are left over.
pub(crate) fn pairs<'a, T, K: Hash + Eq + Ord>(
    a: &'a [T],
    b: &'a [T],
    key: impl Fn(&T) -> K,
) -> Vec<Pair<'a, T>> {
    let mut pairs = Vec::new();
    for (equal, a, b) in runs(a, b, key) {
        if equal {
            pairs.extend(a.iter().zip(b).map(|(a, b)| Pair::Both(a, b)));
        } else {
            pairs.extend(a.iter().map(Pair::OnlyA));
            pairs.extend(b.iter().map(Pair::OnlyB));
        }
    }
    pairs
}

/// The parts of both sequences that belong together, and whether their keys are equal.
fn runs<'a, T, K: Hash + Eq + Ord>(
    a: &'a [T],
    b: &'a [T],
    key: impl Fn(&T) -> K,
) -> Vec<(bool, &'a [T], &'a [T])> {
    let keys = |list: &[T]| -> Vec<K> { list.iter().map(&key).collect() };
    let run = |it: DiffOp| {
        let equal = matches!(it, DiffOp::Equal { .. });
        (equal, &a[it.old_range()], &b[it.new_range()])
    };
    let operations = capture_diff_slices(Algorithm::Myers, &keys(a), &keys(b));
    operations.into_iter().map(run).collect()
}

/// How closely replies are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// Their codes.
    Code,
    /// Their codes and their texts, line by line.
    Text,
    /// All their octets.
    Exact,
}

/// What differs between two sequences of replies: pairs of unequal replies, and replies that only
/// one side has. Replies with the same code are paired first, then those in the same place.
///
/// `mask` replaces what may differ in a text (addresses, times); it is not used for
/// [`Precision::Exact`].
pub fn differences<'a>(
    a: &'a [Reply],
    b: &'a [Reply],
    precision: Precision,
    mask: impl Fn(&str) -> String,
) -> Vec<Pair<'a, Reply>> {
    let equal = |a: &Reply, b: &Reply| match precision {
        Precision::Code => a.code == b.code,
        Precision::Text => a.code == b.code && mask(&a.text()) == mask(&b.text()),
        Precision::Exact => a.octets == b.octets,
    };
    let mut different = Vec::new();
    for (_, a, b) in runs(a, b, |reply| reply.code) {
        let paired = a.len().min(b.len());
        let unequal = a.iter().zip(b).filter(|(a, b)| !equal(a, b));
        different.extend(unequal.map(|(a, b)| Pair::Both(a, b)));
        different.extend(a[paired..].iter().map(Pair::OnlyA));
        different.extend(b[paired..].iter().map(Pair::OnlyB));
    }
    different
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::ReplyReader;
    use rstest::rstest;

    fn replies(text: &str) -> Vec<Reply> {
        let mut reader = ReplyReader::default();
        reader.push((text.replace(" / ", "\r\n") + "\r\n").as_bytes());
        let mut read: Vec<_> = std::iter::from_fn(|| reader.next_reply()).collect();
        read.extend(reader.finish());
        read
    }

    #[rstest]
    #[case::equal("200 a", "200 a", Precision::Exact, &[])]
    #[case::another_code("150 a / 226 b", "150 a / 250 b", Precision::Code, &["226 250"])]
    #[case::another_text("150 a / 226 b", "150 x / 226 b", Precision::Code, &[])]
    #[case::another_text_by_text("150 a / 226 b", "150 x / 226 b", Precision::Text, &["150 150"])]
    #[case::masked_text("227 =1", "227 =2", Precision::Text, &[])]
    #[case::masked_text_exactly("227 =1", "227 =2", Precision::Exact, &["227 227"])]
    #[case::one_missing("150 a / 226 b", "226 b", Precision::Text, &["150 -"])]
    #[case::one_more("226 b", "226 b / 226 b", Precision::Text, &["- 226"])]
    #[case::two_others("500 a / 501 b", "502 c / 503 d / 504 e", Precision::Code, &["500 502", "501 503", "- 504"])]
    fn unequal_replies_are_paired(
        #[case] a: &str,
        #[case] b: &str,
        #[case] precision: Precision,
        #[case] expected: &[&str],
    ) {
        let (a, b) = (replies(a), replies(b));
        let mask = |text: &str| match text.split_once('=') {
            Some((before, _)) => before.to_owned(),
            None => text.to_owned(),
        };
        let found = differences(&a, &b, precision, mask);
        let shown = found.iter().map(|pair| match pair {
            Pair::Both(a, b) => format!("{} {}", a.code, b.code),
            Pair::OnlyA(a) => format!("{} -", a.code),
            Pair::OnlyB(b) => format!("- {}", b.code),
        });
        assert_eq!(shown.collect::<Vec<_>>(), expected);
    }
}
