//! Taking bookings off the unresolved list on the web page, and who did so in the daemon's log.

use maitred::daemon::clock;
use maitred::domain::time::Span;
use maitred::sandbox::action::ThirdPartyAction;
use serde_json::Value;

use crate::fixture::binary::wait_until;
use crate::fixture::page_fixture::PageFixture;

const BO: &str = "bo@example.com";

fn listed(page: &PageFixture) -> Vec<Value> {
    let list = page.fixture.run_ok(&["unresolved", "--format", "json"]);
    list.json()["items"].as_array().unwrap().clone()
}

/// A page with a booking on the unresolved list: the host accepted a request by hand that waited for
/// an operator. Returns its uid.
fn page_with_item() -> (PageFixture, String) {
    let page = PageFixture::start();
    let fixture = &page.fixture;
    fixture.run_ok(&["credits", "grant", BO, "1"]);
    let dinner = fixture.event_types.dinner;
    let now = clock::now();
    let start = now + Span::days(7);
    let uid = fixture.sandbox.lock().request(now, dinner, BO, start);
    fixture.run_ok(&["pass"]);
    assert_eq!(fixture.status(&uid), "pending");
    let accept = ThirdPartyAction::HostAccepts {
        booking: uid.clone(),
    };
    fixture.sandbox.lock().act(clock::now(), accept).unwrap();
    wait_until("the item", || {
        fixture.run_ok(&["pass", "--watch"]);
        !listed(&page).is_empty()
    });
    (page, uid)
}

#[test]
fn a_booking_is_taken_off_the_list_with_a_reason_and_the_log_names_the_page_and_the_user() {
    let (page, uid) = page_with_item();
    let body = page.get_ok("/unresolved").body;
    for part in [
        format!("action=\"/unresolved/{uid}\""),
        "<code>unmanaged</code>".to_owned(),
        "name=\"code\" value=\"unmanaged\"".to_owned(),
        format!("<label for=\"reason-unmanaged-{uid}\">Reason</label>"),
    ] {
        assert!(body.contains(&part), "{part}: {body}");
    }
    let path = format!("/unresolved/{uid}");
    let answer = page.post(&path, "code=unmanaged&reason=+a+guest+%3Cof%3E+the+host+");
    assert_eq!(answer.status, 303, "{}", answer.body);
    let after = page.get_ok(answer.header("location")).body;
    for part in [
        "role=\"status\"",
        &uid,
        "off the list",
        "Nothing is unresolved.",
    ] {
        assert!(after.contains(part), "{part}: {after}");
    }
    assert_eq!(listed(&page), [Value::Null; 0]);
    let explain = page.get_ok(&format!("/bookings/{uid}")).body;
    assert!(explain.contains("a guest &lt;of&gt; the host"), "{explain}");

    let lines = page.daemon.wait_for_line("command=\"unresolved resolve\"");
    let line = lines.last().unwrap();
    let user = format!("uid={}", rustix::process::getuid().as_raw());
    for word in [
        "an operator changed the ledger",
        "interface=\"page\"",
        &user,
    ] {
        assert!(line.contains(word), "{word}: {line}");
    }
    let from_socket = lines.iter().find(|line| line.contains("\"credits grant\""));
    let from_socket = from_socket.unwrap();
    assert!(
        from_socket.contains("interface=\"socket\""),
        "{from_socket}"
    );
    // The form of a page that was shown before.
    let again = page.post(&path, "code=unmanaged&reason=once+more");
    assert_eq!(again.status, 404, "{}", again.body);
}

#[test]
fn a_form_that_is_incomplete_or_not_from_the_page_takes_nothing_off_the_list() {
    let (page, uid) = page_with_item();
    let path = format!("/unresolved/{uid}");
    let before = listed(&page);
    let long = format!("code=unmanaged&reason={}", "x".repeat(501));
    for (fields, status) in [
        ("code=unmanaged&reason=", 400),
        ("code=unmanaged&reason=+++", 400),
        ("code=unmanaged", 400),
        ("code=odd&reason=known", 400),
        ("code=revived&reason=known", 404),
        ("reason=known", 422),
        (&long, 400),
    ] {
        let answer = page.post(&path, fields);
        assert_eq!(answer.status, status, "{fields}: {}", answer.body);
    }
    let (cookie, own) = (
        page.cookie_header(),
        format!("Origin: http://{}", page.host()),
    );
    let token = &page.form_token;
    let rows: [(&[&str], String, u16); 3] = [
        (
            &[&cookie, "Origin: http://evil.example"],
            token.clone(),
            403,
        ),
        (&[&cookie, &own], "guess".to_owned(), 403),
        (&[&own], token.clone(), 401),
    ];
    for (headers, token, status) in rows {
        let body = format!("form-token={token}&code=unmanaged&reason=known");
        let answer = page.send("POST", &path, headers, &body);
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.body);
    }
    assert_eq!(listed(&page), before);
}
