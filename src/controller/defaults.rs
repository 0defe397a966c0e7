//! Which CapacityProviders are made where they are absent? Those of a file that the admin gives.
//!
//! Once, at the start. One that is there, whoever made it, is never changed; one that was deleted comes
//! back at the next start.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};

use super::leader::Leadership;
use crate::api::CapacityProvider;
use crate::names::FIELD_MANAGER;

/// How long to wait after a failure: the API server may not serve the kind yet.
const PAUSE: Duration = Duration::from_secs(5);
/// How often one is tried.
const TRIES: usize = 60;

/// Reads the file: a JSON list of CapacityProviders.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<CapacityProvider>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{}: must be a JSON list of CapacityProviders", path.display()))
}

/// Makes those that are absent, once this process leads.
pub(super) async fn make(
    client: Client,
    mut leadership: Leadership,
    providers: Vec<CapacityProvider>,
) {
    let api: Api<CapacityProvider> = Api::all(client);
    let parameters =
        PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    for provider in providers {
        let name = provider.name_any();
        for attempt in 1..=TRIES {
            while !leadership.allows() {
                leadership.changed().await;
            }
            match api.create(&parameters, &provider).await {
                Ok(_) => tracing::info!(name, "made a default CapacityProvider"),
                Err(kube::Error::Api(answer)) if answer.reason == "AlreadyExists" => {}
                // It will be refused again.
                Err(kube::Error::Api(answer)) if answer.code == 422 => {
                    tracing::error!(name, error = answer.message, "a default CapacityProvider");
                }
                Err(error) if attempt < TRIES => {
                    tracing::warn!(name, %error, attempt, "making a default CapacityProvider");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                Err(error) => tracing::error!(name, %error, "a default CapacityProvider"),
            }
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_a_list_and_what_is_wrong_with_it_is_said() {
        let path = std::env::temp_dir().join(format!("linkspan-defaults-{}", std::process::id()));
        let written = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read(&path).map_err(|error| format!("{error:#}"))
        };
        let fargate = r#"[{"apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "CapacityProvider",
            "metadata": {"name": "fargate"}, "spec": {"name": "FARGATE", "fargateProfile": {}}}]"#;
        assert_eq!(written(fargate).unwrap()[0].name_any(), "fargate");
        let error = written("{}").unwrap_err();
        assert!(error.contains("must be a JSON list of CapacityProviders"), "{error}");
        std::fs::remove_file(&path).unwrap();
        assert!(format!("{:#}", read(&path).unwrap_err()).starts_with("reading "));
    }
}
