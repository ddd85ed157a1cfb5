//! What an operator should look at.

use serde::{Deserialize, Serialize};

/// What an operator should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemView {
    /// A word for programs that names the kind of the problem.
    pub code: String,
    /// The problem, as text for an operator.
    pub text: String,
}
