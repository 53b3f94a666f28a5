//! The octets of a control connection, cut into what the proxy decides about: lines of the client,
//! and replies of the server. Nothing is lost: the pieces in order are what came.

/// Octets of a line that is longer are passed on without being parsed.
const LONGEST: usize = 64 << 10;

/// Telnet's "interpret as command" and "data mark" (RFC 854).
const IAC: u8 = 255;
const DATA_MARK: u8 = 242;

/// A piece of what a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClientPiece {
    /// A line, with its line end.
    Command(Vec<u8>),
    /// Telnet commands before a line, to be passed on at once. With a data mark the last octet is
    /// sent as urgent data (RFC 959 §4.1.3).
    Telnet {
        /// The octets.
        octets: Vec<u8>,
        /// Whether they end with a data mark.
        urgent: bool,
    },
    /// Octets of a line that is too long to be a command.
    Raw(Vec<u8>),
}

/// Cuts what a client sends into lines and Telnet commands.
#[derive(Debug, Default)]
pub(crate) struct ClientLines {
    held: Vec<u8>,
}

impl ClientLines {
    /// Takes octets as they came.
    pub(crate) fn push(&mut self, octets: &[u8]) {
        self.held.extend_from_slice(octets);
    }

    /// The next piece; `None` until more has come.
    pub(crate) fn next_piece(&mut self) -> Option<ClientPiece> {
        if let Some(telnet) = self.telnet() {
            return Some(telnet);
        }
        if self.held.first() == Some(&IAC) && self.held.len() < 2 {
            return None;
        }
        match memchr::memchr(b'\n', &self.held) {
            Some(end) => Some(ClientPiece::Command(self.held.drain(..=end).collect())),
            None if self.held.len() > LONGEST => {
                Some(ClientPiece::Raw(std::mem::take(&mut self.held)))
            }
            None => None,
        }
    }

    /// Whether more is held than a line may have.
    pub(crate) fn is_full(&self) -> bool {
        self.held.len() > LONGEST
    }

    /// What is left of an unfinished line, at the end of the connection or where what follows is
    /// not to be passed on.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// The Telnet commands that begin what is held, up to and with a data mark.
    fn telnet(&mut self) -> Option<ClientPiece> {
        let mut end = 0;
        while self.held.get(end) == Some(&IAC) {
            let length = match self.held.get(end + 1) {
                // An option is negotiated with one more octet.
                Some(251..=254) => 3,
                // IAC IAC is an octet of the line.
                Some(&IAC) | None => break,
                Some(&DATA_MARK) => {
                    let octets = self.held.drain(..end + 2).collect();
                    return Some(ClientPiece::Telnet {
                        octets,
                        urgent: true,
                    });
                }
                Some(_) => 2,
            };
            if self.held.len() < end + length {
                break;
            }
            end += length;
        }
        let octets = self.held.drain(..end).collect();
        (end > 0).then_some(ClientPiece::Telnet {
            octets,
            urgent: false,
        })
    }
}

/// A line without its line end.
pub(crate) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The verb of a command line, in capitals, and its argument without the line end.
pub(crate) fn split_command(line: &[u8]) -> (String, &[u8]) {
    let line = without_end(line);
    let end = memchr::memchr(b' ', line).unwrap_or(line.len());
    let verb = String::from_utf8_lossy(&line[..end]).to_ascii_uppercase();
    (verb, line.get(end + 1..).unwrap_or_default())
}

/// A piece of what a server sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ServerPiece {
    /// A line within a reply, or one that belongs to none.
    Line(Vec<u8>),
    /// The last line of a reply, and its code.
    Reply(u16, Vec<u8>),
}

/// Cuts what a server sends into lines, and finds where replies end (RFC 959 §4.2).
#[derive(Debug, Default)]
pub(crate) struct ServerLines {
    held: Vec<u8>,
    /// The code of the reply that has begun with `ddd-`.
    begun: Option<u16>,
}

impl ServerLines {
    /// Takes octets as they came.
    pub(crate) fn push(&mut self, octets: &[u8]) {
        self.held.extend_from_slice(octets);
    }

    /// The next line; `None` until more has come.
    pub(crate) fn next_piece(&mut self) -> Option<ServerPiece> {
        let line: Vec<u8> = match memchr::memchr(b'\n', &self.held) {
            Some(end) => self.held.drain(..=end).collect(),
            None if self.held.len() > LONGEST => std::mem::take(&mut self.held),
            None => return None,
        };
        let code = code(&line);
        match (self.begun, code, line.get(3)) {
            (None, Some(code), Some(b'-')) => self.begun = Some(code),
            (None, Some(code), _) => return Some(ServerPiece::Reply(code, line)),
            (Some(begun), Some(code), Some(b' ' | b'\r' | b'\n')) if begun == code => {
                self.begun = None;
                return Some(ServerPiece::Reply(code, line));
            }
            _ => {}
        }
        Some(ServerPiece::Line(line))
    }

    /// What is left of an unfinished line at the end of the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

/// The code a line begins with.
fn code(line: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(line.get(..3)?).ok()?;
    digits.bytes().all(|it| it.is_ascii_digit()).then_some(())?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(octets: &[u8]) -> Vec<ClientPiece> {
        let mut lines = ClientLines::default();
        lines.push(octets);
        std::iter::from_fn(|| lines.next_piece()).collect()
    }

    #[test]
    fn an_urgent_abor_is_cut_after_its_data_mark() {
        let telnet = |octets: &[u8], urgent| ClientPiece::Telnet {
            octets: octets.to_vec(),
            urgent,
        };
        let abor = ClientPiece::Command(b"ABOR\r\n".to_vec());
        assert_eq!(
            pieces(b"\xff\xf4\xff\xf2ABOR\r\n"),
            [telnet(b"\xff\xf4\xff\xf2", true), abor.clone()]
        );
        assert_eq!(
            pieces(b"\xff\xfb\x01ABOR\r\n"),
            [telnet(b"\xff\xfb\x01", false), abor]
        );
        assert_eq!(pieces(b"\xff"), []);
    }

    #[test]
    fn a_reply_ends_with_the_line_that_repeats_its_code() {
        let mut lines = ServerLines::default();
        lines.push(b"211-a\r\n 226 b\r\n226 c\r\n211 End\r\n200 x\r\n2");
        let found: Vec<_> = std::iter::from_fn(|| lines.next_piece()).collect();
        assert_eq!(
            found,
            [
                ServerPiece::Line(b"211-a\r\n".to_vec()),
                ServerPiece::Line(b" 226 b\r\n".to_vec()),
                ServerPiece::Line(b"226 c\r\n".to_vec()),
                ServerPiece::Reply(211, b"211 End\r\n".to_vec()),
                ServerPiece::Reply(200, b"200 x\r\n".to_vec()),
            ]
        );
        assert_eq!(lines.rest(), b"2");
    }

    #[test]
    fn a_verb_is_read_in_capitals_and_an_argument_as_it_is() {
        assert_eq!(
            split_command(b"retr  a b\r\n"),
            ("RETR".into(), &b" a b"[..])
        );
        assert_eq!(split_command(b"NOOP\n"), ("NOOP".into(), &b""[..]));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_however_octets_are_cut(
            octets in proptest::collection::vec(
                prop_oneof![Just(255u8), Just(242), Just(10), Just(13), any::<u8>()], 0..200),
            cut in 0usize..200,
        ) {
            let cut = cut.min(octets.len());
            let (mut client, mut server) = (ClientLines::default(), ServerLines::default());
            let (mut from_client, mut from_server) = (Vec::new(), Vec::new());
            for part in [&octets[..cut], &octets[cut..]] {
                client.push(part);
                while let Some(piece) = client.next_piece() {
                    from_client.extend(match piece {
                        ClientPiece::Command(octets)
                        | ClientPiece::Telnet { octets, .. }
                        | ClientPiece::Raw(octets) => octets,
                    });
                }
                server.push(part);
                while let Some(ServerPiece::Line(line) | ServerPiece::Reply(_, line)) = server.next_piece() {
                    from_server.extend(line);
                }
            }
            from_client.extend(client.rest());
            from_server.extend(server.rest());
            prop_assert_eq!(from_client, octets.clone());
            prop_assert_eq!(from_server, octets);
        }
    }
}
