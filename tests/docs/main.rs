//! Tests of the repository itself: `readme` runs the commands of the documents, `tidy` reads sources
//! and documents.

mod readme;
mod tidy;
