//! Builds all HTTP clients: for Cal.com and for lookups. No redirect is followed, no call is sent
//! twice, and nothing of a call is logged. A client speaks to one host, so its route is decided
//! here once: calls to this machine never go through a proxy, and every client can name its route.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::sync::Once;
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{Certificate, Client, Proxy, Url};

/// How long an idle connection is kept: shorter than the keep-alive of 5 s of Cal.com and many
/// other servers. If a call is sent into a connection that the server is just closing, it stays
/// unknown what the call did.
const POOL_IDLE: Duration = Duration::from_secs(3);

/// The most causes of an error that are shown; deeper ones repeat the others.
const MAX_CAUSES: usize = 6;

/// Why no client can be built. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpClientError {
    /// An environment variable names a proxy that cannot be used.
    #[error(
        "the environment variable {variable} {why}; write it as in http://proxy.example.org:3128, or \
         unset it (NO_PROXY names hosts that need no proxy)"
    )]
    Proxy {
        /// The name of the environment variable.
        variable: &'static str,
        /// What is wrong with its value; reads after the variable's name.
        why: &'static str,
    },
    /// The HTTP library refuses to build a client; the payload is its message.
    #[error("{0}")]
    Other(String),
}

/// A client for one host.
#[derive(Debug, Clone)]
pub struct HttpClient {
    /// The HTTP library's client, which decides the route by `route`.
    pub client: Client,
    /// The host and the proxy, for messages.
    pub route: ServerRoute,
}

/// The host that calls go to, and the proxy between. The text reads after "no connection to".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRoute {
    host: String,
    /// The proxy, without user and password, and the variable that names it.
    proxy: Option<(String, &'static str)>,
}

impl fmt::Display for ServerRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.proxy {
            None => write!(f, "{} (directly)", self.host),
            Some((proxy, variable)) => {
                write!(f, "{} (by the proxy {proxy}, from {variable})", self.host)
            }
        }
    }
}

/// Builds the client for this URL's host. `roots` are trusted in addition to the system's
/// certificates.
///
/// # Errors
/// Returns an error if the environment names a proxy that cannot be one, or if the system's
/// certificates cannot be read.
pub fn build_client(
    url: &Url,
    connect_timeout: Option<Duration>,
    roots: Vec<Certificate>,
) -> Result<HttpClient, HttpClientError> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // An error means that a provider is installed already, which serves as well.
        let _installed = rustls::crypto::ring::default_provider().install_default();
    });
    let variable = |name: &str| std::env::var(name).ok();
    let (proxy, route) = select_route(url, &variable)?;
    let mut builder = Client::builder()
        .user_agent(concat!("maitred/", env!("CARGO_PKG_VERSION")))
        .pool_idle_timeout(POOL_IDLE)
        .redirect(reqwest::redirect::Policy::none())
        // No retries, not even of what HTTP/2 calls safe to repeat: the next pass is the retry.
        .retry(reqwest::retry::never())
        .referer(false)
        // Verbose logging would show what is sent, and v1 sends the key in the request line.
        .connection_verbose(false)
        .no_proxy();
    if let Some(timeout) = connect_timeout {
        builder = builder.connect_timeout(timeout);
    }
    if let Some(proxy) = proxy {
        builder = builder.proxy(proxy);
    }
    if !roots.is_empty() {
        builder = builder.tls_certs_merge(roots);
    }
    let client = builder.build();
    let client = client.map_err(|error| HttpClientError::Other(describe_error(error)))?;
    Ok(HttpClient { client, route })
}

/// Returns an error and its causes on one line, without the URL.
pub fn describe_error(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut parts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(inner) = cause.filter(|_| parts.len() < MAX_CAUSES) {
        let text = inner.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        cause = inner.source();
    }
    parts.join(": ")
}

/// Returns whether the URL is one of this machine.
pub fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    })
}

/// Returns the proxy for the URL, if the environment names one that is meant for it, and the route.
fn select_route(
    url: &Url,
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<(Option<Proxy>, ServerRoute), HttpClientError> {
    let port = url.port_or_known_default().unwrap_or_default();
    let host = format!("{}:{port}", url.host_str().unwrap_or_default());
    let direct = ServerRoute {
        host: host.clone(),
        proxy: None,
    };
    if is_loopback(url) {
        return Ok((None, direct));
    }
    let Some((name, value)) = find_proxy_variable(url, variable) else {
        return Ok((None, direct));
    };
    if is_excepted(url, variable) {
        return Ok((None, direct));
    }
    let proxy_error = |why| HttpClientError::Proxy {
        variable: name,
        why,
    };
    let proxy_url = if value.contains("://") {
        value
    } else {
        format!("http://{value}")
    };
    // The text may hold a password. The parser's message would not repeat the text, and neither do
    // ours.
    let mut display_url =
        Url::parse(&proxy_url).map_err(|_| proxy_error("does not hold the address of a proxy"))?;
    if !matches!(display_url.scheme(), "http" | "https") {
        return Err(proxy_error(
            "names a kind of proxy that maitred does not speak",
        ));
    }
    let proxy =
        Proxy::all(&proxy_url).map_err(|_| proxy_error("does not hold the address of a proxy"))?;
    // Neither call fails for a URL with a host.
    let _ = (display_url.set_username(""), display_url.set_password(None));
    let display_text = display_url.as_str().trim_end_matches('/').to_owned();
    let route = ServerRoute {
        host,
        proxy: Some((display_text, name)),
    };
    Ok((Some(proxy), route))
}

/// Returns the variable that names a proxy for the URL, and its value.
fn find_proxy_variable(
    url: &Url,
    variable: &impl Fn(&str) -> Option<String>,
) -> Option<(&'static str, String)> {
    let names = if url.scheme() == "https" {
        ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    } else {
        ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
    };
    let mut set = names.iter().filter_map(|name| {
        let value = variable(name)?.trim().to_owned();
        (!value.is_empty()).then_some((*name, value))
    });
    set.next()
}

/// Returns whether `NO_PROXY` names the URL's host. The code that reqwest itself uses decides.
fn is_excepted(url: &Url, variable: &impl Fn(&str) -> Option<String>) -> bool {
    let list = ["NO_PROXY", "no_proxy"]
        .iter()
        .find_map(|name| variable(name));
    let Some(list) = list else {
        return false;
    };
    let Ok(uri) = url.as_str().parse() else {
        return false;
    };
    let matcher = Matcher::builder()
        .all("http://proxy.invalid")
        .no(list)
        .build();
    matcher.intercept(&uri).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_urls_connect_directly_and_others_through_the_proxy_of_the_environment() {
        let all = ("ALL_PROXY", "http://all:1");
        type RouteCase<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
        let rows: [RouteCase; 14] = [
            ("https://api.cal.com", &[], "api.cal.com:443 (directly)"),
            (
                "https://api.cal.com",
                &[("HTTPS_PROXY", "http://p:3128"), all],
                "api.cal.com:443 (by the proxy http://p:3128, from HTTPS_PROXY)",
            ),
            (
                "https://api.cal.com",
                &[("https_proxy", "p:3128")],
                "api.cal.com:443 (by the proxy http://p:3128, from https_proxy)",
            ),
            (
                "https://api.cal.com",
                &[("HTTPS_PROXY", "http://ann:secret@p:3128/")],
                "api.cal.com:443 (by the proxy http://p:3128, from HTTPS_PROXY)",
            ),
            (
                "http://cal.lan:3003",
                &[("HTTPS_PROXY", "http://p:3128"), all],
                "cal.lan:3003 (by the proxy http://all:1, from ALL_PROXY)",
            ),
            (
                "https://api.cal.com",
                &[all, ("NO_PROXY", "example.org,.cal.com")],
                "api.cal.com:443 (directly)",
            ),
            (
                "https://api.cal.com",
                &[all, ("no_proxy", "*")],
                "api.cal.com:443 (directly)",
            ),
            (
                "https://10.1.2.3",
                &[all, ("NO_PROXY", "10.0.0.0/8")],
                "10.1.2.3:443 (directly)",
            ),
            ("http://127.0.0.1:3003", &[all], "127.0.0.1:3003 (directly)"),
            ("http://[::1]:3003", &[all], "[::1]:3003 (directly)"),
            ("https://localhost", &[all], "localhost:443 (directly)"),
            // An invalid proxy does not matter where no proxy is used.
            (
                "http://127.0.0.1:3003",
                &[("HTTP_PROXY", "::secret::")],
                "127.0.0.1:3003 (directly)",
            ),
            (
                "https://api.cal.com",
                &[("HTTPS_PROXY", "::secret::")],
                "error: the environment variable HTTPS_PROXY does not hold the address of a proxy",
            ),
            (
                "https://api.cal.com",
                &[("ALL_PROXY", "socks5://secret:1")],
                "error: the environment variable ALL_PROXY names a kind of proxy",
            ),
        ];
        for (url, variables, expect) in rows {
            let variable = |name: &str| {
                let mut set = variables.iter();
                let found = set.find(|(set, _)| *set == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let url = Url::parse(url).expect("a URL");
            let actual = match select_route(&url, &variable) {
                Ok((proxy, route)) => {
                    assert_eq!(proxy.is_some(), route.proxy.is_some(), "{url}");
                    route.to_string()
                }
                Err(error) => format!("error: {error}"),
            };
            assert!(actual.starts_with(expect), "{url} {variables:?}: {actual}");
            assert!(!actual.contains("secret"), "{actual}");
        }
    }
}
