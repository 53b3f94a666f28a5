//! `tls`: a protected data connection ends in a way that nobody on the path can imitate, and is the
//! same server's.

use super::{Context, Judge, Location, Rule, Whole};
use crate::scenario::{Connection, Level};
use crate::transcript::{CloseKind, EventKind, Side};
use crate::verdict::Finding;
use std::collections::BTreeMap;

pub(super) const JUDGE: Judge = Judge {
    name: "tls",
    statement: "Protected data connections end with close_notify and show the certificate of the control connection",
    impact: "An attacker on the network can truncate a download unnoticed, or provide a data connection of their own.",
    clause: "RFC 4217 §12.7 and §15.1.1",
    covers: &["4217-12.7-tls-shutdown-before-226", "4217-15.1.1-same-cert"],
    judge,
};

/// RFC 4217 draws it (§12.6, §12.7) and says no word about it; that TLS itself has it as a MUST
/// (RFC 8446 §6.1) is not what FTP is judged by.
const SHUTDOWN: Rule = Rule {
    level: Level::Should,
    clause: "RFC 4217 §12.7",
    requirement: "The side that ends a protected data connection sends close_notify before FIN",
};

/// "Strongly recommended"; other ways to recognize the server are allowed.
const SAME_CERTIFICATE: Rule = Rule {
    level: Level::Should,
    clause: "RFC 4217 §15.1.1",
    requirement: "The certificate of a data connection is that of its control connection",
};

fn judge(context: &Context<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = context
        .whole()
        .filter_map(|whole| cut(context, &whole))
        .collect();
    findings.extend(certificates(context));
    findings
}

/// A transfer that is said to be complete, over a data connection whose end is not authenticated.
/// One that was broken off says so in its reply.
fn cut(context: &Context<'_>, whole: &Whole<'_>) -> Option<Finding> {
    const VERBS: &[&str] = &["RETR", "LIST", "NLST", "MLSD"];
    if !whole.is(VERBS, 226) && !whole.is(VERBS, 250) {
        return None;
    }
    let from = whole.exchange.sent + 1;
    let events = context.transcript.events.iter().enumerate().skip(from);
    let own = events.filter(|(_, event)| event.connection == *whole.place.connection);
    // The end may be read after the reply. Events after the next command may belong to another
    // transfer.
    let until_next =
        own.take_while(|(_, event)| !matches!(event.what, EventKind::FromClient { .. }));
    let mut ends = until_next.filter_map(|(index, event)| match &event.what {
        EventKind::DataClosed(end) => Some((index, end)),
        _ => None,
    });
    let (event, end) = ends.next()?;
    (end.by == Side::Server && end.how == CloseKind::NoCloseNotify).then(|| {
        let connection = whole.place.connection;
        let place = Location { connection, event };
        let observed = format!(
            "FIN alone, and {} to {}",
            whole.reply.code,
            whole.exchange.name()
        );
        context.broken(&SHUTDOWN, &place, "close_notify, then FIN", observed)
    })
}

fn certificates(context: &Context<'_>) -> Vec<Finding> {
    let mut of_control: BTreeMap<&Connection, &str> = BTreeMap::new();
    let mut findings = Vec::new();
    for (index, event) in context.transcript.events.iter().enumerate() {
        let connection = &event.connection;
        match &event.what {
            EventKind::Connected { .. } => {
                of_control.remove(connection);
            }
            EventKind::TlsEstablished(facts) => {
                let Some(shown) = facts.certificate.as_deref() else {
                    continue;
                };
                if !facts.data {
                    of_control.insert(connection, shown);
                } else if let Some(known) = of_control.get(connection)
                    && *known != shown
                {
                    let place = Location {
                        connection,
                        event: index,
                    };
                    let expected = format!("the certificate with SHA-256 {known}");
                    let observed = format!("one with SHA-256 {shown}");
                    findings.push(context.broken(&SAME_CERTIFICATE, &place, expected, observed));
                }
            }
            _ => {}
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testing::{findings, levels};
    use Level::Should;
    use rstest::rstest;

    #[rstest]
    #[case::clean(&["C: RETR a", "S: 150 x", "D< a", "D.", "S: 226 x"], &[])]
    #[case::cut(&["C: RETR a", "S: 150 x", "D< a", "D. cut", "S: 226 x"], &[Should])]
    #[case::read_after_the_reply(&["C: LIST", "S: 150 x", "S: 250 x", "D< a", "D. cut"], &[Should])]
    #[case::nothing_to_send(&["C: NLST", "S: 150 x", "D. cut", "S: 226 x"], &[Should])]
    #[case::said_to_be_broken_off(&["C: RETR a", "S: 150 x", "D. cut", "S: 426 x"], &[])]
    #[case::refused(&["C: RETR a", "D. cut", "S: 550 x"], &[])]
    #[case::upload(&["C: STOR a", "S: 150 x", "D> a", "D. cut", "S: 226 x"], &[])]
    #[case::no_reply(&["C: RETR a", "S: 150 x", "D. cut", "silence"], &[])]
    #[case::of_the_next_transfer(
        &["C: RETR a", "S: 150 x", "D.", "S: 226 x", "C: STOR a", "S: 150 x", "D. cut", "S: 226 x"],
        &[]
    )]
    #[case::each_of_them(
        &["C: RETR a", "D. cut", "S: 226 x", "C: RETR a", "D. cut", "S: 226 x"],
        &[Should, Should]
    )]
    fn a_complete_download_ends_with_close_notify(
        #[case] dialogue: &[&str],
        #[case] expected: &[Level],
    ) {
        let dialogue = [&["S: 220 x"], dialogue].concat();
        assert_eq!(levels(&JUDGE, &dialogue), expected);
    }

    #[rstest]
    #[case::the_same(&["tls aa", "data tls aa", "data tls aa"], &[])]
    #[case::another(&["tls aa", "data tls aa", "data tls bb"], &[Should])]
    #[case::control_in_clear(&["data tls aa"], &[])]
    #[case::anew_with_another(&["tls aa", "tls bb", "data tls bb"], &[])]
    #[case::of_the_former_exchange(&["tls aa", "tls bb", "data tls aa"], &[Should])]
    #[case::unknown(&["tls ", "data tls aa"], &[])]
    #[case::unknown_on_data(&["tls aa", "data tls "], &[])]
    fn a_data_connection_has_the_certificate_of_its_control_connection(
        #[case] dialogue: &[&str],
        #[case] expected: &[Level],
    ) {
        let dialogue = [&["S: 220 x"], dialogue].concat();
        assert_eq!(levels(&JUDGE, &dialogue), expected);
    }

    #[test]
    fn it_points_at_the_end_of_the_data_connection() {
        let found = findings(
            &JUDGE,
            &[
                "S: 220 x",
                "5:C: RETR a",
                "6:S: 150 x",
                "7:D. cut",
                "8:S: 226 x",
            ],
        );
        assert_eq!((found[0].line, found[0].event), (7, 4));
    }
}
