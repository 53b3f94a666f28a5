//! The runner's own connection: it makes the scenario's directory and the files in it, and looks
//! at what became of them. `clean_up` removes everything again.
//!
//! No file that the run did not make is ever changed, whatever the server says:
//!
//! * The name of the directory cannot be guessed, so it stands for nothing that was there before.
//! * No session works in a directory before a *marker* has proven where it is: a directory whose
//!   name cannot be guessed either, made by pathname from outside or by a session that is proven,
//!   and removed from inside. What is not there cannot be removed, and a server that pretends to is
//!   found out by asking it to remove the marker where it is not.
//! * What PWD reports is only used where it fits, and only to go somewhere that is then proven.

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

/// A directory that no scenario makes.
const NOWHERE: &str = "ftpspec-nowhere";
/// How long clean-up may take, besides what the statements of the scenario are allowed.
pub(super) const CLEAN_UP: Duration = Duration::from_secs(20);

/// The runner's own connection and the directory it made.
#[derive(Debug)]
pub(super) struct Sandbox {
    target: Arc<Target>,
    variant: Variant,
    pub(super) timeouts: Timeouts,
    pub(super) recorder: Recorder,
    pub(super) session: Session,
    /// The name of the directory, in the one login leads to. Nobody can guess it.
    pub(super) name: String,
    /// The absolute pathname of the directory, if PWD reported one that can be it.
    path: Option<String>,
    /// The pathname of the directory it was made in, if PWD reported one that can be it.
    pub(super) base: Option<String>,
    /// How many markers were made.
    markers: usize,
}

/// What reading a file back came to.
pub(super) enum Fetched {
    /// Its octets.
    Octets(Data),
    /// The server refused.
    Refused(Reply),
}

impl Sandbox {
    /// Logs in and makes a directory of this name.
    pub(super) async fn open(
        target: &Arc<Target>,
        variant: Variant,
        timeouts: Timeouts,
        recorder: &Recorder,
        name: String,
    ) -> Result<Self, SetupError> {
        let mut session = log_in(target, variant, timeouts, recorder).await?;
        let base = working_directory(&mut session).await?;
        let made = session.asked(&format!("MKD {name}"), "MKD").await?;
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

    /// Enters the directory, and proves that it is the one that was made.
    ///
    /// # Errors
    /// Where it is not, as far as can be seen.
    pub(super) async fn go_in(&mut self) -> Result<(), SetupError> {
        let base = self.base.take();
        let marker = self.next_marker();
        let made = format!("MKD {}/{marker}", self.name);
        let made = self.session.asked(&made, "MKD").await?;
        if !(200..300).contains(&made.code) {
            return Err(outside("MKD", &made));
        }
        // It is in the directory and not here. A server that removes it here forgets directories,
        // and one that says so is not believed when it says so inside.
        let here = self.session.asked(&format!("RMD {marker}"), "RMD").await?;
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

    /// Makes a marker in the directory, for a session that is to prove that it is there by
    /// removing it ([`Session::enter`]).
    pub(super) async fn mark(&mut self) -> Result<String, SetupError> {
        let marker = self.next_marker();
        let made = self.session.asked(&format!("MKD {marker}"), "MKD").await?;
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

    /// The names of all markers, the last one first.
    pub(super) fn markers(&self) -> impl Iterator<Item = String> {
        let name = self.name.clone();
        let numbers = (0..self.markers).rev();
        numbers.map(move |number| format!("{name}{MARKER}{number}"))
    }

    /// Logs in again: the session did not survive the scenario, or is nowhere in particular.
    pub(super) async fn log_in_again(&mut self) -> Result<(), SetupError> {
        self.session.control.close().await;
        self.session = log_in(&self.target, self.variant, self.timeouts, &self.recorder).await?;
        Ok(())
    }

    /// Removes a directory of which nobody knows whether it was made. What may still be there is named.
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
            // 550: it is not there. No dialogue was played in it, so nothing else is in it.
            Ok::<_, SetupError>(matches!(code, 200..300 | 550))
        };
        match timeout(CLEAN_UP, sweeping).await {
            Ok(Ok(true)) => None,
            _ => Some(name),
        }
    }

    /// The pathname that leads into the directory after login.
    pub(super) fn pathname(&self) -> &str {
        self.path.as_deref().unwrap_or(&self.name)
    }

    /// Makes a file.
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
        let told = self
            .upload(octets, asked)
            .await
            .map_err(|fault| SetupError::of(&what, fault))?;
        if (200..300).contains(&told.code) {
            Ok(())
        } else {
            Err(refused(&what, &told))
        }
    }

    async fn upload(&mut self, octets: &Data, asked: Reply) -> Result<Reply, DriverError> {
        let data = self.session.data_ready().await?;
        data.write(octets).await?;
        data.close().await;
        if asked.code < 200 {
            self.session.hear().await
        } else {
            Ok(asked)
        }
    }

    /// Makes a directory.
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

    /// Whether there is nothing of this name: neither a directory to enter nor a file to read.
    pub(super) async fn is_missing(&mut self, name: &str) -> Result<bool, SetupError> {
        // Some servers let anybody enter what is not there: then CWD says nothing about this name either.
        if self.enters(name).await? && !self.enters(NOWHERE).await? {
            return Ok(false);
        }
        let fetched = self.fetch(name, &Expected::Listing).await?;
        Ok(matches!(fetched, Fetched::Refused(_)))
    }

    /// Whether CWD takes this name; back again afterwards.
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
        let told = if asked.code < 200 {
            self.session.hear().await?
        } else {
            asked
        };
        Ok(if (200..300).contains(&told.code) {
            Fetched::Octets(octets)
        } else {
            Fetched::Refused(told)
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
            || SetupError::Trouble("no data mode".into()),
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

/// What PWD reports; `None` if the server does not do so in the form of RFC 959 Appendix II.
async fn working_directory(session: &mut Session) -> Result<Option<String>, SetupError> {
    let reply = session.asked("PWD", "PWD").await?;
    Ok((reply.code == 257)
        .then(|| quoted_pathname(&reply.text()))
        .flatten())
}

/// Whether this can be the pathname of a directory of that name.
fn is_pathname_of(path: &str, name: &str) -> bool {
    let above = path.strip_suffix(name);
    above.is_some_and(|above| above.ends_with(['/', '\\']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pathname_fits_if_it_ends_with_the_name() {
        assert!(is_pathname_of("/home/a", "a"));
        assert!(is_pathname_of("C:\\b\\a", "a"));
        for path in ["/", "a", "/home/ba", "/home/a/", "/a/home"] {
            assert!(!is_pathname_of(path, "a"), "{path}");
        }
    }
}
