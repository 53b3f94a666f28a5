//! The faults of a plan that concern one data connection.

use crate::fault::Action;
use crate::fault_stream::StreamFaults;

/// What is done to the data connection of one transfer.
#[derive(Debug)]
pub(crate) struct DataFaults {
    /// There is none.
    pub(super) refuse: bool,
    /// The client's connection is not accepted.
    pub(super) never_accept: bool,
    /// It must resume a TLS session.
    pub(super) require_reuse: bool,
    pub(super) stream: Option<StreamFaults>,
}

impl DataFaults {
    /// Those of `actions` that concern data connections; `None` if none does.
    pub(crate) fn of(actions: &[Action]) -> Option<Self> {
        let faults = Self {
            refuse: actions.contains(&Action::Refuse),
            never_accept: actions.contains(&Action::NeverAccept),
            require_reuse: actions.contains(&Action::RequireSessionReuse),
            stream: StreamFaults::of(actions),
        };
        let any =
            faults.refuse || faults.never_accept || faults.require_reuse || faults.stream.is_some();
        any.then_some(faults)
    }
}
