//! Why the process cannot do what it was asked to do, classified by what an operator can do about
//! it.

use super::calendar::CalendarError;
use super::commands::parse::commit_failed;
use super::error_chain::error_chain;
use crate::config::load::LoadError;
use crate::control::exit;
use crate::control::protocol::Refusal;
use crate::control::protocol::pass::StoppedView;
use crate::lookup::client::LookupSetupError;
use crate::notify::target::NotifySetupError;
use crate::reconcile::context::PassError;
use crate::source::setup_error::SourceSetupError;
use crate::store::lock::LockError;
use crate::store::open_report::OpenError;

/// A failure with its exit code.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Exit code 77.
    #[error("{0}")]
    Credential(String),
    /// Exit code 77: this user may not use the store.
    #[error("{0}")]
    Permission(String),
    /// Exit code 69.
    #[error("{0}")]
    Unreachable(String),
    /// Exit code 78.
    #[error("{0}")]
    Configuration(String),
    /// Exit code 75: another process holds the store.
    #[error("{0}")]
    StoreLocked(String),
    /// Exit code 1: the log cannot be written, or the store cannot be read.
    #[error("{0}")]
    Store(String),
    /// Exit code 1.
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    /// Returns the exit code of the process.
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
            Self::StoreLocked(_) => "store-locked",
            Self::Store(_) => "store",
            Self::Failed(_) => "failed",
        }
    }

    /// Returns the failure as it appears in the report of what was done before it.
    pub fn to_stopped_view(&self) -> StoppedView {
        StoppedView {
            exit: self.exit(),
            code: self.code().to_owned(),
            text: self.to_string(),
        }
    }

    /// Returns the failure as the answer to a command.
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

/// Returns true when the system denied access to this user: another attempt changes nothing.
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
            // Restarting does not create a store.
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

impl From<LookupSetupError> for Failure {
    fn from(error: LookupSetupError) -> Self {
        Self::Configuration(error.to_string())
    }
}

impl From<SourceSetupError> for Failure {
    fn from(error: SourceSetupError) -> Self {
        Self::Configuration(error.to_string())
    }
}

impl From<NotifySetupError> for Failure {
    fn from(error: NotifySetupError) -> Self {
        Self::Configuration(error.to_string())
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
