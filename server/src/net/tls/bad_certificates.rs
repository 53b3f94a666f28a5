//! Certificates that no client should accept, for fault plans.

use std::time::Duration;

use rcgen::{Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::certificates::{authority_params, server_params};
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
    let names = match kind {
        BadCertificate::WrongName => vec!["wrong.invalid".to_owned()],
        _ => ["localhost", "127.0.0.1", "::1"].map(String::from).to_vec(),
    };
    let mut params = server_params("ftpspec planned fault", names)?;
    if kind == BadCertificate::Expired {
        params.not_after = params.not_before;
        params.not_before = params.not_after - 30 * DAY;
    }
    let key = KeyPair::generate()?;
    let certificate = match (kind, authority) {
        (BadCertificate::SelfSigned, _) => params.self_signed(&key)?,
        (BadCertificate::Expired | BadCertificate::WrongName, Some(authority)) => {
            params.signed_by(&key, authority)?
        }
        _ => {
            let unknown = authority_params("ftpspec unknown CA")?;
            let unknown = Issuer::new(unknown, KeyPair::generate()?);
            params.signed_by(&key, &unknown)?
        }
    };
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    Ok((vec![certificate.der().clone()], key))
}
