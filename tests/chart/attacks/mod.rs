//! What must not be let in, is it denied? Each attack is tried on the real API server; the table says
//! how many were, and how many were denied.

mod flood;
mod hardened;
mod rights;
mod sensitive;
mod strings;
mod tenants;
mod token;

use std::collections::BTreeSet;
use std::fmt::Debug;

use kube::api::PostParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::operator::{Operator, bare, install, place_of};

/// Attacks of one sort: how many were tried, and which were not denied.
struct Row {
    name: &'static str,
    tried: usize,
    let_in: Vec<String>,
}

impl Row {
    fn new(name: &'static str) -> Self {
        Self { name, tried: 0, let_in: Vec::new() }
    }

    /// Takes in the answer to an attack, which must be a refusal that says these words.
    fn tried<T: Debug>(&mut self, attack: &str, answer: Result<T, kube::Error>, says: &str) {
        self.tried += 1;
        match answer {
            Err(kube::Error::Api(status))
                if matches!(status.code, 403 | 422) && status.message.contains(says) => {}
            other => self.let_in.push(format!("{attack}: {other:?}")),
        }
    }

    /// Takes in an attack that nobody answers.
    fn held(&mut self, attack: &str, holds: bool) {
        self.tried += 1;
        if !holds {
            self.let_in.push(attack.to_owned());
        }
    }
}

/// Creates an object, or only asks whether it may be created.
async fn create<K>(
    client: &Client,
    namespace: &str,
    name: &str,
    body: Value,
    dry: bool,
) -> Result<K, kube::Error>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + serde::Serialize,
{
    let mut body = body;
    body["metadata"]["name"] = json!(name);
    let object = serde_json::from_value(body).unwrap();
    let parameters = PostParams { dry_run: dry, ..PostParams::default() };
    Api::<K>::namespaced(client.clone(), namespace).create(&parameters, &object).await
}

fn service() -> Value {
    json!({"spec": {"taskDefinition": "web"}})
}

#[tokio::test]
async fn what_must_not_be_is_denied() {
    let control_plane = bare().await;
    install(&control_plane, &["scheduler.enabled=true", "networkPolicy.enabled=true"]);
    let operator = Operator::start(&control_plane, &["--log=info,linkspan=trace,kube=trace"]).await;
    let dev = place_of(&control_plane, "shop", "dev").await;
    dev.task_definition("web", "example/web:1").await;
    dev.service("web", json!({"taskDefinition": "web"})).await;
    dev.steady("web", 1, "web:1").await;

    let rows = [
        rights::rights(&control_plane).await,
        sensitive::sensitive_fields(&control_plane).await,
        sensitive::pod_security(&control_plane).await,
        strings::strings(&control_plane).await,
        token::node_fence(&control_plane).await,
        token::stolen_token(&control_plane, &dev.namespace).await,
        tenants::others(&control_plane, &dev).await,
        tenants::look_alikes(&control_plane, &dev).await,
        strings::canaries(&operator, &control_plane).await,
        tenants::revoked(&control_plane).await,
        hardened::release(&control_plane).await,
    ];
    tell!("{:<62} {:>6} {:>7}", "attack", "tried", "denied");
    for row in &rows {
        tell!("{:<62} {:>6} {:>7}", row.name, row.tried, row.tried - row.let_in.len());
    }
    let let_in: BTreeSet<&String> = rows.iter().flat_map(|row| &row.let_in).collect();
    assert!(let_in.is_empty(), "let in: {let_in:#?}");
    control_plane.stop().await;
}
