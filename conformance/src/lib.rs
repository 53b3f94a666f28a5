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
pub use report::{Report, RunStatus};
pub use runner::{CancelToken, Canceller};
pub use scenario::{Scenario, ScenarioId};
pub use transcript::Transcript;
pub use verdict::Outcome;

#[doc(hidden)]
pub mod baseline;
mod campaign;
#[doc(hidden)]
pub mod catalogue;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod client;
#[doc(hidden)]
pub mod compare;
#[doc(hidden)]
pub mod coverage;
#[doc(hidden)]
pub mod data;
#[doc(hidden)]
pub mod driver;
#[doc(hidden)]
pub mod judge;
mod proxy;
#[doc(hidden)]
pub mod recording;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod runner;
#[doc(hidden)]
pub mod scenario;
#[doc(hidden)]
pub mod scripted;
#[doc(hidden)]
pub mod selftest;
#[doc(hidden)]
pub mod subject;
#[doc(hidden)]
pub mod suite;
mod text;
#[doc(hidden)]
pub mod transcript;
#[doc(hidden)]
pub mod transfer_mode;
#[doc(hidden)]
pub mod verdict;
