//! A placement expression of ten terms over 10,000 nodes: how long until it is known which nodes
//! it chooses?
//!
//! `LINKSPAN_NODES=100 cargo bench --no-default-features --bench query` tries it out.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement that cannot go on ends"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use linkspan::ecs::query::{Instance, Query, evaluate};

const ROUNDS: usize = 51;
const GOAL: Duration = Duration::from_millis(5);

/// Ten terms, all of which are asked on every node: each but the last holds, or has to be asked
/// because none before it holds.
const ALL_HOLD: &str = "attribute:ecs.os-type == linux and attribute:ecs.cpu-architecture exists and \
    attribute:ecs.instance-type =~ [a-z]+[0-9][.].* and attribute:ecs.availability-zone in \
    [us-east-1a, us-east-1b, us-east-1c] and attribute:stack != dev and attribute:rack >= 0 and \
    agentVersion >= 1.33.0 and registeredAt > 2018-06-18 and agentConnected == true and \
    attribute:ecs.instance-type !~ .*metal";
const NONE_HOLDS: &str = "attribute:ecs.os-type == windows or attribute:gpu exists or \
    attribute:ecs.instance-type =~ (p|g)[0-9][.].* or attribute:ecs.availability-zone in \
    [eu-west-1a, eu-west-1b] or attribute:stack == dev or attribute:rack < 0 or agentVersion < 1.20 \
    or registeredAt < 2018-06-18 or agentConnected != true or ec2InstanceId in [i-1, i-2]";
const PATTERNS: &str = "attribute:ecs.instance-type =~ m5.* or attribute:ecs.instance-type =~ c5.* or \
    attribute:ecs.instance-type =~ .*metal or attribute:stack =~ dev|test or \
    attribute:ecs.availability-zone =~ eu-.* or attribute:ecs.instance-type =~ (p|g)[0-9].* or \
    attribute:ecs.os-type =~ win.* or attribute:rack =~ [a-z]+ or attribute:stack =~ (?i)PRE or \
    attribute:ecs.cpu-architecture =~ arm.*";

fn node(at: usize) -> Instance {
    let attributes = [
        ("ecs.availability-zone", format!("us-east-1{}", ["a", "b", "c"].get(at % 3).unwrap())),
        ("ecs.instance-type", format!("r{}.{}xlarge", at % 7 + 1, at % 5)),
        ("ecs.os-type", "linux".to_owned()),
        ("ecs.os-family", "LINUX".to_owned()),
        ("ecs.cpu-architecture", "x86_64".to_owned()),
        ("stack", "prod".to_owned()),
        ("rack", (at % 40).to_string()),
        ("team", "shop".to_owned()),
    ];
    Instance {
        attributes: attributes.map(|(name, value)| (name.to_owned(), Some(value))).into(),
        agent_connected: true,
        agent_version: Some(semver::Version::new(1, 36, at as u64 % 9)),
        ec2_instance_id: Some(format!("i-{at:017x}")),
        registered_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        running_tasks_count: at as u64 % 30,
        task_groups: (0..at % 4).map(|group| format!("service:s{group}")).collect(),
    }
}

fn main() {
    let size = std::env::var("LINKSPAN_NODES").ok().and_then(|digits| digits.parse().ok());
    let nodes: Vec<Instance> = (0..size.unwrap_or(10_000)).map(node).collect();
    let (count, goal) = (nodes.len(), format!("<= {:.0} ms", milliseconds(GOAL)));
    println!("\n{:<64}{:>12}{:>12}", "WHAT", "GOAL", "MEASURED");
    for (terms, expression) in [
        ("of which all hold", ALL_HOLD),
        ("of which none holds", NONE_HOLDS),
        ("all of them regular expressions", PATTERNS),
    ] {
        let query = Query::parse(expression).unwrap();
        let mut times: Vec<Duration> = (0..ROUNDS)
            .map(|_| {
                let start = Instant::now();
                let chosen = nodes.iter().filter(|node| evaluate(black_box(&query), node));
                black_box(chosen.count());
                start.elapsed()
            })
            .collect();
        times.sort_unstable();
        let median = *times.get(ROUNDS / 2).unwrap();
        let what = format!("ten terms over {count} nodes, {terms}, median of {ROUNDS}");
        let met = if median <= GOAL { "met" } else { "missed" };
        println!("{what:<64}{goal:>12}{:>12.2} {:<8}{met}", milliseconds(median), "ms");
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
