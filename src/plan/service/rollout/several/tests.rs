//! What several Deployments get, case by case.

#![allow(clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use super::*;

fn steps(members: &[Member], desired: i32, percents: Percents, target: i64) -> Vec<Step> {
    super::steps(members, desired, percents, target, true).steps
}

/// `count` healthy tasks of a record.
fn steady(count: i32, sequence: i64) -> Seen {
    let set = ReplicaSet {
        name: "a".to_owned(),
        sequence: Some(sequence),
        size: count,
        ready: count,
        available: count,
        max_replicas: Some(count),
        ..ReplicaSet::default()
    };
    Seen {
        exists: true,
        replicas: count,
        sequence: Some(sequence),
        settled: true,
        total: count,
        updated: count,
        available: count,
        max_unavailable: Some(0),
        max_surge: Some(1),
        replica_sets: vec![set],
        ..Seen::default()
    }
}

/// The same without a node for any of them.
fn unplaced(count: i32, sequence: i64) -> Seen {
    let mut seen = steady(count, sequence);
    (seen.available, seen.unplaced, seen.hopeless, seen.stuck) = (0, count, count, true);
    (seen.replica_sets[0].ready, seen.replica_sets[0].available) = (0, 0);
    seen
}

fn wants(wanted: i32, seen: Seen) -> Member {
    Member { seen, wanted, is_surplus: false }
}

fn surplus(seen: Seen) -> Member {
    Member { seen, wanted: 0, is_surplus: true }
}

fn percents(minimum_healthy: i64, maximum: i64) -> Percents {
    Percents { minimum_healthy, maximum }
}

/// Each one's count, record, `maxUnavailable` and `maxSurge`.
fn told(steps: &[Step]) -> Vec<(i32, i64, i32, i32)> {
    let of = |step: &Step| (step.replicas, step.sequence, step.max_unavailable, step.max_surge);
    steps.iter().map(of).collect()
}

#[test]
fn one_rolls_at_a_time_with_the_room_of_all() {
    let both = [wants(2, steady(2, 1)), wants(2, steady(2, 1))];
    let got = steps(&both, 4, percents(100, 150), 2);
    assert_eq!(told(&got), [(2, 2, 0, 2), (2, 1, 0, 1)]);
    assert_eq!(got[1].held, Some(Held::UntilRolled));
    let got = steps(&both, 4, percents(50, 100), 2);
    assert_eq!(told(&got), [(2, 2, 2, 0), (2, 1, 0, 1)], "as many as the other has to spare");
    let first = [wants(2, steady(2, 2)), wants(2, steady(2, 1))];
    let got = steps(&first, 4, percents(75, 100), 2);
    assert_eq!(told(&got), [(2, 2, 0, 1), (2, 2, 1, 0)]);
    // While the first is not healthy again, the second waits.
    let mut first = first;
    first[0].seen.available = 1;
    first[0].seen.replica_sets[0].available = 1;
    let got = steps(&first, 4, percents(75, 100), 2);
    assert_eq!(told(&got), [(2, 2, 0, 1), (2, 1, 0, 1)]);
}

#[test]
fn without_room_all_templates_are_held() {
    let both = [wants(1, steady(1, 1)), wants(1, steady(1, 1))];
    let got = steps(&both, 2, percents(100, 100), 2);
    assert_eq!(told(&got), [(1, 1, 0, 1), (1, 1, 0, 1)]);
    assert!(got.iter().all(|step| step.held == Some(Held::NoRoom)), "{got:?}");
}

#[test]
fn from_nothing_all_begin_at_once() {
    let none = [wants(3, Seen::default()), wants(1, Seen::default()), wants(0, Seen::default())];
    let got = steps(&none, 4, percents(100, 100), 1);
    assert_eq!(told(&got), [(3, 1, 0, 1), (1, 1, 0, 1), (0, 1, 0, 1)]);
    assert!(got.iter().all(|step| step.held.is_none()), "{got:?}");
}

#[test]
fn tasks_move_as_the_bounds_allow() {
    // 4 tasks at 100/150 %: two begin on the new one, and none ends before they are healthy.
    let begin = [wants(4, Seen::default()), surplus(steady(4, 1))];
    assert_eq!(told(&steps(&begin, 4, percents(100, 150), 1)), [(2, 1, 0, 1), (4, 1, 0, 1)]);
    let half = [wants(4, steady(2, 1)), surplus(steady(4, 1))];
    assert_eq!(told(&steps(&half, 4, percents(100, 150), 1)), [(2, 1, 0, 1), (2, 1, 0, 1)]);
    let then = [wants(4, steady(2, 1)), surplus(steady(2, 1))];
    assert_eq!(told(&steps(&then, 4, percents(100, 150), 1)), [(4, 1, 0, 1), (2, 1, 0, 1)]);
    // At 50/100 % two end first.
    let lower = [wants(4, Seen::default()), surplus(steady(4, 1))];
    assert_eq!(told(&steps(&lower, 4, percents(50, 100), 1)), [(0, 1, 0, 1), (2, 1, 0, 1)]);
}

#[test]
fn a_task_without_a_node_takes_no_room_and_is_not_counted_on() {
    // At 50/100 % of 4 with two healthy: none of them may stop, but as many may start as wait in vain.
    let market = [wants(2, steady(2, 1)), wants(2, unplaced(2, 2))];
    assert_eq!(told(&steps(&market, 4, percents(50, 100), 2)), [(2, 2, 0, 2), (2, 2, 0, 1)]);
    // Its own roll goes first, and is done at once.
    let market = [wants(2, steady(2, 1)), wants(2, unplaced(2, 1))];
    assert_eq!(told(&steps(&market, 4, percents(100, 100), 2)), [(2, 1, 0, 1), (2, 2, 2, 0)]);
}

#[test]
fn more_tasks_go_to_those_that_have_rolled_and_to_others_only_if_they_are_too_few() {
    // The first has rolled, the second rolls.
    let mut second = steady(2, 2);
    second.replica_sets[0].sequence = Some(1);
    (second.updated, second.max_unavailable, second.max_surge) = (0, Some(0), Some(2));
    let third = wants(3, steady(2, 1));
    let members = [wants(3, steady(2, 2)), wants(3, second), third];
    let got = steps(&members, 9, percents(100, 200), 2);
    assert_eq!([got[0].replicas, got[1].replicas, got[2].replicas], [3, 3, 3]);
    assert_eq!([got[0].sequence, got[1].sequence, got[2].sequence], [2, 2, 1]);
    // A split that is to become another waits for the roll: nobody begins as what is to be replaced.
    let members = [wants(3, steady(3, 1)), wants(3, steady(1, 1)), wants(0, steady(2, 1))];
    let got = steps(&members, 6, percents(100, 200), 2);
    assert_eq!(told(&got)[1], (1, 2, 0, 1), "the one that lacks tasks rolls first");
}

#[test]
fn tasks_that_may_become_healthy_are_waited_for_but_not_for_ever() {
    // Of each, one of two is healthy: 4 asked for, and none to spare when a surge has become healthy.
    let mut half = steady(2, 1);
    (half.available, half.replica_sets[0].available, half.replica_sets[0].ready) = (1, 1, 1);
    let both = [wants(2, half.clone()), wants(2, half)];
    let patient = super::steps(&both, 4, percents(100, 200), 2, true);
    assert_eq!((told(&patient.steps), patient.waits), (vec![(2, 1, 0, 1), (2, 1, 0, 1)], true));
    let impatient = super::steps(&both, 4, percents(100, 200), 2, false);
    assert_eq!(told(&impatient.steps), [(2, 2, 0, 2), (2, 1, 0, 1)]);
}

#[test]
fn nothing_wanted_is_nothing_kept() {
    let members = [wants(0, steady(3, 1)), surplus(steady(1, 1))];
    assert_eq!(told(&steps(&members, 0, percents(100, 200), 2)), [(0, 2, 0, 1), (0, 1, 0, 1)]);
}

/// Whatever the counts: the worst that may come of a step breaks neither bound, unless it was broken.
#[test]
fn the_worst_that_may_come_of_any_step_keeps_the_bounds() {
    let mut looked_at = 0;
    for (minimum, maximum) in [(100, 200), (50, 100), (100, 150), (75, 125), (0, 100), (100, 100)] {
        for desired in 1..7 {
            for first in 0..=desired {
                for (now, other) in (0..7).flat_map(|now| (0..7).map(move |other| (now, other))) {
                    for (one, two) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
                        let members = [
                            wants(first, steady(now, one)),
                            wants(desired - first, steady(other, two)),
                        ];
                        let percents = percents(minimum, maximum);
                        let got = steps(&members, desired, percents, 2);
                        let (mut most, mut least) = (0, 0);
                        for (step, member) in got.iter().zip(&members) {
                            let seen = &member.seen;
                            assert_ne!((step.max_unavailable, step.max_surge), (0, 0));
                            let rolls = seen.replicas > 0 && Some(step.sequence) != seen.sequence;
                            let surge = if rolls { step.max_surge } else { 0 };
                            let stop = if rolls { step.max_unavailable } else { 0 };
                            most += seen.replicas.max(step.replicas + surge);
                            least += seen.available.min(step.replicas - stop);
                        }
                        let cap = percents.cap(desired).max(now + other);
                        let floor = percents.floor(desired).min(now + other);
                        assert!(most <= cap, "{most} > {cap}: {members:?} {got:?}");
                        assert!(least >= floor, "{least} < {floor}: {members:?} {got:?}");
                        looked_at += 1;
                    }
                }
            }
        }
    }
    assert!(looked_at > 10_000, "{looked_at}");
}

/// A roll from record 1 to record 2 of a count, with so many healthy tasks of each.
fn rolling(count: i32, earlier: i32, newer: i32) -> Seen {
    let mut seen = steady(earlier, 1);
    seen.replica_sets[0].max_replicas = Some(count + 1);
    let mut newest = steady(newer, 2).replica_sets[0].clone();
    (newest.name, newest.max_replicas) = ("b".to_owned(), Some(count + 1));
    seen.replica_sets.push(newest);
    let total = earlier + newer;
    (seen.replicas, seen.sequence) = (count, Some(2));
    (seen.total, seen.updated, seen.available) = (total, newer, total);
    seen
}

#[test]
fn a_roll_keeps_what_the_others_lack() {
    // 3 tasks at 100/133 %: one on each is wanted, and the first has none yet. With a count of 1 the
    // second's controller would stop one of its healthy tasks before the first has one.
    let members = [wants(1, Seen::default()), wants(1, rolling(2, 1, 2)), wants(1, steady(1, 1))];
    let got = steps(&members, 3, percents(100, 134), 2);
    assert_eq!((got[1].replicas, got[1].max_unavailable), (2, 0));
    // With the others' two it comes down.
    let members = [wants(1, steady(1, 2)), wants(1, rolling(2, 1, 1)), wants(1, steady(1, 2))];
    assert_eq!(steps(&members, 3, percents(100, 134), 2)[1].replicas, 1);
}

#[test]
fn none_rolls_while_there_are_more_than_may_be() {
    // 4 tasks at 50/100 %: the first has not come down from 5 yet, and the second's one would come
    // on top of them when it is replaced.
    let mut first = steady(5, 1);
    (first.replicas, first.settled) = (3, false);
    let members = [wants(3, first), wants(1, steady(1, 1))];
    assert_eq!(told(&steps(&members, 4, percents(50, 100), 2))[1], (1, 1, 0, 1));
    let members = [wants(3, steady(3, 2)), wants(1, steady(1, 1))];
    assert_eq!(told(&steps(&members, 4, percents(50, 100), 2))[1], (1, 2, 1, 0));
}

#[test]
fn no_count_comes_down_for_tasks_without_a_node() {
    let market = [wants(1, steady(2, 1)), wants(4, unplaced(4, 1))];
    for patient in [true, false] {
        let got = super::steps(&market, 5, percents(100, 200), 1, patient).steps;
        assert_eq!(got[0].replicas, 2, "patient {patient}");
    }
}
