//! The ways to a target: a command, a signed request, a mail; and trying them.

use std::fs;
use std::process::Command;

use super::{
    BO, KEY, accepting_peer, body, command_target, configure, fixture_with, header, json_lines,
    post_target, request_of_member, request_of_stranger, write_secret,
};
use crate::fixture::http_server::{Peer, Reply, full_response};
use crate::fixture::smtp_server::SmtpServer;

const PAGE: &str = include_str!("../../../docs/notifications.md");

/// Returns the script with which the documentation checks a signature.
fn script_of_the_documentation() -> &'static str {
    let (_, rest) = PAGE.split_once("```text verify.sh\n").unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn the_signature_is_the_one_that_the_documentation_checks() {
    let peer = accepting_peer();
    let fixture = fixture_with(&post_target(&peer, "\"decision\"", ""));
    request_of_member(&fixture, "09:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    let calls = peer.calls();
    let (call, (_, text)) = (&calls[0], calls[0].text.split_once("\r\n\r\n").unwrap());
    assert_eq!(call.method, "POST");
    assert_eq!(call.target, "/hook");
    assert_eq!(header(call, "content-type"), "application/json");
    assert!(!call.text.contains(KEY), "{}", call.text);
    fs::write(fixture.path("verify.sh"), script_of_the_documentation()).unwrap();
    let timestamp = header(call, "maitred-timestamp");
    let signature = header(call, "maitred-signature");
    let verify = |body: &str, timestamp: &str| {
        fs::write(fixture.path("body.json"), body).unwrap();
        let args = ["verify.sh", "hook-key", "body.json", timestamp, signature];
        let ran = Command::new("sh")
            .args(args)
            .current_dir(fixture.folder.path())
            .output()
            .unwrap();
        ran.status.success()
    };
    assert!(verify(text, timestamp));
    assert!(!verify(&text.replace("confirmed", "declined"), timestamp));
    assert!(!verify(text, "1"));
}

#[test]
fn a_command_reads_one_line_of_json_in_a_bare_environment() {
    let target = "[[notify]]\nname = \"file\"\nkinds = [\"decision\"]\n\
                  command = [\"/bin/sh\", \"-c\", \"cat > told.jsonl; env > told-env\"]\n";
    let fixture = fixture_with(target);
    request_of_member(&fixture, "09:00:00Z");
    let mut run = fixture.command(&["run", "--once"]);
    let ran = run
        .env("MAITRED_API_KEY", crate::fixture::test_world::KEY)
        .output()
        .unwrap();
    assert!(ran.status.success());
    let told = json_lines(&fixture, "told.jsonl");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["schema"], 1);
    assert_eq!(told[0]["decision"], "confirmed");
    let environment = fs::read_to_string(fixture.path("told-env")).unwrap();
    assert!(!environment.contains("MAITRED"), "{environment}");
}

#[test]
fn mail_for_operators_goes_to_them_and_mail_for_a_member_to_the_account() {
    let server = SmtpServer::start();
    let target = format!(
        "[[notify]]\nname = \"mail\"\nkinds = [\"review-needed\", \"decision\"]\n\
         mail-server = \"{}\"\nmail-from = \"maitred@club.example\"\n\
         mail-to = [\"ops@club.example\", \"boss@club.example\"]\n",
        server.address
    );
    let fixture = fixture_with(&target);
    fixture.run_ok(&["account", "alias", BO, "bo-alias@example.com"]);
    request_of_stranger(&fixture, "09:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    fixture.request_booking(
        fixture.event_types.lesson,
        "bo-alias@example.com",
        "11:00:00Z",
    );
    fixture.run_ok(&["run", "--once"]);
    let mails = server.mails();
    assert_eq!(mails.len(), 2, "{mails:#?}");
    assert_eq!(mails[0].from, "maitred@club.example");
    assert_eq!(mails[0].to, ["ops@club.example", "boss@club.example"]);
    assert!(
        mails[0].text.contains("maitred review list"),
        "{}",
        mails[0].text
    );
    assert!(!mails[0].text.contains("zed"), "{}", mails[0].text);
    // The booker typed another address of the member. The account's own name receives the mail.
    assert_eq!(mails[1].to, [BO]);
    assert!(mails[1].text.contains("is confirmed"), "{}", mails[1].text);
    assert!(
        mails[1].text.contains("Auto-Submitted: auto-generated"),
        "{}",
        mails[1].text
    );
    assert!(
        mails[1].text.contains("@club.example>"),
        "{}",
        mails[1].text
    );
}

#[test]
fn a_test_is_sent_to_each_target_and_changes_nothing() {
    let peer = Peer::start(|_| Reply::Bytes(full_response("403 Forbidden", "", b"")));
    let fixture = fixture_with("");
    let both = format!(
        "{}\n{}",
        command_target("told.jsonl", "\"decision\"", ""),
        post_target(&peer, "\"decision\"", "")
    );
    configure(&fixture, &fixture.sandbox.base_url(), &both);
    let ran = fixture.run(&["notify", "test"]);
    assert_eq!(ran.code, 1, "{}", ran.all_output());
    let expect = "ok    file (command)\nerror hook (post): it answered 403\n\
                  1 of 2 targets accepted the test.\n";
    assert_eq!(ran.out, expect);
    assert_eq!(json_lines(&fixture, "told.jsonl")[0]["kind"], "test");
    assert_eq!(body(&peer.calls()[0])["kind"], "test");
    fixture.run_ok(&["notify", "test", "file"]);
    assert_eq!(json_lines(&fixture, "told.jsonl").len(), 2);
    let unknown = fixture.run(&["notify", "test", "fiel"]);
    assert_eq!(unknown.code, 2);
    assert!(
        unknown.err.contains("the targets are file, hook"),
        "{}",
        unknown.err
    );
    assert!(!fixture.path("ledger/notify").exists());
}

#[test]
fn check_and_the_start_refuse_a_target_whose_secrets_cannot_be_read() {
    let peer = accepting_peer();
    let fixture = fixture_with("");
    let base = fixture.sandbox.base_url();
    let target = post_target(&peer, "\"decision\"", "").replace("hook-key", "/no-such-file");
    configure(&fixture, &base, &target);
    for args in [&["check"][..], &["run"], &["run", "--once"]] {
        let refused = fixture.run(args);
        assert_eq!(refused.code, 78, "{args:?}: {}", refused.all_output());
        let text = refused.all_output();
        assert!(
            text.contains("/no-such-file (key-file;"),
            "{args:?}: {text}"
        );
    }
    write_secret(&fixture, "url", "http://hooks.example.com/T0KEN");
    let by_file = "[[notify]]\nname = \"hook\"\nkinds = [\"decision\"]\nurl-file = \"url\"\n";
    configure(&fixture, &base, by_file);
    let refused = fixture.run(&["check"]);
    assert_eq!(refused.code, 78);
    assert!(
        refused.out.contains("the URL must begin with https://"),
        "{}",
        refused.out
    );
    assert!(!refused.all_output().contains("T0KEN"));
    write_secret(&fixture, "url", &format!("{}/T0KEN", peer.address));
    let checked = fixture.run_ok(&["check"]);
    assert!(
        checked.out.contains("can be sent to: hook"),
        "{}",
        checked.out
    );
    fixture.run_ok(&["notify", "test"]);
    assert_eq!(peer.calls()[0].target, "/T0KEN");
}
