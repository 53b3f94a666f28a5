#!/usr/bin/env bash
# Other people's FTP servers, run natively on a loopback port for the suite. Nothing is installed on the system.
#
#   ci/peers.sh install                    fetches vsftpd, proftpd, pure-ftpd (Debian) and pyftpdlib (PyPI) into $FTPSPEC_PEERS
#   ci/peers.sh serve NAME PORT            runs one in the foreground: vsftpd | proftpd | pure-ftpd | pyftpdlib
#   ci/peers.sh check NAME [ARGUMENT…]     runs one on a free port and `ftpspec check` against it
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
peers=${FTPSPEC_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/ftpspec-peers}
user=ftpspec password=ftpspec

install() {
  mkdir -p "$peers"/{debs,root}
  (
    cd "$peers/debs"
    apt-get update -qq
    # The daemons conflict as packages, so they are unpacked side by side, with the libraries only they need.
    apt-get download -qq vsftpd proftpd-core proftpd-mod-crypto pure-ftpd pure-ftpd-common libhashkit2 libhiredis0.14 libmemcached11 \
      libmemcachedutil2 libpcre2-posix3 libsodium23 libwrap0
    for deb in *.deb; do dpkg -x "$deb" "$peers/root/"; done
  )
  [ -x "$peers/venv/bin/python" ] || python3 -m venv "$peers/venv"
  "$peers/venv/bin/pip" install -q 'pyftpdlib==2.2.0' pyopenssl
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
      # Anonymous with every write allowed, as a user that exists everywhere and has a home: needs no account on this
      # machine. Its root must not be writable, a directory in it may. URL: ftp://anonymous:x@127.0.0.1:PORT/files
      cat > "$scratch/conf" <<CONF
listen=NO
listen_ipv6=YES
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
      exec "$peers/root/usr/sbin/vsftpd" "$scratch/conf" ;;
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
TLSOptions NoSessionReuseRequired
TLSRenegotiate none
CONF
      exec "$peers/root/usr/sbin/proftpd" -n -q -c "$scratch/conf" ;;
    pure-ftpd)
      printf '%s\n%s\n' "$password" "$password" |
        "$peers/root/usr/bin/pure-pw" useradd "$user" -f "$scratch/db" -u 65534 -g 65534 -d "$scratch/root/files" > /dev/null
      # The hash pure-pw makes is dear on purpose; every scenario logs in twice.
      sed -i "s|^$user:[^:]*|$user:$(openssl passwd -1 "$password")|" "$scratch/db"
      "$peers/root/usr/bin/pure-pw" mkdb "$scratch/db.pdb" -f "$scratch/db"
      chown 65534:65534 "$scratch/root/files"
      exec "$peers/root/usr/sbin/pure-ftpd" -S "127.0.0.1,$port" -l "puredb:$scratch/db.pdb" -E -H -u 1 -c 50 -C 50 -Y 1 \
        -2 "$peers/both.pem" -f none -g "$scratch/pid" ;;
    pyftpdlib)
      exec "$peers/venv/bin/python" - "$port" "$scratch/root/files" "$user" "$password" "$peers/both.pem" <<'PYTHON'
import sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.servers import FTPServer

port, root, user, password, pem = sys.argv[1:]
handler = TLS_FTPHandler
handler.authorizer = DummyAuthorizer()
handler.authorizer.add_user(user, password, root, perm="elradfmwMT")
handler.certfile = pem
FTPServer(("127.0.0.1", int(port)), handler).serve_forever()
PYTHON
      ;;
    *) echo "peers: no peer is called $name" >&2; exit 2 ;;
  esac
}

check() {
  local name=$1; shift
  local port login="$user:$password" path=
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  [ "$name" = vsftpd ] && login=anonymous:x path=/files
  setsid "$0" serve "$name" "$port" &
  peer=$!
  trap 'kill -- -$peer 2>/dev/null || true' EXIT
  # Ready is when it greets.
  python3 - "$port" <<'PYTHON'
import socket, sys, time
for _ in range(100):
    try:
        with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1) as s:
            if s.recv(3) == b"220": sys.exit(0)
    except OSError: pass
    time.sleep(0.1)
sys.exit("peers: no greeting within ten seconds")
PYTHON
  "${FTPSPEC:-$repository/target/release/ftpspec}" check "ftp://$login@127.0.0.1:$port$path" "$@"
}

command=${1:-}; shift || true
case $command in
  install) install ;;
  serve) serve "$@" ;;
  check) check "$@" ;;
  *) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
