//! Arguments of digests: names that may be quoted, and ranges.

use ftpspec_server::internals::wire::{Command, CommandLine};

/// The octets are the argument of XCRC and its like, of MD5 and of MMD5.
pub fn digest_argument(argument: &[u8]) {
    for verb in ["XCRC", "XSHA256", "MD5", "MMD5"] {
        let line = [verb.as_bytes(), b" ", argument].concat();
        let Ok(Ok(command)) = CommandLine::split(&line).map(CommandLine::parse) else {
            continue;
        };
        match command {
            Command::Digest(_, asked) => {
                assert!(!asked.pathname.is_empty());
                // A name comes from the argument; quotes in it are undoubled, so it is never
                // longer.
                assert!(asked.pathname.len() <= argument.len());
                if let Some(whole) = asked.whole {
                    assert_eq!(whole, argument);
                    assert!(whole.starts_with(&asked.pathname));
                } else if !argument.starts_with(b"\"") {
                    // Without quotes and without numbers all of it is the name.
                    assert!(asked.range.is_none() && argument.ends_with(&asked.pathname));
                }
            }
            Command::Md5(names) => {
                assert!((1..=64).contains(&names.len()) && (verb == "MMD5" || names.len() == 1));
                let as_sent: usize = names.iter().map(|name| name.as_sent.len()).sum();
                assert!(
                    as_sent + names.len() <= argument.len() + 1,
                    "no octet is in two names"
                );
                for name in names {
                    assert!(!name.pathname.is_empty() && name.pathname.len() <= name.as_sent.len());
                    let quoted = name.as_sent.starts_with(b"\"");
                    assert!(quoted || name.as_sent == name.pathname);
                }
            }
            other => panic!("{verb} is {other:?}"),
        }
    }
}
