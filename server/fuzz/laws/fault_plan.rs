//! Fault plans: any text is a plan or an error with its place, and a plan that is written is read
//! as the same.

use ftpspec_server::fault::{Fault, ParseError, Plan};

/// The octets are a plan, as lines and as TOML.
pub fn fault_plan(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match Plan::of_lines(text) {
        Ok(plan) => plan.faults.iter().for_each(written),
        Err(error) => shown(&error),
    }
    match Plan::from_toml(text) {
        Ok(plan) => plan.faults.iter().for_each(written),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn written(fault: &Fault) {
    let text = fault.to_string();
    assert_eq!(text.parse().as_ref(), Ok(fault), "{text}");
}

/// The marked text is a part of the line.
fn shown(error: &ParseError) {
    assert!(error.line.get(error.at.clone()).is_some(), "{error:?}");
    assert!(!error.message.is_empty() && !error.to_string().is_empty());
}
