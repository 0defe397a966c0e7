//! What people ask of a service from day to day: how it does, what happened, another image, back again.

use std::process::Stdio;

use linkspan::api::{Cluster, RolloutState, Service, TaskDefinition};
use linkspan::names::annotation;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::said::{Said, ask, told};
use crate::support::{Place, patience, shared, task_definition, until};

/// A service of some tasks that is steady.
async fn steady(prefix: &str, count: i32) -> Place {
    let place = Place::new(prefix).await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop", "desiredCount": count})).await;
    place.steady("web", count, "shop:1").await;
    place
}

/// The row that begins with a word, as words.
fn row<'a>(said: &'a Said, first: &str) -> Vec<&'a str> {
    let words = said.words();
    let found = words.into_iter().find(|words| words.first() == Some(&first));
    found.unwrap_or_else(|| panic!("{first}: {}", said.out))
}

#[tokio::test]
async fn services_are_told_in_every_form() {
    let place = steady("status", 2).await;
    let namespace = place.namespace.clone();
    let said = told(&place, &["status"]).await;
    let head = "NAME TASK-DEFINITION DESIRED RUNNING PENDING ROLLOUT READY REASON AGE";
    assert_eq!(said.words()[0].join(" "), head);
    let expected = ["web", "shop:1", "2", "2", "0", "COMPLETED", "True", "SteadyState"];
    assert_eq!(row(&said, "web")[..8], expected);
    let said = told(&place, &["status", "-o", "wide", "--no-headers"]).await;
    assert_eq!(said.out.lines().count(), 1, "{}", said.out);
    assert_eq!(row(&said, "web")[9], "default");
    let said = told(&place, &["status", "-A"]).await;
    let own = said.words().iter().any(|words| words.starts_with(&[&namespace, "web", "shop:1"]));
    assert!(own, "{}", said.out);
    let said = told(&place, &["status", "-o", "name"]).await;
    assert_eq!(said.out, "services.ecs.linkspan.dev/web\n");
    let said = told(&place, &["status", "web", "-o", "json"]).await;
    let object: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&object["kind"], &object["metadata"]["name"]), (&json!("Service"), &json!("web")));
    assert_eq!(object["metadata"]["managedFields"], Value::Null);
    let said = told(&place, &["status", "-l", "stage=none"]).await;
    assert_eq!(said.out, format!("No services in {namespace}.\n"));

    let said = told(&place, &["status", "web"]).await;
    let lines: Vec<String> = said.words().iter().map(|words| words.join(" ")).collect();
    assert_eq!(lines[0], "Service: default/web");
    assert_eq!(lines[2], "Task definition: shop:1");
    assert_eq!(lines[3], "Tasks: 2 desired, 2 running, 0 pending");
    assert!(lines[4].starts_with("Ready: True SteadyState"), "{}", said.out);
    assert!(said.out.contains("PRIMARY"), "{}", said.out);
    assert!(said.out.contains("(service web) has reached a steady state."), "{}", said.out);

    let said = told(&place, &["tasks", "web"]).await;
    let head = "TASK SERVICE TASK-DEFINITION STATUS HEALTH NODE RESTARTS AGE";
    let words = said.words();
    assert_eq!(words[0].join(" "), head);
    assert_eq!(words.len(), 3, "{}", said.out);
    for task in &words[1..] {
        assert_eq!(task[1..5], ["web", "shop:1", "RUNNING", "HEALTHY"], "{}", said.out);
    }
    let said = told(&place, &["tasks", "-o", "name"]).await;
    assert!(said.out.lines().all(|line| line.starts_with("pods/web-")), "{}", said.out);

    let said = told(&place, &["events", "web"]).await;
    assert_eq!(said.words()[0], ["AGE", "TYPE", "OF", "MESSAGE"]);
    assert!(said.out.contains(" tasks: (task "), "{}", said.out);
    assert!(said.out.contains("pod/web-"), "what Kubernetes says of its tasks: {}", said.out);
    let said = ask(&place, &["status", "wbe"]).await;
    assert_eq!(said.code, 1);
    assert!(said.err.starts_with("error: no Service wbe is in namespace"), "{}", said.err);
}

/// `linkspan status --watch`, whose lines are read one by one.
async fn watch(place: &Place) -> Child {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_linkspan"))
        .env("KUBECONFIG", shared().await.kubeconfig_path())
        .args(["status", "--watch", "--namespace", &place.namespace])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn what_changes_is_shown_in_lines_where_nobody_can_draw() {
    let place = steady("watched", 1).await;
    let mut child = watch(&place).await;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for count in ["1", "2"] {
        if count == "2" {
            place.scale("web", 2).await;
        }
        let row = ["web", "shop:1", count, count, "0", "COMPLETED"];
        let drawn = async {
            loop {
                let line = lines.next_line().await.unwrap().expect("it goes on");
                assert!(!line.contains('\x1b'), "{line}");
                if line.split_whitespace().collect::<Vec<_>>().starts_with(&row) {
                    break;
                }
            }
        };
        tokio::time::timeout(patience(), drawn).await.expect("each count is shown");
    }
    let pid = child.id().unwrap().to_string();
    std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
    while let Some(line) = lines.next_line().await.unwrap() {
        assert!(!line.contains('\x1b'), "{line}");
    }
    assert!(child.wait().await.unwrap().success());
}

#[tokio::test]
async fn who_has_read_enough_is_no_error() {
    let place = steady("piped", 1).await;
    let mut child = watch(&place).await;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let head = lines.next_line().await.unwrap().unwrap();
    assert!(head.starts_with("NAME "), "{head}");
    // As `| head -1` does.
    drop(lines);
    place.scale("web", 2).await;
    let ended = tokio::time::timeout(patience(), child.wait_with_output()).await;
    let output = ended.expect("it ends at the next change").unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*said), (Some(0), ""));
}

#[tokio::test]
async fn another_image_is_deployed_followed_and_undone() {
    let place = steady("deployed", 2).await;
    let said = told(&place, &["deploy", "web", "--image", "example/shop:2", "--wait"]).await;
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines[0], "registered shop:2");
    assert_eq!(lines.last(), Some(&"service web: shop:2 is deployed, 2 tasks run"), "{}", said.out);
    let again = told(&place, &["deploy", "web", "--image", "app=example/shop:2"]).await;
    assert_eq!(again.out, "TaskDefinition shop has these images already\n");

    let said = told(&place, &["rollout", "history", "web"]).await;
    let words = said.words();
    assert_eq!(words[0].join(" "), "DEPLOYMENT TASK-DEFINITION ROLLOUT AGE CAUSE IMAGES");
    assert_eq!(words[1][1..3], ["shop:1", "COMPLETED"]);
    assert_eq!(words[2][1..3], ["shop:2", "COMPLETED"]);
    assert_eq!(words[2][4..], ["TaskDefinitionChanged", "example/shop:2"]);

    let said = told(&place, &["rollout", "undo", "web"]).await;
    assert!(said.out.starts_with("service web goes back to shop:1;"), "{}", said.out);
    let said = told(&place, &["wait", "web"]).await;
    assert!(said.out.ends_with("service web: shop:1 is deployed, 2 tasks run\n"), "{}", said.out);

    // The family has had the second image all the while; what runs has not.
    let said = told(&place, &["deploy", "web", "--image", "example/shop:2", "--wait"]).await;
    assert!(said.out.starts_with("TaskDefinition shop has these images already\n"), "{said:?}");
    assert!(said.out.ends_with("service web: shop:2 is deployed, 2 tasks run\n"), "{said:?}");
    let pinned = place.api::<Service>().get("web").await.unwrap();
    assert_eq!(pinned.spec.0["taskDefinition"], "shop:2");
    let again = told(&place, &["deploy", "web", "--image", "example/shop:2"]).await;
    assert_eq!(again.out, "TaskDefinition shop has these images already\n");
    told(&place, &["rollout", "undo", "web"]).await;

    // It is pinned now, and goes on being so with what a pipeline deploys.
    let file = shared().await.dir().join(format!("{}.json", place.namespace));
    std::fs::write(&file, r#"[{"name": "app", "imageUri": "example/shop:3"}]"#).unwrap();
    let path = file.display().to_string();
    told(&place, &["deploy", "web", "--image-definitions", &path, "--wait"]).await;
    let service = place.api::<Service>().get("web").await.unwrap();
    assert_eq!(service.spec.0["taskDefinition"], "shop:3");
    let said = told(&place, &["rollout", "undo", "web", "--to-revision", "2"]).await;
    assert!(said.out.starts_with("service web goes back to shop:2;"), "{}", said.out);
    place.steady("web", 2, "shop:2").await;
    let said = ask(&place, &["deploy", "web", "--image", "ap=x"]).await;
    assert_eq!((said.code, &*said.err), (1, "error: no container is called ap; there are app\n"));
}

#[tokio::test]
async fn what_was_just_applied_is_followed_and_not_what_was_there_before() {
    let place = steady("applied", 1).await;
    // Neither of them changes the Service's own generation.
    place.task_definition("shop", "example/shop:2").await;
    let said = told(&place, &["rollout", "status", "web"]).await;
    assert!(said.out.ends_with("service web: shop:2 is deployed, 1 tasks run\n"), "{said:?}");
    let forced = json!({"metadata": {"annotations": {annotation::FORCE_NEW_DEPLOYMENT: "again"}}});
    place.meddle::<Service>("web", forced).await;
    told(&place, &["wait", "web"]).await;
    let service = place.api::<Service>().get("web").await.unwrap();
    let newest = place.records(&service).await.pop().unwrap();
    assert_eq!((newest.spec.sequence, newest.spec.nonce.as_deref()), (3, Some("again")));
    let state = newest.status.unwrap_or_default().rollout_state;
    assert_eq!(state, Some(RolloutState::Completed));

    // What will not come is told, although all is well with what runs.
    place.apply::<TaskDefinition>("shop", json!({"containerDefinitions": []})).await;
    let said = ask(&place, &["rollout", "status", "web"]).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("service web: task definition shop is refused: "), "{said:?}");
}

#[tokio::test]
async fn a_deployment_that_does_not_come_is_told_from_one_that_is_not_there_yet() {
    let place = Place::new("waits").await;
    place.task_definition("shop", "example/shop:1").await;
    place.service("lost", json!({"taskDefinition": "nothing"})).await;
    place.reason("lost", "TaskDefinitionNotFound").await;
    let said = ask(&place, &["rollout", "status", "lost"]).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.out.starts_with("service lost is stalled: TaskDefinitionNotFound: taskDefinition: no"),
        "{said:?}"
    );
    let constraint = json!([{"type": "memberOf", "expression": "attribute:moon exists"}]);
    place
        .service("moon", json!({"taskDefinition": "shop", "placementConstraints": constraint}))
        .await;
    place.reason("moon", "UnableToPlaceTask").await;
    let said = ask(&place, &["wait", "moon", "--timeout", "1"]).await;
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.out.contains("0 of 1 tasks run, 1 pending; UnableToPlaceTask: "), "{said:?}");
    assert_eq!(said.err, "error: the time is over; it goes on by itself\n");
    let said = ask(&place, &["wait"]).await;
    assert_eq!(said.code, 2, "wrong arguments");
}

#[tokio::test]
async fn files_are_compared_with_the_cluster_and_what_would_follow_is_told() {
    let place = Place::new("diff").await;
    let namespace = place.namespace.clone();
    let folder = shared().await.dir().join(format!("{namespace}-files"));
    std::fs::create_dir(&folder).unwrap();
    let write = |image: &str| {
        let object = |kind: &str, name: &str, spec: Value| {
            json!({"apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": kind,
                "metadata": {"name": name}, "spec": spec})
        };
        let definition = object("TaskDefinition", "shop", task_definition(image));
        let service = object("Service", "web", json!({"taskDefinition": "shop"}));
        std::fs::write(folder.join("a.json"), definition.to_string()).unwrap();
        std::fs::write(folder.join("b.json"), service.to_string()).unwrap();
    };
    write("example/shop:1");
    let path = folder.display().to_string();
    let said = ask(&place, &["diff", &path]).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("--- nothing\n"), "{}", said.out);
    let follows = "# Service web: a deployment of shop:1 starts (ServiceCreated)\n";
    assert!(said.out.ends_with(follows), "{}", said.out);

    place.task_definition("shop", "example/shop:1").await;
    place.service("web", json!({"taskDefinition": "shop"})).await;
    place.steady("web", 1, "shop:1").await;
    let said = ask(&place, &["diff", &path]).await;
    assert_eq!((said.code, &*said.out), (0, ""), "{said:?}");

    write("example/shop:2");
    let said = ask(&place, &["diff", &path]).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.out.contains("\n-  image: example/shop:1\n+  image: example/shop:2\n"),
        "{}",
        said.out
    );
    let follows = format!(
        "# TaskDefinitionRevision.ecs.linkspan.dev {namespace}/shop-2 is registered\n\
         # Service web: a deployment of shop:2 starts (TaskDefinitionChanged)\n"
    );
    assert!(said.out.ends_with(&follows), "{}", said.out);
    let said = ask(&place, &["diff", "/nowhere"]).await;
    assert_eq!(said.code, 2, "{said:?}");
}

#[tokio::test]
async fn a_service_is_compared_where_only_the_cluster_has_what_it_names() {
    let place = Place::new("diff-alone").await;
    place.task_definition("shop", "example/shop:1").await;
    place.apply::<Cluster>("team", json!({})).await;
    let file = shared().await.dir().join(format!("{}.json", place.namespace));
    let path = file.display().to_string();
    let write = |spec: Value| {
        let object = json!({"apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "Service",
            "metadata": {"name": "web"}, "spec": spec});
        std::fs::write(&file, object.to_string()).unwrap();
    };
    let asked = |more: Value| {
        let mut spec = json!({"taskDefinition": "shop", "cluster": "team"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    place.registered("shop-1").await;
    for reference in ["shop", "shop:1"] {
        write(asked(json!({"taskDefinition": reference})));
        let said = ask(&place, &["diff", &path]).await;
        let follows = "# Service web: a deployment of shop:1 starts (ServiceCreated)\n";
        assert!(said.code == 1 && said.out.ends_with(follows), "{said:?}");
        assert_eq!(said.err, "", "nothing is refused");
    }

    write(asked(json!({})));
    place.service("web", asked(json!({}))).await;
    place.steady("web", 1, "shop:1").await;
    let said = ask(&place, &["diff", &path]).await;
    assert_eq!((said.code, &*said.out, &*said.err), (0, "", ""), "{said:?}");
    // The newest revision is that of the cluster, and another count starts nothing.
    place.task_definition("shop", "example/shop:2").await;
    place.steady("web", 1, "shop:2").await;
    write(asked(json!({"desiredCount": 3})));
    let said = ask(&place, &["diff", &path]).await;
    assert!(said.code == 1 && said.out.contains("\n+desiredCount: 3\n"), "{said:?}");
    assert!(!said.out.contains("starts"), "{}", said.out);
    write(asked(json!({"taskDefinition": "shop:1"})));
    let said = ask(&place, &["diff", &path]).await;
    let follows = "# Service web: a deployment of shop:1 starts (TaskDefinitionChanged)\n";
    assert!(said.code == 1 && said.out.ends_with(follows), "{said:?}");

    for (nobody, message) in
        [("nobody", "no file has it either"), ("shop:9", "no file has it either")]
    {
        write(asked(json!({"taskDefinition": nobody})));
        let said = ask(&place, &["diff", &path]).await;
        assert!(said.code == 2 && said.err.contains(message), "{said:?}");
    }
}

#[tokio::test]
async fn files_are_compared_with_the_namespaces_that_they_name() {
    let (place, context) = (steady("diff-named", 1).await, Place::new("diff-context").await);
    let file = shared().await.dir().join(format!("{}.json", place.namespace));
    let write = |image: &str| {
        let object = |kind: &str, name: &str, spec: Value| {
            json!({"apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": kind,
                "metadata": {"name": name, "namespace": place.namespace}, "spec": spec})
        };
        let all = json!({"apiVersion": "v1", "kind": "List", "items": [
            object("TaskDefinition", "shop", task_definition(image)),
            object("Service", "web", json!({"taskDefinition": "shop", "desiredCount": 1})),
        ]});
        std::fs::write(&file, all.to_string()).unwrap();
    };
    let path = file.display().to_string();
    write("example/shop:1");
    let said = ask(&context, &["diff", &path]).await;
    assert_eq!((said.code, &*said.out, &*said.err), (0, "", ""), "{said:?}");
    write("example/shop:2");
    let said = ask(&context, &["diff", &path]).await;
    let follows = "# Service web: a deployment of shop:2 starts (TaskDefinitionChanged)\n";
    assert!(said.code == 1 && said.out.ends_with(follows), "{said:?}");
}

#[tokio::test]
async fn a_service_is_compared_by_the_rights_of_the_operator() {
    let place = steady("diff-rights", 1).await;
    let file = shared().await.dir().join(format!("{}.json", place.namespace));
    let constraint = [json!({"type": "memberOf", "expression": "attribute:ecs.os-type =~ lin.*"})];
    let object = json!({"apiVersion": "ecs.linkspan.dev/v1alpha1", "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"taskDefinition": "shop", "placementConstraints": constraint}});
    std::fs::write(&file, object.to_string()).unwrap();
    let path = file.display().to_string();
    let said = ask(&place, &["diff", &path]).await;
    assert_eq!(said.code, 1, "{said:?}");
    let said = ask(&place, &["diff", "--node-writes=false", &path]).await;
    assert!(said.code == 2 && said.err.contains("the right to label nodes"), "{said:?}");
}

#[tokio::test]
async fn events_are_those_of_the_one_service() {
    let place = steady("events", 1).await;
    place.service("web-api", json!({"taskDefinition": "shop"})).await;
    let named = json!({"taskDefinition": "shop", "serviceName": "frontend"});
    place.service("front", named).await;
    place.steady("web-api", 1, "shop:1").await;
    place.steady("front", 1, "shop:1").await;
    for (asked, own) in
        [("web", "web"), ("esvc/web", "web"), ("web-api", "web-api"), ("front", "frontend")]
    {
        let said = told(&place, &["events", asked]).await;
        assert!(said.out.contains(&format!(" pod/{own}-")), "{asked}: {}", said.out);
        for other in ["web-api", "frontend"].into_iter().filter(|other| *other != own) {
            assert!(!said.out.contains(&format!("/{other}-")), "{asked}: {}", said.out);
        }
    }
    let said = told(&place, &["explain", "service", "esvc/web"]).await;
    assert!(said.out.starts_with("Service "), "{}", said.out);
    let said = ask(&place, &["scaling", "esvc/web"]).await;
    assert!(said.err.starts_with("error: service web is not scaled;"), "{}", said.err);
}

#[tokio::test]
async fn a_cluster_goes_after_its_services() {
    let place = Place::new("deleted").await;
    place.task_definition("shop", "example/shop:1").await;
    place.apply::<Cluster>("team", json!({})).await;
    place.service("web", json!({"taskDefinition": "shop", "cluster": "team"})).await;
    place.service("other", json!({"taskDefinition": "shop"})).await;
    place.steady("web", 1, "shop:1").await;
    let said = ask(&place, &["delete", "cluster", "team"]).await;
    assert_eq!(said.code, 1);
    assert_eq!(
        said.err,
        "error: cluster team has services: web; --services deletes them first, with all of their \
         tasks\n"
    );
    let said = told(&place, &["delete", "cluster", "team", "--services", "--wait"]).await;
    assert_eq!(
        said.out,
        "service web deleted\nnothing of service web is left\ncluster team deleted\n"
    );
    assert!(place.api::<Cluster>().get_opt("team").await.unwrap().is_none());
    assert!(place.api::<Service>().get_opt("other").await.unwrap().is_some());
    let said = told(&place, &["delete", "service", "other", "--wait"]).await;
    assert_eq!(said.out, "service other deleted\nnothing of service other is left\n");
}

#[tokio::test]
async fn a_cluster_that_is_not_gone_in_time_is_told() {
    let place = Place::new("kept").await;
    place.apply::<Cluster>("team", json!({})).await;
    let kept = |by: Value| json!({"metadata": {"finalizers": by}});
    place.meddle::<Cluster>("team", kept(json!(["example.com/keep"]))).await;
    let said = ask(&place, &["delete", "cluster", "team", "--wait", "--timeout", "1"]).await;
    assert_eq!(said.code, 3, "{said:?}");
    assert_eq!(said.err, "error: the time is over; the deletion goes on by itself\n");
    place.meddle::<Cluster>("team", kept(json!([]))).await;
    until("it is gone", || async {
        let found = place.api::<Cluster>().get_opt("team").await.unwrap();
        found.map_or(Ok(()), |found| Err(format!("{:?}", found.metadata)))
    })
    .await;
}

#[tokio::test]
async fn the_cluster_is_looked_over() {
    let place = steady("doctor", 1).await;
    let said = until("a look at it", || async {
        let said = ask(&place, &["doctor"]).await;
        if said.out.contains("good   3 zones") { Ok(said) } else { Err(format!("{said:?}")) }
    })
    .await;
    for fact in [
        "good   Linkspan's kinds are installed, as this program has them\n",
        "good   9 of 9 nodes take tasks\n",
        "none   Karpenter: a managedInstancesProvider has nothing that makes its nodes\n",
    ] {
        assert!(said.out.contains(fact), "{fact}: {}", said.out);
    }
    // What other tests have made of it may be wrong with it.
    let wrong = said.out.lines().any(|line| line.starts_with("wrong"));
    assert_eq!(said.code, i32::from(wrong), "{said:?}");
}

#[test]
fn shells_and_kubectl_complete_and_man_has_pages() {
    let run = |arguments: &[&str]| {
        let output =
            std::process::Command::new(env!("CARGO_BIN_EXE_linkspan")).args(arguments).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    assert!(run(&["completions", "bash"]).contains("complete -F _linkspan"));
    assert!(run(&["completions", "kubectl"]).contains("kubectl-linkspan __complete"));
    assert_eq!(run(&["__complete", "--", "explain", "cap"]).split('\t').next(), Some("capacity"));
    assert!(run(&["man"]).contains(".TH linkspan 1"));
    let help = run(&["explain", "--help"]);
    assert!(help.contains("capacity"), "{help}");
}
