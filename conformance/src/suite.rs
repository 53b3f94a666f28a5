//! The scenarios, as they travel inside the binary or lie in a directory.
