//! The section `[metrics]`: where the metrics are written to.

use super::key::Affects::Operation;
use super::key::KeyValue::Default;
use super::key::{KeyRow, Section};
use super::model::Config;
use super::value_type::{EmptyForNone, FieldAt, FilePath};

pub(super) const SECTION: Section<Config> = Section {
    path: "metrics",
    doc: "",
    keys: &[&[KeyRow {
        name: "file",
        value: Default("\"\""),
        affects: Operation,
        doc: "The file that the daemon writes its metrics to after each pass and watch, for the \
            textfile collector of Prometheus' node_exporter: for example \
            \"/run/maitred/maitred.prom\". Its folder must be there, and its name must end in .prom. \
            \"\" turns it off.",
        field: &FieldAt(
            |config: &mut Config| &mut config.metrics.file,
            EmptyForNone(FilePath("/run/maitred/maitred.prom")),
        ),
    }]],
    renamed: &[],
    complete: |_, _, _, _| {},
};
