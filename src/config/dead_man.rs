//! The section `[dead-man]`: a URL that is called after each pass that listed bookings.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::key::Affects::Operation;
use super::key::KeyValue::Default;
use super::key::{KeyRow, Section};
use super::model::Config;
use super::value_type::{DurationRange, EmptyForNone, FieldAt, SecretFile};

/// Bounds of the time for one call.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

pub(super) const SECTION: Section<Config> = Section {
    path: "dead-man",
    doc: "",
    keys: &[&[
        KeyRow {
            name: "url-file",
            value: Default("\"\""),
            affects: Operation,
            doc: "The file that holds a URL and nothing else (mode 600). maitred calls it after a \
                pass that listed the waiting bookings, at most once per poll, so that a service \
                can raise an alarm when the calls stop. \"\": nothing is called.",
            field: &FieldAt(
                |config: &mut Config| &mut config.dead_man.url_file,
                EmptyForNone(SecretFile {
                    example: "/etc/maitred/ping-url",
                    problem: "this looks like a secret, not like the path of its file",
                    help: "put the URL alone into a file, and name the file here",
                }),
            ),
        },
        KeyRow {
            name: "timeout",
            value: Default("\"10s\""),
            affects: Operation,
            doc: "How long the call may take. No pass waits for it.",
            field: &FieldAt(
                |config: &mut Config| &mut config.dead_man.timeout,
                DurationRange(TIMEOUT),
            ),
        },
    ]],
    renamed: &[],
    complete: |_, _, _, _| {},
};
