//! What is read from 227, 229 and 257: a port that can be listened on, a pathname that can be sent.

use ftpspec::internals::driver::{
    extended_passive_port, passive_address, port_argument, quoted_pathname,
};
use std::net::SocketAddr;

/// The octets are the text of such a reply.
pub fn address(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    if let Some((ip, port)) = passive_address(&text) {
        assert_ne!(port, 0);
        let argument = port_argument(SocketAddr::from((ip, port))).expect("it is IPv4");
        assert_eq!(passive_address(&format!("({argument})")), Some((ip, port)));
    }
    if let Some(port) = extended_passive_port(&text) {
        assert_ne!(port, 0);
        assert_eq!(extended_passive_port(&format!("(|||{port}|)")), Some(port));
    }
    if let Some(path) = quoted_pathname(&text) {
        assert!(
            !path.is_empty() && !path.contains(char::is_control),
            "{path:?}"
        );
        let again = format!("\"{}\"", path.replace('"', "\"\""));
        assert_eq!(quoted_pathname(&again), Some(path));
    }
}
