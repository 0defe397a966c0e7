//! Which rules, exposures, alarms and targets of hooks come of the tables.

use super::*;

const GROUP: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/73e2d6bc24d8a067";
const RULE: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/a/1/2/3";

fn launch(spec: &Value) -> Launch {
    let mut findings = Findings::default();
    let launch = Launch::read(spec, &mut findings);
    assert!(!findings.any_refused(), "{findings:?}");
    launch
}

/// What is said of a service, and the rows that would answer it.
fn said(kubernetes: &Value, spec: &Value) -> (Vec<String>, Vec<Need>) {
    let (names, _) = launched(kubernetes, &json!({}), &launch(spec));
    (names.at_launch.0.iter().map(ToString::to_string).collect(), names.needs)
}

/// The tables that hold these rows.
fn answered(needs: &[Need]) -> Value {
    let mut tables = json!({});
    for Need { table, row } in needs {
        let rows = tables.as_object_mut().unwrap().entry(*table).or_insert_with(|| json!([]));
        rows.as_array_mut().unwrap().push(row.clone());
    }
    tables
}

/// What is wrong with a row of a table.
fn refused(table: &str, row: &Value) -> Vec<String> {
    let mut findings = Findings::default();
    Tables::read(&json!({"kubernetes": {table: [row]}}), &mut findings);
    findings.refusals().map(ToString::to_string).collect()
}

fn grouped(groups: &Value) -> Value {
    json!({"networkConfiguration": {"awsvpcConfiguration": {"securityGroups": groups}}})
}

fn rules(kubernetes: &Value, groups: &[&str]) -> Option<Rules> {
    let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
    tables(kubernetes).rules_of(&groups)
}

#[test]
fn a_rule_of_a_security_group_is_read_whole() {
    let from = json!([{"cidr": "10.0.0.0/8"}, {"cidr": "2001:db8::/32"}, {"securityGroup": "sg-lb"},
        {"service": "Front_End"}, {"namespace": "monitoring"}]);
    let ports = json!([443, "80", "8000-8100", "53/udp", " 9000 - 9001/TCP"]);
    let row = json!({"securityGroup": "sg-1", "ingress": [{"from": from, "ports": ports}]});
    let found = rules(&json!({"securityGroups": [row]}), &["sg-1"]).unwrap();
    let [rule] = found.ingress.as_slice() else { panic!("{found:?}") };
    let peers = [
        Peer::Cidr("10.0.0.0/8".to_owned()),
        Peer::Cidr("2001:db8::/32".to_owned()),
        Peer::SecurityGroup("sg-lb".to_owned()),
        Peer::Service("Front_End".to_owned()),
        Peer::Namespace("monitoring".to_owned()),
    ];
    assert_eq!(rule.peers, peers);
    let tcp = |first, last| Ports { protocol: "TCP", first, last };
    let udp = Ports { protocol: "UDP", first: 53, last: 53 };
    assert_eq!(rule.ports, [tcp(443, 443), tcp(80, 80), tcp(8000, 8100), udp, tcp(9000, 9001)]);
    assert_eq!(found.egress, None, "what goes out goes anywhere");
}

#[test]
fn rules_of_several_groups_add_up() {
    let port = |port: i64| json!({"ports": [port]});
    let kubernetes = json!({"securityGroups": [
        {"securityGroup": "sg-1", "ingress": [port(80), port(81)], "egress": [port(443)]},
        {"securityGroup": "sg-2", "ingress": [port(81), port(82)], "egress": []},
        {"securityGroup": "sg-open"},
    ]});
    let ports = |rules: &[Rule]| rules.iter().map(|rule| rule.ports[0].first).collect::<Vec<_>>();
    let both = rules(&kubernetes, &["sg-1", "sg-2"]).unwrap();
    assert_eq!(ports(&both.ingress), [80, 81, 82], "each once");
    assert_eq!(ports(&both.egress.unwrap()), [443], "an empty list lets nothing out");
    let closed = rules(&kubernetes, &["sg-2"]).unwrap();
    assert_eq!(closed.egress, Some(vec![]));
    let open = rules(&kubernetes, &["sg-1", "sg-open"]).unwrap();
    assert_eq!(open.egress, None, "one that lets anything out does so for all");
    assert_eq!(rules(&kubernetes, &["sg-open"]).unwrap().ingress, [], "and nothing comes in");
    assert_eq!(rules(&kubernetes, &["sg-1", "sg-3"]), None, "one that nobody knows");
    assert_eq!(rules(&kubernetes, &[]), None);
}

#[test]
fn security_groups_without_a_row_are_said_with_the_rows_that_change_nothing() {
    let path = "networkConfiguration.awsvpcConfiguration.securityGroups: ";
    let spec = grouped(&json!(["sg-1", "sg-2", "sg-1"]));
    let (lines, needs) = said(&json!({}), &spec);
    assert_eq!((lines.len(), needs.len()), (1, 2), "{lines:?}");
    assert!(lines[0].starts_with(&format!("{path}everything reaches the tasks")), "{lines:?}");
    let row = "add to spec.kubernetes.securityGroups of Cluster prod: - {securityGroup: sg-1, \
               ingress: [{}]}";
    assert!(lines[0].ends_with(row), "{lines:?}");
    assert_eq!(said(&answered(&needs), &spec), (vec![], vec![]));
    let all = rules(&answered(&needs), &["sg-1", "sg-2"]).unwrap();
    assert_eq!(all, Rules { ingress: vec![Rule::default()], egress: None }, "as without a policy");

    let one = json!({"securityGroups": [{"securityGroup": "sg-1", "ingress": [{"ports": [80]}]}]});
    let (lines, needs) = said(&one, &spec);
    assert_eq!(needs, [derived::security_group_row("sg-2")]);
    let half = "no NetworkPolicy is made of sg-1, since nobody knows what sg-2 lets through beside";
    assert!(lines[0].starts_with(&format!("{path}{half}")), "{lines:?}");
    assert_eq!(said(&json!({}), &grouped(&json!([]))), (vec![], vec![]));
}

#[test]
fn rows_of_security_groups_that_cannot_be_meant_are_refused_with_their_place() {
    let rule = |rule: Value| json!({"securityGroup": "sg-1", "ingress": [{}, rule]});
    let from = |peer: Value| rule(json!({"from": [peer]}));
    let port = |port: Value| rule(json!({"ports": [80, port]}));
    for (row, place) in [
        (json!({"ingress": []}), ".securityGroup: is required"),
        (json!({"securityGroup": "sg-1", "ingress": {}}), ".ingress is an object: must be a list"),
        (rule(json!(80)), ".ingress[1] is 80: must be an object"),
        (rule(json!({"form": [{}]})), ".ingress[1].form: is not known here; a row has from, ports"),
        (rule(json!({"to": []})), ""),
        (from(json!({})), ".ingress[1].from[0]: needs exactly one of cidr"),
        (
            from(json!({"cidr": "10.0.0.0/8", "service": "web"})),
            ".ingress[1].from[0]: needs exactly",
        ),
        (
            from(json!({"cidr": "10.0.0.1/8"})),
            ".ingress[1].from[0].cidr is 10.0.0.1/8: must be a \
            network; this is in 10.0.0.0/8",
        ),
        (from(json!({"cidr": "10.0.0.0"})), ".ingress[1].from[0].cidr is 10.0.0.0: must be"),
        (from(json!({"cidr": "10.0.0.0/33"})), ".ingress[1].from[0].cidr is 10.0.0.0/33: must be"),
        (from(json!({"cidr": "::/-1"})), ".ingress[1].from[0].cidr is ::/-1: must be"),
        (from(json!({"service": "a b"})), ".ingress[1].from[0].service is a b: must be the name"),
        (from(json!({"namespace": "A"})), ".ingress[1].from[0].namespace is A: cannot name"),
        (port(json!(0)), ".ingress[1].ports[1] is 0: must be a port"),
        (port(json!("90-80")), ".ingress[1].ports[1] is \"90-80\": must be"),
        (port(json!("80/icmp")), ".ingress[1].ports[1] is \"80/icmp\": must be"),
        (port(json!("+80")), ".ingress[1].ports[1] is \"+80\": must be"),
        (port(Value::Null), ".ingress[1].ports[1] is null: must be"),
    ] {
        let found = refused("securityGroups", &row);
        if place.is_empty() {
            assert_eq!(found, [""; 0], "an empty member says nothing: {row}");
            continue;
        }
        assert_eq!(found.len(), 1, "{row}: {found:?}");
        let place = format!("kubernetes.securityGroups[0]{place}");
        assert!(found[0].starts_with(&place), "{row}: {}", found[0]);
    }
    for fits in ["0.0.0.0/0", "::/0", "10.1.2.3/32", "2001:db8::1/128", "10.0.0.0/9"] {
        assert_eq!(refused("securityGroups", &from(json!({"cidr": fits}))), [""; 0], "{fits}");
    }
}

fn balanced(members: &Value) -> Value {
    let mut entry = json!({"containerName": "main", "containerPort": 80});
    for (name, value) in members.as_object().unwrap() {
        entry[name] = value.clone();
    }
    json!({"loadBalancers": [entry]})
}

fn exposure(kubernetes: &Value, members: &Value) -> Option<Exposure> {
    let launch = launch(&balanced(members));
    tables(kubernetes).exposure(&launch.load_balancers[0]).cloned()
}

#[test]
fn a_target_group_is_found_by_its_arn_or_its_name_and_a_listener_rule_goes_first() {
    let rows = |about: &str| {
        json!({"targetGroups": [{"targetGroup": "other"},
        {"targetGroup": about, "service": {"type": "NodePort"}}]})
    };
    for (row, written) in [(GROUP, GROUP), ("web", GROUP), (GROUP, "web"), ("web", "web")] {
        let found = exposure(&rows(row), &json!({"targetGroupArn": written}));
        assert!(matches!(found, Some(Exposure::Service(_))), "{row} {written}");
    }
    let another = GROUP.replace("eu-west-1", "eu-west-2");
    assert_eq!(exposure(&rows(&another), &json!({"targetGroupArn": GROUP})), None);
    assert_eq!(exposure(&rows("web"), &json!({"loadBalancerName": "web"})), None, "is no group");

    let rows = json!({"targetGroups": [{"targetGroup": "web"}, {"loadBalancerName": "web",
        "service": {"type": "LoadBalancer"}}, {"listenerRule": RULE, "ingress": {"path": "/shop"}}]});
    let advanced = json!({"productionListenerRule": RULE});
    let both = json!({"targetGroupArn": GROUP, "advancedConfiguration": advanced});
    let Some(Exposure::Ingress(found)) = exposure(&rows, &both) else { panic!("no ingress") };
    assert_eq!(found.path, "/shop");
    assert_eq!(exposure(&rows, &json!({"targetGroupArn": GROUP})), Some(Exposure::Inside));
    let classic = exposure(&rows, &json!({"loadBalancerName": "web"}));
    assert!(matches!(classic, Some(Exposure::Service(_))));
}

#[test]
fn target_groups_without_a_row_are_said_with_the_row_that_changes_nothing() {
    let row = "add to spec.kubernetes.targetGroups of Cluster prod: - ";
    for (members, place, need) in [
        (
            json!({"targetGroupArn": GROUP}),
            "loadBalancers[0].targetGroupArn: ",
            "{targetGroup: web}",
        ),
        (
            json!({"targetGroupArn": "${Group}"}),
            "loadBalancers[0].targetGroupArn: ",
            "{targetGroup: \"${Group}\"}",
        ),
        (
            json!({"loadBalancerName": "front"}),
            "loadBalancers[0].loadBalancerName: ",
            "{loadBalancerName: front}",
        ),
    ] {
        let spec = balanced(&members);
        let (lines, needs) = said(&json!({}), &spec);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with(&format!("{place}is reached inside the cluster only")));
        assert!(lines[0].ends_with(&format!("{row}{need}")), "{}", lines[0]);
        assert_eq!(said(&answered(&needs), &spec), (vec![], vec![]));
        assert_eq!(exposure(&answered(&needs), &members), Some(Exposure::Inside));
    }
    let (lines, needs) = said(&json!({}), &balanced(&json!({})));
    assert!(lines[0].starts_with("loadBalancers[0]: names no target group"), "{lines:?}");
    assert_eq!(needs, []);
}

#[test]
fn rows_of_target_groups_that_cannot_be_meant_are_refused_with_their_place() {
    let ingress = |members: Value| json!({"targetGroup": "web", "ingress": members});
    let service = |members: Value| json!({"targetGroup": "web", "service": members});
    for (row, place) in [
        (json!({"ingress": {}}), ": needs exactly one of targetGroup"),
        (json!({"targetGroup": "a", "listenerRule": "b"}), ": needs exactly one of targetGroup"),
        (
            json!({"targetGroup": "a", "ingress": {}, "service": {"type": "NodePort"}}),
            ".service: is given beside ingress",
        ),
        (json!({"targetGroup": "a", "ingress": "/"}), ".ingress is \"/\": must be an object"),
        (ingress(json!({"hosts": "a"})), ".ingress.hosts: is not known here; a row has className"),
        (
            ingress(json!({"host": "Shop.example.com"})),
            ".ingress.host is Shop.example.com: must be",
        ),
        (ingress(json!({"host": "a.*.com"})), ".ingress.host is a.*.com: must be"),
        (ingress(json!({"host": "10.0.0.1"})), ".ingress.host is 10.0.0.1: must be"),
        (ingress(json!({"path": "shop"})), ".ingress.path is shop: must begin with /"),
        (ingress(json!({"path": "/a/../b"})), ".ingress.path is /a/../b: must begin"),
        (
            ingress(json!({"path": "a", "pathType": "ImplementationSpecific"})),
            ".ingress.path is a: ",
        ),
        (ingress(json!({"pathType": "prefix"})), ".ingress.pathType is prefix: must be one of"),
        (ingress(json!({"className": "A"})), ".ingress.className is A: cannot name"),
        (ingress(json!({"tlsSecretName": "a/b"})), ".ingress.tlsSecretName is a/b: cannot name"),
        (
            ingress(json!({"annotations": {"ecs.linkspan.dev/intent": "x"}})),
            ".ingress.annotations is ecs.linkspan.dev/intent: cannot name",
        ),
        (service(json!({})), ".service.type: is required"),
        (service(json!({"type": "ClusterIP"})), ".service.type is ClusterIP: must be one of"),
        (service(json!({"type": "NodePort", "port": 0})), ".service.port is 0: must be 1 to 65535"),
        (service(json!({"type": "NodePort", "nodePort": "x"})), ".service.nodePort is x: must be"),
        (
            service(json!({"type": "NodePort", "loadBalancerClass": "a/b"})),
            ".service.loadBalancerClass is a/b: is for type LoadBalancer only",
        ),
        (
            service(json!({"type": "LoadBalancer", "loadBalancerClass": "a b"})),
            ".service.loadBalancerClass is a b: must be",
        ),
    ] {
        let found = refused("targetGroups", &row);
        assert_eq!(found.len(), 1, "{row}: {found:?}");
        let place = format!("kubernetes.targetGroups[0]{place}");
        assert!(found[0].starts_with(&place), "{row}: {}", found[0]);
    }
    let controllers = json!({"nginx.ingress.kubernetes.io/proxy-body-size": "8m"});
    assert_eq!(refused("targetGroups", &ingress(json!({"annotations": controllers}))), [""; 0]);
    let internal = json!({"service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"});
    let members = json!({"type": "LoadBalancer", "loadBalancerClass": "example.com/internal",
        "port": "443", "nodePort": 30443, "annotations": internal});
    assert_eq!(refused("targetGroups", &service(members)), [""; 0]);
}

fn alarm(members: &Value) -> Value {
    let mut alarm = json!({
        "alarmName": "high", "namespace": "AWS/ECS", "metricName": "CPUUtilization",
        "comparisonOperator": "GreaterThanThreshold", "threshold": 80, "evaluationPeriods": 3,
        "alarmActions": ["out"],
    });
    for (name, value) in members.as_object().unwrap() {
        alarm[name] = value.clone();
    }
    alarm
}

#[test]
fn a_service_sees_of_an_alarm_the_actions_that_may_be_its_own() {
    let arn = |service: &str| {
        format!(
            "arn:aws:autoscaling:eu-west-1:1:scalingPolicy:1b2c:resource/ecs/service/{service}:\
             policyName/out"
        )
    };
    let actions =
        json!([arn("prod/web"), arn("prod/web-2"), "in", "arn:aws:sns:eu-west-1:1:topic"]);
    let tables = tables(&json!({"alarms": [alarm(&json!({"alarmActions": actions}))]}));
    let seen = |service: &str| tables.alarms_for("prod", service)[0]["alarmActions"].clone();
    assert_eq!(seen("web"), json!(["out", "in"]));
    assert_eq!(seen("api"), json!(["in"]));
}

#[test]
fn rows_of_alarms_and_hooks_that_cannot_be_meant_are_refused_with_their_place() {
    for (table, row, place) in [
        ("alarms", alarm(&json!({"alarmName": null})), ".alarmName: is required"),
        ("alarms", alarm(&json!({"threshold": null})), ".threshold: is required"),
        (
            "alarms",
            alarm(&json!({"treshold": 1})),
            ".treshold: is not known here; a row has alarmName",
        ),
        (
            "alarms",
            alarm(&json!({"comparisonOperator": ">"})),
            ".comparisonOperator is `>`: must be",
        ),
        (
            "alarms",
            alarm(&json!({"alarmActions": "out"})),
            ".alarmActions is \"out\": must be a list",
        ),
        ("alarms", alarm(&json!({"alarmActions": [1]})), ".alarmActions[0] is 1: must be the name"),
        ("hookTargets", json!({"taskDefinition": "a"}), ".hookTargetArn: is required"),
        ("hookTargets", json!({"hookTargetArn": "a"}), ".taskDefinition: is required"),
        (
            "hookTargets",
            json!({"hookTargetArn": "a", "taskDefinition": "a:b"}),
            ".taskDefinition: ",
        ),
    ] {
        let found = refused(table, &row);
        assert_eq!(found.len(), 1, "{row}: {found:?}");
        assert!(found[0].starts_with(&format!("kubernetes.{table}[0]{place}")), "{}", found[0]);
    }
}

#[test]
fn a_row_that_nothing_uses_is_said() {
    let idle = alarm(&json!({"alarmActions": []}));
    let hook =
        json!({"hookTargetArn": "arn:aws:lambda:r:1:function:check", "taskDefinition": "check"});
    let mut findings = Findings::default();
    let rows =
        json!({"alarms": [idle, alarm(&json!({"alarmName": "used"}))], "hookTargets": [hook]});
    Tables::read(&json!({"kubernetes": rows}), &mut findings);
    let said: Vec<(Level, &str)> =
        findings.0.iter().map(|finding| (finding.level, finding.path.as_str())).collect();
    assert_eq!(
        said,
        [(Level::Differs, "kubernetes.alarms[0]"), (Level::Differs, "kubernetes.hookTargets[0]")]
    );
}

#[test]
fn alarms_and_hooks_without_a_row_need_one_that_can_be_read() {
    let spec = json!({
        "kubernetes": {"scaling": {"alarms": [{"alarmName": "by-name"}, alarm(&json!({}))]}},
        "deploymentConfiguration": {
            "alarms": {"alarmNames": ["errors", ""], "enable": true, "rollback": true},
            "lifecycleHooks": [{"hookTargetArn": "arn:aws:lambda:r:1:function:check this:7"},
                {"targetType": "PAUSE"}],
        },
    });
    let (lines, needs) = said(&json!({}), &spec);
    assert_eq!(lines, [""; 0], "where they stand it is said that nothing looks at them");
    let rows: Vec<(&str, &Value)> = needs.iter().map(|need| (need.table, &need.row)).collect();
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert_eq!((rows[0].0, &rows[0].1["alarmName"]), ("alarms", &json!("by-name")));
    assert_eq!((rows[1].0, &rows[1].1["alarmName"]), ("alarms", &json!("errors")));
    let family = rows[2].1["taskDefinition"].as_str().unwrap();
    assert!(rows[2].0 == "hookTargets" && family.starts_with("check-this-"), "{family}");
    assert_eq!(said(&answered(&needs), &spec), (vec![], vec![]));
}
