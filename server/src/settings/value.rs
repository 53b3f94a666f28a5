//! The values of keys: how they are read and printed.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use toml::Spanned;
use toml::de::DeValue;

use crate::ActiveSource;
use crate::auth::accounts::PasswordHash;
use crate::auth::{CertificateRule, Network, Permissions, Secret};
use crate::disabled::{DisabledCommand, UnknownCommandError};
use crate::dtp::SessionReuse;
use crate::fault::Fault;
use crate::net::{Alpn, ClientCertificates, CloseNotify, TlsVersion};
use crate::pi::{NoopInTransfer, TlsRequirement};
use crate::storage::VirtualPath;
use crate::wire::{DotNames, Links};

use crate::fault::nearest;

/// Why a value is invalid, and where.
pub(super) type Wrong = (Range<usize>, String);

/// The printed form of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    /// TOML.
    Value(String),
    /// A comment that replaces it.
    Comment(&'static str),
    /// The key has no value.
    Nothing,
}

/// A value that a key can have.
pub(super) trait Value: Sized {
    /// Reads it; relative paths are relative to `base`.
    fn read(value: &Spanned<DeValue<'_>>, base: &Path) -> Result<Self, Wrong>;
    /// Writes it, so that it is read as the same.
    fn write(&self) -> Written;
}

/// Octets: a number, or a text such as `64 KiB`, `1.5 GiB` or `10 MB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// No limit, as a word.
const UNLIMITED: &str = "unlimited";

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected octets, such as 4096, \"64 KiB\" or \"1 GiB\"";
        if text == UNLIMITED {
            return Ok(Self(u64::MAX));
        }
        let end = text.find(|c: char| !c.is_ascii_digit());
        let (digits, unit) = text.split_at(end.unwrap_or(text.len()));
        let unit = unit.trim();
        let number: u64 = digits.parse().map_err(|_| EXPECTED)?;
        let mut units = UNITS.iter();
        let factor = match units.find(|(name, _)| name.eq_ignore_ascii_case(unit)) {
            Some((_, factor)) => *factor,
            None if unit.is_empty() => 1,
            None => return Err(EXPECTED),
        };
        let size = number.checked_mul(factor);
        size.map(Self).ok_or("that is more than can be counted")
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let binary = &UNITS[..4];
        let mut fitting = binary
            .iter()
            .filter(|(_, unit)| self.0.is_multiple_of(*unit));
        match fitting.next() {
            _ if self.0 == u64::MAX => f.write_str(UNLIMITED),
            Some((name, unit)) if self.0 > 0 => write!(f, "{} {name}", self.0 / unit),
            _ => write!(f, "{}", self.0),
        }
    }
}

/// `; did you mean …?`, if something is near.
pub(super) fn did_you_mean<'a>(
    given: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> String {
    nearest(given, candidates)
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default()
}

pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn text<'a>(value: &'a Spanned<DeValue<'_>>, expected: &str) -> Result<&'a str, Wrong> {
    let found = value.get_ref().as_str();
    found.ok_or_else(|| unexpected(value, expected))
}

/// The value is of another kind.
fn unexpected(value: &Spanned<DeValue<'_>>, expected: &str) -> Wrong {
    let found = kind(value.get_ref());
    (value.span(), format!("expected {expected}, found {found}"))
}

pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Types that are written as text: what is expected, how it is read and how it is written.
macro_rules! texts {
    ($($type:ty: $expected:literal, $read:expr, $write:expr;)*) => {$(
        impl Value for $type {
            fn read(value: &Spanned<DeValue<'_>>, base: &Path) -> Result<Self, Wrong> {
                let read: fn(&str, &Path) -> Result<Self, String> = $read;
                read(text(value, $expected)?, base).map_err(|why| (value.span(), why))
            }

            fn write(&self) -> Written {
                let write: fn(&Self) -> String = $write;
                Written::Value(quoted(&write(self)))
            }
        }
    )*};
}

/// An address with a port; an IPv6 address may have a zone, the name or the index of an interface
/// (RFC 4007 §11).
fn socket_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let zoned = || {
        let (host, port) = text.strip_prefix('[')?.split_once("]:")?;
        let (ip, zone) = host.split_once('%')?;
        let (ip, port) = (ip.parse::<Ipv6Addr>().ok()?, port.parse::<u16>().ok()?);
        Some((ip, zone, port))
    };
    let Some((ip, zone, port)) = zoned() else {
        return Err(
            "expected an address with a port, such as \"127.0.0.1:2121\" or \"[::]:21\"".to_owned(),
        );
    };
    // getaddrinfo knows the names of interfaces.
    let found = (format!("{ip}%{zone}"), port).to_socket_addrs();
    found
        .ok()
        .and_then(|mut found| found.next())
        .ok_or_else(|| format!("this machine has no network interface `{zone}`"))
}

texts! {
    String: "a text", |text, _| Ok(text.to_owned()), Self::clone;
    SocketAddr: "an address with a port", |text, _| socket_address(text), Self::to_string;
    Ipv4Addr: "an address", |text, _| text.parse().map_err(|_| "expected an address of IPv4".to_owned()), Self::to_string;
    Network: "a network", |text, _| text.parse().map_err(|error: crate::auth::NetworkParseError| error.to_string()), Self::to_string;
    Duration: "a duration such as \"30s\" or \"5m\"", |text, _| duration(text), |time| {
        SignedDuration::try_from(*time).map(|time| format!("{time:#}")).unwrap_or_default()
    };
    PasswordHash: "a hash", |text, _| text.parse().map_err(|error: crate::auth::accounts::PasswordHashError| error.to_string()), Self::to_string;
    CertificateRule: "a rule", |text, _| text.parse().map_err(|error: crate::auth::CertificateRuleError| error.to_string()), Self::to_string;
    DisabledCommand: "a verb", |text, _| text.parse().map_err(|error: UnknownCommandError| error.to_string()), Self::to_string;
    Fault: "a fault", |text, _| text.parse().map_err(|error: crate::fault::ParseError| error.to_string()), Self::to_string;
    VirtualPath: "a path", |text, _| Self::root().join(text.as_bytes()).map_err(|error| error.to_string()), |path| {
        String::from_utf8_lossy(path.as_bytes()).into_owned()
    };
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration: Result<SignedDuration, _> = text.parse();
    let duration = duration.ok().and_then(|time| Duration::try_from(time).ok());
    duration.ok_or_else(|| "expected a duration, such as \"30s\", \"5m\" or \"1h 30m\"".to_owned())
}

/// A setting whose values are a fixed set of words.
pub trait Keyword: FromStr<Err = KeywordError> {
    /// All words.
    const KEYWORDS: &'static [&'static str];

    /// The word for this value.
    fn keyword(&self) -> &'static str;
}

/// The text is not one of the words of a [`Keyword`] setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {}{}", alternatives(.keywords), did_you_mean(.given, .keywords.iter().copied()))]
pub struct KeywordError {
    given: String,
    keywords: &'static [&'static str],
}

/// Implements [`Keyword`], and reading and writing by it.
macro_rules! keywords {
    ($($type:ty { $($word:literal => $variant:ident),* })*) => {$(
        impl Keyword for $type {
            const KEYWORDS: &'static [&'static str] = &[$($word),*];

            fn keyword(&self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl FromStr for $type {
            type Err = KeywordError;

            fn from_str(text: &str) -> Result<Self, KeywordError> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(KeywordError { given: text.to_owned(), keywords: Self::KEYWORDS }),
                }
            }
        }

        impl Value for $type {
            fn read(value: &Spanned<DeValue<'_>>, _: &Path) -> Result<Self, Wrong> {
                let text = text(value, &alternatives(Self::KEYWORDS))?;
                text.parse().map_err(|error: KeywordError| (value.span(), error.to_string()))
            }

            fn write(&self) -> Written {
                Written::Value(quoted(self.keyword()))
            }
        }
    )*};
}

/// `"a", "b" or "c"`.
fn alternatives(keywords: &[&str]) -> String {
    let quoted: Vec<String> = keywords.iter().map(|word| quoted(word)).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Whether and how connections are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// Not at all.
    Off,
    /// After AUTH TLS.
    #[default]
    Explicit,
    /// From the first octet.
    Implicit,
}

keywords! {
    TlsMode { "off" => Off, "explicit" => Explicit, "implicit" => Implicit }
    TlsRequirement { "none" => None, "control" => Control, "data" => ControlAndData }
    TlsVersion { "1.2" => V1_2, "1.3" => V1_3 }
    ClientCertificates { "optional" => Optional, "required" => Required }
    SessionReuse { "off" => Off, "warn" => Warn, "require" => Require }
    Alpn { "ignored" => Ignored, "optional" => Optional, "required" => Required }
    CloseNotify { "strict" => Strict, "lenient" => Lenient }
    DotNames { "shown" => Shown, "hidden" => Hidden }
    Links { "shown" => Shown, "followed" => Followed, "hidden" => Hidden }
    NoopInTransfer { "queued" => Queued, "at_once" => AtOnce }
}

fn number<T: TryFrom<i64>>(value: &Spanned<DeValue<'_>>, expected: &str) -> Result<T, Wrong> {
    let number = value.get_ref().as_integer();
    let number = number.ok_or_else(|| unexpected(value, expected))?;
    let number = i64::from_str_radix(number.as_str(), number.radix()).ok();
    let number = number.and_then(|number| T::try_from(number).ok());
    let why = || format!("expected {expected}: that is too large or too small");
    number.ok_or_else(|| (value.span(), why()))
}

macro_rules! numbers {
    ($($type:ty)*) => {$(
        impl Value for $type {
            fn read(value: &Spanned<DeValue<'_>>, _: &Path) -> Result<Self, Wrong> {
                number(value, "a number")
            }

            fn write(&self) -> Written {
                Written::Value(self.to_string())
            }
        }
    )*};
}

numbers! { u8 u16 u32 }

/// A maximum number; the greatest number means unlimited.
impl Value for usize {
    fn read(value: &Spanned<DeValue<'_>>, _: &Path) -> Result<Self, Wrong> {
        if value.get_ref().as_str() == Some(UNLIMITED) {
            return Ok(Self::MAX);
        }
        number(value, "a number or \"unlimited\"")
    }

    fn write(&self) -> Written {
        Written::Value(match *self {
            Self::MAX => quoted(UNLIMITED),
            number => number.to_string(),
        })
    }
}

impl Value for Size {
    fn read(value: &Spanned<DeValue<'_>>, _: &Path) -> Result<Self, Wrong> {
        match value.get_ref().as_str() {
            Some(text) => text
                .parse()
                .map_err(|why: &str| (value.span(), why.to_owned())),
            None => number(value, "octets, such as 4096 or \"64 KiB\"").map(Self),
        }
    }

    fn write(&self) -> Written {
        let text = self.to_string();
        Written::Value(if text.bytes().all(|octet| octet.is_ascii_digit()) {
            text
        } else {
            quoted(&text)
        })
    }
}

impl Value for u64 {
    fn read(value: &Spanned<DeValue<'_>>, base: &Path) -> Result<Self, Wrong> {
        Size::read(value, base).map(|size| size.0)
    }

    fn write(&self) -> Written {
        Size(*self).write()
    }
}

impl Value for bool {
    fn read(value: &Spanned<DeValue<'_>>, _: &Path) -> Result<Self, Wrong> {
        let found = value.get_ref().as_bool();
        found.ok_or_else(|| unexpected(value, "true or false"))
    }

    fn write(&self) -> Written {
        Written::Value(self.to_string())
    }
}

/// A path of the host. `-` is not changed.
impl Value for PathBuf {
    fn read(value: &Spanned<DeValue<'_>>, base: &Path) -> Result<Self, Wrong> {
        match text(value, "a path")? {
            "" => Err((value.span(), "expected a path".into())),
            "-" => Ok("-".into()),
            path => Ok(base.join(path)),
        }
    }

    fn write(&self) -> Written {
        match self.to_str() {
            Some(path) => Written::Value(quoted(path)),
            None => Written::Comment("a path that is no text cannot be written here"),
        }
    }
}

impl Value for Secret {
    fn read(value: &Spanned<DeValue<'_>>, _: &Path) -> Result<Self, Wrong> {
        text(value, "a text").map(Self::new)
    }

    fn write(&self) -> Written {
        Written::Comment("there is one; it is not printed, so give it again, or a password_hash")
    }
}

/// `"all"`, `"read-only"`, `"drop-box"`, or a list of effects.
impl Value for Permissions {
    fn read(value: &Spanned<DeValue<'_>>, _: &Path) -> Result<Self, Wrong> {
        if let Some(name) = value.get_ref().as_str() {
            let mut known = PERMISSIONS.iter();
            return known
                .find(|(known, _)| *known == name)
                .map(|(_, may)| *may)
                .ok_or_else(|| {
                    let near = did_you_mean(name, PERMISSIONS.map(|(name, _)| name));
                    let why = "expected \"all\", \"read-only\", \"drop-box\" or a list of effects";
                    (value.span(), format!("{why}{near}"))
                });
        }
        let mut may = Self::NONE;
        for effect in list(value, "a list of effects")? {
            let name = text(effect, "an effect")?;
            let Some(granted) = may.effect(name) else {
                let near = did_you_mean(name, Self::EFFECTS);
                return Err((effect.span(), format!("there is no effect {name:?}{near}")));
            };
            *granted = true;
        }
        Ok(may)
    }

    fn write(&self) -> Written {
        let mut known = PERMISSIONS.iter();
        if let Some((name, _)) = known.find(|(_, may)| may == self) {
            return Written::Value(quoted(name));
        }
        let mut may = *self;
        let mut granted = Self::EFFECTS.to_vec();
        granted.retain(|effect| may.effect(effect).is_some_and(|granted| *granted));
        let granted: Vec<String> = granted.into_iter().map(quoted).collect();
        Written::Value(format!("[{}]", granted.join(", ")))
    }
}

const PERMISSIONS: [(&str, Permissions); 3] = [
    ("all", Permissions::ALL),
    ("read-only", Permissions::READ_ONLY),
    ("drop-box", Permissions::DROP_BOX),
];

fn list<'a, 'b>(
    value: &'a Spanned<DeValue<'b>>,
    expected: &str,
) -> Result<std::slice::Iter<'a, Spanned<DeValue<'b>>>, Wrong> {
    let found = value.get_ref().as_array().map(|array| array.iter());
    found.ok_or_else(|| unexpected(value, expected))
}

impl<T: Value> Value for Option<T> {
    fn read(value: &Spanned<DeValue<'_>>, base: &Path) -> Result<Self, Wrong> {
        T::read(value, base).map(Some)
    }

    fn write(&self) -> Written {
        self.as_ref().map_or(Written::Nothing, Value::write)
    }
}

impl<T: Value> Value for Vec<T> {
    fn read(value: &Spanned<DeValue<'_>>, base: &Path) -> Result<Self, Wrong> {
        list(value, "a list")?
            .map(|item| T::read(item, base))
            .collect()
    }

    fn write(&self) -> Written {
        let items = self.iter().filter_map(|item| match item.write() {
            Written::Value(text) => Some(text),
            Written::Comment(_) | Written::Nothing => None,
        });
        let items: Vec<String> = items.collect();
        let line = format!("[{}]", items.join(", "));
        Written::Value(if line.len() <= 100 {
            line
        } else {
            format!("[\n  {},\n]", items.join(",\n  "))
        })
    }
}

/// The ports to listen on, and the first announced port, as `50000-50009`, `50000` or
/// `50000-50009 as 31000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// The ports to listen on.
    pub listened: std::ops::RangeInclusive<u16>,
    /// The announced port of the first one.
    pub announced: u16,
}

texts! {
    Ports: "ports", |text, _| text.parse().map_err(str::to_owned), |ports| {
        let (first, last) = (ports.listened.start(), ports.listened.end());
        let range = if first == last { first.to_string() } else { format!("{first}-{last}") };
        if ports.announced == *first { range } else { format!("{range} as {}", ports.announced) }
    };
}

impl FromStr for Ports {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str =
            "expected ports, such as \"50000-50009\", \"50000\" or \"50000-50009 as 31000\"";
        let number = |text: &str| text.trim().parse::<u16>().map_err(|_| EXPECTED);
        let (range, announced) = match text.split_once(" as ") {
            Some((range, announced)) => (range, Some(number(announced)?)),
            None => (text, None),
        };
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (number(first)?, number(last)?);
        let announced = announced.unwrap_or(first);
        let count = last.checked_sub(first).ok_or(EXPECTED)?;
        if first == 0 || announced == 0 || announced.checked_add(count).is_none() {
            return Err(EXPECTED);
        }
        Ok(Self {
            listened: first..=last,
            announced,
        })
    }
}

/// A text or a number, without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word(pub(super) String);

impl Value for Word {
    fn read(value: &Spanned<DeValue<'_>>, base: &Path) -> Result<Self, Wrong> {
        match value.get_ref() {
            DeValue::Integer(_) => {
                number::<i64>(value, "a number").map(|word| Self(word.to_string()))
            }
            _ => String::read(value, base).map(Self),
        }
    }

    fn write(&self) -> Written {
        self.0.write()
    }
}

/// `"any"`, `"control-1"` or a port.
impl Value for ActiveSource {
    fn read(value: &Spanned<DeValue<'_>>, _: &Path) -> Result<Self, Wrong> {
        const EXPECTED: &str = "expected \"any\", \"control-1\" or a port";
        match value.get_ref() {
            DeValue::Integer(_) => match number(value, "a port")? {
                0 => Err((
                    value.span(),
                    format!("{EXPECTED}; \"any\" is any free port"),
                )),
                port => Ok(Self::Port(port)),
            },
            _ => match text(value, "\"any\", \"control-1\" or a port")? {
                "any" => Ok(Self::Any),
                "control-1" => Ok(Self::BeforeControlPort),
                _ => Err((value.span(), EXPECTED.into())),
            },
        }
    }

    fn write(&self) -> Written {
        Written::Value(match self {
            Self::Any => quoted("any"),
            Self::BeforeControlPort => quoted("control-1"),
            Self::Port(port) => port.to_string(),
        })
    }
}
