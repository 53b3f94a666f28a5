//! The server-PI's questions, answered: logins, listeners and the storage.

use std::io;
use std::sync::Arc;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use super::super::turns::Turn;
use super::{Connection, End};
use crate::auth::User;
use crate::dtp::{PassivePort, coded_size, listing_lines, on_a_thread, on_storage};
use crate::observe::journal::EventKind;
use crate::pi::{Step, StoragePath, StorageWork, StorageWorkDone, Work};
use crate::storage::Storage;

impl Connection {
    /// Does the work and returns the next step.
    pub(super) async fn perform(&mut self, work: Work) -> Result<Step, End> {
        Ok(match work {
            Work::Authenticate(question) => {
                let of_host = self.session.authenticator();
                let authenticator = Arc::clone(of_host.unwrap_or(&self.shared().authenticator));
                let credentials = question.about.clone();
                let user = credentials.user.escape_ascii().to_string();
                let deciding = authenticator.authenticate(credentials);
                let outcome = self.decided(deciding).await?;
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
            Work::Storage(work) => {
                let done = self.work_on_storage(work).await?;
                for change in &done.changes {
                    self.record.note(|| EventKind::Changed(change.clone()));
                }
                done.answer(&mut self.session)
            }
            Work::CodedSize(question) => {
                let (StoragePath { storage, path }, coding) = question.about.clone();
                let size = match self.turn().await? {
                    Ok(turn) => {
                        let job = move |storage: &dyn Storage| {
                            let _turn = turn;
                            coded_size(storage, &path, &coding)
                        };
                        on_a_thread(&storage, job).await
                    }
                    Err(busy) => Err(busy),
                };
                question.answer(&mut self.session, size)
            }
            Work::ListLines(question) => {
                let listing = question.about.clone();
                let storage = Arc::clone(&listing.at.storage);
                let lines =
                    on_storage(&storage, move |storage| listing_lines(storage, &listing)).await;
                question.answer(&mut self.session, lines)
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

    /// Does work on a storage: at once if it never waits, else on a thread, and in its turn if its
    /// time grows with the size of files.
    async fn work_on_storage(&mut self, work: StorageWork) -> Result<StorageWorkDone, End> {
        if !work.is_long && work.storage.abilities().never_blocks {
            return Ok(work.run());
        }
        let turn = match work.is_long {
            true => match self.turn().await? {
                Ok(turn) => Some(turn),
                Err(busy) => return Ok(work.refuse(busy)),
            },
            false => None,
        };
        let job = spawn_blocking(move || {
            let _turn = turn;
            work.run()
        });
        // The job does not panic: the runtime is being shut down.
        job.await.map_err(|_| End::Stopped)
    }

    /// Waits until it is this session's turn for a job whose time grows with the size of files
    /// ([`Limits::long_jobs`]). A turn ends with the job, even if the client is gone by then.
    ///
    /// [`Limits::long_jobs`]: crate::Limits::long_jobs
    async fn turn(&mut self) -> Result<io::Result<Turn>, End> {
        self.flush().await?;
        let shared = self.shared();
        let user = self.session.logged_in();
        let user = user.map_or("", |(user, _)| user.name.as_str());
        let turn = timeout(shared.limits.long_job_wait, shared.long_jobs.take(user)).await;
        Ok(turn.map_err(|_| io::ErrorKind::WouldBlock.into()))
    }
}
