//! Who reaches a service's tasks, and how: what the rows of a Cluster make on a real API server.

use k8s_openapi::api::core::v1 as corev1;
use k8s_openapi::api::networking::v1 as networkingv1;
use kube::ResourceExt;
use kube::api::PostParams;
use linkspan::api::{Cluster, Service};
use linkspan::render::{File, run};
use serde_json::{Value, json};

use crate::dry_run::{for_this_server, manifests};
use crate::support::{Place, until};

pub(crate) fn tables() -> Value {
    json!({
        "securityGroups": [
            {"securityGroup": "sg-web",
                "ingress": [{"from": [{"cidr": "10.0.0.0/16"}, {"namespace": "ingress-nginx"}],
                    "ports": [8080, "9000-9010/udp"]}],
                "egress": [{"to": [{"service": "db"}], "ports": [5432]}]},
            {"securityGroup": "sg-self", "ingress": [{"from": [{"securityGroup": "sg-self"}]}], "egress": []},
        ],
        "targetGroups": [
            {"targetGroup": "web", "ingress": {"className": "nginx", "host": "shop.example.com",
                "path": "/api", "tlsSecretName": "shop",
                "annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "8m"}}},
            {"targetGroup": "raw", "service": {"type": "LoadBalancer", "port": 443,
                "loadBalancerClass": "example.com/internal"}},
        ],
    })
}

/// A service that asks for all of it.
pub(crate) fn asked() -> Value {
    let group = |name: &str| {
        let arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup";
        json!({"targetGroupArn": format!("{arn}/{name}/73e2d6bc24d8a067"),
            "containerName": "app", "containerPort": 8080})
    };
    json!({
        "taskDefinition": "shop", "desiredCount": 2, "loadBalancers": [group("web"), group("raw")],
        "networkConfiguration": {"awsvpcConfiguration":
            {"subnets": ["subnet-1"], "securityGroups": ["sg-web", "sg-self"]}},
    })
}

async fn start(place: &Place) -> Service {
    place.apply::<Cluster>("default", json!({"kubernetes": tables()})).await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", asked()).await;
    place.steady("web", 2, "shop:1").await
}

struct Made {
    policies: Vec<networkingv1::NetworkPolicy>,
    ingresses: Vec<networkingv1::Ingress>,
    /// Without the plain one.
    services: Vec<corev1::Service>,
}

async fn made(place: &Place, service: &Service) -> Made {
    let mut services = place.children::<corev1::Service>(service).await;
    services.retain(|found| found.name_any() != "web");
    Made {
        policies: place.children(service).await,
        ingresses: place.children(service).await,
        services,
    }
}

impl Made {
    fn counts(&self) -> [usize; 3] {
        [self.policies.len(), self.ingresses.len(), self.services.len()]
    }

    fn uids(&self) -> Vec<Option<String>> {
        let policies = self.policies.iter().map(ResourceExt::uid);
        let ingresses = self.ingresses.iter().map(ResourceExt::uid);
        policies.chain(ingresses).chain(self.services.iter().map(ResourceExt::uid)).collect()
    }

    /// What they say, without what the API server gives.
    fn specs(&self) -> [Value; 3] {
        let mut service = json!(self.services[0].spec);
        for given in ["clusterIP", "clusterIPs"] {
            service.as_object_mut().unwrap().remove(given);
        }
        service["ports"][0].as_object_mut().unwrap().remove("nodePort");
        [json!(self.policies[0].spec), json!(self.ingresses[0].spec), service]
    }
}

async fn counted(place: &Place, service: &Service, counts: [usize; 3]) -> Made {
    until(&format!("{counts:?} objects"), || async {
        let made = made(place, service).await;
        if made.counts() == counts { Ok(made) } else { Err(format!("{:?}", made.counts())) }
    })
    .await
}

#[tokio::test]
async fn rows_make_a_network_policy_an_ingress_and_a_service_as_rendered_and_take_them_away() {
    let place = Place::new("outward").await;
    let service = start(&place).await;
    let first = counted(&place, &service, [1, 1, 1]).await;
    assert!(first.services[0].spec.as_ref().unwrap().load_balancer_class.is_some());

    // As `render` prints it.
    let cluster = place.api::<Cluster>().get("default").await.unwrap();
    let task = place.api::<linkspan::api::TaskDefinition>().get("shop").await.unwrap();
    let objects = [json!(cluster), json!(task), json!(service)];
    let file = |(at, object): (usize, &Value)| File {
        name: format!("{at}.json"),
        bytes: object.to_string().into_bytes(),
    };
    let files: Vec<File> = objects.iter().enumerate().map(file).collect();
    let rendered = manifests(&run(&files, &for_this_server()));
    let of_kind = |kind: &str, name: &str| {
        let mut found = rendered.iter().filter(|one| one["kind"] == kind);
        let found = found.find(|one| one["metadata"]["name"] == name);
        let mut found = found.unwrap_or_else(|| panic!("{kind} {name}")).clone();
        found["metadata"]["name"] = json!("expected");
        found
    };
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let policy = of_kind("NetworkPolicy", &first.policies[0].name_any());
    let policy = serde_json::from_value(policy).unwrap();
    let ingress = of_kind("Ingress", &first.ingresses[0].name_any());
    let ingress = serde_json::from_value(ingress).unwrap();
    let own = of_kind("Service", &first.services[0].name_any());
    let own = serde_json::from_value(own).unwrap();
    let expected = Made {
        policies: vec![place.api().create(&dry, &policy).await.unwrap()],
        ingresses: vec![place.api().create(&dry, &ingress).await.unwrap()],
        services: vec![place.api().create(&dry, &own).await.unwrap()],
    };
    assert_eq!(first.specs(), expected.specs());

    // Without rows there are none.
    place.apply::<Cluster>("default", json!({"kubernetes": {}})).await;
    counted(&place, &service, [0, 0, 0]).await;
    let service = place.steady("web", 2, "shop:1").await;
    assert!(place.api::<corev1::Service>().get_opt("web").await.unwrap().is_some());

    // With them there are, and they go with their service.
    place.apply::<Cluster>("default", json!({"kubernetes": tables()})).await;
    counted(&place, &service, [1, 1, 1]).await;
    assert_eq!(place.records(&service).await.len(), 1, "none of it is a deployment");
    place.delete::<Service>("web").await;
    place.gone(&service).await;
}

#[tokio::test]
async fn edited_rules_and_exposures_come_back_and_deleted_ones_too() {
    let place = Place::new("outward-drift").await;
    let service = start(&place).await;
    let first = counted(&place, &service, [1, 1, 1]).await;
    let restored = async |what: &str| {
        until(what, || async {
            let now = made(&place, &service).await;
            let same = now.counts() == [1, 1, 1] && now.specs() == first.specs();
            let policies = now.policies.iter().map(|policy| &policy.metadata);
            let ingresses = now.ingresses.iter().map(|ingress| &ingress.metadata);
            let services = now.services.iter().map(|service| &service.metadata);
            let owned =
                policies.chain(ingresses).chain(services).all(|of| of.owner_references.is_some());
            if same && owned { Ok(now) } else { Err(format!("{:?}", now.counts())) }
        })
        .await
    };
    let policy = first.policies[0].name_any();
    for edit in [
        json!({"spec": {"ingress": [{}]}}),
        json!({"spec": {"egress": null, "policyTypes": ["Ingress"]}}),
        json!({"spec": {"podSelector": {"matchLabels": {"app": "other"}}}}),
        json!({"metadata": {"ownerReferences": null}}),
        json!({"metadata": {"labels": null}}),
    ] {
        place.meddle::<networkingv1::NetworkPolicy>(&policy, edit.clone()).await;
        restored(&format!("{edit} is undone")).await;
    }
    let ingress = first.ingresses[0].name_any();
    for edit in [
        json!({"spec": {"ingressClassName": "other"}}),
        json!({"spec": {"rules": [{"host": "other.example.com"}]}}),
        json!({"spec": {"tls": null}}),
        json!({"metadata": {"ownerReferences": null}}),
        json!({"metadata": {"labels": null}}),
    ] {
        place.meddle::<networkingv1::Ingress>(&ingress, edit.clone()).await;
        restored(&format!("{edit} is undone")).await;
    }
    let own = first.services[0].name_any();
    for edit in [
        json!({"spec": {"selector": {"app": "other"}}}),
        json!({"metadata": {"ownerReferences": null}}),
        json!({"metadata": {"labels": null}}),
    ] {
        place.meddle::<corev1::Service>(&own, edit.clone()).await;
        restored(&format!("{edit} is undone")).await;
    }
    place.delete::<networkingv1::NetworkPolicy>(&policy).await;
    place.delete::<networkingv1::Ingress>(&ingress).await;
    place.delete::<corev1::Service>(&own).await;
    until("all three are new", || async {
        let now = made(&place, &service).await;
        let old = first.uids();
        let new = now.counts() == [1, 1, 1] && now.uids().iter().all(|uid| !old.contains(uid));
        if new { Ok(()) } else { Err(format!("{:?}", now.uids())) }
    })
    .await;
    restored("as they were").await;
    assert_eq!(place.records(&service).await.len(), 1, "no new deployment");
}
