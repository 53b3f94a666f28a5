//! The reference FTP server.

pub mod auth;
pub mod pi;
pub mod storage;
pub mod wire;
