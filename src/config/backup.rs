//! The sections `[backup]` and `[privacy]`: copies of the ledger that are made by themselves, and how
//! long personal data is kept.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::key::Affects::Operation;
use super::key::KeyValue::Default;
use super::key::{KeyRow, Section};
use super::model::Config;
use super::value_type::{DurationRange, EmptyForNone, FieldAt, FilePath, NumberRange};

/// Bounds of the time between two backups. Each copies the whole log.
const INTERVALS: RangeInclusive<Duration> =
    Duration::from_secs(60 * 60)..=Duration::from_secs(366 * 86_400);

/// Bounds of the number of backups: more than a year of daily ones.
const COUNTS: RangeInclusive<u64> = 1..=1_000;

/// Bounds of the time for which personal data is kept. A request can change for months, and no law
/// asks for less than a day.
const KEPT: RangeInclusive<Duration> =
    Duration::from_secs(30 * 86_400)..=Duration::from_secs(100 * 366 * 86_400);

pub(super) const BACKUP: Section<Config> = Section {
    path: "backup",
    doc: "",
    keys: &[&[
        KeyRow {
            name: "directory",
            value: Default("\"\""),
            affects: Operation,
            doc: "The directory in which the daemon and `run --once` put a backup of the ledger by \
                themselves, best on another disk. It must be there. \"\" turns it off.",
            field: &FieldAt(
                |config: &mut Config| &mut config.backup.directory,
                EmptyForNone(FilePath("/var/backups/maitred")),
            ),
        },
        KeyRow {
            name: "every",
            value: Default("\"1day\""),
            affects: Operation,
            doc: "How much time lies between two backups. A backup that fails is tried again after \
                an hour.",
            field: &FieldAt(
                |config: &mut Config| &mut config.backup.every,
                DurationRange(INTERVALS),
            ),
        },
        KeyRow {
            name: "keep",
            value: Default("14"),
            affects: Operation,
            doc: "How many of these backups are kept. Older ones are removed after a new one is \
                complete and checked; other files in the directory stay.",
            field: &FieldAt(
                |config: &mut Config| &mut config.backup.keep,
                NumberRange(COUNTS),
            ),
        },
    ]],
    renamed: &[],
    complete: |_, _, _, _| {},
};

pub(super) const PRIVACY: Section<Config> = Section {
    path: "privacy",
    doc: "",
    keys: &[&[KeyRow {
        name: "keep",
        value: Default("\"\""),
        affects: Operation,
        doc: "How long titles, addresses of bookers and texts stay in decisions, calls, reviews and \
            items of the unresolved list, such as \"400d\". About once a month the log is written \
            again without those that are older, if there are any. \"\": they stay. See \
            docs/privacy.md.",
        field: &FieldAt(
            |config: &mut Config| &mut config.privacy.keep,
            EmptyForNone(DurationRange(KEPT)),
        ),
    }]],
    renamed: &[],
    complete: |_, _, _, _| {},
};
