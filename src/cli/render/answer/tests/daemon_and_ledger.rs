//! The state of the daemon, and the verification of the ledger.

use super::*;

#[test]
fn status_tells_how_the_daemon_is() {
    insta::assert_snapshot!(render(status(json!({}))), @r"
    maitred 0.1.0 is running (process 4711).
      started     2026-11-28 09:00:00 UTC (3 days ago)
      passes      17280
      last pass   2026-12-01 08:59:51 UTC (9 seconds ago); 1 pending booking seen, 2 calls to Cal.com
      next pass   2026-12-01 09:00:05 UTC (in 5 seconds)
      last watch  2026-12-01 08:57:01 UTC (2 minutes ago); 3 open charges checked, 2 calls to Cal.com,
                  1 change
      next watch  2026-12-01 09:02:00 UTC (in 2 minutes); the next audit 2026-12-02 03:00:00 UTC (in
                  18 hours)
      unfinished  1 decision
      failing     confirm kV2s9q: 3 failed calls, the last at 2026-12-01 08:59:51 UTC; see `maitred
                  explain kV2s9q`
      failing     1 more
      in review   1 request; see `maitred review list`
      charges     12 open
      log         912 commits
      policy      5f2c9a
    ");
}

#[test]
fn status_of_a_daemon_that_is_paused_and_has_never_come_to_the_end_of_a_pass() {
    let answer = status(json!({
        "paused": true,
        "pauses": [
            {"since": "2026-12-01T08:00:00Z", "until": "2026-12-01T10:00:00Z", "reason": "the roof leaks"},
            {"gate": "club", "since": "2026-12-01T08:30:00Z", "reason": "prices change"},
        ],
        "waiting": [
            {"decision": "leave", "reason": "paused", "requests": 2, "oldest": "2026-11-30T09:00:00Z"},
        ],
        "last_pass": null,
        "last_error": "Cal.com cannot be reached: connection refused",
        "passes": 0,
        "next_pass": null,
        "watch": {
            "last_watch_at": null,
            "last_audit_at": null,
            "last_summary": null,
            "last_error": "Cal.com cannot be reached: connection refused",
            "next_watch": null,
            "next_audit": null,
        },
        "open_intents": 0,
        "failing_intents": 0,
        "requests_in_review": 0,
        "open_charges": 0,
        "failing": [],
    }));
    insta::assert_snapshot!(render(answer), @r"
    maitred 0.1.0 is paused: no passes until the pause ends (process 4711).
      started     2026-11-28 09:00:00 UTC (3 days ago)
      paused      everything since 2026-12-01 08:00:00 UTC (1 hour ago), until 2026-12-01 10:00:00 UTC
                  (in 1 hour): the roof leaks
      paused      gate club since 2026-12-01 08:30:00 UTC (30 minutes ago), until `maitred resume
                  --gate club`: prices change
      passes      0
      last pass   none yet
      problem     Cal.com cannot be reached: connection refused
      next pass   none
      last watch  none yet
      problem     Cal.com cannot be reached: connection refused
      next watch  none
      unfinished  nothing
      waiting     2 requests: leave (paused), the oldest since 2026-11-30 09:00:00 UTC (1 day ago)
      in review   nothing
      charges     0 open
      log         912 commits
      policy      5f2c9a
    ");
}

#[test]
fn status_tells_what_the_targets_of_notifications_have_received() {
    let answer = status(json!({
        "notify": [
            {
                "name": "operators",
                "transport": "command",
                "delivered_to": 912,
                "waiting_commits": 0,
                "delivered": 3,
                "last_delivered_at": "2026-12-01T08:00:00Z",
                "dropped": 0,
            },
            {
                "name": "crm",
                "transport": "post",
                "delivered_to": 900,
                "waiting_commits": 12,
                "delivered": 40,
                "failing_since": "2026-12-01T07:00:00Z",
                "last_error": "it answered 500",
                "dropped": 2,
                "last_dropped": "decision 9d3a9e6c at 2026-12-01T06:00:00Z",
            },
        ],
        "dead_man": {"last_call_at": "2026-12-01T08:59:51Z", "last_error": "it answered 503"},
    }));
    let text = render(answer);
    let mut lines = text.lines();
    let shown: Vec<&str> = lines
        .by_ref()
        .skip_while(|line| !line.starts_with("  notify"))
        .take_while(|line| !line.starts_with("  charges"))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    notify      operators: nothing waits
    notify      crm: 12 commits waiting; fails since 2026-12-01 07:00:00 UTC (2 hours ago): it
                answered 500; 2 notifications dropped, the last one decision 9d3a9e6c at 2026-12-01
                06:00 UTC
    dead man    last called 2026-12-01 08:59:51 UTC (9 seconds ago); fails: it answered 503
    ");
}

#[test]
fn status_shows_the_last_backup_and_why_the_next_one_failed() {
    let answer = status(json!({
        "backup": {
            "last_at": "2026-12-01T03:00:00Z",
            "last_path": "/backups/maitred-20261201T030000Z",
            "last_sequence": 900,
            "next": "2026-12-01T09:30:00Z",
            "failed_at": "2026-12-01T08:30:00Z",
            "error": "failed to copy the log: no room",
        },
    }));
    let text = render(answer);
    let shown = text.lines().skip_while(|line| !line.contains("  backup"));
    let shown = shown.take_while(|line| !line.starts_with("  charges"));
    let shown: Vec<&str> = shown.collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    backup      2026-12-01 03:00:00 UTC (6 hours ago) in /backups/maitred-20261201T030000Z, next
                2026-12-01 09:30:00 UTC (in 30 minutes); failed at 2026-12-01 08:30:00 UTC (30
                minutes ago): failed to copy the log: no room
    ");
}

#[test]
fn verify_says_whether_log_and_store_agree() {
    let sound = json!({
        "schema": 1,
        "commits": 1,
        "facts": 40,
        "head": "9ef92ec4",
        "differences": [],
    });
    insta::assert_snapshot!(render(json!({"verify": sound})), @r"
    The log and the store agree.
    1 commit and 40 facts were checked; the head is 9ef92ec4.
    ");
    let unsound = with_changes(
        sound,
        json!({"differences": ["account bo@example.com: log 4 available, store 5"]}),
    );
    insta::assert_snapshot!(render(json!({"verify": unsound})), @r"
    The log and the store disagree: 1 difference.
      account bo@example.com: log 4 available, store 5
    1 commit and 40 facts were checked; the head is 9ef92ec4.
    ");
}
