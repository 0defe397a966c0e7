//! What does a service do whose load comes and goes? Its tasks follow the load, and nodes follow the
//! tasks: more of them until no node has room, then nodes, then both back.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::bail;
use k8s_openapi::api::core::v1 as corev1;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use super::{LOOK, PATIENCE, Step, apply, until_steady};
use crate::api::CapacityProvider;
use crate::names::label;
use crate::sandbox::control_plane::nodes::GROUP_LABEL;
use crate::sandbox::example::{Example, Kubectl, NAMESPACE};
use crate::sandbox::metrics_api::CPU;
use crate::sandbox::seconds;
use crate::sandbox::table::Screen;

/// The group, and the provider of its nodes.
const GROUP: &str = "elastic";

/// One and a half cores: at 60 % of a quarter each, ten tasks, and nodes of a core for them.
const MUCH: (&str, i32) = ("1500", 10);
/// As little as two tasks, the fewest, can do.
const LITTLE: (&str, i32) = ("100", 2);

pub(super) async fn follow(
    client: &Client,
    kubectl: &Kubectl,
    screen: &mut Screen,
) -> anyhow::Result<Vec<Step>> {
    let example = Example::Autoscaling;
    screen.say("a second stands for a minute of scaling; there is no node for the tasks yet");
    let mut steps = vec![apply(client, kubectl, screen, (example, LITTLE.1)).await?.0];
    for (what, (cpu, tasks)) in [("load goes up", MUCH), ("load goes down", LITTLE)] {
        screen.say(&format!("$ kubectl annotate --overwrite esvc/web {CPU}={cpu}    # {what}"));
        let since = Instant::now();
        let load = format!("{CPU}={cpu}");
        kubectl.run(&["annotate", "--overwrite", "esvc/web", &load], "").await?;
        until_steady(client, screen, example, (tasks, 1)).await?;
        steps.push(Step { what: format!("{what}: {tasks} tasks"), took: since.elapsed() });
        let since = Instant::now();
        let nodes = until_fitting(client, screen).await?;
        let plural = if nodes == 1 { "" } else { "s" };
        steps.push(Step { what: format!("{nodes} node{plural} for them"), took: since.elapsed() });
    }
    Ok(steps)
}

/// Waits until there is a node for each task and none without one, and the provider wants no other
/// number; tells how many there are.
async fn until_fitting(client: &Client, screen: &mut Screen) -> anyhow::Result<usize> {
    let nodes: Api<corev1::Node> = Api::all(client.clone());
    let pods: Api<corev1::Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let providers: Api<CapacityProvider> = Api::all(client.clone());
    let of_group = ListParams::default().labels(&format!("{GROUP_LABEL}={GROUP}"));
    let deadline = Instant::now() + PATIENCE;
    loop {
        screen.show().await?;
        let there: BTreeSet<String> =
            nodes.list(&of_group).await?.iter().map(ResourceExt::name_any).collect();
        let used: BTreeSet<String> = pods
            .list(&ListParams::default().labels(label::SERVICE_UID))
            .await?
            .into_iter()
            // Those that have been told to stop no longer need theirs.
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .filter_map(|pod| pod.spec?.node_name)
            .collect();
        let status = providers.get(GROUP).await?.status.unwrap_or_default();
        if there == used && status.desired == u32::try_from(there.len()).ok() {
            screen.finish().await?;
            return Ok(there.len());
        }
        if Instant::now() > deadline {
            bail!(
                "{} nodes, {:?} wanted, tasks on {} of them after {}",
                there.len(),
                status.desired,
                used.len(),
                seconds(PATIENCE)
            );
        }
        tokio::time::sleep(LOOK).await;
    }
}
