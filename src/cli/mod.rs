//! Commands as operators type them: arguments, what they ask the daemon or the store, and how
//! answers are rendered.

pub mod args;
pub mod backup;
pub mod check;
pub mod command_line;
pub mod command_target;
pub mod completions;
pub mod config_show;
pub mod context;
#[cfg(feature = "sandbox")]
pub mod demo;
pub mod dispatch;
pub mod erase;
pub mod execute;
mod exit_codes;
pub mod export;
pub mod file;
pub mod import;
pub mod init;
pub mod limit;
pub mod man;
pub mod notify;
pub mod output;
pub mod pin;
pub mod policy;
pub mod progress;
pub mod render;
pub mod report;
pub mod run;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod status_check;
pub mod terminal;
pub mod time;
pub mod to_command;
