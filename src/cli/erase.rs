//! Asks before a person is erased, because nothing brings the data back.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use super::args::account::AccountEraseArgs;
use crate::control::protocol::Refusal;

/// The most bytes of an answer that are read.
const MAX_ANSWER: u64 = 1_024;

/// Has the operator repeat the name, unless they said that this is not needed.
///
/// # Errors
/// Returns a refusal if the operator does not confirm, or cannot be asked.
pub fn confirm(args: &AccountEraseArgs) -> Result<(), Refusal> {
    if args.yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Refusal::usage(
            "there is no terminal on which to ask whether the person is to be erased; add --yes",
        ));
    }
    let mut stderr = io::stderr().lock();
    let mut answer = String::new();
    let read = write!(
        stderr,
        "The person is replaced by a pseudonym in the whole ledger. This cannot be undone.\n\
         Type {} again to erase: ",
        args.account
    )
    .and_then(|()| stderr.flush())
    .and_then(|()| io::stdin().lock().take(MAX_ANSWER).read_line(&mut answer));
    match read {
        Ok(_) if answer.trim() == args.account.trim() => Ok(()),
        Ok(_) => Err(Refusal::usage("this is another name; nothing was changed")),
        Err(error) => Err(Refusal::usage(format!(
            "the answer cannot be read: {error}"
        ))),
    }
}
