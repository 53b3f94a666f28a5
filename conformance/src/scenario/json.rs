//! The canonical JSON of a scenario, for other programs: one way only.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{Codes, Expect};

/// A time in milliseconds.
pub(super) fn milliseconds<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    // The grammar allows 30 minutes.
    to.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// A `!should` with its line.
pub(super) fn should<S: Serializer>(
    should: &Option<Box<(u32, Expect)>>,
    to: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Should<'a> {
        line: u32,
        #[serde(flatten)]
        expect: &'a Expect,
    }
    should
        .as_deref()
        .map(|(line, expect)| Should {
            line: *line,
            expect,
        })
        .serialize(to)
}

/// An `!after` with its line.
pub(super) fn after<S: Serializer>(after: &Option<(u32, Codes)>, to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct After<'a> {
        line: u32,
        codes: &'a Codes,
    }
    after
        .as_ref()
        .map(|(line, codes)| After { line: *line, codes })
        .serialize(to)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]
    use crate::scenario::{ScenarioId, parse};

    #[test]
    fn a_scenario_has_one_json_form() {
        let text = r#"+++
title = "A claim"
impact = "Files get lost."
cites = ["RFC 959 §5.4"]
covers = ["a"]
level = "must"
axes = ["tls"]
+++
> NOOP
< 200 | 2yz ok*
!should 200
!after 120
!ends 5yz
B< 211-*
B< ...
B< 211 End
@silent 2s
@tls 1.3
@receive has "a*"
@send "\xff" + pattern(9)[1..]
@fails delete x
"#;
        let json = serde_json::to_string_pretty(&parse(ScenarioId("x/y".into()), text).unwrap());
        insta::assert_snapshot!(json.unwrap(), @r##"
        {
          "id": "x/y",
          "about": {
            "title": "A claim",
            "impact": "Files get lost.",
            "cites": [
              "RFC 959 §5.4"
            ],
            "covers": [
              "a"
            ],
            "level": "must",
            "needs": [],
            "axes": {
              "data": false,
              "tls": true
            },
            "login": true,
            "barrier": true,
            "drivers": [
              "raw"
            ]
          },
          "steps": [
            {
              "line": 9,
              "connection": "main",
              "action": "send",
              "argument": "NOOP"
            },
            {
              "line": 10,
              "connection": "main",
              "action": "expect",
              "argument": {
                "codes": "200 | 2yz",
                "text": {
                  "text": "ok*"
                },
                "should": {
                  "line": 11,
                  "codes": "200"
                },
                "after": {
                  "line": 12,
                  "codes": "120"
                },
                "ends": {
                  "line": 13,
                  "codes": "5yz"
                }
              }
            },
            {
              "line": 14,
              "connection": "B",
              "action": "expect",
              "argument": {
                "codes": "211",
                "text": {
                  "block": {
                    "first": "*",
                    "between": [
                      null
                    ],
                    "last": "End"
                  }
                }
              }
            },
            {
              "line": 17,
              "connection": "main",
              "action": "silent",
              "argument": 2000
            },
            {
              "line": 18,
              "connection": "main",
              "action": "tls",
              "argument": "1.3"
            },
            {
              "line": 19,
              "connection": "main",
              "action": "receive",
              "argument": {
                "has": [
                  "a*"
                ]
              }
            },
            {
              "line": 20,
              "connection": "main",
              "action": "send_data",
              "argument": "\"\\xff\" + pattern(9)[1..]"
            },
            {
              "line": 21,
              "connection": "main",
              "action": "user",
              "argument": {
                "step": {
                  "delete": "x"
                },
                "fails": true
              }
            }
          ]
        }
        "##);
    }
}
