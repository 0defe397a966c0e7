//! Do schedules hold where a scan of every minute says so?

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "hours, days and minutes of two years fit any integer"
)]

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

use super::{Schedule, zone};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn parse(text: &str, name: &str) -> Schedule {
    Schedule::parse(text, &zone(name).unwrap()).unwrap()
}

/// The first few instants from a start on.
fn due(text: &str, name: &str, start: &str, count: usize) -> Vec<String> {
    let schedule = parse(text, name);
    let anchor = time(start);
    let mut found = Vec::new();
    let mut after = anchor;
    while let Some(next) = schedule.next_after(after, anchor).filter(|_| found.len() < count) {
        found.push(next.to_string());
        after = next;
    }
    found
}

#[test]
fn cron_knows_the_last_day_the_nearest_working_day_and_the_nth_weekday() {
    for (text, start, expected) in [
        (
            "cron(0 10 * * ? *)",
            "2026-01-01T10:00:00Z",
            ["2026-01-02T10:00:00Z", "2026-01-03T10:00:00Z"],
        ),
        (
            "cron(15 12 L * ? *)",
            "2028-02-01T00:00:00Z",
            ["2028-02-29T12:15:00Z", "2028-03-31T12:15:00Z"],
        ),
        (
            "cron(0 0 1W * ? *)",
            "2026-08-01T00:00:00Z",
            ["2026-08-03T00:00:00Z", "2026-09-01T00:00:00Z"],
        ),
        (
            "cron(0 0 31W * ? *)",
            "2026-05-01T00:00:00Z",
            ["2026-05-29T00:00:00Z", "2026-07-31T00:00:00Z"],
        ),
        (
            "cron(0 0 LW * ? *)",
            "2026-05-01T00:00:00Z",
            ["2026-05-29T00:00:00Z", "2026-06-30T00:00:00Z"],
        ),
        (
            "cron(0 0 ? * 3#2 *)",
            "2026-01-01T00:00:00Z",
            ["2026-01-13T00:00:00Z", "2026-02-10T00:00:00Z"],
        ),
        (
            "cron(0 0 ? * FRI#5 *)",
            "2026-01-01T00:00:00Z",
            ["2026-01-30T00:00:00Z", "2026-05-29T00:00:00Z"],
        ),
        (
            "cron(0 0 ? * 6L *)",
            "2026-01-01T00:00:00Z",
            ["2026-01-30T00:00:00Z", "2026-02-27T00:00:00Z"],
        ),
        (
            "cron(0 0 ? * L *)",
            "2026-01-01T00:00:00Z",
            ["2026-01-03T00:00:00Z", "2026-01-10T00:00:00Z"],
        ),
        (
            "cron(0 0 ? * 1 *)",
            "2026-01-01T00:00:00Z",
            ["2026-01-04T00:00:00Z", "2026-01-11T00:00:00Z"],
        ),
        (
            "cron(0 0 ? * fri-MON *)",
            "2026-01-06T00:00:00Z",
            ["2026-01-09T00:00:00Z", "2026-01-10T00:00:00Z"],
        ),
        (
            "cron(0/40 22-1 1 JAN ? 2026/2)",
            "2026-01-01T01:00:00Z",
            ["2026-01-01T01:40:00Z", "2026-01-01T22:00:00Z"],
        ),
        ("cron(59 23 31 12 ? 2199)", "2026-01-01T00:00:00Z", ["2199-12-31T23:59:00Z", ""]),
        ("cron(0 0 30 2 ? *)", "2026-01-01T00:00:00Z", ["", ""]),
        ("cron(0 0 1 1 ? 1970)", "1969-01-01T00:00:00Z", ["1970-01-01T00:00:00Z", ""]),
    ] {
        let mut found = due(text, "UTC", start, 2);
        found.resize(2, String::new());
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn a_wall_clock_time_is_skipped_in_a_gap_and_comes_once_in_a_fold() {
    let night = "cron(30 2 * * ? *)";
    assert_eq!(
        due(night, "Europe/Berlin", "2026-03-27T12:00:00Z", 2),
        ["2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"],
        "02:30 on 2026-03-29 is skipped",
    );
    assert_eq!(
        due(night, "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
        ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        "02:30 on 2026-10-25 comes twice and is due the first time",
    );
    let second_pass = time("2026-10-25T01:40:00Z");
    let schedule = parse("cron(* 2 * * ? *)", "Europe/Berlin");
    let last = schedule.last_due(second_pass, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(last.to_string(), "2026-10-25T00:59:00Z");
}

#[test]
fn at_is_due_once_and_not_at_a_time_that_clocks_skip() {
    let berlin = zone("Europe/Berlin").unwrap();
    let evening = Schedule::parse("at(2026-07-01T18:00:00)", &berlin).unwrap();
    let (before, due) = (time("2026-01-01T00:00:00Z"), time("2026-07-01T16:00:00Z"));
    assert!(evening.is_once());
    assert_eq!(evening.next_after(before, before), Some(due));
    assert_eq!(evening.next_after(due, before), None);
    assert_eq!(evening.last_due(due, before), Some(due));
    assert_eq!(evening.last_due(due - 1.second(), before), None);
    assert_eq!(evening.last_due(due + 1.hour(), due), None, "it was over when the anchor was set");
    let skipped = Schedule::parse("at(2026-03-29T02:30:00)", &berlin).unwrap_err();
    assert_eq!(
        skipped.to_string(),
        "at character 4: expected a time that the clocks of Europe/Berlin do not skip, found \
         `2026-03-29T02:30:00`"
    );
}

#[test]
fn a_rate_counts_elapsed_time_from_its_anchor() {
    let anchor = time("2026-03-28T12:00:17Z");
    let daily = parse("rate(1 day)", "Europe/Berlin");
    let first = time("2026-03-29T12:00:17Z");
    assert_eq!(daily.next_after(time("2020-01-01T00:00:00Z"), anchor), Some(first));
    assert_eq!(daily.next_after(anchor, anchor), Some(first), "24 hours, though 23 by the clocks");
    assert_eq!(daily.next_after(first, anchor), Some(first + 24.hours()));
    assert_eq!(daily.last_due(anchor, anchor), None);
    assert_eq!(daily.last_due(first - 1.second(), anchor), None);
    assert_eq!(daily.last_due(first + 100.hours(), anchor), Some(first + 96.hours()));
    let huge = parse("rate(999999999 days)", "UTC");
    assert_eq!(huge.next_after(anchor, anchor), None, "beyond the end of time");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (text, message) in [
        (
            "",
            "at character 1: expected `at(2026-01-31T18:00:00)`, `rate(5 minutes)` or `cron(30 6 ? * MON *)`, found nothing",
        ),
        (
            "every(1 day)",
            "at character 1: expected `at(2026-01-31T18:00:00)`, `rate(5 minutes)` or `cron(30 6 ? * MON *)`, found `every`",
        ),
        ("rate(5 minutes", "at character 15: expected `)` at the end, found the end"),
        ("rate(0 hours)", "at character 6: expected a whole number from 1 to 999999999, found `0`"),
        ("rate(5 minute)", "at character 8: expected `minutes` after 5, found `minute`"),
        (
            "rate(1 weeks)",
            "at character 8: expected minute, hour or day, or minutes, hours or days, found `weeks`",
        ),
        (
            "rate(5minutes)",
            "at character 6: expected a number and a unit, as in `5 minutes`, found `5minutes`",
        ),
        (
            "at(2026-02-30T18:00:00)",
            "at character 4: expected a date and time as in 2026-01-31T18:00:00, without time zone, found `2026-02-30T18:00:00`",
        ),
        (
            "at(2026-01-31 18:00)",
            "at character 4: expected a date and time as in 2026-01-31T18:00:00, without time zone, found `2026-01-31 18:00`",
        ),
        (
            "cron(0 10 * * ?)",
            "at character 6: expected six fields, as in `cron(30 6 ? * MON *)`: minutes, hours, day of month, month, day of week, year, found 5 in `0 10 * * ?`",
        ),
        ("cron(0 24 * * ? *)", "at character 8: expected 0 to 23 for the hours, found `24`"),
        (
            "cron(0 1 ? * 0 *)",
            "at character 14: expected 1 to 7 or SUN to SAT for the day of week, found `0`",
        ),
        (
            "cron(0 1 1 * MON *)",
            "at character 14: expected `?`, since the day of month is given: only one of the two can be, found `MON`",
        ),
        (
            "cron(0 1 ? * ? *)",
            "at character 14: expected a value or `*`: only one of day of month and day of week can be `?`, found `?`",
        ),
        ("cron(0,5,x 1 * * ? *)", "at character 10: expected 0 to 59 for the minutes, found `x`"),
        (
            "cron(0/0 1 * * ? *)",
            "at character 8: expected a step of 1 to 60 in the field of minutes, found `0`",
        ),
        (
            "cron(0 1 ? * 2#6 *)",
            "at character 16: expected 1 to 5 after `#`, as in `3#2` for the second Tuesday, found `6`",
        ),
        (
            "cron(0 1 * * ? 2030-2020)",
            "at character 16: expected years in ascending order, found `2030-2020`",
        ),
        (
            "  cron(0 1 40W * ? *)",
            "at character 12: expected 1 to 31 for the day of month, found `40`",
        ),
        ("cron(0, 1 * * ? *)", "at character 8: expected 0 to 59 for the minutes, found nothing"),
    ] {
        let error = Schedule::parse(text, &TimeZone::UTC).unwrap_err();
        assert_eq!(error.to_string(), message, "{text}");
    }
}

#[test]
fn numbers_of_weekdays_and_a_missing_question_mark_are_noted() {
    let notes = |text| Schedule::parse(text, &TimeZone::UTC).unwrap().notes().len();
    assert_eq!(notes("cron(30 6 ? * MON *)"), 0);
    assert_eq!(notes("cron(30 6 ? * 2 *)"), 1);
    assert_eq!(notes("cron(30 6 * * 2 *)"), 2, "as the guide of 2023 writes Tuesdays or Mondays");
    assert_eq!(notes("cron(30 6 * * * *)"), 1);
    assert_eq!(notes("rate(5 minutes)"), 0);
}

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,40}") {
        let _ = Schedule::parse(&text, &TimeZone::UTC);
    }

    #[test]
    fn text_near_the_grammar_never_panics(
        text in "(at|rate|cron)?\\(?[-0-9LW#?*/, :TA-Zé]{0,30}( [-0-9LW#?*/,a-zSUNMON]{1,5}){0,6}\\)?",
        instant in -377_705_023_201_i64..=253_402_207_200,
    ) {
        if let Ok(schedule) = Schedule::parse(&text, &zone("Europe/Berlin").unwrap()) {
            let instant = Timestamp::from_second(instant).unwrap();
            let next = schedule.next_after(instant, Timestamp::MIN);
            prop_assert!(next.is_none_or(|next| next > instant));
            let last = schedule.last_due(instant, Timestamp::MIN);
            prop_assert!(last.is_none_or(|last| last <= instant));
        }
    }
}
