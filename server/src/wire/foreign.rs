//! Lines of other protocols, which a browser can be made to send to an FTP server (ALPACA,
//! CVE-2021-3618; mail servers have the same problem).

/// Methods of HTTP and RTSP that are not FTP commands.
const METHODS: [&[u8]; 9] = [
    b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"PATCH", b"CONNECT", b"TRACE",
];

/// Whether a line begins a request of HTTP, SMTP or SSH, or is one of its headers. The lines after
/// it are not meant for this server, and an attacker may have put commands into them. No FTP
/// command looks like this.
pub(crate) fn is_foreign(line: &[u8]) -> bool {
    let end = memchr::memchr(b' ', line).unwrap_or(line.len());
    let word = &line[..end];
    let has_argument = end < line.len();
    (has_argument && (METHODS.contains(&word) || word == b"PRI"))
        || word.eq_ignore_ascii_case(b"EHLO")
        || word.eq_ignore_ascii_case(b"HELO")
        || word.starts_with(b"SSH-")
        // The header fields of a request whose first line was too long to be read.
        || is_header_field(line)
}

/// `Name: value`.
fn is_header_field(line: &[u8]) -> bool {
    let is_of_name = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'-';
    let name = line.iter().take_while(|octet| is_of_name(octet)).count();
    name > 0 && line.get(name) == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_protocols_are_distinguished_from_commands() {
        for line in [
            "GET / HTTP/1.1",
            "POST /x HTTP/1.0",
            "PRI * HTTP/2.0",
            "EHLO example.org",
            "helo x",
            "SSH-2.0-OpenSSH_9.9",
            "Host: example.org",
            "Content-Length:5",
        ] {
            assert!(is_foreign(line.as_bytes()), "{line}");
        }
        for line in [
            "",
            ":",
            "get file",
            "GET",
            "PUT",
            "USER a: b",
            "RETR GET /",
            "DELE x:",
            "XGET x",
        ] {
            assert!(!is_foreign(line.as_bytes()), "{line}");
        }
    }
}
