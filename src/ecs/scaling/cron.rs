//! At which wall-clock minutes does a six-field cron expression hold?
//!
//! The grammar is EventBridge's: minutes, hours, day of month, month, day of week, year. It knows of
//! civil dates only; time zones and their clock changes are in [`super::schedule`].

mod fields;

use jiff::civil::{Date, DateTime};

use super::text::{Piece, ScheduleError, pieces};
use fields::{HOUR, MINUTE, MONTH, bits_of, days_of_month, days_of_week, years};

/// A cron expression that has been understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cron {
    /// Bit n stands for minute n.
    minutes: u64,
    /// Bit n stands for hour n.
    hours: u64,
    /// Bit n stands for month n.
    months: u64,
    /// Which days of a month.
    days: Days,
    /// The years, ascending.
    years: Vec<i16>,
    /// Whether weekdays were written as numbers.
    numeric_weekdays: bool,
    /// Whether both fields of days were given, one of them as `*`.
    lacks_question_mark: bool,
}

/// The days of a month: by their number or by their weekday, never by both.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    Every,
    OfMonth {
        /// Bit n stands for day n.
        days: u64,
        /// `L`: the last day.
        last: bool,
        /// `LW`: the last day from Monday to Friday.
        last_working: bool,
        /// `15W`: the day from Monday to Friday that is nearest to this day, in the same month.
        nearest: Vec<i16>,
    },
    OfWeek {
        /// Bit n stands for weekday n, 1 being Sunday.
        weekdays: u64,
        /// `6L`: bit n stands for the month's last weekday n.
        last: u64,
        /// `3#2`: the second Tuesday.
        nth: Vec<(i16, i16)>,
    },
}

impl Cron {
    /// Reads what stands between the parentheses of `cron(…)`; `start` is where it begins in the
    /// whole text, for positions.
    pub(super) fn parse(text: &str, start: usize) -> Result<Self, ScheduleError> {
        let fields: Vec<Piece<'_>> = pieces(text, start, char::is_whitespace);
        let [minutes, hours, day, month, weekday, year] = fields.as_slice() else {
            return Err(ScheduleError::new(
                start,
                "six fields, as in `cron(30 6 ? * MON *)`: minutes, hours, day of month, month, \
                 day of week, year",
                match fields.len() {
                    0 => "none".to_owned(),
                    count => format!("{count} in `{}`", text.trim()),
                },
            ));
        };
        let (numbers, mut numeric_weekdays) = (bits_of(*minutes, &MINUTE)?, false);
        let hours = bits_of(*hours, &HOUR)?;
        let months = bits_of(*month, &MONTH)?;
        let days = match (day.text, weekday.text) {
            ("*" | "?", "*" | "?") if (day.text, weekday.text) != ("?", "?") => Days::Every,
            ("?", "?") => {
                return Err(weekday.expected(
                    "a value or `*`: only one of day of month and day of week can be `?`",
                ));
            }
            (_, "*" | "?") => days_of_month(*day)?,
            ("*" | "?", _) => {
                let mut ends = weekday.text.split([',', '-']);
                numeric_weekdays = ends.any(|end| end.starts_with(|c: char| c.is_ascii_digit()));
                days_of_week(*weekday)?
            }
            _ => {
                return Err(weekday
                    .expected("`?`, since the day of month is given: only one of the two can be"));
            }
        };
        Ok(Self {
            minutes: numbers,
            hours,
            months,
            days,
            years: years(*year)?,
            numeric_weekdays,
            lacks_question_mark: day.text != "?" && weekday.text != "?",
        })
    }

    /// What a reader of the expression may not expect of it.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.numeric_weekdays {
            notes.push(
                "numbers of weekdays count from 1 = SUN as in EventBridge, so that 2 is MON; a \
                 name leaves no doubt"
                    .to_owned(),
            );
        }
        if self.lacks_question_mark {
            notes.push(
                "one of day of month and day of week should be `?`; the `*` is taken for it"
                    .to_owned(),
            );
        }
        notes
    }

    /// The first minute from this one on.
    pub(super) fn next_from(&self, wall: DateTime) -> Option<DateTime> {
        let today = self.next_date(wall.date())?;
        if today == wall.date()
            && let Some((hour, minute)) = self.next_time(wall.hour(), wall.minute())
        {
            return Some(today.at(hour, minute, 0, 0));
        }
        let later =
            if today == wall.date() { self.next_date(today.tomorrow().ok()?)? } else { today };
        let (hour, minute) = self.next_time(0, 0)?;
        Some(later.at(hour, minute, 0, 0))
    }

    /// The last minute up to this one.
    pub(super) fn last_until(&self, wall: DateTime) -> Option<DateTime> {
        let today = self.last_date(wall.date())?;
        if today == wall.date()
            && let Some((hour, minute)) = self.last_time(wall.hour(), wall.minute())
        {
            return Some(today.at(hour, minute, 0, 0));
        }
        let earlier =
            if today == wall.date() { self.last_date(today.yesterday().ok()?)? } else { today };
        let (hour, minute) = self.last_time(23, 59)?;
        Some(earlier.at(hour, minute, 0, 0))
    }

    fn next_time(&self, hour: i8, minute: i8) -> Option<(i8, i8)> {
        if has(self.hours, hour.into())
            && let Some(minute) = lowest(self.minutes & from(minute.into()))
        {
            return Some((hour, minute));
        }
        let later = lowest(self.hours & from(i16::from(hour) + 1))?;
        Some((later, lowest(self.minutes)?))
    }

    fn last_time(&self, hour: i8, minute: i8) -> Option<(i8, i8)> {
        if has(self.hours, hour.into())
            && let Some(minute) = highest(self.minutes & !from(i16::from(minute) + 1))
        {
            return Some((hour, minute));
        }
        let earlier = highest(self.hours & !from(hour.into()))?;
        Some((earlier, highest(self.minutes)?))
    }

    fn next_date(&self, start: Date) -> Option<Date> {
        let first = self.years.partition_point(|year| *year < start.year());
        for year in self.years.get(first..)?.iter().copied() {
            for month in (1..=12).filter(|month| has(self.months, (*month).into())) {
                if (year, month) < (start.year(), start.month()) {
                    continue;
                }
                let mut days = self.days_in(year, month);
                if (year, month) == (start.year(), start.month()) {
                    days &= from(start.day().into());
                }
                if let Some(day) = lowest(days) {
                    return Date::new(year, month, day).ok();
                }
            }
        }
        None
    }

    fn last_date(&self, end: Date) -> Option<Date> {
        let past = self.years.partition_point(|year| *year <= end.year());
        for year in self.years.get(..past)?.iter().rev().copied() {
            for month in (1..=12).rev().filter(|month| has(self.months, (*month).into())) {
                if (year, month) > (end.year(), end.month()) {
                    continue;
                }
                let mut days = self.days_in(year, month);
                if (year, month) == (end.year(), end.month()) {
                    days &= !from(i16::from(end.day()) + 1);
                }
                if let Some(day) = highest(days) {
                    return Date::new(year, month, day).ok();
                }
            }
        }
        None
    }

    /// The days of one month, bit n for day n.
    fn days_in(&self, year: i16, month: i8) -> u64 {
        let Ok(first) = Date::new(year, month, 1) else { return 0 };
        let length = i16::from(first.days_in_month());
        let all = from(1) & !from(length + 1);
        // 1 is Sunday, as in the expression.
        let weekday = |day: i16| {
            (i16::from(first.weekday().to_sunday_zero_offset()) + day - 1).rem_euclid(7) + 1
        };
        match &self.days {
            Days::Every => all,
            Days::OfMonth { days, last, last_working, nearest } => {
                let mut found = *days;
                if *last {
                    found |= bit(length);
                }
                if *last_working {
                    found |= bit(nearest_working(length, length, weekday));
                }
                for day in nearest.iter().filter(|day| **day <= length) {
                    found |= bit(nearest_working(*day, length, weekday));
                }
                found & all
            }
            Days::OfWeek { weekdays, last, nth } => (1..=length)
                .filter(|day| {
                    let on = weekday(*day);
                    has(*weekdays, on)
                        || (has(*last, on) && day + 7 > length)
                        || nth.contains(&(on, (day - 1) / 7 + 1))
                })
                .fold(0, |found, day| found | bit(day)),
        }
    }
}

/// The day from Monday to Friday nearest to `day` that lies in the same month.
fn nearest_working(day: i16, length: i16, weekday: impl Fn(i16) -> i16) -> i16 {
    let (sunday, saturday) = (1, 7);
    match weekday(day) {
        on if on == saturday => {
            if day > 1 {
                day - 1
            } else {
                day + 2
            }
        }
        on if on == sunday => {
            if day < length {
                day + 1
            } else {
                day - 2
            }
        }
        _ => day,
    }
}

/// The bit of a number up to 63.
fn bit(number: i16) -> u64 {
    u32::try_from(number).ok().and_then(|number| 1_u64.checked_shl(number)).unwrap_or(0)
}

/// The bits of this number and all above it.
fn from(number: i16) -> u64 {
    u32::try_from(number).ok().and_then(|number| u64::MAX.checked_shl(number)).unwrap_or(0)
}

fn has(bits: u64, number: i16) -> bool {
    bits & bit(number) != 0
}

fn lowest(bits: u64) -> Option<i8> {
    (bits != 0).then(|| i8::try_from(bits.trailing_zeros()).ok()).flatten()
}

fn highest(bits: u64) -> Option<i8> {
    bits.checked_ilog2().and_then(|at| i8::try_from(at).ok())
}
