//! Which claims, zones and annotations come of the tables.

use std::collections::BTreeMap;

use super::*;
use crate::plan::finding::Finding;

fn volume(kubernetes: &Value, configuration: &Value) -> (Claim, Vec<String>) {
    let mut volume = json!({"name": "data"});
    for (name, value) in configuration.as_object().unwrap() {
        volume[name] = value.clone();
    }
    let (names, said) = of_task(kubernetes, &json!({"taskRoleArn": ROLE, "volumes": [volume]}));
    let said = said.into_iter().filter(|line| !line.starts_with("taskRoleArn"));
    (names.volumes["data"].clone(), said.collect())
}

fn efs(members: &Value) -> Value {
    let mut efs = json!({"fileSystemId": "fs-12345678"});
    for (name, value) in members.as_object().unwrap() {
        efs[name] = value.clone();
    }
    json!({"efsVolumeConfiguration": efs})
}

fn named(claim: &str, directory: Option<&str>) -> Claim {
    Claim::Named { claim: claim.to_owned(), directory: directory.map(ToOwned::to_owned) }
}

#[test]
fn a_file_system_is_the_claim_of_its_row_or_of_its_name() {
    let row = json!({"fileSystems": [{"fileSystem": "fs-12345678", "claimName": "shared"}]});
    let below = json!({"rootDirectory": "/exports//web/"});
    assert_eq!(volume(&row, &efs(&below)), (named("shared", Some("exports/web")), vec![]));
    assert_eq!(volume(&row, &efs(&json!({"rootDirectory": "/"}))).0, named("shared", None));
    let (claim, said) = volume(&json!({}), &efs(&json!({})));
    assert_eq!(claim, named("fs-12345678", None));
    let line = "volumes[0].efsVolumeConfiguration.fileSystemId: is PersistentVolumeClaim fs-12345678, \
        which must be there; to map it, add to spec.kubernetes.fileSystems of Cluster prod: - \
        {fileSystem: fs-12345678, claimName: fs-12345678}";
    assert_eq!(said, [line]);
    let s3 = json!({"s3filesVolumeConfiguration":
        {"fileSystemArn": "arn:aws:s3files:eu-west-1:1:file-system/fs-12345678"}});
    assert_eq!(volume(&row, &s3), (named("shared", None), vec![]), "by the end of its ARN");
    let share = json!({"fsxWindowsFileServerVolumeConfiguration": {
        "fileSystemId": "fs-12345678", "rootDirectory": "\\data\\web",
        "authorizationConfig": {"credentialsParameter": "/x", "domain": "example.com"},
    }});
    assert_eq!(volume(&row, &share), (named("shared", Some("data/web")), vec![]));
}

#[test]
fn an_access_point_is_another_claim_than_its_file_system() {
    let row = |access_point: Value| {
        json!({"fileSystem": "fs-12345678", "accessPoint": access_point, "claimName": "shared",
            "transitEncryption": "ENABLED"})
    };
    let point = efs(&json!({
        "transitEncryption": "ENABLED", "authorizationConfig": {"accessPointId": "fsap-1"},
    }));
    let found = volume(&json!({"fileSystems": [row(Value::Null), row(json!("fsap-1"))]}), &point);
    assert_eq!(found, (named("shared", None), vec![]));
}

/// What is refused of a task definition with this volume, and the row that would answer it.
fn refused(kubernetes: &Value, configuration: &Value) -> (Vec<Finding>, Vec<Need>) {
    let mut volume = configuration.clone();
    volume["name"] = json!("data");
    let mut findings = Findings::default();
    let identifiers = identifiers(&json!({"volumes": [volume]}), &mut findings);
    let mapping = Mapping { tables: tables(kubernetes), ..Mapping::default() };
    let names = resolve(&identifiers, &Launch::default(), &mapping, &mut findings);
    (findings.refusals().cloned().collect(), names.needs)
}

#[test]
fn encryption_that_is_asked_for_is_never_left_out() {
    let wanted = efs(&json!({"transitEncryption": "ENABLED"}));
    let plain = json!({"fileSystems": [{"fileSystem": "fs-12345678", "claimName": "shared"}]});
    for tables in [json!({}), plain] {
        let (refusals, needs) = refused(&tables, &wanted);
        assert_eq!(refusals.len(), 1, "{tables}: {refusals:?}");
        assert_eq!(refusals[0].path, "volumes[0].efsVolumeConfiguration.transitEncryption");
        let answered = json!({"fileSystems": [needs[0].row]});
        assert_eq!(refused(&answered, &wanted), (vec![], vec![]), "the row that it names");
    }
}

#[test]
fn file_systems_that_cannot_be_meant_are_refused() {
    let access = json!({"accessPointId": "fsap-1"});
    for (configuration, count) in [
        (efs(&json!({"fileSystemId": null})), 1),
        (efs(&json!({"rootDirectory": "/a/../b"})), 1),
        (efs(&json!({"authorizationConfig": access})), 1),
        (efs(&json!({"authorizationConfig": {"iam": "ENABLED"}})), 1),
        (efs(&json!({"transitEncryption": "yes"})), 1),
        (json!({"s3filesVolumeConfiguration": {"fileSystemArn": "fs-1"}}), 1),
        (json!({"fsxWindowsFileServerVolumeConfiguration": {"fileSystemId": "fs-1"}}), 1),
    ] {
        let (refusals, _) = refused(&json!({}), &configuration);
        assert_eq!(refusals.len(), count, "{configuration}: {refusals:?}");
    }
}

fn fresh(storage_class: Option<&str>, size: i64) -> Claim {
    Claim::Fresh { storage_class: storage_class.map(ToOwned::to_owned), size, snapshot: None }
}

#[test]
fn a_volume_of_a_driver_is_a_claim_of_the_tasks_own() {
    let rows = json!({"volumeDrivers":
        [{"driver": "rexray/ebs", "storageClassName": "block", "sizeInGiB": "40"}]});
    let docker = |options: Value| {
        json!({"dockerVolumeConfiguration":
            {"scope": "task", "driver": "rexray/ebs", "driverOpts": options}})
    };
    assert_eq!(volume(&rows, &docker(Value::Null)), (fresh(Some("block"), 40), vec![]));
    for (written, size) in [("5", 5), ("5gb", 5), ("6 GiB", 6), ("much", 40), ("0", 40)] {
        let found = volume(&rows, &docker(json!({"size": written, "volumetype": "gp2"})));
        assert_eq!(found.0, fresh(Some("block"), size), "{written}");
    }
    let (claim, said) = volume(&json!({}), &docker(Value::Null));
    assert_eq!(claim, fresh(None, 10), "of the default class");
    assert!(said[0].ends_with("of Cluster prod: - {driver: rexray/ebs}"), "{said:?}");
}

fn service(spec: &Value) -> Launch {
    let mut findings = Findings::default();
    let launch = Launch::read(spec, &mut findings);
    assert!(!findings.any_refused(), "{findings:?}");
    launch
}

#[test]
fn a_volume_that_is_configured_at_launch_is_what_the_service_says() {
    let task = json!({"volumes": [{"name": "data", "configuredAtLaunch": true}]});
    let with = |block: Value| {
        service(&json!({"volumeConfigurations": [{"name": "data", "managedEBSVolume": block}]}))
    };
    let rows = json!({"volumeDrivers": [{"driver": "gp3", "storageClassName": "fast"}]});
    let claim = |rows: &Value, launch: &Launch| {
        let (names, said) = launched(rows, &task, launch);
        (names.volumes.get("data").cloned(), said.len() + names.at_launch.0.len())
    };
    let sized = with(json!({"sizeInGiB": 20, "volumeType": "gp3", "roleArn": ROLE}));
    assert_eq!(claim(&rows, &sized), (Some(fresh(Some("fast"), 20)), 0));
    assert_eq!(claim(&json!({}), &sized), (Some(fresh(None, 20)), 1), "of the default class");
    let restored = with(json!({"sizeInGiB": "20", "snapshotId": "snap-1"}));
    let from = Claim::Fresh { storage_class: None, size: 20, snapshot: Some("snap-1".to_owned()) };
    assert_eq!(claim(&rows, &restored), (Some(from), 0));
    assert_eq!(claim(&rows, &Launch::default()), (None, 1), "a fresh directory, and that is said");
    for block in [
        json!({}),
        json!({"sizeInGiB": 0}),
        json!({"sizeInGiB": 3, "volumeType": "io2"}),
        json!({"sizeInGiB": 3, "volumeType": "gp4"}),
        json!({"snapshotId": "snap-1"}),
    ] {
        let spec = json!({"volumeConfigurations": [{"name": "data", "managedEBSVolume": block}]});
        let mut findings = Findings::default();
        Launch::read(&spec, &mut findings);
        assert_eq!(findings.refusals().count(), 1, "{block}");
    }
}

#[test]
fn tasks_are_kept_to_the_zones_of_their_subnets_where_all_are_known() {
    let rows = json!({"subnets": [
        {"subnet": "subnet-1", "zone": "b"}, {"subnet": "subnet-2", "zone": "a"},
        {"subnet": "subnet-3", "zone": "b"}, {"subnet": "subnet-4"},
    ]});
    let zones = |subnets: &[&str]| {
        let launch = service(
            &json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": subnets}}}),
        );
        let (names, _) = launched(&rows, &json!({}), &launch);
        (names.zones.join(" "), names.at_launch.0.len(), names.needs.len())
    };
    assert_eq!(zones(&["subnet-1", "subnet-2", "subnet-3"]), ("a b".to_owned(), 0, 0));
    assert_eq!(zones(&["subnet-1", "subnet-4"]), (String::new(), 0, 0), "anywhere");
    assert_eq!(zones(&["subnet-1", "subnet-5", "subnet-6"]), (String::new(), 1, 2));
    assert_eq!(zones(&[]), (String::new(), 0, 0));
}

fn logged(rows: &Value, containers: &[(&str, &Value)]) -> (BTreeMap<String, String>, Vec<String>) {
    let container = |(name, log): &(&str, &Value)| json!({"name": name, "image": "example", "logConfiguration": log});
    let containers: Vec<Value> = containers.iter().map(container).collect();
    let spec = json!({"containerDefinitions": containers});
    let (names, said) = of_task(&json!({"logDrivers": rows}), &spec);
    (names.annotations, said)
}

#[test]
fn a_log_drivers_row_says_what_the_nodes_agent_reads_of_the_pod() {
    let log = |group: &str| json!({"logDriver": "awslogs", "options": {"awslogs-group": group, "mode": "blocking"}});
    let rows = |annotations: Value| json!([{"logDriver": "awslogs", "annotations": annotations}]);
    let each = rows(json!({"logs.example.com/group-${container}": "${awslogs-group}${other}!"}));
    let (annotations, said) = logged(&each, &[("web", &log("/web")), ("Side", &log("/side"))]);
    let side = crate::names::dns_label("Side", 63);
    let expected = [
        ("logs.example.com/group-web".to_owned(), "/web!".to_owned()),
        (format!("logs.example.com/group-{side}"), "/side!".to_owned()),
    ];
    assert_eq!((annotations, said), (expected.into(), vec![]));
    let one = rows(json!({"logs.example.com/group": "${awslogs-group}"}));
    let (annotations, said) = logged(&one, &[("web", &log("/web")), ("side", &log("/side"))]);
    assert_eq!(annotations["logs.example.com/group"], "/web");
    assert_eq!(said.len(), 1, "{said:?}");
    let (annotations, said) = logged(&json!([]), &[("web", &log("/web"))]);
    assert!(annotations.is_empty());
    let line = "where that agent takes the driver's part, add to spec.kubernetes.logDrivers of \
        Cluster prod: - {logDriver: awslogs}";
    assert!(said[0].ends_with(line), "{said:?}");
    let plain = json!({"logDriver": "json-file"});
    assert_eq!(logged(&json!([]), &[("web", &plain)]).1, [""; 0]);
}

#[test]
fn rows_of_volumes_zones_and_logs_that_cannot_be_meant_are_refused_with_their_place() {
    for (table, row, place) in [
        ("fileSystems", json!({"fileSystem": "fs-1"}), "claimName: "),
        (
            "fileSystems",
            json!({"fileSystem": "fs-1", "claimName": "a", "transitEncryption": true}),
            "transitEncryption is ",
        ),
        ("volumeDrivers", json!({"storageClassName": "a"}), "driver: "),
        (
            "volumeDrivers",
            json!({"driver": "gp3", "storageClassName": "A"}),
            "storageClassName is ",
        ),
        (
            "volumeDrivers",
            json!({"driver": "gp3", "storageClassName": "a", "sizeInGiB": 0}),
            "sizeInGiB is ",
        ),
        ("subnets", json!({"zone": "a"}), "subnet: "),
        ("subnets", json!({"subnet": "subnet-1", "zone": "a b"}), "zone is "),
        ("logDrivers", json!({"annotations": {}}), "logDriver: "),
        (
            "logDrivers",
            json!({"logDriver": "gelf", "annotations": {"container.apparmor.security.beta.kubernetes.io/a": "b"}}),
            "annotations is ",
        ),
        (
            "logDrivers",
            json!({"logDriver": "gelf", "annotations": {"a b": "c"}}),
            "annotations is ",
        ),
        ("logDrivers", json!({"logDriver": "gelf", "annotations": {"a": 1}}), "annotations.a is "),
    ] {
        let mut findings = Findings::default();
        Tables::read(&json!({"kubernetes": {table: [row]}}), &mut findings);
        let refusals: Vec<String> = findings.refusals().map(ToString::to_string).collect();
        let place = format!("kubernetes.{table}[0].{place}");
        assert_eq!(refusals.len(), 1, "{row}: {refusals:?}");
        assert!(refusals[0].starts_with(&place), "{row}: {}", refusals[0]);
    }
}
