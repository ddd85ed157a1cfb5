//! Members in real databases: SQLite, and a PostgreSQL server of the test's own. MySQL is only
//! compiled.

use std::fs;
use std::path::Path;

use maitred::domain::member_source::{MemberSource, MemberSourceKind};
use maitred::source::client::SourceClient;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::sources::{account, club_fixture, decide, source};
use crate::fixture::binary::BinaryFixture;
use crate::fixture::postgres::Postgres;

const CONFIRMED: &str = "confirm enough";
const UNKNOWN: &str = "decline unknown-booker";
const UNANSWERED: &str = "leave source-failed";

fn database(folder: &Path, url: &str, query: &str) -> MemberSource {
    let url_file = folder.join("url");
    fs::write(&url_file, url).unwrap();
    source(MemberSourceKind::Sql {
        url_file: url_file.into(),
        query: Some(query.to_owned()),
        query_all: None,
    })
}

async fn make_sqlite(path: &Path, statements: &str) {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(statements)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_sqlite_database_says_who_is_a_member() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("club.db");
    make_sqlite(
        &path,
        "CREATE TABLE members (email TEXT, plan TEXT, credits INTEGER, level REAL, left_at TEXT);
         INSERT INTO members VALUES ('bo@example.com', 'gold', 4, 2.5, NULL);
         INSERT INTO members VALUES ('al@example.com', 'gold', 4, 1, NULL);",
    )
    .await;
    let url = format!("sqlite://{}", path.display());
    let query = "SELECT email AS address, plan AS tier, credits AS balance, level FROM members \
                 WHERE email = ?1";
    // query, decision, problem
    let rows = [
        (query, CONFIRMED, ""),
        (
            "SELECT email AS address, credits AS balance FROM members WHERE email = ?1;",
            CONFIRMED,
            "",
        ),
        (
            "SELECT * FROM members WHERE email = ?1 AND left_at IS NOT NULL",
            UNKNOWN,
            "",
        ),
        (
            "SELECT ?1 AS address, credits AS balance FROM members",
            UNANSWERED,
            "2 members for one",
        ),
        (
            "SELECT nonsense FROM members WHERE email = ?1",
            UNANSWERED,
            "the database refuses",
        ),
        (
            "DELETE FROM members WHERE email = ?1",
            UNANSWERED,
            "readonly",
        ),
    ];
    for (query, expect, problem) in rows {
        let mut fixture = club_fixture().await;
        let source = database(folder.path(), &url, query);
        let (got, problems) = decide(&mut fixture, &source).await;
        assert_eq!(got, expect, "{query}: {problems}");
        assert!(problems.contains(problem), "{query}: {problems}");
    }
    let mut fixture = club_fixture().await;
    decide(&mut fixture, &database(folder.path(), &url, query)).await;
    let bo = account(&fixture, "bo@example.com").await.unwrap();
    assert_eq!(
        (bo.tier.as_deref(), bo.attributes["level"].as_str()),
        (Some("gold"), "2.5")
    );
    let missing = database(folder.path(), "sqlite:///nowhere/club.db", query);
    let (got, problems) = decide(&mut club_fixture().await, &missing).await;
    assert_eq!(got, UNANSWERED, "{problems}");
}

#[tokio::test]
async fn a_postgresql_server_says_who_is_a_member() {
    let Some(server) = Postgres::start() else {
        return;
    };
    server.run(
        "CREATE TABLE members (number int PRIMARY KEY, email text, plan text, tags text[], \
           credits numeric(6, 0), level smallint, blocked boolean, since date);
         INSERT INTO members VALUES \
           (7, 'bo@example.com', 'gold', '{founder,coach}', 4, 3, false, '2020-02-01'), \
           (8, 'al@example.com', NULL, '{}', 0, NULL, true, now());",
    );
    let folder = tempfile::tempdir().unwrap();
    let query = "SELECT email AS address, plan AS tier, tags, credits AS balance, level, \
                 blocked AS frozen, since FROM members WHERE lower(email) = $1";
    // query, decision, problem
    let rows = [
        (query, CONFIRMED, ""),
        (
            "WITH m AS (SELECT * FROM members) SELECT email AS address, credits AS balance FROM m \
          WHERE email = $1;",
            CONFIRMED,
            "",
        ),
        (
            "SELECT email AS address FROM members WHERE email = $1 AND blocked",
            UNKNOWN,
            "",
        ),
        (
            "SELECT number FROM members WHERE number = $1",
            UNANSWERED,
            "the database refuses",
        ),
        ("SELECT $1 AS address, pg_sleep(60)", UNANSWERED, "within"),
        (
            "SELECT $1 AS address, nextval('s')",
            UNANSWERED,
            "the database refuses",
        ),
    ];
    server.run("CREATE SEQUENCE s");
    for (query, expect, problem) in rows {
        let mut fixture = club_fixture().await;
        let mut source = database(folder.path(), &server.url(), query);
        if problem == "within" {
            source.timeout = std::time::Duration::from_millis(500);
        }
        let (got, problems) = decide(&mut fixture, &source).await;
        assert_eq!(got, expect, "{query}: {problems}");
        assert!(problems.contains(problem), "{query}: {problems}");
    }
    let mut fixture = club_fixture().await;
    decide(&mut fixture, &database(folder.path(), &server.url(), query)).await;
    let bo = account(&fixture, "bo@example.com").await.unwrap();
    let tags: Vec<&str> = bo.tags.iter().map(String::as_str).collect();
    assert_eq!(
        (bo.tier.as_deref(), tags),
        (Some("gold"), vec!["coach", "founder"])
    );
    assert_eq!(bo.attributes["level"], "3");
    // The server is gone: no booker is declined for that.
    let url = server.url();
    drop(server);
    let (got, problems) = decide(
        &mut club_fixture().await,
        &database(folder.path(), &url, query),
    )
    .await;
    assert_eq!(got, UNANSWERED, "{problems}");
    assert!(
        problems.contains("no connection to the database"),
        "{problems}"
    );
}

/// The built binary syncs from PostgreSQL, and a second sync writes nothing.
#[test]
fn the_members_of_a_postgresql_server_are_taken_over() {
    let Some(server) = Postgres::start() else {
        return;
    };
    server.run(
        "CREATE TABLE members (email text, plan text, credits int);
         INSERT INTO members SELECT 'm' || n || '@example.com', 'gold', n FROM generate_series(1, 9) n;",
    );
    let fixture = BinaryFixture::new("v2");
    fs::write(fixture.path("database"), server.url()).unwrap();
    let source = "\n[[source]]\nname = \"club\"\nurl-file = \"database\"\nbalance = \"given\"\n\
                  query-all = \"SELECT email AS address, plan AS tier, credits AS balance FROM members\"\n";
    fixture.configure("v2", &fixture.sandbox.base_url(), source);
    let first = fixture.run_ok(&["members", "sync"]);
    assert!(first.out.contains("9 opened"), "{}", first.out);
    assert_eq!(fixture.balance("m7@example.com"), (7, 0, 0));
    let log = fs::read(fixture.log()).unwrap();
    let second = fixture.run_ok(&["members", "sync"]);
    assert!(second.out.contains("0 opened, 0 changed"), "{}", second.out);
    assert_eq!(fs::read(fixture.log()).unwrap(), log);
    // A table that was emptied freezes no member.
    server.run("DELETE FROM members");
    let refused = fixture.run(&["members", "sync"]);
    assert_eq!(refused.code, 1, "{}", refused.all_output());
    assert!(
        refused.out.contains("it lists no member"),
        "{}",
        refused.out
    );
    assert_eq!(fs::read(fixture.log()).unwrap(), log);
}

#[test]
fn the_url_of_a_database_is_in_no_message() {
    let folder = tempfile::tempdir().unwrap();
    let source = database(folder.path(), "oracle://club:hunter2@db/club", "SELECT 1");
    let error = SourceClient::open(&[source]).unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("is not the URL of a database"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}
