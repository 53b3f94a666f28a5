//! Where the server under test comes from.
