//! What the tests of the suite share: the embedded server, the usual jobs, a verdict.

use ftpspec::catalogue::Registry;
use ftpspec::check::{Context, Features, expectation};
use ftpspec::driver::Timeouts;
use ftpspec::runner::{Job, Played, Selection, plan};
use ftpspec::suite::Suite;
use ftpspec::target::{Embedded, Target, TargetFacts, probe};
use ftpspec::transcript::Conversation;
use ftpspec::verdict::{Evidence, JudgeTally, Outcome, Verdict, conclude};
use libtest_mimic::{Arguments, Trial};
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// The reference server, what is planned against it, and the runtime both live in.
pub(crate) struct House {
    pub(crate) runtime: Runtime,
    pub(crate) target: Arc<Target>,
    pub(crate) facts: TargetFacts,
    pub(crate) jobs: Vec<Job>,
    _embedded: Embedded,
}

impl House {
    /// Starts the reference server and plans the suite as it lies in `scenarios/`.
    pub(crate) fn open() -> Arc<Self> {
        let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
        let suite = Suite::load(&[scenarios]).expect("scenarios/ can be read");
        let broken: Vec<_> = suite.broken.iter().map(|file| &file.path).collect();
        assert!(broken.is_empty(), "scenarios with errors: {broken:?}");
        let scenarios: Vec<_> = suite.scenarios.into_iter().map(Arc::new).collect();
        let runtime = Runtime::new().expect("a runtime can be made");
        let embedded = runtime
            .block_on(Embedded::start())
            .expect("the reference server starts");
        let target = Arc::clone(embedded.target());
        let facts = runtime.block_on(probe(&target, Timeouts::default()));
        let profiles = vec!["security".to_owned()];
        let selection = Selection {
            profiles,
            ..Selection::default()
        };
        let plan = plan(&scenarios, &selection, &target, &facts);
        Arc::new(Self {
            runtime,
            target,
            facts,
            jobs: plan.jobs,
            _embedded: embedded,
        })
    }

    /// What was played, judged: the scenario's own verdict, and the worst an always-on judge says.
    pub(crate) fn verdict(&self, played: &Played) -> (Verdict, Outcome) {
        let registry = Registry::built_in();
        let conversations = Conversation::all(&played.transcript);
        let mut features = Features::of(&Conversation::all(&self.facts.transcript));
        features.learn(&conversations);
        let context = Context {
            transcript: &played.transcript,
            conversations: &conversations,
            registry,
        };
        let scenario = &played.job.scenario;
        let variant = played.job.variant.to_string();
        let mut judges = JudgeTally::default();
        judges.look(&scenario.id.0, &variant, &context);
        let evidence = Evidence {
            scenario,
            variant: &variant,
            stop: played.stop.as_ref(),
            conversations: &conversations,
            features: &features,
            registry,
        };
        let verdict = conclude(
            &evidence,
            expectation(scenario, played.stop.as_ref(), &context),
        );
        let worst = judges.verdicts().iter().map(|judge| judge.outcome).max();
        (verdict, worst.unwrap_or(Outcome::Pass))
    }
}

/// Runs one test per trial, named by its scenario.
pub(crate) fn run(trials: Vec<Trial>) -> ! {
    libtest_mimic::run(&Arguments::from_args(), trials).exit()
}
