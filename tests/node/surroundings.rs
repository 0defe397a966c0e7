//! What do a container's processes find around them: variables, arguments, bounds, a log router?

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1 as corev1;
use kube::ResourceExt;
use kube::api::PostParams;
use linkspan::api::Cluster;
use serde_json::{Value, json};

use crate::node::{node, place};
use crate::pods::{pod_when, printed, prints, run, running_since, script, task};
use crate::support::{Place, until};

async fn create<K>(place: &Place, object: Value)
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned
        + serde::Serialize,
{
    let object = serde_json::from_value(object).unwrap();
    place.api::<K>().create(&PostParams::default(), &object).await.unwrap();
}

/// Worked examples: `$(HOME)/a` reaches the process as it is, and of files the first wins, and over
/// them what the task definition says.
pub(crate) async fn variables_and_arguments_reach_the_process_as_they_are_written() {
    let place = place("variables").await;
    for (name, data) in
        [("first", json!({"A": "1", "B": "1"})), ("second", json!({"A": "2", "C": "2"}))]
    {
        create::<corev1::ConfigMap>(&place, json!({"metadata": {"name": name}, "data": data}))
            .await;
    }
    create::<corev1::Secret>(
        &place,
        json!({"metadata": {"name": "db"}, "stringData": {"password": "it's $(secret) $$"}}),
    )
    .await;
    let secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf";
    let file = |name: &str| format!("arn:aws:s3:::settings/{name}.env");
    let rows = json!({
        "environmentFiles": [{"value": file("first"), "configMap": "first"},
            {"value": file("second"), "configMap": "second"}],
        "secrets": [{"valueFrom": secret, "secretName": "db"}],
    });
    place.apply::<Cluster>("default", json!({"kubernetes": rows})).await;
    let tell = "env; printf 'argument %s\\n' \"$@\"; echo done; sleep 3600";
    let mut container = script(
        "main",
        tell,
        json!({
            "environment": [{"name": "X", "value": "$(HOME)/a"}, {"name": "Y", "value": "$$ $(X) $X ü$"},
                {"name": "B", "value": "9"}, {"name": "EMPTY", "value": ""}],
            "environmentFiles": [{"value": file("first"), "type": "s3"},
                {"value": file("second"), "type": "s3"}],
            "secrets": [{"name": "PASSWORD", "valueFrom": format!("{secret}:password::")}],
        }),
    );
    let command = container["command"].as_array_mut().unwrap();
    command.extend(["sh", "$(HOME)", "$$(X)", "two words"].map(Value::from));
    let service = run(&place, "web", task(json!([container]))).await;
    let runs = |pod: &_| running_since(pod, "main").is_some();
    let pod = pod_when(&place, &service, "runs", runs).await;
    let said = prints(&place, &pod, "main", "done").await;
    for line in [
        "X=$(HOME)/a",
        "Y=$$ $(X) $X ü$",
        "A=1",
        "B=9",
        "C=2",
        "EMPTY=",
        "PASSWORD=it's $(secret) $$",
        "argument $(HOME)",
        "argument $$(X)",
        "argument two words",
    ] {
        assert!(said.lines().any(|said| said == line), "no line `{line}` in:\n{said}");
    }
}

/// Where the kernel keeps a bound of a pod: the folder of its control group, in a hierarchy of its own
/// or in the one of all.
fn group(pod: &corev1::Pod, controller: &str) -> PathBuf {
    let all = Path::new("/sys/fs/cgroup");
    let one =
        if all.join("cgroup.controllers").exists() { all.to_owned() } else { all.join(controller) };
    let ours = one.join(node().state.file_name().unwrap()).join("kubepods");
    let name = format!("pod{}", pod.uid().unwrap());
    ["", "burstable", "besteffort"]
        .map(|class| ours.join(class).join(&name))
        .into_iter()
        .find(|group| group.is_dir())
        .unwrap_or_else(|| panic!("no control group {name} below {}", ours.display()))
}

/// A setting of a group, by its name of old or of today.
fn bound(group: &Path, names: [&str; 2]) -> String {
    let found = names.iter().find_map(|name| fs::read_to_string(group.join(name)).ok());
    found.unwrap_or_else(|| panic!("neither of {names:?} in {}", group.display())).trim().to_owned()
}

pub(crate) async fn the_size_of_a_task_bounds_its_containers_together() {
    let place = place("size").await;
    let mut definition = task(json!([
        script("first", "sleep 3600", json!({"memory": 48})),
        script("second", "sleep 3600", json!({})),
    ]));
    definition["cpu"] = json!("256");
    definition["memory"] = json!("96");
    let service = run(&place, "web", definition).await;
    let runs = |pod: &_| running_since(pod, "second").is_some();
    let pod = pod_when(&place, &service, "runs", runs).await;
    let memory = bound(&group(&pod, "memory"), ["memory.limit_in_bytes", "memory.max"]);
    assert_eq!(memory, (96 * 1024 * 1024).to_string());
    let processor = bound(&group(&pod, "cpu"), ["cpu.cfs_quota_us", "cpu.max"]);
    // 256 units are a quarter: 25 ms of each 100.
    assert_eq!(processor.split(' ').next(), Some("25000"), "{processor}");
    tell!("  size 256 and 96: memory {memory} bytes, {processor} µs of each 100 ms");
}

pub(crate) async fn what_containers_print_is_shown_by_the_command_line() {
    let place = place("logs").await;
    let containers = json!([
        script("App_1", "echo one; echo two >&2; echo done; sleep 3600", json!({})),
        script("side", "echo aside; sleep 3600", json!({})),
    ]);
    let service = run(&place, "web", task(containers)).await;
    let runs = |pod: &_| running_since(pod, "side").is_some();
    let pod = pod_when(&place, &service, "runs", runs).await;
    // Kubernetes has no such name.
    let renamed = &pod.spec.as_ref().unwrap().containers[0].name;
    assert_ne!(renamed, "App_1");
    prints(&place, &pod, renamed, "done").await;
    prints(&place, &pod, "side", "aside").await;
    let logs = |more: &'static [&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_linkspan"));
        command.args(["logs", "web", "--namespace", &place.namespace]).args(more);
        command.env("KUBECONFIG", node().control_plane.kubeconfig_path());
        async move {
            let output = command.output().await.unwrap();
            let failed = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{failed}");
            String::from_utf8(output.stdout).unwrap()
        }
    };
    let one = logs(&["--container", "App_1", "--no-prefix"]).await;
    // What goes to one output and what goes to the other may change places.
    let lines: BTreeSet<&str> = one.lines().collect();
    assert_eq!(lines, ["one", "two", "done"].into());
    let all = logs(&[]).await;
    for (container, line) in [("App_1", "one"), ("App_1", "two"), ("side", "aside")] {
        let there = |said: &str| said.contains(container) && said.ends_with(line);
        assert!(all.lines().any(there), "no `{line}` of {container} in:\n{all}");
    }
}

pub(crate) async fn a_log_router_starts_first_and_receives() {
    let place = place("router").await;
    // What it receives, it prints: enough to see that it is reached, and when.
    let router = script(
        "router",
        "while :; do nc -l -p 24224; done",
        json!({
            "firelensConfiguration": {"type": "fluentbit"},
        }),
    );
    let sends = "n=0; while :; do n=$((n+1)); echo \"record $n\" | nc $FLUENT_HOST $FLUENT_PORT && \
                 echo \"sent $n to $FLUENT_HOST:$FLUENT_PORT\"; sleep 1; done";
    let app = script("app", sends, json!({"logConfiguration": {"logDriver": "awsfirelens"}}));
    let service = run(&place, "web", task(json!([app, router]))).await;
    let runs = |pod: &_| running_since(pod, "app").is_some();
    let pod = pod_when(&place, &service, "runs", runs).await;
    assert!(running_since(&pod, "router") <= running_since(&pod, "app"));
    until("the router receives", || async {
        let said = printed(&place, &pod, "router").await;
        if said.lines().filter(|line| line.starts_with("record ")).count() > 1 {
            Ok(())
        } else {
            Err(format!("{said}; sent: {}", printed(&place, &pod, "app").await))
        }
    })
    .await;
    let sent = printed(&place, &pod, "app").await;
    assert!(sent.lines().any(|line| line.ends_with("to 127.0.0.1:24224")), "{sent}");
}
