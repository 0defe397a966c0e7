//! What does the chart come to under many values, and which does it refuse?

use std::collections::BTreeSet;

use linkspan::plan::placement::strategies::{BINPACK_CPU_SCHEDULER, BINPACK_MEMORY_SCHEDULER};
use serde_json::{Value, json};

use crate::helm::{done, helm, of_kind, one, template, try_template};
use crate::manifests::{documents, names, read};

/// Everything that can be switched on.
const ALL: [&str; 12] = [
    "replicaCount=2",
    "podDisruptionBudget.enabled=true",
    "networkPolicy.enabled=true",
    "metrics.serviceMonitor.enabled=true",
    "metrics.prometheusRule.enabled=true",
    "metrics.dashboard.enabled=true",
    "scheduler.enabled=true",
    "watchNamespaces=[\"shop\",\"shop-test\"]",
    "capacityProviders=[{\"name\":\"fargate\",\"spec\":{\"name\":\"FARGATE\",\"fargateProfile\":{}}}]",
    "rbac.scaleTargets=[{\"group\":\"cluster.x-k8s.io\",\"resource\":\"machinedeployments\"}]",
    "imagePullSecrets=[{\"name\":\"registry\"}]",
    "extraObjects=[{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"{{ .Release.Name }}-more\"}}]",
];

/// The same, with whole numbers written as such: `0.0` and `0` are one number of JSON.
#[allow(clippy::cast_possible_truncation, reason = "only whole numbers are cast")]
fn whole(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), whole(value))).collect()
        }
        Value::Array(items) => items.iter().map(whole).collect(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 => json!(float as i64),
            _ => value.clone(),
        },
        _ => value.clone(),
    }
}

fn container(manifests: &[Value]) -> Value {
    let deployment = one(manifests, "Deployment", "linkspan");
    deployment["spec"]["template"]["spec"]["containers"][0].clone()
}

fn arguments(manifests: &[Value]) -> Vec<String> {
    serde_json::from_value(container(manifests)["args"].clone()).unwrap()
}

/// The namespaces in which there are roles.
fn roles_in(manifests: &[Value]) -> BTreeSet<&str> {
    let roles = of_kind(manifests, "Role").into_iter();
    roles.map(|role| role["metadata"]["namespace"].as_str().unwrap()).collect()
}

#[test]
fn both_charts_pass_helms_linter() {
    let said = done(&helm(None, &["lint", "--strict", "charts/linkspan", "charts/linkspan-crds"]));
    assert!(said.contains("2 chart(s) linted, 0 chart(s) failed"), "{said}");
}

#[test]
fn both_charts_have_the_same_definitions_and_keep_them() {
    let ours = template(&[]);
    let apart = documents(&done(&helm(None, &["template", "crds", "charts/linkspan-crds"])));
    let specs = |manifests: &[Value]| -> Vec<Value> {
        of_kind(manifests, "CustomResourceDefinition")
            .into_iter()
            .map(|crd| json!([crd["metadata"]["name"], crd["spec"]]))
            .collect()
    };
    assert_eq!(specs(&ours).len(), linkspan::api::crds().len());
    assert_eq!(specs(&ours), specs(&apart));
    for crd in of_kind(&ours, "CustomResourceDefinition").into_iter().chain(&apart) {
        assert_eq!(crd["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
        assert_eq!(crd["metadata"]["labels"]["app.kubernetes.io/name"], "linkspan");
    }
    // What comes out of the templates is what the source holds, number for number.
    let of = |name: String| documents(&read(&format!("crds/{name}"))).remove(0)["spec"].take();
    let generated: Vec<Value> = names("crds").into_iter().map(of).collect();
    for spec in specs(&ours) {
        let same = |one: &&Value| one["names"]["plural"] == spec[1]["names"]["plural"];
        let source = generated.iter().find(same).unwrap();
        assert_eq!(whole(&spec[1]), whole(source));
    }
    assert!(of_kind(&template(&["crds.enabled=false"]), "CustomResourceDefinition").is_empty());
    let unkept = template(&["crds.keep=false"]);
    let crd = of_kind(&unkept, "CustomResourceDefinition")[0];
    assert!(crd["metadata"].get("annotations").is_none());
}

#[test]
fn every_pod_keeps_to_the_restricted_profile_with_a_root_that_nothing_writes() {
    let manifests = template(&ALL);
    let pods =
        of_kind(&manifests, "Deployment").into_iter().map(|d| &d["spec"]["template"]["spec"]);
    let pods: Vec<&Value> =
        pods.chain(of_kind(&manifests, "Pod").into_iter().map(|pod| &pod["spec"])).collect();
    assert_eq!(pods.len(), 3, "operator, scheduler, test");
    for pod in pods {
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(pod["enableServiceLinks"], false);
        let container = &pod["containers"][0];
        assert_eq!(
            container["securityContext"],
            json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": true})
        );
        assert!(container["resources"]["requests"]["cpu"].is_string());
    }
}

#[test]
fn hardened_values_close_what_the_defaults_leave_open() {
    let values = "charts/linkspan/hardened.yaml";
    let arguments = ["template", "linkspan", "charts/linkspan", "--namespace", "linkspan"];
    let more = ["--kube-version", "1.33.0", "--set", "scheduler.enabled=true", "--values", values];
    let manifests = documents(&done(&helm(None, &[&arguments[..], &more[..]].concat())));
    let selector = &one(&manifests, "NetworkPolicy", "linkspan")["spec"]["podSelector"];
    let selected = selector["matchLabels"].as_object().unwrap();
    let pods = of_kind(&manifests, "Deployment").into_iter().map(|one| &one["spec"]["template"]);
    let pods: Vec<&Value> = pods.chain(of_kind(&manifests, "Pod")).collect();
    assert_eq!(pods.len(), 3, "operator, scheduler, test");
    for pod in pods {
        let labels = &pod["metadata"]["labels"];
        assert!(selected.iter().all(|(name, value)| &labels[name] == value), "{labels}");
        let container = &pod["spec"]["containers"][0];
        assert_eq!(container["imagePullPolicy"], "Always");
        for bound in ["requests", "limits"] {
            assert!(container["resources"][bound]["ephemeral-storage"].is_string(), "{container}");
        }
    }
    for rule in one(&manifests, "ClusterRole", "linkspan")["rules"].as_array().unwrap() {
        assert!(!rule.to_string().contains('*'), "{rule}");
    }
    // Several operators, and one node does not take them all with it.
    let deployment = one(&manifests, "Deployment", "linkspan");
    assert_eq!(deployment["spec"]["replicas"], 2);
    let affinity = &deployment["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"];
    let apart = &affinity["preferredDuringSchedulingIgnoredDuringExecution"][0]["podAffinityTerm"];
    assert_eq!(apart["topologyKey"], "kubernetes.io/hostname");
    one(&manifests, "PodDisruptionBudget", "linkspan");
}

#[test]
fn everything_switched_on_is_there() {
    let manifests = template(&ALL);
    let kinds: BTreeSet<&str> = manifests.iter().map(|m| m["kind"].as_str().unwrap()).collect();
    for kind in ["PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor", "PrometheusRule"] {
        assert!(kinds.contains(kind), "{kind}: {kinds:?}");
    }
    one(&manifests, "ConfigMap", "linkspan-more");
    let arguments = arguments(&manifests);
    for argument in [
        "--watch-namespaces=shop,shop-test",
        "--leader-elect",
        "--default-capacity-providers=/etc/linkspan/capacity-providers.json",
    ] {
        assert!(arguments.iter().any(|given| given == argument), "{argument}: {arguments:?}");
    }
    let providers = one(&manifests, "ConfigMap", "linkspan-capacity-providers");
    let providers = providers["data"]["capacity-providers.json"].as_str().unwrap();
    let providers: Vec<linkspan::api::CapacityProvider> = serde_json::from_str(providers).unwrap();
    assert_eq!(providers[0].metadata.name.as_deref(), Some("fargate"));
    assert_eq!(providers[0].spec.0["name"], "FARGATE");
    // Names and what they are bound to, in whatever namespace the release is.
    for manifest in &manifests {
        let name = manifest["metadata"]["name"].as_str().unwrap();
        assert!(name.len() <= 63, "{name}");
    }
}

#[test]
fn by_default_one_operator_for_all_namespaces() {
    let manifests = template(&[]);
    let deployment = one(&manifests, "Deployment", "linkspan");
    assert_eq!(deployment["spec"]["replicas"], 1);
    assert_eq!(deployment["spec"]["strategy"], json!({"type": "Recreate"}));
    let arguments = arguments(&manifests);
    assert!(!arguments.iter().any(|a| a.contains("watch")), "{arguments:?}");
    assert_eq!(roles_in(&manifests), BTreeSet::from(["linkspan"]), "the Lease's");
    assert!(of_kind(&manifests, "PodDisruptionBudget").is_empty());
    assert_eq!(container(&manifests)["imagePullPolicy"], "IfNotPresent");
}

#[test]
fn any_number_of_operators_takes_the_lease_and_may() {
    for replicas in ["replicaCount=1", "replicaCount=2", "replicaCount=0"] {
        let manifests = template(&[replicas]);
        let arguments = arguments(&manifests);
        assert!(arguments.iter().any(|a| a == "--leader-elect"), "{replicas}: {arguments:?}");
        let role = one(&manifests, "Role", "linkspan-leader");
        assert_eq!(role["rules"][1]["resourceNames"], json!(["linkspan"]), "{replicas}");
        // Helm can take back only what it set itself: beside Recreate there may be no such bounds.
        let strategy = &one(&manifests, "Deployment", "linkspan")["spec"]["strategy"];
        let rolls = strategy["type"] == "RollingUpdate";
        assert_eq!(rolls, strategy["rollingUpdate"]["maxSurge"].is_string(), "{strategy}");
    }
}

#[test]
fn two_releases_in_a_namespace_have_a_lease_each() {
    for name in ["linkspan", "other"] {
        let manifests = template(&[&format!("fullnameOverride={name}")]);
        let deployment = one(&manifests, "Deployment", name);
        let given = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
        let lease = json!(format!("--lease-name={name}"));
        assert!(given.as_array().unwrap().contains(&lease), "{given}");
        let role = one(&manifests, "Role", &format!("{name}-leader"));
        assert_eq!(role["rules"][1]["resourceNames"], json!([name]));
    }
}

#[test]
fn an_operator_that_leaves_nodes_and_capacity_to_another_only_reads_them() {
    let settings = [
        "watchNamespaces=[\"shop\"]",
        "rbac.nodeWrites=false",
        "rbac.capacityWrites=false",
        "rbac.nodePools=true",
        "rbac.scaleTargets=[{\"group\":\"cluster.x-k8s.io\",\"resource\":\"machinedeployments\"}]",
    ];
    let manifests = template(&settings);
    for rule in one(&manifests, "ClusterRole", "linkspan")["rules"].as_array().unwrap() {
        assert_eq!(rule["verbs"], json!(["list", "watch"]), "{rule}");
    }
    assert_eq!(roles_in(&manifests), BTreeSet::from(["linkspan", "shop"]), "the Lease's, its own");
    let environment = container(&manifests)["env"].clone();
    for name in ["LINKSPAN_NODE_WRITES", "LINKSPAN_CAPACITY_WRITES"] {
        let off = json!({"name": name, "value": "false"});
        assert!(environment.as_array().unwrap().contains(&off), "{environment}");
    }
}

#[test]
fn an_operator_of_some_namespaces_has_roles_there_and_reads_nodes_and_providers() {
    let manifests = template(&["watchNamespaces=[\"shop\"]", "rbac.nodeWrites=false"]);
    let everywhere: Vec<&str> = of_kind(&manifests, "ClusterRoleBinding")
        .into_iter()
        .map(|binding| binding["roleRef"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(everywhere, ["linkspan"]);
    for rule in one(&manifests, "ClusterRole", "linkspan")["rules"].as_array().unwrap() {
        for resource in rule["resources"].as_array().unwrap() {
            let resource = resource.as_str().unwrap();
            assert!(resource == "nodes" || resource.starts_with("capacityproviders"), "{resource}");
        }
    }
    let wanted = BTreeSet::from(["default", "linkspan", "shop"]);
    assert_eq!(roles_in(&manifests), wanted, "default: Events of providers; linkspan: the Lease");
    for policy in of_kind(&manifests, "ValidatingAdmissionPolicy") {
        let selector = &policy["spec"]["matchConstraints"]["namespaceSelector"];
        assert_eq!(selector["matchExpressions"][0]["values"], json!(["shop"]));
    }
}

#[test]
fn switches_switch_what_they_say() {
    let policies = |settings: &[&str]| -> Vec<String> {
        let manifests = template(settings);
        let found = of_kind(&manifests, "ValidatingAdmissionPolicy");
        assert_eq!(found.len(), of_kind(&manifests, "ValidatingAdmissionPolicyBinding").len());
        found.iter().map(|p| p["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(policies(&[]).len(), 3);
    assert_eq!(policies(&["rbac.nodeWrites=false"]).len(), 2);
    assert_eq!(policies(&["admission.rights=false"]).len(), 2);
    assert_eq!(policies(&["admission.sensitiveFields=false"]).len(), 2);
    assert!(of_kind(&template(&["rbac.create=false"]), "ClusterRole").is_empty());
    let named = template(&["serviceAccount.create=false", "serviceAccount.name=mine"]);
    assert!(of_kind(&named, "ServiceAccount").is_empty());
    let marked = template(&["rbac.nodeAnnotations=[\"example.com/delete-first\"]"]);
    let fence = one(&marked, "ValidatingAdmissionPolicy", "linkspan-node-fence").to_string();
    assert!(fence.contains("example.com/delete-first"), "{fence}");
    let fence = one(&named, "ValidatingAdmissionPolicy", "linkspan-node-fence").to_string();
    assert!(fence.contains("system:serviceaccount:linkspan:mine"), "{fence}");
    let tagged = template(&["image.tag=dev", "image.repository=localhost/linkspan"]);
    assert_eq!(container(&tagged)["image"], "localhost/linkspan:dev");
    let anybody = ["podSecurityContext.runAsUser=null", "podSecurityContext.runAsGroup=null"];
    for pod in of_kind(&template(&anybody), "Deployment") {
        let security = &pod["spec"]["template"]["spec"]["securityContext"];
        let restricted =
            json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
        assert_eq!(security, &restricted, "where users are given out by the cluster");
    }
    let digest = format!("sha256:{}", "0".repeat(64));
    let pinned = template(&[&format!("image.digest={digest}")]);
    assert!(container(&pinned)["image"].as_str().unwrap().ends_with(&format!("@{digest}")));
}

#[test]
fn an_operator_that_asks_others_has_a_file_of_authorities_to_trust() {
    // Without any, it does not start: its image holds none.
    let trusted = |settings: &[&str]| -> Vec<Value> {
        let env = container(&template(settings))["env"].take();
        let env = env.as_array().unwrap().iter();
        env.filter(|one| one["name"] == "SSL_CERT_FILE").map(|one| one["value"].clone()).collect()
    };
    let own = json!("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt");
    assert!(trusted(&[]).is_empty());
    assert_eq!(trusted(&["prometheus=https://prometheus:9090"]), std::slice::from_ref(&own));
    assert_eq!(trusted(&["tracing.otlpEndpoint=http://collector:4318"]), [own]);
    let another = "extraEnv=[{\"name\":\"SSL_CERT_FILE\",\"value\":\"/trusted/ca.crt\"}]";
    assert_eq!(trusted(&["prometheus=https://prometheus:9090", another]), ["/trusted/ca.crt"]);
}

#[test]
fn the_second_scheduler_has_the_profiles_that_tasks_ask_for() {
    let manifests = template(&["scheduler.enabled=true"]);
    let config = one(&manifests, "ConfigMap", "linkspan-scheduler");
    let config = documents(config["data"]["scheduler.yaml"].as_str().unwrap()).remove(0);
    let names: Vec<&str> = config["profiles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|profile| profile["schedulerName"].as_str().unwrap())
        .collect();
    assert_eq!(names, [BINPACK_CPU_SCHEDULER, BINPACK_MEMORY_SCHEDULER]);
    let deployment = one(&manifests, "Deployment", "linkspan-scheduler");
    let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
    let release = crate::support::version().release();
    assert_eq!(image, &json!(format!("registry.k8s.io/kube-scheduler:v{release}")));
}

#[test]
fn values_that_mean_nothing_are_refused_by_name() {
    for (setting, names) in [
        ("replicaCounts=2", "replicaCounts"),
        ("replicaCount=-1", "replicaCount"),
        ("image.tags=x", "tags"),
        ("image.digest=abc", "digest"),
        ("image.pullPolicy=always", "pullPolicy"),
        ("log.format=xml", "format"),
        ("watchNamespaces=[\"Shop\"]", "watchNamespaces"),
        ("watchNamespaces=[\"a\",\"a\"]", "watchNamespaces"),
        ("metrics.port=80", "port"),
        ("capacityProviders=[{\"name\":\"x\"}]", "capacityProviders"),
        ("rbac.scaleTargets=[{\"resource\":\"x/scale\"}]", "scaleTargets"),
        ("podDisruptionBudget.enabled=true", "replicaCount"),
        ("serviceAccount.create=false", "serviceAccount.name"),
    ] {
        let output = try_template(&[setting]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{setting} is taken");
        assert!(said.contains(names), "{setting}: {said}");
    }
    // What a chart with this one as a part passes is let through.
    template(&["global.anything=1", "enabled=true"]);
}

#[test]
fn an_old_cluster_is_refused() {
    let arguments = ["template", "x", "charts/linkspan", "--kube-version", "1.32.9"];
    let output = helm(None, &arguments);
    assert!(!output.status.success());
    template(&[]);
    let suffixed = ["template", "x", "charts/linkspan", "--kube-version", "v1.33.1-gke.1"];
    done(&helm(None, &suffixed));
}
