//! Listening sockets that systemd passes to the process (sd_listen_fds(3)).

use listenfd::ListenFd;
use std::io;
use std::net::TcpListener;

/// Takes the listening sockets that were passed, in the order of the unit.
///
/// # Errors
/// None was passed, or one is not a listening TCP socket.
pub(super) fn listeners() -> io::Result<Vec<TcpListener>> {
    let mut passed = ListenFd::from_env();
    let number = passed.len();
    if number == 0 {
        return Err(io::Error::other(
            "--systemd: no socket was passed: LISTEN_FDS is not set, or LISTEN_PID is another \
             process. A socket unit of systemd, or `systemd-socket-activate`, sets both",
        ));
    }
    let mut take = |index| {
        let taken = passed.take_tcp_listener(index);
        let taken = taken.map_err(|error| io::Error::other(format!("--systemd: {error}")))?;
        let listener = taken.ok_or(io::ErrorKind::AddrNotAvailable)?;
        // `accept` fails on any other socket. A connection that was reset has no peer, so the kernel
        // is asked about listening; where it cannot be, there is no systemd.
        #[cfg(target_os = "linux")]
        if !socket2::SockRef::from(&listener).is_listener()? {
            return Err(io::Error::other(
                "--systemd: a socket does not listen: the socket unit needs Accept=no",
            ));
        }
        Ok(listener)
    };
    (0..number).map(&mut take).collect()
}
