//! Judges: they see transcripts, never sockets.
