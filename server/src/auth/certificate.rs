//! Client certificates: whose one is, and which of them let a user in (RFC 4217 §10.1, §12.2).

use sha2::{Digest as _, Sha256};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// The object identifier of a common name, 2.5.4.3, and that of the subject's alternative names, 2.5.29.17.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];

/// The certificate of a client, which an authority the server trusts has vouched for in the TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    fingerprint: [u8; 32],
    common_names: Vec<String>,
    alternative_names: Vec<String>,
}

impl ClientCertificate {
    /// Reads the DER form. Of a certificate that cannot be read to its end only the names before that are known.
    #[must_use]
    pub fn from_der(der: &[u8]) -> Self {
        let mut certificate = Self {
            fingerprint: Sha256::digest(der).into(),
            common_names: Vec::new(),
            alternative_names: Vec::new(),
        };
        // Every field was checked by whoever verified the certificate; a name that we cannot read matches no rule.
        let _ = certificate.read_names(der);
        certificate
    }

    /// SHA-256 over the DER form.
    #[must_use]
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// The common names of the subject; most often one.
    #[must_use]
    pub fn common_names(&self) -> &[String] {
        &self.common_names
    }

    /// The subject's alternative names that are text: mail addresses, host names and URIs.
    #[must_use]
    pub fn alternative_names(&self) -> &[String] {
        &self.alternative_names
    }

    /// RFC 5280 §4.1: what stands before the subject has a fixed order, and extensions are marked `[3]`.
    fn read_names(&mut self, der: &[u8]) -> Option<()> {
        let mut rest = Der(Der(der).expect(0x30)?).expect(0x30).map(Der)?;
        if rest.0.first() == Some(&0xa0) {
            rest.next()?;
        }
        for tag in [0x02, 0x30, 0x30, 0x30] {
            rest.expect(tag)?;
        }
        let mut subject = Der(rest.expect(0x30)?);
        while let Some(set) = subject.expect(0x31) {
            let mut attribute = Der(Der(set).expect(0x30)?);
            let is_common_name = attribute.expect(0x06)? == COMMON_NAME;
            let (tag, value) = attribute.next()?;
            // PrintableString, UTF8String and IA5String are UTF-8; no client we know has a certificate with another.
            if is_common_name && matches!(tag, 0x0c | 0x13 | 0x16) {
                self.common_names
                    .push(String::from_utf8(value.to_vec()).ok()?);
            }
        }
        while let Some((tag, value)) = rest.next() {
            if tag == 0xa3 {
                let mut extensions = Der(Der(value).expect(0x30)?);
                while let Some(extension) = extensions.expect(0x30) {
                    self.read_extension(Der(extension))?;
                }
            }
        }
        Some(())
    }

    fn read_extension(&mut self, mut extension: Der<'_>) -> Option<()> {
        if extension.expect(0x06)? != ALTERNATIVE_NAMES {
            return Some(());
        }
        let (mut tag, mut value) = extension.next()?;
        if tag == 0x01 {
            // "critical"
            (tag, value) = extension.next()?;
        }
        let mut names = (tag == 0x04).then_some(Der(value))?.expect(0x30).map(Der)?;
        while let Some((tag, value)) = names.next() {
            // rfc822Name, dNSName, uniformResourceIdentifier
            if matches!(tag, 0x81 | 0x82 | 0x86) {
                self.alternative_names
                    .push(String::from_utf8(value.to_vec()).ok()?);
            }
        }
        Some(())
    }
}

/// Which certificates let a user in. As text: `sha256:HEX`, `cn:NAME` or `san:NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateRule {
    /// The one whose DER form has this SHA-256.
    Fingerprint([u8; 32]),
    /// Those with this common name, to the letter.
    CommonName(String),
    /// Those with this alternative name, in any case: mail addresses and host names have none.
    AlternativeName(String),
}

impl CertificateRule {
    /// Whether `certificate` is one of them.
    #[must_use]
    pub fn admits(&self, certificate: &ClientCertificate) -> bool {
        match self {
            Self::Fingerprint(fingerprint) => *fingerprint == certificate.fingerprint,
            // A second common name could be another person's.
            Self::CommonName(name) => matches!(&certificate.common_names[..], [own] if own == name),
            Self::AlternativeName(name) => {
                let mut own = certificate.alternative_names.iter();
                own.any(|own| own.eq_ignore_ascii_case(name))
            }
        }
    }
}

/// As it is read.
impl fmt::Display for CertificateRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fingerprint(octets) => {
                f.write_str("sha256:")?;
                octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
            Self::CommonName(name) => write!(f, "cn:{name}"),
            Self::AlternativeName(name) => write!(f, "san:{name}"),
        }
    }
}

/// The text is no [`CertificateRule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoCertificateRule;

impl fmt::Display for NoCertificateRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected sha256:HEX (64 digits), cn:NAME or san:NAME")
    }
}

impl std::error::Error for NoCertificateRule {}

impl FromStr for CertificateRule {
    type Err = NoCertificateRule;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("sha256", digits)) => fingerprint(digits).map(Self::Fingerprint),
            Some(("cn", name)) if !name.is_empty() => Ok(Self::CommonName(name.to_owned())),
            Some(("san", name)) if !name.is_empty() => Ok(Self::AlternativeName(name.to_owned())),
            _ => Err(NoCertificateRule),
        }
    }
}

/// Digits as `openssl x509 -fingerprint` and as everybody else writes them: with colons, or without.
fn fingerprint(digits: &str) -> Result<[u8; 32], NoCertificateRule> {
    let digits: Vec<u32> = digits
        .chars()
        .filter(|c| *c != ':')
        .map(|c| c.to_digit(16).ok_or(NoCertificateRule))
        .collect::<Result<_, _>>()?;
    let mut fingerprint = [0; 32];
    if digits.len() != 64 {
        return Err(NoCertificateRule);
    }
    for (octet, pair) in fingerprint.iter_mut().zip(digits.chunks_exact(2)) {
        *octet = u8::try_from(pair[0] << 4 | pair[1]).map_err(|_| NoCertificateRule)?;
    }
    Ok(fingerprint)
}

/// What USER said, and the certificate it came with.
#[derive(Debug, Clone)]
pub struct CertificateClaim {
    /// The user name, as octets of the wire.
    pub user: Vec<u8>,
    /// The client's certificate.
    pub certificate: Arc<ClientCertificate>,
    /// The client's address.
    pub peer: IpAddr,
}

/// The rest of a DER value: tag, length, content, one behind the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], mut rest) = self.0.split_first_chunk()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            // More than three octets of length: no certificate is that long.
            let count = usize::from(first & 0x7f);
            let (octets, behind) = (1..=3)
                .contains(&count)
                .then(|| rest.split_at_checked(count))??;
            length = octets
                .iter()
                .fold(0, |length, octet| length << 8 | usize::from(*octet));
            rest = behind;
        }
        let (content, behind) = rest.split_at_checked(length)?;
        self.0 = behind;
        Some((tag, content))
    }

    /// The next value, if it has this tag. Otherwise nothing is taken.
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

    #[test]
    fn names_are_read_from_subject_and_extension() {
        let certificate = ClientCertificate::from_der(&der());
        assert!(certificate.common_names().contains(&"alice".to_owned()));
        assert_eq!(
            certificate.alternative_names(),
            ["client.example", "alice@example.org"]
        );
    }

    #[test]
    fn a_certificate_cut_anywhere_is_no_panic_and_admits_nobody_new() {
        let der = der();
        let whole = ClientCertificate::from_der(&der);
        for length in 0..der.len() {
            let cut = ClientCertificate::from_der(&der[..length]);
            assert!(cut.common_names.len() <= whole.common_names.len());
            let mut broken = der.clone();
            broken[length] ^= 0xff;
            let _ = ClientCertificate::from_der(&broken);
        }
    }

    #[test]
    fn rules_are_told_apart_and_matched() {
        let certificate = ClientCertificate {
            fingerprint: [0xab; 32],
            common_names: vec!["alice".into()],
            alternative_names: vec!["alice@example.org".into()],
        };
        let colons = ["AB"; 32].join(":");
        for (rule, admits) in [
            (format!("sha256:{}", "ab".repeat(32)), true),
            (format!("sha256:{colons}"), true),
            (format!("sha256:{}", "ac".repeat(32)), false),
            ("cn:alice".into(), true),
            ("cn:Alice".into(), false),
            ("san:Alice@Example.org".into(), true),
            ("san:alice".into(), false),
        ] {
            let rule: CertificateRule = rule.parse().unwrap();
            assert_eq!(rule.admits(&certificate), admits, "{rule:?}");
        }
        for none in ["", "alice", "cn:", "san:", "sha256:", "sha256:ab", "md5:ab"] {
            assert_eq!(
                none.parse::<CertificateRule>(),
                Err(NoCertificateRule),
                "{none}"
            );
        }
    }

    #[test]
    fn two_common_names_are_nobodys() {
        let certificate = ClientCertificate {
            fingerprint: [0; 32],
            common_names: vec!["alice".into(), "mallory".into()],
            alternative_names: vec![],
        };
        assert!(!CertificateRule::CommonName("alice".into()).admits(&certificate));
    }
}
