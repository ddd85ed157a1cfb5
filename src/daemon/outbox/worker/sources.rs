//! What a worker delivers, in this order: states of the process, the facts after the cursor, and what
//! became due by the passing of time.

use super::{Stop, TargetWorker, time};
use crate::daemon::outbox::ledger_reads::{self, FactPage, PageItem, PageQuery};
use crate::domain::notification::event::{Notification, NotificationContent};
use crate::domain::notification::from_facts::is_news_of_low_balance;
use crate::domain::notification::from_time::{DueWindow, credits_expiring, review_waiting};
use crate::domain::notification::kind::NotificationKind;
use crate::domain::time::{Span, Time};
use crate::notify::event_id::{account_pseudonym, event_id};
use crate::notify::target_state::ExpiringScan;
use crate::store::port::Store;
use crate::store::store_thread::StoreHandle;

/// How often all accounts are examined for credits that expire.
const EXPIRY_INTERVAL: Span = Span::hours(1);

/// The prefixes of the ids in `TargetState::handled_states`.
const CONDITION: &str = "condition:";
const REVIEW: &str = "review:";
const EXPIRING: &str = "expiring:";

impl TargetWorker {
    /// Delivers what is due, until nothing is left or a delivery fails.
    pub(super) async fn try_deliver(&mut self, store: &StoreHandle) -> Result<(), Stop> {
        self.deliver_conditions().await?;
        self.deliver_facts(store).await?;
        if self.target.settings.wants(NotificationKind::ReviewWaiting) {
            self.deliver_waiting_reviews(store).await?;
        }
        if self
            .target
            .settings
            .wants(NotificationKind::CreditsExpiring)
        {
            self.deliver_expiring(store).await?;
        }
        Ok(())
    }

    /// Delivers what there is to tell about states of the process.
    pub(super) async fn deliver_conditions(&mut self) -> Result<(), Stop> {
        let (terms, now) = (self.target.settings.terms, (self.context.clock)());
        let due = self.context.conditions.due(&terms, now);
        let ids: Vec<String> = due
            .iter()
            .map(|one| self.state_key(CONDITION, one))
            .collect();
        self.state
            .handled_states
            .retain(|key| !key.starts_with(CONDITION) || ids.contains(key));
        self.deliver_states(CONDITION, &due).await
    }

    /// Delivers the notifications of the facts after the cursor.
    async fn deliver_facts(&mut self, store: &StoreHandle) -> Result<(), Stop> {
        loop {
            let query = PageQuery {
                cursor: self.state.cursor,
                handled_fact: self.state.handled_fact,
                kinds: self.target.settings.kinds.clone(),
                receives_facts: self.target.settings.receives_facts(),
                low_balance: self.target.settings.terms.low_balance,
                now: (self.context.clock)(),
            };
            let read = store.read(move |store: &dyn Store| ledger_reads::read_page(store, &query));
            let page: FactPage = read.await?;
            for item in page.items {
                self.handle_item(item).await?;
            }
            if page.last > self.state.cursor {
                self.state.cursor = page.last;
                self.state.handled_fact = None;
                // Without it the same commits would be read again, and nothing sent again.
                self.save(false);
            }
            if page.is_end {
                return Ok(());
            }
        }
    }

    async fn handle_item(&mut self, item: PageItem) -> Result<(), Stop> {
        let (seq, index, notification) = match item {
            PageItem::EnoughCredits(account) => {
                let pseudonym = account_pseudonym(&self.context.ledger, account.as_str());
                self.state.told_of_low_balance.remove(&pseudonym);
                return Ok(());
            }
            PageItem::Notify {
                seq,
                index,
                notification,
            } => (seq, index, notification),
        };
        let low_balance = match &notification.content {
            NotificationContent::LowBalance { member, before, .. } => {
                let account = member.account.as_str();
                Some((account_pseudonym(&self.context.ledger, account), *before))
            }
            _ => None,
        };
        let is_news = low_balance.as_ref().is_none_or(|(pseudonym, before)| {
            let was_told = self.state.told_of_low_balance.contains(pseudonym);
            let threshold = self.target.settings.terms.low_balance;
            is_news_of_low_balance(*before, threshold, was_told)
        });
        if is_news {
            self.deliver(&notification).await?;
        }
        if let Some((pseudonym, _)) = low_balance {
            self.state.remember_low_balance(pseudonym);
        }
        self.state.cursor = seq - 1;
        self.state.handled_fact = Some(index);
        self.save(is_news);
        Ok(())
    }

    async fn deliver_waiting_reviews(&mut self, store: &StoreHandle) -> Result<(), Stop> {
        let now = (self.context.clock)();
        let Some(window) = window(self.state.reviews_until, now) else {
            return Ok(());
        };
        let read = store.read(move |store: &dyn Store| ledger_reads::read_reviews(store, now));
        let requests = read.await?;
        let terms = self.target.settings.terms;
        let due = requests.iter();
        let due = due.filter_map(|request| review_waiting(request, &terms, window));
        let due: Vec<Notification> = due.collect();
        self.deliver_states(REVIEW, &due).await?;
        self.state.reviews_until = now.timestamp_millis();
        self.forget_states(REVIEW);
        if !due.is_empty() {
            self.save(true);
        }
        Ok(())
    }

    /// Examines all accounts, in pages. An examination that is interrupted continues.
    async fn deliver_expiring(&mut self, store: &StoreHandle) -> Result<(), Stop> {
        let now = (self.context.clock)();
        let begun = self.state.expiring_scan.as_ref();
        let (until, mut after) = match begun {
            Some(scan) => (time(scan.until).unwrap_or(now), scan.after.clone()),
            None => (now, String::new()),
        };
        let Some(window) = window(self.state.expiring_until, until) else {
            return Ok(());
        };
        if begun.is_none() && window.until - window.after < EXPIRY_INTERVAL {
            return Ok(());
        }
        loop {
            let from = after.clone();
            let read =
                store.read(move |store: &dyn Store| ledger_reads::read_accounts(store, &from));
            let accounts = read.await?;
            let Some(last) = accounts.last() else { break };
            after = last.id.as_str().to_owned();
            let terms = self.target.settings.terms;
            let due = accounts.iter();
            let due = due.flat_map(|account| credits_expiring(account, &terms, window));
            let due: Vec<Notification> = due.collect();
            self.deliver_states(EXPIRING, &due).await?;
            self.forget_states(EXPIRING);
            self.state.expiring_scan = Some(ExpiringScan {
                until: until.timestamp_millis(),
                after: after.clone(),
            });
            self.save(!due.is_empty());
        }
        self.state.expiring_until = until.timestamp_millis();
        self.state.expiring_scan = None;
        self.save(true);
        Ok(())
    }

    /// Delivers notifications about states, without those that were delivered already.
    async fn deliver_states(
        &mut self,
        prefix: &str,
        notifications: &[Notification],
    ) -> Result<(), Stop> {
        for notification in notifications {
            let key = self.state_key(prefix, notification);
            if self.state.handled_states.contains(&key)
                || !self.target.settings.wants(notification.kind())
            {
                continue;
            }
            self.deliver(notification).await?;
            self.state.handled_states.insert(key);
            self.save(true);
        }
        Ok(())
    }

    fn forget_states(&mut self, prefix: &str) {
        let handled = &mut self.state.handled_states;
        handled.retain(|key| !key.starts_with(prefix));
    }

    fn state_key(&self, prefix: &str, notification: &Notification) -> String {
        format!("{prefix}{}", event_id(&self.context.ledger, notification))
    }
}

/// Returns the window since the last examination. `None`: the clock was set back.
fn window(after: i64, until: Time) -> Option<DueWindow> {
    let after = time(after)?;
    (after < until).then_some(DueWindow { after, until })
}
