//! The fault plan of a proxy: the faults of the reference server, injected in front of any server.
//! All that are not about the server's storage can be; the table of actions says which.

use std::sync::Arc;
use std::time::Duration;

use ftpspec_server::Reply;
pub(crate) use ftpspec_server::fault::{
    Action, BadCertificate, EARLY, Fault, FaultEvent, IN_PLACE_OF_TLS, Plan, apply_to_reply,
    describe_for_proxy,
};
use ftpspec_server::fault::{FaultCount, Faults};
pub(crate) use ftpspec_server::internals::bad_certificate;
pub(crate) use ftpspec_server::internals::fault_stream::{Breakable, FaultStream, StreamFaults};
use ftpspec_server::storage::VirtualPath;

/// A plan and its counters, for all sessions of a proxy.
#[derive(Debug)]
pub(crate) struct FaultPlan {
    faults: Faults,
    /// In the syntax of a plan.
    lines: Vec<String>,
    /// How long a fault that stops something holds it before it is given up.
    pub(crate) hold: Duration,
}

impl FaultPlan {
    /// `None` for an empty plan.
    ///
    /// # Errors
    /// The first fault that needs the storage of the server, in the syntax of a plan.
    pub(crate) fn new(plan: Plan, hold: Duration) -> Result<Option<Self>, String> {
        let works = |fault: &&Fault| {
            let row = fault.action.row();
            row.is_some_and(|row| row.works_in_proxy())
        };
        if let Some(fault) = plan.faults.iter().find(|fault| !works(fault)) {
            return Err(fault.to_string());
        }
        let lines = plan.faults.iter().map(ToString::to_string).collect();
        let faults = Faults::new(plan);
        Ok(faults.map(|faults| Self {
            faults,
            lines,
            hold,
        }))
    }

    /// Each fault in the syntax of a plan, and its counts.
    pub(crate) fn counts(&self) -> Vec<(String, FaultCount)> {
        let counts = self.faults.counts();
        let lines = self.lines.iter().cloned();
        lines.zip(counts).collect()
    }
}

/// What the plan has to know of one session.
#[derive(Debug)]
pub(crate) struct SessionFaults {
    plan: Arc<FaultPlan>,
    session: u64,
    /// The name last given with USER.
    user: Vec<u8>,
    /// The working directory as far as it is known. Before a PWD, pathnames are relative to the
    /// login directory, which counts as `/`.
    directory: VirtualPath,
    /// From now on the session may be idle for this long.
    pub(crate) idle: Option<Duration>,
}

impl SessionFaults {
    /// Of the session with this number, counted from 1.
    pub(crate) fn new(plan: Arc<FaultPlan>, session: u64) -> Self {
        Self {
            plan,
            session,
            user: Vec::new(),
            directory: VirtualPath::root(),
            idle: None,
        }
    }

    /// Counts the event, and returns the faults to be injected.
    pub(crate) fn at(&mut self, event: FaultEvent<'_>) -> Vec<Fault> {
        let (directory, user) = (&self.directory, &mut self.user);
        let locate = |pathname: &[u8]| directory.join(pathname).ok();
        let injections = self
            .plan
            .faults
            .injections(event, self.session, user, locate);
        let faults = injections.iter().map(|injection| injection.fault.clone());
        faults.collect()
    }

    /// The working directory is now this one, named from the one before.
    pub(crate) fn enter(&mut self, pathname: &[u8]) {
        if let Ok(directory) = self.directory.join(pathname) {
            self.directory = directory;
        }
    }

    /// See [`FaultPlan::hold`].
    pub(crate) fn hold(&self) -> Duration {
        self.plan.hold
    }
}

/// A reply with this text (RFC 959 §4.2).
pub(crate) fn reply_of(code: u16, text: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    Reply::text(code, text).encode(&mut octets);
    octets
}

/// The faults of one transfer.
#[derive(Debug, Clone, Default)]
pub(crate) struct TransferFaults {
    /// Of the connection with the client, in the direction of the transfer.
    pub(crate) stream: Option<StreamFaults>,
    /// Whether the client sends.
    pub(crate) upload: bool,
    /// Whether the client has to resume a TLS session.
    pub(crate) require_reuse: bool,
    /// See [`FaultPlan::hold`].
    pub(crate) hold: Duration,
}

impl TransferFaults {
    /// Those of `actions`.
    pub(crate) fn of(actions: &[Action], upload: bool, hold: Duration) -> Self {
        Self {
            stream: StreamFaults::of(actions),
            upload,
            require_reuse: actions.contains(&Action::RequireSessionReuse),
            hold,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;

    fn plan(lines: &str) -> Result<Option<FaultPlan>, String> {
        FaultPlan::new(Plan::of_lines(lines).unwrap(), Duration::from_secs(1))
    }

    #[test]
    fn a_fault_of_the_storage_is_refused() {
        let refused = plan("when NOOP do drop\nwhen STOR do full at 9").unwrap_err();
        assert_eq!(refused, "when STOR do full at 9");
        assert!(plan("").unwrap().is_none());
    }

    #[test]
    fn a_pathname_is_resolved_from_the_directory_that_is_known() {
        let faults = plan("when RETR path /home/*/f do drop\nwhen RETR path /f do drop");
        let mut session = SessionFaults::new(Arc::new(faults.unwrap().unwrap()), 1);
        let mut numbers = |enter: &[u8], line: &[u8]| {
            session.enter(enter);
            let faults = session.at(FaultEvent::Line(line));
            faults.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(numbers(b"", b"RETR f"), ["when RETR path \"/f\" do drop"]);
        assert_eq!(
            numbers(b"/home/u", b"RETR f"),
            ["when RETR path \"/home/*/f\" do drop"]
        );
        assert_eq!(
            numbers(b"x", b"RETR ../f"),
            ["when RETR path \"/home/*/f\" do drop"]
        );
    }
}
