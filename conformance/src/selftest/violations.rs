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
    verb: &'static str,
    /// The code of the changed reply, or of the completion of the transfer.
    code: u16,
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
    what: &'static str,
    verb: &'static str,
    code: u16,
    spoil: Change,
) -> Violation {
    Violation {
        judge,
        what,
        verb,
        code,
        spoil,
    }
}

/// At least one for each rule of each judge.
pub(crate) const VIOLATIONS: &[Violation] = &[
    violation(
        "reply-syntax",
        "ends a reply with a bare LF",
        "NOOP",
        200,
        Reply(|r| r.replace("\r\n", "\n")),
    ),
    violation(
        "reply-syntax",
        "leaves a bare CR within a reply",
        "NOOP",
        200,
        Reply(|r| r.replacen(' ', " \rx", 1)),
    ),
    violation(
        "reply-syntax",
        "leaves a NUL within a reply",
        "NOOP",
        200,
        Reply(|r| r.replacen(' ', " \0", 1)),
    ),
    violation(
        "reply-syntax",
        "does not double an IAC in a reply",
        "NOOP",
        200,
        LoneIac,
    ),
    violation(
        "reply-syntax",
        "sends nothing after the code, not even a space",
        "NOOP",
        200,
        Reply(|_| "200\r\n".into()),
    ),
    violation(
        "reply-syntax",
        "replies without a code",
        "NOOP",
        200,
        Reply(|_| "Still here.\r\n".into()),
    ),
    violation(
        "reply-syntax",
        "replies with a code that begins with 9",
        "NOOP",
        200,
        Reply(|r| r.replacen("200", "900", 1)),
    ),
    violation(
        "reply-syntax",
        "uses an unassigned second digit",
        "NOOP",
        200,
        Reply(|r| r.replacen("200", "290", 1)),
    ),
    violation(
        "reply-syntax",
        "never ends a reply of several lines",
        "FEAT",
        211,
        Reply(|r| r.replace("211 ", " 211 ")),
    ),
    violation(
        "reply-syntax",
        "repeats the code within a reply",
        "FEAT",
        211,
        Reply(|r| r.replace("\r\n ", "\r\n211-")),
    ),
    violation(
        "reply-code",
        "answers with another class",
        "NOOP",
        200,
        Reply(|r| r.replacen("200", "350", 1)),
    ),
    violation(
        "reply-code",
        "answers with a code of another command",
        "NOOP",
        200,
        Reply(|r| r.replacen("200", "250", 1)),
    ),
    violation("one-completion", "answers twice", "NOOP", 200, Twice),
    violation(
        "one-completion",
        "announces a transfer twice",
        "RETR",
        150,
        Twice,
    ),
    violation(
        "one-completion",
        "completes a transfer it never announced",
        "RETR",
        150,
        NoPreliminary,
    ),
    violation(
        "address",
        "gives a port above 65535",
        "EPSV",
        229,
        Reply(|_| "229 Extended (|||70000|)\r\n".into()),
    ),
    violation(
        "address",
        "sends five numbers",
        "PASV",
        227,
        Reply(|_| "227 Passive 127,0,0,1,4.\r\n".into()),
    ),
    violation(
        "address",
        "sends the address of another host",
        "PASV",
        227,
        Reply(|_| "227 Passive 10,1,2,3,4,1.\r\n".into()),
    ),
    violation(
        "pathname-257",
        "puts words before the pathname",
        "PWD",
        257,
        Reply(|r| r.replacen("257 ", "257 It is ", 1)),
    ),
    violation(
        "pathname-257",
        "omits the quotes",
        "PWD",
        257,
        Reply(|r| r.replace('"', "")),
    ),
    violation(
        "pathname-257",
        "does not double a quote within",
        "PWD",
        257,
        Reply(|r| r.replacen("257 \"", "257 \"a\"b", 1)),
    ),
    violation(
        "feat",
        "lists features without the space",
        "FEAT",
        211,
        Reply(|r| r.replace("\r\n ", "\r\n")),
    ),
    violation(
        "feat",
        "ends the list with a line without End",
        "FEAT",
        211,
        Reply(|r| r.replace("211 End", "211 Thatsit")),
    ),
    violation(
        "feat",
        "sends a list without features",
        "FEAT",
        211,
        Reply(|_| "211-Features:\r\n211 End\r\n".into()),
    ),
    violation(
        "feat",
        "lists two features on one line",
        "FEAT",
        211,
        Reply(|r| r.replace(" SIZE\r\n", " SIZE MDTM\r\n")),
    ),
    violation(
        "feat",
        "lists OPTS",
        "FEAT",
        211,
        Reply(|r| r.replace("211 End", " OPTS\r\n211 End")),
    ),
    violation(
        "feat",
        "lists features in small letters",
        "FEAT",
        211,
        Reply(|r| r.to_lowercase()),
    ),
    violation(
        "feat",
        "lists commands of RFC 959",
        "FEAT",
        211,
        Reply(|r| r.replace("211 End", " PASV\r\n211 End")),
    ),
    violation(
        "mlsx",
        "omits the space before the entry",
        "MLST",
        250,
        Reply(|r| r.replace("\r\n ", "\r\n")),
    ),
    violation(
        "mlsx",
        "gives a size with a unit",
        "MLST",
        250,
        Reply(|r| with_size(r, "3k")),
    ),
    violation(
        "mlsx",
        "ends an entry with a bare LF",
        "MLSD",
        226,
        Data(|d| d.replace("\r\n", "\n")),
    ),
    violation(
        "mlsx",
        "gives a time in another form",
        "MLSD",
        226,
        Data(|d| with_fact(d, "modify=", "yesterday")),
    ),
    violation(
        "mlsx",
        "omits the space before the pathname",
        "MLSD",
        226,
        Data(|d| d.replace("; ", ";")),
    ),
    violation(
        "mdtm-size-213",
        "gives a size with a unit",
        "SIZE",
        213,
        Reply(|r| r.replace("\r\n", " octets\r\n")),
    ),
    violation(
        "mdtm-size-213",
        "gives a time with a zone",
        "MDTM",
        213,
        Reply(|r| r.replace("\r\n", " UTC\r\n")),
    ),
    violation("telnet", "does not answer WILL", "TYPE", 200, NoTelnet),
    violation("telnet", "does not answer DO", "MKD", 257, NoTelnet),
    violation(
        "tls",
        "ends a protected download without close_notify",
        "RETR",
        226,
        DataCut,
    ),
    violation(
        "tls",
        "ends a protected listing without close_notify",
        "LIST",
        226,
        DataCut,
    ),
    violation(
        "tls",
        "uses another certificate on the data connection",
        "RETR",
        226,
        Certificate,
    ),
    violation(
        "feat",
        "lists digests without their label",
        "FEAT",
        211,
        Reply(|r| r.replace("211 End", " CRC32;SHA-1*;\r\n211 End")),
    ),
    violation(
        "feat",
        "lists a feature twice",
        "FEAT",
        211,
        Reply(|r| r.replace("211 End", " SIZE\r\n SIZE\r\n211 End")),
    ),
    violation(
        "closing",
        "closes the control connection after an error",
        "QUIT",
        221,
        Reply(|_| "500 What?\r\n".into()),
    ),
    violation(
        "closing",
        "ends a protected control connection without close_notify",
        "QUIT",
        221,
        ControlCut,
    ),
    violation(
        "limits",
        "sends a listing without end",
        "LIST",
        226,
        More(18 << 20),
    ),
    violation(
        "limits",
        "sends a file without end",
        "RETR",
        226,
        More(18 << 20),
    ),
    violation(
        "limits",
        "sends a reply without end",
        "HELP",
        214,
        Reply(endless),
    ),
];

impl Violation {
    /// The transcript with this violation; `None` if it has no place for it.
    pub(crate) fn apply(&self, transcript: &Transcript) -> Option<Transcript> {
        for conversation in Conversation::all(transcript) {
            let fits = |exchange: &&Exchange| exchange.is_whole() && exchange.name() == self.verb;
            for exchange in conversation.exchanges.iter().filter(fits) {
                let found = exchange
                    .replies
                    .iter()
                    .find(|(_, reply)| reply.code == self.code);
                let Some((at, reply)) = found else { continue };
                let alone = EventKind::from_server(reply.octets.clone());
                if transcript.events[*at].what != alone {
                    continue;
                }
                let mut spoiled = transcript.clone();
                match self.spoil {
                    Reply(change) => {
                        let told = change(&String::from_utf8_lossy(&reply.octets)).into_bytes();
                        spoiled.events[*at].what = EventKind::FromServer { octets: told };
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
                        let told = reply.lines.join(&b"\r\n"[..]);
                        spoiled.events[*at].what =
                            EventKind::from_server([&told, &b"\r\n"[..]].concat());
                    }
                    LoneIac => {
                        let told = [reply.octets.trim_ascii_end(), &b"\xff\r\n"[..]].concat();
                        spoiled.events[*at].what = EventKind::FromServer { octets: told };
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
