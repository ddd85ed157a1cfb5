//! The headers that a real server adds to its answers.

use crate::sandbox::http_types::HttpResponse;
use crate::sandbox::rate_limiter::RateDecision;

/// Adds the headers that state the rate limit.
pub fn add_limit_headers(response: HttpResponse, decision: RateDecision) -> HttpResponse {
    response
        .with_header("X-RateLimit-Limit-Default", decision.limit.to_string())
        .with_header(
            "X-RateLimit-Remaining-Default",
            decision.remaining.to_string(),
        )
        .with_header("X-RateLimit-Reset-Default", decision.reset.to_string())
}

/// The headers that a real server adds to every answer.
const HELMET: [(&str, &str); 13] = [
    (
        "Content-Security-Policy",
        "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';\
         frame-ancestors 'self';img-src 'self' data:;object-src 'none';script-src 'self';\
         script-src-attr 'none';style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests",
    ),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Origin-Agent-Cluster", "?1"),
    ("Referrer-Policy", "no-referrer"),
    (
        "Strict-Transport-Security",
        "max-age=15552000; includeSubDomains",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-DNS-Prefetch-Control", "off"),
    ("X-Download-Options", "noopen"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("X-Permitted-Cross-Domain-Policies", "none"),
    ("X-XSS-Protection", "0"),
    ("Access-Control-Allow-Origin", "*"),
];

/// Adds the security headers of every answer.
pub fn add_helmet_headers(mut response: HttpResponse) -> HttpResponse {
    for (name, value) in HELMET {
        response = response.with_header(name, value);
    }
    response
}
