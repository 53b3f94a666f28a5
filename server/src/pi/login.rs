//! USER, PASS, ACCT and REIN: the login sequence (RFC 959 §4.1.1, §6).
//!
//! ```text
//!            USER              PASS
//!   Out ------------> Out ------------> In      ACCT is never needed: 202
//!    ^   331, pending  |  530            |
//!    +-----------------+                 |
//!    +-----------------------------------+
//!              USER, REIN, AUTH
//! ```

use super::{Control, Decision, Pending, Question, Session, Step, StoragePath, Work, ask};
use crate::auth::{
    CertificateClaim, Credentials, Denied, Permissions, Rate, Secret, TlsRequirement, User,
};
use crate::storage::{Storage, VirtualPath};
use crate::wire::{Completion, done};
use std::sync::Arc;

use super::storage_replies::{Act, path_refused};

/// The state of the login sequence. Only a logged-in user has a working directory.
#[derive(Debug)]
pub(super) enum Login {
    Out,
    In(Box<LoggedIn>),
}

/// A user and the working directory.
#[derive(Debug)]
pub(super) struct LoggedIn {
    pub(super) user: User,
    pub(super) working_directory: VirtualPath,
}

impl Session {
    /// USER. A new name ends the previous login; the transfer parameters stay (RFC 959 §4.1.1). Any
    /// name gets the same reply (RFC 2577 §7).
    ///
    /// A client certificate can replace the password: 232 (RFC 4217 §12.2).
    pub(super) fn user_name(&mut self, name: &[u8]) -> Decision {
        self.need_protected_login()?;
        self.refuse_two_hosts()?;
        self.login = Login::Out;
        let Some(certificate) = self.certificate() else {
            return Ok(Step::Reply(self.ask_for_password(name.into())));
        };
        let claim = CertificateClaim {
            user: name.into(),
            certificate: Arc::clone(certificate),
            peer: self.peer,
        };
        ask(Work::Recognize(Question::new(
            claim,
            |session: &mut Self, claim, outcome: Result<User, Denied>| {
                Step::Reply(match outcome {
                    Ok(user) => {
                        session.let_in(user);
                        done(232, "Login successful by client certificate.")
                    }
                    Err(Denied) => session.ask_for_password(claim.user.into()),
                })
            },
        )))
    }

    fn ask_for_password(&mut self, name: Box<[u8]>) -> Completion {
        self.pending = Pending::Password(name);
        done(331, "Password required.")
    }

    /// PASS.
    pub(super) fn password(&mut self, password: &[u8], pending: Pending) -> Decision {
        self.need_protected_login()?;
        let Pending::Password(user) = pending else {
            return Err(done(503, "PASS must follow USER."));
        };
        let credentials = Credentials {
            user: user.into_vec(),
            password: Secret::new(password),
            peer: self.peer,
            protected: self.security.is_protected(),
            certificate: self.certificate().cloned(),
            host: self.host().map(ToString::to_string),
        };
        ask(Work::Authenticate(Question::new(
            credentials,
            |session: &mut Self, _, outcome: Result<User, Denied>| match outcome {
                Ok(user) if session.needs_tls(&user) => Step::Reply(done(
                    530,
                    "TLS is required for this user: use AUTH TLS first.",
                )),
                Ok(user) => {
                    session.let_in(user);
                    Step::Reply(done(230, "Login successful."))
                }
                Err(Denied) => session.denied(),
            },
        )))
    }

    /// Whether this user may only log in over TLS.
    #[must_use]
    pub fn needs_tls(&self, user: &User) -> bool {
        user.tls_required != TlsRequirement::None && !self.security.is_protected()
    }

    fn let_in(&mut self, user: User) {
        self.failed_logins = 0;
        self.login = Login::In(Box::new(LoggedIn {
            working_directory: user.home.clone(),
            user,
        }));
    }

    /// ACCT. No account is ever needed: 202 after the login, 503 before it.
    pub(super) fn account(&self) -> Decision {
        match self.login {
            Login::In(_) => Ok(Step::Reply(done(202, "No account needed."))),
            Login::Out => Err(done(503, "Use USER and PASS first.")),
        }
    }

    /// REIN. The control connection returns to its initial state, so TLS ends after the reply (RFC
    /// 4217 §13); with implicit TLS it stays.
    pub(super) fn reinitialize(&mut self) -> Decision {
        self.reset();
        self.forget_host();
        let control = if self.security.reinitialize(self.setup.tls) {
            Control::EndTls
        } else {
            Control::DropDataPort
        };
        Ok(Step::ReplyThen(
            done(220, "Service ready for new user."),
            control,
        ))
    }

    /// Sets the working directory without checking that it exists; no effect before the login.
    pub fn go_to(&mut self, directory: VirtualPath) {
        if let Login::In(login) = &mut self.login {
            login.working_directory = directory;
        }
    }

    /// Whether a user is logged in.
    #[must_use]
    pub fn is_logged_in(&self) -> bool {
        matches!(self.login, Login::In(_))
    }

    /// The rate limit of the user for uploads or downloads.
    #[must_use]
    pub fn rate(&self, up: bool) -> Option<Arc<Rate>> {
        let Login::In(user) = &self.login else {
            return None;
        };
        let limits = &user.user.limits;
        if up { &limits.upload } else { &limits.download }.clone()
    }

    /// The logged-in user; 530 if there is none.
    pub(super) fn user(&self) -> Result<&LoggedIn, Completion> {
        match &self.login {
            Login::In(user) => Ok(user),
            Login::Out => Err(done(530, "Not logged in; use USER and PASS.")),
        }
    }

    /// The logged-in user, if `allowed` grants the effect; 550 if not (552 for HASH).
    pub(super) fn permit(
        &self,
        act: Act,
        allowed: impl FnOnce(&Permissions) -> bool,
    ) -> Result<(), Completion> {
        if allowed(&self.user()?.user.permissions) {
            Ok(())
        } else {
            Err(act.failed(std::io::ErrorKind::PermissionDenied))
        }
    }

    /// Resolves a pathname for a command whose effect the user must be allowed.
    pub(super) fn permitted(
        &self,
        act: Act,
        pathname: &[u8],
        allowed: impl FnOnce(&Permissions) -> bool,
    ) -> Result<StoragePath, Completion> {
        let at = self.resolve(act, pathname)?;
        self.permit(act, allowed)?;
        Ok(at)
    }

    /// Resolves a pathname against the working directory.
    pub(super) fn resolve(&self, act: Act, pathname: &[u8]) -> Result<StoragePath, Completion> {
        let user = self.user()?;
        let path = user
            .working_directory
            .join(pathname)
            .map_err(|error| path_refused(act, error))?;
        Ok(StoragePath {
            storage: Arc::clone(&user.user.storage),
            path,
        })
    }

    /// Resolves a pathname for the fault plan; `None` if no user is logged in or it is not a valid
    /// pathname.
    pub(crate) fn locate(&self, pathname: &[u8]) -> Option<VirtualPath> {
        let Login::In(user) = &self.login else {
            return None;
        };
        user.working_directory.join(pathname).ok()
    }

    /// Replaces the storage of the user, and returns the previous one.
    pub(crate) fn exchange_storage(
        &mut self,
        exchange: impl FnOnce(&Arc<dyn Storage>) -> Option<Arc<dyn Storage>>,
    ) -> Option<Arc<dyn Storage>> {
        let Login::In(user) = &mut self.login else {
            return None;
        };
        let other = exchange(&user.user.storage)?;
        Some(std::mem::replace(&mut user.user.storage, other))
    }

    /// A wrong password: 530, or 421 and the end of the session after too many (RFC 2577 §5).
    fn denied(&mut self) -> Step {
        self.failed_logins = self.failed_logins.saturating_add(1);
        if self.setup.limits.failed_logins != 0
            && self.failed_logins >= self.setup.limits.failed_logins
        {
            return Step::ReplyThen(done(421, "Too many failed logins."), Control::Close);
        }
        Step::Reply(done(530, "Login incorrect."))
    }
}
