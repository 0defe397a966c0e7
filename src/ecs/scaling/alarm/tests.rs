//! Does an alarm say what CloudWatch documents?

use super::*;

fn alarm(datapoints_to_alarm: usize, missing: MissingData) -> Alarm {
    Alarm {
        name: "depth".to_owned(),
        comparison: Comparison::GreaterThan,
        threshold: 10.0,
        period: 60,
        evaluation_periods: 3,
        datapoints_to_alarm,
        missing,
        statistic: Statistic::Average,
    }
}

/// `0` is within the threshold, `X` beyond it, `-` missing; the newest is the last.
fn points(text: &str) -> Vec<Option<f64>> {
    text.split(' ')
        .map(|point| match point {
            "0" => Some(10.0),
            "X" => Some(10.1),
            _ => None,
        })
        .collect()
}

/// CloudWatch's two tables about missing data; `None` is "keeps its state".
#[test]
fn missing_datapoints_count_as_documented() {
    use AlarmState::{Alarm as On, InsufficientData as Unknown, Ok as Off};
    let treatments = [
        MissingData::Missing,
        MissingData::Ignore,
        MissingData::Breaching,
        MissingData::NotBreaching,
    ];
    for (enough, text, expected) in [
        (3, "0 - X - X", [Some(Off), Some(Off), Some(Off), Some(Off)]),
        (3, "- - - - 0", [Some(Off), Some(Off), Some(Off), Some(Off)]),
        (3, "- - - - -", [Some(Unknown), None, Some(On), Some(Off)]),
        (3, "0 X X - X", [Some(On), Some(On), Some(On), Some(On)]),
        (3, "- - X - -", [Some(On), None, Some(On), Some(Off)]),
        (2, "0 - X - X", [Some(On), Some(On), Some(On), Some(On)]),
        (2, "0 0 X 0 X", [Some(On), Some(On), Some(On), Some(On)]),
        (2, "0 - X - -", [Some(Off), Some(Off), Some(On), Some(Off)]),
        (2, "- - - - 0", [Some(Off), Some(Off), Some(On), Some(Off)]),
        (2, "- - - X -", [Some(On), None, Some(On), Some(Off)]),
        // A single datapoint is too young to stand for those before it.
        (2, "- - - - X", [None, None, Some(On), Some(Off)]),
    ] {
        for (missing, expected) in treatments.into_iter().zip(expected) {
            for before in [On, Off, Unknown] {
                let found = alarm(enough, missing).state(&points(text), before);
                assert_eq!(found, expected.unwrap_or(before), "{enough} of 3, {text}, {missing:?}");
            }
        }
    }
}

#[test]
fn only_the_newest_evaluation_periods_decide_where_none_are_missing() {
    let judge = |text| alarm(2, MissingData::Missing).state(&points(text), AlarmState::Ok);
    assert_eq!(judge("X X X 0 0 0"), AlarmState::Ok);
    assert_eq!(judge("0 0 0 X 0 X"), AlarmState::Alarm);
    assert_eq!(judge("X X 0 0 X"), AlarmState::Ok);
}

#[test]
fn each_comparison_has_its_own_edge() {
    for (comparison, below, on, above) in [
        (Comparison::GreaterThanOrEqual, false, true, true),
        (Comparison::GreaterThan, false, false, true),
        (Comparison::LessThan, true, false, false),
        (Comparison::LessThanOrEqual, true, true, false),
    ] {
        let holds = [4.0, 5.0, 6.0].map(|value| comparison.holds(value, 5.0));
        assert_eq!(holds, [below, on, above], "{comparison}");
        assert_eq!(comparison.looks_below(), below);
    }
}

#[test]
fn samples_become_datapoints_of_whole_periods() {
    let at = |seconds: i64, value| Datapoint {
        at: Timestamp::from_second(1_200_000_000 + seconds).unwrap_or_default(),
        value,
    };
    let samples =
        [at(0, 1.0), at(59, 3.0), at(60, 8.0), at(130, f64::NAN), at(180, 5.0), at(240, 9.0)];
    let now = at(250, 0.0).at;
    let by = |statistic| datapoints(&samples, statistic, 60, 4, 60, now);
    assert_eq!(by(Statistic::Average), [Some(2.0), Some(8.0), None, Some(5.0)]);
    assert_eq!(by(Statistic::Sum), [Some(4.0), Some(8.0), None, Some(5.0)]);
    assert_eq!(by(Statistic::Minimum), [Some(1.0), Some(8.0), None, Some(5.0)]);
    assert_eq!(by(Statistic::Maximum), [Some(3.0), Some(8.0), None, Some(5.0)]);
    assert_eq!(by(Statistic::SampleCount), [Some(2.0), Some(1.0), None, Some(1.0)]);
    // Two minutes at a time, looked at anew every minute.
    let pairs = datapoints(&samples, Statistic::Sum, 120, 2, 60, now);
    assert_eq!(pairs, [Some(12.0), Some(5.0)]);
    assert_eq!(next_tick(now, 60), Some(at(300, 0.0).at));
    assert_eq!(next_tick(at(240, 0.0).at, 60), Some(at(300, 0.0).at));
}
