//! Splits values that are too long for one row: the rest is stored in rows of its own, the chunks.

use std::slice::Chunks;

use ::sled::transaction::{TransactionalTree, UnabortableTransactionError};

use super::keys::{self, Tree};
use super::rows::ProjectionRow;

/// The longest value in one row. sled keeps up to 16 rows in a page, and puts a page over 128 KiB
/// into a file of its own that it never syncs.
const MAX_VALUE: usize = 3 * 1024;

/// The length of the number of chunks, with which a stored value begins.
pub const CHUNK_COUNT_BYTES: usize = 2;

/// Returns how many chunks a whole value needs.
pub fn chunks_needed(value: &[u8]) -> usize {
    value.len().saturating_sub(1) / MAX_VALUE
}

/// Returns how many chunks belong to the value that is stored in a row.
pub fn read_chunk_count(value: &[u8]) -> u16 {
    value
        .first_chunk()
        .map_or(0, |head| u16::from_be_bytes(*head))
}

/// Returns the value to store in the row (the number of chunks and the beginning) and the chunks.
pub fn split_value(value: &[u8]) -> (Vec<u8>, Chunks<'_, u8>) {
    let (first, rest) = value.split_at(value.len().min(MAX_VALUE));
    let rest = rest.chunks(MAX_VALUE);
    let count = u16::try_from(rest.len()).expect("a line is far shorter than so many parts");
    ([&count.to_be_bytes()[..], first].concat(), rest)
}

/// Writes or removes the row and its chunks, and removes the surplus chunks of the old value.
///
/// # Errors
/// When sled fails.
pub fn put_row(
    trees: &[TransactionalTree],
    row: &ProjectionRow,
) -> Result<(), UnabortableTransactionError> {
    let tree = &trees[row.tree.index()];
    let chunks = &trees[Tree::ValueChunks.index()];
    let (old_value, count) = match &row.value {
        None => (tree.remove(row.key.as_slice())?, 0),
        Some(value) => {
            let (first, rest) = split_value(value);
            let count = read_chunk_count(&first);
            for (number, part) in (0..count).zip(rest) {
                chunks.insert(keys::chunk_key(row.tree, &row.key, number), part)?;
            }
            (tree.insert(row.key.as_slice(), first)?, count)
        }
    };
    for number in count..old_value.map_or(0, |old| read_chunk_count(&old)) {
        chunks.remove(keys::chunk_key(row.tree, &row.key, number))?;
    }
    Ok(())
}
