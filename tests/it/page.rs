//! The web page of the daemon, over HTTP.

mod access;
mod browser;
mod files;
mod limits;
mod metrics;
mod resolutions;
mod views;
