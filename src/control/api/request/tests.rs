//! Commands become requests and requests commands again; requests that mean no command are refused.

use hyper::StatusCode;

use super::*;
use crate::control::protocol::DEFAULT_LIMIT;
use crate::control::protocol::account::AccountSetCommand;
use crate::control::protocol::credits::{GrantCommand, ImportRow};
use crate::control::protocol::decisions::DecisionQuery;
use crate::control::protocol::review::{ReviewAnswer, ReviewCommand};

fn read_again(request: &CommandRequest) -> Result<Command, HttpRefusal> {
    let (path, query) = match request.target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (request.target.as_str(), None),
    };
    let parts = RequestParts {
        query,
        content_type: Some(JSON),
        body: request.body.as_bytes(),
    };
    read_command(Route::of_path(path).unwrap(), parts)
}

#[test]
fn a_command_survives_the_way_as_a_request() {
    let odd = "a&b=c+d%20 é\u{202e}\"\\".to_owned();
    let commands = [
        Command::Status {},
        Command::Pass {
            watch: true,
            booking: None,
        },
        Command::Explain {
            booking: odd.clone(),
        },
        Command::AccountList {
            after: None,
            limit: 3,
            search: Some(odd.clone()),
        },
        Command::AccountFreeze {
            account: "bo@example.com".to_owned(),
            reason: None,
        },
        Command::Charges {
            open: true,
            limit: u32::MAX,
            after: Some(odd.clone()),
        },
        Command::Decisions(DecisionQuery {
            since: Some("2026-12-01T09:00:00+01:00".to_owned()),
            limit: 5,
            booker: Some(odd.clone()),
            ..DecisionQuery::default()
        }),
        Command::Grant(GrantCommand {
            account: odd.clone(),
            credits: u64::MAX,
            expires: None,
            reason: Some(odd.clone()),
            reference: None,
            new: true,
            ..GrantCommand::default()
        }),
        Command::AccountSet(AccountSetCommand {
            account: odd.clone(),
            tags: vec![odd.clone()],
            attributes: [("seat".to_owned(), odd.clone())].into(),
            ..AccountSetCommand::default()
        }),
        Command::Review(ReviewCommand {
            booking: odd.clone(),
            decision: ReviewAnswer::Decline,
            reason: Some(odd.clone()),
        }),
        Command::Import {
            problems: Vec::new(),
            rows: vec![ImportRow {
                line: 2,
                account: odd.clone(),
                credits: 1,
                expires: None,
                reason: None,
                reference: odd,
                tier: None,
                tags: Vec::new(),
                aliases: Vec::new(),
                attributes: Default::default(),
            }],
            dry_run: true,
            check: false,
        },
    ];
    for command in commands {
        let request = CommandRequest::new(&command);
        assert_eq!(read_again(&request), Ok(command), "{request:?}");
    }
}

#[test]
fn requests_use_the_method_and_the_path_of_the_table() {
    let read = CommandRequest::new(&Command::Explain {
        booking: "a b".to_owned(),
    });
    assert_eq!(read.method(), Method::GET);
    assert_eq!(read.target, "/v1/explain?booking=a+b");
    assert_eq!(read.body, "");
    let change = CommandRequest::new(&Command::Pass {
        watch: false,
        booking: Some("b1".to_owned()),
    });
    assert_eq!(change.method(), Method::POST);
    assert_eq!(change.target, "/v1/passes");
    assert_eq!(change.body, "{\"watch\":false,\"booking\":\"b1\"}");
}

#[test]
fn what_is_left_out_has_its_default() {
    let rows: [(&str, RequestParts<'_>, Command); 4] = [
        ("/v1/reload", RequestParts::default(), Command::Reload {}),
        (
            "/v1/passes",
            RequestParts::default(),
            Command::Pass {
                watch: false,
                booking: None,
            },
        ),
        (
            "/v1/reviews",
            RequestParts::default(),
            Command::Reviews {
                all: false,
                limit: DEFAULT_LIMIT,
                after: None,
            },
        ),
        (
            "/v1/account/set",
            RequestParts {
                content_type: Some("Application/JSON; charset=utf-8"),
                body: b" {\"account\":\"bo\",\"tier\":\"gold\"} ",
                query: Some(""),
            },
            Command::AccountSet(AccountSetCommand {
                account: "bo".to_owned(),
                tier: Some("gold".to_owned()),
                ..AccountSetCommand::default()
            }),
        ),
    ];
    for (path, parts, command) in rows {
        let read = read_command(Route::of_path(path).unwrap(), parts);
        assert_eq!(read, Ok(command), "{path}");
    }
}

fn query(query: &str) -> RequestParts<'_> {
    RequestParts {
        query: Some(query),
        ..RequestParts::default()
    }
}

fn body(body: &str) -> RequestParts<'_> {
    RequestParts {
        content_type: Some(JSON),
        body: body.as_bytes(),
        query: None,
    }
}

#[test]
fn requests_that_mean_no_command_are_refused_with_the_place() {
    let rows: [(&str, RequestParts<'_>, &str); 19] = [
        (
            "/v1/status",
            query("x=1"),
            "GET /v1/status: unknown field `x`",
        ),
        ("/v1/status", body("{}"), "from the query, and no body"),
        ("/v1/explain", query(""), "missing field `booking`"),
        (
            "/v1/explain",
            query("booking=a&booking=b"),
            "duplicate field `booking`",
        ),
        ("/v1/accounts", query("limit=many"), "limit: invalid digit"),
        ("/v1/accounts", query("limit=-1"), "limit: invalid digit"),
        (
            "/v1/accounts",
            query("limit"),
            "limit: cannot parse integer",
        ),
        (
            "/v1/accounts",
            query("limit=4294967296"),
            "limit: number too large",
        ),
        (
            "/v1/charges",
            query("open=yes"),
            "open: provided string was not `true`",
        ),
        ("/v1/reload", query("x=1"), "in the body, and no query"),
        (
            "/v1/reload",
            body("{\"x\":1}"),
            "POST /v1/reload: unknown field `x`",
        ),
        ("/v1/reload", body("[]"), "not a JSON object"),
        ("/v1/reload", body("hello"), "not a JSON object"),
        ("/v1/reload", body("\0\u{1b}[2J"), "not a JSON object"),
        ("/v1/reload", body("{} {}"), "trailing characters"),
        (
            "/v1/credits/grant",
            body("{\"account\":\"bo\""),
            "EOF while parsing",
        ),
        (
            "/v1/credits/grant",
            body("{\"account\":\"bo\",\"credits\":\"5\"}"),
            "credits: invalid type: string",
        ),
        (
            "/v1/credits/import",
            body("{\"rows\":[{\"line\":1,\"account\":7}]}"),
            "rows[0].account: invalid type: integer",
        ),
        (
            "/v1/review",
            body("{\"booking\":\"x\",\"decision\":\"dance\"}"),
            "unknown variant `dance`, expected `confirm` or `decline`",
        ),
    ];
    for (path, parts, expect) in rows {
        let refused = read_command(Route::of_path(path).unwrap(), parts).unwrap_err();
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{refused:?}");
        assert_eq!(refused.refusal.code, "usage");
        let text = refused.refusal.text;
        assert!(text.contains(expect), "{path}: {text}");
    }
}

#[test]
fn what_undoes_something_is_never_meant_by_leaving_it_out() {
    for path in ["/v1/account/freeze", "/v1/account/pin"] {
        let route = Route::of_path(path).unwrap();
        let text = read_command(route, body("{\"account\":\"bo\"}")).unwrap_err();
        assert!(text.refusal.text.contains("missing field"), "{text:?}");
        let named =
            ["reason", "hash"].map(|name| format!("{{\"account\":\"bo\",\"{name}\":null}}"));
        let read = named.map(|text| read_command(route, body(&text)).is_ok());
        assert_eq!(read.iter().filter(|good| **good).count(), 1, "{path}");
    }
}

#[test]
fn only_json_is_taken_as_a_body() {
    let route = Route::of_path("/v1/reload").unwrap();
    let rows = [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
    ];
    for content_type in rows {
        let parts = RequestParts {
            content_type,
            ..body("{}")
        };
        let refused = read_command(route, parts).unwrap_err();
        assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let text = refused.refusal.text;
        assert!(text.contains("Content-Type: application/json"), "{text}");
    }
}
