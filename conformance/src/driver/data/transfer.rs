//! Transfers of a limited number of octets over a data connection.

use std::io;

use tokio::time::timeout;

use super::super::DriverError;
use super::{DataPort, State};
use crate::data::{CONTENT_LIMIT, Data, Gatherer};
use crate::transcript::{Awaited, CloseKind, End, EventKind, Excess, Limit, Side};

/// The maximum length of a listing.
const LISTING: u64 = 16 << 20;
/// The number of octets read beyond the expected ones, so that a report can state how many arrived.
const BEYOND: u64 = 1 << 20;
/// The number of octets recorded of a transfer that exceeded its limit.
const HEAD: u64 = 64 << 10;

/// The expected data of a transfer, which determines how much is read.
#[derive(Debug, Clone)]
pub(crate) enum Expected {
    /// A listing, or unspecified data.
    Listing,
    Content(Data),
    /// Encoded data of this many octets, which may be twice as long.
    Coded(u64),
}

impl Expected {
    /// The expected octets, which do not have to be stored.
    pub(in crate::driver) fn content(&self) -> Data {
        match self {
            Self::Content(data) => data.clone(),
            Self::Listing | Self::Coded(_) => Data::default(),
        }
    }

    /// How many octets are accepted, where the scenario uploaded this many: a server that keeps an
    /// old file sends all of that, and the transfer ends all the same.
    pub(in crate::driver) fn limit(&self, uploaded: u64) -> u64 {
        let content = match self {
            Self::Listing => uploaded,
            Self::Content(data) => data.len().max(uploaded),
            Self::Coded(length) => length.max(&uploaded).saturating_mul(2),
        };
        let limit = content.saturating_add(BEYOND);
        match self {
            Self::Listing => limit.max(LISTING),
            Self::Content(_) | Self::Coded(_) => limit,
        }
    }
}

/// How reading ended.
enum ReadEnd {
    /// The connection ended.
    Ended(End),
    /// The requested number of octets was read.
    Counted,
    /// Nothing arrived in time.
    Silent,
    /// The limit was exceeded.
    Exceeded(Excess),
}

impl DataPort {
    /// Writes octets and leaves the connection open.
    ///
    /// # Errors
    /// [`DriverError::TimedOut`] if the server does not read. Not an error if it closed: the reply
    /// gives the reason.
    pub(crate) async fn write(&mut self, octets: &Data) -> Result<(), DriverError> {
        let patience = self.timeouts.data;
        let State::Open { wire, wrote } = &mut self.state else {
            return Err(self.no_connection());
        };
        *wrote = true;
        let mut sent = 0;
        let mut fate = Some(Ok(()));
        'writing: for piece in octets.pieces() {
            let mut rest = &piece[..];
            while !rest.is_empty() {
                match timeout(patience, wire.write(rest)).await {
                    Ok(Ok(0)) => fate = Some(Err(io::ErrorKind::WriteZero.into())),
                    Ok(Ok(count)) => {
                        sent += count as u64;
                        rest = &rest[count..];
                        continue;
                    }
                    Ok(Err(error)) => fate = Some(Err(error)),
                    Err(_) => fate = None,
                }
                break 'writing;
            }
        }
        if sent == octets.len() {
            fate = timeout(patience, wire.flush()).await.ok();
        }
        if sent > 0 {
            let octets = octets.slice(0..sent);
            self.record(EventKind::DataFromClient { octets });
        }
        match fate {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) => {
                self.ended(End {
                    by: Side::Server,
                    how: CloseKind::Reset,
                });
                Ok(())
            }
            None => Err(self.timed_out(patience, Awaited::Data)),
        }
    }

    /// Reads until the server ends the connection.
    ///
    /// # Errors
    /// If nothing arrives for too long, or the limit is exceeded.
    pub(crate) async fn read_to_end(&mut self, expected: &Expected) -> Result<Data, DriverError> {
        self.read(None, expected).await
    }

    /// Waits for the server to end the connection. Data that still arrives is neither kept nor
    /// recorded: its amount after an aborted transfer is random.
    ///
    /// # Errors
    /// If nothing arrives for too long, or the data does not end.
    pub(crate) async fn outlast(&mut self) -> Result<(), DriverError> {
        let patience = self.timeouts.data;
        let State::Open { wire, .. } = &mut self.state else {
            return Err(self.no_connection());
        };
        let mut buffer = vec![0; 64 << 10];
        let most = CONTENT_LIMIT + BEYOND;
        let mut came = 0;
        while came <= most {
            match timeout(patience, wire.read(&mut buffer)).await {
                Ok(Ok(read)) => came += read as u64,
                Ok(Err(end)) => {
                    self.ended(end);
                    return Ok(());
                }
                Err(_) => return Err(self.timed_out(patience, Awaited::Data)),
            }
        }
        let limit = Limit::Data;
        Err(self.exceeded(Excess { limit, most }))
    }

    /// Reads exactly `count` octets and leaves the connection open.
    ///
    /// # Errors
    /// If fewer octets arrive.
    pub(crate) async fn read_exactly(&mut self, count: u64) -> Result<Data, DriverError> {
        self.read(Some(count), &Expected::Coded(count)).await
    }

    /// Reads `count` octets, or until the server ends the connection.
    async fn read(&mut self, count: Option<u64>, expected: &Expected) -> Result<Data, DriverError> {
        let patience = self.timeouts.data;
        let State::Open { wire, .. } = &mut self.state else {
            return Err(self.no_connection());
        };
        let content = expected.content();
        let most = expected.limit(self.recorder.uploaded());
        let mut gathered = Gatherer::new(&content);
        let mut buffer = vec![0; 64 << 10];
        let fate = loop {
            if gathered.len() > most {
                let limit = Limit::Data;
                break ReadEnd::Exceeded(Excess { limit, most });
            }
            // One octet beyond the limit shows that it is exceeded.
            let wanted = count.unwrap_or(most + 1) - gathered.len();
            let wanted = buffer
                .len()
                .min(usize::try_from(wanted).unwrap_or(usize::MAX));
            if wanted == 0 {
                break ReadEnd::Counted;
            }
            match timeout(patience, wire.read(&mut buffer[..wanted])).await {
                Ok(Ok(read)) => {
                    let stored = gathered.take(&buffer[..read]);
                    if let Err(excess) = self.recorder.hold(stored).await {
                        break ReadEnd::Exceeded(excess);
                    }
                }
                Ok(Err(end)) => break ReadEnd::Ended(end),
                Err(_) => break ReadEnd::Silent,
            }
        };
        let octets = gathered.finish();
        if !octets.is_empty() {
            let octets = match fate {
                ReadEnd::Exceeded(_) => octets.slice(0..HEAD).to_vec().into(),
                _ => octets.clone(),
            };
            self.record(EventKind::DataFromServer { octets });
        }
        match fate {
            ReadEnd::Exceeded(excess) => Err(self.exceeded(excess)),
            ReadEnd::Counted => Ok(octets),
            ReadEnd::Ended(end) => {
                self.ended(end);
                match count {
                    None => Ok(octets),
                    Some(_) => Err(DriverError::Broken),
                }
            }
            ReadEnd::Silent => Err(self.timed_out(patience, Awaited::Data)),
        }
    }

    /// Ends the connection: the server sent too much.
    fn exceeded(&mut self, excess: Excess) -> DriverError {
        self.record(EventKind::LimitExceeded(excess));
        self.reset();
        DriverError::LimitExceeded(excess)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::as_expected(Expected::Content(Data::of_pattern(0..10)), 10, BEYOND + 10)]
    #[case::an_old_file(Expected::Content(Data::of_pattern(0..10)), 5_000_000, BEYOND + 5_000_000)]
    #[case::coded(Expected::Coded(10), 30, BEYOND + 60)]
    #[case::a_listing(Expected::Listing, 10, LISTING)]
    #[case::a_file_as_a_listing(Expected::Listing, LISTING, LISTING + BEYOND)]
    fn a_transfer_may_bring_all_that_was_uploaded(
        #[case] expected: Expected,
        #[case] uploaded: u64,
        #[case] limit: u64,
    ) {
        assert_eq!(expected.limit(uploaded), limit);
    }
}
