//! Are schedules understood, and due when they say?

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

use super::{Schedule, zone};

pub(super) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn parse(text: &str, name: &str) -> Schedule {
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
    assert_eq!(notes("cron(30 6 ? * MON#2 *)"), 0);
    assert_eq!(notes("cron(30 6 ? * 2 *)"), 1);
    assert_eq!(notes("cron(30 6 ? * MON,3 *)"), 1);
    assert_eq!(notes("cron(30 6 * * 2 *)"), 2, "as the guide of 2023 writes Tuesdays or Mondays");
    assert_eq!(notes("cron(30 6 * * * *)"), 1);
    assert_eq!(notes("rate(5 minutes)"), 0);
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
