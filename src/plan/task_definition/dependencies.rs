//! In which order do a task's containers start, and what keeps that order in a pod?
//!
//! A pod starts its init containers one after the other, and then all its other containers at once.
//! One that is restarted always (a sidecar) counts as done when it has started, or when its startup
//! check succeeds if it has one; any other, when it has ended with 0. From that come START, HEALTHY
//! and SUCCESS.
//!
//! In ECS a container that waits for nothing starts at once, and one that is waited for may need it:
//! a migration that must succeed needs the database beside it, whether or not it says so. So
//! whatever can start before the first wait does, as a sidecar.

use serde_json::Value;

use super::container::Container;
use super::firelens::{is_routed, router};
use super::read::objects;
use crate::ecs::reference::text;
use crate::plan::finding::Findings;

/// The names of shells that can run a program and forget how it ended.
const SHELLS: &[&str] = &["sh", "ash", "bash", "dash"];

/// Which kind of a pod's containers keeps the order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// One that starts with all others at the end.
    #[default]
    Main,
    /// One that starts before others and goes on running.
    Sidecar {
        /// Whether others wait until it is healthy.
        awaited: bool,
    },
    /// One that ends before others start.
    Ends {
        /// Whether they start however it ended.
        any_exit: bool,
    },
}

/// How far a container must have come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Start,
    Healthy,
    Complete,
    Success,
}

impl Condition {
    /// Whether others stand still until it is met.
    fn stops(self) -> bool {
        self != Self::Start
    }
}

/// That a container waits for another.
struct Wait {
    /// The place of the one that waits, among the task's containers.
    waiting: usize,
    /// The place of the other.
    on: usize,
    condition: Condition,
    /// Where that is written.
    path: String,
}

/// Reads `dependsOn` of all containers and gives each its role. Returns their places in the order
/// in which they start.
pub(super) fn start_order(
    spec: &Value,
    containers: &mut [Container],
    findings: &mut Findings,
) -> Vec<usize> {
    let mut waits = waits(spec, containers, findings);
    let own = waits.len();
    waits.extend(waits_for_router(spec));
    let of_all = |waits: &[Wait]| {
        let stops = |at: usize| waits.iter().any(|wait| wait.on == at && wait.condition.stops());
        sorted(containers.len(), waits, stops)
    };
    // A router that waits for one of those that log through it comes after it.
    if of_all(&waits).is_err() {
        waits.truncate(own);
    }
    let is_on = |at: usize, conditions: &[Condition]| {
        waits.iter().any(|wait| wait.on == at && conditions.contains(&wait.condition))
    };
    let ends = |at: usize| is_on(at, &[Condition::Complete, Condition::Success]);
    let stops_others = |at: usize| ends(at) || is_on(at, &[Condition::Healthy]);
    let order = match of_all(&waits) {
        Ok(order) => order,
        Err(left) => {
            cycle(&left, &waits, containers, findings);
            return (0..containers.len()).collect();
        }
    };
    let last_wait = order.iter().rposition(|at| stops_others(*at));
    let has_shell: Vec<bool> =
        containers.iter().map(|container| shell(container).is_some()).collect();
    for (position, at) in order.iter().enumerate() {
        let Some(container) = containers.get_mut(*at) else { continue };
        container.role = if ends(*at) {
            let any_exit = !is_on(*at, &[Condition::Success]);
            Role::Ends { any_exit: any_exit && shell(container).is_some() }
        } else if last_wait.is_some_and(|last| position <= last) || is_on(*at, &[Condition::Start])
        {
            Role::Sidecar { awaited: is_on(*at, &[Condition::Healthy]) }
        } else {
            Role::Main
        };
        if matches!(container.role, Role::Sidecar { .. }) && !container.essential {
            findings.differs(
                format!("containerDefinitions[{at}].essential"),
                "is started again when it ends, as everything that runs before other containers start",
            );
        }
    }
    for wait in &waits {
        let path = format!("{}.condition", wait.path);
        match wait.condition {
            Condition::Start | Condition::Healthy if ends(wait.on) => findings.differs(
                path,
                "waits until that container has ended, as another one does",
            ),
            Condition::Complete if has_shell.get(wait.on) == Some(&false) => findings.differs(
                path,
                "waits until that container has ended with 0, since a pod goes on only then; with an \
                 entryPoint that starts with a shell, any exit code will do",
            ),
            _ => {}
        }
    }
    order
}

/// The shell that a container's entry point starts with.
pub(in crate::plan) fn shell(container: &Container) -> Option<&str> {
    let program = container.entry_point.as_ref()?.first()?;
    let name = program.rsplit('/').next()?;
    SHELLS.contains(&name).then_some(program)
}

/// That each container which logs through the task's router starts after it, as in ECS.
fn waits_for_router(spec: &Value) -> Vec<Wait> {
    let Some(on) = router(spec) else { return Vec::new() };
    let listed = spec.get("containerDefinitions").and_then(Value::as_array);
    let listed = listed.into_iter().flatten().enumerate();
    let routed = listed.filter(|(waiting, raw)| *waiting != on && is_routed(raw));
    routed
        .map(|(waiting, _)| Wait {
            waiting,
            on,
            condition: Condition::Start,
            path: format!("containerDefinitions[{waiting}].logConfiguration"),
        })
        .collect()
}

fn waits(spec: &Value, containers: &[Container], findings: &mut Findings) -> Vec<Wait> {
    let mut waits = Vec::new();
    let listed = spec.get("containerDefinitions").and_then(Value::as_array);
    for (waiting, raw) in listed.into_iter().flatten().enumerate() {
        let path = format!("containerDefinitions[{waiting}]");
        for (path, dependency) in objects(raw, "dependsOn", &path) {
            let name = text(dependency, "containerName").unwrap_or_default();
            let condition = match text(dependency, "condition").as_deref() {
                Some("START") => Some(Condition::Start),
                Some("HEALTHY") => Some(Condition::Healthy),
                Some("COMPLETE") => Some(Condition::Complete),
                Some("SUCCESS") => Some(Condition::Success),
                other => {
                    let path = format!("{path}.condition");
                    let rule = "must be START, HEALTHY, COMPLETE or SUCCESS";
                    findings.refuse_value(path, format!("`{}`", other.unwrap_or_default()), rule);
                    None
                }
            };
            let found = containers.iter().enumerate().find(|(_, other)| other.name == name);
            let Some((on, other)) = found else {
                let known: Vec<&str> = containers.iter().map(|c| c.name.as_str()).collect();
                let rule = format!("is no container of the task; it has {}", known.join(", "));
                findings.refuse_value(format!("{path}.containerName"), format!("`{name}`"), rule);
                continue;
            };
            let Some(condition) = condition else { continue };
            let refuse = match condition {
                Condition::Complete | Condition::Success if other.essential => Some(format!(
                    "cannot be awaited of container {name}, which is essential: its end is the end of \
                     the task; set its essential to false"
                )),
                Condition::Healthy if other.health_check.is_none() => {
                    Some(format!("needs a healthCheck in container {name}"))
                }
                _ => None,
            };
            if let Some(rule) = refuse {
                let written = text(dependency, "condition").unwrap_or_default();
                findings.refuse_value(format!("{path}.condition"), written, rule);
            }
            waits.push(Wait { waiting, on, condition, path });
        }
    }
    waits
}

/// The places 0 to `count` so that each comes after all it waits for; of several that could come
/// next, first those for which nobody has to wait any longer. Where there is no such order, the
/// places that are left.
fn sorted(
    count: usize,
    waits: &[Wait],
    stops_others: impl Fn(usize) -> bool,
) -> Result<Vec<usize>, Vec<usize>> {
    let mut order: Vec<usize> = Vec::with_capacity(count);
    let mut left: Vec<usize> = (0..count).collect();
    while !left.is_empty() {
        let ready =
            |at: usize| waits.iter().all(|wait| wait.waiting != at || order.contains(&wait.on));
        let next = left
            .iter()
            .position(|at| ready(*at) && !stops_others(*at))
            .or_else(|| left.iter().position(|at| ready(*at)));
        let Some(next) = next else { return Err(left) };
        order.push(left.remove(next));
    }
    Ok(order)
}

/// Refuses the wait that closes a circle.
fn cycle(left: &[usize], waits: &[Wait], containers: &[Container], findings: &mut Findings) {
    let mut way: Vec<&Wait> = Vec::new();
    let mut at = left.first().copied();
    while let Some(place) = at {
        // Each that is left waits for another that is left, so that the way ends in a circle.
        let next = waits.iter().find(|wait| wait.waiting == place && left.contains(&wait.on));
        let Some(wait) = next else { return };
        if let Some(start) = way.iter().position(|earlier| earlier.waiting == place) {
            let name = |at: usize| containers.get(at).map_or("", |container| &container.name);
            let circle = way.iter().skip(start).map(|wait| name(wait.waiting));
            let circle: Vec<&str> = circle.chain([name(place)]).collect();
            findings.refuse_value(
                format!("{}.containerName", wait.path),
                name(wait.on),
                format!("closes a circle: {}; take out one of these", circle.join(" waits for ")),
            );
            return;
        }
        way.push(wait);
        at = Some(wait.on);
    }
}

/// Seconds that a pod is given to stop.
///
/// In ECS each container has its own time, and one stops before those it depends on. A pod stops its
/// main containers together and then its sidecars one by one, all within one time: the longest of
/// the main ones' and the sum of the others'. A 60 that depends on B 45 makes 105.
pub(super) fn grace_period(containers: &[Container]) -> i64 {
    let of = |role: fn(&Role) -> bool| {
        containers.iter().filter(move |c| role(&c.role)).map(|container| container.stop_timeout)
    };
    let mains = of(|role| *role == Role::Main).max().unwrap_or_default();
    let sidecars: i64 = of(|role| matches!(role, Role::Sidecar { .. })).sum();
    // 0 would mean that nobody waits for the containers to be gone.
    (mains + sidecars).max(1)
}

/// Says where a container may take longer to stop than it was given.
pub(super) fn longer_stops(
    spec: &Value,
    containers: &[Container],
    grace: i64,
    findings: &mut Findings,
) {
    for (at, container) in containers.iter().enumerate() {
        let written = spec
            .pointer(&format!("/containerDefinitions/{at}/stopTimeout"))
            .is_some_and(|value| !value.is_null());
        if written && container.stop_timeout < grace && containers.len() > 1 {
            findings.differs(
                format!("containerDefinitions[{at}].stopTimeout"),
                format!(
                    "the containers of a pod have one time to stop together, here {grace} seconds"
                ),
            );
        }
    }
}
