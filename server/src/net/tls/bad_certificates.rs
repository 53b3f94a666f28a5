//! Certificates that no client should accept, for fault plans.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::fault::BadCertificate;

const DAY: Duration = Duration::from_hours(24);

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Makes a bad certificate. Only one thing is wrong with it, as far as `authority`, which clients
/// trust, is there to sign it: a server with a certificate of its own has none, and then the CA is
/// unknown.
///
/// # Errors
/// When no key or certificate can be made.
pub fn bad_certificate(
    kind: BadCertificate,
    authority: Option<&Issuer<'static, KeyPair>>,
) -> Result<Identity, rcgen::Error> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let names = match kind {
        BadCertificate::WrongName => vec!["wrong.invalid".to_owned()],
        _ => ["localhost", "127.0.0.1", "::1"].map(String::from).to_vec(),
    };
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "ftpspec planned fault");
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyAgreement,
    ];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = epoch + now.saturating_sub(30 * DAY);
    params.not_after = match kind {
        BadCertificate::Expired => epoch + now.saturating_sub(DAY),
        _ => epoch + now + 30 * DAY,
    };
    let key = KeyPair::generate()?;
    let certificate = match (kind, authority) {
        (BadCertificate::SelfSigned, _) => params.self_signed(&key)?,
        (BadCertificate::Expired | BadCertificate::WrongName, Some(authority)) => {
            params.use_authority_key_identifier_extension = true;
            params.signed_by(&key, authority)?
        }
        _ => {
            params.use_authority_key_identifier_extension = true;
            params.signed_by(&key, &stranger()?)?
        }
    };
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    Ok((vec![certificate.der().clone()], key))
}

/// An untrusted authority.
fn stranger() -> Result<Issuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "ftpspec unknown CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(Issuer::new(params, KeyPair::generate()?))
}
