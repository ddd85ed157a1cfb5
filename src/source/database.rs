//! Members in a PostgreSQL, MySQL or SQLite database: one query for a member, one for all. Every
//! connection is opened read-only, for one question, so that nothing is kept open that a server could
//! close. A server on another machine is spoken to over TLS whose certificate is checked, unless the
//! URL says otherwise.

use std::str::FromStr as _;
use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use sqlx::mysql::{MySqlConnectOptions, MySqlRow, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgRow, PgSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{
    Column as _, ConnectOptions as _, Connection as _, Executor as _, Row as _, TypeInfo as _,
    ValueRef as _,
};

use super::json_answer::{several_members, too_many_members};
use super::question::MemberQuestion;
use super::record::{ListedMember, read_record};
use super::setup_error::SourceFlaw;
use crate::domain::member_source::{MAX_MEMBERS, MemberRecord, RecordFields};
use crate::domain::secret_path::SecretPath;
use crate::external::credential::read_credential;
use crate::external::failure::QueryFailure;
use crate::external::message::sanitize_message;

/// A database with its queries.
pub(super) struct Database {
    server: DatabaseServer,
    query: Option<String>,
    query_all: Option<String>,
}

enum DatabaseServer {
    Postgres(Box<PgConnectOptions>),
    MySql(Box<MySqlConnectOptions>),
    Sqlite(Box<SqliteConnectOptions>),
}

impl Database {
    pub(super) fn open(
        url_file: &SecretPath,
        (query, query_all): (Option<String>, Option<String>),
    ) -> Result<Self, SourceFlaw> {
        let url = read_credential(url_file, "url-file")?;
        let trim = |query: String| query.trim().trim_end_matches(';').to_owned();
        Ok(Self {
            server: DatabaseServer::parse(&url)?,
            query: query.map(trim),
            query_all: query_all.map(trim),
        })
    }

    pub(super) async fn find(
        &self,
        question: &MemberQuestion,
        fields: &RecordFields,
        timeout: Duration,
    ) -> Result<Option<MemberRecord>, QueryFailure> {
        let query = self.query.as_ref().ok_or_else(no_query)?;
        let mut parameters = vec![question.address.as_str().to_owned()];
        parameters.extend(question.answers.values().cloned());
        // A second row shows that the query does not give one member.
        let rows = self.server.run(query, parameters, 2, timeout).await?;
        match rows.as_slice() {
            [] => Ok(None),
            [row] => read_record(row, fields).map(Some).map_err(|why| {
                QueryFailure::for_this_request(format!("its answer is no member: {why}"))
            }),
            rows => Err(several_members(rows.len())),
        }
    }

    pub(super) async fn list(
        &self,
        fields: &RecordFields,
        timeout: Duration,
    ) -> Result<Vec<ListedMember>, QueryFailure> {
        let query = self.query_all.as_ref().ok_or_else(no_query)?;
        let rows = self.server.run(query, Vec::new(), MAX_MEMBERS + 1, timeout);
        let rows = rows.await?;
        if rows.len() > MAX_MEMBERS {
            return Err(too_many_members());
        }
        let members = rows.iter().enumerate();
        Ok(members
            .map(|(at, row)| ListedMember::read(format!("row {}", at + 1), row, fields))
            .collect())
    }
}

fn no_query() -> QueryFailure {
    QueryFailure::for_this_request("no query is configured for this question")
}

impl DatabaseServer {
    /// Parses the URL of a database. The error holds no part of the URL.
    fn parse(url: &SecretString) -> Result<Self, SourceFlaw> {
        let text = url.expose_secret();
        let scheme = text.split(':').next().unwrap_or_default();
        let flaw = |_| SourceFlaw::DatabaseUrl;
        Ok(match scheme {
            "postgres" | "postgresql" => {
                let mut options = PgConnectOptions::from_str(text).map_err(flaw)?;
                let is_local = options.get_socket().is_some() || is_local_host(options.get_host());
                if !is_local && !text.contains("sslmode=") {
                    options = options.ssl_mode(PgSslMode::VerifyFull);
                }
                let read_only = [("default_transaction_read_only", "on")];
                Self::Postgres(Box::new(
                    options.options(read_only).disable_statement_logging(),
                ))
            }
            "mysql" | "mariadb" => {
                let mut options = MySqlConnectOptions::from_str(text).map_err(flaw)?;
                let says_how = text.contains("ssl-mode=") || text.contains("sslmode=");
                if !is_local_host(options.get_host()) && !says_how {
                    options = options.ssl_mode(MySqlSslMode::VerifyIdentity);
                }
                Self::MySql(Box::new(options.disable_statement_logging()))
            }
            "sqlite" => {
                let options = SqliteConnectOptions::from_str(text).map_err(flaw)?;
                Self::Sqlite(Box::new(
                    options.read_only(true).disable_statement_logging(),
                ))
            }
            _ => return Err(SourceFlaw::DatabaseUrl),
        })
    }

    /// Runs a query on a connection of its own, and returns at most `limit` rows as JSON objects.
    async fn run(
        &self,
        query: &str,
        parameters: Vec<String>,
        limit: usize,
        timeout: Duration,
    ) -> Result<Vec<Value>, QueryFailure> {
        let run = async {
            match self {
                Self::Postgres(options) => {
                    run_postgres(options, query, parameters, limit, timeout).await
                }
                Self::MySql(options) => run_mysql(options, query, parameters, limit).await,
                Self::Sqlite(options) => run_sqlite(options, query, parameters, limit).await,
            }
        };
        match tokio::time::timeout(timeout, run).await {
            Ok(rows) => rows.map_err(|error| to_failure(&error)),
            Err(_elapsed) => Err(QueryFailure::unavailable(format!(
                "it did not answer within {timeout:?}"
            ))),
        }
    }
}

/// Returns true for a host of this machine: a loopback address, or the folder of a socket.
fn is_local_host(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.starts_with('/')
        || address
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// PostgreSQL itself turns each row into JSON, with whatever types its columns have.
async fn run_postgres(
    options: &PgConnectOptions,
    query: &str,
    parameters: Vec<String>,
    limit: usize,
    timeout: Duration,
) -> Result<Vec<Value>, sqlx::Error> {
    // The server stops a query whose answer is no longer awaited.
    let options = options
        .clone()
        .options([("statement_timeout", timeout.as_millis().to_string())]);
    let mut connection = options.connect().await?;
    let query = format!("SELECT row_to_json(member)::text FROM ({query}) AS member");
    let mut question = sqlx::query(&query);
    for parameter in parameters {
        question = question.bind(parameter);
    }
    let to_value = |row: PgRow| {
        let text: String = row.try_get(0)?;
        serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()))
    };
    let rows = collect(question.fetch(&mut connection), limit, to_value).await?;
    connection.close().await?;
    Ok(rows)
}

async fn run_mysql(
    options: &MySqlConnectOptions,
    query: &str,
    parameters: Vec<String>,
    limit: usize,
) -> Result<Vec<Value>, sqlx::Error> {
    let mut connection = options.connect().await?;
    connection
        .execute("SET SESSION TRANSACTION READ ONLY")
        .await?;
    let mut question = sqlx::query(query);
    for parameter in parameters {
        question = question.bind(parameter);
    }
    let rows = collect(question.fetch(&mut connection), limit, mysql_row).await?;
    connection.close().await?;
    Ok(rows)
}

async fn run_sqlite(
    options: &SqliteConnectOptions,
    query: &str,
    parameters: Vec<String>,
    limit: usize,
) -> Result<Vec<Value>, sqlx::Error> {
    let mut connection = options.connect().await?;
    let mut question = sqlx::query(query);
    for parameter in parameters {
        question = question.bind(parameter);
    }
    let rows = collect(question.fetch(&mut connection), limit, sqlite_row).await?;
    connection.close().await?;
    Ok(rows)
}

/// Reads at most `limit` rows.
async fn collect<R>(
    rows: BoxStream<'_, Result<R, sqlx::Error>>,
    limit: usize,
    to_value: impl Fn(R) -> Result<Value, sqlx::Error>,
) -> Result<Vec<Value>, sqlx::Error> {
    let mut rows = rows.take(limit);
    let mut values = Vec::new();
    while let Some(row) = rows.try_next().await? {
        values.push(to_value(row)?);
    }
    Ok(values)
}

/// Returns the row as an object. A value has a type of its own in SQLite, whatever its column says.
fn sqlite_row(row: SqliteRow) -> Result<Value, sqlx::Error> {
    let mut columns = Map::new();
    for column in row.columns() {
        let at = column.ordinal();
        let raw = row.try_get_raw(at)?;
        let value = match raw.type_info().name() {
            _ if raw.is_null() => Value::Null,
            "INTEGER" | "BOOLEAN" | "INT4" | "INT8" => row.try_get_unchecked::<i64, _>(at)?.into(),
            "REAL" => row.try_get_unchecked::<f64, _>(at)?.into(),
            _ => row.try_get_unchecked::<String, _>(at)?.into(),
        };
        columns.insert(column.name().to_owned(), value);
    }
    Ok(Value::Object(columns))
}

/// Returns the row as an object. Types that are neither numbers nor texts, such as dates, have to be
/// converted by the query.
fn mysql_row(row: MySqlRow) -> Result<Value, sqlx::Error> {
    let mut columns = Map::new();
    for column in row.columns() {
        let at = column.ordinal();
        let raw = row.try_get_raw(at)?;
        let type_name = raw.type_info().name().to_owned();
        let value = if raw.is_null() {
            Value::Null
        } else if type_name == "BOOLEAN" {
            row.try_get::<bool, _>(at)?.into()
        } else if type_name.ends_with("UNSIGNED") {
            row.try_get::<u64, _>(at)?.into()
        } else if type_name.ends_with("INT") || type_name == "MEDIUMINT" {
            row.try_get::<i64, _>(at)?.into()
        } else {
            row.try_get::<String, _>(at)?.into()
        };
        columns.insert(column.name().to_owned(), value);
    }
    Ok(Value::Object(columns))
}

/// Describes a failure without values of the query. A query that the server refuses is refused for
/// every booker, and still is no reason to stop asking: the next answer may be about other data.
fn to_failure(error: &sqlx::Error) -> QueryFailure {
    match error {
        sqlx::Error::Database(error) => QueryFailure::for_this_request(format!(
            "the database refuses: {}",
            sanitize_message(error.message())
        )),
        sqlx::Error::Io(error) => QueryFailure::unavailable(format!(
            "no connection to the database: {}",
            sanitize_message(&error.to_string())
        )),
        sqlx::Error::Tls(error) => QueryFailure::unavailable(format!(
            "no encrypted connection to the database: {}",
            sanitize_message(&error.to_string())
        )),
        sqlx::Error::ColumnDecode { index, .. } => QueryFailure::for_this_request(format!(
            "column {} has a type that is not read: let the query convert it to a text or a number",
            sanitize_message(index)
        )),
        other => QueryFailure::unavailable(sanitize_message(&other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remote_databases_are_encrypted_and_no_error_shows_the_url() {
        let parse = |url: &str| DatabaseServer::parse(&SecretString::from(url));
        let rows = [
            ("postgres://u:p@db.example.com/club", "VerifyFull"),
            (
                "postgres://u:p@db.example.com/club?sslmode=disable",
                "Disable",
            ),
            ("postgres://u:p@127.0.0.1/club", "Prefer"),
            ("postgres:///club?host=/run/postgresql", "Prefer"),
        ];
        for (url, expect) in rows {
            let Ok(DatabaseServer::Postgres(options)) = parse(url) else {
                panic!("{expect}");
            };
            assert_eq!(format!("{:?}", options.get_ssl_mode()), expect);
        }
        let Ok(DatabaseServer::MySql(options)) = parse("mysql://u:p@db.example.com/club") else {
            panic!("it is a URL");
        };
        assert_eq!(format!("{:?}", options.get_ssl_mode()), "VerifyIdentity");
        for url in [
            "postgres://u:hunter2@[db/",
            "hunter2",
            "oracle://hunter2@db",
        ] {
            let error = parse(url).err().unwrap();
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
