//! Which scenario is played in which variants.

use std::sync::Arc;

use super::session::least_protection;
use super::{Job, Protection, Variant};
use crate::scenario::{Action, DataMode, DriverKind, Scenario, UserStep};
use crate::target::{Target, TargetFacts};

/// What is wished for, beyond the scenarios themselves.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Profiles whose scenarios are played too.
    pub profiles: Vec<String>,
    /// Every combination of the axes, and both address families, instead of the usual few.
    pub full: bool,
    /// Only these variants; empty means all that are planned.
    pub variants: Vec<Variant>,
    /// Only these drivers; empty means all.
    pub drivers: Vec<DriverKind>,
}

/// What is played, and what is not.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// In the order of the scenarios.
    pub jobs: Vec<Job>,
    /// What the target does not offer, or what was not asked for.
    pub skipped: Vec<Skipped>,
}

/// A scenario, or one variant of it, that is not played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Which scenario.
    pub scenario: String,
    /// Which variant; empty for the whole scenario.
    pub variant: String,
    /// Why, in words.
    pub reason: String,
}

/// Works out the jobs.
#[must_use]
pub fn plan(
    scenarios: &[Arc<Scenario>],
    selection: &Selection,
    target: &Target,
    facts: &TargetFacts,
) -> Plan {
    let mut plan = Plan::default();
    for scenario in scenarios {
        let id = &scenario.id.0;
        let mut skip = |variant: String, reason: String| {
            plan.skipped.push(Skipped {
                scenario: id.clone(),
                variant,
                reason,
            });
        };
        if let Some(profile) = &scenario.about.profile
            && !selection.profiles.contains(profile)
        {
            skip(String::new(), format!("only in the profile {profile}"));
            continue;
        }
        if !target.writable && writes(scenario) {
            skip(String::new(), "the target is not to be written to".into());
            continue;
        }
        for variant in variants(scenario, selection, target) {
            let wanted = (selection.variants.is_empty() || selection.variants.contains(&variant))
                && (selection.drivers.is_empty() || selection.drivers.contains(&variant.driver));
            if !wanted {
                continue;
            }
            if variant.ipv6 && speaks_of_ipv4(scenario) {
                let reason = "it says PASV or PORT, which know IPv4 only".into();
                skip(variant.to_string(), reason);
                continue;
            }
            match not_offered(variant, target, facts) {
                Some(reason) => skip(variant.to_string(), reason),
                None => plan.jobs.push(Job {
                    number: plan.jobs.len(),
                    scenario: scenario.clone(),
                    variant,
                }),
            }
        }
    }
    plan
}

/// All variants of a scenario, whatever the target offers.
fn variants(scenario: &Scenario, selection: &Selection, target: &Target) -> Vec<Variant> {
    let about = &scenario.about;
    let needs_ipv6 = about.needs.iter().any(|need| need == "ipv6");
    let usual_ipv6 = needs_ipv6 || target.address(false).is_none();
    let families: &[bool] = match (usual_ipv6, selection.full && target.address(true).is_some()) {
        (true, _) => &[true],
        (false, true) => &[false, true],
        (false, false) => &[false],
    };
    let base = least_protection(target);
    let private = match base {
        Protection::Clear => Protection::Explicit { data_private: true },
        already => already,
    };
    let mut variants = Vec::new();
    for &ipv6 in families {
        let usual = if ipv6 { DataMode::Epsv } else { DataMode::Pasv };
        let modes: &[DataMode] = match (about.axes.data, ipv6) {
            (false, _) => &[usual],
            (true, false) => &[
                DataMode::Pasv,
                DataMode::Epsv,
                DataMode::Port,
                DataMode::Eprt,
            ],
            (true, true) => &[DataMode::Epsv, DataMode::Eprt],
        };
        for &driver in &about.drivers {
            let variant = |data, protection| Variant {
                data,
                protection,
                ipv6,
                driver,
            };
            variants.extend(modes.iter().map(|mode| variant(*mode, base)));
            if !about.axes.tls {
                continue;
            }
            if selection.full {
                let halfway = Protection::Explicit {
                    data_private: false,
                };
                for protection in [private, halfway] {
                    variants.extend(modes.iter().map(|mode| variant(*mode, protection)));
                }
            } else {
                // EPSV is what works behind every translator once nobody can read the replies (RFC 4217 §7).
                let mode = if about.axes.data {
                    DataMode::Epsv
                } else {
                    usual
                };
                variants.push(variant(mode, private));
            }
        }
    }
    // suppaftp has fewer ways than the raw driver.
    variants.retain(|variant| {
        let active = if variant.ipv6 {
            DataMode::Eprt
        } else {
            DataMode::Port
        };
        let can_mode =
            matches!(variant.data, DataMode::Pasv | DataMode::Epsv) || variant.data == active;
        let can_protect = matches!(
            variant.protection,
            Protection::Clear | Protection::Explicit { data_private: true }
        );
        variant.driver == DriverKind::Raw || (can_mode && can_protect)
    });
    let mut seen = Vec::new();
    variants.retain(|variant| {
        let new = !seen.contains(variant);
        seen.push(*variant);
        new
    });
    variants
}

/// Why the target cannot be spoken to in this variant.
fn not_offered(variant: Variant, target: &Target, facts: &TargetFacts) -> Option<String> {
    if target.address(variant.ipv6).is_none() {
        let family = if variant.ipv6 { "IPv6" } else { "IPv4" };
        return Some(format!("the target has no {family} address"));
    }
    if matches!(variant.protection, Protection::Explicit { .. }) && !facts.auth_tls {
        return Some("the target does not offer AUTH TLS".into());
    }
    // RFC 2428 is an option; PASV and PORT are asked for by RFC 1123 and RFC 959.
    match variant.data {
        DataMode::Epsv if !variant.ipv6 && !facts.epsv => {
            Some("the target does not offer EPSV".into())
        }
        DataMode::Eprt if !variant.ipv6 && !facts.eprt => {
            Some("the target does not offer EPRT".into())
        }
        _ => None,
    }
}

/// Whether a scenario can only be played over IPv4. One that asks for IPv6 knows what it says.
fn speaks_of_ipv4(scenario: &Scenario) -> bool {
    let needs_ipv6 = scenario.about.needs.iter().any(|need| need == "ipv6");
    !needs_ipv6
        && scenario.steps.iter().any(|step| match &step.action {
            Action::Send(line) => {
                let verb = line.split_whitespace().next().unwrap_or_default();
                verb.eq_ignore_ascii_case("PASV") || verb.eq_ignore_ascii_case("PORT")
            }
            Action::Data(Some(DataMode::Pasv | DataMode::Port)) => true,
            _ => false,
        })
}

/// Whether a scenario may change what the server stores.
fn writes(scenario: &Scenario) -> bool {
    const WRITING: &[&str] = &[
        "STOR", "STOU", "APPE", "DELE", "RMD", "XRMD", "MKD", "XMKD", "RNFR", "RNTO", "MFMT",
        "MFCT", "MFF", "SITE", "ALLO",
    ];
    scenario.steps.iter().any(|step| match &step.action {
        Action::Send(line) => {
            let verb = line.split_whitespace().next().unwrap_or_default();
            WRITING
                .iter()
                .any(|writing| verb.eq_ignore_ascii_case(writing))
        }
        // Octets may say anything.
        Action::Octets(_) | Action::Given(_) | Action::Stored(..) | Action::Missing(_) => true,
        Action::User { step, .. } => !matches!(
            step,
            UserStep::Get(..)
                | UserStep::Resume(..)
                | UserStep::Names(_)
                | UserStep::List(_)
                | UserStep::Size(..)
                | UserStep::Cwd(_)
        ),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::testing::job;

    fn target(addresses: &[&str]) -> Target {
        let addresses = addresses
            .iter()
            .map(|text| text.parse().expect("an address"))
            .collect();
        Target::at("localhost", addresses)
    }

    fn facts() -> TargetFacts {
        TargetFacts {
            auth_tls: true,
            epsv: true,
            eprt: true,
            ..TargetFacts::default()
        }
    }

    fn planned(
        front: &str,
        selection: &Selection,
        target: &Target,
        facts: &TargetFacts,
    ) -> Vec<String> {
        let scenario = job("pasv", front, "> NOOP\n< 200").scenario;
        let plan = plan(&[scenario], selection, target, facts);
        plan.jobs
            .iter()
            .map(|job| job.variant.to_string())
            .collect()
    }

    const V4: &[&str] = &["127.0.0.1:21"];
    const BOTH: &[&str] = &["127.0.0.1:21", "[::1]:21"];

    #[test]
    fn without_axes_there_is_one_variant_of_the_family_at_hand() {
        let usual = Selection::default();
        assert_eq!(planned("", &usual, &target(V4), &facts()), ["pasv"]);
        assert_eq!(planned("", &usual, &target(BOTH), &facts()), ["pasv"]);
        assert_eq!(
            planned("", &usual, &target(&["[::1]:21"]), &facts()),
            ["epsv ipv6"]
        );
        assert_eq!(
            planned("needs = [\"ipv6\"]", &usual, &target(BOTH), &facts()),
            ["epsv ipv6"]
        );
        assert!(planned("needs = [\"ipv6\"]", &usual, &target(V4), &facts()).is_empty());
    }

    #[test]
    fn the_axes_are_data_modes_in_clear_and_one_protected_variant() {
        let axes = "axes = [\"data\", \"tls\"]";
        let usual = Selection::default();
        let all = ["pasv", "epsv", "port", "eprt", "epsv tls"];
        assert_eq!(planned(axes, &usual, &target(V4), &facts()), all);
        let no_tls = TargetFacts {
            auth_tls: false,
            ..facts()
        };
        assert_eq!(planned(axes, &usual, &target(V4), &no_tls), all[..4]);
        let old = TargetFacts {
            epsv: false,
            eprt: false,
            ..facts()
        };
        assert_eq!(planned(axes, &usual, &target(V4), &old), ["pasv", "port"]);
    }

    #[test]
    fn every_combination_is_planned_when_asked_for() {
        let full = Selection {
            full: true,
            ..Selection::default()
        };
        let axes = "axes = [\"data\", \"tls\"]";
        let variants = planned(axes, &full, &target(BOTH), &facts());
        assert_eq!(variants.len(), (4 + 2) * 3, "{variants:?}");
        assert!(variants.contains(&"eprt tls-control ipv6".to_owned()));
    }

    #[test]
    fn a_target_that_begins_with_tls_is_never_spoken_to_in_clear() {
        let mut implicit = target(V4);
        implicit.tls = crate::target::TlsMode::Implicit;
        let axes = "axes = [\"data\", \"tls\"]";
        let variants = planned(axes, &Selection::default(), &implicit, &facts());
        assert_eq!(
            variants,
            [
                "pasv implicit",
                "epsv implicit",
                "port implicit",
                "eprt implicit"
            ]
        );
    }

    #[test]
    fn suppaftp_plays_only_what_it_can() {
        let front = "axes = [\"data\"]\ndrivers = [\"suppaftp\"]";
        let scenario = job("suppaftp", front, "@mkdir a").scenario;
        let plan = plan(&[scenario], &Selection::default(), &target(V4), &facts());
        let variants: Vec<_> = plan
            .jobs
            .iter()
            .map(|job| job.variant.to_string())
            .collect();
        assert_eq!(variants, ["suppaftp", "suppaftp epsv", "suppaftp port"]);
    }

    #[test]
    fn what_is_not_played_is_told_with_its_reason() {
        let usual = Selection::default();
        let security = job("pasv", "profile = \"security\"", "> NOOP\n< 200").scenario;
        let writing = job("pasv", "", "> DELE a\n< 250").scenario;
        let mut read_only = target(V4);
        read_only.writable = false;
        let told = plan(&[security.clone(), writing], &usual, &read_only, &facts());
        assert!(told.jobs.is_empty());
        let reasons: Vec<_> = told
            .skipped
            .iter()
            .map(|skipped| skipped.reason.as_str())
            .collect();
        assert_eq!(
            reasons,
            [
                "only in the profile security",
                "the target is not to be written to"
            ]
        );
        let asked = Selection {
            profiles: vec!["security".into()],
            ..usual
        };
        assert_eq!(
            plan(&[security], &asked, &target(V4), &facts()).jobs.len(),
            1
        );
    }
}
