//! Sessions of clients in the wild: recorded in front of `ftpspec serve`, replayed against it and as
//! the server for the same client; and the commands of `docs/recordings.md`. A client that this
//! machine does not have is an ignored test.
#![cfg_attr(not(unix), expect(dead_code, reason = "the clients need a shell"))]
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use libtest_mimic::{Arguments, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const FTPSPEC: &str = env!("CARGO_BIN_EXE_ftpspec");

/// A program, what it is used for, and the commands. `$P` is the port of a server at 127.0.0.1 with
/// the user `u` and the password `pw`, `$CA` the file of its certificate authority.
const CLIENTS: [(&str, &str, &str); 12] = [
    (
        "curl",
        "passive",
        "curl -sS --user u:pw ftp://127.0.0.1:$P/big -o x
         cmp x ../seed/big
         curl -sS --user u:pw ftp://127.0.0.1:$P/ -T x",
    ),
    (
        "curl",
        "active",
        "curl -sS -P - --user u:pw ftp://127.0.0.1:$P/sub/ -o list
         curl -sS -P - --disable-eprt --user u:pw ftp://127.0.0.1:$P/big -o x
         cmp x ../seed/big",
    ),
    (
        "curl",
        "TLS",
        "curl -sS --ssl-reqd --cacert $CA --user u:pw ftp://localhost:$P/big -o x
         cmp x ../seed/big
         curl -sS --ssl-reqd --cacert $CA --user u:pw -T x ftp://localhost:$P/up",
    ),
    (
        "curl",
        "resumes both ways",
        "head -c 1000 ../seed/big > x
         curl -sS --user u:pw -C - ftp://127.0.0.1:$P/big -o x
         cmp x ../seed/big
         curl -sS --user u:pw -T ../seed/half ftp://127.0.0.1:$P/up
         curl -sS --user u:pw -C - -T ../seed/big ftp://127.0.0.1:$P/up",
    ),
    (
        "curl",
        "a part of a file",
        "curl -sS --user u:pw -r 100-199 ftp://127.0.0.1:$P/big -o x
         [ $(wc -c < x) = 100 ]",
    ),
    (
        "lftp",
        "mirrors with parallel sessions",
        "lftp --norc -c \"set ftp:ssl-allow no; open -u u,pw -p $P 127.0.0.1
            mirror --parallel=2 . m; mirror -R m n\"
         cmp m/big ../seed/big",
    ),
    (
        "lftp",
        "mirrors over TLS",
        "lftp --norc -c \"set ssl:ca-file $CA; set ftp:ssl-force yes
            open -u u,pw -p $P localhost; mirror . m; mirror -R m n\"
         cmp m/big ../seed/big",
    ),
    (
        "wget",
        "follows directories",
        "wget -q --user=u --password=pw -r -nH ftp://127.0.0.1:$P/
         cmp big ../seed/big",
    ),
    (
        "ncftpget",
        "and its relatives",
        "ncftpget -V -u u -p pw -P $P 127.0.0.1 . big
         cmp big ../seed/big
         ncftpput -V -u u -p pw -P $P 127.0.0.1 . big
         ncftpls -l -u u -p pw -P $P ftp://127.0.0.1/",
    ),
    (
        "tnftp",
        "interactive",
        "printf 'open 127.0.0.1 %s\\nuser u pw\\nbinary\\nget big\\nput big c\\nls\\nquit\\n' $P |
            tnftp -n -i -v -g -p
         cmp big ../seed/big",
    ),
    (
        "python3",
        "ftplib",
        "python3 -c \"
import ftplib, io
f = ftplib.FTP(); f.connect('127.0.0.1', $P); f.login('u', 'pw')
f.nlst(); f.retrbinary('RETR big', len, rest=1000)
f.storbinary('STOR r', io.BytesIO(b'abcdef')); f.storbinary('STOR r', io.BytesIO(b'XYZ'), rest=3)
f.size('r'); f.rename('r', 's'); f.delete('s'); f.quit()\"",
    ),
    (
        "python3",
        "aborts a transfer",
        "python3 -c \"
import ftplib
f = ftplib.FTP(); f.connect('127.0.0.1', $P); f.login('u', 'pw'); f.voidcmd('TYPE I')
s = f.transfercmd('RETR big'); s.recv(1000)
f.abort(); f.voidresp(); s.close()
f.nlst(); f.quit()\"",
    ),
];

/// Records, replays against a new server, and as server.
const RUN: &str = r#"
    field() { sed "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/" "$2"; }
    start() {
        name=$1; shift; rm -f $name.ready
        "$FTPSPEC" "$@" > $name.ready 2> $name.err &
        eval "$name=$!"; started="$started $!"
        until [ -s $name.ready ]; do kill -0 $!; done
    }
    client() {
        P=$(field port $1.ready); CA=$(field ca $1.ready); export P CA
        mkdir $1; (cd $1; eval "set -ex; $CLIENT") > $1.out 2>&1 || { cat $1.out; exit 1; }
    }
    started=
    trap 'kill $started 2>/dev/null || true; wait' EXIT
    start server serve --user u:pw --seed seed
    start recorder record --upstream ftp://127.0.0.1:$(field port server.ready) --insecure \
        --out s.jsonl --format json
    client recorder
    kill -INT $recorder; wait $recorder
    kill -INT $server; wait $server || true
    files=$(ls s*.jsonl | sort -t- -k2n)
    start server serve --user u:pw --seed seed
    "$FTPSPEC" replay $files --against ftp://u:pw@127.0.0.1:$(field port server.ready)
    start replay replay $files --as-server --format json
    client replay
    wait $replay || { cat replay.ready replay.err; exit 1; }
"#;

/// Commands with `sh`, in a new folder with files to serve.
fn run(script: &str, environment: &[(&str, &str)]) -> Result<(), Failed> {
    let folder = tempfile::tempdir().unwrap();
    let big: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    std::fs::create_dir_all(folder.path().join("seed/sub")).unwrap();
    std::fs::write(folder.path().join("seed/big"), &big).unwrap();
    std::fs::write(folder.path().join("seed/half"), &big[..600_000]).unwrap();
    std::fs::write(folder.path().join("seed/sub/small"), "a\r\nb\r\n").unwrap();
    std::fs::write(folder.path().join("seed/file.txt"), "a file\n").unwrap();
    let folders = std::env::var("PATH").unwrap_or_default();
    let bin = Path::new(FTPSPEC).parent().unwrap().display();
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new("sh")
        .args(["-e", "-c", script])
        .current_dir(folder.path())
        .env("FTPSPEC", FTPSPEC)
        .env("PATH", format!("{bin}:{folders}"))
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    match status.success() {
        true => Ok(()),
        false => Err(format!(
            "{status}\n{}{}",
            String::from_utf8_lossy(&stdout),
            String::from_utf8_lossy(&stderr)
        )
        .into()),
    }
}

/// The commands of the page, one after another, with a server of ours in place of the one it names.
fn documented() -> Result<(), Failed> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/recordings.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks: Vec<&str> = page
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(blocks.len() >= 4, "{blocks:?}");
    let commands = blocks
        .concat()
        .replace("ftp.example.org", "127.0.0.1:$port");
    let served = r#"
        "$FTPSPEC" serve --user user:password --seed seed > served.json 2>&1 &
        served=$!; recorder=; server=
        trap 'kill $served $recorder $server 2>/dev/null || true; wait' EXIT
        until [ -s served.json ]; do kill -0 $served; done
        port=$(sed 's/.*"port":\([0-9]*\).*/\1/' served.json)
    "#;
    // An address in single quotes would not be replaced.
    assert!(!commands.contains("'ftp://127"), "{commands}");
    run(&format!("{served}\n{commands}"), &[])
}

fn is_there(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder: PathBuf| folder.join(program).is_file())
}

fn main() {
    let clients = CLIENTS.iter().map(|(program, what, commands)| {
        let there = cfg!(unix) && is_there(program);
        let reason = if there {
            ""
        } else {
            " (ignored: not installed)"
        };
        let name = format!("{program} {what}{reason}");
        Trial::test(name, || run(RUN, &[("CLIENT", commands)])).with_ignored_flag(!there)
    });
    let there = cfg!(unix) && is_there("curl");
    let page = Trial::test("the commands of docs/recordings.md", documented);
    let trials = clients.chain([page.with_ignored_flag(!there)]).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit()
}
