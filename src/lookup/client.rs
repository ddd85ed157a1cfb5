//! Runs the lookups: limits concurrent queries, and does not ask again for what was answered
//! recently.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::request::LookupRequest;
use super::response::{MAX_RESPONSE_BYTES, parse_response};
use crate::domain::booking::Answer;
use crate::domain::id::Address;
use crate::domain::lookup::{LookupConfig, LookupSource};
use crate::domain::time::{Clock, Time};
use crate::external::credential::{CredentialError, read_credential};
use crate::external::failure::QueryFailure;
use crate::external::query_command::ask_command;
use crate::external::query_http::{EndpointError, EndpointRequest, HttpEndpoint};
use crate::external::query_limits::{ConsecutiveFailures, LimitFlaw, QueryLimits};

/// Why a lookup cannot be set up. Nothing was queried.
#[derive(Debug, thiserror::Error)]
#[error("lookup {name}: {why}")]
pub struct LookupSetupError {
    /// The name of the lookup, as configured.
    pub name: String,
    /// What is wrong with the lookup.
    pub why: LookupFlaw,
}

/// What is wrong with a lookup.
#[derive(Debug, thiserror::Error)]
pub enum LookupFlaw {
    /// Another lookup has the same name.
    #[error("another one has the same name")]
    DuplicateName,
    /// The program of a command is empty.
    #[error("the command is empty")]
    NoCommand,
    /// A limit cannot be used.
    #[error(transparent)]
    Limit(#[from] LimitFlaw),
    /// The URL, or the HTTP client for it, cannot be used.
    #[error(transparent)]
    Http(#[from] EndpointError),
    /// The file with the credential cannot be read.
    #[error(transparent)]
    Credential(#[from] CredentialError),
}

/// All lookups. The default has none.
#[derive(Default)]
pub struct LookupClient {
    endpoints: BTreeMap<String, LookupEndpoint>,
}

struct LookupEndpoint {
    transport: LookupTransport,
    limits: QueryLimits<Answer>,
}

/// A source that is ready to be queried: its URL is checked, its credential read.
enum LookupTransport {
    Command { program: PathBuf, args: Vec<String> },
    Http(HttpEndpoint),
}

impl fmt::Debug for LookupClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.endpoints.keys()).finish()
    }
}

impl LookupClient {
    /// Sets up the lookups, and reads their credentials. Nothing is queried yet.
    ///
    /// # Errors
    /// Returns an error if one of the lookups cannot be used, or if its credential cannot be read.
    pub fn open(lookups: &[LookupConfig]) -> Result<Self, LookupSetupError> {
        let mut endpoints = BTreeMap::new();
        for lookup in lookups {
            let setup_error = |why| LookupSetupError {
                name: lookup.name.clone(),
                why,
            };
            let endpoint = LookupEndpoint::open(lookup).map_err(setup_error)?;
            if endpoints.insert(lookup.name.clone(), endpoint).is_some() {
                return Err(setup_error(LookupFlaw::DuplicateName));
            }
        }
        Ok(Self { endpoints })
    }

    /// Returns a recent answer about this booker, if it is still valid.
    pub fn cached_answer(&self, name: &str, booker: &Address, now: Time) -> Option<Answer> {
        let endpoint = self.endpoints.get(name)?;
        endpoint.limits.cached_answer(booker.as_str(), now)
    }

    /// Begins the queries of one pass, which may be stopped.
    pub fn begin_pass<'a>(&'a self, is_stopped: &'a (dyn Fn() -> bool + Sync)) -> PassLookups<'a> {
        PassLookups {
            client: self,
            is_stopped,
            consecutive_failures: self
                .endpoints
                .keys()
                .map(|name| (name.as_str(), ConsecutiveFailures::default()))
                .collect(),
        }
    }
}

/// The queries of one pass.
pub struct PassLookups<'a> {
    client: &'a LookupClient,
    is_stopped: &'a (dyn Fn() -> bool + Sync),
    /// For each lookup, how many consecutive queries found the system unavailable.
    consecutive_failures: BTreeMap<&'a str, ConsecutiveFailures>,
}

impl PassLookups<'_> {
    /// Queries the lookup once a permit is free. `None`: the pass was stopped before.
    ///
    /// # Errors
    /// Returns the reason why there is no answer.
    pub async fn query(
        &self,
        name: &str,
        request: &LookupRequest<'_>,
        clock: &Clock,
    ) -> Option<Result<Answer, QueryFailure>> {
        let (Some(endpoint), Some(failures)) = (
            self.client.endpoints.get(name),
            self.consecutive_failures.get(name),
        ) else {
            return Some(Err(QueryFailure::unavailable(
                "no lookup of this name is configured",
            )));
        };
        let limits = (failures, self.is_stopped);
        let key = request.booker.as_str();
        let ask = async {
            let answer = endpoint.query(name, request).await;
            if let Err(error) = &answer {
                tracing::debug!(lookup = name, %error, "no answer");
            }
            answer
        };
        endpoint.limits.query(key, limits, clock, ask).await
    }
}

impl LookupEndpoint {
    fn open(lookup: &LookupConfig) -> Result<Self, LookupFlaw> {
        let limits = QueryLimits::new(lookup.timeout, lookup.cached_for, lookup.at_once)?;
        let transport = match &lookup.source {
            LookupSource::Command { program, .. } if program.as_os_str().is_empty() => {
                return Err(LookupFlaw::NoCommand);
            }
            LookupSource::Command { program, args } => LookupTransport::Command {
                program: program.clone(),
                args: args.clone(),
            },
            LookupSource::Url {
                url,
                credential_file,
            } => {
                let credential = credential_file.as_ref();
                let credential = credential.map(|path| read_credential(path, "credential-file"));
                let credential = credential.transpose()?;
                LookupTransport::Http(HttpEndpoint::open(&EndpointRequest {
                    url,
                    needs_address: true,
                    body: None,
                    headers: &[],
                    credential: credential.as_ref(),
                })?)
            }
        };
        Ok(Self { transport, limits })
    }

    async fn query(&self, name: &str, request: &LookupRequest<'_>) -> Result<Answer, QueryFailure> {
        let timeout = self.limits.timeout;
        let bytes = match &self.transport {
            LookupTransport::Command { program, args } => {
                let question = request.to_json_line(name);
                ask_command(program, args, &question, MAX_RESPONSE_BYTES, timeout).await?
            }
            LookupTransport::Http(endpoint) => {
                let address = request.booker.as_str().to_owned();
                let values = [("address".to_owned(), address)].into();
                let answer = endpoint.ask(&values, None, MAX_RESPONSE_BYTES, timeout);
                answer.await?.into_body()?
            }
        };
        parse_response(&bytes)
    }
}
