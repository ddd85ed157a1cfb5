//! The binary. All code is in the library.

use std::process::ExitCode;

/// mimalloc is a third faster than the C library's allocator where a plan or a rebuild allocates
/// and frees many small objects, and it returns memory to the system.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    maitred::cli::dispatch::main()
}
