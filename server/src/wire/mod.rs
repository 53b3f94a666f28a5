//! The grammar of the control connection: octets to lines, lines to commands, replies to octets
//! (RFC 959 §4.2, §5.3). Pure: no sockets, files or clock.

mod argument;
mod changes;
mod command;
mod control;
mod digest_argument;
mod facts;
mod foreign;
mod glob;
mod host;
mod language;
mod listing;
mod reply;
mod site;
mod time;
mod verbs;

pub use argument::{
    CombArgument, ExtendedAddress, Format, ListArgument, ModeCode, Options, PassiveProtocol,
    ProtectionLevel, StructureCode, TypeCode,
};
pub use changes::{FactChanges, MffArgument};
pub use command::{Command, CommandLine, SyntaxError, Unrecognized};
pub use control::{ControlEvent, LineReader, MAX_LINE};
pub use digest_argument::{DigestArgument, QuotedPathname};
pub(crate) use facts::is_media_type;
pub use facts::{Fact, Facts, KnownFacts, Naming, OperatorFacts, write_facts};
pub(crate) use foreign::is_foreign;
pub use glob::{is_pattern, matches};
pub use host::HostName;
pub use language::{Language, LanguageTag};
pub use listing::{DotNames, Links, Lister, ListingFormat, write_long};
pub use reply::{Completion, Preliminary, Reply, ReplyCode, ReplyLine, done, printable};
pub use site::{SERVICES, Service, ServiceRow, ServiceSet, SiteCommand, SiteLine};
pub use time::{parse_time_val, write_time_val};
pub use verbs::{Arity, Feature, InTransfer, LoginRule, VERBS, Verb, VerbRow, VerbSet};
