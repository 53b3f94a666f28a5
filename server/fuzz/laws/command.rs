//! Commands: any line is a command or an error, and a command that is written is read as the same.

use ftpspec_server::internals::wire::{
    Command, CommandLine, DigestArgument, ExtendedAddress, MffArgument, SiteCommand, SiteLine,
    SyntaxError, Verb, parse_time_val, write_time_val,
};
use ftpspec_server::storage::HashAlgorithm;
use std::time::SystemTime;

/// The octets are a command line, without its end.
pub fn command(line: &[u8]) {
    if let Ok(split) = CommandLine::split(line) {
        let name = split.verb.row().name;
        assert!(line[..name.len()].eq_ignore_ascii_case(name.as_bytes()));
        assert_eq!(split.argument, line[name.len()..].strip_prefix(b" "));
        let mut lower = line.to_vec();
        lower[..name.len()].make_ascii_lowercase();
        match split.parse() {
            Ok(command) => {
                assert_eq!(parsed(&lower), Some(command.clone()), "verbs have no case");
                understood(&command, split.verb, split.argument.unwrap_or_default());
            }
            Err(error) => sentence(error),
        }
    }
    time(line);
}

fn parsed(line: &[u8]) -> Option<Command<'_>> {
    CommandLine::split(line).ok()?.parse().ok()
}

/// Errors are texts of one line.
fn sentence(SyntaxError(text): SyntaxError) {
    assert!(text.ends_with('.') && text.bytes().all(|octet| matches!(octet, b' '..=b'~')));
}

/// A command that is written is read as the same command.
fn same(command: &Command<'_>, text: impl AsRef<[u8]>) {
    let text = text.as_ref();
    assert_eq!(
        parsed(text).as_ref(),
        Some(command),
        "{}",
        text.escape_ascii()
    );
}

fn understood(command: &Command<'_>, verb: Verb, argument: &[u8]) {
    let name = verb.row().name;
    match command {
        // RFC 3659 §2.2: a pathname is everything after the one space.
        Command::Appe(pathname)
        | Command::Cwd(pathname)
        | Command::Dele(pathname)
        | Command::Mdtm(pathname)
        | Command::Mkd(pathname)
        | Command::Retr(pathname)
        | Command::Rmd(pathname)
        | Command::Rmda(pathname)
        | Command::Rnfr(pathname)
        | Command::Rnto(pathname)
        | Command::Size(pathname)
        | Command::Stor(pathname)
        | Command::User(pathname) => {
            assert!(!pathname.is_empty());
            assert_eq!(*pathname, argument);
        }
        Command::Avbl(pathname)
        | Command::Dsiz(pathname)
        | Command::Mlsd(pathname)
        | Command::Mlst(pathname)
        | Command::Stou(pathname) => {
            assert_eq!(*pathname, Some(argument).filter(|it| !it.is_empty()));
        }
        Command::Stat(None) => assert!(argument.is_empty()),
        Command::List(list) | Command::Nlst(list) | Command::Stat(Some(list)) => {
            if let Some(pathname) = list.pathname {
                assert!(!pathname.is_empty() && argument.ends_with(pathname));
            }
        }
        Command::Pass(password) => assert_eq!(*password, argument),
        Command::Rest(offset) => {
            assert!(i64::try_from(*offset).is_ok());
            same(command, format!("REST {offset}"));
        }
        Command::Rang(None) => same(command, "RANG 1 0"),
        Command::Rang(Some(range)) => {
            assert!(range.start < range.end);
            same(command, format!("RANG {} {}", range.start, range.end - 1));
        }
        Command::Port(address) => {
            let [high, low] = address.port().to_be_bytes();
            let host = address.ip().to_string().replace('.', ",");
            same(command, format!("PORT {host},{high},{low}"));
        }
        Command::Eprt(ExtendedAddress::Known(address)) => {
            assert_ne!(address.port(), 0);
            let family = if address.is_ipv4() { 1 } else { 2 };
            same(
                command,
                format!("EPRT |{family}|{}|{}|", address.ip(), address.port()),
            );
        }
        Command::Host(host) => same(command, format!("HOST {host}")),
        Command::Comb(comb) => {
            assert!(!comb.sources.is_empty());
            let mut text = b"COMB".to_vec();
            for part in std::iter::once(&comb.target).chain(&comb.sources) {
                assert!(!part.is_empty());
                text.push(b' ');
                text.extend(quoted(part));
            }
            same(command, text);
        }
        Command::Digest(algorithm, argument) => digest(name, *algorithm, argument),
        Command::Md5(names) => {
            assert!((1..=64).contains(&names.len()));
            for name in names {
                assert!(!name.pathname.is_empty() && name.as_sent.len() >= name.pathname.len());
            }
        }
        Command::Mff(MffArgument::Known(changes, pathname)) => {
            assert!(!pathname.is_empty() && argument.ends_with(pathname));
            assert!(changes.mode.is_none_or(|mode| mode <= 0o7777));
            // Times are written with milliseconds only, so the written form is compared.
            let written = |changes: &dyn Fn(&mut Vec<u8>)| {
                let mut text = Vec::new();
                changes(&mut text);
                text
            };
            let facts = written(&|text| changes.write(text));
            let again = [b"MFF ", &facts[..], b" ", pathname].concat();
            let Some(Command::Mff(MffArgument::Known(again, _))) = parsed(&again) else {
                panic!("{} is not understood", again.escape_ascii());
            };
            assert_eq!(written(&|text| again.write(text)), facts);
        }
        Command::Mff(MffArgument::Unknown(name)) => {
            assert!((1..=64).contains(&name.len()) && name.iter().all(u8::is_ascii_graphic));
        }
        Command::Site(argument) => site(argument),
        _ => {}
    }
}

fn digest(name: &str, algorithm: HashAlgorithm, argument: &DigestArgument<'_>) {
    assert!(!argument.pathname.is_empty());
    let mut text = [name.as_bytes(), b" ", &quoted(&argument.pathname)].concat();
    if let Some((start, end)) = argument.range {
        text.extend(format!(" {start}").bytes());
        text.extend(end.map(|end| format!(" {end}")).unwrap_or_default().bytes());
    }
    let again = DigestArgument {
        whole: None,
        ..argument.clone()
    };
    same(&Command::Digest(algorithm, again), text);
}

fn site(argument: &[u8]) {
    let Ok(line) = SiteLine::split(argument) else {
        return;
    };
    match line.parse() {
        Ok(SiteCommand::Chmod(mode, pathname)) => {
            assert!(mode <= 0o7777 && !pathname.is_empty() && argument.ends_with(pathname));
        }
        Ok(SiteCommand::Symlink { target, link }) => {
            assert!(!target.is_empty() && !link.is_empty());
            let text = [b"SYMLINK ", &quoted(&target)[..], b" ", &quoted(&link)].concat();
            let again = SiteLine::split(&text).map(SiteLine::parse);
            assert_eq!(again, Ok(Ok(SiteCommand::Symlink { target, link })));
        }
        Ok(SiteCommand::Mkdir(pathname) | SiteCommand::Rmdir(pathname)) => {
            assert!(!pathname.is_empty() && argument.ends_with(pathname))
        }
        // In the longer of its two forms the pathname comes first.
        Ok(SiteCommand::Utime(_, pathname)) => assert!(!pathname.is_empty()),
        Ok(_) => {}
        Err(error) => sentence(error),
    }
}

/// A time-val is read as it is written.
fn time(text: &[u8]) {
    let written = |time: SystemTime| {
        let mut text = Vec::new();
        write_time_val(time, &mut text);
        text
    };
    if let Some(time) = parse_time_val(text) {
        let once = written(time);
        assert!(matches!(once.len(), 14 | 18), "{}", once.escape_ascii());
        let again = parse_time_val(&once).map(written);
        assert_eq!(again.as_deref(), Some(&once[..]));
        let leap = text.get(12..14) == Some(b"60");
        assert!(leap || once[..14] == text[..14], "{}", once.escape_ascii());
    }
}

fn quoted(name: &[u8]) -> Vec<u8> {
    let mut text = vec![b'"'];
    for octet in name {
        text.extend(std::iter::repeat_n(
            *octet,
            if *octet == b'"' { 2 } else { 1 },
        ));
    }
    text.push(b'"');
    text
}
