//! Reports: they see verdicts and findings, and never parse a message.
