//! The runner's own connection: it creates the scenario's directory and the files in it, and reads
//! the results back. `clean_up` removes everything again.
//!
//! No file that the run did not create is ever changed, whatever the server replies:
//!
//! * The name of the directory cannot be guessed, so nothing with that name existed before.
//! * No session works in a directory before a *marker* has proven where it is: a directory whose
//!   name cannot be guessed either, created by pathname from outside or by a proven session, and
//!   removed from inside. A marker in another directory cannot be removed; a server that pretends
//!   to is detected by asking it to remove the marker from the wrong directory.
//! * The reply to PWD is used only if it is plausible, and only to enter a directory that is then
//!   proven.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::names::stays_inside;
use crate::data::Data;
use crate::driver::{
    DriverError, Expected, Recorder, SetupError, Timeouts, UNSAFE, quoted_pathname,
};
use crate::scenario::{Connection, DataMode, Variant};
use crate::subject::{Session, Target, outside, refused};
use crate::transcript::{MARKER, Reply};

/// A name that no scenario creates.
const NOWHERE: &str = "ftpspec-nowhere";
/// The limit of clean-up, in addition to the time allowed for the statements of the scenario.
pub(super) const CLEAN_UP: Duration = Duration::from_secs(20);

/// The runner's own connection and the directory it created.
#[derive(Debug)]
pub(super) struct Sandbox {
    target: Arc<Target>,
    variant: Variant,
    pub(super) timeouts: Timeouts,
    pub(super) recorder: Recorder,
    pub(super) session: Session,
    /// The unguessable name of the directory, which is in the login directory.
    pub(super) name: String,
    /// The absolute pathname of the directory, if PWD reported a plausible one.
    path: Option<String>,
    /// The pathname of its parent, if PWD reported a plausible one.
    pub(super) base: Option<String>,
    /// The number of markers created.
    markers: usize,
}

/// The result of reading a file back.
pub(super) enum Fetched {
    Octets(Data),
    Refused(Reply),
}

impl Sandbox {
    /// Logs in and creates a directory of this name.
    pub(super) async fn open(
        target: &Arc<Target>,
        variant: Variant,
        timeouts: Timeouts,
        recorder: &Recorder,
        name: String,
    ) -> Result<Self, SetupError> {
        let mut session = log_in(target, variant, timeouts, recorder).await?;
        let base = working_directory(&mut session).await?;
        let made = session.request(&format!("MKD {name}"), "MKD").await?;
        if !(200..300).contains(&made.code) {
            return Err(refused("MKD", &made));
        }
        Ok(Self {
            target: target.clone(),
            variant,
            timeouts,
            recorder: recorder.clone(),
            session,
            name,
            path: None,
            base,
            markers: 0,
        })
    }

    /// Enters the directory, and proves that it is the created one.
    ///
    /// # Errors
    /// If it is another directory, or that cannot be proven.
    pub(super) async fn go_in(&mut self) -> Result<(), SetupError> {
        let base = self.base.take();
        let marker = self.next_marker();
        let made = format!("MKD {}/{marker}", self.name);
        let made = self.session.request(&made, "MKD").await?;
        if !(200..300).contains(&made.code) {
            return Err(outside("MKD", &made));
        }
        // The marker is in the directory and not here. A server that confirms its removal here
        // ignores directories or replies falsely, so its reply inside would prove nothing.
        let here = self
            .session
            .request(&format!("RMD {marker}"), "RMD")
            .await?;
        match here.code {
            421 => return Err(refused("RMD", &here)),
            400.. => {}
            _ => return Err(SetupError::Refused(UNSAFE.into())),
        }
        self.session.enter(&self.name, &marker).await?;
        let at = working_directory(&mut self.session).await?;
        self.path = at.filter(|at| is_pathname_of(at, &self.name));
        self.base = base.filter(|base| {
            let path = self
                .path
                .as_ref()
                .and_then(|path| path.strip_suffix(&self.name));
            path.is_some_and(|above| above == base || above[..above.len() - 1] == **base)
        });
        Ok(())
    }

    /// Creates a marker in the directory, for a session that proves by removing it that it is there
    /// ([`Session::enter`]).
    pub(super) async fn mark(&mut self) -> Result<String, SetupError> {
        let marker = self.next_marker();
        let made = self
            .session
            .request(&format!("MKD {marker}"), "MKD")
            .await?;
        if (200..300).contains(&made.code) {
            Ok(marker)
        } else {
            Err(refused("MKD", &made))
        }
    }

    fn next_marker(&mut self) -> String {
        let marker = format!("{}{MARKER}{}", self.name, self.markers);
        self.markers += 1;
        marker
    }

    /// The names of all markers, the most recent first.
    pub(super) fn markers(&self) -> impl Iterator<Item = String> {
        let name = self.name.clone();
        let numbers = (0..self.markers).rev();
        numbers.map(move |number| format!("{name}{MARKER}{number}"))
    }

    /// Logs in again: the session did not survive the scenario, or its directory is unknown.
    pub(super) async fn log_in_again(&mut self) -> Result<(), SetupError> {
        self.session.control.close().await;
        self.session = log_in(&self.target, self.variant, self.timeouts, &self.recorder).await?;
        Ok(())
    }

    /// Removes a directory that may not have been created. Returns its name if it may still exist.
    pub(super) async fn sweep(
        target: &Arc<Target>,
        variant: Variant,
        timeouts: Timeouts,
        recorder: &Recorder,
        name: String,
    ) -> Option<String> {
        let sweeping = async {
            let mut session = log_in(target, variant, timeouts, recorder).await?;
            let line = format!("RMD {name}");
            let reply = session.exchange(&line).await;
            let code = reply.map_err(|fault| SetupError::of(&line, fault))?.code;
            session.control.close().await;
            // 550: it does not exist. No dialogue was played in it, so it is empty.
            Ok::<_, SetupError>(matches!(code, 200..300 | 550))
        };
        match timeout(CLEAN_UP, sweeping).await {
            Ok(Ok(true)) => None,
            _ => Some(name),
        }
    }

    /// The pathname of the directory, valid after login.
    pub(super) fn pathname(&self) -> &str {
        self.path.as_deref().unwrap_or(&self.name)
    }

    pub(super) async fn make_file(&mut self, name: &str, octets: &Data) -> Result<(), SetupError> {
        let what = format!("@given {name}");
        stays_inside(name)?;
        self.session.required("TYPE I", &[200]).await?;
        self.prepare(&what).await?;
        let line = format!("STOR {name}");
        let asked = self
            .session
            .exchange(&line)
            .await
            .map_err(|fault| SetupError::of(&what, fault))?;
        if !(100..300).contains(&asked.code) {
            return Err(refused(&what, &asked));
        }
        let completion = self
            .upload(octets, asked)
            .await
            .map_err(|fault| SetupError::of(&what, fault))?;
        if (200..300).contains(&completion.code) {
            Ok(())
        } else {
            Err(refused(&what, &completion))
        }
    }

    async fn upload(&mut self, octets: &Data, asked: Reply) -> Result<Reply, DriverError> {
        let data = self.session.data_ready().await?;
        data.write(octets).await?;
        data.close().await;
        if asked.code < 200 {
            self.session.read_reply().await
        } else {
            Ok(asked)
        }
    }

    pub(super) async fn make_directory(&mut self, name: &str) -> Result<(), SetupError> {
        stays_inside(name)?;
        let line = format!("MKD {name}");
        let made = self
            .session
            .exchange(&line)
            .await
            .map_err(|fault| SetupError::of(&line, fault))?;
        if (200..300).contains(&made.code) {
            Ok(())
        } else {
            Err(refused(&line, &made))
        }
    }

    /// Reads a file back.
    pub(super) async fn fetch(
        &mut self,
        name: &str,
        expected: &Expected,
    ) -> Result<Fetched, SetupError> {
        let what = format!("reading {name} back");
        self.session.required("TYPE I", &[200]).await?;
        self.prepare(&what).await?;
        self.download(&format!("RETR {name}"), expected)
            .await
            .map_err(|fault| SetupError::of(&what, fault))
    }

    /// Whether nothing of this name exists: neither a directory to enter nor a file to read.
    pub(super) async fn is_missing(&mut self, name: &str) -> Result<bool, SetupError> {
        // Some servers accept CWD to any name: then CWD proves nothing about this name either.
        if self.enters(name).await? && !self.enters(NOWHERE).await? {
            return Ok(false);
        }
        let fetched = self.fetch(name, &Expected::Listing).await?;
        Ok(matches!(fetched, Fetched::Refused(_)))
    }

    /// Whether CWD accepts this name; returns to the directory afterwards.
    async fn enters(&mut self, name: &str) -> Result<bool, SetupError> {
        let line = format!("CWD {name}");
        let entered = self.session.exchange(&line).await;
        let entered = entered.map_err(|fault| SetupError::of(&line, fault))?;
        if !(200..300).contains(&entered.code) {
            return Ok(false);
        }
        let back = format!("CWD {}", self.pathname());
        self.session.required(&back, &[250, 200]).await?;
        Ok(true)
    }

    pub(super) async fn download(
        &mut self,
        line: &str,
        expected: &Expected,
    ) -> Result<Fetched, DriverError> {
        let asked = self.session.exchange(line).await?;
        if !(100..300).contains(&asked.code) {
            self.session.data.close().await;
            return Ok(Fetched::Refused(asked));
        }
        let data = self.session.data_ready().await?;
        let octets = data.read_to_end(expected).await?;
        let completion = if asked.code < 200 {
            self.session.read_reply().await?
        } else {
            asked
        };
        Ok(if (200..300).contains(&completion.code) {
            Fetched::Octets(octets)
        } else {
            Fetched::Refused(completion)
        })
    }

    pub(super) async fn prepare(&mut self, what: &str) -> Result<(), SetupError> {
        let modes: &[DataMode] = if self.variant.ipv6 {
            &[DataMode::Epsv, DataMode::Eprt]
        } else {
            &[DataMode::Pasv, DataMode::Epsv, DataMode::Port]
        };
        let mut last = None;
        for mode in modes {
            let reply = self.session.prepare(*mode).await;
            let reply = reply.map_err(|fault| SetupError::of(what, fault))?;
            if (200..300).contains(&reply.code) {
                return Ok(());
            }
            last = Some(reply);
        }
        Err(last.map_or_else(
            || SetupError::Internal("no data mode".into()),
            |it| refused(what, &it),
        ))
    }
}

async fn log_in(
    target: &Arc<Target>,
    variant: Variant,
    timeouts: Timeouts,
    recorder: &Recorder,
) -> Result<Session, SetupError> {
    let name = Connection::runner();
    let mut session = Session::connect(name, target, variant, timeouts, recorder).await?;
    session.log_in().await?;
    Ok(session)
}

/// The directory that PWD reports; `None` if it is not in the form of RFC 959 Appendix II.
async fn working_directory(session: &mut Session) -> Result<Option<String>, SetupError> {
    let reply = session.request("PWD", "PWD").await?;
    Ok((reply.code == 257)
        .then(|| quoted_pathname(&reply.text()))
        .flatten())
}

/// Whether this is a plausible pathname of a directory of that name.
fn is_pathname_of(path: &str, name: &str) -> bool {
    let above = path.strip_suffix(name);
    above.is_some_and(|above| above.ends_with(['/', '\\']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pathname_is_plausible_if_it_ends_with_the_name() {
        assert!(is_pathname_of("/home/a", "a"));
        assert!(is_pathname_of("C:\\b\\a", "a"));
        for path in ["/", "a", "/home/ba", "/home/a/", "/a/home"] {
            assert!(!is_pathname_of(path, "a"), "{path}");
        }
    }
}
