//! The PROXY protocol, versions 1 and 2: a load balancer reports the address of the client
//! (haproxy, `doc/proxy-protocol.txt`).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The signature of version 2.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, with its line end.
const LONGEST_LINE: usize = 107;
/// The most octets after the fixed part of version 2: addresses, and extensions that are skipped.
const LONGEST_REST: u16 = 4096;

/// Reads the header, and no octet after it. Returns the address of the client; `None` if the
/// balancer connects for itself (health checks) or does not know it.
///
/// # Errors
/// The connection is gone, or does not begin with a header and cannot be trusted.
pub(crate) async fn read_header(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<SocketAddr>> {
    let mut start = [0; SIGNATURE.len()];
    stream.read_exact(&mut start).await?;
    if start == SIGNATURE {
        let mut fixed = [0; 4];
        stream.read_exact(&mut fixed).await?;
        let [version_and_command, family, high, low] = fixed;
        let length = u16::from_be_bytes([high, low]);
        if length > LONGEST_REST {
            return Err(malformed());
        }
        let mut rest = vec![0; length.into()];
        stream.read_exact(&mut rest).await?;
        return match version_and_command {
            0x20 => Ok(None),
            0x21 => binary(family, &rest),
            _ => Err(malformed()),
        };
    }
    if !start.starts_with(b"PROXY ") {
        return Err(malformed());
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= LONGEST_LINE {
            return Err(malformed());
        }
        // One by one: what follows the line is the client's.
        line.push(stream.read_u8().await?);
    }
    textual(&line[..line.len() - 2])
}

/// Version 2.
fn binary(family: u8, rest: &[u8]) -> io::Result<Option<SocketAddr>> {
    let taken = |wanted: usize| rest.get(..wanted).ok_or_else(malformed);
    Ok(match family {
        0x11 => {
            let addresses = taken(12)?;
            let ip: [u8; 4] = std::array::from_fn(|at| addresses[at]);
            let port = u16::from_be_bytes([addresses[8], addresses[9]]);
            Some(SocketAddr::from((Ipv4Addr::from(ip), port)))
        }
        0x21 => {
            let addresses = taken(36)?;
            let ip: [u8; 16] = std::array::from_fn(|at| addresses[at]);
            let port = u16::from_be_bytes([addresses[32], addresses[33]]);
            Some(SocketAddr::from((Ipv6Addr::from(ip), port)))
        }
        0x00 => None,
        _ => return Err(malformed()),
    })
}

/// Version 1: `PROXY TCP4 192.0.2.1 198.51.100.2 34567 21`.
fn textual(line: &[u8]) -> io::Result<Option<SocketAddr>> {
    let line = std::str::from_utf8(line).map_err(|_| malformed())?;
    let mut words = line.split(' ').skip(1);
    let protocol = words.next();
    if protocol == Some("UNKNOWN") {
        return Ok(None);
    }
    let words: Vec<&str> = words.collect();
    let [from, to, from_port, to_port] = words[..] else {
        return Err(malformed());
    };
    let address = |text: &str| text.parse::<IpAddr>().map_err(|_| malformed());
    let port = |text: &str| text.parse::<u16>().map_err(|_| malformed());
    let (from, to) = (address(from)?, address(to)?);
    let (from_port, _) = (port(from_port)?, port(to_port)?);
    match (protocol, from, to) {
        (Some("TCP4"), IpAddr::V4(_), IpAddr::V4(_))
        | (Some("TCP6"), IpAddr::V6(_), IpAddr::V6(_)) => Ok(Some((from, from_port).into())),
        _ => Err(malformed()),
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "this is not a PROXY header")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// What is read of `octets`, and what is left of them.
    async fn read(mut octets: &[u8]) -> (io::Result<Option<SocketAddr>>, &[u8]) {
        let header = read_header(&mut octets).await;
        (header, octets)
    }

    fn version_2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    #[tokio::test]
    async fn the_header_names_the_client_and_no_octet_after_it_is_lost() {
        let v4 = [192, 0, 2, 1, 198, 51, 100, 2, 0x87, 0x07, 0, 21];
        let mut v6 = [0; 36];
        v6[15] = 1;
        v6[33] = 99;
        let headers = [
            (
                b"PROXY TCP4 192.0.2.1 198.51.100.2 34567 21\r\n".to_vec(),
                Some("192.0.2.1:34567"),
            ),
            (
                b"PROXY TCP6 2001:db8::1 2001:db8::2 1 21\r\n".to_vec(),
                Some("[2001:db8::1]:1"),
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff::1 and whatever\r\n".to_vec(), None),
            (version_2(0x21, 0x11, &v4), Some("192.0.2.1:34567")),
            (
                version_2(0x21, 0x11, &[&v4[..], b"\x04\0\x01x"].concat()),
                Some("192.0.2.1:34567"),
            ),
            (version_2(0x21, 0x21, &v6), Some("[::1]:99")),
            (version_2(0x20, 0, b""), None),
            (version_2(0x21, 0, b""), None),
        ];
        for (header, client) in headers {
            let octets = [&header[..], b"USER"].concat();
            let (read, left) = read(&octets).await;
            assert_eq!(read.unwrap(), client.map(|text| text.parse().unwrap()));
            assert_eq!(left, b"USER");
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let long = [&b"PROXY UNKNOWN "[..], &[b'x'; 200], b"\r\n"].concat();
        for wrong in [
            b"USER anonymous\r\nPASS x\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 198.51.100.2 34567\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 198.51.100.2 34567 65536\r\n".to_vec(),
            b"PROXY TCP4 ::1 ::2 34567 21\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 198.51.100.2 34567 21".to_vec(),
            b"PROXY UDP4 192.0.2.1 198.51.100.2 34567 21\r\n".to_vec(),
            long,
            b"PROXY".to_vec(),
            version_2(0x21, 0x11, b"short"),
            version_2(0x22, 0x11, &[0; 12]),
            version_2(0x11, 0x11, &[0; 12]),
            version_2(0x21, 0x12, &[0; 12]),
            version_2(0x21, 0x11, &[0; 5000]),
        ] {
            let (read, _) = read(&wrong).await;
            assert!(read.is_err(), "{}", wrong.escape_ascii());
        }
    }
}
