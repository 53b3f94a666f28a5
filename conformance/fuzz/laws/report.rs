//! The reader of report.json: a report or an error; what is read is written the same, and every
//! form can be made of it.

use ftpspec::internals::report::{
    Look, Report, Sanitized, html, json, junit, markdown, merge, read, terminal,
};

/// The octets are the file.
pub fn report(file: &[u8]) {
    let Ok(text) = std::str::from_utf8(file) else {
        return;
    };
    let report = match read(text) {
        Ok(report) => report,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let written = json(&report);
    let again = read(&written).expect("what was written can be read");
    assert_eq!(json(&again), written);
    forms(&report);
    if let Ok(merged) = merge(vec![report, again]) {
        forms(&merged);
    }
}

/// Nothing in a form acts on the terminal of a person who reads it.
fn forms(report: &Report) {
    let report = &Sanitized::of(report);
    for strict in [false, true] {
        let look = Look {
            colour: false,
            strict,
        };
        let forms = [
            terminal(report, look),
            html(report, strict),
            junit(report, strict),
            markdown(report, strict),
        ];
        for form in forms {
            let acts = |it: char| it.is_control() && !matches!(it, '\n' | '\t');
            assert!(!form.contains(acts), "{form:?}");
        }
    }
}
