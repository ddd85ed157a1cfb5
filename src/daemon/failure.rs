//! Why the process cannot do what it was asked, told apart by what an operator can do about it.

use super::calendar::CalendarError;
use super::commands::parse::commit_failed;
use super::lookups::LookupError;
use crate::config::load::LoadError;
use crate::control::exit;
use crate::control::protocol::{Refusal, StoppedView};
use crate::reconcile::context::PassError;
use crate::store::lock::LockError;
use crate::store::open::OpenError;

/// Each has its exit code.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// 77
    #[error("{0}")]
    Credential(String),
    /// 77: the store may not be used by this user.
    #[error("{0}")]
    Permission(String),
    /// 69
    #[error("{0}")]
    Unreachable(String),
    /// 78
    #[error("{0}")]
    Configuration(String),
    /// 75: another process has the store.
    #[error("{0}")]
    StoreLocked(String),
    /// 1: the log cannot be written or the store cannot be read.
    #[error("{0}")]
    Store(String),
    /// 1
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    pub fn exit(&self) -> u8 {
        match self {
            Self::Credential(_) | Self::Permission(_) => exit::CREDENTIAL,
            Self::Unreachable(_) => exit::UNREACHABLE,
            Self::Configuration(_) => exit::CONFIGURATION,
            Self::StoreLocked(_) => exit::STORE_LOCKED,
            Self::Store(_) | Self::Failed(_) => exit::FAILED,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Credential(_) => "credential",
            Self::Permission(_) => "permission",
            Self::Unreachable(_) => "unreachable",
            Self::Configuration(_) => "configuration",
            Self::StoreLocked(_) => "held",
            Self::Store(_) => "store",
            Self::Failed(_) => "failed",
        }
    }

    /// As it stands in the report of what was done before it.
    pub fn to_stopped_view(&self) -> StoppedView {
        StoppedView {
            exit: self.exit(),
            code: self.code().to_owned(),
            text: self.to_string(),
        }
    }

    pub fn to_refusal(&self) -> Refusal {
        Refusal {
            exit: self.exit(),
            code: self.code().to_owned(),
            text: self.to_string(),
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        failure.to_refusal()
    }
}

/// An error with all its causes, as one line.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Whether the system refused it to this user: another try changes nothing.
pub fn is_permission_denied(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::PermissionDenied) {
            return true;
        }
        cause = error.source();
    }
    false
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let text = format!("failed to {}", error_chain(&error));
        if is_permission_denied(&error) {
            return Self::Permission(text);
        }
        match error {
            OpenError::Lock(LockError::Held { .. }) => Self::StoreLocked(text),
            // Restarting does not make one.
            OpenError::NoStore(_) => Self::Configuration(text),
            OpenError::Lock(LockError::Disk(_))
            | OpenError::NoLog { .. }
            | OpenError::LogTooShort { .. }
            | OpenError::LogReplaced { .. }
            | OpenError::Log(_)
            | OpenError::Disk(_)
            | OpenError::Projection(_) => Self::Store(text),
        }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::Configuration(format!("failed to {}", error_chain(&error)))
    }
}

impl From<CalendarError> for Failure {
    fn from(error: CalendarError) -> Self {
        Self::Configuration(error.to_string())
    }
}

impl From<LookupError> for Failure {
    fn from(error: LookupError) -> Self {
        Self::Configuration(error_chain(&error))
    }
}

impl From<&PassError> for Failure {
    fn from(error: &PassError) -> Self {
        match error {
            PassError::Credential(_) => Self::Credential(error.to_string()),
            PassError::Limited { .. } | PassError::Calendar(_) => {
                Self::Unreachable(error.to_string())
            }
            PassError::Contract(_) | PassError::ForeignLedger(_) => {
                Self::Configuration(error.to_string())
            }
            PassError::Store(error) => Self::Store(error.to_string()),
            PassError::Commit(error) => Self::Store(commit_failed(error).text),
        }
    }
}
