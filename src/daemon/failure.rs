//! Why the process cannot do what it was asked, told apart by what an operator can do about it.

use super::answer::parse::commit_failed;
use crate::control::protocol::Refusal;
use crate::reconcile::ports::PassError;

/// Each has its exit code.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// 77
    #[error("{0}")]
    Credential(String),
    /// 69
    #[error("{0}")]
    Unreachable(String),
    /// 78
    #[error("{0}")]
    Configuration(String),
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
            Self::Credential(_) => 77,
            Self::Unreachable(_) => 69,
            Self::Configuration(_) => 78,
            Self::Store(_) | Self::Failed(_) => 1,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Credential(_) => "credential",
            Self::Unreachable(_) => "unreachable",
            Self::Configuration(_) => "configuration",
            Self::Store(_) => "store",
            Self::Failed(_) => "failed",
        }
    }

    pub fn refusal(&self) -> Refusal {
        Refusal {
            exit: self.exit(),
            code: self.code().to_owned(),
            text: self.to_string(),
        }
    }
}

impl From<&PassError> for Failure {
    fn from(error: &PassError) -> Self {
        match error {
            PassError::Credential(_) => Self::Credential(error.to_string()),
            PassError::Limited { .. } | PassError::Calendar(_) => {
                Self::Unreachable(error.to_string())
            }
            PassError::Contract(_) => Self::Configuration(error.to_string()),
            PassError::Store(error) => Self::Store(error.to_string()),
            PassError::Commit(error) => Self::Store(commit_failed(error).text),
        }
    }
}
