//! `junit.xml`, for CI systems; valid against the schema of Jenkins' xUnit plug-in
//! (`junit-10.xsd`).
//!
//! A suite is a document, or the always-on judges. A broken MUST is a `failure`; the tester's own
//! trouble, a prerequisite that failed and a stale baseline are distinguished by `type`. What was
//! not played, is absent or is excused by a baseline is `skipped`, with its reason.

use super::Sanitized;
use super::tables::{document_name, documents};
use super::terminal::{judge_text, row_text};
use super::{Report, Row};
use crate::scenario::shown_case;
use crate::text::cut;
use crate::verdict::{Accepted, Finding, JudgeVerdict, Outcome};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use std::io;

/// The report as JUnit XML. With `strict` a WARN is a failure, too.
#[must_use]
pub fn junit(report: &Sanitized, strict: bool) -> String {
    let report = report.report();
    let suites = suites(report, strict);
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    write(&mut writer, report, &suites).expect("writing into memory cannot fail");
    let mut text = String::from_utf8(writer.into_inner()).expect("it was written from strings");
    text.push('\n');
    text
}

/// Characters of a message; the text below it has the evidence.
const WIDTH: usize = 600;

/// One `testsuite`.
struct Suite {
    name: String,
    cases: Vec<Case>,
}

/// One `testcase`.
struct Case {
    name: String,
    classname: String,
    duration_ms: u64,
    end: CaseResult,
}

/// The content of a `testcase`.
enum CaseResult {
    Passed,
    Failure(Details),
    Error(Details),
    Skipped(String),
}

struct Details {
    kind: &'static str,
    message: String,
    body: String,
}

fn suites(report: &Report, strict: bool) -> Vec<Suite> {
    let documents = documents(report, strict);
    let named = documents
        .iter()
        .filter(|document| !document.directory.is_empty() || document.name != JUDGES);
    let mut suites: Vec<Suite> = named
        .map(|document| Suite {
            name: document.name.clone(),
            cases: report
                .scenarios
                .iter()
                .filter(|row| directory(&row.verdict.scenario) == document.directory)
                .map(|row| case(row, strict))
                .collect(),
        })
        .collect();
    for skipped in &report.skipped {
        let name = document_name(directory(&skipped.scenario));
        let at = suites.iter().position(|suite| suite.name == name);
        let at = at.unwrap_or_else(|| {
            suites.push(Suite {
                name,
                cases: Vec::new(),
            });
            suites.len() - 1
        });
        suites[at].cases.push(Case {
            name: shown_case(&skipped.scenario, skipped.variant),
            classname: classname(&skipped.scenario),
            duration_ms: 0,
            end: CaseResult::Skipped(format!("not played: {}", skipped.reason)),
        });
    }
    if !report.scenarios.is_empty() {
        suites.push(Suite {
            name: JUDGES.into(),
            cases: report.judges.iter().map(|row| judge(row, strict)).collect(),
        });
    }
    if !report.invalid_scenarios.is_empty() {
        let case = |path: &String| Case {
            name: path.clone(),
            classname: "scenario".into(),
            duration_ms: 0,
            end: CaseResult::Error(Details {
                kind: "SCENARIO",
                message: "this scenario file cannot be read".into(),
                body: format!("run `ftpspec lint {path}` for the reason"),
            }),
        };
        suites.push(Suite {
            name: "scenario files".into(),
            cases: report.invalid_scenarios.iter().map(case).collect(),
        });
    }
    suites
}

const JUDGES: &str = "every transcript";

fn directory(id: &str) -> &str {
    id.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// As Jenkins takes it apart into packages: `rfc959`, `mine.uploads`.
fn classname(id: &str) -> String {
    match directory(id) {
        "" => "scenarios".into(),
        directory => directory.replace('/', "."),
    }
}

fn case(row: &Row, strict: bool) -> Case {
    let verdict = &row.verdict;
    let finding = verdict.findings.iter().min_by_key(|finding| finding.level);
    Case {
        name: verdict.case().to_string(),
        classname: classname(&verdict.scenario),
        duration_ms: row.duration_ms,
        end: end(verdict.outcome, row.known.as_ref(), strict, || {
            let message = finding.map_or_else(|| verdict.reason.clone(), expected);
            (message, row_text(row))
        }),
    }
}

fn judge(row: &JudgeVerdict, strict: bool) -> Case {
    let finding = row
        .findings
        .iter()
        .map(|located| &located.finding)
        .min_by_key(|finding| finding.level);
    Case {
        name: row.judge.clone(),
        classname: "judges".into(),
        duration_ms: 0,
        end: end(row.outcome, row.known.as_ref(), strict, || {
            let message = finding.map_or_else(|| row.statement.clone(), expected);
            (message, judge_text(row))
        }),
    }
}

fn expected(finding: &Finding) -> String {
    format!(
        "expected {}, observed {}",
        finding.expected, finding.observed
    )
}

fn end(
    outcome: Outcome,
    known: Option<&Accepted>,
    strict: bool,
    tell: impl FnOnce() -> (String, String),
) -> CaseResult {
    if Accepted::is_stale(known, outcome) {
        return CaseResult::Failure(Details {
            kind: "STALE",
            message: "the baseline knows a deviation here that is not there any more: remove it"
                .into(),
            body: String::new(),
        });
    }
    let fails = Accepted::fails(known, outcome, strict);
    let shortened = |text: &str| cut(text, WIDTH).into_owned();
    match outcome {
        Outcome::Pass | Outcome::Note => CaseResult::Passed,
        Outcome::Warn if !fails && known.is_none() => CaseResult::Passed,
        Outcome::Unsupported | Outcome::Inconclusive => {
            CaseResult::Skipped(shortened(&format!("{}: {}", outcome.word(), tell().0)))
        }
        _ => {
            let (message, body) = tell();
            if let (false, Some(known)) = (fails, known) {
                return CaseResult::Skipped(format!(
                    "{} that is known: {}",
                    outcome.word(),
                    known.reason
                ));
            }
            let details = Details {
                kind: outcome.word(),
                message: shortened(&message),
                body,
            };
            match outcome {
                Outcome::Error => CaseResult::Error(details),
                _ => CaseResult::Failure(details),
            }
        }
    }
}

/// Attributes of a `testsuite` and of `testsuites`.
#[derive(Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    duration_ms: u64,
}

impl Counts {
    fn of<'a>(cases: impl IntoIterator<Item = &'a Case>) -> Self {
        let mut counts = Self::default();
        for case in cases {
            counts.tests += 1;
            counts.duration_ms += case.duration_ms;
            match &case.end {
                CaseResult::Passed => {}
                CaseResult::Failure(_) => counts.failures += 1,
                CaseResult::Error(_) => counts.errors += 1,
                CaseResult::Skipped(_) => counts.skipped += 1,
            }
        }
        counts
    }
}

fn write(writer: &mut Writer<Vec<u8>>, report: &Report, suites: &[Suite]) -> io::Result<()> {
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let counts = Counts::of(suites.iter().flat_map(|suite| &suite.cases));
    let mut root = BytesStart::new("testsuites");
    root.push_attribute(("name", "ftpspec"));
    root.push_attribute(("tests", counts.tests.to_string().as_str()));
    root.push_attribute(("failures", counts.failures.to_string().as_str()));
    root.push_attribute(("errors", counts.errors.to_string().as_str()));
    root.push_attribute(("time", seconds(counts.duration_ms).as_str()));
    writer.write_event(Event::Start(root))?;
    for suite in suites {
        write_suite(writer, report, suite)?;
    }
    writer.write_event(Event::End(BytesEnd::new("testsuites")))
}

fn write_suite(writer: &mut Writer<Vec<u8>>, report: &Report, suite: &Suite) -> io::Result<()> {
    let counts = Counts::of(&suite.cases);
    let mut start = BytesStart::new("testsuite");
    start.push_attribute(("name", suite.name.as_str()));
    start.push_attribute(("tests", counts.tests.to_string().as_str()));
    start.push_attribute(("failures", counts.failures.to_string().as_str()));
    start.push_attribute(("errors", counts.errors.to_string().as_str()));
    start.push_attribute(("skipped", counts.skipped.to_string().as_str()));
    start.push_attribute(("time", seconds(counts.duration_ms).as_str()));
    writer.write_event(Event::Start(start))?;
    writer.write_event(Event::Start(BytesStart::new("properties")))?;
    for (name, value) in [("target", &report.target.url), ("ftpspec", &report.ftpspec)] {
        let property =
            BytesStart::new("property").with_attributes([("name", name), ("value", value)]);
        writer.write_event(Event::Empty(property))?;
    }
    writer.write_event(Event::End(BytesEnd::new("properties")))?;
    for case in &suite.cases {
        write_case(writer, case)?;
    }
    writer.write_event(Event::End(BytesEnd::new("testsuite")))
}

fn write_case(writer: &mut Writer<Vec<u8>>, case: &Case) -> io::Result<()> {
    let mut start = BytesStart::new("testcase");
    start.push_attribute(("name", case.name.as_str()));
    start.push_attribute(("classname", case.classname.as_str()));
    start.push_attribute(("time", seconds(case.duration_ms).as_str()));
    let (element, details) = match &case.end {
        CaseResult::Passed => return writer.write_event(Event::Empty(start)),
        CaseResult::Skipped(reason) => {
            writer.write_event(Event::Start(start))?;
            let skipped =
                BytesStart::new("skipped").with_attributes([("message", reason.as_str())]);
            writer.write_event(Event::Empty(skipped))?;
            return writer.write_event(Event::End(BytesEnd::new("testcase")));
        }
        CaseResult::Failure(details) => ("failure", details),
        CaseResult::Error(details) => ("error", details),
    };
    writer.write_event(Event::Start(start))?;
    let inner = BytesStart::new(element)
        .with_attributes([("type", details.kind), ("message", &details.message)]);
    writer.write_event(Event::Start(inner))?;
    writer.write_event(Event::Text(BytesText::new(&details.body)))?;
    writer.write_event(Event::End(BytesEnd::new(element)))?;
    writer.write_event(Event::End(BytesEnd::new("testcase")))
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

#[cfg(test)]
mod tests;
