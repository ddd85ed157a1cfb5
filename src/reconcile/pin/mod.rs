//! Checks whether the PIN given with a booking is the member's. The PIN is removed from the booking
//! before any other code reads the booking, and is not passed on: no log, text, rule or lookup
//! contains the PIN, and neither does the store.
//!
//! - `hash`: what a PIN has to be, and its hash
//! - `submitted`: the PINs that came with bookings
//! - `case`: the requests whose gate asks for a PIN
//! - `wrong_pins`: the limits on wrong PINs
//! - `cache`: the results of verifications

pub mod cache;
pub mod case;
pub mod hash;
pub mod submitted;
pub mod wrong_pins;

#[cfg(test)]
mod tests;
