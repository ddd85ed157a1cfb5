//! The fold, trusted or made anew. It is trusted when it was closed cleanly, nothing has touched it
//! since, it says the same as its marker, and the log has that line; in any doubt it is moved aside.

use std::path::{Path, PathBuf};

use super::disk;
use super::log::segment::{self, Chain, Place};
use super::log::walk::{End, Walk};
use super::marker::{self, Applied, Marker};
use super::open::{Notice, OpenError, Progress};
use super::opened::LOG;
use super::port::StoreError;
use super::sled::catch_up::{CatchUpError, Caught, catch_up};
use super::sled::fold::{self, Fold};
use super::sled::guard::FoldError;
use super::sled::print;

/// Folders of folds in doubt that are kept for whoever wants to know what happened. They can be
/// large, and nothing is in them that is not in the log.
const KEPT_DOUBTFUL: usize = 2;

/// Bytes folded between two words of progress.
const PROGRESS_EVERY: u64 = 1024 * 1024;

/// Opens the fold and brings it up to the log's end, or makes it anew, with so many records in
/// memory.
///
/// # Errors
/// When the log holds something that does not fit, or no fold can be made.
pub fn open_fold(
    path: &Path,
    marker: Option<Marker>,
    end: &End,
    records: usize,
    progress: &mut dyn FnMut(Progress),
    notices: &mut Vec<Notice>,
) -> Result<(Fold, Applied), OpenError> {
    let folder = path.join(fold::NAME);
    let trusted = match marker {
        None => Err("was not closed cleanly".to_owned()),
        Some(marker) => match print::print(&folder) {
            Ok(print) if print == marker.print => Ok(marker),
            Ok(_) => Err("is not as it was left".to_owned()),
            Err(error) => Err(format!("cannot be read ({})", error.source)),
        },
    };
    marker::remove(path)?;
    let trusted = match trusted {
        Ok(marker) => open_clean(path, &marker)?.map(|fold| (fold, marker.applied)),
        Err(why) => Err(why),
    };
    let why = match trusted {
        Ok((fold, applied)) if applied.seq == end.chain.seq => return Ok((fold, applied)),
        Ok((fold, mut applied)) => {
            let caught = fold_rest(path, &fold, &mut applied, records, progress)?;
            let commits = caught.commits;
            notices.push(Notice::CaughtUp { commits });
            return Ok((fold, applied));
        }
        Err(why) => why,
    };
    let moved = move_aside(path)?;
    let fold = open_new(path)?;
    let mut applied = beginning(&path.join(LOG))?;
    let rebuilt = fold_rest(path, &fold, &mut applied, records, progress);
    let caught = match rebuilt {
        Ok(caught) => caught,
        Err(error) => {
            drop(fold);
            discard(&folder);
            return Err(error);
        }
    };
    // A new ledger, whose fold was never there, is no news.
    if moved.is_some() || end.chain.seq > 0 {
        let why = if moved.is_some() {
            why
        } else {
            "was not there".to_owned()
        };
        let Caught { commits, facts } = caught;
        notices.push(Notice::Rebuilt {
            why,
            moved,
            commits,
            facts,
        });
    }
    Ok((fold, applied))
}

/// Opens the fold that the marker vouches for, or says why it is not to be trusted.
///
/// # Errors
/// When sled does not come to an end with it: whatever it may still write there would meet the files
/// of a fold made anew.
fn open_clean(path: &Path, marker: &Marker) -> Result<Result<Fold, String>, OpenError> {
    let fold = match Fold::open(&path.join(fold::NAME), &path.join(LOG)) {
        Ok(fold) => fold,
        Err(error @ FoldError::Stuck(_)) => return Err(not_made(path, &fold::refusal(&error))),
        Err(error) => {
            let why = fold::refusal(&error);
            return Ok(Err(format!("could not be opened ({why})")));
        }
    };
    Ok(match fold.applied() {
        Ok(Some(applied)) if applied == marker.applied => Ok(fold),
        Ok(_) => Err("is older than it was left".to_owned()),
        Err(error) => Err(format!("could not be read ({error})")),
    })
}

fn open_new(path: &Path) -> Result<Fold, OpenError> {
    let folder = path.join(fold::NAME);
    disk::make_dir(&folder)?;
    let made = Fold::open(&folder, &path.join(LOG));
    made.map_err(|error| not_made(path, &fold::refusal(&error)))
}

/// Why there is no fold, with the folder that it should be in.
fn not_made(path: &Path, error: &StoreError) -> OpenError {
    let folder = path.join(fold::NAME);
    OpenError::Fold(StoreError {
        text: format!("open or make {}: {error}", folder.display()),
        source: None,
    })
}

/// Where a fold with nothing in it stands.
fn beginning(log: &Path) -> Result<Applied, OpenError> {
    let walk = Walk::start(log)?;
    let place = Place {
        segment: 1,
        offset: 0,
    };
    Ok(Applied {
        seq: 0,
        hash: walk.end().head,
        place,
    })
}

fn fold_rest(
    path: &Path,
    fold: &Fold,
    applied: &mut Applied,
    records: usize,
    progress: &mut dyn FnMut(Progress),
) -> Result<Caught, OpenError> {
    let log = path.join(LOG);
    let chain = Chain {
        seq: applied.seq,
        hash: applied.hash,
    };
    let mut walk = match applied.seq {
        0 => Walk::start(&log)?,
        _ => Walk::resume(&log, applied.place, chain)?.expect("the log has this line"),
    };
    let total = size(&log, u32::MAX)?;
    let mut told = 0;
    let mut before = (0, 0);
    let mut seen = |place: Place| {
        if before.0 != place.segment {
            // Only for people to see: a size that cannot be read counts as none.
            before = (place.segment, size(&log, place.segment - 1).unwrap_or(0));
        }
        let done = before.1 + place.offset;
        if done >= told + PROGRESS_EVERY {
            told = done;
            progress(Progress { done, total });
        }
    };
    let caught = catch_up(fold, &mut walk, applied, records, &mut seen);
    let caught = caught.map_err(|error| match error {
        CatchUpError::Log(error) => OpenError::Log(error),
        CatchUpError::Fold(error) => not_made(path, &error),
    })?;
    Ok(caught)
}

/// Bytes of the log's segments, up to and with this one.
///
/// # Errors
/// When they cannot be looked at.
pub fn size(log: &Path, last: u32) -> Result<u64, OpenError> {
    let mut bytes = 0;
    for number in 1..=segment::count(log)?.min(last) {
        let path = segment::path(log, number);
        bytes += disk::at("look at", &path, path.metadata())?.len();
    }
    Ok(bytes)
}

/// Moves the fold out of the way, if there is one, and removes what was moved before long ago.
fn move_aside(path: &Path) -> Result<Option<PathBuf>, OpenError> {
    let prefix = format!("{}.doubtful-", fold::NAME);
    let names = disk::names(path)?.unwrap_or_default();
    if !names.iter().any(|name| name == fold::NAME) {
        return Ok(None);
    }
    let numbers = names.iter().filter_map(|name| name.strip_prefix(&prefix));
    let mut numbers: Vec<u64> = numbers.filter_map(|number| number.parse().ok()).collect();
    numbers.sort_unstable();
    let to = path.join(format!(
        "{prefix}{}",
        numbers.last().map_or(1, |last| last + 1)
    ));
    let folder = path.join(fold::NAME);
    disk::at("move aside", &folder, std::fs::rename(&folder, &to))?;
    disk::sync_dir(path)?;
    let kept = KEPT_DOUBTFUL - 1;
    for number in numbers.iter().rev().skip(kept) {
        discard(&path.join(format!("{prefix}{number}")));
    }
    Ok(Some(to))
}

/// Removes a fold that nobody needs. That it stays is no harm: it is moved aside the next time.
fn discard(folder: &Path) {
    let removed = if folder.is_dir() {
        std::fs::remove_dir_all(folder)
    } else {
        std::fs::remove_file(folder)
    };
    if let Err(error) = removed {
        tracing::warn!(folder = %folder.display(), %error, "an old fold could not be removed");
    }
}
