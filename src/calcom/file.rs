//! One booking from a file: an item as the API lists it, in either dialect, or the payload of a
//! BOOKING_REQUESTED or BOOKING_CREATED webhook (`calcom/api.md` section 10).

use serde_json::Value;

use crate::domain::booking::Booking;
use crate::domain::time::Time;

/// The longest file that is read as one booking.
pub const MAX_FILE: usize = 1024 * 1024;

/// What a file gave.
#[derive(Debug, Clone, PartialEq)]
pub struct FromFile {
    pub booking: Booking,
    /// When the webhook was sent, or the booking was asked for.
    pub at: Option<Time>,
    /// What the payload says of the event type's price.
    pub price: Option<i64>,
    /// What the file does not say, and was assumed.
    pub assumed: Vec<String>,
}
