//! AUTH, PBSZ, PROT and CCC (RFC 2228 §3, RFC 4217).

use super::{Control, Decision, Question, Session, Step, TlsPolicy, TlsRequirement, Work, ask};
use crate::auth::ClientCertificate;
use crate::wire::{Completion, ProtectionLevel, done};
use std::sync::Arc;

use super::login::Login;

/// The states of RFC 4217 §9: AUTH, then PBSZ, then PROT. Each requires the one before it.
///
/// ```text
///  Clear -AUTH-> Starting -handshake-> Tls -PBSZ-> Sized(private?) -CCC-> Cleared(private?)
///    ^                                                    |
///    +------------------------- REIN ---------------------+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    /// Neither connection is protected.
    Clear,
    /// AUTH was accepted, and the handshake is in progress. `private`: data connections will be
    /// protected without PROT.
    Starting { private: bool },
    /// The control connection is protected.
    Tls,
    /// PBSZ was accepted: PROT may follow.
    Sized { private: bool },
    /// The control connection was protected; data connections stay as PROT left them (RFC 4217 §5).
    Cleared { private: bool },
}

impl Security {
    /// The initial state. Implicit TLS has no negotiation, so clients expect protected data without
    /// PBSZ and PROT.
    pub(super) fn initial(policy: TlsPolicy, protected: bool) -> Self {
        match (policy, protected) {
            (_, false) => Self::Clear,
            (TlsPolicy::Implicit, true) => Self::Sized { private: true },
            (TlsPolicy::Off | TlsPolicy::Explicit, true) => Self::Tls,
        }
    }

    /// Whether the control connection is protected.
    pub(super) fn is_protected(self) -> bool {
        matches!(self, Self::Tls | Self::Sized { .. })
    }

    /// Whether data connections are protected from now on.
    pub(super) fn data_is_private(self) -> bool {
        matches!(
            self,
            Self::Sized { private: true } | Self::Cleared { private: true }
        )
    }

    /// Returns to the initial state; returns whether TLS has to end.
    pub(super) fn reinitialize(&mut self, policy: TlsPolicy) -> bool {
        let protected = self.is_protected();
        let implicit = policy == TlsPolicy::Implicit;
        *self = Self::initial(policy, protected && implicit);
        protected && !implicit
    }
}

impl Session {
    /// The caller reports that the TLS handshake has succeeded. If it fails, the connection closes
    /// instead.
    pub fn tls_established(&mut self) {
        self.security = match self.security {
            Security::Starting { private: true } => Security::Sized { private: true },
            _ => Security::Tls,
        };
    }

    /// Sets the certificate that the client sent in the TLS handshake, if any.
    pub fn client_certificate(&mut self, certificate: Option<Arc<ClientCertificate>>) {
        self.certificate = certificate;
    }

    /// The caller reports that the control connection is clear again, after [`Control::EndTls`].
    pub fn tls_ended(&mut self) {
        // REIN and CCC have already set the next state; otherwise the client ended TLS by itself.
        if self.security.is_protected() {
            self.security = Security::Clear;
        }
        if self.security == Security::Clear {
            self.certificate = None;
        }
    }

    /// AUTH. Mechanism names are those of RFC 4217 §17; `TLS-P` is the older way to ask for
    /// protected data as well. The user must log in again, and every parameter is reset (RFC 4217
    /// §4). A second AUTH is refused: TLS in TLS adds no protection.
    ///
    /// 534 is for a mechanism that policy forbids (RFC 2228 §3). It never applies: TLS is
    /// configured for the listener and not for hosts (HOST may follow AUTH), and without TLS, AUTH
    /// is not available, 502.
    pub(super) fn authenticate_by(&mut self, mechanism: &[u8]) -> Decision {
        let private = if mechanism.eq_ignore_ascii_case(b"TLS-P") {
            true
        } else if mechanism.eq_ignore_ascii_case(b"TLS") || mechanism.eq_ignore_ascii_case(b"TLS-C")
        {
            false
        } else {
            return Err(done(504, "Only AUTH TLS is supported."));
        };
        if self.security.is_protected() {
            return Err(done(503, "The control connection is already protected."));
        }
        ask(Work::PrepareTls(Question::new(
            (),
            move |session: &mut Self, (), usable: bool| {
                if !usable {
                    return Step::Reply(done(431, "No certificate is available, try again later."));
                }
                session.reset();
                session.certificate = None;
                session.security = Security::Starting { private };
                Step::ReplyThen(done(234, "Begin the TLS handshake."), Control::StartTls)
            },
        )))
    }

    /// Refuses USER and PASS in the clear if TLS is required (RFC 4217 §10.1). RFC 959 has no
    /// better code for it than 530.
    pub(super) fn need_protected_login(&self) -> Result<(), Completion> {
        if self.setup.tls_required != TlsRequirement::None && !self.security.is_protected() {
            return Err(done(530, "TLS is required to log in: use AUTH TLS first."));
        }
        Ok(())
    }

    /// Whether the data connection of a transfer that starts now is protected; 521 if it must be
    /// and is not. Decided here and not at PASV or PORT, because PROT may come between (RFC 4217
    /// §10.2).
    pub(super) fn data_protection(&self) -> Result<bool, Completion> {
        let protected = self.security.data_is_private();
        let required = self.setup.tls_required.max(match &self.login {
            Login::In(login) => login.user.tls_required,
            Login::Out => TlsRequirement::None,
        });
        if !protected && required == TlsRequirement::ControlAndData {
            return Err(done(
                521,
                "Data connections must be protected: use PROT P first.",
            ));
        }
        Ok(protected)
    }

    /// The client's certificate, while the control connection is protected. After CCC anybody could
    /// send commands in its name.
    pub(super) fn certificate(&self) -> Option<&Arc<ClientCertificate>> {
        let certificate = self.certificate.as_ref();
        certificate.filter(|_| self.security.is_protected())
    }

    /// PBSZ. TLS is a stream: any size becomes 0 (RFC 4217 §9).
    pub(super) fn protection_buffer_size(&mut self) -> Decision {
        match self.security {
            Security::Tls => self.security = Security::Sized { private: false },
            Security::Sized { .. } => {}
            Security::Clear | Security::Starting { .. } | Security::Cleared { .. } => {
                return Err(done(503, "PBSZ must follow AUTH TLS."));
            }
        }
        Ok(Step::Reply(done(200, "PBSZ=0")))
    }

    /// PROT. TLS knows Clear and Private only (RFC 4217 §9).
    pub(super) fn protection_level(&mut self, level: Option<ProtectionLevel>) -> Decision {
        match self.security {
            Security::Sized { .. } => {}
            Security::Tls => return Err(done(503, "PROT must follow PBSZ.")),
            Security::Clear | Security::Starting { .. } | Security::Cleared { .. } => {
                return Err(done(503, "PROT must follow AUTH TLS and PBSZ."));
            }
        }
        let private = match level {
            Some(ProtectionLevel::Clear) => false,
            Some(ProtectionLevel::Private) => true,
            Some(ProtectionLevel::Safe | ProtectionLevel::Confidential) => {
                return Err(done(
                    536,
                    "Only the protection levels C and P are supported.",
                ));
            }
            None => return Err(done(504, "Unknown protection level; use C or P.")),
        };
        self.security = Security::Sized { private };
        Ok(Step::Reply(if private {
            done(200, "Data connections will be protected.")
        } else {
            done(200, "Data connections will be clear.")
        }))
    }

    /// ADAT. TLS exchanges its security data in the handshake: before AUTH it is too early,
    /// afterwards it is done (RFC 2228 §3).
    pub(super) fn security_data(&self) -> Decision {
        Err(match self.security {
            Security::Clear | Security::Starting { .. } => done(503, "Use AUTH TLS first."),
            Security::Tls | Security::Sized { .. } | Security::Cleared { .. } => {
                done(503, "TLS does not use ADAT.")
            }
        })
    }

    /// MIC, CONF and ENC protect a single command, which TLS does not support (RFC 2228 §3, §5:
    /// 537).
    pub(super) fn protected_command(&self) -> Decision {
        Err(match self.security {
            Security::Clear | Security::Starting { .. } => done(503, "Use AUTH TLS first."),
            Security::Tls | Security::Sized { .. } | Security::Cleared { .. } => {
                done(537, "TLS does not protect single commands.")
            }
        })
    }

    /// CCC (RFC 4217 §5). Refused before the login, since the password would be sent in the clear.
    pub(super) fn clear_command_channel(&mut self) -> Decision {
        if !self.security.is_protected() {
            return Err(done(533, "The control connection is not protected."));
        }
        if !self.setup.allow_ccc || matches!(self.login, Login::Out) {
            return Err(done(534, "CCC is not allowed."));
        }
        self.security = Security::Cleared {
            private: self.security.data_is_private(),
        };
        self.parameters.port = super::DataPort::None;
        Ok(Step::ReplyThen(
            done(200, "The control connection is now clear."),
            Control::EndTls,
        ))
    }
}
