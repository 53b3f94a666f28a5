//! What is asked for.

use super::{Failure, usage};
use crate::command::suggest::stray;
use crate::command::{NOTHING, ReportFiles};
use crate::driver::Timeouts;
use crate::report::{Filters, Part};
use crate::runner::Selection;
use crate::scenario::Variant;
use crate::scenario::render;
use crate::subject::HostAddress;
use crate::suite::sets::FrozenSet;
use crate::suite::{Suite, selects};
use anstream::{AutoStream, ColorChoice};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Seconds to wait for a reply, if nobody says otherwise.
pub const TIMEOUT: f64 = 5.0;

/// How a server is named.
pub(super) const A_SERVER: &str = "A server is ftp://[user[:password]@]host[:port][/directory], or ftps://… where TLS begins with the first octet.";

/// What `check` and `run` are asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wish {
    /// Scenario files and directories; none is the whole suite.
    pub files: Option<Vec<PathBuf>>,
    /// The server; none is the bundled reference server.
    pub url: Option<String>,
    /// The server as a command that is started, in place of a URL.
    pub exec: Option<String>,
    /// The user, if not in the URL.
    pub user: Option<String>,
    /// The password, if not in the URL.
    pub password: Option<String>,
    /// The CA its certificate must come from; none accepts any certificate.
    pub ca: Option<PathBuf>,
    /// Its addresses; none looks up the host of the URL.
    pub addresses: Vec<HostAddress>,
    /// Where its TLS begins with the first octet, besides the URL.
    pub implicit_port: Option<u16>,
    /// Patterns of ids; none is all.
    pub select: Vec<String>,
    /// Frozen sets, by name or file; none is all.
    pub sets: Vec<String>,
    /// Only this variant.
    pub variant: Option<String>,
    /// Every combination of the axes.
    pub full: bool,
    /// Opt-in profiles.
    pub profiles: Vec<String>,
    /// Nothing is made or changed there.
    pub read_only: bool,
    /// The directory to work in.
    pub path: Option<String>,
    /// How many control connections at once at most.
    pub max_connections: Option<usize>,
    /// How many at once.
    pub jobs: Option<usize>,
    /// Seconds to wait for a reply.
    pub timeout: f64,
    /// A WARN fails the run.
    pub strict: bool,
    /// Files of known deviations.
    pub baselines: Vec<PathBuf>,
    /// JSON on stdout.
    pub json: bool,
    /// Only this part of the scenarios.
    pub part: Option<Part>,
    /// Where the report goes besides stdout.
    pub outputs: ReportFiles,
    /// Where transcripts go.
    pub transcripts: Option<PathBuf>,
}

/// The scenarios of the sets that are asked for; all if none are.
#[derive(Debug, Clone)]
pub(in crate::command) struct Chosen(Option<BTreeSet<String>>);

impl Chosen {
    /// Whether this one is among them.
    pub(in crate::command) fn has(&self, scenario: &str) -> bool {
        self.0.as_ref().is_none_or(|ids| ids.contains(scenario))
    }
}

impl Wish {
    /// The scenarios, and the files that are none; what is wrong with those goes to stderr at once.
    pub(super) fn suite(&self) -> Result<(Suite, Vec<String>), Failure> {
        let suite = match &self.files {
            None => Suite::embedded(),
            Some(files) => Suite::load(files).map_err(usage)?,
        };
        let colour = AutoStream::choice(&io::stderr()) != ColorChoice::Never;
        for broken in &suite.broken {
            eprintln!(
                "{}",
                render(&broken.path, &broken.text, &broken.diagnostics, colour)
            );
        }
        let broken = suite
            .broken
            .iter()
            .map(|broken| broken.path.clone())
            .collect();
        Ok((suite, broken))
    }

    /// Why nothing could come of it with these scenarios: a pattern selects none, or a profile has none.
    pub(super) fn is_about(&self, suite: &Suite) -> Result<(), Failure> {
        let nothing = |message| Failure {
            code: NOTHING,
            message,
        };
        if suite.scenarios.is_empty() && suite.broken.is_empty() {
            let message = "run: there is no scenario (*.ftpt) in what was named";
            return Err(nothing(message.into()));
        }
        if let Some(why) = stray(suite, &self.select)
            && suite.broken.is_empty()
        {
            return Err(nothing(format!("select: {why}")));
        }
        let embedded = Suite::embedded();
        let all = suite.scenarios.iter().chain(&embedded.scenarios);
        let known: BTreeSet<&str> = all
            .filter_map(|scenario| scenario.about.profile.as_deref())
            .collect();
        match self
            .profiles
            .iter()
            .find(|name| !known.contains(name.as_str()))
        {
            None => Ok(()),
            Some(name) => Err(usage(format!(
                "profile: no scenario is in the profile `{name}`; there is {}",
                Vec::from_iter(known).join(", ")
            ))),
        }
    }

    /// What is asked for and would have no effect: the bundled server is what it is.
    pub(super) fn pointless(&self) -> Option<String> {
        if self.url.is_some() || self.exec.is_some() {
            return None;
        }
        let asked = [
            ("--ca", self.ca.is_some()),
            ("--user", self.user.is_some()),
            ("--address", !self.addresses.is_empty()),
            ("--implicit-port", self.implicit_port.is_some()),
            ("--path", self.path.is_some()),
        ];
        let (option, _) = asked.into_iter().find(|(_, asked)| *asked)?;
        Some(format!(
            "{option}: without a URL the bundled reference server is tested, which has its own\n{A_SERVER}"
        ))
    }

    /// Whether the whole suite is asked for.
    pub(in crate::command) fn selects_all(&self) -> bool {
        self.files.is_none()
            && self.select.is_empty()
            && self.sets.is_empty()
            && self.variant.is_none()
    }

    /// What nobody asks for.
    pub(super) fn filters(&self) -> Filters {
        Filters {
            scenarios: self.files.is_some() || !self.select.is_empty() || !self.sets.is_empty(),
            variants: self.variant.is_some(),
        }
    }

    /// The scenarios of the sets that are asked for. A set of which the suite is not what it was is refused.
    pub(in crate::command) fn chosen(&self, suite: &Suite) -> Result<Chosen, Failure> {
        if self.sets.is_empty() {
            return Ok(Chosen(None));
        }
        let mut ids = BTreeSet::new();
        for name in &self.sets {
            let set = FrozenSet::find(name).map_err(usage)?;
            let thawed = if self.files.is_none() {
                set.thawed(suite)
            } else {
                Vec::new()
            };
            if let Some(first) = thawed.first() {
                return Err(usage(format!(
                    "set {name}: {first}; it was made for another version of the suite"
                )));
            }
            ids.extend(set.scenarios.into_keys());
        }
        Ok(Chosen(Some(ids)))
    }

    /// Whether a scenario in a variant is asked for, wherever it was played.
    pub(in crate::command) fn selects(&self, scenario: &str, variant: &str) -> bool {
        let mut patterns = self.select.iter();
        (self.select.is_empty() || patterns.any(|pattern| selects(pattern, scenario)))
            && self.variant.as_ref().is_none_or(|wanted| {
                wanted.parse::<Variant>().ok() == variant.parse::<Variant>().ok()
            })
    }

    /// What is played of them.
    pub(super) fn selection(&self) -> Result<Selection, Failure> {
        let variants = match &self.variant {
            Some(text) => vec![text.parse::<Variant>().map_err(usage)?],
            None => Vec::new(),
        };
        Ok(Selection {
            profiles: self.profiles.clone(),
            full: self.full || !variants.is_empty(),
            variants,
            ..Selection::default()
        })
    }

    /// How long each wait may take, before the round trip is known.
    pub(super) fn timeouts(&self) -> Result<Timeouts, Failure> {
        if !(self.timeout > 0.0 && self.timeout <= 3600.0) {
            return Err(usage("timeout: give between 0 and 3600 seconds"));
        }
        let patience = Duration::from_secs_f64(self.timeout);
        Ok(Timeouts {
            connect: patience,
            reply: patience,
            data: patience,
            handshake: patience,
            ..Timeouts::default()
        })
    }
}

/// The URL of a server as somebody wrote it; without a scheme it is ftp.
pub(super) fn with_scheme(url: &str) -> Cow<'_, str> {
    if url.contains("://") {
        Cow::Borrowed(url)
    } else {
        Cow::Owned(format!("ftp://{url}"))
    }
}
