//! Is what runs what `render` prints?
//!
//! Task definitions from real files are applied, each with a service of one task. The operator's
//! Deployment and the pod that comes of it are compared, field for field, with what the API server
//! makes of the rendered manifest and of its template.

use kube::ResourceExt;
use kube::api::{Api, PostParams};
use linkspan::api::{Service, TaskDefinition};
use linkspan::names::label;
use linkspan::render::{File, run};
use linkspan::sandbox::control_plane::ControlPlane;
use serde_json::{Value, json};

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::core::v1 as corev1;

use crate::corpus::{corpus, task_definition_for};
use crate::dry_run::{for_this_server, manifests};
use crate::support::{Operator, Place, options, until};

/// How many definitions are run.
const DEFINITIONS: usize = 40;

/// The TaskDefinition object of a file that is rendered without a refusal.
fn task_definition_of(file: &File) -> Option<Value> {
    if task_definition_for(file).is_some() {
        return None;
    }
    let output = run(std::slice::from_ref(file), &for_this_server());
    if output.failed {
        return None;
    }
    let mut found = manifests(&output).into_iter().filter(|one| one["kind"] == "TaskDefinition");
    let mut definition = found.next()?;
    // A described revision's number is not that of a new cluster.
    definition["spec"].as_object_mut()?.remove("revision");
    Some(definition)
}

/// A template as a pod of its own, which the API server fills in as it does the real one.
fn pod_of(template: &Value) -> Value {
    let mut pod = template.clone();
    pod["metadata"]["name"] = json!("expected");
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod
}

/// What a pod is made of, without the chance in the name of its token's volume.
fn matter(pod: &corev1::Pod) -> Value {
    let text = json!(pod.spec).to_string();
    let token = text.find("kube-api-access-").map(|at| text[at..at + 21].to_owned());
    let text = token.map_or(text.clone(), |token| text.replace(&token, "kube-api-access"));
    let mut labels = pod.labels().clone();
    // Its ReplicaSet's controller adds it.
    labels.remove("pod-template-hash");
    let spec: Value = serde_json::from_str(&text).unwrap();
    json!({"labels": labels, "annotations": pod.annotations(), "spec": spec})
}

async fn dry<K>(api: &Api<K>, manifest: Value) -> K
where
    K: Clone + serde::Serialize + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    api.create(&dry, &serde_json::from_value(manifest).unwrap()).await.unwrap()
}

/// What differs between what runs of a definition and what is rendered of it.
async fn differences(control_plane: &ControlPlane, definition: &Value) -> Vec<String> {
    let place = Place::of(control_plane, "parity").await;
    let name = definition["metadata"]["name"].as_str().unwrap();
    let definition: TaskDefinition = place.apply(name, definition["spec"].clone()).await;
    let family = linkspan::ecs::reference::family_of(&definition.spec.0, Some(name));
    let service: Service =
        place.service("web", json!({"taskDefinition": family, "desiredCount": 1})).await;
    let pod = until(&format!("a task of {family}"), || async {
        let mut pods = place.children::<corev1::Pod>(&service).await;
        pods.pop().ok_or_else(|| "no pod".to_owned())
    })
    .await;
    let deployment = place.deployment(&service).await;

    let objects = [json!(definition), json!(service)];
    let file = |(at, object): (usize, &Value)| File {
        name: format!("{at}.json"),
        bytes: object.to_string().into_bytes(),
    };
    let files: Vec<File> = objects.iter().enumerate().map(file).collect();
    let rendered = manifests(&run(&files, &for_this_server()));
    let rendered = rendered.iter().find(|one| one["kind"] == "Deployment").unwrap();

    let mut different = Vec::new();
    let mut compare = |what: &str, running: &Value, rendered: &Value| {
        if running != rendered {
            different
                .push(format!("{family}: {what}:\n  runs     {running}\n  rendered {rendered}"));
        }
    };
    compare("name", &json!(deployment.name_any()), &rendered["metadata"]["name"]);
    let mut another = rendered.clone();
    // The name is taken by the one that runs.
    another["metadata"]["name"] = json!("expected");
    let expected = dry(&place.api::<appsv1::Deployment>(), another).await;
    compare("Deployment", &json!(deployment.spec), &json!(expected.spec));
    let expected = dry(&place.api::<corev1::Pod>(), pod_of(&rendered["spec"]["template"])).await;
    compare("pod", &matter(&pod), &matter(&expected));
    assert!(pod.labels().contains_key(label::REVISION), "{family}: the pod of another");
    different
}

#[tokio::test]
async fn what_runs_is_what_is_rendered() {
    let Some(files) = corpus() else { return };
    let definitions: Vec<Value> = files.iter().filter_map(task_definition_of).collect();
    // From all over the folder.
    let stride = definitions.len() / DEFINITIONS;
    let chosen: Vec<&Value> = definitions.iter().step_by(stride).take(DEFINITIONS).collect();
    assert_eq!(chosen.len(), DEFINITIONS, "of {} definitions", definitions.len());
    // Without nodes, so that nothing but its template makes a pod what it is.
    let control_plane = ControlPlane::start(options()).await.expect("a control plane");
    let operator = Operator::start(&control_plane);
    let mut different = Vec::new();
    for some in chosen.chunks(8) {
        let of_each = some.iter().map(|definition| differences(&control_plane, definition));
        different.extend(futures::future::join_all(of_each).await.into_iter().flatten());
    }
    operator.stop();
    tell!(
        "parity: {} definitions run, {} of them otherwise than rendered",
        chosen.len(),
        different.len()
    );
    assert!(different.is_empty(), "{}", different.join("\n"));
}
