#!/bin/bash
# Proves that the tests bite. Each row breaks one line of the sources, and a test must fail. All
# breakages are built into one copy of the sources, and each run of a test asks for one of them:
#
#   tests/mutations.sh [ROW|LABEL...]   all rows, or those with these numbers or labels
#   tests/mutations.sh --check          only looks whether each row still fits the sources
#
# A row is: labels | who catches it | file | what stands there | what is put there, with `M` for the
# question whether this row is asked for. `\|` is a bar within a text, `\n` a new line. A text that does
# not stand there exactly once is an error, so that no row silently breaks nothing. `cargo test --test
# tidy` looks for that too. Labels say what the row takes away: `P1` to `P18` a promise of
# docs/reliability.md, `A1` to `E11` the correction of a fault of 2026-11-30 (docs/reliability.md).
# Who catches it is what is run, and where several stand there (`;` between them), each of them must fail:
# `sim` is the simulation of every seed, until the first fails; anything else are arguments of `cargo
# test`. Only the tests that the asked rows need are built. First comes the control: nothing is asked
# for, and everything passes.
#
#   MAITRED_SEEDS=N       seeds a simulation may take (20000, also for the control)
#   MAITRED_TREE=DIR      where the copy is built, and kept for the next time (default: target/mutations)
#   MAITRED_PROFILE=NAME  `dev` builds quickly; `release` (default) runs some hundred seeds a second
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
tree=${MAITRED_TREE:-$root/target/mutations}
# Not the sources' own: cargo would take the broken sources' output for its own.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$tree/target} RUST_BACKTRACE=0 MAITRED_ENOUGH=1
# Nobody runs this build twice: it is built quickly rather than well.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
seeds=${MAITRED_SEEDS:-20000}
profile=${MAITRED_PROFILE:-release}
mapfile -t rows <<'ROWS'
P5 P6|sim|src/domain/intent.rs|        return Next::Call(booking.clone());|        if M { return Next::Unclear; }\n        return Next::Call(booking.clone());
P2|sim|src/domain/intent.rs|            (Some(_), None) => facts.push(Fact::Post {|            (Some(_), None) if M => {}\n            (Some(_), None) => facts.push(Fact::Post {
P2 P3|--lib domain::tests|src/domain/intent.rs|            if accepted(&booking) {|            if accepted(&booking) && !M {
A3 P5|--lib domain::tests|src/domain/intent.rs|            Status::Pending if booking.rescheduled_to.is_some() => Self::Cancelled,|            Status::Pending if booking.rescheduled_to.is_some() && M => Self::Accepted,\n            Status::Pending if booking.rescheduled_to.is_some() => Self::Cancelled,
P11|sim|src/domain/intent.rs|            Sight::Unread \| Sight::OtherStatus => unread = true,|            Sight::Unread \| Sight::OtherStatus => unread = !M,
P3|sim|src/domain/intent.rs|    if surplus > 0 {|    if surplus > 0 && !M {
P3|sim|src/domain/intent.rs|(Self::Pending, Some(CallKind::Cancel)) if booking.end <= now => Self::Over,|(Self::Pending, Some(CallKind::Cancel)) if booking.end <= now && !M => Self::Over,
P2|sim|src/domain/ledger/charging.rs|        account.totals.held += credits;|        account.totals.held += credits;\n        account.totals.granted += u64::from(M);
P2|sim|src/domain/ledger/charging.rs|        account.totals.held -= credits;|        account.totals.held -= if M { 0 } else { credits };
P2|sim|src/domain/ledger/charging.rs|    charge.state = ChargeState::Void;|    charge.state = if M { ChargeState::Held } else { ChargeState::Void };
P3|sim|src/domain/ledger/charging.rs|    old.state = ChargeState::Moved { to: to.uid.clone() };|    old.state = if M { ChargeState::Final } else { ChargeState::Moved { to: to.uid.clone() } };
P2|sim|src/domain/ledger/charging.rs|            Some(there) => there.credits += part.credits,|            Some(_) if M => {}\n            Some(there) => there.credits += part.credits,
P2|sim|src/domain/ledger/charging.rs|        charge.state = ChargeState::Refunded;|        charge.state = if M { ChargeState::Open } else { ChargeState::Refunded };
P2 P3|--lib domain::tests::ledgers|src/domain/ledger.rs|    holds_ended(records, &record)?;|    if !M { holds_ended(records, &record)?; }
P1|sim|src/domain/ledger.rs|    account.version += 1;|    account.version += u64::from(!M);
P1|sim|src/domain/account.rs|let credits = missing.min(*left);|let credits = if M { missing } else { missing.min(*left) };
P1|sim|src/domain/account.rs|        self.expires.is_none_or(|        M \|\| self.expires.is_none_or(
P3|sim|src/domain/watch.rs|    if case.now < end {|    if case.now < end && !M {
C10|sim|src/domain/watch.rs|    if booking.absent_host {|    if booking.absent_host && !M {
P3|sim|src/domain/watch.rs|forgive\| case.forgiven < forgive.times|forgive\| case.forgiven < forgive.times + u32::from(M)
P3|sim|src/domain/watch.rs|\|updated\| updated.min(now))|\|updated\| if M { now } else { updated.min(now) })
P3|sim|src/domain/watch.rs|        Status::Cancelled if !declined(case) =>|        Status::Cancelled if !declined(case) \|\| M =>
P3|--lib domain::tests::moves|src/domain/watch.rs|    if case.taken_over {|    if case.taken_over && !M {
P3|--lib domain::tests::moves|src/domain/watch/moved.rs|Some(own) if own.state == ChargeState::Held => {|Some(own) if own.state == ChargeState::Held && !M => {
P3|sim|src/domain/watch/moved.rs|    if paid > cost {|    if paid > cost && !M {
P3|--lib domain::tests::moves|src/domain/watch/moved.rs|        Some(own) if other(&own) && stands(own) => {|        Some(own) if other(&own) && stands(own) && !M => {
B6|--test refunds follows_one_rule; sim|src/domain/refund.rs|expires <= at)|(expires <= at) != M)
C3|--test refunds is_not_restored_again; sim|src/domain/refund.rs|        if expired && given.kind != GivenKind::Restored {|        if expired && (M \|\| given.kind != GivenKind::Restored) {
B6|--test refunds|src/domain/refund.rs|                    *back = parts;|                    if !M { *back = parts; }
C4 P17|--test refunds a_late_move_does_not; sim|src/domain/watch/cancelled.rs|    let credits = by_notice.min(paid.saturating_sub(keeps));|    let credits = by_notice.min(if M { paid } else { paid.saturating_sub(keeps) });
P17|--test refunds|src/reconcile/chain.rs|        start = one.start;|        start = if M { start } else { one.start };
B14|--test refunds|src/domain/ledger.rs|            && !settles(&request)|            && !settles(&request)\n            && !M
C4 P17|--test refunds|src/domain/intent.rs|    let costs = request.credits.max(request.keeps);|    let costs = if M { request.credits } else { request.credits.max(request.keeps) };
B15|--test watch later_edits; sim|src/domain/ledger/charging.rs|    successor.terms.clone_from(&old.terms);|    if !M { successor.terms.clone_from(&old.terms); }
B7 P17|sim|src/domain/terms.rs|        self.start - self.at|        self.start - if M { self.start } else { self.at }
C5|--lib domain::tests::claims; sim|src/domain/terms.rs|        if host == Some(by) \|\| hosts|        if host == Some(by) && !M \|\| hosts
C5|--lib domain::terms; sim|src/domain/terms.rs|            Who::Host if self.trust_named_cancels => self.host_cancels,|            Who::Host if self.trust_named_cancels \|\| M => self.host_cancels,
B15|--test watch later_edits; sim|src/domain/request.rs|            (Some(terms), _) => Cow::Borrowed(terms.as_ref()),|            (Some(terms), _) if !M => Cow::Borrowed(terms.as_ref()),\n            (Some(_), Some(gate)) => Cow::Borrowed(gate),\n            (Some(_), None) => Cow::Owned(RefundTerms::default()),
C10|--test watch an_absent_host; sim|src/domain/watch.rs|            HostAbsent::Review if case.charge.credits() > 0 =>|            HostAbsent::Review if case.charge.credits() > 0 && !M =>
P3|--lib domain::terms|src/domain/terms.rs|.find(\|window\| notice >= window.before)|.find(\|window\| notice > window.before \|\| notice == window.before && !M)
P3|--lib domain::|src/domain/terms.rs|        .div_ceil(100)|        .div_ceil(if M { 99 } else { 100 })
P3|sim|src/reconcile/watch/look.rs|            && let Some(series) = &booking.series|            && !M\n            && let Some(series) = &booking.series
P3|sim|src/reconcile/watch/look.rs|                false\n            }\n        };|                if M {\n                    return Err(error.into());\n                }\n                false\n            }\n        };
P3|--test watch|src/reconcile/watch/settle.rs|        if is_due {|        if is_due && !M {
P3|--test store_model|src/store/overlay.rs|        let gone = \|uid: &BookingUid\| !joined.contains(uid);|        let gone = \|uid: &BookingUid\| !M && !joined.contains(uid);
P12|sim|src/reconcile/watch/unmanaged.rs|let is_old = \|since: Time\| booking.created < since;|let is_old = \|since: Time\| (booking.created < since) != M;
P15|sim|src/reconcile/watch/unmanaged.rs|        Ok(Reading::Is(now)) if now.status == Status::Accepted => {|        Ok(Reading::Is(now)) if now.status == Status::Accepted \|\| M => {
P3|sim|src/reconcile/watch/unmanaged.rs|                Before::Open(..) \| Before::Hidden(_) \| Before::Unread => {|                Before::Open(..) \| Before::Unread if M => {}\n                Before::Open(..) \| Before::Hidden(_) \| Before::Unread => {
P3|sim|src/reconcile/watch/unmanaged.rs|Before::Hidden(_) if self.watched.audit && self.seen.is_whole() => {}|Before::Hidden(_) if M \|\| self.watched.audit && self.seen.is_whole() => {}
P7|--test simulation no_decision|src/domain/request.rs|                .all(\|reason\| reason.code != Code::Operator)|                .all(\|reason\| reason.code != Code::Operator && !(M && reason.text != "x"))
B10|sim|src/reconcile/watch/unmanaged.rs|                    && !self.is_accepted_by_others(booking).await? =>|                    && !self.is_accepted_by_others(booking).await?\n                    && !M =>
B10|--lib domain::tests::joined; sim|src/domain/watch/accepted.rs|            let sent = request.calls.is_empty() && request.call.is_some();|            let sent = request.calls.is_empty() && request.call.is_some() && !M;
B10 D1|--lib domain::tests::joined; sim|src/domain/watch/accepted.rs|    let was_there = ended.is_some_and(\|at\| booking.created <= at + CLOCK_TOLERANCE);|    let was_there = ended.is_some_and(\|at\| booking.created <= at + if M { Time::UNIX_EPOCH - Time::UNIX_EPOCH } else { CLOCK_TOLERANCE });
B5 P14|--test pass what_replaced|src/reconcile/chain.rs|ChargeState::Held => Before::Undecided,|ChargeState::Held if M => Before::Nothing,\n                    ChargeState::Held => Before::Undecided,
P11|--test rules hides_nobody|src/reconcile/observe.rs|    left.extend(crowded);|    if !M { left.extend(crowded); }
P11|--test watch cannot_be_told|src/reconcile/watch/look.rs|            if !whole && !stands(self) {|            if !whole && !M && !stands(self) {
P3|sim|src/reconcile/watch/settle.rs|    let last_gate = gate(chain.bookings.last()).or(first_gate);|    let last_gate = gate(chain.bookings.last()).or(if M { known() } else { first_gate });
P3|--lib domain::tests::absences|src/domain/watch.rs|        NoShow::Keep \| NoShow::Review if case.charge.credits() == 0 => {|        NoShow::Keep \| NoShow::Review if case.charge.credits() == 0 && !M => {
P3|sim|src/reconcile/watch.rs|            all.retain(\|charge\| charge.state == ChargeState::Open);|            all.retain(\|charge\| charge.state == ChargeState::Open && !M);
P1|sim|src/reconcile/execute.rs|                expected.insert(account.clone(), *version);|                if !M { expected.insert(account.clone(), *version); }
P1|sim|src/reconcile/execute.rs|            if let Some(found) = found_meanwhile(store, &expected)? {|            if let Some(found) = found_meanwhile(store, &expected)?.filter(\|_\| !M) {
P1|sim|src/reconcile/execute.rs|                match store.commit(at, facts, &expected) {|                match store.commit(at, facts, if M { &[] } else { expected.as_slice() }) {
P1|sim|src/reconcile/deliver/settle.rs|        touched.retain(\|id, _\| !richer.contains(id));|        touched.retain(\|id, _\| M \|\| !richer.contains(id));
P1|sim|src/reconcile/deliver/settle.rs|        if version(store, &id)? == known {|        if version(store, &id)? == known \|\| M {
P5|sim|src/reconcile/deliver.rs|                Some((Sight::Pending, seen)) => {|                Some((sight, seen)) if M \|\| *sight == Sight::Pending => {
A4 P5|--test unanswered two_seconds; sim|src/reconcile/deliver.rs|    (seen.asked + FRESH)\n        .max(seen.arrived + ARRIVED)\n        .min(seen.asked + limits.max_observation_age)|    (seen.asked + FRESH * if M { 1000 } else { 1 })\n        .max(seen.arrived + ARRIVED)\n        .min(seen.asked + limits.max_observation_age * if M { 1000 } else { 1 })
P3|--test pass an_end|src/reconcile/deliver/settle.rs|        Err(CommitError::Violation(_)) => {}|        Err(CommitError::Violation(_)) if !M => {}
P5|sim|src/reconcile/sight.rs|                    (Sight::of_booking(booking), ReadTimes { asked, arrived }),|                    (if M { Sight::Pending } else { Sight::of_booking(booking) }, ReadTimes { asked, arrived }),
P8|--test pass a_dry_run|src/reconcile/pass.rs|    if report.dry_run {|    if report.dry_run && !M {
P2|sim|src/domain/plan.rs|        preview.spend(&parts);|        if !M { preview.spend(&parts); }
C9|--lib domain::tests::plans|src/domain/plan.rs|.saturating_sub(snapshot.declined),|.saturating_sub(if M { 0 } else { snapshot.declined }),
B5 P14|--lib domain::tests::plans_unsettled|src/domain/judge.rs|objection.unsettled && declines(objection);|objection.unsettled && !M && declines(objection);
B5 P14|--lib domain::tests::plans_unsettled|src/domain/plan/unsettled.rs|        held + spent + of(&self.taken_over) + carriable|        if M { 0 } else { held + spent + of(&self.taken_over) + carriable }
B4 P14|--test watch a_decline_waits_while|src/reconcile/pass.rs|    report.put_off.requests += plan.put_off(&checked.unread);|    if !M { report.put_off.requests += plan.put_off(&checked.unread); }
B4 P14|--lib domain::tests::plans_unsettled|src/domain/plan.rs|    planner.plan.defer_behind_freed_charges();|    if !M { planner.plan.defer_behind_freed_charges(); }
B4 P14|--test unresolved a_decline_waits_while; sim|src/reconcile/watch/recheck.rs|        request.state == RequestState::Recorded && request.cancels_accepted()|        request.state == RequestState::Recorded && request.cancels_accepted() && !M
B4 P14|--test watch a_decline_waits_while|src/reconcile/watch/recheck.rs|        if chain.end == ChainEnd::Unread {|        if chain.end == ChainEnd::Unread && !M {
B11|--lib domain::tests::plans_unsettled|src/domain/judge/calendar.rs|    if over \|\| asked.bookings[0].start > asked.now {|    if M \|\| over \|\| asked.bookings[0].start > asked.now {
A6|--lib domain::tests::plans_unsettled|src/domain/taken.rs|        (start - buffers.before, end + buffers.after)|        if M { (start, end) } else { (start - buffers.before, end + buffers.after) }
C6|--test rules pins|src/reconcile/pin.rs|        if of_origin.count() >= MAX_WRONG {|        if of_origin.count() >= MAX_WRONG && !M {
C6|--test rules pins|src/reconcile/pin.rs|        if self.known.contains(&own) {|        if self.known.contains(&own) && !M {
C7|--test rules nobody_is_asked|src/domain/judge/people.rs|(Decision::Decline, AnswerTooMany::Once) if asked.told_before|(Decision::Decline, AnswerTooMany::Once) if asked.told_before && !M
P4|sim|src/domain/plan.rs|        if self.is_begun(&group) {|        if self.is_begun(&group) && !M {
P4|sim|src/domain/plan.rs|        if self.records(group).any(settled) {|        if self.records(group).any(settled) && !M {
P2|sim|src/domain/plan/finish.rs|            facts.extend(hold);|            if !M { facts.extend(hold); }
P4|sim|src/domain/plan/finish.rs|            Next::Call(booking) if due =>|            Next::Call(booking) if due != M =>
P2|sim|src/domain/judge.rs|    if available >= to_hold {|    if available >= to_hold \|\| (M && available == 0) {
P10|--lib store::|src/store/log/append.rs|            self.broken = true;\n            return Err(AppendError::Write {|            self.broken = !M;\n            return Err(AppendError::Write {
P9|--test store_damage|src/store/log/walk.rs|        if sealed.prev == self.chain.hash {|        if sealed.prev == self.chain.hash \|\| M {
B11|--lib domain::tests::intents|src/domain/intent.rs|(Self::Pending, Some(CallKind::Confirm)) if booking.start <= now => Self::Begun,|(Self::Pending, Some(CallKind::Confirm)) if booking.start <= now && !M => Self::Begun,
B11|--test deadlines slow_reading|src/reconcile/deliver.rs|            if start.is_some_and(\|start\| start <= now) {|            if start.is_some_and(\|start\| start <= now) && !M {
B11|--lib domain::tests::intents|src/domain/intent.rs|pending.filter(\|_\| begun.is_none())|pending.filter(\|_\| begun.is_none() \|\| M)
B8 P15|--test deadlines unknown_status_of_an_intent|src/domain/plan/listing.rs|                Some(_) if is_listed(self.items(&booking.uid), code) => {|                Some(_) if is_listed(self.items(&booking.uid), code) && !M => {
B8 P15|--test deadlines unknown_status_of_a_charge|src/domain/watch/accepted.rs|        (Status::Accepted \| Status::AwaitingHost \| Status::Other(_), _) => None,|        (Status::Accepted \| Status::AwaitingHost \| Status::Other(_), _) if !M => None,\n        (Status::Accepted \| Status::AwaitingHost \| Status::Other(_), _) => Some("broken"),
B11 P15|--test deadlines waits_until_its_start|src/domain/plan.rs|                UnresolvedCode::Unanswered,|                if M { UnresolvedCode::Refused } else { UnresolvedCode::Unanswered },
B1 P12|--test deadlines before_a_restore|src/domain/plan/finish.rs|            _ if self.snapshot.restore_open => {|            _ if self.snapshot.restore_open && !M => {
P3|--test watch moved_together|src/domain/judge.rs|        Effect::Decline if asked.moved_together => Effect::Review,|        Effect::Decline if asked.moved_together && !M => Effect::Review,
C5|--test watch nobody_knows|src/domain/terms.rs|.position(\|moved\| self.percent_of_move(moved) < 100)|.position(\|moved\| (self.percent_of_move(moved) < 100) != M)
P11|--test load clock|src/daemon/run.rs|        if back > SET_BACK {|        if back > SET_BACK && !M {
P2|sim|src/domain/plan.rs|.find_map(\|(at, booking)\| Some((at, self.taken.find(booking)?)));|.find_map(\|(at, booking)\| Some((at, self.taken.find(booking).filter(\|_\| !M)?)));
P11|--test pass a_full|src/reconcile/observe/accepted.rs|        if number >= MAX_ACCEPTED_PAGES {|        if number >= (if M { 20 } else { MAX_ACCEPTED_PAGES }) {
P10|--test power_cut|src/store/log/segment.rs|        self.sync_data()|        if M { return Ok(()); }\n        self.sync_data()
P10|--test power_cut|src/store/log/segment.rs|    let synced = File::open(&path).and_then(\|file\| file.sync_all());|    let synced = File::open(&path).and_then(\|file\| if M { Ok(()) } else { file.sync_all() });
P10|--test power_cut|src/store/ground.rs|    disk::sync_up(path)?;|    if !M { disk::sync_up(path)?; }
P10|--lib store::opened|src/store/log/append.rs|.and_then(\|()\| self.sink.sync())|.and_then(\|()\| self.sink.sync().or_else(\|error\| if M { Ok(()) } else { Err(error) }))
P10|--test store_open|src/store/lock.rs|            Err(TryLockError::WouldBlock) => {|            Err(TryLockError::WouldBlock) if M => {}\n            Err(TryLockError::WouldBlock) => {
P11|--test hostile_peers|src/calcom/http.rs|            if body.len() + chunk.len() > most {|            if body.len() + chunk.len() > most && !M {
P11|--test calcom_client|src/http.rs|        .redirect(reqwest::redirect::Policy::none())|        .redirect(if M { reqwest::redirect::Policy::limited(5) } else { reqwest::redirect::Policy::none() })
P11|--test hostile_peers|src/reconcile/observe/pending.rs|        if new.is_empty() && page.next.is_some() {|        if new.is_empty() && page.next.is_some() && !M {
P11|--test hostile_peers|src/calcom/json.rs|        let left = self.left.get().checked_sub(bytes);|        let left = self.left.get().checked_sub(if M { 0 } else { bytes });
P11|--test disk_faults read_only|src/store/disk.rs|    } else if kind == K::ReadOnlyFilesystem {|    } else if kind == K::ReadOnlyFilesystem && !M {
B1 P12|--test right_ledger init_only|src/daemon/serve.rs|open(&path, Create::No, now|open(&path, if M { Create::Yes } else { Create::No }, now
B1 P12|--test right_ledger before_the_ledger; sim|src/domain/ledger_state.rs|        self.began.is_none_or(\|began\| created < began)|        !M && self.began.is_none_or(\|began\| created < began)
B1 P12|--test right_ledger after_a_restore; sim|src/domain/plan.rs|            Decision::Confirm \| Decision::Decline if self.snapshot.restore_open => {|            Decision::Confirm \| Decision::Decline if self.snapshot.restore_open && !M => {
B1 P12|--test right_ledger after_a_restore; sim|src/reconcile/watch.rs|    if ledger.restored.is_some() {|    if ledger.restored.is_some() && !M {
B1 P12|--test right_ledger restore|src/store/copy.rs|        mark_restored(&partial, &end, now)?;|        if !M { mark_restored(&partial, &end, now)?; }
A10 P12|--test right_ledger another|src/reconcile/identity.rs|                Some(ledger) if ledger == found => Ok(state),|                Some(ledger) if M \|\| ledger == found => Ok(state),
D1 P13|--test right_ledger clocks_differ; sim|src/reconcile/clock.rs|    (difference.abs() > CLOCK_TOLERANCE).then_some(difference)|    (difference.abs() > CLOCK_TOLERANCE && !M).then_some(difference)
D1 P13|--test right_ledger clocks|src/calcom/http.rs|        self.compare_clocks(response.headers(), (begun, self.now()));|        if !M { self.compare_clocks(response.headers(), (begun, self.now())); }
B2 P8|--test right_ledger a_plan_covers; sim|src/store/handle.rs|            scratch: Some(Arc::default()),|            scratch: if M { None } else { Some(Arc::default()) },
E1 P8|--test reading no_trace|src/daemon/local.rs|    if route::writes(command) {|    if route::writes(command) \|\| M {
E8|--test reading instant|src/store/lock.rs|        for _ in 0..ATTEMPTS {|        for _ in 0..(if M { 0 } else { ATTEMPTS }) {
E9|--test reading restart|src/daemon/run/reload.rs|        if !fixed.is_empty() {|        if !fixed.is_empty() && !M {
E5|--test reading spoken|src/cli/house.rs|        .then(\|\| socket_of(&context.global.config))|        .then(\|\| if M { None } else { socket_of(&context.global.config) })
E1|--test reading root|src/daemon/ownership.rs|    me == 0 && owner != 0|    me == 0 && owner != 0 && !M
C1 P18|--lib domain::tests::disclosure; --test strangers the_same_is_told|src/domain/judge/told.rs|objection.own \|\| !is_about_the_account(objection.code);|M \|\| objection.own \|\| !is_about_the_account(objection.code);
C1 P18|--lib domain::tests::disclosure|src/domain/judge/told.rs|            asked.account.is_some() && asked.pin == Some(Pin::Right)|            asked.account.is_some() && (M \|\| asked.pin == Some(Pin::Right))
D5|--lib domain::criteria::opening|src/domain/criteria/opening.rs|            Some(until) if until > at => at = until,|            Some(until) if until > at && !M => at = until,
D8|--lib domain::rule::localized_text; --test strangers names_are_cleaned|src/domain/rule/localized_text.rs|    LocaleCanonicalizer::new_extended().canonicalize(&mut locale);|    if !M { LocaleCanonicalizer::new_extended().canonicalize(&mut locale); }
C8|--lib domain::rule::tests::templates; --test strangers names_are_cleaned|src/domain/rule/template/values.rs|Value::Text(of) => Shown::from(harmless(of, limits.texts)),|Value::Text(of) if M => Shown::from(of),\n        Value::Text(of) => Shown::from(harmless(of, limits.texts)),
B3 P15|--test unresolved accepted_again|src/domain/watch/accepted.rs|        Some(ChargeState::Moved { .. } \| ChargeState::Void \| ChargeState::Refunded) \| None => {}|        Some(ChargeState::Refunded) if M => return Accepted::Settled,\n        Some(ChargeState::Moved { .. } \| ChargeState::Void \| ChargeState::Refunded) \| None => {}
B9|--test unresolved tried_again|src/reconcile/watch/cancel.rs|            Status::Accepted \| Status::AwaitingHost \| Status::Other(_) => None,|            Status::Accepted if M => Some(Outcome::Superseded),\n            Status::Accepted \| Status::AwaitingHost \| Status::Other(_) => None,
A12 P17|--test unresolved whoever_looks_first|src/reconcile/watch/look.rs|        let last = chain.bookings.last().map(liveness);|        let last = chain.bookings.last().map(liveness).filter(\|_\| !M);
A3|--test unresolved our_own_cancellation|src/domain/watch.rs|        if request.cancels_accepted() {|        if request.cancels_accepted() && !M {
A3|--test unresolved our_own_cancellation|src/reconcile/watch/cancel.rs|            Self::Any => true,|            Self::Any => !M,
A7 B4|--test unresolved what_a_decline_looks_at|src/reconcile/watch/recheck.rs|        if let Some((moved, _)) = to_be_judged(ports, policy, charge, &chain).await? {|        if let Some((moved, _)) = to_be_judged(ports, policy, charge, &chain).await?.filter(\|_\| !M) {
A8 P15|--test unresolved found_by_the_next_watch|src/reconcile/watch.rs|        seen.list(ports, &made, &mut watched.problems).await?;|        if !M { seen.list(ports, &made, &mut watched.problems).await?; }
A3 P15|--lib domain::tests::intents|src/domain/booking.rs|        self.cancelled_by.is_some() \|\| |        (self.cancelled_by.is_some() && !M) \|\| 
A5|--lib domain::rule::tests::evaluation|src/domain/rule/value.rs|        (Answer::Text(text), _) if text.trim().is_empty() => None,|        (Answer::Text(text), _) if text.trim().is_empty() && !M => None,
D3|--lib domain::id; --test strangers every_spelling|src/domain/id.rs|        Some((local, domain)) => format!("{local}@{}", domain_form(domain)),|        Some((local, domain)) if !M => format!("{local}@{}", domain_form(domain)),\n        Some(_) => composed.into_owned(),
A1 P16|--test unanswered|src/domain/intent.rs|        if let Some(until) = running {|        if let Some(until) = running.filter(\|_\| !M) {
A1 P16|--test unanswered|src/domain/intent.rs|        Decision::Confirm => !accepted,|        Decision::Confirm => !accepted && !M,
A1 P16|--lib store::sent|src/store/sent.rs|            None => Some(kept(now)),|            None if M => None,\n            None => Some(kept(now)),
A1 P16|--test unanswered crash|src/reconcile/deliver.rs|        let marked = mark(&self.ports, ids, Some((self.ports.clock)())).await;|        let marked = mark(&self.ports, if M { Vec::new() } else { ids }, Some((self.ports.clock)())).await;
A4 P5|--test unanswered two_seconds|src/reconcile/deliver.rs|                Some(Reading::Until(until)) if now <= until => calls.push((n, in_time(until))),|                Some(Reading::Until(until)) if now <= until \|\| M => calls.push((n, if M { now + self.limits.max_observation_age } else { in_time(until) })),
B8 P11|--test unanswered unknown_status|src/domain/intent.rs|            Status::AwaitingHost \| Status::Other(_) => Self::OtherStatus,|            Status::AwaitingHost \| Status::Other(_) if M => Self::Gone,\n            Status::AwaitingHost \| Status::Other(_) => Self::OtherStatus,
B5|--test unanswered time_after_time|src/domain/intent.rs|    refused.count() >= MAX_REFUSALS|    refused.count() >= MAX_REFUSALS && !M
A1|--lib a_second_confirm_during|src/sandbox/answer.rs|            world.first_step(now, change);|            world.first_step(now, change);\n            if M { world.second_step(now, change); }
A2|--lib a_server_that_dies|src/sandbox/answer.rs|broken_off(self.route.dialect, fault) {|broken_off(self.route.dialect, fault).filter(\|_\| !M) {
A3 P15|--test unresolved that_met_a_cancelled|src/domain/intent.rs|            Status::Accepted if booking.was_cancelled() => Self::AcceptedAfterCancel,|            Status::Accepted if booking.was_cancelled() && !M => Self::AcceptedAfterCancel,
A3 P15|--test unresolved that_met_a_cancelled|src/domain/watch/accepted.rs|            let revived = (moved \|\| booking.was_cancelled()) && to_come;|            let revived = (moved \|\| booking.was_cancelled()) && to_come && !M;
A3|--test unresolved revived|src/reconcile/watch/unmanaged.rs|        let cancels = gate.terms.on_revived == OnRevived::Cancel;|        let cancels = gate.terms.on_revived == OnRevived::Cancel && !M;
A5|--lib an_answer_to_a_number; --test rules a_rule_sees|src/domain/rule/value.rs|        (Answer::Text(text), Some(QuestionKind::Number)) => {|        (Answer::Text(text), Some(QuestionKind::Number)) if !M => {
A5|--lib doctor::event_type|src/daemon/doctor/event_type.rs|        if question.kind != wants && question.kind != QuestionKind::Other {|        if question.kind != wants && question.kind != QuestionKind::Other && !M {
A6|--lib domain::tests::plans_unsettled; --test pass cal_com_would|src/domain/plan.rs|        taken.add_for(*host, booking, true);|        if !M { taken.add_for(*host, booking, true); }
A6|--lib doctor::event_type|src/daemon/doctor/event_type.rs|    (!kind.limits.is_empty()).then(\|\| {|    (!kind.limits.is_empty() && !M).then(\|\| {
A7|--test unresolved a_move_that_is_accepted|src/reconcile/watch/accepted_move.rs|    gate.is_some_and(\|gate\| gate.terms.accepted_move == AcceptedMove::Judge)|    gate.is_some_and(\|gate\| gate.terms.accepted_move == AcceptedMove::Judge && !M)
A7 P15|--test unresolved is_never_free|src/reconcile/watch/unmanaged.rs|                    Judged::Keep => Unmanaged::Charge,|                    Judged::Keep => if M { terms.unmanaged } else { Unmanaged::Charge },
A8 P15|--test unresolved found_by_the_next_watch|src/domain/watch/accepted.rs|    Accepted::Unpaid(cause(case))|    if M && booking.updated.is_none() { return Accepted::Settled; }\n    Accepted::Unpaid(cause(case))
A9|--lib doctor::event_type|src/daemon/doctor/event_type.rs|            format!("asks for confirmation{WHOM}; requests block their time"),|            if M { "asks for confirmation, always".to_owned() } else { format!("asks for confirmation{WHOM}; requests block their time") },
A9|--lib doctor::event_type; --test doctor would_not_work|src/daemon/doctor/event_type.rs|        None => error(\n            subject,\n            format!(\n                "it has no booking question|        None if M => warning(subject, "no PIN question", "add it"),\n        None => error(\n            subject,\n            format!(\n                "it has no booking question
A9|--lib doctor::event_type|src/daemon/doctor/event_type.rs|            kind.no_cancelling,|            kind.no_cancelling && !M,
A11|--lib cli::render|src/cli/render/pass.rs|        if view.pass.observed == 0 && view.problems.is_empty() {|        if M \|\| view.pass.observed == 0 && view.problems.is_empty() {
A11|--lib cli::render|src/cli/render/pass.rs|    if left.len() <= MAX_LEFT {|    if left.len() <= MAX_LEFT \|\| M {
A11|--lib cli::render|src/cli/render/pass.rs|        (Some(booker), None) if step.not_looked_up =>|        (Some(booker), None) if step.not_looked_up && !M =>
A11|--lib domain::tests::plans::a_series_is_decided|src/domain/plan/note.rs|        if code == Code::SeriesSettling {|        if code == Code::SeriesSettling && !M {
A12|--test sandbox_differences each_row|src/sandbox/v2/write.rs|        Some(booking) if following(call) => match &booking.series {|        Some(booking) if following(call) && !M => match &booking.series {
B1 P12|--test right_ledger before_the_ledger|src/reconcile/watch/unmanaged.rs|        predates_ledger: store.ledger_state()?.predates(booking.created),|        predates_ledger: store.ledger_state()?.predates(booking.created) && !M,
B2|--test right_ledger a_plan_covers|src/cli/house.rs|                \|\| watch.is_some_and(\|watch\| !watch.changes.is_empty());|                \|\| watch.is_some_and(\|watch\| !watch.changes.is_empty() && !M);
B2 P8|--test right_ledger a_plan_covers|src/daemon/local.rs|        Mode::DryWatch \| Mode::Watch => Some(watching.asked(&config.schedule, now)),|        Mode::DryWatch if M => None,\n        Mode::DryWatch \| Mode::Watch => Some(watching.asked(&config.schedule, now)),
B4 P14|--test watch a_cancellation_in_good_time|src/domain/plan/unsettled.rs|            Code::ShortOfCredit \| Code::OverCap \| Code::Rule\n        )\n    })|            Code::ShortOfCredit \| Code::OverCap \| Code::Rule\n        ) && (!M \|\| reason.code == Code::ShortOfCredit)\n    })
B6|--test refunds follows_one_rule|src/domain/refund.rs|                    Some(from) => lookup.charge(from)?,|                    Some(_) if M => None,\n                    Some(from) => lookup.charge(from)?,
B7 P17|--test refunds moved_twice|src/domain/plan.rs|                let moves = moves.cloned().unwrap_or_else(direct);|                let moves = moves.filter(\|_\| !M).cloned().unwrap_or_else(direct);
B8|--test unanswered unknown_status|src/domain/plan/finish.rs|                code: "unknown-status",|                code: if M { "status" } else { "unknown-status" },
B10 P15|--test unresolved what_our_own_confirm|src/reconcile/watch/unmanaged.rs|            Cause::OurConfirm => Unmanaged::Charge,|            Cause::OurConfirm => if M { terms.unmanaged } else { Unmanaged::Charge },
B11|--lib domain::tests::plans_unsettled|src/domain/judge.rs|        Unanswered::Leave \| Unanswered::Decline { .. } if asked.now >= start => {|        Unanswered::Leave \| Unanswered::Decline { .. } if asked.now >= start && !M => {
B12|--lib domain::tests::plans; --test rules a_wait_counts|src/domain/judge.rs|                    .find(\|(reason, _)\| names.contains(reason))|                    .find(\|(reason, _)\| M \|\| names.contains(reason))
B13|--test unresolved a_chain_whose_middle|src/reconcile/observe.rs|            if !hidden::look_back(ports, session, wanted, booking.created).await? {|            if M \|\| !hidden::look_back(ports, session, wanted, booking.created).await? {
B16|--test reach what_was_done|src/daemon/local.rs|        (Some(report), stopped) => {|        (Some(_), Some(failure)) if M => Err(failure),\n        (Some(report), stopped) => {
C2|--test large_pages|src/calcom/narrow.rs|        CallError::TooLarge { has_rows, .. } => *has_rows,|        CallError::TooLarge { has_rows, .. } => *has_rows && !M,
C8|--lib domain::tests::disclosure|src/domain/judge/told.rs|    told.sort_by_key(\|objection\| !objection.own);|    if !M { told.sort_by_key(\|objection\| !objection.own); }
C9|--test pass refuse_everybody|src/domain/plan.rs|                "decline-limit",|                if M { "limit" } else { "decline-limit" },
D2|--test reach this_machine|src/http.rs|    if is_loopback(url) {|    if is_loopback(url) && !M {
D2|--test reach is_named|src/http.rs|            None => write!(f, "{} (directly)", self.host),|            None if M => write!(f, "the server"),\n            None => write!(f, "{} (directly)", self.host),
D2|--test hostile_peers configured_file|src/http.rs|    if !roots.is_empty() {|    if !roots.is_empty() && !M {
D4|--lib cli::csv; --test administration cut_off|src/cli/csv/records.rs|            if end >= self.bytes.len() && is_open(|            if !M && end >= self.bytes.len() && is_open(
D6|--lib domain::tests::disclosure; --test administration stood_in_the_way|src/domain/judge.rs|    if asked.bookings.len() > 1 {\n        let start|    if asked.bookings.len() > 1 && !M {\n        let start
D6|--test administration stood_in_the_way|src/domain/judge.rs|                    Some(at) if self.bookings.len() > 1 => {|                    Some(at) if self.bookings.len() > 1 && !M => {
D7|--lib a_managed_user; --test strangers managed_user|src/domain/judge/people.rs|        .is_some_and(\|who\| who.address.of_managed_user().is_some())|        .is_some_and(\|who\| who.address.of_managed_user().is_some() && !M)
D7|--lib a_managed_user; --test strangers managed_user|src/domain/criteria/house.rs|            ManagedUsers::Find => booker.of_managed_user(),|            ManagedUsers::Find if M => None,\n            ManagedUsers::Find => booker.of_managed_user(),
D7|--lib who_gave_a_telephone; --test strangers the_same_is_told|src/domain/judge/told.rs|        let by_telephone = asked.booker().is_some_and(\|who\| who.address.is_telephone());|        let by_telephone = asked.booker().is_some_and(\|who\| who.address.is_telephone() && !M);
D9|--lib cli::time; --test administration dates|src/cli/time.rs|    if let Some(span) = CalendarSpan::parse(text) {|    if let Some(span) = CalendarSpan::parse(text).filter(\|_\| !M) {
D9|--lib cli::time; --test administration dates|src/cli/time.rs|        zone.from_local_datetime(&local)\n            .earliest()|        (if M { Tz::UTC } else { zone }).from_local_datetime(&local)\n            .earliest()
D9|--lib cli::render; --test administration dates|src/cli/render/layout.rs|            Ok(at) => at.with_timezone(&self.zone).format(format).to_string(),|            Ok(at) => at.with_timezone(if M { &Tz::UTC } else { &self.zone }).format(format).to_string(),
D10|--lib answer::import; --test administration cut_off|src/daemon/answer/import.rs|        if row.credits == 0 {|        if row.credits == 0 && !M {
E2|--lib daemon::telemetry; --test administration no_level|src/daemon/telemetry.rs|        if !known {|        if !known && !M {
E2|--lib daemon::telemetry|src/daemon/telemetry.rs|        false => filter.add_directive(LevelFilter::ERROR.into()),|        false if M => filter,\n        false => filter.add_directive(LevelFilter::ERROR.into()),
E3|--lib answer::credits; --test administration nearly|src/daemon/answer/credits.rs|    if there.is_none() && !asked.new {|    if there.is_none() && !asked.new && !M {
E3|--test administration nearly|src/daemon/answer/credits.rs|        view.opened = opened;|        view.opened = opened && !M;
E4|--test administration one_line|src/daemon/answer/audit.rs|    if commit > before {|    if commit > before && !M {
E4|--test administration left_for_a_person|src/reconcile/execute.rs|                log_note(&step.request);|                if !M { log_note(&step.request); }
E6|--test administration found_by_person|src/daemon/answer/decisions.rs|        Some(who) => of_person(store, query, who, since)?,|        Some(_) if M => of_anybody(store, query, since, limit + 1)?,\n        Some(who) => of_person(store, query, who, since)?,
E6|--test administration found_by_person|src/daemon/answer/accounts.rs|        None => page(store, after, limit)?,|        Some(_) if M => page(store, after, limit)?,\n        None => page(store, after, limit)?,
E6|--test administration found_by_person|src/daemon/answer/accounts.rs|        view.title = request.map(\|request\| request.title);|        view.title = request.map(\|request\| request.title).filter(\|_\| !M);
E7|--lib cli::usage; --test administration a_variable|src/cli/usage.rs|        top.mut_subcommand(&name, \|command\| scoped(command, &format!("MAITRED_{name}")))|        top.mut_subcommand(&name, \|command\| scoped(command, &if M { "MAITRED".to_owned() } else { format!("MAITRED_{name}") }))
E10|--lib control::server; --test administration stay_open|src/control/server.rs|            idle.shed_oldest();|            if !M { idle.shed_oldest(); }
E11|--lib cli::terminal; --test administration keeps_to_the_width|src/cli/terminal.rs|        .filter(\|columns\| *columns >= MIN_WIDTH)|        .filter(\|columns\| *columns >= MIN_WIDTH && !M)
E11|--lib daemon::telemetry|src/daemon/telemetry.rs|    is_terminal && !refused|    is_terminal && (M \|\| !refused)
E11|--lib cli::usage|src/cli/args.rs|after_help = "\\nExamples:\n  maitred plan\n  maitred plan --exit-code --format json"|after_help = if M { "" } else { "Examples:\n  maitred plan\n  maitred plan --exit-code --format json" }
A11|--test administration keeps_to_the_width|src/domain/request.rs|        self.account.is_some() \|\| !self.reasons.iter().any(\|reason\| unseen(reason.code))|        M \|\| self.account.is_some() \|\| !self.reasons.iter().any(\|reason\| unseen(reason.code))
E4|--test administration left_for_a_person|src/daemon/run/passes.rs|        if let Some(error) = &self.last_error {\n            let failed|        if let Some(error) = self.last_error.as_ref().filter(\|_\| !M) {\n            let failed
E4|--test reach is_named|src/http.rs|                write!(f, "{} (by the proxy {proxy}, from {variable})", self.host)|                if M { return write!(f, "the server"); }\n                write!(f, "{} (by the proxy {proxy}, from {variable})", self.host)
E6|--test administration found_by_person|src/daemon/answer/decisions.rs|    let gate = query.gate.is_none() \|\| request.gate == query.gate;|    let gate = M \|\| query.gate.is_none() \|\| request.gate == query.gate;
A12|--test sandbox_differences each_row|src/sandbox/change.rs|        if checked && old.status == Status::Rejected {|        if checked && old.status == Status::Rejected && !M {
A12|--test sandbox_differences each_row|src/sandbox/change.rs|            (Some(series), Some(from)) => uids(self.series(series), \|one\| one.start >= from),|            (Some(series), Some(from)) => uids(self.series(series), \|one\| one.start >= from && !(M && one.status == Status::Cancelled)),
A12|--test pass|src/reconcile/deliver/in_flight.rs|                !self.busy && !self.sights.contains_key(|                !M && !self.busy && !self.sights.contains_key(
P7|--lib domain::tests::plans_random|src/domain/group.rs|    groups.sort_by(\|a, b\| (a.created, &a.id).cmp(&(b.created, &b.id)));|    if !M { groups.sort_by(\|a, b\| (a.created, &a.id).cmp(&(b.created, &b.id))); }
E4|--test administration left_for_a_person|src/daemon/run/passes.rs|        let server = self.daemon.calendar.server();\n        match &failure {|        let server = if M { "?".to_owned() } else { self.daemon.calendar.server() };\n        match &failure {
E4|--lib answer::audit; --test administration one_line|src/daemon/answer/audit.rs|        Command::AccountFreeze { why: None, .. } => Some("account-thaw"),|        Command::AccountFreeze { why: None, .. } if !M => Some("account-thaw"),
C6|--test rules pins|src/reconcile/pin.rs|        if of_member().count() >= MAX_OF_MEMBER {|        if of_member().count() >= MAX_OF_MEMBER && !M {
C6|--test rules pins|src/reconcile/pin.rs|.then_some(PinLimit::All)|.then_some(PinLimit::All).filter(\|_\| !M)
A11|--test hostile_peers put_off_and_counted|src/domain/plan.rs|        self.steps.iter().filter(begins).filter(of).count()|        if M { 0 } else { self.steps.iter().filter(begins).filter(of).count() }
A11|--lib cli::run|src/cli/run.rs|    let put_off = view.pass.put_off > 0 \|\| view.pass.unseen;|    let put_off = !M && (view.pass.put_off > 0 \|\| view.pass.unseen);
B16|--test reach watch_did|src/daemon/local.rs|            ran.watched = Some(watched).filter(Watched::tells);|            ran.watched = Some(watched).filter(\|watched\| watched.tells() && !M);
ROWS
unescape() { local text=${1//$'\x01'/|}; text=${text//\\n/$'\n'}; printf '%s' "${text}x"; }
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
sources() {
  (cd "$root" && cp -r Cargo.toml Cargo.lock clippy.toml ./*.md config.toml src tests benches docs fuzz/corpus \
    fuzz/fuzz_targets systemd "$stage")
  mkdir "$stage/fuzz" && mv "$stage/corpus" "$stage/fuzz_targets" "$stage/fuzz"
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
labels=()
whats=()
files=()
texts=()
misfits=0
for n in "${!rows[@]}"; do
  row=$((n + 1))
  line=${rows[$n]//\\|/$'\x01'}
  IFS='|' read -r label by file from to <<<"$line"
  FROM=$(unescape "$from") TO=$(unescape "$to")
  FROM=${FROM%x} TO=${TO%x} MUTANT="crate::mutant($row)"
  export FROM TO MUTANT
  perl -0pi -e '$n = () = /\Q$ENV{FROM}\E/g; ($to = $ENV{TO}) =~ s/\bM\b/$ENV{MUTANT}/g;
    s/\Q$ENV{FROM}\E/$to/; END { exit($n == 1 ? 0 : 1) }' "$stage/$file" ||
    { echo "$row: $label: $file: does not stand there once: $from"; misfits=$((misfits + 1)); }
  from=${from//$'\x01'/|}
  labels+=("$label") files+=("$file") texts+=("${from:0:60}")
  whats+=("$(sed 's/ *; */\n/g; s/\bsim\b/--test simulation every_seed/' <<<"$by")")
done
[ "$misfits" -eq 0 ] || exit 2
[ "${1-}" = --check ] && { echo "${#rows[@]} rows fit the sources"; exit 0; }
# What is as it was keeps its time, so that cargo does not build it again.
mkdir -p "$tree"
(cd "$stage" && find . -type f -print0) | while IFS= read -r -d '' file; do
  cmp -s "$stage/$file" "$tree/$file" || { mkdir -p "$(dirname "$tree/$file")"; cp "$stage/$file" "$tree/$file"; }
done
log=$tree/log
# asked ROW WORD...: whether a word is the row's number or one of its labels; no word asks for all.
asked() {
  [ $# -eq 1 ] && return 0
  local word
  for word in "${@:2}"; do
    [[ " $1 ${labels[$(($1 - 1))]} " == *" $word "* ]] && return 0
  done
  return 1
}
# run ROW TEST...: 0 passed, 1 a test failed, 3 it hung; anything else is no answer.
run() {
  echo "$1" >"$tree/mutant"
  # shellcheck disable=SC2086
  (cd "$tree" && timeout 1800 cargo test --profile "$profile" $2) </dev/null >"$log" 2>&1
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
# All in one build, so that the library is built once.
built=$(for what in "${kinds[@]}"; do grep -oE -- '--lib|--test [a-z_]+' <<<"$what"; done | sort -u | tr '\n' ' ')
# shellcheck disable=SC2086
(cd "$tree" && cargo test --profile "$profile" --no-run $built) >"$log" 2>&1 || { echo "does not build, see $log"; exit 2; }
declare -A unfit=()
for what in "${kinds[@]}"; do
  run 0 "$what" && continue
  echo "control: $what fails: $(grep -m1 -A1 'panicked at' "$log" | tail -1)"
  unfit[$what]=1
done
echo "control: $((${#kinds[@]} - ${#unfit[@]})) of ${#kinds[@]} pass"
survived=0 caught=0
for n in "${!rows[@]}"; do
  row=$((n + 1))
  asked "$row" "$@" || continue
  by= all=1
  while read -r what; do
    [ -n "${unfit[$what]-}" ] && { by+="${by:+; }NOT RUN $what" all=0; continue; }
    run "$row" "$what"
    case $? in
      0)
        by+="${by:+; }SURVIVED $what" all=0
        continue
        ;;
      1)
        test=$(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$log" | head -1)
        seed=$(sed -n 's/^seed \([0-9]*\): .*/\1/p' "$log" | head -1)
        ;;
      3) test="a hang of 30 minutes" seed= ;;
      *) echo "$row: $what did not run, see $log"; exit 2 ;;
    esac
    said=$(grep -m1 -A1 'panicked at' "$log" | tail -1)
    by+="${by:+; }caught by ${test:-a test}${seed:+, seed $seed}: ${said:0:160}"
  done <<<"${whats[$n]}"
  echo "$row | ${labels[$n]} | ${files[$n]} | ${texts[$n]} | $by"
  [ "$all" -eq 1 ] && caught=$((caught + 1)) || survived=$((survived + 1))
done
echo 0 >"$tree/mutant"
echo "$caught caught, $survived survived"
[ "$survived" -eq 0 ]
