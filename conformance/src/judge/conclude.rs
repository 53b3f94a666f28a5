//! Draws the verdict from the findings, an early stop and what the server lacks.

use crate::catalogue::Registry;
use crate::judge::{Assessment, Ending};
use crate::scenario::{Connection, Need, Scenario, Variant};
use crate::transcript::Features;
use crate::transcript::{Conversation, Exchange};
use crate::verdict::{Finding, Outcome, Stop, Verdict};

/// Everything a verdict rests on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evidence<'a> {
    /// What was played.
    pub scenario: &'a Scenario,
    /// In which variant.
    pub variant: Variant,
    /// Why playing ended early, if it did.
    pub stop: Option<&'a Stop>,
    /// Commands and replies of the transcript.
    pub conversations: &'a [Conversation],
    /// What the server advertises, learned from this and other transcripts.
    pub features: &'a Features,
    /// The registry of commands.
    pub registry: &'a Registry,
}

/// The verdict on one scenario in one variant.
///
/// Findings do not count when the server lacks what the scenario needs: the verdict is UNSUPPORTED
/// then, or MISADVERTISED if FEAT lists it.
pub(crate) fn conclude(evidence: &Evidence<'_>, judgement: Assessment) -> Verdict {
    let verdict = |outcome, reason: String, findings| Verdict {
        scenario: evidence.scenario.id.clone().into(),
        variant: evidence.variant,
        outcome,
        reason,
        lacks: None,
        findings,
        unjudged: Vec::new(),
    };
    let lacking = |missing: Missing, findings| Verdict {
        lacks: Some(missing.need),
        ..verdict(missing.outcome, missing.reason, findings)
    };
    match evidence.stop {
        Some(Stop::Internal(reason) | Stop::TargetGone(reason)) => {
            return verdict(Outcome::Error, reason.clone(), Vec::new());
        }
        Some(Stop::Busy(reason)) => {
            return verdict(Outcome::Blocked, reason.clone(), Vec::new());
        }
        Some(Stop::Prerequisite(reason)) => {
            return match evidence.missing(usize::MAX) {
                Some(missing) => lacking(missing, Vec::new()),
                None => verdict(Outcome::Blocked, reason.clone(), Vec::new()),
            };
        }
        // The judge of that rule reports it once.
        Some(Stop::LimitExceeded { excess, .. }) if judgement.findings.is_empty() => {
            return verdict(Outcome::Blocked, excess.to_string(), Vec::new());
        }
        _ => {}
    }
    if let Some(missing) = evidence
        .not_in_feat()
        .or_else(|| evidence.accepts_anything())
    {
        return lacking(missing, Vec::new());
    }
    let Some(last) = judgement.findings.iter().map(|finding| finding.event).max() else {
        return if judgement.ended == Some(Ending::Reply) {
            let reason = "the server answered within the RFC, and nothing was left to test";
            verdict(Outcome::Inconclusive, reason.into(), Vec::new())
        } else if judgement.ended == Some(Ending::Closed) {
            verdict(Outcome::Pass, String::new(), Vec::new())
        } else if evidence.stop.is_some() {
            // The player could not go on, and no step shows why: what happened before the first
            // one.
            let reason = "it ended before the first step".to_owned();
            verdict(Outcome::Blocked, reason, Vec::new())
        } else {
            verdict(Outcome::Pass, String::new(), Vec::new())
        };
    };
    if let Some(missing) = evidence.missing(last) {
        let findings = match missing.outcome {
            Outcome::Misadvertised => judgement.findings,
            _ => Vec::new(),
        };
        return lacking(missing, findings);
    }
    let outcome = worst(&judgement.findings);
    Verdict {
        unjudged: evidence.unjudged(&judgement.findings),
        ..verdict(outcome, String::new(), judgement.findings)
    }
}

/// What a scenario needs of a server: its own needs, and those of the variant it is played in.
pub(crate) fn needs(scenario: &Scenario, variant: Variant) -> impl Iterator<Item = Need> {
    scenario.about.needs.iter().cloned().chain(variant.needs())
}

/// The outcome of all findings together.
pub(super) fn worst<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Outcome {
    let outcomes = findings
        .into_iter()
        .map(|finding| Outcome::of_broken(finding.level));
    outcomes.max().unwrap_or(Outcome::Pass)
}

/// Something the scenario needs and the server does not have.
struct Missing {
    need: Need,
    outcome: Outcome,
    reason: String,
}

impl Evidence<'_> {
    /// The requirements without a finding that were not judged to the end.
    fn unjudged(&self, findings: &[Finding]) -> Vec<String> {
        let last = self.stop.and_then(Stop::line).filter(|line| *line > 0);
        let (Some(last), false) = (last, findings.iter().any(|it| it.about.is_empty())) else {
            return Vec::new();
        };
        let mut left = self.scenario.unjudged_after(last);
        left.retain(|id| !findings.iter().any(|finding| finding.about.contains(id)));
        left
    }

    /// A need that is not a verb and is not in the FEAT listing.
    fn not_in_feat(&self) -> Option<Missing> {
        let mut needs = self.scenario.about.needs.iter().filter(|need| {
            let command = need.command();
            command.is_some_and(|(verb, _)| self.registry.get(verb).is_none())
        });
        let need = needs.find(|need| self.advertised(need).is_none())?;
        // A server without FEAT advertises nothing.
        let reason = if self.features.asked() {
            format!("FEAT does not list {need}")
        } else if self.features.lacks("FEAT") {
            format!("there is no FEAT that lists {need}")
        } else {
            return None;
        };
        Some(Missing {
            need: need.clone(),
            outcome: Outcome::Unsupported,
            reason,
        })
    }

    /// A need whose verb accepts any parameter, even one that does not exist, so that its acceptance
    /// proves nothing. A need in the FEAT listing is tested all the same.
    fn accepts_anything(&self) -> Option<Missing> {
        needs(self.scenario, self.variant).find_map(|need| {
            let (verb, parameter) = need.command()?;
            let proves_nothing = parameter.is_some()
                && self.features.takes_anything(verb)
                && self.advertised(&need).is_none();
            let reason = format!("{verb} takes even X, which does not exist");
            proves_nothing.then_some(Missing {
                need,
                outcome: Outcome::Unsupported,
                reason,
            })
        })
    }

    /// A need whose verb was refused as unknown, up to that event.
    fn missing(&self, last: usize) -> Option<Missing> {
        needs(self.scenario, self.variant).find_map(|need| {
            let (verb, parameter) = need.command()?;
            let Some((exchange, code)) = self.refused(verb, parameter, last) else {
                let lacks = match (verb, parameter) {
                    ("AUTH", _) => self.features.lacks_security(),
                    (_, None) => self.features.lacks(verb),
                    (_, Some(_)) => false,
                };
                // Another dialogue may show it: other drivers record no commands, and a command
                // without a reply is no evidence.
                return lacks.then(|| self.lacking(&need, format!("{verb} is not implemented")));
            };
            let sent = exchange
                .command
                .as_ref()
                .map_or_else(String::new, |command| {
                    let argument = command.argument.as_deref().unwrap_or_default();
                    format!("{} {}", command.verb, String::from_utf8_lossy(argument))
                        .trim()
                        .to_owned()
                });
            Some(self.lacking(&need, format!("`{sent}` was answered {code}")))
        })
    }

    /// The feature line that advertises a need.
    fn advertised(&self, need: &Need) -> Option<&str> {
        self.features.advertised(need.label())
    }

    /// A need the server does not have, although FEAT may list it.
    fn lacking(&self, need: &Need, reason: String) -> Missing {
        let (outcome, reason) = match self.advertised(need) {
            Some(line) => {
                let reason = format!("FEAT lists `{line}`, and {reason}");
                (Outcome::Misadvertised, reason)
            }
            None => (Outcome::Unsupported, reason),
        };
        Missing {
            need: need.clone(),
            outcome,
            reason,
        }
    }

    fn refused(
        &self,
        verb: &str,
        parameter: Option<&str>,
        last: usize,
    ) -> Option<(&Exchange, u16)> {
        let verb_alone = parameter.is_none();
        if verb_alone && self.features.understood(verb) {
            return None;
        }
        let of_scenario = |conversation: &&Conversation| {
            verb == "AUTH" || conversation.connection != Connection::runner()
        };
        let exchanges = self
            .conversations
            .iter()
            .filter(of_scenario)
            .flat_map(|c| &c.exchanges);
        exchanges
            .filter(|exchange| exchange.is_whole())
            .find_map(|exchange| {
                let (event, reply) = exchange.completion()?;
                let command = exchange.command.as_ref()?;
                let argument = command.argument.as_deref().unwrap_or_default();
                let about = parameter.is_none_or(|wanted| {
                    // Compares whole words: `TLS` is not `TLS-C`.
                    let (head, rest) = argument.split_at(argument.len().min(wanted.len()));
                    head.eq_ignore_ascii_case(wanted.as_bytes()) && matches!(rest, [] | [b' ', ..])
                });
                let unknown = match reply.code {
                    code if self.registry.says_not_implemented(verb, code) => true,
                    // 501 for a well-formed but unsupported parameter is the wrong code (RFC 959
                    // §4.2.1), which the scenarios about unsupported parameters report.
                    501 | 504 => !verb_alone,
                    // A server may be unwilling for reasons of its own (RFC 2228 §3, AUTH).
                    431 | 534 => verb == "AUTH",
                    // HOST comes before the login, and a server may require a login for unknown
                    // commands.
                    530 => matches!(verb, "AUTH" | "HOST"),
                    _ => false,
                };
                let refused = command.verb == verb && about && unknown && *event <= last;
                refused.then_some((exchange, reply.code))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testing::transcript;
    use crate::scenario::{Level, ScenarioId, parse};
    use rstest::rstest;

    fn scenario(needs: &str) -> Scenario {
        let text = format!(
            "+++\ntitle = \"t\"\ncites = [\"RFC 959 §5.4\"]\ncovers = [\"959-5.4-noop-reply\"]\n\
             level = \"must\"\nneeds = [{needs}]\n+++\n> NOOP\n< 200\n"
        );
        parse(ScenarioId("a/b".into()), &text).expect("a test scenario is sound")
    }

    fn dialogue(lines: &[&str]) -> Vec<Conversation> {
        Conversation::all(&transcript(&[&["S: 220 x"], lines].concat()))
    }

    fn finding(level: Level) -> Finding {
        Finding {
            judge: "expectation".into(),
            level,
            requirement: String::new(),
            clause: String::new(),
            about: Vec::new(),
            expected: String::new(),
            observed: String::new(),
            connection: Connection::main(),
            line: 1,
            event: 99,
            shows_impact: false,
        }
    }

    fn concluded(
        needs: &str,
        variant: &str,
        lines: &[&str],
        stop: Option<Stop>,
        findings: Vec<Finding>,
    ) -> (Outcome, String) {
        let conversations = dialogue(lines);
        let evidence = Evidence {
            scenario: &scenario(needs),
            variant: variant.parse().expect("a variant"),
            stop: stop.as_ref(),
            conversations: &conversations,
            features: &Features::of(&conversations),
            registry: Registry::built_in(),
        };
        let verdict = conclude(
            &evidence,
            Assessment {
                findings,
                ended: None,
            },
        );
        (verdict.outcome, verdict.reason)
    }

    #[rstest]
    #[case(&[], Outcome::Pass)]
    #[case(&[Level::Should], Outcome::Warn)]
    #[case(&[Level::May], Outcome::Note)]
    #[case(&[Level::Practice, Level::Must, Level::Should], Outcome::Fail)]
    fn a_verdict_is_its_worst_finding(#[case] levels: &[Level], #[case] outcome: Outcome) {
        let findings = levels.iter().map(|level| finding(*level)).collect();
        assert_eq!(
            concluded("", "pasv", &[], None, findings),
            (outcome, String::new())
        );
    }

    const FEAT: &str = "S: 211-x /  HASH SHA-256 /  AUTH TLS / 211 End";

    #[rstest]
    #[case::unknown("'HASH'", "pasv", &["C: HASH a", "S: 500 x"], Outcome::Unsupported)]
    #[case::superfluous("'AVBL'", "pasv", &["C: AVBL", "S: 202 x"], Outcome::Unsupported)]
    #[case::superfluous_and_in_the_row("'ALLO'", "pasv", &["C: ALLO 3", "S: 202 x"], Outcome::Fail)]
    #[case::not_before_the_login("'HOST'", "pasv", &["C: HOST a", "S: 530 x"], Outcome::Unsupported)]
    #[case::no_excuse_behind_the_login("'HASH'", "pasv", &["C: HASH a", "S: 530 x"], Outcome::Fail)]
    #[case::refused_for_another_reason("'HASH'", "pasv", &["C: HASH a", "S: 550 x"], Outcome::Fail)]
    #[case::not_needed("", "pasv", &["C: HASH a", "S: 500 x"], Outcome::Fail)]
    #[case::advertised("'HASH'", "pasv", &["C: FEAT", FEAT, "C: HASH a", "S: 502 x"], Outcome::Misadvertised)]
    #[case::understood_before("'HASH'", "pasv", &["C: HASH b", "S: 213 x", "C: HASH a", "S: 500 x"], Outcome::Fail)]
    #[case::parameter("'MODE Z'", "pasv", &["C: MODE S", "S: 200 x", "C: MODE Z", "S: 504 x"], Outcome::Unsupported)]
    #[case::longer_parameter(
        "'TLS'",
        "pasv",
        &["C: AUTH TLS", "S: 234 x", "C: AUTH TLS-C", "S: 504 x"],
        Outcome::Fail
    )]
    #[case::parameter_with_another_code("'MODE Z'", "pasv", &["C: MODE Z", "S: 501 x"], Outcome::Unsupported)]
    #[case::no_feat("'TVFS'", "pasv", &["C: FEAT", "S: 502 x"], Outcome::Unsupported)]
    #[case::other_parameter("'MODE Z'", "pasv", &["C: MODE B", "S: 504 x"], Outcome::Fail)]
    #[case::feature_with_parameter("'REST STREAM'", "pasv", &["C: REST 4", "S: 502 x"], Outcome::Unsupported)]
    #[case::variant("", "epsv", &["C: EPSV", "S: 500 x"], Outcome::Unsupported)]
    #[case::other_variant("", "pasv", &["C: EPSV", "S: 500 x"], Outcome::Fail)]
    #[case::not_in_feat("'TVFS'", "pasv", &["C: FEAT", FEAT], Outcome::Unsupported)]
    #[case::nobody_asked("'TVFS'", "pasv", &[], Outcome::Fail)]
    #[case::tls("'TLS'", "pasv", &["C: AUTH TLS", "S: 534 x"], Outcome::Unsupported)]
    #[case::tls_advertised("'TLS'", "pasv", &["C: FEAT", FEAT, "C: AUTH TLS", "S: 500 x"], Outcome::Misadvertised)]
    fn what_a_server_lacks_is_a_failure_only_if_feat_lists_it(
        #[case] needs: &str,
        #[case] variant: &str,
        #[case] lines: &[&str],
        #[case] outcome: Outcome,
    ) {
        let concluded = concluded(needs, variant, lines, None, vec![finding(Level::Must)]);
        assert_eq!(concluded.0, outcome, "{}", concluded.1);
    }

    #[rstest]
    #[case::not_implemented(&["C: SIZE a", "S: 502 x"], "'SIZE'", Outcome::Unsupported)]
    #[case::advertised(&["C: FEAT", "S: 211-x /  SIZE / 211 End", "C: SIZE a", "S: 502 x"], "'SIZE'", Outcome::Misadvertised)]
    #[case::implemented(&["C: SIZE a", "S: 502 x", "C: SIZE b", "S: 213 4"], "'SIZE'", Outcome::Fail)]
    #[case::not_needed(&["C: SIZE a", "S: 502 x"], "", Outcome::Fail)]
    #[case::a_parameter(&["C: MODE Z", "S: 502 x"], "'MODE Z'", Outcome::Fail)]
    #[case::a_label_with_parameter(&["C: REST 4", "S: 502 x"], "'REST STREAM'", Outcome::Unsupported)]
    #[case::any_parameter(&["C: MODE X", "S: 200 x"], "'MODE Z'", Outcome::Unsupported)]
    #[case::any_parameter_of_another(&["C: TYPE X", "S: 200 x"], "'MODE Z'", Outcome::Fail)]
    #[case::any_parameter_and_advertised(
        &["C: FEAT", "S: 211-x /  MODE Z / 211 End", "C: MODE X", "S: 200 x"],
        "'MODE Z'",
        Outcome::Fail
    )]
    #[case::no_security(&["C: AUTH TLS", "S: 500 x"], "'TLS'", Outcome::Unsupported)]
    #[case::some_security(&["C: AUTH TLS", "S: 500 x", "C: PROT P", "S: 200 x"], "'TLS'", Outcome::Fail)]
    fn what_other_dialogues_showed_to_be_missing_is_unsupported(
        #[case] elsewhere: &[&str],
        #[case] needs: &str,
        #[case] outcome: Outcome,
    ) {
        let conversations = dialogue(&[]);
        let evidence = Evidence {
            scenario: &scenario(needs),
            variant: "suppaftp".parse().expect("a variant"),
            stop: None,
            conversations: &conversations,
            features: &Features::of(&dialogue(elsewhere)),
            registry: Registry::built_in(),
        };
        let findings = vec![finding(Level::Must)];
        let judgement = Assessment {
            findings,
            ended: None,
        };
        assert_eq!(conclude(&evidence, judgement).outcome, outcome);
    }

    #[test]
    fn the_reason_names_the_advertised_line_and_the_refusal() {
        let lines = ["C: FEAT", FEAT, "C: HASH a", "S: 502 x"];
        let (_, reason) = concluded("'HASH'", "pasv", &lines, None, vec![finding(Level::Must)]);
        assert_eq!(
            reason,
            "FEAT lists `HASH SHA-256`, and `HASH a` was answered 502"
        );
    }

    #[rstest]
    #[case(Stop::Internal("t".into()), Outcome::Error, "t")]
    #[case(Stop::TargetGone("g".into()), Outcome::Error, "g")]
    #[case(Stop::Prerequisite("p".into()), Outcome::Blocked, "p")]
    #[case(Stop::Busy("b".into()), Outcome::Blocked, "b")]
    #[case(Stop::TimedOut { line: 0 }, Outcome::Blocked, "it ended before the first step")]
    fn a_stop_before_the_dialogue_is_the_reason_of_the_verdict(
        #[case] stop: Stop,
        #[case] outcome: Outcome,
        #[case] reason: &str,
    ) {
        let concluded = concluded("", "pasv", &[], Some(stop), Vec::new());
        assert_eq!(concluded, (outcome, reason.to_owned()));
    }

    #[test]
    fn a_login_that_fails_without_tls_is_unsupported() {
        let stop = Stop::Prerequisite("AUTH TLS: 502 no".into());
        let lines = ["C: AUTH TLS", "S: 502 no"];
        let concluded = concluded("", "pasv tls", &lines, Some(stop), Vec::new());
        assert_eq!(concluded.0, Outcome::Unsupported);
    }

    #[test]
    fn a_legal_reply_that_leaves_nothing_to_test_is_inconclusive() {
        let conversations = dialogue(&[]);
        let evidence = Evidence {
            scenario: &scenario(""),
            variant: Variant::PLAIN,
            stop: None,
            conversations: &conversations,
            features: &Features::default(),
            registry: Registry::built_in(),
        };
        let judgement = Assessment {
            findings: Vec::new(),
            ended: Some(Ending::Reply),
        };
        assert_eq!(
            conclude(&evidence, judgement).outcome,
            Outcome::Inconclusive
        );
    }
}
