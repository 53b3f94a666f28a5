//! Symbolic links: listings describe a link as the commands treat it, in every storage.

use std::collections::BTreeMap;
use std::sync::Arc;

use ftpspec_server::storage::{
    DiskStorage, MemFs, Overlay, Quota, Storage, Subdirectory, VfsStorage, make_directories,
    write_file,
};
use ftpspec_server::{Links, Server};
use rstest::rstest;
use tempfile::TempDir;

use crate::client::Client;
use crate::{logged_in, path, serve};

/// Every letter of the perm fact (RFC 3659 §7.5.5).
const LETTERS: &str = "acdeflmprw";
/// A directory and a file, a link to each, and two dangling links.
const ENTRIES: [&str; 6] = ["dangling", "dir", "file", "loop", "to-dir", "to-file"];

/// A storage, and the directory of the host if it needs one.
type Made = (Arc<dyn Storage>, Option<TempDir>);

fn linked(storage: &dyn Storage, below: &str) {
    let at = |name: &str| path(&format!("{below}/{name}"));
    make_directories(storage, &at("dir")).unwrap();
    write_file(storage, &at("file"), "0123456789".into()).unwrap();
    for (name, target) in [
        ("to-dir", "dir"),
        ("to-file", "file"),
        ("dangling", "nothing"),
        ("loop", "loop"),
    ] {
        storage.symlink(target.as_bytes(), &at(name)).unwrap();
    }
}

fn memory() -> Made {
    let files = MemFs::new();
    linked(&files, "");
    (Arc::new(files), None)
}

fn disk() -> Made {
    let directory = tempfile::tempdir().unwrap();
    let files = DiskStorage::open(directory.path()).unwrap();
    linked(&files, "");
    (Arc::new(files), Some(directory))
}

fn overlay() -> Made {
    let (lower, directory) = disk();
    (Arc::new(Overlay::new(lower)), directory)
}

fn quota() -> Made {
    (Arc::new(Quota::new(memory().0, 1 << 20).unwrap()), None)
}

/// It follows no link (see [`Subdirectory`]): each is treated as dangling.
fn subdirectory() -> Made {
    let files = MemFs::new();
    linked(&files, "home");
    let home = Subdirectory::new(Arc::new(files)).at(&path("home"));
    (Arc::new(home.unwrap()), None)
}

/// A `vfs` file system has no links.
fn vfs() -> Made {
    let files = VfsStorage::new(vfs::MemoryFS::new().into());
    make_directories(&files, &path("dir")).unwrap();
    write_file(&files, &path("file"), "0123456789".into()).unwrap();
    (Arc::new(files), None)
}

async fn start(made: &Made) -> (ftpspec_server::ServerHandle, Client) {
    let server = serve(
        Server::builder()
            .shared_storage(Arc::clone(&made.0))
            .user("test", "secret"),
    )
    .await;
    let client = logged_in(&server).await;
    (server, client)
}

/// The code of the last reply to a command. A transfer moves some data.
async fn code(client: &mut Client, command: &str) -> String {
    let transfer = ["APPE", "STOR", "RETR", "MLSD", "LIST", "NLST"];
    let verb = command.split(' ').next().unwrap();
    if !transfer.contains(&verb) {
        return client.ask(command).await[..3].to_owned();
    }
    let data = client.passive().await;
    let reply = client.ask(command).await;
    if !reply.starts_with("150") {
        return reply[..3].to_owned();
    }
    let mut data = client.establish(data).await;
    if ["APPE", "STOR"].contains(&verb) {
        data.write(b"more").await;
        data.end().await;
    } else {
        data.read_to_end().await;
    }
    client.reply().await[..3].to_owned()
}

/// Whether the command of a letter works.
async fn works(client: &mut Client, letter: char, name: &str, directory: bool) -> bool {
    let commands = match letter {
        'a' => vec![format!("APPE {name}")],
        'c' => vec![format!("STOR {name}/new")],
        'd' if directory => vec![format!("RMD {name}")],
        'd' => vec![format!("DELE {name}")],
        'e' => vec![format!("CWD {name}")],
        'f' => vec![format!("RNFR {name}"), "RNTO other".into()],
        'l' => vec![format!("MLSD {name}"), format!("NLST {name}")],
        'm' => vec![format!("MKD {name}/new")],
        'p' => vec![format!("STOR {name}/new"), format!("DELE {name}/new")],
        'r' => vec![format!("RETR {name}")],
        _ => vec![format!("STOR {name}")],
    };
    for command in commands {
        if !code(client, &command).await.starts_with(['2', '3']) {
            return false;
        }
    }
    true
}

/// Facts by name.
async fn listed(client: &mut Client) -> BTreeMap<String, String> {
    let listing = String::from_utf8(client.download("MLSD", false).await).unwrap();
    let lines = listing.lines().map(|line| {
        let (facts, name) = line.split_once(' ').unwrap();
        (name.to_owned(), facts.to_owned())
    });
    lines.collect()
}

#[rstest]
#[case::memory(memory)]
#[case::disk(disk)]
#[case::overlay(overlay)]
#[case::quota(quota)]
#[case::subdirectory(subdirectory)]
#[case::vfs(vfs)]
#[tokio::test]
async fn a_perm_letter_is_there_exactly_if_its_command_works(#[case] make: fn() -> Made) {
    let made = make();
    let (_server, mut client) = start(&made).await;
    for (name, facts) in listed(&mut client).await {
        let alone = client.expect(&format!("MLST {name}"), "250").await;
        assert!(
            alone.contains(&format!(" {facts} /{name}\r\n")),
            "{facts}: {alone}"
        );
        let fact = |key: &str| {
            let mut values = facts.split(';').filter_map(|fact| fact.strip_prefix(key));
            values.next().unwrap().to_owned()
        };
        for letter in LETTERS.chars() {
            let fresh = make();
            let (_server, mut client) = start(&fresh).await;
            let works = works(&mut client, letter, &name, fact("type=") == "dir").await;
            assert_eq!(
                fact("perm=").contains(letter),
                works,
                "{letter}: {facts} {name}"
            );
        }
    }
}

#[tokio::test]
async fn the_root_can_be_neither_removed_nor_renamed() {
    let (_server, mut client) = start(&memory()).await;
    let facts = client.expect("MLST /", "250").await;
    assert!(facts.contains("perm=celmp;"), "{facts}");
    client.expect("RMD /", "550").await;
    client.expect("RNFR /", "550").await;
}

#[rstest]
#[case::memory(memory)]
#[case::disk(disk)]
#[case::overlay(overlay)]
#[case::quota(quota)]
#[tokio::test]
async fn every_verb_follows_links_or_acts_on_them(#[case] make: fn() -> Made) {
    // To a file, to a directory, to nothing, in a circle; as the table in README.md has it.
    let table = [
        ("MLST", ["250", "250", "250", "250"]),
        ("MLSD", ["501", "226", "550", "550"]),
        ("LIST", ["226", "226", "226", "226"]),
        ("NLST", ["226", "226", "226", "226"]),
        ("STAT", ["213", "212", "213", "213"]),
        ("SIZE", ["213", "550", "550", "550"]),
        ("MDTM", ["213", "213", "550", "550"]),
        ("RETR", ["226", "550", "550", "550"]),
        ("STOR", ["226", "553", "553", "553"]),
        ("APPE", ["226", "553", "553", "553"]),
        ("CWD", ["550", "250", "550", "550"]),
        ("MKD", ["550", "550", "550", "550"]),
        ("RMD", ["550", "550", "550", "550"]),
        ("RMDA", ["550", "550", "550", "550"]),
        ("DELE", ["250", "250", "250", "250"]),
        ("RNFR", ["350", "350", "350", "350"]),
        ("MFMT 20200101000000", ["213", "213", "550", "550"]),
        ("SITE CHMOD 600", ["200", "200", "550", "550"]),
        ("SITE SYMLINK file", ["550", "550", "550", "550"]),
        ("HASH", ["213", "553", "550", "550"]),
        ("XCRC", ["250", "550", "550", "550"]),
        ("DSIZ", ["550", "213", "550", "550"]),
        ("AVBL", ["550", "213", "550", "550"]),
    ];
    for (verb, expected) in table {
        for (name, expected) in ["to-file", "to-dir", "dangling", "loop"]
            .iter()
            .zip(expected)
        {
            let made = make();
            let (_server, mut client) = start(&made).await;
            let command = format!("{verb} {name}");
            assert_eq!(code(&mut client, &command).await, expected, "{command}");
            let left: Vec<String> = listed(&mut client).await.into_keys().collect();
            let kept = ENTRIES
                .iter()
                .filter(|entry| verb != "DELE" || *entry != name);
            if verb != "CWD" || *name != "to-dir" {
                assert!(left.iter().eq(kept), "{command}: {left:?}");
            }
        }
    }
}

#[tokio::test]
async fn rmd_of_a_link_replies_how_a_link_is_removed() {
    let (_server, mut client) = start(&memory()).await;
    for name in ["to-dir", "to-file", "dangling"] {
        let reply = client.expect(&format!("RMD {name}"), "550").await;
        assert_eq!(reply, "550 Not a directory but a symbolic link; use DELE.");
    }
    let reply = client.expect("RMD file", "550").await;
    assert_eq!(reply, "550 Not a directory.");
}

#[tokio::test]
async fn a_link_to_nothing_is_renamed_and_lists_as_a_link() {
    let (_server, mut client) = start(&memory()).await;
    client.expect("RNFR dangling", "350").await;
    client.expect("RNTO other", "250").await;
    let line = String::from_utf8(client.download("LIST other", false).await).unwrap();
    assert!(
        line.starts_with("lrwxrwxrwx ") && line.ends_with(" other -> nothing\r\n"),
        "{line}"
    );
    assert_eq!(client.download("NLST other", false).await, b"other\r\n");
}

#[tokio::test]
async fn listings_follow_links_or_leave_them_out_as_configured() {
    let start = async |links| {
        let server = serve(
            Server::builder()
                .shared_storage(memory().0)
                .user("test", "secret")
                .links(links),
        )
        .await;
        let client = logged_in(&server).await;
        (server, client)
    };
    let (_server, mut client) = start(Links::Followed).await;
    let lines = String::from_utf8(client.download("LIST", false).await).unwrap();
    let kinds = lines.lines().map(|line| {
        let name = line.split_once(" -> ").map_or(line, |(name, _)| name);
        (&line[..1], name.rsplit(' ').next().unwrap())
    });
    // A dangling link cannot be followed.
    let expected = ["l", "d", "-", "l", "d", "-"].into_iter().zip(ENTRIES);
    assert!(kinds.eq(expected), "{lines}");

    let (_server, mut client) = start(Links::Hidden).await;
    assert_eq!(client.download("NLST", false).await, b"dir\r\nfile\r\n");
    let left: Vec<String> = listed(&mut client).await.into_keys().collect();
    assert_eq!(left, ["dir", "file"]);
    client.expect("CWD to-dir", "250").await;
    client.expect("SITE SYMLINK nothing link", "200").await;
    client.expect("CWD /", "250").await;
    let reply = client.expect("RMD dir", "550").await;
    assert_eq!(reply, "550 Directory not empty: it has hidden entries.");
}
