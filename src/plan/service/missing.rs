//! A task does not start for something that is not there: what is it, and what makes it be there?
//!
//! Reads what a kubelet or a ReplicaSet's controller says, and looks the named thing up among the
//! names that the mapping gave. It looks at no Secret, ConfigMap or ServiceAccount itself.

use super::observed::Observed;
use crate::plan::mapping::{Names, Need, line};

/// What to do about a task that does not start; nothing, where the message names none of our names.
pub(super) fn remedy(observed: &Observed, message: &str) -> Option<String> {
    let (_, names, _) = observed.names()?;
    let cluster = &observed.mapping.cluster;
    secret(&names, cluster, message)
        .or_else(|| config_map(&names, cluster, message))
        .or_else(|| service_account(&names, message))
        .or_else(|| image(&names, cluster, message))
}

/// `secret "db" not found`, and `couldn't find key password in Secret shop/db`.
fn secret(names: &Names, cluster: &str, message: &str) -> Option<String> {
    let all = names.containers.iter().flat_map(|container| &container.secrets);
    let (_, name, key) = all.into_iter().find(|(_, name, key)| {
        let of_key = message.contains(&format!("key {key} in Secret "))
            && message.contains(&format!("/{name}"));
        of_key || message.contains(&format!("secret \"{name}\" not found"))
    })?;
    let source = names.sources.get(&(name.clone(), key.clone()));
    let source = source.map(|source| format!(", which stands for {}", source.plain_name()));
    let make = format!("make Secret {name} with key {key}{}", source.unwrap_or_default());
    Some(or_map(make, names, cluster, "secrets", "secretName", name))
}

/// `configmap "web" not found`
fn config_map(names: &Names, cluster: &str, message: &str) -> Option<String> {
    let mut all = names.containers.iter().flat_map(|container| &container.environment_files);
    let name = all.find(|name| message.contains(&format!("configmap \"{name}\" not found")))?;
    let make =
        format!("make ConfigMap {name} with a key for each variable of the environment file");
    Some(or_map(make, names, cluster, "environmentFiles", "configMap", name))
}

/// `serviceaccount "web" not found`
fn service_account(names: &Names, message: &str) -> Option<String> {
    let name = names.service_account.as_ref()?;
    message.contains(&format!("serviceaccount \"{name}\" not found")).then(|| {
        format!(
            "make ServiceAccount {name}, or change the row of the task role in the Cluster's roles"
        )
    })
}

/// Any message that names an image that no row maps.
fn image(names: &Names, cluster: &str, message: &str) -> Option<String> {
    let need = names.needs.iter().find(|need| {
        let prefix = need.row.get("prefix").and_then(|prefix| prefix.as_str());
        need.table == "images" && prefix.is_some_and(|prefix| message.contains(prefix))
    })?;
    Some(format!("map its registry: {}", line(need, cluster)))
}

/// The same, or a row that names another object, where no row names this one.
fn or_map(
    make: String,
    names: &Names,
    cluster: &str,
    table: &str,
    member: &str,
    name: &str,
) -> String {
    let is_of = |need: &&Need| {
        need.table == table && need.row.get(member).and_then(|given| given.as_str()) == Some(name)
    };
    match names.needs.iter().find(is_of) {
        Some(need) => format!("{make}, or name another: {}", line(need, cluster)),
        None => make,
    }
}
