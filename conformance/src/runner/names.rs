//! Names of the files and directories that scenarios create, for clean-up.

use super::listing::is_plain_name;
use crate::driver::SetupError;
use crate::scenario::{Action, BeforeTurns, Connection, PlayedStep, Scenario, UserStep, Variables};
use crate::transcript::{Event, EventKind};

/// The pathnames under which something was created, as they were sent, the most recent first; only
/// those that stay inside the working directory.
pub(super) fn given(events: &[Event]) -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    for event in events.iter().rev() {
        for name in names_in_commands(event) {
            let is_inside = name.split(|octet| *octet == b'/').all(is_plain_name);
            if is_inside && !names.iter().any(|it| it == name) {
                names.push(name.to_vec());
            }
        }
    }
    names
}

/// The names under which these command lines create something.
fn names_in_commands(event: &Event) -> impl Iterator<Item = &[u8]> {
    let octets = match &event.what {
        EventKind::FromClient { octets } => octets.as_slice(),
        _ => &[],
    };
    octets.split(|octet| *octet == b'\n').filter_map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (verb, name) = line.split_at(line.iter().position(|octet| *octet == b' ')?);
        let makes = [b"STOR".as_slice(), b"APPE", b"MKD", b"XMKD", b"RNTO"];
        let makes = makes.iter().any(|it| verb.eq_ignore_ascii_case(it));
        makes.then_some(&name[1..])
    })
}

/// The names under which user steps create something: other drivers record no commands.
pub(super) fn made_by_users(scenario: &Scenario) -> Vec<Vec<u8>> {
    let mut before = BeforeTurns::default();
    let mut variables = Variables::default();
    let mut names: Vec<Vec<u8>> = Vec::new();
    for PlayedStep { step, turn } in scenario.in_order() {
        let name = match &step.action {
            Action::Repeat(_) => {
                before.begin(turn, &mut variables);
                continue;
            }
            Action::User {
                step:
                    UserStep::Put(name, _)
                    | UserStep::Append(name, _)
                    | UserStep::Rename(_, name)
                    | UserStep::Mkdir(name),
                ..
            } => variables.expand(name).unwrap_or_else(|_| name.clone()),
            _ => continue,
        };
        names.push(name.into_bytes());
    }
    names.retain(|name| is_plain_name(name));
    names.reverse();
    names
}

/// What was created outside the scenario's directory because a server accepted a command before
/// login. Such names begin with `ftpspec-`, so that no other files are ever touched.
pub(super) fn strays(events: &[Event]) -> Vec<Vec<u8>> {
    let runner = Connection::runner();
    let made = events.iter().enumerate().filter_map(|(at, event)| {
        let name = names_in_commands(event).find(|name| is_plain_name(name) && !name.contains(&b'\r'))?;
        let mut later = events.iter().skip(at + 1);
        let reply = later.find(|it| it.connection == event.connection)?;
        let done = matches!(&reply.what, EventKind::FromServer { octets } if matches!(octets.first(), Some(b'1' | b'2')));
        (done && name.starts_with(b"ftpspec-") && event.connection != runner).then(|| name.to_vec())
    });
    let mut names: Vec<_> = made.collect();
    names.dedup();
    names
}

/// Refuses a name of `@given` that could lead out of the directory: an error in the scenario.
pub(super) fn stays_inside(name: &str) -> Result<(), SetupError> {
    let is_wild = |part: &str| part.is_empty() || part == "..";
    if name.split('/').any(is_wild) || name.contains(['\r', '\n', '\0']) {
        return Err(SetupError::Internal(format!(
            "@given {name}: not inside the scenario's directory"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(line: &str) -> Event {
        let octets = line.as_bytes().to_vec();
        Event::at_line(1, EventKind::FromClient { octets })
    }

    #[test]
    fn created_names_are_collected_from_commands() {
        let lines = [
            "MKD sub\r\n",
            "STOR grüße.txt\r\n",
            "STOR grüße.txt\r\n",
            "RETR other.txt\r\n",
            "STOR /etc/x\r\n",
            "MKD a\rb\r\n",
            "RNTO  two words\r\n",
            "STOR ../x\r\n",
            "CWD sub\r\nmkd sub/deep\r\n",
        ];
        let events = lines.map(sent);
        let names = given(&events);
        let names: Vec<_> = names.iter().map(|it| String::from_utf8_lossy(it)).collect();
        assert_eq!(
            names,
            ["sub/deep", " two words", "a\rb", "grüße.txt", "sub"]
        );
    }

    #[test]
    fn a_stray_has_our_prefix_and_a_positive_reply() {
        let received = |line: &str| Event {
            what: EventKind::from_server(line.as_bytes()),
            ..sent("")
        };
        let events = [
            sent("MKD ftpspec-a\r\n"),
            received("257 made\r\n"),
            sent("MKD ftpspec-b\r\n"),
            received("530 no\r\n"),
            sent("MKD theirs\r\n"),
            received("257 made\r\n"),
            sent("MKD ftpspec-c\r\n"),
        ];
        assert_eq!(strays(&events), [b"ftpspec-a".to_vec()]);
    }

    #[test]
    fn a_given_name_stays_inside_the_directory() {
        for name in ["../x", "a/../../x", "/etc/x", "a\r\nDELE b", ""] {
            assert!(stays_inside(name).is_err(), "{name:?}");
        }
        assert!(stays_inside("a/b c").is_ok());
    }
}
