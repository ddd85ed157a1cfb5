//! Finds an account whose name a new one may be a typing mistake for. A mistyped address would open an
//! account without an error, and the member's credits would lie where no booking finds them.

use super::parse;
use crate::control::protocol::Refusal;
use crate::domain::id::AccountId;
use crate::domain::near::difference;
use crate::store::port::Store;

/// Accounts read at once.
const PAGE: usize = 1_000;

/// Names compared at most: opening an account must not take seconds in a large ledger.
const MOST: usize = 200_000;

/// Refuses to open an account whose name is nearly that of an existing one.
///
/// # Errors
/// When there is such an account, and when the store cannot be read.
pub fn refuse(store: &dyn Store, name: &AccountId) -> Result<(), Refusal> {
    let found = find(store, [name], 1)?;
    let Some((_, near)) = found.first() else {
        return Ok(());
    };
    Err(parse::refused(
        "near-name",
        format!(
            "there is no account {name}, but there is {near}: use that name, or add --new to open \
             {name} as a second account"
        ),
    ))
}

/// The first of these names that are nearly those of existing accounts, each with that account.
///
/// # Errors
/// When the store cannot be read.
pub fn find<'a>(
    store: &dyn Store,
    names: impl IntoIterator<Item = &'a AccountId>,
    at_most: usize,
) -> Result<Vec<(AccountId, AccountId)>, Refusal> {
    let mut open: Vec<&AccountId> = names.into_iter().collect();
    let mut found = Vec::new();
    let mut compared = 0;
    let mut after: Option<AccountId> = None;
    while !open.is_empty() && compared < MOST {
        let page = store.accounts(after.as_ref(), PAGE);
        let page = page.map_err(|e| parse::store_failed(&e))?;
        for there in &page {
            compared += open.len();
            open.retain(|name| {
                let near = is_near(name.as_str(), there.id.as_str());
                if near && found.len() < at_most {
                    found.push(((*name).clone(), there.id.clone()));
                }
                !near && found.len() < at_most
            });
            if compared >= MOST {
                break;
            }
        }
        if page.len() < PAGE {
            break;
        }
        after = page.last().map(|last| last.id.clone());
    }
    Ok(found)
}

/// Whether one name may be meant by the other: addresses that differ by a slip on either side of the
/// `@`, or a name without a domain that is the local part of an address.
fn is_near(name: &str, there: &str) -> bool {
    match (name.rsplit_once('@'), there.rsplit_once('@')) {
        (Some((local, domain)), Some((other, other_domain))) => {
            let slips = slips(local.len().max(other.len()));
            (domain == other_domain && difference(local, other) <= slips)
                || (local == other && difference(domain, other_domain) <= 2)
        }
        (None, Some((local, _))) => name == local,
        (Some((local, _)), None) => local == there,
        (None, None) => false,
    }
}

/// Wrong letters in a local part of this many: short names differ by one letter too often.
fn slips(letters: usize) -> usize {
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
    fn slips_are_near_and_other_people_are_not() {
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
            assert_eq!(is_near(name, there), expect, "{name} {there}");
        }
    }
}
