//! Settles the charges that a watch checks, one after the other.

use super::accepted_move::{self, MoveEvaluation, MoveToEvaluate};
use super::observed_bookings::ObservedBookings;
use super::reschedule_chain::RescheduleChain;
use super::unresolved_list::{self, UnresolvedFinding};
use super::{WatchReport, cancel, cancel_limit, settle};
use crate::domain::gate::Policy;
use crate::domain::request::Charge;
use crate::domain::unresolved::UnresolvedCode;
use crate::reconcile::context::{PassError, Ports, Session};
use crate::reconcile::observe::count_recent_declines;

/// The number of charges whose bookings are read together, between two checks whether to stop.
const CHARGES_PER_CHUNK: usize = 64;

/// Settles the charges in the order in which they end, so that one late watch forgives the absences
/// that timely watches would have forgiven.
pub(super) async fn settle_charges(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    mut charges: Vec<Charge>,
    observed_bookings: &mut ObservedBookings,
    report: &mut WatchReport,
) -> Result<(), PassError> {
    charges.sort_by(|a, b| (a.end, &a.booking.uid).cmp(&(b.end, &b.booking.uid)));
    for chunk in charges.chunks(CHARGES_PER_CHUNK) {
        if report.should_stop(ports) {
            break;
        }
        observed_bookings
            .read_charged_bookings(ports, chunk, &mut report.problems)
            .await?;
        for charge in chunk {
            if report.should_stop(ports) {
                break;
            }
            let problems = &mut report.problems;
            let chain = observed_bookings
                .follow_chain(ports, &charge.booking, problems)
                .await?;
            report.checked_charges += 1;
            if may_settle(ports, policy, session, charge, &chain, report).await? {
                settle::settle(ports, policy, charge, chain, report).await?;
            }
        }
    }
    Ok(())
}

/// Returns true if the charge may be settled by its chain now. If the gate asks for it, a move that
/// was accepted without a pass is evaluated first.
async fn may_settle(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    charge: &Charge,
    chain: &RescheduleChain,
    report: &mut WatchReport,
) -> Result<bool, PassError> {
    let move_to_evaluate =
        accepted_move::find_move_to_evaluate(ports, policy, charge, chain).await?;
    let Some(MoveToEvaluate {
        booking: last,
        gate,
        basis,
    }) = move_to_evaluate
    else {
        return Ok(true);
    };
    match accepted_move::evaluate_move(ports, policy, session, last, &mut report.problems).await? {
        MoveEvaluation::Keep => Ok(true),
        MoveEvaluation::Postpone => Ok(false),
        MoveEvaluation::Review(why) => {
            let detail = format!("at once after a move, and its gate asks for a review: {why}");
            let account = Some(charge.account.clone());
            let code = UnresolvedCode::AcceptedMove;
            unresolved_list::add_to_unresolved(
                ports,
                UnresolvedFinding::new(last, code, account, detail),
                report,
            )
            .await?;
            Ok(true)
        }
        MoveEvaluation::Cancel(_)
            if count_recent_declines(ports, policy).await? >= policy.limits.declines.at_most =>
        {
            cancel_limit::report_cancel_limit(report);
            let detail = "at once after a move, and is to be cancelled".to_owned();
            let account = Some(charge.account.clone());
            let code = UnresolvedCode::AcceptedMove;
            unresolved_list::add_to_unresolved(
                ports,
                UnresolvedFinding::new(last, code, account, detail),
                report,
            )
            .await?;
            Ok(false)
        }
        MoveEvaluation::Cancel(why) => {
            let reason = (basis, why);
            let decided = cancel::cancel_booking(ports, policy, (last, gate), reason, report);
            Ok(!decided.await?)
        }
    }
}
