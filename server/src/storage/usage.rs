//! The octets that a storage holds, and its limit.

use std::io::{self, ErrorKind};

/// The octets held, and the limit.
///
/// `used` counts files; `staged` counts uploads that are not committed yet. An upload that will
/// replace a file has the octets of the old file as `credit`, so a full storage can still replace a
/// file; apart from that all uploads together can never exceed the quota.
#[derive(Debug, Clone)]
pub(super) struct Usage {
    pub(super) quota: u64,
    pub(super) max_file_size: u64,
    used: u64,
    staged: u64,
}

impl Usage {
    pub(super) fn new(quota: u64, max_file_size: u64) -> Self {
        Self {
            quota,
            max_file_size,
            used: 0,
            staged: 0,
        }
    }

    /// The octets of all files.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// Octets that can still be stored.
    pub(super) fn available(&self) -> u64 {
        self.quota
            .saturating_sub(self.used)
            .saturating_sub(self.staged)
    }

    /// Whether a new file could have this many octets.
    pub(super) fn room_for(&self, octets: u64) -> io::Result<()> {
        self.clone().stage(octets, 0, octets)
    }

    /// The usage of a snapshot, without uploads.
    pub(super) fn at_rest(&self) -> Self {
        Self {
            staged: 0,
            ..self.clone()
        }
    }

    /// The files are replaced by those of `other`; uploads continue.
    pub(super) fn restore(&mut self, other: &Self) {
        self.used = other.used;
    }

    /// An upload receives octets, with which its file is `len` octets long.
    pub(super) fn stage(&mut self, octets: u64, credit: u64, len: u64) -> io::Result<()> {
        self.check_file(len)?;
        let total = self
            .used
            .saturating_add(self.staged)
            .saturating_add(octets)
            .saturating_sub(credit);
        if total > self.quota {
            return Err(exceeded());
        }
        self.staged += octets;
        Ok(())
    }

    /// An upload has ended.
    pub(super) fn unstage(&mut self, octets: u64) {
        self.staged = self.staged.saturating_sub(octets);
    }

    /// A file of `old` octets is about to have `new`.
    pub(super) fn change(&mut self, old: u64, new: u64) -> io::Result<()> {
        let used = self.used.saturating_sub(old).saturating_add(new);
        if new > old {
            self.check_file(new)?;
            if used > self.quota {
                return Err(exceeded());
            }
        }
        self.used = used;
        Ok(())
    }

    /// Whether a file of `old` octets may grow to `new`.
    pub(super) fn check(&self, old: u64, new: u64) -> io::Result<()> {
        self.clone().change(old, new)
    }

    /// Files of `old` octets have become `new`, whether that is allowed or not.
    pub(super) fn settle(&mut self, old: u64, new: u64) {
        // Only the difference: both may count a file twice.
        self.used = if new > old {
            self.used.saturating_add(new - old)
        } else {
            self.used.saturating_sub(old - new)
        };
    }

    /// A file of `len` octets was removed.
    pub(super) fn release(&mut self, len: u64) {
        self.used = self.used.saturating_sub(len);
    }

    fn check_file(&self, len: u64) -> io::Result<()> {
        if len > self.max_file_size {
            return Err(io::Error::new(
                ErrorKind::QuotaExceeded,
                "the file is larger than a file may be",
            ));
        }
        Ok(())
    }
}

fn exceeded() -> io::Error {
    io::Error::new(ErrorKind::QuotaExceeded, "the quota is used up")
}
