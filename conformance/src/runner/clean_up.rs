//! Removes what a scenario made.
//!
//! Everything is removed by pathnames that begin with the name of the run's own directory, which no
//! other files can have: `DELE NAME/x` refers to a file in that directory or to nothing, whatever a
//! listing contained and whatever the working directory of the session is.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::timeout;

use super::listing::{LISTINGS, ListedName, entries};
use super::names::{given, strays};
use super::sandbox::{Fetched, Sandbox};
use crate::data::Data;
use crate::driver::{DriverError, Expected, SetupError};
use crate::scenario::Connection;
use crate::transcript::{EventKind, ObservationKind};

/// The maximum depth of a tree that is cleaned up.
const DEPTH: usize = 16;
/// The maximum number of entries that are removed.
const ENTRIES: usize = 10_000;

/// A directory that is being emptied.
struct Opened {
    /// Its pathname, relative to the parent of the run's own directory.
    path: Vec<u8>,
    /// What is still to be removed.
    entries: std::vec::IntoIter<ListedName>,
}

/// The names of files and directories that the scenario created.
struct Names {
    /// As they were sent: pathnames that stay inside the directory, the most recent first. Names
    /// with CR are left out: some servers take what follows a CR for a command.
    paths: Vec<Vec<u8>>,
    /// The components of all pathnames, in lower case.
    components: BTreeSet<Vec<u8>>,
}

impl Names {
    fn new(mut paths: Vec<Vec<u8>>) -> Self {
        let components = paths
            .iter()
            .flat_map(|path| path.split(|octet| *octet == b'/'));
        let components = components.map(<[u8]>::to_ascii_lowercase).collect();
        paths.retain(|path| !path.contains(&b'\r'));
        Self { paths, components }
    }

    fn has(&self, name: &[u8]) -> bool {
        self.components.contains(&name.to_ascii_lowercase())
    }
}

impl Sandbox {
    /// Removes the directory and its content as far as the server permits; `names` are removed even
    /// if listings do not show them. Returns the name of the directory if it still exists, and
    /// records that in the transcript, also when the time limit is reached.
    pub(super) async fn clean_up(
        mut self,
        names: &[Vec<u8>],
        patience: Duration,
    ) -> Option<String> {
        let cleaned = timeout(patience, self.remove_everything(names)).await;
        let is_clean = matches!(cleaned, Ok(Ok(true)));
        if !is_clean {
            let fact = format!("clean-up: {} is still there", self.name);
            let what = EventKind::Observed {
                kind: ObservationKind::Leftover,
                fact,
                octets: Data::default(),
                ok: false,
            };
            self.recorder.record(&Connection::runner(), what);
        }
        if self.session.control.is_open() {
            // How the server ends this session no longer matters.
            let _ = self.session.control.send_line("QUIT").await;
            let quiet = self.timeouts.quiet;
            let _ = self.session.control.until_closed_within(quiet).await;
            self.session.control.close().await;
        }
        (!is_clean).then(|| self.pathname().to_owned())
    }

    async fn remove_everything(&mut self, names: &[Vec<u8>]) -> Result<bool, SetupError> {
        if !(self.session.control.is_open() && self.leave().await) {
            self.log_in_again().await?;
        }
        self.remove_strays().await;
        // The scenario often leaves nothing, or the server removes trees.
        if self.remove().await {
            return Ok(true);
        }
        let mut paths = self.recorder.with_events(given);
        // The runner created the markers under these names.
        paths.retain(|path| !path.starts_with(self.name.as_bytes()));
        paths.extend(self.markers().map(String::into_bytes));
        paths.extend_from_slice(names);
        self.remove_contents(&Names::new(paths)).await;
        Ok(self.remove().await)
    }

    /// Removes what a server let a client create before login; it is next to the directory.
    async fn remove_strays(&mut self) {
        for name in self.recorder.with_events(strays) {
            self.remove_path(&name).await;
        }
    }

    /// Returns to the parent of the directory.
    async fn leave(&mut self) -> bool {
        let Some(base) = self.base.clone() else {
            return false;
        };
        self.command(b"CWD ", base.as_bytes()).await
    }

    async fn remove(&mut self) -> bool {
        let name = self.name.clone();
        self.command(b"RMD ", name.as_bytes()).await
    }

    /// Always sends DELE first: on a symbolic link it removes the link and not its target.
    async fn remove_path(&mut self, path: &[u8]) -> bool {
        self.command(b"DELE ", path).await || self.command(b"RMD ", path).await
    }

    /// Removes the content of the directory. Not recursive, since the server decides how deep a
    /// tree is.
    async fn remove_contents(&mut self, names: &Names) {
        let own = self.name.clone().into_bytes();
        let mut removed = 0;
        let mut open = vec![self.opened(own.clone(), names).await];
        while let Some(directory) = open.last_mut() {
            let Some(entry) = directory.entries.next() else {
                let emptied = open.pop().map(|emptied| emptied.path).unwrap_or_default();
                if !open.is_empty() {
                    self.command(b"RMD ", &emptied).await;
                }
                continue;
            };
            removed += 1;
            if removed > ENTRIES || !self.session.control.is_open() {
                return;
            }
            let path = [directory.path.as_slice(), b"/", entry.name.as_slice()].concat();
            // A name that the run did not create can lead elsewhere: it may be a link, or a wrong
            // listing.
            if !self.remove_path(&path).await
                && entry.is_directory
                && names.has(&entry.name)
                && open.len() <= DEPTH
            {
                open.push(self.opened(path, names).await);
            }
        }
        // What the listings did not show, or showed under another name.
        for name in &names.paths {
            let path = [own.as_slice(), b"/", name.as_slice()].concat();
            if !self.remove_path(&path).await && !self.session.control.is_open() {
                return;
            }
        }
    }

    async fn opened(&mut self, path: Vec<u8>, names: &Names) -> Opened {
        let mut entries = self.entries(&path).await;
        // A server that lists a name with CR accepts CR in names, unless its listing is wrong.
        entries.retain(|entry| !entry.name.contains(&b'\r') || names.has(&entry.name));
        let entries = entries.into_iter();
        Opened { path, entries }
    }

    async fn entries(&mut self, path: &[u8]) -> Vec<ListedName> {
        let Ok(path) = std::str::from_utf8(path) else {
            return vec![];
        };
        for (verb, form) in LISTINGS {
            if self.prepare(verb).await.is_err() {
                return vec![];
            }
            let line = format!("{verb} {path}");
            let fetched = self.download(&line, &Expected::Listing).await;
            // A server that sends one endless listing will send more of them.
            if let Err(DriverError::LimitExceeded(_)) = fetched {
                return vec![];
            }
            if let Ok(Fetched::Octets(octets)) = fetched {
                let entries: Vec<_> = entries(form, &octets.joined()).take(ENTRIES).collect();
                if !entries.is_empty() {
                    return entries;
                }
            }
        }
        vec![]
    }

    async fn command(&mut self, verb: &[u8], argument: &[u8]) -> bool {
        let line = [verb, argument, b"\r\n"].concat();
        if self.session.control.send(&[line]).await.is_err() {
            return false;
        }
        let reply = self.session.control.read_reply().await;
        reply.is_ok_and(|reply| (200..300).contains(&reply.code))
    }
}
