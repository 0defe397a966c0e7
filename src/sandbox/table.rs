//! How is a service shown while it changes? Services, deployments, tasks and groups of nodes, as kubectl
//! would.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

use k8s_openapi::api::core::v1 as corev1;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use super::control_plane::nodes::GROUP_LABEL;
use super::example::NAMESPACE;
use crate::api::{ConditionType, Service};
use crate::names::label;

/// What is shown to the person at the terminal.
pub(super) struct Screen {
    client: Client,
    /// Whether what was shown last can be drawn over.
    terminal: bool,
    /// Whether groups of nodes are shown, too.
    groups: bool,
    shown: String,
}

impl Screen {
    pub(super) fn new(client: Client, groups: bool) -> Self {
        Self { client, terminal: std::io::stdout().is_terminal(), groups, shown: String::new() }
    }

    /// Prints a line, below everything before it.
    pub(super) fn say(&mut self, line: &str) {
        Self::print(&format!("{line}\n"));
        self.shown.clear();
    }

    /// Shows the tables as they are now: in place on a terminal, and not at all while they change
    /// elsewhere.
    pub(super) async fn show(&mut self) -> anyhow::Result<()> {
        if self.terminal {
            self.draw().await?;
        }
        Ok(())
    }

    /// Shows the tables for good.
    pub(super) async fn finish(&mut self) -> anyhow::Result<()> {
        self.draw().await?;
        self.say("");
        Ok(())
    }

    async fn draw(&mut self) -> anyhow::Result<()> {
        let tables = self.tables().await?;
        if tables == self.shown {
            return Ok(());
        }
        let up = self.shown.lines().count();
        // Up to where the last drawing began, and clear from there.
        let over = if up > 0 { format!("\x1b[{up}A\x1b[J") } else { String::new() };
        Self::print(&format!("{over}{tables}"));
        self.shown = tables;
        Ok(())
    }

    fn print(text: &str) {
        let mut out = std::io::stdout().lock();
        // Nobody reading is no reason to stop.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    async fn tables(&self) -> anyhow::Result<String> {
        let services: Api<Service> = Api::namespaced(self.client.clone(), NAMESPACE);
        let pods: Api<corev1::Pod> = Api::namespaced(self.client.clone(), NAMESPACE);
        let services = services.list(&ListParams::default()).await?.items;
        let tasks = pods.list(&ListParams::default().labels(label::SERVICE_UID)).await?.items;
        let mut text = table(
            &["SERVICE", "TASK-DEFINITION", "DESIRED", "RUNNING", "PENDING", "READY", "REASON"],
            &services.iter().map(service_row).collect::<Vec<_>>(),
        );
        let deployments: Vec<Vec<String>> = services.iter().flat_map(deployment_rows).collect();
        text.push_str(&table(
            &["DEPLOYMENT", "STATUS", "TASK-DEFINITION", "RUNNING", "PENDING", "ROLLOUT"],
            &deployments,
        ));
        text.push_str(&table(
            &["TASK", "NODE", "DEPLOYMENT", "STATUS"],
            &tasks.iter().map(task_row).collect::<Vec<_>>(),
        ));
        if self.groups {
            let nodes: Api<corev1::Node> = Api::all(self.client.clone());
            let nodes = nodes.list(&ListParams::default()).await?.items;
            text.push_str(&table(&["GROUP", "NODES", "TASKS"], &group_rows(&nodes, &tasks)));
        }
        Ok(text)
    }
}

fn service_row(service: &Service) -> Vec<String> {
    let status = service.status.clone().unwrap_or_default();
    let ready = ConditionType::Ready.as_str();
    let ready = status.conditions.iter().find(|condition| condition.type_ == ready);
    vec![
        service.name_any(),
        status.task_definition.unwrap_or_default(),
        status.desired_count.to_string(),
        status.running_count.to_string(),
        status.pending_count.to_string(),
        ready.map(|condition| condition.status.clone()).unwrap_or_default(),
        ready.map(|condition| condition.reason.clone()).unwrap_or_default(),
    ]
}

fn deployment_rows(service: &Service) -> Vec<Vec<String>> {
    let deployments = service.status.clone().unwrap_or_default().deployments;
    deployments
        .into_iter()
        .map(|deployment| {
            vec![
                deployment.id,
                deployment.status,
                deployment.task_definition,
                deployment.running_count.to_string(),
                deployment.pending_count.to_string(),
                deployment.rollout_state.unwrap_or_default(),
            ]
        })
        .collect()
}

fn task_row(pod: &corev1::Pod) -> Vec<String> {
    let phase = pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default();
    let ending = pod.metadata.deletion_timestamp.is_some();
    vec![
        pod.name_any(),
        pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
        pod.labels().get(label::DEPLOYMENT).cloned().unwrap_or_default(),
        if ending { "STOPPING".to_owned() } else { phase.to_uppercase() },
    ]
}

fn group_rows(nodes: &[corev1::Node], tasks: &[corev1::Pod]) -> Vec<Vec<String>> {
    let mut groups: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for node in nodes {
        let group = node.labels().get(GROUP_LABEL).map(String::as_str).unwrap_or_default();
        let name = node.metadata.name.as_deref();
        let on_it = |task: &&corev1::Pod| {
            task.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == name
        };
        let (count, found) = groups.entry(group).or_default();
        *count += 1;
        *found += tasks.iter().filter(on_it).count();
    }
    let row = |(group, (nodes, tasks)): (&str, (usize, usize))| {
        vec![group.to_owned(), nodes.to_string(), tasks.to_string()]
    };
    groups.into_iter().map(row).collect()
}

/// A table with an empty line below it.
fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    crate::layout::table(heads, rows) + "\n"
}
