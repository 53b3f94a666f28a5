//! Who speaks to the server.
