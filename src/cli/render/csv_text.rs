//! Writes rows as the text of a CSV file.

/// Returns a CSV file with these columns and rows.
pub(super) fn write_csv(columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |row: &[String]| {
        writer
            .write_record(row)
            .expect("memory takes every row, and rows are as long as the header");
    };
    write(
        &columns
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>(),
    );
    rows.for_each(|row| write(&row));
    let bytes = writer.into_inner().expect("memory takes every byte");
    String::from_utf8(bytes).expect("the cells are text")
}
