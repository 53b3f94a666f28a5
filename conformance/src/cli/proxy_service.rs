//! A proxy that runs until it is to stop: for `record` and `proxy`.

use super::Format;
use super::ca_file::CaFile;
use super::exit_code::CommandError;
use super::session_files::SessionFiles;
use super::session_lines::Printer;
use super::signals::StopSignals;
use super::upstream::Announcement;
use crate::proxy::{Activity, Observer, Observers, OnActivity, Proxy, Settings, Watcher};
use crate::replay::{DriftWatcher, Expected};
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

/// A proxy that runs until it is to stop.
pub(super) struct Service<'a> {
    /// What it does, for people.
    pub(super) title: &'a str,
    /// The server, without user and password.
    pub(super) upstream: &'a str,
    /// The file that is written.
    pub(super) file: Option<&'a Path>,
    /// Ends after this many sessions.
    pub(super) sessions: Option<u64>,
    /// See [`Announcement`].
    pub(super) format: Option<Format>,
    /// What the sessions are compared with.
    pub(super) expected: Option<Arc<Expected>>,
}

impl Service<'_> {
    /// Serves until a signal comes, or as many sessions as were asked for have ended.
    ///
    /// # Errors
    /// It cannot listen, or say so.
    pub(super) async fn run(
        &self,
        settings: impl FnOnce(Observers) -> Settings,
        files: Option<Arc<SessionFiles>>,
    ) -> Result<(), CommandError> {
        let failure = |error: io::Error| CommandError::failure(error);
        let mut stop = StopSignals::listen().map_err(failure)?;
        raise_handle_limit();
        let (ended, mut endings) = mpsc::unbounded_channel();
        let expected = self.expected.clone();
        let printer = Printer::start(self.format);
        let settings = settings(observers(files, expected, printer.on_activity(), ended));
        let implicit = settings.tls.implicit_listener;
        let proxy = Proxy::start(settings).map_err(failure)?;
        let ca = CaFile::write(proxy.ca_pem()).map_err(failure)?;
        let announcement = Announcement {
            title: self.title,
            address: proxy.address(),
            implicit,
            upstream: self.upstream,
            ca: ca.path(),
            file: self.file,
        };
        announcement.print(self.format).map_err(failure)?;
        let mut left = self.sessions;
        while left != Some(0) {
            tokio::select! {
                _ = endings.recv() => left = left.map(|left| left - 1),
                () = stop.next() => break,
            }
        }
        proxy.stop().await;
        printer.finish();
        Ok(())
    }
}

/// Allows as many open files as the system lets this process have: a session takes two connections,
/// a file, and up to three more while data is transferred.
fn raise_handle_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        let _refused = setrlimit(Resource::Nofile, limit);
    }
}

/// Records sessions where there are files for them, and shows what happens in them.
fn observers(
    files: Option<Arc<SessionFiles>>,
    expected: Option<Arc<Expected>>,
    print: OnActivity,
    ended: mpsc::UnboundedSender<()>,
) -> Observers {
    let on_activity: OnActivity = Arc::new(move |session, activity| {
        let is_end = activity == Activity::Ended;
        print(session, activity);
        if is_end {
            let _stopped = ended.send(());
        }
    });
    Box::new(move |number, _| {
        let mut inner: Arc<dyn Observer> = match &files {
            Some(files) => files.recorder(number)?,
            None => Arc::new(()),
        };
        if let Some(recorded) = expected.as_ref().and_then(|it| it.session(number)) {
            let on_activity = Arc::clone(&on_activity);
            let report = move |found| on_activity(number, Activity::Drift(found));
            inner = Arc::new(DriftWatcher::new(inner, recorded, Box::new(report)));
        }
        let watcher = Watcher::new(inner, number, Arc::clone(&on_activity));
        Ok(Arc::new(watcher) as _)
    })
}
