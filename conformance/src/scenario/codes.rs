//! The reply codes an expectation accepts.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// The codes that hold, as in `125 | 150` or `2yz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codes(pub Vec<CodePattern>);

impl Codes {
    /// Whether one of them fits.
    #[must_use]
    pub fn matches(&self, code: u16) -> bool {
        self.0.iter().any(|pattern| pattern.matches(code))
    }

    /// Whether no code fits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether only preliminary replies fit (1yz, RFC 959 §4.2.1), so that another reply has to
    /// follow.
    #[must_use]
    pub fn preliminary(&self) -> bool {
        self.0.iter().all(|pattern| pattern.0[0] == Some(1))
    }
}

impl fmt::Display for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, code) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" | ")?;
            }
            write!(f, "{code}")?;
        }
        Ok(())
    }
}

impl FromStr for Codes {
    type Err = String;

    /// Reads `125 | 150`; the error is a sentence.
    fn from_str(text: &str) -> Result<Self, String> {
        text.split('|')
            .map(|code| code.trim().parse())
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl Serialize for Codes {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Three digits, `None` where any digit fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodePattern(pub [Option<u8>; 3]);

impl CodePattern {
    /// Whether the code fits.
    #[must_use]
    pub fn matches(&self, code: u16) -> bool {
        let digits = [code / 100, code / 10 % 10, code % 10];
        self.0
            .iter()
            .zip(digits)
            .all(|(want, is)| want.is_none_or(|want| u16::from(want) == is))
    }
}

impl fmt::Display for CodePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (digit, any) in self.0.iter().zip(['x', 'y', 'z']) {
            match digit {
                Some(digit) => write!(f, "{digit}")?,
                None => write!(f, "{any}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for CodePattern {
    type Err = String;

    /// Reads `226`, `22z` or `2yz`; the error is a sentence.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a reply code: three digits, `50z` or `5yz`");
        let [first, second, third] = text.as_bytes() else {
            return Err(wrong());
        };
        let digit = |octet: &u8| octet.is_ascii_digit().then(|| octet - b'0');
        let first = digit(first).ok_or_else(wrong)?;
        let (second, third) = match (digit(second), digit(third)) {
            (second @ Some(_), third @ Some(_)) => (second, third),
            (second @ Some(_), None) if *third == b'z' => (second, None),
            (None, None) if (*second, *third) == (b'y', b'z') => (None, None),
            _ => return Err(wrong()),
        };
        // 6yz are the protected replies of RFC 2228 §6.
        if !(1..=6).contains(&first) {
            return Err(format!(
                "`{text}` is not a reply code: they begin with 1 to 6"
            ));
        }
        Ok(Self([Some(first), second, third]))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("200", 200, true)]
    #[case("200", 201, false)]
    #[case("125 | 150", 150, true)]
    #[case("125|150", 125, true)]
    #[case("2yz", 299, true)]
    #[case("2yz", 300, false)]
    #[case("50z", 504, true)]
    #[case("50z", 514, false)]
    #[case("2yz", 0, false)]
    #[case("2yz", 2000, false)]
    fn codes_fit_or_do_not(#[case] codes: &str, #[case] code: u16, #[case] fits: bool) {
        assert_eq!(codes.parse::<Codes>().unwrap().matches(code), fits);
    }

    #[rstest]
    #[case("")]
    #[case("20")]
    #[case("2000")]
    #[case("2zy")]
    #[case("2y0")]
    #[case("xyz")]
    #[case("700")]
    #[case("099")]
    #[case("200 |")]
    #[case("200 150")]
    #[case("ä00")]
    fn what_is_no_code_is_refused(#[case] codes: &str) {
        assert!(codes.parse::<Codes>().is_err());
    }

    #[test]
    fn codes_are_shown_with_spaces() {
        assert_eq!(
            "125|50z|  2yz".parse::<Codes>().unwrap().to_string(),
            "125 | 50z | 2yz"
        );
    }
}
