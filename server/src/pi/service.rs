//! FEAT, HELP, SITE and STAT: information about the server (RFC 959 §4.1.3, RFC 2389).

use super::login::Login;
use super::security::Security;
use super::{
    DataPort, Decision, HashAlgorithm, Representation, Session, Step, Structure, shown_host,
};
use crate::wire::{
    Completion, Fact, Facts, Feature, Format, Language, ModeCode, OperatorFacts, Reply, VERBS,
    Verb, VerbRow, done,
};

/// Verbs on a line of HELP.
const VERBS_PER_LINE: usize = 8;

impl Session {
    /// FEAT: the feature lines of all available verbs, and the two features that are not verbs.
    pub(super) fn features(&self) -> Completion {
        let mut lines: Vec<String> = self
            .offered()
            .filter(|row| row.verb != Verb::Ccc || self.setup.allow_ccc)
            .filter_map(|row| self.feature(row.feature))
            .collect();
        // RFC 3659 §6.3, RFC 2640 §3.2.
        lines.extend([" TVFS".into(), " UTF8".into()]);
        Completion(Reply::block(211, "Extensions supported:", lines, "End"))
    }

    /// HELP: all available verbs, or one of them; HELP SITE is SITE HELP.
    pub(super) fn help(&self, topic: Option<&[u8]>) -> Decision {
        let Some(topic) = topic else {
            return Ok(Step::Reply(self.verbs()));
        };
        let (topic, service) = match memchr::memchr(b' ', topic) {
            Some(space) => (&topic[..space], Some(topic[space..].trim_ascii())),
            None => (topic, None),
        };
        let row = Verb::named(topic)
            .filter(|verb| self.offers(*verb))
            .ok_or_else(|| done(501, "Unknown command."))?
            .row();
        if row.verb == Verb::Site {
            return self.site_help(service);
        }
        if service.is_some() {
            return Err(done(501, "Unknown command."));
        }
        let syntax = if row.syntax.is_empty() {
            format!("Syntax: {}", row.name)
        } else if row.arity == crate::wire::Arity::Optional {
            format!("Syntax: {}{}", row.name, row.syntax)
        } else {
            format!("Syntax: {} {}", row.name, row.syntax)
        };
        Ok(Step::Reply(Completion(Reply::block(
            214,
            syntax,
            [format!(" {}", row.help)],
            "End",
        ))))
    }

    /// STAT without argument, also during a transfer.
    pub(super) fn status(&self) -> Completion {
        let user = match &self.login {
            Login::In(user) => format!(" Logged in as {}", user.user.name.escape_debug()),
            Login::Out => " Not logged in".into(),
        };
        let parameters = &self.parameters;
        let carriage_control = parameters.format == Format::CarriageControl;
        let representation = match parameters.representation {
            Representation::Ascii if carriage_control => "ASCII Carriage Control",
            Representation::Ascii => "ASCII Non-print",
            Representation::Ebcdic if carriage_control => "EBCDIC Carriage Control",
            Representation::Ebcdic => "EBCDIC Non-print",
            Representation::Image => "Image",
        };
        let structure = match parameters.structure {
            Structure::File => "File",
            Structure::Record => "Record",
        };
        let mode = match parameters.mode {
            ModeCode::Stream => "Stream",
            ModeCode::Block => "Block",
            ModeCode::Compressed => "Compressed",
            ModeCode::Deflate => "Deflate",
        };
        let protection = match self.security {
            Security::Clear | Security::Starting { .. } => {
                " Control connection: clear; data connections: clear"
            }
            Security::Tls | Security::Sized { private: false } => {
                " Control connection: TLS; data connections: clear"
            }
            Security::Sized { private: true } => {
                " Control connection: TLS; data connections: private"
            }
            Security::Cleared { private: false } => {
                " Control connection: cleared; data connections: clear"
            }
            Security::Cleared { private: true } => {
                " Control connection: cleared; data connections: private"
            }
        };
        let data = match (self.running, self.parameters.port) {
            (Some(running), _) => format!(
                " Transfer in progress: {}, {} octets transferred",
                running.verb.row().name,
                running.moved
            ),
            (None, DataPort::None) => " No data port".into(),
            (None, DataPort::Passive) => " Listening for a data connection".into(),
            (None, DataPort::Active(address)) => format!(" Data port: {address}"),
        };
        Completion(Reply::block(
            211,
            format!("Status of {}", self.setup.host),
            [
                format!(" Connected from {}", shown_host(self.in_zone(self.peer, 0))),
                user,
                format!(" TYPE: {representation}; STRU: {structure}; MODE: {mode}"),
                protection.into(),
                data,
            ],
            "End of status",
        ))
    }

    fn verbs(&self) -> Completion {
        let names: Vec<&str> = self.offered().map(|row| row.name).collect();
        let lines = names.chunks(VERBS_PER_LINE).map(|names| {
            names
                .iter()
                .map(|name| format!(" {name:<7}"))
                .collect::<String>()
        });
        Completion(Reply::block(
            214,
            "The following commands are recognized:",
            lines,
            "End",
        ))
    }

    fn offered(&self) -> impl Iterator<Item = &'static VerbRow> {
        VERBS.iter().filter(|row| self.offers(row.verb))
    }

    /// A line of FEAT, with its leading space (RFC 2389 §3.2).
    fn feature(&self, feature: Feature) -> Option<String> {
        match feature {
            Feature::Unlisted => None,
            Feature::Line(line) => Some(format!(" {line}")),
            Feature::Facts => {
                let mut line = String::from(" MLST ");
                let all = Fact::ALL.into_iter().fold(Facts::NONE, Facts::with);
                for fact in
                    OperatorFacts::restrict(self.setup.operator_facts.as_deref(), all).iter()
                {
                    line.push_str(fact.name());
                    line.push_str(if self.parameters.facts.contains(fact) {
                        "*;"
                    } else {
                        ";"
                    });
                }
                Some(line)
            }
            Feature::Languages => {
                let languages = Language::ALL.map(|language| {
                    let spoken = language == self.parameters.language;
                    [language.tag(), if spoken { "*" } else { "" }].concat()
                });
                Some(format!(" LANG {}", languages.join(";")))
            }
            Feature::Hashes => {
                let mut line = String::from(" HASH ");
                for algorithm in HashAlgorithm::ALL {
                    line.push_str(algorithm.name());
                    let selected = algorithm == self.parameters.algorithm;
                    line.push_str(if selected { "*;" } else { ";" });
                }
                Some(line)
            }
        }
    }
}
