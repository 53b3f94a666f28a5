//! "Did you mean" suggestions.

use super::Suite;

/// The number of suggestions.
const SUGGESTIONS: usize = 5;
/// Longer names get no suggestions: the comparison takes quadratic time.
const LONGEST: usize = 80;

/// The names most similar to this one, best first.
pub(crate) fn similar<'a>(name: &str, all: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = name.to_lowercase();
    if wanted.is_empty() || wanted.len() > LONGEST {
        return Vec::new();
    }
    let score = |candidate: &'a str| {
        let lower = candidate.to_lowercase();
        if lower.contains(&wanted) {
            return Some((lower.len() - wanted.len(), candidate));
        }
        // People often leave out the directory of an id.
        let end = lower.rsplit('/').next().unwrap_or(&lower);
        let distance = strsim::damerau_levenshtein(&lower, &wanted)
            .min(strsim::damerau_levenshtein(end, &wanted));
        (distance <= wanted.len() / 3).then_some((100 + distance, candidate))
    };
    let mut scored: Vec<(usize, &str)> = all.into_iter().filter_map(score).collect();
    scored.sort_unstable();
    let best = scored.into_iter().take(SUGGESTIONS);
    best.map(|(_, candidate)| candidate).collect()
}

/// A message about the first pattern that selects no scenario, with suggestions; `None` if every
/// pattern selects one.
pub(crate) fn unmatched_pattern(suite: &Suite, patterns: &[String]) -> Option<String> {
    let selects_none = |pattern: &&String| suite.select(&[(*pattern).clone()]).is_empty();
    let pattern = patterns.iter().find(selects_none)?;
    let ids = suite
        .scenarios
        .iter()
        .map(|scenario| scenario.id.0.as_str());
    let meant = similar(pattern, ids);
    let meant = meant.iter().map(|id| format!("  did you mean `{id}`?\n"));
    Some(format!(
        "no scenario matches `{pattern}`\n{}`ftpspec list` shows all scenarios, `ftpspec list PATTERN` \
         those a pattern selects.",
        meant.collect::<String>()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_matches_nothing_gets_suggestions() {
        let suite = Suite::embedded();
        let message = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().copied().map(String::from).collect();
            unmatched_pattern(&suite, &patterns)
        };
        assert_eq!(message(&[]), None);
        assert_eq!(message(&["rfc959", "rfc3659/rest-*"]), None);
        let typo = message(&["rfc959", "noop-say-200"]).unwrap_or_default();
        assert!(typo.contains("`noop-say-200`"), "{typo}");
        assert!(
            typo.contains("did you mean `rfc959/noop-says-200`?"),
            "{typo}"
        );
        let broken = message(&["rfc959/[z"]).unwrap_or_default();
        assert!(broken.contains("`rfc959/[z`"), "{broken}");
    }

    #[test]
    fn unusable_names_get_no_suggestions() {
        assert_eq!(similar("", ["a", "b"]), [""; 0]);
        assert_eq!(similar("qqqqqqqq", ["rfc959/noop-says-200"]), [""; 0]);
        assert_eq!(similar(&"a".repeat(1 << 20), ["a"]), [""; 0]);
    }
}
