//! `time-val`, a date and time in UTC (RFC 3659 §2.3), and the dates of LIST lines.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::io::Write as _;
use std::time::SystemTime;

/// The age beyond which a LIST line has the year instead of the time of day, as in `ls`.
const RECENT_SECONDS: i64 = 180 * 24 * 60 * 60;

/// Appends a `time-val`: fourteen digits, and milliseconds if they are not zero. No more than three
/// digits, since clients read exactly three or none.
pub fn write_time_val(time: SystemTime, to: &mut Vec<u8>) {
    let Some(at) = civil(time) else {
        // Before the year 1 or after 9999: not expressible as a time-val.
        to.extend_from_slice(b"19700101000000");
        return;
    };
    let _ = write!(
        to,
        "{:04}{:02}{:02}{:02}{:02}{:02}",
        at.year().max(0),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    if at.millisecond() != 0 {
        let _ = write!(to, ".{:03}", at.millisecond());
    }
}

/// Parses a `time-val`; `None` if it is not a valid date. A leap second is the second after it.
#[must_use]
pub fn parse_time_val(text: &[u8]) -> Option<SystemTime> {
    let (digits, fraction) = match memchr::memchr(b'.', text) {
        Some(dot) => (&text[..dot], Some(&text[dot + 1..])),
        None => (text, None),
    };
    if digits.len() != 14 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |from: usize, to: usize| {
        digits[from..to]
            .iter()
            .fold(0_i16, |sum, digit| sum * 10 + i16::from(digit - b'0'))
    };
    let small = |from: usize| i8::try_from(number(from, from + 2)).ok();
    let nanoseconds = match fraction {
        Some(fraction) => parse_fraction(fraction)?,
        None => 0,
    };
    let leap = small(12)? == 60;
    let second = if leap { 59 } else { small(12)? };
    let civil = DateTime::new(
        number(0, 4),
        small(4)?,
        small(6)?,
        small(8)?,
        small(10)?,
        second,
        nanoseconds,
    )
    .ok()?;
    let at = civil.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let at = if leap {
        at.checked_add(jiff::SignedDuration::from_secs(1)).ok()?
    } else {
        at
    };
    Some(SystemTime::from(at))
}

/// Appends `Nov 23 04:00`, or `Nov 23  2023` for dates that are old or in the future.
pub(super) fn write_list_date(time: SystemTime, now: SystemTime, to: &mut Vec<u8>) {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let at = civil(time).unwrap_or_else(|| Zoned::new(Timestamp::UNIX_EPOCH, TimeZone::UTC));
    let age = civil(now).map_or(i64::MAX, |now| {
        now.timestamp().as_second() - at.timestamp().as_second()
    });
    let month = MONTHS[usize::try_from(at.month() - 1).unwrap_or(0) % 12];
    // A small difference means that the clocks differ.
    if (-60..RECENT_SECONDS).contains(&age) {
        let _ = write!(
            to,
            "{month} {:2} {:02}:{:02}",
            at.day(),
            at.hour(),
            at.minute()
        );
    } else {
        let _ = write!(to, "{month} {:2}  {:04}", at.day(), at.year());
    }
}

fn civil(time: SystemTime) -> Option<Zoned> {
    Some(Timestamp::try_from(time).ok()?.to_zoned(TimeZone::UTC)).filter(|at| at.year() >= 0)
}

/// Nanoseconds of the digits after the dot; further digits are ignored.
fn parse_fraction(digits: &[u8]) -> Option<i32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut nanoseconds = 0;
    for position in 0..9 {
        let digit = digits.get(position).map_or(0, |digit| digit - b'0');
        nanoseconds = nanoseconds * 10 + i32::from(digit);
    }
    Some(nanoseconds)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

    use super::*;
    use rstest::rstest;
    use std::time::{Duration, UNIX_EPOCH};

    fn written(time: SystemTime) -> String {
        let mut text = Vec::new();
        write_time_val(time, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[rstest]
    #[case("19700101000000", 0)]
    #[case("20020717210715", 1_026_940_035_000)]
    #[case("20020717210715.250", 1_026_940_035_250)]
    #[case("20240229120000", 1_709_208_000_000)]
    fn a_time_val_reads_as_it_is_written(#[case] text: &str, #[case] milliseconds: u64) {
        let time = UNIX_EPOCH + Duration::from_millis(milliseconds);
        assert_eq!(parse_time_val(text.as_bytes()), Some(time));
        assert_eq!(written(time), text);
    }

    #[rstest]
    #[case("")]
    #[case("2002071721071")]
    #[case("200207172107155")]
    #[case("20010229000000")]
    #[case("20020732000000")]
    #[case("20021317000000")]
    #[case("20020717240000")]
    #[case("20020717216000")]
    #[case("20020717210761")]
    #[case("20020717210715.")]
    #[case("20020717210715.x")]
    #[case("-0020717210715")]
    fn what_is_no_date_is_no_time_val(#[case] text: &str) {
        assert_eq!(parse_time_val(text.as_bytes()), None);
    }

    #[test]
    fn a_leap_second_is_taken() {
        assert_eq!(
            parse_time_val(b"20161231235960"),
            parse_time_val(b"20170101000000")
        );
    }

    #[test]
    fn list_dates_have_the_time_if_recent_and_otherwise_the_year() {
        let time = parse_time_val(b"20231123040000").unwrap();
        let written = |now: &[u8]| {
            let mut text = Vec::new();
            write_list_date(time, parse_time_val(now).unwrap(), &mut text);
            String::from_utf8(text).unwrap()
        };
        assert_eq!(written(b"20231124000000"), "Nov 23 04:00");
        assert_eq!(written(b"20241124000000"), "Nov 23  2023");
        assert_eq!(written(b"20221124000000"), "Nov 23  2023");
    }
}
