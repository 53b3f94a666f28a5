//! What comes before and around commands: PROXY headers, TLS records, client certificates, names of
//! HOST.

use ftpspec_server::auth::{CertificateRule, ClientCertificate};
use ftpspec_server::internals::fuzzing::{gated, proxy_header};
use ftpspec_server::internals::wire::HostName;
use std::net::IpAddr;

/// Maximum octets of a PROXY header: the fixed part of version 2, and its addresses and options.
const LONGEST_HEADER: usize = 16 + 4096;
/// The content types of TLS records.
const RECORD_TYPES: std::ops::RangeInclusive<u8> = 20..=24;

/// A header is read to its end and no further, and only a whole one is.
pub fn proxy(data: &[u8]) {
    let Ok((client, after)) = proxy_header(data) else {
        return;
    };
    assert!(data.ends_with(after));
    let header = &data[..data.len() - after.len()];
    assert!(header.len() <= LONGEST_HEADER);
    let followed = [header, b"USER x\r\n"].concat();
    let again = proxy_header(&followed).expect("what follows makes no difference");
    assert_eq!(again, (client, &b"USER x\r\n"[..]));
    for length in [0, header.len() / 2, header.len() - 1] {
        assert!(proxy_header(&header[..length]).is_err(), "half a header");
    }
    if let Some(client) = client {
        let family = if client.is_ipv4() { 4 } else { 6 };
        let ip = client.ip();
        let text = format!("PROXY TCP{family} {ip} {ip} {} 21\r\n", client.port());
        let read = proxy_header(text.as_bytes()).expect("version 1 says it, too");
        assert_eq!(read, (Some(client), &b""[..]));
    }
}

/// No read goes past the end of a TLS record, and no octet is lost or changed. The first octets are
/// the sizes of the reads.
pub fn record_gate(data: &[u8]) {
    let [arriving, buffer, ending, octets @ ..] = data else {
        return;
    };
    let (arriving, buffer) = (usize::from(*arriving) + 1, usize::from(*buffer) * 16 + 1);
    let ending = ending & 1 == 1;
    let (reads, left) = gated(octets, arriving, buffer, ending).expect("memory does not fail");
    let read = reads.concat();
    assert_eq!([&read[..], &left].concat(), octets);
    let mut ends = Vec::new();
    let mut at = 0;
    let clear_text = loop {
        match &octets[at..] {
            [] => break octets.len(),
            [first, ..] if ending && !RECORD_TYPES.contains(first) => break at,
            [_, _, _, high, low, ..] => {
                at += 5 + usize::from(u16::from_be_bytes([*high, *low]));
                ends.push(at);
            }
            _ => break octets.len(),
        }
        if at >= octets.len() {
            break octets.len();
        }
    };
    assert_eq!(
        read.len(),
        clear_text,
        "all records, and nothing after them"
    );
    let mut from = 0;
    for piece in &reads {
        let to = from + piece.len();
        assert!(
            !ends.iter().any(|end| (from + 1..to).contains(end)),
            "past {ends:?}"
        );
        from = to;
    }
}

/// A certificate is read whole or has no names, and a rule matches its name only.
pub fn certificate(data: &[u8]) {
    let certificate = ClientCertificate::from_der(data);
    assert!(CertificateRule::Fingerprint(*certificate.fingerprint()).admits(&certificate));
    let names = certificate.common_names();
    for name in names {
        let admits = CertificateRule::CommonName(name.clone()).admits(&certificate);
        assert_eq!(
            admits,
            names.len() == 1,
            "a second name could be another person's"
        );
    }
    for name in certificate.alternative_names() {
        let rule = CertificateRule::AlternativeName(name.clone());
        assert!(rule.admits(&certificate));
        let text = rule.to_string();
        assert!(text.ends_with(':') || text.parse() == Ok(rule), "{text}");
    }
    if !names.is_empty() || !certificate.alternative_names().is_empty() {
        // The subject comes before the end: without it the outer SEQUENCE is not whole.
        let body = der_length(data).unwrap_or_default();
        for length in [body / 2, body.saturating_sub(1)] {
            let cut = ClientCertificate::from_der(&data[..length]);
            assert!(cut.common_names().is_empty() && cut.alternative_names().is_empty());
        }
    }
}

/// The octets of the first DER value.
fn der_length(data: &[u8]) -> Option<usize> {
    let (head, length) = match data {
        [_, short @ 0..0x80, ..] => (2, usize::from(*short)),
        [_, long, octets @ ..] => {
            let octets = octets.get(..usize::from(long & 0x7f))?;
            let length = octets
                .iter()
                .fold(0, |sum, octet| sum << 8 | usize::from(*octet));
            (2 + octets.len(), length)
        }
        _ => return None,
    };
    Some(head + length)
}

/// A name of HOST means the same when it is written again, in any case.
pub fn host_name(data: &[u8]) {
    let Some(host) = HostName::parse(data) else {
        return;
    };
    let text = host.to_string();
    assert!(text.len() <= 253 && text.bytes().all(|octet| octet.is_ascii_graphic()));
    assert_eq!(HostName::parse(text.as_bytes()).as_ref(), Some(&host));
    assert_eq!(
        HostName::parse(&data.to_ascii_uppercase()),
        Some(host.clone())
    );
    match host {
        HostName::Domain(name) => {
            assert!(name.split('.').all(|label| (1..=63).contains(&label.len())));
            assert!(!name.contains(|char: char| char.is_ascii_uppercase() || char == ':'));
        }
        HostName::Address(IpAddr::V6(address)) => assert!(address.to_ipv4_mapped().is_none()),
        HostName::Address(IpAddr::V4(_)) => {}
    }
}
