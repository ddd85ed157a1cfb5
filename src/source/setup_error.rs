//! Why a source cannot be set up.

use crate::external::credential::CredentialError;
use crate::external::query_http::EndpointError;
use crate::external::query_limits::LimitFlaw;

/// Why a source cannot be set up. Nothing was asked.
#[derive(Debug, thiserror::Error)]
#[error("source {name}: {why}")]
pub struct SourceSetupError {
    /// The name of the source, as configured.
    pub name: String,
    /// What is wrong with the source.
    pub why: SourceFlaw,
}

/// What is wrong with a source.
#[derive(Debug, thiserror::Error)]
pub enum SourceFlaw {
    /// A limit cannot be used.
    #[error(transparent)]
    Limit(#[from] LimitFlaw),
    /// The URL, a header, or the HTTP client cannot be used.
    #[error(transparent)]
    Http(#[from] EndpointError),
    /// The file with the credential, or with the URL of a database, cannot be read.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The file does not hold the URL of a database.
    #[error(
        "the content of url-file is not the URL of a database: write postgres://, mysql:// or \
         sqlite://"
    )]
    DatabaseUrl,
    /// The program cannot ask databases.
    #[error("this maitred was built without databases: build it with `--features sql`")]
    NoSql,
}
