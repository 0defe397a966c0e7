//! Where a run takes place: the cluster, the operator, and one action after the other.

use std::sync::Arc;

use linkspan::plan::Write;
use linkspan::render::settle;
use linkspan::world::{Index, Kind, ObjectKey, World};
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::bounds::{Margins, in_force, judge_sync};
use crate::cluster::{Cluster, Deployment, SERVICE_UID, SHOP, blank, instant};
use crate::operator::{Fault, Operator, service};
use crate::{deployment, kubelet, replica_set};

/// How many revisions of each family are registered.
pub(crate) const REVISIONS: usize = 5;

/// One atomic step of somebody.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Deliver(Kind),
    Plan,
    Write(Fault),
    Deployment(u32),
    ReplicaSet(u32),
    Kubelet(u32),
    Restart,
    Wait(i64),
    User(Deed),
}

/// What a person does.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// Changes the service.
    Ask { ask: Ask, revision: usize },
    /// Has the tasks on these providers, by their number in [`STRATEGIES`].
    Move(usize),
    /// Deletes a child of the service: the one of this number.
    DeleteChild(usize),
    /// Scales the Deployment by hand.
    ScaleChild(i32),
    /// Opens the Deployment's bounds by hand.
    OpenChild,
    /// Deletes a pod: the one of this number.
    DeletePod(usize),
}

/// A run.
pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    pub(crate) operator: Operator,
    pub(crate) margins: Margins,
    /// Whether tasks may be lost by nobody's decision.
    pub(crate) losses: bool,
    /// Whether a person has deleted a record.
    records_deleted: bool,
    family: &'static str,
    /// What is asked of the service now, beside the [`Ask`].
    revision: usize,
    strategy: usize,
}

/// Strategies, as providers with base and weight; by the first, tasks run anywhere.
pub(crate) const STRATEGIES: &[&[(&str, u32, u32)]] = &[
    &[],
    &[("one", 0, 1)],
    &[("two", 0, 1)],
    &[("one", 0, 1), ("two", 0, 1)],
    &[("one", 1, 1), ("two", 0, 3)],
    &[("one", 0, 3), ("two", 0, 1)],
    &[("two", 0, 1), ("three", 0, 1)],
    &[("one", 0, 1), ("two", 0, 1), ("three", 0, 1)],
];

/// The task definitions and revisions that every run starts with: of `web`, whose tasks have a health check, and of
/// `bare`, whose tasks count as healthy after 40 seconds.
pub(crate) fn revisions() -> Vec<(ObjectKey, Value)> {
    let mut world = World { server_minor: Some(36), ..World::default() };
    for number in 1..=REVISIONS {
        for family in ["web", "bare"] {
            let mut container = json!({
                "name": "main", "image": format!("example:{number}"), "memory": 64,
                "portMappings": [{"containerPort": 80}],
            });
            if family == "web" {
                container["healthCheck"] = json!({"command": ["CMD", "true"]});
            }
            let key = ObjectKey::new(Kind::TaskDefinition, SHOP, family);
            let mut body = world.body(&key).unwrap_or(Value::Object(blank(&key)));
            body["metadata"]["uid"] = json!(format!("uid-{family}"));
            body["metadata"]["generation"] = json!(number);
            body["spec"] = json!({"family": family, "containerDefinitions": [container]});
            world.put(Kind::TaskDefinition, body).unwrap();
        }
        settle(&mut world, instant(0)).unwrap();
    }
    let families = ["web", "bare"];
    let found = families.map(|family| world.revisions.find(&Index::family(SHOP, family)));
    let names = found.iter().flatten().filter_map(|revision| revision.metadata.name.as_deref());
    names
        .map(|name| ObjectKey::new(Kind::TaskDefinitionRevision, SHOP, name))
        .chain(families.map(|family| ObjectKey::new(Kind::TaskDefinition, SHOP, family)))
        .map(|key| (key.clone(), world.body(&key).unwrap()))
        .collect()
}

/// A service's spec.
pub(crate) fn spec(family: &str, ask: Ask, revision: usize, strategy: usize) -> Value {
    let items = STRATEGIES[strategy].iter().map(|(provider, base, weight)| {
        json!({"capacityProvider": provider, "base": base, "weight": weight})
    });
    json!({
        "serviceName": "frontend", "taskDefinition": format!("{family}:{revision}"),
        "desiredCount": ask.desired,
        "capacityProviderStrategy": items.collect::<Vec<_>>(),
        "deploymentConfiguration":
            {"minimumHealthyPercent": ask.minimum_healthy, "maximumPercent": ask.maximum},
    })
}

/// A cluster in which a service was just applied, at revision 1.
pub(crate) fn cluster(
    revisions: &[(ObjectKey, Value)],
    family: &str,
    ask: Ask,
    strategy: usize,
) -> Cluster {
    let mut cluster = Cluster { asks: Arc::new(vec![ask]), ..Cluster::default() };
    for (key, body) in revisions {
        cluster.put(key, body.clone());
    }
    let mut body = Value::Object(blank(&service()));
    body["metadata"]["uid"] = json!(SERVICE_UID);
    body["spec"] = spec(family, ask, 1, strategy);
    cluster.apply(&service(), &body);
    cluster
}

impl Stage {
    pub(crate) fn new(
        revisions: &[(ObjectKey, Value)],
        family: &'static str,
        ask: Ask,
        losses: bool,
    ) -> Self {
        Self::over(revisions, family, ask, losses, 0)
    }

    /// A service with a strategy, by its number.
    pub(crate) fn over(
        revisions: &[(ObjectKey, Value)],
        family: &'static str,
        ask: Ask,
        losses: bool,
        strategy: usize,
    ) -> Self {
        let mut cluster = cluster(revisions, family, ask, strategy);
        cluster.events.clear();
        let operator = Operator::start(&cluster);
        Self {
            cluster,
            operator,
            margins: Margins::default(),
            losses,
            records_deleted: false,
            family,
            revision: 1,
            strategy,
        }
    }

    /// Does it, and judges it. Tells whether it changed anything.
    pub(crate) fn act(&mut self, action: &Action) -> Result<bool, String> {
        let mut changed = match action {
            Action::Deliver(kind) => self.operator.deliver(*kind),
            Action::Plan => self.operator.plan(self.cluster.now),
            Action::Write(fault) => {
                let any = self.operator.pending().is_some();
                self.operator.write(&mut self.cluster, *fault);
                any
            }
            Action::Deployment(id) => {
                let before = self.cluster.clone();
                let sync = deployment::sync(&mut self.cluster, *id);
                if let Some(sync) = sync {
                    let after = &mut self.cluster;
                    judge_sync(&before, after, (*id, sync), self.losses, &mut self.margins)?;
                }
                sync.is_some()
            }
            Action::ReplicaSet(id) => replica_set::sync(&mut self.cluster, *id),
            Action::Kubelet(id) => kubelet::step(&mut self.cluster, *id),
            Action::Restart => {
                self.operator = Operator::start(&self.cluster);
                true
            }
            Action::Wait(seconds) => {
                // No watch is late by a second, nor is a write, nor a status by half a minute.
                if *seconds > 30 {
                    let sets: Vec<u32> = self.cluster.sets.iter().map(|set| set.id).collect();
                    for id in sets {
                        replica_set::sync(&mut self.cluster, id);
                    }
                    let events = std::mem::take(&mut self.cluster.events);
                    self.operator.follow(events);
                }
                while self.operator.pending().is_some() {
                    self.operator.write(&mut self.cluster, Fault::None);
                }
                for kind in self.operator.behind() {
                    while self.operator.deliver(kind) {}
                }
                self.cluster.now += seconds;
                true
            }
            Action::User(deed) => self.user(deed),
        };
        let (_, cap) = in_force(&self.cluster);
        self.margins.lag = self.margins.lag.max(self.cluster.total() - cap);
        let events = std::mem::take(&mut self.cluster.events);
        changed |= !events.is_empty();
        self.operator.follow(events);
        if let Action::Write(_) = action {
            self.comes_from_a_record()?;
        }
        Ok(changed)
    }

    /// Whether the workload's template is that of a stored record; a person may have deleted it.
    fn comes_from_a_record(&self) -> Result<(), String> {
        let newest = self.records().filter_map(|record| record["spec"]["sequence"].as_i64()).max();
        for Deployment { sequence, .. } in self.cluster.deployments.iter().map(Arc::as_ref) {
            if newest.is_some_and(|newest| *sequence > newest) && !self.records_deleted {
                return Err(format!("a template of record {sequence} before it is stored"));
            }
        }
        Ok(())
    }

    fn user(&mut self, deed: &Deed) -> bool {
        let cluster = &mut self.cluster;
        match deed {
            Deed::Ask { ask, revision } => {
                self.revision = *revision;
                return self.ask(*ask);
            }
            Deed::Move(strategy) => {
                self.strategy = *strategy;
                let ask = *self.cluster.asks.last().unwrap();
                return self.ask(ask);
            }
            Deed::DeleteChild(number) => {
                let deployments = cluster.deployments.iter().map(|found| deployment::key(found));
                let others = cluster.others.keys().filter(|key| {
                    matches!(
                        key.kind,
                        Kind::Endpoints | Kind::DisruptionBudget | Kind::ServiceDeployment
                    )
                });
                let children: Vec<ObjectKey> = deployments.chain(others.cloned()).collect();
                if children.is_empty() {
                    return false;
                }
                let child = &children[number % children.len()];
                self.records_deleted |= child.kind == Kind::ServiceDeployment;
                cluster.delete(child);
            }
            Deed::ScaleChild(replicas) => {
                return self.edit(&json!({"spec": {"replicas": replicas}}));
            }
            Deed::OpenChild => {
                let bounds = json!({"maxUnavailable": 3, "maxSurge": 9});
                return self.edit(&json!({"spec": {"strategy": {"rollingUpdate": bounds}}}));
            }
            Deed::DeletePod(number) => {
                let live: Vec<usize> =
                    (0..cluster.pods.len()).filter(|at| !cluster.pods[*at].terminating).collect();
                if live.is_empty() {
                    return false;
                }
                let at = live[number % live.len()];
                kubelet::lose(cluster, at);
                cluster.stop(at);
            }
        }
        true
    }

    fn ask(&mut self, ask: Ask) -> bool {
        let cluster = &mut self.cluster;
        let intent = json!({"spec": spec(self.family, ask, self.revision, self.strategy)});
        let before = cluster.version;
        cluster.apply(&service(), &intent);
        if cluster.version == before {
            return false;
        }
        Arc::make_mut(&mut cluster.asks).push(ask);
        true
    }

    fn edit(&mut self, change: &Value) -> bool {
        let Some(found) = self.cluster.deployments.first() else { return false };
        let key = deployment::key(found);
        self.cluster.apply_deployment(&key, change, None).is_ok()
    }

    /// Everything that could act now.
    pub(crate) fn actors(&self) -> Vec<Action> {
        let mut all: Vec<Action> =
            self.cluster.deployments.iter().map(|found| Action::Deployment(found.id)).collect();
        if all.is_empty() {
            all.push(Action::Deployment(0));
        }
        all.extend(self.cluster.sets.iter().map(|set| Action::ReplicaSet(set.id)));
        all.extend(self.cluster.pods.iter().map(|pod| Action::Kubelet(pod.id)));
        all.extend(self.operator.behind().into_iter().map(Action::Deliver));
        all.push(if self.operator.pending().is_some() {
            Action::Write(Fault::None)
        } else {
            Action::Plan
        });
        all
    }

    /// The next second at which time alone changes something, if there is one.
    pub(crate) fn next_second(&self) -> Option<i64> {
        let now = self.cluster.now;
        let wake = self.operator.wake().map(|wake| wake.as_second() - instant(0).as_second());
        let healthy = self
            .cluster
            .pods
            .iter()
            .filter(|pod| !pod.terminating)
            .filter_map(|pod| Some(pod.ready_since? + self.cluster.set(pod.set)?.min_ready));
        healthy.chain(wake).filter(|second| *second > now).min()
    }

    /// Lets everybody act in turn until nothing changes any more. Tells how many actions it took.
    pub(crate) fn rest(&mut self, mut watch: impl FnMut(&Self, &Action)) -> Result<usize, String> {
        let mut actions = 0;
        for _ in 0..400 {
            let mut changed = false;
            for action in self.actors() {
                if self.act(&action)? {
                    actions += 1;
                    changed = true;
                    watch(self, &action);
                }
            }
            if changed {
                continue;
            }
            let Some(second) = self.next_second() else { return Ok(actions) };
            self.act(&Action::Wait(second - self.cluster.now))?;
        }
        Err("does not come to rest".to_owned())
    }

    /// What the next write is, in a few words.
    pub(crate) fn next_write(&self) -> String {
        match self.operator.pending() {
            None => String::new(),
            Some(write) => {
                let key = write.key();
                match write {
                    Write::Create(_) => format!("creates {key}"),
                    Write::Apply(_) => format!("applies {key}"),
                    Write::Delete { .. } => format!("deletes {key}"),
                    Write::Scale { .. } => format!("scales {key}"),
                    Write::Resize { .. }
                    | Write::Mark { .. }
                    | Write::Evict { .. }
                    | Write::Pool { .. } => {
                        format!("sizes for {key}")
                    }
                    Write::Status { .. } | Write::MendStatus { .. } => {
                        format!("writes the status of {key}")
                    }
                }
            }
        }
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = &Arc<Value>> {
        let of_kind = |key: &ObjectKey| key.kind == Kind::ServiceDeployment;
        self.cluster.others.iter().filter(move |(key, _)| of_kind(key)).map(|(_, body)| body)
    }
}
