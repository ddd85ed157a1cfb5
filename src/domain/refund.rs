//! Credits that come back go to the lots that paid. Where such a lot has expired meanwhile, the terms of
//! the charge say what happens instead. Every store asks this one function before it writes a commit,
//! so a void, a refund and the surplus of a move follow the same rule, whoever made the fact.

use std::collections::BTreeMap;

use super::account::Part;
use super::fact::{Back, Fact};
use super::id::{BookingUid, Reference};
use super::ledger::{Given, GivenKind};
use super::request::Charge;
use super::terms::ExpiredRefund;
use super::time::Time;

/// Names that are tried for one lot; a booking is not charged as often.
const MAX_NAMES: usize = 100;

/// Where charges and grants are looked up.
pub trait Lookup {
    type Error;

    /// # Errors
    /// When the charge cannot be read.
    fn charge(&self, booking: &BookingUid) -> Result<Option<Charge>, Self::Error>;

    /// # Errors
    /// When the grant cannot be read.
    fn given(&self, reference: &Reference) -> Result<Option<Given>, Self::Error>;
}

/// Names a new lot for every part that would go back to an expired lot, where the terms of its charge
/// say so. Parts that name one already stay as they are. `present` is the rule for charges of older
/// logs, which have no terms of their own; without it these parts go to the lots that paid.
///
/// A lot that a refund made is never replaced by another one: otherwise credits could outlive every
/// expiry by bookings far ahead that are cancelled later.
///
/// # Errors
/// When a charge or a grant cannot be read.
pub fn restore_expired<L: Lookup>(
    facts: &mut [Fact],
    at: Time,
    present: Option<ExpiredRefund>,
    lookup: &L,
) -> Result<(), L::Error> {
    // A move and what comes back of it stand in one commit: the charge is still the predecessor's.
    let mut moved: BTreeMap<BookingUid, BookingUid> = BTreeMap::new();
    for fact in facts {
        match fact {
            Fact::Move { from, to, .. } => {
                moved.insert(to.uid.clone(), from.clone());
            }
            Fact::Void { booking, back, .. } if back.is_empty() => {
                let Some(charge) = lookup.charge(booking)? else {
                    continue;
                };
                let mut parts: Vec<Back> = charge.parts.iter().map(to_its_lot).collect();
                let rule = rule(&charge, present);
                let name = |number| name("void", booking, 0, number);
                if replace(&mut parts, at, rule, lookup, name)? {
                    *back = parts;
                }
            }
            Fact::Refund { booking, parts, .. } => {
                let own = lookup.charge(booking)?;
                let paid_first = match moved.get(booking) {
                    Some(from) => lookup.charge(from)?,
                    None => own.clone(),
                };
                let Some(charge) = paid_first else {
                    continue;
                };
                // What came back so far grows with every refund, which makes the names distinct.
                let refunded = own.map_or(0, |own| own.refunded);
                let name = |number| name("refund", booking, refunded, number);
                replace(parts, at, rule(&charge, present), lookup, name)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The part as it goes back to the lot that paid.
pub fn to_its_lot(part: &Part) -> Back {
    Back {
        grant: part.grant.clone(),
        credits: part.credits,
        restored: None,
    }
}

fn rule(charge: &Charge, present: Option<ExpiredRefund>) -> Option<ExpiredRefund> {
    let own = charge.terms.as_ref().map(|terms| terms.expired_refund);
    own.or(present)
}

/// Whether any part goes to a new lot now.
fn replace<L: Lookup>(
    parts: &mut [Back],
    at: Time,
    rule: Option<ExpiredRefund>,
    lookup: &L,
    name: impl Fn(usize) -> Reference,
) -> Result<bool, L::Error> {
    let Some(ExpiredRefund::RestoreFor(span)) = rule else {
        return Ok(false);
    };
    let mut any = false;
    let count = parts.len();
    for (number, part) in parts.iter_mut().enumerate() {
        if part.restored.is_some() || part.credits == 0 {
            continue;
        }
        let Some(given) = lookup.given(&part.grant)? else {
            continue;
        };
        let expired = given.expires.is_some_and(|expires| expires <= at);
        if expired && given.kind != GivenKind::Restored {
            // A booking may be charged again after all came back, so a name may have been used.
            let mut names = (0..MAX_NAMES).map(|round| name(number + round * count));
            let free = names.find_map(|name| match lookup.given(&name) {
                Ok(None) => Some(Ok(name)),
                Ok(Some(_)) => None,
                Err(error) => Some(Err(error)),
            });
            let Some(free) = free else { continue };
            part.restored = Some((free?, at + span));
            any = true;
        }
    }
    Ok(any)
}

fn name(kind: &str, booking: &BookingUid, refunded: u64, number: usize) -> Reference {
    let uid = booking.as_str();
    // A uid may be as long as a name may be; its end tells it apart, and so does the account.
    let tail = &uid[uid.len().saturating_sub(200)..];
    let name = format!("{kind} {tail} {refunded} {number}");
    Reference::parse(&name).expect("a uid is plain ASCII and the rest short")
}
