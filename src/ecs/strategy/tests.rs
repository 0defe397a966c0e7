//! The rules of a strategy, and every split of up to thirty tasks over up to four providers.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use serde_json::json;

use super::*;

fn read(value: &Value) -> Result<Strategy, Vec<String>> {
    Strategy::read(value, |name| name.starts_with("FARGATE"))
        .map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

/// Items by weight and base, named by their places.
fn strategy(items: &[(u32, u32)]) -> Strategy {
    let items = items.iter().enumerate().map(|(at, (weight, base))| {
        json!({"capacityProvider": format!("p{at}"), "weight": weight, "base": base})
    });
    read(&items.collect()).unwrap()
}

#[test]
fn worked_example_nineteen() {
    let strategy = strategy(&[(1, 1), (3, 0)]);
    assert_eq!(strategy.split(9), [3, 6]);
    assert_eq!(strategy.split(1), [1, 0]);
    assert!(
        read(&json!([{"capacityProvider": "A", "base": 1, "weight": 1},
                         {"capacityProvider": "B", "base": 1, "weight": 1}]))
        .is_err()
    );
    assert!(read(&json!([{"capacityProvider": "A"}, {"capacityProvider": "B"}])).is_err());
}

#[test]
fn each_rule_is_told() {
    let provider = |name: &str| json!({"capacityProvider": name, "weight": 1});
    let many: Value = (0..21).map(|at| provider(&format!("p{at}"))).collect();
    for (value, expected) in [
        (json!({}), vec![": must be a list of objects"]),
        (json!([]), vec![": must have an item; leave it out for the cluster's default"]),
        (json!([7]), vec!["[0] is 7: must be an object"]),
        (json!([{}]), vec!["[0].capacityProvider: is required: name a capacity provider"]),
        (many, vec![" is a list of 21 items: may have at most 20 items"]),
        (
            json!([{"capacityProvider": "A", "weight": 1001, "base": 100_001},
                   {"capacityProvider": "B", "weight": -1, "base": 1.5}]),
            vec![
                "[0].weight is 1001: must be a whole number from 0 to 1000",
                "[0].base is 100001: must be a whole number from 0 to 100000",
                "[1].weight is -1: must be a whole number from 0 to 1000",
                "[1].base is 1.5: must be a whole number from 0 to 100000",
            ],
        ),
        (
            json!([{"capacityProvider": "A", "base": 1, "weight": 1},
                   {"capacityProvider": "B", "base": 2}]),
            vec![
                "[1].base is 2: only one item may have a base above 0, and [0] has one; set it to 0",
            ],
        ),
        (
            json!([{"capacityProvider": "A"}, {"capacityProvider": "B", "base": 1}]),
            vec![": of several items at least one must have a weight above 0"],
        ),
        (
            json!([provider("A"), provider("A")]),
            vec![
                "[1].capacityProvider is `A`: is named in [0] already; give one weight and one base",
            ],
        ),
        (
            json!([provider("FARGATE"), provider("FARGATE_SPOT"), provider("A")]),
            vec![
                "[2].capacityProvider is `A`: Fargate providers and others cannot be mixed, and \
                 `FARGATE` is a Fargate one; use two services",
            ],
        ),
    ] {
        let expected = expected.into_iter().map(ToOwned::to_owned).collect();
        assert_eq!(read(&value), Err(expected), "{value}");
    }
    assert!(read(&json!([{"capacityProvider": "A", "weight": "1000", "base": 100_000}])).is_ok());
}

#[test]
fn one_provider_without_a_weight_has_all_tasks() {
    let strategy = read(&json!([{"capacityProvider": "A", "weight": null}])).unwrap();
    assert_eq!((strategy.split(7), strategy.weight_was_assumed()), (vec![7], true));
    assert_eq!(Strategy::only("A").split(7), [7]);
    assert!(!Strategy::only("A").weight_was_assumed());
}

/// The split as the rule is told, task by task, in fractions of a task as far from the share.
fn told(items: &[(u32, u32)], count: u32) -> Vec<u32> {
    let mut placed = vec![0; items.len()];
    let mut beyond_base = vec![0_u32; items.len()];
    for _ in 0..count {
        if let Some(at) = (0..items.len()).find(|at| placed[*at] < items[*at].1) {
            placed[at] += 1;
            continue;
        }
        let weights: u32 = items.iter().map(|(weight, _)| weight).sum();
        let with_this_one = beyond_base.iter().sum::<u32>() + 1;
        let mut chosen = None;
        for at in 0..items.len() {
            let share = f64::from(with_this_one) * f64::from(items[at].0) / f64::from(weights);
            let missing = share - f64::from(beyond_base[at]);
            // Shares of weights up to four differ by a 16th at the least.
            if items[at].0 > 0 && chosen.is_none_or(|(_, most)| missing > most + 0.001) {
                chosen = Some((at, missing));
            }
        }
        let (at, _) = chosen.unwrap();
        placed[at] += 1;
        beyond_base[at] += 1;
    }
    placed
}

/// Every strategy of up to four providers with weights 0 to 4 and one base of 0, 1, 2, 5 or 31.
fn every(mut check: impl FnMut(&[(u32, u32)])) {
    for providers in 1..=4_usize {
        for code in 0..5_u32.pow(u32::try_from(providers).unwrap()) {
            let weights: Vec<u32> =
                (0..providers).map(|at| code / 5_u32.pow(u32::try_from(at).unwrap()) % 5).collect();
            if weights.iter().all(|weight| *weight == 0) {
                continue;
            }
            for with_base in 0..providers {
                for base in [0, 1, 2, 5, 31] {
                    if base == 0 && with_base > 0 {
                        continue;
                    }
                    let mut items: Vec<_> = weights.iter().map(|weight| (*weight, 0)).collect();
                    items[with_base].1 = base;
                    check(&items);
                }
            }
        }
    }
}

#[test]
fn every_split_is_as_told_and_one_task_more_takes_none_away() {
    let mut splits = 0;
    every(|items| {
        let strategy = strategy(items);
        let mut before = vec![0; items.len()];
        for count in 0..=30 {
            let split = strategy.split(count);
            assert_eq!(split, told(items, count), "{count} over {items:?}");
            assert_eq!(split.iter().sum::<u32>(), count, "{items:?}");
            let grows = before.iter().zip(&split).all(|(before, now)| before <= now);
            assert!(grows, "{count} over {items:?}: {before:?} to {split:?}");
            assert_eq!(strategy.grow(&before, count), split, "{items:?}");
            if count > 0 {
                assert_eq!(strategy.shrink(&split, count - 1), before, "{items:?}");
            }
            before = split;
            splits += 1;
        }
    });
    assert!(splits > 30_000, "only {splits}");
}

#[test]
fn a_change_of_weights_moves_no_running_task() {
    let placed_before = strategy(&[(1, 2), (3, 0), (0, 0)]).split(17);
    every(|items| {
        if items.len() != 3 {
            return;
        }
        let changed = strategy(items);
        assert_eq!(changed.grow(&placed_before, 17), placed_before, "{items:?}");
        assert_eq!(changed.shrink(&placed_before, 17), placed_before, "{items:?}");
        for wanted in 18..40 {
            let grown = changed.grow(&placed_before, wanted);
            assert_eq!(grown.iter().sum::<u32>(), wanted, "{items:?}");
            assert!(grown.iter().zip(&placed_before).all(|(now, before)| now >= before));
            let base_is_full = items.iter().zip(&grown).all(|(item, now)| *now >= item.1);
            let all_went_to_base = items
                .iter()
                .zip(grown.iter().zip(&placed_before))
                .all(|(item, (now, before))| now == before || *now <= item.1);
            assert!(base_is_full || all_went_to_base, "{items:?}: {placed_before:?} to {grown:?}");
        }
        for wanted in 0..17 {
            let shrunk = changed.shrink(&placed_before, wanted);
            assert_eq!(shrunk.iter().sum::<u32>(), wanted, "{items:?}");
            assert!(shrunk.iter().zip(&placed_before).all(|(now, before)| now <= before));
            for (at, (_, base)) in items.iter().enumerate() {
                let kept = placed_before[at].min(*base).min(wanted);
                assert!(shrunk[at] >= kept, "{items:?}: {placed_before:?} to {shrunk:?}");
            }
        }
    });
}

/// Growing and shrinking as told: one task at a time, to and from where most is missing or over.
#[test]
fn growing_and_shrinking_is_as_told_one_by_one() {
    for items in [vec![(1, 0), (1, 0)], vec![(1, 3), (3, 0)], vec![(2, 0), (0, 4), (1, 0)]] {
        let strategy = strategy(&items);
        for code in 0..13_u32.pow(u32::try_from(items.len()).unwrap()) {
            let current: Vec<u32> = (0..items.len())
                .map(|at| code / 13_u32.pow(u32::try_from(at).unwrap()) % 13)
                .collect();
            for wanted in 0..=30 {
                let target = strategy.split(wanted);
                let mut expected = current.clone();
                while expected.iter().sum::<u32>() < wanted {
                    let short_of_base =
                        (0..items.len()).find(|at| expected[*at] < items[*at].1.min(wanted));
                    let furthest = (0..items.len())
                        .rev()
                        .max_by_key(|at| i64::from(target[*at]) - i64::from(expected[*at]));
                    expected[short_of_base.or(furthest).unwrap()] += 1;
                }
                while expected.iter().sum::<u32>() > wanted {
                    let furthest = (0..items.len())
                        .max_by_key(|at| i64::from(expected[*at]) - i64::from(target[*at]));
                    expected[furthest.unwrap()] -= 1;
                }
                let total = current.iter().sum::<u32>();
                let got = match total {
                    _ if total <= wanted => strategy.grow(&current, wanted),
                    _ => strategy.shrink(&current, wanted),
                };
                assert_eq!(got, expected, "{items:?}: {current:?} to {wanted}");
            }
        }
    }
}

#[test]
fn any_number_of_tasks_is_split_at_once() {
    let strategy = strategy(&[(1000, 100_000), (999, 0), (1, 0)]);
    let split = strategy.split(u32::MAX);
    assert_eq!(split.iter().map(|count| u64::from(*count)).sum::<u64>(), u64::from(u32::MAX));
    assert_eq!(strategy.grow(&[], u32::MAX), split);
    assert_eq!(strategy.grow(&[5, u32::MAX, 5], u32::MAX), [5, u32::MAX, 5]);
    assert_eq!(strategy.shrink(&split, 0), [0, 0, 0]);
}
