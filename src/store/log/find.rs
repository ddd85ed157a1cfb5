//! Reads one commit from its position in the log, for history.

use std::path::Path;

use super::super::codec::fact;
use super::line::{self, LineFault};
use super::reader::{LogError, LogReader};
use super::segment::{HashChain, LogPosition};
use crate::domain::fact::Commit;

/// Returns the commit with this number. Its line is searched for from the position `from` on.
///
/// # Errors
/// When the commit is not found from there on, or its line is not what was written.
pub fn find_commit(dir: &Path, from: LogPosition, seq: u64) -> Result<Commit, LogError> {
    let mut reader = LogReader::open_at(dir, from.segment, from, HashChain::START)?;
    loop {
        if !reader.read_line()? {
            let expected = seq;
            let found = 0;
            return Err(reader.damage_error(LineFault::WrongNumber { expected, found }));
        }
        let text = &reader.buffer[..reader.buffer.len() - 1];
        if line::peek_seq(text) != Some(seq) {
            reader.advance();
            continue;
        }
        let commit = line::unseal(text).and_then(|sealed| {
            let entry = sealed.parse_entry()?;
            let facts =
                fact::read_format(entry.format, entry.facts).map_err(LineFault::InvalidRecord)?;
            Ok(Commit {
                seq,
                at: entry.at,
                facts,
            })
        });
        return commit.map_err(|fault| reader.damage_error(fault));
    }
}
