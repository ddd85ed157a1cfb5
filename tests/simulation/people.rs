//! What people do to bookings: bookers who ask, cancel, move and do not come, and hosts who answer,
//! cancel, move and mark by hand.

use maitred::domain::booking::Status;
use maitred::domain::time::{Span, Time};

use super::rng::Rng;
use super::tally::Tally;
use super::town::{ADMIN, GUEST, HOST, ME, OTHER, PEOPLE, Row, STRANGER, Town};

/// How far ahead people book and move to, in hours.
const AHEAD: [i64; 8] = [1, 2, 5, 20, 26, 50, 100, 200];

impl Town {
    /// Somebody asks: once, for the same time as another, or for a series.
    pub fn ask(&mut self, rng: &mut Rng, now: Time) {
        let kind = *rng.pick(&[0, 0, 0, 1, 1, 2, 3, 4]);
        let slot = rng.below(60) as i64;
        let soon = if rng.chance(60) {
            0
        } else {
            *rng.pick(&AHEAD) * 60
        };
        let start = now + Span::minutes(soon + 10 + slot * 15);
        let mut row = Row {
            uid: String::new(),
            number: 0,
            series: None,
            kind,
            host: if rng.chance(50) { OTHER } else { ME },
            email: if rng.chance(20) {
                None
            } else {
                Some(*rng.pick(&PEOPLE))
            },
            start,
            end: start + Span::minutes(30),
            created: now - Span::seconds(rng.below(40) as i64),
            updated: None,
            status: Status::Pending,
            from: None,
            to: None,
            moved_by: None,
            cancelled_by: None,
            refused_by_us: false,
            absent_host: false,
            absent: false,
            absent_guest: false,
            seated: false,
            odd: false,
            reason: false,
            revived: false,
        };
        if self.behaviours.at_once && rng.chance(120) {
            row.status = Status::Accepted;
        }
        if rng.chance(200) {
            let series = format!("s{}", self.made);
            for n in 0..2 + rng.below(3) as i64 {
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

    /// Another occurrence of a series that still waits.
    pub fn grow(&mut self, rng: &mut Rng, now: Time) -> Option<String> {
        let waiting = |row: &&Row| {
            row.series.is_some() && row.status == Status::Pending && row.from.is_none()
        };
        let mine: Vec<Row> = self.rows.iter().filter(waiting).cloned().collect();
        if mine.is_empty() {
            return None;
        }
        let mut row = rng.pick(&mine).clone();
        row.start += Span::days(70 + rng.below(50) as i64);
        row.end = row.start + Span::minutes(30);
        row.created = now;
        row.updated = None;
        let series = row.series.clone();
        self.add(row);
        series
    }

    /// Somebody else changes a booking; marks on what began come first to mind.
    pub fn meddle(&mut self, rng: &mut Rng, tally: &mut Tally, now: Time) -> bool {
        if rng.chance(250) && self.mark(rng, tally, now) {
            self.record();
            return true;
        }
        if self.behaviours.revive && rng.chance(100) && self.revive(rng, tally, now) {
            return true;
        }
        if self.behaviours.unknown_status && rng.chance(60) && self.unknown(rng, tally, now) {
            return true;
        }
        let live: Vec<usize> = (0..self.rows.len())
            .filter(|n| self.rows[*n].to.is_none())
            .filter(|n| self.rows[*n].end > now - Span::hours(3))
            .collect();
        if live.is_empty() {
            return false;
        }
        // What was accepted has more of a life, and so has what replaced something.
        let some = |wanted: &dyn Fn(&Row) -> bool| -> Vec<usize> {
            let live = live.iter().copied();
            live.filter(|n| wanted(&self.rows[*n])).collect()
        };
        let of = match rng.below(10) {
            0..=4 => some(&|row| row.status == Status::Accepted),
            5 | 6 => some(&|row| row.from.is_some()),
            _ => live.clone(),
        };
        let n = *rng.pick(if of.is_empty() { &live } else { &of });
        let done = self.change(rng, tally, n, now);
        self.record();
        done
    }

    fn change(&mut self, rng: &mut Rng, tally: &mut Tally, n: usize, now: Time) -> bool {
        let uid = self.rows[n].uid.clone();
        let status = self.rows[n].status.clone();
        match (rng.below(9), status) {
            (0 | 1, Status::Pending | Status::Accepted) => {
                let booker = self.rows[n].email;
                let others = [Some(GUEST), Some(ADMIN), Some(STRANGER)];
                let other = *rng.pick(&others);
                let by = *rng.pick(&[Some(HOST), booker, booker, None, other]);
                return self.cancel(&uid, by, now).is_ok();
            }
            (2, Status::Pending) => {
                let _ = self.answer(&uid, &Status::Accepted, now);
            }
            (3, Status::Pending) => {
                let _ = self.answer(&uid, &Status::Rejected, now);
            }
            (4 | 5, Status::Pending | Status::Accepted) => self.moves(rng, tally, n, now),
            // The host had asked for another time, or nobody minds what the booking was.
            (5, Status::Cancelled) if rng.chance(300) => self.moves(rng, tally, n, now),
            (6, Status::Pending) if rng.chance(100) => {
                self.rows[n].status = Status::Other("odd".to_owned());
            }
            (6, _) if rng.chance(150) => {
                tally.add("booking deleted");
                self.rows.remove(n);
            }
            (7, _) if rng.chance(400) => {
                tally.add("row unreadable");
                self.rows[n].odd ^= true;
            }
            // Something is written to it that changes nothing here.
            (8, _) if rng.chance(300) => self.rows[n].updated = Some(now),
            (8, Status::Accepted) if rng.chance(80) => self.seats(tally, n),
            _ => return false,
        }
        true
    }

    /// Its kind is given seats: from now on its bookings show nobody as the booker.
    fn seats(&mut self, tally: &mut Tally, n: usize) {
        tally.add("seats switched on");
        let kind = self.rows[n].kind;
        self.seated.insert(kind);
        for row in self.rows.iter_mut().filter(|row| row.kind == kind) {
            row.seated = true;
        }
    }

    /// Once, or a few times before anybody looks.
    fn moves(&mut self, rng: &mut Rng, tally: &mut Tally, n: usize, now: Time) {
        let first = (self.rows[n].start, self.rows[n].end);
        let mut n = n;
        for count in 1..=*rng.pick(&[1, 1, 1, 2, 3]) {
            self.shift(rng, n, now);
            n = self.rows.len() - 1;
            if count > 1 {
                tally.add("moved again");
            }
        }
        if self.rows[n].from.is_some() && first.0 > now && rng.chance(200) {
            tally.add("moved back");
            (self.rows[n].start, self.rows[n].end) = first;
            self.record();
        }
    }

    fn shift(&mut self, rng: &mut Rng, n: usize, now: Time) {
        let mut new = self.rows[n].clone();
        new.from = Some(new.uid.clone());
        let ahead = Span::hours(*rng.pick(&AHEAD));
        new.start = now + ahead + Span::minutes(15 * rng.below(20) as i64);
        new.end = new.start + Span::minutes(*rng.pick(&[30, 30, 60]));
        new.created = now;
        new.updated = Some(now);
        new.cancelled_by = None;
        new.refused_by_us = false;
        (new.absent, new.absent_host, new.absent_guest) = (false, false, false);
        let by_host = rng.chance(300);
        new.moved_by = if by_host {
            Some(HOST)
        } else {
            *rng.pick(&[new.email, None, Some(GUEST), Some(ADMIN), Some(STRANGER)])
        };
        let at_once = if self.behaviours.moved_at_once {
            600
        } else {
            200
        };
        new.status = if by_host || rng.chance(at_once) {
            Status::Accepted
        } else {
            Status::Pending
        };
        if rng.chance(300) {
            new.kind = *rng.pick(&[0, 1, 1, 2, 3]);
        }
        new.reason = false;
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
            // Which of the two the old one names is the server's chance.
            if rng.chance(500) {
                uid = other;
            }
        }
        let old = &mut self.rows[n];
        old.status = Status::Cancelled;
        old.refused_by_us = false;
        old.updated = Some(now);
        old.to = Some(uid);
        self.record();
    }

    /// The booker moves it once, while it waits.
    pub fn shift_by_booker(&mut self, rng: &mut Rng, n: usize, now: Time) {
        let mut new = self.rows[n].clone();
        new.from = Some(new.uid.clone());
        new.start = now + Span::hours(*rng.pick(&AHEAD)) + Span::minutes(7);
        new.end = new.start + Span::minutes(30);
        new.created = now;
        new.updated = Some(now);
        new.moved_by = new.email;
        (new.cancelled_by, new.refused_by_us, new.reason, new.revived) =
            (None, false, false, false);
        let uid = self.add(new);
        let old = &mut self.rows[n];
        old.status = Status::Cancelled;
        old.refused_by_us = false;
        old.updated = Some(now);
        old.to = Some(uid);
    }

    /// Somebody confirms again what was cancelled or moved: by a link in an old mail.
    fn revive(&mut self, rng: &mut Rng, tally: &mut Tally, now: Time) -> bool {
        let gone: Vec<usize> = (0..self.rows.len())
            .filter(|n| self.rows[*n].status == Status::Cancelled && self.rows[*n].end > now)
            .collect();
        if gone.is_empty() {
            return false;
        }
        let row = &mut self.rows[*rng.pick(&gone)];
        row.status = Status::Accepted;
        row.revived = true;
        row.refused_by_us = false;
        row.updated = Some(now);
        tally.add("revived by others");
        self.record();
        true
    }

    /// A status that the client does not know, or what becomes of it.
    fn unknown(&mut self, rng: &mut Rng, tally: &mut Tally, now: Time) -> bool {
        let other = |status: &Status| matches!(status, Status::AwaitingHost | Status::Other(_));
        let some: Vec<usize> = (0..self.rows.len())
            .filter(|n| self.rows[*n].end > now && self.rows[*n].to.is_none())
            .filter(|n| self.rows[*n].status == Status::Pending || other(&self.rows[*n].status))
            .collect();
        if some.is_empty() {
            return false;
        }
        let row = &mut self.rows[*rng.pick(&some)];
        row.status = if other(&row.status) {
            rng.pick(&[Status::Accepted, Status::Pending, Status::Rejected])
                .clone()
        } else {
            rng.pick(&[
                Status::AwaitingHost,
                Status::Other("under_review".to_owned()),
            ])
            .clone()
        };
        row.updated = Some(now);
        tally.add("status: unknown, or known again");
        self.record();
        true
    }

    /// A member cancels what was accepted, and asks for another time at once.
    pub fn rebook(&mut self, rng: &mut Rng, tally: &mut Tally, now: Time) {
        let some: Vec<usize> = (0..self.rows.len())
            .filter(|n| {
                let row = &self.rows[*n];
                row.status == Status::Accepted
                    && row.host == ME
                    && row.to.is_none()
                    && row.series.is_none()
                    && row.email.is_some()
                    && row.start > now + Span::hours(25)
            })
            .collect();
        if some.is_empty() {
            return;
        }
        let old = self.rows[*rng.pick(&some)].clone();
        if self.cancel(&old.uid, old.email, now).is_err() {
            return;
        }
        tally.add("cancelled, and booked again at once");
        let mut new = old;
        new.start += Span::minutes(90);
        new.end += Span::minutes(90);
        new.created = now;
        new.updated = None;
        new.status = Status::Pending;
        new.from = None;
        (new.moved_by, new.cancelled_by) = (None, None);
        (new.reason, new.revived, new.odd) = (false, false, false);
        self.add(new);
    }

    /// Many ask at once, so that a pass has many calls to send.
    pub fn rush(&mut self, rng: &mut Rng, now: Time) {
        for _ in 0..14 {
            self.ask(rng, now);
        }
    }

    /// A booking that the server accepts when it is made.
    pub fn accepted_at_once(&mut self, now: Time) -> String {
        let start = now + Span::days(20) + Span::minutes(self.made);
        let row = Row {
            uid: String::new(),
            number: 0,
            series: None,
            kind: 0,
            host: ME,
            email: Some(PEOPLE[0]),
            start,
            end: start + Span::minutes(30),
            created: now,
            updated: None,
            status: Status::Accepted,
            from: None,
            to: None,
            moved_by: None,
            cancelled_by: None,
            refused_by_us: false,
            absent_host: false,
            absent: false,
            absent_guest: false,
            seated: false,
            odd: false,
            reason: false,
            revived: false,
        };
        self.add(row)
    }

    /// Another occurrence of this series.
    pub fn join(&mut self, rng: &mut Rng, uid: &str, now: Time) {
        let Some(row) = self
            .row(uid)
            .filter(|row| row.series.is_some() && row.from.is_none())
        else {
            return;
        };
        let mut row = row.clone();
        row.start += Span::days(140 + rng.below(50) as i64);
        row.end = row.start + Span::minutes(30);
        row.created = now;
        row.updated = None;
        // Nothing that happened to the other occurrence happened to this one.
        row.status = Status::Pending;
        row.to = None;
        row.moved_by = None;
        row.cancelled_by = None;
        row.refused_by_us = false;
        row.absent_host = false;
        row.absent = false;
        row.absent_guest = false;
        row.odd = false;
        row.reason = false;
        row.revived = false;
        self.add(row);
    }

    /// Marks who did not come, or takes a mark back, on a booking that has begun.
    fn mark(&mut self, rng: &mut Rng, tally: &mut Tally, now: Time) -> bool {
        let begun: Vec<usize> = (0..self.rows.len())
            .filter(|n| self.rows[*n].status == Status::Accepted)
            .filter(|n| (now - Span::days(3)..=now).contains(&self.rows[*n].start))
            .collect();
        if begun.is_empty() {
            return false;
        }
        let row = &mut self.rows[*rng.pick(&begun)];
        match rng.below(6) {
            0 => {
                tally.add("host marked absent");
                row.absent_host = true;
                row.updated = Some(now);
            }
            1 => row.absent_guest = true,
            // A mark on an attendee does not touch the booking's own row.
            _ if row.absent => {
                tally.add("absence taken back");
                row.absent = false;
            }
            _ => {
                tally.add("booker marked absent");
                row.absent = true;
            }
        }
        true
    }
}
