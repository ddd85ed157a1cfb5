//! What strangers and members write into a booking, as the built binary takes it: addresses in any
//! spelling, addresses that nobody typed, languages under any code, and texts that are not plain.

#![allow(clippy::unwrap_used, reason = "tests panic")]

use maitred::daemon::clock;
use maitred::domain::time::{Span, Time};
use maitred::sandbox::ask::Ask;

use house::House;

mod house;

const BO: &str = "bo@example.com";

/// A lesson in a week, with whatever is special about the request.
fn ask(house: &House, who: &str, hour: &str, special: impl FnOnce(&mut Ask)) -> String {
    let made = clock::now() - Span::minutes(1);
    let start = (made + Span::days(7)).format("%Y-%m-%dT").to_string() + hour;
    let start: Time = start.parse().unwrap();
    let mut ask = Ask::new(house.lesson, who, start);
    special(&mut ask);
    house.sandbox.lock().book(made, ask).unwrap().swap_remove(0)
}

/// The reason that Cal.com shows on the booking's public page.
fn reason(house: &House, uid: &str) -> String {
    let world = house.sandbox.lock();
    let booking = world.booking(uid).unwrap();
    booking.rejection_reason.clone().unwrap_or_default()
}

#[test]
fn every_spelling_of_an_address_finds_its_account() {
    let house = House::new("v2");
    house.ok(&["credits", "grant", "Ren\u{e9}@Ex\u{e4}mple.com", "2"]);
    // Cal.com takes the domain in this form only, and the letter may be one character or two.
    let spellings = [
        ("ren\u{e9}@xn--exmple-cua.com", "09:00:00Z"),
        ("rene\u{301}@xn--exmple-cua.com", "11:00:00Z"),
    ];
    let uids = spellings.map(|(who, hour)| ask(&house, who, hour, |_| {}));
    house.ok(&["run", "--once"]);
    for uid in &uids {
        assert_eq!(house.status(uid), "accepted");
    }
    let shown = house.ok(&["account", "list"]).out;
    assert!(shown.contains("ren\u{e9}@ex\u{e4}mple.com"), "{shown}");
}

#[test]
fn a_managed_user_is_left_with_a_hint_or_found_where_the_configuration_says_so() {
    let managed = "bo+cmidditrv0000mza4q93hbcau@example.com";
    let house = House::new("v2");
    house.ok(&["credits", "grant", BO, "3"]);
    let uid = ask(&house, managed, "09:00:00Z", |_| {});
    let left = house.ok(&["run", "--once"]);
    assert_eq!(house.status(&uid), "pending");
    assert!(left.out.contains("managed-users"), "{}", left.out);
    let more = "\n[house]\nmanaged-users = \"find\"\n";
    house.configure("v2", &house.sandbox.base_url(), more);
    house.ok(&["run", "--once"]);
    assert_eq!(house.status(&uid), "accepted");
    assert_eq!(house.balance(BO), (2, 0, 1));
}

#[test]
fn the_same_is_told_to_a_member_without_credit_and_to_a_stranger() {
    let house = House::new("v2");
    house.ok(&["credits", "grant", BO, "1"]);
    house.ok(&["credits", "revoke", BO, "1"]);
    let member = ask(&house, BO, "09:00:00Z", |_| {});
    let stranger = ask(&house, "who@example.com", "11:00:00Z", |_| {});
    let telephone = ask(&house, "4930123456@sms.cal.com", "13:00:00Z", |_| {});
    house.ok(&["run", "--once"]);
    let told = reason(&house, &member);
    assert_eq!(told, reason(&house, &stranger));
    for word in ["balance", "credit", "no account"] {
        assert!(!told.contains(word), "{told}");
    }
    assert!(told.contains("e-mail address you gave"), "{told}");
    let told = reason(&house, &telephone);
    assert!(told.contains("telephone number you gave"), "{told}");
}

/// A name may be anything; the words around it are the operator's and come whole.
#[test]
fn names_are_cleaned_and_bounded_and_languages_are_those_of_their_speakers() {
    let house = House::new("v2");
    let more = "\n[reasons]\nunknown-booker = { en = \"Sorry, {{ booker.name }}.\", \
                no = \"Beklager, {{ booker.name }}.\", he = \"Slikha, {{ booker.name }}.\" }\n";
    house.configure("v2", &house.sandbox.base_url(), more);
    house.ok(&["credits", "grant", BO, "1"]);
    let name = format!(
        "<a href='http://x.test'>\u{202e}Al\u{7}</a>{}",
        "x".repeat(300)
    );
    let uid = ask(&house, "al@example.com", "09:00:00Z", |ask| {
        ask.name.clone_from(&name);
    });
    // Bokmål is Norwegian, and `iw` the old code of Hebrew.
    let speakers = [
        ("nb", "11:00:00Z", "Beklager, nb."),
        ("iw", "13:00:00Z", "Slikha, iw."),
    ];
    let asked = speakers.map(|(language, hour, told)| {
        let who = format!("{language}@example.com");
        let uid = ask(&house, &who, hour, |ask| ask.language = language.to_owned());
        (uid, told)
    });
    house.ok(&["run", "--once"]);
    let told = reason(&house, &uid);
    assert!(told.starts_with("Sorry, "), "{told}");
    let harmful = |c: char| c.is_control() || matches!(c, '<' | '>' | '\u{202e}');
    assert!(!told.contains(harmful), "{told:?}");
    assert!(told.chars().count() < 120, "{told}");
    for (uid, told) in asked {
        assert_eq!(reason(&house, &uid), told);
    }
}
