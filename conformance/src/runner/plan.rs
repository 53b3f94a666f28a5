//! Which scenario is played in which variants.

use std::sync::Arc;

use super::session::least_protection;
use super::{Job, Protection, Variant};
use crate::scenario::{DataMode, DriverKind, Scenario};
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

/// Whether a scenario may change what the server stores.
fn writes(scenario: &Scenario) -> bool {
    use crate::scenario::{Action, UserStep};
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
