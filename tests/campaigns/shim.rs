//! `shim.c`, compiled and loaded into a program: it records, kills or fails what the program does
//! to the files below one directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/campaigns/shim.c");

/// What the shim should do. It does nothing about parts that are not set.
#[derive(Debug, Clone, Default)]
pub struct Shim {
    /// The shim ignores everything outside this directory.
    pub dir: PathBuf,
    pub trace: Option<PathBuf>,
    /// Writes to this file become notes in the trace.
    pub notes: Option<PathBuf>,
    /// The file that receives the number of counted calls at the end, see [`read_counts`].
    pub count_file: Option<PathBuf>,
    /// Calls count only after this file exists.
    pub start_file: Option<PathBuf>,
    pub kill: Option<KillAt>,
    pub fail: Option<DiskFailure>,
}

/// The process is killed at the n-th call, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KillAt {
    pub at: u64,
    pub point: KillPoint,
    /// The letters of the calls that count, see `shim.c`; `None`: all calls that change something.
    pub call_letters: Option<&'static str>,
}

/// Where in the call the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillPoint {
    Before,
    /// After half of the call, if it is a write.
    Midway,
    After,
}

/// The disk fails at the n-th call, counted from 1.
#[derive(Debug, Clone, Copy)]
pub struct DiskFailure {
    pub at: u64,
    pub errno: i32,
    /// The letters of the calls that count, and a text that their path must contain.
    pub call_letters: &'static str,
    pub path_contains: Option<&'static str>,
    /// All later calls fail, too.
    pub is_permanent: bool,
    /// If the call is a write, half of its data is written first.
    pub takes_half: bool,
}

impl Shim {
    /// Loads the shim into the command.
    pub fn apply(&self, command: &mut Command) {
        command.env("LD_PRELOAD", compile_library());
        command.env("MAITRED_SHIM_DIR", &self.dir);
        if let Some(trace) = &self.trace {
            command.env("MAITRED_SHIM_TRACE", trace);
        }
        if let Some(notes) = &self.notes {
            command.env("MAITRED_SHIM_NOTES", notes);
        }
        if let Some(count) = &self.count_file {
            command.env("MAITRED_SHIM_COUNT", count);
        }
        if let Some(from) = &self.start_file {
            command.env("MAITRED_SHIM_FROM", from);
        }
        if let Some(kill) = self.kill {
            command.env("MAITRED_SHIM_KILL_AT", kill.at.to_string());
            command.env("MAITRED_SHIM_KILL_BY", kill.point.as_word());
            if let Some(kinds) = kill.call_letters {
                command.env("MAITRED_SHIM_KINDS", kinds);
            }
        }
        if let Some(fail) = self.fail {
            command.env("MAITRED_SHIM_KINDS", fail.call_letters);
            if let Some(only) = fail.path_contains {
                command.env("MAITRED_SHIM_ONLY", only);
            }
            command.env("MAITRED_SHIM_FAIL_AT", fail.at.to_string());
            command.env("MAITRED_SHIM_ERRNO", fail.errno.to_string());
            command.env(
                "MAITRED_SHIM_STAY",
                if fail.is_permanent { "1" } else { "0" },
            );
            command.env("MAITRED_SHIM_PART", if fail.takes_half { "1" } else { "0" });
        }
    }
}

/// Reads the count file: the number of calls that counted, and the letters of those that failed. A
/// process that was killed leaves no count file.
pub fn read_counts(count: &Path) -> (u64, String) {
    let text = fs::read_to_string(count).unwrap_or_default();
    let (counted, failed) = text.split_once(' ').unwrap_or_default();
    (counted.parse().unwrap_or(0), failed.to_owned())
}

impl KillPoint {
    fn as_word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Midway => "half",
            Self::After => "after",
        }
    }
}

/// Returns the library, which each test program compiles once. The file appears complete, because
/// other processes may be loading it.
fn compile_library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let name = "shim.so";
        let made = folder.join(format!("{name}.{}", std::process::id()));
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"])
            .arg("-o")
            .arg(&made)
            .args([SOURCE, "-ldl", "-lpthread"])
            .output()
            .expect("a C compiler is there: the build needs one anyway");
        let errors = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success(), "{errors}");
        let library = folder.join(name);
        fs::rename(&made, &library).expect("a name in the same folder");
        library
    })
}

/// Returns a folder for thousands of temporary files: in memory if there is such a file system,
/// because nothing here depends on a real disk.
pub fn scratch_folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    made.expect("a folder")
}
