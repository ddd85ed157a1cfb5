//! Runs one of the commands of `maitred policy`.

use super::args::PolicyArgs;
use super::{examples, replay};
use crate::cli::context::Context;
use crate::control::protocol::Refusal;

/// Runs the command that was given.
///
/// # Errors
/// Returns the refusal of that command.
pub fn run(context: &Context, args: &PolicyArgs) -> Result<u8, Refusal> {
    match args {
        PolicyArgs::Test(args) => examples::test(context, args),
        PolicyArgs::Replay(args) => replay::replay(context, args),
    }
}
