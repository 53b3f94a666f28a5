//! Rules for every client in every scenario, one row each.

mod outcome;
mod protection;
mod sequence;
mod syntax;
#[cfg(test)]
mod tests;

use super::Context;
use crate::scenario::{Connection, Level};
use crate::transcript::{Conversation, Exchange};
use crate::verdict::Finding;

/// A rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    /// Its name in reports.
    pub name: &'static str,
    /// What it says, in one sentence.
    pub statement: &'static str,
    /// The consequence for users of the client when it is broken.
    pub impact: &'static str,
    /// The clause.
    pub clause: &'static str,
    /// How binding it is.
    pub level: Level,
    /// The requirements that cannot be broken in any transcript without a breach; ids of the
    /// catalogue.
    pub covers: &'static [&'static str],
    /// What breaks it.
    pub breaches: fn(&Context<'_>) -> Vec<Breach>,
}

/// A place where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Breach {
    /// The control connection.
    pub connection: Connection,
    /// The event that shows it.
    pub event: usize,
    /// What was observed.
    pub observed: String,
}

impl Rule {
    /// What breaks it, as findings.
    #[must_use]
    pub(crate) fn findings(&self, context: &Context<'_>) -> Vec<Finding> {
        let events = &context.transcript.events;
        let finding = |breach: Breach| Finding {
            judge: self.name.into(),
            level: self.level,
            requirement: self.statement.into(),
            clause: self.clause.into(),
            about: Vec::new(),
            expected: self.statement.into(),
            observed: breach.observed,
            line: events.get(breach.event).map_or(0, |event| event.line),
            connection: breach.connection,
            event: breach.event,
            shows_impact: true,
        };
        (self.breaches)(context).into_iter().map(finding).collect()
    }
}

/// Every rule, in the order of reports.
pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "truthful-exit",
        statement: "A transfer that visibly failed is not reported as a success",
        impact: "Scripts go on with a part of a file, or with none.",
        clause: "RFC 959 §4.2",
        level: Level::Must,
        covers: &["client-reports-failure"],
        breaches: outcome::truthful_exit,
    },
    Rule {
        name: "password-protected",
        statement: "No password is sent in clear where TLS was asked for",
        impact: "Whoever observes the network reads the password.",
        clause: "RFC 4217 §15.2.3",
        level: Level::Must,
        covers: &["client-password-protected"],
        breaches: protection::password,
    },
    Rule {
        name: "data-protected",
        statement: "No data is transferred in clear where TLS was asked for",
        impact: "Whoever observes the network reads or changes the files.",
        clause: "RFC 4217 §10.4",
        level: Level::Must,
        covers: &["client-data-protected"],
        breaches: protection::data,
    },
    Rule {
        name: "pbsz-before-prot",
        statement: "PBSZ is sent before PROT",
        impact: "Servers refuse PROT, and the transfer fails or is not protected.",
        clause: "RFC 4217 §8; RFC 2228 §3",
        level: Level::Must,
        covers: &["c2228-3-pbsz-before-prot", "c4217-9-pbsz-0"],
        breaches: protection::pbsz,
    },
    Rule {
        name: "session-reuse",
        statement: "Data connections resume the TLS session where the server requires it",
        impact: "Servers that require it refuse every transfer.",
        clause: "RFC 4217 §10.2",
        level: Level::Should,
        covers: &[],
        breaches: protection::session_reuse,
    },
    Rule {
        name: "own-server-only",
        statement: "Data connections are opened to the server, whatever address 227 names",
        impact: "A server can make the client connect to any host in its network.",
        clause: "RFC 2577 §3",
        level: Level::Practice,
        covers: &[],
        breaches: protection::foreign_address,
    },
    Rule {
        name: "own-address-only",
        statement: "PORT and EPRT name the address of the client itself",
        impact: "Servers refuse it, or connect to another host.",
        clause: "RFC 2577 §3",
        level: Level::Practice,
        covers: &[],
        breaches: protection::own_address,
    },
    Rule {
        name: "one-command-at-a-time",
        statement: "No command is sent before the reply to the one before",
        impact: "Servers that read one command at a time lose the second.",
        clause: "RFC 959 §5.4",
        level: Level::Should,
        covers: &["c959-5.4-wait-primary-reply"],
        breaches: sequence::one_at_a_time,
    },
    Rule {
        name: "waits-for-completion",
        statement: "During a transfer only ABOR, STAT and QUIT are sent",
        impact: "The command is answered late or refused, and the client is out of step.",
        clause: "RFC 959 §4.2",
        level: Level::Must,
        covers: &["c959-4.2-wait-secondary"],
        breaches: sequence::completion,
    },
    Rule {
        name: "rest-before-transfer",
        statement: "REST is directly before the transfer command",
        impact: "The transfer may start at the beginning, and a resumed file is corrupt.",
        clause: "RFC 3659 §5.3; RFC 959 §4.1.3",
        level: Level::Must,
        covers: &["c959-4.1.3-rest-then-transfer"],
        breaches: sequence::rest,
    },
    Rule {
        name: "rnto-after-rnfr",
        statement: "RNTO directly follows RNFR, and only if that was accepted",
        impact: "Servers refuse it, or rename another file.",
        clause: "RFC 959 §4.1.3",
        level: Level::Must,
        covers: &["c959-4.1.3-rnto-after-rnfr"],
        breaches: sequence::rename,
    },
    Rule {
        name: "port-for-each-transfer",
        statement: "Each transfer has a PASV, EPSV, PORT or EPRT of its own",
        impact: "The old port may still be in use, and the transfer fails.",
        clause: "RFC 1123 §4.1.2.5",
        level: Level::Should,
        covers: &["c1123-4.1.2.5-port-each-transfer"],
        breaches: sequence::data_port,
    },
    Rule {
        name: "epsv-all",
        statement: "After EPSV ALL only EPSV prepares data connections",
        impact: "Servers have to refuse every other command, and the transfer fails.",
        clause: "RFC 2428 §4",
        level: Level::Should,
        covers: &[],
        breaches: sequence::epsv_all,
    },
    Rule {
        name: "extended-over-ipv6",
        statement: "PASV and PORT are not used over IPv6",
        impact: "Their addresses have four octets, so no transfer works over IPv6.",
        clause: "RFC 2428 §1",
        level: Level::Must,
        covers: &[],
        breaches: sequence::ipv6,
    },
    Rule {
        name: "no-repeated-login",
        statement: "A password that was refused with 5yz is not sent again",
        impact: "Servers lock the account or the address.",
        clause: "RFC 959 §4.2.1",
        level: Level::Should,
        covers: &["client-no-repeated-login"],
        breaches: sequence::repeated_login,
    },
    Rule {
        name: "ends-in-order",
        statement: "A session that is logged in ends with QUIT, or with an orderly close",
        impact: "Servers log failures, and a reset can discard the end of an upload.",
        clause: "RFC 959 §4.1.1",
        level: Level::Practice,
        covers: &[],
        breaches: sequence::end,
    },
    Rule {
        name: "command-lines",
        statement: "Command lines end with CRLF and contain no CR, LF or NUL",
        impact: "What is after them may be taken for another command.",
        clause: "RFC 959 §5.3",
        level: Level::Must,
        covers: &["client-no-injection", "c2640-3.1-cr-nul"],
        breaches: syntax::lines,
    },
    Rule {
        name: "one-space",
        statement: "One space is between the verb and a pathname",
        impact: "The second space is a part of the name, so another file is meant.",
        clause: "RFC 2640 §3.1",
        level: Level::Must,
        covers: &["c2640-3.1-single-space"],
        breaches: syntax::one_space,
    },
    Rule {
        name: "host-first",
        statement: "HOST is sent before the login",
        impact: "The login is checked against the accounts of another host.",
        clause: "RFC 7151 §3.2.2",
        level: Level::Must,
        covers: &["c7151-3.2.2-host-first"],
        breaches: sequence::host,
    },
    Rule {
        name: "host-without-port",
        statement: "HOST names no port",
        impact: "Servers do not find the host and refuse the session.",
        clause: "RFC 7151 §3.1",
        level: Level::Must,
        covers: &["c7151-3.1-no-port"],
        breaches: syntax::host_port,
    },
    Rule {
        name: "no-telnet-options",
        statement: "The client negotiates no Telnet options",
        impact: "Servers answer or refuse it, and the client is out of step.",
        clause: "RFC 1123 §4.1.2.12",
        level: Level::Must,
        covers: &["c1123-4.1.2.12-no-telnet-options"],
        breaches: syntax::telnet,
    },
];

/// A breach at an event of a conversation.
fn breach(conversation: &Conversation, event: usize, observed: impl Into<String>) -> Breach {
    Breach {
        connection: conversation.connection.clone(),
        event,
        observed: observed.into(),
    }
}

/// Every two commands that follow one another, with their conversation.
fn pairs<'a>(
    context: &Context<'a>,
) -> impl Iterator<Item = (&'a Conversation, &'a Exchange, &'a Exchange)> {
    context.conversations.iter().flat_map(|conversation| {
        let pairs = conversation.exchanges.windows(2);
        pairs.map(move |pair| (conversation, &pair[0], &pair[1]))
    })
}

/// The argument of a command as text.
fn argument(exchange: &Exchange) -> String {
    let command = exchange.command.as_ref();
    let argument = command.and_then(|it| it.argument.as_deref());
    String::from_utf8_lossy(argument.unwrap_or_default()).into_owned()
}

/// The code of the completion; 0 without one.
fn code(exchange: &Exchange) -> u16 {
    exchange.completion().map_or(0, |(_, reply)| reply.code)
}
