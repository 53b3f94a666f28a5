//! Client certificates: their names, and which of them let a user log in (RFC 4217 §10.1, §12.2).

use crate::text::hexadecimal;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// The object identifiers of a common name, 2.5.4.3, and of the subject alternative names,
/// 2.5.29.17.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];

/// A client certificate that was verified in the TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    fingerprint: [u8; 32],
    common_names: Vec<String>,
    alternative_names: Vec<AlternativeName>,
}

/// A subject alternative name (RFC 5280 §4.2.1.6) that is text. The kinds are distinct: a host is
/// not the person whose mail address has the same text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlternativeName {
    /// A mail address (rfc822Name).
    Email(String),
    /// A host name (dNSName).
    Dns(String),
    /// A URI (uniformResourceIdentifier).
    Uri(String),
}

impl AlternativeName {
    /// Whether both names are equal by the rules of RFC 5280 §7: the case of a host name, and of
    /// the host of a mail address, is ignored. URIs are compared exactly, which is stricter than
    /// §7.4.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Email(one), Self::Email(other)) => {
                match (one.rsplit_once('@'), other.rsplit_once('@')) {
                    (Some((one, host)), Some((other, other_host))) => {
                        one == other && host.eq_ignore_ascii_case(other_host)
                    }
                    _ => one == other,
                }
            }
            (Self::Dns(one), Self::Dns(other)) => one.eq_ignore_ascii_case(other),
            (Self::Uri(one), Self::Uri(other)) => one == other,
            _ => false,
        }
    }
}

impl ClientCertificate {
    /// Reads the DER form. A certificate that cannot be parsed completely has a fingerprint but no
    /// names: the rest could have changed their meaning.
    #[must_use]
    pub fn from_der(der: &[u8]) -> Self {
        let (common_names, alternative_names) = names(der).unwrap_or_default();
        Self {
            fingerprint: Sha256::digest(der).into(),
            common_names,
            alternative_names,
        }
    }

    /// SHA-256 over the DER form.
    #[must_use]
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// The common names of the subject, usually one.
    #[must_use]
    pub fn common_names(&self) -> &[String] {
        &self.common_names
    }

    /// The subject alternative names that are text.
    #[must_use]
    pub fn alternative_names(&self) -> &[AlternativeName] {
        &self.alternative_names
    }
}

/// The common and alternative names of a certificate; `None` if any of them, or the structure
/// around them, cannot be parsed.
///
/// RFC 5280 §4.1: the fields before the subject have a fixed order, and extensions have the tag
/// `[3]`.
fn names(der: &[u8]) -> Option<(Vec<String>, Vec<AlternativeName>)> {
    let mut rest = Der(Der(der).expect(0x30)?).expect(0x30).map(Der)?;
    if rest.0.first() == Some(&0xa0) {
        rest.next()?;
    }
    for tag in [0x02, 0x30, 0x30, 0x30] {
        rest.expect(tag)?;
    }
    let common_names = common_names(rest.expect(0x30)?)?;
    let mut alternative_names = Vec::new();
    while !rest.is_empty() {
        let (tag, value) = rest.next()?;
        if tag != 0xa3 {
            continue;
        }
        let mut extensions = Der(Der(value).expect(0x30)?);
        while !extensions.is_empty() {
            let mut extension = Der(extensions.expect(0x30)?);
            if extension.expect(0x06)? == ALTERNATIVE_NAMES {
                alternative_names.extend(alternative_names_of(extension)?);
            }
        }
    }
    Some((common_names, alternative_names))
}

/// All common names of a subject: a relative distinguished name is a SET, which may have several
/// attributes.
fn common_names(subject: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut subject = Der(subject);
    while !subject.is_empty() {
        let mut set = Der(subject.expect(0x31)?);
        while !set.is_empty() {
            let mut attribute = Der(set.expect(0x30)?);
            let is_common_name = attribute.expect(0x06)? == COMMON_NAME;
            let (tag, value) = attribute.next()?;
            if is_common_name {
                names.push(text(tag, value)?);
            }
        }
    }
    Some(names)
}

/// The text of an attribute. PrintableString, UTF8String and IA5String are read as UTF-8; no known
/// client uses another type.
fn text(tag: u8, value: &[u8]) -> Option<String> {
    matches!(tag, 0x0c | 0x13 | 0x16).then(|| String::from_utf8(value.to_vec()).ok())?
}

fn alternative_names_of(mut extension: Der<'_>) -> Option<Vec<AlternativeName>> {
    let (mut tag, mut value) = extension.next()?;
    if tag == 0x01 {
        // "critical"
        (tag, value) = extension.next()?;
    }
    let mut rest = (tag == 0x04).then_some(Der(value))?.expect(0x30).map(Der)?;
    let mut names = Vec::new();
    while !rest.is_empty() {
        let (tag, value) = rest.next()?;
        let kind = match tag {
            0x81 => AlternativeName::Email,
            0x82 => AlternativeName::Dns,
            0x86 => AlternativeName::Uri,
            _ => continue,
        };
        names.push(kind(String::from_utf8(value.to_vec()).ok()?));
    }
    Some(names)
}

/// A rule that admits client certificates. As text: `sha256:HEX`, `cn:NAME`, `email:ADDRESS`,
/// `dns:HOST` or `uri:URI`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateRule {
    /// The certificate whose DER form has this SHA-256.
    Fingerprint([u8; 32]),
    /// Certificates with exactly this common name and no other.
    CommonName(String),
    /// Certificates with this alternative name, of this kind.
    AlternativeName(AlternativeName),
}

impl CertificateRule {
    /// Whether the rule admits `certificate`.
    #[must_use]
    pub fn admits(&self, certificate: &ClientCertificate) -> bool {
        match self {
            Self::Fingerprint(fingerprint) => *fingerprint == certificate.fingerprint,
            // A second common name could be that of another person.
            Self::CommonName(name) => matches!(&certificate.common_names[..], [own] if own == name),
            Self::AlternativeName(name) => {
                let mut own = certificate.alternative_names.iter();
                own.any(|own| own.is(name))
            }
        }
    }
}

/// In the form that is parsed.
impl fmt::Display for CertificateRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fingerprint(octets) => write!(f, "sha256:{}", hexadecimal(octets)),
            Self::CommonName(name) => write!(f, "cn:{name}"),
            Self::AlternativeName(AlternativeName::Email(name)) => write!(f, "email:{name}"),
            Self::AlternativeName(AlternativeName::Dns(name)) => write!(f, "dns:{name}"),
            Self::AlternativeName(AlternativeName::Uri(name)) => write!(f, "uri:{name}"),
        }
    }
}

/// The text is not a [`CertificateRule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateRuleError {
    /// It does not have the form of a rule.
    #[error("expected sha256:HEX (64 digits), cn:NAME, email:ADDRESS, dns:HOST or uri:URI")]
    Syntax,
    /// It begins with `san:`, which does not say which kind of name is meant.
    #[error("san: is not a kind of name: say email:ADDRESS, dns:HOST or uri:URI")]
    KindMissing,
}

impl FromStr for CertificateRule {
    type Err = CertificateRuleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, name) = text.split_once(':').ok_or(CertificateRuleError::Syntax)?;
        let alternative =
            |kind: fn(String) -> AlternativeName| Ok(Self::AlternativeName(kind(name.to_owned())));
        match kind {
            "san" => Err(CertificateRuleError::KindMissing),
            _ if name.is_empty() => Err(CertificateRuleError::Syntax),
            "sha256" => fingerprint(name).map(Self::Fingerprint),
            "cn" => Ok(Self::CommonName(name.to_owned())),
            "email" => alternative(AlternativeName::Email),
            "dns" => alternative(AlternativeName::Dns),
            "uri" => alternative(AlternativeName::Uri),
            _ => Err(CertificateRuleError::Syntax),
        }
    }
}

/// Hexadecimal digits with colons, as `openssl x509 -fingerprint` prints them, or without.
fn fingerprint(digits: &str) -> Result<[u8; 32], CertificateRuleError> {
    let digits: Vec<u32> = digits
        .chars()
        .filter(|c| *c != ':')
        .map(|c| c.to_digit(16).ok_or(CertificateRuleError::Syntax))
        .collect::<Result<_, _>>()?;
    let mut fingerprint = [0; 32];
    if digits.len() != 64 {
        return Err(CertificateRuleError::Syntax);
    }
    for (octet, pair) in fingerprint.iter_mut().zip(digits.chunks_exact(2)) {
        *octet = u8::try_from(pair[0] << 4 | pair[1]).map_err(|_| CertificateRuleError::Syntax)?;
    }
    Ok(fingerprint)
}

/// The name given with USER, and the client certificate.
#[derive(Debug, Clone)]
pub struct CertificateClaim {
    /// The user name, as octets of the wire.
    pub user: Vec<u8>,
    /// The client's certificate.
    pub certificate: Arc<ClientCertificate>,
    /// The client's address.
    pub peer: IpAddr,
}

/// The rest of a DER value: tag, length and content, one after the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], mut rest) = self.0.split_first_chunk()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            // No certificate has a length of more than three octets.
            let count = usize::from(first & 0x7f);
            let (octets, after) = (1..=3)
                .contains(&count)
                .then(|| rest.split_at_checked(count))??;
            length = octets
                .iter()
                .fold(0, |length, octet| length << 8 | usize::from(*octet));
            rest = after;
        }
        let (content, after) = rest.split_at_checked(length)?;
        self.0 = after;
        Some((tag, content))
    }

    /// The next value, if it has this tag. Otherwise nothing is consumed.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.first() != Some(&tag) {
            return None;
        }
        self.next().map(|(_, content)| content)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    fn der() -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["client.example".to_owned()]).unwrap();
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Müller & Söhne");
        params.distinguished_name.push(DnType::CommonName, "alice");
        let mail = SanType::Rfc822Name("alice@example.org".try_into().unwrap());
        params.subject_alt_names.push(mail);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    fn email(text: &str) -> AlternativeName {
        AlternativeName::Email(text.into())
    }

    #[test]
    fn names_are_read_from_subject_and_extension() {
        let certificate = ClientCertificate::from_der(&der());
        assert!(certificate.common_names().contains(&"alice".to_owned()));
        assert_eq!(
            certificate.alternative_names(),
            [
                AlternativeName::Dns("client.example".into()),
                email("alice@example.org")
            ]
        );
    }

    #[test]
    fn a_truncated_certificate_is_no_panic_and_matches_no_rule() {
        let der = der();
        for length in 0..der.len() {
            let cut = ClientCertificate::from_der(&der[..length]);
            assert!(cut.common_names.is_empty() && cut.alternative_names.is_empty());
            let mut broken = der.clone();
            broken[length] ^= 0xff;
            let _ = ClientCertificate::from_der(&broken);
        }
    }

    #[test]
    fn rules_are_distinguished_and_matched() {
        let certificate = ClientCertificate {
            fingerprint: [0xab; 32],
            common_names: vec!["alice".into()],
            alternative_names: vec![
                email("alice@example.org"),
                AlternativeName::Dns("bob@example.org".into()),
                AlternativeName::Dns("client.example".into()),
                AlternativeName::Uri("urn:x:Y".into()),
            ],
        };
        let colons = ["AB"; 32].join(":");
        for (rule, admits) in [
            (format!("sha256:{}", "ab".repeat(32)), true),
            (format!("sha256:{colons}"), true),
            (format!("sha256:{}", "ac".repeat(32)), false),
            ("cn:alice".into(), true),
            ("cn:Alice".into(), false),
            ("email:alice@Example.org".into(), true),
            ("email:Alice@example.org".into(), false),
            ("email:alice".into(), false),
            // A name of another kind with the same text.
            ("email:bob@example.org".into(), false),
            ("dns:alice@example.org".into(), false),
            ("uri:alice@example.org".into(), false),
            ("dns:Client.Example".into(), true),
            ("uri:client.example".into(), false),
            ("uri:urn:x:Y".into(), true),
            ("uri:urn:x:y".into(), false),
        ] {
            let rule: CertificateRule = rule.parse().unwrap();
            assert_eq!(rule.to_string().parse(), Ok(rule.clone()));
            assert_eq!(rule.admits(&certificate), admits, "{rule:?}");
        }
        for none in [
            "",
            "alice",
            "cn:",
            "email:",
            "sha256:",
            "sha256:ab",
            "md5:ab",
        ] {
            let read = none.parse::<CertificateRule>();
            assert_eq!(read, Err(CertificateRuleError::Syntax), "{none}");
        }
        let read = "san:alice@example.org".parse::<CertificateRule>();
        assert_eq!(read, Err(CertificateRuleError::KindMissing));
    }

    /// A DER value; short ones only.
    fn value(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap();
        assert!(length < 0x80);
        [&[tag, length], content].concat()
    }

    /// A certificate with these attributes in the SETs of its subject, as far as it is parsed.
    fn with_subject(sets: &[&[Vec<u8>]]) -> ClientCertificate {
        let sets = sets.iter().map(|set| value(0x31, &set.concat()));
        let before = [
            value(0x02, &[1]),
            value(0x30, b""),
            value(0x30, b""),
            value(0x30, b""),
        ];
        let subject = value(0x30, &Vec::from_iter(sets).concat());
        let body = value(0x30, &[&before.concat()[..], &subject].concat());
        ClientCertificate::from_der(&value(0x30, &body))
    }

    fn attribute(identifier: &[u8], tag: u8, text: &[u8]) -> Vec<u8> {
        value(0x30, &[value(0x06, identifier), value(tag, text)].concat())
    }

    #[test]
    fn a_common_name_admits_only_where_it_is_the_only_one() {
        let name = |text: &[u8]| attribute(COMMON_NAME, 0x0c, text);
        let organization = attribute(&[0x55, 0x04, 0x0a], 0x14, b"\xff");
        let alice = CertificateRule::CommonName("alice".into());
        for admitted in [
            with_subject(&[&[name(b"alice")]]),
            with_subject(&[&[organization.clone(), name(b"alice")]]),
            with_subject(&[std::slice::from_ref(&organization), &[name(b"alice")]]),
        ] {
            assert!(alice.admits(&admitted), "{admitted:?}");
        }
        for refused in [
            with_subject(&[&[name(b"alice")], &[name(b"mallory")]]),
            with_subject(&[&[name(b"alice"), name(b"mallory")]]),
            with_subject(&[&[name(b"mallory"), name(b"alice")]]),
            with_subject(&[&[name(b"alice"), name(b"alice")]]),
            // A second one that cannot be parsed: BMPString, and octets that are not UTF-8.
            with_subject(&[&[name(b"alice")], &[attribute(COMMON_NAME, 0x1e, b"\0m")]]),
            with_subject(&[&[name(b"alice"), name(b"\xff")]]),
            with_subject(&[&[name(b"alice"), vec![0x31, 0]]]),
            with_subject(&[&[name(b"alice\0")]]),
        ] {
            assert!(!alice.admits(&refused), "{refused:?}");
        }
    }
}
