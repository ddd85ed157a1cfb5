//! What people do to bookings: bookers who request, cancel, move and do not come, and hosts who
//! answer, cancel, move and mark absences by hand.

use maitred::domain::booking::BookingStatus;
use maitred::domain::time::{Span, Time};

use super::coverage::Coverage;
use super::model_calcom::{
    ADMIN_ADDRESS, BOOKERS, GUEST_ADDRESS, HOST_ADDRESS, HOST_ID, ModelBooking, ModelCalcom,
    OTHER_HOST_ID, STRANGER_ADDRESS,
};
use crate::rng::Rng;

/// How far ahead people book and move, in hours.
const LEAD_HOURS: [i64; 8] = [1, 2, 5, 20, 26, 50, 100, 200];

impl ModelCalcom {
    /// Makes a request: a single one, possibly for the same time as another, or a series.
    pub fn request_bookings(&mut self, rng: &mut Rng, now: Time) {
        let kind = *rng.pick(&[0, 0, 0, 1, 1, 2, 3, 4]);
        let slot = rng.up_to(60) as i64;
        let soon = if rng.chance(60) {
            0
        } else {
            *rng.pick(&LEAD_HOURS) * 60
        };
        let start = now + Span::minutes(soon + 10 + slot * 15);
        let mut row = ModelBooking {
            uid: String::new(),
            number: 0,
            series: None,
            event_type: kind,
            host: if rng.chance(50) {
                OTHER_HOST_ID
            } else {
                HOST_ID
            },
            email: if rng.chance(20) {
                None
            } else {
                Some(*rng.pick(&BOOKERS))
            },
            start,
            end: start + Span::minutes(30),
            created: now - Span::seconds(rng.up_to(40) as i64),
            updated: None,
            status: BookingStatus::Pending,
            predecessor: None,
            successor: None,
            moved_by: None,
            cancelled_by: None,
            refused_by_us: false,
            absent_host: false,
            absent: false,
            absent_guest: false,
            seated: false,
            unreadable: false,
            has_reason: false,
            revived: false,
        };
        if self.behaviours.accepted_at_once && rng.chance(120) {
            row.status = BookingStatus::Accepted;
        }
        if rng.chance(200) {
            let series = format!("s{}", self.rows_made);
            for n in 0..2 + rng.up_to(3) as i64 {
                let mut row = row.clone();
                row.series = Some(series.clone());
                row.start += Span::days(7 * n);
                row.end += Span::days(7 * n);
                self.add(row);
            }
        } else {
            self.add(row);
        }
    }

    /// Adds another occurrence to a pending series.
    pub fn grow_series(&mut self, rng: &mut Rng, now: Time) -> Option<String> {
        let waiting = |row: &&ModelBooking| {
            row.series.is_some()
                && row.status == BookingStatus::Pending
                && row.predecessor.is_none()
        };
        let mine: Vec<ModelBooking> = self.rows.iter().filter(waiting).cloned().collect();
        if mine.is_empty() {
            return None;
        }
        let mut row = rng.pick(&mine).clone();
        row.start += Span::days(70 + rng.up_to(50) as i64);
        row.end = row.start + Span::minutes(30);
        row.created = now;
        row.updated = None;
        let series = row.series.clone();
        self.add(row);
        series
    }

    /// Lets another person change a booking; absence marks on started bookings are tried first.
    pub fn change_random_booking(
        &mut self,
        rng: &mut Rng,
        coverage: &mut Coverage,
        now: Time,
    ) -> bool {
        if rng.chance(250) && self.mark_absence(rng, coverage, now) {
            self.record_history();
            return true;
        }
        if self.behaviours.revive && rng.chance(100) && self.revive_booking(rng, coverage, now) {
            return true;
        }
        if self.behaviours.unknown_status
            && rng.chance(60)
            && self.set_unknown_status(rng, coverage, now)
        {
            return true;
        }
        let live: Vec<usize> = (0..self.rows.len())
            .filter(|n| self.rows[*n].successor.is_none())
            .filter(|n| self.rows[*n].end > now - Span::hours(3))
            .collect();
        if live.is_empty() {
            return false;
        }
        // Accepted bookings, and bookings that replaced others, change more often.
        let some = |wanted: &dyn Fn(&ModelBooking) -> bool| -> Vec<usize> {
            let live = live.iter().copied();
            live.filter(|n| wanted(&self.rows[*n])).collect()
        };
        let of = match rng.up_to(10) {
            0..=4 => some(&|row| row.status == BookingStatus::Accepted),
            5 | 6 => some(&|row| row.predecessor.is_some()),
            _ => live.clone(),
        };
        let n = *rng.pick(if of.is_empty() { &live } else { &of });
        let done = self.apply_random_change(rng, coverage, n, now);
        self.record_history();
        done
    }

    fn apply_random_change(
        &mut self,
        rng: &mut Rng,
        coverage: &mut Coverage,
        n: usize,
        now: Time,
    ) -> bool {
        let uid = self.rows[n].uid.clone();
        let status = self.rows[n].status.clone();
        match (rng.up_to(9), status) {
            (0 | 1, BookingStatus::Pending | BookingStatus::Accepted) => {
                let booker = self.rows[n].email;
                let others = [
                    Some(GUEST_ADDRESS),
                    Some(ADMIN_ADDRESS),
                    Some(STRANGER_ADDRESS),
                ];
                let other = *rng.pick(&others);
                let by = *rng.pick(&[Some(HOST_ADDRESS), booker, booker, None, other]);
                return self.cancel_booking(&uid, by, now).is_ok();
            }
            (2, BookingStatus::Pending) => {
                let _ = self.answer_request(&uid, &BookingStatus::Accepted, now);
            }
            (3, BookingStatus::Pending) => {
                let _ = self.answer_request(&uid, &BookingStatus::Rejected, now);
            }
            (4 | 5, BookingStatus::Pending | BookingStatus::Accepted) => {
                self.move_repeatedly(rng, coverage, n, now)
            }
            // The host had requested another time, or a person moves the booking although it was
            // cancelled.
            (5, BookingStatus::Cancelled) if rng.chance(300) => {
                self.move_repeatedly(rng, coverage, n, now)
            }
            (6, BookingStatus::Pending) if rng.chance(100) => {
                self.rows[n].status = BookingStatus::Other("odd".to_owned());
            }
            (6, _) if rng.chance(150) => {
                coverage.count("booking deleted");
                self.rows.remove(n);
            }
            (7, _) if rng.chance(400) => {
                coverage.count("row unreadable");
                self.rows[n].unreadable ^= true;
            }
            // A write that changes nothing here.
            (8, _) if rng.chance(300) => self.rows[n].updated = Some(now),
            (8, BookingStatus::Accepted) if rng.chance(80) => self.add_seats(coverage, n),
            _ => return false,
        }
        true
    }

    /// Adds seats to the booking's event type: from now on its bookings show no booker.
    fn add_seats(&mut self, coverage: &mut Coverage, n: usize) {
        coverage.count("seats switched on");
        let kind = self.rows[n].event_type;
        self.seated.insert(kind);
        for row in self.rows.iter_mut().filter(|row| row.event_type == kind) {
            row.seated = true;
        }
    }

    /// Moves a booking once, or a few times before any run.
    fn move_repeatedly(&mut self, rng: &mut Rng, coverage: &mut Coverage, n: usize, now: Time) {
        let first = (self.rows[n].start, self.rows[n].end);
        let mut n = n;
        for count in 1..=*rng.pick(&[1, 1, 1, 2, 3]) {
            self.move_booking(rng, n, now);
            n = self.rows.len() - 1;
            if count > 1 {
                coverage.count("moved again");
            }
        }
        if self.rows[n].predecessor.is_some() && first.0 > now && rng.chance(200) {
            coverage.count("moved back");
            (self.rows[n].start, self.rows[n].end) = first;
            self.record_history();
        }
    }

    fn move_booking(&mut self, rng: &mut Rng, n: usize, now: Time) {
        let mut new = self.rows[n].clone();
        new.predecessor = Some(new.uid.clone());
        let ahead = Span::hours(*rng.pick(&LEAD_HOURS));
        new.start = now + ahead + Span::minutes(15 * rng.up_to(20) as i64);
        new.end = new.start + Span::minutes(*rng.pick(&[30, 30, 60]));
        new.created = now;
        new.updated = Some(now);
        new.cancelled_by = None;
        new.refused_by_us = false;
        (new.absent, new.absent_host, new.absent_guest) = (false, false, false);
        let by_host = rng.chance(300);
        new.moved_by = if by_host {
            Some(HOST_ADDRESS)
        } else {
            *rng.pick(&[
                new.email,
                None,
                Some(GUEST_ADDRESS),
                Some(ADMIN_ADDRESS),
                Some(STRANGER_ADDRESS),
            ])
        };
        let at_once = if self.behaviours.moved_at_once {
            600
        } else {
            200
        };
        new.status = if by_host || rng.chance(at_once) {
            BookingStatus::Accepted
        } else {
            BookingStatus::Pending
        };
        if rng.chance(300) {
            new.event_type = *rng.pick(&[0, 1, 1, 2, 3]);
        }
        new.has_reason = false;
        new.revived = false;
        let second = self.behaviours.two_successors && rng.chance(150);
        let second = second.then(|| {
            let mut second = new.clone();
            second.start += Span::minutes(45);
            second.end += Span::minutes(45);
            second
        });
        let mut uid = self.add(new);
        if let Some(second) = second {
            let other = self.add(second);
            // The server chooses at random which of the two successors the old booking names.
            if rng.chance(500) {
                uid = other;
            }
        }
        let old = &mut self.rows[n];
        old.status = BookingStatus::Cancelled;
        old.refused_by_us = false;
        old.updated = Some(now);
        old.successor = Some(uid);
        self.record_history();
    }

    /// Lets the booker move a pending booking once.
    pub fn move_by_booker(&mut self, rng: &mut Rng, n: usize, now: Time) {
        let mut new = self.rows[n].clone();
        new.predecessor = Some(new.uid.clone());
        new.start = now + Span::hours(*rng.pick(&LEAD_HOURS)) + Span::minutes(7);
        new.end = new.start + Span::minutes(30);
        new.created = now;
        new.updated = Some(now);
        new.moved_by = new.email;
        (
            new.cancelled_by,
            new.refused_by_us,
            new.has_reason,
            new.revived,
        ) = (None, false, false, false);
        let uid = self.add(new);
        let old = &mut self.rows[n];
        old.status = BookingStatus::Cancelled;
        old.refused_by_us = false;
        old.updated = Some(now);
        old.successor = Some(uid);
    }

    /// Lets a person confirm a cancelled or moved booking again, as with a link in an old mail.
    fn revive_booking(&mut self, rng: &mut Rng, coverage: &mut Coverage, now: Time) -> bool {
        let gone: Vec<usize> = (0..self.rows.len())
            .filter(|n| self.rows[*n].status == BookingStatus::Cancelled && self.rows[*n].end > now)
            .collect();
        if gone.is_empty() {
            return false;
        }
        let row = &mut self.rows[*rng.pick(&gone)];
        row.status = BookingStatus::Accepted;
        row.revived = true;
        row.refused_by_us = false;
        row.updated = Some(now);
        coverage.count("revived by others");
        self.record_history();
        true
    }

    /// Sets a status that the client does not know, or the status that follows.
    fn set_unknown_status(&mut self, rng: &mut Rng, coverage: &mut Coverage, now: Time) -> bool {
        let other = |status: &BookingStatus| {
            matches!(
                status,
                BookingStatus::AwaitingHost | BookingStatus::Other(_)
            )
        };
        let some: Vec<usize> = (0..self.rows.len())
            .filter(|n| self.rows[*n].end > now && self.rows[*n].successor.is_none())
            .filter(|n| {
                self.rows[*n].status == BookingStatus::Pending || other(&self.rows[*n].status)
            })
            .collect();
        if some.is_empty() {
            return false;
        }
        let row = &mut self.rows[*rng.pick(&some)];
        row.status = if other(&row.status) {
            rng.pick(&[
                BookingStatus::Accepted,
                BookingStatus::Pending,
                BookingStatus::Rejected,
            ])
            .clone()
        } else {
            rng.pick(&[
                BookingStatus::AwaitingHost,
                BookingStatus::Other("under_review".to_owned()),
            ])
            .clone()
        };
        row.updated = Some(now);
        coverage.count("status: unknown, or known again");
        self.record_history();
        true
    }

    /// Lets a member cancel an accepted booking and immediately request another time.
    pub fn cancel_and_rebook(&mut self, rng: &mut Rng, coverage: &mut Coverage, now: Time) {
        let some: Vec<usize> = (0..self.rows.len())
            .filter(|n| {
                let row = &self.rows[*n];
                row.status == BookingStatus::Accepted
                    && row.host == HOST_ID
                    && row.successor.is_none()
                    && row.series.is_none()
                    && row.email.is_some()
                    && row.start > now + Span::hours(25)
            })
            .collect();
        if some.is_empty() {
            return;
        }
        let old = self.rows[*rng.pick(&some)].clone();
        if self.cancel_booking(&old.uid, old.email, now).is_err() {
            return;
        }
        coverage.count("cancelled, and booked again at once");
        let mut new = old;
        new.start += Span::minutes(90);
        new.end += Span::minutes(90);
        new.created = now;
        new.updated = None;
        new.status = BookingStatus::Pending;
        new.predecessor = None;
        (new.moved_by, new.cancelled_by) = (None, None);
        (new.has_reason, new.revived, new.unreadable) = (false, false, false);
        self.add(new);
    }

    /// Makes many requests at the same time, so that a pass has many calls to send.
    pub fn request_many(&mut self, rng: &mut Rng, now: Time) {
        for _ in 0..14 {
            self.request_bookings(rng, now);
        }
    }

    /// Makes a booking that the server accepts immediately.
    pub fn book_accepted(&mut self, now: Time) -> String {
        let start = now + Span::days(20) + Span::minutes(self.rows_made);
        let row = ModelBooking {
            uid: String::new(),
            number: 0,
            series: None,
            event_type: 0,
            host: HOST_ID,
            email: Some(BOOKERS[0]),
            start,
            end: start + Span::minutes(30),
            created: now,
            updated: None,
            status: BookingStatus::Accepted,
            predecessor: None,
            successor: None,
            moved_by: None,
            cancelled_by: None,
            refused_by_us: false,
            absent_host: false,
            absent: false,
            absent_guest: false,
            seated: false,
            unreadable: false,
            has_reason: false,
            revived: false,
        };
        self.add(row)
    }

    /// Adds another occurrence to this series.
    pub fn join_series(&mut self, rng: &mut Rng, uid: &str, now: Time) {
        let Some(row) = self
            .row(uid)
            .filter(|row| row.series.is_some() && row.predecessor.is_none())
        else {
            return;
        };
        let mut row = row.clone();
        row.start += Span::days(140 + rng.up_to(50) as i64);
        row.end = row.start + Span::minutes(30);
        row.created = now;
        row.updated = None;
        // The new occurrence does not inherit what happened to the other occurrence.
        row.status = BookingStatus::Pending;
        row.successor = None;
        row.moved_by = None;
        row.cancelled_by = None;
        row.refused_by_us = false;
        row.absent_host = false;
        row.absent = false;
        row.absent_guest = false;
        row.unreadable = false;
        row.has_reason = false;
        row.revived = false;
        self.add(row);
    }

    /// Marks the person who did not come, or removes a mark, on a booking that has started.
    fn mark_absence(&mut self, rng: &mut Rng, coverage: &mut Coverage, now: Time) -> bool {
        let started: Vec<usize> = (0..self.rows.len())
            .filter(|n| self.rows[*n].status == BookingStatus::Accepted)
            .filter(|n| (now - Span::days(3)..=now).contains(&self.rows[*n].start))
            .collect();
        if started.is_empty() {
            return false;
        }
        let row = &mut self.rows[*rng.pick(&started)];
        match rng.up_to(6) {
            0 => {
                coverage.count("host marked absent");
                row.absent_host = true;
                row.updated = Some(now);
            }
            1 => row.absent_guest = true,
            // A mark on an attendee does not change the booking's own row.
            _ if row.absent => {
                coverage.count("absence taken back");
                row.absent = false;
            }
            _ => {
                coverage.count("booker marked absent");
                row.absent = true;
            }
        }
        true
    }
}
