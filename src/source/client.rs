//! The configured sources: limits concurrent questions, and does not ask again for what was answered
//! recently.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::csv_files::CsvFiles;
#[cfg(feature = "sql")]
use super::database::Database;
use super::endpoint::MemberEndpoint;
use super::json_answer::{MAX_LIST_BYTES, MAX_MEMBER_BYTES, read_member, read_members};
use super::question::{MemberQuestion, list_question};
use super::record::ListedMember;
use super::setup_error::{SourceFlaw, SourceSetupError};
use crate::domain::id::Address;
use crate::domain::member_source::{MemberRecord, MemberSource, MemberSourceKind};
use crate::domain::time::{Clock, Time};
use crate::external::failure::QueryFailure;
use crate::external::query_command::ask_command;
use crate::external::query_limits::{ConsecutiveFailures, QueryLimits};

/// How long listing all members may take. Nothing waits for it except the sync.
const LIST_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// All sources, in the order of the configuration. The default has none.
#[derive(Default)]
pub struct SourceClient {
    sources: Vec<OpenedSource>,
    sync_turn: tokio::sync::Mutex<()>,
}

struct OpenedSource {
    config: MemberSource,
    transport: SourceTransport,
    limits: QueryLimits<Option<MemberRecord>>,
}

/// A system that is ready to be asked.
enum SourceTransport {
    Command {
        program: PathBuf,
        args: Vec<String>,
    },
    Http(Box<MemberEndpoint>),
    Csv(CsvFiles),
    #[cfg(feature = "sql")]
    Database(Box<Database>),
}

impl fmt::Debug for SourceClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.sources.iter().map(|source| &source.config.name);
        f.debug_list().entries(names).finish()
    }
}

impl SourceClient {
    /// Sets up the sources, and reads their credentials. Nothing is asked yet.
    ///
    /// # Errors
    /// Returns an error if one of the sources cannot be used, or if its credential cannot be read.
    pub fn open(sources: &[MemberSource]) -> Result<Self, SourceSetupError> {
        let opened = sources.iter().map(|source| {
            OpenedSource::open(source).map_err(|why| SourceSetupError {
                name: source.name.clone(),
                why,
            })
        });
        Ok(Self {
            sources: opened.collect::<Result<_, _>>()?,
            sync_turn: tokio::sync::Mutex::default(),
        })
    }

    /// Returns true if there is no source that answers questions about bookers.
    pub fn answers_nothing(&self) -> bool {
        !self
            .sources
            .iter()
            .any(|source| source.config.answers_questions())
    }

    /// Returns the configurations of the sources.
    pub fn configs(&self) -> impl Iterator<Item = &MemberSource> {
        self.sources.iter().map(|source| &source.config)
    }

    /// Waits until no other sync runs: of two lists, the older one would be taken over last.
    pub async fn sync_turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.sync_turn.lock().await
    }

    /// Begins the questions of one pass, which may be stopped.
    pub fn begin_pass<'a>(&'a self, is_stopped: &'a (dyn Fn() -> bool + Sync)) -> PassSources<'a> {
        PassSources {
            client: self,
            is_stopped,
            failures: self
                .sources
                .iter()
                .map(|_| ConsecutiveFailures::default())
                .collect(),
        }
    }

    /// Lists all members of the source with this name. `None`: no such source is configured.
    pub async fn list(&self, name: &str) -> Option<Result<Vec<ListedMember>, QueryFailure>> {
        let source = self
            .sources
            .iter()
            .find(|source| source.config.name == name)?;
        Some(source.list().await)
    }
}

/// The questions of one pass.
pub struct PassSources<'a> {
    client: &'a SourceClient,
    is_stopped: &'a (dyn Fn() -> bool + Sync),
    failures: Vec<ConsecutiveFailures>,
}

/// What the sources say about one booker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceAnswer {
    /// The booker is a member.
    Member {
        /// The source that says so.
        source: Box<MemberSource>,
        /// What it says about the member.
        record: MemberRecord,
    },
    /// No source knows the booker, and all have answered.
    NoMember,
    /// No source knows the booker, and at least one did not answer.
    NoAnswer {
        /// The name of the first source that did not answer.
        source: String,
        /// Why it did not answer.
        failure: QueryFailure,
    },
}

impl<'a> PassSources<'a> {
    /// Returns true if every source has a recent answer about the booker of the booking, so that
    /// nothing has to be sent.
    pub fn is_cached(&self, booking: &crate::domain::booking::Booking, now: Time) -> bool {
        self.client.sources.iter().all(|source| {
            let question = MemberQuestion::about(&source.config, booking);
            question.is_none_or(|question| {
                let key = question.cache_key();
                !source.config.answers_questions()
                    || source.limits.cached_answer(&key, now).is_some()
            })
        })
    }

    /// Asks the sources about the booker of the booking, one after the other, until one knows the
    /// booker. `None`: the pass was stopped before.
    pub async fn ask(
        &self,
        booking: &crate::domain::booking::Booking,
        clock: &Clock,
    ) -> Option<SourceAnswer> {
        let mut unanswered = None;
        for (source, failures) in self.client.sources.iter().zip(&self.failures) {
            let question = MemberQuestion::about(&source.config, booking);
            let Some(question) = question.filter(|_| source.config.answers_questions()) else {
                continue;
            };
            let key = question.cache_key();
            let limits = (failures, self.is_stopped);
            let ask = source.find(&question);
            match source.limits.query(&key, limits, clock, ask).await? {
                Ok(Some(record)) => {
                    return Some(SourceAnswer::Member {
                        source: Box::new(source.config.clone()),
                        record,
                    });
                }
                Ok(None) => {}
                Err(failure) => {
                    let name = &source.config.name;
                    tracing::debug!(source = name, %failure, "no answer");
                    unanswered.get_or_insert((name.clone(), failure));
                }
            }
        }
        Some(match unanswered {
            Some((source, failure)) => SourceAnswer::NoAnswer { source, failure },
            None => SourceAnswer::NoMember,
        })
    }
}

impl OpenedSource {
    fn open(source: &MemberSource) -> Result<Self, SourceFlaw> {
        let transport = match &source.kind {
            MemberSourceKind::Command { program, args } => SourceTransport::Command {
                program: program.clone(),
                args: args.clone(),
            },
            MemberSourceKind::Http(http) => {
                SourceTransport::Http(Box::new(MemberEndpoint::open(http)?))
            }
            MemberSourceKind::Csv { path } => {
                SourceTransport::Csv(CsvFiles::new(path, &source.fields))
            }
            #[cfg(feature = "sql")]
            MemberSourceKind::Sql {
                url_file,
                query,
                query_all,
            } => {
                let queries = (query.clone(), query_all.clone());
                SourceTransport::Database(Box::new(Database::open(url_file, queries)?))
            }
            #[cfg(not(feature = "sql"))]
            MemberSourceKind::Sql { .. } => return Err(SourceFlaw::NoSql),
        };
        Ok(Self {
            transport,
            limits: QueryLimits::new(source.timeout, source.cached_for, source.at_once)?,
            config: source.clone(),
        })
    }

    async fn find(&self, question: &MemberQuestion) -> Result<Option<MemberRecord>, QueryFailure> {
        let (fields, timeout) = (&self.config.fields, self.limits.timeout);
        let record = match &self.transport {
            SourceTransport::Command { program, args } => {
                let input = question.to_json_line(&self.config.name);
                let output = ask_command(program, args, &input, MAX_MEMBER_BYTES, timeout);
                read_member(&output.await?, None, fields)?
            }
            SourceTransport::Http(endpoint) => endpoint.find(question, fields, timeout).await?,
            SourceTransport::Csv(files) => files.find(&question.address).await?,
            #[cfg(feature = "sql")]
            SourceTransport::Database(database) => database.find(question, fields, timeout).await?,
        };
        record
            .map(|record| require_address(record, &question.address))
            .transpose()
    }

    async fn list(&self) -> Result<Vec<ListedMember>, QueryFailure> {
        let fields = &self.config.fields;
        match &self.transport {
            SourceTransport::Command { program, args } => {
                let input = list_question(&self.config.name);
                let output = ask_command(program, args, &input, MAX_LIST_BYTES, LIST_TIMEOUT);
                read_members(&output.await?, None, fields)
            }
            SourceTransport::Http(endpoint) => endpoint.list(fields, LIST_TIMEOUT).await,
            SourceTransport::Csv(files) => files.list().await,
            #[cfg(feature = "sql")]
            SourceTransport::Database(database) => database.list(fields, LIST_TIMEOUT).await,
        }
    }
}

/// Returns the record if it names the address that was asked for, or no address. A member number is
/// easily guessed, so a record of another address does not make the booker that member: the source has to
/// say that the booker's address is the member's too.
fn require_address(record: MemberRecord, address: &Address) -> Result<MemberRecord, QueryFailure> {
    let names_it = match &record.address {
        None => true,
        Some(own) => own == address || record.aliases.contains(address),
    };
    if names_it {
        return Ok(record);
    }
    Err(QueryFailure::for_this_request(
        "its answer is about another address; it has to name the booker's address in `aliases`",
    ))
}
