//! `ftpspec proxy`: a fault plan in front of any server.

use super::Format;
use super::exit_code::{CommandError, ExitCode};
use super::proxy_service::Service;
use super::session_files::SessionFiles;
use super::upstream::{ProxyOptions, without_login};
use crate::proxy::{Fault, FaultPlan, Plan, Settings, describe_for_proxy};
use crate::text::read_limited;
use clap::Args;
use regex::bytes::Regex;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Octets of the largest file with faults.
const LONGEST_PLAN: u64 = 1 << 20;

pub(super) const HELP: &str = "\
The proxy stands between any client and any server, follows the data connections
and ends TLS on both sides. The faults have the syntax of `ftpspec serve`; those
of the server's storage cannot be injected here. --list-faults lists the others.
Pathnames of faults are resolved from the last known working directory.

  when WHAT [nth N | every N | from N] [user NAME] [path GLOB] [session N]
       do ACTION [times K]

Examples:
  ftpspec proxy --upstream ftp://ftp.example.org \\
                --fault 'when RETR nth 2 do reset at 4096'
  ftpspec proxy --upstream ftps://host --upstream-ca ca.pem \\
                --fault-file faults.toml --record session.jsonl";

/// Injects faults between any client and any server.
#[derive(Debug, Args)]
pub(super) struct ProxyCommand {
    /// The server: ftp://host[:port], or ftps:// for implicit TLS.
    #[arg(long, value_name = "URL", required_unless_present = "list_faults")]
    upstream: Option<String>,
    /// A fault: 'when RETR nth 2 do reset at 4096'; may be repeated.
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Fault>,
    /// A TOML file of [[fault]] tables; may be repeated.
    #[arg(long, visible_alias = "faults", value_name = "FILE")]
    fault_file: Vec<PathBuf>,
    /// Prints the syntax of faults and the actions that a proxy can do, and exits.
    #[arg(long)]
    list_faults: bool,
    /// How long a fault stops a data connection or a handshake before it is given up.
    #[arg(long, value_name = "SECONDS", default_value = "120",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    hold: u64,
    #[command(flatten)]
    proxy: ProxyOptions,
    /// Records the sessions, as `ftpspec record` does, with the faults.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Replaces what matches in lines of the control connection before it is written; may be
    /// repeated.
    #[arg(long, value_name = "REGEX", requires = "record")]
    scrub: Vec<Regex>,
    /// Ends after this many sessions.
    #[arg(long, value_name = "N")]
    sessions: Option<u64>,
    /// The first line: for people, or JSON. [default: human on a terminal, else json]
    #[arg(long, value_enum)]
    format: Option<Format>,
}

impl ProxyCommand {
    /// Serves until a signal comes, or as many sessions as were asked for have ended.
    pub(super) async fn run(self) -> Result<ExitCode, CommandError> {
        let Some(url) = self.upstream.as_deref().filter(|_| !self.list_faults) else {
            let mut stdout = io::stdout().lock();
            let printed = stdout.write_all(describe_for_proxy().as_bytes());
            printed.map_err(|error| CommandError::failure(format!("proxy: {error}")))?;
            return Ok(ExitCode::Success);
        };
        let faults = self.plan()?.map(Arc::new);
        let (upstream, tls) = self.proxy.target(url).await?;
        let name = without_login(url);
        let files = match &self.record {
            Some(file) => Some(SessionFiles::new(file, name.clone(), self.scrub.clone())?),
            None => None,
        };
        let service = Service {
            title: "Injecting faults into sessions with",
            upstream: &name,
            file: self.record.as_deref(),
            sessions: self.sessions,
            format: self.format,
            expected: None,
        };
        let counted_faults = faults.clone();
        let settings = |observers| Settings {
            listen: self.proxy.listen(),
            upstream,
            tls,
            faults,
            observers,
        };
        service.run(settings, files.clone()).await?;
        if let Some(faults) = counted_faults {
            for (fault, count) in faults.counts() {
                let (seen, injected) = (count.seen, count.injected);
                anstream::eprintln!("{fault}: seen {seen}, injected {injected}");
            }
        }
        if let Some(files) = files {
            files.summarize(true)?;
        }
        Ok(ExitCode::Success)
    }

    fn plan(&self) -> Result<Option<FaultPlan>, CommandError> {
        let mut plan = Plan::new();
        plan.faults.extend(self.fault.iter().cloned());
        for path in &self.fault_file {
            let about = |error: &dyn std::fmt::Display| {
                CommandError::usage(format!("{}: {error}", path.display()))
            };
            let text = read_limited(path, LONGEST_PLAN).map_err(|error| about(&error))?;
            let read = Plan::from_toml(&text).map_err(|error| about(&error))?;
            plan.faults.extend(read.faults);
        }
        FaultPlan::new(plan, Duration::from_secs(self.hold)).map_err(|fault| {
            CommandError::usage(format!(
                "`{fault}` needs the storage of the server; a proxy can do these:\n\n{}",
                describe_for_proxy()
            ))
        })
    }
}
