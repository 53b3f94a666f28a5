//! Sessions: each line is answered once and in order, each reply is well-formed, and a user without
//! permissions changes nothing.

#[allow(dead_code, reason = "the tests that play dialogues use all of it")]
#[path = "../../tests/dialogue/world.rs"]
mod world;

use ftpspec_server::Limits;
use ftpspec_server::auth::Permissions;
use ftpspec_server::internals::pi::{
    Link, Malformed, Setup, TlsPolicy, TlsRequirement, TransferEnd,
};
use ftpspec_server::internals::wire::{ControlEvent, Reply};
use ftpspec_server::storage::{FileKind, Storage, VirtualPath, read_file};
use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroU64;
use world::World;

/// Maximum lines of a session; the rest is ignored.
const LINES: usize = 48;

/// The first octet is the set-up. Each line after it is a command line, or one of these:
///
/// ```text
/// !            a line that is too long
/// ?            a line with a NUL or a bare CR
/// +octets      the data of the next upload
/// .            the running transfer completes
/// &1 ... &6    it ends otherwise, see `ending`
/// ```
pub fn session(data: &[u8]) {
    let Some((&how, lines)) = data.split_first() else {
        return;
    };
    let mut world = World::new(setup(how), link(how));
    world.certificate = how & 0x20 == 0;
    well_formed(&world.session.greeting());
    let before = tree(&*world.files);
    let mut may_change = false;
    let mut unanswered = 0_usize;
    for line in lines.split(|octet| *octet == b'\n').take(LINES) {
        if world.closed {
            break;
        }
        let running = world.is_transferring();
        let said = match line {
            [b'+', octets @ ..] => {
                world.bring(octets);
                continue;
            }
            [b'.'] => world.finish(),
            [b'&', which] => {
                world.end(ending(*which));
                world.take_said()
            }
            line => {
                unanswered += 1;
                world.hear(event(line))
            }
        };
        unanswered = answered(unanswered, &said, running, world.is_transferring());
        assert!(
            unanswered == 0 || world.is_transferring() || world.closed,
            "no reply to {}",
            line.escape_ascii()
        );
        may_change |= world.session.logged_in().is_some_and(|(user, _)| {
            let mut may = user.permissions;
            let mut changes = Permissions::EFFECTS
                .into_iter()
                .filter(|effect| !matches!(*effect, "read" | "list"));
            changes.any(|effect| may.effect(effect).is_some_and(|granted| *granted))
        });
    }
    let running = world.is_transferring();
    let said = world.finish();
    unanswered = answered(unanswered, &said, running, false);
    assert!(
        unanswered == 0 || world.closed,
        "{unanswered} lines have no reply"
    );
    if !may_change {
        assert_eq!(
            tree(&*world.files),
            before,
            "somebody without permission changed this"
        );
    }
}

/// Counts replies: a preliminary one only where a transfer begins, and no completion without a
/// line.
fn answered(mut unanswered: usize, said: &[Reply], was_running: bool, running: bool) -> usize {
    let mut preliminary = usize::from(was_running);
    for reply in said {
        well_formed(reply);
        match reply.code.0 {
            100..200 => {
                assert_eq!(preliminary, 0, "two preliminary replies: {said:?}");
                preliminary = 1;
            }
            200..=699 => {
                unanswered = unanswered
                    .checked_sub(1)
                    .unwrap_or_else(|| panic!("one reply too many: {said:?}"));
                // STAT and NOOP are answered while the transfer goes on.
                if !matches!(reply.code.0, 200 | 211) {
                    preliminary = 0;
                }
            }
            other => panic!("there is no reply {other}"),
        }
    }
    assert!(
        !running || unanswered > 0,
        "a transfer runs that is answered already"
    );
    unanswered
}

/// RFC 959 §4.2, checked on the octets alone.
fn well_formed(reply: &Reply) {
    let mut octets = Vec::new();
    reply.encode(&mut octets);
    let code = format!("{:03}", reply.code.0);
    let text = octets.strip_suffix(b"\r\n").expect("replies end with CRLF");
    let mut lines = text.split(|octet| *octet == b'\n').peekable();
    let mut first = true;
    while let Some(line) = lines.next() {
        let last = lines.peek().is_none();
        let line = if last {
            Some(line)
        } else {
            line.strip_suffix(b"\r")
        };
        let line = line.expect("lines end with CRLF");
        assert!(!line.contains(&b'\r') && !line.contains(&0), "{reply:?}");
        let ends = line.starts_with(code.as_bytes()) && line.get(3) == Some(&b' ');
        assert_eq!(ends, last, "{reply:?}");
        if first && !last {
            assert_eq!(
                line.get(..4),
                Some(format!("{code}-").as_bytes()),
                "{reply:?}"
            );
        }
        first = false;
        // Telnet: octets 255 come in pairs (RFC 854).
        assert!(
            line.split(|octet| *octet != 255)
                .all(|run| run.len() % 2 == 0)
        );
    }
}

fn event(line: &[u8]) -> ControlEvent {
    match line {
        b"!" => ControlEvent::Overlong,
        b"?" => ControlEvent::Malformed,
        line => ControlEvent::Line(line.iter().copied().filter(|octet| *octet != 0).collect()),
    }
}

fn ending(which: u8) -> TransferEnd {
    match which {
        b'1' => TransferEnd::NoConnection,
        b'2' => TransferEnd::NoProtection,
        b'3' => TransferEnd::ConnectionLost,
        b'4' => TransferEnd::Malformed(Malformed::Form),
        b'5' => TransferEnd::StorageFailed(io::ErrorKind::StorageFull.into()),
        b'6' => TransferEnd::OtherClient,
        _ => TransferEnd::Complete { octets: 7 },
    }
}

fn setup(how: u8) -> Setup {
    Setup {
        greeting: "Hello.\n211 is no code here.".into(),
        tls: [
            TlsPolicy::Explicit,
            TlsPolicy::Off,
            TlsPolicy::Explicit,
            TlsPolicy::Implicit,
        ][usize::from(how & 3)],
        tls_required: if how & 0x40 == 0 {
            TlsRequirement::None
        } else {
            TlsRequirement::ControlAndData
        },
        limits: Limits {
            failed_logins: how >> 2 & 1,
            ..Limits::default()
        }
        .into(),
        allow_ccc: how & 8 == 0,
        restart_markers: NonZeroU64::new(u64::from(how >> 7)),
        ..Setup::default()
    }
}

fn link(how: u8) -> Link {
    let (local, peer) = if how & 0x10 == 0 {
        ("192.0.2.1:21", "192.0.2.7:50000")
    } else {
        ("[2001:db8::1]:21", "[2001:db8::7]:50000")
    };
    let address = |text: &str| text.parse().expect("an address");
    Link {
        local: address(local),
        peer: address(peer),
        protected: how & 3 == 3,
    }
}

/// Every path and its content.
fn tree(files: &dyn Storage) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut rest = vec![VirtualPath::root()];
    while let Some(directory) = rest.pop() {
        for entry in files.list(&directory).expect("directories can be listed") {
            let entry = entry.expect("entries can be read");
            let path = directory.join(&entry.name).expect("a name is a pathname");
            let content = match entry.metadata.kind {
                FileKind::File => Some(
                    read_file(files, &path, 1 << 20)
                        .expect("files can be read")
                        .to_vec(),
                ),
                FileKind::Symlink => entry.metadata.target,
                FileKind::Directory => {
                    rest.push(path.clone());
                    None
                }
            };
            found.insert(path.as_bytes().to_vec(), content);
        }
    }
    found
}
