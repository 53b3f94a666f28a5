//! Clients under test: scenarios give a client tasks, the reference server answers with planned
//! faults, and what the client did is judged.
//!
//! ```text
//!  scenario.ftpt --parse--> Scenario --play--> Played --judge--> Verdict --> Report
//!                           (client × server)     `--rules--> JudgeVerdicts
//! ```
//!
//! `language`, `task`, `variant`, `adapter` and `judge` decide and never wait. `play` starts the
//! server and the client and observes both; `campaign` plays a suite.

pub mod adapter;
pub mod campaign;
pub mod judge;
pub mod language;
pub mod outcome;
pub mod play;
pub mod scripted;
pub mod selftest;
pub mod suite;
pub mod task;
pub mod variant;
