//! The written form of facts as types.

use super::account::PartRecord;
use super::actor::ActorRecord;
use super::ledger::LedgerFactRecord;
use super::lot::LotTermsRecord;
use super::personal::PersonalText;
use super::reason::EntryReasonRecord;
use super::refund_terms::TermsRecord;
use super::request::{BookingRecord, CallRecord, OutcomeRecord, RequestRecord};
use super::review::VerdictRecord;
use super::text::{Text, is_false, is_zero_credits};
use super::timestamp::Timestamp;
use super::unresolved::ResolverRecord;
use crate::domain::decision::Credits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Credits that go back to a lot.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackRecord<'a> {
    #[serde(borrow)]
    pub(super) grant: Text<'a>,
    pub(super) credits: Credits,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) restored: Option<RestoredRecord<'a>>,
}

/// The new lot that the credits go to instead.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoredRecord<'a> {
    #[serde(borrow)]
    pub(super) reference: Text<'a>,
    pub(super) expires: Timestamp,
}

/// One fact.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FactRecord<'a> {
    /// An account exists from now on.
    Opened {
        /// The account.
        #[serde(borrow)]
        account: Text<'a>,
    },
    /// The member has another address.
    Aliased {
        /// The account.
        account: Text<'a>,
        /// The address.
        personal: AliasRecord<'a>,
    },
    /// The member no longer has this other address.
    Unaliased {
        /// The account.
        account: Text<'a>,
        /// The address.
        personal: AliasRecord<'a>,
    },
    /// The member's data that rules may read.
    Described {
        /// The account.
        account: Text<'a>,
        /// The data; `None` if there is none, or if it was removed from the line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        personal: Option<DescriptionRecord<'a>>,
    },
    /// The account is frozen, or no longer frozen.
    Frozen {
        /// The account.
        account: Text<'a>,
        /// Whether the account is frozen from now on.
        frozen: bool,
        /// Whether no lot expires while the account is frozen.
        #[serde(default, skip_serializing_if = "is_false")]
        stops_expiry: bool,
        /// The reason of a freeze; `None` otherwise, or if it was removed from the line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        personal: Option<PersonalText<'a>>,
    },
    /// The member has another PIN, or none.
    Pinned {
        /// The account.
        account: Text<'a>,
        /// Whether the member has a PIN from now on.
        set: bool,
        /// The hash of the PIN; `None` without a PIN, or if it was removed from the line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        personal: Option<PinHashRecord<'a>>,
    },
    /// The account has an overdraft limit of its own, or none.
    Overdraft {
        /// The account.
        account: Text<'a>,
        /// The limit; `None`: as the policy says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<Credits>,
    },
    /// The account is closed.
    AccountClosed {
        /// The account.
        account: Text<'a>,
        /// The reason; `None` if it is empty or was removed from the line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        personal: Option<PersonalText<'a>>,
    },
    /// A closed account is open again.
    AccountReopened {
        /// The account.
        account: Text<'a>,
    },
    /// An account passes everything on to another one, and is closed.
    Merged {
        /// The account that is closed.
        account: Text<'a>,
        /// The account that has everything from now on.
        into: Text<'a>,
        /// The credits that were left in the lots.
        credits: Credits,
        /// The bookings whose charges go with it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        charges: Vec<Text<'a>>,
        /// The reason; `None` if it is empty or was removed from the line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        personal: Option<PersonalText<'a>>,
    },
    /// Credits are given to an account.
    Grant(GrantFactRecord<'a>),
    /// Credits are passed on to another account.
    Transfer(TransferFactRecord<'a>),
    /// An operator takes credits back.
    Revoke(RevokeFactRecord<'a>),
    /// What was left of a lot expires.
    Expire(ExpireFactRecord<'a>),
    /// Credits are reserved for a booking.
    Hold(HoldFactRecord<'a>),
    /// A hold is spent.
    Post(PostFactRecord<'a>),
    /// A hold is given back.
    Void(VoidFactRecord<'a>),
    /// A charge is given back, in full or in part.
    Refund(RefundFactRecord<'a>),
    /// A booking's successor takes over the charge.
    Move(MoveFactRecord<'a>),
    /// A charge is final.
    Closed(ClosedFactRecord<'a>),
    /// A request is decided or noted.
    Decided(Box<RequestRecord<'a>>),
    /// An operator decides a request that is only noted.
    Reviewed {
        /// The request.
        request: Text<'a>,
        /// What the operator decided.
        verdict: VerdictRecord,
        /// The reason; `None` if it is empty or was removed from the line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        personal: Option<PersonalText<'a>>,
    },
    /// A call was made for an intent.
    Called {
        /// The request.
        request: Text<'a>,
        /// The call and its end.
        call: CallRecord<'a>,
    },
    /// An intent is finished.
    Settled {
        /// The request.
        request: Text<'a>,
        /// How the intent ended.
        outcome: OutcomeRecord,
    },
    /// A booking is put on the unresolved list.
    Unresolved {
        /// The booking.
        booking: BookingRecord<'a>,
        /// The item's code.
        code: Text<'a>,
        /// The booker's account; `None` if the booker has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<Text<'a>>,
        /// When the item leaves the list by itself; `None`: never.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// The detail; `None` if it is empty or was removed from the line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        personal: Option<PersonalText<'a>>,
    },
    /// A booking is taken off the unresolved list.
    Resolved {
        /// The booking.
        booking: Text<'a>,
        /// The item's code.
        code: Text<'a>,
        /// Who resolved the item.
        by: ResolverRecord,
        /// The reason; `None` if it is empty or was removed from the line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        personal: Option<PersonalText<'a>>,
    },
    /// A fact about the ledger as a whole.
    Ledger(LedgerFactRecord<'a>),
    /// Who gave the command that made the commit.
    By(ActorRecord<'a>),
}

/// Another address of a member.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AliasRecord<'a> {
    #[serde(borrow)]
    pub(super) alias: Text<'a>,
}

/// The member's data that rules may read.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DescriptionRecord<'a> {
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub(super) tier: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tags: Vec<Text<'a>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) attributes: BTreeMap<Text<'a>, Text<'a>>,
}

/// The hash of a member's PIN.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinHashRecord<'a> {
    #[serde(borrow)]
    pub(super) hash: Text<'a>,
}

/// Credits that are given to an account.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantFactRecord<'a> {
    #[serde(borrow)]
    pub(super) reference: Text<'a>,
    pub(super) account: Text<'a>,
    pub(super) credits: Credits,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) terms: Option<Box<LotTermsRecord<'a>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) personal: Option<PersonalText<'a>>,
}

/// Credits that an operator takes back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeFactRecord<'a> {
    #[serde(borrow)]
    pub(super) reference: Text<'a>,
    pub(super) account: Text<'a>,
    pub(super) parts: Vec<PartRecord<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) personal: Option<PersonalText<'a>>,
}

/// Credits that are passed on to another account.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferFactRecord<'a> {
    #[serde(borrow)]
    pub(super) reference: Text<'a>,
    pub(super) account: Text<'a>,
    pub(super) to: Text<'a>,
    pub(super) parts: Vec<PartRecord<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) personal: Option<PersonalText<'a>>,
}

/// What was left of a lot when it expired.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpireFactRecord<'a> {
    #[serde(borrow)]
    pub(super) account: Text<'a>,
    pub(super) part: PartRecord<'a>,
}

/// Credits that are reserved for a booking.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldFactRecord<'a> {
    #[serde(borrow)]
    pub(super) booking: BookingRecord<'a>,
    pub(super) request: Text<'a>,
    pub(super) account: Text<'a>,
    pub(super) parts: Vec<PartRecord<'a>>,
    #[serde(default, skip_serializing_if = "is_zero_credits")]
    pub(super) lent: Credits,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) event_type: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) host: Option<i64>,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) terms: Option<Box<TermsRecord>>,
}

/// A hold that is spent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostFactRecord<'a> {
    #[serde(borrow)]
    pub(super) booking: Text<'a>,
}

/// A hold that is given back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoidFactRecord<'a> {
    #[serde(borrow)]
    pub(super) booking: Text<'a>,
    pub(super) reason: EntryReasonRecord<'a>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) back: Vec<BackRecord<'a>>,
}

/// A charge that is given back, in full or in part.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundFactRecord<'a> {
    #[serde(borrow)]
    pub(super) booking: Text<'a>,
    pub(super) parts: Vec<BackRecord<'a>>,
    pub(super) close: bool,
    pub(super) reason: EntryReasonRecord<'a>,
}

/// A charge that a successor takes over.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveFactRecord<'a> {
    #[serde(borrow)]
    pub(super) from: Text<'a>,
    pub(super) to: BookingRecord<'a>,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    #[serde(default, skip_serializing_if = "is_zero_credits")]
    pub(super) keeps: Credits,
}

/// A charge that is final.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClosedFactRecord<'a> {
    #[serde(borrow)]
    pub(super) booking: Text<'a>,
    pub(super) reason: EntryReasonRecord<'a>,
}
