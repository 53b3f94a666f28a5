//! What a scenario needs of a target, read from its dialogue before it is played.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use crate::scenario::{Action, Connection, DataMode, Given, Need, Receive, Scenario, UserStep};
use crate::subject::Target;

/// Whether a scenario can only be played over IPv4: it uses PASV or PORT and does not need IPv6.
pub(super) fn is_ipv4_only(scenario: &Scenario) -> bool {
    !scenario.needs(&Need::Ipv6)
        && scenario.steps.iter().any(|step| match &step.action {
            Action::Send(line) => {
                let verb = line.split_whitespace().next().unwrap_or_default();
                verb.eq_ignore_ascii_case("PASV") || verb.eq_ignore_ascii_case("PORT")
            }
            Action::Data(Some(DataMode::Pasv | DataMode::Port)) => true,
            _ => false,
        })
}

/// The number of octets that the server may have to store at once. The embedded server stores them
/// in the memory of this process.
pub(super) fn weight(scenario: &Scenario) -> u64 {
    let lengths = scenario.steps.iter().map(|step| match &step.action {
        Action::Given(Given::File(_, content))
        | Action::SendData(content)
        | Action::WriteData(content)
        | Action::User {
            step: UserStep::Put(_, content) | UserStep::Append(_, content),
            ..
        } => content.static_length(),
        _ => 0,
    });
    lengths.fold(0, u64::saturating_add)
}

/// Whether a scenario needs a third party but there is no second local address to reach this target
/// from.
pub(super) fn lacks_third_party(scenario: &Scenario, target: Option<SocketAddr>) -> bool {
    let mut steps = scenario.steps.iter();
    let here = target.is_some_and(|target| target.ip() == Ipv4Addr::LOCALHOST);
    !here && steps.any(|step| matches!(step.action, Action::ThirdParty))
}

/// Whether a scenario starts TLS on a control connection itself.
pub(super) fn starts_tls(scenario: &Scenario) -> bool {
    let secures = |action: &Action| matches!(action, Action::Tls(_) | Action::TlsOrEnd(_));
    scenario.steps.iter().any(|step| secures(&step.action))
}

/// Whether a scenario may change what the server stores.
pub(super) fn writes(scenario: &Scenario) -> bool {
    const WRITING: &[&str] = &[
        "STOR", "STOU", "APPE", "DELE", "RMD", "XRMD", "MKD", "XMKD", "RNFR", "RNTO", "MFMT",
        "MFCT", "MFF", "SITE", "ALLO", "COMB", "RMDA",
    ];
    scenario.steps.iter().any(|step| match &step.action {
        Action::Send(line) => is_one_of(line, WRITING),
        // Raw octets may contain any command.
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

/// Whether a scenario is about starting TLS, or about its commands before TLS has started (RFC 2228
/// §3).
pub(super) fn begins_tls(scenario: &Scenario) -> bool {
    const SECURITY: &[&str] = &["AUTH", "ADAT", "PBSZ", "PROT", "CCC", "MIC", "CONF", "ENC"];
    starts_tls(scenario) || sends(scenario, SECURITY)
}

/// Whether a scenario sends REIN, which ends TLS (RFC 4217 §13), and does not start TLS again.
pub(super) fn ends_tls(scenario: &Scenario) -> bool {
    !starts_tls(scenario) && sends(scenario, &["REIN"])
}

fn sends(scenario: &Scenario, verbs: &[&str]) -> bool {
    let says = |action: &Action| matches!(action, Action::Send(line) if is_one_of(line, verbs));
    scenario.steps.iter().any(|step| says(&step.action))
}

fn is_one_of(line: &str, verbs: &[&str]) -> bool {
    let verb = line.split_whitespace().next().unwrap_or_default();
    verbs.iter().any(|it| verb.eq_ignore_ascii_case(it))
}

/// Whether a dialogue needs a directory of its own, although it changes nothing there.
pub(super) fn needs_own_directory(scenario: &Scenario) -> bool {
    let listing = |step: &UserStep| matches!(step, UserStep::Names(_) | UserStep::List(_));
    scenario.text.contains("${dir}")
        || scenario.steps.iter().any(|step| match &step.action {
            Action::User { step, .. } => listing(step),
            // The content of a listing is known only for files that the scenario created.
            Action::Receive(wanted) => !matches!(wanted, Receive::Anything),
            _ => false,
        })
}

/// Whether a directory has to be created: the scenario logs in, or needs files.
pub(super) fn needs_directory(scenario: &Scenario, target: &Target) -> bool {
    let prepared = |action: &Action| {
        matches!(
            action,
            Action::Login | Action::Given(_) | Action::Stored(..) | Action::Missing(_)
        )
    };
    let mut steps = scenario.steps.iter();
    target.writable && (scenario.about.login || steps.any(|step| prepared(&step.action)))
}

/// The maximum number of simultaneous control connections, including the runner's own.
pub(super) fn connections(scenario: &Scenario, target: &Target) -> usize {
    let mut names: BTreeSet<&Connection> =
        scenario.steps.iter().map(|step| &step.connection).collect();
    let main = Connection::main();
    names.insert(&main);
    names.len() + usize::from(needs_directory(scenario, target))
}

/// The data modes that a dialogue uses in a variant with the data mode `usual`.
pub(super) fn data_modes(scenario: &Scenario, usual: DataMode) -> BTreeSet<DataMode> {
    let mode = |action: &Action| match action {
        Action::Data(named) => Some(named.unwrap_or(usual)),
        Action::User { step, .. } => match step {
            UserStep::Put(..)
            | UserStep::Append(..)
            | UserStep::Get(..)
            | UserStep::Resume(..)
            | UserStep::Names(_)
            | UserStep::List(_) => Some(usual),
            UserStep::Size(..)
            | UserStep::Rename(..)
            | UserStep::Delete(_)
            | UserStep::Mkdir(_)
            | UserStep::Rmdir(_)
            | UserStep::Cwd(_) => None,
        },
        _ => None,
    };
    // A data command in the scenario itself (`> PASV`, `@listen`) is what it tests and not a
    // prerequisite; files are prepared in any mode that works.
    let steps = scenario.steps.iter();
    steps.filter_map(|step| mode(&step.action)).collect()
}
