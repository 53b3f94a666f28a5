//! The conformance runner: scenarios are played against a server, transcripts are judged, reports are written.

pub mod baseline;
pub mod catalogue;
pub mod command;
pub mod compare;
pub mod coverage;
pub mod data;
pub mod driver;
pub mod judge;
pub mod recording;
pub mod report;
pub mod runner;
pub mod scenario;
pub mod scripted;
pub mod selftest;
pub mod subject;
pub mod suite;
mod text;
pub mod transcript;
pub mod transfer_mode;
pub mod verdict;
