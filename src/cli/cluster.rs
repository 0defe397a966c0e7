//! Which cluster is asked, which namespace is meant, and what is there?
//!
//! The flags that kubectl has too, a client, and a [`World`] filled by lists, so that a verb tells what
//! the operator acts on. It prints nothing.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use kube::api::{ApiResource, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::DynamicObject;
use kube::{Api, Client, Config};

use crate::api::{Service, TaskDefinition};
use crate::controller;
use crate::ecs::reference::{family_of, last_part};
use crate::plan::age;
use crate::plan::placement::meant::nearest;
use crate::world::{Kind, ObjectKey, World};

/// Which cluster is asked.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Cluster {
    /// The kubeconfig file (default: $KUBECONFIG, ~/.kube/config, or the pod's own account).
    #[arg(long, value_name = "FILE", global = true)]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig (default: the current one).
    #[arg(long, value_name = "NAME", global = true)]
    context: Option<String>,
}

/// Which cluster is asked, and which namespace is meant.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Scope {
    #[command(flatten)]
    cluster: Cluster,
    /// The namespace (default: that of the context).
    #[arg(short, long, value_name = "NAME", global = true)]
    namespace: Option<String>,
}

impl Cluster {
    pub(super) async fn config(&self) -> anyhow::Result<Config> {
        let options =
            KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let mut config = match &self.kubeconfig {
            Some(path) => {
                let file = Kubeconfig::read_from(path)
                    .with_context(|| format!("reading {}", path.display()))?;
                Config::from_custom_kubeconfig(file, &options).await?
            }
            None if self.context.is_some() => Config::from_kubeconfig(&options).await?,
            None => Config::infer().await.context(
                "no cluster is known; set KUBECONFIG, give --kubeconfig FILE, or start one with \
                 `linkspan sandbox --keep`",
            )?,
        };
        config.connect_timeout = Some(Duration::from_secs(10));
        Ok(config)
    }

    pub(super) async fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::try_from(self.config().await?)?)
    }
}

impl Scope {
    /// The client, and the namespace that is meant.
    pub(super) async fn open(&self) -> anyhow::Result<Place> {
        let config = self.cluster.config().await?;
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        Ok(Place { client: Client::try_from(config)?, namespace })
    }
}

/// A namespace of a cluster that can be asked.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) client: Client,
    pub(super) namespace: String,
}

/// Where objects are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where<'a> {
    /// In one namespace.
    In(&'a str),
    /// In all of them.
    Everywhere,
}

impl Place {
    /// The key of an object of this namespace.
    pub(super) fn key(&self, kind: Kind, name: &str) -> ObjectKey {
        let namespace = if kind.is_namespaced() { self.namespace.as_str() } else { "" };
        ObjectKey::new(kind, namespace, name)
    }

    /// An interface to the objects of a kind in this namespace.
    pub(super) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// A service by its name, also as kubectl writes it: `esvc/web`.
    pub(super) async fn service(&self, written: &str) -> anyhow::Result<Service> {
        let name = last_part(written);
        let api = self.api::<Service>();
        match api.get_opt(name).await {
            Ok(Some(service)) => Ok(service),
            Ok(None) => {
                let all = api.list(&ListParams::default()).await;
                let all = all.map_err(|error| explained(error, Kind::Service, Where::In(name)))?;
                let known: Vec<String> =
                    all.items.iter().filter_map(|one| one.metadata.name.clone()).collect();
                let meant = nearest(name, known.iter().map(String::as_str));
                let meant = meant.map(|meant| format!("; did you mean {meant}?"));
                anyhow::bail!(
                    "no Service {name} is in namespace {}{}",
                    self.namespace,
                    meant.unwrap_or_default()
                )
            }
            Err(error) => Err(explained(error, Kind::Service, Where::In(name))),
        }
    }

    /// The TaskDefinition that has a family: of several that claim it, the oldest.
    pub(super) async fn owner_of_family(
        &self,
        family: &str,
    ) -> anyhow::Result<Option<TaskDefinition>> {
        let all = self.api::<TaskDefinition>().list(&ListParams::default()).await?.items;
        let has =
            |one: &TaskDefinition| family_of(&one.spec.0, one.metadata.name.as_deref()) == family;
        Ok(all.into_iter().filter(has).min_by_key(|one| age(&one.metadata)))
    }

    /// Everything of these kinds that is there.
    pub(super) async fn world(&self, kinds: &[(Kind, Where<'_>)]) -> anyhow::Result<World> {
        let mut world = World { server_minor: self.minor().await, ..World::default() };
        for (kind, at) in kinds {
            self.list_into(&mut world, *kind, *at).await?;
        }
        Ok(world)
    }

    /// The minor version of the API server, if it says so.
    pub(super) async fn minor(&self) -> Option<u32> {
        let version = self.client.apiserver_version().await.ok()?;
        version.minor.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().ok()
    }

    async fn list_into(&self, world: &mut World, kind: Kind, at: Where<'_>) -> anyhow::Result<()> {
        let resource: ApiResource = controller::resource(kind);
        let api: Api<DynamicObject> = match at {
            Where::In(namespace) if kind.is_namespaced() => {
                Api::namespaced_with(self.client.clone(), namespace, &resource)
            }
            _ => Api::all_with(self.client.clone(), &resource),
        };
        let listed = api.list(&ListParams::default()).await;
        let listed = listed.map_err(|error| explained(error, kind, at))?;
        for mut object in listed.items {
            // Of one version it could not be changed, as who tries out what would follow does.
            object.metadata.resource_version = None;
            let name = object.metadata.name.clone().unwrap_or_default();
            let body = serde_json::to_value(object)?;
            if let Err(error) = world.put(kind, body) {
                tracing::debug!(name, %error, "an object does not decode");
            }
        }
        Ok(())
    }
}

/// A failed list in words that say what to do.
fn explained(error: kube::Error, kind: Kind, at: Where<'_>) -> anyhow::Error {
    let (api_version, of_kind) = kind.type_meta();
    let is_ours = api_version.starts_with(crate::names::GROUP);
    match &error {
        kube::Error::Api(status) if status.code == 404 && is_ours => anyhow::anyhow!(
            "the cluster has no {of_kind} of {api_version}; install Linkspan's CRDs: \
             `linkspan crd | kubectl apply --server-side -f -`"
        ),
        kube::Error::Api(status) if status.code == 403 && at == Where::Everywhere => {
            anyhow::Error::new(error)
                .context(format!("reading {} of all namespaces, which this needs", kind.plural()))
        }
        _ => anyhow::Error::new(error).context(format!("reading {}", kind.plural())),
    }
}

/// Now.
#[allow(clippy::disallowed_methods, reason = "this is where the command line reads the clock")]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}
