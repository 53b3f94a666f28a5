//! Internals that the tests and the fuzz targets use. They change without notice and are not part
//! of the interface.

/// Known deviations.
pub mod baseline {
    pub use crate::baseline::Baseline;
}

/// The registry of commands.
pub mod catalogue {
    pub use crate::catalogue::Registry;
}

/// Clients under test.
pub mod client {
    pub use crate::client::adapter::Adapter;
    pub use crate::client::selftest::{Weaknesses, selftest};
    pub use crate::client::suite::{Suite, checked};
}

/// Replies, compared.
pub mod compare {
    pub use crate::compare::replies::{Pair, Precision, differences};
}

/// The octets of transfers.
pub mod data {
    pub use crate::data::Data;
}

/// The clients.
pub mod driver {
    pub use crate::driver::{
        Timeouts, Trust, extended_passive_port, passive_address, port_argument, quoted_pathname,
    };
}

/// Captures of packets.
pub mod import {
    pub use crate::import::{CaptureError, Options, Sink, Summary, import};
}

/// The always-on judges.
pub mod judge {
    pub use crate::judge::{Context, JUDGES};
}

/// Reports and their formats.
pub mod report {
    pub use crate::report::{
        Look, Report, Sanitized, html, json, junit, markdown, merge, read, terminal,
    };
}

/// Plays scenarios.
pub mod runner {
    pub use crate::runner::{Form, Job, Selection, SkipReason, Skipped, entries, plan, play};
}

/// The language of scenarios.
pub mod scenario {
    pub use crate::scenario::{
        Connection, Diagnostic, DriverKind, Knowledge, Scenario, ScenarioId, format, lint, parse,
        render,
    };
}

/// Tests of scenarios and judges.
pub mod selftest {
    pub use crate::selftest::{Harness, Proof};
}

/// The server under test.
pub mod subject {
    pub use crate::subject::{Embedded, Target, TlsMode, TranscriptTap, probe};
}

/// The scenarios that are built in.
pub mod suite {
    pub use crate::suite::Suite;
}

/// Decoders of the transmission modes.
pub mod transfer_mode {
    pub use crate::transfer_mode::Coding;
}

/// Results.
pub mod verdict {
    pub use crate::verdict::{Finding, Outcome, Verdict};
}
