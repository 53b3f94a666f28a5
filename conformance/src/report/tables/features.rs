//! Whether FEAT is correct: features advertised but refused, and implemented but not listed (RFC
//! 2389 §3.2).

use crate::catalogue::Registry;
use crate::report::Report;
use crate::scenario::Need;
use crate::transcript::Features;
use crate::verdict::Outcome;
use serde::Serialize;

/// Whether a feature is implemented, whatever FEAT lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Seen {
    /// It is there.
    Served,
    /// It is refused as unknown.
    Refused,
    /// Some of it is there, and some is refused as unknown.
    Partly,
    /// No played scenario decides it.
    Untested,
}

/// Whether FEAT is right about a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Truth {
    /// Advertised, and served.
    Truthful,
    /// Advertised, and refused, or part of it.
    AdvertisedAndRefused,
    /// Served, or part of it, and not advertised.
    ServedAndHidden,
    /// Neither.
    Absent,
    /// Advertised, and not tested.
    Untested,
    /// The server has no FEAT, so it advertises nothing.
    NoFeat,
}

impl Truth {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Truthful => "truthful",
            Self::AdvertisedAndRefused => "advertised and refused",
            Self::ServedAndHidden => "served and hidden",
            Self::Absent => "absent",
            Self::Untested => "advertised, not tested",
            Self::NoFeat => "implemented; there is no FEAT",
        }
    }

    pub(crate) fn misleads(self) -> bool {
        matches!(self, Self::AdvertisedAndRefused | Self::ServedAndHidden)
    }
}

/// One feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FeatureTruth<'a> {
    /// As FEAT would say it.
    pub label: String,
    /// The line that advertises it.
    pub advertised: Option<String>,
    /// What it turned out to be.
    pub seen: Seen,
    /// Whether FEAT is right.
    pub truth: Truth,
    /// Ids of the scenarios that found it refused, each once.
    pub refused_in: Vec<&'a str>,
}

/// Features that have a line in FEAT and no verb of their own (RFC 2640 §2.2, RFC 3659 §6, deflate
/// draft §2).
const WITHOUT_VERB: [&str; 3] = ["UTF8", "TVFS", "MODE Z"];

/// Every feature that is advertised or has a result, the known ones first.
pub(crate) fn feature_truth<'a>(report: &'a Report, registry: &Registry) -> Vec<FeatureTruth<'a>> {
    let features = Features::listed(report.target.features.as_deref());
    let mut labels: Vec<&str> = Vec::new();
    let with_verb = registry
        .commands
        .iter()
        .filter_map(|entry| entry.feat.as_deref());
    for label in with_verb.chain(WITHOUT_VERB) {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    let mut lines: Vec<&str> = report
        .target
        .features
        .iter()
        .flatten()
        .map(|line| line.trim())
        .collect();
    let mut truths = Vec::new();
    for label in labels {
        let advertised = features.advertised(label).map(str::to_owned);
        lines.retain(|line| {
            Features::listed(Some(&[(*line).to_owned()]))
                .advertised(label)
                .is_none()
        });
        let truth = truth(report, registry, label, advertised);
        if truth.advertised.is_some() || truth.seen != Seen::Untested {
            truths.push(truth);
        }
    }
    // Unknown features are shown as they are.
    truths.extend(
        lines
            .into_iter()
            .filter(|line| !line.is_empty())
            .map(|line| FeatureTruth {
                label: line.split(' ').next().unwrap_or(line).to_owned(),
                advertised: Some(line.to_owned()),
                seen: Seen::Untested,
                truth: Truth::Untested,
                refused_in: Vec::new(),
            }),
    );
    truths
}

/// The features for which FEAT is wrong.
pub(crate) fn misleading_features<'a>(
    report: &'a Report,
    registry: &Registry,
) -> Vec<FeatureTruth<'a>> {
    let mut truths = feature_truth(report, registry);
    truths.retain(|truth| truth.truth.misleads());
    truths
}

fn truth<'a>(
    report: &'a Report,
    registry: &Registry,
    label: &str,
    advertised: Option<String>,
) -> FeatureTruth<'a> {
    let is = |need: &Need| need.label().eq_ignore_ascii_case(label);
    let needing = || {
        report
            .scenarios
            .iter()
            .filter(|row| row.needs.iter().any(is))
    };
    let mut refused_in: Vec<&str> = needing()
        .filter(|row| row.verdict.lacks.as_ref().is_some_and(is))
        .map(|row| row.verdict.scenario.as_str())
        .collect();
    refused_in.dedup();
    // A scenario may pass without the feature: its command was refused, as required.
    let verb = label.split(' ').next().unwrap_or(label);
    let implemented = &report.target.implemented;
    let unknown = registry.get(verb).is_some()
        && !implemented.is_empty()
        && !implemented.iter().any(|it| it == verb);
    let served = !unknown
        && needing().any(|row| {
            // INCONCLUSIVE decides nothing.
            let tested = !matches!(
                row.verdict.outcome,
                Outcome::Error | Outcome::Blocked | Outcome::Inconclusive
            );
            tested && row.verdict.lacks.is_none()
        });
    let verbs = || {
        registry
            .commands
            .iter()
            .filter(|entry| entry.feat.as_deref() == Some(label))
    };
    let known =
        |list: &[String]| verbs().any(|entry| entry.verb == label && list.contains(&entry.verb));
    let seen = match (served, !refused_in.is_empty()) {
        (true, true) => Seen::Partly,
        (true, false) => Seen::Served,
        (false, true) => Seen::Refused,
        (false, false) if known(&report.target.implemented) => Seen::Served,
        (false, false) if known(&report.target.not_implemented) => Seen::Refused,
        (false, false) => Seen::Untested,
    };
    let truth = match (&advertised, seen) {
        (_, Seen::Served | Seen::Partly) if report.target.features.is_none() => Truth::NoFeat,
        (Some(_), Seen::Served) => Truth::Truthful,
        (Some(_), Seen::Refused | Seen::Partly) => Truth::AdvertisedAndRefused,
        (Some(_), Seen::Untested) => Truth::Untested,
        (None, Seen::Served | Seen::Partly) => Truth::ServedAndHidden,
        (None, Seen::Refused | Seen::Untested) => Truth::Absent,
    };
    FeatureTruth {
        label: label.to_owned(),
        advertised,
        seen,
        truth,
        refused_in,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use crate::report::tests::report;
    use rstest::rstest;

    #[rstest]
    #[case::truthful("HASH", true, &[(Outcome::Fail, false)], Seen::Served, Truth::Truthful)]
    #[case::refused("HASH", true, &[(Outcome::Misadvertised, true)], Seen::Refused, Truth::AdvertisedAndRefused)]
    #[case::partly("HASH", true, &[(Outcome::Pass, false), (Outcome::Misadvertised, true)], Seen::Partly, Truth::AdvertisedAndRefused)]
    #[case::hidden("HASH", false, &[(Outcome::Pass, false)], Seen::Served, Truth::ServedAndHidden)]
    #[case::tls("AUTH TLS", false, &[(Outcome::Pass, false)], Seen::Served, Truth::ServedAndHidden)]
    #[case::absent("HASH", false, &[(Outcome::Unsupported, true)], Seen::Refused, Truth::Absent)]
    #[case::nothing_left_to_test("HASH", false, &[(Outcome::Unsupported, true), (Outcome::Inconclusive, false)], Seen::Refused, Truth::Absent)]
    #[case::not_tested("HASH", true, &[(Outcome::Blocked, false)], Seen::Untested, Truth::Untested)]
    fn feat_is_held_against_what_was_seen(
        #[case] label: &str,
        #[case] advertised: bool,
        #[case] rows: &[(Outcome, bool)],
        #[case] seen: Seen,
        #[case] truth: Truth,
    ) {
        let outcomes: Vec<Outcome> = rows.iter().map(|(outcome, _)| *outcome).collect();
        let mut report = report(&outcomes);
        let need = label.strip_prefix("AUTH ").unwrap_or(label);
        for (row, (_, lacks)) in report.scenarios.iter_mut().zip(rows) {
            row.needs = vec![need.into()];
            row.verdict.lacks = lacks.then(|| need.into());
        }
        report.target.features = Some(if advertised {
            vec![format!(" {label} x")]
        } else {
            Vec::new()
        });
        let truths = feature_truth(&report, Registry::built_in());
        let found = truths.iter().find(|truth| truth.label == label).unwrap();
        assert_eq!((found.seen, found.truth), (seen, truth));
        assert_eq!(truths.len(), 1);
    }

    #[test]
    fn a_verb_alone_decides_too_and_unknown_features_are_listed() {
        let mut report = report(&[]);
        report.target.features = Some(vec!["CCC".into(), "X-OWN a".into()]);
        report.target.implemented = vec!["PBSZ".into()];
        report.target.not_implemented = vec!["CCC".into()];
        let registry = Registry::built_in();
        let listed = |truths: Vec<FeatureTruth<'_>>| -> Vec<(String, Truth)> {
            let listed = truths.into_iter().map(|truth| (truth.label, truth.truth));
            listed.collect()
        };
        let misleading = [
            ("PBSZ".to_owned(), Truth::ServedAndHidden),
            ("CCC".to_owned(), Truth::AdvertisedAndRefused),
        ];
        let all = listed(feature_truth(&report, registry));
        assert_eq!(all[..2], misleading);
        assert_eq!(all[2..], [("X-OWN".to_owned(), Truth::Untested)]);
        assert_eq!(listed(misleading_features(&report, registry)), misleading);
    }

    #[test]
    fn what_holds_without_the_verb_is_not_served() {
        let mut report = report(&[Outcome::Pass, Outcome::Unsupported]);
        report.target.features = Some(Vec::new());
        report.target.implemented = vec!["NOOP".into()];
        for (row, lacks) in report.scenarios.iter_mut().zip([None, Some("TLS")]) {
            row.needs = vec!["TLS".into()];
            row.verdict.lacks = lacks.map(Need::from);
        }
        let truths = feature_truth(&report, Registry::built_in());
        let found = truths.iter().find(|truth| truth.label == "AUTH TLS");
        assert_eq!(found.map(|truth| truth.truth), Some(Truth::Absent));
    }

    #[test]
    fn a_server_without_feat_hides_nothing() {
        let mut report = report(&[]);
        report.target.implemented = vec!["SIZE".into()];
        let truths = feature_truth(&report, Registry::built_in());
        assert_eq!(truths[0].truth, Truth::NoFeat);
        assert!(!truths[0].truth.misleads());
    }
}
