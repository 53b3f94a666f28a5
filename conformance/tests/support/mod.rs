//! The fixture of the tests that play the suite.

use ftpspec::internals::driver::Timeouts;
use ftpspec::internals::runner::{Job, Selection, SkipReason, Skipped, plan};
use ftpspec::internals::selftest::Harness;
use ftpspec::internals::subject::{Target, probe};
use ftpspec::internals::suite::Suite;
use libtest_mimic::{Arguments, Trial};
use std::any::Any;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// A server, the planned jobs, and the runtime.
pub(crate) struct Fixture {
    pub(crate) runtime: Runtime,
    pub(crate) harness: Harness,
    pub(crate) jobs: Vec<Job>,
    /// Variants that are skipped only because this machine has no IPv6 address.
    for_ipv6: Vec<Skipped>,
    _server: Box<dyn Any + Send + Sync>,
}

impl Fixture {
    /// Plans the suite in `scenarios/` against a server that runs until `Kept` is dropped.
    pub(crate) fn start<Kept: Send + Sync + 'static>(
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
        for_ipv6.retain(|skipped| skipped.reason == SkipReason::NoAddress { ipv6: true });
        Arc::new(Self {
            runtime,
            harness: Harness { target, facts },
            jobs: plan.jobs,
            for_ipv6,
            _server: Box::new(kept),
        })
    }

    /// What this machine cannot play, as ignored tests with the reason. Without `every_variant`,
    /// only scenarios of which no variant is played.
    pub(crate) fn ignored(&self, every_variant: bool) -> impl Iterator<Item = Trial> {
        let plays = |id: &str| self.jobs.iter().any(|job| job.scenario.id.0 == id);
        let left = self.for_ipv6.iter();
        left.filter(move |it| every_variant || !plays(&it.scenario))
            .map(|it| {
                let variant = it.variant.map(|it| it.to_string()).unwrap_or_default();
                let name = format!("{} [{variant}] (ignored: {})", it.scenario, it.reason);
                Trial::test(name, || Ok(())).with_ignored_flag(true)
            })
    }
}

/// Runs one test per trial, named by its scenario.
pub(crate) fn run(trials: Vec<Trial>) -> ! {
    let mut arguments = Arguments::from_args();
    // The tests mostly wait for servers.
    arguments.test_threads = arguments.test_threads.or(Some(8));
    libtest_mimic::run(&arguments, trials).exit()
}
