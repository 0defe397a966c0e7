//! What becomes of the settings that only Linux containers have.

use super::*;

/// The only container of a pod, where it has these members.
fn container(members: &Value) -> Value {
    let mut spec = one(members);
    spec["memory"] = json!("512");
    pod(&spec, NEWEST)["containers"][0].clone()
}

fn with_memory(members: &Value) -> Value {
    let mut spec = one(members);
    spec["memory"] = json!("512");
    spec
}

#[test]
fn a_user_is_a_number_or_is_told_of() {
    for (user, context, differs) in [
        ("1000", json!({"runAsUser": 1000}), 0),
        ("1000:1001", json!({"runAsUser": 1000, "runAsGroup": 1001}), 0),
        ("0", json!({"runAsUser": 0}), 0),
        ("root", json!({"runAsUser": 0}), 0),
        ("root:root", json!({"runAsUser": 0, "runAsGroup": 0}), 0),
        ("nobody", json!({"runAsUser": 65534}), 1),
        ("app", Value::Null, 1),
        ("app:1001", Value::Null, 1),
        ("1000:staff", json!({"runAsUser": 1000}), 1),
    ] {
        let members = json!({"user": user});
        assert_eq!(container(&members)["securityContext"], context, "{user}");
        assert_eq!(differing(&with_memory(&members)).len(), differs, "{user}");
    }
    for user in [":1", "1:", "-1", "1:-1", "1:2:3", "2147483648", "1:9999999999", "a b"] {
        assert_eq!(refused(&with_memory(&json!({"user": user}))).len(), 1, "{user}");
    }
}

#[test]
fn privilege_is_given_as_asked_and_leaves_no_capability_to_say() {
    let members = json!({
        "privileged": true,
        "linuxParameters": {"capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}},
    });
    assert_eq!(container(&members)["securityContext"], json!({"privileged": true}));
    assert_eq!(refused(&one_on_fargate(&json!({"privileged": true}))).len(), 1);
    assert!(refused(&one_on_fargate(&json!({"privileged": false}))).is_empty());
}

#[test]
fn capabilities_keep_their_names() {
    let capabilities = |add: &[&str], drop: &[&str]| json!({"linuxParameters": {"capabilities": {"add": add, "drop": drop}}});
    assert_eq!(
        container(&capabilities(&["SYS_PTRACE"], &["ALL", "ALL"]))["securityContext"],
        json!({"capabilities": {"add": ["SYS_PTRACE"], "drop": ["ALL"]}})
    );
    let wrong = refused(&with_memory(&capabilities(&["CAP_NET_ADMIN", "net_raw", "FLY"], &[])));
    assert_eq!(wrong.len(), 3);
    assert!(wrong[0].contains("did you mean NET_ADMIN?"), "{wrong:?}");
    assert!(wrong[1].contains("did you mean NET_RAW?"), "{wrong:?}");
    assert!(refused(&one_on_fargate(&capabilities(&["SYS_PTRACE"], &["NET_RAW"]))).is_empty());
    assert_eq!(refused(&one_on_fargate(&capabilities(&["NET_ADMIN"], &[]))).len(), 1);
}

#[test]
fn security_options_are_the_security_context() {
    for (option, context) in [
        ("no-new-privileges", json!({"allowPrivilegeEscalation": false})),
        ("no-new-privileges:true", json!({"allowPrivilegeEscalation": false})),
        ("no-new-privileges=false", Value::Null),
        (
            "apparmor:web",
            json!({"appArmorProfile": {"type": "Localhost", "localhostProfile": "web"}}),
        ),
        ("apparmor:unconfined", json!({"appArmorProfile": {"type": "Unconfined"}})),
        ("seccomp:unconfined", json!({"seccompProfile": {"type": "Unconfined"}})),
        (
            "seccomp:web.json",
            json!({"seccompProfile": {"type": "Localhost", "localhostProfile": "web.json"}}),
        ),
        ("label:type:web_t", json!({"seLinuxOptions": {"type": "web_t"}})),
        ("label:level:s0:c1,c2", json!({"seLinuxOptions": {"level": "s0:c1,c2"}})),
        ("label:disable", json!({"seLinuxOptions": {"type": "spc_t"}})),
    ] {
        let members = json!({"dockerSecurityOptions": [option]});
        assert_eq!(container(&members)["securityContext"], context, "{option}");
        assert_eq!(refused(&one_on_fargate(&members)).len(), 1, "{option} on Fargate");
    }
    for option in ["no-new-privileges:maybe", "seccomp:/etc/web.json", "label:colour:red", "fast"] {
        let members = json!({"dockerSecurityOptions": [option]});
        assert_eq!(refused(&with_memory(&members)).len(), 1, "{option}");
    }
    let both = json!({"privileged": true, "dockerSecurityOptions": ["no-new-privileges"]});
    assert_eq!(refused(&with_memory(&both)).len(), 1);
}

#[test]
fn file_systems_in_memory_are_volumes_of_one_container() {
    let members = json!({"linuxParameters": {
        "sharedMemorySize": 256,
        "tmpfs": [
            {"containerPath": "/run", "size": 64, "mountOptions": ["rw", "noexec"]},
            {"containerPath": "/fixed", "size": 8, "mountOptions": ["ro"]},
        ],
    }});
    let spec = with_memory(&members);
    let pod = pod(&spec, OLDEST);
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
    let volumes = pod["volumes"].as_array().unwrap();
    let expected = [("/dev/shm", "256Mi", false), ("/run", "64Mi", false), ("/fixed", "8Mi", true)];
    for (at, (path, size, read_only)) in expected.into_iter().enumerate() {
        assert_eq!(mounts[at]["mountPath"], path);
        assert_eq!(mounts[at]["readOnly"].as_bool().unwrap_or_default(), read_only, "{path}");
        assert_eq!(mounts[at]["name"], volumes[at]["name"], "{path}");
        assert_eq!(volumes[at]["emptyDir"], json!({"medium": "Memory", "sizeLimit": size}));
    }
    assert_eq!(differing(&spec), ["c[0].linuxParameters.tmpfs[0].mountOptions[1]"]);
    let shared = json!({"linuxParameters": {"sharedMemorySize": 256}});
    assert_eq!(refused(&one_on_fargate(&shared)).len(), 1);
    let wrong = json!({"linuxParameters": {"tmpfs": [{"size": 1}, {"containerPath": "/a"}]}});
    assert_eq!(refused(&with_memory(&wrong)).len(), 2);
}

#[test]
fn an_init_process_is_the_pods_where_there_is_one_container() {
    let init = json!({"linuxParameters": {"initProcessEnabled": true}});
    let mut spec = with_memory(&init);
    assert_eq!(pod(&spec, NEWEST)["shareProcessNamespace"], true);
    assert!(differing(&spec).is_empty());
    spec["containerDefinitions"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "side", "image": "example"}));
    assert_eq!(pod(&spec, NEWEST)["shareProcessNamespace"], Value::Null);
    assert_eq!(differing(&spec), ["c[0].linuxParameters.initProcessEnabled"]);
    spec["pidMode"] = json!("task");
    assert_eq!(pod(&spec, NEWEST)["shareProcessNamespace"], true);
    assert!(differing(&spec).is_empty());
}

#[test]
fn processes_and_memory_are_shared_as_asked() {
    let mut spec = with_memory(&json!({}));
    spec["pidMode"] = json!("host");
    spec["ipcMode"] = json!("host");
    let shared = pod(&spec, NEWEST);
    assert_eq!((&shared["hostPID"], &shared["hostIPC"]), (&json!(true), &json!(true)));
    assert_eq!(shared["shareProcessNamespace"], Value::Null);
    for (pid, ipc, refusals) in [("task", "", 0), ("host", "", 1), ("", "task", 1), ("all", "", 1)]
    {
        let mut spec = one_on_fargate(&json!({}));
        spec["pidMode"] = json!(pid);
        spec["ipcMode"] = json!(ipc);
        assert_eq!(refused(&spec).len(), refusals, "pidMode `{pid}`, ipcMode `{ipc}`");
    }
}

#[test]
fn a_device_needs_a_plugin_or_a_privileged_container() {
    let device = json!({"linuxParameters": {"devices": [{"hostPath": "/dev/fuse"}]}});
    let mut spec = with_memory(&device);
    assert_eq!(differing(&spec), ["c[0].linuxParameters.devices[0]"]);
    spec["kubernetes"] = json!({"devices": {"/dev/fuse": "example.com/fuse"}});
    assert!(differing(&spec).is_empty());
    let limits = &pod(&spec, NEWEST)["containers"][0]["resources"]["limits"];
    assert_eq!(*limits, json!({"example.com/fuse": "1"}));
    spec["kubernetes"] = json!({"devices": {"/dev/fuse": "fuse"}});
    assert_eq!(refused(&spec).len(), 1, "no resource has such a name");
    let mut privileged = device.clone();
    privileged["privileged"] = json!(true);
    assert!(differing(&with_memory(&privileged)).is_empty());
    assert_eq!(refused(&one_on_fargate(&device)).len(), 1);
}

#[test]
fn kernel_parameters_are_the_pods() {
    let control =
        |name: &str, value: &str| json!({"systemControls": [{"namespace": name, "value": value}]});
    let safe = with_memory(&control("net.ipv4.tcp_keepalive_time", "60"));
    assert_eq!(
        pod(&safe, OLDEST)["securityContext"]["sysctls"],
        json!([{"name": "net.ipv4.tcp_keepalive_time", "value": "60"}])
    );
    let mut other = with_memory(&control("net.core.somaxconn", "1024"));
    assert_eq!(pod(&other, NEWEST)["securityContext"], Value::Null, "the pod would fail for ever");
    assert_eq!(differing(&other), ["c[0].systemControls[0].namespace"]);
    other["kubernetes"] = json!({"allowUnsafeSysctls": true});
    assert_eq!(pod(&other, NEWEST)["securityContext"]["sysctls"][0]["value"], "1024");
    assert!(differing(&other).is_empty());

    assert_eq!(refused(&with_memory(&control("vm.swappiness", "1"))).len(), 1);
    let mut host = safe.clone();
    host["networkMode"] = json!("host");
    assert_eq!(refused(&host).len(), 1, "it is the node's");
    let mut ipc = with_memory(&control("kernel.shm_rmid_forced", "1"));
    ipc["ipcMode"] = json!("host");
    assert_eq!(refused(&ipc).len(), 1, "it is the node's");
    let mut two = safe;
    let mut second = two["containerDefinitions"][0].clone();
    second["name"] = json!("second");
    second["systemControls"][0]["value"] = json!("61");
    two["containerDefinitions"].as_array_mut().unwrap().push(second);
    assert_eq!(refused(&two).len(), 1, "two values for one pod");
}

#[test]
fn limits_and_labels_stand_in_annotations() {
    let mut spec = with_memory(&json!({
        "ulimits": [
            {"name": "nofile", "softLimit": 1024, "hardLimit": 4096},
            {"name": "core", "softLimit": -1, "hardLimit": -1},
        ],
        "dockerLabels": {"team": "a", "odd key/with=\"all\"": "any ${text}\n"},
    }));
    let second = json!({"name": "Second", "image": "example", "dockerLabels": {"team": "b"}});
    spec["containerDefinitions"].as_array_mut().unwrap().push(second);
    let mut findings = Findings::default();
    let task = resolve(&spec, Some("family"), &mut findings);
    let annotations =
        json!(template(&task, NEWEST, &[], BTreeMap::new()))["metadata"]["annotations"].clone();
    let of = |name: &str| {
        let found = annotations[name].as_str().unwrap_or_else(|| panic!("{name}: {annotations}"));
        serde_json::from_str::<Value>(found).unwrap()
    };
    assert_eq!(
        of("ulimits.nri.containerd.io/container.main"),
        json!([
            {"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 4096},
            {"type": "RLIMIT_CORE", "soft": u64::MAX, "hard": u64::MAX},
        ])
    );
    let labels = json!({"team": "a", "odd key/with=\"all\"": "any ${text}\n"});
    assert_eq!(of("docker-labels.ecs.linkspan.dev/main"), labels);
    let second = &task.containers[1].dns_name;
    assert_eq!(of(&format!("docker-labels.ecs.linkspan.dev/{second}")), json!({"team": "b"}));
    for (name, soft, hard) in [("nofile", 2, 1), ("nofile", -1, 1), ("files", 1, 1)] {
        let limit = json!({"name": name, "softLimit": soft, "hardLimit": hard});
        assert_eq!(refused(&with_memory(&json!({"ulimits": [limit]}))).len(), 1, "{name} {soft}");
    }
}

#[test]
fn a_windows_container_has_none_of_it() {
    let mut spec = with_memory(&json!({
        "user": "1000", "privileged": true, "readonlyRootFilesystem": true,
        "healthCheck": {"command": ["CMD-SHELL", "check"]},
    }));
    spec["runtimePlatform"] = json!({"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"});
    let container = pod(&spec, NEWEST)["containers"][0].clone();
    assert_eq!(container["securityContext"], Value::Null);
    assert_eq!(container["livenessProbe"]["exec"]["command"], json!(["cmd", "/S", "/C", "check"]));
    assert_eq!(differing(&spec).len(), 3);
}
