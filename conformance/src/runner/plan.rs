//! Decides which scenarios are played in which variants.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::Job;
use super::requirements_of_scenario::{
    begins_tls, ends_tls, is_ipv4_only, lacks_third_party, needs_own_directory, starts_tls, writes,
};
use crate::driver::{misses_extended_passive, misses_passive};
use crate::scenario::{DataMode, DriverKind, Need, Protection, Scenario, Variant};
use crate::subject::{Target, TargetFacts, TlsMode};

/// Which of the scenarios and variants the user selected.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Profiles whose scenarios are played as well.
    pub profiles: Vec<String>,
    /// Every combination of the axes, and both address families, instead of the usual few.
    pub full: bool,
    /// Only these variants; empty means all that are planned.
    pub variants: Vec<Variant>,
    /// Only these drivers; empty means all.
    pub drivers: Vec<DriverKind>,
}

/// The jobs to play, and what is skipped.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// In the order of the scenarios.
    pub jobs: Vec<Job>,
    /// Jobs that cannot be tested, by number, with the reason.
    pub blocked: BTreeMap<usize, String>,
    /// What the target does not offer, or was not selected.
    pub skipped: Vec<Skipped>,
}

/// A scenario, or one variant of a scenario, that is not played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The id of the scenario.
    pub scenario: String,
    /// The variant; `None` for the whole scenario.
    pub variant: Option<Variant>,
    /// Why.
    pub reason: SkipReason,
}

/// Why a scenario or variant is not played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// Its profile was not selected.
    #[error("only in the profile {0}")]
    Profile(String),
    /// It creates, changes or needs files, and the target is read-only.
    #[error("--read-only: it makes, changes or needs files of its own")]
    ReadOnly,
    /// The variant is impossible with any target.
    #[error(transparent)]
    Impossible(Impossible),
    /// The target has no address of this family.
    #[error("the target has no {} address", if *.ipv6 { "IPv6" } else { "IPv4" })]
    NoAddress {
        /// Whether the family is IPv6.
        ipv6: bool,
    },
    /// This target does not offer what the scenario or variant needs, or requires something else.
    #[error(transparent)]
    Target(Unsuitable),
}

/// Why a variant is impossible with any target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// PASV or PORT over IPv6.
    #[error("PASV and PORT support IPv4 only (RFC 2428 §1)")]
    Ipv4Mode,
    /// The dialogue itself sends PASV or PORT, and the variant is over IPv6.
    #[error("it uses PASV or PORT, which support IPv4 only")]
    Ipv4Dialogue,
    /// EPRT over IPv4 with suppaftp.
    #[error("suppaftp uses EPRT over IPv6 only")]
    SuppaftpEprt,
    /// Unprotected data under TLS with suppaftp.
    #[error("suppaftp always uses PROT P")]
    SuppaftpClearData,
    /// Implicit TLS with suppaftp.
    #[error("suppaftp does not support implicit TLS")]
    SuppaftpImplicit,
}

/// What a target does not offer, or requires instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsuitable {
    /// The scenario needs a host name.
    #[error("the target is named by its address, and a TLS handshake names no address")]
    NoServerName,
    /// The scenario needs a user whose password is checked.
    #[error("the target's user is anonymous, for whom any password will do")]
    AnonymousUser,
    /// The scenario does not log in.
    #[error("the target requires TLS before login, and this scenario does not log in")]
    TlsBeforeLogin,
    /// The scenario is about the start of TLS.
    #[error("the target uses implicit TLS, and this scenario is about the dialogue before TLS")]
    ImplicitTls,
    /// The scenario ends TLS.
    #[error("the target requires TLS, and this scenario continues in clear after REIN")]
    TlsAlways,
    /// There is no second local address.
    #[error(
        "a third party needs a second local address, which exists only for a target on 127.0.0.1"
    )]
    NoThirdParty,
    /// No port with implicit TLS.
    #[error("no port with implicit TLS is known; --implicit-port names one")]
    NoImplicitPort,
    /// AUTH TLS is refused.
    #[error("the target does not offer AUTH TLS")]
    NoAuthTls,
    /// PROT C is refused.
    #[error("the target requires protected data connections")]
    OnlyPrivateData,
    /// EPSV is refused.
    #[error("the target does not offer EPSV")]
    NoEpsv,
    /// EPRT is refused.
    #[error("the target does not offer EPRT")]
    NoEprt,
    /// suppaftp cannot read the replies to PASV.
    #[error(
        "suppaftp needs parentheses in a 227; RFC 1123 §4.1.2.6 requires clients to work without"
    )]
    UnreadablePasv,
    /// suppaftp cannot read the replies to EPSV.
    #[error("suppaftp needs `|` in a 229; RFC 2428 §3 leaves the delimiter to the server")]
    UnreadableEpsv,
}

/// Plans the jobs.
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
        let mut skip = |variant: Option<Variant>, reason: SkipReason| {
            plan.skipped.push(Skipped {
                scenario: id.clone(),
                variant,
                reason,
            });
        };
        if let Some(profile) = &scenario.about.profile
            && !selection.profiles.contains(profile)
        {
            skip(None, SkipReason::Profile(profile.clone()));
            continue;
        }
        if target.host.parse::<IpAddr>().is_ok() && scenario.needs(&Need::ServerName) {
            skip(None, SkipReason::Target(Unsuitable::NoServerName));
            continue;
        }
        if target.is_anonymous() && scenario.needs(&Need::OwnPassword) {
            skip(None, SkipReason::Target(Unsuitable::AnonymousUser));
            continue;
        }
        if let Some(reason) = clashes_with(target.tls, scenario) {
            skip(None, SkipReason::Target(reason));
            continue;
        }
        let unwritable = !target.writable && (writes(scenario) || needs_own_directory(scenario));
        if unwritable && facts.write_refused.is_none() {
            skip(None, SkipReason::ReadOnly);
            continue;
        }
        let blocked = facts.write_refused.as_ref().filter(|_| unwritable);
        let wanted = |variant: &Variant| {
            (selection.variants.is_empty() || selection.variants.contains(variant))
                && (selection.drivers.is_empty() || selection.drivers.contains(&variant.driver))
        };
        let variants = variants(scenario, selection, target);
        let nothing_else = !variants.iter().any(|it| impossible(*it).is_none());
        for variant in variants.into_iter().filter(wanted) {
            // The default variants are possible ones; impossible ones are reported only if all were
            // selected.
            if let Some(reason) = impossible(variant) {
                if selection.full || nothing_else {
                    skip(Some(variant), SkipReason::Impossible(reason));
                }
                continue;
            }
            if variant.ipv6 && is_ipv4_only(scenario) {
                skip(
                    Some(variant),
                    SkipReason::Impossible(Impossible::Ipv4Dialogue),
                );
                continue;
            }
            if lacks_third_party(scenario, target.address(variant.ipv6)) {
                skip(Some(variant), SkipReason::Target(Unsuitable::NoThirdParty));
                continue;
            }
            match not_offered(variant, target, facts) {
                Some(reason) => skip(Some(variant), reason),
                None => {
                    let number = plan.jobs.len();
                    if let Some(reason) = blocked {
                        plan.blocked.insert(number, reason.clone());
                    }
                    plan.jobs.push(Job {
                        number,
                        scenario: scenario.clone(),
                        variant,
                    });
                }
            }
        }
    }
    plan
}

/// All variants of a scenario, whether or not the target offers them and they are possible.
fn variants(scenario: &Scenario, selection: &Selection, target: &Target) -> Vec<Variant> {
    let about = &scenario.about;
    let only_ipv6 = scenario.needs(&Need::Ipv6) || target.address(false).is_none();
    let usual = if only_ipv6 {
        DataMode::Epsv
    } else {
        DataMode::Pasv
    };
    let modes: &[DataMode] = match (about.axes.data, only_ipv6 && !selection.full) {
        (true, false) => &DataMode::ALL,
        (true, true) => &[DataMode::Epsv, DataMode::Eprt],
        (false, _) => &[usual],
    };
    let base = target.least_protection();
    let mut variants = Vec::new();
    for &driver in &about.drivers {
        let mut add = |data, protection, ipv6| {
            let variant = Variant {
                data,
                protection,
                ipv6,
                driver,
            };
            if !variants.contains(&variant) {
                variants.push(variant);
            }
        };
        if selection.full {
            let varied = about.axes.data || about.axes.tls;
            let families: &[bool] = match (only_ipv6, varied) {
                (true, _) => &[true],
                (false, true) => &[false, true],
                (false, false) => &[false],
            };
            for &ipv6 in families {
                for protection in protections(base, about.axes.tls) {
                    for mode in modes {
                        // Without the axis, the usual data mode of the other family.
                        let usual = if ipv6 { DataMode::Epsv } else { usual };
                        let mode = if about.axes.data { *mode } else { usual };
                        add(mode, protection, ipv6);
                    }
                }
            }
            continue;
        }
        for mode in modes {
            add(*mode, base, only_ipv6);
        }
        // EPSV works through any address translator, even if it cannot read the replies (RFC 4217
        // §7).
        let behind_tls = if about.axes.data {
            DataMode::Epsv
        } else {
            usual
        };
        for protection in protections(base, about.axes.tls) {
            let mode = match protection {
                Protection::Explicit {
                    data_private: false,
                } => usual,
                _ => behind_tls,
            };
            if protection != base {
                add(mode, protection, only_ipv6);
            }
        }
        if about.axes.data && !only_ipv6 {
            add(DataMode::Epsv, base, true);
        }
    }
    // With the axis, a scenario that needs TLS is about protected sessions only.
    if about.axes.tls && scenario.needs(&Need::Tls) {
        variants.retain(|variant| variant.protection != Protection::Clear);
    }
    variants
}

/// The protections to use, the lowest first; without the axis only that one. A target with implicit
/// TLS has no other.
fn protections(base: Protection, axis: bool) -> Vec<Protection> {
    let private = Protection::Explicit { data_private: true };
    let halfway = Protection::Explicit {
        data_private: false,
    };
    match base {
        _ if !axis => vec![base],
        Protection::Clear => vec![base, private, halfway, Protection::Implicit],
        Protection::Explicit { .. } => vec![private, halfway, Protection::Implicit],
        Protection::Implicit => vec![base],
    }
}

/// Why this variant is impossible with any target.
fn impossible(variant: Variant) -> Option<Impossible> {
    if variant.ipv6 && matches!(variant.data, DataMode::Pasv | DataMode::Port) {
        return Some(Impossible::Ipv4Mode);
    }
    if variant.driver == DriverKind::Raw {
        return None;
    }
    if variant.data == DataMode::Eprt && !variant.ipv6 {
        return Some(Impossible::SuppaftpEprt);
    }
    match variant.protection {
        Protection::Clear | Protection::Explicit { data_private: true } => None,
        Protection::Explicit {
            data_private: false,
        } => Some(Impossible::SuppaftpClearData),
        Protection::Implicit => Some(Impossible::SuppaftpImplicit),
    }
}

/// Why a scenario cannot be played with a target that requires TLS.
fn clashes_with(tls: TlsMode, scenario: &Scenario) -> Option<Unsuitable> {
    match tls {
        TlsMode::Off => None,
        TlsMode::Explicit if !scenario.about.login && !starts_tls(scenario) => {
            Some(Unsuitable::TlsBeforeLogin)
        }
        TlsMode::Implicit if begins_tls(scenario) => Some(Unsuitable::ImplicitTls),
        TlsMode::Explicit | TlsMode::Implicit if ends_tls(scenario) => Some(Unsuitable::TlsAlways),
        TlsMode::Explicit | TlsMode::Implicit => None,
    }
}

/// Why the target does not support this variant.
fn not_offered(variant: Variant, target: &Target, facts: &TargetFacts) -> Option<SkipReason> {
    if target
        .address_for(variant.protection, variant.ipv6)
        .is_none()
    {
        return Some(match variant.protection {
            Protection::Implicit if target.address(variant.ipv6).is_some() => {
                SkipReason::Target(Unsuitable::NoImplicitPort)
            }
            _ => SkipReason::NoAddress { ipv6: variant.ipv6 },
        });
    }
    if matches!(variant.protection, Protection::Explicit { .. }) && !facts.auth_tls {
        return Some(SkipReason::Target(Unsuitable::NoAuthTls));
    }
    let halfway = Protection::Explicit {
        data_private: false,
    };
    if variant.protection == halfway && facts.only_private {
        return Some(SkipReason::Target(Unsuitable::OnlyPrivateData));
    }
    // RFC 2428 is optional; RFC 1123 and RFC 959 require PASV and PORT.
    match variant.data {
        DataMode::Epsv if !facts.epsv => Some(SkipReason::Target(Unsuitable::NoEpsv)),
        DataMode::Eprt if !facts.eprt => Some(SkipReason::Target(Unsuitable::NoEprt)),
        mode if variant.driver == DriverKind::Suppaftp => {
            unreadable_by_suppaftp(mode, facts).map(SkipReason::Target)
        }
        _ => None,
    }
}

/// Why suppaftp cannot read the data ports of a target that reports them in a valid but unusual
/// form.
fn unreadable_by_suppaftp(mode: DataMode, facts: &TargetFacts) -> Option<Unsuitable> {
    let (passive, extended) = (&facts.passive, &facts.extended_passive);
    match mode {
        DataMode::Pasv if passive.as_deref().is_some_and(misses_passive) => {
            Some(Unsuitable::UnreadablePasv)
        }
        DataMode::Epsv if extended.as_deref().is_some_and(misses_extended_passive) => {
            Some(Unsuitable::UnreadableEpsv)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::testing::job;
    use rstest::rstest;

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
    fn a_scenario_about_the_server_name_is_skipped_for_an_address() {
        let scenario = job("pasv", "needs = [\"server-name\"]", "> NOOP\n< 200").scenario;
        let mut target = target(&["127.0.0.1:21"]);
        let plan_for = |target: &Target| {
            plan(
                std::slice::from_ref(&scenario),
                &Selection::default(),
                target,
                &facts(),
            )
        };
        assert_eq!(plan_for(&target).jobs.len(), 1);
        target.host = "127.0.0.1".into();
        let plan = plan_for(&target);
        assert_eq!((plan.jobs.len(), plan.skipped.len()), (0, 1));
    }

    #[test]
    fn a_scenario_about_wrong_passwords_is_skipped_for_an_anonymous_user() {
        let scenario = job("pasv", "needs = [\"own-password\"]", "> NOOP\n< 200").scenario;
        let mut target = target(V4);
        for (user, played) in [("bob", 1), ("anonymous", 0), ("FTP", 0)] {
            target.user = user.into();
            let plan = plan(
                std::slice::from_ref(&scenario),
                &Selection::default(),
                &target,
                &facts(),
            );
            let counts = (plan.jobs.len(), plan.skipped.len());
            assert_eq!(counts, (played, 1 - played), "{user}");
        }
    }

    #[test]
    fn without_axes_there_is_one_variant_of_the_available_family() {
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
    fn the_default_variants_cover_each_value_of_each_axis() {
        let axes = "axes = [\"data\", \"tls\"]";
        let usual = Selection::default();
        let mut everything = target(BOTH);
        everything.implicit = everything.addresses.clone();
        let all = [
            "pasv",
            "epsv",
            "port",
            "eprt",
            "epsv tls",
            "pasv tls-control",
            "epsv implicit",
            "epsv ipv6",
        ];
        assert_eq!(planned(axes, &usual, &everything, &facts()), all);
        assert_eq!(planned(axes, &usual, &target(V4), &facts()), all[..6]);
        let no_tls = TargetFacts {
            auth_tls: false,
            ..facts()
        };
        assert_eq!(planned(axes, &usual, &target(V4), &no_tls), all[..4]);
        let old = TargetFacts {
            epsv: false,
            eprt: false,
            auth_tls: false,
            ..facts()
        };
        assert_eq!(planned(axes, &usual, &target(V4), &old), ["pasv", "port"]);
        assert_eq!(
            planned(axes, &usual, &target(&["[::1]:21"]), &facts()),
            [
                "epsv ipv6",
                "eprt ipv6",
                "epsv tls ipv6",
                "epsv tls-control ipv6"
            ]
        );
    }

    #[test]
    fn suppaftp_is_skipped_for_unusual_addresses() {
        let axes = "axes = [\"data\"]\ndrivers = [\"suppaftp\"]";
        let usual = Selection::default();
        let with = |passive: &str, extended: &str| TargetFacts {
            passive: Some(passive.into()),
            extended_passive: Some(extended.into()),
            ..facts()
        };
        let odd = with("=127,0,0,1,4,210", "Port (!!!1234!)");
        let planned = |facts: &TargetFacts| planned(axes, &usual, &target(V4), facts);
        assert_eq!(planned(&odd), ["suppaftp port"]);
        let plain = with("Passive (127,0,0,1,4,210)", "Port (|||1234|)");
        let all = ["suppaftp", "suppaftp epsv", "suppaftp port"];
        assert_eq!(planned(&plain), all);
        // Replies that no client can read are left to the scenarios.
        assert_eq!(planned(&with("Passive", "1234")), all);
    }

    #[test]
    fn one_axis_does_not_vary_the_other() {
        let usual = Selection::default();
        let tls = planned("axes = [\"tls\"]", &usual, &target(BOTH), &facts());
        assert_eq!(tls, ["pasv", "pasv tls", "pasv tls-control"]);
        let needed = "axes = [\"tls\"]\nneeds = [\"TLS\"]";
        let protected = planned(needed, &usual, &target(BOTH), &facts());
        assert_eq!(protected, ["pasv tls", "pasv tls-control"]);
        let data = planned("axes = [\"data\"]", &usual, &target(BOTH), &facts());
        assert_eq!(data, ["pasv", "epsv", "port", "eprt", "epsv ipv6"]);
    }

    #[test]
    fn the_full_plan_has_every_combination_and_reasons_for_impossible_ones() {
        let full = Selection {
            full: true,
            ..Selection::default()
        };
        let mut everything = target(BOTH);
        everything.implicit = everything.addresses.clone();
        let front = "axes = [\"data\", \"tls\"]\ndrivers = [\"raw\", \"suppaftp\"]";
        let scenario = job("pasv", front, "@mkdir a").scenario;
        let plan = plan(&[scenario], &full, &everything, &facts());
        let (raw, suppaftp): (Vec<_>, Vec<_>) = plan
            .jobs
            .iter()
            .partition(|job| job.variant.driver == DriverKind::Raw);
        assert_eq!((raw.len(), suppaftp.len()), ((4 + 2) * 4, (3 + 2) * 2));
        assert_eq!(plan.jobs.len() + plan.skipped.len(), 4 * 4 * 2 * 2);
        let why = |variant: &str| {
            let is = |skipped: &&Skipped| skipped.variant == variant.parse().ok();
            plan.skipped
                .iter()
                .find(is)
                .map(|skipped| skipped.reason.clone())
        };
        assert_eq!(
            why("port tls ipv6"),
            Some(SkipReason::Impossible(Impossible::Ipv4Mode))
        );
        assert_eq!(
            why("suppaftp eprt"),
            Some(SkipReason::Impossible(Impossible::SuppaftpEprt))
        );
        assert_eq!(
            why("suppaftp implicit"),
            Some(SkipReason::Impossible(Impossible::SuppaftpImplicit))
        );
        assert_eq!(why("eprt tls-control ipv6"), None);
    }

    #[test]
    fn without_axes_the_full_plan_is_still_one_variant() {
        let full = Selection {
            full: true,
            ..Selection::default()
        };
        assert_eq!(planned("", &full, &target(BOTH), &facts()), ["pasv"]);
        let tls = planned("axes = [\"tls\"]", &full, &target(BOTH), &facts());
        assert_eq!(tls.len(), 3 * 2, "{tls:?}");
        assert!(tls.contains(&"epsv tls ipv6".to_owned()));
    }

    #[test]
    fn a_missing_family_or_port_is_reported() {
        let scenario = job("pasv", "axes = [\"data\", \"tls\"]", "> NOOP\n< 200").scenario;
        let plan = plan(&[scenario], &Selection::default(), &target(V4), &facts());
        let skipped = plan.skipped.into_iter().map(|it| (it.variant, it.reason));
        let implicit = SkipReason::Target(Unsuitable::NoImplicitPort);
        let expected = [
            ("epsv implicit".parse().ok(), implicit),
            (
                "epsv ipv6".parse().ok(),
                SkipReason::NoAddress { ipv6: true },
            ),
        ];
        assert_eq!(skipped.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_target_with_implicit_tls_is_never_contacted_in_clear() {
        let mut implicit = target(V4);
        implicit.tls = TlsMode::Implicit;
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
        let front = "axes = [\"tls\"]\ndrivers = [\"suppaftp\"]";
        let scenario = job("suppaftp", front, "@mkdir a").scenario;
        let nobody = plan(&[scenario], &Selection::default(), &implicit, &facts());
        assert!(nobody.jobs.is_empty());
        assert_eq!(
            nobody.skipped[0].reason,
            SkipReason::Impossible(Impossible::SuppaftpImplicit)
        );
    }

    #[test]
    fn a_target_that_requires_protected_data_gets_no_clear_data_under_tls() {
        let facts = TargetFacts {
            only_private: true,
            ..facts()
        };
        let usual = Selection::default();
        let variants = planned("axes = [\"tls\"]", &usual, &target(V4), &facts);
        assert_eq!(variants, ["pasv", "pasv tls"]);
    }

    #[test]
    fn a_target_that_requires_tls_is_always_tested_under_tls() {
        let mut explicit = target(V4);
        explicit.tls = TlsMode::Explicit;
        let usual = Selection::default();
        assert_eq!(planned("", &usual, &explicit, &facts()), ["pasv tls"]);
        assert!(planned("login = false", &usual, &explicit, &facts()).is_empty());
    }

    #[rstest]
    #[case::rein("> rein\n< 220", 1, 0, 0)]
    #[case::own_tls("> AUTH TLS\n< 234\n@tls", 1, 1, 0)]
    #[case::tls_after_rein("> REIN\n< 220\n> AUTH TLS\n< 234\n@tls", 1, 1, 0)]
    #[case::commands_for_tls("> PBSZ 0\n< 5yz", 1, 1, 0)]
    #[case::unrelated_to_tls("> NOOP\n< 200", 1, 1, 1)]
    fn a_scenario_about_starting_tls_begins_in_clear(
        #[case] steps: &str,
        #[case] off: usize,
        #[case] explicit: usize,
        #[case] implicit: usize,
    ) {
        let modes = [TlsMode::Off, TlsMode::Explicit, TlsMode::Implicit];
        let played = modes.map(|tls| {
            let mut target = target(V4);
            target.tls = tls;
            let scenario = job("pasv", "", steps).scenario;
            plan(&[scenario], &Selection::default(), &target, &facts())
                .jobs
                .len()
        });
        assert_eq!(played, [off, explicit, implicit]);
    }

    #[test]
    fn suppaftp_plays_only_supported_variants() {
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
    fn a_third_party_needs_a_target_on_the_loopback_network() {
        let usual = Selection::default();
        let scenario = job("pasv", "", "> PASV\n< 227\n@third-party").scenario;
        let scenarios = [scenario];
        let here = plan(&scenarios, &usual, &target(V4), &facts());
        assert_eq!((here.jobs.len(), here.skipped.len()), (1, 0));
        let there = plan(&scenarios, &usual, &target(&["192.0.2.1:21"]), &facts());
        assert_eq!((there.jobs.len(), there.skipped.len()), (0, 1));
        assert!(matches!(there.skipped[0].reason, SkipReason::Target(_)));
    }

    #[test]
    fn a_skipped_scenario_is_reported_with_its_reason() {
        let usual = Selection::default();
        let security = job("pasv", "profile = \"security\"", "> NOOP\n< 200").scenario;
        let writing = job("pasv", "", "> DELE a\n< 250").scenario;
        let mut read_only = target(V4);
        read_only.writable = false;
        let outcome = plan(&[security.clone(), writing], &usual, &read_only, &facts());
        assert!(outcome.jobs.is_empty());
        let reasons: Vec<_> = outcome
            .skipped
            .iter()
            .map(|skipped| skipped.reason.to_string())
            .collect();
        assert_eq!(
            reasons,
            [
                "only in the profile security",
                "--read-only: it makes, changes or needs files of its own"
            ]
        );
        let refused = TargetFacts {
            write_refused: Some("no write access: MKD: 550 no".into()),
            ..facts()
        };
        let writing = job("pasv", "", "> DELE a\n< 250").scenario;
        let reading = job("pasv", "", "> PWD\n< 257").scenario;
        let outcome = plan(&[writing, reading], &usual, &read_only, &refused);
        assert!(outcome.skipped.is_empty());
        let blocked: Vec<_> = outcome.blocked.into_iter().collect();
        assert_eq!(blocked, [(0, "no write access: MKD: 550 no".to_owned())]);
        assert_eq!(outcome.jobs.len(), 2);
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
