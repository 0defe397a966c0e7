//! Who reaches a service's tasks, and how: the NetworkPolicy, Ingresses and corev1 Services of the
//! tables' rows.

use super::*;
use crate::names;

const GROUPS: &str = "/spec/ingress/0/ports/0/port";

fn asked() -> Value {
    let mut spec = service();
    spec["networkConfiguration"] = json!({"awsvpcConfiguration":
        {"subnets": ["subnet-1"], "securityGroups": ["sg-1", "sg-2"]}});
    spec["loadBalancers"] = json!([
        {"targetGroupArn": "web", "containerName": "main", "containerPort": 80},
        {"targetGroupArn": "raw", "containerName": "main", "containerPort": 80},
    ]);
    spec
}

fn cluster() -> Value {
    json!({"clusterName": "default", "kubernetes": {
        "securityGroups": [
            {"securityGroup": "sg-1", "ingress": [{"from": [{"securityGroup": "sg-lb"}], "ports": [80]}]},
            {"securityGroup": "sg-2", "ingress": [{"from": [{"service": "api"}]}],
                "egress": [{"to": [{"cidr": "10.0.0.0/8"}], "ports": ["5432-5433"]}]},
        ],
        "targetGroups": [
            {"targetGroup": "web", "ingress": {"className": "nginx", "host": "shop.example.com",
                "path": "/api", "tlsSecretName": "shop"}},
            {"targetGroup": "raw", "service": {"type": "LoadBalancer", "port": 8080,
                "annotations": {"example.com/scheme": "internal"}}},
        ],
    }})
}

fn scene() -> Scene {
    let mut scene = Scene::of(&task_definition(), &asked());
    scene.apply(Kind::Cluster, "c", &cluster());
    scene.be_still();
    scene.finish();
    scene
}

/// The objects of a kind of the service, the plain corev1 Service left out.
fn made(scene: &Scene, kind: Kind) -> Vec<Value> {
    let index = Index::service(NAMESPACE, "uid-front");
    let keys = match kind {
        Kind::NetworkPolicy => scene.world.network_policies.find_keys(&index),
        Kind::Ingress => scene.world.ingresses.find_keys(&index),
        _ => scene.world.endpoints.find_keys(&index),
    };
    let keys = keys.into_iter().filter(|key| key.name != "frontend");
    keys.map(|key| scene.world.body(&key).unwrap()).collect()
}

fn one(scene: &Scene, kind: Kind) -> Value {
    let mut all = made(scene, kind);
    assert_eq!(all.len(), 1, "{kind:?}: {all:?}");
    all.remove(0)
}

#[test]
fn one_network_policy_has_the_rules_of_all_groups() {
    let mut scene = scene();
    let rows = cluster();
    let policy = one(&scene, Kind::NetworkPolicy);
    assert_eq!(policy["metadata"]["name"], names::network_policy("frontend", "uid-front"));
    assert_eq!(policy["metadata"]["ownerReferences"][0]["uid"], "uid-front");
    let spec = &policy["spec"];
    assert_eq!(spec["podSelector"]["matchLabels"], json!({label::SERVICE_UID: "uid-front"}));
    assert_eq!(spec["policyTypes"], json!(["Ingress"]), "sg-1 lets anything out");
    let group = json!({"podSelector": {"matchExpressions":
        [{"key": "security-group.ecs.linkspan.dev/sg-lb", "operator": "Exists"}]}});
    let service = json!({"podSelector": {"matchLabels":
        {"ecs.linkspan.dev/cluster": "default", "ecs.linkspan.dev/service": "api"}}});
    assert_eq!(
        spec["ingress"],
        json!([{"from": [group], "ports": [{"protocol": "TCP", "port": 80}]}, {"from": [service]}])
    );

    let mut closed = rows;
    closed["kubernetes"]["securityGroups"][0]["egress"] = json!([]);
    scene.apply(Kind::Cluster, "c", &closed);
    scene.settle();
    let spec = &one(&scene, Kind::NetworkPolicy)["spec"];
    assert_eq!(spec["policyTypes"], json!(["Ingress", "Egress"]));
    let rule = &spec["egress"][1];
    assert_eq!(rule["to"], json!([{"ipBlock": {"cidr": "10.0.0.0/8"}}]));
    assert_eq!(rule["ports"], json!([{"protocol": "TCP", "port": 5432, "endPort": 5433}]));
    let dns = &spec["egress"][0];
    assert_eq!(dns["ports"][0], json!({"protocol": "UDP", "port": 53}));
    assert_eq!(scene.newest(), 1, "rows of groups start no deployment");
}

#[test]
fn pods_carry_their_groups_where_there_are_some() {
    let labels = |scene: &Scene| {
        let labels = scene.deployment()["spec"]["template"]["metadata"]["labels"].clone();
        let names = labels.as_object().unwrap().keys().cloned();
        names.filter(|name| name.starts_with("security-group")).collect::<Vec<_>>()
    };
    let of = |group: &str| format!("security-group.ecs.linkspan.dev/{group}");
    assert_eq!(labels(&scene()), [of("sg-1"), of("sg-2")]);
    assert_eq!(labels(&Scene::usual()), [""; 0]);
    assert_eq!(
        scene().deployment()["spec"]["selector"]["matchLabels"].as_object().unwrap().len(),
        3
    );
}

#[test]
fn a_group_without_a_row_leaves_no_policy_and_no_half_of_one() {
    let mut scene = scene();
    let mut half = cluster();
    half["kubernetes"]["securityGroups"].as_array_mut().unwrap().remove(1);
    scene.apply(Kind::Cluster, "c", &half);
    scene.settle();
    assert_eq!(made(&scene, Kind::NetworkPolicy), [Value::Null; 0]);
    let status = scene.body(Kind::Service, OBJECT)["status"].clone();
    let said = status["conditions"].to_string();
    assert!(said.contains("no NetworkPolicy is made of sg-1, since nobody knows"), "{said}");
    assert!(said.contains("{securityGroup: sg-2, ingress: [{}]}"), "{said}");
}

#[test]
fn in_a_roll_the_groups_of_old_and_new_tasks_count() {
    let mut scene = scene();
    let ports = |scene: &Scene| {
        let spec = one(scene, Kind::NetworkPolicy)["spec"].clone();
        spec["ingress"].as_array().unwrap().len()
    };
    scene.change(
        "networkConfiguration",
        json!({"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-2"]}}),
    );
    // A task of the deployment before.
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "old", "namespace": NAMESPACE, "uid": "old",
            "labels": {label::SERVICE_UID: "uid-front", label::DEPLOYMENT: "1"}},
    });
    scene.world.put(Kind::Pod, pod).unwrap();
    scene.be_still();
    assert_eq!((scene.newest(), ports(&scene)), (2, 2));
    scene.world.remove(&ObjectKey::new(Kind::Pod, NAMESPACE, "old"));
    scene.finish();
    assert_eq!(ports(&scene), 1);
}

#[test]
fn an_ingress_leads_to_the_plain_corev1_service() {
    let ingress = one(&scene(), Kind::Ingress);
    assert_eq!(ingress["metadata"]["ownerReferences"][0]["uid"], "uid-front");
    let backend = json!({"service": {"name": "frontend", "port": {"number": 80}}});
    assert_eq!(
        ingress["spec"],
        json!({
            "ingressClassName": "nginx",
            "rules": [{"host": "shop.example.com", "http": {"paths":
                [{"path": "/api", "pathType": "Prefix", "backend": backend}]}}],
            "tls": [{"hosts": ["shop.example.com"], "secretName": "shop"}],
        })
    );
}

#[test]
fn a_corev1_service_of_its_own_leads_to_the_port() {
    let found = one(&scene(), Kind::Endpoints);
    assert_eq!(found["metadata"]["annotations"]["example.com/scheme"], "internal");
    let spec = &found["spec"];
    assert_eq!(spec["type"], "LoadBalancer");
    assert_eq!(
        spec["ports"],
        json!([{"name": "tcp-8080", "port": 8080, "targetPort": 80, "protocol": "TCP"}])
    );
    let plain = scene().body(Kind::Endpoints, "frontend");
    assert_eq!(spec["selector"], plain["spec"]["selector"]);
    assert!(plain["spec"].get("type").is_none(), "the plain one stays as it was");
}

#[test]
fn what_was_changed_comes_back_and_what_nothing_asks_for_goes() {
    let mut scene = scene();
    let kinds = [Kind::NetworkPolicy, Kind::Ingress, Kind::Endpoints];
    for (kind, edits) in [
        (kinds[0], vec![(GROUPS, json!(81)), ("/spec/policyTypes", json!(["Egress"]))]),
        (kinds[0], vec![("/spec/podSelector/matchLabels/app", json!("other"))]),
        (kinds[0], vec![("/spec/ingress/0/ports/1", json!({"port": 22, "protocol": "TCP"}))]),
        (kinds[1], vec![("/spec/rules/0/http/paths/0/path", json!("/"))]),
        (kinds[1], vec![("/spec/tls/0/hosts/1", json!("else.example.com"))]),
        (kinds[2], vec![("/spec/type", json!("NodePort"))]),
    ] {
        let before = one(&scene, kind);
        let mut edited = before.clone();
        for (pointer, value) in edits {
            put(&mut edited, pointer, value);
        }
        assert_ne!(edited, before);
        scene.world.put(kind, edited).unwrap();
        scene.settle();
        assert_eq!(one(&scene, kind)["spec"], before["spec"], "{kind:?}");
    }
    for kind in kinds {
        let name = one(&scene, kind)["metadata"]["name"].as_str().unwrap().to_owned();
        scene.world.remove(&ObjectKey::new(kind, NAMESPACE, &name));
        scene.settle();
        assert_eq!(one(&scene, kind)["metadata"]["name"], name, "it is made again");
    }
    scene.apply(Kind::Cluster, "c", &json!({"clusterName": "default"}));
    scene.settle();
    for kind in kinds {
        assert_eq!(made(&scene, kind), [Value::Null; 0], "{kind:?}");
    }
}

/// Puts a value at a place, a new one of a list or an object too.
fn put(body: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match body.pointer_mut(parent).unwrap() {
        Value::Array(list) => {
            let at: usize = name.parse().unwrap();
            list.truncate(at.max(list.len()));
            if at < list.len() { list[at] = value } else { list.push(value) }
        }
        other => other[name] = value,
    }
}

#[test]
fn tasks_are_kept_from_others_before_they_start_and_reached_after() {
    let mut scene = scene();
    let deployment = scene.deployment_key();
    scene.world.remove(&deployment);
    for kind in [Kind::NetworkPolicy, Kind::Ingress, Kind::Endpoints] {
        let name = one(&scene, kind)["metadata"]["name"].as_str().unwrap().to_owned();
        scene.world.remove(&ObjectKey::new(kind, NAMESPACE, &name));
    }
    let writes = scene.plan(&Moment::at(scene.now)).writes;
    let kinds: Vec<Kind> = writes.iter().map(|write| write.key().kind).collect();
    let place = |kind: Kind| kinds.iter().rposition(|of| *of == kind).unwrap();
    assert!(place(Kind::NetworkPolicy) < place(Kind::Deployment), "{kinds:?}");
    assert!(place(Kind::Deployment) < place(Kind::Ingress), "{kinds:?}");
    assert!(place(Kind::Deployment) < place(Kind::Endpoints), "{kinds:?}");
}

#[test]
fn rows_of_a_cluster_that_is_refused_change_nothing() {
    let mut scene = scene();
    let kinds = [Kind::NetworkPolicy, Kind::Ingress, Kind::Endpoints];
    let before = kinds.map(|kind| one(&scene, kind));
    let mut broken = cluster();
    broken["kubernetes"]["securityGroups"][0]["ingress"][0]["ports"] = json!(["http"]);
    broken["kubernetes"]["targetGroups"] =
        json!([{"targetGroup": "web", "ingress": {"path": "x"}}]);
    scene.apply(Kind::Cluster, "c", &broken);
    scene.settle();
    let after = kinds.map(|kind| one(&scene, kind));
    assert_eq!(after, before);
}

#[test]
fn what_is_in_the_way_is_left_alone_and_named() {
    let mut scene = Scene::of(&task_definition(), &asked());
    let names: Vec<String> = exposures(&asked(), "frontend", "uid-front").into_iter().collect();
    for name in &names {
        let theirs = json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": name, "namespace": NAMESPACE, "uid": "theirs"},
        });
        scene.world.put(Kind::Ingress, theirs).unwrap();
    }
    scene.apply(Kind::Cluster, "c", &cluster());
    scene.be_still();
    let (reason, message, _) = scene.ready(OBJECT);
    assert_eq!(reason, "ChildConflict", "{message}");
    assert!(message.contains("Ingress.networking.k8s.io shop/frontend-"), "{message}");
    scene.apply(Kind::Cluster, "c", &json!({"clusterName": "default"}));
    scene.be_still();
    assert_eq!(scene.world.ingresses.iter().count(), names.len(), "theirs are not deleted");
}

#[test]
fn what_only_carries_our_label_is_not_deleted() {
    let mut scene = Scene::usual();
    let exposed = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "exposed", "namespace": NAMESPACE, "uid": "exposed",
            "labels": {label::SERVICE_UID: "uid-front"}},
        "spec": {"type": "NodePort", "ports": [{"port": 80}]},
    });
    scene.world.put(Kind::Endpoints, exposed.clone()).unwrap();
    scene.settle();
    assert_eq!(scene.body(Kind::Endpoints, "exposed")["spec"], exposed["spec"]);
}

#[test]
fn no_ingress_leads_to_somebody_elses_corev1_service() {
    let mut scene = Scene::of(&task_definition(), &asked());
    let theirs = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "frontend", "namespace": NAMESPACE, "uid": "theirs"},
    });
    scene.world.put(Kind::Endpoints, theirs).unwrap();
    scene.apply(Kind::Cluster, "c", &cluster());
    scene.be_still();
    assert_eq!(made(&scene, Kind::Ingress), [Value::Null; 0]);
    one(&scene, Kind::NetworkPolicy);
}

/// Puts in a task of the newest deployment that runs, with what its kubelet says of its images.
fn runs(scene: &mut Scene, name: &str, created: i64, images: &Value) {
    let sequence = scene.newest().to_string();
    let statuses: Vec<Value> = images
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, id)| {
            json!({"name": name, "image": "", "imageID": id, "ready": true, "restartCount": 0})
        })
        .collect();
    let created = Timestamp::from_second(created).unwrap().to_string();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": name, "creationTimestamp": created,
            "labels": {label::SERVICE_UID: "uid-front", label::DEPLOYMENT: sequence}},
        "status": {"phase": "Running", "containerStatuses": statuses},
    });
    scene.world.put(Kind::Pod, pod).unwrap();
}

fn images(scene: &Scene) -> Value {
    let name = names::record("frontend", "uid-front", scene.newest());
    let key = ObjectKey::new(Kind::ServiceDeployment, NAMESPACE, &name);
    scene.world.body(&key).unwrap()["status"]["containerImages"].clone()
}

#[test]
fn the_images_of_the_first_task_that_runs_are_recorded_once_per_deployment() {
    let mut definition = task_definition();
    definition["containerDefinitions"][0]["name"] = json!("Main");
    let mut scene = Scene::of(&definition, &service());
    let main = crate::names::dns_label("Main", 63);
    let runs = |scene: &mut Scene, name: &str, created: i64, id: &str| {
        runs(scene, name, created, &json!({main.as_str(): id}));
        scene.settle();
    };
    assert_eq!(images(&scene), Value::Null);
    runs(&mut scene, "untold", 10, "");
    assert_eq!(images(&scene), Value::Null, "a kubelet that does not tell");
    runs(&mut scene, "second", 30, "docker.io/library/example@sha256:22");
    let of = |digest: &str| json!([{"containerName": "Main", "image": "example:1", "imageDigest": digest}]);
    assert_eq!(images(&scene), of("sha256:22"));
    runs(&mut scene, "first", 20, "docker.io/library/example@sha256:11");
    assert_eq!(images(&scene), of("sha256:22"), "what is written is not written again");
    scene.change("platformVersion", json!("1.4.0"));
    scene.be_still();
    assert_eq!((scene.newest(), images(&scene)), (2, Value::Null));
    runs(&mut scene, "next", 40, "sha256:33");
    assert_eq!(images(&scene), of("sha256:33"));
}

#[test]
fn of_two_tasks_that_run_the_older_tells_and_both_containers_must() {
    let mut definition = task_definition();
    let side = json!({"name": "side", "image": "side:2", "memory": 64});
    definition["containerDefinitions"].as_array_mut().unwrap().push(side);
    let mut scene = Scene::of(&definition, &service());
    runs(&mut scene, "a", 30, &json!({"main": "x@sha256:33", "side": "y@sha256:44"}));
    runs(&mut scene, "b", 20, &json!({"main": "x@sha256:11", "side": "y@sha256:22"}));
    runs(&mut scene, "c", 10, &json!({"main": "x@sha256:55", "side": ""}));
    let before = scene.world.records.iter().count();
    scene.settle();
    let digests: Vec<Value> =
        images(&scene).as_array().unwrap().iter().map(|one| one["imageDigest"].clone()).collect();
    assert_eq!(digests, ["sha256:11", "sha256:22"]);
    assert_eq!(scene.world.records.iter().count(), before, "and it starts no deployment");
}

#[test]
fn an_alarm_of_the_cluster_triggers_the_policies_that_it_names() {
    let alarm = |actions: Value| {
        json!({"alarmName": "high", "namespace": "AWS/ECS", "metricName": "CPUUtilization",
            "comparisonOperator": "GreaterThanThreshold", "threshold": 80, "evaluationPeriods": 3,
            "alarmActions": actions})
    };
    let policy = json!({"policyName": "out", "stepScalingPolicyConfiguration": {
        "adjustmentType": "ChangeInCapacity",
        "stepAdjustments": [{"metricIntervalLowerBound": 0, "scalingAdjustment": 1}]}});
    let scaled = |own: Value| {
        let mut spec = service();
        spec["autoscaling"] = json!({"scalableTarget": {"minCapacity": 1, "maxCapacity": 9},
            "scalingPolicies": [policy]});
        spec["kubernetes"] = json!({"scaling": {"alarms": own}});
        spec
    };
    let said = |own: Value, rows: Value| {
        let mut scene = Scene::of(&task_definition(), &scaled(own));
        scene.apply(
            Kind::Cluster,
            "c",
            &json!({"clusterName": "default", "kubernetes": {"alarms": rows}}),
        );
        scene.settle();
        let key = ObjectKey::new(Kind::Service, NAMESPACE, OBJECT);
        let found = findings(&scene.world, &key);
        let words = found.0.iter().filter(|finding| {
            finding.message.contains("nothing triggers")
                || finding.message.contains("nothing says")
                || finding.message.contains("both trigger")
        });
        words.map(|finding| finding.path.clone()).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    assert_eq!(said(json!([]), json!([])), ["autoscaling.scalingPolicies[0]"]);
    assert_eq!(said(json!([]), json!([alarm(json!(["out"]))])), none);
    let by_name = json!([{"alarmName": "high", "alarmActions": ["out"]}]);
    assert_eq!(said(by_name.clone(), json!([alarm(json!([]))])), none);
    assert_eq!(said(by_name, json!([])), ["kubernetes.scaling.alarms[0]"]);
    let mut other = alarm(json!(["out"]));
    other["alarmName"] = json!("other");
    let two = json!([alarm(json!(["out"])), other]);
    assert_eq!(said(json!([]), two), ["autoscaling.scalingPolicies"]);
}
