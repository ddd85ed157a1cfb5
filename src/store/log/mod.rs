//! The idempotency log: what was written down, in order, for ever.
//!
//! A log is a directory of segments `00000001.jsonl`, `00000002.jsonl`, … without gaps. A segment
//! is a header line and one line a commit. Every line ends with its own hash and names the hash of
//! the line before it (of the header, for the first commit; of the last commit of the segment
//! before, for a header), so that nothing can be changed, left out or moved without being seen.
//!
//! `line` is the exact form of one line, `segment` the files, `walk` reads and checks, `torn` tells a
//! crash from damage, `find` reads one commit, `append` writes. A commit counts when its line is whole, newline included: a torn last line is no commit.

pub mod append;
pub mod find;
pub mod line;
pub mod reader;
pub mod segment;
pub mod torn_line;
