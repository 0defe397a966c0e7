//! The rules of the two percents, case by case.

use super::shares::{ReplicaSet, healthy_after, shares};
use super::*;

fn percents(minimum_healthy: i64, maximum: i64) -> Percents {
    Percents { minimum_healthy, maximum }
}

/// `count` tasks of record 1, all healthy.
fn steady(count: i32) -> Seen {
    Seen {
        exists: true,
        replicas: count,
        sequence: Some(1),
        settled: true,
        total: count,
        updated: count,
        available: count,
        max_unavailable: Some(0),
        max_surge: Some(1),
        replica_sets: vec![set("a", 1, count, count, count)],
        stuck: false,
        unplaced: 0,
        hopeless: 0,
    }
}

fn set(name: &str, sequence: i64, size: i32, available: i32, max: i32) -> ReplicaSet {
    ReplicaSet {
        name: name.to_owned(),
        sequence: Some(sequence),
        size,
        ready: available,
        available,
        max_replicas: Some(max),
        ..ReplicaSet::default()
    }
}

/// Record 2 rolls over record 1.
fn rolling(replicas: i32, old: ReplicaSet, new: ReplicaSet) -> Seen {
    Seen {
        sequence: Some(2),
        total: old.size + new.size,
        updated: new.size,
        available: old.available + new.available,
        replicas,
        replica_sets: vec![old, new],
        ..steady(replicas)
    }
}

#[test]
fn bounds_are_integers_of_the_desired_count() {
    for (desired, minimum, maximum, unavailable, surge) in [
        (3, 50, 150, 1, 1),
        (2, 75, 200, 0, 2),
        (3, 50, 125, 1, 0),
        (4, 100, 125, 0, 1),
        (10, 50, 150, 5, 5),
        (1, 0, 100, 1, 0),
    ] {
        let step = step(desired, percents(minimum, maximum), &steady(desired), 2);
        assert_eq!(
            (step.max_unavailable, step.max_surge, step.sequence, step.held),
            (unavailable, surge, 2, None),
            "{minimum}/{maximum} % of {desired}"
        );
    }
}

#[test]
fn without_room_the_template_is_held_but_the_count_is_not() {
    let held = step(1, percents(100, 100), &steady(1), 2);
    assert_eq!((held.sequence, held.held), (1, Some(Held::NoRoom)));
    assert_eq!((held.max_unavailable, held.max_surge), PLACEHOLDER);
    let scaled = step(4, percents(100, 100), &steady(1), 1);
    assert_eq!((scaled.replicas, scaled.held), (4, None));
    // 125 % of 4 is 5: room for one.
    let roomy = step(4, percents(100, 125), &steady(1), 2);
    assert_eq!((roomy.sequence, roomy.max_surge, roomy.held), (2, 1, None));
}

#[test]
fn from_nothing_the_new_template_goes_in_with_the_count() {
    for seen in [Seen::default(), steady(0)] {
        let step = step(3, percents(100, 100), &seen, 2);
        assert_eq!((step.replicas, step.sequence, step.held), (3, 2, None));
        assert_eq!((step.max_unavailable, step.max_surge), PLACEHOLDER);
    }
}

#[test]
fn to_nothing_both_go_in_at_once() {
    let step = step(0, percents(100, 200), &steady(3), 2);
    assert_eq!((step.replicas, step.sequence, step.max_surge), (0, 2, 1));
}

#[test]
fn a_count_that_leaves_no_room_waits_for_the_end_of_the_roll() {
    // 100/125 % of 4 leaves room for one; of 3, for none.
    let seen = rolling(4, set("a", 1, 4, 4, 5), set("b", 2, 1, 0, 5));
    let step = step(3, percents(100, 125), &seen, 2);
    assert_eq!((step.replicas, step.held), (4, Some(Held::UntilRolled)));
}

#[test]
fn a_lower_count_in_a_roll_goes_only_as_low_as_the_floor_allows() {
    // 10 tasks at 100/200 %: 10 old and healthy, 10 new of which none is healthy. To 4 at once,
    // 8 are shared in proportion, 4 old stay: the floor of 4 holds.
    let even = rolling(10, set("a", 1, 10, 10, 20), set("b", 2, 10, 0, 20));
    assert_eq!(step(4, percents(100, 200), &even, 2).replicas, 4);
    // At 100/150 % with 10 old and 5 new of which none is healthy, 6 are shared: 4 old and 2 new.
    let thirds = rolling(10, set("a", 1, 10, 10, 15), set("b", 2, 5, 0, 15));
    assert_eq!(step(4, percents(100, 150), &thirds, 2).replicas, 4);
    // Half of the old are gone, the new are not healthy yet: 5 healthy, and a floor of 4. In
    // proportion, 4 would leave 2 healthy. The count stays higher.
    let halfway = rolling(10, set("a", 1, 5, 5, 10), set("b", 2, 5, 0, 10));
    let held = step(4, percents(100, 125), &halfway, 2);
    assert!(held.replicas > 4, "{held:?}");
    assert_eq!(held.held, Some(Held::ForHealthyTasks));
}

#[test]
fn more_tasks_under_a_lower_cap_wait_while_healthy_ones_would_stop() {
    // 4 tasks at 100/200 %: 4 old, 4 new that are not healthy. 5 at 125 % share 6: only 3 old
    // would stay.
    let of = |new| Seen { max_surge: Some(4), ..rolling(4, set("a", 1, 4, 4, 8), new) };
    let seen = of(set("b", 2, 4, 0, 8));
    let held = step(5, percents(100, 125), &seen, 2);
    assert_eq!((held.replicas, held.held), (4, Some(Held::ForHealthyTasks)));
    let healthy = of(set("b", 2, 4, 3, 8));
    assert_eq!(step(5, percents(100, 125), &healthy, 2).replicas, 5);
}

#[test]
fn sizes_tell_of_a_roll_before_pods_do() {
    // No pod is counted yet; closing the bounds now would leave the surge of a placeholder.
    let mut seen = rolling(4, set("a", 1, 3, 0, 4), set("b", 2, 1, 0, 4));
    (seen.total, seen.updated) = (0, 0);
    (seen.max_unavailable, seen.max_surge) = (Some(1), Some(0));
    let held = step(4, percents(100, 100), &seen, 2);
    assert_eq!((held.max_unavailable, held.max_surge), (1, 0));
    // A roll over it keeps within the same.
    let over = step(4, percents(100, 100), &seen, 3);
    assert_eq!((over.sequence, over.max_unavailable, over.max_surge), (3, 1, 0));
}

#[test]
fn a_lower_count_waits_for_a_replica_set_that_is_not_seen_yet() {
    let mut seen = rolling(4, set("a", 1, 4, 4, 6), set("b", 2, 2, 0, 6));
    seen.replica_sets.pop();
    (seen.total, seen.updated) = (4, 0);
    assert_eq!(step(3, percents(75, 150), &seen, 2).replicas, 4);
}

#[test]
fn tasks_that_must_go_already_are_not_counted_on() {
    // 3 of the 5 that are available have been told to stop.
    let seen = rolling(6, set("a", 1, 2, 5, 9), set("b", 2, 6, 1, 9));
    assert_eq!(healthy_after(&shares(6, 2, &seen.replica_sets)), 3);
}

#[test]
fn no_available_task_of_the_new_record_goes_in_mid_roll() {
    // 6 at 100/150 % to 3, with 6 old and 3 new that are all healthy. In proportion, 3 old and 1
    // new would stay, and while the others still count, the controller would stop the old ones.
    let seen = rolling(6, set("a", 1, 6, 6, 9), set("b", 2, 3, 3, 9));
    let held = step(3, percents(100, 150), &seen, 2);
    assert_eq!((held.replicas, held.held), (6, Some(Held::ForHealthyTasks)));
    // Those that are not available may.
    let seen = rolling(6, set("a", 1, 6, 6, 9), set("b", 2, 3, 0, 9));
    assert_eq!(step(3, percents(100, 150), &seen, 2).replicas, 3);
}

#[test]
fn outside_of_a_roll_too_healthy_tasks_stay_where_ready_ones_could_go_instead() {
    // 9 ready, 3 of them for long enough: which 3 of them would stay is not known.
    for (minimum, maximum) in [(50, 200), (100, 100)] {
        let mut seen = steady(9);
        (seen.available, seen.replica_sets[0].available) = (3, 3);
        let held = step(3, percents(minimum, maximum), &seen, 1);
        assert_eq!(held.held, Some(Held::ForHealthyTasks), "{held:?}");
        // Those that are not even ready go first.
        seen.replica_sets[0].ready = 3;
        assert_eq!(step(3, percents(minimum, maximum), &seen, 1).replicas, 3);
    }
}

#[test]
fn no_scale_in_of_any_roll_breaks_the_floor_by_the_controllers_rule() {
    for old in 0..6 {
        for new in 0..6 {
            for healthy in 0..=new {
                for desired in 1..6 {
                    for (minimum, maximum) in [(100, 200), (50, 100), (100, 150), (0, 200)] {
                        let replicas = 6;
                        let seen = rolling(
                            replicas,
                            set("a", 1, old, old, 9),
                            set("b", 2, new, healthy, 9),
                        );
                        let percents = percents(minimum, maximum);
                        let step = step(desired, percents, &seen, 2);
                        if step.replicas == replicas || !seen.is_rolling() {
                            continue;
                        }
                        let left = healthy_after(&shares(
                            step.replicas,
                            step.max_surge,
                            &seen.replica_sets,
                        ));
                        let floor = percents.floor(desired).min(old + healthy);
                        assert!(left >= floor, "{seen:?} {step:?} {left}");
                    }
                }
            }
        }
    }
}
