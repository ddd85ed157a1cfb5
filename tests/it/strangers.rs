//! What strangers and members write into a booking, and how the built binary handles it: addresses
//! in any spelling, addresses that no person typed, languages under any code, and texts that are
//! not plain.

use maitred::daemon::clock;
use maitred::domain::time::{Span, Time};
use maitred::sandbox::new_booking::NewBooking;

use crate::fixture::binary::BinaryFixture;

const BO: &str = "bo@example.com";

/// Requests a lesson in a week, with these special fields.
fn request_lesson(
    fixture: &BinaryFixture,
    who: &str,
    hour: &str,
    customize: impl FnOnce(&mut NewBooking),
) -> String {
    let made = clock::now() - Span::minutes(1);
    let start = (made + Span::days(7)).format("%Y-%m-%dT").to_string() + hour;
    let start: Time = start.parse().unwrap();
    let mut ask = NewBooking::new(fixture.event_types.lesson, who, start);
    customize(&mut ask);
    fixture
        .sandbox
        .lock()
        .book(made, ask)
        .unwrap()
        .swap_remove(0)
}

/// Returns the reason that Cal.com shows on the booking's public page.
fn public_reason(fixture: &BinaryFixture, uid: &str) -> String {
    let world = fixture.sandbox.lock();
    let booking = world.booking(uid).unwrap();
    booking.rejection_reason.clone().unwrap_or_default()
}

#[test]
fn every_spelling_of_an_address_finds_its_account() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", "Ren\u{e9}@Ex\u{e4}mple.com", "2"]);
    // Cal.com accepts the domain only in this form, and the letter may be one character or two.
    let spellings = [
        ("ren\u{e9}@xn--exmple-cua.com", "09:00:00Z"),
        ("rene\u{301}@xn--exmple-cua.com", "11:00:00Z"),
    ];
    let uids = spellings.map(|(who, hour)| request_lesson(&fixture, who, hour, |_| {}));
    fixture.run_ok(&["run", "--once"]);
    for uid in &uids {
        assert_eq!(fixture.status(uid), "accepted");
    }
    let output = fixture.run_ok(&["account", "list"]).out;
    assert!(output.contains("ren\u{e9}@ex\u{e4}mple.com"), "{output}");
}

#[test]
fn a_managed_user_is_left_with_a_hint_or_found_where_the_configuration_says_so() {
    let managed = "bo+cmidditrv0000mza4q93hbcau@example.com";
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", BO, "3"]);
    let uid = request_lesson(&fixture, managed, "09:00:00Z", |_| {});
    let left = fixture.run_ok(&["run", "--once"]);
    assert_eq!(fixture.status(&uid), "pending");
    assert!(left.out.contains("managed-users"), "{}", left.out);
    let more = "\n[global]\nmanaged-users = \"find\"\n";
    fixture.configure("v2", &fixture.sandbox.base_url(), more);
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(fixture.status(&uid), "accepted");
    assert_eq!(fixture.balance(BO), (2, 0, 1));
}

#[test]
fn members_without_credit_and_unknown_bookers_get_the_same_text() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", BO, "1"]);
    fixture.run_ok(&["credits", "revoke", BO, "1"]);
    let member = request_lesson(&fixture, BO, "09:00:00Z", |_| {});
    let stranger = request_lesson(&fixture, "who@example.com", "11:00:00Z", |_| {});
    let telephone = request_lesson(&fixture, "4930123456@sms.cal.com", "13:00:00Z", |_| {});
    fixture.run_ok(&["run", "--once"]);
    let text = public_reason(&fixture, &member);
    assert_eq!(text, public_reason(&fixture, &stranger));
    for word in ["balance", "credit", "no account"] {
        assert!(!text.contains(word), "{text}");
    }
    assert!(text.contains("e-mail address you gave"), "{text}");
    let text = public_reason(&fixture, &telephone);
    assert!(text.contains("telephone number you gave"), "{text}");
}

/// A name may contain anything; the operator's words around the name appear unchanged.
#[test]
fn names_are_cleaned_and_bounded_and_languages_are_those_of_their_speakers() {
    let fixture = BinaryFixture::new("v2");
    let more = "\n[reasons]\nunknown-booker = { en = \"Sorry, {{ booker.name }}.\", \
                no = \"Beklager, {{ booker.name }}.\", he = \"Slikha, {{ booker.name }}.\" }\n";
    fixture.configure("v2", &fixture.sandbox.base_url(), more);
    fixture.run_ok(&["credits", "grant", BO, "1"]);
    let name = format!(
        "<a href='http://x.test'>\u{202e}Al\u{7}</a>{}",
        "x".repeat(300)
    );
    let uid = request_lesson(&fixture, "al@example.com", "09:00:00Z", |ask| {
        ask.name.clone_from(&name);
    });
    // Bokmål is a form of Norwegian, and `iw` is the old code of Hebrew.
    let speakers = [
        ("nb", "11:00:00Z", "Beklager, nb."),
        ("iw", "13:00:00Z", "Slikha, iw."),
    ];
    let requests = speakers.map(|(language, hour, told)| {
        let who = format!("{language}@example.com");
        let uid = request_lesson(&fixture, &who, hour, |ask| {
            ask.language = language.to_owned()
        });
        (uid, told)
    });
    fixture.run_ok(&["run", "--once"]);
    let text = public_reason(&fixture, &uid);
    assert!(text.starts_with("Sorry, "), "{text}");
    let harmful = |c: char| c.is_control() || matches!(c, '<' | '>' | '\u{202e}');
    assert!(!text.contains(harmful), "{text:?}");
    assert!(text.chars().count() < 120, "{text}");
    for (uid, expected) in requests {
        assert_eq!(public_reason(&fixture, &uid), expected);
    }
}
