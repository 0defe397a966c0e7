//! Rolls under every kind of `minimumHealthyPercent` and `maximumPercent`, each recorded at every
//! version and judged by [`crate::bounds`]. New tasks take a second to become ready.

use k8s_openapi::api::core::v1 as corev1;
use linkspan::api::Service;
use serde_json::{Value, json};

use crate::bounds::{Recording, Verdict};
use crate::support::{Place, status_of, until};

/// An image of a number whose tasks are ready a second after they start.
fn slow(number: i64) -> String {
    format!("example/{number}/sandbox.linkspan.dev/ready-after:1s")
}

/// An image whose tasks are never ready.
const NEVER: &str = "sandbox.linkspan.dev/never-ready:1";

fn spec(family: &str, count: i64, (minimum, maximum): (i64, i64)) -> Value {
    json!({"taskDefinition": family, "desiredCount": count, "deploymentConfiguration": {
        "minimumHealthyPercent": minimum, "maximumPercent": maximum}})
}

/// A service of so many tasks of `<name>:1`, at rest.
async fn at_rest(place: &Place, name: &str, count: i64, percents: (i64, i64)) -> Service {
    place.task_definition(name, &slow(1)).await;
    place.service(name, spec(name, count, percents)).await;
    place.steady(name, i32::try_from(count).unwrap(), &format!("{name}:1")).await
}

/// Rolls so many tasks under such percents to a second revision.
async fn roll(place: &Place, name: &str, count: i64, percents: (i64, i64)) -> Verdict {
    at_rest(place, name, count, percents).await;
    let recording = Recording::start(place, name).await;
    place.task_definition(name, &slow(2)).await;
    place.steady(name, i32::try_from(count).unwrap(), &format!("{name}:2")).await;
    let story = format!("{count} tasks at {}/{} % to a new revision", percents.0, percents.1);
    recording.end(&story).await
}

/// Waits until tasks of a revision are there.
async fn started(place: &Place, service: &Service, revision: &str) {
    until(&format!("tasks of revision {revision}"), || async {
        let pods = place.children::<corev1::Pod>(service).await;
        let of = |pod: &corev1::Pod| {
            pod.metadata.labels.as_ref()?.get(linkspan::names::label::REVISION).cloned()
        };
        if pods.iter().any(|pod| of(pod).as_deref() == Some(revision)) {
            Ok(())
        } else {
            Err(format!("{} tasks", pods.len()))
        }
    })
    .await;
}

/// A service of so many tasks, recorded from rest until tasks of its second revision are there.
async fn in_mid_roll(
    place: &Place,
    count: i64,
    percents: (i64, i64),
    image: &str,
) -> (Service, Recording) {
    let service = at_rest(place, "web", count, percents).await;
    let recording = Recording::start(place, "web").await;
    place.task_definition("web", image).await;
    started(place, &service, "2").await;
    (service, recording)
}

async fn count_of(place: &Place, service: &Service) -> i32 {
    place.deployment(service).await.spec.unwrap().replicas.unwrap()
}

#[tokio::test]
async fn a_roll_uses_the_room_that_the_percents_leave_and_no_more() {
    let place = Place::new("room").await;
    // How many tasks, the percents, the least healthy and the most that there may be.
    let cases = [
        ("half", 4, (50, 100), 2, 4),
        ("half-more", 4, (100, 150), 4, 6),
        ("default", 3, (100, 200), 3, 6),
        // 50 % of 3 is 1.5, rounded up; 75 % of 2 too.
        ("up", 3, (50, 100), 2, 3),
        ("up-whole", 2, (75, 150), 2, 3),
        // 150 % of 3 is 4.5, rounded down; 125 % is 3.75.
        ("down", 3, (50, 150), 2, 4),
        ("down-whole", 3, (50, 125), 2, 3),
    ];
    let rolls = cases.map(|(name, count, percents, ..)| roll(&place, name, count, percents));
    let verdicts = futures::future::join_all(rolls).await;
    for (verdict, (name, _, _, floor, cap)) in verdicts.iter().zip(cases) {
        assert!(verdict.least_healthy >= floor, "{name}: {verdict:?}");
        assert_eq!(verdict.most, cap, "{name}: {verdict:?}");
        // Without a surge, tasks stop first.
        let stops_first = name == "half" || name.starts_with("up") && cap == 3 && floor == 2;
        assert!(!stops_first || verdict.least_healthy == floor, "{name}: {verdict:?}");
    }
}

#[tokio::test]
async fn the_first_deployment_needs_no_room() {
    let place = Place::new("first").await;
    place.task_definition("shop", &slow(1)).await;
    place.service("web", spec("shop", 3, (100, 100))).await;
    let recording = Recording::start(&place, "web").await;
    place.steady("web", 3, "shop:1").await;
    let verdict = recording.end("3 tasks at 100/100 %, the first deployment").await;
    assert_eq!(verdict.most, 3);
}

#[tokio::test]
async fn a_count_that_leaves_no_room_waits_for_the_end_of_the_roll() {
    let place = Place::new("closes").await;
    let (service, recording) = in_mid_roll(&place, 4, (100, 125), NEVER).await;
    // 125 % of 3 is 3: no room.
    place.scale("web", 3).await;
    let said = place.service_when("web", "the wait is said", |service| {
        let conditions = status_of(service).conditions;
        conditions.iter().any(|c| c.message.contains("waits for the end of the roll"))
    });
    said.await;
    assert_eq!(count_of(&place, &service).await, 4);
    // A roll over it, within the bounds that it has, ends it.
    place.task_definition("web", &slow(3)).await;
    let service = place.steady("web", 3, "web:3").await;
    assert_eq!(count_of(&place, &service).await, 3);
    let verdict =
        recording.end("4 tasks at 100/125 % to 3 in mid-roll, which leaves no room").await;
    assert!(verdict.least_healthy >= 3 && verdict.most == 5, "{verdict:?}");
}

#[tokio::test]
async fn fewer_tasks_in_the_middle_of_a_roll_keep_the_floor() {
    let place = Place::new("fewer").await;
    let (_, recording) = in_mid_roll(&place, 6, (100, 150), &slow(2)).await;
    place.scale("web", 3).await;
    place.steady("web", 3, "web:2").await;
    let verdict = recording.end("6 tasks at 100/150 % to 3 in mid-roll").await;
    assert!(verdict.least_healthy >= 3 && verdict.most <= 9, "{verdict:?}");
}

#[tokio::test]
async fn fewer_tasks_in_a_roll_that_stands_still_do_not_wait_for_its_end() {
    let place = Place::new("fewer-stuck").await;
    let (service, recording) = in_mid_roll(&place, 6, (50, 150), NEVER).await;
    place.scale("web", 2).await;
    until("the count is lower", || async {
        let count = count_of(&place, &service).await;
        if count == 2 { Ok(()) } else { Err(format!("{count}")) }
    })
    .await;
    place.task_definition("web", &slow(3)).await;
    place.steady("web", 2, "web:3").await;
    let verdict = recording.end("6 tasks at 50/150 % to 2 in a roll that stands still").await;
    assert!(verdict.least_healthy >= 1 && verdict.most <= 9, "{verdict:?}");
}

#[tokio::test]
async fn more_tasks_in_the_middle_of_a_roll_keep_the_cap() {
    let place = Place::new("more").await;
    let (_, recording) = in_mid_roll(&place, 2, (100, 150), &slow(2)).await;
    place.scale("web", 6).await;
    place.steady("web", 6, "web:2").await;
    let verdict = recording.end("2 tasks at 100/150 % to 6 in mid-roll").await;
    assert!(verdict.least_healthy >= 2 && verdict.most <= 9, "{verdict:?}");
}

#[tokio::test]
async fn a_roll_over_a_roll_over_a_roll_keeps_the_bounds() {
    let place = Place::new("thrice").await;
    let service = at_rest(&place, "web", 4, (50, 150)).await;
    let recording = Recording::start(&place, "web").await;
    for (number, image) in [(2, slow(2)), (3, NEVER.to_owned()), (4, slow(4))] {
        place.task_definition("web", &image).await;
        started(&place, &service, &number.to_string()).await;
    }
    place.steady("web", 4, "web:4").await;
    let verdict = recording.end("4 tasks at 50/150 %, a roll over a roll over a roll").await;
    assert!(verdict.least_healthy >= 2 && verdict.most <= 6, "{verdict:?}");
}
