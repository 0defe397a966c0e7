//! The sandbox's examples, as a new user runs them: a control plane of its own for each, the operator
//! in it, and the example to its end. Each says itself what did not come to pass; here it is seen
//! where its tasks ran.

use std::process::Stdio;

use tokio::process::Command;
use tokio::sync::Mutex;

/// One at a time: each has a control plane.
static ALONE: Mutex<()> = Mutex::const_new(());

/// What is shown of an example.
struct Shown(String);

impl Shown {
    async fn of(example: &str) -> Self {
        let _alone = ALONE.lock().await;
        let output = Command::new(env!("CARGO_BIN_EXE_linkspan"))
            .args(["sandbox", "--once", "--example", example])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{out}{}", String::from_utf8_lossy(&output.stderr));
        tell!("sandbox --once --example {example}: {}", out.lines().last().unwrap_or_default());
        Self(out)
    }

    /// By table: nodes and tasks of a group.
    fn group(&self, name: &str) -> Vec<(u32, u32)> {
        let rows = self.0.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let number = |word: &str| word.parse().unwrap();
        rows.filter(|row| row.len() == 3 && row[0] == name)
            .map(|row| (number(row[1]), number(row[2])))
            .collect()
    }

    /// The nodes of all tasks in the last table.
    fn nodes_of(&self, service: &str) -> Vec<&str> {
        let last = self.0.rsplit("TASK ").next().unwrap();
        let rows = last.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        rows.filter(|row| row.len() == 4 && row[0].starts_with(service)).map(|row| row[1]).collect()
    }
}

#[tokio::test]
async fn tasks_follow_the_load_and_nodes_follow_the_tasks() {
    let shown = Shown::of("autoscaling").await;
    let seen = shown.group("elastic");
    assert_eq!(seen.first().unwrap().1, 2, "tasks at first: {seen:?}");
    let most = seen.iter().max_by_key(|(_, tasks)| *tasks).unwrap();
    assert_eq!(*most, (3, 10), "with much load, four tasks to a node: {seen:?}");
    let (nodes, tasks) = *seen.last().unwrap();
    assert!(tasks == 2 && nodes <= 2, "with little load, no node is empty: {seen:?}");
}

#[tokio::test]
async fn tasks_are_split_over_machines_that_stay_and_spot_ones() {
    let shown = Shown::of("spot").await;
    // Base 2 and weight 1 to 3 of 6 tasks: 2 + 1 and 3.
    assert_eq!(shown.group("on-demand").last(), Some(&(3, 3)), "{}", shown.0);
    assert_eq!(shown.group("spot").last(), Some(&(3, 3)), "{}", shown.0);
}

#[tokio::test]
async fn a_profile_places_what_does_not_ask_for_it() {
    let shown = Shown::of("fargate-profile").await;
    assert_eq!(shown.group("fargate"), [(3, 3)], "{}", shown.0);
}

#[tokio::test]
async fn constraints_hold_for_each_task() {
    let shown = Shown::of("constrained").await;
    let mut nodes = shown.nodes_of("search");
    nodes.sort_unstable();
    // The nodes of the first and second zone that are no Fargate nodes, each once.
    assert_eq!(nodes, ["on-demand-0", "on-demand-1", "spot-0", "spot-1"], "{}", shown.0);
}

#[tokio::test]
async fn a_daemon_has_a_task_on_each_node_that_is_meant() {
    let shown = Shown::of("daemon").await;
    let mut nodes = shown.nodes_of("agent");
    nodes.sort_unstable();
    // The fourth was cordoned.
    assert_eq!(nodes, ["on-demand-0", "on-demand-1", "spot-1"], "{}", shown.0);
}
