//! TYPE, STRU, MODE, PORT, EPRT, PASV, EPSV, REST and OPTS: parameters of the next transfer (RFC
//! 959 §4.1.2, RFC 2428).

use super::{
    Coding, Control, DataPort, Decision, Facts, HashAlgorithm, Listen, Mode, Pending, Question,
    Representation, Session, Step, Structure, Work, ask,
};
use crate::wire::{
    Completion, ExtendedAddress, Format, Language, LanguageTag, ModeCode, OperatorFacts, Options,
    PassiveProtocol, StructureCode, TypeCode, Verb, done, printable,
};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

/// The lowest port a data connection may be made to (RFC 2577 §3).
const LOWEST_PORT: u16 = 1024;

/// The reply to OPTS for a command without options, or one that is disabled.
const NO_SUCH_OPTION: &str = "Unknown option; see FEAT.";
/// The default level of MODE Z: the fastest. Level 6 saves a third of the octets of a text and
/// takes three times as long.
const DEFLATE_LEVEL: u8 = 1;

/// Parameters that commands set for the transfers after them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameters {
    pub(super) representation: Representation,
    /// The format of TYPE A and E; Telnet format counts as Non-print.
    pub(super) format: Format,
    pub(super) structure: Structure,
    pub(super) mode: ModeCode,
    /// The level of MODE Z.
    pub(super) level: u8,
    pub(super) port: DataPort,
    /// EPSV ALL was given.
    pub(super) only_epsv: bool,
    /// The facts of MLST and MLSD.
    pub(super) facts: Facts,
    /// The algorithm of HASH.
    pub(super) algorithm: HashAlgorithm,
    /// The idle timeout in seconds, if the session set one (SITE IDLE).
    pub(super) idle: Option<u32>,
    /// The language of reply texts.
    pub(super) language: Language,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            representation: Representation::Ascii,
            format: Format::NonPrint,
            structure: Structure::File,
            mode: ModeCode::Stream,
            level: DEFLATE_LEVEL,
            port: DataPort::None,
            only_epsv: false,
            facts: Facts::DEFAULT,
            algorithm: HashAlgorithm::Sha256,
            idle: None,
            language: Language::English,
        }
    }
}

impl Session {
    /// TYPE. A type that the RFC defines but this server lacks is 504; an undefined one is a syntax
    /// error, 501.
    ///
    /// Vertical format controls have no effect on files. A host that does not distinguish Non-print
    /// from Telnet format accepts T as N (RFC 1123 §4.1.2.2). Carriage control characters (C) are
    /// the first octet of a line and stay that in both directions, so that a file comes back
    /// unchanged (RFC 959 §3.1.1.5.3): the reply says so.
    pub(super) fn representation_type(&mut self, code: TypeCode) -> Decision {
        let (representation, format) = match code {
            TypeCode::Ascii(format) => (Representation::Ascii, format),
            TypeCode::Ebcdic(format) => (Representation::Ebcdic, format),
            TypeCode::Image | TypeCode::Local(8) => (Representation::Image, Format::NonPrint),
            TypeCode::Local(_) => {
                return Err(done(504, "Only a byte size of 8 is supported."));
            }
        };
        let format = match format {
            Format::NonPrint | Format::Telnet => Format::NonPrint,
            Format::CarriageControl => Format::CarriageControl,
        };
        self.parameters.representation = representation;
        self.parameters.format = format;
        Ok(Step::Reply(match (code, format) {
            (TypeCode::Local(_), _) => done(200, "Type is Local 8."),
            (TypeCode::Image, _) => done(200, "Type is Image."),
            (TypeCode::Ebcdic(_), Format::CarriageControl) => done(
                200,
                "Type is EBCDIC Carriage Control; the control characters are kept as they come.",
            ),
            (TypeCode::Ebcdic(_), _) => done(200, "Type is EBCDIC Non-print."),
            (TypeCode::Ascii(_), Format::CarriageControl) => done(
                200,
                "Type is ASCII Carriage Control; the control characters are kept as they come.",
            ),
            (TypeCode::Ascii(_), _) => done(200, "Type is ASCII Non-print."),
        }))
    }

    /// STRU. Page structure is for files with holes (RFC 959 §3.1.2.3; RFC 1123 §4.1.2.3 advises
    /// against it) and is not supported.
    pub(super) fn structure(&mut self, code: StructureCode) -> Decision {
        let (structure, reply) = match code {
            StructureCode::File => (Structure::File, done(200, "Structure is File.")),
            StructureCode::Record => (Structure::Record, done(200, "Structure is Record.")),
            StructureCode::Page => {
                return Err(done(504, "Structure P is not supported; use F or R."));
            }
        };
        self.parameters.structure = structure;
        Ok(Step::Reply(reply))
    }

    /// MODE.
    pub(super) fn mode(&mut self, code: ModeCode) -> Decision {
        self.parameters.mode = code;
        Ok(Step::Reply(done(
            200,
            match code {
                ModeCode::Stream => "Mode is Stream.",
                ModeCode::Block => "Mode is Block.",
                ModeCode::Compressed => "Mode is Compressed.",
                ModeCode::Deflate => "Mode is Deflate.",
            },
        )))
    }

    /// The coding that the current parameters select.
    pub(super) fn coding(&self) -> Coding {
        let parameters = &self.parameters;
        let representation = match parameters.representation {
            Representation::Ascii if !self.setup.ascii_conversion => Representation::Image,
            other => other,
        };
        Coding {
            representation,
            structure: parameters.structure,
            mode: match parameters.mode {
                ModeCode::Stream => Mode::Stream,
                ModeCode::Block => Mode::Block,
                ModeCode::Compressed => Mode::Compressed,
                ModeCode::Deflate => Mode::Deflate {
                    level: parameters.level,
                },
            },
            markers: self.setup.restart_markers,
        }
    }

    /// PORT.
    pub(super) fn port(&mut self, address: SocketAddr) -> Decision {
        self.refuse_after_epsv_all()?;
        self.active(address)
    }

    /// EPRT. An address of the other protocol can never be the client's: 522 names the one that can
    /// (RFC 2428 §2).
    pub(super) fn extended_port(&mut self, address: ExtendedAddress) -> Decision {
        self.refuse_after_epsv_all()?;
        match address {
            ExtendedAddress::OtherProtocol => Err(unknown_protocol()),
            ExtendedAddress::Known(address) if address.is_ipv4() != self.peer.is_ipv4() => {
                Err(self.other_protocol())
            }
            ExtendedAddress::Known(address) => self.active(address),
        }
    }

    /// PASV. A 227 cannot contain an IPv6 address; the reply names the protocol for EPSV (522, RFC
    /// 2428 §2).
    pub(super) fn passive(&mut self) -> Decision {
        self.refuse_after_epsv_all()?;
        let IpAddr::V4(local) = self.local else {
            return Err(done(
                522,
                "PASV cannot announce an IPv6 address, use EPSV (2)",
            ));
        };
        self.listen(move |at| {
            // The caller may announce another address (behind NAT), but not the unspecified one.
            let ip = match at.ip().to_canonical() {
                IpAddr::V4(ip) if !ip.is_unspecified() => ip,
                _ => local,
            };
            let [a, b, c, d] = ip.octets();
            let [high, low] = at.port().to_be_bytes();
            done(
                227,
                format!("Entering Passive Mode ({a},{b},{c},{d},{high},{low})"),
            )
        })
    }

    /// EPSV.
    pub(super) fn extended_passive(&mut self, protocol: PassiveProtocol) -> Decision {
        match protocol {
            PassiveProtocol::All => {
                self.parameters.only_epsv = true;
                return Ok(Step::Reply(done(200, "Only EPSV is accepted from now on.")));
            }
            PassiveProtocol::Other => return Err(unknown_protocol()),
            PassiveProtocol::V4 if self.local.is_ipv6() => return Err(self.other_protocol()),
            PassiveProtocol::V6 if self.local.is_ipv4() => return Err(self.other_protocol()),
            PassiveProtocol::Same | PassiveProtocol::V4 | PassiveProtocol::V6 => {}
        }
        self.listen(|at| {
            done(
                229,
                format!("Entering Extended Passive Mode (|||{}|)", at.port()),
            )
        })
    }

    /// REST. Any possible offset is accepted; whether the file has it is checked at the transfer
    /// (RFC 3659 §5.3).
    pub(super) fn restart(&mut self, offset: u64) -> Decision {
        self.pending = Pending::Restart(offset);
        Ok(Step::Reply(done(
            350,
            format!("Restarting at octet {offset}."),
        )))
    }

    /// LANG. Without a tag it selects the default language; the reply is in the new language (RFC
    /// 2640 §4.1).
    pub(super) fn language(&mut self, tag: Option<LanguageTag<'_>>) -> Decision {
        self.parameters.language = match tag {
            None => Language::default(),
            Some(tag) => Language::named(&tag)
                .ok_or_else(|| done(504, "Language not supported; see FEAT."))?,
        };
        // The translation of this text names the new language.
        Ok(Step::Reply(done(200, "Replies are in English.")))
    }

    /// RANG. Whether the file has these octets is checked at the transfer (draft-bryan-ftp-range-09
    /// §4.3, §5). The draft restricts it to MODE S; in MODE Z an offset counts octets before
    /// compression (draft-preston-ftpext-deflate §3.7), which is the same.
    pub(super) fn range(&mut self, range: Option<Range<u64>>) -> Decision {
        let Some(range) = range else {
            return Ok(Step::Reply(done(350, "Range cleared.")));
        };
        if self.parameters.representation != Representation::Image {
            return Err(done(551, "RANG requires TYPE I."));
        }
        if !matches!(self.parameters.mode, ModeCode::Stream | ModeCode::Deflate) {
            return Err(done(551, "RANG requires MODE S or Z."));
        }
        let text = format!("Range set to octets {} to {}.", range.start, range.end - 1);
        self.pending = Pending::Range(range);
        Ok(Step::Reply(done(350, text)))
    }

    /// OPTS.
    pub(super) fn options(&mut self, options: Options<'_>) -> Decision {
        let offered = match options {
            Options::Utf8 => true,
            Options::Mlst(_) => self.offers(Verb::Mlst) || self.offers(Verb::Mlsd),
            Options::Hash(_) => self.offers(Verb::Hash),
            Options::Deflate(_) | Options::NoDeflate(_) => self.offers(Verb::Mode),
        };
        if !offered {
            return Err(done(501, NO_SUCH_OPTION));
        }
        Ok(Step::Reply(match options {
            // Pathnames are octets, so there is nothing to switch.
            Options::Utf8 => done(200, "Pathnames are UTF-8."),
            Options::Mlst(facts) => {
                let facts = OperatorFacts::restrict(self.setup.operator_facts.as_deref(), facts);
                self.parameters.facts = facts;
                let mut text = String::from("MLST OPTS");
                let mut separator = " ";
                for fact in facts.iter() {
                    text.push_str(separator);
                    text.push_str(fact.name());
                    text.push(';');
                    separator = "";
                }
                done(200, text)
            }
            Options::Deflate(level) => {
                self.parameters.level = level.unwrap_or(DEFLATE_LEVEL);
                done(200, format!("MODE Z LEVEL {}", self.parameters.level))
            }
            // The reply repeats the option, as the draft requires (draft-preston-ftpext-deflate
            // §3.6).
            Options::NoDeflate(setting) => done(
                501,
                printable(&[b"Invalid option of MODE Z: ".as_slice(), setting].concat()),
            ),
            Options::Hash(name) => {
                if let Some(name) = name {
                    self.parameters.algorithm = HashAlgorithm::named(name).ok_or_else(|| {
                        done(501, "Unknown algorithm; the selection is unchanged.")
                    })?;
                }
                done(200, self.parameters.algorithm.name())
            }
        }))
    }

    /// Active mode. The server connects to the client's own address only, and to no port of a
    /// well-known service, so that it cannot be used to attack others (RFC 2577 §3).
    fn active(&mut self, address: SocketAddr) -> Decision {
        if address.ip() != self.peer {
            return Err(done(501, "The address is not that of the client."));
        }
        if address.port() < LOWEST_PORT {
            return Err(done(504, "Ports below 1024 are not allowed."));
        }
        let address = self.in_zone(address.ip(), address.port());
        self.parameters.port = DataPort::Active(address);
        Ok(Step::ReplyThen(
            done(200, "Data port set."),
            Control::DropDataPort,
        ))
    }

    /// Passive mode.
    fn listen(
        &mut self,
        entered: impl FnOnce(SocketAddr) -> Completion + Send + 'static,
    ) -> Decision {
        let listen = Listen {
            on: self.in_zone(self.local, 0),
            from: self.in_zone(self.peer, 0),
        };
        ask(Work::Listen(Question::new(
            listen,
            move |session: &mut Self, _, outcome: io::Result<SocketAddr>| {
                let (port, reply) = match outcome {
                    Ok(at) => (DataPort::Passive, entered(at)),
                    Err(error) if error.kind() == ErrorKind::AddrInUse => {
                        (DataPort::None, done(425, "No port is available."))
                    }
                    Err(_) => (
                        DataPort::None,
                        done(425, "Failed to listen for a data connection."),
                    ),
                };
                session.parameters.port = port;
                Step::Reply(reply)
            },
        )))
    }

    /// RFC 2428 §4: after EPSV ALL, for the rest of the session.
    fn refuse_after_epsv_all(&self) -> Result<(), Completion> {
        if self.parameters.only_epsv {
            return Err(done(501, "Only EPSV is allowed after EPSV ALL."));
        }
        Ok(())
    }

    /// The protocol is known, but differs from that of the control connection.
    fn other_protocol(&self) -> Completion {
        if self.peer.is_ipv4() {
            done(522, "Network protocol not supported, use (1)")
        } else {
            done(522, "Network protocol not supported, use (2)")
        }
    }
}

fn unknown_protocol() -> Completion {
    done(522, "Network protocol not supported, use (1,2)")
}
