//! Parses a line into a command (RFC 959 §5.3).

use super::argument::{
    self, CombArgument, ExtendedAddress, ListArgument, ModeCode, Options, PassiveProtocol,
    ProtectionLevel, StructureCode, TypeCode,
};
use super::changes::{self, FactChanges, MffArgument};
use super::digest_argument::{
    DigestArgument, QuotedPathname, digest_argument, one_name, separated_names,
};
use super::host::HostName;
use super::language::LanguageTag;
use super::verbs::{Arity, Verb};
use crate::storage::HashAlgorithm;
use crate::storage::Times;
use std::net::SocketAddr;
use std::ops::Range;

/// The longest user name. It is kept until PASS arrives.
const MAX_USER: usize = 512;

/// A line split into its verb and its argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandLine<'a> {
    /// The verb.
    pub verb: Verb,
    /// The text after the one space that follows the verb; `None` without a space.
    pub argument: Option<&'a [u8]>,
}

/// The pathname is missing.
const NO_NAME: SyntaxError = SyntaxError("A pathname is expected.");

/// The line does not begin with a verb of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unrecognized;

/// A malformed argument: 501 with this text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyntaxError(pub &'static str);

/// A command whose argument is well-formed. Pathnames are unchanged octets (RFC 2640 §2).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is the verb of its name, see the table of verbs"
)]
pub enum Command<'a> {
    Abor,
    Acct,
    Adat,
    Allo(u64),
    Appe(&'a [u8]),
    Auth(&'a [u8]),
    Avbl(Option<&'a [u8]>),
    Ccc,
    Cdup,
    Clnt,
    Comb(CombArgument),
    Csid,
    Cwd(&'a [u8]),
    Dele(&'a [u8]),
    /// XCRC, XMD5, XSHA, XSHA1, XSHA256, XSHA512.
    Digest(HashAlgorithm, DigestArgument<'a>),
    Dsiz(Option<&'a [u8]>),
    Eprt(ExtendedAddress),
    Epsv(PassiveProtocol),
    Feat,
    Hash(QuotedPathname<'a>),
    Help(Option<&'a [u8]>),
    Host(HostName),
    Lang(Option<LanguageTag<'a>>),
    List(ListArgument<'a>),
    /// MD5 and MMD5.
    Md5(Vec<QuotedPathname<'a>>),
    Mdtm(&'a [u8]),
    /// MFMT, MFCT and MFF.
    Mff(MffArgument<'a>),
    /// MIC, CONF and ENC.
    Mic,
    Mkd(&'a [u8]),
    Mlsd(Option<&'a [u8]>),
    Mlst(Option<&'a [u8]>),
    Mode(ModeCode),
    Nlst(ListArgument<'a>),
    Noop,
    Opts(Options<'a>),
    Pass(&'a [u8]),
    Pasv,
    Pbsz,
    Port(SocketAddr),
    /// `None` is an undefined level.
    Prot(Option<ProtectionLevel>),
    Pwd,
    Quit,
    /// `None` clears the range.
    Rang(Option<Range<u64>>),
    Rein,
    Rest(u64),
    Retr(&'a [u8]),
    Rmd(&'a [u8]),
    Rmda(&'a [u8]),
    Rnfr(&'a [u8]),
    Rnto(&'a [u8]),
    Site(&'a [u8]),
    Size(&'a [u8]),
    Smnt,
    Stat(Option<ListArgument<'a>>),
    Stor(&'a [u8]),
    Stou(Option<&'a [u8]>),
    Stru(StructureCode),
    Syst,
    Type(TypeCode),
    User(&'a [u8]),
    /// Recognized but not implemented: 502.
    Unimplemented,
}

impl<'a> CommandLine<'a> {
    /// Finds the verb of a line.
    ///
    /// # Errors
    /// [`Unrecognized`] if there is none.
    pub fn split(line: &'a [u8]) -> Result<Self, Unrecognized> {
        let (name, argument) = match memchr::memchr(b' ', line) {
            Some(space) => (&line[..space], Some(&line[space + 1..])),
            None => (line, None),
        };
        let verb = Verb::named(name).ok_or(Unrecognized)?;
        Ok(Self { verb, argument })
    }

    /// Parses the argument in the syntax of the verb.
    ///
    /// # Errors
    /// [`SyntaxError`] names what is expected.
    pub fn parse(self) -> Result<Command<'a>, SyntaxError> {
        match (self.verb.row().arity, self.argument) {
            (Arity::None, Some(argument)) if !argument.trim_ascii().is_empty() => {
                return Err(SyntaxError("This command takes no argument."));
            }
            (Arity::Required, None) => {
                return Err(SyntaxError("This command needs an argument."));
            }
            _ => {}
        }
        let word = || self.argument.unwrap_or_default().trim_ascii();
        // RFC 3659 §2.2: one space, then the pathname, which may begin and end with spaces.
        let optional = self.argument.filter(|argument| !argument.is_empty());
        let pathname = || optional.ok_or(NO_NAME);
        let digest = |algorithm| {
            let argument = digest_argument(pathname()?).ok_or(SyntaxError(
                "A pathname is expected, then perhaps the first octet and the one after the last.",
            ))?;
            Ok(Command::Digest(algorithm, argument))
        };
        Ok(match self.verb {
            Verb::Abor => Command::Abor,
            Verb::Acct => Command::Acct,
            Verb::Allo => {
                let octets = argument::allocation(word());
                Command::Allo(octets.ok_or(SyntaxError("A number of octets is expected."))?)
            }
            Verb::Appe => Command::Appe(pathname()?),
            Verb::Auth => match word() {
                b"" => return Err(SyntaxError("The name of a mechanism is expected.")),
                mechanism => Command::Auth(mechanism),
            },
            Verb::Avbl => Command::Avbl(optional),
            Verb::Ccc => Command::Ccc,
            Verb::Cdup | Verb::Xcup => Command::Cdup,
            Verb::Clnt => Command::Clnt,
            Verb::Comb => Command::Comb(argument::comb_argument(word()).ok_or(SyntaxError(
                "A target and at least one source are expected.",
            ))?),
            Verb::Cwd | Verb::Xcwd => Command::Cwd(pathname()?),
            Verb::Dele => Command::Dele(pathname()?),
            Verb::Dsiz => Command::Dsiz(optional),
            Verb::Eprt => Command::Eprt(
                argument::extended_address(word())
                    .ok_or(SyntaxError("|protocol|address|port| is expected."))?,
            ),
            Verb::Epsv => Command::Epsv(
                argument::passive_protocol(Some(word()).filter(|word| !word.is_empty()))
                    .ok_or(SyntaxError("1, 2, ALL or nothing is expected."))?,
            ),
            Verb::Feat => Command::Feat,
            Verb::Hash => Command::Hash(one_name(pathname()?).ok_or(NO_NAME)?),
            Verb::Help => Command::Help(Some(word()).filter(|word| !word.is_empty())),
            Verb::Host => Command::Host(HostName::parse(word()).ok_or(SyntaxError(
                "A host name or an address is expected, without a port.",
            ))?),
            Verb::Lang => Command::Lang(match word() {
                b"" => None,
                tag => Some(
                    LanguageTag::parse(tag).ok_or(SyntaxError("A language tag is expected."))?,
                ),
            }),
            Verb::List => Command::List(argument::list_argument(optional)),
            Verb::Md5 => Command::Md5(vec![one_name(pathname()?).ok_or(NO_NAME)?]),
            Verb::Mdtm => Command::Mdtm(pathname()?),
            Verb::Mfmt | Verb::Mfct => {
                let (time, pathname) = argument::time_and_pathname(pathname()?)
                    .ok_or(SyntaxError("YYYYMMDDHHMMSS and a pathname are expected."))?;
                let changes = FactChanges {
                    times: Times {
                        modified: (self.verb == Verb::Mfmt).then_some(time),
                        created: (self.verb == Verb::Mfct).then_some(time),
                    },
                    mode: None,
                };
                Command::Mff(MffArgument::Known(changes, pathname))
            }
            Verb::Mff => Command::Mff(changes::mff_argument(pathname()?).ok_or(SyntaxError(
                "Facts as name=value; and a pathname are expected.",
            ))?),
            Verb::Mkd | Verb::Xmkd => Command::Mkd(pathname()?),
            Verb::Mlsd => Command::Mlsd(optional),
            Verb::Mlst => Command::Mlst(optional),
            Verb::Mmd5 => Command::Md5(separated_names(pathname()?).ok_or(SyntaxError(
                "Pathnames with commas between them are expected, not too many.",
            ))?),
            Verb::Mode => Command::Mode(
                argument::mode_code(word()).ok_or(SyntaxError("S, B, C or Z is expected."))?,
            ),
            Verb::Nlst => Command::Nlst(argument::list_argument(optional)),
            Verb::Noop => Command::Noop,
            Verb::Opts => Command::Opts(
                argument::options(word()).ok_or(SyntaxError("Unknown option; see FEAT."))?,
            ),
            Verb::Pass => Command::Pass(self.argument.unwrap_or_default()),
            Verb::Pasv => Command::Pasv,
            Verb::Pbsz => {
                argument::number::<u32>(word())
                    .ok_or(SyntaxError("A number below 2^32 is expected."))?;
                Command::Pbsz
            }
            Verb::Port => Command::Port(
                argument::host_port(word()).ok_or(SyntaxError("h1,h2,h3,h4,p1,p2 is expected."))?,
            ),
            Verb::Prot => match word() {
                b"" => return Err(SyntaxError("C or P is expected.")),
                level => Command::Prot(argument::protection_level(level)),
            },
            Verb::Pwd | Verb::Xpwd => Command::Pwd,
            Verb::Quit => Command::Quit,
            Verb::Rein => Command::Rein,
            Verb::Rang => Command::Rang(argument::octet_range(word()).ok_or(SyntaxError(
                "The first and the last octet are expected, or 1 0.",
            ))?),
            Verb::Rest => Command::Rest(
                argument::restart_marker(word())
                    .ok_or(SyntaxError("A number of octets is expected."))?,
            ),
            Verb::Retr => Command::Retr(pathname()?),
            Verb::Rmd | Verb::Xrmd => Command::Rmd(pathname()?),
            Verb::Rmda => Command::Rmda(pathname()?),
            Verb::Rnfr => Command::Rnfr(pathname()?),
            Verb::Rnto => Command::Rnto(pathname()?),
            Verb::Site => match word() {
                b"" => return Err(SyntaxError("The name of a SITE command is expected.")),
                _ => Command::Site(self.argument.unwrap_or_default()),
            },
            Verb::Size => Command::Size(pathname()?),
            Verb::Smnt => {
                pathname()?;
                Command::Smnt
            }
            Verb::Stat => Command::Stat(optional.map(|_| argument::list_argument(optional))),
            Verb::Stor => Command::Stor(pathname()?),
            Verb::Stou => Command::Stou(optional),
            Verb::Stru => Command::Stru(
                argument::structure_code(word()).ok_or(SyntaxError("F or R is expected."))?,
            ),
            Verb::Syst => Command::Syst,
            Verb::Type => Command::Type(
                argument::type_code(word()).ok_or(SyntaxError("A, E, I or L 8 is expected."))?,
            ),
            Verb::User => match self.argument.unwrap_or_default() {
                name if name.is_empty() || name.len() > MAX_USER || name.contains(&b'\r') => {
                    return Err(SyntaxError("A user name is expected."));
                }
                name => Command::User(name),
            },
            Verb::Xcrc => digest(HashAlgorithm::Crc32)?,
            Verb::Xmd5 => digest(HashAlgorithm::Md5)?,
            Verb::Xsha | Verb::Xsha1 => digest(HashAlgorithm::Sha1)?,
            Verb::Xsha256 => digest(HashAlgorithm::Sha256)?,
            Verb::Xsha512 => digest(HashAlgorithm::Sha512)?,
            Verb::Adat | Verb::Conf | Verb::Enc | Verb::Mic => {
                changes::base64(word()).ok_or(SyntaxError("Base64 is expected."))?;
                if self.verb == Verb::Adat {
                    Command::Adat
                } else {
                    Command::Mic
                }
            }
            Verb::Csid => {
                changes::identity(word())
                    .ok_or(SyntaxError("Facts as name=value; are expected."))?;
                Command::Csid
            }
            Verb::Lprt | Verb::Lpsv | Verb::Thmb => Command::Unimplemented,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Option<Command<'_>> {
        CommandLine::split(line.as_bytes()).ok()?.parse().ok()
    }

    #[test]
    fn a_pathname_keeps_its_spaces() {
        assert_eq!(parsed("RETR  a b "), Some(Command::Retr(b" a b ")));
        assert_eq!(parsed("mkd d"), Some(Command::Mkd(b"d")));
    }

    #[test]
    fn other_arguments_do_not_mind_spaces() {
        assert_eq!(parsed("TYPE  I "), Some(Command::Type(TypeCode::Image)));
        assert_eq!(parsed("NOOP "), Some(Command::Noop));
    }

    #[test]
    fn a_password_may_be_empty_but_not_missing() {
        assert_eq!(parsed("PASS "), Some(Command::Pass(b"")));
        assert_eq!(parsed("PASS  x "), Some(Command::Pass(b" x ")));
        assert_eq!(parsed("PASS"), None);
    }

    #[test]
    fn without_verb_there_is_no_command() {
        assert_eq!(CommandLine::split(b""), Err(Unrecognized));
        assert_eq!(CommandLine::split(b" NOOP"), Err(Unrecognized));
        assert_eq!(CommandLine::split(b"XYZZ a"), Err(Unrecognized));
    }
}
