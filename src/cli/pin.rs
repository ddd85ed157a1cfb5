//! Reads a member's PIN, typed at a terminal without being shown, or from standard input. The PIN
//! is never an argument, and leaves this process as a hash only.

use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::termios::{self, OptionalActions};
use secrecy::{ExposeSecret, SecretString};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::emulate_default_handler;

use crate::control::protocol::Refusal;
use crate::daemon::pin;

/// The most bytes that are read: the longest PIN in any script, with blanks around it.
const MAX_LINE: u64 = 1_024;

/// Returns the hash of the PIN that is typed twice, or read.
///
/// # Errors
/// Returns a refusal if there is no PIN, or if the text cannot be a PIN.
pub fn read_hash() -> Result<String, Refusal> {
    let pin = if io::stdin().is_terminal() {
        prompt_twice().map_err(read_failure)??
    } else {
        read_line(&mut BufReader::new(io::stdin().lock()))?
    };
    pin::hash(pin.expose_secret()).map_err(|why| Refusal::usage(format!("{why}")))
}

/// Reads one line, to its end or that of the input.
fn read_line(input: &mut impl BufRead) -> Result<SecretString, Refusal> {
    let mut text = String::new();
    let outcome = input.by_ref().take(MAX_LINE).read_to_string(&mut text);
    let whole_input = SecretString::from(text);
    outcome.map_err(read_failure)?;
    let text = whole_input.expose_secret().trim_end_matches(['\r', '\n']);
    if text.contains('\n') {
        return Err(Refusal::usage(
            "standard input holds more than one line".to_owned(),
        ));
    }
    Ok(SecretString::from(text))
}

/// Asks twice, so that a typing mistake that could not be seen does not lock a member out.
fn prompt_twice() -> io::Result<Result<SecretString, Refusal>> {
    let first = prompt_once("PIN: ")?;
    let second = prompt_once("The same again: ")?;
    if first.expose_secret() == second.expose_secret() {
        Ok(Ok(first))
    } else {
        Ok(Err(Refusal::usage(
            "the two PINs differ; nothing was changed".to_owned(),
        )))
    }
}

/// Asks at the terminal of the process. `rpassword` hides what is typed.
fn prompt_once(prompt: &str) -> io::Result<SecretString> {
    let _restored_by_signals = TerminalRestorer::start();
    let config = rpassword::ConfigBuilder::new()
        .output_writer(io::stderr())
        .build();
    match rpassword::prompt_password_with_config(prompt, config) {
        Ok(typed) => Ok(SecretString::from(typed)),
        Err(error) => {
            if error.kind() == io::ErrorKind::Interrupted {
                // Ctrl-C: the signal ends the process meanwhile.
                std::thread::sleep(Duration::from_secs(1));
            }
            Err(error)
        }
    }
}

/// Restores the settings of the terminal when a signal ends the process, also with Ctrl-C. That is
/// what `rpassword` leaves out: it restores them only when it returns.
struct TerminalRestorer {
    signals: Handle,
    thread: Option<JoinHandle<()>>,
}

impl TerminalRestorer {
    /// Returns `None` if standard input has no settings.
    fn start() -> Option<Self> {
        let settings = termios::tcgetattr(io::stdin()).ok()?;
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).ok()?;
        let handle = signals.handle();
        let thread = std::thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, &settings);
                let _ = emulate_default_handler(signal);
            }
        });
        Some(Self {
            signals: handle,
            thread: Some(thread),
        })
    }
}

impl Drop for TerminalRestorer {
    fn drop(&mut self) {
        self.signals.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read_failure(error: io::Error) -> Refusal {
    Refusal::usage(format!("the PIN cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_a_pin_and_nothing_else() {
        for good in ["4711", "4711\n", "4711\r\n"] {
            let pin = read_line(&mut good.as_bytes()).unwrap();
            assert_eq!(pin.expose_secret(), "4711", "{good:?}");
        }
        let refusal = read_line(&mut "4711\n4712\n".as_bytes()).unwrap_err();
        assert!(refusal.text.contains("more than one line"), "{refusal}");
        assert!(!refusal.text.contains("4711"), "{refusal}");
    }
}
