//! Accounts, grants, imports and statements.

use super::*;

/// A booker with an account of another name, a booker without an account, and a booker whose
/// account was not looked up.
#[test]
fn an_account_has_three_states() {
    let rows = [
        (json!({"account": "acme"}), "bo@example.com (account acme)"),
        (json!({"account": null}), "bo@example.com (no account)"),
        (
            json!({"account": null, "account_not_looked_up": true}),
            "bo@example.com (account not looked up)",
        ),
    ];
    for (changes, expect) in rows {
        let text = render(pass(
            false,
            &json!([with_changes(step("a", "decline", "declined"), changes)]),
        ));
        assert!(
            text.contains(&format!("booker   {expect}\n")),
            "{expect}: {text}"
        );
    }
}

#[test]
fn what_was_given_and_taken_is_said_with_what_there_is_now() {
    let texts: Vec<String> = [
        grant_view("grant", json!({})),
        grant_view(
            "grant",
            json!({"credits": 1, "expires": null, "available": 1}),
        ),
        grant_view("grant", json!({"already_recorded": true})),
        grant_view("revoke", json!({"expires": null, "available": 1})),
        grant_view(
            "revoke",
            json!({"expires": null, "already_recorded": true, "credits": 1}),
        ),
    ]
    .into_iter()
    .map(|view| render(json!({"grant-record": view})))
    .collect();
    insta::assert_snapshot!(texts.join("\n"), @r"
    4 credits were granted to bo@example.com, to be spent before 2027-01-01 00:00 UTC, under the reference dues-2026-bo.
    bo@example.com has 5 credits available now.

    1 credit was granted to bo@example.com, under the reference dues-2026-bo.
    bo@example.com has 1 credit available now.

    Nothing was changed: under the reference dues-2026-bo 4 credits were granted to bo@example.com, to be spent before 2027-01-01 00:00 UTC, at 2026-11-01 08:00 UTC.
    bo@example.com has 5 credits available now.

    4 credits were revoked from bo@example.com, under the reference dues-2026-bo.
    bo@example.com has 1 credit available now.

    Nothing was changed: under the reference dues-2026-bo 1 credit was revoked from bo@example.com, at 2026-11-01 08:00 UTC.
    bo@example.com has 5 credits available now.
    ");
}

#[test]
fn an_import_says_what_counted_and_what_had_counted_before() {
    let views = [
        json!({"rows": 3, "granted": 3, "already_imported": 0, "credits": 12, "accounts_opened": 2, "dry_run": false}),
        json!({"rows": 3, "granted": 0, "already_imported": 3, "credits": 0, "accounts_opened": 0, "dry_run": false}),
        json!({"rows": 1, "granted": 1, "already_imported": 1, "credits": 1, "accounts_opened": 1, "dry_run": true}),
    ];
    let texts: Vec<String> = views
        .into_iter()
        .map(|view| render(json!({"import": with_changes(view, json!({"schema": 1}))})))
        .collect();
    insta::assert_snapshot!(texts.join("\n"), @r"
    3 rows read, 3 granted, with 12 credits in all.
    2 accounts opened.

    3 rows read, 0 granted, with 0 credits in all.
    3 rows had been imported before and count for nothing now. Give a new round of grants another expiry or reason.

    1 row read, 1 would be granted, with 1 credit in all.
    1 account would be opened.
    1 row had been imported before and counts for nothing now. Give a new round of grants another expiry or reason.
    Nothing was written.
    ");
}

#[test]
fn grants_are_listed() {
    let grants = json!([
        grant_view("grant", json!({})),
        grant_view(
            "grant",
            json!({"expires": "2026-12-01T00:00:00Z", "credits": 10, "reason": ""})
        ),
        grant_view(
            "restored",
            json!({"expires": null, "credits": 1, "reason": "refund",
            "reference": "refund:kV2s9qTtV6zB1dPz7aYw3e"})
        ),
    ]);
    let view = json!({"schema": 1, "account": "bo@example.com", "grants": grants});
    insta::assert_snapshot!(render(json!({"grants": view})), @r"
    3 grants of bo@example.com, newest first:

      at                    kind      credits  expires                     reference       reason
      2026-11-01 08:00 UTC  grant           4  2027-01-01 00:00 UTC        dues-2026-bo    autumn dues
      2026-11-01 08:00 UTC  grant          10  2026-12-01 00:00 UTC, over  dues-2026-bo
      2026-11-01 08:00 UTC  restored        1  never                       refund:kV2s9qT  refund
                                                                           tV6zB1dPz7aYw3
                                                                           e
    ");
    let view = json!({"schema": 1, "account": "bo@example.com", "grants": []});
    insta::assert_snapshot!(render(json!({"grants": view})), @"bo@example.com was never granted anything.");
}

#[test]
fn an_account_shows_what_is_there_and_where_the_rest_went() {
    insta::assert_snapshot!(render(json!({"account": account()})), @r"
    bo@example.com has 5 credits available.
      came in   10 granted, 1 refunded
      went out  2 posted, 1 held, 3 expired, 0 revoked
      aliases   bo@work.example

    Lots, in the order in which they are spent:
      left  granted  expires               grant
         1        4  2026-12-31 00:00 UTC  dues-2026-bo
         4        6  never                 patron
    ");
}

#[test]
fn accounts_are_listed_with_the_way_to_the_next_ones() {
    let other = with_changes(
        account(),
        json!({"account": "acme-ltd", "available": 100, "aliases": []}),
    );
    let view = json!({"schema": 1, "accounts": [other, account()], "next": "bo@example.com"});
    insta::assert_snapshot!(render(json!({"accounts": view})), @r"
    The first 2 accounts; there are more:

      account         available  held  posted  aliases
      acme-ltd              100     1       2
      bo@example.com          5     1       2  bo@work.example

    There are more: maitred account list --after bo@example.com
    ");
    let view = json!({"schema": 1, "accounts": [], "next": null});
    insta::assert_snapshot!(render(json!({"accounts": view})), @"No account matches. `maitred credits grant` opens an account.");
}

#[test]
fn a_statement_has_the_balance_and_the_entries() {
    let balance = with_changes(account(), json!({"lots": [], "aliases": []}));
    let view = json!({
        "schema": 1,
        "account": "bo@example.com",
        "entries": entries(),
        "balance": balance,
    });
    insta::assert_snapshot!(render(json!({"statement": view})), @r"
    bo@example.com has 5 credits available.
      came in   10 granted, 1 refunded
      went out  2 posted, 1 held, 3 expired, 0 revoked

    Entries, newest first:
      no.  at                       kind     credits  description
       12  2026-11-30 10:00:05 UTC  hold           1  set aside for “Book club: Dune”
        3  2026-11-01 08:00:00 UTC  decided           confirm
    ");
}

#[test]
fn an_erasure_names_the_pseudonym_and_both_heads() {
    let view = json!({
        "schema": 1,
        "pseudonym": "erased-1a2b3c4d",
        "changed_commits": 12,
        "open_charges": 1,
        "sequence": 41,
        "hash": "9ef92ec4",
        "replaced_sequence": 40,
        "replaced_hash": "0f492dd5",
    });
    insta::assert_snapshot!(render(json!({"erasure": view})), @r"
    The person is now erased-1a2b3c4d: 12 commits were changed, and all sums are the same.
    1 open charge of the person continues under the pseudonym.
    The log was written again. Its head is commit 41, 9ef92ec4; before, commit 40 had the hash 0f492dd5.
    Backups that were made before still hold the person's data.
    ");
}
