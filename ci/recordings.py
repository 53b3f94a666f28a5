#!/usr/bin/env python3
"""Records sessions of real clients in front of real servers, and replays them in both ways.

    ci/recordings.py [--server NAME]... [--client NAME]... [--keep DIR]

For each server and session: the client works with a fresh server, and through `ftpspec record` with
another one; exit codes and files have to be equal. The recording is judged, `ftpspec replay
--against` plays it with a third server, and the client works once more with `ftpspec replay
--as-server`. Prints a table; exits with 1 if a step failed.

$FTPSPEC is the binary (default: target/release/ftpspec). `ci/peers.sh install` fetches the servers.
Sessions of clients that are not installed are shown as skipped.
"""

import argparse
import contextlib
import ftplib
import io
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FTPSPEC = os.environ.get("FTPSPEC", str(ROOT / "target/release/ftpspec"))
PEERS = pathlib.Path(os.environ.get("FTPSPEC_PEERS", pathlib.Path.home() / ".cache/ftpspec-peers"))
SERVERS = ["ftpspec", "vsftpd", "pure-ftpd", "proftpd", "pyftpdlib"]
# Seconds that a step of a session may take.
LIMIT = 60
# The files on each server, and those of the client before a session.
REMOTE = {
    "numbers.bin": bytes(range(256)) * 300,
    "text.txt": b"one\ntwo\nthree\n",
    "empty": b"",
    "tree/a": b"a" * 10,
    "tree/b": b"b" * 5000,
    "tree/deep/c": b"c" * 70000,
}
LOCAL = {
    "up.bin": bytes(range(256)) * 400,
    "part.bin": REMOTE["numbers.bin"][:1000],
    "local/x": b"x" * 3,
    "local/y": b"y" * 66000,
    "local/z/w": b"w",
}

LFTP = "set ssl:ca-file {ca}; set ftp:sync-mode on; {options}open -u {user},{password} -p {port} {host}; cd {path}; "
CURL = ["curl", "-sS", "--max-time", "50", "--cacert", "{ca}"]
PYTHON = [sys.executable, str(ROOT / "ci/recordings/ftplib_session.py")]
JAVA = ["java", "-cp", "/usr/share/java/commons-net.jar", str(ROOT / "ci/recordings/CommonsNet.java")]


def lftp(commands, options=""):
    return ["lftp", "-c", LFTP.replace("{options}", options) + commands]


# Session: the client, and its commands one after the other.
SESSIONS = {
    "download": ("curl", [CURL + ["-o", "got", "{url}/numbers.bin"]]),
    "download PASV": ("curl", [CURL + ["--disable-epsv", "-o", "got", "{url}/numbers.bin"]]),
    "download PORT": ("curl", [CURL + ["-P", "-", "--disable-eprt", "-o", "got", "{url}/numbers.bin"]]),
    "download EPRT": ("curl", [CURL + ["-P", "-", "-o", "got", "{url}/numbers.bin"]]),
    "download TLS": ("curl", [CURL + ["--ssl-reqd", "-o", "got", "{url}/numbers.bin"]]),
    "download IPv6": ("curl", [CURL + ["-o", "got", "{url6}/numbers.bin"]]),
    "several files": ("curl", [CURL + ["-O", "{url}/numbers.bin", "-O", "{url}/text.txt", "-O", "{url}/empty"]]),
    "resumed download": ("curl", [CURL + ["-C", "-", "-o", "part.bin", "{url}/numbers.bin"]]),
    "upload": ("curl", [CURL + ["-T", "up.bin", "{url}/new.bin"]]),
    "upload TLS": ("curl", [CURL + ["--ssl-reqd", "-T", "up.bin", "{url}/new.bin"]]),
    "resumed upload": ("curl", [CURL + ["-C", "-", "-T", "up.bin", "{url}/text.txt"]]),
    "listing": ("curl", [CURL + ["{url}/"]]),
    "missing file": ("curl", [CURL + ["-o", "got", "{url}/absent"]]),
    "text": ("curl", [CURL + ["-B", "-o", "got", "{url}/text.txt"]]),
    "get and put": ("lftp", [lftp("get numbers.bin; put up.bin; ls; rm up.bin")]),
    "TLS": ("lftp", [lftp("get numbers.bin; put up.bin", "set ftp:ssl-force true; set ftp:ssl-protect-data true; ")]),
    "active": ("lftp", [lftp("get numbers.bin; put up.bin", "set ftp:passive-mode false; ")]),
    "mirror": ("lftp", [lftp("mirror tree got; mirror -R local new")]),
    "parallel mirror": ("lftp", [lftp("mirror --parallel=3 tree got")]),
    "continued": ("lftp", [lftp("get -c numbers.bin -o part.bin; put -c up.bin -o text.txt")]),
    "download ": ("wget", [["wget", "-q", "-t", "1", "-O", "got", "{wget}/numbers.bin"]]),
    "active ": ("wget", [["wget", "-q", "-t", "1", "--no-passive-ftp", "-O", "got", "{wget}/numbers.bin"]]),
    "tree": ("wget", [["wget", "-q", "-t", "1", "-r", "-nH", "{wget}/tree/"]]),
    "continued ": ("wget", [["wget", "-q", "-t", "1", "-c", "-O", "part.bin", "{wget}/numbers.bin"]]),
    "get": ("ncftpget", [["ncftpget", "-V", "-u", "{user}", "-p", "{password}", "-P", "{port}", "{host}", ".", "{path}/numbers.bin"]]),
    "put": ("ncftpput", [["ncftpput", "-V", "-u", "{user}", "-p", "{password}", "-P", "{port}", "{host}", "{path}", "up.bin"]]),
    **{
        f"ftplib {what}": ("python3", [PYTHON + [what, "{host}", "{port}", "{user}", "{password}", "{path}", "{ca}"]])
        for what in ("plain", "active", "tls", "abort", "resume", "rename", "mlsd")
    },
    **{
        f"commons-net {what}": ("java", [JAVA + [what, "{host}", "{port}", "{user}", "{password}", "{path}"]])
        for what in ("passive", "active", "resume", "epsv")
    },
}


class StepError(Exception):
    """A step of a session failed."""


class Server:
    """A server in a process group of its own, with the files of REMOTE."""

    def __init__(self, name):
        self.path = "/files" if name == "vsftpd" else ""
        if name == "ftpspec":
            self.user, self.password = "u", "secret-1"
            serve = [FTPSPEC, "serve", "--quiet", "--user", f"{self.user}:{self.password}"]
            self.process = started(serve, stdout=subprocess.PIPE)
            ready = json.loads(self.process.stdout.readline())
            self.port, self.ca = ready["port"], ready["ca"]
        else:
            anonymous = name == "vsftpd"
            self.user, self.password = ("anonymous", "x") if anonymous else ("ftpspec", "ftpspec")
            self.port, self.ca = free_port(), str(PEERS / "cert.pem")
            self.process = started([str(ROOT / "ci/peers.sh"), "serve", name, str(self.port)])
        # The servers of peers.sh are two processes, one for each address family.
        if has_ipv6():
            self.connection("::1").close()
        self.fill()

    def fill(self):
        with contextlib.closing(self.connection("127.0.0.1")) as ftp:
            ftp.login(self.user, self.password)
            ftp.cwd(self.path or "/")
            for folder in ("tree", "tree/deep"):
                ftp.mkd(folder)
            for name, octets in REMOTE.items():
                ftp.storbinary(f"STOR {name}", io.BytesIO(octets))
            ftp.quit()

    def connection(self, address):
        for _ in range(100):
            ftp = ftplib.FTP(timeout=LIMIT)
            try:
                ftp.connect(address, self.port)
                return ftp
            except (OSError, EOFError):
                time.sleep(0.1)
        raise StepError("the server does not greet")

    def url(self, port=None, credentials=True):
        login = f"{self.user}:{self.password}@" if credentials else ""
        return f"ftp://{login}127.0.0.1:{port or self.port}"

    def stop(self):
        end(self.process)


class Tool:
    """A command of ftpspec that serves, and prints a JSON line when it is ready."""

    def __init__(self, *arguments):
        self.process = started([FTPSPEC, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = self.process.stdout.readline()
        if not line.startswith("{"):
            raise StepError(line + self.process.stderr.read())
        self.ready = json.loads(line)

    def finish(self, ends_alone=False):
        """Asks it to stop, unless it ends alone; an exit code other than 0 is an error."""
        output = ""
        if ends_alone:
            with contextlib.suppress(subprocess.TimeoutExpired):
                output = "".join(self.process.communicate(timeout=5))
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            output = "".join(self.process.communicate(timeout=LIMIT))
        if self.process.returncode != 0:
            raise StepError(output)


def started(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, text=True, start_new_session=True
    )


def end(process):
    """Ends a process that was started here, with its process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait(LIMIT)


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_client(session, server, ready, folder):
    """Runs the commands of a session; returns their exit codes and the files afterwards."""
    for name, octets in LOCAL.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(octets)
    port, login = ready["port"], f"{server.user}:{server.password}@"
    values = {
        "host": "127.0.0.1",
        "port": str(port),
        "user": server.user,
        "password": server.password,
        "path": server.path or "/",
        "ca": ready.get("ca") or "",
        "url": f"ftp://{login}127.0.0.1:{port}{server.path}",
        "url6": f"ftp://{login}[::1]:{port}{server.path}",
        "wget": f"ftp://{login}127.0.0.1:{port}{server.path}",
    }
    codes = []
    for command in SESSIONS[session][1]:
        filled = [argument.format(**values) for argument in command]
        done = subprocess.run(
            filled, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT, check=False
        )
        codes.append(done.returncode)
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in LOCAL
    }
    return codes, files


def play(session, name, folder):
    """Yields each step of a session with its result; stops at the first that fails."""
    listen = "[::1]:0" if "IPv6" in session else "127.0.0.1:0"
    folder.mkdir(parents=True)
    out = folder / "session.jsonl"
    server = Server(name)
    try:
        direct = run_client(session, server, {"port": server.port, "ca": server.ca}, fresh(folder / "direct"))
    finally:
        server.stop()
    yield "direct"
    server = Server(name)
    try:
        # The server's certificate is its own: what is tested is the session.
        upstream = ["--upstream", server.url(credentials=False), "--insecure", "--format", "json"]
        recorder = Tool("record", *upstream, "--listen", listen, "--out", str(out))
        try:
            expected = run_client(session, server, recorder.ready, fresh(folder / "recorded"))
            recorder.finish()
        finally:
            end(recorder.process)
    finally:
        server.stop()
    files = sorted(folder.glob("session*.jsonl"))
    if not files:
        raise StepError("nothing was recorded")
    compare(expected, direct)
    yield "record"
    # Deviations of a server are not the recorder's: only that the file can be read counts here.
    judged = ftpspec("judge", *files)
    if judged.returncode not in (0, 1):
        raise StepError(judged.stdout + judged.stderr)
    yield "judge"
    server = Server(name)
    try:
        replayed = ftpspec("replay", *files, "--against", server.url())
        if replayed.returncode != 0:
            raise StepError(replayed.stdout + replayed.stderr)
    finally:
        server.stop()
    yield "against"
    double = Tool("replay", *map(str, files), "--as-server", "--listen", listen, "--format", "json")
    try:
        found = run_client(session, server, double.ready, fresh(folder / "replayed"))
        compare(found, expected)
        double.finish(ends_alone=True)
    finally:
        end(double.process)
    yield "as server"


def compare(found, expected):
    """Compares the exit codes and files of two runs of a client."""
    if found[0] != expected[0]:
        raise StepError(f"the client exits with {found[0]} instead of {expected[0]}")
    for name in sorted(found[1].keys() | expected[1].keys()):
        if found[1].get(name) != expected[1].get(name):
            raise StepError(f"the client's file {name} differs")


def ftpspec(*arguments):
    return subprocess.run(
        [FTPSPEC, *map(str, arguments)], capture_output=True, text=True, timeout=LIMIT, check=False
    )


def fresh(folder):
    folder.mkdir()
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", action="append", choices=SERVERS, metavar="NAME")
    parser.add_argument("--client", action="append", metavar="NAME", help="sessions of this client only")
    parser.add_argument("--keep", type=pathlib.Path, metavar="DIR", help="keeps recordings and files here")
    options = parser.parse_args()
    keep = options.keep or pathlib.Path(tempfile.mkdtemp())
    failed = 0
    for name in options.server or SERVERS:
        for number, (session, (client, _)) in enumerate(SESSIONS.items()):
            if options.client and client not in options.client:
                continue
            label = f"{name:10} {client:9} {session.strip():22}"
            if not shutil.which(client):
                print(f"{label} skipped: {client} is not installed", flush=True)
                continue
            if "IPv6" in session and not has_ipv6():
                print(f"{label} skipped: there is no IPv6 here", flush=True)
                continue
            steps, problem = [], ""
            try:
                for step in play(session, name, keep / name / f"{number:02}"):
                    steps.append(step)
            except (StepError, subprocess.TimeoutExpired, ftplib.Error, OSError) as error:
                problem = str(error).strip()
                failed += 1
            print(f"{label} {'ok' if not problem else 'FAILED after ' + (', '.join(steps) or 'nothing')}", flush=True)
            for line in problem.splitlines()[:20]:
                print(f"    {line}", flush=True)
    if not options.keep:
        shutil.rmtree(keep)
    print(f"{failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
