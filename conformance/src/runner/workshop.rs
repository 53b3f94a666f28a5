//! The runner's own connection: it makes the scenario's directory, the files in it, looks at what became of them, and
//! removes everything again. It touches nothing outside the directory it made.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::Variant;
use super::listing::{Entry, is_plain_name, list_entry, mlsd_entry, nlst_entry};
use super::names::{given, stays_inside, strays};
use super::session::{Session, refused};
use crate::driver::{Fault, Recorder, Setback, Timeouts};
use crate::scenario::{Connection, DataMode};
use crate::target::Target;
use crate::transcript::{Reply, What};

/// A directory that no scenario makes.
const NOWHERE: &str = "ftpspec-nowhere";
/// So deep a tree is cleaned up.
const DEPTH: usize = 16;
/// So many entries are removed.
const ENTRIES: usize = 10_000;
/// So long clean-up may take.
const CLEAN_UP: Duration = Duration::from_secs(20);

/// The runner's own connection and the directory it made.
#[derive(Debug)]
pub(super) struct Workshop {
    target: Arc<Target>,
    variant: Variant,
    timeouts: Timeouts,
    recorder: Recorder,
    session: Session,
    /// The name of the directory, in the one login leads to.
    name: String,
    /// Its absolute pathname, if PWD told.
    path: Option<String>,
    /// Where it was made, if PWD told.
    base: Option<String>,
    removed: usize,
}

/// What reading a file back came to.
pub(super) enum Fetched {
    /// Its octets.
    Octets(Vec<u8>),
    /// The server refused.
    Refused(Reply),
}

/// A directory that is being emptied.
struct Opened {
    path: Vec<u8>,
    /// Its name in the one above.
    name: Vec<u8>,
    /// What is still to be removed.
    entries: std::vec::IntoIter<Entry>,
}

impl Workshop {
    /// Logs in and makes a directory of this name.
    pub(super) async fn open(
        target: &Arc<Target>,
        variant: Variant,
        timeouts: Timeouts,
        recorder: &Recorder,
        name: String,
    ) -> Result<Self, Setback> {
        let mut session = log_in(target, variant, timeouts, recorder).await?;
        let base = working_directory(&mut session).await?;
        let line = format!("MKD {name}");
        let made = session
            .exchange(&line)
            .await
            .map_err(|fault| Setback::of(&line, fault))?;
        if !(200..300).contains(&made.code) {
            return Err(refused(&line, &made));
        }
        let mut workshop = Self {
            target: target.clone(),
            variant,
            timeouts,
            recorder: recorder.clone(),
            session,
            name,
            path: None,
            base,
            removed: 0,
        };
        if let Err(setback) = workshop.go_in().await {
            // Nobody but us knows that it is there.
            workshop.remove().await;
            return Err(setback);
        }
        Ok(workshop)
    }

    async fn go_in(&mut self) -> Result<(), Setback> {
        let enter = format!("CWD {}", self.enter());
        self.session.required(&enter, &[250, 200]).await?;
        self.path = working_directory(&mut self.session).await?;
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
            let code = reply.map_err(|fault| Setback::of(&line, fault))?.code;
            session.control.close().await;
            // 550: it is not there. It was never entered, so it is empty.
            Ok::<_, Setback>(matches!(code, 200..300 | 550))
        };
        match timeout(CLEAN_UP, sweeping).await {
            Ok(Ok(true)) => None,
            _ => Some(name),
        }
    }

    /// The pathname that leads into the directory after login.
    pub(super) fn enter(&self) -> &str {
        self.path.as_deref().unwrap_or(&self.name)
    }

    /// Makes a file.
    pub(super) async fn make_file(&mut self, name: &str, octets: &[u8]) -> Result<(), Setback> {
        let what = format!("@given {name}");
        stays_inside(name)?;
        self.session.required("TYPE I", &[200]).await?;
        self.prepare(&what).await?;
        let line = format!("STOR {name}");
        let asked = self
            .session
            .exchange(&line)
            .await
            .map_err(|fault| Setback::of(&what, fault))?;
        if !(100..300).contains(&asked.code) {
            return Err(refused(&what, &asked));
        }
        let told = self
            .upload(octets, asked)
            .await
            .map_err(|fault| Setback::of(&what, fault))?;
        if (200..300).contains(&told.code) {
            Ok(())
        } else {
            Err(refused(&what, &told))
        }
    }

    async fn upload(&mut self, octets: &[u8], asked: Reply) -> Result<Reply, Fault> {
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
    pub(super) async fn make_directory(&mut self, name: &str) -> Result<(), Setback> {
        stays_inside(name)?;
        let line = format!("MKD {name}");
        let made = self
            .session
            .exchange(&line)
            .await
            .map_err(|fault| Setback::of(&line, fault))?;
        if (200..300).contains(&made.code) {
            Ok(())
        } else {
            Err(refused(&line, &made))
        }
    }

    /// Reads a file back.
    pub(super) async fn fetch(&mut self, name: &str) -> Result<Fetched, Setback> {
        let what = format!("reading {name} back");
        self.session.required("TYPE I", &[200]).await?;
        self.prepare(&what).await?;
        self.download(&format!("RETR {name}"))
            .await
            .map_err(|fault| Setback::of(&what, fault))
    }

    /// Whether there is nothing of this name: neither a directory to enter nor a file to read.
    pub(super) async fn is_missing(&mut self, name: &str) -> Result<bool, Setback> {
        // Some servers let anybody enter what is not there: then CWD says nothing about this name either.
        if self.enters(name).await? && !self.enters(NOWHERE).await? {
            return Ok(false);
        }
        Ok(matches!(self.fetch(name).await?, Fetched::Refused(_)))
    }

    /// Whether CWD takes this name; back again afterwards.
    async fn enters(&mut self, name: &str) -> Result<bool, Setback> {
        let line = format!("CWD {name}");
        let entered = self.session.exchange(&line).await;
        let entered = entered.map_err(|fault| Setback::of(&line, fault))?;
        if !(200..300).contains(&entered.code) {
            return Ok(false);
        }
        let back = format!("CWD {}", self.enter());
        self.session.required(&back, &[250, 200]).await?;
        Ok(true)
    }

    async fn download(&mut self, line: &str) -> Result<Fetched, Fault> {
        let asked = self.session.exchange(line).await?;
        if !(100..300).contains(&asked.code) {
            self.session.data.close().await;
            return Ok(Fetched::Refused(asked));
        }
        let octets = self.session.data_ready().await?.read_to_end().await?;
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

    async fn prepare(&mut self, what: &str) -> Result<(), Setback> {
        let modes: &[DataMode] = if self.variant.ipv6 {
            &[DataMode::Epsv, DataMode::Eprt]
        } else {
            &[DataMode::Pasv, DataMode::Epsv, DataMode::Port]
        };
        let mut last = None;
        for mode in modes {
            let reply = self.session.prepare(*mode).await;
            let reply = reply.map_err(|fault| Setback::of(what, fault))?;
            if (200..300).contains(&reply.code) {
                return Ok(());
            }
            last = Some(reply);
        }
        Err(last.map_or_else(
            || Setback::Trouble("no data mode".into()),
            |it| refused(what, &it),
        ))
    }

    /// Removes the directory and all that is in it, as far as the server lets us; by these names, too, where its listings do
    /// not help. What is still there is named, and the transcript says so.
    pub(super) async fn clean_up(mut self, names: &[Vec<u8>]) -> Option<String> {
        let cleaned = timeout(CLEAN_UP, self.remove_everything(names)).await;
        let is_clean = matches!(cleaned, Ok(Ok(true)));
        if !is_clean {
            let fact = format!("clean-up: {} is still there", self.name);
            let what = What::Observed {
                fact,
                octets: vec![],
                ok: false,
            };
            self.recorder.record(&Connection::runner(), what);
        }
        if self.session.control.is_open() {
            // Politely, but it is of no consequence any more.
            let _ = self.session.control.send_line("QUIT").await;
            let quiet = self.timeouts.quiet;
            let _ = self.session.control.until_closed_within(quiet).await;
            self.session.control.close().await;
        }
        (!is_clean).then(|| self.enter().to_owned())
    }

    async fn remove_everything(&mut self, names: &[Vec<u8>]) -> Result<bool, Setback> {
        if self.session.control.is_open() && self.leave().await {
            self.remove_strays().await;
            // Often the scenario left nothing behind, or the server removes trees.
            if self.remove().await {
                return Ok(true);
            }
        } else {
            // The connection did not survive the scenario, or was cut short in the middle of something.
            self.session.control.close().await;
            self.session =
                log_in(&self.target, self.variant, self.timeouts, &self.recorder).await?;
            self.remove_strays().await;
            if self.remove().await {
                return Ok(true);
            }
        }
        if let Some(path) = self.path.clone()
            && self.done(b"CWD ", path.as_bytes()).await
            && self.is_at(path.as_bytes()).await
        {
            self.empty(path.into_bytes()).await;
            self.leave().await;
        }
        Ok(self.remove().await || self.remove_by_name(names).await)
    }

    /// Removes what listings do not tell, or not as it is called, by the names the dialogue gave.
    async fn remove_by_name(&mut self, names: &[Vec<u8>]) -> bool {
        let Some(path) = self.path.clone() else {
            return false;
        };
        if !(self.done(b"CWD ", path.as_bytes()).await && self.is_at(path.as_bytes()).await) {
            return false;
        }
        let sent = given(&self.recorder.transcript("", "").events);
        for name in sent.iter().chain(names) {
            let gone = self.done(b"DELE ", name).await || self.done(b"RMD ", name).await;
            if !gone && !self.session.control.is_open() {
                return false;
            }
        }
        self.leave().await && self.remove().await
    }

    /// Removes what a server let somebody make who was not logged in: it stands beside the directory.
    async fn remove_strays(&mut self) {
        for name in strays(&self.recorder.transcript("", "").events) {
            if !self.done(b"RMD ", &name).await {
                self.done(b"DELE ", &name).await;
            }
        }
    }

    /// Goes back to where the directory was made.
    async fn leave(&mut self) -> bool {
        let Some(base) = self.base.clone() else {
            return false;
        };
        self.done(b"CWD ", base.as_bytes()).await
    }

    async fn remove(&mut self) -> bool {
        let name = self.name.clone();
        self.done(b"RMD ", name.as_bytes()).await
    }

    /// Empties the working directory, which is `root`. How deep a tree is costs no stack: the server decides that.
    async fn empty(&mut self, root: Vec<u8>) {
        let mut open = vec![self.opened(root, vec![]).await];
        while let Some(directory) = open.last_mut() {
            let Some(entry) = directory.entries.next() else {
                let name = open.pop().map(|emptied| emptied.name).unwrap_or_default();
                let Some(above) = open.last_mut() else {
                    return;
                };
                if self.done(b"CWD ", &above.path).await && self.is_at(&above.path).await {
                    self.done(b"RMD ", &name).await;
                } else {
                    above.entries = vec![].into_iter();
                }
                continue;
            };
            self.removed += 1;
            if self.removed > ENTRIES || !self.session.control.is_open() {
                return;
            }
            // A server that lists a CR in a name takes it as part of one, or else it must not go unnoticed.
            if entry.name.contains(&b'\r') {
                for verb in [b"DELE ".as_slice(), b"RMD "] {
                    self.done(verb, &entry.name).await;
                }
                if !self.is_at(&directory.path).await {
                    directory.entries = vec![].into_iter();
                }
                continue;
            }
            // DELE first, always: where it works on a symbolic link it removes the link and not what it leads to.
            if self.done(b"DELE ", &entry.name).await || self.done(b"RMD ", &entry.name).await {
                continue;
            }
            let inside = [directory.path.as_slice(), b"/", entry.name.as_slice()].concat();
            if open.len() > DEPTH || !entry.is_directory || !self.done(b"CWD ", &entry.name).await {
                continue;
            }
            // Somewhere else nothing is removed.
            open.push(if self.is_at(&inside).await {
                self.opened(inside, entry.name).await
            } else {
                Opened {
                    path: inside,
                    name: entry.name,
                    entries: vec![].into_iter(),
                }
            });
        }
    }

    async fn opened(&mut self, path: Vec<u8>, name: Vec<u8>) -> Opened {
        let entries = self.entries().await.into_iter();
        Opened {
            path,
            name,
            entries,
        }
    }

    async fn entries(&mut self) -> Vec<Entry> {
        for (line, read) in [
            ("MLSD", mlsd_entry as fn(&[u8]) -> Option<Entry>),
            ("LIST -a", list_entry),
            ("LIST", list_entry),
            ("NLST", nlst_entry),
        ] {
            if self.prepare(line).await.is_err() {
                return vec![];
            }
            if let Ok(Fetched::Octets(octets)) = self.download(line).await {
                let entries: Vec<_> = octets
                    .split(|octet| *octet == b'\n')
                    .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
                    .filter_map(read)
                    .filter(|entry| is_plain_name(&entry.name))
                    .take(ENTRIES)
                    .collect();
                if !entries.is_empty() {
                    return entries;
                }
            }
        }
        vec![]
    }

    async fn is_at(&mut self, path: &[u8]) -> bool {
        let at = working_directory(&mut self.session).await;
        at.is_ok_and(|at| at.is_some_and(|at| at.as_bytes() == path))
    }

    async fn done(&mut self, verb: &[u8], argument: &[u8]) -> bool {
        let line = [verb, argument, b"\r\n"].concat();
        if self.session.control.send(&[line]).await.is_err() {
            return false;
        }
        self.session
            .control
            .hear()
            .await
            .is_ok_and(|reply| (200..300).contains(&reply.code))
    }
}

async fn log_in(
    target: &Arc<Target>,
    variant: Variant,
    timeouts: Timeouts,
    recorder: &Recorder,
) -> Result<Session, Setback> {
    let name = Connection::runner();
    let mut session = Session::connect(name, target, variant, timeouts, recorder).await?;
    session.log_in().await?;
    Ok(session)
}

/// What PWD tells; `None` if the server does not tell it in the form of RFC 959 Appendix II.
async fn working_directory(session: &mut Session) -> Result<Option<String>, Setback> {
    let reply = session
        .exchange("PWD")
        .await
        .map_err(|fault| Setback::of("PWD", fault))?;
    Ok((reply.code == 257)
        .then(|| quoted_pathname(&reply.text()))
        .flatten())
}

/// The pathname in a 257: between quotes, a doubled quote is one (RFC 959 Appendix II).
fn quoted_pathname(text: &str) -> Option<String> {
    let mut path = String::new();
    let mut rest = text.split_once('"')?.1.chars().peekable();
    loop {
        match rest.next()? {
            '"' if rest.peek() == Some(&'"') => {
                rest.next();
                path.push('"');
            }
            '"' => return Some(path),
            other => path.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_pathname_may_hold_quotes() {
        assert_eq!(
            quoted_pathname("\"/a \"\"b\"\"\" is here").as_deref(),
            Some("/a \"b\"")
        );
        assert_eq!(quoted_pathname("/a is here"), None);
        assert_eq!(quoted_pathname("\"/a"), None);
    }
}
