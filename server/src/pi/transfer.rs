//! RETR, STOR, APPE, STOU, LIST, NLST, MLSD, STAT of a pathname, and ABOR (RFC 959 §4.1.3).

use super::storage_replies::Act;
use super::{
    Coding, Content, Control, DataPort, Decision, Listing, Malformed, Mode, Pending, Question,
    Representation, RestartMarker, Session, SessionOffered, Step, StoragePath, Structure, Transfer,
    TransferEnd, Work, ask, look, look_at_name,
};
use crate::storage::{Described, FileKind, OpenWrite, VirtualPath};
use crate::wire::{
    Completion, DotNames, ListArgument, ListingFormat, Preliminary, Reply, Verb, done, is_pattern,
    printable,
};
use std::io::{self, ErrorKind};

/// The transfer in progress.
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    pub(super) verb: Verb,
    pub(super) moved: u64,
}

impl Session {
    /// RETR. The file is examined first where the reply depends on it: 550 comes before 425, and a
    /// restart marker beyond its end is 554 (RFC 1123 §4.1.3.4).
    pub(super) fn retrieve(&mut self, pathname: &[u8], pending: &Pending) -> Decision {
        let at = self.permitted(Act::Find, pathname, |may| may.read)?;
        let offset = self.offset(pending)?;
        if let Pending::Range(range) = pending {
            let range = range.clone();
            return look(at, move |session, at, found| {
                found.map_err(|error| Act::Find.refused(&error))?;
                session.start(Verb::Retr, Content::RetrieveRange { at, range })
            });
        }
        if offset == 0 && self.parameters.port != DataPort::None {
            return self.start(Verb::Retr, Content::Retrieve { at, offset });
        }
        look(at, move |session, at, found| {
            let metadata = found.map_err(|error| Act::Find.refused(&error))?;
            if metadata.kind == FileKind::Directory {
                return Err(Act::Find.failed(ErrorKind::IsADirectory));
            }
            if offset > metadata.len {
                return Err(beyond_the_end());
            }
            session.start(Verb::Retr, Content::Retrieve { at, offset })
        })
    }

    /// STOR and APPE. After REST both write at the marker (RFC 3659 §5.3), after RANG in the range
    /// (draft-bryan-ftp-range-09 §4.3).
    pub(super) fn store(&mut self, verb: Verb, pathname: &[u8], pending: &Pending) -> Decision {
        let at = self.resolve(Act::Name, pathname)?;
        let denied = || Act::Name.failed(ErrorKind::PermissionDenied);
        let may = self.user()?.user.permissions;
        self.permit(Act::Name, |may| may.create || may.append || may.overwrite)?;
        let offset = self.offset(pending)?;
        self.need_data_port()?;
        if offset == 0 && !matches!(pending, Pending::Range(_)) {
            let (how, changes) = match verb {
                Verb::Appe => (OpenWrite::Append, may.append),
                _ => (OpenWrite::Truncate, may.overwrite),
            };
            return match (may.create, changes) {
                (true, true) => self.start(verb, Content::Store { at, how }),
                // The storage ensures that the file is new, so there is no race.
                (true, false) => {
                    let how = OpenWrite::CreateNew;
                    self.start(verb, Content::Store { at, how })
                }
                (false, true) => look(at, move |session, at, found| match found {
                    Ok(_) => session.start(verb, Content::Store { at, how }),
                    Err(error) if error.kind() == ErrorKind::NotFound => Err(denied()),
                    Err(error) => Err(Act::Name.refused(&error)),
                }),
                (false, false) => Err(denied()),
            };
        }
        let how = OpenWrite::At(offset);
        let content = match pending {
            Pending::Range(range) => {
                let range = range.clone();
                Content::StoreRange {
                    at: at.clone(),
                    range,
                }
            }
            _ => Content::Store {
                at: at.clone(),
                how,
            },
        };
        look(at, move |session, at, found| match found {
            Ok(file) if offset > file.len => Err(beyond_the_end()),
            Ok(file) if !(may.overwrite || may.append && offset == file.len) => Err(denied()),
            Err(error) if error.kind() == ErrorKind::NotFound && offset == 0 && !may.create => {
                Err(denied())
            }
            Ok(file) if offset < file.len && !at.storage.abilities().write_at => {
                Err(done(554, "This storage can only append to a file."))
            }
            Ok(_) => session.start(verb, content),
            Err(error) if error.kind() == ErrorKind::NotFound && offset == 0 => {
                session.start(verb, content)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Err(beyond_the_end()),
            Err(error) => Err(Act::Name.refused(&error)),
        })
    }

    /// STOU. The 150 reply contains the unique name (RFC 1123 §4.1.2.9). A restart marker has no
    /// meaning here (RFC 3659 §5.3).
    pub(super) fn store_unique(&mut self, pathname: Option<&[u8]>, pending: &Pending) -> Decision {
        let at = self.permitted(Act::Name, pathname.unwrap_or_default(), |may| may.create)?;
        if pending.offset() != 0 || matches!(pending, Pending::Range(_)) {
            return Err(done(554, "STOU cannot be restarted."));
        }
        self.start(Verb::Stou, Content::StoreUnique { at })
    }

    /// LIST and NLST.
    pub(super) fn list(&mut self, verb: Verb, argument: ListArgument<'_>) -> Decision {
        let argument = self.list_argument(argument);
        let all = argument.all;
        let format = if verb == Verb::Nlst {
            ListingFormat::Names { all }
        } else {
            ListingFormat::Long { all }
        };
        self.look_up(argument.pathname, format, move |session, listing, _| {
            session.start(verb, Content::List(listing))
        })
    }

    /// STAT with an argument: as LIST, over the control connection. It is the text of a reply for
    /// humans (RFC 959 §4.2), so names are made printable. NLST and MLSD return them octet by
    /// octet.
    pub(super) fn list_status(&mut self, argument: ListArgument<'_>) -> Decision {
        let argument = self.list_argument(argument);
        let format = ListingFormat::Long { all: argument.all };
        self.look_up(argument.pathname, format, |_, listing, code| {
            ask(Work::ListLines(Question::new(
                listing,
                move |_, listing: Listing, lines: io::Result<Vec<Vec<u8>>>| {
                    Step::Reply(match lines {
                        Ok(lines) => Completion(Reply::block(
                            code,
                            printable(
                                &[b"Status of ".as_slice(), listing.at.path.as_bytes()].concat(),
                            ),
                            lines.iter().map(|line| printable(line)),
                            "End of status",
                        )),
                        Err(error) => Act::List.refused(&error),
                    })
                },
            )))
        })
    }

    /// The argument as configured: with or without options, and with or without names that begin
    /// with a dot.
    fn list_argument<'a>(&self, argument: ListArgument<'a>) -> ListArgument<'a> {
        let mut argument = if self.setup.list_options {
            argument
        } else {
            argument.without_options()
        };
        argument.all |= self.setup.dot_names == DotNames::Shown;
        argument
    }

    /// MLSD. Not a directory: 501; not found: 550 (RFC 3659 §7.2.1).
    pub(super) fn list_facts(&mut self, pathname: Option<&[u8]>) -> Decision {
        let at = self.permitted(Act::Find, pathname.unwrap_or_default(), |may| may.list)?;
        look(at, |session, at, found| match found {
            Ok(metadata) if metadata.kind == FileKind::Directory => {
                let format = ListingFormat::Facts(session.parameters.facts);
                session
                    .listing(at, format)
                    .and_then(|listing| session.start(Verb::Mlsd, Content::List(listing)))
            }
            Ok(_) => Err(done(501, "Not a directory.")),
            Err(error) => Err(Act::Find.refused(&error)),
        })
    }

    /// ABOR without a transfer: closes the data port (RFC 959 §4.1.3, first case).
    pub(super) fn abort(&mut self) -> Decision {
        self.parameters.port = DataPort::None;
        Ok(Step::ReplyThen(
            done(226, "No transfer to abort."),
            Control::DropDataPort,
        ))
    }

    /// Finds out what a pathname of LIST, NLST or STAT names: a directory (212), a file (213), or,
    /// if nothing is found, a pattern in its last name (clients expand `mget *.txt` by NLST).
    fn look_up(
        &mut self,
        pathname: Option<&[u8]>,
        format: ListingFormat,
        then: impl FnOnce(&mut Self, Listing, u16) -> Decision + Send + 'static,
    ) -> Decision {
        let given = pathname.unwrap_or_default().to_vec();
        let at = self.permitted(Act::List, &given, |may| may.list)?;
        look_at_name(at, move |session, at, found| {
            let (listing, code) = session.named(&given, at, &found, format)?;
            then(session, listing, code)
        })
    }

    fn named(
        &self,
        given: &[u8],
        at: StoragePath,
        found: &io::Result<Described>,
        format: ListingFormat,
    ) -> Result<(Listing, u16), Completion> {
        let (directory, last) = match memchr::memrchr(b'/', given) {
            Some(slash) => given.split_at(slash + 1),
            None => (&b""[..], given),
        };
        match found {
            Ok(found) if found.metadata.kind == FileKind::Directory => {
                let mut prefix = given.to_vec();
                if !last.is_empty() {
                    prefix.push(b'/');
                }
                let listing = self.listing(at, format)?;
                Ok((Listing { prefix, ..listing }, 212))
            }
            Ok(_) => {
                let prefix = directory.to_vec();
                let listing = self.listing(at, format)?;
                Ok((Listing { prefix, ..listing }, 213))
            }
            Err(_) if is_pattern(last) => {
                let listing = self.listing(self.resolve(Act::List, directory)?, format)?;
                let listing = Listing {
                    prefix: directory.to_vec(),
                    pattern: Some(last.to_vec()),
                    ..listing
                };
                Ok((listing, 212))
            }
            Err(error) => Err(Act::List.refused(error)),
        }
    }

    pub(super) fn listing(
        &self,
        at: StoragePath,
        format: ListingFormat,
    ) -> Result<Listing, Completion> {
        Ok(Listing {
            links: self.setup.links,
            operator_facts: self.setup.operator_facts.clone(),
            most: self.setup.limits.listing,
            at,
            pattern: None,
            prefix: Vec::new(),
            format,
            permissions: self.user()?.user.permissions,
        })
    }

    /// The offset at which the transfer begins. In MODE S and Z the marker counts octets of the
    /// data, which are those of the file only in TYPE I and STRU F; otherwise no storage could seek
    /// to them: 555, as RFC 1123 §4.1.3.4 requires for a type that does not fit. In MODE B and C
    /// the server defines its markers, and they count octets of the file (RFC 959 §3.5).
    fn offset(&self, pending: &Pending) -> Result<u64, Completion> {
        let offset = pending.offset();
        let coding = self.coding();
        let as_it_is =
            coding.representation == Representation::Image && coding.structure == Structure::File;
        let counts_data = matches!(coding.mode, Mode::Stream | Mode::Deflate { .. });
        let fits = match pending {
            Pending::Range(_) => counts_data && as_it_is,
            _ => offset == 0 || !counts_data || as_it_is,
        };
        if !fits {
            return Err(done(
                555,
                "A restart in this mode requires TYPE I and STRU F.",
            ));
        }
        Ok(offset)
    }

    /// 425 without PORT, EPRT, PASV or EPSV. RFC 959 §3.2 has a default port, but no current client
    /// listens there.
    fn need_data_port(&self) -> Result<(), Completion> {
        if self.parameters.port == DataPort::None {
            return Err(done(425, "Use PASV, EPSV, PORT or EPRT first."));
        }
        Ok(())
    }

    /// MLSD behaves as in TYPE L 8, STRU F and MODE S (RFC 3659 §7.2). But MODE Z applies to
    /// everything (draft-preston-ftpext-deflate §3.1), and lftp breaks off if this listing is not
    /// compressed.
    fn facts_coding(&self) -> Coding {
        let mode = match self.coding().mode {
            deflate @ Mode::Deflate { .. } => deflate,
            Mode::Stream | Mode::Block | Mode::Compressed => Mode::Stream,
        };
        Coding {
            mode,
            ..Coding::plain(Representation::Image)
        }
    }

    /// A listing already has CRLF (RFC 1123 §4.1.2.7), also in TYPE I. It is text for EBCDIC and
    /// for records.
    fn listing_coding(&self) -> Coding {
        let coding = self.coding();
        let representation = match (coding.representation, coding.structure) {
            (Representation::Ebcdic, _) => Representation::Ebcdic,
            (_, Structure::Record) => Representation::Ascii,
            (_, Structure::File) => Representation::Image,
        };
        Coding {
            representation,
            markers: None,
            ..coding
        }
    }

    /// Starts the transfer. It uses up the data port, and protection is decided here, not at PASV.
    fn start(&mut self, verb: Verb, content: Content) -> Decision {
        self.need_data_port()?;
        let protected = self.data_protection()?;
        let coding = match verb {
            Verb::List | Verb::Nlst => self.listing_coding(),
            Verb::Mlsd => self.facts_coding(),
            _ => self.coding(),
        };
        let transfer = Transfer {
            verb,
            content,
            largest: self.setup.limits.upload,
            port: std::mem::take(&mut self.parameters.port),
            protected,
            coding,
        };
        self.running = Some(Running { verb, moved: 0 });
        let question = Question::new(transfer, move |session: &mut Self, _, end| {
            session.running = None;
            ended(verb, &end)
        });
        Ok(Step::Transfer(Box::new(question)))
    }
}

impl Transfer {
    /// The preliminary reply, to be sent when the file is open and before the first octet. It names
    /// the file that STOU created (RFC 1123 §4.1.2.9).
    pub fn preliminary(&self, created: Option<&VirtualPath>) -> Preliminary {
        if let Some(path) = created {
            let text = [b"FILE: ".as_slice(), path.as_bytes()].concat();
            return Preliminary(Reply::line(150, text));
        }
        let text = match (self.verb, self.coding.representation) {
            (Verb::List | Verb::Nlst | Verb::Mlsd, _) => "Opening data connection for the listing.",
            (_, Representation::Ascii) => "Opening data connection, type ASCII.",
            (_, Representation::Ebcdic) => "Opening data connection, type EBCDIC.",
            (_, Representation::Image) => "Opening data connection, type Image.",
        };
        Preliminary(Reply::line(150, text))
    }
}

/// The reply to a restart marker in an upload; its text is prescribed (RFC 959 §5.4; RFC 1123
/// §4.1.3.4).
pub fn restart_marker(mark: &RestartMarker) -> Preliminary {
    let text = [
        b"MARK ",
        &mark.theirs[..],
        format!(" = {}", mark.ours).as_bytes(),
    ]
    .concat();
    Preliminary(Reply::line(110, text))
}

/// The completion of a transfer (RFC 959 §5.4; RFC 4217 §10.2 for 522).
fn ended(verb: Verb, end: &TransferEnd) -> Completion {
    let act = match verb {
        Verb::Stor | Verb::Stou | Verb::Appe => Act::Name,
        Verb::List | Verb::Nlst => Act::List,
        _ => Act::Find,
    };
    match end {
        TransferEnd::Complete { .. } => done(226, "Transfer complete."),
        TransferEnd::NotOpened(error) => act.refused(error),
        TransferEnd::NoConnection => done(425, "Cannot open data connection."),
        TransferEnd::NoProtection => done(522, "TLS handshake on the data connection failed."),
        TransferEnd::NotResumed(offered) => done(522, not_resumed(*offered)),
        TransferEnd::OtherClient => done(
            522,
            "The client certificate differs from that of the control connection.",
        ),
        TransferEnd::ConnectionLost => done(426, "Data connection lost."),
        TransferEnd::Malformed(why) => done(
            451,
            match why {
                Malformed::Form => "The data do not conform to MODE and STRU.",
                Malformed::AfterTheEnd => "Data after end of file.",
            },
        ),
        TransferEnd::Aborted => done(426, "Transfer aborted."),
        TransferEnd::StorageFailed(error) => match error.kind() {
            ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::FileTooLarge
            | ErrorKind::ArgumentListTooLong => act.refused(error),
            ErrorKind::InvalidData => done(451, "The data length differs from the range."),
            _ => done(451, "Storage error during the transfer."),
        },
    }
}

/// The text names the reason (RFC 4217 §10.2).
fn not_resumed(offered: SessionOffered) -> &'static str {
    match offered {
        SessionOffered::None => {
            "TLS session reuse is required, but the data connection offered no session to resume."
        }
        SessionOffered::Unknown => {
            "TLS session reuse is required, but the data connection offered a session unknown to this server."
        }
        SessionOffered::Foreign => {
            "TLS session reuse is required, but the data connection offered the session of another connection."
        }
        SessionOffered::Own => {
            "TLS session reuse is required, but the session could not be resumed: server name or cipher suite differs."
        }
    }
}

fn beyond_the_end() -> Completion {
    done(554, "The restart marker is beyond the end of the file.")
}
