//! Credits that come back go to the lots that paid. If such a lot has expired meanwhile, the terms
//! of the charge define what happens instead. Every store calls this one function before it writes
//! a commit, so that a void, a refund and the surplus of a move follow the same rule, no matter
//! what produced the fact.

use std::collections::BTreeMap;

use super::account::LotPart;
use super::fact::{ChargeFact, Fact, RefundPart};
use super::grant::{GrantKind, GrantRecord};
use super::id::{BookingUid, Reference};
use super::refund_policy::ExpiredRefund;
use super::request::Charge;
use super::time::Time;

/// The number of names that are tried for one lot. No booking is charged this often.
const MAX_NAMES: usize = 100;

/// Provides charges and grants.
pub trait RefundSources {
    /// Why a charge or a grant cannot be read.
    type Error;

    /// # Errors
    /// Returns an error when the charge cannot be read.
    fn charge(&self, booking: &BookingUid) -> Result<Option<Charge>, Self::Error>;

    /// # Errors
    /// Returns an error when the grant cannot be read.
    fn grant_record(&self, reference: &Reference) -> Result<Option<GrantRecord>, Self::Error>;
}

/// Names a new lot for every part that would go back to an expired lot, if the terms of its charge
/// say so. Parts that already name a lot stay as they are. `current_rule` is the rule for charges
/// of older logs, which have no terms of their own; without it, these parts go to the lots that
/// paid.
///
/// A lot that a refund made is never replaced by another one. Otherwise bookings far ahead that are
/// cancelled later could make credits outlive every expiry.
///
/// # Errors
/// Returns an error when a charge or a grant cannot be read.
pub fn restore_expired<L: RefundSources>(
    facts: &mut [Fact],
    at: Time,
    current_rule: Option<ExpiredRefund>,
    sources: &L,
) -> Result<(), L::Error> {
    // A move and the refund of its surplus are in one commit, so the charge is still the
    // predecessor's.
    let mut predecessors: BTreeMap<BookingUid, BookingUid> = BTreeMap::new();
    for fact in facts {
        match fact {
            Fact::Charge(ChargeFact::Move { from, to, .. }) => {
                predecessors.insert(to.uid.clone(), from.clone());
            }
            Fact::Charge(ChargeFact::Void {
                booking,
                refund_parts: back,
                ..
            }) if back.is_empty() => {
                let Some(charge) = sources.charge(booking)? else {
                    continue;
                };
                let mut parts: Vec<RefundPart> = charge.parts.iter().map(to_paying_lot).collect();
                let rule = expired_refund_rule(&charge, current_rule);
                let name = |number| new_lot_name("void", booking, 0, number);
                if replace_expired_lots(&mut parts, at, rule, sources, name)? {
                    *back = parts;
                }
            }
            Fact::Charge(ChargeFact::Refund { booking, parts, .. }) => {
                let own_charge = sources.charge(booking)?;
                let paying_charge = match predecessors.get(booking) {
                    Some(from) => sources.charge(from)?,
                    None => own_charge.clone(),
                };
                let Some(charge) = paying_charge else {
                    continue;
                };
                // The amount refunded so far increases with every refund, so including it makes the
                // names distinct.
                let refunded = own_charge.map_or(0, |own| own.refunded);
                let name = |number| new_lot_name("refund", booking, refunded, number);
                replace_expired_lots(
                    parts,
                    at,
                    expired_refund_rule(&charge, current_rule),
                    sources,
                    name,
                )?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Returns the part as it goes back to the lot that paid.
pub fn to_paying_lot(part: &LotPart) -> RefundPart {
    RefundPart {
        grant: part.grant.clone(),
        credits: part.credits,
        replacement_lot: None,
    }
}

fn expired_refund_rule(
    charge: &Charge,
    current_rule: Option<ExpiredRefund>,
) -> Option<ExpiredRefund> {
    let recorded_rule = charge.terms.as_ref().map(|terms| terms.expired_refund);
    recorded_rule.or(current_rule)
}

/// Names new lots for the parts whose lots have expired. Returns true if there are any.
fn replace_expired_lots<L: RefundSources>(
    parts: &mut [RefundPart],
    at: Time,
    rule: Option<ExpiredRefund>,
    sources: &L,
    name: impl Fn(usize) -> Reference,
) -> Result<bool, L::Error> {
    let Some(ExpiredRefund::RestoreFor(span)) = rule else {
        return Ok(false);
    };
    let mut any_replaced = false;
    let count = parts.len();
    for (number, part) in parts.iter_mut().enumerate() {
        if part.replacement_lot.is_some() || part.credits == 0 {
            continue;
        }
        let Some(grant) = sources.grant_record(&part.grant)? else {
            continue;
        };
        let expired = grant.expires.is_some_and(|expires| expires <= at);
        if expired && grant.kind != GrantKind::Restored {
            // A booking may be charged again after all its credits came back, so a name may be in
            // use.
            let mut names = (0..MAX_NAMES).map(|round| name(number + round * count));
            let free_name = names.find_map(|name| match sources.grant_record(&name) {
                Ok(None) => Some(Ok(name)),
                Ok(Some(_)) => None,
                Err(error) => Some(Err(error)),
            });
            let Some(free) = free_name else { continue };
            part.replacement_lot = Some((free?, at + span));
            any_replaced = true;
        }
    }
    Ok(any_replaced)
}

fn new_lot_name(kind: &str, booking: &BookingUid, refunded: u64, number: usize) -> Reference {
    let uid = booking.as_str();
    // A uid may be as long as the longest name. Its end, and the account, make the reference
    // distinct.
    let tail = &uid[uid.len().saturating_sub(200)..];
    let name = format!("{kind} {tail} {refunded} {number}");
    Reference::parse(&name).expect("a uid is plain ASCII and the rest short")
}
