//! In which order a task's containers start and stop.

use super::*;

/// A container: its name, whether it is essential, and what it waits for.
type Waiting<'a> = (&'a str, bool, &'a [(&'a str, &'a str)]);

/// A task of containers that wait for each other.
fn waiting(containers: &[Waiting<'_>]) -> Value {
    let containers: Vec<Value> = containers
        .iter()
        .map(|(name, essential, waits)| {
            let waits: Vec<Value> = waits
                .iter()
                .map(|(on, condition)| json!({"containerName": on, "condition": condition}))
                .collect();
            let check = json!({"command": ["CMD", "check"], "interval": 10, "startPeriod": 25});
            json!({
                "name": name, "image": "example", "essential": essential, "dependsOn": waits,
                "healthCheck": check,
            })
        })
        .collect();
    json!({"memory": "512", "containerDefinitions": containers})
}

/// The names of the pod's containers: those that end first, sidecars with a `+`, then the others.
fn order(spec: &Value) -> (Vec<String>, Vec<String>) {
    let pod = pod(spec, OLDEST);
    let names = |list: &str| {
        let containers = pod[list].as_array().cloned().unwrap_or_default();
        let name = |container: &Value| {
            let sidecar = if container["restartPolicy"] == "Always" { "+" } else { "" };
            format!("{sidecar}{}", container["name"].as_str().unwrap())
        };
        containers.iter().map(name).collect()
    };
    (names("initContainers"), names("containers"))
}

fn are(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn what_is_waited_for_starts_before() {
    let start = waiting(&[("a", true, &[("b", "START")]), ("b", true, &[])]);
    assert_eq!(order(&start), (are(&["+b"]), are(&["a"])));
    let success = waiting(&[("a", true, &[("b", "SUCCESS")]), ("b", false, &[])]);
    assert_eq!(order(&success), (are(&["b"]), are(&["a"])));
    // The proxy runs while the migration does, and the application after both.
    let chain = waiting(&[
        ("app", true, &[("migrate", "SUCCESS"), ("proxy", "HEALTHY")]),
        ("migrate", false, &[("proxy", "START")]),
        ("proxy", true, &[]),
    ]);
    assert_eq!(order(&chain), (are(&["+proxy", "migrate"]), are(&["app"])));
    let none = waiting(&[("b", true, &[]), ("a", true, &[])]);
    assert_eq!(order(&none), (vec![], are(&["b", "a"])));
}

#[test]
fn what_waits_for_nothing_does_not_wait_for_a_migration_that_may_need_it() {
    let spec = waiting(&[
        ("migrate", false, &[]),
        ("app", true, &[("migrate", "COMPLETE")]),
        ("database", true, &[]),
    ]);
    assert_eq!(order(&spec), (are(&["+database", "migrate"]), are(&["app"])));
}

#[test]
fn health_is_waited_for_only_where_it_is_asked_for() {
    let probes = |condition: &str| {
        let spec = waiting(&[("a", true, &[("b", condition)]), ("b", true, &[])]);
        let sidecar = pod(&spec, NEWEST)["initContainers"][0].clone();
        (sidecar["startupProbe"].clone(), sidecar["livenessProbe"]["initialDelaySeconds"].clone())
    };
    let (startup, delay) = probes("HEALTHY");
    // Two checks, at 10 and 20 seconds, are in the start period of 25; three more may fail.
    assert_eq!(
        (&startup["failureThreshold"], &startup["initialDelaySeconds"]),
        (&json!(5), &json!(10))
    );
    assert_eq!(delay, 10);
    let (startup, delay) = probes("START");
    assert_eq!(startup, Value::Null, "nobody waits for it");
    assert_eq!(delay, 30, "the first check that counts");
}

#[test]
fn what_ends_has_no_health_and_no_restart() {
    let spec = waiting(&[("a", true, &[("b", "SUCCESS")]), ("b", false, &[])]);
    let first = pod(&spec, NEWEST)["initContainers"][0].clone();
    for member in
        ["startupProbe", "readinessProbe", "livenessProbe", "restartPolicy", "restartPolicyRules"]
    {
        assert_eq!(first[member], Value::Null, "{member}");
    }
}

#[test]
fn any_exit_code_completes_where_a_shell_can_forget_it() {
    let mut spec = waiting(&[("a", true, &[("b", "COMPLETE")]), ("b", false, &[])]);
    assert_eq!(differing(&spec), ["c[0].dependsOn[0].condition"]);
    let first = pod(&spec, NEWEST)["initContainers"][0].clone();
    assert_eq!(first["command"], Value::Null);
    spec["containerDefinitions"][1]["entryPoint"] = json!(["/bin/bash", "-c"]);
    spec["containerDefinitions"][1]["command"] = json!(["exit 3"]);
    let first = pod(&spec, NEWEST)["initContainers"][0].clone();
    assert_eq!(
        first["command"],
        json!(["/bin/bash", "-c", "\"$@\"; exit 0", "sh", "/bin/bash", "-c"])
    );
    assert_eq!(first["args"], json!(["exit 3"]));
    assert!(differing(&spec).is_empty());
    // Another container needs it to succeed.
    spec["containerDefinitions"].as_array_mut().unwrap().push(json!({
        "name": "c", "image": "example",
        "dependsOn": [{"containerName": "b", "condition": "SUCCESS"}],
    }));
    assert_eq!(pod(&spec, NEWEST)["initContainers"][0]["command"], json!(["/bin/bash", "-c"]));
}

#[test]
fn a_wait_that_cannot_end_is_refused_at_its_place() {
    let said = |spec: &Value| refused(spec).join("\n");
    let circle = waiting(&[
        ("a", true, &[("b", "START")]),
        ("b", true, &[("c", "HEALTHY")]),
        ("c", true, &[("b", "START")]),
    ]);
    let circle = said(&circle);
    assert!(
        circle.starts_with("containerDefinitions[1].dependsOn[0].containerName is c"),
        "{circle}"
    );
    assert!(circle.contains("b waits for c waits for b"), "{circle}");
    let itself = said(&waiting(&[("a", true, &[("a", "START")])]));
    assert!(itself.contains("a waits for a"), "{itself}");
    let unknown = said(&waiting(&[("a", true, &[("z", "START")])]));
    assert!(unknown.contains("`z`: is no container of the task; it has a"), "{unknown}");
    let condition = said(&waiting(&[("a", true, &[("b", "start")]), ("b", true, &[])]));
    assert!(condition.contains("must be START, HEALTHY, COMPLETE or SUCCESS"), "{condition}");
    let essential = said(&waiting(&[("a", true, &[("b", "SUCCESS")]), ("b", true, &[])]));
    assert!(essential.contains("container b, which is essential"), "{essential}");
    let mut unchecked = waiting(&[("a", true, &[("b", "HEALTHY")]), ("b", true, &[])]);
    unchecked["containerDefinitions"][1].as_object_mut().unwrap().remove("healthCheck");
    assert!(said(&unchecked).contains("needs a healthCheck in container b"));
}

#[test]
fn restarts_of_what_starts_first_are_those_of_its_kind() {
    let spec = waiting(&[("a", false, &[("b", "START")]), ("b", true, &[])]);
    let newest = pod(&spec, NEWEST);
    assert_eq!(newest["initContainers"][0]["restartPolicy"], "Always");
    assert_eq!(newest["initContainers"][0]["restartPolicyRules"].as_array().unwrap().len(), 2);
    // Its end would be the pod's, and the essential sidecar's with it.
    assert_eq!(newest["containers"][0]["restartPolicy"], Value::Null);
    let oldest = pod(&spec, OLDEST);
    assert_eq!(oldest["initContainers"][0]["restartPolicyRules"], Value::Null);
    let agent = waiting(&[("a", true, &[("b", "START")]), ("b", false, &[])]);
    assert_eq!(differing(&agent), ["c[1].essential"]);
}

/// Worked example: A 60 depends on B 45.
#[test]
fn example_30_the_time_to_stop_goes_along_the_dependencies() {
    let timed = |waits: &[(&str, &str)], a: Value, b: Value| {
        let mut spec = waiting(&[("a", true, waits), ("b", true, &[])]);
        spec["containerDefinitions"][0]["stopTimeout"] = a;
        spec["containerDefinitions"][1]["stopTimeout"] = b;
        spec
    };
    let grace = |spec: &Value| pod(spec, NEWEST)["terminationGracePeriodSeconds"].clone();
    let chained = timed(&[("b", "HEALTHY")], json!(60), json!(45));
    assert_eq!(grace(&chained), 105);
    assert_eq!(differing(&chained), ["c[0].stopTimeout", "c[1].stopTimeout"]);
    assert_eq!(grace(&timed(&[], json!(60), json!(45))), 60);
    assert_eq!(grace(&timed(&[], Value::Null, Value::Null)), Value::Null, "30 is Kubernetes' own");
    assert_eq!(grace(&timed(&[], json!(0), json!(0))), 1);
    for (timeout, legal) in [(1, false), (2, true), (120, true), (121, false)] {
        for member in ["stopTimeout", "startTimeout"] {
            let spec = one_on_fargate(&json!({member: timeout}));
            assert_eq!(refused(&spec).is_empty(), legal, "{member} {timeout} on Fargate");
        }
    }
    assert!(refused(&one(&json!({"memory": 64, "stopTimeout": 121}))).is_empty());
}
