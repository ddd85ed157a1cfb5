//! The desk where questions are asked: few at once, and what was answered lately is not asked
//! again.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Semaphore;

use super::answer::NoAnswer;
use super::command;
use super::http::{Endpoint, HttpError};
use super::question::Question;
use crate::domain::booking::Answer;
use crate::domain::id::Address;
use crate::domain::time::{Clock, Span, Time};

/// After so many questions in a row that found a system away, it is asked no more in the same pass:
/// each of the others would wait as long in vain.
const AWAY_AFTER: usize = 3;

/// Answers remembered of one lookup; when there are more, those whose time is over go, or all.
const MAX_REMEMBERED: usize = 10_000;

/// One lookup, as it is configured.
#[derive(Debug)]
pub struct Spec {
    /// As rules name it: `lookup.<name>`.
    pub name: String,
    pub source: Source,
    /// From the start to the last byte of the answer; waiting for a turn does not count.
    pub timeout: Duration,
    /// How long an answer is good for everything that this booker asks for. Zero: for one request.
    pub cached_for: Span,
    /// How many may be asked at the same time.
    pub at_once: usize,
}

/// Whom to ask.
#[derive(Debug)]
pub enum Source {
    /// A program with its arguments; no shell is between.
    Command { program: PathBuf, args: Vec<String> },
    Http {
        /// With `{address}` where the booker's address goes.
        url: String,
        credential: Option<SecretString>,
    },
}

/// Why a lookup cannot be set up. Nothing was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("lookup {name}: {why}")]
pub struct DeskError {
    pub name: String,
    pub why: Wrong,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("another one has the same name")]
    Twice,
    #[error("the command is empty")]
    NoCommand,
    #[error("the time limit must be above zero")]
    NoTime,
    #[error("at least one must be asked at a time")]
    NoneAtOnce,
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// All lookups. The default has none.
#[derive(Default)]
pub struct Desk {
    counters: BTreeMap<String, Counter>,
}

struct Counter {
    asked: Asked,
    timeout: Duration,
    cached_for: Span,
    turns: Semaphore,
    remembered: Mutex<BTreeMap<Address, (Time, Answer)>>,
}

enum Asked {
    Command { program: PathBuf, args: Vec<String> },
    Http(Endpoint),
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.counters.keys()).finish()
    }
}

impl Desk {
    /// Sets up the lookups. Nothing is asked yet.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub fn open(specs: Vec<Spec>) -> Result<Self, DeskError> {
        let mut counters = BTreeMap::new();
        for spec in specs {
            let name = spec.name.clone();
            let wrong = |why| DeskError {
                name: name.clone(),
                why,
            };
            let counter = Counter::open(spec).map_err(wrong)?;
            if counters.insert(name.clone(), counter).is_some() {
                return Err(wrong(Wrong::Twice));
            }
        }
        Ok(Self { counters })
    }

    /// What was answered about this booker lately, if it is still good.
    pub fn remembered(&self, name: &str, booker: &Address, now: Time) -> Option<Answer> {
        self.counters.get(name)?.remembered(booker, now)
    }

    /// Begins to ask on behalf of one pass, which may be told to stop.
    pub fn round<'a>(&'a self, stopped: &'a (dyn Fn() -> bool + Sync)) -> Round<'a> {
        Round {
            desk: self,
            stopped,
            away: self
                .counters
                .keys()
                .map(|name| (name.as_str(), AtomicUsize::new(0)))
                .collect(),
        }
    }
}

/// The questions of one pass.
pub struct Round<'a> {
    desk: &'a Desk,
    stopped: &'a (dyn Fn() -> bool + Sync),
    /// How many questions in a row found the system away.
    away: BTreeMap<&'a str, AtomicUsize>,
}

impl Round<'_> {
    /// Asks, when it is this question's turn. `None`: the pass was stopped before.
    ///
    /// # Errors
    /// With why there is no answer.
    pub async fn ask(
        &self,
        name: &str,
        question: &Question<'_>,
        clock: &Clock,
    ) -> Option<Result<Answer, NoAnswer>> {
        let (Some(counter), Some(away)) = (self.desk.counters.get(name), self.away.get(name))
        else {
            return Some(Err(NoAnswer::away("no lookup of this name is configured")));
        };
        let _turn = counter.turns.acquire().await;
        if (self.stopped)() {
            return None;
        }
        let now = clock();
        // Another question about the same booker may have been before.
        if let Some(answer) = counter.remembered(question.booker, now) {
            return Some(Ok(answer));
        }
        if away.load(Ordering::Relaxed) >= AWAY_AFTER {
            let why = format!("it was away for the {AWAY_AFTER} questions before this one");
            return Some(Err(NoAnswer::away(why)));
        }
        let answer = counter.ask(name, question).await;
        match &answer {
            Ok(answer) => counter.remember(question.booker, now, answer),
            Err(error) => tracing::debug!(lookup = name, %error, "no answer"),
        }
        match &answer {
            Err(error) if error.away => {
                away.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) | Ok(_) => away.store(0, Ordering::Relaxed),
        }
        Some(answer)
    }
}

impl Counter {
    fn open(spec: Spec) -> Result<Self, Wrong> {
        if spec.timeout.is_zero() {
            return Err(Wrong::NoTime);
        }
        if spec.at_once == 0 {
            return Err(Wrong::NoneAtOnce);
        }
        Ok(Self {
            asked: match spec.source {
                Source::Command { program, .. } if program.as_os_str().is_empty() => {
                    return Err(Wrong::NoCommand);
                }
                Source::Command { program, args } => Asked::Command { program, args },
                Source::Http { url, credential } => {
                    Asked::Http(Endpoint::open(&url, credential.as_ref())?)
                }
            },
            timeout: spec.timeout,
            cached_for: spec.cached_for,
            turns: Semaphore::new(spec.at_once.min(Semaphore::MAX_PERMITS)),
            remembered: Mutex::default(),
        })
    }

    async fn ask(&self, name: &str, question: &Question<'_>) -> Result<Answer, NoAnswer> {
        match &self.asked {
            Asked::Command { program, args } => {
                command::ask(program, args, &question.json(name), self.timeout).await
            }
            Asked::Http(endpoint) => endpoint.ask(question.booker, self.timeout).await,
        }
    }

    fn remembered(&self, booker: &Address, now: Time) -> Option<Answer> {
        let remembered = self.remembered.lock();
        let remembered = remembered.unwrap_or_else(PoisonError::into_inner);
        let (at, answer) = remembered.get(booker)?;
        self.is_good(*at, now).then(|| answer.clone())
    }

    fn is_good(&self, at: Time, now: Time) -> bool {
        (Span::zero()..self.cached_for).contains(&(now - at))
    }

    fn remember(&self, booker: &Address, now: Time, answer: &Answer) {
        if self.cached_for <= Span::zero() {
            return;
        }
        let remembered = self.remembered.lock();
        let mut remembered = remembered.unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MAX_REMEMBERED {
            remembered.retain(|_, (at, _)| self.is_good(*at, now));
        }
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(booker.clone(), (now, answer.clone()));
    }
}
