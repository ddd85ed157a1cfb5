//! The binary. Everything is in the library.

use std::process::ExitCode;

/// A third quicker than the C library's where a plan or a rebuild makes and drops many small things,
/// and it gives memory back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    maitred::cli::dispatch::main()
}
