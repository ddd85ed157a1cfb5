//! Tells a torn line, which a crash can leave, from an altered line, which it cannot.
//!
//! A commit is one write of one line to the end of the last file, and it counts once it is synced.
//! A crash before the sync can leave nothing; a part from the front of the line, without the
//! newline; or, on file systems that lengthen a file before its blocks are written, the whole
//! length with whole sectors of zeros in it, with or without the newline. So the last line of the
//! last file is *torn*, and may be cut off, if it has no newline, or if it holds zeros (which no
//! line of the log does) and every run of zeros begins and ends at the edge of a sector or of the
//! line. Every other line that fails its checks is *altered*: a whole last line whose hash is
//! wrong, zeros in other places, or any damage with a line after it. A crash never causes these, so
//! they are refused, with file and line, and never cut off. The same holds for a header: it appears
//! whole, by rename, or not at all.

/// The smallest unit that a disk writes whole, in bytes. Larger blocks are multiples of this size.
const SECTOR: u64 = 512;

/// Returns true if a line at this offset holds zeros, and only as whole sectors (cut off where the
/// line begins or ends).
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
