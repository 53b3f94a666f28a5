//! What somebody may have meant who named what there is not.

use crate::suite::Suite;

/// So many similar names are proposed.
const PROPOSED: usize = 5;
/// Nothing anybody mistypes is longer, and the comparison takes time by the square.
const LONGEST: usize = 80;

/// The names that are most like this one.
pub(super) fn similar<'a>(name: &str, all: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = name.to_lowercase();
    if wanted.is_empty() || wanted.len() > LONGEST {
        return Vec::new();
    }
    let score = |candidate: &'a str| {
        let lower = candidate.to_lowercase();
        if lower.contains(&wanted) {
            return Some((lower.len() - wanted.len(), candidate));
        }
        // The id without its directory is what people remember.
        let end = lower.rsplit('/').next().unwrap_or(&lower);
        let distance = strsim::damerau_levenshtein(&lower, &wanted)
            .min(strsim::damerau_levenshtein(end, &wanted));
        (distance <= wanted.len() / 3).then_some((100 + distance, candidate))
    };
    let mut scored: Vec<(usize, &str)> = all.into_iter().filter_map(score).collect();
    scored.sort_unstable();
    let best = scored.into_iter().take(PROPOSED);
    best.map(|(_, candidate)| candidate).collect()
}

/// Why a choice of scenarios cannot be what somebody wants: a pattern that selects none, with what may have been meant.
pub(super) fn stray(suite: &Suite, patterns: &[String]) -> Option<String> {
    let selects_none = |pattern: &&String| suite.select(&[(*pattern).clone()]).is_empty();
    let stray = patterns.iter().find(selects_none)?;
    let ids = suite
        .scenarios
        .iter()
        .map(|scenario| scenario.id.0.as_str());
    let meant = similar(stray, ids);
    let meant = meant.iter().map(|id| format!("  did you mean `{id}`?\n"));
    Some(format!(
        "no scenario is selected by `{stray}`\n{}`ftpspec list` shows them all, `ftpspec list PATTERN` what a pattern selects.",
        meant.collect::<String>()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_selects_nothing_is_told_with_what_was_meant() {
        let suite = Suite::embedded();
        let stray = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().copied().map(String::from).collect();
            stray(&suite, &patterns)
        };
        assert_eq!(stray(&[]), None);
        assert_eq!(stray(&["rfc959", "rfc3659/rest-*"]), None);
        let told = stray(&["rfc959", "noop-say-200"]).unwrap_or_default();
        assert!(told.contains("`noop-say-200`"), "{told}");
        assert!(
            told.contains("did you mean `rfc959/noop-says-200`?"),
            "{told}"
        );
        let broken = stray(&["rfc959/[z"]).unwrap_or_default();
        assert!(broken.contains("`rfc959/[z`"), "{broken}");
    }

    #[test]
    fn what_is_like_nothing_is_like_nothing() {
        assert_eq!(similar("", ["a", "b"]), [""; 0]);
        assert_eq!(similar("qqqqqqqq", ["rfc959/noop-says-200"]), [""; 0]);
        assert_eq!(similar(&"a".repeat(1 << 20), ["a"]), [""; 0]);
    }
}
