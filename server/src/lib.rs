//! The reference FTP server.

pub mod auth;
pub mod dtp;
pub mod pi;
pub mod storage;
pub mod wire;
