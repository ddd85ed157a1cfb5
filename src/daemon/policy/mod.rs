//! Policies tried out: nothing is asked of Cal.com, nothing is written anywhere. `world` makes a
//! snapshot of one request, `example` one of a case and `trial` holds what the plan says against
//! what was expected. `replay` judges what was recorded: `past` is the ledger as it was, `recorded`
//! a request as it was, and `missing` what of it nobody wrote down.

pub mod case_fixture;
pub mod expectation;
pub mod historical_ledger;
pub mod recorded_request;
pub mod replay;
pub mod snapshot_fixture;
pub mod unrecorded_inputs;
