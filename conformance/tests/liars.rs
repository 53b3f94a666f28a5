//! Faults that servers in the field were seen to have: each is noticed by the scenario named beside
//! it, and that scenario passes without the fault.
//!
//! A relay in front of the reference server passes on what both sides send and changes what the
//! fault is about. It handles one command and reply after the other, PASV and EPSV over IPv4.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod support;

use ftpspec::runner::{Job, play};
use ftpspec::selftest::Harness;
use ftpspec::subject::{Embedded, Target};
use ftpspec::verdict::Outcome;
use libtest_mimic::{Failed, Trial};
use regex::bytes::{Captures, Regex};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::House;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The fault.
#[derive(Clone, Copy)]
enum Lie {
    /// Nothing.
    None,
    /// What a command line becomes.
    Command(fn(&[u8]) -> Vec<u8>),
    /// What the reply to a verb becomes.
    Reply(&'static str, fn(&[u8]) -> Vec<u8>),
    /// What the data of a command becomes: its verbs, then the argument and the data.
    Data(&'static [&'static str], fn(&str, &[u8]) -> Vec<u8>),
    /// ABOR is not answered before the data connection stands.
    DeafWhileItWaits,
}

/// Replaces what the expression finds.
fn replaced(expression: &str, octets: &[u8], by: impl Fn(&Captures<'_>) -> Vec<u8>) -> Vec<u8> {
    let expression = Regex::new(expression).unwrap();
    expression.replace_all(octets, by).into_owned()
}

/// Each line as many times as `times` says.
fn lines(octets: &[u8], times: impl Fn(&[u8]) -> usize) -> Vec<u8> {
    let lines = octets.split_inclusive(|octet| *octet == b'\n');
    lines.flat_map(|line| line.repeat(times(line))).collect()
}

fn empty_where_brackets_are(argument: &str, data: &[u8]) -> Vec<u8> {
    match argument.contains('[') {
        true => Vec::new(),
        false => data.to_vec(),
    }
}

fn every_line_twice(_: &str, data: &[u8]) -> Vec<u8> {
    lines(data, |_| 2)
}

fn no_dot_files(_: &str, data: &[u8]) -> Vec<u8> {
    let name = |line: &[u8]| line.rsplit(|octet| *octet == b' ').next().unwrap().to_vec();
    lines(data, |line| usize::from(!name(line).starts_with(b".")))
}

/// The time of day stands where the year has to.
fn no_year(_: &str, data: &[u8]) -> Vec<u8> {
    replaced(r"( [A-Z][a-z]{2} [ 0-9]\d)  \d{4} ", data, |found| {
        [&found[1], b" 00:00 "].concat()
    })
}

/// The hour of a time-val is two hours later.
fn two_hours_later(_: &str, data: &[u8]) -> Vec<u8> {
    replaced(r"(?i)(modify=\d{8})(\d\d)", data, |found| {
        let hour: u8 = String::from_utf8_lossy(&found[2]).parse().unwrap();
        [&found[1], format!("{:02}", (hour + 2) % 24).as_bytes()].concat()
    })
}

fn ten_minutes_later(reply: &[u8]) -> Vec<u8> {
    replaced(r"^(213 \d{10})(\d)", reply, |found| {
        let tens = b'0' + (found[2][0] - b'0' + 1) % 6;
        [&found[1], &[tens]].concat()
    })
}

fn without_zeros(reply: &[u8]) -> Vec<u8> {
    replaced(r"\b0+([0-9A-Fa-f]+\r\n)", reply, |found| found[1].to_vec())
}

/// The numbers of REST and RANG are cut to 64 bits.
fn cut_to_64_bits(line: &[u8]) -> Vec<u8> {
    match line.starts_with(b"REST") || line.starts_with(b"RANG") {
        true => replaced(r"\d+", line, |found| {
            let digits = String::from_utf8_lossy(&found[0]);
            let wrapped = digits.bytes().fold(0u64, |number, digit| {
                let digit = u64::from(digit - b'0');
                number.wrapping_mul(10).wrapping_add(digit)
            });
            wrapped.to_string().into_bytes()
        }),
        false => line.to_vec(),
    }
}

/// A protocol, a byte size, a level or a port is cut to eight or sixteen bits.
fn cut_to_few_bits(line: &[u8]) -> Vec<u8> {
    let verbs: [(&str, &str, u64); 4] = [
        ("EPSV ", r"\d+", 256),
        ("TYPE L", r"\d+", 256),
        ("OPTS MODE Z", r"\d+", 256),
        ("EPRT ", r"(\d+)\|$", 65536),
    ];
    let verb = verbs.iter().find(|it| line.starts_with(it.0.as_bytes()));
    let Some((_, number, size)) = verb else {
        return line.to_vec();
    };
    replaced(number, line, |found| {
        let text = String::from_utf8_lossy(&found[0]).into_owned();
        let digits = text.trim_end_matches('|');
        let cut = digits.parse::<u128>().unwrap() % u128::from(*size);
        text.replace(digits, &cut.to_string()).into_bytes()
    })
}

/// Scenario, lie, and what becomes of it.
const LIES: &[(&str, Lie, Outcome)] = &[
    (
        "rfc3659/mlsd-of-names-that-look-like-patterns",
        Lie::Data(&["MLSD"], empty_where_brackets_are),
        Outcome::Fail,
    ),
    (
        "rfc959/listings-of-names-that-look-like-patterns",
        Lie::Data(&["LIST"], empty_where_brackets_are),
        Outcome::Warn,
    ),
    (
        "rfc959/listings-of-names-that-look-like-patterns",
        Lie::Data(&["NLST"], empty_where_brackets_are),
        Outcome::Warn,
    ),
    (
        "rfc959/listings-name-each-entry-once",
        Lie::Data(&["LIST"], every_line_twice),
        Outcome::Fail,
    ),
    (
        "rfc959/listings-name-each-entry-once",
        Lie::Data(&["NLST"], every_line_twice),
        Outcome::Fail,
    ),
    (
        "rfc3659/mlsd-every-entry",
        Lie::Data(&["MLSD"], every_line_twice),
        Outcome::Fail,
    ),
    (
        "rfc959/listings-name-each-entry-once",
        Lie::Reply("STAT", |reply| {
            lines(reply, |line| 1 + usize::from(line.ends_with(b"qz.txt\r\n")))
        }),
        Outcome::Fail,
    ),
    (
        "vendor/list-dates-of-any-age",
        Lie::Data(&["LIST"], no_year),
        Outcome::Note,
    ),
    (
        "rfc3659/mlsd-facts-equal-those-of-mlst",
        Lie::Data(&["MLSD"], two_hours_later),
        Outcome::Fail,
    ),
    (
        "mfmt/mlst-shows-the-time",
        Lie::Data(&["MLSD"], two_hours_later),
        Outcome::Fail,
    ),
    (
        "rfc3659/mdtm-equals-modify",
        Lie::Reply("MLST", |reply| two_hours_later("", reply)),
        Outcome::Warn,
    ),
    (
        "vendor/list-agrees-with-mdtm",
        Lie::Reply("MDTM", ten_minutes_later),
        Outcome::Note,
    ),
    (
        "vendor/list-options",
        Lie::Data(&["LIST"], no_dot_files),
        Outcome::Note,
    ),
    (
        "vendor/list-options",
        Lie::Data(&["NLST"], no_dot_files),
        Outcome::Note,
    ),
    (
        "hash/xcrc-known-digest",
        Lie::Reply("XCRC", without_zeros),
        Outcome::Note,
    ),
    (
        "hash/xmd5-known-digest",
        Lie::Reply("XMD5", without_zeros),
        Outcome::Note,
    ),
    (
        "hash/xsha1-known-digest",
        Lie::Reply("XSHA1", without_zeros),
        Outcome::Note,
    ),
    (
        "hash/xsha256-known-digest",
        Lie::Reply("XSHA256", without_zeros),
        Outcome::Note,
    ),
    (
        "hash/xsha512-known-digest",
        Lie::Reply("XSHA512", without_zeros),
        Outcome::Note,
    ),
    (
        "hash/md5-251",
        Lie::Reply("MD5", without_zeros),
        Outcome::Fail,
    ),
    (
        "hash/mmd5-252",
        Lie::Reply("MMD5", without_zeros),
        Outcome::Fail,
    ),
    (
        "rfc3659/rest-beyond-64-bits",
        Lie::Command(cut_to_64_bits),
        Outcome::Fail,
    ),
    (
        "rang/numbers-beyond-64-bits",
        Lie::Command(cut_to_64_bits),
        Outcome::Warn,
    ),
    (
        "rfc2428/epsv-unknown-protocol-522",
        Lie::Command(cut_to_few_bits),
        Outcome::Fail,
    ),
    (
        "rfc959/type-local-needs-a-byte-size",
        Lie::Command(cut_to_few_bits),
        Outcome::Fail,
    ),
    (
        "mode-z/opts-nonsense-501",
        Lie::Command(cut_to_few_bits),
        Outcome::Warn,
    ),
    (
        "rfc2428/eprt-port-out-of-range",
        Lie::Command(cut_to_few_bits),
        Outcome::Fail,
    ),
    (
        "rfc959/abor-before-the-data-connection",
        Lie::DeafWhileItWaits,
        Outcome::Warn,
    ),
];

fn main() {
    let house = House::around(async {
        let embedded = Embedded::start()
            .await
            .expect("the reference server starts");
        (Arc::clone(embedded.target()), embedded)
    });
    let mut seen = BTreeSet::new();
    let mut trials = Vec::new();
    for (number, (id, lie, outcome)) in LIES.iter().enumerate() {
        let is_it = |job: &&Job| job.scenario.id.0 == *id && job.variant.to_string() == "pasv";
        let job = house
            .jobs
            .iter()
            .find(is_it)
            .expect("it is planned")
            .clone();
        let mut trial = |name: String, lie: Lie, outcome: Outcome| {
            let (house, job) = (Arc::clone(&house), job.clone());
            trials.push(Trial::test(name, move || {
                house.runtime.block_on(found_out(&house, job, lie, outcome))
            }));
        };
        if seen.insert(id) {
            trial(format!("{id}, the truth"), Lie::None, Outcome::Pass);
        }
        trial(format!("{id}, lie {number}"), *lie, *outcome);
    }
    trials.extend(house.ignored(false));
    support::run(trials);
}

/// Plays the job against the reference server behind a relay that tells this lie.
async fn found_out(house: &House, job: Job, lie: Lie, outcome: Outcome) -> Result<(), Failed> {
    let server = &house.harness.target;
    let relay = Relay::start(server.address(false).unwrap(), lie).await;
    let target = Arc::new(Target {
        addresses: vec![relay.address],
        implicit: Vec::new(),
        ..Target::clone(server)
    });
    let mut manner = Harness::manner();
    // The directories of trials that run at the same time have different names.
    manner.run = format!("liars-{}", relay.address.port());
    if matches!(lie, Lie::DeafWhileItWaits) {
        manner.timeouts.reply = Duration::from_secs(1);
    }
    let played = play(job, &target, &manner).await;
    let (verdict, _) = house.harness.verdict(&played);
    match verdict.outcome == outcome {
        true => Ok(()),
        false => Err(format!("{outcome:?} expected: {verdict:#?}").into()),
    }
}

/// It stops when dropped.
struct Relay {
    address: SocketAddr,
    _running: JoinSet<()>,
}

impl Relay {
    async fn start(server: SocketAddr, lie: Lie) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut sessions = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                sessions.spawn(async move {
                    let server = TcpStream::connect(server).await.unwrap();
                    // Either side may leave whenever it likes.
                    let _ = session(client, server, lie).await;
                });
            }
        });
        Self {
            address,
            _running: running,
        }
    }
}

/// What the data connection has to know.
#[derive(Default)]
struct Said {
    line: String,
    /// The client has connected to the passive port.
    connected: bool,
}

async fn session(client: TcpStream, server: TcpStream, lie: Lie) -> std::io::Result<()> {
    let said = Arc::new(Mutex::new(Said::default()));
    let (client_reads, mut to_client) = client.into_split();
    let (server_reads, mut to_server) = server.into_split();
    let mut commands = BufReader::new(client_reads);
    let mut replies = BufReader::new(server_reads);
    let mut transfers = JoinSet::new();
    let (mut line, mut reply) = (Vec::new(), Vec::new());
    let mut line_of_reply = Vec::new();
    loop {
        tokio::select! {
            got = commands.read_until(b'\n', &mut line) => {
                if got? == 0 {
                    return Ok(());
                }
                let whole = std::mem::take(&mut line);
                let text = String::from_utf8_lossy(&whole).trim_end().to_owned();
                let passed = match lie {
                    Lie::Command(changed) => {
                        let mut passed = changed(text.as_bytes());
                        passed.extend(b"\r\n");
                        passed
                    }
                    Lie::DeafWhileItWaits
                        if text == "ABOR" && !said.lock().unwrap().connected =>
                    {
                        continue;
                    }
                    _ => whole,
                };
                said.lock().unwrap().line = text;
                to_server.write_all(&passed).await?;
            }
            got = replies.read_until(b'\n', &mut line_of_reply) => {
                if got? == 0 {
                    return Ok(());
                }
                let last = std::mem::take(&mut line_of_reply);
                reply.extend_from_slice(&last);
                let code = last.get(..3).unwrap_or_default();
                let digits = code.len() == 3 && code.iter().all(u8::is_ascii_digit);
                if !digits || last.get(3) != Some(&b' ') {
                    continue;
                }
                let mut whole = std::mem::take(&mut reply);
                let verb = said.lock().unwrap().line.clone();
                if whole.starts_with(b"227") || whole.starts_with(b"229") {
                    whole = relayed(&whole, &said, lie, &mut transfers).await?;
                }
                if let Lie::Reply(about, changed) = lie
                    && verb.split(' ').next() == Some(about)
                {
                    whole = changed(&whole);
                }
                to_client.write_all(&whole).await?;
            }
        }
    }
}

/// A 227 or 229 that leads to the relay.
async fn relayed(
    reply: &[u8],
    said: &Arc<Mutex<Said>>,
    lie: Lie,
    transfers: &mut JoinSet<std::io::Result<()>>,
) -> std::io::Result<Vec<u8>> {
    let number = |octets: &[u8]| String::from_utf8_lossy(octets).parse::<u16>().unwrap();
    let passive = Regex::new(r"(\d+),(\d+)\)").unwrap();
    let extended = Regex::new(r"\|\|\|(\d+)\|").unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let [high, low] = listener.local_addr()?.port().to_be_bytes();
    let ours = u16::from_be_bytes([high, low]);
    let (port, reply) = match (passive.captures(reply), extended.captures(reply)) {
        (Some(found), _) => {
            let port = number(&found[1]) * 256 + number(&found[2]);
            let ours = format!("{high},{low})");
            (port, passive.replace(reply, ours.as_bytes()).into_owned())
        }
        (None, Some(found)) => {
            let ours = format!("|||{ours}|");
            (
                number(&found[1]),
                extended.replace(reply, ours.as_bytes()).into_owned(),
            )
        }
        (None, None) => return Ok(reply.to_vec()),
    };
    said.lock().unwrap().connected = false;
    let said = Arc::clone(said);
    transfers.spawn(async move {
        let (mut client, _) = listener.accept().await?;
        said.lock().unwrap().connected = true;
        let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let up = async {
            tokio::io::copy(&mut from_client, &mut to_server).await?;
            to_server.shutdown().await
        };
        let down = async {
            let mut data = Vec::new();
            from_server.read_to_end(&mut data).await?;
            let line = said.lock().unwrap().line.clone();
            let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
            if let Lie::Data(verbs, changed) = lie
                && verbs.contains(&verb)
            {
                data = changed(argument, &data);
            }
            to_client.write_all(&data).await?;
            to_client.shutdown().await
        };
        tokio::try_join!(up, down)?;
        Ok(())
    });
    Ok(reply)
}
