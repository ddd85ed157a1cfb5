//! The names under which the page may be reached. A page of another site can make a name of its own
//! lead to this machine (DNS rebinding), and can send forms here; both show in the headers `Host`
//! and `Origin`.

use std::net::SocketAddr;

/// The default port of http, which browsers leave out.
const HTTP_PORT: u16 = 80;

/// The origins under which browsers may reach the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Returns the origins of an address to listen on, after those that the operator has named.
    pub fn new(listen: SocketAddr, named: &[String]) -> Self {
        let mut origins: Vec<String> = named.iter().map(|name| name.to_ascii_lowercase()).collect();
        let port = match listen.port() {
            HTTP_PORT => String::new(),
            port => format!(":{port}"),
        };
        let ip = listen.ip();
        if !ip.is_unspecified() {
            origins.push(match listen {
                SocketAddr::V4(_) => format!("http://{ip}{port}"),
                SocketAddr::V6(_) => format!("http://[{ip}]{port}"),
            });
        }
        if ip.is_loopback() {
            origins.push(format!("http://localhost{port}"));
        }
        Self(origins)
    }

    /// Returns the origin for links.
    pub fn first(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// Returns true if a browser may use this `Host`.
    pub fn has_host(&self, host: &str) -> bool {
        self.origins_of(host).next().is_some()
    }

    /// Returns true if browsers reach the host by TLS only, so that its cookies must not be sent
    /// without.
    pub fn is_secure(&self, host: &str) -> bool {
        self.origins_of(host)
            .all(|origin| origin.starts_with("https://"))
    }

    /// Returns true if the origin is that of the page itself under this `Host`.
    pub fn is_own(&self, origin: &str, host: &str) -> bool {
        self.origins_of(host)
            .any(|own| own.eq_ignore_ascii_case(origin))
    }

    fn origins_of<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a str> {
        let has_host = move |origin: &&str| {
            let own = origin.split_once("://").map_or("", |(_, host)| host);
            own.eq_ignore_ascii_case(host)
        };
        self.0.iter().map(String::as_str).filter(has_host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(listen: &str, named: &[&str]) -> Origins {
        let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
        Origins::new(listen.parse().unwrap(), &named)
    }

    #[test]
    fn only_the_names_of_the_address_are_hosts() {
        let rows = [
            ("127.0.0.1:8471", "127.0.0.1:8471", true),
            ("127.0.0.1:8471", "localhost:8471", true),
            ("127.0.0.1:8471", "LOCALHOST:8471", true),
            ("127.0.0.1:8471", "localhost", false),
            ("127.0.0.1:8471", "127.0.0.1:80", false),
            ("127.0.0.1:8471", "evil.example:8471", false),
            ("127.0.0.1:8471", "127.0.0.1:8471.evil.example", false),
            ("127.0.0.1:8471", "", false),
            ("[::1]:8471", "[::1]:8471", true),
            ("127.0.0.1:80", "127.0.0.1", true),
            ("192.0.2.7:8471", "192.0.2.7:8471", true),
            ("192.0.2.7:8471", "localhost:8471", false),
            ("0.0.0.0:8471", "0.0.0.0:8471", false),
        ];
        for (listen, host, expect) in rows {
            assert_eq!(
                origins(listen, &[]).has_host(host),
                expect,
                "{listen} {host}"
            );
        }
    }

    #[test]
    fn an_origin_is_own_under_its_own_host_alone() {
        let origins = origins("127.0.0.1:8471", &["https://maitred.example.com"]);
        assert_eq!(origins.first(), "https://maitred.example.com");
        let rows = [
            ("http://127.0.0.1:8471", "127.0.0.1:8471", true),
            ("http://localhost:8471", "localhost:8471", true),
            ("https://maitred.example.com", "maitred.example.com", true),
            ("http://maitred.example.com", "maitred.example.com", false),
            ("http://localhost:8471", "127.0.0.1:8471", false),
            ("https://evil.example", "127.0.0.1:8471", false),
            ("https://evil.example", "evil.example", false),
            ("null", "127.0.0.1:8471", false),
        ];
        for (origin, host, expect) in rows {
            assert_eq!(origins.is_own(origin, host), expect, "{origin} {host}");
        }
        assert!(origins.is_secure("maitred.example.com"));
        assert!(!origins.is_secure("localhost:8471"));
    }
}
