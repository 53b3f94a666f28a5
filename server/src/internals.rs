//! Internals that the tests, the fuzz targets and the conformance runner use. They change without
//! notice and are not part of the interface.

/// The parts of the data transfer process.
pub mod dtp {
    pub use crate::dtp::*;
}

/// Faults in any stream of octets.
pub mod fault_stream {
    pub use crate::fault_stream::*;
}

/// Certificates that no client should accept, for a proxy with a fault plan.
pub use crate::net::bad_certificate;

/// The entry points of fuzz targets.
pub mod fuzzing {
    pub use crate::fuzzing::*;
}

/// The decisions of the protocol interpreter.
pub mod pi {
    pub use crate::pi::*;
}

/// The grammar of the control connection.
pub mod wire {
    pub use crate::wire::*;
}
