//! Metrics for Prometheus: what happened since the process started, and what waits now.
//!
//! [`registry`] has the metrics (`series`: their names and labels). They are filled where things happen: the loop and `run --once`
//! record each pass and each watch (`run_outcome` has the words for their ends), the client's
//! observer each call, and [`exporter`] what the store knows: `commit_counts` counts the commits
//! since the start, and `store_gauges` reads what is open. No label holds a name,
//! an address or an id, so the number of series has a limit.
//!
//! `exposition` renders the metrics as OpenMetrics or as Prometheus text 0.0.4
//! (`prometheus_text`), and `text_file` replaces the file that node_exporter reads. A single run
//! adds its counters to those of the file (`accumulation`).

pub mod exporter;
pub mod exposition;
pub mod registry;

mod accumulation;
mod commit_counts;
mod prometheus_text;
mod run_outcome;
mod series;
mod store_gauges;
pub mod text_file;
