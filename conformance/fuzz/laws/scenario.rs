//! Scenarios: any text is one or shows where it is not, and its canonical layout says the same and
//! is its own.

use ftpspec::internals::scenario::{
    Diagnostic, Knowledge, Scenario, ScenarioId, format, lint, parse, render,
};

/// The octets are a scenario file.
pub fn scenario(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let formatted = format(text);
    let scenario = match read(text) {
        Ok(scenario) => scenario,
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty());
            shown(text, &diagnostics);
            assert_eq!(formatted, text, "what is no scenario is left alone");
            return;
        }
    };
    shown(text, &lint(&scenario, &Knowledge::default()));
    let again = match read(&formatted) {
        Ok(again) => again,
        Err(wrong) => panic!("the layout is no scenario:\n{formatted}\n{wrong:?}"),
    };
    assert_eq!(meaning(&again), meaning(&scenario), "{formatted}");
    assert_eq!(format(&formatted), formatted);
}

fn read(text: &str) -> Result<Scenario, Vec<Diagnostic>> {
    parse(ScenarioId("fuzz".into()), text)
}

/// Every diagnostic has a place in the text and can be shown there.
fn shown(text: &str, diagnostics: &[Diagnostic]) {
    assert!(diagnostics.len() <= 101, "{}", diagnostics.len());
    for diagnostic in diagnostics {
        assert!(
            text.get(diagnostic.span.clone()).is_some(),
            "{diagnostic:?}"
        );
        assert!(!diagnostic.message.is_empty());
        assert!(diagnostic.line >= 1 && diagnostic.line as usize <= text.lines().count() + 1);
    }
    if !diagnostics.is_empty() {
        assert!(!render("fuzz.ftpt", text, diagnostics, false).is_empty());
    }
}

/// All that a player or a report sees.
fn meaning(scenario: &Scenario) -> serde_json::Value {
    let mut json = serde_json::to_value(scenario).expect("scenarios become JSON");
    forget_lines(&mut json);
    json
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
