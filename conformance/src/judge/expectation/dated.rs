//! `@receive dated`: whether the dates of a listing are those that MDTM or MLST report.
//!
//! No RFC defines how LIST shows a time, or in which time zone. Only what a line shows is compared:
//! a date without a year is right in every year, one without a time of day is right all day. Any
//! zone is right if it is the same for every entry, but summer time may be in force for some of
//! them.

use super::Walk;
use super::data::listing_shown;
use crate::scenario::Dated;
use jiff::ToSpan;
use jiff::civil::DateTime;
use regex::{Captures, Regex};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// The distance of two zones, in minutes.
const ZONE_STEP: i64 = 15;

/// Zones west and east of UTC, in minutes.
const ZONES: std::ops::RangeInclusive<i64> = -12 * 60..=14 * 60;

/// What summer time adds, in minutes.
const SUMMER: i64 = 60;

impl Walk<'_> {
    /// Describes what is wrong with the dates of a listing.
    pub(super) fn dated(&self, entries: &[Dated], octets: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(octets);
        let mut common: Option<BTreeSet<i64>> = None;
        for entry in entries {
            let (Ok(name), Ok(time)) = (
                self.variables.expand(&entry.name),
                self.variables.expand(&entry.time),
            ) else {
                return Some("a variable has no value".into());
            };
            let zones = match zones_of(&text, &name, &time) {
                Ok(zones) => zones,
                Err(observed) => return Some(format!("{observed}: {}", listing_shown(octets))),
            };
            common = Some(match common {
                None => zones,
                Some(before) => before.intersection(&zones).copied().collect(),
            });
        }
        let agree = common.is_none_or(|zones| !zones.is_empty());
        (!agree).then(|| {
            let shown = listing_shown(octets);
            format!("the dates are in different zones: {shown}")
        })
    }
}

/// The zones in which the one line of a name shows this time, in minutes east of UTC; with each,
/// the zone of which it is the summer time.
fn zones_of(listing: &str, name: &str, time: &str) -> Result<BTreeSet<i64>, String> {
    let time = time_val(time).ok_or_else(|| format!("`{time}` is not a time-val"))?;
    let lines = listing.lines().filter_map(|line| {
        let before = line.strip_suffix(name)?;
        before.ends_with(' ').then_some(before)
    });
    let before = match lines.collect::<Vec<_>>()[..] {
        [] => return Err(format!("no line ends with {name}")),
        [before] => before,
        ref more => return Err(format!("{} lines end with {name}", more.len())),
    };
    let shown = Shown::read(before).ok_or_else(|| format!("the line of {name} has no date"))?;
    let zones: BTreeSet<i64> = ZONES
        .step_by(ZONE_STEP as usize)
        .filter(|zone| {
            let local = time.checked_add(zone.minutes());
            local.is_ok_and(|local| shown.is(local))
        })
        .collect();
    match zones.is_empty() {
        true => Err(format!("the date of {name} is not {time} in any zone")),
        false => Ok(zones
            .iter()
            .flat_map(|zone| [*zone, zone - SUMMER])
            .collect()),
    }
}

/// A time-val (RFC 3659 §2.3), without its fraction.
fn time_val(text: &str) -> Option<DateTime> {
    let whole = text.split('.').next().unwrap_or(text);
    DateTime::strptime("%Y%m%d%H%M%S", whole).ok()
}

/// The date of a line, as far as the line shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown {
    year: Option<i16>,
    month: i8,
    day: i8,
    /// Hour, minute, and the second where it is there.
    time: Option<(i8, i8, Option<i8>)>,
}

impl Shown {
    /// The date just before a name, or at the beginning of an MS-DOS line.
    fn read(before: &str) -> Option<Self> {
        static FORMS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
            const CLOCK: &str = r"(?<hour>\d{1,2}):(?<minute>\d\d)(?::(?<second>\d\d)(?:\.\d+)?)?";
            let forms = [
                // ls -l, in two orders.
                format!(
                    r"(?i) (?<name>[a-z]{{3}}) +(?<day>\d{{1,2}}) +(?:{CLOCK}|(?<year>\d{{4}})) +$"
                ),
                format!(
                    r"(?i) (?<day>\d{{1,2}}) +(?<name>[a-z]{{3}}) +(?:{CLOCK}|(?<year>\d{{4}})) +$"
                ),
                // ls --time-style=long-iso and full-iso.
                format!(
                    r" (?<year>\d{{4}})-(?<month>\d\d)-(?<day>\d\d)[ T]{CLOCK}(?: [+-]\d{{4}}|Z)? +$"
                ),
                // MS-DOS.
                format!(
                    r"^(?<month>\d\d)-(?<day>\d\d)-(?<year>\d{{4}}|\d\d) +{CLOCK}(?<half>[AP]M)? "
                ),
            ];
            forms
                .iter()
                .map(|form| Regex::new(form).expect("it is tested"))
                .collect()
        });
        let found = FORMS.iter().find_map(|form| form.captures(before))?;
        let number = |group: &str| found.name(group)?.as_str().parse::<i16>().ok();
        let small = |group: &str| number(group).and_then(|it| i8::try_from(it).ok());
        let month = match found.name("name") {
            Some(name) => month(name.as_str())?,
            None => small("month")?,
        };
        let year = number("year").map(|year| match year {
            0..70 => year + 2000,
            70..100 => year + 1900,
            year => year,
        });
        Some(Self {
            year,
            month,
            day: small("day")?,
            time: match (hour(&found), small("minute")) {
                (Some(hour), Some(minute)) => Some((hour, minute, small("second"))),
                _ => None,
            },
        })
    }

    /// Whether this is how such a line shows this time.
    fn is(self, local: DateTime) -> bool {
        let time = self.time.is_none_or(|(hour, minute, second)| {
            (hour, minute) == (local.hour(), local.minute())
                && second.is_none_or(|second| second == local.second())
        });
        let date = (self.month, self.day) == (local.month(), local.day());
        time && date && self.year.is_none_or(|year| year == local.year())
    }
}

fn month(name: &str) -> Option<i8> {
    const MONTHS: &str = "janfebmaraprmayjunjulaugsepoctnovdec";
    let at = MONTHS.find(&name.to_ascii_lowercase())?;
    (at % 3 == 0)
        .then(|| i8::try_from(at / 3 + 1).ok())
        .flatten()
}

/// The hour of the day; MS-DOS uses a 12-hour clock.
fn hour(found: &Captures<'_>) -> Option<i8> {
    let hour: i8 = found.name("hour")?.as_str().parse().ok()?;
    match found.name("half").map(|half| half.as_str()) {
        None => Some(hour),
        Some("PM") => Some(hour % 12 + 12),
        Some(_) => Some(hour % 12),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]
    use super::*;
    use rstest::rstest;

    const TIME: &str = "20160229225622.5";

    #[rstest]
    #[case::year("-rw-r--r--   1 ftp      ftp             1 Feb 29  2016 a.txt", true)]
    #[case::next_day_in_another_zone("-rw-r--r-- 1 ftp ftp 1 Mar  1  2016 a.txt", true)]
    #[case::another_day("-rw-r--r-- 1 ftp ftp 1 Mar  2  2016 a.txt", false)]
    #[case::another_year("-rw-r--r-- 1 ftp ftp 1 Feb 29  2012 a.txt", false)]
    #[case::clock("-rw-r--r-- 1 ftp ftp 1 Feb 29 22:56 a.txt", true)]
    #[case::clock_in_nepal("-rw-r--r-- 1 ftp ftp 1 Mar  1 04:41 a.txt", true)]
    #[case::another_minute("-rw-r--r-- 1 ftp ftp 1 Feb 29 22:57 a.txt", false)]
    #[case::zone_that_is_none("-rw-r--r-- 1 ftp ftp 1 Mar  1 13:56 a.txt", false)]
    #[case::day_first("-rw-r--r-- 1 ftp ftp 1 29 Feb 22:56 a.txt", true)]
    #[case::iso("-rw-r--r-- 1 ftp ftp 1 2016-02-29 22:56 a.txt", true)]
    #[case::seconds("-rw-r--r-- 1 ftp ftp 1 2016-02-29 22:56:22.000 +0000 a.txt", true)]
    #[case::other_seconds("-rw-r--r-- 1 ftp ftp 1 2016-02-29 22:56:23 a.txt", false)]
    #[case::dos("02-29-16  10:56PM                  456 a.txt", true)]
    #[case::dos_forenoon("02-29-16  10:56AM                  456 a.txt", true)]
    #[case::dos_another_year("02-29-2012  10:56PM              456 a.txt", false)]
    #[case::twice("1 Feb 29  2016 a.txt\r\n- 1 Feb 29  2016 a.txt", false)]
    #[case::another_name("-rw-r--r-- 1 ftp ftp 1 Feb 29  2016 ba.txt", false)]
    #[case::no_date("a.txt", false)]
    #[case::no_month("-rw-r--r-- 1 ftp ftp 1 anf 29  2016 a.txt", false)]
    fn a_line_shows_the_time_or_does_not(#[case] line: &str, #[case] is: bool) {
        let zones = zones_of(&format!("{line}\r\n"), "a.txt", TIME);
        assert_eq!(zones.is_ok(), is, "{zones:?}");
    }

    #[test]
    fn zones_agree_but_for_summer_time() {
        let zones = |line: &str, time| zones_of(line, "a", time).unwrap();
        let winter = zones("- 1 Jan 10 13:00 a", "20260110120000");
        let summer = zones("- 1 Jul 10 14:00 a", "20260710120000");
        let other = zones("- 1 Jul 10 17:00 a", "20260710120000");
        assert!(!winter.is_disjoint(&summer));
        assert!(winter.is_disjoint(&other));
    }
}
