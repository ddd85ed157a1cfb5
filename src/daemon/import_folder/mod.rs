//! The folder whose files are imported: what becomes of a file (`folder`), and the task of the daemon
//! and the step of `run --once` that look into it (`service`).

mod folder;
pub mod service;
