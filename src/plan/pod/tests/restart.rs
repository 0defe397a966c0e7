//! When a container is started again by itself, and what FireLens makes of a task.

use super::*;

/// The second container of a task, where it has these members and the first is `main`.
fn second(members: &Value, features: Features) -> Value {
    let mut container = json!({"name": "second", "image": "example"});
    for (name, value) in members.as_object().unwrap() {
        container[name] = value.clone();
    }
    let main = json!({"name": "main", "image": "example"});
    let spec = json!({"memory": "512", "containerDefinitions": [main, container]});
    pod(&spec, features)["containers"][1].clone()
}

#[test]
fn a_restart_policy_starts_one_container_alone() {
    let between = Features {
        kubernetes_minor: 35,
        restart_all_containers: false,
        labels_nodes: false,
        packs: false,
    };
    let codes = |operator: &str, action: &str| json!([{"action": action, "exitCodes": {"operator": operator, "values": [0, 3]}}]);
    let policy = |ignored: Value| json!({"enabled": true, "ignoredExitCodes": ignored});
    let never = || (json!("Never"), Value::Null);
    let none = || (Value::Null, Value::Null);
    for (essential, policy, features, (restart, rules)) in [
        (false, Value::Null, NEWEST, never()),
        (false, json!({"enabled": false}), NEWEST, never()),
        (false, policy(Value::Null), NEWEST, none()),
        (false, policy(json!([3, 0, 3])), between, (json!("Never"), codes("NotIn", "Restart"))),
        (false, policy(json!([0])), OLDEST, none()),
        (true, policy(Value::Null), NEWEST, none()),
        (
            true,
            policy(json!(["3", 0])),
            NEWEST,
            (json!("Always"), codes("In", "RestartAllContainers")),
        ),
        (true, policy(json!([0, 3])), between, none()),
    ] {
        let members = json!({"essential": essential, "restartPolicy": policy});
        let container = second(&members, features);
        let found = (&container["restartPolicy"], &container["restartPolicyRules"]);
        assert_eq!(found, (&restart, &rules), "{members} {features:?}");
    }
}

#[test]
fn restart_policies_that_cannot_be_meant_are_refused() {
    let said = |policy: Value| refused(&one(&json!({"memory": 64, "restartPolicy": policy}))).len();
    assert_eq!(said(json!({})), 0);
    assert_eq!(said(json!({"enabled": true, "restartAttemptPeriod": 60})), 0);
    assert_eq!(said(json!({"enabled": true, "restartAttemptPeriod": 59})), 1);
    assert_eq!(said(json!({"enabled": true, "restartAttemptPeriod": 1801})), 1);
    assert_eq!(said(json!({"ignoredExitCodes": [1]})), 1, "enabled is required");
    assert_eq!(said(json!({"enabled": true, "ignoredExitCodes": [256]})), 1);
    assert_eq!(said(json!({"enabled": true, "ignoredExitCodes": vec![1; 51]})), 1);
}

/// A task whose `app` logs through `router`, which has these members.
fn routed(mode: &str, router: &Value) -> Value {
    let mut container = json!({
        "name": "router", "image": "fluent-bit", "firelensConfiguration": {"type": "fluentbit"},
    });
    for (name, value) in router.as_object().unwrap() {
        container[name] = value.clone();
    }
    let app = json!({
        "name": "app", "image": "example",
        "logConfiguration": {"logDriver": "awsfirelens", "options": {"Name": "stdout"}},
        "environment": [{"name": "FLUENT_PORT", "value": "1"}, {"name": "A", "value": "b"}],
    });
    json!({"memory": "512", "networkMode": mode, "containerDefinitions": [app, container]})
}

#[test]
fn a_log_router_starts_first_and_the_others_know_its_address() {
    let pod_of = |mode| pod(&routed(mode, &json!({})), OLDEST);
    let pod = pod_of("awsvpc");
    assert_eq!(pod["initContainers"][0]["name"], "router");
    assert_eq!(pod["initContainers"][0]["restartPolicy"], "Always");
    let variable = |name: &str, value: &str| json!({"name": name, "value": value});
    let told = [variable("FLUENT_HOST", "127.0.0.1"), variable("FLUENT_PORT", "24224")];
    assert_eq!(
        pod["containers"][0]["env"],
        json!([variable("A", "b"), told[0], told[1]]),
        "as ECS sets them, over the container's own"
    );
    assert_eq!(
        pod_of("host")["containers"][0]["env"],
        json!([variable("FLUENT_PORT", "1"), variable("A", "b")]),
        "ECS sets none in mode host"
    );
    let waits = json!({"dependsOn": [{"containerName": "app", "condition": "START"}]});
    let turned = super::pod(&routed("awsvpc", &waits), OLDEST);
    assert_eq!(turned["initContainers"][0]["name"], "app", "the router itself waits for it");
}

#[test]
fn log_routers_that_cannot_be_meant_are_refused() {
    let said = |configuration: Value| {
        refused(&routed("awsvpc", &json!({"firelensConfiguration": configuration}))).len()
    };
    assert_eq!(said(json!({"type": "fluentd", "options": {"config-file-type": "s3"}})), 0);
    assert_eq!(said(json!({"type": "logstash"})), 1);
    assert_eq!(
        said(json!({"options": {"enable-ecs-log-metadata": "true"}})),
        1,
        "type is required"
    );
    assert_eq!(said(json!({"type": "fluentd", "options": {"config-file-type": "http"}})), 1);
    let mut two = routed("awsvpc", &json!({}));
    two["containerDefinitions"][0]["firelensConfiguration"] = json!({"type": "fluentd"});
    assert_eq!(refused(&two).len(), 1, "one router");
}
