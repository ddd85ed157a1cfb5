//! Tests of the repository itself: `readme` runs the commands of the documents, `tidy` reads sources
//! and documents, `rule_table` compares a page with the table of rules, `systemd` checks
//! the units, `man_pages` the manual pages, `package` installs the package of Debian, `container`
//! builds the image of the container and runs it.

#![expect(clippy::unwrap_used, reason = "tests panic")]

#[path = "../fixture/tool.rs"]
mod tool;

mod container;
mod man_pages;
mod package;
mod readme;
mod rule_table;
mod systemd;
mod tidy;
