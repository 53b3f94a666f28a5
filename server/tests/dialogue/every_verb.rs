//! Every verb, before and after the login, with every kind of argument: exactly one completion of
//! a class that fits.

use super::world::World;
use super::{LOGIN, dialogue, link, logged_in, setup};
use ftpspec_server::internals::wire::{Arity, ControlEvent, LoginRule, VERBS, Verb};

fn arguments() -> Vec<Option<Vec<u8>>> {
    vec![
        None,
        Some(Vec::new()),
        Some(b"a".to_vec()),
        Some(b"1".to_vec()),
        Some(b"\xff\x01%n\"'`;|".to_vec()),
        Some(b"..".to_vec()),
        Some(b"  ".to_vec()),
        Some(vec![b'x'; 10_000]),
        Some(b"/".repeat(4096)),
        Some(b"[".repeat(250)),
    ]
}

fn line(verb: &str, argument: Option<&[u8]>) -> Vec<u8> {
    let mut line = verb.as_bytes().to_vec();
    if let Some(argument) = argument {
        line.push(b' ');
        line.extend_from_slice(argument);
    }
    line
}

/// Returns the code of the only completion reply.
fn ask(world: &mut World, verb: &str, argument: Option<&[u8]>) -> u16 {
    let line = line(verb, argument);
    let mut said = world.receive(ControlEvent::Line(line.clone()));
    said.extend(world.finish());
    let codes: Vec<u16> = said.iter().map(|reply| reply.code.0).collect();
    let context = line[..line.len().min(60)].escape_ascii().to_string();
    let completions = codes.iter().filter(|code| **code >= 200).count();
    assert_eq!(completions, 1, "{context}: {codes:?}");
    assert!(codes.len() <= 2, "{context}: {codes:?}");
    let last = codes[codes.len() - 1];
    assert!((200..560).contains(&last), "{context}: {codes:?}");
    assert!(codes.len() == 1 || codes[0] == 150, "{context}: {codes:?}");
    last
}

#[test]
fn before_the_login() {
    for row in VERBS {
        for argument in arguments() {
            let mut world = World::new(setup(), link());
            let code = ask(&mut world, row.name, argument.as_deref());
            if !row.implemented {
                assert_eq!(code, 502, "{}", row.name);
            } else if row.login == LoginRule::LoggedIn {
                assert_eq!(code, 530, "{}", row.name);
            } else {
                assert_ne!(code, 502, "{}", row.name);
            }
        }
    }
}

#[test]
fn after_the_login() {
    for row in VERBS {
        for argument in arguments() {
            let mut world = logged_in("C: PASV / S: 227");
            let code = ask(&mut world, row.name, argument.as_deref());
            assert_ne!(code, 530, "{}", row.name);
            assert_eq!(code == 502, !row.implemented, "{}", row.name);
            let empty = argument
                .as_deref()
                .is_none_or(|argument| argument.trim_ascii().is_empty());
            match row.arity {
                Arity::None if !empty && row.implemented => assert_eq!(code, 501, "{}", row.name),
                Arity::Required if argument.is_none() && row.implemented => {
                    assert_eq!(code, 501, "{}", row.name);
                }
                _ => {}
            }
            if !world.closed && row.verb != Verb::Rein && row.verb != Verb::User {
                world.play("C: PWD / S: 257");
            }
        }
    }
}

#[test]
fn in_any_case() {
    for row in VERBS {
        let answer = |verb: &str| {
            let mut world = dialogue(LOGIN);
            ask(&mut world, verb, None)
        };
        assert_eq!(answer(row.name), answer(&row.name.to_lowercase()));
    }
}
