//! Makes rows wrong: changes an answer's JSON, in either dialect. This is slow, and only done where
//! a fault asks for it.

use serde_json::{Value, json};

use super::faults::RowFault;
use crate::domain::dialect::Dialect;

/// Makes rows of an answer wrong, in either dialect and for one row or many.
pub fn apply_row_faults(body: &mut Value, dialect: Dialect, rows: &[(Option<String>, RowFault)]) {
    let field = match dialect {
        Dialect::V2 => "data",
        Dialect::V1 if body["bookings"].is_array() => "bookings",
        Dialect::V1 => "booking",
    };
    let rows_field = &mut body[field];
    if let Value::Array(all) = rows_field {
        all.retain_mut(|row| apply_to_row(row, dialect, rows));
    } else if !rows_field.is_null() {
        apply_to_row(rows_field, dialect, rows);
    }
}

/// Changes one row; returns whether the row stays in the list.
fn apply_to_row(row: &mut Value, dialect: Dialect, rows: &[(Option<String>, RowFault)]) -> bool {
    let mut keeps_row = true;
    for (uid, fault) in rows {
        let applies = uid.as_ref().is_none_or(|uid| row["uid"] == **uid);
        if applies && *fault == RowFault::Missing {
            keeps_row = false;
        } else if applies {
            match dialect {
                Dialect::V2 => mutate_v2_row(row, fault),
                Dialect::V1 => mutate_v1_row(row, fault),
            }
        }
    }
    keeps_row
}

fn mutate_v2_row(row: &mut Value, fault: &RowFault) {
    match fault {
        RowFault::AwaitingHost => row["status"] = "awaiting_host".into(),
        RowFault::UnknownStatus => row["status"] = "on_the_moon".into(),
        RowFault::HostUnknown => {
            row["hosts"] = json!([{"id": "unknown", "name": "unknown", "email": "unknown",
                "displayEmail": "unknown", "username": "unknown"}]);
        }
        RowFault::NoEventType => {
            row["eventType"] = Value::Null;
            row["eventTypeId"] = Value::Null;
        }
        RowFault::NoUpdated => row["updatedAt"] = Value::Null,
        RowFault::BookerUnknown => {
            row["bookingFieldsResponses"] = json!({"name": "unknown", "email": "unknown",
                "guests": [], "displayEmail": "unknown", "displayGuests": []});
            row["reschedulingReason"] = "unknown".into();
        }
        RowFault::ExtraField => row["rootBookingUid"] = json!({"from": "a later version"}),
        RowFault::WrongTypes => {
            row["id"] = "not a number".into();
            row["start"] = 1_796_112_000_000_i64.into();
            row["attendees"] = json!({"0": "not a list"});
        }
        RowFault::Missing => {}
    }
}

fn mutate_v1_row(row: &mut Value, fault: &RowFault) {
    match fault {
        RowFault::AwaitingHost => row["status"] = "AWAITING_HOST".into(),
        RowFault::UnknownStatus => row["status"] = "ON_THE_MOON".into(),
        RowFault::HostUnknown => {
            row["userId"] = Value::Null;
            row["user"] = Value::Null;
        }
        RowFault::NoEventType => row["eventTypeId"] = Value::Null,
        RowFault::BookerUnknown => row["responses"] = Value::Null,
        RowFault::ExtraField => row["rootBookingUid"] = json!({"from": "a later version"}),
        RowFault::WrongTypes => {
            row["id"] = "not a number".into();
            row["startTime"] = 1_796_112_000_000_i64.into();
            row["attendees"] = json!({"0": "not a list"});
        }
        // v1 does not show `updatedAt` at all.
        RowFault::NoUpdated | RowFault::Missing => {}
    }
}
