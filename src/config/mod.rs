//! The configuration: TOML types, parsing, and the check that reports all findings at once.
