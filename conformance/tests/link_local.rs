//! The server and the tester at a link-local address, which means a host only in its zone (RFC
//! 4007), in a network namespace of their own. Where the machine has none, the test is ignored and
//! says why.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::{Command, Output};

/// Makes an interface with the address fe80::1.
const NETWORK: &str = "
    set -e
    ip link set lo up
    ip link add name zone0 type bridge
    ip addr add fe80::1/64 dev zone0 nodad
    ip link set zone0 up
";

/// Serves there, and plays EPSV and EPRT: at the URL of the ready line, with the name of the zone,
/// and with --address.
const PLAY: &str = r#"
    "$FTPSPEC" serve --tls off --user test:secret --bind fe80::1%zone0 \
        >"$TMPDIR/ready" 2>/dev/null &
    server=$!
    # A server that is left behind would keep the namespace.
    trap 'kill $server; wait $server' EXIT
    until grep -q '}' "$TMPDIR/ready"; do kill -0 $server; done
    cat "$TMPDIR/ready"
    url=$(sed 's/.*"url":"\([^"]*\)".*/\1/' "$TMPDIR/ready")
    port=$(sed 's/.*"port":\([0-9]*\).*/\1/' "$TMPDIR/ready")
    play() {
        "$FTPSPEC" check "$@" --select rfc2428/epsv-transfer --select 'rfc2428/eprt-*load' \
            --select rfc959/retr-whole-file
    }
    play "$url"
    play "ftp://test:secret@[fe80::1%25zone0]:$port"
    play "ftp://test:secret@server.example:$port" --address fe80::1%zone0
"#;

/// In a network namespace; without being root, in a user namespace, too.
fn in_a_namespace(script: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let run = |how: &str| {
        Command::new("unshare")
            .args([how, "sh", "-c", script])
            .env("FTPSPEC", env!("CARGO_BIN_EXE_ftpspec"))
            .env("TMPDIR", directory.path())
            .output()
    };
    let failed = |error: std::io::Error| Output {
        status: Default::default(),
        stdout: Vec::new(),
        stderr: format!("unshare: {error}").into_bytes(),
    };
    match run("-n") {
        Ok(output) if output.status.success() => output,
        Ok(_) => run("-rn").unwrap_or_else(failed),
        Err(error) => failed(error),
    }
}

fn everything_works_in_a_zone() -> Result<(), Failed> {
    let output = in_a_namespace(&[NETWORK, PLAY].concat());
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{said}\n{errors}").into());
    }
    assert!(said.contains(r#""host":"fe80::1%"#), "{said}");
    assert_eq!(said.matches("As expected").count(), 3, "{said}");
    Ok(())
}

fn main() {
    let arguments = Arguments::from_args();
    let network = in_a_namespace(&[NETWORK, "echo made"].concat());
    let name = "a_link_local_address_with_its_zone_works_everywhere";
    let trial = if network.stdout == b"made\n" {
        Trial::test(name, everything_works_in_a_zone)
    } else {
        let why = String::from_utf8_lossy(&network.stderr);
        let why = why.lines().next().unwrap_or("unshare failed").to_owned();
        let name = format!("{name} (ignored: no network namespace with an interface: {why})");
        Trial::test(name, || Ok(())).with_ignored_flag(true)
    };
    libtest_mimic::run(&arguments, vec![trial]).exit()
}
