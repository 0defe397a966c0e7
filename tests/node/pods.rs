//! What a test asks of pods, and of the containers in them.

use futures::{StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::api::{LogParams, WatchEvent, WatchParams};
use linkspan::api::{Service, TaskDefinition};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::images::BOX;
use crate::support::{Place, until};

/// A container that runs a script in the shell of the box.
pub(crate) fn script(name: &str, script: &str, more: Value) -> Value {
    let mut container = json!({"name": name, "image": BOX, "command": ["sh", "-c", script]});
    if let (Some(members), Value::Object(more)) = (container.as_object_mut(), more) {
        members.extend(more);
    }
    container
}

/// A task definition of these containers, small enough for many on one node.
pub(crate) fn task(containers: Value) -> Value {
    let mut definition = json!({"memory": "64", "kubernetes": {"imagePullPolicy": "IfNotPresent"}});
    definition["containerDefinitions"] = containers;
    definition
}

/// Applies a task definition and a service of one task, of the same name.
pub(crate) async fn run(place: &Place, name: &str, definition: Value) -> Service {
    place.apply::<TaskDefinition>(name, definition).await;
    place.service(name, json!({"taskDefinition": name})).await
}

/// The one pod of a service that is not about to go.
pub(crate) async fn pod_of(place: &Place, service: &Service) -> Result<corev1::Pod, String> {
    let mut pods = place.children::<corev1::Pod>(service).await;
    pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
    if pods.len() == 1 { Ok(pods.remove(0)) } else { Err(format!("{} pods", pods.len())) }
}

/// Waits until something is so of the one pod of a service.
pub(crate) async fn pod_when(
    place: &Place,
    service: &Service,
    what: &str,
    is_so: impl Fn(&corev1::Pod) -> bool,
) -> corev1::Pod {
    until(&format!("pod of {}: {what}", service.name_any()), || async {
        let pod = pod_of(place, service).await?;
        if is_so(&pod) { Ok(pod) } else { Err(json!(pod.status).to_string()) }
    })
    .await
}

/// What the kubelet says of a container.
pub(crate) fn container(pod: &corev1::Pod, name: &str) -> Option<corev1::ContainerStatus> {
    let status = pod.status.as_ref()?;
    let mut all = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    all.rfind(|container| container.name == name).cloned()
}

/// How often a container was started again.
pub(crate) fn restarts(pod: &corev1::Pod, name: &str) -> i32 {
    container(pod, name).map_or(0, |container| container.restart_count)
}

/// Since when a container runs.
pub(crate) fn running_since(pod: &corev1::Pod, name: &str) -> Option<Timestamp> {
    container(pod, name)?.state?.running?.started_at.map(|Time(at)| at)
}

/// How a container ended, the last time.
pub(crate) fn ended(pod: &corev1::Pod, name: &str) -> Option<corev1::ContainerStateTerminated> {
    let status = container(pod, name)?;
    let last = status.last_state.and_then(|state| state.terminated);
    status.state.and_then(|state| state.terminated).or(last)
}

/// When a container started and when it ended, of one that has.
pub(crate) fn life(pod: &corev1::Pod, name: &str) -> (Timestamp, Timestamp) {
    let ended = ended(pod, name).unwrap_or_else(|| panic!("{name} has not ended"));
    (ended.started_at.unwrap().0, ended.finished_at.unwrap().0)
}

/// The status of a pod's condition, and since when.
pub(crate) fn condition(pod: &corev1::Pod, kind: &str) -> Option<(bool, Timestamp)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let found = conditions.iter().find(|condition| condition.type_ == kind)?;
    Some((found.status == "True", found.last_transition_time.as_ref()?.0))
}

/// What a container has printed.
pub(crate) async fn printed(place: &Place, pod: &corev1::Pod, container: &str) -> String {
    let of = LogParams { container: Some(container.to_owned()), ..LogParams::default() };
    place.api::<corev1::Pod>().logs(&pod.name_any(), &of).await.unwrap_or_default()
}

/// Waits until a container has printed a line.
pub(crate) async fn prints(
    place: &Place,
    pod: &corev1::Pod,
    container: &str,
    line: &str,
) -> String {
    until(&format!("{container} prints `{line}`"), || async {
        let printed = printed(place, pod, container).await;
        if printed.lines().any(|printed| printed == line) { Ok(printed) } else { Err(printed) }
    })
    .await
}

/// How a pod was stopped.
pub(crate) struct Stopped {
    /// When its containers were first asked to stop, to the second.
    pub(crate) asked: Timestamp,
    /// How many seconds they had together.
    pub(crate) grace: i64,
    /// The pod as it was last seen.
    pub(crate) pod: corev1::Pod,
}

/// Lets a service have no task any more.
pub(crate) async fn stopped(place: &Place, service: &Service) -> Stopped {
    let pod = pod_of(place, service).await.unwrap();
    let from = pod.resource_version().unwrap();
    let one = WatchParams::default().fields(&format!("metadata.name={}", pod.name_any()));
    let api = place.api::<corev1::Pod>();
    let mut events = api.watch(&one, &from).await.unwrap().boxed();
    place.scale(&service.name_any(), 0).await;
    let mut asked = None;
    while let Some(event) = events.try_next().await.unwrap() {
        let (pod, gone) = match event {
            WatchEvent::Modified(pod) => (pod, false),
            WatchEvent::Deleted(pod) => (pod, true),
            _ => continue,
        };
        // At its very end the kubelet deletes it once more, without any grace.
        let told =
            pod.metadata.deletion_timestamp.clone().zip(pod.metadata.deletion_grace_period_seconds);
        asked = asked
            .or_else(|| told.map(|(by, grace)| (by.0 - SignedDuration::from_secs(grace), grace)));
        if let (Some((asked, grace)), true) = (asked, gone) {
            return Stopped { asked, grace, pod };
        }
    }
    panic!("{} is not gone", pod.name_any());
}

/// What an address answers to a request for its first page; why not, where it does not.
pub(crate) async fn page(address: &str, port: u16) -> Result<String, String> {
    let request = format!("GET / HTTP/1.0\r\nHost: {address}\r\n\r\n");
    let mut answer = String::new();
    let got: std::io::Result<()> = async {
        let mut stream = tokio::net::TcpStream::connect((address, port)).await?;
        stream.write_all(request.as_bytes()).await?;
        stream.read_to_string(&mut answer).await?;
        Ok(())
    }
    .await;
    got.map_err(|error| format!("{address}:{port}: {error}"))?;
    Ok(answer)
}
