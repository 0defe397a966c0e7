//! What do Argo CD's scripts and Flux's expressions say of objects in every state? The statuses are
//! made by the plans that the operator carries out.

use std::collections::BTreeMap;

use cel::{Context, Program};
use jiff::Timestamp;
use linkspan::render::settle;
use linkspan::world::{Kind, ObjectKey, World};
use mlua::serde::SerializeOptions;
use mlua::{Lua, LuaOptions, LuaSerdeExt, StdLib};
use serde_json::{Value, json};

use crate::manifests::{documents, read};

const SHOP: &str = "shop";

/// What a tool says of an object.
#[derive(Debug, PartialEq, Eq)]
struct Health {
    argo: String,
    message: String,
    flux: &'static str,
}

/// A script as Argo CD runs it: Lua 5.1 with tables, and the clock where it is asked for.
fn run(script: &str, object: &Value) -> Value {
    let libraries = StdLib::TABLE | StdLib::PACKAGE | StdLib::OS;
    let lua = Lua::new_with(libraries, LuaOptions::default()).unwrap();
    let absent = SerializeOptions::new()
        .set_array_metatable(false)
        .serialize_none_to_null(false)
        .serialize_unit_to_null(false);
    let object = lua.to_value_with(object, absent).unwrap();
    lua.globals().set("obj", object).unwrap();
    let answer: mlua::Value = lua.load(script).eval().unwrap();
    lua.from_value(answer).unwrap()
}

/// What Flux says: a generation that was not observed is in progress; else the first expression that
/// holds.
fn flux(object: &Value) -> &'static str {
    let library = documents(&read("gitops/flux/health-checks.yaml")).remove(0);
    let checks = library.as_array().unwrap();
    let Some(check) = checks.iter().find(|check| check["kind"] == object["kind"]) else {
        return "none";
    };
    let status = &object["status"];
    if status["observedGeneration"] != object["metadata"]["generation"] {
        return "InProgress";
    }
    let mut context = Context::default();
    for name in ["status", "metadata", "spec"] {
        context.add_variable(name, &object[name]).unwrap();
    }
    [("inProgress", "InProgress"), ("failed", "Failed"), ("current", "Current")]
        .into_iter()
        .find(|(name, _)| {
            let program = Program::compile(check[name].as_str().unwrap()).unwrap();
            program.execute(&context).unwrap() == cel::Value::Bool(true)
        })
        .map_or("InProgress", |(_, says)| says)
}

fn health(object: &Value) -> Health {
    let kind = object["kind"].as_str().unwrap();
    let said = run(&read(&format!("gitops/argocd/health/{kind}.lua")), object);
    let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
    Health { argo: text("status"), message: text("message"), flux: flux(object) }
}

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// A world in which some things are, and all that comes of them without a cluster.
struct Told {
    world: World,
}

impl Told {
    fn of(objects: &[(Kind, &str, Value)]) -> Self {
        let mut told = Self { world: World { server_minor: Some(36), ..World::default() } };
        for (kind, name, spec) in objects {
            told.put(*kind, name, spec);
        }
        told.settle();
        told
    }

    fn put(&mut self, kind: Kind, name: &str, spec: &Value) {
        let (api_version, kind_name) = kind.type_meta();
        let namespace = kind.is_namespaced().then_some(SHOP);
        let key = key(kind, name);
        let before = self.world.body(&key);
        let generation =
            before.as_ref().map_or(1, |b| b["metadata"]["generation"].as_i64().unwrap() + 1);
        let mut body = json!({"apiVersion": api_version, "kind": kind_name, "spec": spec,
            "metadata": {"name": name, "namespace": namespace, "uid": format!("uid-{name}"),
                "generation": generation, "creationTimestamp": "2025-12-31T00:00:00Z"}});
        if let Some(before) = before.filter(|before| before.get("status").is_some()) {
            body["status"] = before["status"].clone();
        }
        self.world.put(kind, body).unwrap();
    }

    fn settle(&mut self) {
        settle(&mut self.world, now()).unwrap();
    }

    /// The Deployment's controller and the kubelets do all that they are asked.
    fn run(&mut self) {
        let keys: Vec<ObjectKey> = self.world.deployments.keys().collect();
        for key in keys {
            let mut body = self.world.body(&key).unwrap();
            let count = body["spec"]["replicas"].clone();
            body["status"] = json!({"observedGeneration": body["metadata"]["generation"],
                "replicas": count, "updatedReplicas": count, "readyReplicas": count,
                "availableReplicas": count});
            self.world.put(Kind::Deployment, body).unwrap();
        }
        self.settle();
    }

    fn object(&self, kind: Kind, name: &str) -> Value {
        let mut body = self.world.body(&key(kind, name)).unwrap();
        let (api_version, kind) = kind.type_meta();
        body["apiVersion"] = json!(api_version);
        body["kind"] = json!(kind);
        body
    }
}

fn key(kind: Kind, name: &str) -> ObjectKey {
    ObjectKey::new(kind, if kind.is_namespaced() { SHOP } else { "" }, name)
}

fn task_definition(image: &str) -> Value {
    json!({"containerDefinitions": [{"name": "web", "image": image, "memory": 128}]})
}

/// A service that runs.
fn running(spec: &Value) -> Told {
    let mut told = Told::of(&[
        (Kind::TaskDefinition, "web", task_definition("web:1")),
        (Kind::Service, "web", spec.clone()),
    ]);
    told.run();
    told
}

fn states() -> BTreeMap<&'static str, (Value, &'static str, &'static str)> {
    let service = json!({"taskDefinition": "web", "desiredCount": 2});
    let mut states = BTreeMap::new();
    let mut state = |name, object, argo, flux| states.insert(name, (object, argo, flux));

    let mut fresh = Told::of(&[]);
    fresh.put(Kind::Service, "web", &service);
    state("nobody has looked yet", fresh.object(Kind::Service, "web"), "Progressing", "InProgress");

    let starting = Told::of(&[
        (Kind::TaskDefinition, "web", task_definition("web:1")),
        (Kind::Service, "web", service.clone()),
    ]);
    state("tasks start", starting.object(Kind::Service, "web"), "Progressing", "InProgress");
    let family = starting.object(Kind::TaskDefinition, "web");
    state("registered", family, "Healthy", "Current");
    state("revision", starting.object(Kind::TaskDefinitionRevision, "web-1"), "Healthy", "none");
    let records: Vec<_> = starting.world.records.keys().collect();
    let record = starting.object(Kind::ServiceDeployment, &records[0].name);
    state("a record of a roll", record, "Progressing", "none");

    let mut steady = running(&service);
    state("steady", steady.object(Kind::Service, "web"), "Healthy", "Current");
    let record = steady.object(Kind::ServiceDeployment, &records[0].name);
    state("a record that was completed", record, "Healthy", "none");
    let mut failed = steady.object(Kind::ServiceDeployment, &records[0].name);
    failed["status"]["rolloutState"] = json!("FAILED");
    state("a record that failed", failed, "Degraded", "none");

    let mut failed = steady.object(Kind::Service, "web");
    failed["status"]["deployments"][0]["rolloutState"] = json!("FAILED");
    failed["status"]["deployments"][0]["rolloutStateReason"] = json!("tasks failed to start.");
    state("the newest deployment failed", failed, "Degraded", "Failed");
    let mut paused = steady.object(Kind::Service, "web");
    for condition in paused["status"]["conditions"].as_array_mut().unwrap() {
        let reconciles = condition["type"] == "Reconciling";
        condition["reason"] = json!("DeploymentPaused");
        condition["status"] = json!(if reconciles { "True" } else { "False" });
    }
    state("a deployment waits for somebody", paused, "Suspended", "InProgress");
    let mut leaving = steady.object(Kind::Service, "web");
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    state("it is being deleted", leaving, "Progressing", "Current");

    steady.put(Kind::Service, "web", &json!({"taskDefinition": "web", "desiredCount": 5}));
    state("a new spec", steady.object(Kind::Service, "web"), "Progressing", "InProgress");
    steady.settle();
    state("it is scaled", steady.object(Kind::Service, "web"), "Progressing", "InProgress");

    let mut scaled = json!({"taskDefinition": "web", "desiredCount": 2,
        "autoscaling": {"scalableTarget": {"minCapacity": 1, "maxCapacity": 9}}});
    let mut told = running(&scaled);
    scaled["desiredCount"] = json!(5);
    told.put(Kind::Service, "web", &scaled);
    told.settle();
    state("its autoscaler scales", told.object(Kind::Service, "web"), "Healthy", "InProgress");

    let alone = Told::of(&[(Kind::Service, "web", service.clone())]);
    let object = alone.object(Kind::Service, "web");
    state("its task definition is not there", object, "Degraded", "Failed");
    let wrong = json!({"taskDefinition": "web", "desiredCount": -1});
    let wrong = Told::of(&[
        (Kind::TaskDefinition, "web", task_definition("web:1")),
        (Kind::Service, "web", wrong),
    ]);
    state("its spec breaks a rule", wrong.object(Kind::Service, "web"), "Degraded", "Failed");

    let wrong = Told::of(&[(Kind::TaskDefinition, "web", json!({"containerDefinitions": []}))]);
    let object = wrong.object(Kind::TaskDefinition, "web");
    state("a family is refused", object, "Degraded", "Failed");

    let kinds = Told::of(&[
        (Kind::Cluster, "default", json!({})),
        (Kind::Cluster, "wrong", json!({"clusterName": "a b"})),
        (Kind::CapacityProvider, "fargate", json!({"name": "FARGATE", "fargateProfile": {}})),
        (Kind::CapacityProvider, "spot", json!({"managedNodeGroup": {}})),
        (Kind::Task, "job", json!({"taskDefinition": "web"})),
        (Kind::Rule, "nightly", json!({"scheduleExpression": "rate(1 day)"})),
    ]);
    state("a cluster", kinds.object(Kind::Cluster, "default"), "Healthy", "Current");
    state("a cluster is refused", kinds.object(Kind::Cluster, "wrong"), "Degraded", "Failed");
    let object = kinds.object(Kind::CapacityProvider, "fargate");
    state("a provider that is any node", object, "Healthy", "Current");
    let object = kinds.object(Kind::CapacityProvider, "spot");
    state("a provider whose nodes are to come", object, "Progressing", "InProgress");
    states.extend(runs_and_schedules(&kinds));
    states
}

/// What this version only stores is Degraded, with the reason.
fn runs_and_schedules(kinds: &Told) -> [(&'static str, (Value, &'static str, &'static str)); 2] {
    [("a task", Kind::Task, "job"), ("a rule", Kind::Rule, "nightly")]
        .map(|(said, kind, name)| (said, (kinds.object(kind, name), "Degraded", "Failed")))
}

#[test]
fn every_state_is_told_as_what_it_is() {
    for (name, (object, argo, flux)) in states() {
        let said = health(&object);
        tell!("{:>33}: Argo CD {:<11} Flux {:<10} {}", name, said.argo, said.flux, said.message);
        assert_eq!((said.argo.as_str(), said.flux), (argo, flux), "{name}: {object:#}");
        assert!(!said.message.is_empty(), "{name}: Argo CD shows why");
    }
}

#[test]
fn a_refusal_is_told_in_the_operators_words() {
    let (object, ..) = &states()["its task definition is not there"];
    let message = health(object).message;
    assert!(message.starts_with("TaskDefinitionNotFound: "), "{message}");
    assert!(message.contains("no TaskDefinition of family `web`"), "{message}");
}

#[test]
fn the_actions_start_a_deployment_and_go_back() {
    let action = |name: &str, object: &Value| {
        run(&read(&format!("gitops/argocd/actions/Service/{name}.lua")), object)
    };
    let told = running(&json!({"taskDefinition": "web", "desiredCount": 2}));
    let object = told.object(Kind::Service, "web");
    let offered = action("discovery", &object);
    assert_eq!(offered, json!({"redeploy": {"disabled": false}, "roll-back": {"disabled": true}}));

    let nonce = "ecs.linkspan.dev/force-new-deployment";
    let redeployed = action("redeploy", &object);
    assert!(redeployed["metadata"]["annotations"][nonce].as_str().unwrap().ends_with('Z'));
    assert_eq!(redeployed["spec"], object["spec"]);

    // A newest deployment with another task definition, as the status would have it.
    let mut rolled = object.clone();
    let deployments = rolled["status"]["deployments"].as_array_mut().unwrap();
    let mut newest = deployments[0].clone();
    newest["taskDefinition"] = json!("web:2");
    newest["rolloutState"] = json!("IN_PROGRESS");
    deployments.insert(0, newest);
    assert_eq!(action("discovery", &rolled)["roll-back"]["disabled"], false);
    assert_eq!(action("roll-back", &rolled)["spec"]["taskDefinition"], "web:1");
}
