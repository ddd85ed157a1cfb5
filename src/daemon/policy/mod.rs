//! Tries policies out: nothing is asked of Cal.com, nothing is written anywhere. `snapshot_fixture`
//! builds a snapshot of one request, `case_fixture` builds the fixture of a case, and `expectation`
//! compares what the plan decides with what was expected. `replay` judges recorded requests:
//! `historical_ledger` is the ledger as it was, `recorded_request` a request as it was, and
//! `unrecorded_inputs` finds what was not recorded about the request.

pub mod case_fixture;
pub mod expectation;
pub mod historical_ledger;
pub mod recorded_request;
pub mod replay;
pub mod snapshot_fixture;
pub mod unrecorded_inputs;
