//! Digests over files (draft-bryan-ftpext-hash-02).

use super::HashAlgorithm;
use super::{CHUNK, FileKind, Storage, VirtualPath};

use md5::Md5;
use sha1::Sha1;
use sha2::digest::DynDigest;
use sha2::{Sha256, Sha512};
use std::io::{self, ErrorKind};

/// A digest of a file, or of a range of its octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// Its octets in output order; a CRC-32 is big-endian.
    pub value: Vec<u8>,
    /// The octet after the last one that was read.
    pub end: u64,
}

/// The digest of the octets of a file from `start` to `end` (excluded). Without `end` it goes to
/// the end of the file. The storage is asked first ([`Storage::digest`]); otherwise the octets are
/// read.
///
/// # Errors
/// `InvalidInput` when the range is not in the file; as [`Storage::open_read`] and reading.
pub fn digest(
    storage: &dyn Storage,
    path: &VirtualPath,
    algorithm: HashAlgorithm,
    start: u64,
    end: Option<u64>,
) -> io::Result<Digest> {
    if let Some(known) = storage.digest(path, algorithm, start, end)? {
        return Ok(known);
    }
    let metadata = storage.stat(path, true)?;
    if metadata.kind == FileKind::Directory {
        return Err(ErrorKind::IsADirectory.into());
    }
    if start > metadata.len || end.is_some_and(|end| end < start) {
        return Err(outside());
    }
    let mut file = storage.open_read(path, start)?;
    let mut running = Running::new(algorithm);
    let mut at = start;
    // The file may have been replaced by now: the octets that are read count.
    while end.is_none_or(|end| at < end) {
        let left = end.map_or(CHUNK as u64, |end| end - at);
        let octets =
            file.read_chunk(usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK)))?;
        if octets.is_empty() {
            break;
        }
        running.update(&octets);
        at += octets.len() as u64;
    }
    if end.is_some_and(|end| at < end) {
        return Err(outside());
    }
    Ok(Digest {
        value: running.finish(),
        end: at,
    })
}

fn outside() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "the range is not in the file")
}

enum Running {
    Hash(Box<dyn DynDigest + Send>),
    Crc32(crc32fast::Hasher),
}

impl Running {
    fn new(algorithm: HashAlgorithm) -> Self {
        match algorithm {
            HashAlgorithm::Sha256 => Self::Hash(Box::<Sha256>::default()),
            HashAlgorithm::Sha512 => Self::Hash(Box::<Sha512>::default()),
            HashAlgorithm::Sha1 => Self::Hash(Box::<Sha1>::default()),
            HashAlgorithm::Md5 => Self::Hash(Box::<Md5>::default()),
            HashAlgorithm::Crc32 => Self::Crc32(crc32fast::Hasher::new()),
        }
    }

    fn update(&mut self, octets: &[u8]) {
        match self {
            Self::Hash(running) => running.update(octets),
            Self::Crc32(running) => running.update(octets),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Hash(running) => running.finalize().into_vec(),
            Self::Crc32(running) => running.finalize().to_be_bytes().to_vec(),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails may panic")]
mod tests {
    use super::super::{MemFs, write_file};
    use super::*;
    use crate::text::hexadecimal;

    use rstest::rstest;

    fn of(
        content: &[u8],
        algorithm: HashAlgorithm,
        start: u64,
        end: Option<u64>,
    ) -> io::Result<(String, u64)> {
        let fs = MemFs::new();
        let path = VirtualPath::root().join(b"file").unwrap();
        write_file(&fs, &path, content.to_vec().into()).unwrap();
        digest(&fs, &path, algorithm, start, end)
            .map(|digest| (hexadecimal(&digest.value), digest.end))
    }

    /// FIPS 180-4 examples, RFC 1321 §A.5, and the check value of CRC-32/ISO-HDLC.
    #[rstest]
    #[case(
        HashAlgorithm::Sha256,
        "abc",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )]
    #[case(
        HashAlgorithm::Sha256,
        "",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )]
    #[case(
        HashAlgorithm::Sha512,
        "abc",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
    )]
    #[case(HashAlgorithm::Sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d")]
    #[case(HashAlgorithm::Md5, "abc", "900150983cd24fb0d6963f7d28e17f72")]
    #[case(
        HashAlgorithm::Md5,
        "message digest",
        "f96b697d7cb7938d525a2f31aaf161d0"
    )]
    #[case(HashAlgorithm::Crc32, "123456789", "cbf43926")]
    #[case(HashAlgorithm::Crc32, "", "00000000")]
    fn known_answers(
        #[case] algorithm: HashAlgorithm,
        #[case] content: &str,
        #[case] expected: &str,
    ) {
        let (digest, end) = of(content.as_bytes(), algorithm, 0, None).unwrap();
        assert_eq!(digest, expected);
        assert_eq!(end, content.len() as u64);
    }

    #[test]
    fn a_million_times_a_is_read_in_pieces() {
        let content = vec![b'a'; 1_000_000];
        let (digest, end) = of(&content, HashAlgorithm::Sha256, 0, None).unwrap();
        assert_eq!(
            digest,
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        );
        assert_eq!(end, 1_000_000);
    }

    #[rstest]
    #[case(2, Some(5))]
    #[case(2, None)]
    #[case(0, Some(5))]
    fn a_range_is_digested_alone(#[case] start: u64, #[case] end: Option<u64>) {
        let content = if end.is_some() {
            &b"xxabcxx"[..]
        } else {
            b"xxabc"
        };
        let whole = of(&content[start as usize..5], HashAlgorithm::Sha1, 0, None)
            .unwrap()
            .0;
        assert_eq!(
            of(content, HashAlgorithm::Sha1, start, end).unwrap(),
            (whole, 5)
        );
    }

    #[rstest]
    #[case(4, None)]
    #[case(0, Some(4))]
    #[case(3, Some(4))]
    #[case(2, Some(1))]
    #[case(u64::MAX, Some(u64::MAX))]
    #[case(0, Some(u64::MAX))]
    fn a_range_outside_the_file_is_invalid(#[case] start: u64, #[case] end: Option<u64>) {
        let error = of(b"abc", HashAlgorithm::Crc32, start, end).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn an_empty_range_at_the_end_is_in_the_file() {
        assert_eq!(
            of(b"abc", HashAlgorithm::Crc32, 3, Some(3)).unwrap(),
            ("00000000".into(), 3)
        );
    }

    #[test]
    fn a_directory_has_no_digest() {
        let error = digest(
            &MemFs::new(),
            &VirtualPath::root(),
            HashAlgorithm::Md5,
            0,
            None,
        )
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IsADirectory);
    }
}
