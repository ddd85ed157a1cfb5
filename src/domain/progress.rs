//! How far long work has come. The work reports it; who shows it, and how, is decided elsewhere.

/// A step of work that can take long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkStep {
    /// The log is read, to answer a command without a daemon.
    ReadLog,
    /// The projection is made again from the log.
    RebuildProjection,
    /// Log and projection are compared.
    Verify,
    /// The log is copied.
    CopyLog,
    /// The lines of a log are checked.
    CheckLog,
    /// The log is written again without some personal data.
    RewriteLog,
    /// Recorded requests are judged by another policy.
    ReplayRequests,
    /// The rows of a file are checked.
    CheckFile,
    /// The rows of a file are imported.
    ImportFile,
}

/// How far a step has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub step: WorkStep,
    /// How much is done: bytes of the log or of a file, or commits.
    pub done: u64,
    /// How much there is in all, in the same unit; `None` if that is not known.
    pub total: Option<u64>,
}

impl Progress {
    /// Returns the share that is done, in percent; `None` if the whole is not known.
    pub fn percent(self) -> Option<u64> {
        let percent = |total| (self.done * 100).checked_div(total).unwrap_or(100);
        self.total.map(percent)
    }
}
