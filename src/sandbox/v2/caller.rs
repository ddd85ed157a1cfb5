//! Who calls: the key or the token of a call, and what the guards say about it.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::call::V2Call;
use super::error::NestError;
use crate::sandbox::account::{KEY_PREFIX, User};
use crate::sandbox::call_log::Operation;
use crate::sandbox::http_types::HttpResponse;
use crate::sandbox::rate_limiter::{RateDecision, RateLimit, TOKEN_CALLS};
use crate::sandbox::world::World;

/// The caller, as far as the throttler can determine.
#[derive(Debug, Clone)]
pub enum Caller {
    /// No credential was presented.
    Anonymous,
    /// A valid key was presented; the payload is its account.
    User(User),
    /// A key was presented after it had expired.
    Expired,
    /// A bearer token that is not a key. Errors repeat the token, as those of real servers do.
    Token(String),
}

/// Identifies the caller and counts the call; `None` for an unknown key, which is not counted.
pub fn identify_caller(world: &mut World, call: &V2Call<'_>) -> Option<(Caller, RateDecision)> {
    let Some(header) = call.request.header_value("authorization") else {
        let limit = world.limits.v2;
        return Some((
            Caller::Anonymous,
            world.throttler.hit(bucket_number(""), limit, call.now),
        ));
    };
    let token = header.strip_prefix("Bearer ").unwrap_or(header).trim();
    let Some(bare) = token.strip_prefix(KEY_PREFIX) else {
        let limit = world.limits.v2.map(|limit| RateLimit {
            calls: TOKEN_CALLS,
            ..limit
        });
        let decision = world.throttler.hit(bucket_number(token), limit, call.now);
        return Some((Caller::Token(token.to_owned()), decision));
    };
    let key = world.key(bare)?;
    let limit = key.limit.or(world.limits.v2);
    let expired = key.expires.is_some_and(|at| at <= call.now);
    let user = world.user(key.user).cloned()?;
    let decision = world.throttler.hit(bucket_number(token), limit, call.now);
    let caller = if expired {
        Caller::Expired
    } else {
        Caller::User(user)
    };
    Some((caller, decision))
}

/// Returns the bucket number for a presented text.
fn bucket_number(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Returns the user, `None` for a call without a key, or the answer to a credential that opens no
/// account.
pub fn authenticate(call: &V2Call<'_>, caller: Caller) -> Result<Option<User>, HttpResponse> {
    let errors = &call.errors;
    match caller {
        Caller::Anonymous => Ok(None),
        Caller::User(user) => Ok(Some(user)),
        Caller::Token(token) if has_permissions_guard(call.route.kind) => {
            let text = format!("PermissionsGuard - no oAuth client found for access token={token}");
            Err(errors.nest_error(NestError::Forbidden, &text))
        }
        Caller::Token(_) => {
            let text = "Invalid Access Token.";
            Err(errors.nest_error(NestError::Unauthorized, text))
        }
        Caller::Expired => Err(errors.nest_error(NestError::Unauthorized, EXPIRED)),
    }
}

/// Returns the user of a call that needs one, or the answer to a call without a key.
pub fn require_user(call: &V2Call<'_>, user: Option<User>) -> Result<User, HttpResponse> {
    user.ok_or_else(|| {
        if has_permissions_guard(call.route.kind) {
            call.errors
                .nest_error(NestError::Forbidden, NO_AUTHENTICATION)
        } else {
            call.errors.nest_error(NestError::Unauthorized, NO_METHOD)
        }
    })
}

/// Returns true for the calls whose permissions a guard checks before the key.
fn has_permissions_guard(kind: Operation) -> bool {
    matches!(
        kind,
        Operation::List | Operation::Confirm | Operation::Decline | Operation::MarkAbsent
    )
}

const NO_AUTHENTICATION: &str = "PermissionsGuard - no authentication provided. Provide either \
    authorization bearer token containing managed user access token or oAuth client id in \
    'x-cal-client-id' header.";

const NO_METHOD: &str = "ApiAuthStrategy - No authentication method provided. Either pass an \
    API key as 'Bearer' header or OAuth client credentials as 'x-cal-secret-key' and \
    'x-cal-client-id' headers";

const EXPIRED: &str = "ApiAuthStrategy - api key - Your api key is expired";
