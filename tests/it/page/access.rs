//! Who may use the web page: names, links, sessions and forms.

use std::fs;
use std::net::TcpListener;

use serde_json::Value;

use crate::fixture::binary::{BinaryFixture, Daemon};
use crate::fixture::page_fixture::{PAGE_SECTION, PageFixture, make_link};

/// A path of each view.
const VIEWS: [&str; 8] = [
    "/",
    "/reviews",
    "/reviews?all=true",
    "/decisions",
    "/members",
    "/bookings",
    "/unresolved",
    "/charts",
];

/// A page with one request that waits for an operator. Returns the uid of its booking.
fn page_with_review() -> (PageFixture, String) {
    let page = PageFixture::start();
    page.fixture
        .run_ok(&["credits", "grant", "bo@example.com", "2"]);
    let dinner = page.fixture.event_types.dinner;
    let uid = page
        .fixture
        .request_booking(dinner, "bo@example.com", "09:00:00Z");
    page.fixture.run_ok(&["pass"]);
    (page, uid)
}

fn recorded_review(page: &PageFixture, uid: &str) -> Value {
    let explain = page.fixture.run_ok(&["explain", uid, "--format", "json"]);
    explain.json()["review"].clone()
}

#[test]
fn a_link_logs_one_browser_in_and_the_cookie_is_kept_from_scripts_and_other_sites() {
    let page = PageFixture::start();
    let (address, token) = make_link(&page.fixture);
    assert_eq!(address, page.address);
    let path = format!("/login?token={token}");

    // A program that previews links does not use the link up.
    assert_eq!(page.send("HEAD", &path, &[], "").status, 405);
    let first = page.send("GET", &path, &[], "");
    assert_eq!((first.status, first.header("location")), (303, "/"));
    let cookie = first.header("set-cookie");
    for part in [
        "; HttpOnly",
        "; SameSite=Strict",
        "; Path=/",
        "; Max-Age=43200",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains(&token), "{cookie}");
    assert_ne!(
        cookie.split(';').next(),
        Some(page.cookie_header().as_str())
    );

    for wrong in [
        path.as_str(),
        "/login?token=guess",
        "/login?token=",
        "/login",
    ] {
        let again = page.send("GET", wrong, &[], "");
        assert_eq!(again.status, 401, "{wrong}");
        assert_eq!(again.header("set-cookie"), "", "{wrong}");
        assert!(again.body.contains("maitred page"), "{}", again.body);
    }
}

#[test]
fn without_a_session_no_view_shows_anything() {
    let (page, uid) = page_with_review();
    let explain = format!("/bookings/{uid}");
    let paths = VIEWS.iter().copied().chain([explain.as_str(), "/nowhere"]);
    for path in paths {
        for cookie in ["Cookie: maitred-0=guess", "Cookie: other=1", "X-None: 1"] {
            let answer = page.send("GET", path, &[cookie], "");
            assert_eq!(answer.status, 401, "{path}");
            for name in ["bo@example", &uid, "Log out"] {
                assert!(!answer.body.contains(name), "{path}: {}", answer.body);
            }
        }
        let other = page.get(path);
        assert_eq!(
            other.status,
            if path == "/nowhere" { 404 } else { 200 },
            "{path}"
        );
    }
}

#[test]
fn a_foreign_host_is_refused_everywhere() {
    let page = PageFixture::start();
    let port = page.address.port();
    let good = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let foreign = [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        "127.0.0.1".to_owned(),
        String::new(),
    ];
    for path in VIEWS
        .iter()
        .copied()
        .chain(["/login?token=a", "/style.css", "/metrics"])
    {
        for host in &foreign {
            let host = format!("Host: {host}");
            let answer = page.send_headers("GET", path, &[&host, &page.cookie_header()], "");
            assert_eq!(answer.status, 421, "{path} {host}");
        }
    }
    for host in &good {
        let host = format!("Host: {host}");
        let answer = page.send_headers("GET", "/", &[&host, &page.cookie_header()], "");
        assert_eq!(answer.status, 200, "{host}");
    }
    // A request that names two hosts names none.
    let own = format!("Host: {}", page.host());
    let both = [own.as_str(), "Host: evil.example", &page.cookie_header()];
    assert!(matches!(
        page.send_headers("GET", "/", &both, "").status,
        400 | 421
    ));
    let line = "http://evil.example/";
    let answer = page.send_headers("GET", line, &[&own, &page.cookie_header()], "");
    assert_eq!(answer.status, 421);
    // A link stays usable when another site has tried it under a name of its own.
    let (_, token) = make_link(&page.fixture);
    let path = format!("/login?token={token}");
    let answer = page.send_headers("GET", &path, &["Host: evil.example"], "");
    assert_eq!(answer.status, 421);
    assert_eq!(page.send("GET", &path, &[], "").status, 303);
}

#[test]
fn a_change_needs_the_pages_own_form_from_the_page_itself() {
    let (page, uid) = page_with_review();
    let path = format!("/reviews/{uid}");
    let (own, cookie) = (
        format!("Origin: http://{}", page.host()),
        page.cookie_header(),
    );
    let token = format!("form-token={}", page.form_token);
    let body = |token: &str| format!("{token}&decision=confirm&reason=agreed");
    let rows: [(&[&str], String, u16); 9] = [
        (&[&cookie, "Origin: http://evil.example"], body(&token), 403),
        (&[&cookie, "Origin: null"], body(&token), 403),
        (&[&cookie], body(&token), 403),
        (
            &[&cookie, "Origin: null", "Sec-Fetch-Site: cross-site"],
            body(&token),
            403,
        ),
        (
            &[&cookie, &own, "Sec-Fetch-Site: cross-site"],
            body(&token),
            403,
        ),
        (&[&cookie, &own], body("form-token=guess"), 403),
        (&[&cookie, &own], body("other=1"), 422),
        (&[&own], body(&token), 401),
        (&[&cookie, &own], format!("{token}&decision=burn"), 422),
    ];
    for (headers, body, expect) in rows {
        let answer = page.send("POST", &path, headers, &body);
        assert_eq!(answer.status, expect, "{headers:?} {body}: {}", answer.body);
        assert_eq!(recorded_review(&page, &uid), Value::Null, "{headers:?}");
    }
    // The form of another session does not count either.
    let (_, token) = make_link(&page.fixture);
    let other = page.send("GET", &format!("/login?token={token}"), &[], "");
    let other_cookie = other.header("set-cookie").split(';').next().unwrap();
    let other_cookie = format!("Cookie: {other_cookie}");
    let mine = body(&format!("form-token={}", page.form_token));
    let answer = page.send("POST", &path, &[&other_cookie, &own], &mine);
    assert_eq!(answer.status, 403, "{}", answer.body);

    // Browsers hide the origin of the page's own forms, because of its referrer policy.
    let headers = [&*cookie, "Origin: null", "Sec-Fetch-Site: same-origin"];
    let answer = page.send("POST", &path, &headers, &mine);
    assert_eq!(answer.status, 303, "{}", answer.body);
    assert_eq!(recorded_review(&page, &uid)["reason"], "agreed");
}

#[test]
fn every_answer_has_the_headers_that_keep_other_sites_out() {
    let page = PageFixture::start();
    let policy = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
                  frame-ancestors 'none'; base-uri 'none'";
    let own = format!("Host: {}", page.host());
    let answers = [
        page.get("/"),
        page.get("/style.css"),
        page.get("/metrics"),
        page.get("/nowhere"),
        page.get("/bookings/nowhere"),
        page.send("GET", "/login?token=guess", &[], ""),
        page.send("POST", "/logout", &[], ""),
        page.send("PUT", "/", &[], ""),
        page.send_headers("GET", "/", &["Host: evil.example"], ""),
        page.send_headers("GET", "/%ff", &[&own], ""),
    ];
    for answer in &answers {
        for (name, expect) in [
            ("content-security-policy", policy),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), expect, "{}", answer.status);
        }
        assert!(!answer.body.contains("<script"), "{}", answer.body);
        assert!(!answer.body.contains(" style=\""), "{}", answer.body);
    }
}

#[test]
fn logging_out_ends_the_session() {
    let page = PageFixture::start();
    let answer = page.post("/logout", "");
    assert_eq!(answer.status, 401, "{}", answer.body);
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(page.get("/").status, 401);
}

#[test]
fn names_of_members_are_in_no_address() {
    let (page, uid) = page_with_review();
    page.fixture
        .run_ok(&["credits", "grant", "cy@example.com", "2", "--new"]);
    let found = page.post("/members/find", "text=bo%40example.com");
    assert_eq!(found.status, 303);
    let find = found.header("location").to_owned();
    assert!(page.get_ok(&find).body.contains("bo@example.com"));
    assert!(!page.get_ok(&find).body.contains("cy@example.com"));
    let members = page.get_ok("/members").attributes("href");
    let member = members.iter().find(|path| path.starts_with("/members/"));
    let member = member.expect("a link to a member");
    let decisions = page.get_ok(member).attributes("href");
    let decisions = decisions.iter().find(|path| path.contains("?member="));
    let explain = format!("/bookings/{uid}");
    let more = [&find, member, decisions.unwrap(), &explain];
    let all = VIEWS
        .iter()
        .copied()
        .chain(more.into_iter().map(String::as_str));
    let mut links = 0;
    for path in all {
        let answer = page.get_ok(path);
        for link in [answer.attributes("href"), answer.attributes("action")].concat() {
            let readable = link.contains('@') || link.contains("%40") || link.contains("bo");
            let readable = readable && !link.starts_with("/bookings") && !link.starts_with("data:");
            assert!(!readable, "{path}: {link}");
            links += 1;
        }
    }
    assert!(links > 50, "{links}");
    // A name that was not sealed here leads nowhere.
    for path in ["/members/bo@example.com", "/members?after=bo@example.com"] {
        assert_eq!(page.get(path).status, 400, "{path}");
    }
}

#[test]
fn without_a_page_the_command_says_how_to_turn_it_on() {
    let fixture = BinaryFixture::new("v2");
    assert_eq!(fixture.run(&["page"]).code, 69);
    let daemon = Daemon::start(&fixture);
    let answer = fixture.run(&["page"]);
    assert_eq!(answer.code, 78, "{}", answer.all_output());
    assert!(answer.err.contains("page.listen"), "{}", answer.err);
    drop(daemon);
}

/// A daemon whose page cannot be served decides bookings all the same, and says so.
#[test]
fn a_port_that_is_taken_keeps_the_daemon_from_nothing_else() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let fixture = BinaryFixture::new("v2");
    let section = PAGE_SECTION.replace("127.0.0.1:0", &taken.local_addr().unwrap().to_string());
    let path = fixture.path("config.toml");
    let text = fs::read_to_string(&path).unwrap() + &section;
    fs::write(&path, text).unwrap();
    fixture.run_ok(&["credits", "grant", "bo@example.com", "2"]);
    let uid = fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "09:00:00Z");
    let daemon = Daemon::start(&fixture);
    fixture.run_ok(&["pass"]);
    assert_eq!(fixture.status(&uid), "accepted");

    let status = fixture.run_ok(&["status", "--format", "json"]).json();
    assert_eq!(status["problems"][0]["code"], "page-not-served");
    let text = status["problems"][0]["text"].as_str().unwrap();
    assert!(text.contains("another process uses the port"), "{text}");
    let answer = fixture.run(&["page"]);
    assert_eq!(answer.code, 69, "{}", answer.all_output());
    let (code, lines) = daemon.terminate();
    assert_eq!(code, 0);
    let _rest = lines;
}
