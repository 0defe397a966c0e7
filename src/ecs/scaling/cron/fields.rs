//! Which values does one field of a cron expression stand for?

use super::{Days, bit, from};
use crate::ecs::scaling::text::{Piece, ScheduleError};

/// First year that an expression can name.
const FIRST_YEAR: i16 = 1970;
/// Last year that an expression can name.
const LAST_YEAR: i16 = 2199;

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// One of the six fields: what it is called, its range, and the names it knows.
pub(super) struct Field {
    called: &'static str,
    least: i16,
    most: i16,
    names: &'static [&'static str],
}

pub(super) const MINUTE: Field = Field { called: "minutes", least: 0, most: 59, names: &[] };
pub(super) const HOUR: Field = Field { called: "hours", least: 0, most: 23, names: &[] };
const DAY: Field = Field { called: "day of month", least: 1, most: 31, names: &[] };
pub(super) const MONTH: Field = Field { called: "month", least: 1, most: 12, names: &MONTHS };
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

/// The values of a field, as bits.
pub(super) fn bits_of(field: Piece<'_>, of: &Field) -> Result<u64, ScheduleError> {
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

pub(super) fn days_of_month(field: Piece<'_>) -> Result<Days, ScheduleError> {
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

pub(super) fn days_of_week(field: Piece<'_>) -> Result<Days, ScheduleError> {
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

pub(super) fn years(field: Piece<'_>) -> Result<Vec<i16>, ScheduleError> {
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
