//! Which of the commands it is.

use super::args::Policy;
use super::{examples, replay};
use crate::cli::dispatch::Context;
use crate::control::protocol::Refusal;

/// # Errors
/// As each of the commands.
pub fn run(context: &Context, args: &Policy) -> Result<u8, Refusal> {
    match args {
        Policy::Test(args) => examples::test(context, args),
        Policy::Replay(args) => replay::replay(context, args),
    }
}
