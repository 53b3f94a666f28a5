//! Values as text: in the journal, in logs and in replies.

use serde::{Serialize, Serializer};
use std::fmt::Write as _;
use std::time::SystemTime;

/// Octets as hexadecimal digits.
pub(crate) fn hexadecimal(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() * 2);
    for octet in octets {
        let _ = write!(text, "{octet:02x}");
    }
    text
}

/// Octets as text that is printable ASCII.
pub(crate) fn escaped(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for octet in octets {
        match octet {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(*octet)),
            _ => {
                let _ = write!(text, "\\x{octet:02x}");
            }
        }
    }
    text
}

/// Octets as [escaped] text.
pub(crate) fn as_text<S: Serializer>(octets: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&escaped(octets))
}

pub(crate) fn optional_octets<S: Serializer>(
    octets: &Option<Vec<u8>>,
    to: S,
) -> Result<S::Ok, S::Error> {
    octets.as_deref().map(escaped).serialize(to)
}

pub(crate) fn rfc3339<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&in_rfc3339(*time))
}

pub(crate) fn optional_rfc3339<S: Serializer>(
    time: &Option<SystemTime>,
    to: S,
) -> Result<S::Ok, S::Error> {
    time.map(in_rfc3339).serialize(to)
}

fn in_rfc3339(time: SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).unwrap_or_default();
    format!("{time:.6}")
}

pub(crate) fn optional_octal<S: Serializer>(bits: &Option<u32>, to: S) -> Result<S::Ok, S::Error> {
    bits.map(|bits| format!("{bits:04o}")).serialize(to)
}
