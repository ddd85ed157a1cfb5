//! Torn or altered: what a crash can leave of a line, and what it cannot.
//!
//! A commit is one write of one line to the end of the last file, and it
//! counts once it was synced. A crash before that can leave of it: nothing; a part from its front,
//! so without the newline; or, on file systems that lengthen a file before its blocks are written,
//! the whole length with whole sectors of zeros in it, newline or not. So the last line of the last
//! file is *torn*, and may be cut off, when it has no newline, or when it holds zeros, which no line
//! of ours does, and every run of them begins and ends at a sector's edge or the line's. Everything
//! else that does not check is *altered*: a whole last line whose hash is wrong, zeros in odd
//! places, anything at all with a line after it. No crash of ours makes those, so they are refused,
//! with file and line, and never cut. The same for a header: it appears whole, by rename, or not.

/// The smallest piece a disk writes whole. Larger blocks are multiples of it.
const SECTOR: u64 = 512;

/// Whether a line at this offset holds zeros, and only as whole sectors (cut by its own ends).
pub fn has_lost_sectors(line: &[u8], offset: u64) -> bool {
    let mut has_zeros = false;
    let mut index = 0;
    while index < line.len() {
        if line[index] != 0 {
            index += 1;
            continue;
        }
        let run_start = index;
        while index < line.len() && line[index] == 0 {
            index += 1;
        }
        let is_sector_edge =
            |index_in_line: usize| (offset + index_in_line as u64).is_multiple_of(SECTOR);
        if !(run_start == 0 || is_sector_edge(run_start))
            || !(index == line.len() || is_sector_edge(index))
        {
            return false;
        }
        has_zeros = true;
    }
    has_zeros
}
