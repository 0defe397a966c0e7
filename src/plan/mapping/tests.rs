//! Which names identifiers get, by the tables, by default, and what is said where none fits.

use serde_json::{Value, json};

use super::*;
use crate::plan::finding::Level;
use crate::plan::task_definition::identifiers;

mod outward;
mod stored;

const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web:1";
const ROLE: &str = "arn:aws:iam::123456789012:role/team/web";
const DB: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf";

/// The tables that `kubernetes` holds, none of whose rows is refused.
fn tables(kubernetes: &Value) -> Tables {
    let mut findings = Findings::default();
    let tables = Tables::read(&json!({"kubernetes": kubernetes}), &mut findings);
    assert!(!findings.any_refused(), "{findings:?}");
    tables
}

/// What a container with these members resolves to, and what is said of it.
fn named(kubernetes: &Value, members: &Value) -> (Names, Vec<String>) {
    let mut container = json!({"name": "main", "image": "example"});
    for (name, value) in members.as_object().unwrap() {
        container[name] = value.clone();
    }
    let role = container["taskRoleArn"].take();
    of_task(kubernetes, &json!({"taskRoleArn": role, "containerDefinitions": [container]}))
}

fn of_task(kubernetes: &Value, spec: &Value) -> (Names, Vec<String>) {
    launched(kubernetes, spec, &Launch::default())
}

fn launched(kubernetes: &Value, spec: &Value, launch: &Launch) -> (Names, Vec<String>) {
    let mut findings = Findings::default();
    let identifiers = identifiers(spec, &mut findings);
    assert!(!findings.any_refused(), "{findings:?}");
    let mapping =
        Mapping { cluster: "prod".to_owned(), tables: tables(kubernetes), ..Mapping::default() };
    let names = resolve(&identifiers, launch, &mapping, &mut findings);
    assert!(findings.0.iter().all(|finding| finding.level == Level::Differs));
    let again =
        Mapping { tables: tables(names.rows.as_ref().unwrap_or(&json!({}))), ..Mapping::default() };
    let rows_alone = resolve(&identifiers, launch, &again, &mut Findings::default());
    assert!(rows_alone.outcome() == names.outcome(), "the rows that were used say it all");
    (names, findings.0.iter().map(ToString::to_string).collect())
}

fn image(rows: &Value, image: &str) -> String {
    let (names, _) = named(&json!({"images": rows}), &json!({"image": image}));
    names.containers[0].image.clone()
}

#[test]
fn the_longest_prefix_of_an_image_counts() {
    let rows = json!([
        {"prefix": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/", "replacement": "mirror.example/"},
        {"prefix": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/", "replacement": "ghcr.io/shop/"},
        {"prefix": "nginx", "replacement": "quay.io/nginx"},
        {"prefix": "docker.io/", "replacement": "hub.example/"},
    ]);
    for (written, pulled) in [
        (ECR, "ghcr.io/shop/web:1"),
        (
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/api@sha256:0",
            "mirror.example/api@sha256:0",
        ),
        ("nginx:1.27", "quay.io/nginx:1.27"),
        ("nginx-unprivileged:1", "hub.example/library/nginx-unprivileged:1"),
        ("acme/web", "hub.example/acme/web"),
        ("ghcr.io/acme/web:2", "ghcr.io/acme/web:2"),
        ("localhost:5000/web", "localhost:5000/web"),
    ] {
        assert_eq!(image(&rows, written), pulled, "{written}");
    }
}

#[test]
fn a_tag_becomes_the_digest_that_a_row_names() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let rows = json!([{"prefix": "registry:5000/web:1", "digest": digest}]);
    assert_eq!(image(&rows, "registry:5000/web:1"), format!("registry:5000/web@{digest}"));
    assert_eq!(image(&rows, "registry:5000/web:10"), "registry:5000/web:10");
}

#[test]
fn images_are_pulled_by_the_secrets_of_their_rows_and_their_own() {
    let tables = json!({
        "images": [{"prefix": "a.example/", "pullSecrets": ["a", "both"]},
            {"prefix": "b.example/", "replacement": "c.example/", "pullSecrets": ["both", "b"]}],
        "secrets": [{"valueFrom": "team/registry", "secretName": "own"}],
    });
    let container = |image: &str| json!({"name": image[..1], "image": image});
    let mut own = container("own:1");
    own["repositoryCredentials"] = json!({"credentialsParameter": "team/registry"});
    let spec = json!({"containerDefinitions": [container("a.example/x:1"), container("b.example/y"), own]});
    let (names, said) = of_task(&tables, &spec);
    assert_eq!(names.pull_secrets, ["a", "both", "b", "own"]);
    assert_eq!(said, [""; 0]);
}

#[test]
fn a_private_registry_of_aws_that_no_row_maps_is_said() {
    let (names, said) = named(&json!({}), &json!({"image": ECR}));
    assert_eq!(names.containers[0].image, ECR);
    assert!(said[0].starts_with("containerDefinitions[0].image: "), "{}", said[0]);
    let line = "add to spec.kubernetes.images of Cluster prod: - {prefix: \
        \"123456789012.dkr.ecr.eu-west-1.amazonaws.com/\", pullSecrets: [ecr]}";
    assert!(said[0].ends_with(line), "{}", said[0]);
    assert!(named(&json!({}), &json!({"image": "public.ecr.aws/x/y:1"})).1.is_empty());
}

#[test]
fn a_role_is_found_by_its_arn_or_its_name() {
    for (row, written) in [(ROLE, ROLE), ("web", ROLE), (ROLE, "web"), ("web", "web")] {
        let tables = json!({"roles": [{"role": "other", "serviceAccount": "x"},
            {"role": row, "serviceAccount": "shop"}]});
        let (names, said) = named(&tables, &json!({"taskRoleArn": written}));
        assert_eq!(names.service_account.as_deref(), Some("shop"), "{row} for {written}");
        assert!(said.is_empty());
    }
    let other = "arn:aws:iam::999999999999:role/team/web";
    let tables = json!({"roles": [{"role": other, "serviceAccount": "shop"}]});
    let (names, said) = named(&tables, &json!({"taskRoleArn": ROLE}));
    assert_eq!(names.service_account, None, "a role of another account");
    let line = format!("roles of Cluster prod: - {{role: {ROLE}, serviceAccount: web}}");
    assert!(said[0].starts_with("taskRoleArn: ") && said[0].ends_with(&line), "{}", said[0]);
}

fn secret(rows: &Value, value_from: &str) -> (String, String, usize) {
    let secrets = json!([{"name": "PASSWORD", "valueFrom": value_from}]);
    let (names, said) = named(&json!({"secrets": rows}), &json!({"secrets": secrets}));
    let (name, secret, key) = names.containers[0].secrets[0].clone();
    assert_eq!(name, "PASSWORD");
    (secret, key, said.len())
}

#[test]
fn example_20_without_a_row_is_a_key_of_a_secret_of_its_name() {
    let default = |rest: &str| secret(&json!([]), &format!("{DB}{rest}"));
    let db = |key: &str| ("db".to_owned(), key.to_owned(), 1);
    assert_eq!(default(""), db("value"));
    assert_eq!(default(":password::"), db("password"));
    assert_eq!(default(":password:AWSCURRENT:"), db("password"));
    assert_eq!(default(":password:AWSPREVIOUS:"), db("password.AWSPREVIOUS"));
    assert_eq!(default(":password::1b2c"), db("password.1b2c"));
    assert_eq!(default(":::1b2c"), db("value.1b2c"));
}

#[test]
fn no_two_identifiers_get_one_default_name() {
    let forms = [
        format!("{DB}:a::"),
        format!("{DB}:a b::"),
        format!("{DB}:a_b::"),
        "db".to_owned(),
        "/prod/db".to_owned(),
        "prod-db".to_owned(),
        "arn:aws:secretsmanager:r:a:secret:prod/db".to_owned(),
        "arn:aws:secretsmanager:r:a:secret:prod-db".to_owned(),
    ];
    let names: std::collections::BTreeSet<_> =
        forms.iter().map(|form| secret(&json!([]), form)).collect();
    assert_eq!(names.len(), forms.len(), "{names:?}");
}

#[test]
fn a_secret_is_found_by_its_part_then_as_a_whole() {
    let rows = json!([
        {"valueFrom": DB, "secretName": "database", "key": "all"},
        {"valueFrom": format!("{DB}:password::"), "secretName": "database-login", "key": "pass"},
        {"valueFrom": "/prod/db/host", "secretName": "host"},
        {"valueFrom": "api", "secretName": "api", "key": "token"},
    ]);
    let found = |written: &str| {
        let (secret, key, said) = secret(&rows, written);
        assert_eq!(said, 0, "{written}");
        format!("{secret}/{key}")
    };
    assert_eq!(found(DB), "database/all");
    assert_eq!(found(&format!("{DB}:user::")), "database/user");
    assert_eq!(found(&format!("{DB}:password:AWSCURRENT:")), "database-login/pass");
    assert_eq!(found(&format!("{DB}:password:AWSPREVIOUS:")), "database/password.AWSPREVIOUS");
    assert_eq!(found("arn:aws:ssm:eu-west-1:123456789012:parameter/prod/db/host"), "host/value");
    assert_eq!(found("arn:aws:secretsmanager:eu-west-1:1:secret:api-XyZ123"), "api/token");
}

#[test]
fn a_finding_prints_the_row_that_answers_it() {
    let task = json!({
        "taskRoleArn": ROLE,
        "containerDefinitions": [{
            "name": "main", "image": ECR,
            "repositoryCredentials": {"credentialsParameter": "arn:aws:secretsmanager:r:a:secret:login-AbCdEf"},
            "secrets": [{"name": "A", "valueFrom": format!("{DB}:password::")},
                {"name": "B", "valueFrom": format!("{DB}:user::")}, {"name": "C", "valueFrom": "/a/b"}],
            "environmentFiles": [{"value": "arn:aws:s3:::bucket/web.env", "type": "s3"}],
        }, {"name": "side", "image": ECR}],
    });
    let (before, said) = of_task(&json!({}), &task);
    assert_eq!(said.len(), 7, "{said:#?}");
    let mut tables = json!({});
    for Need { table, row } in &before.needs {
        if tables.get(table).is_none() {
            tables[table] = json!([]);
        }
        tables[table].as_array_mut().unwrap().push(row.clone());
    }
    assert_eq!(tables["secrets"].as_array().unwrap().len(), 3, "one for both parts of one secret");
    let (after, said) = of_task(&tables, &task);
    assert_eq!(said, [""; 0]);
    assert_eq!(after.containers, before.containers, "by their default names");
}

#[test]
fn rows_that_cannot_be_meant_are_refused_with_their_place() {
    for (table, row, place) in [
        ("images", json!({"replacement": "a/"}), "kubernetes.images[1].prefix: "),
        ("images", json!({"prefix": "a/"}), "kubernetes.images[1]: "),
        (
            "images",
            json!({"prefix": "a/", "replacment": "b/"}),
            "kubernetes.images[1].replacment: ",
        ),
        (
            "images",
            json!({"prefix": "a/", "replacement": "b c"}),
            "kubernetes.images[1].replacement is ",
        ),
        (
            "images",
            json!({"prefix": "a:1", "digest": "sha256:1"}),
            "kubernetes.images[1].digest is ",
        ),
        (
            "images",
            json!({"prefix": "a/", "digest": format!("sha256:{}", "0".repeat(64))}),
            "kubernetes.images[1].digest: ",
        ),
        (
            "images",
            json!({"prefix": "a/", "pullSecrets": ["other/secret"]}),
            "kubernetes.images[1].pullSecrets[0] is ",
        ),
        ("images", json!({"prefix": "first/", "replacement": "b/"}), "kubernetes.images[1] is "),
        ("images", json!("a/"), "kubernetes.images[1] is "),
        ("roles", json!({"role": "web"}), "kubernetes.roles[0].serviceAccount: "),
        (
            "roles",
            json!({"role": "web", "serviceAccount": "Web"}),
            "kubernetes.roles[0].serviceAccount is ",
        ),
        (
            "secrets",
            json!({"valueFrom": DB, "secretName": "db", "key": "a/b"}),
            "kubernetes.secrets[0].key is ",
        ),
        (
            "secrets",
            json!({"valueFrom": format!("{DB}:a"), "secretName": "db"}),
            "kubernetes.secrets[0].valueFrom is ",
        ),
        (
            "environmentFiles",
            json!({"value": "arn:aws:s3:::b/k"}),
            "kubernetes.environmentFiles[0].configMap: ",
        ),
    ] {
        let mut kubernetes = json!({"images": [{"prefix": "first/", "replacement": "a/"}]});
        if table == "images" {
            kubernetes["images"].as_array_mut().unwrap().push(row.clone());
        } else {
            kubernetes[table] = json!([row]);
        }
        let mut findings = Findings::default();
        Tables::read(&json!({"kubernetes": kubernetes}), &mut findings);
        let refusals: Vec<String> = findings.refusals().map(ToString::to_string).collect();
        assert_eq!(refusals.len(), 1, "{row}: {refusals:?}");
        assert!(refusals[0].starts_with(place), "{row}: {}", refusals[0]);
    }
}

#[test]
fn a_table_that_is_not_known_is_said() {
    let mut findings = Findings::default();
    Tables::read(
        &json!({"kubernetes": {"image": [{"prefix": "a/"}], "roles": null}}),
        &mut findings,
    );
    assert_eq!(findings.0.len(), 1);
    assert_eq!(findings.0[0].path, "kubernetes.image");
}
