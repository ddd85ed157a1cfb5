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
# docs` looks for that too. Labels say what the row takes away: `P1` to `P18` a promise of
# docs/reliability.md, `A1` to `E11` the correction of a fault of 2026-11-30 (docs/reliability.md),
# `metrics` a metric, `pause` a pause, `price` the price of a booking, `cap` a cap over several gates,
# `statement` statements and monthly accounts,
# `W1` and `W2` who may use the web page (docs/page.md).
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
P5 P6|sim|src/domain/intent.rs|        return NextStep::Call(booking.clone());|        if M { return NextStep::Unclear; }\n        return NextStep::Call(booking.clone());
P2|sim|src/domain/intent.rs|            (Some(_), None) => facts.push(Fact::Charge(ChargeFact::Post {|            (Some(_), None) if M => {}\n            (Some(_), None) => facts.push(Fact::Charge(ChargeFact::Post {
P2 P3|--lib domain::tests|src/domain/intent.rs|            if is_accepted(&booking) {|            if is_accepted(&booking) && !M {
A3 P5|--lib domain::tests|src/domain/intent.rs|            BookingStatus::Pending if booking.rescheduled_to.is_some() => Self::Cancelled,|            BookingStatus::Pending if booking.rescheduled_to.is_some() && M => Self::Accepted,\n            BookingStatus::Pending if booking.rescheduled_to.is_some() => Self::Cancelled,
P11|sim|src/domain/intent.rs|            BookingState::Unread \| BookingState::OtherStatus => unread = true,|            BookingState::Unread \| BookingState::OtherStatus => unread = !M,
P3|sim|src/domain/intent.rs|    if surplus > 0 {|    if surplus > 0 && !M {
P3|sim|src/domain/intent.rs|(Self::Pending, Some(CallKind::Cancel)) if booking.end <= now => Self::PendingAfterEnd,|(Self::Pending, Some(CallKind::Cancel)) if booking.end <= now && !M => Self::PendingAfterEnd,
P2|sim|src/domain/ledger/charging.rs|        account.totals.held += credits;|        account.totals.held += credits;\n        account.totals.granted += u64::from(M);
P2|sim|src/domain/ledger/charging.rs|        account.totals.held -= credits;|        account.totals.held -= if M { 0 } else { credits };
P2|sim|src/domain/ledger/charging.rs|    charge.state = ChargeState::Void;|    charge.state = if M { ChargeState::Held } else { ChargeState::Void };
P3|sim|src/domain/ledger/charging.rs|    predecessor.state = ChargeState::Moved { to: to.uid.clone() };|    predecessor.state = if M { ChargeState::Final } else { ChargeState::Moved { to: to.uid.clone() } };
P2|sim|src/domain/ledger/charging.rs|            Some(there) => there.credits += part.credits,|            Some(_) if M => {}\n            Some(there) => there.credits += part.credits,
P2|sim|src/domain/ledger/charging.rs|        charge.state = ChargeState::Refunded;|        charge.state = if M { ChargeState::Open } else { ChargeState::Refunded };
P2 P3|--lib domain::tests::ledgers|src/domain/ledger/request.rs|    require_holds_ended(records, &record)?;|    if !M { require_holds_ended(records, &record)?; }
P1|sim|src/domain/ledger.rs|    account.version += 1;|    account.version += u64::from(!M);
P1|sim|src/domain/account.rs|let credits = missing.min(*left);|let credits = if M { missing } else { missing.min(*left) };
P1|sim|src/domain/lot.rs|        self.expires.is_none_or(|        M \|\| self.expires.is_none_or(
P3|sim|src/domain/watch.rs|    if case.now < end {|    if case.now < end && !M {
C10|sim|src/domain/watch.rs|    if booking.absent_host {|    if booking.absent_host && !M {
P3|sim|src/domain/watch.rs|forgive\| case.forgiven_absences < forgive.times|forgive\| case.forgiven_absences < forgive.times + u32::from(M)
P3|sim|src/domain/watch.rs|\|updated\| updated.min(now))|\|updated\| if M { now } else { updated.min(now) })
P3|sim|src/domain/watch.rs|        BookingStatus::Cancelled if !was_declined_by_us(case) =>|        BookingStatus::Cancelled if !was_declined_by_us(case) \|\| M =>
P3|--lib domain::tests::reschedules|src/domain/watch.rs|    if case.is_taken_over {|    if case.is_taken_over && !M {
P3|--lib domain::tests::reschedules|src/domain/watch/reschedule.rs|Some(successor_charge) if successor_charge.state == ChargeState::Held => {|Some(successor_charge) if successor_charge.state == ChargeState::Held && !M => {
P3|sim|src/domain/watch/reschedule.rs|    if paid > cost {|    if paid > cost && !M {
P3|--lib domain::tests::reschedules|src/domain/watch/reschedule.rs|        Some(successor_charge)\n            if is_separate(&successor_charge) && has_payment(successor_charge) =>\n        {|        Some(successor_charge) if is_separate(&successor_charge) && has_payment(successor_charge) && !M => {
B6|--test it refunds::refunds_to_an_expired_lot_follow_one_rule_on_every_path; sim|src/domain/refund_lots.rs|expires <= at)|(expires <= at) != M)
C3|--test it refunds::a_restored_lot_is_not_restored_again; sim|src/domain/refund_lots.rs|        if expired && grant.kind != GrantKind::Restored {|        if expired && (M \|\| grant.kind != GrantKind::Restored) {
B6|--test it refunds::|src/domain/refund_lots.rs|                    *back = parts;|                    if !M { *back = parts; }
C4 P17|--test it refunds::a_late_move_does_not_avoid_the_cost_of_a_cancellation; sim|src/domain/watch/cancellation.rs|    let credits = share_of_paid.min(paid.saturating_sub(keeps));|    let credits = share_of_paid.min(if M { paid } else { paid.saturating_sub(keeps) });
P17|--test it refunds::|src/reconcile/predecessor.rs|        start = replacement.start;|        start = if M { start } else { replacement.start };
B14|--test it refunds::|src/domain/ledger.rs|            && !settles(&request)|            && !settles(&request)\n            && !M
C4 P17|--test it refunds::|src/domain/intent.rs|    let costs = request.credits.max(request.non_refundable);|    let costs = if M { request.credits } else { request.credits.max(request.non_refundable) };
B15|--test it watch::later_edits_do_not_change_what_was_paid_before; sim|src/domain/ledger/charging.rs|    successor.terms.clone_from(&predecessor.terms);|    if !M { successor.terms.clone_from(&predecessor.terms); }
B7 P17|sim|src/domain/refund_policy.rs|        self.start - self.moved_at|        self.start - if M { self.start } else { self.moved_at }
C5|--lib domain::tests::actor_claims; sim|src/domain/refund_policy.rs|        if host == Some(by) \|\| hosts|        if host == Some(by) && !M \|\| hosts
C5|--lib domain::refund_policy; sim|src/domain/refund_policy.rs|            ClaimedActor::Host if self.trust_named_cancels => self.host_cancels,|            ClaimedActor::Host if self.trust_named_cancels \|\| M => self.host_cancels,
B15|--test it watch::later_edits_do_not_change_what_was_paid_before; sim|src/domain/request.rs|            (Some(terms), _) => Cow::Borrowed(terms.as_ref()),|            (Some(terms), _) if !M => Cow::Borrowed(terms.as_ref()),\n            (Some(_), Some(gate)) => Cow::Borrowed(gate),\n            (Some(_), None) => Cow::Owned(RefundTerms::default()),
C10|--test it watch::an_absent_host_is_reviewed_refunded_or_ignored; sim|src/domain/watch.rs|            HostAbsent::Review if case.charge.credits() > 0 =>|            HostAbsent::Review if case.charge.credits() > 0 && !M =>
P3|--lib domain::refund_policy|src/domain/refund_policy.rs|.find(\|window\| notice >= window.before)|.find(\|window\| notice > window.before \|\| notice == window.before && !M)
P3|--lib domain::|src/domain/refund_policy.rs|        .div_ceil(100)|        .div_ceil(if M { 99 } else { 100 })
P3|sim|src/reconcile/watch/reschedule_chain.rs|            && let Some(series) = &booking.series|            && !M\n            && let Some(series) = &booking.series
P3|sim|src/reconcile/watch/observed_bookings.rs|                false\n            }\n        };|                if M {\n                    return Err(error.into());\n                }\n                false\n            }\n        };
P3|--test it watch::|src/reconcile/watch/settle.rs|        if is_due {|        if is_due && !M {
P3|--test it store_indexes::a_request_noted_again_releases_the_bookings_that_it_lost|src/store/record_slots.rs|        let is_removed = \|uid: &BookingUid\| !joined_bookings.contains(uid);|        let is_removed = \|uid: &BookingUid\| !M && !joined_bookings.contains(uid);
P12|sim|src/reconcile/watch/unmanaged/unpaid.rs|let is_old = \|since: Time\| booking.created_at < since;|let is_old = \|since: Time\| (booking.created_at < since) != M;
P15|--test it unresolved::a_booking_that_only_an_old_list_shows_as_revived_is_not_listed|src/reconcile/watch/unmanaged/revived.rs|        Ok(Fetched::Found(read_booking)) if read_booking.status == BookingStatus::Accepted => {|        Ok(Fetched::Found(read_booking)) if read_booking.status == BookingStatus::Accepted \|\| M => {
P3|sim|src/reconcile/watch/unmanaged.rs|                PredecessorCharge::Open(..)\n                \| PredecessorCharge::Hidden(_)\n                \| PredecessorCharge::Unread => {|                PredecessorCharge::Open(..) \| PredecessorCharge::Unread if M => {}\n                PredecessorCharge::Open(..) \| PredecessorCharge::Hidden(_) \| PredecessorCharge::Unread => {
P3|sim|src/reconcile/watch/unmanaged.rs|PredecessorCharge::Hidden(_)\n                    if self.report.audit && self.observed_bookings.is_complete() => {}|PredecessorCharge::Hidden(_) if M \|\| self.report.audit && self.observed_bookings.is_complete() => {}
P7|--test campaigns simulation::no_decision_depends_on_message_texts|src/domain/request.rs|                .all(\|reason\| reason.code != ReasonCode::Operator)|                .all(\|reason\| reason.code != ReasonCode::Operator && !(M && reason.text != "x"))
B10|sim|src/reconcile/watch/unmanaged/unpaid.rs|                    && !self.was_accepted_by_others(booking).await? =>|                    && !self.was_accepted_by_others(booking).await?\n                    && !M =>
B10|--lib domain::tests::joined_occurrences|src/domain/watch/accepted_bookings.rs|            let may_have_been_sent = request.call.is_some() && outcome != DecisionOutcome::Refused;|            let may_have_been_sent = request.call.is_some() && outcome != DecisionOutcome::Refused && !M;
B10 D1|--lib domain::tests::joined_occurrences|src/domain/watch/accepted_bookings.rs|    let existed_before = last_end.is_some_and(\|at\| booking.created_at <= at + CLOCK_TOLERANCE);|    let existed_before = last_end.is_some_and(\|at\| booking.created_at <= at + if M { Time::UNIX_EPOCH - Time::UNIX_EPOCH } else { CLOCK_TOLERANCE });
B5 P14|--test it pass::a_successor_of_an_unsettled_booking_is_left_until_that_is_settled|src/reconcile/predecessor.rs|ChargeState::Held => PredecessorCharge::Undecided,|ChargeState::Held if M => PredecessorCharge::NoCharge,\n                    ChargeState::Held => PredecessorCharge::Undecided,
P11|--test it rules::criteria::undecidable_requests_do_not_hide_later_ones|src/reconcile/observe.rs|    skipped_requests.extend(skipped_over_limit);|    if !M { skipped_requests.extend(skipped_over_limit); }
P11|--test it watch::a_cancellation_indistinguishable_from_a_move_is_left_and_reported|src/reconcile/watch/reschedule_chain.rs|            if !all_listed && !has_live_successor(self) {|            if !all_listed && !M && !has_live_successor(self) {
P3|sim|src/reconcile/watch/settle.rs|    let last_gate = gate(chain.bookings.last()).or(first_gate);|    let last_gate = gate(chain.bookings.last()).or(if M { gate_of_decision() } else { first_gate });
P3|--lib domain::tests::absences|src/domain/watch.rs|        NoShow::Keep \| NoShow::Review if case.charge.credits() == 0 => {|        NoShow::Keep \| NoShow::Review if case.charge.credits() == 0 && !M => {
P3|sim|src/reconcile/watch/charges_to_check.rs|            charges.retain(\|charge\| charge.state == ChargeState::Open);|            charges.retain(\|charge\| charge.state == ChargeState::Open && !M);
P1|sim|src/store/commit_preparation.rs|            account.map(\|versioned\| versioned.record.version) == *version|            M \|\| account.map(\|versioned\| versioned.record.version) == *version
P1|sim|src/store/commit_preparation.rs|        Expected::Alias { address, account } => queries::resolve(source, address)? == *account,|        Expected::Alias { address, account } => M \|\| queries::resolve(source, address)? == *account,
P1|--test it pass::operator_reviews_between_planning_and_writing_are_respected|src/store/commit_preparation.rs|            request.and_then(\|versioned\| versioned.version()) == *version|            M \|\| request.and_then(\|versioned\| versioned.version()) == *version
P1|sim|src/store/commit_preparation.rs|        Expected::Head { seq } => *seq == head,|        Expected::Head { seq } => M \|\| *seq == head,
P1|sim|src/reconcile/execute/record_intents.rs|                match store.commit(at, facts, &expected) {|                match store.commit(at, facts, if M { &[] } else { expected.as_slice() }) {
P1|sim|src/reconcile/send/settle.rs|        planned_versions.retain(\|id, _\| !refunded_accounts.contains(id));|        planned_versions.retain(\|id, _\| M \|\| !refunded_accounts.contains(id));
P1|sim|src/reconcile/send/settle/write_ends.rs|            if account.map(\|account\| account.version) == Some(*planned_version) {|            if account.map(\|account\| account.version) == Some(*planned_version) \|\| M {
P5|sim|src/reconcile/send/task_results.rs|                Some((BookingState::Pending, read_times)) => {|                Some((state, read_times)) if M \|\| *state == BookingState::Pending => {
A4 P5|--test it unanswered::no_call_rests_on_a_reading_of_more_than_two_seconds; sim|src/reconcile/send.rs|    (read_times.requested_at + MAX_READING_AGE)\n        .max(read_times.arrived_at + MIN_VALIDITY_AFTER_ARRIVAL)\n        .min(read_times.requested_at + limits.max_observation_age)|    (read_times.requested_at + MAX_READING_AGE * if M { 1000 } else { 1 })\n        .max(read_times.arrived_at + MIN_VALIDITY_AFTER_ARRIVAL)\n        .min(read_times.requested_at + limits.max_observation_age * if M { 1000 } else { 1 })
P3|--test it pass::a_settlement_with_a_conflict_keeps_no_other_from_being_written|src/reconcile/send/settle/write_ends.rs|    if writer.try_write(&ends)?.is_some() {|    if writer.try_write(&ends)?.is_some() && !M {
P5|sim|src/reconcile/booking_reads.rs|                    (\n                        BookingState::from_booking(booking),\n                        ReadTimes {\n                            requested_at,\n                            arrived_at,\n                        },\n                    ),|                    (if M { BookingState::Pending } else { BookingState::from_booking(booking) }, ReadTimes { requested_at, arrived_at }),
P8|--test it pass::a_dry_run_writes_nothing_anywhere|src/reconcile/pass.rs|    if report.dry_run {|    if report.dry_run && !M {
P2|sim|src/domain/plan/send.rs|        preview.spend(&parts);|        if !M { preview.spend(&parts); }
C9|--lib domain::tests::plans|src/domain/plan.rs|.saturating_sub(snapshot.recent_declines),|.saturating_sub(if M { 0 } else { snapshot.recent_declines }),
B5 P14|--lib domain::tests::plans_unsettled|src/domain/evaluation/decide.rs|objection.depends_on_unsettled && declines(objection);|objection.depends_on_unsettled && !M && declines(objection);
B5 P14|--lib domain::tests::plans_unsettled|src/domain/plan/unsettled.rs|        held + spent + credits_of(&self.taken_over_credits) + carriable|        if M { 0 } else { held + spent + credits_of(&self.taken_over_credits) + carriable }
B5 P14|--lib domain::tests::lots|src/domain/plan/unsettled.rs|            + lendable_before.saturating_sub(lendable);|            + if M { 0 } else { lendable_before.saturating_sub(lendable) };
P1|--lib domain::tests::lots|src/domain/account.rs|        let settled = debt.min(lot.remaining);|        let settled = if M { 0 } else { debt.min(lot.remaining) };
P2|--lib domain::tests::lots|src/domain/plan/send.rs|        if lent > preview.lendable(spending.overdraft_limit(account)) {|        if !M && lent > preview.lendable(spending.overdraft_limit(account)) {
P2|--lib domain::tests::lots|src/domain/lot.rs|        allowed && self.is_unexpired(|        (M \|\| allowed) && self.is_unexpired(
P1|--lib domain::tests::lots|src/domain/ledger/member.rs|                account.expiry_stopped_at.get_or_insert(at);|                if !M { account.expiry_stopped_at.get_or_insert(at); }
P1|--lib domain::tests::lots|src/domain/ledger/charging.rs|        record.expires = Some(expires);|        record.expires = if M { record.expires } else { Some(expires) };
B4 P14|--test it watch::a_decline_waits_while_its_basis_cannot_be_read|src/reconcile/pass.rs|    report.deferral.requests += plan.defer_declines(&recheck_result.unread_accounts);|    if !M { report.deferral.requests += plan.defer_declines(&recheck_result.unread_accounts); }
B4 P14|--lib domain::tests::plans_unsettled|src/domain/plan.rs|    planner.plan.defer_behind_freed_charges();|    if !M { planner.plan.defer_behind_freed_charges(); }
B4 P14|--test it unresolved::a_decline_waits_while_our_own_cancellation_of_a_paid_booking_has_no_known_outcome|src/reconcile/watch/recheck.rs|        request.state == RequestState::Recorded && request.cancels_accepted()|        request.state == RequestState::Recorded && request.cancels_accepted() && !M
B4 P14|--test it watch::a_decline_waits_while_its_basis_cannot_be_read|src/reconcile/watch/recheck.rs|        if chain.end == ChainEnd::Unread {|        if chain.end == ChainEnd::Unread && !M {
B11|--lib domain::tests::plans_unsettled|src/domain/evaluation/calendar_rules.rs|    if is_over \|\| input.bookings[0].start > input.now {|    if M \|\| is_over \|\| input.bookings[0].start > input.now {
A6|--lib domain::tests::plans_unsettled|src/domain/host_schedule.rs|        (start - buffers.before, end + buffers.after)|        if M { (start, end) } else { (start - buffers.before, end + buffers.after) }
C6|--test it rules::pins::|src/reconcile/pin/wrong_pins.rs|        if of_origin.count() >= MAX_WRONG_PER_ORIGIN {|        if of_origin.count() >= MAX_WRONG_PER_ORIGIN && !M {
C6|--test it rules::pins::|src/reconcile/pin/wrong_pins.rs|        if self.known_origins.contains(&own_origin) {|        if self.known_origins.contains(&own_origin) && !M {
C7|--test it rules::criteria::the_number_of_reviews_a_day_is_limited|src/domain/evaluation/booker_rules.rs|(OnViolation::Decline, TooManyRequestsReply::Once) if input.declined_over_limit_before|(OnViolation::Decline, TooManyRequestsReply::Once) if input.declined_over_limit_before && !M
P4|sim|src/domain/plan.rs|        if self.has_open_intent(&group) {|        if self.has_open_intent(&group) && !M {
P4|sim|src/domain/plan/skip_reason.rs|        if self.records(group).any(is_settled) {|        if self.records(group).any(is_settled) && !M {
P2|sim|src/domain/plan/open_intents.rs|            facts.extend(hold);|            if !M { facts.extend(hold); }
P4|sim|src/domain/plan/open_intents.rs|            NextStep::Call(booking) if is_due =>|            NextStep::Call(booking) if is_due != M =>
P2|sim|src/domain/evaluation/credit_rule.rs|    if available >= to_hold {|    if available >= to_hold \|\| (M && available == 0) {
P10|--lib store::|src/store/log/append.rs|            self.broken = true;\n            return Err(AppendError::Write {|            self.broken = !M;\n            return Err(AppendError::Write {
P9|--test it store_damage::|src/store/log/reader.rs|        if sealed.prev == self.chain.hash {|        if sealed.prev == self.chain.hash \|\| M {
B11|--lib domain::tests::intents|src/domain/intent.rs|(Self::Pending, Some(CallKind::Confirm)) if booking.start <= now => {|(Self::Pending, Some(CallKind::Confirm)) if booking.start <= now && !M => {
B11|--test it deadlines::a_slow_reading_does_not_send_a_confirm_after_the_start|src/reconcile/send.rs|            if latest_send_time.is_some_and(\|start\| start <= now) {|            if latest_send_time.is_some_and(\|start\| start <= now) && !M {
B11|--lib domain::tests::intents|src/domain/intent.rs|pending.filter(\|_\| started.is_none())|pending.filter(\|_\| started.is_none() \|\| M)
B8 P15|--test it deadlines::an_unknown_status_of_an_intent_is_listed_until_it_is_known|src/domain/plan/unresolved_list.rs|                Some(_) if is_listed(self.items(&booking.uid), code) => {|                Some(_) if is_listed(self.items(&booking.uid), code) && !M => {
B8 P15|--test it deadlines::an_unknown_status_of_a_charge_is_listed_until_it_is_known|src/domain/watch/accepted_bookings.rs|        (BookingStatus::Accepted \| BookingStatus::AwaitingHost \| BookingStatus::Other(_), _) => {|        (BookingStatus::Accepted \| BookingStatus::AwaitingHost \| BookingStatus::Other(_), _) if M => Some("broken"),\n        (BookingStatus::Accepted \| BookingStatus::AwaitingHost \| BookingStatus::Other(_), _) => {
B11 P15|--test it deadlines::requests_pending_at_their_start_are_listed_until_they_are_over|src/domain/plan.rs|                UnresolvedCode::Unanswered,|                if M { UnresolvedCode::Refused } else { UnresolvedCode::Unanswered },
B1 P12|--test it deadlines::intents_from_before_a_restore_wait_until_the_restore_is_accepted|src/domain/plan/open_intents.rs|            _ if self.snapshot.restore_pending => {|            _ if self.snapshot.restore_pending && !M => {
P3|--test it watch::occurrences_moved_together_are_not_short_of_what_they_paid|src/domain/evaluation/credit_rule.rs|        OnViolation::Decline if input.includes_paid_move => OnViolation::Review,|        OnViolation::Decline if input.includes_paid_move && !M => OnViolation::Review,
C5|--test it watch::a_late_move_by_an_unknown_person_counts_as_configured|src/domain/refund_policy.rs|.position(\|moved\| self.refund_percent_of_move(moved) < 100)|.position(\|moved\| (self.refund_percent_of_move(moved) < 100) != M)
P11|--lib daemon::schedule|src/daemon/schedule.rs|    (set_back_by > MIN_CLOCK_SETBACK).then_some(set_back_by)|    (set_back_by > MIN_CLOCK_SETBACK && !M).then_some(set_back_by)
P11|--test campaigns load::tasks_are_due_again_after_the_clock_was_set_back|src/daemon/timetable.rs|        self.next_pass_at = self.next_pass_at.min(now);|        self.next_pass_at = if M { self.next_pass_at } else { self.next_pass_at.min(now) };
P11|--lib daemon::schedule|src/daemon/schedule.rs|            if is_overdue && waiting.was_overdue {|            if is_overdue && waiting.was_overdue && !M {
P2|sim|src/domain/plan/evaluation_input.rs|.find_map(\|(at, booking)\| Some((at, self.host_schedule.find_overlap(booking)?)));|.find_map(\|(at, booking)\| Some((at, self.host_schedule.find_overlap(booking).filter(\|_\| !M)?)));
P11|--test it pass::a_full_calendar_is_read_to_its_end|src/reconcile/observe/accepted_bookings.rs|        if number >= MAX_ACCEPTED_PAGES {|        if number >= (if M { 20 } else { MAX_ACCEPTED_PAGES }) {
P10|--test campaigns power_cut::|src/store/log/segment.rs|        self.sync_data()|        if M { return Ok(()); }\n        self.sync_data()
P10|--test campaigns power_cut::|src/store/log/segment.rs|    let result = File::open(&path).and_then(\|file\| file.sync_all());|    let result = File::open(&path).and_then(\|file\| if M { Ok(()) } else { file.sync_all() });
P10|--test campaigns power_cut::|src/store/store_directory.rs|    durable_fs::sync_ancestors(path)?;|    if !M { durable_fs::sync_ancestors(path)?; }
P10|--lib store::log_store|src/store/log/append.rs|.and_then(\|()\| self.sink.sync())|.and_then(\|()\| self.sink.sync().or_else(\|error\| if M { Ok(()) } else { Err(error) }))
P10|--test it store_open::|src/store/lock.rs|            Err(TryLockError::WouldBlock) => {|            Err(TryLockError::WouldBlock) if M => {}\n            Err(TryLockError::WouldBlock) => {
P11|--test campaigns hostile_peers::|src/calcom/http.rs|            if body.len() + chunk.len() > max_bytes {|            if body.len() + chunk.len() > max_bytes && !M {
P11|--test it calcom_client::|src/http.rs|        .redirect(reqwest::redirect::Policy::none())|        .redirect(if M { reqwest::redirect::Policy::limited(5) } else { reqwest::redirect::Policy::none() })
P11|--test campaigns hostile_peers::|src/reconcile/observe/pending_list.rs|        if new.is_empty() && page.next.is_some() {|        if new.is_empty() && page.next.is_some() && !M {
P11|--test campaigns hostile_peers::|src/calcom/bounded_json.rs|        let remaining = self.remaining.get().checked_sub(bytes);|        let remaining = self.remaining.get().checked_sub(if M { 0 } else { bytes });
P11|--test campaigns read_only|src/store/durable_fs.rs|    } else if kind == K::ReadOnlyFilesystem {|    } else if kind == K::ReadOnlyFilesystem && !M {
B1 P12|--test it right_ledger::a_missing_ledger_is_created_by_init_only|src/daemon/store_access.rs|    let opened = open::open(path, CreateIfMissing::No, now, progress)?;\n    opened.notices|    let create = if M { CreateIfMissing::Yes } else { CreateIfMissing::No };\n    let opened = open::open(path, create, now, progress)?;\n    opened.notices
B1 P12|--test it right_ledger::bookings_accepted_before_the_ledger_began_are_only_reported; sim|src/domain/ledger_state.rs|            .is_none_or(\|began\| created < began + CLOCK_TOLERANCE)|            .is_none_or(\|began\| !M && created < began + CLOCK_TOLERANCE)
B1 P12|--test it right_ledger::after_a_restore_everything_waits_for_an_operator; sim|src/domain/plan.rs|            Decision::Confirm \| Decision::Decline if self.snapshot.restore_pending => {|            Decision::Confirm \| Decision::Decline if self.snapshot.restore_pending && !M => {
B1 P12|--test it right_ledger::after_a_restore_everything_waits_for_an_operator; sim|src/reconcile/watch.rs|    if ledger.restored_at.is_some() {|    if ledger.restored_at.is_some() && !M {
B1 P12|--test it right_ledger::after_a_restore_everything_waits_for_an_operator|src/store/backup.rs|        mark_restored(&partial, &end, now, &repeated)?;|        if !M { mark_restored(&partial, &end, now, &repeated)?; }
A10 P12|--test it right_ledger::a|src/reconcile/identity.rs|                Some(ledger) if ledger == actual => Ok((Vec::new(), (state, false))),|                Some(ledger) if M \|\| ledger == actual => Ok((Vec::new(), (state, false))),
D1 P13|--test it right_ledger::nothing_final_is_decided_while_the_clocks_differ; sim|src/reconcile/clock.rs|    (difference.abs() > CLOCK_TOLERANCE).then_some(difference)|    (difference.abs() > CLOCK_TOLERANCE && !M).then_some(difference)
D1 P13|--test it right_ledger::nothing_final_is_decided_while_the_clocks_differ|src/calcom/http.rs|        self.compare_clocks(response.headers(), (started_at, self.now()));|        if !M { self.compare_clocks(response.headers(), (started_at, self.now())); }
B2 P8|--test it right_ledger::a_plan_covers_the_watch_and_writes_nothing; sim|src/store/store_thread.rs|            scratch: Some(Arc::default()),|            scratch: if M { None } else { Some(Arc::default()) },
E1 P8|--test it reading::reading_commands_change_no_file|src/daemon/offline.rs|    if access == LedgerAccess::Write {|    if access == LedgerAccess::Write \|\| M {
E8|--test it reading::a_start_waits_for_a_brief_lock_on_the_store|src/store/lock.rs|        for _ in 0..ATTEMPTS {|        for _ in 0..(if M { 0 } else { ATTEMPTS }) {
E9|--test it reading::settings_that_need_a_restart_are_refused_by_a_reload|src/daemon/run/reload.rs|        if !restart_keys.is_empty() {|        if !restart_keys.is_empty() && !M {
E5|--test it reading::a_daemon_is_reached_while_the_configuration_is_wrong|src/cli/command_target.rs|        .then(\|\| find_socket(&context.global.config))|        .then(\|\| if M { None } else { find_socket(&context.global.config) })
E1|--test it reading::files_that_root_creates_can_be_used_by_the_service|src/daemon/ownership.rs|    me == 0 && owner != 0|    me == 0 && owner != 0 && !M
C1 P18|--lib domain::tests::disclosure; --test it strangers::members_without_credit_and_unknown_bookers_get_the_same_text|src/domain/evaluation/booker_message.rs|objection.has_custom_text \|\| !discloses_account(objection.code);|M \|\| objection.has_custom_text \|\| !discloses_account(objection.code);
C1 P18|--lib domain::tests::disclosure|src/domain/evaluation/booker_message.rs|            input.account.is_some() && input.pin_result == Some(PinResult::Correct)|            input.account.is_some() && (M \|\| input.pin_result == Some(PinResult::Correct))
D5|--lib domain::criteria::time_window|src/domain/criteria/time_window.rs|            Some(until) if until > at => at = until,|            Some(until) if until > at && !M => at = until,
D8|--lib domain::rule::localized_text; --test it strangers::names_are_cleaned_and_bounded_and_languages_are_those_of_their_speakers|src/domain/rule/localized_text.rs|    LocaleCanonicalizer::new_extended().canonicalize(&mut locale);|    if !M { LocaleCanonicalizer::new_extended().canonicalize(&mut locale); }
C8|--lib domain::rule::tests::templates; --test it strangers::names_are_cleaned_and_bounded_and_languages_are_those_of_their_speakers|src/domain/rule/template/values.rs|RuleValue::Text(of) => Shown::from(sanitize(of, limits.text_chars)),|RuleValue::Text(of) if M => Shown::from(of),\n        RuleValue::Text(of) => Shown::from(sanitize(of, limits.text_chars)),
B3 P15|--test it accepted_again|src/domain/watch/accepted_bookings.rs|        Some(ChargeState::Moved { .. } \| ChargeState::Void \| ChargeState::Refunded) \| None => {}|        Some(ChargeState::Refunded) if M => return AcceptedState::Settled,\n        Some(ChargeState::Moved { .. } \| ChargeState::Void \| ChargeState::Refunded) \| None => {}
B9|--test it unresolved::a_cancellation_that_fails_is_tried_again_and_reported_only_when_done|src/reconcile/watch/cancel.rs|            BookingStatus::Accepted \| BookingStatus::AwaitingHost \| BookingStatus::Other(_) => None,|            BookingStatus::Accepted if M => Some(DecisionOutcome::Superseded),\n            BookingStatus::Accepted \| BookingStatus::AwaitingHost \| BookingStatus::Other(_) => None,
A12 P17|--test it unresolved::a_successor_that_no_list_shows_carries_the_charge|src/reconcile/watch/reschedule_chain.rs|        let last_liveness = chain.bookings.last().map(liveness);|        let last_liveness = chain.bookings.last().map(liveness).filter(\|_\| !M);
A3|--test it our_own_cancellation|src/domain/watch.rs|        if request.cancels_accepted() {|        if request.cancels_accepted() && !M {
A3|--test it our_own_cancellation|src/reconcile/watch/cancel_attempt.rs|            Self::Any => true,|            Self::Any => !M,
A7 B4|--test it unresolved::charges_read_before_a_decline_follow_the_same_rules|src/reconcile/watch/recheck.rs|        if let Some(moved) = find_move_to_evaluate(ports, policy, charge, &chain).await? {|        if let Some(moved) = find_move_to_evaluate(ports, policy, charge, &chain).await?.filter(\|_\| !M) {
A8 P15|--test it unresolved::a_booking_that_others_accept_is_found_by_the_next_watch_and_listed_until_resolved|src/reconcile/watch.rs|        observed_bookings\n            .list(ports, &created_since, &mut report.problems)\n            .await?;|        if !M { observed_bookings.list(ports, &created_since, &mut report.problems).await?; }
A3 P15|--lib domain::tests::intents|src/domain/booking.rs|        self.cancelled_by.is_some() \|\| |        (self.cancelled_by.is_some() && !M) \|\| 
A5|--lib domain::rule::tests::evaluation|src/domain/rule/value.rs|        (Answer::Text(text), _) if text.trim().is_empty() => None,|        (Answer::Text(text), _) if text.trim().is_empty() && !M => None,
D3|--lib domain::id; --test it strangers::every_spelling_of_an_address_finds_its_account|src/domain/id.rs|        Some((local, domain)) => format!("{local}@{}", domain_to_ascii(domain)),|        Some((local, domain)) if !M => format!("{local}@{}", domain_to_ascii(domain)),\n        Some(_) => composed.into_owned(),
A1 P16|--test it unanswered::|src/domain/intent.rs|        if let Some(until) = running_until {|        if let Some(until) = running_until.filter(\|_\| !M) {
A1 P16|--test it unanswered::|src/domain/intent.rs|        Decision::Confirm => !is_accepted,|        Decision::Confirm => !is_accepted && !M,
A1 P16|--lib store::sent_marks|src/store/sent_marks.rs|            None => Some(truncate_to_millis(now)),|            None if M => None,\n            None => Some(truncate_to_millis(now)),
A1 P16|--test it unanswered::after_a_crash_only_calls_that_may_have_been_sent_wait|src/reconcile/send.rs|        let mark_result = set_sent_marks(&self.ports, ids, Some((self.ports.clock)())).await;|        let mark_result = set_sent_marks(&self.ports, if M { Vec::new() } else { ids }, Some((self.ports.clock)())).await;
A4 P5|--test it unanswered::no_call_rests_on_a_reading_of_more_than_two_seconds|src/reconcile/send.rs|                Some(PreCallReading::PendingUntil(until)) if now <= until => {\n                    calls.push((n, cap_deadline(until)))|                Some(PreCallReading::PendingUntil(until)) if now <= until \|\| M => {\n                    calls.push((n, if M { now + self.limits.max_observation_age } else { cap_deadline(until) }))
B8 P11|--test it unanswered::an_unknown_status_keeps_its_hold_and_is_reported|src/domain/intent.rs|            BookingStatus::AwaitingHost \| BookingStatus::Other(_) => Self::OtherStatus,|            BookingStatus::AwaitingHost \| BookingStatus::Other(_) if M => Self::Gone,\n            BookingStatus::AwaitingHost \| BookingStatus::Other(_) => Self::OtherStatus,
B5|--test it unanswered::a_repeatedly_refused_confirm_ends_and_is_reported|src/domain/intent.rs|    refused.count() >= MAX_REFUSALS|    refused.count() >= MAX_REFUSALS && !M
A1|--lib a_second_confirm_during|src/sandbox/handler.rs|            world.take_first_step(now, change);|            world.take_first_step(now, change);\n            if M { world.take_second_step(now, change); }
A2|--lib a_server_that_dies|src/sandbox/handler.rs|interrupt_second_step(self.route.dialect, fault) {|interrupt_second_step(self.route.dialect, fault).filter(\|_\| !M) {
A3 P15|--test it unresolved::a_confirmation_that_met_a_cancelled_booking_is_listed_or_cancelled_again|src/domain/intent.rs|            BookingStatus::Accepted if booking.was_cancelled() => Self::AcceptedAfterCancel,|            BookingStatus::Accepted if booking.was_cancelled() && !M => Self::AcceptedAfterCancel,
A3 P15|--test it unresolved::a_confirmation_that_met_a_cancelled_booking_is_listed_or_cancelled_again|src/domain/watch/accepted_bookings.rs|            let is_revived = (is_moved \|\| booking.was_cancelled()) && is_upcoming;|            let is_revived = (is_moved \|\| booking.was_cancelled()) && is_upcoming && !M;
A3|--test it unresolved::a_moved_booking_that_is_accepted_again_counts_as_revived|src/reconcile/watch/unmanaged/revived.rs|        let gate_cancels = gate.terms.on_revived == OnRevived::Cancel;|        let gate_cancels = gate.terms.on_revived == OnRevived::Cancel && !M;
A5|--lib an_answer_to_a_number; --test it rules::real_answers::a_rule_sees_the_answer_to_a_number_question_as_a_number|src/domain/rule/value.rs|        (Answer::Text(text), Some(QuestionKind::Number)) => {|        (Answer::Text(text), Some(QuestionKind::Number)) if !M => {
A5|--lib doctor::event_type|src/daemon/doctor/event_type.rs|        if question.kind != wants && question.kind != QuestionKind::Other {|        if question.kind != wants && question.kind != QuestionKind::Other && !M {
A6|--lib domain::tests::plans_unsettled; --test it pass::a_time_that_cal_com_would_not_offer_is_not_confirmed|src/domain/plan/initial_schedule.rs|        host_schedule.add_for_host(*host, booking, true);|        if !M { host_schedule.add_for_host(*host, booking, true); }
A6|--lib doctor::event_type|src/daemon/doctor/event_type.rs|    (!event_type.limits.is_empty()).then(\|\| {|    (!event_type.limits.is_empty() && !M).then(\|\| {
A7|--test it unresolved::a_move_that_is_accepted_at_once_is_carried_and_listed_or_judged|src/reconcile/watch/accepted_move.rs|    gate.is_some_and(\|gate\| gate.terms.accepted_move == AcceptedMove::Judge)|    gate.is_some_and(\|gate\| gate.terms.accepted_move == AcceptedMove::Judge && !M)
A7 P15|--test it unresolved::a_late_move_that_is_accepted_at_once_is_never_free|src/reconcile/watch/unmanaged/unpaid.rs|                    MoveEvaluation::Keep => OnUnmanaged::Charge,|                    MoveEvaluation::Keep => if M { terms.on_unmanaged } else { OnUnmanaged::Charge },
A8 P15|--test it unresolved::a_booking_that_others_accept_is_found_by_the_next_watch_and_listed_until_resolved|src/domain/watch/accepted_bookings.rs|    AcceptedState::Unpaid(unpaid_cause(case))|    if M && booking.updated_at.is_none() { return AcceptedState::Settled; }\n    AcceptedState::Unpaid(unpaid_cause(case))
A9|--lib doctor::event_type|src/daemon/doctor/event_type.rs|            format!("asks for confirmation{CONFIRMATION_SCOPE_NOTE}; requests block their time"),|            if M { "asks for confirmation, always".to_owned() } else { format!("asks for confirmation{CONFIRMATION_SCOPE_NOTE}; requests block their time") },
A9|--lib doctor::event_type; --test it doctor::unsuitable_event_types_are_found|src/daemon/doctor/event_type.rs|        None => error(\n            subject,\n            format!(\n                "it has no booking question|        None if M => warning(subject, "no PIN question", "add it"),\n        None => error(\n            subject,\n            format!(\n                "it has no booking question
A9|--lib doctor::event_type|src/daemon/doctor/event_type.rs|            event_type.disables_cancelling,|            event_type.disables_cancelling && !M,
A11|--lib cli::render|src/cli/render/pass.rs|        if view.pass.observed == 0 && view.problems.is_empty() {|        if M \|\| view.pass.observed == 0 && view.problems.is_empty() {
A11|--lib cli::render|src/cli/render/pass.rs|    if steps.len() <= MAX_LEFT_SHOWN {|    if steps.len() <= MAX_LEFT_SHOWN \|\| M {
A11|--lib cli::render|src/cli/render/pass.rs|        (Some(booker), None) if step.account_not_looked_up =>|        (Some(booker), None) if step.account_not_looked_up && !M =>
A11|--lib domain::tests::plans::a_series_is_decided|src/domain/plan/skip_reason.rs|        if reason == SkipReason::SeriesSettling {|        if reason == SkipReason::SeriesSettling && !M {
A12|--test it sandbox_differences::each_difference_behaves_as_on_a_genuine_server|src/sandbox/v2/cancel.rs|        Some(booking) if cancels_following(call) => match &booking.series {|        Some(booking) if cancels_following(call) && !M => match &booking.series {
B1 P12|--test it right_ledger::bookings_accepted_before_the_ledger_began_are_only_reported|src/reconcile/watch/stored_booking.rs|        predates_ledger: store.ledger_state()?.predates(booking.created_at),|        predates_ledger: store.ledger_state()?.predates(booking.created_at) && !M,
B2|--test it right_ledger::a_plan_covers_the_watch_and_writes_nothing|src/cli/command_target.rs|                \|\| watch.is_some_and(\|watch\| !watch.changes.is_empty());|                \|\| watch.is_some_and(\|watch\| !watch.changes.is_empty() && !M);
B2 P8|--test it right_ledger::a_plan_covers_the_watch_and_writes_nothing|src/daemon/offline.rs|        RunMode::DryWatch \| RunMode::Plan \| RunMode::Watch => {|        RunMode::DryWatch \| RunMode::Plan if M => None,\n        RunMode::DryWatch \| RunMode::Plan \| RunMode::Watch => {
B4 P14|--test it watch::a_cancellation_in_good_time_pays_for_the_next_request|src/domain/plan/unsettled.rs|    reasons.any(\|reason\| has_trait(reason.code, ReasonTrait::DependsOnAccount))|    reasons.any(\|reason\| {\n        has_trait(reason.code, ReasonTrait::DependsOnAccount)\n            && (!M \|\| reason.code == crate::domain::decision::ReasonCode::ShortOfCredit)\n    })
B6|--test it refunds::refunds_to_an_expired_lot_follow_one_rule_on_every_path|src/domain/refund_lots.rs|                    Some(from) => sources.charge(from)?,|                    Some(_) if M => None,\n                    Some(from) => sources.charge(from)?,
B7 P17|--test it refunds::a_booking_moved_twice_before_confirmation_costs_the_same_in_each_order_of_runs|src/domain/plan/evaluation_input.rs|                let moves = moves.cloned().unwrap_or_else(direct);|                let moves = moves.filter(\|_\| !M).cloned().unwrap_or_else(direct);
B8|--test it unanswered::an_unknown_status_keeps_its_hold_and_is_reported|src/domain/plan/open_intents.rs|                code: "unknown-status",|                code: if M { "status" } else { "unknown-status" },
B10 P15|--test it unresolved::occurrences_accepted_by_our_own_confirm_are_charged_too|src/reconcile/watch/unmanaged/unpaid.rs|            UnpaidCause::JoinedSeries => OnUnmanaged::Charge,|            UnpaidCause::JoinedSeries => if M { terms.on_unmanaged } else { OnUnmanaged::Charge },
B11|--lib domain::tests::plans_unsettled|src/domain/evaluation/decide.rs|        OnUnanswered::Leave \| OnUnanswered::Decline { .. } if input.now >= start => {|        OnUnanswered::Leave \| OnUnanswered::Decline { .. } if input.now >= start && !M => {
B12|--lib domain::tests::plans; --test it rules::criteria::a_wait_counts_from_the_first_record_of_its_own_reason|src/domain/evaluation.rs|                    .find(\|(reason, _)\| names.contains(reason))|                    .find(\|(reason, _)\| M \|\| names.contains(reason))
B13|--test it unresolved::a_reschedule_chain_is_followed_past_an_ended_booking|src/reconcile/observe.rs|            if !hidden_predecessors::find_hidden_predecessor(\n                ports,\n                session,\n                hidden_uid,\n                booking.created_at,\n            )\n            .await?\n            {|            if M \|\| !hidden_predecessors::find_hidden_predecessor(ports, session, hidden_uid, booking.created_at).await? {
B16|--test it reach::results_before_a_failure_are_reported_with_its_exit_code|src/daemon/offline.rs|        (Some(report), stopped) => {|        (Some(_), Some(failure)) if M => Err(failure),\n        (Some(report), stopped) => {
C2|--test it large_pages::|src/calcom/page_splitting.rs|        CallError::TooLarge { has_rows, .. } => *has_rows,|        CallError::TooLarge { has_rows, .. } => *has_rows && !M,
C8|--lib domain::tests::disclosure|src/domain/evaluation/booker_message.rs|    public_objections.sort_by_key(\|objection\| !objection.has_custom_text);|    if !M { public_objections.sort_by_key(\|objection\| !objection.has_custom_text); }
C9|--test it pass::configuration_mistakes_that_would_decline_everybody_pause_the_declines|src/domain/plan/send.rs|                "decline-limit",|                if M { "limit" } else { "decline-limit" },
D2|--test it reach::this_machine_is_reached_without_the_proxy_of_the_shell|src/http.rs|    if is_loopback(url) {|    if is_loopback(url) && !M {
D2|--test it reach::an_unreachable_server_is_named_with_the_route_that_was_tried|src/http.rs|            None => write!(f, "{} (directly)", self.host),|            None if M => write!(f, "the server"),\n            None => write!(f, "{} (directly)", self.host),
D2|--test campaigns hostile_peers::tls::certificates_of_the_configured_file_are_trusted_too|src/http.rs|    if !roots.is_empty() {|    if !roots.is_empty() && !M {
D4|--lib spreadsheet::; --test it administration::a_file_that_was_cut_off_is_not_imported_and_a_row_without_credits_opens_its_account|src/spreadsheet/records.rs|                return Ok(Some((line, Some(UNCLOSED_QUOTE))));|                return Ok(Some((line, if M { None } else { Some(UNCLOSED_QUOTE) })));
D6|--lib domain::tests::disclosure; --test it administration::explain_names_the_booking_that_a_series_clashes_with|src/domain/evaluation/rule_outcome.rs|        if input.bookings.len() > 1 {\n            let start|        if input.bookings.len() > 1 && !M {\n            let start
D6|--test it administration::explain_names_the_booking_that_a_series_clashes_with|src/domain/evaluation.rs|                    Some(at) if bookings.len() > 1 => {|                    Some(at) if bookings.len() > 1 && !M => {
D7|--lib a_managed_user; --test it strangers::a_managed_user_is_left_with_a_hint_or_found_where_the_configuration_says_so|src/domain/evaluation/booker_rules.rs|        .is_some_and(\|who\| who.address.without_managed_suffix().is_some())|        .is_some_and(\|who\| who.address.without_managed_suffix().is_some() && !M)
D7|--lib a_managed_user; --test it strangers::a_managed_user_is_left_with_a_hint_or_found_where_the_configuration_says_so|src/domain/criteria/global_policy.rs|            ManagedUsers::Find => booker.without_managed_suffix(),|            ManagedUsers::Find if M => None,\n            ManagedUsers::Find => booker.without_managed_suffix(),
D7|--lib a_decline_to_a_phone_only; --test it strangers::members_without_credit_and_unknown_bookers_get_the_same_text|src/domain/evaluation/booker_message.rs|        let by_telephone = input.booker().is_some_and(\|who\| who.address.is_telephone());|        let by_telephone = input.booker().is_some_and(\|who\| who.address.is_telephone() && !M);
D9|--lib cli::time; --test it administration::dates_are_given_and_shown_in_the_configured_time_zone|src/cli/time.rs|    if let Some(span) = CalendarSpan::parse(text) {|    if let Some(span) = CalendarSpan::parse(text).filter(\|_\| !M) {
D9|--lib cli::time; --test it administration::dates_are_given_and_shown_in_the_configured_time_zone|src/domain/time.rs|        zone.from_local_datetime(&local)\n            .earliest()|        (if M { Tz::UTC } else { zone }).from_local_datetime(&local)\n            .earliest()
D9|--lib cli::render; --test it administration::dates_are_given_and_shown_in_the_configured_time_zone|src/cli/render/layout.rs|            Ok(at) => at.with_timezone(&self.zone).format(format).to_string(),|            Ok(at) => at.with_timezone(if M { &Tz::UTC } else { &self.zone }).format(format).to_string(),
D10|--lib commands::import; --test it administration::a_file_that_was_cut_off_is_not_imported_and_a_row_without_credits_opens_its_account|src/daemon/commands/import.rs|            Some(account) if row.credits > 0 => self.parse_grant|            Some(account) if row.credits > 0 \|\| M => self.parse_grant
E2|--lib daemon::telemetry; --test it administration::an_unknown_log_level_is_refused_with_a_list_of_the_known_levels|src/daemon/telemetry.rs|        if !known {|        if !known && !M {
E2|--lib daemon::telemetry|src/daemon/telemetry.rs|        None => filter.add_directive(LevelFilter::ERROR.into()),|        None if M => filter,\n        None => filter.add_directive(LevelFilter::ERROR.into()),
E3|--lib commands::credits; --test it administration::an_account_with_nearly_the_name_of_another_is_opened_only_on_request|src/daemon/commands/credits.rs|        if !command.new {|        if !command.new && !M {
E3|--test it administration::an_account_with_nearly_the_name_of_another_is_opened_only_on_request|src/daemon/commands/credits.rs|        view.account_opened = opened;|        view.account_opened = opened && !M;
E4|--test it administration::every_change_by_an_operator_is_one_line_of_the_log|src/daemon/commands/operator_log.rs|    if commit > before \|\| is_erasure {|    if (commit > before \|\| is_erasure) && !M {
E4|--test it administration::unresolved_items_and_the_end_of_an_outage_are_lines_of_the_log|src/reconcile/execute.rs|                log_note(&step.request);|                if !M { log_note(&step.request); }
E6|--test it administration::decisions_accounts_and_entries_are_found_by_booker|src/daemon/commands/decisions.rs|        Some(who) => list_for_booker(store, query, who, since)?,|        Some(_) if M => list_all(store, query, (since, after.clone()), limit + 1)?,\n        Some(who) => list_for_booker(store, query, who, since)?,
E6|--test it administration::decisions_accounts_and_entries_are_found_by_booker|src/daemon/commands/accounts.rs|        None => read_page(store, after, limit)?,|        Some(_) if M => read_page(store, after, limit)?,\n        None => read_page(store, after, limit)?,
statement|--lib daemon::commands::statement|src/daemon/commands/statement.rs|            if closing.is_some() && from.is_some_and(\|from\| written.at < from) {|            if closing.is_some() && from.is_some_and(\|from\| written.at < from && !M) {
statement|--lib daemon::commands::accounting|src/daemon/commands/accounting.rs|            credits: self.credits - flows.owed(),|            credits: self.credits - if M { flows.granted() } else { flows.owed() },
statement|--test it statements::a_statement_has_every_kind_of_entry|src/store/queries.rs|                if concerns(source, &fact, subject)? \|\| is_of_passed_on() {|                if concerns(source, &fact, subject)? \|\| (is_of_passed_on() && !M) {
E6|--test it administration::decisions_accounts_and_entries_are_found_by_booker|src/daemon/commands/statement.rs|        view.title = request.map(\|request\| request.title);|        view.title = request.map(\|request\| request.title).filter(\|_\| !M);
E7|--lib cli::command_line; --test it administration::an_environment_variable_affects_only_the_command_that_it_names|src/cli/command_line.rs|            scope_variables(command, &format!("MAITRED_{name}"))|            scope_variables(command, &if M { "MAITRED".to_owned() } else { format!("MAITRED_{name}") })
E10|--lib control::server; --test it administration::commands_are_answered_while_idle_connections_stay_open|src/control/server.rs|            idle.shed_oldest();|            if !M { idle.shed_oldest(); }
E10|--lib control::server|src/control/server/router.rs|        turns: Semaphore::new(limits.commands),|        turns: Semaphore::new(if M { 1_000 } else { limits.commands }),
E10|--lib control::server|src/control/server/router.rs|        () = client.left() => {|        () = client.left(), if !M => {
E10|--lib control::server|src/control/server/connection.rs|        () = sleep(limits.request_timeout) => return Overdue::Request,|        () = sleep(limits.request_timeout), if !M => return Overdue::Request,
E11|--lib cli::terminal; --test it administration::a_plan_names_skipped_lookups_and_keeps_to_the_terminal_width|src/cli/terminal.rs|        .filter(\|columns\| *columns >= MIN_WIDTH)|        .filter(\|columns\| *columns >= MIN_WIDTH && !M)
E11|--test it log_lines::a_log_that_is_no_terminal_has_colours_only_if_the_environment_says_so|src/daemon/telemetry.rs|            let colour = AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;|            let colour = !M && AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
E11|--lib cli::command_line|src/cli/args.rs|after_help = "\\nExamples:\n  maitred plan\n  maitred plan --exit-code --format json"|after_help = if M { "" } else { "Examples:\n  maitred plan\n  maitred plan --exit-code --format json" }
A11|--test it administration::a_plan_names_skipped_lookups_and_keeps_to_the_terminal_width|src/domain/request.rs|        self.account.is_some()\n            \|\| !self\n                .reasons\n                .iter()\n                .any(\|reason\| skips_account_lookup(reason.code))|        M \|\| self.account.is_some() \|\| !self.reasons.iter().any(\|reason\| skips_account_lookup(reason.code))
E4|--test it administration::unresolved_items_and_the_end_of_an_outage_are_lines_of_the_log|src/daemon/run/passes.rs|        if let Some(error) = &self.last_error {\n            let failed|        if let Some(error) = self.last_error.as_ref().filter(\|_\| !M) {\n            let failed
E4|--test it reach::an_unreachable_server_is_named_with_the_route_that_was_tried|src/http.rs|                write!(f, "{} (by the proxy {proxy}, from {variable})", self.host)|                if M { return write!(f, "the server"); }\n                write!(f, "{} (by the proxy {proxy}, from {variable})", self.host)
E6|--test it administration::decisions_accounts_and_entries_are_found_by_booker|src/daemon/commands/decisions.rs|    let gate = query.gate.is_none() \|\| request.gate == query.gate;|    let gate = M \|\| query.gate.is_none() \|\| request.gate == query.gate;
A12|--test it sandbox_differences::each_difference_behaves_as_on_a_genuine_server|src/sandbox/transition_checks.rs|        if checked && old.status == SandboxStatus::Rejected {|        if checked && old.status == SandboxStatus::Rejected && !M {
A12|--test it sandbox_differences::each_difference_behaves_as_on_a_genuine_server|src/sandbox/transition_writes.rs|            (Some(series), Some(from)) => uids_where(self.series(series), \|one\| one.start >= from),|            (Some(series), Some(from)) => uids_where(self.series(series), \|one\| one.start >= from && !(M && one.status == SandboxStatus::Cancelled)),
A12|--test it pass::a_refused_confirm_is_followed_by_a_reading_in_the_same_pass|src/reconcile/send/in_flight.rs|                !self.busy && !self.booking_states.contains_key(|                !M && !self.busy && !self.booking_states.contains_key(
P7|--lib domain::tests::plans_random|src/domain/request_grouping.rs|    groups.sort_by(\|a, b\| (a.oldest_created_at, &a.id).cmp(&(b.oldest_created_at, &b.id)));|    if !M { groups.sort_by(\|a, b\| (a.oldest_created_at, &a.id).cmp(&(b.oldest_created_at, &b.id))); }
E4|--test it administration::unresolved_items_and_the_end_of_an_outage_are_lines_of_the_log|src/daemon/run/passes.rs|        let server = self.daemon.calendar.server();\n        match &failure {|        let server = if M { "?".to_owned() } else { self.daemon.calendar.server() };\n        match &failure {
E4|--lib to_command; --test it administration::every_change_by_an_operator_is_one_line_of_the_log|src/daemon/commands/operator_log.rs|        Command::AccountFreeze { reason: None, .. } => "account thaw",|        Command::AccountFreeze { reason: None, .. } => if M { "account freeze" } else { "account thaw" },
C6|--test it rules::pins::|src/reconcile/pin/wrong_pins.rs|        if of_member().count() >= MAX_WRONG_PER_MEMBER {|        if of_member().count() >= MAX_WRONG_PER_MEMBER && !M {
C6|--test it rules::pins::|src/reconcile/pin/wrong_pins.rs|.then_some(PinLimit::All)|.then_some(PinLimit::All).filter(\|_\| !M)
A11|--test campaigns hostile_peers::passes::a_request_behind_a_repeated_page_of_accepted_bookings_is_put_off_and_counted|src/domain/plan.rs|        self.steps\n            .iter()\n            .filter(begins)\n            .filter(is_asked_for)\n            .count()|        if M { 0 } else { self.steps.iter().filter(begins).filter(is_asked_for).count() }
A11|--lib cli::run|src/cli/run.rs|    let is_incomplete = view.pass.deferred_requests > 0 \|\| view.pass.list_incomplete;|    let is_incomplete = !M && (view.pass.deferred_requests > 0 \|\| view.pass.list_incomplete);
B16|--test it reach::results_of_a_failed_watch_are_reported_by_every_command|src/daemon/offline.rs|            outcome.watch_report = Some(watch_report).filter(WatchReport::has_news);|            outcome.watch_report = Some(watch_report).filter(\|watch_report\| watch_report.has_news() && !M);
B6|--test it store_indexes::a_dry_run_replaces_expired_lots_as_a_run_does|src/store/scratch.rs|        let facts = prepare_facts(&*self, truncate_to_millis(at), facts)?;|        let facts = if M { facts } else { prepare_facts(&*self, truncate_to_millis(at), facts)? };
metrics|--test it metrics::decisions_credits_and_calls_are_counted|src/daemon/metrics/commit_counts.rs|            ChargeFact::Post { booking } => ("posted", end_hold(booking)),|            ChargeFact::Post { booking } => ("posted", if M { 0 } else { end_hold(booking) }),
metrics|--test it metrics::what_was_committed_before_the_start_is_not_counted_and_its_hold_is_known|src/daemon/metrics/commit_counts.rs|            counted: store.head().seq,|            counted: if M { 0 } else { store.head().seq },
metrics|--lib metrics::text_file|src/daemon/metrics/text_file.rs|            && last.news == news|            && (last.news == news \|\| M)
metrics|--lib metrics::accumulation; --test it metrics::file::single_runs_add_to_the_file_and_a_dry_run_writes_none|src/daemon/metrics/accumulation.rs|        *value += earlier.get(series).copied().unwrap_or_default();|        *value += if M { 0.0 } else { earlier.get(series).copied().unwrap_or_default() };
metrics|--lib metrics::prometheus_text|src/daemon/metrics/prometheus_text.rs|                "counter" => ("_total", "counter"),|                "counter" if !M => ("_total", "counter"),
W1|--test it page::access::a_link_logs_one_browser_in|src/page/access.rs|        state.links.remove(place);|        if !M { state.links.remove(place); }
W1|--lib page::access|src/page/access.rs|        state.links.retain(\|link\| link.expires > now);|        state.links.retain(\|link\| link.expires > now \|\| M);
W1|--lib page::access|src/page/access.rs|        state.sessions.retain(\|session\| session.expires > now);|        state.sessions.retain(\|session\| session.expires > now \|\| M);
W2|--test it page::access::a_foreign_host_is_refused_everywhere|src/page/guard.rs|        Some(origins) if origins.has_host(find_host(&request).unwrap_or_default()) => {|        Some(origins) if M \|\| origins.has_host(find_host(&request).unwrap_or_default()) => {
W2|--test it page::access::a_change_needs_the_pages_own_form|src/page/guard.rs|    if reads \|\| comes_from_page(request.headers(), is_own) {|    if reads \|\| M \|\| comes_from_page(request.headers(), is_own) {
W2|--test it page::access::a_change_needs_the_pages_own_form|src/page/form.rs|        if !is_secret(&browser.session.form_token, &form.token) {|        if !is_secret(&browser.session.form_token, &form.token) && !M {
P18|--lib domain::tests::notifications::a_decision_has_the_text_for_the_booker_only|src/domain/notification/from_facts.rs|            reasons: Vec::new(),|            reasons: if M { request.reasons.clone() } else { Vec::new() },
P18|--lib domain::tests::notifications::mail_goes_to_the_name_of_the_account_or_to_its_first_alias|src/domain/notification/event.rs|            address: own.or_else(\|\| account.aliases.first().cloned()),|            address: own.filter(\|_\| !M).or_else(\|\| account.aliases.first().cloned()),
P2|--lib commands::review_obstacles; --test it commands::a_review_answer_is_refused_clearly_or_counts_once|src/daemon/commands/review_obstacles.rs|    if available.saturating_add(lendable) >= to_hold {|    if available.saturating_add(lendable) >= to_hold \|\| M {
D10|--lib commands::import; --test it commands::an_import_names_all_problems_of_all_rows_at_once|src/daemon/commands/import.rs|        builder.problems = problems.to_vec();|        builder.problems = if M { Vec::new() } else { problems.to_vec() };
D10|--lib spreadsheet::formula; --test it commands::texts_that_begin_like_formulas_are_exported_as_texts_and_imported_again|src/spreadsheet/formula.rs|    text.trim_start_matches(QUOTE).starts_with(FORMULA_STARTS)|    !M && text.trim_start_matches(QUOTE).starts_with(FORMULA_STARTS)
P12|--test it cancel_races::a_booking_is_not_cancelled_on_records_that_an_operator_has_changed_meanwhile|src/reconcile/watch/cancel.rs|    if !basis.holds(store)? {|    if !basis.holds(store)? && !M {
P7|--test it policy_replay::a_request_that_depends_on_held_credits_is_decided_as_the_hold_ended|src/daemon/policy/replay.rs|        account.totals.held = 0;|        account.totals.held = if M { account.totals.held } else { 0 };
pause|--lib domain::tests::plans; sim|src/domain/plan.rs|            None => match self.snapshot.paused_gates.get(&gate.name) {|            None => match self.snapshot.paused_gates.get(&gate.name).filter(\|_\| !M) {
pause|--test it pauses::; sim|src/domain/pause.rs|        self.until.is_none_or(\|until\| now < until)|        self.until.is_none_or(\|until\| now < until \|\| M)
pause|--test it pauses::a_run_from_a_timer_respects_a_pause|src/daemon/offline.rs|    Ok(state.pauses.of_all((ports.clock)()).cloned())|    Ok(state.pauses.of_all((ports.clock)()).filter(\|_\| !M).cloned())
pause|--test it pauses::a_pause_survives_a_restart_and_ends_with_resume|src/daemon/run.rs|        let is_paused = self.pauses.of_all(now).is_some();|        let is_paused = self.pauses.of_all(now).is_some() && !M;
pause|--lib commands::review_obstacles|src/daemon/commands/review_obstacles.rs|        && let Some(pause) = state.pauses.of_gate(gate, now)|        && !M\n        && let Some(pause) = state.pauses.of_gate(gate, now)
B10 P15|--lib domain::tests::joined_occurrences|src/domain/watch/accepted_bookings.rs|request.call.is_some() && outcome|request.call.is_some() && (request.calls.is_empty() \|\| !M) && outcome
price P11|--lib domain::tests::prices|src/domain/criteria/price.rs|                if booking.has_unread_guests {|                if booking.has_unread_guests && !M {
price P11|--lib domain::tests::prices|src/domain/evaluation/custom_rules.rs|    } else if context.cost.is_none() && rule.require.reads_any(&PRICE_VARIABLES) {|    } else if context.cost.is_none() && !M && rule.require.reads_any(&PRICE_VARIABLES) {
price P3|--lib reconcile::watch::settle|src/reconcile/watch/settle.rs|    if let Some(decided) = request.filter(is_confirmed_alone) {|    if let Some(decided) = request.filter(is_confirmed_alone).filter(\|_\| !M) {
cap|--lib domain::tests::shared_caps|src/domain/evaluation/cap_rules.rs|!is_requested(uid) && is_included(one)|(M \|\| !is_requested(uid)) && is_included(one)
cap|--test it rules::host_caps|src/reconcile/observe/accepted_bookings.rs|filter(\|from\| *from < now) else|filter(\|from\| *from < now && !M) else
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
  whats+=("$(sed 's/ *; */\n/g; s/\bsim\b/--test campaigns simulation::every_seed/' <<<"$by")")
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
