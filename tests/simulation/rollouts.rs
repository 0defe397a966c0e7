//! How do a few rolls go, told as stories? One line per action that changed something, in a fixed
//! order by a fixed seed; `UPDATE=1` writes them anew, and the diff is the review.
//!
//! A line: the second, who did what, healthy/total tasks, [floor, cap] in force, and the workload:
//! the record, count and -maxUnavailable/+maxSurge of the Deployment, then of each ReplicaSet its
//! record, its size, and its ready pods.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use crate::ask::Ask;
use crate::bounds::in_force;
use crate::chance::Chance;
use crate::cluster::{Cluster, Deployment, PROVIDERS};
use crate::operator::Fault;
use crate::stage::{Action, Deed, Stage, revisions};

fn ask(desired: i32, minimum_healthy: i32, maximum: i32) -> Ask {
    Ask { desired, minimum_healthy, maximum }
}

/// A change of the service after so many actions; as soon as all rests, if there are none so many.
struct Change {
    after: usize,
    ask: Ask,
    revision: usize,
}

fn at(after: usize, ask: Ask, revision: usize) -> Change {
    Change { after, ask, revision }
}

const REST: usize = usize::MAX;

/// Tells what happens to a service of this ask that is at rest at revision 1.
fn story(first: Ask, changes: &[Change], failing: &[usize]) -> String {
    let mut stage = Stage::new(&revisions(), "web", first, false);
    stage.rest(|_, _| {}).unwrap();
    let mut chance = Chance::of(1);
    let mut text = String::new();
    for change in changes {
        let mut left = change.after;
        while left > 0 {
            let mut actors = stage.actors();
            let mut acted = false;
            while !actors.is_empty() && left > 0 {
                let action = actors.swap_remove(chance.below(actors.len()));
                acted |= tell(&mut stage, &action, &mut text);
                left -= 1;
            }
            if !acted && left > 0 {
                let Some(second) = stage.next_second() else { break };
                let wait = second - stage.cluster.now;
                stage.act(&Action::Wait(wait)).unwrap();
            }
        }
        let deed = Deed::Ask { ask: change.ask, revision: change.revision };
        tell(&mut stage, &Action::User(deed), &mut text);
        if failing.contains(&change.revision) {
            fail_from_now(&mut stage);
        }
    }
    let mut idle = 0;
    while idle < 2 {
        let mut actors = stage.actors();
        let mut acted = false;
        while !actors.is_empty() {
            let action = actors.swap_remove(chance.below(actors.len()));
            acted |= tell(&mut stage, &action, &mut text);
        }
        idle = if acted { 0 } else { idle + 1 };
        if !acted && let Some(second) = stage.next_second() {
            let wait = second - stage.cluster.now;
            stage.act(&Action::Wait(wait)).unwrap();
            idle = 0;
        }
        assert!(text.len() < 200_000, "no end:\n{text}");
    }
    let _ = writeln!(text, "at rest: {}", workload(&stage.cluster));
    text
}

/// From now on, pods of any other template than the present one are never ready.
fn fail_from_now(stage: &mut Stage) {
    let present = stage.cluster.deployments.first().map(|found| found.template);
    stage.cluster.fates.good = present;
}

fn tell(stage: &mut Stage, action: &Action, text: &mut String) -> bool {
    let who = who(stage, action);
    let before = workload(&stage.cluster);
    let changed = stage.act(action).unwrap_or_else(|why| panic!("{why}\n{text}{who}\n{before}"));
    let silent = matches!(action, Action::Plan | Action::Deliver(_));
    if changed && !silent {
        line(&stage.cluster, &who, text);
    }
    changed
}

/// Who does what.
pub(crate) fn who(stage: &Stage, action: &Action) -> String {
    match action {
        Action::Deliver(kind) => format!("the operator sees a change of a {kind:?}"),
        Action::Plan => "the operator plans".to_owned(),
        Action::Write(_) => format!("the operator {}", stage.next_write()),
        Action::Deployment(_) => "the Deployment controller acts".to_owned(),
        Action::ReplicaSet(id) => {
            let sequence = stage.cluster.set(*id).map_or(0, |set| set.sequence);
            format!("the ReplicaSet of record {sequence} acts")
        }
        Action::Kubelet(id) => {
            let Some(pod) = stage.cluster.pods.iter().find(|pod| pod.id == *id) else {
                return String::new();
            };
            let what = match (pod.terminating, pod.running) {
                (true, _) => "is gone",
                (_, false) => "runs",
                (_, true) => "becomes ready",
            };
            format!("a task of record {} {what}", pod.sequence)
        }
        Action::Restart => "the operator restarts".to_owned(),
        Action::Wait(seconds) => format!("{seconds} seconds pass"),
        Action::User(Deed::Ask { ask, revision }) => format!(
            "somebody asks for {} tasks of revision {revision} at {}/{} %",
            ask.desired, ask.minimum_healthy, ask.maximum
        ),
        Action::User(deed) => format!("somebody does {deed:?}"),
    }
}

/// One line of a story.
pub(crate) fn line(cluster: &Cluster, who: &str, text: &mut String) {
    let (floor, cap) = in_force(cluster);
    let _ = writeln!(
        text,
        "{:>3} s  {who:<62} {:>2}/{:<2} [{floor}, {cap}]  {}",
        cluster.now,
        cluster.healthy(),
        cluster.total(),
        workload(cluster)
    );
}

/// The workload in one line.
pub(crate) fn workload(cluster: &Cluster) -> String {
    let of_one = |deployment: &Arc<Deployment>| {
        let provider = PROVIDERS[deployment.provider];
        let space = if provider.is_empty() { "" } else { " " };
        let mut text = format!(
            "{provider}{space}#{} {} -{}/+{}",
            deployment.sequence,
            deployment.replicas,
            deployment.max_unavailable,
            deployment.max_surge
        );
        for set in cluster.sets_of(deployment.id) {
            let ready = cluster.active(set.id).filter(|pod| pod.ready_since.is_some()).count();
            let _ = write!(text, " | #{}: {}, {ready} ready", set.sequence, set.size);
        }
        text
    };
    let all: Vec<String> = cluster.deployments.iter().map(of_one).collect();
    if all.is_empty() { "no Deployment".to_owned() } else { all.join(" || ") }
}

fn check(case: &str, told: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/simulation/stories")
        .join(format!("{case}.log"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, told).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == told, "{case} goes otherwise now; UPDATE=1 writes it anew:\n{told}");
}

macro_rules! stories {
    ($($name:ident: $first:expr, [$($change:expr),*] $(, failing $failing:expr)?;)*) => {$(
        #[test]
        fn $name() {
            let failing: &[usize] = &[$($failing)?];
            check(stringify!($name), &story($first, &[$($change),*], failing));
        }
    )*};
}

stories! {
    three_tasks_by_default: ask(3, 100, 200), [at(0, ask(3, 100, 200), 2)];
    four_tasks_that_may_be_half: ask(4, 50, 100), [at(0, ask(4, 50, 100), 2)];
    four_tasks_that_may_be_half_more: ask(4, 100, 150), [at(0, ask(4, 100, 150), 2)];
    one_task_without_room_until_there_is:
        ask(1, 100, 100), [at(0, ask(1, 100, 100), 2), at(REST, ask(1, 100, 200), 2)];
    from_nothing_with_a_new_template: ask(0, 100, 200), [at(0, ask(3, 100, 200), 2)];
    fewer_tasks_in_mid_roll:
        ask(6, 100, 150), [at(0, ask(6, 100, 150), 2), at(80, ask(3, 100, 150), 2)];
    // Below the floor: what the operator sees, and then what the Deployment controller sees, is late.
    fewer_tasks_in_mid_roll_on_late_word:
        ask(6, 100, 150), [at(0, ask(6, 100, 150), 2), at(60, ask(3, 100, 150), 2)];
    a_roll_over_a_roll_over_a_roll: ask(4, 50, 150), [
        at(0, ask(4, 50, 150), 2), at(50, ask(4, 50, 150), 3), at(50, ask(4, 50, 150), 4)
    ];
    back_in_mid_roll: ask(4, 100, 150), [at(0, ask(4, 100, 150), 2), at(70, ask(4, 100, 150), 1)];
    a_revision_that_never_is_ready: ask(4, 50, 150), [at(0, ask(4, 50, 150), 2)], failing 2;
}

/// The workload is deleted between a plan and its write, which was meant for that one.
#[test]
fn a_write_that_comes_too_late_makes_nothing() {
    let mut stage = Stage::new(&revisions(), "web", ask(4, 100, 200), false);
    stage.rest(|_, _| {}).unwrap();
    let fewer = Deed::Ask { ask: ask(2, 100, 200), revision: 1 };
    stage.act(&Action::User(fewer)).unwrap();
    for kind in stage.operator.behind() {
        stage.act(&Action::Deliver(kind)).unwrap();
    }
    stage.act(&Action::Plan).unwrap();
    while !stage.next_write().contains("Deployment.apps") {
        assert!(!stage.next_write().is_empty(), "the workload is written");
        stage.act(&Action::Write(Fault::None)).unwrap();
    }
    stage.act(&Action::User(Deed::DeleteChild(0))).unwrap();
    assert!(stage.cluster.deployments.is_empty());
    stage.act(&Action::Write(Fault::None)).unwrap();
    assert!(stage.cluster.deployments.is_empty(), "made by a write that was meant for another");
    stage.rest(|_, _| {}).unwrap();
    assert_eq!(stage.cluster.healthy(), 2);
}
