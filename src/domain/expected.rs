//! What a decision rests on: the stored records as they were when the decision was made. The store
//! refuses a commit whose records have changed since.

use std::collections::BTreeMap;
use std::fmt;

use super::id::{AccountId, Address, BookingUid, RequestId};

/// A stored record as it was read. A version is a number that grows with each change of the record;
/// `None` means that the record did not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// The version of an account increases with every change to the account.
    Account {
        /// The account's name.
        id: AccountId,
        /// The version that was read. `None`: there was no account.
        version: Option<u64>,
    },
    /// The version of a request is the number of the last commit that changed the request.
    Request {
        /// The request's id.
        id: RequestId,
        /// The version that was read. `None`: there was no record.
        version: Option<u64>,
    },
    /// The version of a charge is the number of the last commit that changed the charge.
    Charge {
        /// The booking that the charge pays for.
        booking: BookingUid,
        /// The version that was read. `None`: there was no charge.
        version: Option<u64>,
    },
    /// The account that the address led to, by its name or as an alias.
    Alias {
        /// The address that was looked up.
        address: Address,
        /// The account that was found. `None`: there was none.
        account: Option<AccountId>,
    },
    /// The number of the ledger's last commit: nothing at all was written since.
    Head {
        /// The number of the commit.
        seq: u64,
    },
}

impl Expected {
    /// Returns true if both are about the same record, whatever its version.
    pub fn is_same_record(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Account { id, .. }, Self::Account { id: other, .. }) => id == other,
            (Self::Request { id, .. }, Self::Request { id: other, .. }) => id == other,
            (Self::Charge { booking, .. }, Self::Charge { booking: other, .. }) => booking == other,
            (Self::Alias { address, .. }, Self::Alias { address: other, .. }) => address == other,
            (Self::Head { .. }, Self::Head { .. }) => true,
            (
                Self::Account { .. }
                | Self::Request { .. }
                | Self::Charge { .. }
                | Self::Alias { .. }
                | Self::Head { .. },
                _,
            ) => false,
        }
    }
}

/// Writes the name of the record, for messages.
impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account { id, .. } => write!(f, "account {id}"),
            Self::Request { id, .. } => write!(f, "request {id}"),
            Self::Charge { booking, .. } => write!(f, "the charge of booking {booking}"),
            Self::Alias { address, .. } => write!(f, "the account of address {address}"),
            Self::Head { .. } => write!(f, "the ledger"),
        }
    }
}

/// The versions of the records that a snapshot was read from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordVersions {
    /// The number of the last commit that changed each request. A request without a record is
    /// missing.
    pub requests: BTreeMap<RequestId, u64>,
    /// The number of the last commit that changed each charge, by the charged booking.
    pub charges: BTreeMap<BookingUid, u64>,
}

impl RecordVersions {
    /// Returns what a decision about the request expects of the request's record.
    pub fn expect_request(&self, id: &RequestId) -> Expected {
        Expected::Request {
            id: id.clone(),
            version: self.requests.get(id).copied(),
        }
    }

    /// Returns what a decision that rests on the booking's charge expects of the charge.
    pub fn expect_charge(&self, booking: &BookingUid) -> Expected {
        Expected::Charge {
            booking: booking.clone(),
            version: self.charges.get(booking).copied(),
        }
    }

    /// Adds the versions of another snapshot, which replace those of the same records.
    pub fn extend(&mut self, other: Self) {
        self.requests.extend(other.requests);
        self.charges.extend(other.charges);
    }
}
