#!/usr/bin/env bash
# Runs well-known FTP servers on loopback ports (IPv4, IPv6, TLS) for the suite, without installing them on the system.
#
#   ci/peers.sh tools                      installs the programs this script needs, if they are missing
#   ci/peers.sh install [NAME…]            fetches the servers into $FTPSPEC_PEERS: Debian packages of this release, PyPI at fixed versions
#   ci/peers.sh serve NAME PORT            runs one in the foreground: vsftpd | proftpd | pure-ftpd | pyftpdlib | aioftp
#   ci/peers.sh check NAME [ARGUMENT…]     runs one on a free port, and `ftpspec check` against it
#   ci/peers.sh known NAME [ARGUMENT…]     the same with ci/baselines/NAME.toml: fails on new deviations and on stale entries
#
# vsftpd, proftpd and pure-ftpd change their user, so `serve` needs root.
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
peers=${FTPSPEC_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/ftpspec-peers}
user=ftpspec password=ftpspec

tools() {
  command -v openssl > /dev/null && command -v python3 > /dev/null && return
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends openssl python3 python3-venv
}

# Unpacks Debian packages and their own dependencies into one directory: installed as packages, the daemons conflict.
debian() {
  local deb
  mkdir -p "$peers/debs"
  (
    cd "$peers/debs"
    [ -n "${updated:-}" ] || apt-get update -qq
    apt-get download -qq "$@"
    for deb in *.deb; do dpkg -x "$deb" "$peers/root/"; done
  )
  updated=yes
}

pypi() {
  [ -x "$peers/venv/bin/python" ] || python3 -m venv "$peers/venv"
  "$peers/venv/bin/pip" install -q --disable-pip-version-check "$@"
}

install() {
  local name
  [ $# -gt 0 ] || set -- vsftpd proftpd pure-ftpd pyftpdlib aioftp
  mkdir -p "$peers/root"
  for name; do
    case $name in
      vsftpd) debian vsftpd libwrap0 ;;
      proftpd) debian proftpd-core proftpd-mod-crypto libhashkit2 libhiredis0.14 libmemcached11 libmemcachedutil2 libpcre2-posix3 libsodium23 ;;
      pure-ftpd) debian pure-ftpd pure-ftpd-common libsodium23 ;;
      pyftpdlib) pypi 'pyftpdlib==2.2.0' 'pyOpenSSL==26.4.0' ;;
      aioftp) pypi 'aioftp==0.28.3' ;;
      *) echo "peers: no peer is called $name" >&2; exit 2 ;;
    esac
  done
  [ -f "$peers/both.pem" ] || {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=localhost \
      -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1' -keyout "$peers/key.pem" -out "$peers/cert.pem" 2>/dev/null
    cat "$peers/key.pem" "$peers/cert.pem" > "$peers/both.pem"
    chmod 600 "$peers/key.pem" "$peers/both.pem"
  }
  echo "ready in $peers"
}

# The peer's files, fresh each time.
scratch() {
  scratch=$(mktemp -d)
  mkdir -p "$scratch/root/files" "$scratch/empty"
  chmod 755 "$scratch" "$scratch/root"
  chmod 777 "$scratch/root/files"
}

serve() {
  local name=$1 port=$2
  export LD_LIBRARY_PATH="$peers/root/usr/lib/x86_64-linux-gnu:$peers/root/lib/x86_64-linux-gnu"
  scratch
  case $name in
    vsftpd)
      # Anonymous login with write access, as a user that exists on every system: needs no account of its own. The root
      # must not be writable, a directory in it may be. URL: ftp://anonymous:x@127.0.0.1:PORT/files
      cat > "$scratch/common" <<CONF
background=NO
listen_port=$port
anonymous_enable=YES
local_enable=NO
write_enable=YES
anon_root=$scratch/root
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_world_readable_only=NO
anon_umask=022
ftp_username=daemon
nopriv_user=nobody
secure_chroot_dir=$scratch/empty
ascii_upload_enable=YES
ascii_download_enable=YES
ls_recurse_enable=NO
mdtm_write=YES
seccomp_sandbox=NO
isolate_network=NO
xferlog_enable=NO
ssl_enable=YES
allow_anon_ssl=YES
force_local_data_ssl=NO
force_local_logins_ssl=NO
require_ssl_reuse=NO
ssl_ciphers=HIGH
rsa_cert_file=$peers/cert.pem
rsa_private_key_file=$peers/key.pem
CONF
      # It listens at one address.
      (cat "$scratch/common"; printf '%s\n' listen=YES listen_address=127.0.0.1) > "$scratch/ipv4"
      (cat "$scratch/common"; printf '%s\n' listen=NO listen_ipv6=YES listen_address6=::1) > "$scratch/ipv6"
      both "$peers/root/usr/sbin/vsftpd" "$scratch/ipv4" -- "$peers/root/usr/sbin/vsftpd" "$scratch/ipv6" ;;
    proftpd)
      local hash
      hash=$(openssl passwd -1 "$password")
      echo "$user:$hash:65534:65534::$scratch/root/files:/bin/false" > "$scratch/passwd"
      echo "nogroup:x:65534:" > "$scratch/group"
      chmod 600 "$scratch/passwd" "$scratch/group"
      cat > "$scratch/conf" <<CONF
ModulePath $peers/root/usr/lib/proftpd
LoadModule mod_tls.c
ServerType standalone
ServerName peer
DefaultAddress 127.0.0.1 ::1
SocketBindTight on
Port $port
UseIPv6 on
UseReverseDNS off
User nobody
Group nogroup
Umask 022
AuthPAM off
AuthOrder mod_auth_file.c
AuthUserFile $scratch/passwd
AuthGroupFile $scratch/group
RequireValidShell off
AllowOverwrite on
AllowStoreRestart on
AllowRetrieveRestart on
DefaultRoot $scratch/root/files
MaxInstances none
TransferLog none
WtmpLog off
SystemLog none
ScoreboardFile $scratch/scoreboard
PidFile $scratch/pid
DelayEngine off
TLSEngine on
TLSRequired off
TLSLog none
TLSProtocol TLSv1.2 TLSv1.3
TLSECCertificateFile $peers/cert.pem
TLSECCertificateKeyFile $peers/key.pem
TLSCACertificateFile $peers/cert.pem
TLSOptions NoSessionReuseRequired
TLSRenegotiate none
CONF
      exec "$peers/root/usr/sbin/proftpd" -n -q -c "$scratch/conf" ;;
    pure-ftpd)
      printf '%s\n%s\n' "$password" "$password" |
        "$peers/root/usr/bin/pure-pw" useradd "$user" -f "$scratch/db" -u 65534 -g 65534 -d "$scratch/root/files" > /dev/null
      # The hash of pure-pw is slow by design, and every scenario logs in twice.
      sed -i "s|^$user:[^:]*|$user:$(openssl passwd -1 "$password")|" "$scratch/db"
      "$peers/root/usr/bin/pure-pw" mkdb "$scratch/db.pdb" -f "$scratch/db"
      chown 65534:65534 "$scratch/root/files"
      # It listens at one address.
      local common=(-l "puredb:$scratch/db.pdb" -E -H -u 1 -c 50 -C 50 -Y 1 -2 "$peers/both.pem" -f none)
      both "$peers/root/usr/sbin/pure-ftpd" -S "127.0.0.1,$port" -g "$scratch/pid4" "${common[@]}" -- \
        "$peers/root/usr/sbin/pure-ftpd" -S "::1,$port" -g "$scratch/pid6" "${common[@]}" ;;
    pyftpdlib)
      local server=("$peers/venv/bin/python" "$repository/ci/peers/pyftpdlib_server.py") rest=("$port" "$scratch/root/files" "$user" "$password" "$peers/both.pem")
      both "${server[@]}" 127.0.0.1 "${rest[@]}" -- "${server[@]}" ::1 "${rest[@]}" ;;
    aioftp)
      exec "$peers/venv/bin/python" "$repository/ci/peers/aioftp_server.py" "$port" "$scratch/root/files" "$user" "$password" ;;
    *) echo "peers: no peer is called $name" >&2; exit 2 ;;
  esac
}

# The addresses of this machine that a peer listens at.
addresses() {
  echo 127.0.0.1
  python3 -c 'import socket; socket.socket(socket.AF_INET6).bind(("::1", 0))' 2> /dev/null && echo ::1 || true
}

# Runs two commands, separated by --, until one of them ends. The second runs only on machines with IPv6.
both() {
  local first=()
  while [ "$1" != -- ]; do first+=("$1"); shift; done
  shift
  "${first[@]}" & running=$!
  if addresses | grep -q ::1; then
    "$@" & running="$running $!"
  fi
  trap 'kill $running 2> /dev/null || true' EXIT
  trap 'exit 143' TERM INT
  wait -n
}

# Prints a port that is free at all the addresses, and outside the range of ephemeral ports.
free_port() {
  python3 - "$@" <<'PYTHON'
import random, socket, sys
for _ in range(100):
    port, held = random.randrange(10000, 32768), []
    try:
        for address in sys.argv[1:]:
            held.append(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET))
            held[-1].bind((address, port))
    except OSError: continue
    print(port)
    sys.exit(0)
sys.exit("peers: no port is free at " + " and ".join(sys.argv[1:]))
PYTHON
}

# Waits until the server greets at all the addresses.
greets() {
  python3 - "$@" <<'PYTHON'
import socket, sys, time
port, *addresses = sys.argv[1:]
for _ in range(100):
    try:
        for address in addresses:
            with socket.create_connection((address, int(port)), 1) as s:
                if s.recv(3) != b"220": raise OSError(f"no greeting at {address}")
        sys.exit(0)
    except OSError as error: last = error
    time.sleep(0.1)
sys.exit(f"peers: no greeting within ten seconds: {last}")
PYTHON
}

check() {
  local name=$1; shift
  local port login="$user:$password" path= at address families=()
  at=$(addresses)
  port=$(free_port $at)
  [ "$name" = vsftpd ] && login=anonymous:x path=/files
  setsid "$0" serve "$name" "$port" > "$peers/$name.log" 2>&1 &
  peer=$!
  trap 'kill -- -$peer 2>/dev/null || true' EXIT
  greets "$port" $at || { echo "peers: $name said:" >&2; cat "$peers/$name.log" >&2; exit 1; }
  for address in $at; do families+=(--address "$address"); done
  "${FTPSPEC:-$repository/target/release/ftpspec}" check "ftp://$login@localhost:$port$path" "${families[@]}" "$@"
}

known() {
  local name=$1 baseline="$repository/ci/baselines/$1.toml"; shift
  [ -f "$baseline" ] || { echo "peers: there is no baseline of $name: $baseline" >&2; exit 2; }
  check "$name" --jobs 4 --baseline "$baseline" "$@"
}

# A function, so that bash reads the whole file before anything runs.
main() {
  local command=${1:-}
  shift || true
  case $command in
    tools) tools ;;
    install) install "$@" ;;
    serve) serve "$@" ;;
    check) check "$@" ;;
    known) known "$@" ;;
    *) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
  exit
}
main "$@"
