//! Parses the arguments of commands into domain types, with errors that give the value and the
//! reason.

use crate::control::exit;
use crate::control::protocol::Refusal;
use crate::daemon::error_chain::error_chain;
use crate::domain::account::Account;
use crate::domain::decision::{Credits, MAX_CREDITS};
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::time::{Time, truncate_to_millis};
use crate::store::port::{CommitError, Store, StoreError};

/// The longest reason an operator may give, in characters.
const MAX_REASON: usize = 500;

/// Returns a refusal because of something that the operator wrote.
pub fn usage(text: impl Into<String>) -> Refusal {
    Refusal::usage(text)
}

/// Returns a refusal with this code and the exit code of a failed command.
pub fn refusal(code: &str, text: impl Into<String>) -> Refusal {
    Refusal {
        exit: exit::FAILED,
        code: code.to_owned(),
        text: text.into(),
    }
}

/// Returns a refusal because something does not exist.
pub fn not_found(text: impl Into<String>) -> Refusal {
    refusal("not-found", text)
}

/// Returns a refusal because the store cannot be read.
pub fn store_failed(error: &StoreError) -> Refusal {
    refusal("store", error.to_string())
}

/// Returns a refusal with the whole error chain of a failed commit. Of facts that the records do
/// not allow it says only which record does not allow them.
pub fn commit_failed(error: &CommitError) -> Refusal {
    let text = match error {
        CommitError::Violation(violation) => format!("nothing was written: {violation}"),
        CommitError::Conflict(_) | CommitError::Indeterminate(_) | CommitError::Failed(_) => {
            error_chain(error)
        }
    };
    let code = match error {
        CommitError::Violation(_) => "refused",
        CommitError::Conflict(_) => "conflict",
        CommitError::Indeterminate(_) | CommitError::Failed(_) => "store",
    };
    refusal(code, text)
}

/// Returns the refusal of a command whose transaction was not committed.
impl From<CommitError> for Refusal {
    fn from(error: CommitError) -> Self {
        commit_failed(&error)
    }
}

/// Parses a time in RFC 3339. `name` names the time in the refusal.
///
/// # Errors
/// Fails when the text is no such time.
pub fn time(name: &str, text: &str) -> Result<Time, Refusal> {
    chrono::DateTime::parse_from_rfc3339(text)
        .map(|at| truncate_to_millis(at.to_utc()))
        .map_err(|_| {
            usage(format!(
                "{name} {text:?} is not a time (expected something like 2026-12-01T09:00:00Z)"
            ))
        })
}

/// Parses the expiry of a grant; `None` means that the grant never expires.
///
/// # Errors
/// Fails when the text is no time, and when the time is not after `now`.
pub fn expiry(text: Option<&str>, now: Time) -> Result<Option<Time>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let at = time("the expiry", text)?;
    if at <= now {
        return Err(usage(format!(
            "the expiry {text} is not in the future: the credits could never be spent"
        )));
    }
    Ok(Some(at))
}

/// Checks a number of credits to grant or revoke.
///
/// # Errors
/// Fails when the number is 0 or above the maximum.
pub fn credits(credits: u64) -> Result<Credits, Refusal> {
    if (1..=MAX_CREDITS).contains(&credits) {
        Ok(credits)
    } else {
        Err(usage(format!(
            "{credits} credits cannot be given or taken: expected 1 to {MAX_CREDITS}"
        )))
    }
}

/// Returns the operator's reason, or the default, without blanks around it.
///
/// # Errors
/// Fails when the reason is too long or has control characters.
pub fn reason(text: Option<&str>, default: &str) -> Result<String, Refusal> {
    let text = text.unwrap_or(default).trim();
    if text.chars().count() > MAX_REASON {
        return Err(usage(format!(
            "the reason is longer than {MAX_REASON} characters"
        )));
    }
    if let Some(c) = text.chars().find(|c| c.is_control()) {
        return Err(usage(format!(
            "the reason contains a control character ({c:?})"
        )));
    }
    Ok(text.to_owned())
}

/// Parses the reference of a grant or a revocation.
///
/// # Errors
/// Fails when the text is no reference.
pub fn reference(text: &str) -> Result<Reference, Refusal> {
    Reference::parse(text).map_err(|why| usage(format!("the reference {text:?} {why}")))
}

/// Splits the place at which a list continues into its two parts. A slash is between them, which is in
/// no name, so that the place is one word: texts are changed when they are shown, and words are not.
///
/// # Errors
/// Fails when the text is no place that an answer named.
pub fn place(text: &str) -> Result<(&str, &str), Refusal> {
    text.split_once('/').ok_or_else(|| unusable_place(text))
}

/// Parses the uid of a booking that an operator names.
///
/// # Errors
/// Fails when the text is no uid.
pub fn booking_uid(text: &str) -> Result<BookingUid, Refusal> {
    BookingUid::parse(text).map_err(|why| usage(format!("the booking {text:?} {why}")))
}

/// Returns the booking in a part of a place.
///
/// # Errors
/// Fails when the text is no uid.
pub fn booking_of_place(text: &str) -> Result<BookingUid, Refusal> {
    BookingUid::parse(text).map_err(|_| unusable_place(text))
}

/// Returns the time and the request at which a list continues.
///
/// # Errors
/// Fails when the text is no place that an answer named.
pub fn timed_place(text: &str) -> Result<(Time, RequestId), Refusal> {
    let (at, id) = place(text)?;
    let id = RequestId::parse(id).map_err(|_| unusable_place(text))?;
    Ok((time("the place", at)?, id))
}

/// Returns the refusal of a place at which no list continues.
pub fn unusable_place(text: &str) -> Refusal {
    usage(format!(
        "the list cannot be continued after {text:?}: start again with its first page"
    ))
}

/// Returns the account that a name or an alias leads to. A name without an account is returned as
/// the account that it would open.
pub fn resolve_account_id(store: &dyn Store, text: &str) -> Result<AccountId, Refusal> {
    let id = AccountId::parse(text).map_err(|why| usage(format!("the account {text:?} {why}")))?;
    if let Ok(address) = Address::parse(text)
        && let Some(known) = store.resolve(&address).map_err(|e| store_failed(&e))?
    {
        return Ok(known);
    }
    follow_merges(store, id)
}

/// The most merges that are followed from one name. No account is merged this often.
const MAX_MERGES: usize = 100;

/// Returns the account that has everything of this one: itself, unless it was merged into another.
fn follow_merges(store: &dyn Store, mut id: AccountId) -> Result<AccountId, Refusal> {
    for _ in 0..MAX_MERGES {
        let account = store.account(&id).map_err(|e| store_failed(&e))?;
        let successor = account.and_then(|account| account.closed?.merged_into);
        let Some(successor) = successor else { break };
        id = successor;
    }
    Ok(id)
}

/// Refuses to open an account whose name a spreadsheet takes for a formula when it reads an export.
/// Such a name is mostly a mistyped address (`@example.com`) or option. Addresses and telephone
/// numbers are always accepted, because bookers have them.
///
/// # Errors
/// Fails when the name is neither an address nor a telephone number, and begins like a formula.
pub fn check_new_account_name(id: &AccountId) -> Result<(), Refusal> {
    let name = id.as_str();
    let is_telephone = name
        .strip_prefix('+')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let begins_like_formula = name.starts_with(['=', '+', '-', '@', '\'']);
    if !begins_like_formula || is_telephone || Address::parse(name).is_ok() {
        return Ok(());
    }
    Err(usage(format!(
        "no account {name:?} can be opened: a name that is no e-mail address begins with a letter \
         or a digit, because spreadsheets take other names for formulas; give the member's whole \
         address, or another name"
    )))
}

/// Returns the account that a name or an alias leads to.
///
/// # Errors
/// Fails when there is no such account, and when the store cannot be read.
pub fn find_account(store: &dyn Store, text: &str) -> Result<Account, Refusal> {
    let id = resolve_account_id(store, text)?;
    store
        .account(&id)
        .map_err(|e| store_failed(&e))?
        .ok_or_else(|| {
            not_found(format!(
                "there is no account {id}; `maitred account list` lists the accounts, \
                 `maitred credits grant {id} CREDITS` opens it"
            ))
        })
}

/// Returns the account with exactly this name if it was merged into another, and otherwise does the
/// same as [`find_account`]: the history of a merged account stays under its own name.
///
/// # Errors
/// Fails in the same cases.
pub fn find_account_itself(store: &dyn Store, text: &str) -> Result<Account, Refusal> {
    if let Ok(id) = AccountId::parse(text) {
        let account = store.account(&id).map_err(|e| store_failed(&e))?;
        if let Some(account) = account.filter(Account::is_merged) {
            return Ok(account);
        }
    }
    find_account(store, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_not_opened_under_a_name_that_begins_like_a_formula() {
        let rows = [
            ("bo@example.com", true),
            ("acme-ltd", true),
            ("7", true),
            ("_club", true),
            ("+4915112345678", true),
            ("+4915112345678@sms.cal.com", true),
            ("-bo@example.com", true),
            ("@x", false),
            ("@example.com", false),
            ("=1+1", false),
            ("-x", false),
            ("+x", false),
            ("+", false),
            ("'=x", false),
        ];
        for (name, expect) in rows {
            let id = AccountId::parse(name).expect("a name");
            let result = check_new_account_name(&id);
            assert_eq!(result.is_ok(), expect, "{name}: {result:?}");
        }
    }
}
