//! Does a target hold, and for how long must it be missed?

use super::*;

fn policy(target: f64) -> TargetTracking {
    TargetTracking {
        metric: Metric::Cpu,
        target,
        scale_out_cooldown: 300,
        scale_in_cooldown: 300,
        disable_scale_in: false,
    }
}

fn minutes(values: &[(usize, f64)]) -> Vec<Option<f64>> {
    values.iter().flat_map(|(count, value)| vec![Some(*value); *count]).collect()
}

#[test]
fn a_target_is_missed_after_three_minutes_above_or_fifteen_well_below() {
    let asks = |values: &[(usize, f64)]| policy(75.0).asks(&minutes(values), &Timing::default());
    assert_eq!(asks(&[(12, 70.0), (3, 90.0)]), Asks::Out(90.0));
    assert_eq!(asks(&[(13, 70.0), (2, 90.0)]), Asks::Nothing);
    assert_eq!(asks(&[(2, 90.0), (1, 60.0)]), Asks::Nothing);
    assert_eq!(asks(&[(60, 75.0)]), Asks::Nothing, "on the target");
    assert_eq!(asks(&[(60, 70.0)]), Asks::Nothing, "not more than a tenth below");
    assert_eq!(asks(&[(15, 67.5)]), Asks::Nothing, "a tenth below");
    assert_eq!(asks(&[(15, 67.4)]), Asks::In(67.4));
    assert_eq!(asks(&[(1, 90.0), (14, 60.0)]), Asks::Nothing);
    assert_eq!(asks(&[(7, 60.0), (1, 65.0), (7, 10.0)]), Asks::In(65.0), "a lull counts little");
    assert_eq!(asks(&[(13, 80.0), (1, 76.0), (1, 120.0)]), Asks::Out(120.0), "the load of now");
}

#[test]
fn a_minute_without_datapoint_holds_everything_back() {
    let mut points = minutes(&[(15, 90.0)]);
    if let Some(point) = points.get_mut(13) {
        *point = None;
    }
    assert_eq!(policy(75.0).asks(&points, &Timing::default()), Asks::Nothing);
    assert_eq!(policy(75.0).asks(&[None; 15], &Timing::default()), Asks::NoData);
    assert_eq!(policy(75.0).asks(&[], &Timing::default()), Asks::NoData);
    assert_eq!(policy(75.0).asks(&minutes(&[(3, 90.0)]), &Timing::default()), Asks::Out(90.0));
}

#[test]
fn the_wanted_count_is_never_too_few_and_never_one_too_many_by_rounding() {
    assert_eq!(policy(0.1).wanted(10, 0.3), 30);
    assert_eq!(policy(50.0).wanted(0, 900.0), 0);
    assert_eq!(policy(50.0).wanted(3, 0.0), 0);
    assert_eq!(policy(1e-100).wanted(3, 1e300), i32::MAX);
    for count in 0..200 {
        for percent in 1..300 {
            let value = f64::from(percent);
            let wanted = policy(60.0).wanted(count, value);
            let exact = count * percent;
            assert!(wanted * 60 >= exact && (wanted - 1) * 60 < exact.max(1), "{count} at {value}");
        }
    }
}
