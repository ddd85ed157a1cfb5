//! A confirm as the real server runs it: it checks the status when it starts, mails in the middle,
//! and writes the status when it ends, whether or not the client still waits (`calcom/api.md` 3.8).

use maitred::domain::booking::BookingStatus;
use maitred::domain::time::{Span, Time};

use super::model_connection::SimState;

/// A confirm that is running at the server.
pub struct RunningConfirm {
    pub number: u64,
    pub uid: String,
    pub series: Option<String>,
    mails: Time,
    pub ends: Time,
    mailed: bool,
    /// The server dies at the end of the confirm, with the mails sent and the status unchanged.
    dies: bool,
    /// The confirm ends in a status that the client does not know, and the booking is accepted
    /// later.
    ends_in_unknown_status: bool,
    /// The ledger that knew about the confirm was lost.
    pub of_lost_ledger: bool,
}

/// The result of a confirm.
pub struct FinishedConfirm {
    pub number: u64,
    pub died: bool,
    /// The bookings that the confirm accepted.
    pub accepted: Vec<String>,
}

/// How long a confirm takes, in seconds. The longest is shorter than the time after which a client
/// may confirm again.
const CONFIRM_SECONDS: [i64; 12] = [0, 0, 0, 0, 1, 1, 2, 5, 20, 75, 300, 600];

impl SimState {
    /// Starts a confirm at the server. Returns its number and its end. The caller has checked that
    /// the booking may be confirmed.
    pub fn start_confirm(&mut self, uid: &str, now: Time) -> (u64, Time) {
        let row = self.calcom.row(uid).expect("it was looked at");
        let whole = !self.calcom.series_per_occurrence;
        let series = row.series.clone().filter(|_| whole);
        let others = self.running.iter();
        let same = |other: &&RunningConfirm| {
            other.uid == uid || (series.is_some() && other.series == series)
        };
        if let Some(other) = others
            .clone()
            .filter(|other| !other.of_lost_ledger)
            .find(same)
        {
            let text = format!(
                "16 (A1): {uid} is confirmed at {now} while an earlier confirm runs until {}",
                other.ends
            );
            self.violations.push(text);
        }
        let lasts = if self.fault_rate > 0 && self.behaviours.slow_confirm {
            *self.rng.pick(&CONFIRM_SECONDS)
        } else {
            self.rng.up_to(2) as i64
        };
        let lasts = Span::seconds(lasts) + Span::milliseconds(self.rng.up_to(400) as i64);
        let wild = self.behaviours;
        let troubled = self.fault_rate > 0;
        let running = RunningConfirm {
            number: self.started + 1,
            uid: uid.to_owned(),
            series,
            mails: now + lasts / 2,
            ends: now + lasts,
            mailed: false,
            dies: wild.server_dies && troubled && self.rng.chance(150),
            ends_in_unknown_status: wild.unknown_status && troubled && self.rng.chance(150),
            of_lost_ledger: false,
        };
        self.started += 1;
        let result = (running.number, running.ends);
        self.running.push(running);
        result
    }

    /// Performs what the server does until now.
    pub fn tick(&mut self, now: Time) {
        if self.running.is_empty() && self.unknown_statuses.is_empty() {
            return;
        }
        for running in &mut self.running {
            if !running.mailed && running.mails <= now {
                running.mailed = true;
                self.coverage.count("server: mailed a confirmation");
            }
        }
        let (mut due, later): (Vec<RunningConfirm>, Vec<RunningConfirm>) =
            std::mem::take(&mut self.running)
                .into_iter()
                .partition(|running| running.ends <= now);
        self.running = later;
        due.sort_by_key(|running| (running.ends, running.number));
        for running in due {
            let accepted = if running.dies {
                self.coverage.count("server: died in a confirm");
                Vec::new()
            } else {
                self.finish_confirm(&running)
            };
            self.finished.push(FinishedConfirm {
                number: running.number,
                died: running.dies,
                accepted,
            });
        }
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.unknown_statuses)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.unknown_statuses = later;
        for (at, uid) in due {
            let Some(row) = self.calcom.row_mut(&uid) else {
                continue;
            };
            if matches!(
                row.status,
                BookingStatus::AwaitingHost | BookingStatus::Other(_)
            ) {
                row.status = BookingStatus::Accepted;
                row.updated = Some(at);
                self.coverage
                    .count("server: an unknown status became accepted");
            }
            self.calcom.record_history();
        }
    }

    /// Writes the status: for a single booking whatever its present status, and for a series only
    /// where an occurrence is pending.
    fn finish_confirm(&mut self, running: &RunningConfirm) -> Vec<String> {
        let mut accepted = Vec::new();
        let single = running.series.is_none();
        for row in &mut self.calcom.rows {
            let named = match &running.series {
                Some(series) => {
                    row.series.as_ref() == Some(series) && row.status == BookingStatus::Pending
                }
                None => row.uid == running.uid,
            };
            if !named || row.status == BookingStatus::Accepted {
                continue;
            }
            if row.status == BookingStatus::Cancelled || row.status == BookingStatus::Rejected {
                self.coverage.count("revived by a confirm that was running");
                row.revived = true;
                row.refused_by_us = false;
            }
            row.status = BookingStatus::Accepted;
            row.updated = Some(running.ends);
            if single && running.ends_in_unknown_status {
                row.status = BookingStatus::Other("under_review".to_owned());
                let later = Span::seconds(40 + 60 * (running.number as i64 % 50));
                self.unknown_statuses
                    .push((running.ends + later, row.uid.clone()));
            }
            accepted.push(row.uid.clone());
        }
        for uid in &accepted {
            let is_over = self
                .calcom
                .row(uid)
                .is_some_and(|row| row.end <= running.ends);
            let ours = self.calcom.own_writes.entry(uid.clone()).or_default();
            ours.confirmed += 1;
            ours.confirmed_by_lost_ledger |= running.of_lost_ledger;
            // The confirm of another occurrence reached this booking, and a booking that is over is
            // not charged.
            ours.confirmed_when_over |= is_over && *uid != running.uid;
        }
        self.calcom.record_history();
        accepted
    }

    /// Lets the booker cancel or move a booking that the server is confirming.
    pub fn change_running_booking(&mut self, now: Time) {
        let running: Vec<String> = self.running.iter().map(|one| one.uid.clone()).collect();
        if running.is_empty() {
            return;
        }
        let uid = self.rng.pick(&running).clone();
        let found = self.calcom.rows.iter().position(|row| row.uid == uid);
        let Some(n) = found.filter(|n| self.calcom.rows[*n].status == BookingStatus::Pending)
        else {
            return;
        };
        if self.rng.chance(500) {
            let by = self.calcom.rows[n].email;
            if self.calcom.cancel_booking(&uid, by, now).is_ok() {
                self.calcom.row_mut(&uid).expect("it is there").has_reason = true;
                self.coverage.count("cancelled during a confirm");
            }
        } else {
            self.calcom.move_by_booker(&mut self.rng, n, now);
            self.coverage.count("moved during a confirm");
        }
        self.calcom.record_history();
    }
}
