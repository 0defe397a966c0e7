//! A `managedInstancesProvider` becomes a NodePool where Karpenter's kind is served, and a condition
//! where it is not. The kind here is a stub: what Karpenter makes of a NodePool is its own business.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, Resource, ResourceExt};
use linkspan::api::CapacityProvider;
use serde_json::{Value, json};

use crate::support::{Operator, own_control_plane, until};

/// Karpenter's NodePool, without its rules.
fn stub() -> CustomResourceDefinition {
    serde_json::from_value(json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "nodepools.karpenter.sh"},
        "spec": {"group": "karpenter.sh", "scope": "Cluster",
            "names": {"kind": "NodePool", "listKind": "NodePoolList", "plural": "nodepools",
                "singular": "nodepool"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {
                "openAPIV3Schema": {"type": "object",
                    "x-kubernetes-preserve-unknown-fields": true}}}]}
    }))
    .unwrap()
}

async fn applied(api: &Api<CapacityProvider>, least: u32) {
    let object = json!({"apiVersion": CapacityProvider::api_version(&()),
        "kind": "CapacityProvider", "metadata": {"name": "fitting"}, "spec": {
            "managedInstancesProvider": {
                "infrastructureRoleArn": "arn:aws:iam::1:role/ecs",
                "instanceLaunchTemplate": {
                    "ec2InstanceProfileArn": "arn:aws:iam::1:instance-profile/ecs",
                    "networkConfiguration": {"subnets": ["subnet-1"]},
                    "capacityOptionType": "SPOT",
                    "instanceRequirements": {
                        "vCpuCount": {"min": least, "max": 8}, "memoryMiB": {"min": 4096},
                        "cpuManufacturers": ["amazon-web-services"]}},
                "infrastructureOptimization": {"scaleInAfter": 600}}}});
    api.patch("fitting", &PatchParams::apply("test").force(), &Patch::Apply(&object))
        .await
        .unwrap();
}

fn requirement(pool: &DynamicObject, key: &str, operator: &str) -> Value {
    let all = pool.data["spec"]["template"]["spec"]["requirements"].as_array().unwrap();
    let found = all.iter().find(|one| one["key"] == key && one["operator"] == operator);
    found.map(|found| found["values"].clone()).unwrap_or_default()
}

#[tokio::test]
async fn managed_instances_become_a_node_pool_where_there_is_karpenter() {
    let control_plane = own_control_plane().await;
    let operator = Operator::start(&control_plane);
    let client = Client::try_from(control_plane.config()).unwrap();
    let providers: Api<CapacityProvider> = Api::all(client.clone());
    applied(&providers, 2).await;
    let ready = |provider: &CapacityProvider| {
        let conditions = provider.status.clone().unwrap_or_default().conditions;
        let ready = conditions.into_iter().find(|one| one.type_ == "Ready");
        ready.map(|one| (one.reason, one.message)).unwrap_or_default()
    };
    until("a word about Karpenter", || async {
        let found = ready(&providers.get("fitting").await.unwrap());
        let told = found.0 == "NodePoolUnavailable" && found.1.contains("install Karpenter");
        if told { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;

    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    crds.create(&PostParams::default(), &stub()).await.unwrap();
    until("the kind is served", || async {
        let crd = crds.get("nodepools.karpenter.sh").await.unwrap();
        let conditions = crd.status.and_then(|status| status.conditions).unwrap_or_default();
        let served =
            conditions.iter().any(|one| one.type_ == "Established" && one.status == "True");
        if served { Ok(()) } else { Err(format!("{conditions:?}")) }
    })
    .await;
    applied(&providers, 4).await;
    let kind = GroupVersionKind::gvk("karpenter.sh", "v1", "NodePool");
    let resource = ApiResource::from_gvk_with_plural(&kind, "nodepools");
    let pools: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let cpu = "karpenter.k8s.aws/instance-cpu";
    // One of the first spec may have been made before the second came.
    let pool = until("a NodePool of the second spec", || async {
        let pool = pools.get("fitting").await.map_err(|error| error.to_string())?;
        let least = requirement(&pool, cpu, "Gt");
        if least == json!(["3"]) { Ok(pool) } else { Err(least.to_string()) }
    })
    .await;
    assert_eq!(requirement(&pool, cpu, "Lt"), json!(["9"]));
    assert_eq!(requirement(&pool, "karpenter.sh/capacity-type", "In"), json!(["spot"]));
    let maker = "karpenter.k8s.aws/instance-cpu-manufacturer";
    assert_eq!(requirement(&pool, maker, "In"), json!(["aws"]));
    let spec = &pool.data["spec"];
    assert_eq!(spec["disruption"]["consolidateAfter"], "600s");
    assert_eq!(spec["template"]["spec"]["nodeClassRef"]["kind"], "EC2NodeClass");
    let labels = &spec["template"]["metadata"]["labels"];
    assert_eq!(labels["ecs.linkspan.dev/capacity-provider"], "fitting");

    // A changed spec is followed, what somebody changes is put right, and nothing else is written.
    applied(&providers, 2).await;
    let changed = until("the bound is lower", || async {
        let pool = pools.get("fitting").await.unwrap();
        let least = requirement(&pool, cpu, "Gt");
        if least == json!(["1"]) { Ok(pool) } else { Err(least.to_string()) }
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let later = pools.get("fitting").await.unwrap();
    assert_eq!(later.resource_version(), changed.resource_version());
    let owner = &later.owner_references()[0];
    assert_eq!((owner.kind.as_str(), owner.name.as_str()), ("CapacityProvider", "fitting"));
    providers.delete("fitting", &DeleteParams::default()).await.unwrap();
    until("the NodePool goes with its provider", || async {
        let left = pools.get_opt("fitting").await.unwrap();
        if left.is_none() { Ok(()) } else { Err("it is there".to_owned()) }
    })
    .await;
    operator.stop();
    control_plane.stop().await;
}
