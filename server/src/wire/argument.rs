//! The terms of RFC 959 §5.3.2 and its extensions: arguments parsed into types without invalid
//! values.

use super::facts::Facts;
use super::time::parse_time_val;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::{Range, RangeInclusive};
use std::time::SystemTime;

/// The argument of TYPE (RFC 959 §3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeCode {
    /// `A`
    Ascii(Format),
    /// `E`
    Ebcdic(Format),
    /// `I`
    Image,
    /// `L`, with the size of a logical byte.
    Local(u8),
}

/// Arguments of one letter, in any case.
macro_rules! letters {
    ($($(#[$about:meta])* $name:ident, $parse:ident: $($letter:literal => $variant:ident),*;)*) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each is the letter that the RFC gives it")]
        pub enum $name { $($variant),* }

        pub(super) fn $parse(argument: &[u8]) -> Option<$name> {
            let [letter] = argument else {
                return None;
            };
            match letter.to_ascii_uppercase() {
                $($letter => Some($name::$variant),)*
                _ => None,
            }
        }
    )*};
}

letters! {
    /// Format controls of TYPE A and E (RFC 959 §3.1.1.5).
    Format, format_code: b'N' => NonPrint, b'T' => Telnet, b'C' => CarriageControl;
    /// The argument of STRU (RFC 959 §3.1.2).
    StructureCode, structure_code: b'F' => File, b'R' => Record, b'P' => Page;
    /// The argument of MODE (RFC 959 §3.4; `Z`: draft-preston-ftpext-deflate).
    ModeCode, mode_code: b'S' => Stream, b'B' => Block, b'C' => Compressed, b'Z' => Deflate;
    /// The argument of PROT (RFC 2228 §3).
    ProtectionLevel, protection_level:
        b'C' => Clear, b'S' => Safe, b'E' => Confidential, b'P' => Private;
}

/// The argument of EPRT (RFC 2428 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtendedAddress {
    /// An address of a known protocol.
    Known(SocketAddr),
    /// A protocol other than 1 and 2: 522.
    OtherProtocol,
}

/// The argument of EPSV (RFC 2428 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassiveProtocol {
    /// The protocol of the control connection.
    Same,
    /// `1`
    V4,
    /// `2`
    V6,
    /// Another number: 522.
    Other,
    /// `ALL`: no other data connection set-up from now on (RFC 2428 §4).
    All,
}

/// The argument of LIST, NLST and STAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListArgument<'a> {
    /// `-a`: include names that begin with a dot. Other options are ignored.
    pub all: bool,
    /// The pathname after the options; `None` is the working directory.
    pub pathname: Option<&'a [u8]>,
    /// The whole argument, options and pathname.
    pub given: Option<&'a [u8]>,
}

impl ListArgument<'_> {
    /// The same argument without options: all of it is the pathname.
    #[must_use]
    pub fn without_options(self) -> Self {
        Self {
            all: false,
            pathname: self.given,
            given: self.given,
        }
    }
}

/// The argument of OPTS (RFC 2389 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Options<'a> {
    /// `UTF8`, with ON, OFF or no value.
    Utf8,
    /// `MLST` with the facts to be sent (RFC 3659 §7.9).
    Mlst(Facts),
    /// `HASH` with the algorithm to select, or none to query it.
    Hash(Option<&'a [u8]>),
    /// `MODE Z` with the level; `None` is the default (draft-preston-ftpext-deflate §3.6).
    Deflate(Option<u8>),
    /// `MODE Z` with an unknown option or an invalid value, as the client sent it.
    NoDeflate(&'a [u8]),
}

/// The argument of COMB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CombArgument {
    /// The file to append to.
    pub target: Vec<u8>,
    /// The files to append; at least one.
    pub sources: Vec<Vec<u8>>,
}

/// `A [N|T|C]`, `E [N|T|C]`, `I`, `L <byte-size>`, in any case, with any number of spaces.
pub(super) fn type_code(argument: &[u8]) -> Option<TypeCode> {
    let (code, rest) = argument.split_first()?;
    let parameter = rest.trim_ascii();
    match (code.to_ascii_uppercase(), parameter) {
        (b'A', parameter) => Some(TypeCode::Ascii(format(rest, parameter)?)),
        (b'E', parameter) => Some(TypeCode::Ebcdic(format(rest, parameter)?)),
        (b'I', b"") => Some(TypeCode::Image),
        (b'L', parameter) => Some(TypeCode::Local(number(parameter)?)),
        _ => None,
    }
}

fn format(rest: &[u8], parameter: &[u8]) -> Option<Format> {
    match parameter {
        [] => Some(Format::NonPrint),
        _ if rest[0] != b' ' => None,
        code => format_code(code),
    }
}

/// `h1,h2,h3,h4,p1,p2` (RFC 959 §5.3.2 `<host-port>`).
pub(super) fn host_port(argument: &[u8]) -> Option<SocketAddr> {
    let mut fields = [0_u8; 6];
    let mut parts = argument.split(|octet| *octet == b',');
    for field in &mut fields {
        // At most three digits: `0177` does not mean 127.
        *field = number(parts.next().filter(|part| part.len() <= 3)?)?;
    }
    if parts.next().is_some() {
        return None;
    }
    let [a, b, c, d, high, low] = fields;
    let port = u16::from_be_bytes([high, low]);
    Some(SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), port))
}

/// `<d><net-prt><d><net-addr><d><tcp-port><d>` (RFC 2428 §2).
pub(super) fn extended_address(argument: &[u8]) -> Option<ExtendedAddress> {
    let (delimiter, rest) = argument.split_first()?;
    if !delimiter.is_ascii_graphic() {
        return None;
    }
    let mut parts = rest.split(|octet| octet == delimiter);
    let protocol: u32 = number(parts.next()?)?;
    let address = parts.next()?;
    let port = parts.next()?;
    if parts.next() != Some(b"") || parts.next().is_some() {
        return None;
    }
    let address = std::str::from_utf8(address).ok();
    let ip: IpAddr = match protocol {
        1 => address?.parse::<Ipv4Addr>().ok()?.into(),
        2 => address?.parse::<Ipv6Addr>().ok()?.into(),
        _ => return Some(ExtendedAddress::OtherProtocol),
    };
    let port = number(port).filter(|port| *port != 0)?;
    Some(ExtendedAddress::Known(SocketAddr::new(
        ip.to_canonical(),
        port,
    )))
}

pub(super) fn passive_protocol(argument: Option<&[u8]>) -> Option<PassiveProtocol> {
    Some(match argument {
        None => PassiveProtocol::Same,
        Some(all) if all.eq_ignore_ascii_case(b"ALL") => PassiveProtocol::All,
        Some(protocol) => match number::<u32>(protocol)? {
            1 => PassiveProtocol::V4,
            2 => PassiveProtocol::V6,
            _ => PassiveProtocol::Other,
        },
    })
}

/// A restart marker in stream mode (RFC 3659 §5.3). No file is longer than the maximum of an `i64`.
pub(super) fn restart_marker(argument: &[u8]) -> Option<u64> {
    number(argument).filter(|marker| i64::try_from(*marker).is_ok())
}

/// `start end`, where `end` is the last octet (draft-bryan-ftp-range-09 §3). The result excludes
/// its end; `1 0` clears the range.
pub(super) fn octet_range(argument: &[u8]) -> Option<Option<Range<u64>>> {
    let mut words = words(argument);
    let (first, last) = (
        restart_marker(words.next()?)?,
        restart_marker(words.next()?)?,
    );
    if words.next().is_some() {
        return None;
    }
    match (first, last) {
        (1, 0) => Some(None),
        (first, last) if first > last => None,
        (first, last) => Some(Some(first..last + 1)),
    }
}

/// `n` or `n R m` (RFC 959 §5.3.1): the octets of the file. A number that exceeds 64 bits counts as
/// the largest.
pub(super) fn allocation(argument: &[u8]) -> Option<u64> {
    let mut words = words(argument);
    let octets = count_of_octets(words.next()?)?;
    if let Some(word) = words.next() {
        if !word.eq_ignore_ascii_case(b"R") {
            return None;
        }
        count_of_octets(words.next()?)?;
    }
    words.next().is_none().then_some(octets)
}

fn count_of_octets(word: &[u8]) -> Option<u64> {
    let digits = word.iter().all(u8::is_ascii_digit);
    digits.then(|| number(word).unwrap_or(u64::MAX))
}

/// Leading words that begin with `-` are options, up to `--`. A file with such a name is `./-name`.
pub(super) fn list_argument(argument: Option<&[u8]>) -> ListArgument<'_> {
    let given = argument.filter(|given| !given.is_empty());
    let mut all = false;
    let mut rest = given.unwrap_or_default();
    while let [b'-', after @ ..] = rest {
        let end = memchr::memchr(b' ', after).unwrap_or(after.len());
        let option = &after[..end];
        all |= option.contains(&b'a') || option.contains(&b'A');
        rest = after[end..].strip_prefix(b" ").unwrap_or_default();
        if option == b"-" {
            break;
        }
    }
    ListArgument {
        all,
        pathname: (!rest.is_empty()).then_some(rest),
        given,
    }
}

/// `UTF8 [ON|OFF]`, `MLST [facts]`, `HASH [name]`, `MODE Z [LEVEL n]`.
pub(super) fn options(argument: &[u8]) -> Option<Options<'_>> {
    let mut words = words(argument);
    let command = words.next()?.to_ascii_uppercase();
    let value = words.next();
    if command == b"MODE" {
        let mode = value.filter(|mode| mode.eq_ignore_ascii_case(b"Z"))?;
        let setting = argument.trim_ascii_start()[command.len()..].trim_ascii_start();
        let setting = setting[mode.len()..].trim_ascii();
        return Some(match (words.next(), words.next(), words.next()) {
            (None, ..) => Options::Deflate(None),
            (Some(name), Some(level), None) if name.eq_ignore_ascii_case(b"LEVEL") => {
                let level = number(level).filter(|level| *level <= 9);
                level.map_or(Options::NoDeflate(setting), |level| {
                    Options::Deflate(Some(level))
                })
            }
            _ => Options::NoDeflate(setting),
        });
    }
    if words.next().is_some() {
        return None;
    }
    match (&command[..], value) {
        (b"UTF8", None) => Some(Options::Utf8),
        (b"UTF8", Some(value)) => (value.eq_ignore_ascii_case(b"ON")
            || value.eq_ignore_ascii_case(b"OFF"))
        .then_some(Options::Utf8),
        (b"MLST", value) => facts(value.unwrap_or_default()).map(Options::Mlst),
        (b"HASH", value) => Some(Options::Hash(value)),
        _ => None,
    }
}

/// `1*(factname ";")`; a missing last semicolon is accepted, unknown names are ignored (RFC 3659
/// §7.9).
fn facts(list: &[u8]) -> Option<Facts> {
    let mut facts = Facts::NONE;
    let list = list.strip_suffix(b";").unwrap_or(list);
    if list.is_empty() {
        return Some(facts);
    }
    for name in list.split(|octet| *octet == b';') {
        if name.is_empty()
            || !name
                .iter()
                .all(|octet| octet.is_ascii_alphanumeric() || b".-/_".contains(octet))
        {
            return None;
        }
        facts.select(name);
    }
    Some(facts)
}

/// `time-val SP pathname` (draft-somers-ftp-mfxx §3.1).
pub(super) fn time_and_pathname(argument: &[u8]) -> Option<(SystemTime, &[u8])> {
    let (time, pathname) = before_pathname(argument)?;
    Some((parse_time_val(time)?, pathname))
}

/// A word, one space, and a pathname.
pub(super) fn before_pathname(argument: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = memchr::memchr(b' ', argument)?;
    let (word, pathname) = (&argument[..space], &argument[space + 1..]);
    (!pathname.is_empty()).then_some((word, pathname))
}

/// Octal digits, as many as `lengths` allows.
pub(super) fn octal(digits: &[u8], lengths: RangeInclusive<usize>) -> Option<u32> {
    if !lengths.contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0, |value, digit| match digit {
        b'0'..=b'7' => Some(value * 8 + u32::from(digit - b'0')),
        _ => None,
    })
}

/// A target and at least one source, separated by spaces; a name may be in double quotes, with
/// quotes in it doubled.
pub(super) fn comb_argument(argument: &[u8]) -> Option<CombArgument> {
    let mut names = Vec::new();
    let mut rest = argument.trim_ascii();
    while !rest.is_empty() {
        let (name, after) = first_name(rest)?;
        if !(after.is_empty() || after.starts_with(b" ")) {
            return None;
        }
        names.push(name);
        rest = after.trim_ascii_start();
    }
    let mut names = names.into_iter();
    let target = names.next()?;
    let sources: Vec<_> = names.collect();
    (!sources.is_empty()).then_some(CombArgument { target, sources })
}

/// The first name, up to a space or in quotes, and the text after it.
pub(super) fn first_name(argument: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (name, rest) = match argument {
        [b'"', quoted @ ..] => quoted_name(quoted)?,
        bare => {
            let (name, rest) = bare.split_at(memchr::memchr(b' ', bare).unwrap_or(bare.len()));
            (name.to_vec(), rest)
        }
    };
    (!name.is_empty()).then_some((name, rest))
}

/// The name up to its closing quote, and the text after that.
pub(super) fn quoted_name(quoted: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut name = Vec::new();
    let mut rest = quoted;
    loop {
        let quote = memchr::memchr(b'"', rest)?;
        name.extend_from_slice(&rest[..quote]);
        rest = &rest[quote + 1..];
        let Some(after) = rest.strip_prefix(b"\"") else {
            return Some((name, rest));
        };
        name.push(b'"');
        rest = after;
    }
}

/// A decimal number: digits only, no sign, no spaces.
pub(super) fn number<N: std::str::FromStr>(digits: &[u8]) -> Option<N> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn words(argument: &[u8]) -> impl Iterator<Item = &[u8]> {
    argument
        .split(|octet| *octet == b' ')
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("A", Some(TypeCode::Ascii(Format::NonPrint)))]
    #[case("a n", Some(TypeCode::Ascii(Format::NonPrint)))]
    #[case("A T", Some(TypeCode::Ascii(Format::Telnet)))]
    #[case("E C", Some(TypeCode::Ebcdic(Format::CarriageControl)))]
    #[case("I", Some(TypeCode::Image))]
    #[case("L 8", Some(TypeCode::Local(8)))]
    #[case("L8", Some(TypeCode::Local(8)))]
    #[case("L 36", Some(TypeCode::Local(36)))]
    #[case("L", None)]
    #[case("L x", None)]
    #[case("L 256", None)]
    #[case("I N", None)]
    #[case("AN", None)]
    #[case("A X", None)]
    #[case("Q", None)]
    fn types(#[case] argument: &str, #[case] expected: Option<TypeCode>) {
        assert_eq!(type_code(argument.as_bytes()), expected);
    }

    #[rstest]
    #[case("127,0,0,1,4,1", Some("127.0.0.1:1025"))]
    #[case("127,0,0,1,4,0", Some("127.0.0.1:1024"))]
    #[case("1,2,3", None)]
    #[case("127,0,0,1,4,1,5", None)]
    #[case("256,0,0,1,1,1", None)]
    #[case("0177,0,0,1,1,1", None)]
    #[case("-1,0,0,1,1,1", None)]
    #[case("a,b,c,d,e,f", None)]
    #[case("127,0,0,1,4, 1", None)]
    fn host_ports(#[case] argument: &str, #[case] expected: Option<&str>) {
        let expected = expected.and_then(|address| address.parse().ok());
        assert_eq!(host_port(argument.as_bytes()), expected);
    }

    #[rstest]
    #[case("|1|132.235.1.2|6275|", Some("132.235.1.2:6275"))]
    #[case("!1!127.0.0.1!5000!", Some("127.0.0.1:5000"))]
    #[case("|2|0:0:0:0:0:0:0:1|5282|", Some("[::1]:5282"))]
    #[case("|2|::ffff:127.0.0.1|5282|", Some("127.0.0.1:5282"))]
    #[case("|1|::1|5000|", None)]
    #[case("|2|127.0.0.1|5000|", None)]
    #[case("|2|[::1]|5000|", None)]
    #[case("|1|1.2.3|5000|", None)]
    #[case("|1|127.0.0.1|0|", None)]
    #[case("|1|127.0.0.1|65536|", None)]
    #[case("|1|127.0.0.1|5000", None)]
    #[case("|1|127.0.0.1|5000||", None)]
    #[case("x", None)]
    #[case(" 1 127.0.0.1 5000 ", None)]
    fn extended_addresses(#[case] argument: &str, #[case] expected: Option<&str>) {
        let expected =
            expected.map(|address| ExtendedAddress::Known(address.parse().expect("an address")));
        assert_eq!(extended_address(argument.as_bytes()), expected);
    }

    #[test]
    fn an_unknown_protocol_is_distinguished_from_a_malformed_argument() {
        assert_eq!(
            extended_address(b"|3|whatever|1|"),
            Some(ExtendedAddress::OtherProtocol)
        );
        assert_eq!(passive_protocol(Some(b"9")), Some(PassiveProtocol::Other));
        assert_eq!(passive_protocol(Some(b"abc")), None);
    }

    #[rstest]
    #[case("0", Some(0))]
    #[case("9223372036854775807", Some(i64::MAX as u64))]
    #[case("9223372036854775808", None)]
    #[case("1000000000000000000000000000000", None)]
    #[case("-1", None)]
    #[case("+1", None)]
    #[case("1 2", None)]
    #[case("", None)]
    fn restart_markers(#[case] argument: &str, #[case] expected: Option<u64>) {
        assert_eq!(restart_marker(argument.as_bytes()), expected);
    }

    #[rstest]
    #[case("0 0", Some(Some(0..1)))]
    #[case("3  9", Some(Some(3..10)))]
    #[case("1 0", Some(None))]
    #[case("0 9223372036854775807", Some(Some(0..1 << 63)))]
    #[case("2 0", None)]
    #[case("0 9223372036854775808", None)]
    #[case("-1 0", None)]
    #[case("0", None)]
    #[case("0 1 2", None)]
    #[case("a b", None)]
    fn octet_ranges(#[case] argument: &str, #[case] expected: Option<Option<Range<u64>>>) {
        assert_eq!(octet_range(argument.as_bytes()), expected);
    }

    #[rstest]
    #[case("", false, None)]
    #[case("-a", true, None)]
    #[case("-la", true, None)]
    #[case("-laR", true, None)]
    #[case("-1", false, None)]
    #[case("-1 d", false, Some("d"))]
    #[case("-l -a a b", true, Some("a b"))]
    #[case("./-la", false, Some("./-la"))]
    #[case("-- -la", false, Some("-la"))]
    #[case("d -a", false, Some("d -a"))]
    fn list_arguments(#[case] argument: &str, #[case] all: bool, #[case] pathname: Option<&str>) {
        assert_eq!(
            list_argument(Some(argument.as_bytes())),
            ListArgument {
                all,
                pathname: pathname.map(str::as_bytes),
                given: Some(argument.as_bytes()).filter(|given| !given.is_empty()),
            }
        );
    }

    #[rstest]
    #[case("t a", Some((b"t".to_vec(), vec![b"a".to_vec()])))]
    #[case("\"t t\" \"a\"\"b\"  c", Some((b"t t".to_vec(), vec![b"a\"b".to_vec(), b"c".to_vec()])))]
    #[case("t", None)]
    #[case("", None)]
    #[case("\"t a", None)]
    #[case("\"t\"a b", None)]
    #[case("\"\" a", None)]
    fn comb_names_may_be_quoted(
        #[case] argument: &str,
        #[case] expected: Option<(Vec<u8>, Vec<Vec<u8>>)>,
    ) {
        let parsed = comb_argument(argument.as_bytes()).map(|comb| (comb.target, comb.sources));
        assert_eq!(parsed, expected);
    }

    #[rstest]
    #[case("100", Some(100))]
    #[case("100 R 10", Some(100))]
    #[case("100 r 10", Some(100))]
    #[case("99999999999999999999999", Some(u64::MAX))]
    #[case("x", None)]
    #[case("-1", None)]
    #[case("", None)]
    #[case("100 R", None)]
    #[case("100 10", None)]
    #[case("100 R 10 1", None)]
    fn allocations(#[case] argument: &str, #[case] expected: Option<u64>) {
        assert_eq!(allocation(argument.as_bytes()), expected);
    }

    #[test]
    fn fact_lists_pass_over_what_is_unknown_and_refuse_what_is_no_name() {
        let only_size = Facts::NONE.with(super::super::facts::Fact::Size);
        assert_eq!(options(b"mlst SIZE;frogs;"), Some(Options::Mlst(only_size)));
        assert_eq!(options(b"MLST size"), Some(Options::Mlst(only_size)));
        assert_eq!(options(b"MLST"), Some(Options::Mlst(Facts::NONE)));
        assert_eq!(options(b"MLST unique type;"), None);
        assert_eq!(options(b"MLST a;;b;"), None);
        assert_eq!(options(b"FEAT"), None);
        assert_eq!(options(b"mode z"), Some(Options::Deflate(None)));
        assert_eq!(options(b"MODE Z level 9"), Some(Options::Deflate(Some(9))));
        for bad in ["MODE", "MODE S"] {
            assert_eq!(options(bad.as_bytes()), None, "{bad}");
        }
        for bad in ["LEVEL", "LEVEL 10", "METHOD 8"] {
            let line = format!("MODE Z {bad}");
            let refused = Options::NoDeflate(bad.as_bytes());
            assert_eq!(options(line.as_bytes()), Some(refused), "{bad}");
        }
    }
}
