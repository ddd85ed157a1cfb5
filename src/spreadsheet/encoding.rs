//! Turns the bytes of a file into lines of UTF-8. A file is UTF-8, with or without a byte order
//! mark, or UTF-16 with one. Memory stays bounded, however long the file and its lines are.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::rc::Rc;

/// The longest line in bytes. No row of real files is nearly as long.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// How many bytes of UTF-16 are decoded at once.
const UTF16_CHUNK: usize = 8 * 1024;

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";
const UTF16_LITTLE_ENDIAN_MARK: &[u8] = b"\xff\xfe";
const UTF16_BIG_ENDIAN_MARK: &[u8] = b"\xfe\xff";

/// Reads lines, whichever of the three line ends they have.
pub(super) struct LineReader<'a> {
    source: BufReader<Box<dyn Read + 'a>>,
    read_bytes: Rc<Cell<u64>>,
    line: u64,
    /// Whether the last line ended in CR, to which an LF belongs.
    skip_line_feed: bool,
}

impl<'a> LineReader<'a> {
    /// Finds out the encoding of the source.
    ///
    /// # Errors
    /// Fails when the source cannot be read.
    pub(super) fn new(source: impl Read + 'a) -> io::Result<Self> {
        let read_bytes = Rc::new(Cell::new(0));
        let mut source = CountingReader {
            source,
            read_bytes: Rc::clone(&read_bytes),
        };
        let mut begin = Vec::new();
        Read::by_ref(&mut source).take(3).read_to_end(&mut begin)?;
        let text: Box<dyn Read + 'a> = if begin.starts_with(UTF8_MARK) {
            Box::new(source)
        } else if begin.starts_with(UTF16_LITTLE_ENDIAN_MARK) {
            let rest = Cursor::new(begin.split_off(2)).chain(source);
            Box::new(Utf16Reader::new(rest, u16::from_le_bytes))
        } else if begin.starts_with(UTF16_BIG_ENDIAN_MARK) {
            let rest = Cursor::new(begin.split_off(2)).chain(source);
            Box::new(Utf16Reader::new(rest, u16::from_be_bytes))
        } else {
            Box::new(Cursor::new(begin).chain(source))
        };
        Ok(Self {
            source: BufReader::new(text),
            read_bytes,
            line: 0,
            skip_line_feed: false,
        })
    }

    /// Returns the number of the line that was read last.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Returns how many bytes of the file were read.
    pub(super) fn read_bytes(&self) -> u64 {
        self.read_bytes.get()
    }

    /// Appends the next line without its end. Returns false at the end of the file. Of a line that
    /// is too long, a part is appended that makes `to` longer than [`MAX_LINE`].
    ///
    /// # Errors
    /// Fails when the source cannot be read, or is no UTF-16 although its mark says so.
    pub(super) fn append_line(&mut self, to: &mut Vec<u8>) -> io::Result<bool> {
        let mut has_content = false;
        loop {
            let bytes = match self.source.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            };
            if bytes.is_empty() {
                self.line += u64::from(has_content);
                return Ok(has_content);
            }
            if std::mem::take(&mut self.skip_line_feed) && bytes.first() == Some(&b'\n') {
                self.source.consume(1);
                continue;
            }
            has_content = true;
            let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let text = &bytes[..end.unwrap_or(bytes.len())];
            let free = (MAX_LINE + 1).saturating_sub(to.len());
            to.extend_from_slice(&text[..text.len().min(free)]);
            let Some(end) = end else {
                let all = bytes.len();
                self.source.consume(all);
                continue;
            };
            self.skip_line_feed = bytes[end] == b'\r';
            self.source.consume(end + 1);
            self.line += 1;
            return Ok(true);
        }
    }
}

/// Counts the bytes that are read.
struct CountingReader<R> {
    source: R,
    read_bytes: Rc<Cell<u64>>,
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(to)?;
        self.read_bytes.set(self.read_bytes.get() + read as u64);
        Ok(read)
    }
}

/// Turns UTF-16 into UTF-8.
struct Utf16Reader<R> {
    source: R,
    to_unit: fn([u8; 2]) -> u16,
    /// Bytes and units that are the first half of something.
    half_unit: Vec<u8>,
    half_pair: Vec<u16>,
    text: String,
    given: usize,
}

impl<R: Read> Utf16Reader<R> {
    fn new(source: R, to_unit: fn([u8; 2]) -> u16) -> Self {
        Self {
            source,
            to_unit,
            half_unit: Vec::new(),
            half_pair: Vec::new(),
            text: String::new(),
            given: 0,
        }
    }

    /// Decodes the next chunk. Returns false at the end.
    fn decode_chunk(&mut self) -> io::Result<bool> {
        let invalid = |text: &str| io::Error::new(ErrorKind::InvalidData, text);
        let mut bytes = std::mem::take(&mut self.half_unit);
        let begin = bytes.len();
        bytes.resize(begin + UTF16_CHUNK, 0);
        let read = loop {
            match self.source.read(&mut bytes[begin..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        bytes.truncate(begin + read);
        if read == 0 {
            if begin == 0 && self.half_pair.is_empty() {
                return Ok(false);
            }
            return Err(invalid(
                "it is UTF-16 text that ends within a character: copy the whole file again",
            ));
        }
        let mut units = std::mem::take(&mut self.half_pair);
        let pairs = bytes.chunks_exact(2);
        self.half_unit = pairs.remainder().to_vec();
        units.extend(pairs.map(|pair| (self.to_unit)([pair[0], pair[1]])));
        if let Some(last) = units.last().copied()
            && (0xd800..0xdc00).contains(&last)
        {
            units.pop();
            self.half_pair = vec![last];
        }
        self.text.clear();
        self.given = 0;
        for decoded in char::decode_utf16(units) {
            let decoded = decoded.map_err(|_| {
                invalid("it is UTF-16 text with half a character in it: save the file as UTF-8")
            })?;
            self.text.push(decoded);
        }
        Ok(true)
    }
}

impl<R: Read> Read for Utf16Reader<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() {
            if !self.decode_chunk()? {
                return Ok(0);
            }
        }
        let rest = &self.text.as_bytes()[self.given..];
        let length = rest.len().min(to.len());
        to[..length].copy_from_slice(&rest[..length]);
        self.given += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, so that every boundary is between two reads.
    struct ByteByByte<'a>(&'a [u8]);

    impl Read for ByteByByte<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let length = self.0.len().min(to.len()).min(1);
            to[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    fn lines(bytes: &[u8]) -> Result<Vec<(u64, String)>, String> {
        let mut reader = LineReader::new(ByteByByte(bytes)).expect("it begins");
        let mut found = Vec::new();
        loop {
            let mut line = Vec::new();
            match reader.append_line(&mut line) {
                Ok(true) => found.push((
                    reader.line(),
                    String::from_utf8(line).expect("the tests are UTF-8"),
                )),
                Ok(false) => return Ok(found),
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    fn utf16(text: &str, mark: &[u8], to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let units = text.encode_utf16().flat_map(to_bytes);
        mark.iter().copied().chain(units).collect()
    }

    #[test]
    fn every_encoding_and_every_line_end_gives_the_same_lines() {
        let expect = [(1, "a,ü"), (2, ""), (3, "b,😀"), (4, "c")];
        let expect: Vec<(u64, String)> = expect.map(|(n, text)| (n, text.to_owned())).into();
        for text in [
            "a,ü\n\nb,😀\nc",
            "a,ü\r\n\r\nb,😀\r\nc\r\n",
            "a,ü\r\rb,😀\rc\r",
        ] {
            let files = [
                text.as_bytes().to_vec(),
                [UTF8_MARK, text.as_bytes()].concat(),
                utf16(text, UTF16_LITTLE_ENDIAN_MARK, u16::to_le_bytes),
                utf16(text, UTF16_BIG_ENDIAN_MARK, u16::to_be_bytes),
            ];
            for file in files {
                assert_eq!(lines(&file).as_ref(), Ok(&expect), "{file:?}");
            }
        }
        assert_eq!(lines(b""), Ok(vec![]));
    }

    #[test]
    fn utf_16_that_is_cut_off_or_broken_is_an_error() {
        let rows: [(&[u8], &str); 3] = [
            (b"\xff\xfea", "ends within a character"),
            (b"\xff\xfea\0\x3d\xd8", "ends within a character"),
            (b"\xff\xfe\x3d\xd8a\0", "half a character"),
        ];
        for (bytes, expect) in rows {
            let error = lines(bytes).expect_err(expect);
            assert!(error.contains(expect), "{error}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_kept_only_in_part() {
        let file = format!("{}\nb\n", "x".repeat(3 * MAX_LINE));
        let mut reader = LineReader::new(file.as_bytes()).expect("it begins");
        let mut line = Vec::new();
        assert!(reader.append_line(&mut line).expect("a line"));
        assert_eq!(line.len(), MAX_LINE + 1);
        line.clear();
        assert!(reader.append_line(&mut line).expect("a line"));
        assert_eq!((line.as_slice(), reader.line()), (b"b".as_slice(), 2));
    }
}
