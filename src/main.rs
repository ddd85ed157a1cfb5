//! The binary. All code is in the library.

use std::process::ExitCode;

/// mimalloc is a third faster than the C library's allocator where a plan or a rebuild allocates
/// and frees many small objects, and it returns memory to the system. Its feature `no_thp` keeps it
/// from asking for huge pages, of which a daemon at rest would hold 50 MB for a few kilobytes each.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Some systems give huge pages to programs that do not ask for them, Debian among them. Where the
    // setting is refused, only memory is lost. Commands of lookups and notifications inherit it.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    maitred::cli::dispatch::main()
}
