//! Accounts: users with files, permissions and limits of their own.
//!
//! [`Accounts`] is the [`Authenticator`] of named users. It checks password hashes on blocking
//! threads.

pub use super::password::{PasswordHash, PasswordHashError};

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::auth::{
    Authenticating, Authenticator, CertificateClaim, CertificateRule, Credentials, Denied, Network,
    Secret, User,
};

/// How the password of an account is checked.
#[derive(Debug, Clone)]
pub enum Password {
    /// Any password is accepted (anonymous, RFC 1635).
    Any,
    /// The password itself, for tests.
    Plain(Secret),
    /// The hash of the password.
    Hash(PasswordHash),
    /// No password is accepted: certificates only.
    None,
}

/// A user who may log in.
#[derive(Debug, Clone)]
pub struct Account {
    /// The user of the session after the login.
    pub user: User,
    /// The password.
    pub password: Password,
    /// Client certificates that are accepted without a password (RFC 4217 §12.2).
    pub certificates: Vec<CertificateRule>,
    /// The addresses that the user may log in from; `None` is any.
    pub hosts: Option<Vec<Network>>,
}

impl Account {
    /// An account without certificates, for clients from any address.
    #[must_use]
    pub fn new(user: User, password: Password) -> Self {
        Self {
            user,
            password,
            certificates: Vec::new(),
            hosts: None,
        }
    }

    fn may_come_from(&self, address: IpAddr) -> bool {
        let hosts = self.hosts.as_ref();
        hosts.is_none_or(|hosts| hosts.iter().any(|network| network.contains(address)))
    }
}

/// A list of accounts.
///
/// A refusal does not reveal its reason. It takes the same time for a wrong password, an unknown
/// name, a password without hash and a forbidden address, as long as all hashes cost the same (RFC
/// 2577 §5, §7). Hashes are checked on threads, at most one for each processor, because each check
/// takes as much memory as the hash demands.
#[derive(Debug, Clone)]
pub struct Accounts {
    accounts: HashMap<Vec<u8>, Account>,
    /// A hash that is checked, with a result that is ignored, where the account has none.
    decoy: Option<PasswordHash>,
    turns: Arc<Semaphore>,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            accounts: HashMap::new(),
            decoy: None,
            turns: Arc::new(Semaphore::new(
                available_parallelism().map_or(1, Into::into),
            )),
        }
    }
}

impl Accounts {
    /// No accounts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an account, replacing one of the same name.
    #[must_use]
    pub fn with(mut self, name: impl Into<Vec<u8>>, account: Account) -> Self {
        if let Password::Hash(hash) = &account.password {
            self.decoy.get_or_insert_with(|| hash.clone());
        }
        self.accounts.insert(name.into(), account);
        self
    }

    /// Checks a password on a thread.
    async fn check(&self, hash: PasswordHash, password: Secret) -> bool {
        let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else {
            return false;
        };
        // The permit is held until the check ends: it goes on if the client disconnects.
        let checked = spawn_blocking(move || {
            let _turn = turn;
            hash.verify(password.expose())
        });
        checked.await.unwrap_or(false)
    }

    async fn decide(&self, credentials: Credentials) -> Result<User, Denied> {
        let account = self.accounts.get(&credentials.user);
        let password = credentials.password;
        let right = match (account.map(|account| &account.password), &self.decoy) {
            (Some(Password::Any), _) => true,
            (Some(Password::Hash(hash)), _) => self.check(hash.clone(), password).await,
            (other, decoy) => {
                let right = matches!(other, Some(Password::Plain(plain)) if same(plain, &password));
                if let (false, Some(decoy)) = (right, decoy) {
                    self.check(decoy.clone(), password).await;
                }
                right
            }
        };
        account
            .filter(|account| right && account.may_come_from(credentials.peer))
            .map(|account| account.user.clone())
            .ok_or(Denied)
    }
}

/// Compares in a time that does not depend on where the difference is.
fn same(one: &Secret, other: &Secret) -> bool {
    let (one, other) = (one.expose(), other.expose());
    let differing = one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && differing == 0
}

impl Authenticator for Accounts {
    fn authenticate(&self, credentials: Credentials) -> Authenticating<'_> {
        Box::pin(self.decide(credentials))
    }

    fn recognize(&self, claim: CertificateClaim) -> Authenticating<'_> {
        let account = self.accounts.get(&claim.user).filter(|account| {
            let mut rules = account.certificates.iter();
            rules.any(|rule| rule.admits(&claim.certificate)) && account.may_come_from(claim.peer)
        });
        let outcome = account.map(|account| account.user.clone()).ok_or(Denied);
        Box::pin(std::future::ready(outcome))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::storage::MemFs;

    fn account(password: Password) -> Account {
        Account::new(User::new("alice", Arc::new(MemFs::new())), password)
    }

    fn from(peer: &str, user: &str, password: &str) -> Credentials {
        Credentials {
            user: user.into(),
            password: Secret::new(password),
            peer: peer.parse().unwrap(),
            protected: false,
            host: None,
            certificate: None,
        }
    }

    async fn lets_in(accounts: &Accounts, peer: &str, user: &str, password: &str) -> bool {
        accounts
            .authenticate(from(peer, user, password))
            .await
            .is_ok()
    }

    #[tokio::test]
    async fn each_kind_of_password_logs_only_its_user_in() {
        let hash = PasswordHash::of(b"secret").unwrap();
        let accounts = Accounts::new()
            .with("hashed", account(Password::Hash(hash)))
            .with("plain", account(Password::Plain(Secret::new("secret"))))
            .with("any", account(Password::Any))
            .with("none", account(Password::None));
        for (user, password, expected) in [
            ("hashed", "secret", true),
            ("hashed", "secret2", false),
            ("plain", "secret", true),
            ("plain", "secre", false),
            ("plain", "", false),
            ("any", "whatever", true),
            ("none", "", false),
            ("nobody", "secret", false),
        ] {
            let outcome = lets_in(&accounts, "127.0.0.1", user, password).await;
            assert_eq!(outcome, expected, "{user} {password}");
        }
    }

    #[tokio::test]
    async fn a_login_from_a_host_that_is_not_allowed_is_refused_as_a_wrong_password() {
        let mut account = account(Password::Plain(Secret::new("secret")));
        account.hosts = Some(vec!["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()]);
        let nowhere = Account {
            hosts: Some(Vec::new()),
            ..account.clone()
        };
        let accounts = Accounts::new().with("a", account).with("b", nowhere);
        assert!(lets_in(&accounts, "10.1.2.3", "a", "secret").await);
        assert!(lets_in(&accounts, "::ffff:10.1.2.3", "a", "secret").await);
        assert!(lets_in(&accounts, "::1", "a", "secret").await);
        assert!(!lets_in(&accounts, "11.1.2.3", "a", "secret").await);
        assert!(!lets_in(&accounts, "10.1.2.3", "a", "wrong").await);
        assert!(!lets_in(&accounts, "10.1.2.3", "b", "secret").await);
    }

    /// Whether the answer needed a thread, so that it is not ready at once.
    fn takes_its_time(accounts: &Accounts, user: &str, password: &str) -> bool {
        let mut deciding = accounts.authenticate(from("127.0.0.1", user, password));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        deciding.as_mut().poll(&mut context).is_pending()
    }

    #[tokio::test]
    async fn a_refusal_takes_its_time_whatever_its_reason() {
        let mut elsewhere = account(Password::Hash(PasswordHash::of(b"secret").unwrap()));
        elsewhere.hosts = Some(Vec::new());
        let accounts = Accounts::new()
            .with("elsewhere", elsewhere)
            .with("plain", account(Password::Plain(Secret::new("secret"))))
            .with("none", account(Password::None));
        for (user, password) in [
            ("elsewhere", "secret"),
            ("elsewhere", "wrong"),
            ("plain", "wrong"),
            ("none", ""),
            ("nobody", "secret"),
        ] {
            assert!(takes_its_time(&accounts, user, password), "{user}");
        }
        let plain = Accounts::new().with("plain", account(Password::Any));
        assert!(!takes_its_time(&plain, "nobody", "x"), "nothing to hide");
    }

    #[tokio::test]
    async fn no_more_hashes_are_checked_at_a_time_than_there_are_turns() {
        let hash = PasswordHash::of(b"secret").unwrap();
        let accounts = Accounts::new().with("a", account(Password::Hash(hash)));
        let all = u32::try_from(accounts.turns.available_permits()).unwrap();
        let turns = Arc::clone(&accounts.turns)
            .acquire_many_owned(all)
            .await
            .unwrap();
        let mut deciding = accounts.authenticate(from("127.0.0.1", "a", "secret"));
        let waiting = std::future::poll_fn(|cx| {
            std::task::Poll::Ready(deciding.as_mut().poll(cx).is_pending())
        });
        assert!(waiting.await);
        drop(turns);
        assert!(deciding.await.is_ok());
    }
}
