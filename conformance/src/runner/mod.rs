//! Plays scenarios; never judges.
