//! Values that are too long for one row: the rest stands in rows of its own.

use std::slice::Chunks;

use ::sled::transaction::{TransactionalTree, UnabortableTransactionError};

use super::keys::{self, Tree};
use super::rows::ProjectionRow;

/// The longest value in one row. sled keeps up to 16 rows in a page, and a page over 128 KiB in a
/// file of its own that it never syncs.
const MAX_VALUE: usize = 3 * 1024;

/// A value begins with the number of its further parts.
pub const CHUNK_COUNT_BYTES: usize = 2;

/// How many further parts a whole value takes.
pub fn chunks_needed(value: &[u8]) -> usize {
    value.len().saturating_sub(1) / MAX_VALUE
}

/// How many further parts there are to what stands in a row.
pub fn read_chunk_count(value: &[u8]) -> u16 {
    value
        .first_chunk()
        .map_or(0, |head| u16::from_be_bytes(*head))
}

/// What is to stand in the row: the number of further parts and the beginning; and those parts.
pub fn split_value(value: &[u8]) -> (Vec<u8>, Chunks<'_, u8>) {
    let (first, rest) = value.split_at(value.len().min(MAX_VALUE));
    let rest = rest.chunks(MAX_VALUE);
    let count = u16::try_from(rest.len()).expect("a line is far shorter than so many parts");
    ([&count.to_be_bytes()[..], first].concat(), rest)
}

/// Puts the row and its further parts, or removes them, and removes those of what was there.
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
