//! Does the operator use every right that it has, and ask for no other? The API server's audit log says
//! so, of an operator that runs with the chart's account.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1 as appsv1;
use k8s_openapi::api::authorization::v1::SelfSubjectRulesReview;
use k8s_openapi::api::autoscaling::v2 as autoscalingv2;
use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::api::networking::v1 as networkingv1;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};
use linkspan::api::{CapacityProvider, Cluster, Rule, Service, Task, TaskDefinition};
use linkspan::names::label;
use linkspan::sandbox::control_plane::ControlPlane;
use serde_json::{Value, json};

use crate::helm::template;
use crate::manifests::read;
use crate::operator::{ACCOUNT, NAMESPACE, Operator, apply, bare, install, place_of, thief};
use crate::rules::{PROVIDERS, Right, granted, right, rights};
use crate::support::{Place, audited, status_of, task_definition, until};

/// What the operator asked of the API server, by the audit log.
pub(crate) fn requests(control_plane: &ControlPlane) -> Vec<Value> {
    let ours = |line: &Value| {
        line["user"]["username"] == ACCOUNT
            && line["userAgent"].as_str().is_some_and(|by| by.starts_with("linkspan/"))
            && line["objectRef"].is_object()
    };
    audited(&control_plane.audit_log()).into_iter().filter(ours).collect()
}

/// What the operator asked for and was refused. The plugin that looks at owner references knows a new
/// kind only half a minute after its definition; until then it refuses what names it.
pub(crate) fn refused(control_plane: &ControlPlane) -> Vec<Value> {
    let mut refused = requests(control_plane);
    refused.retain(|line| {
        let status = &line["responseStatus"];
        let message = status["message"].as_str().unwrap_or_default();
        status["code"] == 403 && !message.contains("cannot find RESTMapping")
    });
    refused
}

/// The rights that a request takes.
fn used(line: &Value) -> Vec<Right> {
    let of = &line["objectRef"];
    let text = |member: &str| of[member].as_str().unwrap_or_default();
    let (verb, group) = (line["verb"].as_str().unwrap(), text("apiGroup"));
    if group.ends_with(".metrics.k8s.io") {
        // The metrics' names are the resources.
        return vec![right(verb, "*", group)];
    }
    let resource = match text("subresource") {
        "" => text("resource").to_owned(),
        subresource => format!("{}/{subresource}", text("resource")),
    };
    let mut rights = vec![right(verb, &resource, group)];
    if verb == "patch" && line["responseStatus"]["code"] == 201 {
        // Applying what is not there asks for both.
        rights.push(right("create", &resource, group));
    }
    rights
}

/// Rights that no request shows, and why they are there.
fn unseen() -> BTreeMap<Right, &'static str> {
    let ours = "ecs.linkspan.dev";
    BTreeMap::from([
        (
            right("update", "services/finalizers", ours),
            "asked for by the admission plugin OwnerReferencesPermissionEnforcement, which is on here",
        ),
        (
            right("get", "servicedeployments", ours),
            "a race: it was there, and no watch had brought it",
        ),
        (right("get", "taskdefinitionrevisions", ours), "a race: likewise"),
        (
            right("patch", "nodes", ""),
            "labels for constraints, and cordoning: not in this scenario",
        ),
        (right("create", "pods/eviction", ""), "drains: not in this scenario"),
    ])
}

/// Everything that the operator does, in one namespace.
async fn everything(place: &Place, admin: &Client) {
    place.apply::<Cluster>("default", json!({})).await;
    place.apply::<Task>("job", json!({"taskDefinition": "web"})).await;
    place.apply::<Rule>("nightly", json!({"scheduleExpression": "rate(1 day)"})).await;
    let providers: Api<CapacityProvider> = Api::all(admin.clone());
    let spot = json!({"apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "CapacityProvider",
        "metadata": {"name": "spot"}, "spec": {"managedNodeGroup": {}}});
    apply(&providers, "spot", &spot).await;

    // No unused revision is kept, so that revisions go.
    let mut family = task_definition("example/web:1");
    family["kubernetes"] = json!({"revisionHistoryLimit": 0});
    place.apply::<TaskDefinition>("web", family.clone()).await;
    place.service("web", json!({"taskDefinition": "web"})).await;
    let service = place.steady("web", 1, "web:1").await;
    place.scale("web", 2).await;
    place.steady("web", 2, "web:1").await;
    for revision in [2, 3] {
        family["containerDefinitions"][0]["image"] = json!(format!("example/web:{revision}"));
        if revision == 3 {
            // Without a port there is no corev1 Service.
            family["containerDefinitions"][0]["portMappings"] = json!([]);
        }
        place.apply::<TaskDefinition>("web", family.clone()).await;
        place.steady("web", 2, &format!("web:{revision}")).await;
    }
    until("the corev1 Service goes", || async {
        let left = place.children::<corev1::Service>(&service).await.len();
        if left == 0 { Ok(()) } else { Err(left.to_string()) }
    })
    .await;
    family["containerDefinitions"][0]["portMappings"] = json!([{"containerPort": 80}]);
    place.apply::<TaskDefinition>("web", family).await;
    let agent = json!({"taskDefinition": "web", "schedulingStrategy": "DAEMON"});
    place.service("agent", agent).await;
    outward(place, &service).await;
    between_providers(place, &service).await;
    scaled(place, &service).await;
    measured(place).await;
}

/// A network policy and an ingress by the rows of a Cluster come and go.
async fn outward(place: &Place, service: &Service) {
    let rows = json!({"kubernetes": {
        "securityGroups": [{"securityGroup": "sg-web",
            "ingress": [{"from": [{"cidr": "10.0.0.0/16"}], "ports": [80]}]}],
        "targetGroups": [{"targetGroup": "web", "ingress": {"host": "shop.example.com"}}]}});
    place.apply::<Cluster>("default", rows).await;
    place
        .service("web", json!({"taskDefinition": "web", "desiredCount": 2,
            "loadBalancers": [{"targetGroupArn": "web", "containerName": "app", "containerPort": 80}],
            "networkConfiguration": {"awsvpcConfiguration":
                {"subnets": ["subnet-1"], "securityGroups": ["sg-web"]}}}))
        .await;
    for wanted in [1, 0] {
        until("the network policy and the ingress", || async {
            let policies = place.children::<networkingv1::NetworkPolicy>(service).await.len();
            let ingresses = place.children::<networkingv1::Ingress>(service).await.len();
            let seen = (policies, ingresses);
            if seen == (wanted, wanted) { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
        let none = json!({"kubernetes": {"securityGroups": [], "targetGroups": []}});
        place.apply::<Cluster>("default", none).await;
    }
}

/// A workload of a capacity provider's own comes and goes.
async fn between_providers(place: &Place, service: &Service) {
    for strategy in [json!([{"capacityProvider": "on-demand", "weight": 1}]), json!(null)] {
        let mut spec = json!({"taskDefinition": "web", "desiredCount": 2});
        spec["capacityProviderStrategy"] = strategy.clone();
        place.service("web", spec).await;
        until("all tasks are in one workload, of the strategy", || async {
            let found = place.children::<appsv1::Deployment>(service).await;
            let of: Vec<bool> = found
                .iter()
                .map(|one| {
                    let selector = one.spec.as_ref().unwrap().selector.match_labels.as_ref();
                    selector.unwrap()[label::CAPACITY_PROVIDER] == "on-demand"
                })
                .collect();
            let service = place.api::<Service>().get("web").await.unwrap();
            let conditions = status_of(&service).conditions;
            if of == [!strategy.is_null()] { Ok(()) } else { Err(format!("{of:?} {conditions:?}")) }
        })
        .await;
    }
}

/// Target tracking comes and goes; a count that its manifest stops setting is put back.
async fn scaled(place: &Place, service: &Service) {
    let tracking = |policies: Value| {
        json!({"taskDefinition": "web", "autoscaling": {
            "scalableTarget": {"minCapacity": 1, "maxCapacity": 6}, "scalingPolicies": policies}})
    };
    let cpu = json!([{"policyName": "cpu", "targetTrackingScalingPolicyConfiguration": {"targetValue": 60,
        "predefinedMetricSpecification": {"predefinedMetricType": "ECSServiceAverageCPUUtilization"}}}]);
    let autoscalers = |wanted: usize| async move {
        until("the autoscaler", || async {
            let found =
                place.children::<autoscalingv2::HorizontalPodAutoscaler>(service).await.len();
            if found == wanted { Ok(()) } else { Err(found.to_string()) }
        })
        .await;
    };
    place.service("web", tracking(cpu)).await;
    autoscalers(1).await;
    let mut bounded = tracking(json!([]));
    bounded["desiredCount"] = json!(3);
    place.service("web", bounded).await;
    autoscalers(0).await;
    place.steady("web", 3, "web:4").await;
    place.service("web", tracking(json!([]))).await;
    place
        .service_when("web", "the count is put back", |service| {
            let state = status_of(service).scaling.unwrap_or_default();
            service.spec.0["desiredCount"] == json!(3)
                && state.activities.iter().any(|one| one.cause.contains("no longer sets"))
        })
        .await;
}

/// Policies that the operator evaluates itself ask each of the three APIs for metrics.
async fn measured(place: &Place) {
    let custom = |name: &str| {
        json!({"policyName": name, "targetTrackingScalingPolicyConfiguration": {"targetValue": 100,
            "customizedMetricSpecification": {"namespace": "Shop", "metricName": name,
                "statistic": "Average"}}})
    };
    let cpu = json!({"policyName": "cpu", "targetTrackingScalingPolicyConfiguration": {"targetValue": 60,
        "predefinedMetricSpecification": {"predefinedMetricType": "ECSServiceAverageCPUUtilization"}}});
    let spec = json!({
        "taskDefinition": "web", "desiredCount": 1,
        // From none: no HorizontalPodAutoscaler does that.
        "autoscaling": {"scalableTarget": {"minCapacity": 0, "maxCapacity": 8},
            "scalingPolicies": [cpu, custom("backlog"), custom("requests")]},
        "kubernetes": {"scaling": {"metrics": {
            "backlog": {"external": {"name": "jobs_waiting"}, "perTask": true},
            "requests": {"pods": {"name": "requests_per_second"}}}}},
    });
    place.service("worker", spec).await;
}

#[tokio::test]
async fn the_operator_uses_every_right_that_it_has_and_asks_for_no_other() {
    let control_plane = bare().await;
    let admin = Client::try_from(control_plane.config()).unwrap();
    install(&control_plane, &[PROVIDERS]);
    let operator = Operator::start(&control_plane, &[]).await;
    let place = place_of(&control_plane, "rights", "dev").await;
    everything(&place, &admin).await;

    let granted = granted(&template(&[PROVIDERS]));
    let unseen = unseen();
    let idle: Vec<&Right> = unseen.keys().filter(|right| !granted.contains(right)).collect();
    assert!(idle.is_empty(), "not granted, so not to be excused: {idle:?}");
    // Metrics are asked for once a minute.
    let patience = std::time::Duration::from_secs(130);
    let until = tokio::time::Instant::now() + patience;
    let (used, unused) = loop {
        let used: BTreeSet<Right> = requests(&control_plane).iter().flat_map(used).collect();
        let unused: Vec<String> = granted
            .iter()
            .filter(|right| !used.contains(right) && !unseen.contains_key(right))
            .map(ToString::to_string)
            .collect();
        if unused.is_empty() || tokio::time::Instant::now() > until {
            break (used, unused);
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    };
    assert_eq!(unused, [""; 0], "granted and never used\n{}", operator.said());
    let missing: Vec<String> =
        refused(&control_plane).iter().map(|line| line["responseStatus"].to_string()).collect();
    assert_eq!(missing, [""; 0], "asked for and not granted");
    for (right, why) in &unseen {
        assert!(
            !used.contains(right) || right.verb == "get",
            "{right} is used, so need no excuse: {why}"
        );
    }
    tell!(
        "rights of the operator: {} granted, {} seen in use, excused:",
        granted.len(),
        used.len()
    );
    for (right, why) in &unseen {
        tell!("  {right}: {why}");
    }

    only_where_it_should(&control_plane, &place);
    the_metrics_are_those_that_are_named(&operator).await;
    place.api::<Service>().delete("web", &DeleteParams::foreground()).await.unwrap();
    drop(operator);
    control_plane.stop().await;
}

/// No request went to another namespace than those in which there is something of Linkspan's, and for
/// the Lease its own.
fn only_where_it_should(control_plane: &ControlPlane, place: &Place) {
    for line in requests(control_plane) {
        if let Some(namespace) = line["objectRef"]["namespace"].as_str() {
            let of_the_lease = line["objectRef"]["resource"] == "leases" && namespace == NAMESPACE;
            let expected = namespace == place.namespace || namespace == "default";
            assert!(expected || of_the_lease, "{line}");
        }
        assert_ne!(line["objectRef"]["resource"], "secrets", "{line}");
    }
}

/// What the dashboard and the alerts ask for and the docs name is served under that name, and the docs
/// name all that is served.
async fn the_metrics_are_those_that_are_named(operator: &Operator) {
    let served = operator.get("/metrics").await;
    let told = read("docs/operations.md");
    for line in served.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let family = line.split(' ').next().unwrap();
        assert!(told.contains(family), "docs/operations.md does not name {family}");
    }
    let asked = [
        read("charts/linkspan/files/dashboard.json"),
        read("charts/linkspan/templates/prometheusrule.yaml"),
        told,
    ]
    .join("\n");
    let mut names = BTreeSet::new();
    for (at, _) in asked.match_indices("linkspan_") {
        let is_part = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        names.insert(asked[at..].chars().take_while(is_part).collect::<String>());
    }
    assert!(names.len() > 12, "{names:?}");
    for name in names {
        let family = ["_bucket", "_total"]
            .iter()
            .fold(name.as_str(), |name, end| name.strip_suffix(end).unwrap_or(name));
        assert!(served.contains(&format!("# TYPE {family} ")), "{name} is not served:\n{served}");
    }
}

#[tokio::test]
async fn the_cluster_knows_of_no_other_right_of_the_operators_account() {
    let control_plane = bare().await;
    install(&control_plane, &[]);
    let thief = thief(&control_plane).await;
    let api = Api::all(thief);
    let granted = granted(&template(&[]));
    // In its own namespace the Lease comes to what it has in all.
    let of_the_lease = |right: &&Right| right.group == "coordination.k8s.io";
    for (namespace, leads) in [("default", false), (NAMESPACE, true)] {
        let review: SelfSubjectRulesReview =
            serde_json::from_value(json!({"spec": {"namespace": namespace}})).unwrap();
        let answer = api.create(&PostParams::default(), &review).await.unwrap();
        let found = rights(&json!(answer.status.unwrap().resource_rules));
        // What every user may ask about themselves.
        let of_everybody = |right: &&Right| right.resource.starts_with("selfsubject");
        let found: Vec<&Right> = found.iter().filter(|right| !of_everybody(right)).collect();
        let wanted: Vec<&Right> =
            granted.iter().filter(|right| leads || !of_the_lease(right)).collect();
        let list = |rights: &[&Right]| rights.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(list(&found), list(&wanted), "{namespace}");
    }
    control_plane.stop().await;
}
