//! The server-PI's questions, answered: logins, listeners and the storage.

use std::io;
use std::sync::Arc;
use std::task::Poll;

use tokio::time::{Instant, timeout};

use super::{Connection, End};
use crate::auth::User;
use crate::dtp::{PassivePort, coded_size, listing_lines, on_a_thread, on_storage};
use crate::observe::journal::EventKind;
use crate::pi::{DigestRequest, Step, StoragePath, Work};
use crate::storage::{
    Storage, combine, describe, digest, make_directories, remove_subtree, set_facts, subtree_size,
};

impl Connection {
    /// Does the work and returns the next step.
    pub(super) async fn perform(&mut self, work: Work) -> Result<Step, End> {
        Ok(match work {
            Work::Authenticate(question) => {
                let of_host = self.session.authenticator();
                let authenticator = Arc::clone(of_host.unwrap_or(&self.shared().authenticator));
                let credentials = question.about.clone();
                let user = credentials.user.escape_ascii().to_string();
                let mut deciding = authenticator.authenticate(credentials);
                // Replies may wait for the end of a batch of commands, but not for an
                // authenticator.
                let at_once =
                    std::future::poll_fn(|cx| Poll::Ready(deciding.as_mut().poll(cx))).await;
                let outcome = match at_once {
                    Poll::Ready(outcome) => outcome,
                    Poll::Pending => {
                        self.flush().await?;
                        deciding.await
                    }
                };
                let needs_tls = outcome
                    .as_ref()
                    .is_ok_and(|user| self.session.needs_tls(user));
                let granted = outcome.is_ok() && !needs_tls;
                tracing::info!(connection = self.slot.number, user, granted, "login");
                self.count_login(outcome.as_ref().ok().filter(|_| granted))?;
                if outcome.is_err() {
                    Box::pin(self.delay_failed_login()).await?;
                }
                let name = question.about.user.clone();
                let step = question.answer(&mut self.session, outcome);
                self.login_decided(name, granted, step)
            }
            Work::Recognize(question) => {
                let of_host = self.session.authenticator();
                let authenticator = Arc::clone(of_host.unwrap_or(&self.shared().authenticator));
                let user = question.about.user.escape_ascii().to_string();
                self.flush().await?;
                let outcome = authenticator.recognize(question.about.clone()).await;
                let granted = outcome.is_ok();
                tracing::info!(
                    connection = self.slot.number,
                    user,
                    granted,
                    "login by certificate"
                );
                self.count_login(outcome.as_ref().ok())?;
                let name = question.about.user.to_vec();
                let step = question.answer(&mut self.session, outcome);
                // Without a sufficient certificate the password is required.
                if granted {
                    self.login_decided(name, granted, step)
                } else {
                    step
                }
            }
            Work::PrepareTls(question) => {
                let ready = self.prepare_tls();
                question.answer(&mut self.session, ready)
            }
            Work::Listen(question) => {
                self.drop_data_port();
                let ports = self.shared().passive_ports();
                let (on, from) = (question.about.on, question.about.from);
                let shared_ports = &self.shared().shared_ports;
                let listening = PassivePort::listen(on, from, &ports, shared_ports, &self.record);
                let address = match listening {
                    Ok((port, mut address)) => {
                        self.passive = Some(Box::new(port));
                        address.set_port(ports.announced(address.port()));
                        if let Some(public) = self.public_address().await? {
                            address.set_ip(public.into());
                        }
                        Ok(address)
                    }
                    Err(error) => {
                        tracing::warn!(%on, %error, "failed to listen for a data connection");
                        Err(error)
                    }
                };
                let address = self.announced_address(address);
                question.answer(&mut self.session, address)
            }
            Work::Stat(question) => {
                let StoragePath { storage, path } = question.about.clone();
                let found = on_storage(&storage, move |storage| storage.stat(&path, true)).await;
                question.answer(&mut self.session, found)
            }
            Work::Describe(question) => {
                let StoragePath { storage, path } = question.about.clone();
                let found = on_storage(&storage, move |storage| describe(storage, &path)).await;
                question.answer(&mut self.session, found)
            }
            Work::CodedSize(question) => {
                let (StoragePath { storage, path }, coding) = question.about.clone();
                let size = self
                    .in_turn(&storage, move |storage| coded_size(storage, &path, &coding))
                    .await?;
                question.answer(&mut self.session, size)
            }
            Work::MakeDirectories(question) => {
                let StoragePath { storage, path } = question.about.clone();
                let made =
                    on_storage(&storage, move |storage| make_directories(storage, &path)).await;
                for path in made.iter().flatten() {
                    self.record
                        .note(|| EventKind::DirectoryMade { path: path.clone() });
                }
                question.answer(&mut self.session, made.map(drop))
            }
            Work::Symlink(question) => {
                let (StoragePath { storage, path }, target) = question.about.clone();
                let made =
                    on_storage(&storage, move |storage| storage.symlink(&target, &path)).await;
                self.note_if(&made, || EventKind::LinkMade {
                    path: question.about.0.path.clone(),
                    target: question.about.1.clone(),
                });
                question.answer(&mut self.session, made)
            }
            Work::MakeDirectory(question) => {
                let StoragePath { storage, path } = question.about.clone();
                let made = on_storage(&storage, move |storage| storage.make_directory(&path)).await;
                self.note_if(&made, || EventKind::DirectoryMade {
                    path: question.about.path.clone(),
                });
                question.answer(&mut self.session, made)
            }
            Work::RemoveDirectory(question) => {
                let StoragePath { storage, path } = question.about.clone();
                let removed =
                    on_storage(&storage, move |storage| storage.remove_directory(&path)).await;
                self.note_if(&removed, || EventKind::DirectoryRemoved {
                    path: question.about.path.clone(),
                });
                question.answer(&mut self.session, removed)
            }
            Work::RemoveSubtree(question) => {
                let StoragePath { storage, path } = question.about.clone();
                let removed = self
                    .in_turn(&storage, move |storage| remove_subtree(storage, &path))
                    .await?;
                self.note_if(&removed, || EventKind::SubtreeRemoved {
                    path: question.about.path.clone(),
                });
                question.answer(&mut self.session, removed)
            }
            Work::SubtreeSize(question) => {
                let StoragePath { storage, path } = question.about.clone();
                let size = self
                    .in_turn(&storage, move |storage| subtree_size(storage, &path))
                    .await?;
                question.answer(&mut self.session, size)
            }
            Work::RemoveFile(question) => {
                let StoragePath { storage, path } = question.about.clone();
                let removed = on_storage(&storage, move |storage| storage.remove_file(&path)).await;
                self.note_if(&removed, || EventKind::Removed {
                    path: question.about.path.clone(),
                });
                question.answer(&mut self.session, removed)
            }
            Work::Rename(question) => {
                let (StoragePath { storage, path }, to) = question.about.clone();
                let renamed = on_storage(&storage, move |storage| storage.rename(&path, &to)).await;
                self.note_if(&renamed, || EventKind::Renamed {
                    from: question.about.0.path.clone(),
                    to: question.about.1.clone(),
                });
                question.answer(&mut self.session, renamed)
            }
            Work::SetFacts(question) => {
                let (StoragePath { storage, path }, facts) = question.about.clone();
                let set = on_storage(&storage, move |storage| {
                    set_facts(storage, &path, facts.times, facts.mode)
                })
                .await;
                self.note_if(&set, || EventKind::FactsSet {
                    path: question.about.0.path.clone(),
                    modified: facts.times.modified,
                    created: facts.times.created,
                    mode: facts.mode,
                });
                question.answer(&mut self.session, set)
            }
            Work::ListLines(question) => {
                let listing = question.about.clone();
                let storage = Arc::clone(&listing.at.storage);
                let lines =
                    on_storage(&storage, move |storage| listing_lines(storage, &listing)).await;
                question.answer(&mut self.session, lines)
            }
            Work::Available(question) => {
                let StoragePath { storage, path } = question.about.clone();
                let octets = on_storage(&storage, move |storage| storage.available(&path)).await;
                question.answer(&mut self.session, octets)
            }
            Work::Allocate(question) => {
                let (StoragePath { storage, path }, octets) = question.about.clone();
                let room =
                    on_storage(&storage, move |storage| storage.allocate(&path, octets)).await;
                question.answer(&mut self.session, room)
            }
            Work::Hash(question) => {
                let asked = question.about.clone();
                let storage = Arc::clone(&asked.at.storage);
                let hashed = self
                    .in_turn(&storage, move |storage| {
                        let DigestRequest {
                            at,
                            algorithm,
                            start,
                            end,
                        } = asked;
                        digest(storage, &at.path, algorithm, start, end)
                    })
                    .await?;
                question.answer(&mut self.session, hashed)
            }
            Work::Combine(question) => {
                let asked = question.about.clone();
                let storage = Arc::clone(&asked.target.storage);
                let combined = self
                    .in_turn(&storage, move |storage| {
                        combine(storage, &asked.target.path, &asked.sources)
                    })
                    .await?;
                if combined.is_ok() {
                    let asked = &question.about;
                    self.record.note(|| EventKind::Stored {
                        path: asked.target.path.clone(),
                    });
                    for source in &asked.sources {
                        self.record.note(|| EventKind::Removed {
                            path: source.clone(),
                        });
                    }
                }
                question.answer(&mut self.session, combined)
            }
        })
    }

    /// A login uses one of the sessions that [`Limits::sessions_per_user`](crate::Limits) and
    /// [`UserLimits::sessions`](crate::auth::UserLimits) give the user.
    fn count_login(&mut self, user: Option<&User>) -> Result<(), End> {
        match user {
            Some(user) if !self.slot.log_in(&user.name, user.limits.sessions) => {
                Err(End::SessionsOfUser)
            }
            _ => Ok(()),
        }
    }

    /// Delays the reply to a wrong password, without delaying other clients (RFC 2577 §5).
    async fn delay_failed_login(&mut self) -> Result<(), End> {
        let (shared, peer) = (Arc::clone(self.shared()), self.record.peer.ip());
        let now = Instant::now();
        let delay = shared.guard.failed_login(peer, &shared.limits, now);
        if delay.is_zero() {
            return Ok(());
        }
        self.rest(now + delay).await
    }

    /// Runs a job whose time grows with the size of files, on a thread, when it is this session's
    /// turn ([`Limits::long_jobs`]). A turn ends with the job, even if the client is gone by then.
    ///
    /// [`Limits::long_jobs`]: crate::Limits::long_jobs
    async fn in_turn<T: Send + 'static>(
        &mut self,
        storage: &Arc<dyn Storage>,
        job: impl FnOnce(&dyn Storage) -> io::Result<T> + Send + 'static,
    ) -> Result<io::Result<T>, End> {
        self.flush().await?;
        let shared = self.shared();
        let user = self.session.logged_in();
        let user = user.map_or("", |(user, _)| user.name.as_str());
        let turn = shared.long_jobs.take(user);
        let Ok(turn) = timeout(shared.limits.long_job_wait, turn).await else {
            return Ok(Err(io::ErrorKind::WouldBlock.into()));
        };
        let outcome = on_a_thread(storage, move |storage| {
            let _turn = turn;
            job(storage)
        });
        Ok(outcome.await)
    }

    /// Reports a change if it was made.
    fn note_if(&self, outcome: &io::Result<()>, what: impl FnOnce() -> EventKind) {
        if outcome.is_ok() {
            self.record.note(what);
        }
    }
}
