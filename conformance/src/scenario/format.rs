//! The canonical layout.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::display::Written;
use super::parse::{KEYS, file_parts};
use super::{ScenarioId, parse};

/// The widest a list of the front matter gets on one line.
const WIDTH: usize = 120;

/// The text in canonical layout: same meaning, comments kept. Text that is no scenario is left as
/// it is.
///
/// Front matter has its keys in the order of `scenarios/README.md` and its equals signs below each
/// other; every statement is written as `Step` shows itself; one blank line parts
/// paragraphs.
#[must_use]
pub fn format(text: &str) -> String {
    let Ok(scenario) = parse(ScenarioId(String::new()), text) else {
        return text.to_owned();
    };
    let steps = scenario.steps.iter().map(|step| Written(step).to_string());
    layout(text, KEYS, &steps.collect::<Vec<_>>()).unwrap_or_else(|| text.to_owned())
}

/// A file with its statements as they are given, in canonical layout; `keys` are those of the front
/// matter, in their order. `None` if it has no front matter.
pub(crate) fn layout(text: &str, keys: &[&str], statements: &[String]) -> Option<String> {
    let (front, lines) = file_parts(text)?;
    let mut out = String::with_capacity(text.len());
    out.push_str("+++\n");
    out.push_str(&front_matter(&text[front], keys));
    out.push_str("+++\n");

    // Each statement line of the file is one line of the canonical text of its step, in the same
    // order.
    let mut statements = statements
        .iter()
        .flat_map(|statement| statement.split('\n'));
    let mut paragraphs = Paragraphs::default();
    for line in lines {
        if line.is_blank() {
            paragraphs.blank();
        } else if line.is_comment() {
            paragraphs.line(&mut out, line.text.trim());
        } else {
            paragraphs.line(&mut out, statements.next().unwrap_or(line.text));
        }
    }
    Some(out)
}

/// Lines with one blank line where there were some, none at the beginning and none at the end.
#[derive(Default)]
struct Paragraphs {
    begun: bool,
    parted: bool,
}

impl Paragraphs {
    fn blank(&mut self) {
        self.parted = self.begun;
    }

    fn line(&mut self, out: &mut String, line: &str) {
        if std::mem::take(&mut self.parted) {
            out.push('\n');
        }
        self.begun = true;
        out.push_str(line);
        out.push('\n');
    }
}

/// One key of the front matter with the comments that belong to it.
struct FrontMatterKey<'a> {
    /// Its place in the canonical order.
    place: usize,
    key: String,
    value: String,
    /// Comment lines above it.
    above: Vec<&'a str>,
    /// The comment after it.
    behind: &'a str,
}

fn front_matter(text: &str, keys: &[&str]) -> String {
    let Ok(table) = DeTable::parse(text) else {
        return text.to_owned();
    };
    let mut places: Vec<(Range<usize>, Range<usize>, String, &DeValue<'_>)> = table
        .get_ref()
        .iter()
        .map(|(key, value)| {
            (
                key.span(),
                value.span(),
                key.get_ref().to_string(),
                value.get_ref(),
            )
        })
        .collect();
    places.sort_by_key(|(key, ..)| key.start);

    let mut entries = Vec::new();
    let mut done = 0;
    for (key_span, value_span, key, value) in places {
        let above = comments(&text[done..key_span.start]);
        let line_end = text[value_span.end..]
            .find('\n')
            .map_or(text.len(), |at| value_span.end + at);
        let behind = text[value_span.end..line_end].trim();
        done = line_end;
        let place = keys
            .iter()
            .position(|known| *known == key)
            .unwrap_or(keys.len());
        let value = written(value, &text[value_span], key.len());
        entries.push(FrontMatterKey {
            place,
            key,
            value,
            above,
            behind,
        });
    }
    entries.sort_by_key(|entry| entry.place);

    let width = entries
        .iter()
        .map(|entry| entry.key.len())
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text.trim_end());
        out.push('\n');
    };
    for FrontMatterKey {
        key,
        value,
        above,
        behind,
        ..
    } in &entries
    {
        above.iter().for_each(|comment| line(comment));
        line(&format!("{key:width$} = {value} {behind}"));
    }
    comments(&text[done..])
        .iter()
        .for_each(|comment| line(comment));
    out
}

fn comments(text: &str) -> Vec<&str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect()
}

/// A value in canonical spelling; with a comment inside, unchanged.
fn written(value: &DeValue<'_>, raw: &str, key: usize) -> String {
    let text = |value: &DeValue<'_>| value.as_str().map(toml_text);
    match value {
        DeValue::Array(elements) if !raw.contains('#') => {
            let elements: Option<Vec<String>> = elements
                .iter()
                .map(|element| text(element.get_ref()))
                .collect();
            let Some(elements) = elements else {
                return raw.to_owned();
            };
            let one_line = format!("[{}]", elements.join(", "));
            if key + 3 + one_line.chars().count() <= WIDTH {
                return one_line;
            }
            let lines: String = elements
                .iter()
                .map(|element| format!("  {element},\n"))
                .collect();
            format!("[\n{lines}]")
        }
        value => text(value).unwrap_or_else(|| raw.to_owned()),
    }
}

/// A basic string of TOML.
fn toml_text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]
    use super::*;
    use proptest::prelude::*;

    const UNTIDY: &str = r#"+++
# why
covers=["b",
   "a"]   # both
level = 'must'

title="A 'quoted' claim"
cites = [
  "RFC 959 §5.4", # the table
]
login   =   false
# the end
+++

# first

 
>  SITE x 
<200|2yz   ok*
  !should 200
# in between
< 211-
# inside

<  a
<  211
< 211   End


@given   x   "a"+"b"[..1]
B@open

"#;

    #[test]
    fn a_file_gets_its_canonical_layout() {
        insta::assert_snapshot!(format(UNTIDY), @r##"
        +++
        title  = "A 'quoted' claim"
        cites  = [
          "RFC 959 §5.4", # the table
        ]
        # why
        covers = ["b", "a"] # both
        level  = "must"
        login  = false
        # the end
        +++
        # first

        >  SITE x 
        < 200 | 2yz ok*
        !should 200
        # in between
        < 211-*
        # inside

        <  a
        <  211
        < 211 End

        @given x "a" + "b"[..1]
        B@open
        "##);
    }

    #[test]
    fn a_long_list_gets_lines() {
        let ids: Vec<String> = (0..20)
            .map(|number| format!("\"requirement-{number}\""))
            .collect();
        let text = format!(
            "+++\ntitle = \"a\"\ncites = [\"x\"]\ncovers = [{}]\nlevel = \"may\"\n+++\n@alive\n",
            ids.join(",")
        );
        let formatted = format(&text);
        assert!(formatted.contains("covers = [\n  \"requirement-0\",\n  \"requirement-1\",\n"));
        assert!(formatted.contains("  \"requirement-19\",\n]\nlevel  = \"may\"\n"));
        assert_eq!(format(&formatted), formatted);
    }

    #[test]
    fn what_is_no_scenario_is_left_alone() {
        assert_eq!(format("nonsense\n\n\n"), "nonsense\n\n\n");
    }

    #[test]
    fn the_whole_suite_keeps_its_meaning() {
        let suite = crate::suite::Suite::embedded();
        assert!(!suite.scenarios.is_empty());
        for scenario in &suite.scenarios {
            keeps_meaning(&scenario.text);
        }
    }

    /// Formatting changes nothing a player or a report sees, and is done after once.
    fn keeps_meaning(text: &str) {
        let formatted = format(text);
        let meaning = |text: &str| {
            let scenario = parse(ScenarioId("x".into()), text).unwrap();
            let mut json = serde_json::to_value(&scenario).unwrap();
            forget_lines(&mut json);
            json
        };
        assert_eq!(meaning(&formatted), meaning(text), "{text}");
        assert_eq!(format(&formatted), formatted, "{text}");
        let comments = |text: &str| text.matches('#').count();
        assert_eq!(comments(&formatted), comments(text), "{text}");
    }

    fn forget_lines(json: &mut serde_json::Value) {
        match json {
            serde_json::Value::Object(object) => {
                object.remove("line");
                object.values_mut().for_each(forget_lines);
            }
            serde_json::Value::Array(array) => array.iter_mut().for_each(forget_lines),
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn formatting_keeps_the_meaning_of_any_scenario(
            title in "[a-zA-Z ü\"'\\\\]{1,20}",
            blanks in prop::collection::vec("( |\n|# [a-z]*\n){0,3}", 12),
            text in r"[ -~]{0,12}",
            octets in prop::collection::vec(any::<u8>(), 0..12),
            name in "[a-z \"\\\\ü/]{1,9}",
        ) {
            prop_assume!(!title.trim().is_empty());
            let content = crate::scenario::Content::literal(&octets);
            let name = crate::scenario::quoted(name.as_bytes());
            let pattern = crate::scenario::TextPattern::literal(text.trim_end());
            let send = text.replace("${", "$ {");
            let statements = [
                format!("> {send}"),
                format!("<  2yz|150 {pattern}"),
                "!ends 500".to_owned(),
                "< 211-x".to_owned(),
                format!("< {pattern}"),
                "< 211 y".to_owned(),
                format!("@raw {content}+pattern(9)[1..]"),
                format!("@put {name} {content}"),
                format!("@names {name} {name}"),
                "B@open".to_owned(),
                format!("B< 200 {pattern}"),
                "B!should 201".to_owned(),
            ];
            let mut file = format!(
                "+++\nlevel = \"may\"\ntitle = {}\ncovers = [ \"x\" ]\ncites=['RFC 1 §1']\n+++\n",
                toml_text(&title)
            );
            for (blank, statement) in blanks.iter().zip(statements) {
                let blank = if blank.ends_with('\n') { blank.as_str() } else { "\n" };
                file.push_str(&format!("{blank}{statement}\n"));
            }
            // The pattern may end the block or contain a `#`; only what parses has a meaning.
            if parse(ScenarioId("x".into()), &file).is_ok() {
                keeps_meaning(&file);
            }
        }
    }
}
