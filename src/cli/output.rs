//! Prints to standard output and standard error. A reader that has seen enough (`| head`) closes
//! the pipe; that ends the output, and is no failure.

use std::io::{self, ErrorKind, Write};

use super::args::Format;
use super::render::refusal;
use crate::control::protocol::Refusal;
use crate::daemon::telemetry;

/// Prints to standard output.
///
/// # Errors
/// Returns an error if standard output cannot be written (a full disk), except if its reader has
/// closed it.
pub fn print(text: &[u8]) -> io::Result<()> {
    write(&mut io::stdout().lock(), text)
}

/// Prints a refusal to standard error and returns its exit code. If that fails, there is no other
/// place to report it.
pub fn print_refusal(refusal: &Refusal, format: Format) -> u8 {
    let text = match format {
        Format::Plain | Format::Html | Format::Csv => refusal::render_plain(refusal),
        Format::Json => refusal::render_json(refusal),
    };
    let text = telemetry::mark_for_stderr(text);
    let _ = write(&mut io::stderr().lock(), text.as_bytes());
    refusal.exit
}

fn write(to: &mut impl Write, text: &[u8]) -> io::Result<()> {
    match to.write_all(text).and_then(|()| to.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct BrokenWriter(ErrorKind);

    impl Write for BrokenWriter {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_failure_and_a_full_disk_is() {
        assert!(write(&mut BrokenWriter(ErrorKind::BrokenPipe), b"text").is_ok());
        assert!(write(&mut BrokenWriter(ErrorKind::StorageFull), b"text").is_err());
    }
}
