//! Was a service, at every version of every object, within the bounds that were asked of it?
//!
//! A recording watches the Service, its Deployment, its ReplicaSets and its pods, and puts what they
//! say into one order by resource version. Healthy is a task that is ready and does not stop; total
//! are the tasks that do not stop, of each ReplicaSet no more than its size: those beyond it have been
//! told to stop, and their controller is at it. At each version in turn:
//! * **Floor.** No task may be told to stop, or vanish, so that fewer than the floor are healthy.
//! * **Cap.** No task may be started so that there are more than the cap.
//!
//! The floor is the lowest and the cap the highest of the asks in force: from the one that the
//! Deployment's numbers were written for, to the newest. An ask counts as written once
//! `replicas - maxUnavailable` is not below its floor and `replicas + maxSurge` not above its cap, or,
//! where it leaves no room, once the Deployment has its count and the placeholder.
//!
//! Of a service over several capacity providers all of it is asked of the sum: the counts of its
//! Deployments, less the `maxUnavailable` and with the `maxSurge` of those that have others than the
//! placeholder. A task for which there is no node is not counted: nobody can start it.
//!
//! A task that fails by itself is nobody's violation. Tests of rollouts have a health check, so that a
//! ready task is a healthy one.

use crate::ask::Ask;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures::StreamExt;
use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource, ResourceExt};
use linkspan::api::Service;
use linkspan::names::label;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Place, until};

/// What a Service asks for.
fn asked(service: &Value) -> Ask {
    let spec = &service["spec"];
    let percents = &spec["deploymentConfiguration"];
    Ask {
        desired: integer(&spec["desiredCount"]).unwrap_or(1),
        minimum_healthy: integer(&percents["minimumHealthyPercent"]).unwrap_or(100),
        maximum: integer(&percents["maximumPercent"]).unwrap_or(200),
    }
}

fn is_met(ask: Ask, deployments: &BTreeMap<&str, &Value>, unplaced: i32) -> bool {
    let number = |value: &Value| integer(value).unwrap_or_default();
    let of_one = |deployment: &Value| {
        let spec = &deployment["spec"];
        let rolling = &spec["strategy"]["rollingUpdate"];
        let bounds = (number(&rolling["maxUnavailable"]), number(&rolling["maxSurge"]));
        (number(&spec["replicas"]), bounds)
    };
    let all: Vec<_> = deployments.values().map(|deployment| of_one(deployment)).collect();
    if let [(count, (down, up))] = all.as_slice() {
        return ask.fits(*count, *down, *up);
    }
    let count: i32 = all.iter().map(|(count, _)| count).sum();
    let open = || all.iter().map(|(_, bounds)| *bounds).filter(|bounds| *bounds != (0, 1));
    let (down, up) = (open().map(|b| b.0).sum::<i32>(), open().map(|b| b.1).sum::<i32>());
    count - down >= ask.floor() && count + up - unplaced <= ask.cap()
}

fn integer(value: &Value) -> Option<i32> {
    i32::try_from(value.as_i64()?).ok()
}

#[derive(Clone, Debug)]
struct Version {
    number: u64,
    kind: String,
    name: String,
    /// None, if the object is gone.
    body: Option<Value>,
}

/// How it went.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Versions of pods.
    pub(crate) steps: usize,
    /// The least that were healthy, from when the first ask's floor was reached.
    pub(crate) least_healthy: i32,
    /// The most that were there.
    pub(crate) most: i32,
    /// The most that were there with those that had been told to stop and did not yet.
    pub(crate) most_with_late: i32,
}

/// A recording of one service. It ends when this is dropped.
pub(crate) struct Recording {
    versions: Arc<Mutex<Vec<Version>>>,
    pods: Api<corev1::Pod>,
    uid: String,
    name: String,
    /// Down to so many healthy tasks others may stop some.
    others_leave: i32,
    began: Instant,
    _watches: JoinSet<()>,
}

impl Recording {
    /// Records from now on.
    pub(crate) async fn start(place: &Place, name: &str) -> Self {
        let service = place.api::<Service>().get(name).await.unwrap();
        let uid = service.uid().unwrap();
        let versions: Arc<Mutex<Vec<Version>>> = Arc::default();
        let mut watches = JoinSet::new();
        let ours = format!("{}={uid}", label::SERVICE_UID);
        let itself = format!("metadata.name={name}");
        follow::<Service>(place, ("fields", &itself), &versions, &mut watches).await;
        follow::<appsv1::Deployment>(place, ("labels", &ours), &versions, &mut watches).await;
        follow::<appsv1::ReplicaSet>(place, ("labels", &ours), &versions, &mut watches).await;
        follow::<corev1::Pod>(place, ("labels", &ours), &versions, &mut watches).await;
        Self {
            versions,
            pods: place.api(),
            uid,
            name: name.to_owned(),
            others_leave: i32::MAX,
            began: Instant::now(),
            _watches: watches,
        }
    }

    /// Of a service whose tasks somebody evicts: down to this many healthy ones that is not the fault of
    /// who keeps the floor. The cap holds as ever.
    pub(crate) fn evicted_down_to(self, healthy: i32) -> Self {
        Self { others_leave: healthy, ..self }
    }

    /// Judges what was recorded, once all of it has come.
    pub(crate) async fn judged(&self) -> Result<Verdict, String> {
        let ours = ListParams::default().labels(&format!("{}={}", label::SERVICE_UID, self.uid));
        until("the recording is complete", || async {
            let there = self.pods.list(&ours).await.unwrap();
            let now: BTreeSet<_> = there.iter().map(ResourceExt::name_any).collect();
            let recorded = pods_of(&self.versions.lock().unwrap());
            if now == recorded { Ok(()) } else { Err(format!("{now:?} {recorded:?}")) }
        })
        .await;
        let mut versions = self.versions.lock().unwrap().clone();
        versions.sort_by_key(|version| version.number);
        judge(&versions, self.others_leave)
    }

    /// Judges what was recorded, and tells.
    pub(crate) async fn end(self, story: &str) -> Verdict {
        let verdict = match self.judged().await {
            Ok(verdict) => verdict,
            Err(why) => panic!("{story}: service {}: {why}", self.name),
        };
        tell!(
            "rollout: {story}: {} steps, least healthy {}, most {} ({} by late ReplicaSets), {:.1} s",
            verdict.steps,
            verdict.least_healthy,
            verdict.most,
            verdict.most_with_late,
            self.began.elapsed().as_secs_f64()
        );
        verdict
    }
}

fn pods_of(versions: &[Version]) -> BTreeSet<String> {
    let mut there: BTreeMap<&str, (u64, bool)> = BTreeMap::new();
    for version in versions.iter().filter(|version| version.kind == "Pod") {
        let last = there.entry(&version.name).or_default();
        if version.number >= last.0 {
            *last = (version.number, version.body.is_some());
        }
    }
    there.into_iter().filter(|(_, last)| last.1).map(|(name, _)| name.to_owned()).collect()
}

/// Lists, and watches from there.
async fn follow<K>(
    place: &Place,
    (by, selector): (&str, &str),
    versions: &Arc<Mutex<Vec<Version>>>,
    watches: &mut JoinSet<()>,
) where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + serde::Serialize
        + Send
        + 'static,
{
    let api = place.api::<K>();
    let (mut list, mut watch) = (ListParams::default(), WatchParams::default().timeout(280));
    if by == "labels" {
        (list, watch) = (list.labels(selector), watch.labels(selector));
    } else {
        (list, watch) = (list.fields(selector), watch.fields(selector));
    }
    let listed = api.list(&list).await.unwrap();
    let take = |object: &K, gone: bool| Version {
        number: object.resource_version().unwrap().parse().unwrap(),
        kind: K::kind(&()).into_owned(),
        name: object.name_any(),
        body: (!gone).then(|| json!(object)),
    };
    versions.lock().unwrap().extend(listed.items.iter().map(|object| take(object, false)));
    let from = listed.metadata.resource_version.unwrap();
    let events = api.watch(&watch, &from).await.unwrap();
    let versions = versions.clone();
    watches.spawn(async move {
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            let version = match event.unwrap() {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => take(&object, false),
                WatchEvent::Deleted(object) => take(&object, true),
                WatchEvent::Bookmark(_) => continue,
                WatchEvent::Error(error) => panic!("{error:?}"),
            };
            versions.lock().unwrap().push(version);
        }
    });
}

/// Whether a scheduler has found no node for a pod.
fn is_unplaced(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|c| c["reason"] == "Unschedulable")
}

/// The tasks at one version.
#[derive(Default)]
struct Tasks<'a> {
    pods: BTreeMap<&'a str, &'a Value>,
    /// The sizes of ReplicaSets by name.
    sizes: BTreeMap<&'a str, i32>,
}

impl Tasks<'_> {
    fn there(&self) -> impl Iterator<Item = &&Value> {
        let stays = |pod: &&&Value| pod["metadata"]["deletionTimestamp"].is_null();
        let goes_on = |pod: &&&Value| {
            !matches!(pod["status"]["phase"].as_str(), Some("Failed" | "Succeeded"))
        };
        self.pods.values().filter(stays).filter(goes_on).filter(|pod| !is_unplaced(pod))
    }

    fn unplaced(&self) -> i32 {
        let stays = |pod: &&&Value| pod["metadata"]["deletionTimestamp"].is_null();
        let all = self.pods.values().filter(stays).filter(|pod| is_unplaced(pod));
        i32::try_from(all.count()).unwrap()
    }

    fn total_with_late(&self) -> i32 {
        i32::try_from(self.there().count()).unwrap()
    }

    fn total(&self) -> i32 {
        let mut of_sets: BTreeMap<&str, i32> = BTreeMap::new();
        for pod in self.there() {
            let owner = pod["metadata"]["ownerReferences"][0]["name"].as_str();
            *of_sets.entry(owner.unwrap_or_default()).or_default() += 1;
        }
        let counted = of_sets
            .iter()
            .map(|(set, pods)| self.sizes.get(set).map_or(*pods, |size| *pods.min(size)));
        counted.sum()
    }

    fn healthy(&self) -> i32 {
        let is_ready = |pod: &&&Value| {
            let conditions = pod["status"]["conditions"].as_array();
            conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
        };
        i32::try_from(self.there().filter(is_ready).count()).unwrap()
    }
}

fn judge(versions: &[Version], others_leave: i32) -> Result<Verdict, String> {
    let mut asks: Vec<Ask> = Vec::new();
    let mut written = 0;
    let mut tasks = Tasks::default();
    let mut verdict = Verdict { steps: 0, least_healthy: i32::MAX, most: 0, most_with_late: 0 };
    let mut deployments: BTreeMap<&str, &Value> = BTreeMap::new();
    for version in versions {
        match (version.kind.as_str(), &version.body) {
            ("Service", Some(body)) => {
                let ask = asked(body);
                if asks.last() != Some(&ask) {
                    asks.push(ask);
                }
            }
            ("ReplicaSet", body) => {
                let size = body.as_ref().and_then(|body| integer(&body["spec"]["replicas"]));
                tasks.sizes.insert(&version.name, size.unwrap_or_default());
            }
            ("Deployment", Some(body)) => {
                deployments.insert(&version.name, body);
            }
            ("Deployment", None) => {
                deployments.remove(version.name.as_str());
            }
            ("Pod", body) => {
                let (healthy, total) = (tasks.healthy(), tasks.total());
                let stopped = match body {
                    Some(body) => {
                        let was = tasks.pods.insert(&version.name, body);
                        was.is_some_and(|was| was["metadata"]["deletionTimestamp"].is_null())
                            && !body["metadata"]["deletionTimestamp"].is_null()
                    }
                    None => tasks.pods.remove(version.name.as_str()).is_some(),
                };
                verdict.steps += 1;
                verdict.most = verdict.most.max(tasks.total());
                verdict.most_with_late = verdict.most_with_late.max(tasks.total_with_late());
                let in_force = &asks[written.min(asks.len().saturating_sub(1))..];
                let floor = in_force.iter().map(|ask| ask.floor()).min().unwrap_or_default();
                let floor = floor.min(others_leave);
                let cap = in_force.iter().map(|ask| ask.cap()).max().unwrap_or(i32::MAX);
                if stopped && tasks.healthy() < healthy && tasks.healthy() < floor {
                    return Err(format!(
                        "version {}: {} stops: {} healthy, and the floor is {floor} ({in_force:?}, {})",
                        version.number,
                        version.name,
                        tasks.healthy(),
                        specs(&deployments)
                    ));
                }
                if tasks.total() > total && tasks.total() > cap {
                    return Err(format!(
                        "version {}: {} starts: {} in all, and the cap is {cap} ({in_force:?}, {})",
                        version.number,
                        version.name,
                        tasks.total(),
                        specs(&deployments)
                    ));
                }
            }
            _ => {}
        }
        let unplaced = tasks.unplaced();
        if let Some(newest) =
            (written..asks.len()).rev().find(|at| is_met(asks[*at], &deployments, unplaced))
        {
            written = newest;
        }
        let reached = asks.first().is_some_and(|first| tasks.healthy() >= first.floor());
        if reached || verdict.least_healthy != i32::MAX {
            verdict.least_healthy = verdict.least_healthy.min(tasks.healthy());
        }
    }
    Ok(verdict)
}

fn specs(deployments: &BTreeMap<&str, &Value>) -> String {
    let specs: Vec<_> = deployments.values().map(|found| found["spec"].to_string()).collect();
    specs.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(versions: &[Version]) -> Result<Verdict, String> {
        super::judge(versions, i32::MAX)
    }

    fn pod(number: u64, name: &str, ready: bool, stops: bool) -> Version {
        let ready = if ready { "True" } else { "False" };
        let mut body =
            json!({"metadata": {}, "status": {"conditions": [{"type": "Ready", "status": ready}]}});
        if stops {
            body["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        Version { number, kind: "Pod".to_owned(), name: name.to_owned(), body: Some(body) }
    }

    fn start(
        desired: i32,
        unavailable: i32,
        surge: i32,
        minimum: i32,
        maximum: i32,
    ) -> Vec<Version> {
        let percents = json!({"minimumHealthyPercent": minimum, "maximumPercent": maximum});
        let service =
            json!({"spec": {"desiredCount": desired, "deploymentConfiguration": percents}});
        let rolling = json!({"maxUnavailable": unavailable, "maxSurge": surge});
        let deployment =
            json!({"spec": {"replicas": desired, "strategy": {"rollingUpdate": rolling}}});
        let of = |number, kind: &str, body| Version {
            number,
            kind: kind.to_owned(),
            name: "web".to_owned(),
            body: Some(body),
        };
        vec![of(1, "Service", service), of(2, "Deployment", deployment)]
    }

    #[test]
    fn a_task_too_few_or_too_many_is_seen() {
        let mut versions = start(2, 1, 0, 50, 100);
        versions.extend([pod(3, "a", true, false), pod(4, "b", true, false)]);
        versions.push(pod(5, "a", true, true));
        assert_eq!(judge(&versions).unwrap().least_healthy, 1);
        let mut few = versions.clone();
        few.push(pod(6, "b", true, true));
        assert!(judge(&few).unwrap_err().contains("b stops: 0 healthy, and the floor is 1"));
        assert!(super::judge(&few, 1).is_err(), "evicted further than others may");
        assert_eq!(super::judge(&few, 0).unwrap().least_healthy, 0);
        // One that fails by itself is no violation; one more than the cap is.
        versions.push(pod(6, "b", false, false));
        versions.push(pod(7, "c", false, false));
        assert_eq!(judge(&versions).unwrap().most, 2);
        versions.push(pod(8, "d", false, false));
        assert!(judge(&versions).unwrap_err().contains("d starts: 3 in all, and the cap is 2"));
    }
}
