//! What network a task gets, and what it knows by name there.

use super::*;

/// A task definition of two containers in a network mode.
fn two(mode: &str, first: &Value, second: &Value) -> Value {
    let mut spec = json!({"memory": "512", "networkMode": mode, "containerDefinitions": [
        {"name": "web", "image": "example"},
        {"name": "data_base", "image": "example"},
    ]});
    for (at, members) in [first, second].into_iter().enumerate() {
        for (name, value) in members.as_object().unwrap() {
            spec["containerDefinitions"][at][name] = value.clone();
        }
    }
    spec
}

#[test]
fn ports_of_the_node_are_taken_where_ecs_takes_them() {
    let ports = |mode: &str, mapping: Value| {
        let spec = two(mode, &json!({"portMappings": [mapping]}), &json!({}));
        let pod = pod(&spec, NEWEST);
        (pod["containers"][0]["ports"][0]["hostPort"].clone(), pod["hostNetwork"].clone())
    };
    let none = Value::Null;
    assert_eq!(
        ports("awsvpc", json!({"containerPort": 80, "hostPort": 80})),
        (none.clone(), none.clone())
    );
    assert_eq!(ports("bridge", json!({"containerPort": 80})), (none.clone(), none.clone()));
    assert_eq!(
        ports("bridge", json!({"containerPort": 80, "hostPort": 0})),
        (none.clone(), none.clone())
    );
    assert_eq!(
        ports("bridge", json!({"containerPort": 80, "hostPort": 8080})),
        (json!(8080), none)
    );
    assert_eq!(ports("host", json!({"containerPort": 80})), (json!(80), json!(true)));

    let both = json!({"portMappings": [{"containerPort": 80, "hostPort": 8080}]});
    let other = json!({"portMappings": [{"containerPort": 81, "hostPort": 8080}]});
    assert_eq!(refused(&two("bridge", &both, &other)).len(), 1, "one port of the node for two");
}

#[test]
fn a_range_is_all_its_ports_up_to_a_hundred() {
    let ranged = |mode: &str, range: &str| {
        two(
            mode,
            &json!({"portMappings": [{"containerPortRange": range, "protocol": "udp"}]}),
            &json!({}),
        )
    };
    let pod = pod(&ranged("awsvpc", "8000-8002"), NEWEST);
    let ports: Vec<_> = pod["containers"][0]["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| (port["containerPort"].as_i64().unwrap(), port["protocol"].as_str().unwrap()))
        .collect();
    assert_eq!(ports, [(8000, "UDP"), (8001, "UDP"), (8002, "UDP")]);
    assert!(differing(&ranged("awsvpc", "8000-8099")).is_empty());
    assert_eq!(
        differing(&ranged("awsvpc", "8000-8100")),
        ["c[0].portMappings[0].containerPortRange"]
    );
    for range in ["8000", "8002-8000", "0-5", "1-65536", "a-b"] {
        assert_eq!(refused(&ranged("awsvpc", range)).len(), 1, "{range}");
    }
    assert_eq!(refused(&ranged("host", "8000-8002")).len(), 1);
    let overlapping =
        json!({"portMappings": [{"containerPortRange": "80-82"}, {"containerPort": 81}]});
    assert_eq!(refused(&two("awsvpc", &overlapping, &json!({}))).len(), 1);
}

#[test]
fn the_nodes_network_still_resolves_the_clusters_names() {
    let spec = two("host", &json!({}), &json!({}));
    assert_eq!(pod(&spec, NEWEST)["dnsPolicy"], "ClusterFirstWithHostNet");
    let mut on_fargate = one_on_fargate(&json!({}));
    for mode in ["host", "bridge", "none"] {
        on_fargate["networkMode"] = json!(mode);
        assert_eq!(refused(&on_fargate).len(), 1, "{mode}");
    }
}

#[test]
fn what_a_mode_has_and_a_pod_has_not_is_told() {
    let spec = |mode| two(mode, &json!({}), &json!({}));
    assert!(differing(&spec("awsvpc")).is_empty());
    assert!(differing(&spec("host")).is_empty());
    assert_eq!(differing(&spec("bridge")), ["networkMode"]);
    assert_eq!(differing(&spec("none")), ["networkMode"]);
}

#[test]
fn name_servers_take_the_place_of_the_clusters() {
    let asked =
        json!({"dnsServers": ["10.0.0.2", "fd00::2"], "dnsSearchDomains": ["corp.example"]});
    let both = pod(&two("bridge", &asked, &asked), NEWEST);
    assert_eq!(both["dnsPolicy"], "None");
    assert_eq!(
        both["dnsConfig"],
        json!({"nameservers": ["10.0.0.2", "fd00::2"], "searches": ["corp.example"]})
    );
    let one_of_them = two("awsvpc", &asked, &json!({}));
    assert_eq!(differing(&one_of_them), ["c[0].dnsServers", "c[0].dnsSearchDomains"]);
    let domains = json!({"dnsSearchDomains": ["corp.example"]});
    assert_eq!(pod(&two("bridge", &domains, &domains), NEWEST)["dnsPolicy"], Value::Null);
    let four = json!({"dnsServers": ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"]});
    assert_eq!(refused(&two("bridge", &four, &json!({}))).len(), 1);
    assert_eq!(refused(&two("bridge", &json!({"dnsServers": ["dns"]}), &json!({}))).len(), 1);
}

#[test]
fn hosts_and_links_are_lines_of_the_pods_hosts() {
    let first = json!({
        "extraHosts": [
            {"hostname": "cache.local", "ipAddress": "10.1.2.3"},
            {"hostname": "Cache2", "ipAddress": "10.1.2.3"},
        ],
        "links": ["data_base:db"],
    });
    let spec = two("bridge", &first, &json!({}));
    assert_eq!(
        pod(&spec, NEWEST)["hostAliases"],
        json!([
            {"ip": "10.1.2.3", "hostnames": ["cache.local", "cache2"]},
            {"ip": "127.0.0.1", "hostnames": ["db"]},
        ])
    );
    assert!(differing(&spec).contains(&"c[0].links[0]".to_owned()), "data_base is no host name");
    assert_eq!(refused(&two("awsvpc", &first, &json!({}))).len(), 3);
    assert_eq!(refused(&two("bridge", &json!({"links": ["cache"]}), &json!({}))).len(), 1);
    let host = json!({"extraHosts": [{"hostname": "a_b", "ipAddress": "10.1.2.3"}]});
    assert_eq!(refused(&two("bridge", &host, &json!({}))).len(), 1);
    let gateway = json!({"extraHosts": [{"hostname": "node", "ipAddress": "host-gateway"}]});
    assert_eq!(refused(&two("bridge", &gateway, &json!({}))).len(), 1);
}

#[test]
fn a_task_has_one_host_name() {
    let named = |name: &str| json!({"hostname": name});
    assert_eq!(pod(&two("bridge", &named("shop"), &named("shop")), NEWEST)["hostname"], "shop");
    let two_names = two("bridge", &named("shop"), &named("store"));
    assert_eq!(pod(&two_names, NEWEST)["hostname"], "shop");
    assert!(differing(&two_names).contains(&"c[1].hostname".to_owned()));
    let full = two("bridge", &named("shop.example.com"), &json!({}));
    assert_eq!(pod(&full, NEWEST)["hostname"], Value::Null);
    assert!(differing(&full).contains(&"c[0].hostname".to_owned()));
    assert_eq!(refused(&two("awsvpc", &named("shop"), &json!({}))).len(), 1);
}

#[test]
fn a_container_alone_may_be_without_network_if_somebody_sees_to_it() {
    let off = json!({"disableNetworking": true});
    assert_eq!(refused(&two("bridge", &off, &json!({}))).len(), 1);
    let mut alone = one(&off);
    alone["memory"] = json!("512");
    assert_eq!(differing(&alone), ["c[0].disableNetworking"]);
}
