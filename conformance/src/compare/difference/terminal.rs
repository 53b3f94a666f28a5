//! The differences as a person reads them: by document, what matters most right above the counts at
//! the end.

use super::{Difference, Features, Only, Replies};
use crate::compare::snapshot::unified;
use crate::scenario::Variant;
use crate::styled_text::StyledText;
use crate::text::{counted, cut, joined};
use anstyle::Style;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};

/// Pairs of replies shown per verb.
const SORTS: usize = 4;
/// Lines shown of one reply or other difference.
const LINES: usize = 12;

/// The differences as text; a single sentence if there are none.
pub(crate) fn terminal(difference: &Difference, colour: bool) -> String {
    let mut writer = Writer(StyledText::new(colour));
    writer.line(format!("A  {}", difference.a));
    writer.line(format!("B  {}", difference.b));
    writer.line("");
    if let Some(replies) = &difference.replies {
        writer.words(replies);
        writer.around(replies);
        writer.ways(replies);
        writer.codes(replies);
    }
    if let Some(features) = &difference.features {
        writer.features(features);
    }
    writer.only("Only A", &difference.only_a);
    writer.only("Only B", &difference.only_b);
    writer.verdicts(difference);
    writer.summary(difference);
    writer.0.text
}

struct Writer(StyledText);

impl Deref for Writer {
    type Target = StyledText;

    fn deref(&self) -> &StyledText {
        &self.0
    }
}

impl DerefMut for Writer {
    fn deref_mut(&mut self) -> &mut StyledText {
        &mut self.0
    }
}

/// The document of a scenario and its name there.
fn place(scenario: &str) -> (&str, &str) {
    scenario.rsplit_once('/').unwrap_or(("", scenario))
}

impl Writer {
    /// Lines below their document, which is shown once.
    fn by_document<'a>(&mut self, lines: impl IntoIterator<Item = (&'a str, String)>) {
        let mut shown = BTreeMap::<&str, Vec<String>>::new();
        for (document, line) in lines {
            shown.entry(document).or_default().push(line);
        }
        for (document, lines) in shown {
            self.line(format!("  {document}"));
            for line in lines {
                self.line(format!("    {line}"));
            }
        }
    }

    fn verdicts(&mut self, difference: &Difference) {
        if difference.verdicts.is_empty() && difference.judges.is_empty() {
            return;
        }
        self.heading("Other verdicts, A → B");
        // Variants that changed alike share a line.
        let mut alike = BTreeMap::<_, Vec<Variant>>::new();
        for other in &difference.verdicts {
            let (document, name) = place(&other.case.scenario);
            let sort = (document, other.a, other.b, name);
            alike.entry(sort).or_default().push(other.case.variant);
        }
        let lines: Vec<_> = alike
            .into_iter()
            .map(|((document, a, b, name), variants)| {
                let (a, b) = (self.outcome(a), self.outcome(b));
                (
                    document,
                    format!("{a} → {b}  {name} [{}]", joined(&variants)),
                )
            })
            .collect();
        self.by_document(lines);
        let judges: Vec<_> = difference
            .judges
            .iter()
            .map(|other| {
                let (a, b) = (self.outcome(other.a), self.outcome(other.b));
                ("every transcript", format!("{a} → {b}  {}", other.judge))
            })
            .collect();
        self.by_document(judges);
        self.line("");
    }

    fn only(&mut self, heading: &str, only: &[Only]) {
        if only.is_empty() {
            return;
        }
        self.heading(&format!("{heading} played"));
        let mut by_name = BTreeMap::<_, Vec<Variant>>::new();
        for one in only {
            let variants = by_name.entry(place(&one.case.scenario)).or_default();
            variants.push(one.case.variant);
        }
        let lines: Vec<_> = by_name
            .into_iter()
            .map(|((document, name), variants)| {
                (document, format!("{name} [{}]", joined(&variants)))
            })
            .collect();
        self.by_document(lines);
        self.line("");
    }

    fn features(&mut self, features: &Features) {
        if features.is_empty() {
            return;
        }
        self.heading("FEAT");
        for (who, lines) in [("only A", &features.only_a), ("only B", &features.only_b)] {
            for (index, line) in lines.iter().enumerate() {
                let who = if index == 0 { who } else { "" };
                self.line(format!("  {who:<6}  {line}"));
            }
        }
        self.line("");
    }

    fn codes(&mut self, replies: &Replies) {
        if replies.codes.is_empty() {
            return;
        }
        self.heading("Other reply codes, A → B");
        let mut alike = BTreeMap::<_, Vec<Variant>>::new();
        for code in &replies.codes {
            let (document, name) = place(&code.case.scenario);
            let brief = |lines: &[String]| match lines {
                [] => "no reply".to_owned(),
                lines => shortened(&lines.join(" / ")),
            };
            let command = command(&code.command);
            let sort = (document, name, command, brief(&code.a), brief(&code.b));
            alike.entry(sort).or_default().push(code.case.variant);
        }
        let mut lines = Vec::new();
        let mut before = None;
        for ((document, name, command, a, b), variants) in alike {
            if before.replace((document, name)) != Some((document, name)) {
                lines.push((document, name.to_owned()));
            }
            lines.push((document, format!("  {command} [{}]", joined(&variants))));
            lines.push((document, format!("    A  {a}")));
            lines.push((document, format!("    B  {b}")));
        }
        self.by_document(lines);
        self.line("");
    }

    fn words(&mut self, replies: &Replies) {
        if replies.words.is_empty() {
            return;
        }
        self.heading("The same codes in other words");
        let mut by_verb = BTreeMap::<&str, Vec<_>>::new();
        for words in &replies.words {
            by_verb.entry(&words.verb).or_default().push(words);
        }
        for (verb, sorts) in by_verb {
            self.line(format!("  {}", command(verb)));
            for words in sorts.iter().take(SORTS) {
                if words.a.len() == 1 && words.b.len() == 1 {
                    self.line(format!("    A  {}", shortened(&words.a[0])));
                    self.line(format!("    B  {}", shortened(&words.b[0])));
                } else {
                    self.unified(&words.a, &words.b, 4);
                }
                let times = match words.count {
                    1 => "in".to_owned(),
                    count => format!("{count} times, first in"),
                };
                let seen = format!("{times} {}", words.case);
                let seen = self.painted(&seen, Style::new().dimmed());
                self.line(format!("       {seen}"));
            }
            self.more(sorts.len(), SORTS, 4);
        }
        self.line("");
    }

    fn around(&mut self, replies: &Replies) {
        if replies.around.is_empty() {
            return;
        }
        self.heading("Other data, or another end of a connection");
        let mut alike = BTreeMap::<_, Vec<Variant>>::new();
        for around in &replies.around {
            let sort = (&around.case.scenario, &around.command, &around.a, &around.b);
            alike.entry(sort).or_default().push(around.case.variant);
        }
        for ((scenario, said, a, b), variants) in alike {
            let variants = joined(&variants);
            self.line(format!("  {scenario} [{variants}], {}", command(said)));
            self.unified(a, b, 4);
        }
        self.line("");
    }

    fn ways(&mut self, replies: &Replies) {
        // A different code already explains different commands.
        let known: BTreeSet<_> = replies.codes.iter().map(|code| &code.case).collect();
        let ways = replies.ways.iter();
        let news: Vec<_> = ways.filter(|way| !known.contains(&way.case)).collect();
        if news.is_empty() {
            return;
        }
        self.heading("Dialogues that went another way");
        for way in news {
            self.line(format!("  {}", way.case));
            self.unified(&way.only_a, &way.only_b, 4);
        }
        self.line("");
    }

    fn unified(&mut self, a: &[String], b: &[String], indent: usize) {
        let text = unified(&a.join("\n"), &b.join("\n"), self.colour);
        let lines: Vec<_> = text.lines().collect();
        for line in lines.iter().take(LINES) {
            self.line(format!("{:indent$}{line}", ""));
        }
        self.more(lines.len(), LINES, indent);
    }

    fn more(&mut self, found: usize, shown: usize, indent: usize) {
        if found > shown {
            let more = found - shown;
            self.line(format!(
                "{:indent$}… and {more} more; --format json shows all",
                ""
            ));
        }
    }

    fn summary(&mut self, difference: &Difference) {
        let mut parts = vec![format!(
            "{} compared: {}",
            difference.compared,
            how_many(difference.verdicts.len(), "other verdict")
        )];
        if !difference.judges.is_empty() {
            parts.push(how_many(difference.judges.len(), "other judge"));
        }
        for (only, who) in [(&difference.only_a, "A"), (&difference.only_b, "B")] {
            if !only.is_empty() {
                parts.push(format!("{} only {who} played", only.len()));
            }
        }
        match &difference.features {
            Some(features) => parts.push(how_many(
                features.only_a.len() + features.only_b.len(),
                "feature line",
            )),
            None => parts.push("FEAT not known of both".into()),
        }
        self.line(parts.join(", "));
        match &difference.replies {
            None => self.line("  replies are not compared: a report holds none"),
            Some(replies) => self.line(format!(
                "  dialogues: {} alike, {} not: {} with other codes, {} of other words",
                replies.same,
                replies.other,
                how_many(replies.codes.len(), "command"),
                how_many(replies.words.len(), "sort"),
            )),
        }
        if difference.compared == 0 {
            self.line("There is no scenario in a variant that both have: nothing is compared");
        } else if difference.is_empty() {
            self.line("A and B are alike");
        }
    }
}

fn command(command: &str) -> &str {
    if command.is_empty() {
        "greeting"
    } else {
        command
    }
}

fn how_many(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        _ => counted(count, what),
    }
}

fn shortened(line: &str) -> String {
    /// Characters a person reads at once.
    const WIDTH: usize = 160;
    cut(line, WIDTH).into_owned()
}
