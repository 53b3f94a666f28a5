//! What the RFCs say, as data: the requirement catalogue and the registry of commands.
