//! What a campaign plays, against which server, and how.
//!
//! The types are clap arguments at the same time: an option exists once, and its documentation is
//! its help text.

use super::CampaignError;
use crate::driver::Timeouts;
use crate::report::{Filters, Part};
use crate::runner::Selection;
use crate::scenario::{TestCase, Variant};
use crate::subject::HostAddress;
use crate::suite::sets::FrozenSet;
use crate::suite::suggest::unmatched_pattern;
use crate::suite::{Suite, selects};
use clap::{Args, ValueEnum};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// How long a reply may take unless `--timeout` is given.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// How a server is named, for error messages.
pub(super) const URL_SYNTAX: &str = "A server is ftp://[user[:password]@]host[:port][/directory], \
or ftps://… for implicit TLS.";

/// What is played, and against which server.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct Options {
    /// Scenario files and directories; `None` is the built-in suite.
    #[arg(skip)]
    pub files: Option<Vec<PathBuf>>,
    /// The URL of the server; without it, and without `exec`, the bundled reference server.
    #[arg(skip)]
    pub url: Option<String>,
    /// What fails the run.
    #[arg(skip)]
    pub criteria: Criteria,
    /// Only these scenarios: an id, a directory, a glob or a part of the id; may be repeated.
    #[arg(long, value_name = "PATTERN")]
    pub select: Vec<String>,
    /// Only scenarios of this frozen set (`ftpspec list sets`) or of a set in a file *.toml; may be
    /// repeated.
    #[arg(long = "set", value_name = "SET")]
    pub sets: Vec<String>,
    /// Only this variant of each scenario, as shown in the report (`pasv`, `epsv tls` …).
    #[arg(long, value_name = "VARIANT")]
    pub variant: Option<Variant>,
    /// Which combinations of data mode, protection, address family and driver are played.
    #[arg(long, value_enum, default_value_t)]
    pub matrix: Matrix,
    /// Also plays the opt-in scenarios of this profile; may be repeated.
    #[arg(long = "profile", value_name = "NAME")]
    pub profiles: Vec<String>,
    /// Starts the server with this command instead of connecting to a URL. {port}, {root}, {host},
    /// {user}, {password}, {cert} and {key} are replaced. The command must stay in the foreground
    /// and is run without a shell.
    #[arg(long, value_name = "CMD")]
    pub exec: Option<String>,
    /// User name, if it is not in the URL.
    #[arg(long)]
    pub user: Option<String>,
    /// Password, if it is not in the URL.
    #[arg(long, env = "FTPSPEC_PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
    /// CA certificate (PEM) that must have issued the server's certificate. [default: any
    /// certificate is accepted]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// IP address of the server, instead of looking up its name; may be repeated, for IPv4 and
    /// IPv6.
    #[arg(long = "address", value_name = "IP")]
    pub addresses: Vec<HostAddress>,
    /// Port for implicit TLS, in addition to the port of the URL or of --exec.
    #[arg(long, value_name = "PORT")]
    pub implicit_port: Option<u16>,
    /// Creates and changes nothing: plays only scenarios that need no file of their own.
    #[arg(long)]
    pub read_only: bool,
    /// Working directory on the server. [default: that of the URL, or the login directory]
    #[arg(long, value_name = "DIR")]
    pub path: Option<String>,
    /// Maximum number of simultaneous control connections; a scenario uses two or more.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub max_connections: Option<u16>,
    /// Number of scenarios played at the same time. [default: 1 for a URL, 4 with --exec, 8 for the
    /// bundled server]
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Seconds to wait for a reply. [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,
}

/// What fails a run.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct Criteria {
    /// A broken SHOULD fails the run too.
    #[arg(long)]
    pub strict: bool,
    /// Plays only part K of N of the scenarios; `ftpspec report merge` joins the reports.
    #[arg(long, value_name = "hash:K/N")]
    pub partition: Option<Part>,
    /// File of known deviations: they do not fail the run; an entry that no longer fails is stale
    /// and does. May be repeated.
    #[arg(long = "baseline", value_name = "FILE")]
    pub baselines: Vec<PathBuf>,
}

/// `--matrix`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Matrix {
    /// Each value of each axis at least once.
    #[default]
    Default,
    /// Every combination.
    Full,
}

/// The scenarios of the selected sets; all scenarios if no set is selected.
#[derive(Debug, Clone)]
pub(crate) struct SelectedSets(Option<BTreeSet<String>>);

impl SelectedSets {
    pub(crate) fn contains(&self, scenario: &str) -> bool {
        self.0.as_ref().is_none_or(|ids| ids.contains(scenario))
    }
}

impl Options {
    pub(super) fn suite(&self) -> Result<Suite, CampaignError> {
        match &self.files {
            None => Ok(Suite::embedded()),
            Some(files) => Suite::load(files).map_err(CampaignError::usage),
        }
    }

    /// Refuses a pattern or a profile that selects no scenario of the suite, and options that have
    /// no effect on the bundled server.
    pub(super) fn validate(&self, suite: &Suite) -> Result<(), CampaignError> {
        if suite.scenarios.is_empty() && suite.broken.is_empty() {
            let message = "run: no scenario (*.ftpt) in the given files and directories";
            return Err(CampaignError::NothingSelected(message.into()));
        }
        if let Some(message) = unmatched_pattern(suite, &self.select)
            && suite.broken.is_empty()
        {
            return Err(CampaignError::NothingSelected(format!("select: {message}")));
        }
        let embedded = Suite::embedded();
        let all = suite.scenarios.iter().chain(&embedded.scenarios);
        let known: BTreeSet<&str> = all
            .filter_map(|scenario| scenario.about.profile.as_deref())
            .collect();
        let mut profiles = self.profiles.iter();
        match profiles.find(|name| !known.contains(name.as_str())) {
            None => Ok(()),
            Some(name) => Err(CampaignError::usage(format!(
                "profile: no scenario has the profile `{name}`; available: {}",
                Vec::from_iter(known).join(", ")
            ))),
        }
    }

    /// Refuses options that would have no effect: the bundled server has its own user, CA and port.
    ///
    /// # Errors
    /// [`CampaignError::Usage`] with the name of the option.
    pub(crate) fn reject_ineffective(&self) -> Result<(), CampaignError> {
        if self.url.is_some() || self.exec.is_some() {
            return Ok(());
        }
        let options = [
            ("--ca", self.ca.is_some()),
            ("--user", self.user.is_some()),
            ("--address", !self.addresses.is_empty()),
            ("--implicit-port", self.implicit_port.is_some()),
            ("--path", self.path.is_some()),
        ];
        match options.into_iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((option, _)) => Err(CampaignError::usage(format!(
                "{option}: has no effect on the bundled reference server, which is tested when no \
                 URL is given\n{URL_SYNTAX}"
            ))),
        }
    }

    /// Whether the whole built-in suite is selected.
    pub(crate) fn selects_all(&self) -> bool {
        let filters = self.filters();
        !filters.scenarios && !filters.variants
    }

    /// What the options leave out.
    pub(super) fn filters(&self) -> Filters {
        Filters {
            scenarios: self.files.is_some() || !self.select.is_empty() || !self.sets.is_empty(),
            variants: self.variant.is_some(),
        }
    }

    /// The scenarios of the selected sets. A set that was frozen from other scenario texts is
    /// refused.
    pub(crate) fn selected_sets(&self, suite: &Suite) -> Result<SelectedSets, CampaignError> {
        if self.sets.is_empty() {
            return Ok(SelectedSets(None));
        }
        let mut ids = BTreeSet::new();
        for name in &self.sets {
            let set = FrozenSet::find(name).map_err(CampaignError::usage)?;
            if self.files.is_none()
                && let Some(first) = set.thawed(suite).first()
            {
                return Err(CampaignError::usage(format!(
                    "set {name}: {first}; the set belongs to another version of the suite"
                )));
            }
            ids.extend(set.scenarios.into_keys());
        }
        Ok(SelectedSets(Some(ids)))
    }

    /// Whether a scenario in a variant is selected.
    pub(crate) fn selects(&self, case: &TestCase) -> bool {
        let mut patterns = self.select.iter();
        (self.select.is_empty() || patterns.any(|pattern| selects(pattern, &case.scenario)))
            && self.variant.is_none_or(|only| only == case.variant)
    }

    pub(super) fn selection(&self) -> Selection {
        Selection {
            profiles: self.profiles.clone(),
            full: self.matrix == Matrix::Full || self.variant.is_some(),
            variants: self.variant.into_iter().collect(),
            ..Selection::default()
        }
    }

    /// The limit of each wait, before the round-trip time is known.
    pub(super) fn timeouts(&self) -> Timeouts {
        let limit = self.timeout.unwrap_or(DEFAULT_TIMEOUT);
        Timeouts {
            connect: limit,
            reply: limit,
            data: limit,
            handshake: limit,
            ..Timeouts::default()
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected a number of seconds greater than 0 and at most 3600".into()),
    }
}

/// The URL of a server; ftp:// is added where there is no scheme.
pub(super) fn with_scheme(url: &str) -> Cow<'_, str> {
    if url.contains("://") {
        Cow::Borrowed(url)
    } else {
        Cow::Owned(format!("ftp://{url}"))
    }
}
