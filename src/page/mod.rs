//! The web page of the daemon: HTML for operators, without scripts. It is a second client of the
//! daemon's commands: it sends the same commands as the socket's clients and shows the same
//! answers, so that nothing here knows the store or Cal.com.
//!
//! `server` accepts connections within limits, `router` has the routes, and `ask` sends commands.
//! Who may use the page is in `access` (links and sessions), `origin` (the names under which the
//! page may be reached) and `guard` (what every request must pass; what forms must pass in addition).
//! `metrics` answers Prometheus. `sealed_name` keeps names of members out of addresses. `document` is
//! the frame of every page, `table` and `chart` have its parts, and `context` shows times, names and
//! links. `views` has the content, and `changes` has what forms do. `report` and `statement` put the
//! same content into files.

pub mod access;
pub mod ask;
pub mod changes;
pub mod chart;
pub mod context;
pub mod document;
pub mod form;
pub mod guard;
pub mod metrics;
pub mod metrics_source;
pub mod origin;
pub mod random;
pub mod refusal_page;
pub mod report;
pub mod router;
pub mod sealed_name;
pub mod server;
pub mod service;
pub mod statement;
pub mod table;
pub mod views;
