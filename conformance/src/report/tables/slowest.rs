//! What took long.

use crate::report::{Report, Row};
use std::cmp::Reverse;

/// A row that took less is not slow, in milliseconds.
const SLOW: u64 = 1000;
/// How many are shown.
const MOST: usize = 5;

/// The slowest rows, the slowest first; none in a short run. Of a scenario only the slowest
/// variant.
pub(crate) fn slowest(report: &Report) -> Vec<&Row> {
    let mut rows: Vec<&Row> = report.scenarios.iter().collect();
    rows.retain(|row| row.duration_ms >= SLOW);
    rows.sort_by_key(|row| Reverse(row.duration_ms));
    let mut slow: Vec<&Row> = Vec::new();
    for row in rows {
        let same = |other: &&Row| other.verdict.scenario == row.verdict.scenario;
        if slow.len() < MOST && !slow.iter().any(same) {
            slow.push(row);
        }
    }
    slow
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;
    use crate::verdict::Outcome;

    #[test]
    fn the_slowest_come_first_and_each_scenario_once() {
        let mut report = report(&[Outcome::Pass; 8]);
        let took = [5, 1000, 7000, 999, 3000, 6000, 2000, 4000];
        for (index, (row, duration_ms)) in report.scenarios.iter_mut().zip(took).enumerate() {
            row.duration_ms = duration_ms;
            row.verdict.scenario = format!("a/{}", index % 6);
        }
        let slow: Vec<u64> = slowest(&report).iter().map(|row| row.duration_ms).collect();
        // 2000 and 4000 are those of scenarios 0 and 1; 1000 is another variant of 1.
        assert_eq!(slow, [7000, 6000, 4000, 3000, 2000]);
        report.scenarios.truncate(1);
        assert!(slowest(&report).is_empty());
    }
}
