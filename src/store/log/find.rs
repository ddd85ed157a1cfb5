//! Reads commits from their position in the log, for history and for readers of all commits.

use std::ops::RangeInclusive;
use std::path::Path;

use super::super::codec::fact;
use super::line::{self, LineFault};
use super::reader::{LogError, LogReader};
use super::segment::{self, HashChain, LogPosition};
use crate::domain::fact::Commit;

/// Returns the commit with this number. Its line is searched for from the position `from` on.
///
/// # Errors
/// When the commit is not found from there on, or its line is not what was written.
pub fn find_commit(dir: &Path, from: LogPosition, seq: u64) -> Result<Commit, LogError> {
    let mut commits = read_commits(dir, from, seq..=seq)?;
    Ok(commits.pop().expect("one commit was read"))
}

/// Returns the commits with these numbers. Their lines are searched for from the position `from` on,
/// also in later segments.
///
/// # Errors
/// When a commit is not found from there on, or its line is not what was written.
pub fn read_commits(
    dir: &Path,
    from: LogPosition,
    seqs: RangeInclusive<u64>,
) -> Result<Vec<Commit>, LogError> {
    let last = segment::count(dir)?;
    let mut reader = LogReader::open_at(dir, last, from, HashChain::START)?;
    let mut commits = Vec::new();
    for seq in seqs {
        loop {
            if !reader.read_line()? {
                let current = reader.end().position.segment;
                if current < last {
                    let next = LogPosition {
                        segment: current + 1,
                        offset: 0,
                    };
                    reader = LogReader::open_at(dir, last, next, HashChain::START)?;
                    continue;
                }
                let expected = seq;
                let found = 0;
                return Err(reader.damage_error(LineFault::WrongNumber { expected, found }));
            }
            let text = &reader.buffer[..reader.buffer.len() - 1];
            let commit = (line::peek_seq(text) == Some(seq)).then(|| parse_commit(seq, text));
            match commit {
                None => reader.advance(),
                Some(Err(fault)) => return Err(reader.damage_error(fault)),
                Some(Ok(commit)) => {
                    commits.push(commit);
                    reader.advance();
                    break;
                }
            }
        }
    }
    Ok(commits)
}

fn parse_commit(seq: u64, text: &[u8]) -> Result<Commit, LineFault> {
    let sealed = line::unseal(text)?;
    let entry = sealed.parse_entry()?;
    let facts = fact::read_format(entry.format, entry.facts).map_err(LineFault::InvalidRecord)?;
    Ok(Commit {
        seq,
        at: entry.at,
        facts,
    })
}
