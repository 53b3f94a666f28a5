//! Transcripts in which one reply, listing or data connection violates a rule of the always-on
//! judges, to test these.

use crate::data;
use crate::transcript::{CloseKind, Conversation, Event, EventKind, Exchange, Side, Transcript};

/// A violation of a rule that an always-on judge checks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Violation {
    /// The judge that has to detect it.
    pub judge: &'static str,
    /// What the server does wrong.
    pub what: &'static str,
    /// The verb, and the code of the changed reply or of the completion of the transfer.
    reply: &'static str,
    spoil: Change,
}

#[derive(Debug, Clone, Copy)]
enum Change {
    /// Another reply in its place.
    Reply(fn(&str) -> String),
    /// Other octets on the data connection.
    Data(fn(&str) -> String),
    /// Additional octets on the data connection.
    More(u64),
    Twice,
    /// The preliminary reply is not sent.
    NoPreliminary,
    /// The reply's octets without the Telnet commands in them.
    NoTelnet,
    /// An IAC in the text is not doubled.
    LoneIac,
    /// The protected data connection ends with FIN alone.
    DataCut,
    /// The data connection is protected with another certificate than the control connection.
    Certificate,
    /// The protected control connection ends with FIN alone.
    ControlCut,
}

use Change::{
    Certificate, ControlCut, Data, DataCut, LoneIac, More, NoPreliminary, NoTelnet, Reply, Twice,
};

const fn violation(
    judge: &'static str,
    reply: &'static str,
    what: &'static str,
    spoil: Change,
) -> Violation {
    Violation {
        judge,
        what,
        reply,
        spoil,
    }
}

/// At least one for each rule of each judge.
pub(crate) const VIOLATIONS: &[Violation] = &[
    violation(
        "reply-syntax",
        "NOOP 200",
        "ends a reply with a bare LF",
        Reply(|r| r.replace("\r\n", "\n")),
    ),
    violation(
        "reply-syntax",
        "NOOP 200",
        "leaves a bare CR within a reply",
        Reply(|r| r.replacen(' ', " \rx", 1)),
    ),
    violation(
        "reply-syntax",
        "NOOP 200",
        "leaves a NUL within a reply",
        Reply(|r| r.replacen(' ', " \0", 1)),
    ),
    violation(
        "reply-syntax",
        "NOOP 200",
        "does not double an IAC in a reply",
        LoneIac,
    ),
    violation(
        "reply-syntax",
        "NOOP 200",
        "sends nothing after the code, not even a space",
        Reply(|_| "200\r\n".into()),
    ),
    violation(
        "reply-syntax",
        "NOOP 200",
        "replies without a code",
        Reply(|_| "Still here.\r\n".into()),
    ),
    violation(
        "reply-syntax",
        "NOOP 200",
        "replies with a code that begins with 9",
        Reply(|r| r.replacen("200", "900", 1)),
    ),
    violation(
        "reply-syntax",
        "NOOP 200",
        "uses an unassigned second digit",
        Reply(|r| r.replacen("200", "290", 1)),
    ),
    violation(
        "reply-syntax",
        "FEAT 211",
        "never ends a reply of several lines",
        Reply(|r| r.replace("211 ", " 211 ")),
    ),
    violation(
        "reply-syntax",
        "FEAT 211",
        "repeats the code within a reply",
        Reply(|r| r.replace("\r\n ", "\r\n211-")),
    ),
    violation(
        "reply-code",
        "NOOP 200",
        "answers with another class",
        Reply(|r| r.replacen("200", "350", 1)),
    ),
    violation(
        "reply-code",
        "NOOP 200",
        "answers with a code of another command",
        Reply(|r| r.replacen("200", "250", 1)),
    ),
    violation("one-completion", "NOOP 200", "answers twice", Twice),
    violation(
        "one-completion",
        "RETR 150",
        "announces a transfer twice",
        Twice,
    ),
    violation(
        "one-completion",
        "RETR 150",
        "completes a transfer it never announced",
        NoPreliminary,
    ),
    violation(
        "address",
        "EPSV 229",
        "gives a port above 65535",
        Reply(|_| "229 Extended (|||70000|)\r\n".into()),
    ),
    violation(
        "address",
        "PASV 227",
        "sends five numbers",
        Reply(|_| "227 Passive 127,0,0,1,4.\r\n".into()),
    ),
    violation(
        "address",
        "PASV 227",
        "sends the address of another host",
        Reply(|_| "227 Passive 10,1,2,3,4,1.\r\n".into()),
    ),
    violation(
        "pathname-257",
        "PWD 257",
        "puts words before the pathname",
        Reply(|r| r.replacen("257 ", "257 It is ", 1)),
    ),
    violation(
        "pathname-257",
        "PWD 257",
        "omits the quotes",
        Reply(|r| r.replace('"', "")),
    ),
    violation(
        "pathname-257",
        "PWD 257",
        "does not double a quote within",
        Reply(|r| r.replacen("257 \"", "257 \"a\"b", 1)),
    ),
    violation(
        "feat",
        "FEAT 211",
        "lists features without the space",
        Reply(|r| r.replace("\r\n ", "\r\n")),
    ),
    violation(
        "feat",
        "FEAT 211",
        "ends the list with a line without End",
        Reply(|r| r.replace("211 End", "211 Thatsit")),
    ),
    violation(
        "feat",
        "FEAT 211",
        "sends a list without features",
        Reply(|_| "211-Features:\r\n211 End\r\n".into()),
    ),
    violation(
        "feat",
        "FEAT 211",
        "lists two features on one line",
        Reply(|r| r.replace(" SIZE\r\n", " SIZE MDTM\r\n")),
    ),
    violation(
        "feat",
        "FEAT 211",
        "lists OPTS",
        Reply(|r| r.replace("211 End", " OPTS\r\n211 End")),
    ),
    violation(
        "feat",
        "FEAT 211",
        "lists features in small letters",
        Reply(|r| r.to_lowercase()),
    ),
    violation(
        "feat",
        "FEAT 211",
        "lists commands of RFC 959",
        Reply(|r| r.replace("211 End", " PASV\r\n211 End")),
    ),
    violation(
        "mlsx",
        "MLST 250",
        "omits the space before the entry",
        Reply(|r| r.replace("\r\n ", "\r\n")),
    ),
    violation(
        "mlsx",
        "MLST 250",
        "gives a size with a unit",
        Reply(|r| with_size(r, "3k")),
    ),
    violation(
        "mlsx",
        "MLSD 226",
        "ends an entry with a bare LF",
        Data(|d| d.replace("\r\n", "\n")),
    ),
    violation(
        "mlsx",
        "MLSD 226",
        "gives a time in another form",
        Data(|d| with_fact(d, "modify=", "yesterday")),
    ),
    violation(
        "mlsx",
        "MLSD 226",
        "omits the space before the pathname",
        Data(|d| d.replace("; ", ";")),
    ),
    violation(
        "mdtm-size-213",
        "SIZE 213",
        "gives a size with a unit",
        Reply(|r| r.replace("\r\n", " octets\r\n")),
    ),
    violation(
        "mdtm-size-213",
        "MDTM 213",
        "gives a time with a zone",
        Reply(|r| r.replace("\r\n", " UTC\r\n")),
    ),
    violation("telnet", "TYPE 200", "does not answer WILL", NoTelnet),
    violation("telnet", "MKD 257", "does not answer DO", NoTelnet),
    violation(
        "tls",
        "RETR 226",
        "ends a protected download without close_notify",
        DataCut,
    ),
    violation(
        "tls",
        "LIST 226",
        "ends a protected listing without close_notify",
        DataCut,
    ),
    violation(
        "tls",
        "RETR 226",
        "uses another certificate on the data connection",
        Certificate,
    ),
    violation(
        "feat",
        "FEAT 211",
        "lists digests without their label",
        Reply(|r| r.replace("211 End", " CRC32;SHA-1*;\r\n211 End")),
    ),
    violation(
        "feat",
        "FEAT 211",
        "lists a feature twice",
        Reply(|r| r.replace("211 End", " SIZE\r\n SIZE\r\n211 End")),
    ),
    violation(
        "closing",
        "QUIT 221",
        "closes the control connection after an error",
        Reply(|_| "500 What?\r\n".into()),
    ),
    violation(
        "closing",
        "QUIT 221",
        "ends a protected control connection without close_notify",
        ControlCut,
    ),
    violation(
        "limits",
        "LIST 226",
        "sends a listing without end",
        More(18 << 20),
    ),
    violation(
        "limits",
        "RETR 226",
        "sends a file without end",
        More(18 << 20),
    ),
    violation(
        "limits",
        "HELP 214",
        "sends a reply without end",
        Reply(endless),
    ),
];

impl Violation {
    /// The transcript with this violation; `None` if it has no place for it.
    pub(crate) fn apply(&self, transcript: &Transcript) -> Option<Transcript> {
        let (verb, code) = self.reply.split_once(' ')?;
        for conversation in Conversation::all(transcript) {
            let fits = |exchange: &&Exchange| exchange.is_whole() && exchange.name() == verb;
            for exchange in conversation.exchanges.iter().filter(fits) {
                let mut replies = exchange.replies.iter();
                let found = replies.find(|(_, reply)| reply.code.to_string() == code);
                let Some((at, reply)) = found else { continue };
                let alone = EventKind::from_server(reply.octets.clone());
                if transcript.events[*at].what != alone {
                    continue;
                }
                let mut spoiled = transcript.clone();
                match self.spoil {
                    Reply(change) => {
                        let spoiled_octets =
                            change(&String::from_utf8_lossy(&reply.octets)).into_bytes();
                        spoiled.events[*at].what = EventKind::FromServer {
                            octets: spoiled_octets,
                        };
                    }
                    Data(_) | More(_) => {
                        let own = spoiled.events[exchange.sent..*at].iter_mut();
                        let mut own =
                            own.filter(|event| event.connection == conversation.connection);
                        let sent = own.find_map(|event| match &mut event.what {
                            EventKind::DataFromServer { octets } => Some(octets),
                            _ => None,
                        });
                        let Some(octets) = sent else { continue };
                        match self.spoil {
                            Data(change) => {
                                let text = octets.joined();
                                *octets = change(&String::from_utf8_lossy(&text)).into();
                            }
                            More(count) => octets.extend(data::Data::of_pattern(0..count)),
                            _ => {}
                        }
                    }
                    NoTelnet => {
                        let spoiled_octets = reply.lines.join(&b"\r\n"[..]);
                        spoiled.events[*at].what =
                            EventKind::from_server([&spoiled_octets, &b"\r\n"[..]].concat());
                    }
                    LoneIac => {
                        let spoiled_octets =
                            [reply.octets.trim_ascii_end(), &b"\xff\r\n"[..]].concat();
                        spoiled.events[*at].what = EventKind::FromServer {
                            octets: spoiled_octets,
                        };
                    }
                    Twice => spoiled.events.insert(*at, spoiled.events[*at].clone()),
                    NoPreliminary => {
                        spoiled.events.remove(*at);
                    }
                    ControlCut => {
                        let is_own = |event: &Event| event.connection == conversation.connection;
                        // Only TLS has a close_notify to leave out.
                        let protected = spoiled.events[..*at].iter().any(|event| {
                            is_own(event)
                                && matches!(&event.what, EventKind::TlsEstablished(facts) if !facts.data)
                        });
                        if !protected {
                            continue;
                        }
                        let mut own = spoiled.events[*at..].iter_mut().filter(|it| is_own(it));
                        let end = own.find_map(|event| match &mut event.what {
                            EventKind::Closed(end) if end.by == Side::Server => Some(end),
                            _ => None,
                        });
                        let Some(end) = end else { continue };
                        end.how = CloseKind::NoCloseNotify;
                    }
                    DataCut | Certificate => {
                        let own = spoiled.events[exchange.sent..*at].iter_mut();
                        let own = own.filter(|event| event.connection == conversation.connection);
                        self.protection(own.map(|event| &mut event.what));
                    }
                }
                if spoiled != *transcript {
                    return Some(spoiled);
                }
            }
        }
        None
    }
}

impl Violation {
    /// Changes the TLS of a data connection, if it has any.
    fn protection<'a>(&self, events: impl Iterator<Item = &'a mut EventKind>) {
        let mut protected = false;
        for what in events {
            match (what, self.spoil) {
                (EventKind::TlsEstablished(facts), Certificate) if facts.data => {
                    facts.certificate = Some("another".into());
                }
                (EventKind::TlsEstablished(facts), _) => protected |= facts.data,
                (EventKind::DataClosed(end), DataCut) if protected => {
                    end.how = CloseKind::NoCloseNotify
                }
                _ => {}
            }
        }
    }
}

/// More lines than any valid reply has.
fn endless(text: &str) -> String {
    let line = "214-x\r\n";
    line.repeat(20_000) + text
}

fn with_size(text: &str, size: &str) -> String {
    with_fact(text, "size=", size)
}

/// The text with another value for the first fact of this name; unchanged if there is none.
fn with_fact(text: &str, name: &str, value: &str) -> String {
    let found = text.find(name).map(|at| at + name.len());
    let end = found.and_then(|from| text[from..].find(';').map(|length| from + length));
    match (found, end) {
        (Some(from), Some(end)) => format!("{}{value}{}", &text[..from], &text[end..]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::JUDGES;

    #[test]
    fn every_judge_has_violations_and_every_violation_a_judge() {
        for judge in JUDGES {
            let own = VIOLATIONS
                .iter()
                .filter(|violation| violation.judge == judge.name);
            assert!(own.count() >= 2, "{} has too few violations", judge.name);
        }
        for violation in VIOLATIONS {
            let known = JUDGES.iter().any(|judge| judge.name == violation.judge);
            assert!(known, "there is no judge {}", violation.judge);
        }
    }

    #[test]
    fn a_fact_gets_another_value() {
        assert_eq!(
            with_fact("type=file;size=3; a", "size=", "3k"),
            "type=file;size=3k; a"
        );
        assert_eq!(with_fact("type=file; a", "size=", "3k"), "type=file; a");
    }
}
