//! What can a service do? Start, scale, roll, go back, stop, and leave nothing behind. What the other
//! examples show: [`load`] that tasks and nodes follow, and where tasks run.

mod load;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::api::networking::v1 as networkingv1;
use k8s_openapi::api::policy::v1 as policyv1;
use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::example::{self, Example, Kubectl, NAMESPACE};
use super::seconds;
use super::table::Screen;
use crate::api::{ConditionType, Service, ServiceDeployment, TaskDefinitionRevision};
use crate::names::label;
use crate::plan::conditions::holds;

/// How long a step may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often the cluster is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// A step of the story that came to pass.
pub(super) struct Step {
    what: String,
    took: Duration,
}

/// Shows the example until it is steady; with `all`, everything else it can do as well.
pub(super) async fn tell(
    client: &Client,
    kubectl: &Kubectl,
    screen: &mut Screen,
    example: Example,
    all: bool,
) -> anyhow::Result<Vec<Step>> {
    match example {
        Example::Hello => hello(client, kubectl, screen, all).await,
        Example::Autoscaling => load::follow(client, kubectl, screen).await,
        Example::Spot => once(client, kubectl, screen, (example, 1)).await,
        Example::FargateProfile => once(client, kubectl, screen, (example, 3)).await,
        Example::Constrained | Example::Daemon => once(client, kubectl, screen, (example, 4)).await,
    }
}

/// Applies an example, with as many tasks as it has then.
async fn apply(
    client: &Client,
    kubectl: &Kubectl,
    screen: &mut Screen,
    (example, tasks): (Example, i32),
) -> anyhow::Result<(Step, Service)> {
    screen.say(&format!("$ kubectl apply -f examples/{}", example.folder()));
    let since = Instant::now();
    kubectl.run(&["apply", "-f", "-"], &example.manifests()).await?;
    let service = until_steady(client, screen, example, (tasks, 1)).await?;
    let what = format!("start with {tasks} task{}", if tasks == 1 { "" } else { "s" });
    Ok((Step { what, took: since.elapsed() }, service))
}

/// An example that shows where its tasks run.
async fn once(
    client: &Client,
    kubectl: &Kubectl,
    screen: &mut Screen,
    (example, tasks): (Example, i32),
) -> anyhow::Result<Vec<Step>> {
    let mut steps = vec![apply(client, kubectl, screen, (example, tasks)).await?.0];
    if example == Example::Spot {
        screen.say("$ kubectl scale esvc/shop --replicas 6");
        let since = Instant::now();
        kubectl.run(&["scale", "esvc/shop", "--replicas", "6"], "").await?;
        until_steady(client, screen, example, (6, 1)).await?;
        steps.push(Step { what: "scale to 6 tasks".to_owned(), took: since.elapsed() });
    }
    if example == Example::Daemon {
        screen.say("$ kubectl cordon spot-0");
        let since = Instant::now();
        kubectl.run(&["cordon", "spot-0"], "").await?;
        until_steady(client, screen, example, (3, 1)).await?;
        steps.push(Step { what: "one node less".to_owned(), took: since.elapsed() });
    }
    Ok(steps)
}

async fn hello(
    client: &Client,
    kubectl: &Kubectl,
    screen: &mut Screen,
    all: bool,
) -> anyhow::Result<Vec<Step>> {
    let hello = Example::Hello;
    let (started, service) = apply(client, kubectl, screen, (hello, 1)).await?;
    let uid = service.uid().context("the service has no UID")?;
    let mut steps = vec![started];
    if !all {
        return Ok(steps);
    }

    let mut done = |what: &str, since: Instant| {
        steps.push(Step { what: what.to_owned(), took: since.elapsed() });
    };
    screen.say("$ kubectl scale esvc/hello --replicas 3");
    let since = Instant::now();
    kubectl.run(&["scale", "esvc/hello", "--replicas", "3"], "").await?;
    until_steady(client, screen, hello, (3, 1)).await?;
    done("scale to 3 tasks", since);

    screen.say("$ kubectl apply -f task-definition.yaml    # another image: revision 2");
    let since = Instant::now();
    kubectl.run(&["apply", "-f", "-"], &example::changed_task_definition()).await?;
    until_steady(client, screen, hello, (3, 2)).await?;
    done("roll to hello:2", since);

    screen.say("$ kubectl apply -f examples/hello/task-definition.yaml    # back: revision 3");
    let since = Instant::now();
    kubectl.run(&["apply", "-f", "-"], &example::task_definition()).await?;
    until_steady(client, screen, hello, (3, 3)).await?;
    done("go back, as hello:3", since);

    screen.say("$ kubectl scale esvc/hello --replicas 0");
    let since = Instant::now();
    kubectl.run(&["scale", "esvc/hello", "--replicas", "0"], "").await?;
    until_steady(client, screen, hello, (0, 3)).await?;
    done("scale to 0 tasks", since);

    screen.say("$ kubectl delete -f examples/hello");
    let since = Instant::now();
    kubectl.run(&["delete", "-f", "-"], &hello.manifests()).await?;
    until_gone(client, &uid).await?;
    done("delete, nothing left", since);
    Ok(steps)
}

/// Waits until the service says that it is steady with so many tasks of a revision.
async fn until_steady(
    client: &Client,
    screen: &mut Screen,
    example: Example,
    (tasks, revision): (i32, i64),
) -> anyhow::Result<Service> {
    let name = example.service();
    let api: Api<Service> = Api::namespaced(client.clone(), NAMESPACE);
    let reference = format!("{name}:{revision}");
    let deadline = Instant::now() + PATIENCE;
    loop {
        screen.show().await?;
        let service = api.get(name).await?;
        if is_steady(&service, tasks, &reference) {
            screen.finish().await?;
            return Ok(service);
        }
        if Instant::now() > deadline {
            bail!(
                "the service did not become steady with {tasks} tasks of {reference} within {}: {}",
                seconds(PATIENCE),
                reason(&service)
            );
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn is_steady(service: &Service, tasks: i32, reference: &str) -> bool {
    let status = service.status.clone().unwrap_or_default();
    status.observed_generation == service.metadata.generation
        && holds(&status.conditions, ConditionType::Ready)
        && status.running_count == tasks
        && status.pending_count == 0
        && status.task_definition.as_deref() == Some(reference)
}

fn reason(service: &Service) -> String {
    let conditions = service.status.clone().unwrap_or_default().conditions;
    let ready = ConditionType::Ready.as_str();
    conditions.into_iter().find(|condition| condition.type_ == ready).map_or_else(
        || "it has no status yet; does the operator run?".to_owned(),
        |condition| format!("{}: {}", condition.reason, condition.message),
    )
}

/// Waits until nothing of the service is left, whoever made it.
async fn until_gone(client: &Client, uid: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let ours = ListParams::default().labels(&format!("{}={uid}", label::SERVICE_UID));
    loop {
        let mut left = Vec::new();
        left.extend(names::<appsv1::Deployment>(client, &ours).await?);
        left.extend(names::<appsv1::ReplicaSet>(client, &ours).await?);
        left.extend(names::<corev1::Pod>(client, &ours).await?);
        left.extend(names::<corev1::Service>(client, &ours).await?);
        left.extend(names::<policyv1::PodDisruptionBudget>(client, &ours).await?);
        left.extend(names::<networkingv1::NetworkPolicy>(client, &ours).await?);
        left.extend(names::<networkingv1::Ingress>(client, &ours).await?);
        left.extend(names::<ServiceDeployment>(client, &ours).await?);
        left.extend(names::<TaskDefinitionRevision>(client, &ListParams::default()).await?);
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("still there {} after the deletion: {}", seconds(PATIENCE), left.join(", "));
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn names<K>(client: &Client, which: &ListParams) -> anyhow::Result<Vec<String>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let list = Api::<K>::namespaced(client.clone(), NAMESPACE).list(which).await?;
    Ok(list.iter().map(|object| format!("{} {}", K::kind(&()), object.name_any())).collect())
}

/// The steps and their times, as a table.
pub(super) fn summary(steps: &[Step], ready: Duration, all: Duration) -> String {
    let mut text = format!("\n{:<24}{:>10}\n", "STEP", "TIME");
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{:<24}{:>10}", "control plane", seconds(ready));
    for step in steps {
        let _ = writeln!(text, "{:<24}{:>10}", step.what, seconds(step.took));
    }
    let _ = write!(text, "{:<24}{:>10}", "all", seconds(all));
    text
}
