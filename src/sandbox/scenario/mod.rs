//! Worlds to start from: the file format, and the house of the demo.

pub mod book_club;
pub mod file;
