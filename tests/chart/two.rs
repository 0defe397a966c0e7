//! The release with two replicas, which had one before: each with the token, the arguments and the
//! environment that the installed Deployment gave its pods then.

use k8s_openapi::api::coordination::v1 as coordinationv1;
use kube::{Api, Client};
use serde_json::Value;

use crate::operator::{ACCOUNT, Installed, NAMESPACE, bare, install, kubeconfig, place_of};
use crate::replicas::{LEASE, Replica, free_port, hand_over, times};
use crate::support::audited;
use crate::usage::refused;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_of_the_release_write_one_at_a_time_through_stops_and_kills() {
    let control_plane = bare().await;
    let lease = format!("extraArgs=[\"--lease-duration={LEASE}\"]");
    let admin = Client::try_from(control_plane.config()).unwrap();
    // The first was alone, and is still there when the release goes from one to two.
    let mut installed = Vec::new();
    for replicas in [1, 2] {
        install(&control_plane, &[&format!("replicaCount={replicas}"), &lease]);
        installed.push(Installed::read(&admin, control_plane.dir()).await);
        assert_eq!(installed.last().unwrap().replicas, replicas);
    }
    let kubeconfig = kubeconfig(&control_plane, "linkspan").await.display().to_string();
    let place = place_of(&control_plane, "shop", "dev").await;
    let leases: Api<coordinationv1::Lease> = Api::namespaced(admin.clone(), NAMESPACE);
    let born = |life: usize| {
        let (name, port) = (format!("linkspan-{life}"), free_port());
        let mut installed = installed[usize::from(life > 1)].clone();
        // All share one address here, which pods do not.
        installed.replace(&format!("--listen=127.0.0.1:{port}"));
        let mut environment = installed.environment(&name);
        environment.push(("KUBECONFIG".to_owned(), kubeconfig.clone()));
        Replica::start(&control_plane, &name, port, &installed.arguments, &environment)
    };
    hand_over(&control_plane, &place, &leases, times(), born).await;

    let refused = refused(&control_plane);
    assert!(refused.is_empty(), "{refused:#?}");
    let of_replicas =
        |line: &Value| line["userAgent"].as_str().is_some_and(|by| by.starts_with("linkspan/"));
    for line in audited(&control_plane.audit_log()).into_iter().filter(of_replicas) {
        assert_eq!(line["user"]["username"], ACCOUNT, "{line}");
        let of = &line["objectRef"];
        let elsewhere = of["resource"] == "leases" && of["namespace"] != NAMESPACE;
        assert!(!elsewhere, "{line}");
    }
    // And back.
    install(&control_plane, &["replicaCount=1", &lease]);
    assert_eq!(Installed::read(&admin, control_plane.dir()).await.replicas, 1);
    control_plane.stop().await;
}
