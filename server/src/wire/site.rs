//! SITE: commands specific to this server, with a table of their own (RFC 959 §4.1.3). SITE HELP
//! and HELP SITE use it.

use super::argument::{before_pathname, first_name, number, octal};
use super::command::{SyntaxError, Unrecognized};
use super::time::parse_time_val;
use std::time::{Duration, SystemTime};

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct ServiceRow {
    /// The SITE command.
    pub service: Service,
    /// Its name.
    pub name: &'static str,
    /// The syntax of its argument.
    pub syntax: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    /// Whether it is implemented; otherwise it is refused, and SITE HELP does not list it.
    pub implemented: bool,
}

/// Defines the SITE commands by their rows.
macro_rules! services {
    ($($service:ident: $name:literal, $syntax:literal, $help:literal, $implemented:literal;)*) => {
        /// The SITE commands, in alphabetical order.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each is documented by its row in the table")]
        pub enum Service { $($service),* }

        /// The table, sorted by name, a row for each [`Service`].
        pub static SERVICES: &[ServiceRow] = &[$(ServiceRow {
            service: Service::$service,
            name: $name,
            syntax: $syntax,
            help: $help,
            implemented: $implemented,
        }),*];
    };
}

#[rustfmt::skip]
services! {
    Chgrp: "CHGRP", "<SP> <group> <SP> <pathname>", "Changing the group of a file is not supported.", false;
    Chmod: "CHMOD", "<SP> <octal mode> <SP> <pathname>", "Sets the permission bits of a file or directory.", true;
    Chown: "CHOWN", "<SP> <owner> <SP> <pathname>", "Changing the owner of a file is not supported.", false;
    Help: "HELP", "[<SP> <service>]", "Lists the SITE commands, or explains one.", true;
    Idle: "IDLE", "[<SP> <seconds>]", "Returns or sets the idle timeout of the session.", true;
    Mkdir: "MKDIR", "<SP> <pathname>", "Creates a directory and its parents.", true;
    Rmdir: "RMDIR", "<SP> <pathname>", "Removes a directory and everything in it.", true;
    Symlink: "SYMLINK", "<SP> <target> <SP> <pathname>", "Creates a symbolic link; names may be quoted.", true;
    Utime: "UTIME", "<SP> <time-val> <SP> <pathname>", "Sets the modification time of a file.", true;
}

impl Service {
    /// The SITE command of that name, in any case.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        let found = SERVICES
            .iter()
            .find(|row| row.name.as_bytes().eq_ignore_ascii_case(name));
        found.map(|row| row.service)
    }

    /// Its row in the table.
    #[must_use]
    pub fn row(self) -> &'static ServiceRow {
        &SERVICES[self as usize]
    }
}

/// A set of SITE commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServiceSet(u16);

impl ServiceSet {
    /// The empty set.
    pub const EMPTY: Self = Self(0);

    /// Adds a SITE command.
    #[must_use]
    pub const fn with(self, service: Service) -> Self {
        Self(self.0 | 1 << service as u16)
    }

    /// Whether the set contains it.
    #[must_use]
    pub const fn contains(self, service: Service) -> bool {
        self.0 >> (service as u16) & 1 == 1
    }
}

/// The argument of SITE split into the name and the argument of the SITE command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SiteLine<'a> {
    /// The SITE command.
    pub service: Service,
    /// The text after the one space that follows it; empty without a space.
    pub argument: &'a [u8],
}

/// A SITE command whose argument is well-formed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the service of its name")]
pub enum SiteCommand<'a> {
    Chmod(u32, &'a [u8]),
    Help(Option<&'a [u8]>),
    Idle(Option<Duration>),
    Mkdir(&'a [u8]),
    Rmdir(&'a [u8]),
    Symlink {
        target: Vec<u8>,
        link: Vec<u8>,
    },
    Utime(SystemTime, &'a [u8]),
    /// CHGRP and CHOWN: refused with any argument.
    Refused,
}

impl<'a> SiteLine<'a> {
    /// Finds the SITE command in the argument of SITE.
    ///
    /// # Errors
    /// [`Unrecognized`] if there is none.
    pub fn split(argument: &'a [u8]) -> Result<Self, Unrecognized> {
        let argument = argument.trim_ascii_start();
        let (name, argument) = match memchr::memchr(b' ', argument) {
            Some(space) => (&argument[..space], &argument[space + 1..]),
            None => (argument, &b""[..]),
        };
        let service = Service::named(name).ok_or(Unrecognized)?;
        Ok(Self { service, argument })
    }

    /// Parses the argument in the syntax of the SITE command.
    ///
    /// # Errors
    /// [`SyntaxError`] names what is expected.
    pub fn parse(self) -> Result<SiteCommand<'a>, SyntaxError> {
        let word = self.argument.trim_ascii();
        let pathname = || match self.argument {
            b"" => Err(SyntaxError("A pathname is expected.")),
            pathname => Ok(pathname),
        };
        Ok(match self.service {
            Service::Chgrp | Service::Chown => SiteCommand::Refused,
            Service::Chmod => {
                let (mode, pathname) = mode_and_pathname(self.argument)
                    .ok_or(SyntaxError("An octal mode and a pathname are expected."))?;
                SiteCommand::Chmod(mode, pathname)
            }
            Service::Help => SiteCommand::Help(Some(word).filter(|word| !word.is_empty())),
            Service::Idle => SiteCommand::Idle(match word {
                b"" => None,
                word => Some(Duration::from_secs(
                    number::<u32>(word)
                        .ok_or(SyntaxError("A number of seconds is expected."))?
                        .into(),
                )),
            }),
            Service::Mkdir => SiteCommand::Mkdir(pathname()?),
            Service::Rmdir => SiteCommand::Rmdir(pathname()?),
            Service::Symlink => {
                let (target, link) = target_and_link(self.argument)
                    .ok_or(SyntaxError("A target and a pathname are expected."))?;
                SiteCommand::Symlink { target, link }
            }
            Service::Utime => {
                let (time, pathname) = utime(self.argument).ok_or(SyntaxError(
                    "YYYYMMDDHHMM or YYYYMMDDHHMMSS and a pathname are expected.",
                ))?;
                SiteCommand::Utime(time, pathname)
            }
        })
    }
}

fn mode_and_pathname(argument: &[u8]) -> Option<(u32, &[u8])> {
    let (mode, pathname) = before_pathname(argument)?;
    Some((octal(mode, 3..=4)?, pathname))
}

/// Two names separated by a space; a name may be in double quotes, with quotes in it doubled.
fn target_and_link(argument: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (target, rest) = first_name(argument.trim_ascii_start())?;
    let (link, rest) = first_name(rest.strip_prefix(b" ")?.trim_ascii_start())?;
    rest.trim_ascii().is_empty().then_some((target, link))
}

/// `time pathname`, or, as in pure-ftpd, `pathname access modification change UTC`. Only the
/// modification time counts.
fn utime(argument: &[u8]) -> Option<(SystemTime, &[u8])> {
    let mut from_the_end = argument.rsplitn(5, |octet| *octet == b' ');
    if from_the_end
        .next()
        .is_some_and(|zone| zone.eq_ignore_ascii_case(b"UTC"))
    {
        let mut time = || from_the_end.next().and_then(minutes_or_seconds);
        if let (Some(_), Some(modified), Some(_)) = (time(), time(), time())
            && let Some(pathname) = from_the_end.next().filter(|pathname| !pathname.is_empty())
        {
            return Some((modified, pathname));
        }
    }
    let (time, pathname) = before_pathname(argument)?;
    Some((minutes_or_seconds(time)?, pathname))
}

/// A `time-val`, with or without seconds.
fn minutes_or_seconds(text: &[u8]) -> Option<SystemTime> {
    if text.len() == 12 {
        return parse_time_val(&[text, b"00"].concat());
    }
    parse_time_val(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn parsed(argument: &str) -> Option<SiteCommand<'_>> {
        SiteLine::split(argument.as_bytes()).ok()?.parse().ok()
    }

    #[test]
    fn rows_are_sorted_and_found_by_their_names() {
        for row in SERVICES {
            assert_eq!(
                Service::named(row.name.to_lowercase().as_bytes()),
                Some(row.service)
            );
            assert!(row.help.ends_with('.'), "{}", row.name);
        }
        assert!(SERVICES.is_sorted_by(|a, b| a.name < b.name));
        assert!(SERVICES.len() <= 16, "a ServiceSet holds 16 services");
        assert_eq!(Service::named(b"EXEC"), None);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set = ServiceSet::EMPTY.with(Service::Chgrp).with(Service::Utime);
        assert!(set.contains(Service::Chgrp) && set.contains(Service::Utime));
        assert!(!set.contains(Service::Help));
    }

    #[rstest]
    #[case("CHMOD 644 a b", Some(SiteCommand::Chmod(0o644, b"a b")))]
    #[case("chmod 4755 a", Some(SiteCommand::Chmod(0o4755, b"a")))]
    #[case("CHMOD 644", None)]
    #[case("CHMOD 644 ", None)]
    #[case("CHMOD 648 a", None)]
    #[case("CHMOD 77777 a", None)]
    #[case("CHMOD u+x a", None)]
    #[case("CHOWN", Some(SiteCommand::Refused))]
    #[case("IDLE", Some(SiteCommand::Idle(None)))]
    #[case("IDLE 300", Some(SiteCommand::Idle(Some(Duration::from_secs(300)))))]
    #[case("IDLE -1", None)]
    #[case("IDLE 4294967296", None)]
    #[case("MKDIR", None)]
    #[case("MKDIR  a", Some(SiteCommand::Mkdir(b" a")))]
    #[case("EXEC id", None)]
    #[case("", None)]
    fn services(#[case] argument: &str, #[case] expected: Option<SiteCommand<'_>>) {
        assert_eq!(parsed(argument), expected);
    }

    #[rstest]
    #[case("a b", Some(("a", "b")))]
    #[case("\"a a\" \"b\"\"b\"", Some(("a a", "b\"b")))]
    #[case("../a  b ", Some(("../a", "b")))]
    #[case("a", None)]
    #[case("a b c", None)]
    #[case("\"a\"b", None)]
    #[case("\"\" b", None)]
    #[case("\"a b", None)]
    fn a_link_has_two_names(#[case] argument: &str, #[case] expected: Option<(&str, &str)>) {
        let expected =
            expected.map(|(target, link)| (target.as_bytes().to_vec(), link.as_bytes().to_vec()));
        assert_eq!(target_and_link(argument.as_bytes()), expected);
    }

    #[rstest]
    #[case("200207172107 a b", "20020717210700", Some("a b"))]
    #[case("20020717210715 a", "20020717210715", Some("a"))]
    #[case(
        "a b 20010101000000 20020717210715 20030101000000 UTC",
        "20020717210715",
        Some("a b")
    )]
    #[case("20020717210715 UTC", "20020717210715", Some("UTC"))]
    #[case("20020717210715", "20020717210715", None)]
    #[case("20020732210715 a", "20020717210715", None)]
    #[case("a 1 2 3 UTC", "20020717210715", None)]
    fn times_come_first_or_last(
        #[case] argument: &str,
        #[case] time: &str,
        #[case] pathname: Option<&str>,
    ) {
        let expected = parse_time_val(time.as_bytes()).zip(pathname.map(str::as_bytes));
        assert_eq!(utime(argument.as_bytes()), expected);
    }
}
