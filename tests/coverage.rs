//! Does the member table have every member of the API, and no other?
//!
//! The lists under `tests/model` are the members as the API model names them, one a line.

use std::collections::BTreeSet;

use linkspan::ecs::members::Input;

/// Fails unless the table of `input` has the members in `model`, and those under `extras`.
fn covers(input: Input, model: &'static str, extras: &[&str]) {
    let model: BTreeSet<_> =
        model.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let extra = |path: &str| extras.contains(&path.split(['.', '[']).next().unwrap_or(path));
    let table: BTreeSet<_> =
        input.members().map(|member| member.path).filter(|path| !extra(path)).collect();

    let lacking: Vec<_> = model.difference(&table).collect();
    assert!(lacking.is_empty(), "{input:?}: the table lacks {lacking:#?}");
    let unknown: Vec<_> = table.difference(&model).collect();
    assert!(unknown.is_empty(), "{input:?}: the API does not have {unknown:#?}");
    for extra in extras {
        assert!(input.member(extra).is_some(), "{input:?}: the table lacks {extra}");
    }
}

#[test]
fn task_definition() {
    covers(Input::TaskDefinition, include_str!("model/register_task_definition.txt"), &[]);
}

#[test]
fn service() {
    // `forceNewDeployment` is a member of UpdateService, `autoscaling` of another API.
    let extras = ["forceNewDeployment", "autoscaling"];
    covers(Input::Service, include_str!("model/create_service.txt"), &extras);
}

#[test]
fn task() {
    covers(Input::Task, include_str!("model/run_task.txt"), &[]);
}

#[test]
fn cluster() {
    covers(Input::Cluster, include_str!("model/create_cluster.txt"), &[]);
}

#[test]
fn capacity_provider() {
    // Both are inputs of EKS.
    let extras = ["managedNodeGroup", "fargateProfile"];
    covers(Input::CapacityProvider, include_str!("model/create_capacity_provider.txt"), &extras);
}
