//! The conformance runner: scenarios are played against a server, transcripts are judged, reports are written.

pub mod baseline;
pub mod catalogue;
pub mod check;
pub mod coding;
pub mod command;
pub mod coverage;
pub mod data;
pub mod difference;
pub mod driver;
pub mod report;
pub mod runner;
pub mod scenario;
pub mod scripted;
pub mod selftest;
pub mod sets;
pub mod snapshot;
pub mod suite;
pub mod target;
pub mod transcript;
pub mod verdict;
mod words;
