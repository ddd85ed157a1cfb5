//! Reads the trace that `shim.c` writes: every change and every sync, in order.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a record before its texts: see `struct record` in `shim.c`.
const HEADER_BYTES: usize = 42;

/// When a file was last changed: seconds and nanoseconds.
pub type FileTime = (i64, u32);

/// One step of a trace.
#[derive(Debug, Clone)]
pub enum TraceOp {
    /// Another process starts: it has no file open.
    Begin,
    Open {
        fd: i32,
        path: PathBuf,
        created: bool,
        truncated: bool,
        time: FileTime,
    },
    Copy {
        fd: i32,
        to: i32,
    },
    Close {
        fd: i32,
    },
    Write {
        fd: i32,
        offset: u64,
        data: Arc<[u8]>,
        time: FileTime,
    },
    SetLength {
        fd: i32,
        length: u64,
        time: FileTime,
    },
    Sync {
        fd: i32,
        data_only: bool,
    },
    /// `sync_file_range`, which makes nothing durable.
    Range,
    MakeDir {
        path: PathBuf,
    },
    /// Removes a file or a directory.
    Remove {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    /// A report of the program about itself.
    Note(String),
}

/// Reads a trace.
///
/// # Panics
/// If the program did something that the shim does not understand.
pub fn parse_trace(bytes: &[u8]) -> Vec<TraceOp> {
    let mut ops = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (head, body) = rest.split_at(HEADER_BYTES);
        let lengths = [30, 34, 38].map(|at| parse_u32(&head[at..at + 4]));
        let (text, body) = body.split_at(lengths[0]);
        let (other, body) = body.split_at(lengths[1]);
        let (data, body) = body.split_at(lengths[2]);
        ops.extend(parse_op(head, &parse_path(text), &parse_path(other), data));
        rest = body;
    }
    ops
}

fn parse_op(head: &[u8], text: &Path, other: &Path, data: &[u8]) -> Option<TraceOp> {
    let fd = i32::from_le_bytes(head[2..6].try_into().expect("four bytes"));
    let offset = parse_u64(&head[6..14]);
    let seconds = i64::from_le_bytes(head[14..22].try_into().expect("eight bytes"));
    let nanos = u32::try_from(parse_u64(&head[22..30])).expect("less than a second");
    let time = (seconds, nanos);
    let (path, flag) = (text.to_owned(), head[1]);
    Some(match head[0] {
        b'b' => TraceOp::Begin,
        b'o' => TraceOp::Open {
            fd,
            path,
            created: flag & 1 > 0,
            truncated: flag & 2 > 0,
            time,
        },
        b'd' => TraceOp::Copy {
            fd,
            to: i32::try_from(offset).expect("a descriptor"),
        },
        b'c' => TraceOp::Close { fd },
        b'w' => TraceOp::Write {
            fd,
            offset,
            data: data.into(),
            time,
        },
        b't' => TraceOp::SetLength {
            fd,
            length: offset,
            time,
        },
        b's' => TraceOp::Sync {
            fd,
            data_only: flag == 1,
        },
        b'g' => TraceOp::Range,
        b'm' => TraceOp::MakeDir { path },
        b'u' => TraceOp::Remove { path },
        b'r' => TraceOp::Rename {
            from: path,
            to: other.to_owned(),
        },
        b'n' => TraceOp::Note(String::from_utf8_lossy(data).trim_end().to_owned()),
        // A call that the shim made fail changed nothing.
        b'x' => return None,
        unknown => panic!("the shim does not understand {text:?} ({unknown})"),
    })
}

fn parse_path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(std::str::from_utf8(bytes).expect("the tests' own names"))
}

fn parse_u32(bytes: &[u8]) -> usize {
    let number = u32::from_le_bytes(bytes.try_into().expect("four bytes"));
    usize::try_from(number).expect("a length")
}

fn parse_u64(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
}
