//! HASH, XCRC and similar commands, MD5 and MMD5: digests of files (drafts).

use super::storage_replies::Act;
use super::{
    Decision, DigestRequest, HashAlgorithm, Pending, Question, Session, Step, Work, ask, look,
};
use crate::storage::{Digest, FileKind};
use crate::wire::{Completion, DigestArgument, QuotedPathname, done};
use std::io::{self, ErrorKind, Write as _};

/// A file of MD5 or MMD5.
struct Named {
    /// The name as the client sent it.
    said: Vec<u8>,
    hash: DigestRequest,
}

impl Session {
    /// HASH (draft-bryan-ftpext-hash-02 §3), over the octets that RANG selected (§3.3), as far as
    /// the file has them. The reply names the last octet of the range; for an empty file it is 0-0.
    pub(super) fn hash(&self, pathname: Vec<u8>, pending: Pending) -> Decision {
        let at = self.resolve(Act::Hash, &pathname)?;
        self.permit(Act::Hash, |may| may.read)?;
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
        let at = self.resolve(Act::Find, &argument.pathname)?;
        self.permit(Act::Find, |may| may.read)?;
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
            let said = name.said.to_vec();
            files.push(Named { said, hash });
        }
        let many = files.len() > 1;
        ask_md5(files.into_iter(), Vec::new(), many)
    }
}

/// 213 `algorithm first-last digest pathname`.
fn ask_hash(hash: DigestRequest, pathname: Vec<u8>) -> Decision {
    ask(Work::Hash(Question::new(
        hash,
        move |_, hash: DigestRequest, outcome: io::Result<Digest>| {
            Step::Reply(match outcome {
                Ok(hashed) => {
                    let last = hashed.end.saturating_sub(1).max(hash.start);
                    let mut text = Vec::with_capacity(160 + pathname.len());
                    let _ = write!(text, "{} {}-{last} ", hash.algorithm.name(), hash.start);
                    write_digest(&hashed.value, &mut text);
                    text.push(b' ');
                    text.extend_from_slice(&pathname);
                    done(213, text)
                }
                // The file has become shorter since its metadata was read.
                Err(error) if error.kind() == ErrorKind::InvalidInput => not_there(),
                Err(error) => Act::Hash.refused(&error),
            })
        },
    )))
}

/// 250 with the digest and nothing else.
fn ask_digest(hash: DigestRequest) -> Decision {
    ask(Work::Hash(Question::new(
        hash,
        |_, hash: DigestRequest, outcome: io::Result<Digest>| {
            let partial = hash.start != 0 || hash.end.is_some();
            Step::Reply(match outcome {
                Ok(hashed) => {
                    let mut text = Vec::with_capacity(128);
                    write_digest(&hashed.value, &mut text);
                    done(250, text)
                }
                Err(error) if partial && error.kind() == ErrorKind::InvalidInput => not_there(),
                Err(error) => Act::Find.refused(&error),
            })
        },
    )))
}

/// Computes the digests one after the other: 251 with one, 252 with `many`, and an error reply
/// alone if one of them fails.
fn ask_md5(mut files: std::vec::IntoIter<Named>, mut text: Vec<u8>, many: bool) -> Decision {
    let Some(file) = files.next() else {
        return Ok(Step::Reply(done(if many { 252 } else { 251 }, text)));
    };
    let Named { said, hash } = file;
    ask(Work::Hash(Question::new(
        hash,
        move |_, _, outcome: io::Result<Digest>| match outcome {
            Ok(hashed) => {
                if !text.is_empty() {
                    text.push(b',');
                }
                text.extend_from_slice(&said);
                text.push(b' ');
                let digits = text.len();
                write_digest(&hashed.value, &mut text);
                text[digits..].make_ascii_uppercase();
                ask_md5(files, text, many).unwrap_or_else(Step::Reply)
            }
            Err(error) => Step::Reply(without_md5(error.kind(), many)),
        },
    )))
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

fn write_digest(digest: &[u8], to: &mut Vec<u8>) {
    for octet in digest {
        let _ = write!(to, "{octet:02x}");
    }
}

fn not_there() -> Completion {
    done(550, "The range is beyond the end of the file.")
}
