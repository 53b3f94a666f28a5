//! HASH, XCRC and similar commands, MD5 and MMD5: digests of files (drafts).

use super::storage_replies::Act;
use super::{Decision, HashAlgorithm, Pending, Session, Step, StoragePath, StorageWork, look};
use crate::storage::{Digest, FileKind, Storage, VirtualPath, digest};
use crate::text::hexadecimal;
use crate::wire::{Completion, DigestArgument, QuotedPathname, done};
use std::io::{self, ErrorKind};

/// A file of MD5 or MMD5.
struct Named {
    /// The name as the client sent it.
    as_sent: Vec<u8>,
    hash: DigestRequest,
}

impl Session {
    /// HASH (draft-bryan-ftpext-hash-02 §3), over the octets that RANG selected (§3.3), as far as
    /// the file has them. The reply names the last octet of the range; for an empty file it is 0-0.
    pub(super) fn hash(&self, pathname: Vec<u8>, pending: Pending) -> Decision {
        let at = self.permitted(Act::Hash, &pathname, |may| may.read)?;
        let hash = DigestRequest {
            at: at.clone(),
            algorithm: self.parameters.algorithm,
            start: 0,
            end: None,
        };
        let Pending::Range(range) = pending else {
            return ask_hash(hash, pathname);
        };
        look(at, move |_, _, found| {
            let found = found.map_err(|error| Act::Hash.refused(&error))?;
            if found.kind == FileKind::Directory {
                return Err(Act::Hash.failed(ErrorKind::IsADirectory));
            }
            let len = found.len;
            if range.start >= len {
                return Err(not_there());
            }
            let (start, end) = (range.start, Some(range.end.min(len)));
            ask_hash(DigestRequest { start, end, ..hash }, pathname)
        })
    }

    /// XCRC, XMD5, XSHA, XSHA1, XSHA256 and XSHA512. Where a number may be a part of the name, it
    /// is one if such a file exists.
    pub(super) fn digest(
        &self,
        algorithm: HashAlgorithm,
        argument: DigestArgument<'_>,
    ) -> Decision {
        let at = self.permitted(Act::Find, &argument.pathname, |may| may.read)?;
        let (start, end) = argument.range.unwrap_or((0, None));
        let hash = DigestRequest {
            at,
            algorithm,
            start,
            end,
        };
        let Some(whole) = argument.whole else {
            return ask_digest(hash);
        };
        look(self.resolve(Act::Find, whole)?, move |_, whole, found| {
            ask_digest(match found {
                Ok(_) => DigestRequest {
                    at: whole,
                    algorithm,
                    start: 0,
                    end: None,
                },
                Err(_) => hash,
            })
        })
    }

    /// MD5 and MMD5 (draft-twine-ftpmd5-00 §3): names as the client sent them, digits in upper
    /// case.
    pub(super) fn md5(&self, names: &[QuotedPathname<'_>]) -> Decision {
        self.permit(Act::Find, |may| may.read)?;
        let mut files = Vec::with_capacity(names.len());
        for name in names {
            let hash = DigestRequest {
                at: self.resolve(Act::Find, &name.pathname)?,
                algorithm: HashAlgorithm::Md5,
                start: 0,
                end: None,
            };
            let as_sent = name.as_sent.to_vec();
            files.push(Named { as_sent, hash });
        }
        let many = files.len() > 1;
        ask_md5(files.into_iter(), Vec::new(), many)
    }
}

/// A request for a digest.
#[derive(Debug, Clone)]
struct DigestRequest {
    /// The file.
    at: StoragePath,
    /// The algorithm.
    algorithm: HashAlgorithm,
    /// The first octet.
    start: u64,
    /// The octet after the last; `None` is the end of the file.
    end: Option<u64>,
}

impl DigestRequest {
    /// Asks for the digest, and continues with it.
    fn ask(
        self,
        then: impl FnOnce(&mut Session, io::Result<Digest>) -> Decision + Send + 'static,
    ) -> Decision {
        let Self {
            at,
            algorithm,
            start,
            end,
        } = self;
        let compute = move |storage: &dyn Storage, path: &VirtualPath| {
            digest(storage, path, algorithm, start, end)
        };
        StorageWork::inquiry(at, compute, |session, _, outcome| then(session, outcome))
            .long()
            .ask()
    }
}

/// 213 `algorithm first-last digest pathname`.
fn ask_hash(hash: DigestRequest, pathname: Vec<u8>) -> Decision {
    let (algorithm, start) = (hash.algorithm.name(), hash.start);
    hash.ask(move |_, outcome| match outcome {
        Ok(hashed) => {
            let last = hashed.end.saturating_sub(1).max(start);
            let digits = hexadecimal(&hashed.value);
            let mut text = format!("{algorithm} {start}-{last} {digits} ").into_bytes();
            text.extend_from_slice(&pathname);
            Ok(Step::Reply(done(213, text)))
        }
        // The file has become shorter since its metadata was read.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Err(not_there()),
        Err(error) => Err(Act::Hash.refused(&error)),
    })
}

/// 250 with the digest and nothing else.
fn ask_digest(hash: DigestRequest) -> Decision {
    let partial = hash.start != 0 || hash.end.is_some();
    hash.ask(move |_, outcome| match outcome {
        Ok(hashed) => Ok(Step::Reply(done(250, hexadecimal(&hashed.value)))),
        Err(error) if partial && error.kind() == ErrorKind::InvalidInput => Err(not_there()),
        Err(error) => Err(Act::Find.refused(&error)),
    })
}

/// Computes the digests one after the other: 251 with one, 252 with `many`, and an error reply
/// alone if one of them fails.
fn ask_md5(mut files: std::vec::IntoIter<Named>, mut text: Vec<u8>, many: bool) -> Decision {
    let Some(file) = files.next() else {
        return Ok(Step::Reply(done(if many { 252 } else { 251 }, text)));
    };
    let Named { as_sent, hash } = file;
    hash.ask(move |_, outcome| match outcome {
        Ok(hashed) => {
            if !text.is_empty() {
                text.push(b',');
            }
            text.extend_from_slice(&as_sent);
            text.push(b' ');
            text.extend(hexadecimal(&hashed.value).to_uppercase().into_bytes());
            ask_md5(files, text, many)
        }
        Err(error) => Err(without_md5(error.kind(), many)),
    })
}

/// draft-twine-ftpmd5-00 §3.1, §3.2: 504 for anything but a file, and for any failure among several
/// names.
fn without_md5(kind: ErrorKind, many: bool) -> Completion {
    match kind {
        ErrorKind::IsADirectory => done(504, "A directory has no digest."),
        ErrorKind::NotFound | ErrorKind::NotADirectory if many => {
            done(504, "One of these files does not exist.")
        }
        kind => Act::Find.failed(kind),
    }
}

fn not_there() -> Completion {
    done(550, "The range is beyond the end of the file.")
}
