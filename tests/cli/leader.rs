//! Two operators, of which one writes at a time: each handover is a stop or a kill, while services roll.

use k8s_openapi::api::coordination::v1 as coordinationv1;
use kube::Api;
use linkspan::sandbox::control_plane::Options;

use crate::replicas::{LEASE, Replica, free_port, hand_over, times};
use crate::support::{Place, control_plane_with, options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_replica_writes_at_a_time_through_stops_and_kills() {
    let control_plane = control_plane_with(Options { audit: true, ..options() }).await;
    let place = Place::of(&control_plane, "leader").await;
    let leases: Api<coordinationv1::Lease> = Api::namespaced(place.client.clone(), "kube-system");
    let kubeconfig = control_plane.kubeconfig_path().display().to_string();
    let environment = [("KUBECONFIG".to_owned(), kubeconfig)];
    let born = |life: usize| {
        let (name, port) = (format!("replica-{life}"), free_port());
        let arguments = [
            "controller".to_owned(),
            format!("--listen=127.0.0.1:{port}"),
            "--leader-elect".to_owned(),
            "--lease-namespace=kube-system".to_owned(),
            format!("--identity={name}"),
            format!("--lease-duration={LEASE}"),
        ];
        Replica::start(&control_plane, &name, port, &arguments, &environment)
    };
    hand_over(&control_plane, &place, &leases, times(), born).await;
    control_plane.stop().await;
}
