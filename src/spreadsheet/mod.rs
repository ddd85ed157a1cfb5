//! Files of rows, as spreadsheets and shops write them: which column is which, what a cell means,
//! and the parts in which a file is imported. A cell with two meanings is refused.

mod cross_checks;
mod encoding;
pub mod formula;
mod header;
pub mod import;
mod parts;
pub mod problems;
mod records;
pub mod rows;
mod values;

#[cfg(test)]
mod tests;
