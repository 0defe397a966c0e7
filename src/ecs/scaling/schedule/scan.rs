//! Are cron schedules due at the minutes that a scan of every minute finds, clock changes included?

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "hours, days and minutes of two years fit any integer"
)]

use jiff::{Timestamp, ToSpan};

use super::tests::{parse, time};
use super::zone;

/// Two years of minutes in one zone, as a clock on the wall shows them.
struct Wall {
    zone: &'static str,
    minutes: Vec<Shown>,
}

struct Shown {
    year: i16,
    month: usize,
    day: usize,
    hour: usize,
    minute: usize,
    /// 1 is Sunday.
    weekday: usize,
    month_length: usize,
    /// The clock showed it before.
    again: bool,
}

const START: &str = "2025-12-31T23:00:00Z";
const MINUTES: i64 = 2 * 365 * 24 * 60;

impl Wall {
    fn of(name: &'static str) -> Self {
        let zone = zone(name).unwrap();
        let start = time(START);
        let mut latest = None;
        let minutes = (0..MINUTES)
            .map(|at| {
                let shown = zone.to_datetime(start + at.minutes());
                let again = latest.is_some_and(|latest| shown <= latest);
                latest = latest.max(Some(shown));
                Shown {
                    year: shown.year(),
                    month: shown.month() as usize,
                    day: shown.day() as usize,
                    hour: shown.hour() as usize,
                    minute: shown.minute() as usize,
                    weekday: shown.weekday().to_sunday_one_offset() as usize,
                    month_length: shown.date().days_in_month() as usize,
                    again,
                }
            })
            .collect();
        Self { zone: name, minutes }
    }
}

/// A small generator of numbers, the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }
}

/// A field as text, and its values as plainly as can be.
fn field(chance: &mut Chance, least: usize, most: usize, names: &[&str]) -> (String, Vec<bool>) {
    let mut set = vec![false; most + 1];
    let size = most - least + 1;
    let written = |value: usize, chance: &mut Chance| match names.get(value - least) {
        Some(name) if chance.below(2) == 0 => (*name).to_owned(),
        _ => value.to_string(),
    };
    let mut texts = Vec::new();
    for _ in 0..=chance.below(3) {
        let (a, b, step) =
            (least + chance.below(size), least + chance.below(size), 1 + chance.below(size));
        match chance.below(6) {
            0 => {
                texts.push(format!("{}-{}", written(a, chance), written(b, chance)));
                let mut value = a;
                set[value] = true;
                while value != b {
                    value = if value == most { least } else { value + 1 };
                    set[value] = true;
                }
            }
            1 => {
                texts.push(format!("{a}/{step}"));
                (a..=most).step_by(step).for_each(|value| set[value] = true);
            }
            2 => {
                let (low, high) = (a.min(b), a.max(b));
                texts.push(format!("{low}-{high}/{step}"));
                (low..=high).step_by(step).for_each(|value| set[value] = true);
            }
            _ => {
                texts.push(written(a, chance));
                set[a] = true;
            }
        }
    }
    (texts.join(","), set)
}

fn star(most: usize) -> (String, Vec<bool>) {
    ("*".to_owned(), vec![true; most + 1])
}

type DayRule = Box<dyn Fn(&Shown) -> bool>;

/// The day of month and the day of week, as texts and as a plain question.
fn days(chance: &mut Chance) -> (String, String, DayRule) {
    let weekdays = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    let question = "?".to_owned();
    let working = |minute: &Shown, day: usize| {
        let weekday = (minute.weekday + 7 * 6 + day - minute.day - 1) % 7 + 1;
        weekday != 1 && weekday != 7
    };
    let nearest = move |minute: &Shown, wanted: usize| {
        (1..=minute.month_length)
            .filter(|day| working(minute, *day))
            .min_by_key(|day| day.abs_diff(wanted))
    };
    match chance.below(8) {
        0 => (star(31).0, question, Box::new(|_| true)),
        1 => ("L".to_owned(), question, Box::new(|minute| minute.day == minute.month_length)),
        2 => {
            let wanted = 1 + chance.below(31);
            let rule = move |minute: &Shown| {
                wanted <= minute.month_length && nearest(minute, wanted) == Some(minute.day)
            };
            (format!("{wanted}W"), question, Box::new(rule))
        }
        3 => {
            let (weekday, count) = (1 + chance.below(7), 1 + chance.below(5));
            let rule = move |minute: &Shown| {
                minute.weekday == weekday && (count * 7 - 6..=count * 7).contains(&minute.day)
            };
            (question, format!("{weekday}#{count}"), Box::new(rule))
        }
        4 => {
            let weekday = 1 + chance.below(7);
            let rule = move |minute: &Shown| {
                minute.weekday == weekday && minute.day + 7 > minute.month_length
            };
            (question, format!("{}L", weekdays[weekday - 1]), Box::new(rule))
        }
        5 => {
            let (text, set) = field(chance, 1, 7, &weekdays);
            (question, text, Box::new(move |minute| set[minute.weekday]))
        }
        6 => {
            let rule =
                move |minute: &Shown| nearest(minute, minute.month_length) == Some(minute.day);
            ("LW".to_owned(), question, Box::new(rule))
        }
        _ => {
            let (text, set) = field(chance, 1, 31, &[]);
            (text, question, Box::new(move |minute| set[minute.day]))
        }
    }
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

#[test]
fn schedules_are_due_at_the_minutes_that_a_scan_of_two_years_finds() {
    let expressions = 240;
    let walls = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"].map(Wall::of);
    for wall in &walls {
        let repeated = wall.minutes.iter().filter(|minute| minute.again).count();
        let expected = if wall.zone == "Australia/Lord_Howe" { 60 } else { 120 };
        assert_eq!(repeated, expected, "the clocks of {} go back twice", wall.zone);
    }
    let mut chance = Chance(26);
    let (mut found, mut asked) = (0, 0);
    for round in 0..expressions {
        let wall = &walls[round % walls.len()];
        let (minute_text, minutes) =
            if chance.below(8) == 0 { star(59) } else { field(&mut chance, 0, 59, &[]) };
        // Nights are when clocks change.
        let (hour_text, hours) = match chance.below(3) {
            0 => star(23),
            1 => field(&mut chance, 0, 3, &[]),
            _ => field(&mut chance, 0, 23, &[]),
        };
        let (hour_text, hours) = if hours.len() == 4 && hour_text.contains(['/', '-']) {
            ("1-3".to_owned(), vec![false, true, true, true])
        } else {
            (hour_text, hours)
        };
        let (month_text, months) =
            if chance.below(2) == 0 { star(12) } else { field(&mut chance, 1, 12, &MONTHS) };
        let (day_text, weekday_text, day_rule) = days(&mut chance);
        let (year_text, only) = match chance.below(4) {
            0 => ("2027".to_owned(), Some(2027)),
            1 => ("2026".to_owned(), Some(2026)),
            _ => ("*".to_owned(), None),
        };
        let text = format!(
            "cron({minute_text} {hour_text} {day_text} {month_text} {weekday_text} {year_text})"
        );
        let scan: Vec<i64> = wall
            .minutes
            .iter()
            .enumerate()
            .filter(|(_, at)| {
                minutes[at.minute]
                    && hours.get(at.hour).copied().unwrap_or(false)
                    && months[at.month]
                    && only.is_none_or(|year| year == at.year)
                    && day_rule(at)
                    && !at.again
            })
            .map(|(at, _)| at as i64)
            .collect();
        let start = time(START);
        let schedule = parse(&text, wall.zone);
        let index = |at: Timestamp| (at.as_second() - start.as_second()) / 60;
        let mut after = start - 1.second();
        for expected in &scan {
            let next = schedule.next_after(after, Timestamp::UNIX_EPOCH);
            assert_eq!(
                next,
                Some(start + expected.minutes()),
                "{text} in {} after {after}",
                wall.zone
            );
            after = next.unwrap();
        }
        let beyond = schedule.next_after(after, Timestamp::UNIX_EPOCH).map(index);
        assert!(beyond.is_none_or(|at| at >= MINUTES), "{text} in {}: one too many", wall.zone);
        found += scan.len();
        // Backwards: at random instants, and at every minute around a change of the clocks.
        let changes = wall.minutes.iter().enumerate().filter(|(_, minute)| minute.again);
        let near: Vec<i64> = changes.step_by(7).map(|(at, _)| at as i64).collect();
        let random: Vec<i64> = (0..300).map(|_| chance.below(MINUTES as usize) as i64).collect();
        for at in near.into_iter().chain(random) {
            let instant = start + at.minutes() + 59.seconds();
            let expected = scan.partition_point(|minute| *minute <= at).checked_sub(1);
            let expected = expected.map(|last| start + scan[last].minutes());
            let last = schedule.last_due(instant, start - 1.second());
            assert_eq!(last, expected, "{text} in {} up to {instant}", wall.zone);
            asked += 1;
        }
    }
    println!(
        "{expressions} expressions over {MINUTES} minutes in 3 zones: {found} instants forwards, \
         {asked} questions backwards"
    );
}
