//! The reader of FEAT and its judge: what is read from a listing is in it.

use super::wire::{received, sent, transcript};
use ftpspec::internals::catalogue::Registry;
use ftpspec::internals::judge::{Context, JUDGES};
use ftpspec::transcript::Conversation;
use ftpspec::transcript::Features;

/// Features that scenarios ask for.
const LABELS: [&str; 6] = ["MLST", "REST STREAM", "AUTH TLS", "MODE Z", "UTF8", "SIZE"];

/// The octets are the lines between the first and the last of the reply to FEAT.
pub fn feat(lines: &[u8]) {
    let reply = [b"211-Features:\r\n", lines, b"\r\n211 End\r\n"].concat();
    let events = [received(b"220 Hello.\r\n"), sent(b"FEAT"), received(&reply)];
    let transcript = transcript(events);
    let conversations = Conversation::all(&transcript);
    let features = Features::of(&conversations);

    let exchanges = conversations.iter().flat_map(|it| &it.exchanges);
    let listed: Vec<String> = exchanges
        .filter(|it| it.command.is_some() && !it.irregular)
        .filter_map(|it| it.completion())
        .flat_map(|(_, reply)| reply.between())
        .map(|line| String::from_utf8_lossy(line).trim().to_owned())
        .collect();
    for label in LABELS {
        let Some(line) = features.advertised(label) else {
            continue;
        };
        assert!(
            listed.iter().any(|it| it == line),
            "{label}: {line:?} is not in the reply"
        );
        let first = label.split(' ').next().unwrap_or(label);
        let begins = line.get(..first.len());
        assert!(
            begins.is_some_and(|it| it.eq_ignore_ascii_case(first)),
            "{label}: {line:?}"
        );
    }
    if features.asked() {
        let again = Features::listed(Some(&listed));
        for label in LABELS {
            assert_eq!(
                features.advertised(label).is_some(),
                again.advertised(label).is_some()
            );
        }
    }

    let judge = JUDGES.iter().find(|judge| judge.name == "feat");
    let findings = judge.expect("there is this judge").findings(&Context {
        transcript: &transcript,
        conversations: &conversations,
        registry: Registry::built_in(),
    });
    for (at, finding) in findings.iter().enumerate() {
        let same =
            |other: &ftpspec::internals::verdict::Finding| other.requirement == finding.requirement;
        assert!(
            !findings[..at].iter().any(same),
            "reported twice: {}",
            finding.requirement
        );
        assert!(finding.event < transcript.events.len());
    }
}
