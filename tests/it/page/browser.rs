//! The web page in a real browser. Screenshots go to `target/page-screenshots`.

use std::fs;
use std::path::{Path, PathBuf};

use maitred::daemon::clock;
use maitred::domain::time::Span;

use crate::fixture::binary::{BinaryFixture, wait_until};
use crate::fixture::page_fixture::PageFixture;
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
    fixture.run_ok(&["run", "--once", "--watch"]);
}

#[test]
fn a_browser_logs_in_by_the_link_sees_every_view_and_answers_a_review() {
    let (Some(chromium), Some(driver)) = (require_tool("chromium"), require_tool("chromedriver"))
    else {
        return;
    };
    let browser = Browser::start(&chromium, &driver);
    let world = WorldBuilder::new(clock::system_clock()).title("Book club");
    let page = PageFixture::start_in(world, fill_club);
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
    answer_review(&page, &browser, &origin);

    browser.click("form.log-out button");
    assert!(browser.source().contains("Logged out"));
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
        ("charts", "/charts?days=7"),
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
    assert!(
        browser.source().contains("is recorded"),
        "{}",
        browser.source()
    );
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
    assert!(
        browser.source().contains("is recorded"),
        "{}",
        browser.source()
    );
    wait_until("the decline", || fixture.status(second) == "rejected");
    let explain = fixture.run_ok(&["explain", second]).out;
    assert!(explain.contains("We are closed that day."), "{explain}");
}
