//! Runs the lookups: limits concurrent queries, and does not ask again for what was answered
//! recently.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::command;
use super::http::{LookupUrl, LookupUrlError};
use super::request::LookupRequest;
use super::response::LookupFailure;
use crate::domain::booking::Answer;
use crate::domain::id::Address;
use crate::domain::lookup::{LookupConfig, LookupSource};
use crate::domain::time::{Clock, Span, Time};
use crate::external::credential::{CredentialError, read_credential};

/// How many consecutive queries may find a system unavailable. Afterwards the system is not queried
/// again in the same pass, because each further query would wait as long without an answer.
const MAX_CONSECUTIVE_FAILURES: usize = 3;

/// The most answers that are cached for one lookup. If there are more, those that expired are
/// dropped, or else all.
const MAX_CACHED_ANSWERS: usize = 10_000;

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
    /// The time limit is zero.
    #[error("the time limit must be above zero")]
    ZeroTimeout,
    /// The number of concurrent queries is zero.
    #[error("at least one must be asked at a time")]
    ZeroConcurrency,
    /// The URL, or the HTTP client for it, cannot be used.
    #[error(transparent)]
    Http(#[from] LookupUrlError),
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
    timeout: Duration,
    cached_for: Span,
    permits: Semaphore,
    cache: Mutex<BTreeMap<Address, (Time, Answer)>>,
}

/// A source that is ready to be queried: its URL is checked, its credential read.
enum LookupTransport {
    Command { program: PathBuf, args: Vec<String> },
    Http(LookupUrl),
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
        self.endpoints.get(name)?.cached_answer(booker, now)
    }

    /// Begins the queries of one pass, which may be stopped.
    pub fn begin_pass<'a>(&'a self, is_stopped: &'a (dyn Fn() -> bool + Sync)) -> PassLookups<'a> {
        PassLookups {
            client: self,
            is_stopped,
            consecutive_failures: self
                .endpoints
                .keys()
                .map(|name| (name.as_str(), AtomicUsize::new(0)))
                .collect(),
        }
    }
}

/// The queries of one pass.
pub struct PassLookups<'a> {
    client: &'a LookupClient,
    is_stopped: &'a (dyn Fn() -> bool + Sync),
    /// For each lookup, how many consecutive queries found the system unavailable.
    consecutive_failures: BTreeMap<&'a str, AtomicUsize>,
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
    ) -> Option<Result<Answer, LookupFailure>> {
        let (Some(endpoint), Some(failures)) = (
            self.client.endpoints.get(name),
            self.consecutive_failures.get(name),
        ) else {
            return Some(Err(LookupFailure::unavailable(
                "no lookup of this name is configured",
            )));
        };
        let _permit = endpoint.permits.acquire().await;
        if (self.is_stopped)() {
            return None;
        }
        let now = clock();
        // Another request may already have asked about the same booker.
        if let Some(answer) = endpoint.cached_answer(request.booker, now) {
            return Some(Ok(answer));
        }
        if failures.load(Ordering::Relaxed) >= MAX_CONSECUTIVE_FAILURES {
            let why = format!(
                "it did not answer the {MAX_CONSECUTIVE_FAILURES} questions before this \
                 one"
            );
            return Some(Err(LookupFailure::unavailable(why)));
        }
        let answer = endpoint.query(name, request).await;
        match &answer {
            Ok(answer) => endpoint.remember(request.booker, now, answer),
            Err(error) => tracing::debug!(lookup = name, %error, "no answer"),
        }
        match &answer {
            Err(error) if error.is_unavailable => {
                failures.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) | Ok(_) => failures.store(0, Ordering::Relaxed),
        }
        Some(answer)
    }
}

impl LookupEndpoint {
    fn open(lookup: &LookupConfig) -> Result<Self, LookupFlaw> {
        if lookup.timeout.is_zero() {
            return Err(LookupFlaw::ZeroTimeout);
        }
        if lookup.at_once == 0 {
            return Err(LookupFlaw::ZeroConcurrency);
        }
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
                LookupTransport::Http(LookupUrl::open(url, credential.as_ref())?)
            }
        };
        Ok(Self {
            transport,
            timeout: lookup.timeout,
            // A duration that the calendar cannot represent means forever.
            cached_for: Span::from_std(lookup.cached_for).unwrap_or(Span::MAX),
            permits: Semaphore::new(lookup.at_once.min(Semaphore::MAX_PERMITS)),
            cache: Mutex::default(),
        })
    }

    async fn query(
        &self,
        name: &str,
        request: &LookupRequest<'_>,
    ) -> Result<Answer, LookupFailure> {
        match &self.transport {
            LookupTransport::Command { program, args } => {
                command::run(program, args, &request.to_json_line(name), self.timeout).await
            }
            LookupTransport::Http(url) => url.fetch(request.booker, self.timeout).await,
        }
    }

    fn cached_answer(&self, booker: &Address, now: Time) -> Option<Answer> {
        let cache = self.cache.lock();
        let cache = cache.unwrap_or_else(PoisonError::into_inner);
        let (at, answer) = cache.get(booker)?;
        self.is_fresh(*at, now).then(|| answer.clone())
    }

    fn is_fresh(&self, at: Time, now: Time) -> bool {
        (Span::zero()..self.cached_for).contains(&(now - at))
    }

    fn remember(&self, booker: &Address, now: Time, answer: &Answer) {
        if self.cached_for <= Span::zero() {
            return;
        }
        let cache = self.cache.lock();
        let mut cache = cache.unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= MAX_CACHED_ANSWERS {
            cache.retain(|_, (at, _)| self.is_fresh(*at, now));
        }
        if cache.len() >= MAX_CACHED_ANSWERS {
            cache.clear();
        }
        cache.insert(booker.clone(), (now, answer.clone()));
    }
}
