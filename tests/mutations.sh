#!/bin/bash
# Proves that the tests bite. Each row breaks one line of the sources, and a test must fail. All
# breakages are built into one copy of the sources, and each run of a test asks for one of them:
#
#   tests/mutations.sh [ROW...]        all rows, or those numbers
#
# A row is: who catches it | file | what stands there | what is put there, with `M` for the question
# whether this row is asked for. `\|` is a bar within a text, `\n` a new line. A text that does not
# stand there exactly once is an error, so that no row silently breaks nothing. Who catches it is what
# is run: `sim` is the simulation of every seed, until the first fails; anything else are arguments
# of `cargo test`. All is built for release, in which a second runs some hundred seeds. First comes the
# control: nothing is asked for, and everything passes.
#
#   MAITRED_SEEDS=N     seeds a simulation may take (20000, also for the control)
#   MAITRED_TREE=DIR    where the copy is built, and kept for the next time (default: target/mutations)
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
tree=${MAITRED_TREE:-$root/target/mutations}
# Not the sources' own: cargo would take the broken sources' output for its own.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$tree/target} RUST_BACKTRACE=0 MAITRED_ENOUGH=1
seeds=${MAITRED_SEEDS:-20000}
mapfile -t rows <<'ROWS'
sim|src/domain/intent.rs|        return Next::Call(booking.clone());|        if M { return Next::Unclear; }\n        return Next::Call(booking.clone());
sim|src/domain/intent.rs|(Sight::Accepted, Some(_)) => facts.push(Fact::Post {|(Sight::Accepted, Some(_)) if !M => facts.push(Fact::Post {
--lib domain::tests|src/domain/intent.rs|            if accepted(&booking) {|            if accepted(&booking) && !M {
--lib domain::tests|src/domain/intent.rs|            Status::Pending if booking.rescheduled_to.is_some() => Self::Cancelled,|            Status::Pending if booking.rescheduled_to.is_some() && M => Self::Accepted,\n            Status::Pending if booking.rescheduled_to.is_some() => Self::Cancelled,
sim|src/domain/intent.rs|            Sight::Unread \| Sight::OtherStatus => unread = true,|            Sight::Unread \| Sight::OtherStatus => unread = !M,
sim|src/domain/intent.rs|    if surplus > 0 {|    if surplus > 0 && !M {
sim|src/domain/intent.rs|(Self::Pending, Some(CallKind::Cancel)) if booking.end <= now => Self::Over,|(Self::Pending, Some(CallKind::Cancel)) if booking.end <= now && !M => Self::Over,
sim|src/domain/ledger/charging.rs|        account.totals.held += credits;|        account.totals.held += credits;\n        account.totals.granted += u64::from(M);
sim|src/domain/ledger/charging.rs|        account.totals.held -= credits;|        account.totals.held -= if M { 0 } else { credits };
sim|src/domain/ledger/charging.rs|    charge.state = ChargeState::Void;|    charge.state = if M { ChargeState::Held } else { ChargeState::Void };
sim|src/domain/ledger/charging.rs|    old.state = ChargeState::Moved { to: to.uid.clone() };|    old.state = if M { ChargeState::Final } else { ChargeState::Moved { to: to.uid.clone() } };
sim|src/domain/ledger/charging.rs|            Some(there) => there.credits += part.credits,|            Some(_) if M => {}\n            Some(there) => there.credits += part.credits,
sim|src/domain/ledger/charging.rs|        charge.state = ChargeState::Refunded;|        charge.state = if M { ChargeState::Open } else { ChargeState::Refunded };
--lib domain::tests::ledgers|src/domain/ledger.rs|    holds_ended(records, &record)?;|    if !M { holds_ended(records, &record)?; }
sim|src/domain/ledger.rs|    account.version += 1;|    account.version += u64::from(!M);
sim|src/domain/purse.rs|let credits = missing.min(*left);|let credits = if M { missing } else { missing.min(*left) };
sim|src/domain/account.rs|        self.expires.is_none_or(|        M \|\| self.expires.is_none_or(
sim|src/domain/watch.rs|    if case.now < end {|    if case.now < end && !M {
sim|src/domain/watch.rs|    if booking.absent_host {|    if booking.absent_host && !M {
sim|src/domain/watch.rs|forgive\| case.forgiven < forgive.times|forgive\| case.forgiven < forgive.times + u32::from(M)
sim|src/domain/watch.rs|\|updated\| updated.min(now))|\|updated\| if M { now } else { updated.min(now) })
sim|src/domain/watch.rs|        Status::Cancelled if !declined(case) =>|        Status::Cancelled if !declined(case) \|\| M =>
--lib domain::tests::moves|src/domain/watch.rs|    if case.taken_over {|    if case.taken_over && !M {
--lib domain::tests::moves|src/domain/watch/moved.rs|Some(own) if own.state == ChargeState::Held => {|Some(own) if own.state == ChargeState::Held && !M => {
sim|src/domain/watch/moved.rs|    if paid > cost {|    if paid > cost && !M {
--lib domain::tests::moves|src/domain/watch/moved.rs|        Some(own) if other(&own) && stands(own) => {|        Some(own) if other(&own) && stands(own) && !M => {
sim|src/domain/refund.rs|expires <= at)|(expires <= at) != M)
sim|src/domain/refund.rs|        if expired && given.kind != GivenKind::Restored {|        if expired && (M \|\| given.kind != GivenKind::Restored) {
--test refunds|src/domain/refund.rs|                    *back = parts;|                    if !M { *back = parts; }
sim|src/domain/watch/cancelled.rs|    let credits = by_notice.min(paid.saturating_sub(keeps));|    let credits = by_notice.min(if M { paid } else { paid.saturating_sub(keeps) });
--test refunds|src/reconcile/chain.rs|        start = one.start;|        start = if M { start } else { one.start };
--test refunds|src/domain/ledger.rs|            && !settles(&request)|            && !settles(&request)\n            && !M
--test refunds|src/domain/intent.rs|    let costs = request.credits.max(request.keeps);|    let costs = if M { request.credits } else { request.credits.max(request.keeps) };
sim|src/domain/ledger/charging.rs|    successor.terms.clone_from(&old.terms);|    if !M { successor.terms.clone_from(&old.terms); }
sim|src/domain/terms.rs|        self.start - self.at|        self.start - if M { self.start } else { self.at }
sim|src/domain/terms.rs|        if host == Some(by) \|\| hosts|        if host == Some(by) && !M \|\| hosts
sim|src/domain/terms.rs|            Who::Host if self.trust_named_cancels => self.host_cancels,|            Who::Host if self.trust_named_cancels \|\| M => self.host_cancels,
sim|src/domain/request.rs|            (Some(terms), _) => Cow::Borrowed(terms.as_ref()),|            (Some(terms), _) if !M => Cow::Borrowed(terms.as_ref()),\n            (Some(_), Some(gate)) => Cow::Borrowed(&gate.terms.refunds),\n            (Some(_), None) => Cow::Owned(RefundTerms::default()),
sim|src/domain/watch.rs|            HostAbsent::Review if case.charge.credits() > 0 =>|            HostAbsent::Review if case.charge.credits() > 0 && !M =>
--lib domain::terms|src/domain/terms.rs|.find(\|window\| notice >= window.before)|.find(\|window\| notice > window.before \|\| notice == window.before && !M)
--lib domain::|src/domain/terms.rs|        .div_ceil(100)|        .div_ceil(if M { 99 } else { 100 })
sim|src/reconcile/watch/look.rs|            && let Some(series) = &booking.series|            && !M\n            && let Some(series) = &booking.series
sim|src/reconcile/watch/look.rs|                false\n            }\n        };|                if M {\n                    return Err(error.into());\n                }\n                false\n            }\n        };
--test watch|src/reconcile/watch/settle.rs|        if is_due {|        if is_due && !M {
--test store_model|src/store/overlay.rs|        let gone = \|uid: &BookingUid\| !joined.contains(uid);|        let gone = \|uid: &BookingUid\| !M && !joined.contains(uid);
sim|src/reconcile/watch/unmanaged.rs|.is_some_and(\|since\| booking.created < since)|.is_some_and(\|since\| (booking.created < since) != M)
sim|src/reconcile/watch/unmanaged.rs|        Ok(Reading::Is(now)) if now.status == Status::Accepted => {|        Ok(Reading::Is(now)) if now.status == Status::Accepted \|\| M => {
sim|src/reconcile/watch/unmanaged.rs|                Before::Open(_) \| Before::Undecided \| Before::Hidden \| Before::Unread => continue,|                Before::Open(_) \| Before::Unread if M => {}\n                Before::Open(_) \| Before::Undecided \| Before::Hidden \| Before::Unread => continue,
sim|src/reconcile/watch/unmanaged.rs|                Before::Hidden if watched.audit && seen.is_whole() => {}|                Before::Hidden if M \|\| watched.audit && seen.is_whole() => {}
--test pass what_replaced|src/reconcile/chain.rs|ChargeState::Held => Before::Undecided,|ChargeState::Held if M => Before::Nothing,\n                    ChargeState::Held => Before::Undecided,
--test rules hides_nobody|src/reconcile/observe.rs|    left.extend(crowded);|    if !M { left.extend(crowded); }
--test watch cannot_be_told|src/reconcile/watch/look.rs|            if !whole && !self.successors|            if !whole && !M && !self.successors
sim|src/reconcile/watch/settle.rs|    let last_gate = gate(chain.bookings.last()).or(first_gate);|    let last_gate = gate(chain.bookings.last()).or(if M { known() } else { first_gate });
--lib domain::tests::absences|src/domain/watch.rs|        NoShow::Keep \| NoShow::Review if case.charge.credits() == 0 => {|        NoShow::Keep \| NoShow::Review if case.charge.credits() == 0 && !M => {
sim|src/reconcile/watch.rs|            all.retain(\|charge\| charge.state == ChargeState::Open);|            all.retain(\|charge\| charge.state == ChargeState::Open && !M);
sim|src/reconcile/execute.rs|                expected.insert(account.clone(), *version);|                if !M { expected.insert(account.clone(), *version); }
sim|src/reconcile/execute.rs|            if let Some(found) = found_meanwhile(store, &expected)? {|            if let Some(found) = found_meanwhile(store, &expected)?.filter(\|_\| !M) {
sim|src/reconcile/execute.rs|                match store.commit(at, facts, &expected) {|                match store.commit(at, facts, if M { &[] } else { expected.as_slice() }) {
sim|src/reconcile/deliver/settle.rs|        touched.retain(\|id, _\| !richer.contains(id));|        touched.retain(\|id, _\| M \|\| !richer.contains(id));
sim|src/reconcile/deliver/settle.rs|        if version(store, &id)? == known {|        if version(store, &id)? == known \|\| M {
sim|src/reconcile/deliver.rs|                Some((Sight::Pending, at)) => {|                Some((sight, at)) if M \|\| *sight == Sight::Pending => {
sim|src/reconcile/deliver.rs|    (at + FRESH).max(now + ARRIVED).min(at + limits.max_observation_age)|    (at + FRESH * if M { 1000 } else { 1 }).max(now + ARRIVED).min(at + limits.max_observation_age * if M { 1000 } else { 1 })
--test pass an_end|src/reconcile/deliver/settle.rs|        Err(CommitError::Violation(_)) => {}|        Err(CommitError::Violation(_)) if !M => {}
sim|src/reconcile/sight.rs|                found.insert(booking.uid.clone(), (Sight::of_booking(booking), at));|                let sight = if M { Sight::Pending } else { Sight::of_booking(booking) };\n                found.insert(booking.uid.clone(), (sight, at));
sim|src/reconcile/pass.rs|    if dry_run {|    if dry_run && !M {
sim|src/domain/plan.rs|        purse.spend(&parts);|        if !M { purse.spend(&parts); }
--lib domain::tests::plans|src/domain/plan.rs|at_most.saturating_sub(snapshot.declined),|at_most.saturating_sub(if M { 0 } else { snapshot.declined }),
--lib domain::tests::plans_unsettled|src/domain/judge.rs|objection.unsettled && declines(objection);|objection.unsettled && !M && declines(objection);
--lib domain::tests::plans_unsettled|src/domain/plan/unsettled.rs|        held + spent + of(&self.taken_over) + carriable|        if M { 0 } else { held + spent + of(&self.taken_over) + carriable }
--test watch a_cancellation_in_good_time|src/reconcile/pass.rs|    plan.put_off(&checked.changed);|    if !M { plan.put_off(&checked.changed); }
--test watch a_decline_waits_while|src/reconcile/watch/recheck.rs|        if chain.end == ChainEnd::Unread {|        if chain.end == ChainEnd::Unread && !M {
--lib domain::tests::plans_unsettled|src/domain/judge/calendar.rs|    if over \|\| asked.bookings[0].start > asked.now {|    if M \|\| over \|\| asked.bookings[0].start > asked.now {
--lib domain::tests::plans_unsettled|src/domain/taken.rs|        (start - buffers.before, end + buffers.after)|        if M { (start, end) } else { (start - buffers.before, end + buffers.after) }
--test rules pins|src/reconcile/pin.rs|        if of_origin.count() >= MAX_WRONG {|        if of_origin.count() >= MAX_WRONG && !M {
--test rules pins|src/reconcile/pin.rs|        if self.known.contains(&own) {|        if self.known.contains(&own) && !M {
--test rules nobody_is_asked|src/domain/judge/people.rs|(Decision::Decline, AnswerTooMany::Once) if asked.told_before|(Decision::Decline, AnswerTooMany::Once) if asked.told_before && !M
sim|src/domain/plan.rs|        if self.is_begun(&group) {|        if self.is_begun(&group) && !M {
sim|src/domain/plan.rs|        if self.records(group).any(settled) {|        if self.records(group).any(settled) && !M {
sim|src/domain/plan/finish.rs|            facts.extend(hold);|            if !M { facts.extend(hold); }
sim|src/domain/plan/finish.rs|            Next::Call(booking) if due =>|            Next::Call(booking) if due != M =>
sim|src/domain/judge.rs|    if available >= to_hold {|    if available >= to_hold \|\| (M && available == 0) {
--lib store::|src/store/log/append.rs|            self.broken = true;\n            return Err(AppendError::Write {|            self.broken = !M;\n            return Err(AppendError::Write {
--test store_damage|src/store/log/walk.rs|        if sealed.prev == self.chain.hash {|        if sealed.prev == self.chain.hash \|\| M {
--lib domain::tests::intents|src/domain/intent.rs|(Self::Pending, Some(CallKind::Confirm)) if booking.start <= now => Self::Begun,|(Self::Pending, Some(CallKind::Confirm)) if booking.start <= now && !M => Self::Begun,
--test hostile_peers put_off_and_counted|src/domain/plan.rs|        self.steps.iter().filter(begins).filter(of).count()|        if M { 0 } else { self.steps.iter().filter(begins).filter(of).count() }
--lib cli::run|src/cli/run.rs|    let put_off = view.pass.put_off > 0 \|\| view.pass.unseen;|    let put_off = !M && (view.pass.put_off > 0 \|\| view.pass.unseen);
--test reach watch_did|src/daemon/local.rs|            ran.watched = Some(watched).filter(Watched::tells);|            ran.watched = Some(watched).filter(\|watched\| watched.tells() && !M);
--test deadlines slow_reading|src/reconcile/deliver.rs|            if start.is_some_and(\|start\| start <= now) {|            if start.is_some_and(\|start\| start <= now) && !M {
--lib domain::tests::intents|src/domain/intent.rs|pending.filter(\|_\| begun.is_none())|pending.filter(\|_\| begun.is_none() \|\| M)
--test deadlines unknown_status_of_an_intent|src/domain/plan/listing.rs|                Some(_) if is_listed(self.items(&booking.uid), code) => {|                Some(_) if is_listed(self.items(&booking.uid), code) && !M => {
--test deadlines unknown_status_of_a_charge|src/domain/watch/accepted.rs|        (Status::Accepted \| Status::AwaitingHost \| Status::Other(_), _) => None,|        (Status::Accepted \| Status::AwaitingHost \| Status::Other(_), _) if !M => None,\n        (Status::Accepted \| Status::AwaitingHost \| Status::Other(_), _) => Some("broken"),
--test deadlines waits_until_its_start|src/domain/plan.rs|                UnresolvedCode::Unanswered,|                if M { UnresolvedCode::Refused } else { UnresolvedCode::Unanswered },
--test deadlines before_a_restore|src/domain/plan/finish.rs|            _ if self.snapshot.restore_open => {|            _ if self.snapshot.restore_open && !M => {
--test watch moved_together|src/domain/judge.rs|        Effect::Decline if asked.moved_together => Effect::Review,|        Effect::Decline if asked.moved_together && !M => Effect::Review,
--test watch nobody_knows|src/domain/terms.rs|.position(\|moved\| self.percent_of_move(moved) < 100)|.position(\|moved\| (self.percent_of_move(moved) < 100) != M)
--test load clock|src/daemon/run.rs|        if back > SET_BACK {|        if back > SET_BACK && !M {
sim|src/domain/plan.rs|.find_map(\|booking\| self.taken.find(booking));|.find_map(\|booking\| self.taken.find(booking).filter(\|_\| !M));
--test pass a_full|src/reconcile/observe/accepted.rs|        if number >= MAX_ACCEPTED_PAGES {|        if number >= (if M { 20 } else { MAX_ACCEPTED_PAGES }) {
--test power_cut|src/store/log/segment.rs|        self.sync_data()|        if M { return Ok(()); }\n        self.sync_data()
--test power_cut|src/store/log/segment.rs|    let synced = File::open(&path).and_then(\|file\| file.sync_all());|    let synced = File::open(&path).and_then(\|file\| if M { Ok(()) } else { file.sync_all() });
--test power_cut|src/store/ground.rs|    disk::sync_up(path)?;|    if !M { disk::sync_up(path)?; }
--lib store::opened|src/store/log/append.rs|.and_then(\|()\| self.sink.sync())|.and_then(\|()\| self.sink.sync().or_else(\|error\| if M { Ok(()) } else { Err(error) }))
--test store_open|src/store/lock.rs|            Err(TryLockError::WouldBlock) => {|            Err(TryLockError::WouldBlock) if M => {}\n            Err(TryLockError::WouldBlock) => {
--test hostile_peers|src/calcom/http.rs|            if body.len() + chunk.len() > most {|            if body.len() + chunk.len() > most && !M {
--test calcom_client|src/http.rs|        .redirect(reqwest::redirect::Policy::none())|        .redirect(if M { reqwest::redirect::Policy::limited(5) } else { reqwest::redirect::Policy::none() })
--test hostile_peers|src/reconcile/observe/pending.rs|        if new.is_empty() && page.next.is_some() {|        if new.is_empty() && page.next.is_some() && !M {
--test hostile_peers|src/calcom/json.rs|        let left = self.left.get().checked_sub(bytes);|        let left = self.left.get().checked_sub(if M { 0 } else { bytes });
--test disk_faults read_only|src/store/disk.rs|    } else if kind == K::ReadOnlyFilesystem {|    } else if kind == K::ReadOnlyFilesystem && !M {
--test right_ledger init_only|src/daemon/serve.rs|open(&path, Create::No, now|open(&path, if M { Create::Yes } else { Create::No }, now
sim|src/domain/ledger_state.rs|        self.began.is_none_or(\|began\| created < began)|        !M && self.began.is_none_or(\|began\| created < began)
sim|src/domain/plan.rs|            Decision::Confirm \| Decision::Decline if self.snapshot.restore_open => {|            Decision::Confirm \| Decision::Decline if self.snapshot.restore_open && !M => {
sim|src/reconcile/watch.rs|    if ledger.restored.is_some() {|    if ledger.restored.is_some() && !M {
--test right_ledger restore|src/store/copy.rs|        mark_restored(&partial, &end, now)?;|        if !M { mark_restored(&partial, &end, now)?; }
--test right_ledger another|src/reconcile/identity.rs|                Some(ledger) if ledger == found => Ok(state),|                Some(ledger) if M \|\| ledger == found => Ok(state),
sim|src/reconcile/clock.rs|    (difference.abs() > MAX_DIFFERENCE).then_some(difference)|    (difference.abs() > MAX_DIFFERENCE && !M).then_some(difference)
--test right_ledger clocks|src/calcom/http.rs|        self.compare_clocks(response.headers(), (begun, self.now()));|        if !M { self.compare_clocks(response.headers(), (begun, self.now())); }
sim|src/store/handle.rs|            scratch: Some(Arc::default()),|            scratch: if M { None } else { Some(Arc::default()) },
--test reading no_trace|src/daemon/local.rs|    if route::writes(command) {|    if route::writes(command) \|\| M {
--test reading instant|src/store/lock.rs|        for _ in 0..ATTEMPTS {|        for _ in 0..(if M { 0 } else { ATTEMPTS }) {
--test reading restart|src/daemon/run/reload.rs|        if !fixed.is_empty() {|        if !fixed.is_empty() && !M {
--test reading spoken|src/cli/house.rs|        .then(\|\| socket_of(&context.global.config))|        .then(\|\| if M { None } else { socket_of(&context.global.config) })
--test reading root|src/daemon/ownership.rs|    me == 0 && owner != 0|    me == 0 && owner != 0 && !M
--lib domain::tests::disclosure|src/domain/judge/told.rs|objection.own \|\| !is_about_the_account(objection.code);|M \|\| objection.own \|\| !is_about_the_account(objection.code);
--lib domain::tests::disclosure|src/domain/judge/told.rs|            asked.account.is_some() && asked.pin == Some(Pin::Right)|            asked.account.is_some() && (M \|\| asked.pin == Some(Pin::Right))
--lib domain::criteria::opening|src/domain/criteria/opening.rs|            Some(until) if until > at => at = until,|            Some(until) if until > at && !M => at = until,
--lib domain::rule::words|src/domain/rule/words.rs|    LocaleCanonicalizer::new_extended().canonicalize(&mut locale);|    if !M { LocaleCanonicalizer::new_extended().canonicalize(&mut locale); }
--lib domain::rule::tests::templates|src/domain/rule/template/context.rs|Value::Text(of) => Shown::from(harmless(of, room.texts)),|Value::Text(of) if M => Shown::from(of),\n        Value::Text(of) => Shown::from(harmless(of, room.texts)),
--test unresolved accepted_again|src/domain/watch/accepted.rs|        Some(ChargeState::Moved { .. } \| ChargeState::Void \| ChargeState::Refunded) \| None => {}|        Some(ChargeState::Refunded) if M => return Accepted::Settled,\n        Some(ChargeState::Moved { .. } \| ChargeState::Void \| ChargeState::Refunded) \| None => {}
--test unresolved tried_again|src/reconcile/watch/cancel.rs|            Status::Accepted \| Status::AwaitingHost \| Status::Other(_) => None,|            Status::Accepted if M => Some(Outcome::Superseded),\n            Status::Accepted \| Status::AwaitingHost \| Status::Other(_) => None,
--test unresolved whoever_looks_first|src/reconcile/watch/look.rs|        if !stands(self) && !self.pending_listed {|        if !stands(self) && !self.pending_listed && !M {
--test unresolved found_by_the_next_watch|src/reconcile/watch.rs|        seen.list(ports, &made, &mut watched.problems).await?;|        if !M { seen.list(ports, &made, &mut watched.problems).await?; }
--lib domain::tests::intents|src/domain/booking.rs|        self.cancelled_by.is_some() \|\| |        (self.cancelled_by.is_some() && !M) \|\| 
--lib domain::rule::tests::holds|src/domain/rule/answers.rs|        (Answer::Text(text), _) if text.trim().is_empty() => None,|        (Answer::Text(text), _) if text.trim().is_empty() && !M => None,
--lib domain::id|src/domain/id.rs|        Some((local, domain)) => format!("{local}@{}", domain_form(domain)),|        Some((local, domain)) if !M => format!("{local}@{}", domain_form(domain)),\n        Some(_) => composed.into_owned(),
--test unanswered|src/domain/intent.rs|        if let Some(until) = running {|        if let Some(until) = running.filter(\|_\| !M) {
--test unanswered|src/domain/intent.rs|        Decision::Confirm => !accepted,|        Decision::Confirm => !accepted && !M,
--lib store::sent|src/store/sent.rs|            None => Some(kept(now)),|            None if M => None,\n            None => Some(kept(now)),
--test unanswered crash|src/reconcile/deliver.rs|        let marked = mark(&self.ports, ids, Some((self.ports.clock)())).await;|        let marked = mark(&self.ports, if M { Vec::new() } else { ids }, Some((self.ports.clock)())).await;
--test unanswered two_seconds|src/reconcile/deliver.rs|                Some(Reading::Until(until)) if now <= until => calls.push((n, in_time(until))),|                Some(Reading::Until(until)) if now <= until \|\| M => calls.push((n, if M { now + self.limits.max_observation_age } else { until })),
--test unanswered unknown_status|src/domain/intent.rs|            Status::AwaitingHost \| Status::Other(_) => Self::OtherStatus,|            Status::AwaitingHost \| Status::Other(_) if M => Self::Gone,\n            Status::AwaitingHost \| Status::Other(_) => Self::OtherStatus,
--test unanswered time_after_time|src/domain/intent.rs|    refused.count() >= MAX_REFUSALS|    refused.count() >= MAX_REFUSALS && !M
ROWS
unescape() { local text=${1//$'\x01'/|}; text=${text//\\n/$'\n'}; printf '%s' "${text}x"; }
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
sources() {
  cp -r "$root"/{Cargo.toml,Cargo.lock,clippy.toml,config.toml,src,tests,benches} "$stage"
  cat >>"$stage/src/lib.rs" <<'RUST'
/// Whether this breakage is asked for: in a file, for what tests start has an environment of its own.
pub fn mutant(number: u32) -> bool {
    static ASKED: std::sync::OnceLock<Option<u32>> = std::sync::OnceLock::new();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/mutant");
    let asked = || std::fs::read_to_string(file).ok()?.trim().parse().ok();
    *ASKED.get_or_init(asked) == Some(number)
}
RUST
}
sources
whats=()
files=()
texts=()
for n in "${!rows[@]}"; do
  row=$((n + 1))
  line=${rows[$n]//\\|/$'\x01'}
  IFS='|' read -r by file from to <<<"$line"
  FROM=$(unescape "$from") TO=$(unescape "$to")
  FROM=${FROM%x} TO=${TO%x} MUTANT="crate::mutant($row)"
  export FROM TO MUTANT
  perl -0pi -e '$n = () = /\Q$ENV{FROM}\E/g; ($to = $ENV{TO}) =~ s/\bM\b/$ENV{MUTANT}/g;
    s/\Q$ENV{FROM}\E/$to/; END { exit($n == 1 ? 0 : 1) }' "$stage/$file" ||
    { echo "$row: $file: does not stand there once: $from"; exit 2; }
  [ "$by" = sim ] && by="--test simulation every_seed"
  whats+=("$by") files+=("$file") texts+=("${from:0:60}")
done
# What is as it was keeps its time, so that cargo does not build it again.
mkdir -p "$tree"
(cd "$stage" && find . -type f -print0) | while IFS= read -r -d '' file; do
  cmp -s "$stage/$file" "$tree/$file" || { mkdir -p "$(dirname "$tree/$file")"; cp "$stage/$file" "$tree/$file"; }
done
log=$tree/log
asked() { [ $# -eq 1 ] || [[ " ${*:2} " == *" $1 "* ]]; }
# run ROW TEST...: 0 passed, 1 a test failed, 3 it hung; anything else is no answer.
run() {
  echo "$1" >"$tree/mutant"
  # shellcheck disable=SC2086
  (cd "$tree" && timeout 1800 cargo test --release $2) >"$log" 2>&1
  local ended=$?
  [ "$ended" -eq 0 ] && return 0
  [ "$ended" -eq 124 ] && return 3
  grep -q '^test result: FAILED' "$log" && return 1
  return 2
}
mapfile -t kinds < <(for n in "${!rows[@]}"; do
  asked $((n + 1)) "$@" && echo "${whats[$n]}"
done | sort -u)
# As many seeds as the breakages get: none of them may be one that fails anyway.
export MAITRED_SEEDS=$seeds
for what in "${kinds[@]}"; do
  run 0 "$what" || { echo "control: $what fails, see $log"; exit 2; }
done
echo "control: all pass"
survived=0 caught=0
for n in "${!rows[@]}"; do
  row=$((n + 1))
  asked "$row" "$@" || continue
  run "$row" "${whats[$n]}"
  case $? in
    0)
      echo "$row | ${files[$n]} | ${texts[$n]} | SURVIVED ${whats[$n]}"
      survived=$((survived + 1))
      continue
      ;;
    1)
      tests=$(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$log" | head -1)
      seed=$(sed -n 's/^seed \([0-9]*\): .*/\1/p' "$log" | head -1)
      ;;
    3) tests="a hang of 30 minutes" seed= ;;
    *) echo "$row: ${whats[$n]} did not run, see $log"; exit 2 ;;
  esac
  echo "$row | ${files[$n]} | ${texts[$n]} | caught by ${tests:-a test}${seed:+, seed $seed}"
  caught=$((caught + 1))
done
echo 0 >"$tree/mutant"
echo "$caught caught, $survived survived"
[ "$survived" -eq 0 ]
