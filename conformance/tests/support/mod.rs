//! What the tests of the suite share: the embedded server, the usual jobs, a verdict.

use ftpspec::driver::Timeouts;
use ftpspec::runner::{Job, Selection, Skipped, plan};
use ftpspec::selftest::Harness;
use ftpspec::subject::{Target, probe};
use ftpspec::suite::Suite;
use libtest_mimic::{Arguments, Trial};
use std::any::Any;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// A server, what is planned against it, and the runtime both live in.
pub(crate) struct House {
    pub(crate) runtime: Runtime,
    pub(crate) harness: Harness,
    pub(crate) jobs: Vec<Job>,
    /// What would be a job on a machine with IPv6. Whatever else is left out is left out on every machine.
    for_ipv6: Vec<Skipped>,
    _server: Box<dyn Any + Send + Sync>,
}

impl House {
    /// Plans the suite as it lies in `scenarios/` against a server that runs as long as what comes along with it is kept.
    pub(crate) fn around<Kept: Send + Sync + 'static>(
        server: impl Future<Output = (Arc<Target>, Kept)>,
    ) -> Arc<Self> {
        let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
        let suite = Suite::load(&[scenarios]).expect("scenarios/ can be read");
        let broken: Vec<_> = suite.broken.iter().map(|file| &file.path).collect();
        assert!(broken.is_empty(), "scenarios with errors: {broken:?}");
        let scenarios: Vec<_> = suite.scenarios.into_iter().map(Arc::new).collect();
        let runtime = Runtime::new().expect("a runtime can be made");
        let (target, kept) = runtime.block_on(server);
        let facts = runtime.block_on(probe(&target, Timeouts::default()));
        let profiles = vec!["security".to_owned(), "slow".to_owned()];
        let selection = Selection {
            profiles,
            ..Selection::default()
        };
        let plan = plan(&scenarios, &selection, &target, &facts);
        let mut for_ipv6 = plan.skipped;
        for_ipv6.retain(|skipped| skipped.reason.contains("no IPv6 address"));
        Arc::new(Self {
            runtime,
            harness: Harness { target, facts },
            jobs: plan.jobs,
            for_ipv6,
            _server: Box::new(kept),
        })
    }

    /// What this machine cannot play, as ignored tests that say why; of scenarios that are played otherwise only if
    /// `every_variant` is a test.
    pub(crate) fn ignored(&self, every_variant: bool) -> impl Iterator<Item = Trial> {
        let plays = |id: &str| self.jobs.iter().any(|job| job.scenario.id.0 == id);
        let left = self.for_ipv6.iter();
        left.filter(move |it| every_variant || !plays(&it.scenario))
            .map(|it| {
                let name = format!("{} [{}] (ignored: {})", it.scenario, it.variant, it.reason);
                Trial::test(name, || Ok(())).with_ignored_flag(true)
            })
    }
}

/// Runs one test per trial, named by its scenario.
pub(crate) fn run(trials: Vec<Trial>) -> ! {
    let mut arguments = Arguments::from_args();
    // They wait for servers more than they compute.
    arguments.test_threads = arguments.test_threads.or(Some(8));
    libtest_mimic::run(&arguments, trials).exit()
}
