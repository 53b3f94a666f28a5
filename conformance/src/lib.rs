//! A conformance runner for FTP servers: scenarios are played against a server, the transcripts
//! are judged, and the result is a [`Report`].
//!
//! The root of the crate is its interface; everything else is hidden, and may change.
//!
//! ```no_run
//! use ftpspec::{CancelToken, Options, check};
//!
//! # async fn example() -> Result<(), ftpspec::CampaignError> {
//! let options = Options {
//!     url: Some("ftp://user:password@localhost:2121".into()),
//!     select: vec!["rfc3659".into()],
//!     ..Options::default()
//! };
//! let report = check(&options, CancelToken::never(), &mut |event| drop(event)).await?;
//! assert!(!report.fails(false), "{}", report.conclusion(false));
//! # Ok(())
//! # }
//! ```

pub use campaign::{CampaignError, Criteria, Event, Matrix, OnEvent, Options, run as check};
pub use replay::{
    Against, Credentials, Deviation, Deviations, Difference, PlayError, Recording, ReplayError,
    ReplayServer, Replayed, Strictness, Subject,
};
pub use report::{Report, RunStatus};
pub use runner::{CancelToken, Canceller};
pub use scenario::{Scenario, ScenarioId};
pub use transcript::Transcript;
pub use verdict::Outcome;

mod baseline;
mod campaign;
mod catalogue;
#[doc(hidden)]
pub mod cli;
mod client;
mod compare;
mod coverage;
mod data;
mod driver;
mod import;
#[doc(hidden)]
pub mod internals;
mod judge;
mod proxy;
#[doc(hidden)]
pub mod recording;
mod replay;
mod report;
mod runner;
mod scenario;
mod scenario_writer;
mod scripted;
mod selftest;
mod styled_text;
mod subject;
mod suite;
mod text;
#[doc(hidden)]
pub mod transcript;
mod transfer_mode;
mod verdict;
