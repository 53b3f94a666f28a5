//! `ftpspec check` and `ftpspec run`: scenarios are played, judged and reported.

use super::serve::interrupted;
use super::{TROUBLE, USAGE};
use crate::catalogue::Registry;
use crate::check::{Context, Features, expectation};
use crate::driver::{Timeouts, Trust};
use crate::report::{self, Look, Report, Row, SkippedRow, Tested, excerpt};
use crate::runner::{Job, Manner, Played, RunEvent, Selection, Variant, plan, run_all};
use crate::scenario::render;
use crate::suite::Suite;
use crate::target::{Embedded, Target, TargetFacts, probe};
use crate::transcript::{Conversation, write};
use crate::verdict::{Evidence, JudgeTally, Outcome, conclude};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Scenarios played at once against the bundled server.
const AT_ONCE: usize = 8;

/// What `check` and `run` are asked for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Scenario files and directories; none is the whole suite.
    pub files: Option<Vec<PathBuf>>,
    /// The server; none is the bundled reference server.
    pub url: Option<String>,
    /// The user, if not in the URL.
    pub user: Option<String>,
    /// The password, if not in the URL.
    pub password: Option<String>,
    /// The CA its certificate must come from; none accepts any certificate.
    pub ca: Option<PathBuf>,
    /// Patterns of ids; none is all.
    pub select: Vec<String>,
    /// Only this variant.
    pub variant: Option<String>,
    /// Every combination of the axes.
    pub full: bool,
    /// Opt-in profiles.
    pub profiles: Vec<String>,
    /// How many at once.
    pub jobs: Option<usize>,
    /// Seconds to wait for a reply.
    pub timeout: f64,
    /// A WARN fails the run.
    pub strict: bool,
    /// JSON on stdout.
    pub json: bool,
    /// Where transcripts go.
    pub transcripts: Option<PathBuf>,
}

/// Plays, judges and reports; the report is on stdout, progress and trouble on stderr. The answer is an exit code.
pub async fn check(wish: Wish) -> i32 {
    match run(&wish).await {
        Ok(report) => {
            let text = if wish.json {
                report::json(&report)
            } else {
                let colour =
                    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
                report::terminal(
                    &report,
                    Look {
                        colour,
                        strict: wish.strict,
                    },
                )
            };
            // A reader that left early (`| head`) is no failure of the run.
            let _ = io::stdout().write_all(text.as_bytes());
            report.exit_code(wish.strict)
        }
        Err(Failure { code, message }) => {
            eprintln!("{message}");
            code
        }
    }
}

/// Why there is no report.
struct Failure {
    code: i32,
    message: String,
}

fn usage(message: impl ToString) -> Failure {
    Failure {
        code: USAGE,
        message: message.to_string(),
    }
}

async fn run(wish: &Wish) -> Result<Report, Failure> {
    let (suite, broken_files) = suite(wish)?;
    let variants = match &wish.variant {
        Some(text) => vec![text.parse::<Variant>().map_err(usage)?],
        None => Vec::new(),
    };
    if !(wish.timeout > 0.0 && wish.timeout <= 3600.0) {
        return Err(usage("timeout: give between 0 and 3600 seconds"));
    }
    if let Some(directory) = &wish.transcripts {
        std::fs::create_dir_all(directory)
            .map_err(|error| usage(format!("{}: {error}", directory.display())))?;
    }
    let server = Server::of(wish).await?;
    let target = server.target();
    let began = Instant::now();
    let started = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());

    let patience = Duration::from_secs_f64(wish.timeout);
    let timeouts = Timeouts {
        connect: patience,
        reply: patience,
        data: patience,
        handshake: patience,
        ..Timeouts::default()
    };
    let facts = probe(&target, timeouts).await;
    if !facts.reachable {
        let why = facts.trouble.unwrap_or_default();
        return Err(Failure {
            code: TROUBLE,
            message: format!(
                "target: {} cannot be reached: {why}\nIs it running there, and not behind a firewall?",
                server.shown
            ),
        });
    }
    let scenarios: Vec<_> = suite
        .select(&wish.select)
        .into_iter()
        .cloned()
        .map(Arc::new)
        .collect();
    let full = wish.full || !variants.is_empty();
    let selection = Selection {
        profiles: wish.profiles.clone(),
        full,
        variants,
        ..Selection::default()
    };
    let plan = plan(&scenarios, &selection, &target, &facts);
    let manner = Manner {
        timeouts: timeouts.for_round_trip(facts.round_trip),
        deadline: Duration::from_secs(30).max(patience * 6),
        run: run_name(&server, started),
    };
    let mut desk = Desk::new(wish, &server, &facts, plan.jobs.len());
    let usual = if server.embedded.is_some() {
        AT_ONCE
    } else {
        1
    };
    let at_once = wish.jobs.unwrap_or(usual);
    let cut_short = tokio::select! {
        () = run_all(plan.jobs, &target, &manner, at_once, |event| desk.hear(event)) => false,
        _ = interrupted() => true,
    };
    desk.progress.clear();
    let tested = Tested {
        url: server.shown.clone(),
        greeting: facts.greeting.clone(),
        features: facts.features.clone(),
    };
    let skipped = plan.skipped.into_iter().map(|skipped| SkippedRow {
        scenario: skipped.scenario,
        variant: skipped.variant,
        reason: skipped.reason,
    });
    let report = Report {
        schema: "ftpspec-report".into(),
        version: report::VERSION,
        ftpspec: env!("CARGO_PKG_VERSION").into(),
        target: tested,
        started,
        took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        interrupted: cut_short,
        scenarios: desk.rows,
        judges: desk.judges.verdicts(),
        skipped: skipped.collect(),
        broken_files,
    };
    server.stop().await;
    Ok(report)
}

/// The scenarios, and the files that are none; what is wrong with those goes to stderr at once.
fn suite(wish: &Wish) -> Result<(Suite, Vec<String>), Failure> {
    let suite = match &wish.files {
        None => Suite::embedded(),
        Some(files) => Suite::load(files).map_err(usage)?,
    };
    let colour = io::stderr().is_terminal();
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

/// Directories of two runs against one server must not meet; those of the bundled one are alike from run to run.
fn run_name(server: &Server, started: u64) -> String {
    match server.embedded {
        Some(_) => "run".into(),
        None => format!("{:x}{:x}", started & 0xff_ffff, std::process::id() & 0xfff),
    }
}

/// The server under test, and whether we have to stop it.
struct Server {
    embedded: Option<Embedded>,
    target: Arc<Target>,
    /// As a URL without password, or `embedded`.
    shown: String,
}

impl Server {
    async fn of(wish: &Wish) -> Result<Self, Failure> {
        let Some(url) = &wish.url else {
            let embedded = Embedded::start().await.map_err(|message| Failure {
                code: TROUBLE,
                message,
            })?;
            let target = Arc::clone(embedded.target());
            return Ok(Self {
                embedded: Some(embedded),
                target,
                shown: "embedded".into(),
            });
        };
        let url = if url.contains("://") {
            url.clone()
        } else {
            format!("ftp://{url}")
        };
        let mut target = Target::from_url(&url).await.map_err(usage)?;
        if let Some(user) = &wish.user {
            target.user.clone_from(user);
        }
        if let Some(password) = &wish.password {
            target.password.clone_from(password);
        }
        if let Some(ca) = &wish.ca {
            target.trust = trust(ca)?;
        }
        let shown = without_password(&url);
        Ok(Self {
            embedded: None,
            target: Arc::new(target),
            shown,
        })
    }

    fn target(&self) -> Arc<Target> {
        Arc::clone(&self.target)
    }

    async fn stop(self) {
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
    }
}

fn trust(ca: &Path) -> Result<Trust, Failure> {
    let pem = std::fs::read(ca).map_err(|error| usage(format!("{}: {error}", ca.display())))?;
    Trust::from_pem(&pem).map_err(|error| usage(format!("{}: {error}", ca.display())))
}

fn without_password(url: &str) -> String {
    let Ok(mut parsed) = url::Url::parse(url) else {
        return "?".into();
    };
    // Only a URL without host refuses this, and that is no target.
    let _ = parsed.set_password(None);
    parsed.to_string().trim_end_matches('/').to_owned()
}

/// Where what was played arrives, one job after the other, and is judged.
struct Desk<'a> {
    wish: &'a Wish,
    server: &'a Server,
    registry: &'static Registry,
    features: Features,
    judges: JudgeTally,
    rows: Vec<Row>,
    progress: Progress,
}

impl<'a> Desk<'a> {
    fn new(wish: &'a Wish, server: &'a Server, facts: &TargetFacts, jobs: usize) -> Self {
        let conversations = Conversation::all(&facts.transcript);
        Self {
            wish,
            server,
            registry: Registry::built_in(),
            features: Features::of(&conversations),
            judges: JudgeTally::default(),
            rows: Vec::new(),
            progress: Progress::new(jobs),
        }
    }

    fn hear(&mut self, event: RunEvent) {
        match event {
            RunEvent::Started(job) => self.progress.started(&job),
            RunEvent::Finished(played) => {
                let row = self.judge(*played);
                self.progress.finished(row.verdict.outcome);
                self.rows.push(row);
            }
        }
    }

    fn judge(&mut self, played: Played) -> Row {
        let scenario = &played.job.scenario;
        let variant = played.job.variant.to_string();
        let conversations = Conversation::all(&played.transcript);
        self.features.learn(&conversations);
        let context = Context {
            transcript: &played.transcript,
            conversations: &conversations,
            registry: self.registry,
        };
        self.judges.look(&scenario.id.0, &variant, &context);
        let evidence = Evidence {
            scenario,
            variant: &variant,
            stop: played.stop.as_ref(),
            conversations: &conversations,
            features: &self.features,
            registry: self.registry,
        };
        let verdict = conclude(
            &evidence,
            expectation(scenario, played.stop.as_ref(), &context),
        );
        if let Some(directory) = &self.wish.transcripts {
            keep(directory, &played);
        }
        // The first of the worst is what the outcome rests on.
        let wire = match verdict.findings.iter().min_by_key(|finding| finding.level) {
            Some(finding) => excerpt(&played.transcript, finding.event),
            None if verdict.outcome > Outcome::Warn => excerpt(&played.transcript, usize::MAX),
            None => Vec::new(),
        };
        Row {
            title: scenario.about.title.clone(),
            level: scenario.about.level,
            cites: scenario.about.cites.clone(),
            covers: scenario.about.covers.clone(),
            took_ms: u64::try_from(played.took.as_millis()).unwrap_or(u64::MAX),
            wire,
            again: self.again(&played.job, &variant),
            verdict,
        }
    }

    /// The command that plays this job alone.
    fn again(&self, job: &Job, variant: &str) -> String {
        let id = &job.scenario.id.0;
        let quoted = |text: &str| match text.contains([' ', '&', ';', '$', '\'']) {
            true => format!("'{}'", text.replace('\'', "'\\''")),
            false => text.to_owned(),
        };
        let variant = quoted(variant);
        match (&self.wish.files, &self.wish.url) {
            (None, None) => format!("ftpspec check --select {id} --variant {variant}"),
            (None, Some(_)) => {
                format!(
                    "ftpspec check {} --select {id} --variant {variant}",
                    quoted(&self.server.shown)
                )
            }
            (Some(files), url) => {
                let files: Vec<_> = files
                    .iter()
                    .map(|file| quoted(&file.display().to_string()))
                    .collect();
                let target = url
                    .as_ref()
                    .map(|_| format!(" --target {}", quoted(&self.server.shown)));
                let target = target.unwrap_or_default();
                format!(
                    "ftpspec run {}{target} --select {id} --variant {variant}",
                    files.join(" ")
                )
            }
        }
    }
}

fn keep(directory: &Path, played: &Played) {
    let name =
        format!("{} {}", played.job.scenario.id.0, played.job.variant).replace(['/', ' '], "-");
    let path = directory.join(format!("{name}.jsonl"));
    if let Err(error) = std::fs::write(&path, write(&played.transcript)) {
        eprintln!(
            "check: failed to keep the transcript {}: {error}",
            path.display()
        );
    }
}

/// One line on stderr that says how far it is; only on a terminal.
struct Progress {
    shown: bool,
    jobs: usize,
    done: usize,
    bad: usize,
}

impl Progress {
    fn new(jobs: usize) -> Self {
        Self {
            shown: io::stderr().is_terminal(),
            jobs,
            done: 0,
            bad: 0,
        }
    }

    fn started(&self, job: &Job) {
        if self.shown {
            let bad = if self.bad > 0 {
                format!(", {} not as it should be", self.bad)
            } else {
                String::new()
            };
            eprint!(
                "\r\x1b[2K{}/{}{bad}  {} [{}]",
                self.done, self.jobs, job.scenario.id, job.variant
            );
        }
    }

    fn finished(&mut self, outcome: Outcome) {
        self.done += 1;
        self.bad += usize::from(outcome.fails(false));
    }

    fn clear(&self) {
        if self.shown {
            eprint!("\r\x1b[2K");
        }
    }
}
