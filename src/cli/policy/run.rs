//! Which of the commands it is.

use super::args::PolicyArgs;
use super::{examples, replay};
use crate::cli::dispatch::Context;
use crate::control::protocol::Refusal;

/// # Errors
/// As each of the commands.
pub fn run(context: &Context, args: &PolicyArgs) -> Result<u8, Refusal> {
    match args {
        PolicyArgs::Test(args) => examples::test(context, args),
        PolicyArgs::Replay(args) => replay::replay(context, args),
    }
}
