//! Why a data connection or a transfer fails.

use std::io;
use std::time::Duration;

use tokio::time::timeout;

use crate::fault_stream::EndedByFaultError;
use crate::pi::{Malformed, SessionOffered, TransferEnd};

/// Why there is no data connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataConnectionError {
    /// None came, or it could not be made.
    Connection,
    /// It was there, and was reset before anything could be moved.
    Lost,
    /// The TLS handshake failed.
    Protection,
    /// It does not resume the TLS session of its control connection, but has to.
    NotResumed(SessionOffered),
    /// The client's certificate is not that of the control connection.
    OtherClient,
}

impl From<DataConnectionError> for TransferEnd {
    fn from(why: DataConnectionError) -> Self {
        match why {
            DataConnectionError::Connection => Self::NoConnection,
            DataConnectionError::Lost => Self::ConnectionLost,
            DataConnectionError::Protection => Self::NoProtection,
            DataConnectionError::NotResumed(offered) => Self::NotResumed(offered),
            DataConnectionError::OtherClient => Self::OtherClient,
        }
    }
}

/// What went wrong while octets were moved.
#[derive(Debug)]
pub(super) enum TransferError {
    /// The client ended the connection before its time, or the network did.
    Lost,
    /// Nothing moved for too long.
    Stalled,
    /// A fault of the plan ended the connection.
    FaultInjected,
    /// The storage failed.
    Storage(io::Error),
    /// The received data violates MODE or STRU.
    Malformed(Malformed),
}

/// Does one step of a transfer.
///
/// # Errors
/// [`TransferError::Stalled`] after `stall`; what the step's own error says of the connection.
pub(super) async fn in_time<T>(
    stall: Duration,
    step: impl Future<Output = io::Result<T>>,
) -> Result<T, TransferError> {
    match timeout(stall, step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) if EndedByFaultError::caused(&error) => Err(TransferError::FaultInjected),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a data connection broke off");
            Err(TransferError::Lost)
        }
        Err(_) => {
            tracing::debug!("a data connection stalled");
            Err(TransferError::Stalled)
        }
    }
}
