//! Clients under test: scenarios give a client tasks, the reference server answers with planned
//! faults, and what the client did is judged.
//!
//! ```text
//!  scenario.ftpt --parse--> Scenario --play--> Played --judge--> Findings --conclude--> Verdict --> Report
//!                           (client × server)     `--rules--> JudgeVerdicts
//! ```
//!
//! `language`, `task`, `variant`, `adapter`, `judge` decide and never wait. `play` starts the server
//! and the client and observes both; `campaign` plays a suite.

pub(crate) mod adapter;
pub(crate) mod campaign;
pub(crate) mod judge;
pub(crate) mod language;
pub(crate) mod outcome;
pub(crate) mod play;
pub(crate) mod scripted;
pub(crate) mod selftest;
pub(crate) mod suite;
pub(crate) mod task;
pub(crate) mod variant;
