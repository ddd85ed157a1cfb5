//! Reads files that are named on the command line.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::control::protocol::Refusal;

/// Reads a file, or standard input for `-`, of at most `limit` bytes.
///
/// # Errors
/// Returns a refusal if the file cannot be read, or is longer.
pub fn read(path: &Path, limit: usize) -> Result<Vec<u8>, Refusal> {
    let result = if path == Path::new("-") {
        read_from(io::stdin().lock(), limit)
    } else {
        File::open(path).and_then(|file| read_from(file, limit))
    };
    match result {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(Refusal::usage(format!(
            "{} is longer than {} MiB, the largest size that is read",
            path.display(),
            limit / 1024 / 1024
        ))),
        Err(error) => Err(Refusal::usage(format!(
            "{} cannot be read: {error}",
            path.display()
        ))),
    }
}

/// Returns `None` if there are more than `limit` bytes.
fn read_from(source: impl Read, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    source.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= limit).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::exit;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn a_file_is_read_up_to_the_limit_and_refused_above_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, vec![b'x'; MIB]).unwrap();
        assert_eq!(read(&path, MIB).map(|bytes| bytes.len()), Ok(MIB));
        std::fs::write(&path, vec![b'x'; MIB + 1]).unwrap();
        let refusal = read(&path, MIB).unwrap_err();
        assert_eq!(refusal.exit, exit::USAGE);
        assert!(refusal.text.contains("is longer than 1 MiB"), "{refusal}");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("missing"), folder.path().to_owned()] {
            let refusal = read(&path, MIB).unwrap_err();
            let name = path.display().to_string();
            assert!(refusal.text.starts_with(&name), "{refusal}");
        }
    }
}
