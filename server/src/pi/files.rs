//! Directories, names, sizes, times and digests (RFC 959 §4.1.1, §4.1.3, RFC 3659, drafts).

use super::storage_replies::Act;
use super::{
    Decision, Listing, Mode, Pending, Question, Representation, Session, Step, StoragePath,
    StorageWork, Structure, Work, ask, look, look_at_name,
};
use crate::storage::{
    Change, FileKind, Storage, VirtualPath, combine, remove_subtree, set_facts, subtree_size,
};
use crate::wire::{
    CombArgument, Completion, DotNames, FactChanges, KnownFacts, ListingFormat, MffArgument,
    Naming, Reply, done, write_facts, write_time_val,
};
use std::io::{self, ErrorKind};
use std::sync::Arc;

use super::login::Login;

impl Session {
    /// CWD and CDUP. The parent of the root is the root.
    pub(super) fn change_directory(&mut self, pathname: &[u8]) -> Decision {
        let at = self.resolve(Act::Find, pathname)?;
        look(at, |session, at, found| {
            Ok(Step::Reply(match found {
                Ok(metadata) if metadata.kind == FileKind::Directory => {
                    if let Login::In(user) = &mut session.login {
                        user.working_directory = at.path;
                    }
                    done(250, "Working directory changed.")
                }
                Ok(_) => Act::Find.failed(ErrorKind::NotADirectory),
                Err(error) => Act::Find.refused(&error),
            }))
        })
    }

    /// PWD.
    pub(super) fn working_directory(&self) -> Decision {
        let path = &self.user()?.working_directory;
        Ok(Step::Reply(directory_reply(
            path,
            " is the current directory.",
        )))
    }

    /// MKD.
    pub(super) fn make_directory(&self, pathname: &[u8]) -> Decision {
        let at = self.permitted(Act::Find, pathname, |may| may.make_directory)?;
        let make = |storage: &dyn Storage, path: &VirtualPath| {
            storage.make_directory(path)?;
            Ok(vec![Change::DirectoryMade { path: path.clone() }])
        };
        StorageWork::change(at, make, |_, at, outcome| {
            outcome.map_err(|error| Act::Find.refused(&error))?;
            Ok(Step::Reply(directory_reply(&at.path, " created.")))
        })
        .ask()
    }

    /// RMD.
    pub(super) fn remove_directory(&self, pathname: &[u8]) -> Decision {
        let at = self.permitted(Act::Find, pathname, |may| may.delete)?;
        let remove = |storage: &dyn Storage, path: &VirtualPath| {
            storage.remove_directory(path)?;
            Ok(vec![Change::DirectoryRemoved { path: path.clone() }])
        };
        StorageWork::change(at, remove, |session, at, outcome| match outcome {
            Err(error) => session.not_removed(at, error.kind()),
            Ok(()) => Ok(Step::Reply(done(250, "Directory removed."))),
        })
        .ask()
    }

    /// Finds the reason why RMD did not remove a directory, for the reply.
    fn not_removed(&self, at: StoragePath, kind: ErrorKind) -> Decision {
        match kind {
            ErrorKind::NotADirectory => look_at_name(at, move |_, _, found| {
                Err(match found {
                    Ok(found) if found.link => {
                        done(550, "Not a directory but a symbolic link; use DELE.")
                    }
                    _ => Act::Find.failed(kind),
                })
            }),
            ErrorKind::DirectoryNotEmpty if self.user()?.user.permissions.list => {
                let all = self.setup.dot_names == DotNames::Shown;
                // One entry is enough.
                let listing = Listing {
                    most: 1,
                    ..self.listing(at, ListingFormat::Long { all })?
                };
                ask(Work::ListLines(Question::new(
                    listing,
                    move |_, _, lines: io::Result<Vec<Vec<u8>>>| {
                        Step::Reply(match lines {
                            Ok(lines) if lines.is_empty() => {
                                done(550, "Directory not empty: it has hidden entries.")
                            }
                            _ => Act::Find.failed(kind),
                        })
                    },
                )))
            }
            kind => Err(Act::Find.failed(kind)),
        }
    }

    /// RMDA (draft-peterson-streamlined-ftp-command-extensions §2).
    pub(super) fn remove_subtree(&self, pathname: &[u8]) -> Decision {
        let at = self.permitted(Act::Find, pathname, |may| may.delete)?;
        let remove = |storage: &dyn Storage, path: &VirtualPath| {
            remove_subtree(storage, path)?;
            Ok(vec![Change::SubtreeRemoved { path: path.clone() }])
        };
        StorageWork::change(at, remove, plain(250, Act::Find, "Directory tree removed."))
            .long()
            .ask()
    }

    /// DELE.
    pub(super) fn remove_file(&self, pathname: &[u8]) -> Decision {
        let at = self.permitted(Act::Find, pathname, |may| may.delete)?;
        let remove = |storage: &dyn Storage, path: &VirtualPath| {
            storage.remove_file(path)?;
            Ok(vec![Change::Removed { path: path.clone() }])
        };
        StorageWork::change(at, remove, plain(250, Act::Find, "File removed.")).ask()
    }

    /// RNFR.
    pub(super) fn rename_from(&self, pathname: &[u8]) -> Decision {
        let at = self.permitted(Act::Find, pathname, |may| may.rename)?;
        if at.path.is_root() {
            return Err(done(550, "The root directory cannot be renamed."));
        }
        look_at_name(at, |session, at, found| {
            Ok(Step::Reply(match found {
                Ok(_) => {
                    session.pending = Pending::Rename(at.path);
                    done(350, "Ready for RNTO.")
                }
                Err(error) => Act::Find.refused(&error),
            }))
        })
    }

    /// RNTO.
    pub(super) fn rename_to(&self, pathname: &[u8], pending: Pending) -> Decision {
        let Pending::Rename(from) = pending else {
            return Err(done(503, "RNTO must follow RNFR."));
        };
        let to = self.resolve(Act::Name, pathname)?;
        let from = StoragePath {
            storage: Arc::clone(&to.storage),
            path: from,
        };
        let rename = |at: StoragePath, to: VirtualPath| {
            let rename = |storage: &dyn Storage, path: &VirtualPath| {
                storage.rename(path, &to)?;
                let from = path.clone();
                Ok(vec![Change::Renamed { from, to }])
            };
            StorageWork::change(at, rename, plain(250, Act::Name, "Rename successful.")).ask()
        };
        if self.user()?.user.permissions.overwrite {
            return rename(from, to.path);
        }
        look_at_name(to, move |_, to, found| match found {
            Ok(_) => Err(Act::Name.failed(ErrorKind::PermissionDenied)),
            Err(_) => rename(from, to.path),
        })
    }

    /// SIZE: exactly what RETR would send now (RFC 3659 §4). In MODE Z it counts the octets before
    /// they are deflated, which is what REST takes there (draft-preston-ftpext-deflate §3.7). In
    /// MODE B and C it would be neither an offset nor the length of the file, so it is refused, as
    /// §4.2 of the RFC allows.
    pub(super) fn size(&self, pathname: &[u8]) -> Decision {
        let at = self.permitted(Act::Find, pathname, |may| may.list)?;
        let mut coding = self.coding();
        if !matches!(coding.mode, Mode::Stream | Mode::Deflate { .. }) {
            return Err(done(550, "SIZE is only available in MODE S and Z."));
        }
        coding.mode = Mode::Stream;
        if coding.representation != Representation::Image || coding.structure != Structure::File {
            // The file has to be read for it, which is too expensive for a large one.
            return look(at, move |session, at, found| {
                let metadata = found.map_err(|error| Act::Find.refused(&error))?;
                if metadata.len > session.setup.limits.ascii_size {
                    return Err(done(550, "The file is too large for SIZE in TYPE A."));
                }
                ask(Work::CodedSize(Question::new(
                    (at, coding),
                    |_, _, octets| Step::Reply(number(octets)),
                )))
            });
        }
        look(at, |_, _, found| {
            Ok(Step::Reply(match found {
                Ok(metadata) if metadata.kind == FileKind::File => {
                    done(213, metadata.len.to_string())
                }
                Ok(_) => done(550, "Not a regular file."),
                Err(error) => Act::Find.refused(&error),
            }))
        })
    }

    /// MDTM only reads (RFC 3659 §3.4), also for directories.
    pub(super) fn modification_time(&self, pathname: &[u8]) -> Decision {
        let at = self.permitted(Act::Find, pathname, |may| may.list)?;
        look(at, |_, _, found| {
            Ok(Step::Reply(match found.map(|metadata| metadata.modified) {
                Ok(Some(time)) => {
                    let mut text = Vec::new();
                    write_time_val(time, &mut text);
                    done(213, text)
                }
                Ok(None) => done(550, "Modification time not available."),
                Err(error) => Act::Find.refused(&error),
            }))
        })
    }

    /// MFMT, MFCT and MFF (draft-somers-ftp-mfxx). A fact that cannot be set is 504 with its name
    /// (§5.5).
    pub(super) fn set_facts(&self, argument: MffArgument<'_>) -> Decision {
        let (changes, pathname) = match argument {
            MffArgument::Known(changes, pathname) => (changes, pathname),
            MffArgument::Unknown(name) => {
                let text = [b"That fact cannot be set: ".as_slice(), name].concat();
                return Err(done(504, text));
            }
        };
        let mut text = Vec::new();
        changes.write(&mut text);
        text.push(b' ');
        text.extend_from_slice(pathname);
        self.change_facts(pathname, changes, done(213, text))
    }

    /// Sets facts of a file or directory; the reply is `done`.
    pub(super) fn change_facts(
        &self,
        pathname: &[u8],
        changes: FactChanges,
        done: Completion,
    ) -> Decision {
        let at = self.permitted(Act::Find, pathname, |may| may.change_facts)?;
        let set = move |storage: &dyn Storage, path: &VirtualPath| {
            let FactChanges { times, mode } = changes;
            set_facts(storage, path, times, mode)?;
            Ok(vec![Change::FactsSet {
                path: path.clone(),
                modified: times.modified,
                created: times.created,
                mode,
            }])
        };
        StorageWork::change(at, set, |_, _, outcome| {
            outcome.map_err(|error| Act::Find.refused(&error))?;
            Ok(Step::Reply(done))
        })
        .ask()
    }

    /// MLST. The name is the whole path, as TVFS requires (RFC 3659 §7.3.1). A link is described as
    /// in MLSD.
    pub(super) fn facts(&self, pathname: Option<&[u8]>) -> Decision {
        let at = self.permitted(Act::Find, pathname.unwrap_or_default(), |may| may.list)?;
        let (facts, permissions) = (self.parameters.facts, self.user()?.user.permissions);
        look_at_name(at, move |session, at, found| {
            Ok(Step::Reply(match found {
                Ok(found) => {
                    let mut line = vec![b' '];
                    let known = KnownFacts {
                        name: at.path.as_bytes(),
                        naming: match found.link {
                            _ if at.path.is_root() => Naming::Root,
                            true => Naming::Link,
                            false => Naming::Own,
                        },
                        metadata: &found.metadata,
                        permissions,
                        operator_facts: session.setup.operator_facts.as_deref(),
                    };
                    write_facts(known, facts, &mut line);
                    line.push(b' ');
                    line.extend_from_slice(at.path.as_bytes());
                    Completion(Reply::block(250, "Facts", [line], "End"))
                }
                Err(error) => Act::Find.refused(&error),
            }))
        })
    }

    /// COMB (Globalscape). A file that is named twice would be read while it is written, or removed
    /// twice, so it is refused.
    pub(super) fn combine(&self, argument: &CombArgument) -> Decision {
        let target = self.permitted(Act::Find, &argument.target, |may| {
            may.create && may.append && may.read && may.delete
        })?;
        let mut sources: Vec<VirtualPath> = Vec::with_capacity(argument.sources.len());
        for pathname in &argument.sources {
            let source = self.resolve(Act::Find, pathname)?.path;
            if source == target.path || sources.contains(&source) {
                return Err(done(501, "A file is named twice."));
            }
            sources.push(source);
        }
        let combine = |storage: &dyn Storage, path: &VirtualPath| {
            combine(storage, path, &sources)?;
            let stored = Change::Stored { path: path.clone() };
            let removed = sources.into_iter().map(|path| Change::Removed { path });
            Ok(std::iter::once(stored).chain(removed).collect())
        };
        StorageWork::change(target, combine, plain(250, Act::Find, "Files combined."))
            .long()
            .ask()
    }

    /// ALLO (RFC 959 §4.1.3). Nothing needs to be reserved, so the reply is 202 if there is space
    /// or the storage does not know. A file that is too large is refused at once, as STOR would
    /// refuse it later.
    pub(super) fn allocate(&self, octets: u64) -> Decision {
        if octets > self.setup.limits.upload {
            return Err(Act::Name.failed(ErrorKind::FileTooLarge));
        }
        let at = self.resolve(Act::Find, b"")?;
        let allocate =
            move |storage: &dyn Storage, path: &VirtualPath| storage.allocate(path, octets);
        StorageWork::inquiry(at, allocate, |_, _, room| {
            Ok(Step::Reply(match room.map_err(|error| error.kind()) {
                Err(
                    kind @ (ErrorKind::StorageFull
                    | ErrorKind::QuotaExceeded
                    | ErrorKind::FileTooLarge),
                ) => Act::Name.failed(kind),
                _ => done(202, "No storage allocation necessary."),
            }))
        })
        .ask()
    }

    /// DSIZ (draft-peterson-streamlined-ftp-command-extensions §3): octets as stored, whatever the
    /// type.
    pub(super) fn subtree_size(&self, pathname: Option<&[u8]>) -> Decision {
        let at = self.permitted(Act::Find, pathname.unwrap_or_default(), |may| may.list)?;
        StorageWork::inquiry(at, subtree_size, |_, _, octets| {
            Ok(Step::Reply(number(octets)))
        })
        .long()
        .ask()
    }

    /// AVBL (draft-peterson-streamlined-ftp-command-extensions §4), for directories only.
    pub(super) fn available(&self, pathname: Option<&[u8]>) -> Decision {
        let at = self.permitted(Act::Find, pathname.unwrap_or_default(), |may| may.list)?;
        look(at, |_, at, found| {
            let metadata = found.map_err(|error| Act::Find.refused(&error))?;
            if metadata.kind != FileKind::Directory {
                return Err(Act::Find.failed(ErrorKind::NotADirectory));
            }
            StorageWork::inquiry(
                at,
                |storage, path| storage.available(path),
                |_, _, octets| Ok(Step::Reply(number(octets))),
            )
            .ask()
        })
    }
}

/// 213 with a number.
fn number(octets: io::Result<u64>) -> Completion {
    match octets {
        Ok(octets) => done(213, octets.to_string()),
        Err(error) => Act::Find.refused(&error),
    }
}

/// Continues with this code and text, or with the refusal.
pub(super) fn plain(
    code: u16,
    act: Act,
    text: &'static str,
) -> impl FnOnce(&mut Session, StoragePath, io::Result<()>) -> Decision + Send + 'static {
    move |_, _, outcome| match outcome {
        Ok(()) => Ok(Step::Reply(done(code, text))),
        Err(error) => Err(act.refused(&error)),
    }
}

/// 257: the quoted path first, with quotes in it doubled (RFC 959 Appendix II).
fn directory_reply(path: &VirtualPath, text: &str) -> Completion {
    let mut line = vec![b'"'];
    for octet in path.as_bytes() {
        if *octet == b'"' {
            line.push(b'"');
        }
        line.push(*octet);
    }
    line.push(b'"');
    line.extend_from_slice(text.as_bytes());
    done(257, line)
}
