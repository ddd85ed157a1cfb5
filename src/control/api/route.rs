//! The table of routes. A row is all that the router of the daemon, the client and the documents
//! (`docs/api.md`, `docs/formats/openapi.json`) need to know about a command; the documents take
//! the texts from the comments of the command and of its fields.

use hyper::Method;

/// The name of the header that carries the version of the shapes. A client may send it; every
/// answer has it.
pub const SCHEMA_HEADER: &str = "maitred-schema";

/// The header in which a request may name its actor, percent-encoded.
pub const ACTOR_HEADER: &str = "maitred-actor";

/// The path of the description of all routes.
pub const OPENAPI_PATH: &str = "/v1/openapi.json";

/// The description of all routes, as OpenAPI 3.1. A test keeps it equal to the table and the types.
pub const OPENAPI: &str = include_str!("../../../docs/formats/openapi.json");

/// How a request carries the fields of its command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteKind {
    /// The command only reads. The fields are the query of a GET request.
    Read,
    /// The command changes something, or lets the daemon work. The fields are the JSON object in
    /// the body of a POST request.
    Change,
}

/// One path of the API, and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// How a request carries the fields of the command.
    pub kind: RouteKind,
    /// The path.
    pub path: &'static str,
    /// The name of the variant of `Command`, as serde writes it.
    pub command: &'static str,
    /// The name of the variant of `CommandResult` that the command returns, as serde writes it.
    pub result: &'static str,
}

const fn read(path: &'static str, command: &'static str, result: &'static str) -> Route {
    Route {
        kind: RouteKind::Read,
        path,
        command,
        result,
    }
}

const fn change(path: &'static str, command: &'static str, result: &'static str) -> Route {
    Route {
        kind: RouteKind::Change,
        path,
        command,
        result,
    }
}

/// Every command, with its path and its result. The documents keep this order.
pub const ROUTES: &[Route] = &[
    read("/v1/status", "status", "status"),
    change("/v1/page", "page", "page-link"),
    change("/v1/pause", "pause", "status"),
    change("/v1/resume", "resume", "status"),
    change("/v1/reload", "reload", "reload"),
    change("/v1/plan", "plan", "pass"),
    change("/v1/passes", "pass", "pass"),
    read("/v1/decisions", "decisions", "decisions"),
    read("/v1/statistics", "statistics", "statistics"),
    read("/v1/explain", "explain", "explain"),
    change("/v1/evaluate", "evaluate", "evaluate"),
    read("/v1/reviews", "reviews", "reviews"),
    change("/v1/review", "review", "review-result"),
    read("/v1/charges", "charges", "charges"),
    change("/v1/charges/settle", "charge-settle", "charges"),
    read("/v1/unresolved", "unresolved", "unresolved"),
    change("/v1/unresolved/resolve", "resolve", "unresolved"),
    read("/v1/accounts", "account-list", "accounts"),
    read("/v1/account", "account-show", "account"),
    read("/v1/account/statement", "account-statement", "statement"),
    change("/v1/account/alias", "account-alias", "account"),
    change("/v1/account/set", "account-set", "account"),
    change("/v1/account/freeze", "account-freeze", "account"),
    change("/v1/account/close", "account-close", "account"),
    change("/v1/account/reopen", "account-reopen", "account"),
    change("/v1/account/merge", "account-merge", "account"),
    change("/v1/account/rename", "account-rename", "account"),
    change("/v1/account/pin", "account-pin", "account"),
    change("/v1/account/erase", "account-erase", "erasure"),
    change("/v1/members/sync", "members-sync", "members-sync"),
    read("/v1/credits", "grants", "grants"),
    change("/v1/credits/grant", "grant", "grant-record"),
    change("/v1/credits/revoke", "revoke", "grant-record"),
    change("/v1/credits/set", "set-balance", "grant-record"),
    change("/v1/credits/transfer", "transfer", "grant-record"),
    change("/v1/credits/import", "import", "import"),
    read("/v1/credits/export", "credits-export", "credits-export"),
    read("/v1/credits/accounting", "accounting", "accounting"),
    read("/v1/ledger", "ledger-show", "ledger"),
    read("/v1/ledger/head", "head", "head"),
    read("/v1/ledger/verify", "verify", "verify"),
    change("/v1/ledger/move", "ledger-move", "ledger"),
    change(
        "/v1/ledger/accept-restore",
        "ledger-accept-restore",
        "ledger",
    ),
];

impl Route {
    /// Returns the method of the route's requests.
    pub fn method(&self) -> Method {
        match self.kind {
            RouteKind::Read => Method::GET,
            RouteKind::Change => Method::POST,
        }
    }

    /// Returns the route of the command with this name.
    pub fn of_command(name: &str) -> Option<&'static Self> {
        ROUTES.iter().find(|route| route.command == name)
    }

    /// Returns the route with this path.
    pub fn of_path(path: &str) -> Option<&'static Self> {
        ROUTES.iter().find(|route| route.path == path)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::variant::names_of;
    use super::*;
    use crate::control::protocol::{Command, CommandResult};

    #[test]
    fn every_command_has_one_route_and_every_result_is_returned() {
        let commands: Vec<&str> = ROUTES.iter().map(|route| route.command).collect();
        let known: BTreeSet<&str> = commands.iter().copied().collect();
        assert_eq!(known.len(), commands.len(), "a command has two routes");
        assert_eq!(known, names_of::<Command>().collect());
        let results: BTreeSet<&str> = ROUTES.iter().map(|route| route.result).collect();
        assert_eq!(results, names_of::<CommandResult>().collect());
        let paths: BTreeSet<&str> = ROUTES.iter().map(|route| route.path).collect();
        assert_eq!(paths.len(), ROUTES.len(), "two routes have one path");
        for route in ROUTES {
            let words = route.path.strip_prefix("/v1/").unwrap();
            let regular = |c: char| c.is_ascii_lowercase() || matches!(c, '/' | '-');
            assert!(words.chars().all(regular), "{words}");
        }
    }
}
