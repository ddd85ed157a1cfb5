//! The web page in a real browser. Screenshots go to `target/page-screenshots`.

use std::fs;
use std::path::{Path, PathBuf};

use maitred::daemon::clock;
use maitred::domain::decision::{Decision, DecisionOutcome, Reason, ReasonCode};
use maitred::domain::fact::{ChargeFact, Fact, RefundPart};
use maitred::domain::request::{CallKind, Request, RequestState};
use maitred::domain::time::{Span, Time};
use maitred::domain::watch::unmanaged_bookings::close_note;
use maitred::sandbox::action::ThirdPartyAction;
use maitred::store::log_store::LogStore;
use maitred::store::port::{Maintenance, Store};

use crate::fixture::binary::{BinaryFixture, wait_until};
use crate::fixture::page_fixture::PageFixture;
use crate::fixture::store_support::{
    account, address, confirm_intent, decided_fact, grant_fact, hold_fact, lot_part, open_small,
    outcome_fact, post_fact, reference, uid,
};
use crate::fixture::test_world::WorldBuilder;
use crate::fixture::tool::require_tool;
use crate::fixture::web_driver::Browser;

/// A desktop window and a phone.
const SIZES: [(&str, u32, u32); 2] = [("desktop", 1100, 900), ("phone", 390, 844)];

fn screenshot_folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/page-screenshots");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Members, and requests of several days: some are confirmed, two wait for an operator, one waits for
/// credit, and some are declined.
fn fill_club(fixture: &BinaryFixture) {
    for (name, credits) in [("bo", "6"), ("elif", "8"), ("faye", "2"), ("gus", "1")] {
        let name = format!("{name}@example.com");
        fixture.run_ok(&[
            "credits",
            "grant",
            &name,
            credits,
            "--new",
            "--reason",
            "autumn term",
        ]);
    }
    fixture.run_ok(&["account", "set", "elif@example.com", "--tier", "patron"]);
    fixture.run_ok(&[
        "account",
        "freeze",
        "gus@example.com",
        "--reason",
        "dues are open",
    ]);
    let (lesson, dinner) = (fixture.event_types.lesson, fixture.event_types.dinner);
    let requests = [
        (lesson, "bo", 24),
        (lesson, "bo", 48),
        (dinner, "elif", 55),
        (lesson, "faye", 72),
        (dinner, "faye", 80),
        (dinner, "gus", 100),
        (lesson, "bo", 120),
        (lesson, "hana", 130),
        (lesson, "elif", 72),
    ];
    for (event_type, name, hours) in requests {
        let now = clock::now();
        let start = now + Span::hours(hours);
        let email = format!("{name}@example.com");
        let made = now - Span::minutes(1);
        fixture
            .sandbox
            .lock()
            .request(made, event_type, &email, start);
    }
    // The host accepts a booking by hand that no pass has seen.
    let now = clock::now();
    let start = now + Span::days(9);
    let accepted = fixture
        .sandbox
        .lock()
        .request(now, dinner, "iris@example.com", start);
    let accept = ThirdPartyAction::HostAccepts { booking: accepted };
    fixture.sandbox.lock().act(now, accept).unwrap();
    fixture.run_ok(&["run", "--once", "--watch"]);
}

/// Writes what happened on the days before, so that the charts have something to show: two months of
/// confirmations, with a credit or two each, and some other decisions.
fn fill_history(fixture: &BinaryFixture) {
    let mut store = open_small(&fixture.path("ledger")).unwrap().store;
    let jo = "jo@example.com";
    for days in (1..60).rev() {
        let at = clock::now() - Span::days(days);
        let mut facts = Vec::new();
        let mut ends = Vec::new();
        if days % 28 == 3 {
            facts.push(grant_fact(&format!("dues-{days}"), jo, 90));
        }
        let is_busy = days % 7 < 5;
        let others = [
            (Decision::Decline, ReasonCode::UnknownBooker, days % 3),
            (Decision::Decline, ReasonCode::TimeTaken, days % 2),
            (Decision::Decline, ReasonCode::NoticeTooShort, days % 5 / 3),
            (Decision::Review, ReasonCode::AccountFrozen, days % 9 / 7),
            (
                Decision::Wait { until: None },
                ReasonCode::ShortOfCredit,
                days % 4 / 3,
            ),
            (Decision::Leave, ReasonCode::Ungated, days % 11 / 9),
            (Decision::Leave, ReasonCode::Seated, days % 13 / 12),
        ];
        for (number, (decision, code, count)) in others.into_iter().enumerate() {
            for turn in 0..if is_busy { count } else { 0 } {
                let id = format!("other-{days}-{number}-{turn}");
                let (decided, end) = decide(&id, decision, code, at);
                facts.push(decided);
                ends.extend(end);
            }
        }
        store.commit(at, facts, &[]).unwrap();
        store.commit(at, ends, &[]).unwrap();
        for turn in 0..if is_busy && days < 56 {
            1 + days * 7 % 5
        } else {
            0
        } {
            confirm(&mut store, &format!("history-{days}-{turn}"), jo, at);
        }
    }
    store.close().unwrap();
}

/// Returns a decision about a booking that is over, and how the request ended.
fn decide(id: &str, decision: Decision, code: ReasonCode, at: Time) -> (Fact, Vec<Fact>) {
    let reason = |code| Reason {
        code,
        text: "as the configuration says".to_owned(),
    };
    let is_decline = decision == Decision::Decline;
    let request = Request {
        decision,
        call: is_decline.then_some(CallKind::Decline),
        reasons: vec![reason(code)],
        state: match is_decline {
            true => RequestState::Recorded,
            false => RequestState::Noted,
        },
        ..confirm_intent(id, &[id], at)
    };
    let end = match is_decline {
        true => vec![outcome_fact(id, DecisionOutcome::Declined)],
        false => close_note(&request, reason(ReasonCode::AlreadyOver)),
    };
    (decided_fact(request), end)
}

/// Confirms a booking that is over. Every sixth one is cancelled, and its credit comes back.
fn confirm(store: &mut LogStore, id: &str, member: &str, at: Time) {
    let lot = if at < clock::now() - Span::days(31) {
        "dues-59"
    } else {
        "dues-31"
    };
    let hold = hold_fact(id, id, member, vec![lot_part(lot, 1)]);
    let decided = decided_fact(Request {
        account: Some(account(member)),
        booker: Some(address(member)),
        ..confirm_intent(id, &[id], at)
    });
    store.commit(at, vec![decided, hold], &[]).unwrap();
    let outcome = outcome_fact(id, DecisionOutcome::Confirmed);
    let end = match id.len() + id.bytes().map(usize::from).sum::<usize>() {
        number if number % 6 == 0 => Fact::Charge(ChargeFact::Refund {
            booking: uid(id),
            parts: vec![RefundPart {
                grant: reference(lot),
                credits: 1,
                replacement_lot: None,
            }],
            close: true,
            reason: "cancelled".into(),
        }),
        _ => Fact::Charge(ChargeFact::Closed {
            booking: uid(id),
            reason: "over".into(),
        }),
    };
    store
        .commit(at, vec![post_fact(id), outcome, end], &[])
        .unwrap();
}

#[test]
fn a_browser_logs_in_by_the_link_sees_every_view_and_answers_a_review() {
    let (Some(chromium), Some(driver)) = (require_tool("chromium"), require_tool("chromedriver"))
    else {
        return;
    };
    let browser = Browser::start(&chromium, &driver);
    let world = WorldBuilder::new(clock::system_clock()).title("Book club");
    let page = PageFixture::start_in(world, |fixture| {
        fill_history(fixture);
        fill_club(fixture);
    });
    let url = page.fixture.run_ok(&["page"]).out;
    let url = url.lines().last().unwrap().to_owned();
    let origin = format!("http://{}", page.host());

    browser.open(&url);
    assert_eq!(browser.url(), format!("{origin}/"));
    let cookies = browser.cookies();
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    assert_eq!(cookies[0]["httpOnly"], true);
    assert_eq!(cookies[0]["sameSite"], "Strict");
    assert_eq!(browser.evaluate("document.cookie"), "");

    visit_every_view(&page, &browser, &origin);
    read_numbers_of_a_chart(&browser, &origin);
    answer_review(&page, &browser, &origin);
    resolve_item(&page, &browser, &origin);

    browser.click("form.log-out button");
    wait_until("the end of the session", || {
        browser.source().contains("Logged out")
    });
    browser.open(&format!("{origin}/members"));
    assert!(!browser.source().contains("bo@example.com"));
    browser.open(&url);
    assert!(browser.source().contains("This link works no more"));
}

/// Visits every view in both colour schemes, on a desktop and on a phone.
fn visit_every_view(page: &PageFixture, browser: &Browser, origin: &str) {
    let links = |path: &str, start: &str| {
        let links = page.get_ok(path).attributes("href");
        links
            .into_iter()
            .find(|link| link.starts_with(start))
            .unwrap()
    };
    let member = links("/members", "/members/");
    let booking = links("/decisions?outcome=confirmed", "/bookings/");
    let views = [
        ("overview", "/"),
        ("reviews", "/reviews"),
        ("waiting", "/reviews?all=true"),
        ("decisions", "/decisions"),
        ("booking", &booking),
        ("members", "/members"),
        ("member", &member),
        ("bookings", "/bookings"),
        ("unresolved", "/unresolved"),
        ("charts", "/charts"),
        ("charts-quarter", "/charts?days=90"),
    ];
    let folder = screenshot_folder();
    for (size, width, height) in SIZES {
        for scheme in ["light", "dark"] {
            browser.set_view(width, height, scheme);
            for (name, path) in views {
                browser.open(&format!("{origin}{path}"));
                assert_eq!(browser.evaluate("document.styleSheets.length"), 1, "{name}");
                let width_of_page = browser.evaluate("document.documentElement.scrollWidth");
                assert_eq!(width_of_page, width, "{name} scrolls sideways on a {size}");
                let colour = browser.evaluate("getComputedStyle(document.body).backgroundColor");
                let is_dark = colour == "rgb(18, 24, 24)";
                assert_eq!(is_dark, scheme == "dark", "{name}: {colour}");
                browser.take_screenshot(&folder.join(format!("{name}-{size}-{scheme}.png")));
            }
        }
    }
}

/// Opens the numbers of a chart: a table that fits the window.
fn read_numbers_of_a_chart(browser: &Browser, origin: &str) {
    for (size, width, height) in SIZES {
        browser.set_view(width, height, "light");
        browser.open(&format!("{origin}/charts"));
        let hidden = "document.querySelector('figure table').checkVisibility()";
        assert_eq!(browser.evaluate(hidden), false, "{size}");
        browser.click("figure summary");
        assert_eq!(browser.evaluate(hidden), true, "{size}");
        let width_of_page = browser.evaluate("document.documentElement.scrollWidth");
        assert_eq!(
            width_of_page, width,
            "the table scrolls sideways on a {size}"
        );
        let file = screenshot_folder().join(format!("charts-numbers-{size}-light.png"));
        browser.take_screenshot(&file);
    }
}

/// Takes a booking off the unresolved list.
fn resolve_item(page: &PageFixture, browser: &Browser, origin: &str) {
    browser.open(&format!("{origin}/unresolved"));
    browser.click("article summary");
    browser.type_text("article form input[name='reason']", "a guest of the host");
    browser.click("article form button");
    // A click does not always wait for the next page.
    wait_until("the notice", || {
        browser.source().contains("Your reason is recorded")
    });
    let left = page.fixture.run_ok(&["unresolved"]).out;
    assert!(left.contains("Nothing is unresolved."), "{left}");
}

/// Confirms one request and declines another with a reason, as people do.
fn answer_review(page: &PageFixture, browser: &Browser, origin: &str) {
    let fixture = &page.fixture;
    let forms = page.get_ok("/reviews").attributes("action");
    let reviews = forms
        .iter()
        .filter_map(|path| path.strip_prefix("/reviews/"));
    let mut uids: Vec<&str> = reviews.collect();
    uids.dedup();
    let [first, second] = uids[..] else {
        panic!("two requests wait: {forms:?}");
    };
    browser.open(&format!("{origin}/reviews"));
    browser.type_text(&format!("#confirm-reason-{first}"), "agreed by phone");
    browser.click(&format!("form[action='/reviews/{first}'] button.first"));
    // A click does not always wait for the next page.
    wait_until("the notice", || browser.source().contains("is recorded"));
    // The decision overrides the rules of the configuration, and not the ledger.
    for name in ["faye@example.com", "gus@example.com"] {
        fixture.run_ok(&["credits", "grant", name, "3"]);
    }
    wait_until("the confirmation", || fixture.status(first) == "accepted");

    browser.open(&format!("{origin}/reviews"));
    let heading = format!("article[aria-labelledby='request-{second}']");
    browser.click(&format!("{heading} summary"));
    browser.type_text(
        &format!("#decline-reason-{second}"),
        "We are closed that day.",
    );
    browser.click(&format!("{heading} details button"));
    // A click does not always wait for the next page.
    wait_until("the notice", || browser.source().contains("is recorded"));
    wait_until("the decline", || fixture.status(second) == "rejected");
    let explain = fixture.run_ok(&["explain", second]).out;
    assert!(explain.contains("We are closed that day."), "{explain}");
}
