//! Octets over a data connection, no more than are taken.

use std::io;

use tokio::time::timeout;

use super::super::DriverError;
use super::{DataPort, State};
use crate::data::{CONTENT_LIMIT, Data, Gatherer};
use crate::transcript::{Awaited, CloseKind, End, EventKind, Excess, Limit, Side};

/// A listing may be this long.
const LISTING: u64 = 16 << 20;
/// How many octets more than expected are taken, so that a report can say how many came.
const BEYOND: u64 = 1 << 20;
/// So much is recorded of what exceeded its limit.
const HEAD: u64 = 64 << 10;

/// What a transfer is expected to bring, and with it how much is taken.
#[derive(Debug, Clone)]
pub(crate) enum Expected {
    /// A listing, or nothing in particular.
    Listing,
    /// These octets.
    Content(Data),
    /// So many octets in some coding, which may need twice as many.
    Coded(u64),
}

impl Expected {
    /// The octets of which nothing has to be stored.
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

/// How reading came to its end.
enum Fate {
    /// By the end of the connection.
    Ended(End),
    /// There are as many octets as were asked for.
    Counted,
    /// Nothing came in time.
    Silent,
    /// There are more octets than are taken.
    Exceeded(Excess),
}

impl DataPort {
    /// Writes octets and leaves the connection open.
    ///
    /// # Errors
    /// [`DriverError::TimedOut`] when the server takes nothing. That it closed is no fault: the reply
    /// says why.
    pub async fn write(&mut self, octets: &Data) -> Result<(), DriverError> {
        let patience = self.timeouts.data;
        let State::Open { wire, wrote } = &mut self.state else {
            return Err(self.nothing_stands());
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
            None => Err(self.silence(patience, Awaited::Data)),
        }
    }

    /// Reads until the server ends the connection.
    ///
    /// # Errors
    /// When nothing comes for too long, or more than is taken where this is expected.
    pub(crate) async fn read_to_end(&mut self, expected: &Expected) -> Result<Data, DriverError> {
        self.read(None, expected).await
    }

    /// Waits for the server to end the connection. What still comes before is neither kept nor
    /// recorded: how much was on its way when a transfer was broken off is chance.
    ///
    /// # Errors
    /// When nothing comes for too long, or it does not stop coming.
    pub async fn outlast(&mut self) -> Result<(), DriverError> {
        let patience = self.timeouts.data;
        let State::Open { wire, .. } = &mut self.state else {
            return Err(self.nothing_stands());
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
                Err(_) => return Err(self.silence(patience, Awaited::Data)),
            }
        }
        let limit = Limit::Data;
        Err(self.exceeded(Excess { limit, most }))
    }

    /// Reads exactly so many octets and leaves the connection open.
    ///
    /// # Errors
    /// When there are not so many.
    pub async fn read_exactly(&mut self, count: u64) -> Result<Data, DriverError> {
        self.read(Some(count), &Expected::Coded(count)).await
    }

    /// Reads `count` octets, or until the server ends the connection.
    async fn read(&mut self, count: Option<u64>, expected: &Expected) -> Result<Data, DriverError> {
        let patience = self.timeouts.data;
        let State::Open { wire, .. } = &mut self.state else {
            return Err(self.nothing_stands());
        };
        let content = expected.content();
        let most = expected.limit(self.recorder.uploaded());
        let mut gathered = Gatherer::new(&content);
        let mut buffer = vec![0; 64 << 10];
        let fate = loop {
            if gathered.len() > most {
                let limit = Limit::Data;
                break Fate::Exceeded(Excess { limit, most });
            }
            // One octet more than is taken shows that there are more.
            let wanted = count.unwrap_or(most + 1) - gathered.len();
            let wanted = buffer
                .len()
                .min(usize::try_from(wanted).unwrap_or(usize::MAX));
            if wanted == 0 {
                break Fate::Counted;
            }
            match timeout(patience, wire.read(&mut buffer[..wanted])).await {
                Ok(Ok(read)) => {
                    let stored = gathered.take(&buffer[..read]);
                    if let Err(excess) = self.recorder.hold(stored).await {
                        break Fate::Exceeded(excess);
                    }
                }
                Ok(Err(end)) => break Fate::Ended(end),
                Err(_) => break Fate::Silent,
            }
        };
        let octets = gathered.finish();
        if !octets.is_empty() {
            let octets = match fate {
                Fate::Exceeded(_) => octets.slice(0..HEAD).to_vec().into(),
                _ => octets.clone(),
            };
            self.record(EventKind::DataFromServer { octets });
        }
        match fate {
            Fate::Exceeded(excess) => Err(self.exceeded(excess)),
            Fate::Counted => Ok(octets),
            Fate::Ended(end) => {
                self.ended(end);
                match count {
                    None => Ok(octets),
                    Some(_) => Err(DriverError::Broken),
                }
            }
            Fate::Silent => Err(self.silence(patience, Awaited::Data)),
        }
    }

    /// The server sent too much, and nothing more is taken.
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
