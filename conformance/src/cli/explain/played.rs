//! Example dialogues of a scenario: with the reference server, and with a single-fault mutant.

use super::page::Page;
use crate::cli::selftest::{harness, jobs};
use crate::scenario::{Connection, Scenario, ScenarioId};
use crate::selftest::Harness;
use crate::selftest::mutants::{self, Mutant, Mutation};
use crate::text::cut;
use crate::transcript::{Transcript, redact};
use crate::verdict::{Finding, Outcome};
use std::time::Duration;

/// The time limit for playing the examples.
const TIME_LIMIT: Duration = Duration::from_secs(15);
/// The number of lines shown of a dialogue.
const LINES: usize = 40;
/// The number of mutants that are tried until one is detected.
const MUTANTS: usize = 5;
/// The number of characters shown of a mutated statement.
const WIDTH: usize = 60;
/// The number of findings shown of a mutant.
const FINDINGS: usize = 3;

/// The examples of one scenario.
#[derive(Debug, Clone)]
pub(super) struct Examples {
    good: String,
    bad: Option<Bad>,
}

/// A mutant, and what is reported about it.
#[derive(Debug, Clone)]
struct Bad {
    /// The statement of the scenario that it breaks.
    statement: String,
    mutation: Mutation,
    dialogue: String,
    outcome: Outcome,
    findings: Vec<Finding>,
}

impl Examples {
    /// Plays the scenario against the bundled server, and then against mutants of its transcript.
    ///
    /// # Errors
    /// Why there is no example.
    pub(super) async fn of(scenario: &ScenarioId) -> Result<Self, String> {
        let playing = async {
            let (embedded, harness) = harness().await?;
            let examples = Self::made(scenario, &harness).await;
            embedded.stop().await;
            examples
        };
        let late = format!("playing takes longer than {} s", TIME_LIMIT.as_secs());
        tokio::time::timeout(TIME_LIMIT, playing)
            .await
            .map_err(|_| late)?
    }

    async fn made(scenario: &ScenarioId, harness: &Harness) -> Result<Self, String> {
        let jobs = jobs(std::slice::from_ref(&scenario.0), harness);
        let job = jobs
            .first()
            .ok_or("the bundled server does not have what it needs here")?;
        let truth = harness.record(job).await;
        let (verdict, _) = harness.verdict(&truth);
        if verdict.outcome > Outcome::Unsupported {
            return Err(format!("it comes to {} here", verdict.outcome.word()));
        }
        let mut mutants = mutants::all(&job.scenario, &truth.transcript);
        mutants.sort_by_key(|mutant| (rank(mutant), std::cmp::Reverse(mutant.line)));
        let mut bad = None;
        for mutant in mutants.iter().take(MUTANTS) {
            let played = harness.play_against(job, &mutant.transcript).await?;
            let (verdict, judges) = harness.verdict(&played);
            let judges = judges.into_iter().flat_map(|judge| judge.findings);
            let mut findings = verdict.findings;
            let mut outcome = verdict.outcome;
            if findings.is_empty() {
                // Some mutants are detected by the always-on judges.
                findings.extend(judges.map(|located| located.finding));
                outcome = Outcome::Fail;
            }
            if let Some(first) = findings.first() {
                bad = Some(Bad {
                    statement: statement(&job.scenario, mutant.line),
                    mutation: mutant.mutation,
                    dialogue: dialogue(&played.transcript, first.event),
                    outcome,
                    findings,
                });
                break;
            }
        }
        Ok(Self {
            good: dialogue(&truth.transcript, usize::MAX),
            bad,
        })
    }

    pub(super) fn show(&self, page: &mut Page) {
        page.good("Good: what the reference server does");
        page.block(&self.good);
        let Some(bad) = &self.bad else { return };
        let heading = match bad.statement.as_str() {
            "" => format!("Bad: a server that {}", bad.mutation),
            statement => format!("Bad: a server that, at `{statement}`, {}", bad.mutation),
        };
        page.bad(&heading);
        page.block(&bad.dialogue);
        page.section(&format!("Reported as {}", bad.outcome.word()));
        for finding in bad.findings.iter().take(FINDINGS) {
            page.line(format!("  {}: {}", finding.clause, finding.requirement));
            page.line(format!("  expected  {}", finding.expected));
            page.line(format!("  observed  {}", finding.observed));
        }
    }
}

/// How little a mutant illustrates the scenario; 0 is best.
fn rank(mutant: &Mutant) -> u8 {
    match mutant.mutation {
        Mutation::Short
        | Mutation::Changed
        | Mutation::Extra
        | Mutation::Doubled
        | Mutation::OtherDates
        | Mutation::Uncoded
        | Mutation::StalePort => 0,
        Mutation::NoData => 1,
        Mutation::Code(_) | Mutation::Text | Mutation::StaysOpen | Mutation::NoHandshake => 2,
        Mutation::NotRecommended(_) => 3,
        Mutation::Twice | Mutation::Unsolicited => 4,
    }
}

/// A line of the scenario, shortened; empty for an event without a line.
fn statement(scenario: &Scenario, line: u32) -> String {
    let index = usize::try_from(line).unwrap_or(usize::MAX).checked_sub(1);
    let text = index.and_then(|index| scenario.text.lines().nth(index));
    let text = text.unwrap_or_default();
    cut(text, WIDTH).into_owned()
}

/// The dialogue up to the event `last`, without login and clean-up.
fn dialogue(transcript: &Transcript, last: usize) -> String {
    let own = Connection::runner();
    let events = transcript.events.iter().enumerate();
    let shown = events.filter(|(index, event)| {
        (event.line > 0 && *index <= last || *index == last) && event.connection != own
    });
    let shown = Transcript {
        events: shown.map(|(_, event)| event.clone()).collect(),
        ..transcript.clone()
    };
    let text = redact(&shown);
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= LINES {
        return text;
    }
    let (head, tail) = (LINES / 2, lines.len() - LINES / 2);
    let left_out = format!("-- {} lines omitted", tail - head);
    let parts = [&lines[..head], &[left_out.as_str()], &lines[tail..]];
    parts.concat().join("\n")
}
