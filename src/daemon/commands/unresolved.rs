//! The commands that show the unresolved list and take a booking off.

use super::parse;
use crate::control::protocol::unresolved::UnresolvedView;
use crate::control::protocol::{CommandResult, Refusal, SCHEMA};
use crate::daemon::views;
use crate::domain::fact::{Fact, UnresolvedFact};
use crate::domain::id::BookingUid;
use crate::domain::unresolved::{Resolver, UNRESOLVED_CODES, UnresolvedBooking, UnresolvedCode};
use crate::store::port::{Store, StoreError};
use crate::store::transaction::{Stamp, transact};

/// Most items in one answer.
const MAX_ITEMS: u32 = 10_000;

/// Lists the open items, from the first, or after the place that an earlier answer named.
pub fn list(store: &dyn Store, limit: u32, after: Option<&str>) -> Result<CommandResult, Refusal> {
    let limit = usize::try_from(limit.clamp(1, MAX_ITEMS)).unwrap_or(usize::MAX);
    let after = after.map(|place| find_item(store, place)).transpose()?;
    let items = store.unresolved_items(after.as_ref(), limit + 1);
    let mut items = items.map_err(|e| parse::store_failed(&e))?;
    let more = items.len() > limit;
    items.truncate(limit);
    Ok(unresolved_result(&items, more))
}

/// Returns the item at a place: its code, and the uid of its booking.
fn find_item(store: &dyn Store, place: &str) -> Result<UnresolvedBooking, Refusal> {
    let (code, uid) = parse::place(place)?;
    let (code, uid) = (parse_code(code)?, parse::booking_of_place(uid)?);
    let items = store.unresolved_items_of(&uid);
    let items = items.map_err(|e| parse::store_failed(&e))?;
    let item = items.into_iter().find(|item| item.code == code);
    item.ok_or_else(|| parse::unusable_place(place))
}

/// Takes a booking off the list: all its items, or only those of one code.
pub fn resolve(
    store: &mut dyn Store,
    stamp: impl Into<Stamp>,
    booking: &str,
    code: Option<&str>,
    reason: &str,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    let uid = BookingUid::parse(booking.trim())
        .map_err(|why| parse::usage(format!("the booking {booking:?} {why}")))?;
    let code = code.map(parse_code).transpose()?;
    let reason = parse::reason(Some(reason), "")?;
    if reason.is_empty() {
        return Err(parse::usage(
            "the reason is empty; give a reason with --reason, because it is kept with the booking",
        ));
    }
    let failed = |e: StoreError| parse::store_failed(&e);
    let resolved = |item: &UnresolvedBooking| {
        Fact::Unresolved(UnresolvedFact::Resolved {
            booking: uid.clone(),
            code: item.code,
            reason: reason.clone(),
            by: Resolver::Operator,
        })
    };
    let (items, _) = transact(store, &stamp, |store| {
        let mut items = store.unresolved_items_of(&uid).map_err(failed)?;
        items.retain(|item| item.is_open() && code.is_none_or(|code| item.code == code));
        if items.is_empty() {
            return Err(parse::not_found(format!(
                "booking {uid} is not on the unresolved list{}; `maitred unresolved` shows what is",
                code.map_or_else(String::new, |code| format!(" as {code}"))
            )));
        }
        Ok((items.iter().map(resolved).collect(), items))
    })?;
    for item in &items {
        tracing::info!(booking = %uid, code = item.code.as_str(), "resolved by an operator");
    }
    let mut after = store.unresolved_items_of(&uid).map_err(failed)?;
    after.retain(|item| items.iter().any(|before| before.code == item.code));
    Ok(unresolved_result(&after, false))
}

fn parse_code(text: &str) -> Result<UnresolvedCode, Refusal> {
    UnresolvedCode::parse(text.trim()).ok_or_else(|| {
        let known: Vec<&str> = UNRESOLVED_CODES.iter().map(|code| code.as_str()).collect();
        parse::usage(format!(
            "the code {text:?} is not known (expected one of {})",
            known.join(", ")
        ))
    })
}

fn unresolved_result(items: &[UnresolvedBooking], more: bool) -> CommandResult {
    CommandResult::Unresolved(UnresolvedView {
        schema: SCHEMA,
        items: items.iter().map(views::unresolved).collect(),
        more,
        next: items
            .last()
            .filter(|_| more)
            .map(|last| format!("{}/{}", last.code, last.booking.uid)),
    })
}

#[cfg(test)]
mod tests {
    use super::super::test_fixtures::{commit_facts, now, store_with_credits};
    use super::*;
    use crate::domain::booking::BookingRef;
    use crate::domain::time::Span;
    use crate::store::memory::MemoryStore;

    fn add_unresolved(
        store: &mut MemoryStore,
        uid: &str,
        code: UnresolvedCode,
        hours: Option<i64>,
    ) {
        let uid = BookingUid::parse(uid).unwrap();
        let fact = Fact::Unresolved(UnresolvedFact::Listed {
            booking: BookingRef { uid, id: None },
            code,
            account: None,
            until: hours.map(|hours| now() + Span::hours(hours)),
            detail: "accepted by others".to_owned(),
        });
        commit_facts(store, vec![fact]);
    }

    fn item_names(answer: &CommandResult) -> Vec<String> {
        let CommandResult::Unresolved(view) = answer else {
            panic!("{answer:?}");
        };
        let items = view.items.iter();
        items
            .map(|item| {
                let resolved = item.resolved.as_ref().map_or("", |_| " resolved");
                format!("{} {}{resolved}", item.booking, item.code)
            })
            .collect()
    }

    #[test]
    fn what_is_listed_stays_until_an_operator_resolves_it() {
        let mut store = store_with_credits(1);
        add_unresolved(&mut store, "later", UnresolvedCode::Unmanaged, Some(9));
        add_unresolved(&mut store, "never", UnresolvedCode::Revived, None);
        add_unresolved(&mut store, "soon", UnresolvedCode::Unmanaged, Some(1));
        add_unresolved(&mut store, "soon", UnresolvedCode::AcceptedMove, Some(1));
        let all = list(&store, 100, None).unwrap();
        let soon = ["soon accepted-move", "soon unmanaged"];
        assert_eq!(item_names(&all)[..2], soon);
        assert_eq!(item_names(&all)[2..], ["later unmanaged", "never revived"]);
        assert_eq!(
            item_names(&list(&store, 1, None).unwrap()),
            ["soon accepted-move"]
        );
        let mut pages = Vec::new();
        let mut after = None;
        loop {
            let page = list(&store, 1, after.as_deref()).unwrap();
            pages.extend(item_names(&page));
            let CommandResult::Unresolved(view) = page else {
                panic!("a list");
            };
            match view.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert_eq!(pages, item_names(&all));
        for place in ["revived", "odd/soon", "revived/s/n", "revived/soon"] {
            let refusal = list(&store, 1, Some(place)).unwrap_err();
            assert_eq!(refusal.code, "usage", "{place}");
        }

        let first_resolved =
            resolve(&mut store, now(), "soon", Some("unmanaged"), "a guest").unwrap();
        assert_eq!(item_names(&first_resolved), ["soon unmanaged resolved"]);
        let second_resolved = resolve(&mut store, now(), "soon", None, "talked to").unwrap();
        assert_eq!(
            item_names(&second_resolved),
            ["soon accepted-move resolved"]
        );
        let all = list(&store, 100, None).unwrap();
        assert_eq!(item_names(&all), ["later unmanaged", "never revived"]);
        // The booking is listed again, because the operator resolved only the earlier finding.
        add_unresolved(&mut store, "soon", UnresolvedCode::Unmanaged, Some(1));
        let all = list(&store, 1, None).unwrap();
        assert_eq!(item_names(&all), ["soon unmanaged"]);
    }

    #[test]
    fn what_cannot_be_resolved_is_refused_with_what_to_do() {
        let mut store = store_with_credits(1);
        add_unresolved(&mut store, "soon", UnresolvedCode::Unmanaged, None);
        let rows = [
            ("s/n", None, "why", "usage", "the booking \"s/n\""),
            ("other", None, "why", "not-found", "`maitred unresolved`"),
            ("soon", Some("revived"), "why", "not-found", "as revived"),
            (
                "soon",
                Some("odd"),
                "why",
                "usage",
                "expected one of revived, ",
            ),
            ("soon", None, " ", "usage", "--reason"),
        ];
        for (booking, code, reason, kind, text) in rows {
            let refusal = resolve(&mut store, now(), booking, code, reason).unwrap_err();
            assert_eq!(refusal.code, kind, "{booking}");
            assert!(refusal.text.contains(text), "{}", refusal.text);
        }
    }
}
