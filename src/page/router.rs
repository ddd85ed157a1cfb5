//! The routes of the page. Each asks the daemon and shows the answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;

use super::ask::{ask, unexpected_answer};
use super::changes::{record_resolution, record_review};
use super::document::{self, Part, STYLE, message_page};
use super::form::{ChangeForm, NoFields};
use super::guard::{LoggedIn, check_host, check_sender, log_in_page};
use super::metrics::show_metrics;
use super::refusal_page::refusal_page;
use super::service::PageService;
use super::views::{bookings, charts, decisions, explain, members, overview, reviews, unresolved};
use crate::control::protocol::{Command, CommandResult, Refusal};

/// The longest form, in bytes: a reason of the longest length in any script fits.
const MAX_FORM: usize = 16 * 1024;

/// The longest text by which members are found, in characters. An e-mail address fits.
const MAX_SEARCH: usize = 256;

/// How long a browser keeps its cookie, in seconds. The session ends by itself at the same time.
const COOKIE_LIFETIME: u32 = 12 * 60 * 60;

type Page = State<Arc<PageService>>;

/// Returns all routes, behind the checks that every request must pass.
pub fn build_router(service: Arc<PageService>) -> Router {
    Router::new()
        .route("/", get(show_overview))
        .route("/reviews", get(show_reviews))
        .route("/reviews/{booking}", post(record_review))
        .route("/decisions", get(show_decisions))
        .route("/charts", get(show_charts))
        .route("/bookings", get(show_bookings))
        .route("/bookings/{booking}", get(show_booking))
        .route("/members", get(show_members))
        .route("/members/find", post(find_members))
        .route("/members/{member}", get(show_member))
        .route("/unresolved", get(show_unresolved))
        .route("/unresolved/{booking}", post(record_resolution))
        .route("/login", get(log_in).head(refuse_head))
        .route("/logout", post(log_out))
        .route("/style.css", get(show_style))
        .fallback(show_nothing)
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&service),
            check_sender,
        ))
        // For programs, which send no forms.
        .route("/metrics", get(show_metrics))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&service),
            check_host,
        ))
        .with_state(service)
}

/// Shows an answer of the daemon as a page, or its refusal.
fn show(
    service: &PageService,
    browser: &LoggedIn,
    part: Part,
    title: &str,
    content: Result<Markup, Refusal>,
) -> Response {
    match content {
        Ok(content) => document::page(&service.context(), &browser.session, part, title, &content),
        Err(refusal) => refusal_page(service, &refusal),
    }
}

#[derive(Deserialize)]
struct LoginQuery {
    #[serde(default)]
    token: String,
}

async fn log_in(
    State(service): Page,
    headers: axum::http::HeaderMap,
    query: Query<LoginQuery>,
) -> Response {
    let Some(cookie) = service.access.redeem(&query.token, service.now()) else {
        return log_in_page("This link works no more");
    };
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let is_secure = service
        .origins()
        .is_some_and(|origins| host.is_some_and(|host| origins.is_secure(host)));
    let secure = if is_secure { "; Secure" } else { "" };
    let cookie = format!(
        "{}={cookie}; Path=/; HttpOnly; SameSite=Strict; Max-Age={COOKIE_LIFETIME}{secure}",
        service.cookie_name()
    );
    tracing::info!("a browser was logged in to the web page");
    ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
}

/// Programs that preview links read their head only. That must not use the link up.
async fn refuse_head() -> StatusCode {
    StatusCode::METHOD_NOT_ALLOWED
}

async fn log_out(State(service): Page, form: ChangeForm<NoFields>) -> Response {
    service.access.log_out(&form.browser.cookie, service.now());
    let cookie = format!(
        "{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0",
        service.cookie_name()
    );
    ([(header::SET_COOKIE, cookie)], log_in_page("Logged out")).into_response()
}

async fn show_style() -> Response {
    let css = HeaderValue::from_static("text/css; charset=utf-8");
    ([(header::CONTENT_TYPE, css)], STYLE).into_response()
}

async fn show_nothing(_: LoggedIn) -> Response {
    message_page(
        StatusCode::NOT_FOUND,
        "There is no such page",
        &html! { p { a href="/" { "To the overview" } } },
    )
}

async fn show_overview(State(service): Page, browser: LoggedIn) -> Response {
    let answers = async {
        let status = ask(&service, &browser.session, Command::Status {}).await?;
        let waiting = ask(&service, &browser.session, overview::waiting_query()).await?;
        match (status, waiting) {
            (CommandResult::Status(status), CommandResult::Reviews(waiting)) => {
                Ok(overview::show(&service.context(), &status, &waiting))
            }
            _ => Err(unexpected_answer()),
        }
    };
    show(
        &service,
        &browser,
        Part::Overview,
        "Overview",
        answers.await,
    )
}

/// Which part of a list is shown. Names are sealed.
#[derive(Debug, Default, Deserialize)]
struct ListQuery {
    after: Option<String>,
    #[serde(default)]
    all: bool,
    recorded: Option<String>,
    find: Option<String>,
}

async fn show_reviews(
    State(service): Page,
    browser: LoggedIn,
    Query(query): Query<ListQuery>,
) -> Response {
    let command = reviews::query(query.all, query.after.clone());
    let content = ask(&service, &browser.session, command)
        .await
        .and_then(|answer| match answer {
            CommandResult::Reviews(view) => Ok(reviews::show(
                &service.context(),
                &view,
                &reviews::ReviewList {
                    all: query.all,
                    is_continued: query.after.is_some(),
                    recorded: query.recorded.as_deref(),
                    session: &browser.session,
                },
            )),
            _ => Err(unexpected_answer()),
        });
    let title = if query.all { "What waits" } else { "Reviews" };
    show(&service, &browser, Part::Reviews, title, content)
}

async fn show_decisions(
    State(service): Page,
    browser: LoggedIn,
    Query(filter): Query<decisions::DecisionFilter>,
) -> Response {
    let context = service.context();
    let content = async {
        let query = filter.query(&context, &service.sealer)?;
        match ask(&service, &browser.session, Command::Decisions(query)).await? {
            CommandResult::Decisions(view) => Ok(decisions::show(&context, &view, &filter)),
            _ => Err(unexpected_answer()),
        }
    };
    show(
        &service,
        &browser,
        Part::Decisions,
        "Decisions",
        content.await,
    )
}

#[derive(Deserialize)]
struct ChartsQuery {
    days: Option<u32>,
}

async fn show_charts(
    State(service): Page,
    browser: LoggedIn,
    Query(query): Query<ChartsQuery>,
) -> Response {
    let answer = ask(&service, &browser.session, charts::query(query.days)).await;
    let content = answer.and_then(|answer| match answer {
        CommandResult::Statistics(view) => Ok(charts::show(&view)),
        _ => Err(unexpected_answer()),
    });
    show(&service, &browser, Part::Charts, "Charts", content)
}

async fn show_bookings(
    State(service): Page,
    browser: LoggedIn,
    Query(query): Query<bookings::BookingsQuery>,
) -> Response {
    let command = bookings::query(&query);
    let content = ask(&service, &browser.session, command)
        .await
        .and_then(|answer| match answer {
            CommandResult::Charges(view) => Ok(bookings::show(&service.context(), &view, &query)),
            _ => Err(unexpected_answer()),
        });
    show(&service, &browser, Part::Bookings, "Bookings", content)
}

async fn show_booking(
    State(service): Page,
    browser: LoggedIn,
    Path(booking): Path<String>,
) -> Response {
    let answer = ask(&service, &browser.session, Command::Explain { booking }).await;
    let content = answer.and_then(|answer| match answer {
        CommandResult::Explain(view) => Ok(explain::show(&service.context(), &view)),
        _ => Err(unexpected_answer()),
    });
    show(&service, &browser, Part::Decisions, "One booking", content)
}

/// Opens a name in an address.
fn open_name(service: &PageService, sealed: &str) -> Result<String, Refusal> {
    service.sealer.open(sealed).ok_or_else(|| {
        Refusal::usage(
            "this link was made before the daemon was started again; begin at the list of members",
        )
    })
}

async fn show_members(
    State(service): Page,
    browser: LoggedIn,
    Query(query): Query<ListQuery>,
) -> Response {
    let content = async {
        let open = |sealed: &Option<String>| {
            sealed
                .as_deref()
                .map(|name| open_name(&service, name))
                .transpose()
        };
        let (after, find) = (open(&query.after)?, open(&query.find)?);
        let command = members::list_query(after, find.clone());
        match ask(&service, &browser.session, command).await? {
            CommandResult::Accounts(view) => Ok(members::show_list(
                &service.context(),
                &view,
                find.as_deref(),
                &browser.session,
            )),
            _ => Err(unexpected_answer()),
        }
    };
    show(&service, &browser, Part::Members, "Members", content.await)
}

#[derive(Deserialize)]
struct FindFields {
    #[serde(default)]
    text: String,
}

/// Finds members by a form and not by an address, because the text may be an e-mail address.
async fn find_members(State(service): Page, form: ChangeForm<FindFields>) -> Redirect {
    match form.fields.text.trim() {
        "" => Redirect::to("/members"),
        text => {
            let text: String = text.chars().take(MAX_SEARCH).collect();
            Redirect::to(&format!("/members?find={}", service.sealer.seal(&text)))
        }
    }
}

async fn show_member(
    State(service): Page,
    browser: LoggedIn,
    Path(member): Path<String>,
    Query(query): Query<ListQuery>,
) -> Response {
    let content = async {
        let account = open_name(&service, &member)?;
        let grants = ask(&service, &browser.session, members::grants_query(&account)).await?;
        let statement = members::statement_query(&account, query.after.clone());
        let statement = ask(&service, &browser.session, statement).await?;
        match (grants, statement) {
            (CommandResult::Grants(grants), CommandResult::Statement(statement)) => {
                let context = service.context();
                Ok(members::show_one(
                    &context,
                    &grants,
                    &statement,
                    query.after.is_some(),
                ))
            }
            _ => Err(unexpected_answer()),
        }
    };
    show(
        &service,
        &browser,
        Part::Members,
        "One member",
        content.await,
    )
}

async fn show_unresolved(
    State(service): Page,
    browser: LoggedIn,
    Query(query): Query<ListQuery>,
) -> Response {
    let command = unresolved::query(query.after.clone());
    let content = ask(&service, &browser.session, command)
        .await
        .and_then(|answer| match answer {
            CommandResult::Unresolved(view) => {
                let list = unresolved::UnresolvedList {
                    is_continued: query.after.is_some(),
                    recorded: query.recorded.as_deref(),
                    session: &browser.session,
                };
                Ok(unresolved::show(&service.context(), &view, &list))
            }
            _ => Err(unexpected_answer()),
        });
    show(
        &service,
        &browser,
        Part::Unresolved,
        "Unresolved list",
        content,
    )
}
