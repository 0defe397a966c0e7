//! At which wall-clock minutes does a six-field cron expression hold?
//!
//! The grammar is EventBridge's: minutes, hours, day of month, month, day of week, year. It knows of
//! civil dates only; time zones and their clock changes are in [`super::schedule`].

use jiff::civil::{Date, DateTime};

use super::text::{Piece, ScheduleError, pieces};

/// First year that an expression can name.
const FIRST_YEAR: i16 = 1970;
/// Last year that an expression can name.
const LAST_YEAR: i16 = 2199;

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// One of the six fields: what it is called, its range, and the names it knows.
struct Field {
    called: &'static str,
    least: i16,
    most: i16,
    names: &'static [&'static str],
}

const MINUTE: Field = Field { called: "minutes", least: 0, most: 59, names: &[] };
const HOUR: Field = Field { called: "hours", least: 0, most: 23, names: &[] };
const DAY: Field = Field { called: "day of month", least: 1, most: 31, names: &[] };
const MONTH: Field = Field { called: "month", least: 1, most: 12, names: &MONTHS };
const WEEKDAY: Field = Field { called: "day of week", least: 1, most: 7, names: &WEEKDAYS };
const YEAR: Field = Field { called: "year", least: FIRST_YEAR, most: LAST_YEAR, names: &[] };

impl Field {
    /// What the field takes, for messages.
    fn range(&self) -> String {
        match self.names {
            [first, .., last] => {
                format!("{} to {} or {first} to {last}", self.least, self.most)
            }
            _ => format!("{} to {}", self.least, self.most),
        }
    }
}

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
                numeric_weekdays = weekday.text.bytes().next().is_some_and(|c| c.is_ascii_digit());
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

/// The values of a field, as bits.
fn bits_of(field: Piece<'_>, of: &Field) -> Result<u64, ScheduleError> {
    if field.text == "*" {
        return Ok(from(of.least) & !from(of.most + 1));
    }
    let mut bits = 0;
    for element in field.split(',') {
        bits |= element_bits(element, of)?;
    }
    Ok(bits)
}

fn element_bits(element: Piece<'_>, of: &Field) -> Result<u64, ScheduleError> {
    Ok(values(element, of)?.into_iter().fold(0, |bits, value| bits | bit(value)))
}

/// The values of `7`, `MON`, `3-5`, `*/10`, `3/10` and `3-40/10`.
fn values(element: Piece<'_>, of: &Field) -> Result<Vec<i16>, ScheduleError> {
    let (range, step) = element.cut('/');
    let size = of.most - of.least + 1;
    let step = match step {
        None => None,
        Some(step) => {
            Some(number(step).filter(|step| (1..=size).contains(step)).ok_or_else(|| {
                step.expected(&format!("a step of 1 to {size} in the field of {}", of.called))
            })?)
        }
    };
    let (start, length) = if range.text == "*" {
        (of.least, size)
    } else {
        let (first, last) = range.cut('-');
        let start = value(first, of)?;
        let end = match last {
            Some(last) => value(last, of)?,
            None if step.is_some() => of.most,
            None => start,
        };
        if end < start && of.names.is_empty() && of.least == FIRST_YEAR {
            return Err(range.expected("years in ascending order"));
        }
        // `FRI-MON` and `22-2` go round.
        (start, (end - start).rem_euclid(size) + 1)
    };
    let step = usize::from(step.unwrap_or(1).unsigned_abs());
    Ok((0..length)
        .step_by(step)
        .map(|n| (start - of.least + n).rem_euclid(size) + of.least)
        .collect())
}

/// One number or name in the range of its field.
fn value(piece: Piece<'_>, of: &Field) -> Result<i16, ScheduleError> {
    let named = of.names.iter().position(|name| name.eq_ignore_ascii_case(piece.text));
    named
        .and_then(|at| i16::try_from(at + 1).ok())
        .or_else(|| number(piece).filter(|number| (of.least..=of.most).contains(number)))
        .ok_or_else(|| piece.expected(&format!("{} for the {}", of.range(), of.called)))
}

fn number(piece: Piece<'_>) -> Option<i16> {
    let digits =
        (1..=4).contains(&piece.text.len()) && piece.text.bytes().all(|c| c.is_ascii_digit());
    digits.then(|| piece.text.parse().ok()).flatten()
}

fn days_of_month(field: Piece<'_>) -> Result<Days, ScheduleError> {
    let (mut days, mut last, mut last_working, mut nearest) = (0, false, false, Vec::new());
    for element in field.split(',') {
        match element.text {
            "L" | "l" => last = true,
            "LW" | "lw" => last_working = true,
            text => match text.strip_suffix(['W', 'w']) {
                Some(day) => nearest.push(value(element.part(day), &DAY)?),
                None => days |= element_bits(element, &DAY)?,
            },
        }
    }
    Ok(Days::OfMonth { days, last, last_working, nearest })
}

fn days_of_week(field: Piece<'_>) -> Result<Days, ScheduleError> {
    let (mut weekdays, mut last, mut nth) = (0, 0, Vec::new());
    for element in field.split(',') {
        if let (weekday, Some(which)) = element.cut('#') {
            let count = number(which).filter(|count| (1..=5).contains(count)).ok_or_else(|| {
                which.expected("1 to 5 after `#`, as in `3#2` for the second Tuesday")
            })?;
            nth.push((value(weekday, &WEEKDAY)?, count));
        } else if element.text.eq_ignore_ascii_case("L") {
            // Alone it is the last day of the week: Saturday.
            weekdays |= bit(7);
        } else if let Some(weekday) = element.text.strip_suffix(['L', 'l']) {
            last |= bit(value(element.part(weekday), &WEEKDAY)?);
        } else {
            weekdays |= element_bits(element, &WEEKDAY)?;
        }
    }
    Ok(Days::OfWeek { weekdays, last, nth })
}

fn years(field: Piece<'_>) -> Result<Vec<i16>, ScheduleError> {
    if field.text == "*" {
        return Ok((FIRST_YEAR..=LAST_YEAR).collect());
    }
    let mut years = Vec::new();
    for element in field.split(',') {
        years.extend(values(element, &YEAR)?);
    }
    years.sort_unstable();
    years.dedup();
    Ok(years)
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
