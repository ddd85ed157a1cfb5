//! Members in a CSV file, or in all CSV files of a folder. The first line of each file names the
//! columns. A file that cannot be read makes the whole source fail: half a list would make leavers of
//! the rest.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::json_answer::{MAX_LIST_BYTES, too_many_members};
use super::record::ListedMember;
use crate::domain::id::Address;
use crate::domain::member_source::{MAX_MEMBERS, MemberRecord, RecordFields};
use crate::external::failure::QueryFailure;

/// The most files of a folder.
const MAX_FILES: usize = 1_000;

/// What tells a file that has changed from one that has not.
type Fingerprint = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// The files as they were when they were last read, and their members.
type LastRead = (Fingerprint, Arc<CsvMembers>);

/// A file or a folder, with its members as they were last read.
pub(super) struct CsvFiles {
    path: PathBuf,
    fields: RecordFields,
    last_read: Arc<Mutex<Option<LastRead>>>,
}

/// The rows of all files, and the first row of each address.
struct CsvMembers {
    rows: Vec<ListedMember>,
    by_address: HashMap<Address, usize>,
}

impl CsvFiles {
    pub(super) fn new(path: &Path, fields: &RecordFields) -> Self {
        Self {
            path: path.to_owned(),
            fields: fields.clone(),
            last_read: Arc::default(),
        }
    }

    pub(super) async fn find(
        &self,
        address: &Address,
    ) -> Result<Option<MemberRecord>, QueryFailure> {
        let members = self.read().await?;
        let Some(row) = members.by_address.get(address) else {
            return match members.rows.iter().find(|row| row.address.is_none()) {
                // That row could be the booker's.
                Some(row) => Err(unusable_row(row)),
                None => Ok(None),
            };
        };
        let row = &members.rows[*row];
        match &row.record {
            Ok(record) => Ok(Some(record.clone())),
            Err(_) => Err(unusable_row(row)),
        }
    }

    pub(super) async fn list(&self) -> Result<Vec<ListedMember>, QueryFailure> {
        Ok(self.read().await?.rows.clone())
    }

    /// Returns the members, and reads the files again if one of them has changed.
    async fn read(&self) -> Result<Arc<CsvMembers>, QueryFailure> {
        let (path, fields) = (self.path.clone(), self.fields.clone());
        let last_read = Arc::clone(&self.last_read);
        let work = move || {
            let fingerprint = fingerprint(&path)?;
            let mut last_read = last_read.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((known, members)) = last_read.as_ref()
                && *known == fingerprint
            {
                return Ok(Arc::clone(members));
            }
            let members = Arc::new(read_files(&fingerprint, &fields)?);
            *last_read = Some((fingerprint, Arc::clone(&members)));
            Ok(members)
        };
        let read = tokio::task::spawn_blocking(work).await;
        read.unwrap_or_else(|_| Err(QueryFailure::for_this_request("reading it panicked")))
    }
}

fn unusable_row(row: &ListedMember) -> QueryFailure {
    let why = row.record.as_ref().err().map_or("", String::as_str);
    QueryFailure::for_this_request(format!("{}: {why}", row.place))
}

/// Returns the files with their sizes and times. A folder has those whose name ends in `.csv`.
fn fingerprint(path: &Path) -> Result<Fingerprint, QueryFailure> {
    let failed = |why: io::Error| QueryFailure::unavailable(format!("{}: {why}", path.display()));
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_dir() {
        let stamp = (path.to_owned(), metadata.len(), metadata.modified().ok());
        return Ok(vec![stamp]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let is_csv = file
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("csv"));
        if !is_csv {
            continue;
        }
        let metadata = fs::metadata(&file).map_err(failed)?;
        files.push((file, metadata.len(), metadata.modified().ok()));
        if files.len() > MAX_FILES {
            return Err(QueryFailure::for_this_request(format!(
                "{} holds more than {MAX_FILES} files",
                path.display()
            )));
        }
    }
    if files.is_empty() {
        return Err(QueryFailure::for_this_request(format!(
            "{} holds no file whose name ends in .csv",
            path.display()
        )));
    }
    files.sort();
    Ok(files)
}

fn read_files(files: &Fingerprint, fields: &RecordFields) -> Result<CsvMembers, QueryFailure> {
    let mut rows = Vec::new();
    for (file, ..) in files {
        read_file(file, fields, &mut rows)?;
    }
    let mut by_address = HashMap::new();
    for (at, row) in rows.iter().enumerate() {
        let others = row.record.iter().flat_map(|record| &record.aliases);
        for address in row.address.iter().chain(others) {
            by_address.entry(address.clone()).or_insert(at);
        }
    }
    Ok(CsvMembers { rows, by_address })
}

fn read_file(
    file: &Path,
    fields: &RecordFields,
    rows: &mut Vec<ListedMember>,
) -> Result<(), QueryFailure> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let failed = |why: String| QueryFailure::for_this_request(format!("{}: {why}", file.display()));
    let opened = File::open(file).map_err(|error| failed(error.to_string()))?;
    let mut bytes = Vec::new();
    let mut limited = opened.take(MAX_LIST_BYTES as u64 + 1);
    let read = limited.read_to_end(&mut bytes);
    read.map_err(|error| failed(error.to_string()))?;
    if bytes.len() > MAX_LIST_BYTES {
        return Err(QueryFailure::too_large(MAX_LIST_BYTES));
    }
    let text =
        std::str::from_utf8(&bytes).map_err(|_| failed("it is not UTF-8 text".to_owned()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(find_delimiter(text))
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|_| failed(unreadable(1)))?.clone();
    if !headers.iter().any(|header| header == fields.address) {
        return Err(failed(format!("it has no column `{}`", fields.address)));
    }
    for record in reader.records() {
        let record = record
            .map_err(|error| failed(unreadable(error.position().map_or(0, csv::Position::line))))?;
        let line = record.position().map_or(0, csv::Position::line);
        let columns = headers.iter().zip(record.iter());
        let columns: Map<String, Value> = columns
            .map(|(header, value)| (header.to_owned(), value.into()))
            .collect();
        if rows.len() >= MAX_MEMBERS {
            return Err(too_many_members());
        }
        let place = format!("{name} line {line}");
        rows.push(ListedMember::read(place, &Value::Object(columns), fields));
    }
    Ok(())
}

/// Describes a line that is not CSV, without its text.
fn unreadable(line: u64) -> String {
    format!("line {line} has another number of columns than the first, or is not CSV")
}

/// Returns what separates the columns of the first line.
fn find_delimiter(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    let count = |delimiter: &u8| first.bytes().filter(|byte| byte == delimiter).count();
    // Of delimiters that are as frequent, the last one wins: the comma.
    [b'\t', b';', b',']
        .into_iter()
        .max_by_key(count)
        .unwrap_or(b',')
}
