//! "Did you mean": which of several words was probably meant.

/// The candidate that is most similar to `given`, if any is.
pub(crate) fn nearest<'b>(
    given: &str,
    candidates: impl IntoIterator<Item = &'b str>,
) -> Option<&'b str> {
    candidates
        .into_iter()
        .filter_map(|candidate| Some((distance(given, candidate)?, candidate)))
        .min()
        .map(|(_, candidate)| candidate)
}

/// The edit distance of two words, if they are similar. Long input is not compared.
pub(super) fn distance(given: &str, candidate: &str) -> Option<usize> {
    if given.len() > 2 * candidate.len() + 2 {
        return None;
    }
    let distance = strsim::damerau_levenshtein(&given.to_lowercase(), &candidate.to_lowercase());
    (distance <= candidate.len().div_ceil(3)).then_some(distance)
}
