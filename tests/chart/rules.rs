//! Which rights does the chart give, and does `docs/rbac.md` give the reason of each?

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::helm::{of_kind, one, template};
use crate::manifests::read;

/// One verb on one resource of one group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Right {
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) verb: String,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if self.group.is_empty() { Ok(()) } else { write!(f, ".{}", self.group) }
    }
}

pub(crate) fn right(verb: &str, resource: &str, group: &str) -> Right {
    Right { group: group.into(), resource: resource.into(), verb: verb.into() }
}

/// What a list of rules comes to.
pub(crate) fn rights(rules: &Value) -> BTreeSet<Right> {
    let texts = |rule: &Value, member: &str| -> Vec<String> {
        serde_json::from_value(rule[member].clone()).unwrap()
    };
    let mut found = BTreeSet::new();
    for rule in rules.as_array().unwrap() {
        for group in texts(rule, "apiGroups") {
            for resource in texts(rule, "resources") {
                for verb in texts(rule, "verbs") {
                    found.insert(right(&verb, &resource, &group));
                }
            }
        }
    }
    found
}

/// All that the chart gives the operator: in every role that is bound to its account.
pub(crate) fn granted(manifests: &[Value]) -> BTreeSet<Right> {
    let mut found = BTreeSet::new();
    for binding in ["ClusterRoleBinding", "RoleBinding"] {
        for binding in of_kind(manifests, binding) {
            if binding["subjects"][0]["name"] == "linkspan" {
                let kind = binding["roleRef"]["kind"].as_str().unwrap();
                let name = binding["roleRef"]["name"].as_str().unwrap();
                found.extend(rights(&one(manifests, kind, name)["rules"]));
            }
        }
    }
    found
}

/// CapacityProviders that the operator is to make.
pub(crate) const PROVIDERS: &str =
    "capacityProviders=[{\"name\":\"big\",\"spec\":{\"name\":\"big\",\"managedNodeGroup\":{}}}]";

/// The rows of the tables of `docs/rbac.md`, above the heading where they end.
fn documented() -> BTreeSet<Right> {
    let page = read("docs/rbac.md");
    let tables = page.lines().take_while(|line| !line.starts_with("## The second scheduler"));
    let mut found = BTreeSet::new();
    for line in tables.filter(|line| line.starts_with("| `") || line.starts_with("| (core)")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{line}");
        assert!(cells[3].len() > 10, "a reason: {line}");
        let group = cells[0].trim_matches('`').replace("(core)", "");
        let resources = cells[1].split('(').next().unwrap();
        for resource in resources.split(", ") {
            for verb in cells[2].split(", ") {
                found.insert(right(verb, resource.trim().trim_matches('`'), &group));
            }
        }
    }
    found
}

#[test]
fn every_rule_has_its_reason_and_every_reason_its_rule() {
    let chart = granted(&template(&[PROVIDERS]));
    let page = documented();
    let list = |rights: Vec<&Right>| rights.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(list(chart.difference(&page).collect()), [""; 0], "no reason in docs/rbac.md");
    assert_eq!(list(page.difference(&chart).collect()), [""; 0], "no rule in the chart");
}

#[test]
fn no_right_reaches_secrets_accounts_roles_exec_webhooks_or_everything() {
    for right in granted(&template(&[PROVIDERS])) {
        let metrics = ["custom.metrics.k8s.io", "external.metrics.k8s.io"];
        let wild = right.resource.contains('*') || right.group.contains('*');
        assert!(!wild || metrics.contains(&right.group.as_str()), "{right}");
        assert_ne!(right.verb, "*", "{right}");
        assert!(!["escalate", "bind", "impersonate"].contains(&right.verb.as_str()), "{right}");
        let groups = [
            "rbac.authorization.k8s.io",
            "admissionregistration.k8s.io",
            "apiextensions.k8s.io",
            "apiregistration.k8s.io",
            "authentication.k8s.io",
            "authorization.k8s.io",
            "certificates.k8s.io",
        ];
        assert!(!groups.contains(&right.group.as_str()), "{right}");
        let resources = [
            "secrets",
            "serviceaccounts",
            "serviceaccounts/token",
            "pods/exec",
            "pods/attach",
            "pods/portforward",
            "pods/ephemeralcontainers",
            "nodes/proxy",
            "nodes/status",
            "namespaces",
            "persistentvolumes",
            "configmaps",
        ];
        assert!(!resources.contains(&right.resource.as_str()), "{right}");
    }
}

#[test]
fn who_may_edit_makes_services_and_who_may_view_sees_them() {
    let manifests = template(&[]);
    let view = one(&manifests, "ClusterRole", "linkspan-view");
    let edit = one(&manifests, "ClusterRole", "linkspan-edit");
    for (role, to) in
        [(view, "view"), (view, "edit"), (view, "admin"), (edit, "edit"), (edit, "admin")]
    {
        let label = format!("rbac.authorization.k8s.io/aggregate-to-{to}");
        assert_eq!(role["metadata"]["labels"][label], "true", "{to}");
    }
    assert!(
        edit["metadata"]["labels"].get("rbac.authorization.k8s.io/aggregate-to-view").is_none()
    );
    for right in rights(&view["rules"]) {
        assert!(["get", "list", "watch"].contains(&right.verb.as_str()), "{right}");
    }
    for right in rights(&edit["rules"]) {
        // What Linkspan makes itself is not to be made by hand, and statuses are Linkspan's.
        for kept in ["servicedeployments", "taskdefinitionrevisions", "capacityproviders", "status"]
        {
            assert!(!right.resource.contains(kept), "{right}");
        }
    }
    let off = template(&["rbac.aggregateToEdit=false", "rbac.aggregateToAdmin=false"]);
    let labels = one(&off, "ClusterRole", "linkspan-edit")["metadata"]["labels"].to_string();
    assert!(!labels.contains("aggregate"), "{labels}");
}

#[test]
fn whoever_asks_for_a_child_must_have_the_right_to_it() {
    let manifests = template(&[]);
    let policy = one(&manifests, "ValidatingAdmissionPolicy", "linkspan-rights").to_string();
    let role = rights(&one(&manifests, "ClusterRole", "linkspan")["rules"]);
    for right in role.iter().filter(|right| right.verb == "create") {
        if right.group == "ecs.linkspan.dev" || right.resource == "events" {
            continue; // records, which are made of what was let in; and what is said of it
        }
        if right.resource == "pods/eviction" {
            continue; // of tasks that Linkspan made
        }
        let asked = policy.contains(&format!("resource('{}')", right.resource))
            || policy.contains(&format!("'{}'", right.resource));
        assert!(asked && policy.contains(&format!("group('{}')", right.group)), "{right}");
    }
}
