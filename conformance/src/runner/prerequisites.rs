//! Prerequisites of scenarios, such as entering a directory or transferring a file, are played
//! first, each once. A scenario whose prerequisite does not hold is blocked and not played.
//!
//! ```text
//!  jobs --of--> PrerequisiteStages { stages } --played, judged--> failures --blocked--> jobs that are not played, and why
//! ```
//!
//! Prerequisites are scenarios themselves (`scenarios/sanity/`), played in the variants that the
//! jobs need.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::requirements_of_scenario::{data_modes, needs_directory};
use super::{Job, Prerequisites};
use crate::scenario::{Action, DataMode, DriverKind, Scenario, TestCase, Variant};
use crate::subject::{Target, TargetFacts};

/// Login and PWD, and with write access MKD and CWD.
const ENTER: &str = "sanity/enter";
/// The test of the login itself, which depends on nothing.
const LOGIN: &str = "rfc959/login-user-pass";
/// Upload and download of a small file.
const TRANSFER: &str = "sanity/transfer";
/// A listing, for targets without write access.
const LISTING: &str = "sanity/listing";

/// The prerequisites of a set of jobs.
#[derive(Debug, Clone, Default)]
pub(crate) struct PrerequisiteStages {
    /// Played in order: each stage depends on the previous ones.
    pub stages: Vec<Vec<Job>>,
}

/// A prerequisite: the id of its scenario, and the variant.
type Prerequisite = (&'static str, Variant);

impl PrerequisiteStages {
    /// The prerequisites of these jobs, as jobs of the scenarios `known`.
    pub(crate) fn of(
        jobs: &[Job],
        known: &[Arc<Scenario>],
        target: &Target,
        facts: &TargetFacts,
    ) -> Self {
        let mut stages: Vec<Vec<Prerequisite>> = vec![vec![]; 3];
        for job in jobs {
            for prerequisite in prerequisites_of(job, target, facts) {
                let stage = &mut stages[stage(prerequisite, target)];
                if !stage.contains(&prerequisite) {
                    stage.push(prerequisite);
                }
            }
        }
        // Directories are named by number, so these must differ from those of the plan.
        let mut number = jobs.len();
        let mut job = |(id, variant): Prerequisite| {
            let scenario = known.iter().find(|scenario| scenario.id.0 == id)?.clone();
            number += 1;
            Some(Job {
                number,
                scenario,
                variant,
            })
        };
        let stages = stages.into_iter();
        Self {
            stages: stages
                .map(|stage| stage.into_iter().filter_map(&mut job).collect())
                .collect(),
        }
    }
}

impl PrerequisiteStages {
    /// The prerequisites that held, to be played again if one of them seems to be lost. Those in
    /// `failed` (as for [`blocked`]) never held, so they cannot be lost.
    pub(crate) fn prerequisites(
        &self,
        jobs: &[Job],
        failed: &BTreeMap<TestCase, String>,
        target: &Target,
        facts: &TargetFacts,
    ) -> Prerequisites {
        let held = |job: &&Job| !failed.contains_key(&job.case());
        let all: Vec<Job> = self.stages.iter().flatten().filter(held).cloned().collect();
        let place = |(id, variant): Prerequisite| {
            all.iter()
                .position(|job| job.scenario.id.0 == id && job.variant == variant)
        };
        let under = |job: &Job| {
            let own = (&job.scenario.id.0, job.variant);
            let rests_on = prerequisites_of(job, target, facts).into_iter();
            let others = rests_on.filter(|it| (it.0, it.1) != (own.0.as_str(), own.1));
            (job.number, others.filter_map(place).collect())
        };
        let of = jobs.iter().map(under).collect();
        Prerequisites::new(all, of)
    }
}

/// The jobs that depend on a prerequisite that does not hold (`scenario [variant]`, and why), by
/// number.
pub(crate) fn blocked(
    jobs: &[Job],
    failed: &BTreeMap<TestCase, String>,
    target: &Target,
    facts: &TargetFacts,
) -> BTreeMap<usize, String> {
    let reason = |job: &Job| {
        let own = (job.scenario.id.0.as_str(), job.variant);
        prerequisites_of(job, target, facts)
            .into_iter()
            .filter(|prerequisite| *prerequisite != own)
            .find_map(|(id, variant)| {
                let scenario = id.to_owned();
                let case = TestCase { scenario, variant };
                Some(format!("{case} did not hold: {}", failed.get(&case)?))
            })
    };
    jobs.iter()
        .filter_map(|job| Some((job.number, reason(job)?)))
        .collect()
}

/// The prerequisites of a job, the most basic first.
fn prerequisites_of(job: &Job, target: &Target, facts: &TargetFacts) -> Vec<Prerequisite> {
    let scenario = &job.scenario;
    let base = base(target);
    // A server that refuses every login cannot be tested for wrong passwords either.
    let logs_in = scenario.about.login
        || needs_directory(scenario, target)
        || scenario.steps.iter().any(|step| names_a_user(&step.action));
    let logs_in = logs_in && scenario.id.0 != LOGIN;
    if !logs_in {
        return vec![];
    }
    let variant = job.variant;
    let family = |ipv6: bool| Variant {
        data: if ipv6 { DataMode::Epsv } else { DataMode::Pasv },
        ipv6,
        ..base
    };
    let protected = variant.protection != base.protection;
    // A server may require TLS, so a protected job does not depend on one in clear.
    let own = Variant {
        protection: variant.protection,
        ..base
    };
    let mut all = vec![(ENTER, own)];
    if variant.ipv6 != base.ipv6 {
        all.push((ENTER, family(variant.ipv6)));
    }
    let transfer = if target.writable { TRANSFER } else { LISTING };
    let modes = data_modes(scenario, variant.data);
    // A mode of the other address family cannot be tested first.
    let senseless = |mode: DataMode| {
        variant.ipv6 && matches!(mode, DataMode::Pasv | DataMode::Port)
            || !facts.epsv && mode == DataMode::Epsv
            || !facts.eprt && mode == DataMode::Eprt
    };
    let data = if facts.epsv {
        DataMode::Epsv
    } else {
        base.data
    };
    // One transfer under TLS is enough and replaces the same one in clear.
    let once = (protected && !modes.is_empty()).then_some(Variant { data, ..own });
    let stands_for =
        |it: Variant| once.is_some_and(|once| (once.data, once.ipv6) == (it.data, it.ipv6));
    for data in modes.iter().copied().filter(|mode| !senseless(*mode)) {
        let ipv6 = variant.ipv6;
        let tried = Variant { data, ipv6, ..base };
        if !stands_for(tried) {
            all.push((transfer, tried));
        }
    }
    all.extend(once.map(|once| (transfer, once)));
    all
}

/// Whether this action begins a login.
fn names_a_user(action: &Action) -> bool {
    match action {
        Action::Login => true,
        Action::Send(line) => {
            let verb = line.split(' ').next().unwrap_or_default();
            verb.eq_ignore_ascii_case("USER")
        }
        _ => false,
    }
}

/// The simplest variant that the target supports.
fn base(target: &Target) -> Variant {
    let ipv6 = target.address(false).is_none();
    Variant {
        data: if ipv6 { DataMode::Epsv } else { DataMode::Pasv },
        protection: target.least_protection(),
        ipv6,
        driver: DriverKind::Raw,
    }
}

fn stage((id, variant): Prerequisite, target: &Target) -> usize {
    let base = base(target);
    let plain = variant.protection == base.protection && variant.ipv6 == base.ipv6;
    match (id == ENTER, plain) {
        (true, true) => 0,
        (true, false) | (false, true) => 1,
        (false, false) => 2,
    }
}
