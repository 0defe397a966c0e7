//! Install, upgrade, rollback, uninstall, reinstall: what runs goes on running.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use linkspan::api::{CapacityProvider, Service, TaskDefinition};
use serde_json::json;

use crate::helm::{done, helm};
use crate::manifests::{documents, read};
use crate::operator::{NAMESPACE, Operator, bare, install, place_of};
use crate::support::{Place, status_of, until};
use crate::usage::refused;

/// Applies the example.
async fn hello(place: &Place) {
    let spec = |file: &str| documents(&read(file)).remove(0)["spec"].take();
    place.apply::<TaskDefinition>("hello", spec("examples/hello/task-definition.yaml")).await;
    place.service("hello", spec("examples/hello/service.yaml")).await;
}

/// The pods of a service, by UID, with their restarts.
async fn tasks(place: &Place, service: &Service) -> BTreeMap<String, i32> {
    let pods = place.children::<corev1::Pod>(service).await;
    pods.into_iter()
        .map(|pod| {
            let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.clone());
            let restarts = statuses.into_iter().flatten().map(|status| status.restart_count).sum();
            (pod.uid().unwrap(), restarts)
        })
        .collect()
}

async fn definitions(client: &Client) -> BTreeSet<String> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let all = api.list(&ListParams::default()).await.unwrap();
    all.iter().map(ResourceExt::name_any).filter(|name| name.ends_with(".linkspan.dev")).collect()
}

async fn argument(client: &Client, prefix: &str) -> Option<String> {
    use k8s_openapi::api::apps::v1 as appsv1;
    let api: Api<appsv1::Deployment> = Api::namespaced(client.clone(), NAMESPACE);
    let arguments = api.get("linkspan").await.unwrap().spec.unwrap().template.spec.unwrap();
    let arguments = arguments.containers[0].args.clone().unwrap();
    arguments.into_iter().find(|argument| argument.starts_with(prefix))
}

#[tokio::test]
async fn what_runs_outlives_upgrade_rollback_uninstall_and_reinstall() {
    let control_plane = bare().await;
    let client = Client::try_from(control_plane.config()).unwrap();
    let kubeconfig = control_plane.kubeconfig_path();
    let run = |arguments: &[&str]| {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--namespace", NAMESPACE]);
        done(&helm(Some(&kubeconfig), &arguments))
    };
    install(&control_plane, &[]);
    assert_eq!(definitions(&client).await.len(), linkspan::api::crds().len());
    let notes = run(&["get", "notes", "linkspan"]);
    assert!(notes.contains("kubectl get ecs"), "{notes}");
    let tested = run(&["test", "linkspan"]);
    assert!(tested.contains("Succeeded"), "{tested}");

    let operator = Operator::start(&control_plane, &[]).await;
    let place = place_of(&control_plane, "shop", "dev").await;
    hello(&place).await;
    place.steady("hello", 1, "hello:1").await;
    place.scale("hello", 3).await;
    let service = place.steady("hello", 3, "hello:1").await;
    let mut spec = documents(&read("examples/hello/task-definition.yaml")).remove(0)["spec"].take();
    spec["containerDefinitions"][0]["image"] = json!("nginxdemos/hello:plain-text");
    place.apply::<TaskDefinition>("hello", spec).await;
    place.steady("hello", 3, "hello:2").await;
    let before = until("the tasks of before are gone", || async {
        let tasks = tasks(&place, &service).await;
        if tasks.len() == 3 { Ok(tasks) } else { Err(format!("{tasks:?}")) }
    })
    .await;

    install(&control_plane, &["concurrency=8", "replicaCount=2"]);
    assert_eq!(argument(&client, "--concurrency=").await.as_deref(), Some("--concurrency=8"));
    run(&["rollback", "linkspan", "1", "--wait"]);
    assert_eq!(argument(&client, "--concurrency=").await.as_deref(), Some("--concurrency=16"));
    assert_eq!(tasks(&place, &service).await, before);

    let said = run(&["uninstall", "linkspan"]);
    tell!("helm uninstall: {}", said.trim().replace('\n', " "));
    drop(operator);
    assert_eq!(definitions(&client).await.len(), linkspan::api::crds().len());
    assert_eq!(tasks(&place, &service).await, before);
    let left = [
        "clusterroles.rbac.authorization.k8s.io",
        "clusterrolebindings.rbac.authorization.k8s.io",
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        "validatingadmissionpolicybindings.admissionregistration.k8s.io",
    ];
    let ours = std::process::Command::new(control_plane.kubectl())
        .args(["get", &left.join(","), "-o", "name", "-l", "app.kubernetes.io/name=linkspan"])
        .env("KUBECONFIG", &kubeconfig)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(ours.stdout).unwrap(), "", "{:?}", ours.stderr);

    install(&control_plane, &[]);
    let _operator = Operator::start(&control_plane, &[]).await;
    let place = Place { client: client.clone(), namespace: place.namespace };
    let service = place
        .service_when("hello", "it is looked at again", |service| {
            status_of(service).observed_generation == service.metadata.generation
        })
        .await;
    assert_eq!(tasks(&place, &service).await, before, "adopted: no task was restarted");
    place.scale("hello", 2).await;
    place.steady("hello", 2, "hello:2").await;
    let after = tasks(&place, &service).await;
    assert!(after.keys().all(|uid| before.contains_key(uid)), "{before:?} {after:?}");
    control_plane.stop().await;
}

#[tokio::test]
async fn an_operator_of_two_namespaces_sees_no_other_and_makes_the_default_providers() {
    let control_plane = bare().await;
    let client = Client::try_from(control_plane.config()).unwrap();
    // The definitions come first: the operator's namespaces are named before they are there.
    let crds = ["install", "crds", "charts/linkspan-crds", "--namespace", NAMESPACE];
    done(&helm(Some(&control_plane.kubeconfig_path()), &crds));
    let shop = control_plane.namespace(&client, "shop").await.unwrap();
    let market = control_plane.namespace(&client, "market").await.unwrap();
    let other = control_plane.namespace(&client, "other").await.unwrap();
    let provider = json!([{"name": "fargate", "spec": {"name": "FARGATE", "fargateProfile": {}}}]);
    let settings = [
        "crds.enabled=false".to_owned(),
        "rbac.nodeWrites=false".to_owned(),
        format!("watchNamespaces=[\"{shop}\",\"{market}\"]"),
        format!("capacityProviders={provider}"),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    install(&control_plane, &settings);
    let providers: Api<CapacityProvider> = Api::all(client.clone());
    let operator = Operator::start(&control_plane, &[]).await;
    until("the default provider is there", || async {
        let found = providers.get_opt("fargate").await.unwrap();
        let status = found.and_then(|provider| provider.status);
        let judged = status.is_some_and(|status| status.observed_generation > Some(0));
        if judged { Ok(()) } else { Err("it is not".to_owned()) }
    })
    .await;

    let [inside, beside, outside] =
        [shop, market, other].map(|namespace| Place { client: client.clone(), namespace });
    for place in [&outside, &inside, &beside] {
        hello(place).await;
    }
    for place in [&inside, &beside] {
        place.steady("hello", 1, "hello:1").await;
    }
    let unseen = outside.api::<Service>().get("hello").await.unwrap();
    assert_eq!(status_of(&unseen).observed_generation, Some(-1), "{:?}", unseen.status);

    // What is there is never changed; and where both namespaces are listed anew, the list of one forgets
    // nothing of the other.
    let own = json!({"metadata": {"labels": {"mine": "yes"}}});
    let admin = PatchParams { field_manager: Some("admin".into()), ..PatchParams::default() };
    providers.patch("fargate", &admin, &Patch::Merge(&own)).await.unwrap();
    drop(operator);
    let operator = Operator::start(&control_plane, &[]).await;
    for place in [&inside, &beside] {
        let known =
            format!(r#"linkspan_services{{namespace="{}",state="ready"}} 1"#, place.namespace);
        until("its service is known", || async {
            let served = operator.get("/metrics").await;
            if served.contains(&known) { Ok(()) } else { Err(served) }
        })
        .await;
    }
    for place in [&inside, &beside] {
        place.scale("hello", 2).await;
    }
    for place in [&inside, &beside] {
        place.steady("hello", 2, "hello:1").await;
    }
    let kept = providers.get("fargate").await.unwrap();
    assert_eq!(kept.labels().get("mine").map(String::as_str), Some("yes"));
    let refused = refused(&control_plane);
    assert!(refused.is_empty(), "{refused:#?}\n{}", operator.said());
    inside.api::<Service>().delete("hello", &DeleteParams::foreground()).await.unwrap();
    until("a foreground deletion ends", || async {
        let left = inside.api::<Service>().get_opt("hello").await.unwrap();
        left.map_or(Ok(()), |_| Err("it is there".to_owned()))
    })
    .await;
    control_plane.stop().await;
}
