//! Coverage as people and programs read it.

use super::{Count, Coverage, LEVELS, Row, Standing, word};
use crate::scenario::Level;
use crate::styled_text::StyledText;
use serde::Serialize;
use std::collections::BTreeMap;

/// The version of the JSON form. Fields are only ever added within one.
const VERSION: u32 = 1;

/// The table, what is untestable and why; with `rows` every requirement with what covers it, with
/// `open` those that nothing covers.
pub(crate) fn human(coverage: &Coverage<'_>, rows: bool, open: bool) -> String {
    let mut out = StyledText::default();
    let documents = coverage.by_document();
    let width = documents.iter().map(|(name, _)| name.chars().count()).max();
    let width = width.unwrap_or_default().max("all documents".len());
    out.line(format!(
        "{:width$}  level     all  scenario  judge  untestable  open   of testable   of all",
        "document"
    ));
    let totals = LEVELS.map(|level| (level, coverage.count(level)));
    let total = [("all documents", totals)];
    for (document, counts) in documents.iter().chain(&total) {
        let mut name = *document;
        for (level, count) in counts.iter().filter(|(_, count)| count.all > 0) {
            let (level, of_testable, of_all) = (word(*level), of_testable(count), of_all(count));
            let Count {
                all,
                scenario,
                judge,
                untestable,
                open,
            } = count;
            out.line(format!(
                    "{name:width$}  {level:6}  {all:>5}  {scenario:>8}  {judge:>5}  {untestable:>10}  {open:>4}  {of_testable:>12}  {of_all:>7}"
                ),
            );
            name = "";
        }
    }
    let clients = coverage.client.len();
    if clients > 0 {
        let (bind, are) = if clients == 1 {
            ("binds clients", "is")
        } else {
            ("bind clients", "are")
        };
        out.line(format!(
            "\n{clients} more {bind}, and {are} no part of this."
        ));
    }
    list(
        &mut out,
        "Not testable from outside",
        with(coverage, Standing::Untestable),
    );
    if open {
        list(&mut out, "Open", with(coverage, Standing::Open));
    }
    if rows {
        list(
            &mut out,
            "Requirements and what covers them",
            &coverage.server,
        );
        list(&mut out, "Requirements that bind clients", &coverage.client);
    }
    out.text
}

fn with<'r, 'a>(
    coverage: &'r Coverage<'a>,
    standing: Standing,
) -> impl Iterator<Item = &'r Row<'a>> {
    let rows = coverage.server.iter();
    rows.filter(move |row| row.standing() == standing)
}

fn list<'r, 'a: 'r>(
    out: &mut StyledText,
    title: &str,
    rows: impl IntoIterator<Item = &'r Row<'a>>,
) {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_some() {
        out.line(format!("\n{title}:"));
    }
    for row in rows {
        let requirement = row.requirement;
        let level = word(requirement.level);
        out.line(format!(
            "  {}  {level}  {}\n      {}",
            requirement.id, requirement.clause, requirement.statement
        ));
        out.line(format!("      -> {}", how(row)));
    }
}

/// What covers a requirement, or why nothing does.
fn how(row: &Row<'_>) -> String {
    let judges = row.judges.iter().map(|judge| format!("every {judge}"));
    match (row.standing(), &row.requirement.untestable) {
        (Standing::Scenario | Standing::Judge, _) => {
            let scenarios = row.scenarios.iter().map(|id| match row.lines.get(id) {
                None => (*id).to_owned(),
                Some(lines) => {
                    let lines: Vec<_> = lines.iter().map(u32::to_string).collect();
                    format!("{id}:{}", lines.join(","))
                }
            });
            scenarios.chain(judges).collect::<Vec<_>>().join(", ")
        }
        (_, Some(reason)) => format!("untestable: {reason}"),
        (_, None) => "open".to_owned(),
    }
}

/// The same in Markdown, with every requirement.
pub(crate) fn markdown(coverage: &Coverage<'_>) -> String {
    let mut out = StyledText::default();
    out.line(
        "| document | level | all | scenario | judge | untestable | open | of testable | of all |\n\
             |---|---|--:|--:|--:|--:|--:|--:|--:|",
    );
    let totals = LEVELS.map(|level| (level, coverage.count(level)));
    for (document, counts) in coverage
        .by_document()
        .iter()
        .chain(&[("all documents", totals)])
    {
        for (level, count) in counts.iter().filter(|(_, count)| count.all > 0) {
            out.line(format!(
                "| {document} | {} | {} | {} | {} | {} | {} | {} | {} |",
                word(*level),
                count.all,
                count.scenario,
                count.judge,
                count.untestable,
                count.open,
                of_testable(count),
                of_all(count)
            ));
        }
    }
    for (title, rows) in [("servers", &coverage.server), ("clients", &coverage.client)] {
        if rows.is_empty() {
            continue;
        }
        out.line(format!(
                "\n## Requirements that bind {title}\n\n| requirement | clause | level | statement | covered by |\n|---|---|---|---|---|"
            ),
        );
        for row in rows {
            let requirement = row.requirement;
            out.line(format!(
                "| {} | {} | {} | {} | {} |",
                requirement.id,
                requirement.clause,
                word(requirement.level),
                cell(&requirement.statement),
                cell(&how(row))
            ));
        }
    }
    out.text
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[derive(Serialize)]
struct Json<'a> {
    schema: &'static str,
    version: u32,
    totals: Vec<Counted>,
    documents: Vec<Document<'a>>,
    requirements: Vec<Listed<'a>>,
    client_requirements: Vec<Listed<'a>>,
}

#[derive(Serialize)]
struct Document<'a> {
    document: &'a str,
    levels: Vec<Counted>,
}

#[derive(Serialize)]
struct Counted {
    level: &'static str,
    #[serde(flatten)]
    count: Count,
    /// Of those that can be tested, rounded down to a tenth; `null` where there are none.
    percent_of_testable: Option<f64>,
    /// Of all, likewise.
    percent_of_all: Option<f64>,
}

#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    document: &'a str,
    clause: &'a str,
    level: &'static str,
    statement: &'a str,
    standing: Standing,
    scenarios: &'a [&'a str],
    /// By scenario, where the scenario names them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    lines: &'a BTreeMap<&'a str, Vec<u32>>,
    judges: &'a [&'a str],
    untestable: Option<&'a str>,
}

/// The same for other programs, with every requirement.
pub(crate) fn json(coverage: &Coverage<'_>) -> String {
    let documents = coverage.by_document().into_iter();
    let json = Json {
        schema: "ftpspec-coverage",
        version: VERSION,
        totals: Counted::all(LEVELS.map(|level| (level, coverage.count(level)))),
        documents: documents
            .map(|(document, counts)| Document {
                document,
                levels: Counted::all(counts),
            })
            .collect(),
        requirements: coverage.server.iter().map(Listed::of).collect(),
        client_requirements: coverage.client.iter().map(Listed::of).collect(),
    };
    let mut text = serde_json::to_string_pretty(&json).expect("texts and numbers are always JSON");
    text.push('\n');
    text
}

impl Counted {
    fn all(counts: [(Level, Count); 3]) -> Vec<Self> {
        let counts = counts.into_iter().filter(|(_, count)| count.all > 0);
        let counted = counts.map(|(level, count)| Self {
            level: word(level),
            count,
            percent_of_testable: tenths(count.covered(), count.testable()).map(as_number),
            percent_of_all: tenths(count.covered(), count.all).map(as_number),
        });
        counted.collect()
    }
}

impl<'a> Listed<'a> {
    fn of(row: &'a Row<'a>) -> Self {
        let requirement = row.requirement;
        Self {
            id: &requirement.id,
            document: &requirement.document,
            clause: &requirement.clause,
            level: word(requirement.level),
            statement: &requirement.statement,
            standing: row.standing(),
            scenarios: &row.scenarios,
            lines: &row.lines,
            judges: &row.judges,
            untestable: requirement.untestable.as_deref(),
        }
    }
}

fn of_testable(count: &Count) -> String {
    percent(count.covered(), count.testable())
}

fn of_all(count: &Count) -> String {
    percent(count.covered(), count.all)
}

/// Rounded down, so that no threshold looks reached that is not.
fn tenths(part: usize, whole: usize) -> Option<usize> {
    (part * 1000).checked_div(whole)
}

fn as_number(tenths: usize) -> f64 {
    f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0
}

fn percent(part: usize, whole: usize) -> String {
    match tenths(part, whole) {
        Some(tenths) => format!("{}.{} %", tenths / 10, tenths % 10),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::super::tests::with_example;
    use super::*;

    #[test]
    fn people_see_a_table_and_why_something_is_untestable() {
        let text = with_example(|coverage| human(coverage, false, true));
        insta::assert_snapshot!(text, @r"
        document       level     all  scenario  judge  untestable  open   of testable   of all
        RFC 0          MUST        3         1      1           1     0       100.0 %   66.6 %
                       SHOULD      1         0      0           0     1         0.0 %    0.0 %
        all documents  MUST        3         1      1           1     0       100.0 %   66.6 %
                       SHOULD      1         0      0           0     1         0.0 %    0.0 %

        1 more binds clients, and is no part of this.

        Not testable from outside:
          b  MUST  RFC 0 §2
              x
              -> untestable: nobody sees the disk

        Open:
          d  SHOULD  RFC 0 §4
              x
              -> open
        ");
    }

    #[test]
    fn with_rows_every_requirement_says_what_covers_it() {
        let text = with_example(|coverage| human(coverage, true, false));
        assert!(
            text.contains("-> rfc0/y:8,10, rfc0/z, every judge\n"),
            "{text}"
        );
        assert!(
            text.contains("Requirements that bind clients:\n  e  MUST"),
            "{text}"
        );
    }

    #[test]
    fn markdown_has_a_row_for_every_requirement() {
        let text = with_example(markdown);
        let untestable = "| b | RFC 0 §2 | MUST | x | untestable: nobody sees the disk |\n";
        assert!(text.contains(untestable), "{text}");
        assert!(
            text.contains("| RFC 0 | MUST | 3 | 1 | 1 | 1 | 0 | 100.0 % | 66.6 % |\n"),
            "{text}"
        );
        assert_eq!(cell("a|b"), "a\\|b");
    }

    #[test]
    fn programs_see_the_same() {
        let text = with_example(json);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&value["schema"], &value["version"]),
            (&"ftpspec-coverage".into(), &1.into())
        );
        assert_eq!(value["totals"][0]["percent_of_all"], 66.6);
        assert_eq!(value["requirements"][2]["standing"], "judge");
        assert_eq!(value["client_requirements"][0]["id"], "e");
    }

    #[test]
    fn percentages_are_rounded_down() {
        assert_eq!(percent(9499, 10_000), "94.9 %");
        assert_eq!(percent(0, 0), "-");
    }
}
