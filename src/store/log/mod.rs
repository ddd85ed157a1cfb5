//! The idempotency log: all commits, in order, forever.
//!
//! A log is a directory of segments `00000001.jsonl`, `00000002.jsonl`, … without gaps. A segment
//! is a header line followed by one line per commit. Every line ends with its own hash and holds
//! the hash of the line before it (for the first commit, of the header; for a header, of the last
//! commit of the previous segment), so that every change, omission or move is detected.
//!
//! `line` is the exact form of one line, `segment` manages the files, `reader` reads and checks
//! lines, `torn_line` tells a crash from damage, `find` reads one commit, and `append` writes. A
//! commit counts when its line is whole, including the newline: a torn last line is no commit.

pub mod append;
pub mod commit_reader;
pub mod find;
pub mod line;
pub mod reader;
pub mod segment;
pub mod torn_line;
