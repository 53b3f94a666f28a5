//! `report.html`: one file for people. No scripts, nothing from elsewhere; it reads well on a
//! phone, in the dark and on paper.
//!
//! The page is HTML and well-formed XML at the same time: a strict parser holds the tests against
//! all of it. Texts are escaped by the type of what is written (maud), were sanitized before, and
//! are truncated to a readable length.

mod anchor;
mod findings;
mod format;
mod headline;
mod known;
mod run;
mod scenarios;
mod summary;
mod tables;
#[cfg(test)]
mod tests;
mod untested;

use super::Report;
use super::Sanitized;
use anchor::Anchors;
use maud::{Markup, PreEscaped, html as markup};

const STYLE: &str = include_str!("style.css");

/// Up to the title. The policy lets nothing be loaded and nothing be run, should a text ever escape
/// its place.
const HEAD: &str = concat!(
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n",
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; ",
    "base-uri 'none'; form-action 'none'\"/>\n",
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n",
    "<meta name=\"color-scheme\" content=\"light dark\"/>\n",
    "<meta name=\"referrer\" content=\"no-referrer\"/>\n",
);

/// The report as one HTML file. With `strict` a WARN is a failure, too.
#[must_use]
pub fn html(report: &Sanitized, strict: bool) -> String {
    let report = report.report();
    let page = Page {
        report,
        strict,
        anchors: Anchors::default(),
    };
    let sections: Vec<Section> = [
        page.findings(),
        page.known(),
        page.summary(),
        page.documents(),
        page.commands(),
        page.features(),
        page.scenarios(),
        page.untested(),
        page.run(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let body = markup! {
        a.skip href="#top" { "Skip the navigation" }
        nav aria-label="Sections" {
            ul {
                li { a href="#top" { "Top" } }
                @for section in &sections { li { a href=(anchor::to(section.id)) { (section.short) } } }
            }
        }
        main id="top" {
            (page.headline())
            @for section in &sections {
                section aria-labelledby=(section.id) {
                    h2 id=(section.id) { (section.title) }
                    (section.body)
                }
            }
        }
        footer { p { "Written by ftpspec " (format::cut(&report.ftpspec)) "." } }
    };
    let title = markup! { title { "FTP conformance of " (format::cut(&report.target.url)) } };
    let style = PreEscaped(STYLE);
    let rest = markup! { (title) "\n" style { "\n" (style) } "\n" };
    format!(
        "{HEAD}{}</head>\n<body>\n{}\n</body>\n</html>\n",
        rest.into_string(),
        body.into_string()
    )
}

/// Data that every part of the page needs.
struct Page<'a> {
    report: &'a Report,
    strict: bool,
    anchors: Anchors,
}

/// A part of the page with a heading of its own.
struct Section {
    id: &'static str,
    /// In the navigation.
    short: &'static str,
    title: &'static str,
    body: Markup,
}

impl Section {
    fn of(id: &'static str, short: &'static str, title: &'static str, body: Markup) -> Self {
        Self {
            id,
            short,
            title,
            body,
        }
    }
}
