//! What a booking costs: the first price that fits, or else the gate's cost. A cost is a number, or
//! is determined for each booking: by its guests, by an expression, or by the answer of another
//! system. A cost that cannot be determined is never guessed.

use chrono_tz::Tz;

use super::time_window::TimeWindow;
use crate::domain::booking::Booking;
use crate::domain::decision::{Credits, MAX_CREDITS};
use crate::domain::id::EventTypeKey;
use crate::domain::messages::format_credits;
use crate::domain::rule::context::RuleContext;
use crate::domain::rule::expression::Expression;
use crate::domain::rule::types::NumberValue;
use crate::domain::time::Span;

/// The most prices that one gate may have.
pub const MAX_PRICES: usize = 200;

/// What one booking costs, or how that is determined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cost {
    /// The same for every booking.
    Fixed(Credits),
    /// The base, and the same again for each guest.
    PerGuest {
        /// What the booking costs without guests.
        base: Credits,
        /// What each guest costs in addition.
        per_guest: Credits,
    },
    /// The number that the operator's expression gives.
    Expression(Expression),
    /// The number that another system answers.
    Lookup {
        /// The name of the lookup.
        lookup: String,
        /// The field of the answer. `None`: the answer itself is the number.
        field: Option<String>,
        /// The expression that reads the number from the answer.
        number: Expression,
    },
}

/// Why the cost of a booking is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceFailure {
    /// The lookup that gave no answer, if that is the reason.
    pub unanswered_lookup: Option<String>,
    /// The reason, for operators.
    pub text: String,
}

/// The names of variables that depend on the guests of a booking.
const GUEST_VARIABLES: [&str; 2] = ["booking.guests", "booking.attendees"];

impl Cost {
    /// Returns the cost that every booking has, if that is so.
    pub fn fixed(&self) -> Option<Credits> {
        match self {
            Self::Fixed(credits) => Some(*credits),
            Self::PerGuest { .. } | Self::Expression(_) | Self::Lookup { .. } => None,
        }
    }

    /// Returns the expression that determines the cost, if there is one.
    pub fn expression(&self) -> Option<&Expression> {
        match self {
            Self::Fixed(_) | Self::PerGuest { .. } => None,
            Self::Expression(number) | Self::Lookup { number, .. } => Some(number),
        }
    }

    /// Returns what the booking of the context costs.
    ///
    /// # Errors
    /// Returns why the cost is not known: a number that is no price, an answer of another system
    /// that is missing, guests that could not be read.
    pub fn evaluate(&self, context: &RuleContext<'_>) -> Result<Credits, PriceFailure> {
        let booking = context.booking;
        match self {
            Self::Fixed(credits) => Ok(*credits),
            Self::PerGuest { base, per_guest } => {
                if booking.has_unread_guests {
                    return Err(unread_guests());
                }
                let guests = Credits::try_from(booking.guests.len()).unwrap_or(Credits::MAX);
                let total = guests.saturating_mul(*per_guest).saturating_add(*base);
                check_price(total)
            }
            Self::Expression(number) | Self::Lookup { number, .. } => {
                if booking.has_unread_guests && number.reads_any(&GUEST_VARIABLES) {
                    return Err(unread_guests());
                }
                let is_unanswered = |name: &&str| !context.lookups.contains_key(*name);
                if let Some(lookup) = number.lookups().find(is_unanswered) {
                    return Err(PriceFailure {
                        unanswered_lookup: Some(lookup.to_owned()),
                        text: format!("there is no answer from lookup.{lookup}"),
                    });
                }
                let number = number.evaluate_number(context).map_err(failure)?;
                to_credits(number)
            }
        }
    }

    /// Describes how the cost of the booking of the context was determined, for the finding.
    pub fn describe(&self, context: &RuleContext<'_>) -> String {
        match self {
            Self::Fixed(credits) => format!("{} for every booking", format_credits(*credits)),
            Self::PerGuest { base, per_guest } => format!(
                "{base}, and {per_guest} for each of {} guests",
                context.booking.guests.len()
            ),
            Self::Expression(number) | Self::Lookup { number, .. } => {
                number.describe_inputs(context)
            }
        }
    }
}

/// Returns the number as a price.
fn to_credits(number: NumberValue) -> Result<Credits, PriceFailure> {
    match number {
        NumberValue::Whole(number) => match Credits::try_from(number) {
            Ok(credits) => check_price(credits),
            Err(_) => Err(not_a_price(&number.to_string())),
        },
        NumberValue::Double(number) => {
            // Zero with a sign is zero.
            let is_price = number.fract() == 0.0 && (0.0..=MAX_PRICE).contains(&number);
            if !is_price {
                return Err(not_a_price(&number.to_string()));
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a whole number between 0 and the largest price"
            )]
            let credits = number as Credits;
            Ok(credits)
        }
    }
}

/// The largest price, as a number of floating point.
#[expect(
    clippy::cast_precision_loss,
    reason = "the number has far fewer digits than a double holds"
)]
const MAX_PRICE: f64 = MAX_CREDITS as f64;

fn check_price(credits: Credits) -> Result<Credits, PriceFailure> {
    if credits > MAX_CREDITS {
        return Err(not_a_price(&credits.to_string()));
    }
    Ok(credits)
}

fn not_a_price(number: &str) -> PriceFailure {
    failure(format!(
        "{number} is no price: a price is a whole number from 0 to {MAX_CREDITS}"
    ))
}

fn unread_guests() -> PriceFailure {
    failure("the booking has guests whose addresses could not be read".to_owned())
}

fn failure(text: String) -> PriceFailure {
    PriceFailure {
        unanswered_lookup: None,
        text,
    }
}

/// A price and the bookings that it fits. A condition that is not given fits every booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// What one booking costs.
    pub cost: Cost,
    /// The tiers of the members who pay this price. If empty, it fits every booker.
    pub tiers: Vec<String>,
    /// The event types whose bookings have this price. If empty, it fits every event type.
    pub event_types: Vec<EventTypeKey>,
    /// The booking's length, both ends included.
    pub length: (Option<Span>, Option<Span>),
    /// The time in which the booking starts.
    pub start_window: TimeWindow,
    /// The number of occurrences of the request, both ends included.
    pub occurrences: (Option<usize>, Option<usize>),
}

impl Price {
    /// Returns true if a booking has this price. `tier` is the member's; `zone` is the zone of the
    /// start.
    pub fn applies_to(
        &self,
        booking: &Booking,
        tier: Option<&str>,
        occurrences: usize,
        zone: Tz,
    ) -> bool {
        let (shortest, longest) = self.length;
        let (fewest, most) = self.occurrences;
        let length = booking.length();
        let tier_matches = self.tiers.is_empty()
            || tier.is_some_and(|tier| self.tiers.iter().any(|known| known == tier));
        tier_matches
            && (self.event_types.is_empty() || booking.has_event_type(&self.event_types))
            && shortest.is_none_or(|least| length >= least)
            && longest.is_none_or(|most| length <= most)
            && fewest.is_none_or(|least| occurrences >= least)
            && most.is_none_or(|most| occurrences <= most)
            && self.start_window.contains_start(booking.start, zone)
    }
}
