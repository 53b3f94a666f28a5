//! Argon2 hashes of passwords (RFC 9106).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Argon2, Params};

/// The most memory of one check, in KiB. A hash determines the memory of every login attempt.
const MOST_MEMORY: u32 = 1 << 20;
/// The most passes over the memory.
const MOST_PASSES: u32 = 100;

/// The Argon2 hash of a password, as a PHC string: `$argon2id$v=19$m=19456,t=2,p=1$…$…`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Arc<Phc>);

/// The text is not a usable [`PasswordHash`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordHashError {
    /// It is not a PHC string of Argon2.
    #[error("expected an Argon2 hash such as $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH")]
    Form,
    /// Checking a password would take too long, or too much memory.
    #[error("expected an Argon2 hash that takes 1 GiB (m=1048576) and 100 passes (t=100) at most")]
    TooCostly,
    /// The host has no random numbers for a salt.
    #[error("failed to make a salt: the host gives no random numbers")]
    NoSalt,
}

impl PasswordHash {
    /// Hashes a password with Argon2id and a new salt, with the parameters that OWASP recommends:
    /// 19 MiB, two passes. This is slow by design.
    ///
    /// # Errors
    /// [`PasswordHashError::NoSalt`].
    pub fn of(password: &[u8]) -> Result<Self, PasswordHashError> {
        let hash = Argon2::default().hash_password(password);
        Ok(Self(Arc::new(hash.map_err(|_| PasswordHashError::NoSalt)?)))
    }

    /// Whether `password` is the right one. This is slow and takes memory: do not call it on an
    /// async thread.
    #[must_use]
    pub fn verify(&self, password: &[u8]) -> bool {
        let phc: &Phc = &self.0;
        Argon2::default().verify_password(password, phc).is_ok()
    }
}

impl FromStr for PasswordHash {
    type Err = PasswordHashError;

    fn from_str(text: &str) -> Result<Self, PasswordHashError> {
        let phc = Phc::new(text).map_err(|_| PasswordHashError::Form)?;
        let params = Params::try_from(&phc).map_err(|_| PasswordHashError::Form)?;
        let known = matches!(phc.algorithm.as_str(), "argon2d" | "argon2i" | "argon2id");
        if !known || phc.salt.is_none() || phc.hash.is_none() {
            return Err(PasswordHashError::Form);
        }
        if params.m_cost() > MOST_MEMORY || params.t_cost() > MOST_PASSES {
            return Err(PasswordHashError::TooCostly);
        }
        Ok(Self(Arc::new(phc)))
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A hash can be attacked offline, so it is not for logs.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(***)")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// The hash of `password` with the lowest cost that Argon2 allows.
    const CHEAP: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$";

    #[test]
    fn a_hash_knows_its_password_and_its_text() {
        let hash = PasswordHash::of(b"secret").unwrap();
        assert!(
            hash.to_string()
                .starts_with("$argon2id$v=19$m=19456,t=2,p=1$")
        );
        let hash: PasswordHash = hash.to_string().parse().unwrap();
        assert!(hash.verify(b"secret") && !hash.verify(b"Secret") && !hash.verify(b""));
        assert_ne!(PasswordHash::of(b"secret").unwrap(), hash, "another salt");
        assert!(!format!("{hash:?}").contains("argon2id"));
    }

    #[test]
    fn what_is_no_hash_or_costs_too_much_is_refused() {
        let digest = "A".repeat(43);
        let fine = format!("{CHEAP}{digest}");
        assert!(fine.parse::<PasswordHash>().is_ok());
        for wrong in [
            "".to_owned(),
            "secret".into(),
            CHEAP.trim_end_matches('$').into(),
            fine.replace("argon2id", "scrypt"),
            fine.replace("m=8", "m=x"),
        ] {
            assert_eq!(
                wrong.parse::<PasswordHash>(),
                Err(PasswordHashError::Form),
                "{wrong}"
            );
        }
        for costly in [
            fine.replace("m=8", "m=2097152"),
            fine.replace("t=1", "t=101"),
        ] {
            assert_eq!(
                costly.parse::<PasswordHash>(),
                Err(PasswordHashError::TooCostly)
            );
        }
    }
}
