//! The facts of the run.

use super::findings::repeat;
use super::format::{cut, duration, moment};
use super::{Page, Section};
use crate::report::Report;
use crate::report::tables::slowest;
use maud::html as markup;

impl Page<'_> {
    pub(super) fn run(&self) -> Option<Section> {
        let report = self.report;
        let parts: Vec<String> = report.parts.iter().map(ToString::to_string).collect();
        let body = markup! {
            dl.facts {
                div { dt { "Target" } dd { code { (cut(&report.target.url)) } } }
                @if !report.target.greeting.is_empty() {
                    div { dt { "Greeting" } dd { code { (cut(&report.target.greeting)) } } }
                }
                @if let Some(moment) = moment(report.started) { div { dt { "Began" } dd { (moment) } } }
                div { dt { "Took" } dd { (duration(report.duration_ms)) } }
                div { dt { "Played by" } dd { "ftpspec " (cut(&report.ftpspec)) } }
                @if !parts.is_empty() { div { dt { "Parts" } dd { (cut(&parts.join(", "))) } } }
                div { dt { "A broken SHOULD" } dd { (if self.strict { "fails the run (--strict)" } else { "is a warning" }) } }
            }
            @let slowest = slowest(report);
            @if !slowest.is_empty() {
                table.slowest {
                    caption { "What took longest" }
                    thead { tr { th scope="col" { "Scenario" } th scope="col" { "Variant" } th scope="col" { "Took" } } }
                    tbody {
                        @for row in slowest {
                            tr {
                                th scope="row" { (self.scenario_link(&row.verdict.scenario)) }
                                td { span.variant { (row.verdict.variant) } }
                                td.took { (duration(row.duration_ms)) }
                            }
                        }
                    }
                }
            }
            @if let Some(command) = whole(report) { (repeat(&command)) }
        };
        Some(Section::of("run", "Run", "The run", body))
    }
}

/// The command that plays everything again: that of one scenario, without its choice.
fn whole(report: &Report) -> Option<String> {
    let row = report.scenarios.first()?;
    let choice = format!(" --select {} --variant ", row.verdict.scenario);
    let (command, _) = row.reproduce.split_once(&choice)?;
    Some(command.to_owned())
}
