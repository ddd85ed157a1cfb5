//! Opens the projection: trusts it or rebuilds it. The projection is trusted if it was closed
//! cleanly, nothing has touched it since, it agrees with its marker, and the log has the marker's
//! line. In any doubt it is moved aside.

use std::path::{Path, PathBuf};

use super::clean_shutdown_marker::{self, AppliedCommit, Marker};
use super::durable_fs;
use super::log::reader::{LogEnd, LogReader};
use super::log::segment::{self, HashChain, LogPosition};
use super::log_store::LOG;
use super::open_report::{OpenError, OpenNotice};
use super::port::StoreError;
use super::sled::catch_up::{CatchUpError, CatchUpReport, catch_up};
use super::sled::fingerprint;
use super::sled::panic_guard::ProjectionError;
use super::sled::projection::{self, Projection};
use super::store_error::to_store_error;
use crate::domain::progress::{Progress, WorkStep};

/// How many folders of doubtful projections are kept for an operator who wants to investigate. They
/// can be large, and hold nothing that is not in the log.
const MAX_DOUBTFUL_FOLDERS: usize = 2;

/// Bytes applied between two progress reports.
const PROGRESS_EVERY: u64 = 1024 * 1024;

/// Opens the projection and brings it up to the log's end, or rebuilds it. Rows are written
/// whenever `records` records are in memory.
///
/// # Errors
/// When the log holds facts that do not fit, or no projection can be created.
pub fn open_projection(
    path: &Path,
    marker: Option<Marker>,
    end: &LogEnd,
    records: usize,
    progress: &mut dyn FnMut(Progress),
    notices: &mut Vec<OpenNotice>,
) -> Result<(Projection, AppliedCommit), OpenError> {
    let folder = path.join(projection::NAME);
    let trusted_marker = match marker {
        None => Err("was not closed cleanly".to_owned()),
        Some(marker) => match fingerprint::fingerprint(&folder) {
            Ok(fingerprint) if fingerprint == marker.fingerprint => Ok(marker),
            Ok(_) => Err("differs from its last clean state".to_owned()),
            Err(error) => Err(format!("cannot be read ({})", error.source)),
        },
    };
    clean_shutdown_marker::remove(path)?;
    let opened_projection = match trusted_marker {
        Ok(marker) => open_clean(path, &marker)?.map(|projection| (projection, marker.applied)),
        Err(why) => Err(why),
    };
    let reason = match opened_projection {
        Ok((projection, applied)) if applied.seq == end.chain.seq => {
            return Ok((projection, applied));
        }
        Ok((projection, mut applied)) => {
            let report = apply_remaining_log(path, &projection, &mut applied, records, progress)?;
            let commits = report.commits;
            notices.push(OpenNotice::ProjectionCaughtUp { commits });
            return Ok((projection, applied));
        }
        Err(why) => why,
    };
    let moved_to = move_aside(path)?;
    let projection = create_projection(path)?;
    let mut applied = applied_before_first_commit(&path.join(LOG))?;
    let rebuild_result = apply_remaining_log(path, &projection, &mut applied, records, progress);
    let report = match rebuild_result {
        Ok(caught) => caught,
        Err(error) => {
            drop(projection);
            discard(&folder);
            return Err(error);
        }
    };
    // A new ledger never had a projection, so its first build is not reported.
    if moved_to.is_some() || end.chain.seq > 0 {
        let reason = if moved_to.is_some() {
            reason
        } else {
            "was missing".to_owned()
        };
        let CatchUpReport { commits, facts } = report;
        notices.push(OpenNotice::ProjectionRebuilt {
            reason,
            moved_to,
            commits,
            facts,
        });
    }
    Ok((projection, applied))
}

/// Opens the projection that the marker vouches for, or returns why it cannot be trusted.
///
/// # Errors
/// When sled does not finish in time: what it may still write there would collide with the files of
/// a rebuilt projection.
fn open_clean(path: &Path, marker: &Marker) -> Result<Result<Projection, String>, OpenError> {
    let projection = match Projection::open(&path.join(projection::NAME), &path.join(LOG)) {
        Ok(projection) => projection,
        Err(error @ ProjectionError::TimedOut(_)) => {
            return Err(projection_error(path, &to_store_error(&error)));
        }
        Err(error) => {
            let reason = to_store_error(&error);
            return Ok(Err(format!("could not be opened ({reason})")));
        }
    };
    Ok(match projection.applied() {
        Ok(Some(applied)) if applied == marker.applied => Ok(projection),
        Ok(_) => Err("is older than its last clean state".to_owned()),
        Err(error) => Err(format!("could not be read ({error})")),
    })
}

fn create_projection(path: &Path) -> Result<Projection, OpenError> {
    let folder = path.join(projection::NAME);
    durable_fs::make_dir(&folder)?;
    let result = Projection::open(&folder, &path.join(LOG));
    result.map_err(|error| projection_error(path, &to_store_error(&error)))
}

/// Returns the error for a projection that cannot be opened or created, with its folder.
fn projection_error(path: &Path, error: &StoreError) -> OpenError {
    let folder = path.join(projection::NAME);
    OpenError::Projection(StoreError {
        text: format!("open or make {}: {error}", folder.display()),
        source: None,
    })
}

/// Returns how far an empty projection has come.
fn applied_before_first_commit(log: &Path) -> Result<AppliedCommit, OpenError> {
    let reader = LogReader::open(log)?;
    let position = LogPosition {
        segment: 1,
        offset: 0,
    };
    Ok(AppliedCommit {
        seq: 0,
        hash: reader.end().head,
        position,
    })
}

fn apply_remaining_log(
    path: &Path,
    projection: &Projection,
    applied: &mut AppliedCommit,
    records: usize,
    progress: &mut dyn FnMut(Progress),
) -> Result<CatchUpReport, OpenError> {
    let log = path.join(LOG);
    let chain = HashChain {
        seq: applied.seq,
        hash: applied.hash,
    };
    let mut reader = match applied.seq {
        0 => LogReader::open(&log)?,
        _ => LogReader::open_after(&log, applied.position, chain)?.expect("the log has this line"),
    };
    let total = log_size(&log, u32::MAX)?;
    let mut last_reported = 0;
    let mut earlier_segments = (0, 0);
    let mut on_position = |position: LogPosition| {
        if earlier_segments.0 != position.segment {
            // The value is only shown to people, so a size that cannot be read counts as 0.
            earlier_segments = (
                position.segment,
                log_size(&log, position.segment - 1).unwrap_or(0),
            );
        }
        let done = earlier_segments.1 + position.offset;
        if done >= last_reported + PROGRESS_EVERY {
            last_reported = done;
            progress(Progress {
                step: WorkStep::RebuildProjection,
                done,
                total: Some(total),
            });
        }
    };
    let result = catch_up(projection, &mut reader, applied, records, &mut on_position);
    let report = result.map_err(|error| match error {
        CatchUpError::Log(error) => OpenError::Log(error),
        CatchUpError::Projection(error) => projection_error(path, &error),
    })?;
    Ok(report)
}

/// Returns the size of the log's segments in bytes, up to and including segment `last`.
///
/// # Errors
/// When the segments cannot be read.
pub fn log_size(log: &Path, last: u32) -> Result<u64, OpenError> {
    let mut bytes = 0;
    for number in 1..=segment::count(log)?.min(last) {
        let path = segment::path(log, number);
        bytes += durable_fs::with_path("look at", &path, path.metadata())?.len();
    }
    Ok(bytes)
}

/// Moves the projection aside, if there is one, and removes the oldest of those that were moved
/// aside before.
fn move_aside(path: &Path) -> Result<Option<PathBuf>, OpenError> {
    let prefix = format!("{}.doubtful-", projection::NAME);
    let names = durable_fs::list_names(path)?.unwrap_or_default();
    if !names.iter().any(|name| name == projection::NAME) {
        return Ok(None);
    }
    let numbers = names.iter().filter_map(|name| name.strip_prefix(&prefix));
    let mut numbers: Vec<u64> = numbers.filter_map(|number| number.parse().ok()).collect();
    numbers.sort_unstable();
    let to = path.join(format!(
        "{prefix}{}",
        numbers.last().map_or(1, |last| last + 1)
    ));
    let folder = path.join(projection::NAME);
    durable_fs::with_path("move aside", &folder, std::fs::rename(&folder, &to))?;
    durable_fs::sync_dir(path)?;
    let older_folders_kept = MAX_DOUBTFUL_FOLDERS - 1;
    for number in numbers.iter().rev().skip(older_folders_kept) {
        discard(&path.join(format!("{prefix}{number}")));
    }
    Ok(Some(to))
}

/// Removes a projection that is no longer needed. If the removal fails, the projection does no
/// harm: it is moved aside the next time.
fn discard(folder: &Path) {
    let removed = if folder.is_dir() {
        std::fs::remove_dir_all(folder)
    } else {
        std::fs::remove_file(folder)
    };
    if let Err(error) = removed {
        tracing::warn!(folder = %folder.display(), %error, "an old projection could not be \
         removed");
    }
}
