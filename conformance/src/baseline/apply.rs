//! Marks known deviations in a report and finds stale entries.

use super::{About, Baseline, KnownDeviation, excuses};
use crate::report::{BaselineFault, FaultKind, Report};
use crate::scenario::Variant;
use crate::text::did_you_mean;
use crate::verdict::{Accepted, Outcome};

/// The names an entry may refer to.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    /// Ids of scenarios.
    pub scenarios: &'a [&'a str],
    /// Names of judges.
    pub judges: &'a [&'a str],
}

/// Marks the known deviations of a report and adds the errors of the baselines to it.
///
/// An entry is stale if everything it refers to was played, something of that passed and nothing
/// deviated. In a filtered run ([`Report::filters`]) only entries without wildcards can be stale.
/// An entry about something that was not played is neither known nor stale. With `strict` a WARN
/// has to be known too.
pub(crate) fn apply(baselines: &[Baseline], report: &mut Report, names: Names<'_>, strict: bool) {
    let mut faults = Vec::new();
    for baseline in baselines {
        for entry in &baseline.entries {
            let fault = |fault: FaultKind, message: String| BaselineFault {
                file: baseline.file.clone(),
                line: entry.line,
                entry: entry.about.to_string(),
                fault,
                message,
            };
            if let Some(why) = unknown(entry, names) {
                faults.push(fault(FaultKind::Unknown, why));
                continue;
            }
            if excuse_rows(entry, report) {
                continue;
            }
            if is_stale(entry, report) {
                mark_stale(entry, report);
                let message = "it holds now; `ftpspec baseline update` removes the entry";
                faults.push(fault(FaultKind::Stale, message.into()));
            }
        }
    }
    excuse_judges(baselines, report, strict);
    report.baseline_errors.extend(faults);
}

/// Why an entry refers to nothing; `None` if it refers to something.
fn unknown(entry: &KnownDeviation, names: Names<'_>) -> Option<String> {
    let closest = |text: &str, all: &[&str]| {
        let help = did_you_mean(text, all.iter().copied());
        help.map_or_else(String::new, |help| format!("; {help}"))
    };
    match &entry.about {
        About::Scenario { scenario, variant } => {
            if !names.scenarios.iter().any(|id| scenario.fits(id)) {
                let text = &scenario.text;
                return Some(format!(
                    "there is no scenario `{text}`{}",
                    closest(text, names.scenarios)
                ));
            }
            if !variant.is_literal() {
                return None;
            }
            let text = &variant.text;
            match text.parse::<Variant>() {
                Ok(variant) if variant.to_string() == *text => None,
                Ok(variant) => Some(format!(
                    "there is no variant `{text}`; did you mean `{variant}`?"
                )),
                Err(_) => Some(format!("there is no variant `{text}`")),
            }
        }
        About::Judge { judge, .. } => (!names.judges.contains(&judge.as_str())).then(|| {
            format!(
                "there is no judge `{judge}`{}",
                closest(judge, names.judges)
            )
        }),
    }
}

/// Whether the entry refers to the row.
fn fits(entry: &KnownDeviation, scenario: &str, variant: Variant) -> bool {
    match &entry.about {
        About::Scenario {
            scenario: id,
            variant: wanted,
        } => id.fits(scenario) && wanted.fits(&variant.to_string()),
        About::Judge { .. } => false,
    }
}

/// Marks the rows an entry excuses and returns whether there are any.
fn excuse_rows(entry: &KnownDeviation, report: &mut Report) -> bool {
    let mut excused = false;
    for row in &mut report.scenarios {
        let verdict = &row.verdict;
        if fits(entry, &verdict.scenario, verdict.variant)
            && excuses(entry.outcome, verdict.outcome)
        {
            excused = true;
            row.known.get_or_insert_with(|| known(entry));
        }
    }
    excused
}

fn known(entry: &KnownDeviation) -> Accepted {
    let mut reason = entry.reason.clone();
    if let Some(issue) = &entry.issue {
        reason = format!("{reason} ({issue})");
    }
    Accepted { reason }
}

/// Whether nothing an entry refers to deviates any more. Assumes that the entry excuses no row.
pub(super) fn is_stale(entry: &KnownDeviation, report: &Report) -> bool {
    if entry.sometimes || report.interrupted || !report.missing_parts().is_empty() {
        return false;
    }
    let filters = report.filters;
    match &entry.about {
        About::Scenario { scenario, variant } => {
            let decided = (scenario.is_literal() || !filters.scenarios)
                && (variant.is_literal() || !filters.variants);
            let skipped = report.skipped.iter().any(|skipped| {
                scenario.fits(&skipped.scenario)
                    && skipped
                        .variant
                        .is_none_or(|it| variant.fits(&it.to_string()))
            });
            let rows = report.scenarios.iter().map(|row| &row.verdict);
            let mut outcomes = rows
                .filter(|verdict| fits(entry, &verdict.scenario, verdict.variant))
                .map(|verdict| verdict.outcome);
            let holds = outcomes.clone().any(|outcome| outcome == Outcome::Pass);
            decided && !skipped && holds && outcomes.all(is_good)
        }
        About::Judge { judge, requirement } => {
            let row = report.judges.iter().find(|row| row.judge == *judge);
            let broken = row.is_some_and(|row| {
                let mut broken = row.broken();
                broken.any(|(rule, outcome, _)| {
                    !is_good(outcome) && requirement.as_ref().is_none_or(|wanted| wanted == rule)
                })
            });
            let looked = row.is_some() && !report.scenarios.is_empty();
            looked && !filters.scenarios && !filters.variants && !broken
        }
    }
}

/// Whether an outcome is not a deviation.
fn is_good(outcome: Outcome) -> bool {
    !outcome.fails(true)
}

/// Marks the passed rows of a stale entry, so that reports show them.
fn mark_stale(entry: &KnownDeviation, report: &mut Report) {
    for row in &mut report.scenarios {
        let verdict = &row.verdict;
        if fits(entry, &verdict.scenario, verdict.variant) && verdict.outcome == Outcome::Pass {
            row.known.get_or_insert_with(|| known(entry));
        }
    }
}

/// Marks the judges whose findings are all excused.
fn excuse_judges(baselines: &[Baseline], report: &mut Report, strict: bool) {
    let entries = || baselines.iter().flat_map(|baseline| &baseline.entries);
    for row in &mut report.judges {
        let mut reasons = Vec::new();
        let all = row.broken().all(|(rule, outcome, _)| {
            let Some(entry) =
                entries().find(|entry| excuses_rule(entry, &row.judge, rule, outcome))
            else {
                return !outcome.fails(strict);
            };
            let Accepted { reason } = known(entry);
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
            true
        });
        if all && !reasons.is_empty() {
            row.known = Some(Accepted {
                reason: reasons.join("; "),
            });
        }
    }
}

/// Whether an entry excuses a broken rule of a judge.
pub(super) fn excuses_rule(
    entry: &KnownDeviation,
    judge: &str,
    rule: &str,
    outcome: Outcome,
) -> bool {
    match &entry.about {
        About::Judge {
            judge: name,
            requirement,
        } => {
            name == judge
                && requirement.as_ref().is_none_or(|wanted| wanted == rule)
                && excuses(entry.outcome, outcome)
        }
        About::Scenario { .. } => false,
    }
}

/// Whether an entry excuses a row.
pub(super) fn excuses_row(
    entry: &KnownDeviation,
    scenario: &str,
    variant: Variant,
    outcome: Outcome,
) -> bool {
    fits(entry, scenario, variant) && excuses(entry.outcome, outcome)
}
