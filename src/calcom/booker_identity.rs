//! Identifies the booker of a booking (`calcom/api.md` 11). Charging the wrong person is worse than
//! asking a human: if no single person is certain, the booking has no booker.

use crate::domain::booking::{Attendee, Booker};
use crate::domain::id::Address;

use super::lenient_row::Row;

/// The text that the server writes for a booker's address if it could not read the stored answers.
const UNREADABLE_ADDRESS: &str = "unknown";

/// Returns the booker of a booking that is not seated: the person whose address was typed in.
/// Without a typed address, the booker is the only attendee; `attendees` also holds guests and
/// co-hosts, in no promised order.
pub(super) fn identify_booker(answers: Row<'_>, attendees: &[Attendee]) -> Option<Booker> {
    let typed_address = answers.text("email");
    if typed_address == Some(UNREADABLE_ADDRESS) {
        return None;
    }
    let only_attendee = match attendees {
        [attendee] => Some(attendee),
        _ => None,
    };
    let address = typed_address.and_then(|typed| Address::parse(typed).ok());
    let address = address.or_else(|| only_attendee?.address.clone())?;
    let person = attendees
        .iter()
        .find(|attendee| attendee.address.as_ref() == Some(&address))
        .or(only_attendee);
    Some(Booker {
        name: answers.name("name").or_else(|| person?.name.clone()),
        time_zone: person.and_then(|person| person.time_zone.clone()),
        language: person.and_then(|person| person.language.clone()),
        address,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn attendee(address: &str, name: &str) -> Attendee {
        Attendee {
            address: Address::parse(address).ok(),
            name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            time_zone: Some(format!("zone of {name}")),
            language: Some("de".to_owned()),
            absent: false,
            seat: None,
        }
    }

    #[test]
    fn the_booker_is_the_typed_address_or_the_only_attendee() {
        let bo = || attendee("bo@x.org", "Bo");
        let al = || attendee("al@x.org", "Al");
        type BookerCase<'a> = (Value, Vec<Attendee>, Option<(&'a str, Option<&'a str>)>);
        let rows: [BookerCase; 12] = [
            (
                json!({"email": "Bo@X.org", "name": "B"}),
                vec![al(), bo()],
                Some(("bo@x.org", Some("B"))),
            ),
            (
                json!({"email": "bo@x.org"}),
                vec![al(), bo()],
                Some(("bo@x.org", Some("Bo"))),
            ),
            (
                json!({"email": "bo+t@x.org"}),
                vec![bo(), al()],
                Some(("bo+t@x.org", None)),
            ),
            (
                json!({"email": "bo@x.org"}),
                vec![],
                Some(("bo@x.org", None)),
            ),
            (json!({"email": "unknown"}), vec![bo()], None),
            (
                json!({"email": ""}),
                vec![bo()],
                Some(("bo@x.org", Some("Bo"))),
            ),
            (
                json!({"email": 5}),
                vec![bo()],
                Some(("bo@x.org", Some("Bo"))),
            ),
            (
                json!({"email": "+49123"}),
                vec![bo()],
                Some(("bo@x.org", Some("Bo"))),
            ),
            (json!({}), vec![bo(), al()], None),
            (json!({}), vec![], None),
            (json!({}), vec![attendee("", "Bo")], None),
            (Value::Null, vec![bo()], Some(("bo@x.org", Some("Bo")))),
        ];
        for (answers, attendees, expect) in rows {
            let booker = identify_booker(Row::from(&answers), &attendees);
            let got = booker
                .as_ref()
                .map(|b| (b.address.as_str(), b.name.as_deref()));
            assert_eq!(got, expect, "{answers}");
        }
    }
}
