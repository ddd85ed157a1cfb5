//! Worlds to start from: the file format, and the book club of the demo.

pub mod book_club;
pub mod file;
pub mod file_format;
