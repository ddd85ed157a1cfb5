//! Exports members' credits as rows that an import reads back.

use super::{accounts, parse};
use crate::control::protocol::account::{CreditsExportView, ExportRow};
use crate::control::protocol::{CommandResult, Refusal, SCHEMA};
use crate::daemon::views;
use crate::domain::account::Account;
use crate::domain::lot::Lot;
use crate::domain::time::Time;
use crate::store::port::Store;

/// Most accounts in one answer: with the most lots that each may have, the answer still fits.
const MAX_ACCOUNTS: u32 = 1_000;

/// Returns a row for each grant of which something is left. Each row has the grant's reference, so
/// that a ledger counts the row only once, and the ledger that the row came from refuses it if a
/// part of the grant was spent.
pub fn export_rows(
    store: &dyn Store,
    now: Time,
    after: Option<&str>,
    limit: u32,
) -> Result<CommandResult, Refusal> {
    let (accounts, next) = accounts::read_page(store, after, limit.min(MAX_ACCOUNTS))?;
    let mut view = CreditsExportView {
        schema: SCHEMA,
        rows: Vec::new(),
        accounts: 0,
        empty: 0,
        next,
    };
    for account in &accounts {
        let before = view.rows.len();
        for lot in account.lots.iter().filter(|lot| lot.is_spendable(now)) {
            view.rows.push(export_row(store, account, lot)?);
        }
        if view.rows.len() > before {
            view.accounts += 1;
        } else {
            view.empty += 1;
        }
    }
    Ok(CommandResult::CreditsExport(view))
}

fn export_row(store: &dyn Store, account: &Account, lot: &Lot) -> Result<ExportRow, Refusal> {
    let grant_record = store
        .grant_record(&lot.grant)
        .map_err(|e| parse::store_failed(&e))?;
    Ok(ExportRow {
        account: account.id.to_string(),
        credits: lot.remaining,
        expires: lot.expires.map(views::format_time),
        reason: grant_record.map_or_else(String::new, |given| given.reason),
        reference: lot.grant.to_string(),
        tier: account.tier.clone(),
        tags: account.tags.iter().cloned().collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::import::ImportMode;
    use super::super::test_fixtures::{grant_credits, now, store_with_credits};
    use super::super::{credits, import, members};
    use super::*;
    use crate::control::protocol::account::AccountSetCommand;
    use crate::control::protocol::credits::{GrantCommand, ImportRow, RevokeCommand};
    use crate::domain::time::Span;
    use crate::store::memory::MemoryStore;

    /// Returns all pages of an export, with one account on each page.
    fn export_all(store: &MemoryStore) -> CreditsExportView {
        let mut after = None;
        let mut all: Option<CreditsExportView> = None;
        loop {
            let Ok(CommandResult::CreditsExport(page)) =
                export_rows(store, now(), after.as_deref(), 1)
            else {
                panic!("it is no export");
            };
            after.clone_from(&page.next);
            let all = all.get_or_insert(CreditsExportView {
                rows: Vec::new(),
                accounts: 0,
                empty: 0,
                ..page.clone()
            });
            all.rows.extend(page.rows);
            all.accounts += page.accounts;
            all.empty += page.empty;
            all.next = page.next;
            if after.is_none() {
                return all.clone();
            }
        }
    }

    fn rows_to_import(view: &CreditsExportView) -> Vec<ImportRow> {
        let rows = view.rows.iter().zip(2..);
        rows.map(|(row, line)| ImportRow {
            line,
            account: row.account.clone(),
            credits: row.credits,
            expires: row.expires.clone(),
            reason: Some(row.reason.clone()),
            reference: row.reference.clone(),
            tier: row.tier.clone(),
            tags: row.tags.clone(),
            aliases: Vec::new(),
            attributes: Default::default(),
        })
        .collect()
    }

    /// Bo with two grants, one partly spent; Al with a tier and tags; Cy with nothing left.
    fn store_with_members() -> MemoryStore {
        let mut store = store_with_credits(5);
        let revocation = |account: &str, credits| RevokeCommand {
            account: account.to_owned(),
            credits,
            reason: None,
            reference: Some(format!("taken-{account}")),
        };
        credits::revoke(&mut store, now(), &revocation("bo@example.com", 2)).expect("revoked");
        let more = GrantCommand {
            new: true,
            account: "bo@example.com".to_owned(),
            credits: 4,
            expires: Some(views::format_time(now() + Span::days(30))),
            reason: Some("autumn, \"term\"".to_owned()),
            reference: Some("g2".to_owned()),
            ..GrantCommand::default()
        };
        credits::grant(&mut store, now(), &more).expect("granted");
        grant_credits(&mut store, "al@example.com", 1, "g3");
        let gold = AccountSetCommand {
            account: "al@example.com".to_owned(),
            tier: Some("gold".to_owned()),
            tags: vec!["a".to_owned(), "b".to_owned()],
            ..AccountSetCommand::default()
        };
        members::set_attributes(&mut store, now(), &gold).expect("described");
        grant_credits(&mut store, "cy@example.com", 1, "g4");
        credits::revoke(&mut store, now(), &revocation("cy@example.com", 1)).expect("revoked");
        store
    }

    #[test]
    fn an_import_reads_an_export_back_once() {
        let club = store_with_members();
        let view = export_all(&club);
        assert_eq!((view.rows.len(), view.accounts, view.empty), (3, 2, 1));
        let rows = rows_to_import(&view);
        let mut other = MemoryStore::new();
        for (granted, described) in [(3, 1), (0, 0)] {
            let Ok(CommandResult::Import(done)) =
                import::import(&mut other, now(), (&rows, &[]), ImportMode::Write)
            else {
                panic!("it is imported");
            };
            assert_eq!((done.granted, done.accounts_updated), (granted, described));
            assert_eq!(export_all(&other).rows, view.rows);
        }
        // To the ledger that it came from, a grant that is partly spent is a different grant.
        let mut club = club;
        let head = club.head();
        let refusal = import::import(&mut club, now(), (&rows, &[]), ImportMode::Write)
            .expect_err("not again");
        assert!(refusal.text.contains("\"g1\" was used"), "{refusal}");
        assert_eq!(club.head(), head);
    }

    #[test]
    fn rows_of_one_account_agree_about_it() {
        let row = |line, tier: &str, tags: &[&str]| ImportRow {
            line,
            account: "bo@example.com".to_owned(),
            credits: 1,
            expires: None,
            reason: None,
            reference: format!("r{line}"),
            tier: (!tier.is_empty()).then(|| tier.to_owned()),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            aliases: Vec::new(),
            attributes: Default::default(),
        };
        let rows = [
            (
                vec![
                    row(2, "gold", &[]),
                    row(3, "", &["a", "b"]),
                    row(4, "gold", &["b", "a"]),
                ],
                None,
            ),
            (
                vec![row(2, "gold", &[]), row(3, "iron", &[])],
                Some("line 3: line 2 gives"),
            ),
            (
                vec![row(2, "", &["a"]), row(3, "", &["b"])],
                Some("another list of tags"),
            ),
            (vec![row(2, "very gold", &[])], Some("line 2: the tier")),
        ];
        for (rows, expect) in rows {
            let mut store = MemoryStore::new();
            let done = import::import(&mut store, now(), (&rows, &[]), ImportMode::Write);
            match (done, expect) {
                (Ok(_), None) => {
                    let view = export_all(&store);
                    assert!(
                        view.rows
                            .iter()
                            .all(|row| row.tier.as_deref() == Some("gold"))
                    );
                    assert!(view.rows.iter().all(|row| row.tags == ["a", "b"]));
                }
                (Err(refusal), Some(expect)) => {
                    assert!(refusal.text.contains(expect), "{refusal}");
                    assert_eq!(store.head().seq, 0);
                }
                (done, expect) => panic!("{done:?} is not {expect:?}"),
            }
        }
    }
}
