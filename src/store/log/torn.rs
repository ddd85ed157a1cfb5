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
    let mut found = false;
    let mut at = 0;
    while at < line.len() {
        if line[at] != 0 {
            at += 1;
            continue;
        }
        let begin = at;
        while at < line.len() && line[at] == 0 {
            at += 1;
        }
        let edge = |place: usize| (offset + place as u64).is_multiple_of(SECTOR);
        if !(begin == 0 || edge(begin)) || !(at == line.len() || edge(at)) {
            return false;
        }
        found = true;
    }
    found
}
