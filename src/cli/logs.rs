//! `linkspan logs`: what do a service's tasks print? Each line with the task and container that it is
//! from.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{anyhow, ensure};
use futures::{AsyncBufReadExt, Stream, StreamExt};
use k8s_openapi::api::core::v1 as corev1;
use kube::ResourceExt;
use kube::api::{ListParams, LogParams};

use super::cluster::{Place, Scope};
use super::shell::block_on;
use crate::names::{annotation, label, task_id};

/// How many tasks are read at once.
const AT_ONCE: usize = 32;

/// `linkspan logs`
#[derive(Debug, clap::Args)]
pub struct Logs {
    /// The service, or one task: its pod or its ECS identifier.
    #[arg(value_name = "SERVICE|TASK")]
    of: String,
    /// Only this container, by its ECS name.
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// Go on with what is printed from now on.
    #[arg(short, long)]
    follow: bool,
    /// Only the last lines of each container.
    #[arg(long, value_name = "LINES")]
    tail: Option<i64>,
    /// Only what is not older.
    #[arg(long, value_name = "SECONDS")]
    since: Option<i64>,
    /// What the containers printed before they were last started again.
    #[arg(short, long)]
    previous: bool,
    /// The lines alone, without whose they are.
    #[arg(long)]
    no_prefix: bool,
    #[command(flatten)]
    scope: Scope,
}

/// One container of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    pod: String,
    /// As Kubernetes has it.
    container: String,
    /// What stands before its lines.
    prefix: String,
}

pub(super) fn run(arguments: Logs) -> io::Result<ExitCode> {
    block_on(async move {
        let place = arguments.scope.open().await?;
        let pods = pods(&place, &arguments.of).await?;
        let sources = sources(&pods, arguments.container.as_deref());
        ensure!(!sources.is_empty(), "there is no such container, or no task of it yet");
        let asked = LogParams {
            follow: arguments.follow,
            previous: arguments.previous,
            tail_lines: arguments.tail,
            since_seconds: arguments.since,
            ..LogParams::default()
        };
        let count = sources.len();
        let reads = sources.into_iter().map(|source| {
            let (place, asked) = (place.clone(), asked.clone());
            let bare = arguments.no_prefix;
            async move { read(&place, &source, &asked, bare).await.map_err(|why| (source, why)) }
        });
        let at_once = if arguments.follow { count } else { AT_ONCE };
        let failed = failures(futures::stream::iter(reads).buffer_unordered(at_once)).await?;
        for (source, why) in &failed {
            let _ = writeln!(io::stderr(), "{}: {why:#}", source.prefix);
        }
        Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

async fn pods(place: &Place, of: &str) -> anyhow::Result<Vec<corev1::Pod>> {
    let api = place.api::<corev1::Pod>();
    let all = api.list(&ListParams::default().labels(label::SERVICE_UID)).await?.items;
    let is_task =
        |pod: &&corev1::Pod| pod.name_any() == of || task_id(&pod.uid().unwrap_or_default()) == of;
    if let Some(pod) = all.iter().find(is_task) {
        return Ok(vec![pod.clone()]);
    }
    let uid = place.service(of).await?.uid();
    let is_of = |pod: &corev1::Pod| pod.labels().get(label::SERVICE_UID) == uid.as_ref();
    Ok(all.into_iter().filter(is_of).collect())
}

/// The containers of pods whose ECS name is the one asked for, if one is.
fn sources(pods: &[corev1::Pod], asked: Option<&str>) -> Vec<Source> {
    let mut sources = Vec::new();
    for pod in pods {
        let spec = pod.spec.clone().unwrap_or_default();
        let names = pod.annotations().get(annotation::CONTAINER_NAMES);
        let names: serde_json::Value =
            names.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        for container in spec.init_containers.iter().flatten().chain(&spec.containers) {
            let own = names.get(&container.name).and_then(serde_json::Value::as_str);
            let name = own.unwrap_or(&container.name);
            if asked.is_none_or(|asked| asked == name || asked == container.name) {
                sources.push(Source {
                    pod: pod.name_any(),
                    container: container.name.clone(),
                    prefix: format!("{}/{name}", pod.name_any()),
                });
            }
        }
    }
    sources
}

/// What could not be read. Once nobody takes what is printed any more, all reading ends.
async fn failures(
    reads: impl Stream<Item = Result<(), (Source, anyhow::Error)>>,
) -> anyhow::Result<Vec<(Source, anyhow::Error)>> {
    let mut reads = std::pin::pin!(reads);
    let mut failed = Vec::new();
    while let Some(read) = reads.next().await {
        let Err((source, why)) = read else { continue };
        let kind = why.downcast_ref().map(io::Error::kind);
        if kind == Some(io::ErrorKind::BrokenPipe) {
            return Err(why);
        }
        failed.push((source, why));
    }
    Ok(failed)
}

async fn read(place: &Place, source: &Source, asked: &LogParams, bare: bool) -> anyhow::Result<()> {
    let asked = LogParams { container: Some(source.container.clone()), ..asked.clone() };
    let stream = place.api::<corev1::Pod>().log_stream(&source.pod, &asked).await?;
    let mut lines = std::pin::pin!(stream.lines());
    while let Some(line) = lines.next().await {
        // Not an error of our own output, whatever its kind.
        let line = line.map_err(|error| anyhow!("{error}"))?;
        // A line at a time, so that those of several tasks do not run into each other.
        let line = if bare { format!("{line}\n") } else { format!("{} {line}\n", source.prefix) };
        super::say(&line)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn reading_ends_where_nobody_takes_what_is_read() {
        let source =
            || Source { pod: "p".to_owned(), container: "c".to_owned(), prefix: "p/c".to_owned() };
        let gone = io::Error::from(io::ErrorKind::BrokenPipe);
        let first =
            [Ok(()), Err((source(), anyhow!("no such task"))), Err((source(), gone.into()))];
        // The others go on for ever.
        let reads = futures::stream::iter(first).chain(futures::stream::pending());
        let error = failures(reads).await.unwrap_err();
        let kind = error.downcast_ref().map(io::Error::kind);
        assert_eq!(kind, Some(io::ErrorKind::BrokenPipe));
        let other = futures::stream::iter([Err((source(), anyhow!("no such task"))), Ok(())]);
        assert_eq!(failures(other).await.unwrap().len(), 1);
    }

    #[test]
    fn containers_are_known_by_their_ecs_names() {
        let pod: corev1::Pod = serde_json::from_value(json!({
            "metadata": {"name": "web-1", "annotations": {
                annotation::CONTAINER_NAMES: "{\"app-x1\": \"App_1\"}"}},
            "spec": {"initContainers": [{"name": "side"}], "containers": [{"name": "app-x1"}]},
        }))
        .unwrap();
        let pods = [pod];
        let prefixes: Vec<String> =
            sources(&pods, None).into_iter().map(|source| source.prefix).collect();
        assert_eq!(prefixes, ["web-1/side", "web-1/App_1"]);
        for (asked, count) in [("App_1", 1), ("app-x1", 1), ("side", 1), ("other", 0)] {
            assert_eq!(sources(&pods, Some(asked)).len(), count, "{asked}");
        }
    }
}
