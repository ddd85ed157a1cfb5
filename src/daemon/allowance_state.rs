//! What is known about earlier scans for allowances, in a small file in the state directory. It is a
//! hint: when the file is lost or wrong, the next pass scans all accounts.

use std::path::{Path, PathBuf};

use crate::domain::time::Time;
use crate::reconcile::allowance_scan::AllowanceScan;

/// The file's name in the state directory.
const FILE_NAME: &str = "allowances";

/// Reads the file. Whatever cannot be understood counts as never scanned.
pub fn load(folder: &Path) -> AllowanceScan {
    let text = std::fs::read_to_string(path(folder)).unwrap_or_default();
    let mut lines = text.lines();
    let mut next = || lines.next().unwrap_or_default();
    let time = |text: &str| text.parse::<Time>().ok();
    let (scanned_at, next_due) = (time(next()), time(next()));
    let (seq, policy) = (next().parse().ok(), next().to_owned());
    match (scanned_at, seq) {
        (Some(scanned_at), Some(seq)) => AllowanceScan {
            scanned_at: Some(scanned_at),
            next_due,
            seq,
            policy,
        },
        _ => AllowanceScan::default(),
    }
}

/// Writes the file if something changed since `known` was read or written. A failure is only
/// logged, because the only consequence is another scan.
pub fn save(folder: &Path, scan: &AllowanceScan, known: &mut AllowanceScan) {
    if scan.scanned_at.is_none() || scan == known {
        return;
    }
    known.clone_from(scan);
    let line = |at: Option<Time>| at.map(|at| at.to_rfc3339()).unwrap_or_default();
    let text = format!(
        "{}\n{}\n{}\n{}\n",
        line(scan.scanned_at),
        line(scan.next_due),
        scan.seq,
        scan.policy
    );
    let new = folder.join(format!("{FILE_NAME}.new"));
    let done = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, path(folder)));
    if let Err(error) = done {
        tracing::warn!("failed to write {}: {error}", path(folder).display());
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_is_remembered_and_a_damaged_file_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let never = AllowanceScan::default();
        assert_eq!(load(folder.path()), never);
        let mut known = never.clone();
        save(folder.path(), &never, &mut known);
        assert!(
            !path(folder.path()).exists(),
            "there is nothing to remember"
        );
        let rows = [Some("2027-01-01T00:00:00Z"), None];
        for next_due in rows {
            let scan = AllowanceScan {
                scanned_at: Some("2026-12-01T00:00:00Z".parse().expect("a time")),
                next_due: next_due.map(|at| at.parse().expect("a time")),
                seq: 7,
                policy: "0123456789abcdef".to_owned(),
            };
            save(folder.path(), &scan, &mut known);
            assert_eq!(load(folder.path()), scan);
        }
        for text in ["", "nonsense", "2026-12-01T00:00:00Z\n\nseven\nx\n"] {
            std::fs::write(path(folder.path()), text).expect("written");
            assert_eq!(load(folder.path()), never, "{text}");
        }
    }
}
