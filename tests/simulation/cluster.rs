//! What is there? The true state, and what an API server answers to the operator's writes.
//!
//! The workload's Deployment, ReplicaSets and pods are kept as the few numbers that their
//! controllers act on, so that a state is cheap to copy and to compare; `view` shows them as the
//! objects that a watch would bring. All else is JSON.
//!
//! # Guarantees
//! * Every change gives the object a resource version of its own; only a changed spec gives another
//!   generation; a write that changes nothing changes no version.
//! * Create refuses a name that is taken. Apply keeps the status, and is refused where the intent has
//!   the UID of another object, or of one that is gone. A status is written, and an object deleted,
//!   only under the UID that the writer knows.
//! * With an owner goes what it owns, at once.
//!
//! # Caveat
//! A field that an intent no longer has stays: no intent of the operator loses a field in a roll.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use linkspan::names::label;
use linkspan::plan::Write;
use linkspan::world::{Kind, ObjectKey};
use serde_json::{Map, Value, json};

use crate::ask::Ask;
use crate::kubelet::Fate;

pub(crate) const SHOP: &str = "shop";
pub(crate) const SERVICE: &str = "front";
pub(crate) const SERVICE_UID: &str = "uid-front";

/// The names of capacity providers by their number; the first stands for none.
pub(crate) const PROVIDERS: [&str; 4] = ["", "one", "two", "three"];

/// A Deployment of the one service.
#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    pub(crate) id: u32,
    /// The number of its capacity provider.
    pub(crate) provider: usize,
    /// Metadata and spec, as written.
    pub(crate) body: Value,
    pub(crate) replicas: i32,
    pub(crate) max_unavailable: i32,
    pub(crate) max_surge: i32,
    pub(crate) min_ready: i64,
    /// Stands for the whole pod template.
    pub(crate) template: u64,
    pub(crate) sequence: i64,
    pub(crate) generation: i64,
    pub(crate) observed: i64,
    pub(crate) status: Counts,
    pub(crate) version: u64,
    /// Whether its numbers are those of a person.
    pub(crate) meddled: bool,
    /// The ask by which its numbers were written, or a later one that they were seen to keep.
    pub(crate) asked: usize,
}

/// The counts of a status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Counts {
    pub(crate) total: i32,
    pub(crate) updated: i32,
    pub(crate) ready: i32,
    pub(crate) available: i32,
}

/// One of a Deployment's ReplicaSets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplicaSet {
    pub(crate) id: u32,
    pub(crate) owner: u32,
    pub(crate) provider: usize,
    pub(crate) template: u64,
    pub(crate) sequence: i64,
    pub(crate) size: i32,
    pub(crate) desired_replicas: i32,
    pub(crate) max_replicas: i32,
    pub(crate) min_ready: i64,
    pub(crate) generation: i64,
    pub(crate) observed: i64,
    pub(crate) created: i64,
    pub(crate) status: Counts,
    pub(crate) version: u64,
    /// Tasks that it lost by nobody's decision, and that its status does not lack yet.
    pub(crate) lost: i32,
    /// The oldest ask in force when its size was written.
    pub(crate) judged: usize,
    /// Whether its size comes of a late status, or of a person.
    pub(crate) misled: bool,
}

/// A pod.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pod {
    pub(crate) id: u32,
    pub(crate) set: u32,
    pub(crate) provider: usize,
    pub(crate) sequence: i64,
    /// Whether a scheduler has found no node for it.
    pub(crate) unplaced: bool,
    pub(crate) running: bool,
    pub(crate) ready_since: Option<i64>,
    pub(crate) terminating: bool,
    pub(crate) fate: Fate,
    pub(crate) version: u64,
}

/// A change, as a watch would tell of it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) key: ObjectKey,
    pub(crate) what: Seen,
}

/// An object as it was at one version.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    Deployment(Arc<Deployment>),
    ReplicaSet(ReplicaSet),
    Pod(Pod),
    Other(Arc<Value>),
    Gone,
}

/// Why a write was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Exists,
    NotFound,
    AnotherUid,
}

/// Everything that is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cluster {
    /// Virtual seconds.
    pub(crate) now: i64,
    pub(crate) version: u64,
    pub(crate) ids: u32,
    /// Everything but the workload.
    pub(crate) others: Arc<BTreeMap<ObjectKey, Arc<Value>>>,
    /// In the order of their providers.
    pub(crate) deployments: Vec<Arc<Deployment>>,
    pub(crate) sets: Vec<ReplicaSet>,
    pub(crate) pods: Vec<Pod>,
    /// What was asked of the service, one after the other.
    pub(crate) asks: Arc<Vec<Ask>>,
    /// The first of them that the Deployments' numbers may come from.
    pub(crate) acted: usize,
    /// What changed since somebody took it from here.
    pub(crate) events: Vec<Event>,
    /// How often an object of a name was made.
    pub(crate) creations: Arc<BTreeMap<ObjectKey, u32>>,
    /// How the next pods fare.
    pub(crate) fates: Fates,
}

/// How pods fare.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fates {
    /// In turn; where there are none, all are good.
    pub(crate) turns: Arc<Vec<Fate>>,
    /// The only template whose pods are ever ready, if not all are.
    pub(crate) good: Option<u64>,
    /// The providers that have no nodes.
    pub(crate) no_nodes: Arc<Vec<usize>>,
}

impl Cluster {
    pub(crate) fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    pub(crate) fn next_id(&mut self) -> u32 {
        self.ids += 1;
        self.ids
    }

    pub(crate) fn tell(&mut self, key: ObjectKey, what: Seen) {
        self.events.push(Event { key, what });
    }

    /// Stores an object that is no part of the workload.
    pub(crate) fn put(&mut self, key: &ObjectKey, mut body: Value) -> Arc<Value> {
        body["metadata"]["resourceVersion"] = json!(self.next_version().to_string());
        let body = Arc::new(body);
        Arc::make_mut(&mut self.others).insert(key.clone(), body.clone());
        self.tell(key.clone(), Seen::Other(body.clone()));
        body
    }

    /// Carries out a write of the operator, which planned it when it saw the service's ask `ask`.
    pub(crate) fn carry_out(&mut self, write: &Write, ask: usize) -> Result<Seen, Refused> {
        match write {
            Write::Create(object) if self.is_there(&object.key) => Err(Refused::Exists),
            Write::Create(object) | Write::Apply(object) if object.key.kind == Kind::Deployment => {
                self.apply_deployment(&object.key, &object.body, Some(ask))
            }
            Write::Create(object) | Write::Apply(object) => {
                let found = self.others.get(&object.key).map(|found| &found["metadata"]["uid"]);
                let meant = object.body["metadata"].get("uid");
                if meant.is_some() && meant != found {
                    return Err(Refused::AnotherUid);
                }
                Ok(self.apply(&object.key, &object.body))
            }
            Write::Delete { key, uid } if key.kind == Kind::Deployment => {
                let found = self.deployment(key).ok_or(Refused::NotFound)?;
                if format!("uid-deployment-{}", found.id) != *uid {
                    return Err(Refused::AnotherUid);
                }
                self.delete(key);
                Ok(Seen::Gone)
            }
            Write::Delete { key, uid } => {
                let body = self.others.get(key).ok_or(Refused::NotFound)?;
                if body["metadata"]["uid"] != json!(uid) {
                    return Err(Refused::AnotherUid);
                }
                self.delete(key);
                Ok(Seen::Gone)
            }
            Write::Scale { .. } => unreachable!("no service here is scaled"),
            Write::Resize { .. }
            | Write::Mark { .. }
            | Write::Evict { .. }
            | Write::Pool { .. } => {
                unreachable!("no group here is sized")
            }
            Write::Status { key, uid, status, .. } | Write::MendStatus { key, uid, status } => {
                let found = self.others.get(key).ok_or(Refused::NotFound)?.clone();
                if found["metadata"]["uid"] != json!(uid) {
                    return Err(Refused::AnotherUid);
                }
                if found["status"] == *status {
                    return Ok(Seen::Other(found));
                }
                let mut body = (*found).clone();
                body["status"] = status.clone();
                Ok(Seen::Other(self.put(key, body)))
            }
        }
    }

    fn is_there(&self, key: &ObjectKey) -> bool {
        match key.kind {
            Kind::Deployment => self.deployment(key).is_some(),
            _ => self.others.contains_key(key),
        }
    }

    /// The Deployment of a name.
    pub(crate) fn deployment(&self, key: &ObjectKey) -> Option<&Arc<Deployment>> {
        self.deployments.iter().find(|found| crate::deployment::key(found) == *key)
    }

    /// Puts a Deployment where another version of it was.
    pub(crate) fn place(&mut self, deployment: Arc<Deployment>) {
        self.deployments.retain(|found| found.id != deployment.id);
        self.deployments.push(deployment);
        self.deployments.sort_by_key(|found| found.provider);
    }

    fn note_creation(&mut self, key: &ObjectKey) {
        *Arc::make_mut(&mut self.creations).entry(key.clone()).or_default() += 1;
    }

    /// Server-side apply of an object that is no part of the workload.
    pub(crate) fn apply(&mut self, key: &ObjectKey, intent: &Value) -> Seen {
        let Some(found) = self.others.get(key).cloned() else {
            let mut body = intent.clone();
            let incarnation = self.creations.get(key).copied().unwrap_or_default();
            let meta = &mut body["metadata"];
            if meta.get("uid").is_none() {
                meta["uid"] = json!(format!("uid-{}-{incarnation}", key.name));
            }
            meta["generation"] = json!(1);
            meta["creationTimestamp"] = json!(time(self.now));
            self.note_creation(key);
            return Seen::Other(self.put(key, body));
        };
        let mut body = (*found).clone();
        merge(&mut body, intent);
        if body == *found {
            return Seen::Other(found);
        }
        if body["spec"] != found["spec"] {
            let generation = found["metadata"]["generation"].as_i64().unwrap_or_default();
            body["metadata"]["generation"] = json!(generation + 1);
        }
        Seen::Other(self.put(key, body))
    }

    /// Server-side apply of the Deployment; without an ask, by a person.
    pub(crate) fn apply_deployment(
        &mut self,
        key: &ObjectKey,
        intent: &Value,
        ask: Option<usize>,
    ) -> Result<Seen, Refused> {
        let found = self.deployment(key).cloned();
        let mut intent = intent.clone();
        let meta = intent.get_mut("metadata").and_then(Value::as_object_mut);
        // An intent that names a UID is for that object only.
        if let Some(meant) = meta.and_then(|meta| meta.remove("uid")) {
            let uid = found.as_ref().map(|found| json!(format!("uid-deployment-{}", found.id)));
            if uid != Some(meant) {
                return Err(Refused::AnotherUid);
            }
        }
        let mut body = found.as_ref().map_or_else(|| json!({}), |found| found.body.clone());
        merge(&mut body, &intent);
        if let Some(found) = &found
            && found.body == body
        {
            return Ok(Seen::Deployment(found.clone()));
        }
        let same_spec = found.as_ref().is_some_and(|found| found.body["spec"] == body["spec"]);
        let spec = &body["spec"];
        let number = |at: &str| spec.pointer(at).and_then(Value::as_i64).unwrap_or_default();
        let small = |at: &str| i32::try_from(number(at)).unwrap();
        let mut hasher = DefaultHasher::new();
        spec["template"].to_string().hash(&mut hasher);
        let labels = &spec["template"]["metadata"]["labels"];
        let provider = labels[label::CAPACITY_PROVIDER].as_str();
        let mut deployment = Deployment {
            replicas: small("/replicas"),
            max_unavailable: small("/strategy/rollingUpdate/maxUnavailable"),
            max_surge: small("/strategy/rollingUpdate/maxSurge"),
            min_ready: number("/minReadySeconds"),
            template: hasher.finish(),
            sequence: labels[label::DEPLOYMENT].as_str().unwrap_or("0").parse().unwrap(),
            provider: PROVIDERS.iter().position(|name| Some(*name) == provider).unwrap_or_default(),
            id: 0,
            generation: 1,
            observed: 0,
            status: Counts::default(),
            version: self.next_version(),
            meddled: ask.is_none(),
            asked: ask.unwrap_or_default(),
            body,
        };
        assert!(
            deployment.max_unavailable + deployment.max_surge > 0,
            "the API refuses a maxUnavailable of 0 with a maxSurge of 0"
        );
        if let Some(found) = &found {
            assert_eq!(found.body["spec"]["selector"], deployment.body["spec"]["selector"]);
            deployment.id = found.id;
            deployment.generation = found.generation + i64::from(!same_spec);
            deployment.observed = found.observed;
            deployment.status = found.status;
        } else {
            deployment.id = self.next_id();
            self.note_creation(key);
        }
        let is_first = self.deployments.is_empty();
        // Another template over tasks that are there rolls, if only by a placeholder's bounds.
        let rolls = found.as_ref().is_some_and(|found| {
            found.template != deployment.template && self.sets.iter().any(|set| set.size > 0)
        });
        let meddled = deployment.meddled;
        self.place(Arc::new(deployment));
        match ask {
            Some(ask) if is_first => self.acted = ask,
            Some(ask) if self.fits(self.asks[ask], rolls) => self.acted = self.acted.max(ask),
            // A person's count goes back as healthy tasks allow.
            _ if !meddled && found.as_ref().is_some_and(|found| found.meddled) => {
                let mut meddled = (**self.deployment(key).unwrap()).clone();
                meddled.meddled = true;
                self.place(Arc::new(meddled));
            }
            _ => {}
        }
        self.note_kept();
        let deployment = self.deployment(key).unwrap().clone();
        self.tell(key.clone(), Seen::Deployment(deployment.clone()));
        Ok(Seen::Deployment(deployment))
    }

    /// Whether the numbers of all Deployments keep the bounds of an ask.
    fn fits(&self, ask: Ask, rolls: bool) -> bool {
        if let [only] = self.deployments.as_slice() {
            let Deployment { replicas, max_unavailable, max_surge, .. } = **only;
            return ask.fits(replicas, max_unavailable, max_surge) && (ask.has_room() || !rolls);
        }
        let (mut count, mut down, mut up) = (0, 0, 0);
        for found in &self.deployments {
            count += found.replicas;
            if self.rolls(found) {
                // What is not healthy need not be stopped.
                let healthy: i32 = self.sets_of(found.id).map(|set| self.healthy_of(set.id)).sum();
                down += (found.max_unavailable - (found.replicas - healthy).max(0)).max(0);
                up += found.max_surge;
            }
        }
        if !ask.has_room() && self.unplaced() == 0 {
            return count == ask.desired && down + up == 0;
        }
        count - down >= ask.floor()
            && count + up - self.unplaced() <= ask.cap()
            && self.protects(ask.floor())
    }

    /// Whether the numbers of all Deployments keep what is healthy now, up to a floor: those of one
    /// that is to grow keep none of another's tasks.
    fn protects(&self, floor: i32) -> bool {
        let kept_of = |found: &Arc<Deployment>| {
            let healthy: i32 = self.sets_of(found.id).map(|set| self.healthy_of(set.id)).sum();
            let rolls = self.rolls(found);
            healthy.min(found.replicas - if rolls { found.max_unavailable } else { 0 })
        };
        self.deployments.iter().map(kept_of).sum::<i32>() >= floor.min(self.healthy())
    }

    fn rolls(&self, deployment: &Deployment) -> bool {
        let earlier = |set: &ReplicaSet| set.size > 0 && set.template != deployment.template;
        self.sets_of(deployment.id).any(earlier)
    }

    /// Notes that all numbers keep the newest ask that one was written by, whatever their controllers
    /// have yet to do.
    pub(crate) fn note_kept(&mut self) {
        let Some(newest) = self.deployments.iter().map(|found| found.asked).max() else { return };
        let most_of = |found: &Arc<Deployment>| {
            let size: i32 = self.sets_of(found.id).map(|set| set.size).sum();
            size.max(found.replicas + if self.rolls(found) { found.max_surge } else { 0 })
        };
        let most: i32 = self.deployments.iter().map(most_of).sum();
        let ask = self.asks[newest];
        if most - self.unplaced() > ask.cap() || !self.protects(ask.floor()) {
            return;
        }
        for found in &mut self.deployments {
            if found.asked < newest {
                Arc::make_mut(found).asked = newest;
            }
        }
    }

    /// The oldest ask that a Deployment's controller may be led by.
    pub(crate) fn led_by(&self, id: u32) -> usize {
        let asked = self.deployments.iter().find(|found| found.id == id).map(|found| found.asked);
        match self.deployments.as_slice() {
            [_] => self.acted,
            _ => asked.map_or(self.acted, |asked| asked.min(self.acted)),
        }
    }

    /// Deletes an object, and with it what it owns.
    pub(crate) fn delete(&mut self, key: &ObjectKey) {
        self.next_version();
        if key.kind == Kind::Deployment {
            let Some(id) = self.deployment(key).map(|found| found.id) else { return };
            self.deployments.retain(|found| found.id != id);
            let (gone, kept) = self.sets.iter().partition(|set| set.owner == id);
            self.sets = kept;
            let gone: Vec<ReplicaSet> = gone;
            for set in gone {
                self.orphan(set.id);
                self.tell(set.key(), Seen::Gone);
            }
        } else {
            Arc::make_mut(&mut self.others).remove(key);
        }
        self.tell(key.clone(), Seen::Gone);
    }

    /// Stops the pods of a ReplicaSet that is gone.
    pub(crate) fn orphan(&mut self, set: u32) {
        for at in 0..self.pods.len() {
            if self.pods[at].set == set && !self.pods[at].terminating {
                self.stop(at);
            }
        }
    }

    /// Begins to stop the pod at this place.
    pub(crate) fn stop(&mut self, at: usize) {
        self.pods[at].terminating = true;
        self.touch_pod(at);
    }

    pub(crate) fn touch_pod(&mut self, at: usize) {
        self.pods[at].version = self.next_version();
        self.tell(self.pods[at].key(), Seen::Pod(self.pods[at]));
    }

    pub(crate) fn touch_set(&mut self, at: usize) {
        self.sets[at].version = self.next_version();
        self.tell(self.sets[at].key(), Seen::ReplicaSet(self.sets[at]));
    }

    pub(crate) fn set(&self, id: u32) -> Option<&ReplicaSet> {
        self.sets.iter().find(|set| set.id == id)
    }

    /// The ReplicaSets of a Deployment.
    pub(crate) fn sets_of(&self, owner: u32) -> impl Iterator<Item = &ReplicaSet> {
        self.sets.iter().filter(move |set| set.owner == owner)
    }

    pub(crate) fn healthy_of(&self, set: u32) -> i32 {
        count(self.active(set).filter(|pod| self.is_healthy(pod)))
    }

    /// The pods for which there is no node, of those that their ReplicaSets want.
    pub(crate) fn unplaced(&self) -> i32 {
        let of_set = |set: &ReplicaSet| {
            let unplaced = count(self.active(set.id).filter(|pod| pod.unplaced));
            // Those that must go may be these.
            let surplus = (count(self.active(set.id)) - set.size).max(0);
            (unplaced - surplus).clamp(0, set.size)
        };
        self.sets.iter().map(of_set).sum()
    }

    /// Pods that do not stop, of one ReplicaSet.
    pub(crate) fn active(&self, set: u32) -> impl Iterator<Item = &Pod> {
        self.pods.iter().filter(move |pod| pod.set == set && !pod.terminating)
    }

    /// Whether the pod has been ready for as long as its ReplicaSet asks, and does not stop.
    pub(crate) fn is_healthy(&self, pod: &Pod) -> bool {
        let wait = self.set(pod.set).map_or(0, |set| set.min_ready);
        !pod.terminating && pod.ready_since.is_some_and(|since| self.now - since >= wait)
    }

    pub(crate) fn healthy(&self) -> i32 {
        count(self.pods.iter().filter(|pod| self.is_healthy(pod)))
    }

    pub(crate) fn total(&self) -> i32 {
        count(self.pods.iter().filter(|pod| !pod.terminating))
    }
}

pub(crate) fn count<T>(items: impl Iterator<Item = T>) -> i32 {
    i32::try_from(items.count()).unwrap()
}

/// A virtual second as a time.
pub(crate) fn instant(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_900_000_000 + second).unwrap()
}

pub(crate) fn time(second: i64) -> String {
    instant(second).to_string()
}

/// Puts the intent's fields over those that are there.
fn merge(body: &mut Value, intent: &Value) {
    match (body, intent) {
        (Value::Object(body), Value::Object(intent)) => {
            for (name, wanted) in intent {
                match body.get_mut(name) {
                    // A pod template is one thing: none of its parts has another owner here.
                    Some(found) if name != "template" => merge(found, wanted),
                    _ => {
                        body.insert(name.clone(), wanted.clone());
                    }
                }
            }
        }
        (body, intent) => *body = intent.clone(),
    }
}

/// An empty object of a kind.
pub(crate) fn blank(key: &ObjectKey) -> Map<String, Value> {
    let (api_version, kind) = key.kind.type_meta();
    let body = json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {"name": key.name, "namespace": key.namespace},
    });
    let Value::Object(body) = body else { unreachable!() };
    body
}
