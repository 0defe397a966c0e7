//! When is a schedule expression due? `at(…)`, `rate(…)`, `cron(…)`, in a time zone.
//!
//! Scheduled actions of Application Auto Scaling and EventBridge's rules share it. It reads no clock:
//! what is asked is always "after this instant" or "up to this instant", counted from an anchor
//! before which nothing was due (the schedule did not exist yet).
//!
//! # When clocks change
//! As EventBridge Scheduler documents it:
//! * A wall-clock time that a `cron` names and that the clocks skip is skipped: at Europe/Berlin,
//!   `cron(30 2 * * ? *)` is not due on 2026-03-29. A single `at` which the clocks skip would never
//!   be due, and is refused when it is read.
//! * A wall-clock time that comes twice is due once, the first time.
//! * `rate` counts elapsed time: a day is 24 hours, whatever the clocks do.
//!
//! Time zones come from the data base inside the program, not from the machine, so that the same
//! schedule is due at the same instants everywhere.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};

use super::cron::Cron;
pub use super::text::ScheduleError;
use super::text::{Piece, pieces};

/// A schedule expression that has been understood, in its time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    form: Form,
    zone: TimeZone,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// Once.
    At(Timestamp),
    /// Every so often.
    Rate(SignedDuration),
    /// At wall-clock times.
    Cron(Box<Cron>),
}

/// The time zone of an IANA name such as `Europe/Berlin`, in any case.
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

impl Schedule {
    /// Reads an expression.
    ///
    /// ```
    /// use jiff::tz::TimeZone;
    /// use linkspan::ecs::scaling::schedule::Schedule;
    /// let weekly = Schedule::parse("cron(30 6 ? * MON *)", &TimeZone::UTC).unwrap();
    /// let start = "2026-01-01T00:00:00Z".parse().unwrap();
    /// assert_eq!(weekly.next_after(start, start).unwrap().to_string(), "2026-01-05T06:30:00Z");
    /// let error = Schedule::parse("rate(1 minutes)", &TimeZone::UTC).unwrap_err();
    /// assert_eq!(error.to_string(), "at character 8: expected `minute` after 1, found `minutes`");
    /// ```
    pub fn parse(text: &str, zone: &TimeZone) -> Result<Self, ScheduleError> {
        let trimmed = text.trim();
        let start = text.chars().count() - text.trim_start().chars().count();
        let whole = Piece { text: trimmed, at: start };
        let forms = "`at(2026-01-31T18:00:00)`, `rate(5 minutes)` or `cron(30 6 ? * MON *)`";
        let (word, Some(rest)) = whole.cut('(') else { return Err(whole.expected(forms)) };
        let Some(inside) = rest.text.strip_suffix(')') else {
            let at = start + trimmed.chars().count();
            return Err(ScheduleError::new(at, "`)` at the end", "the end"));
        };
        let inside = rest.part(inside);
        let form = match word.text {
            "at" => Form::At(at(inside, zone)?),
            "rate" => Form::Rate(rate(inside)?),
            "cron" => Form::Cron(Box::new(Cron::parse(inside.text, inside.at)?)),
            _ => return Err(word.expected(forms)),
        };
        Ok(Self { form, zone: zone.clone(), text: trimmed.to_owned() })
    }

    /// The first instant after `instant` at which it is due, where nothing is due up to `anchor`.
    ///
    /// A rate is due at the anchor plus whole multiples of itself, from one on.
    pub fn next_after(&self, instant: Timestamp, anchor: Timestamp) -> Option<Timestamp> {
        let after = instant.max(anchor);
        match &self.form {
            Form::At(at) => (*at > after).then_some(*at),
            Form::Rate(period) => {
                let times = elapsed(anchor, after) / period.as_secs() + 1;
                nth(anchor, *period, times)
            }
            Form::Cron(cron) => {
                let mut wall = self.zone.to_datetime(after);
                loop {
                    let candidate = cron.next_from(wall)?;
                    if let Some(due) = self.first_instant(candidate).filter(|due| *due > after) {
                        return Some(due);
                    }
                    wall = candidate.checked_add(SignedDuration::from_mins(1)).ok()?;
                }
            }
        }
    }

    /// The last instant up to `instant` at which it was due, where nothing was due up to `anchor`.
    pub fn last_due(&self, instant: Timestamp, anchor: Timestamp) -> Option<Timestamp> {
        let due = match &self.form {
            Form::At(at) => (*at <= instant).then_some(*at),
            Form::Rate(period) => {
                let times = elapsed(anchor, instant) / period.as_secs();
                (times >= 1).then(|| nth(anchor, *period, times)).flatten()
            }
            Form::Cron(cron) => {
                // Where the clocks went back, the first pass may show a later time than the second.
                let shown = self.zone.to_datetime(instant);
                let mut wall = shown.checked_add(SignedDuration::from_hours(26)).unwrap_or(shown);
                if self.zone.following(instant - SignedDuration::from_hours(48)).next().is_none_or(
                    |change| change.timestamp() > instant + SignedDuration::from_hours(48),
                ) {
                    wall = shown;
                }
                loop {
                    let candidate = cron.last_until(wall)?;
                    if let Some(due) = self.first_instant(candidate).filter(|due| *due <= instant) {
                        break Some(due);
                    }
                    wall = candidate.checked_sub(SignedDuration::from_mins(1)).ok()?;
                }
            }
        };
        due.filter(|due| *due > anchor)
    }

    /// Whether it is due only once.
    pub fn is_once(&self) -> bool {
        matches!(self.form, Form::At(_))
    }

    /// What a reader of the expression may not expect of it.
    pub fn notes(&self) -> Vec<String> {
        match &self.form {
            Form::Cron(cron) => cron.notes(),
            Form::At(_) | Form::Rate(_) => Vec::new(),
        }
    }

    /// The first instant at which the clocks show this time; none if they skip it.
    fn first_instant(&self, wall: DateTime) -> Option<Timestamp> {
        first_instant(&self.zone, wall)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn first_instant(zone: &TimeZone, wall: DateTime) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(wall).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
            offset.to_timestamp(wall).ok()
        }
        AmbiguousOffset::Gap { .. } => None,
    }
}

/// Whole seconds from one instant to another; 0 if it is earlier.
fn elapsed(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs().max(0)
}

fn nth(anchor: Timestamp, period: SignedDuration, times: i64) -> Option<Timestamp> {
    let seconds = period.as_secs().checked_mul(times)?;
    anchor.checked_add(SignedDuration::from_secs(seconds)).ok()
}

/// The inside of `at(2026-01-31T18:00:00)`.
fn at(inside: Piece<'_>, zone: &TimeZone) -> Result<Timestamp, ScheduleError> {
    let shape = "a date and time as in 2026-01-31T18:00:00, without time zone";
    let text = inside.text.as_bytes();
    let fits = text.len() == 19
        && text.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            10 => *byte == b'T',
            13 | 16 => *byte == b':',
            _ => byte.is_ascii_digit(),
        });
    let read = if fits { inside.text.parse::<DateTime>().ok() } else { None };
    // A leap second would be read as the second before it.
    let Some(wall) = read.filter(|_| !inside.text.ends_with(":60")) else {
        return Err(inside.expected(shape));
    };
    first_instant(zone, wall).ok_or_else(|| {
        let name = zone.iana_name().unwrap_or("the time zone");
        inside.expected(&format!("a time that the clocks of {name} do not skip"))
    })
}

/// The inside of `rate(5 minutes)`.
fn rate(inside: Piece<'_>) -> Result<SignedDuration, ScheduleError> {
    let words = pieces(inside.text, inside.at, char::is_whitespace);
    let [count, unit] = words.as_slice() else {
        return Err(inside.expected("a number and a unit, as in `5 minutes`"));
    };
    let number: i64 = Some(count.text)
        .filter(|text| text.len() <= 9 && text.bytes().all(|c| c.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .filter(|number| *number > 0)
        .ok_or_else(|| count.expected("a whole number from 1 to 999999999"))?;
    let singular = unit.text.strip_suffix('s').unwrap_or(unit.text);
    let seconds = match singular {
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        _ => return Err(unit.expected("minute, hour or day, or minutes, hours or days")),
    };
    let right = if number == 1 { singular.to_owned() } else { format!("{singular}s") };
    if right != unit.text {
        return Err(unit.expected(&format!("`{right}` after {number}")));
    }
    Ok(SignedDuration::from_secs(number * seconds))
}

#[cfg(test)]
mod scan;
#[cfg(test)]
mod tests;
