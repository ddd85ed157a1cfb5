//! One commit read from its place in the log, for history.

use std::path::Path;

use super::super::record::fact;
use super::line::{self, Fault};
use super::segment::{Chain, Place};
use super::walk::{LogError, Walk};
use crate::domain::fact::Commit;

/// The commit, whose line is looked for from `from` on.
///
/// # Errors
/// When it is not found from there on, or is not what was written.
pub fn find(dir: &Path, from: Place, seq: u64) -> Result<Commit, LogError> {
    let mut walk = Walk::at(dir, from.segment, from, Chain::START)?;
    loop {
        if !walk.read_line()? {
            let expected = seq;
            let found = 0;
            return Err(walk.damaged(Fault::Number { expected, found }));
        }
        let text = &walk.buffer[..walk.buffer.len() - 1];
        if line::peek_seq(text) != Some(seq) {
            walk.step();
            continue;
        }
        let commit = line::unseal(text).and_then(|sealed| {
            let entry = sealed.entry()?;
            let facts = fact::read_format(entry.format, entry.facts).map_err(Fault::Record)?;
            Ok(Commit {
                seq,
                at: entry.at,
                facts,
            })
        });
        return commit.map_err(|fault| walk.damaged(fault));
    }
}
