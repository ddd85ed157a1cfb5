//! What every request must pass before a route sees it: the name under which it reached the page, for
//! changes the site that sent it, and a session. All answers get the headers that keep other sites out.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use maud::html;

use super::access::BrowserSession;
use super::document::message_page;
use super::service::PageService;

/// What browsers may load and do: nothing but the page's own style, and its forms.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The header in which a browser says which site a request comes from. Scripts cannot set it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Lets a request pass that reached the page under its own name. Adds the headers to the answer.
pub async fn check_host(
    State(service): State<Arc<PageService>>,
    request: Request,
    next: Next,
) -> Response {
    let response = match service.origins() {
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Some(origins) if origins.has_host(find_host(&request).unwrap_or_default()) => {
            next.run(request).await
        }
        Some(origins) => message_page(
            StatusCode::MISDIRECTED_REQUEST,
            "Another name",
            &html! {
                p {
                    "This page is not reached under the name that the browser used. Open it as "
                    code { (origins.first()) }
                    ", or add the name to " code { "page.origins" } " in the configuration."
                }
            },
        ),
    };
    add_headers(response)
}

/// Lets a request pass that changes nothing, or that comes from the page itself.
pub async fn check_sender(
    State(service): State<Arc<PageService>>,
    request: Request,
    next: Next,
) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_own = |origin: &str| {
        let host = find_host(&request).unwrap_or_default();
        let origins = service.origins();
        origins.is_some_and(|origins| origins.is_own(origin, host))
    };
    if reads || comes_from_page(request.headers(), is_own) {
        return next.run(request).await;
    }
    message_page(
        StatusCode::FORBIDDEN,
        "Another site",
        &html! {
            p { "The browser says that another site sent this form. Nothing was done." }
        },
    )
}

/// Returns the name under which a request reached the page. A request that names two has none.
fn find_host(request: &Request) -> Option<&str> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    let other = request
        .uri()
        .authority()
        .map(|authority| authority.as_str());
    let is_only = hosts.next().is_none() && other.is_none_or(|other| other == host);
    is_only.then_some(host)
}

/// Returns true if the headers say that the page itself sent a form. With the referrer policy of the
/// page, browsers hide the origin of forms, and only say whether it is the same.
fn comes_from_page(headers: &HeaderMap, is_own: impl Fn(&str) -> bool) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site = text(&FETCH_SITE);
    match text(&header::ORIGIN) {
        None | Some("null") => site == Some("same-origin"),
        Some(origin) => is_own(origin) && site.is_none_or(|site| site == "same-origin"),
    }
}

fn add_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A browser that is logged in.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    /// The session.
    pub session: BrowserSession,
    /// The secret of the browser's cookie.
    pub cookie: String,
}

impl FromRequestParts<Arc<PageService>> for LoggedIn {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        service: &Arc<PageService>,
    ) -> Result<Self, Self::Rejection> {
        let cookie = find_cookie(&parts.headers, &service.cookie_name());
        let session = |cookie: &str| service.access.session(cookie, service.now());
        match cookie.and_then(|cookie| Some((session(cookie)?, cookie))) {
            Some((session, cookie)) => Ok(Self {
                session,
                cookie: cookie.to_owned(),
            }),
            None => Err(log_in_page("Log in")),
        }
    }
}

/// Returns the page for a browser that is not logged in.
pub fn log_in_page(title: &str) -> Response {
    message_page(
        StatusCode::UNAUTHORIZED,
        title,
        &html! {
            p { "Run " code { "maitred page" } " on the daemon's machine and open the link that it prints." }
            p .note {
                "A link works once and for ten minutes. A session ends after twelve hours, and when the \
                 daemon is started again."
            }
        },
    )
}

/// Returns the value of the cookie with this name.
fn find_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter();
    let cookies = lines.filter_map(|line| line.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';'));
    pairs.find_map(|pair| {
        let (found, value) = pair.trim().split_once('=')?;
        (found == name).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let value = |text: &&'static str| HeaderValue::from_static(text);
        let pairs = pairs.iter();
        pairs
            .map(|(name, text)| (name.clone(), value(text)))
            .collect()
    }

    #[test]
    fn a_form_comes_from_the_page_only_if_the_browser_says_so() {
        let origin = header::ORIGIN;
        let rows = [
            (headers(&[]), false),
            (headers(&[(origin.clone(), "http://own")]), true),
            (headers(&[(origin.clone(), "http://other")]), false),
            (headers(&[(origin.clone(), "null")]), false),
            (headers(&[(FETCH_SITE, "same-origin")]), true),
            (headers(&[(FETCH_SITE, "same-site")]), false),
            (headers(&[(FETCH_SITE, "none")]), false),
            (
                headers(&[(origin.clone(), "null"), (FETCH_SITE, "same-origin")]),
                true,
            ),
            (
                headers(&[(origin.clone(), "null"), (FETCH_SITE, "cross-site")]),
                false,
            ),
            (
                headers(&[(origin.clone(), "http://own"), (FETCH_SITE, "cross-site")]),
                false,
            ),
            (
                headers(&[(origin, "http://other"), (FETCH_SITE, "same-origin")]),
                false,
            ),
        ];
        for (headers, expect) in rows {
            let passes = comes_from_page(&headers, |origin| origin == "http://own");
            assert_eq!(passes, expect, "{headers:?}");
        }
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let rows = [
            ("maitred-1=a", Some("a")),
            ("other=b; maitred-1=a", Some("a")),
            ("maitred-10=b", None),
            ("maitred-1", None),
            ("", None),
        ];
        for (line, expect) in rows {
            let headers = headers(&[(header::COOKIE, line)]);
            assert_eq!(find_cookie(&headers, "maitred-1"), expect, "{line}");
        }
    }
}
