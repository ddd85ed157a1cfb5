//! Finds an account whose name a new name may be a typing mistake for. A mistyped address would
//! open an account without an error, and no booking would ever find the member's credits there.

use super::parse;
use crate::control::protocol::Refusal;
use crate::domain::id::AccountId;
use crate::domain::name_distance::edit_distance;
use crate::store::port::Store;

/// Accounts read in one page.
const PAGE: usize = 1_000;

/// Most names that are compared: opening an account must not take seconds in a large ledger.
const MAX_COMPARISONS: usize = 200_000;

/// Refuses to open an account whose name is nearly that of an existing one.
///
/// # Errors
/// Fails when there is such an account, and when the store cannot be read.
pub(super) fn refuse_similar_name(store: &dyn Store, name: &AccountId) -> Result<(), Refusal> {
    let found = find_similar_names(store, [name], 1)?;
    let Some((_, near)) = found.first() else {
        return Ok(());
    };
    Err(parse::refusal(
        "similar-name",
        format!(
            "there is no account {name}, but there is {near}: use that name, or add --new to open \
             {name} as a second account"
        ),
    ))
}

/// Returns the first of these names that are nearly those of existing accounts, each with that
/// account.
///
/// # Errors
/// Fails when the store cannot be read.
pub(super) fn find_similar_names<'a>(
    store: &dyn Store,
    names: impl IntoIterator<Item = &'a AccountId>,
    at_most: usize,
) -> Result<Vec<(AccountId, AccountId)>, Refusal> {
    let mut unmatched: Vec<&AccountId> = names.into_iter().collect();
    let mut matches = Vec::new();
    let mut compared = 0;
    let mut after: Option<AccountId> = None;
    while !unmatched.is_empty() && compared < MAX_COMPARISONS {
        let page = store.accounts(after.as_ref(), PAGE);
        let page = page.map_err(|e| parse::store_failed(&e))?;
        for account in &page {
            compared += unmatched.len();
            unmatched.retain(|name| {
                let similar = is_similar(name.as_str(), account.id.as_str());
                if similar && matches.len() < at_most {
                    matches.push(((*name).clone(), account.id.clone()));
                }
                !similar && matches.len() < at_most
            });
            if compared >= MAX_COMPARISONS {
                break;
            }
        }
        if page.len() < PAGE {
            break;
        }
        after = page.last().map(|last| last.id.clone());
    }
    Ok(matches)
}

/// Returns true when one name may be a typing mistake for the other: addresses that differ slightly
/// on one side of the `@`, or a name without a domain that is the local part of an address.
fn is_similar(name: &str, existing_name: &str) -> bool {
    match (name.rsplit_once('@'), existing_name.rsplit_once('@')) {
        (Some((local, domain)), Some((other, other_domain))) => {
            let typos = max_typos(local.len().max(other.len()));
            (domain == other_domain && edit_distance(local, other) <= typos)
                || (local == other && edit_distance(domain, other_domain) <= 2)
        }
        (None, Some((local, _))) => name == local,
        (Some((local, _)), None) => local == existing_name,
        (None, None) => false,
    }
}

/// Returns how many wrong letters are accepted in a local part of this length. Short names differ
/// by one letter too often.
fn max_typos(letters: usize) -> usize {
    match letters {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_are_similar_and_other_names_are_not() {
        let rows = [
            ("bo@exmaple.com", "bo@example.com", true),
            ("bo@example.co", "bo@example.com", true),
            ("bo", "bo@example.com", true),
            ("bo@example.com", "bo", true),
            ("alexandra@example.com", "alexandar@example.com", true),
            ("alexndr@example.com", "alexandra@example.com", true),
            ("ann@example.com", "anna@example.com", true),
            ("al@example.com", "ai@example.com", false),
            ("bo@example.com", "bo@another.org", false),
            ("acme", "acne", false),
        ];
        for (name, there, expect) in rows {
            assert_eq!(is_similar(name, there), expect, "{name} {there}");
        }
    }
}
