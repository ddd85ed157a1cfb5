//! Who may use the page: links that log one browser in, and the sessions of these browsers. Both are
//! in memory only, so that a restart of the daemon ends them. Secrets are stored as hashes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};

use super::random::random_text;

/// How long a link waits for its browser: an operator opens it right after it was printed.
const LINK_LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// How long a browser stays logged in: a working day.
const SESSION_LIFETIME: TimeDelta = TimeDelta::hours(12);

/// Most links that wait at the same time. The oldest one ends when another is made.
const MAX_LINKS: usize = 16;

/// Most browsers that are logged in at the same time. The oldest session ends when another begins.
const MAX_SESSIONS: usize = 64;

type SecretHash = [u8; 32];

/// The links and sessions of a daemon.
#[derive(Debug, Default)]
pub struct Access(Mutex<AccessState>);

#[derive(Debug, Default)]
struct AccessState {
    links: VecDeque<Link>,
    sessions: VecDeque<StoredSession>,
}

#[derive(Debug)]
struct Link {
    token: SecretHash,
    uid: Option<u32>,
    expires: DateTime<Utc>,
}

#[derive(Debug)]
struct StoredSession {
    cookie: SecretHash,
    form_token: String,
    uid: Option<u32>,
    expires: DateTime<Utc>,
}

/// A link that was made.
#[derive(Debug)]
pub struct IssuedLink {
    /// The secret in the link.
    pub token: String,
    /// When the link ends if no browser has opened it.
    pub expires: DateTime<Utc>,
}

/// The session of a browser that is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowserSession {
    /// The secret that every form of this session carries.
    pub form_token: String,
    /// The user of the system who made the link; `None` where the system did not report it.
    pub uid: Option<u32>,
}

impl Access {
    /// Makes a link that logs one browser in. `uid` is the user who asked for it.
    pub fn issue_link(&self, uid: Option<u32>, now: DateTime<Utc>) -> IssuedLink {
        let token = random_text();
        let expires = now + LINK_LIFETIME;
        let mut state = self.lock(now);
        while state.links.len() >= MAX_LINKS {
            state.links.pop_front();
        }
        state.links.push_back(Link {
            token: hash(&token),
            uid,
            expires,
        });
        IssuedLink { token, expires }
    }

    /// Begins a session with the token of a link, and returns the secret for the browser's cookie.
    /// A token is used up by this. `None` for a token that is unknown, used up or too old.
    pub fn redeem(&self, token: &str, now: DateTime<Utc>) -> Option<String> {
        let mut state = self.lock(now);
        let hash_of_token = hash(token);
        let place = state
            .links
            .iter()
            .position(|link| link.token == hash_of_token)?;
        let uid = state.links[place].uid;
        state.links.remove(place);
        while state.sessions.len() >= MAX_SESSIONS {
            state.sessions.pop_front();
        }
        let cookie = random_text();
        state.sessions.push_back(StoredSession {
            cookie: hash(&cookie),
            form_token: random_text(),
            uid,
            expires: now + SESSION_LIFETIME,
        });
        Some(cookie)
    }

    /// Returns the session of a browser's cookie; `None` if it has ended or never began.
    pub fn session(&self, cookie: &str, now: DateTime<Utc>) -> Option<BrowserSession> {
        let hash_of_cookie = hash(cookie);
        let state = self.lock(now);
        let mut sessions = state.sessions.iter();
        let session = sessions.find(|session| session.cookie == hash_of_cookie)?;
        Some(BrowserSession {
            form_token: session.form_token.clone(),
            uid: session.uid,
        })
    }

    /// Ends the session of a browser's cookie.
    pub fn log_out(&self, cookie: &str, now: DateTime<Utc>) {
        let hash_of_cookie = hash(cookie);
        let mut state = self.lock(now);
        state
            .sessions
            .retain(|session| session.cookie != hash_of_cookie);
    }

    /// Returns the state without what has ended.
    fn lock(&self, now: DateTime<Utc>) -> MutexGuard<'_, AccessState> {
        // Every change is a whole one, so that a panic elsewhere leaves nothing half done.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.links.retain(|link| link.expires > now);
        state.sessions.retain(|session| session.expires > now);
        state
    }
}

/// Returns true if a text is the secret. The comparison takes the same time for every other text.
pub fn is_secret(secret: &str, text: &str) -> bool {
    hash(secret) == hash(text)
}

/// Hashes a secret. The time that a comparison of hashes takes says nothing about the secret.
fn hash(secret: &str) -> SecretHash {
    Sha256::digest(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    #[test]
    fn a_link_logs_one_browser_in_until_it_ends() {
        let access = Access::default();
        let link = access.issue_link(Some(7), at(0));
        assert_eq!(access.redeem("other", at(1)), None);
        let cookie = access.redeem(&link.token, at(1)).unwrap();
        assert_ne!(cookie, link.token);
        assert_eq!(access.redeem(&link.token, at(1)), None, "it is used up");
        let session = access.session(&cookie, at(1)).unwrap();
        assert_eq!(session.uid, Some(7), "the user who made the link");
        assert_eq!(access.session(&link.token, at(1)), None);

        let late = access.issue_link(Some(7), at(0));
        assert_eq!(late.expires, at(10));
        assert_eq!(access.redeem(&late.token, at(10)), None, "it is too old");
    }

    #[test]
    fn a_session_ends_by_time_and_by_logging_out_alone() {
        let access = Access::default();
        let log_in = || {
            let link = access.issue_link(Some(7), at(0));
            access.redeem(&link.token, at(0)).unwrap()
        };
        let (one, other) = (log_in(), log_in());
        let token = |cookie: &str, minutes| access.session(cookie, at(minutes));
        assert_ne!(token(&one, 1), token(&other, 1));
        access.log_out(&one, at(2));
        assert_eq!(token(&one, 2), None);
        assert!(token(&other, 719).is_some());
        assert_eq!(token(&other, 720), None);
    }

    #[test]
    fn the_oldest_links_and_sessions_make_room() {
        let access = Access::default();
        let links: Vec<IssuedLink> = (0..=MAX_LINKS)
            .map(|_| access.issue_link(Some(7), at(0)))
            .collect();
        assert_eq!(access.redeem(&links[0].token, at(0)), None);
        let mut cookies = Vec::new();
        for _ in 0..=MAX_SESSIONS {
            let link = access.issue_link(Some(7), at(0));
            cookies.push(access.redeem(&link.token, at(0)).unwrap());
        }
        assert_eq!(access.session(&cookies[0], at(0)), None);
        assert!(access.session(&cookies[1], at(0)).is_some());
    }

    #[test]
    fn no_secret_is_stored() {
        let access = Access::default();
        let link = access.issue_link(Some(7), at(0));
        assert!(!format!("{access:?}").contains(&link.token));
        let cookie = access.redeem(&link.token, at(0)).unwrap();
        assert!(!format!("{access:?}").contains(&cookie));
        assert!(is_secret("a", "a") && !is_secret("a", "b"));
    }
}
