//! Are metrics asked for where they are, and is their absence explained?

use serde_json::json;

use super::*;
use crate::ecs::scaling::metric::Metric;

fn external(per_task: bool) -> Source {
    let labels = [("queue".to_owned(), "jobs".to_owned()), ("region".to_owned(), "eu".to_owned())];
    Source { from: From::External { name: "depth".to_owned(), labels: labels.into() }, per_task }
}

fn pods() -> Source {
    Source { from: From::Pods { name: "http/rate".to_owned() }, per_task: false }
}

fn prometheus() -> Source {
    Source { from: From::Prometheus { query: "sum(up{a=\"b\"})".to_owned() }, per_task: false }
}

fn cpu() -> Source {
    Source { from: From::Resource { resource: "cpu" }, per_task: false }
}

#[test]
fn each_interface_has_its_own_path() {
    let path = |source: &Source| request(source, "shop", "a=b,c in (d)");
    assert_eq!(
        path(&external(false)),
        Request::Kubernetes(
            "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/depth?labelSelector=queue%3Djobs%2Cregion%3Deu".to_owned()
        )
    );
    assert_eq!(
        path(&pods()),
        Request::Kubernetes(
            "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/*/http%2Frate?labelSelector=a%3Db%2Cc%20in%20%28d%29".to_owned()
        )
    );
    assert_eq!(
        path(&prometheus()),
        Request::Prometheus("/api/v1/query?query=sum%28up%7Ba%3D%22b%22%7D%29".to_owned())
    );
}

#[test]
fn answers_are_read() {
    let tasks =
        Tasks { running: 4, reserved: [("a".to_owned(), 0.5), ("b".to_owned(), 0.25)].into() };
    let items = json!({"items": [{"value": "1500m"}, {"value": "2k"}]});
    let usage = |name: &str, cpu: &str| {
        json!({"metadata": {"name": name}, "containers": [
            {"usage": {"cpu": cpu, "memory": "1Mi"}}, {"usage": {"cpu": "0"}}]})
    };
    let used = json!({"items": [usage("a", "500m"), usage("b", "100000000n"), usage("c", "9")]});
    let scalar = json!({"data": {"resultType": "scalar", "result": [1.5, "42"]}});
    let vector = json!({"data": {"resultType": "vector", "result": [
        {"metric": {}, "value": [1.5, "4.25"]}]}});
    for (source, answer, expected) in [
        (external(false), &items, 2001.5),
        (external(true), &items, 500.375),
        (pods(), &items, 1000.75),
        (cpu(), &used, 80.0),
        (prometheus(), &scalar, 42.0),
        (prometheus(), &vector, 4.25),
    ] {
        let found = value(&source, answer, &tasks);
        let close = found.as_ref().is_ok_and(|found| (found - expected).abs() < 1e-9);
        assert!(close, "{source:?}: {found:?}, not {expected}");
    }
    let none = Tasks::default();
    assert_eq!(value(&external(true), &items, &none), Ok(2001.5), "as for one task");
}

#[test]
fn an_answer_without_a_number_says_why() {
    let running = Tasks { running: 1, reserved: [("a".to_owned(), 0.0)].into() };
    let used = json!({"items": [{"metadata": {"name": "a"}, "containers": []}]});
    let empty = json!({"items": []});
    let series = json!({"data": {"resultType": "vector", "result": [{}, {}]}});
    let text = json!({"items": [{"value": "much"}]});
    let nan = json!({"data": {"resultType": "scalar", "result": [1, "NaN"]}});
    for (source, answer, expected) in [
        (cpu(), &used, Absence::NothingReserved),
        (cpu(), &empty, Absence::NoValue),
        (external(false), &empty, Absence::NoValue),
        (external(false), &json!(null), Absence::NoValue),
        (external(false), &text, Absence::NoNumber("\"much\"".to_owned())),
        (prometheus(), &series, Absence::SeveralValues(2)),
        (prometheus(), &nan, Absence::NoNumber("NaN".to_owned())),
        (prometheus(), &json!({"data": {"result": []}}), Absence::NoValue),
    ] {
        assert_eq!(value(&source, answer, &running), Err(expected), "{answer}");
    }
    assert_eq!(value(&cpu(), &used, &Tasks::default()), Err(Absence::NoTasks));
}

#[test]
fn absence_names_what_to_install_or_to_change() {
    for (absence, source, expected) in [
        (
            Absence::NotServed,
            cpu(),
            "policy `p` does not act, since the use of cpu is not known: the cluster does not serve \
             metrics.k8s.io; install metrics-server",
        ),
        (
            Absence::NotServed,
            external(false),
            "policy `p` does not act, since the external metric `depth` is not known: the cluster \
             does not serve external.metrics.k8s.io; install an adapter, or say under \
             kubernetes.scaling.metrics.p where it is",
        ),
        (
            Absence::NotServed,
            prometheus(),
            "policy `p` does not act, since the Prometheus query `sum(up{a=\"b\"})` is not known: no \
             Prometheus is asked; whoever runs the operator gives it the address of one by \
             --prometheus URL",
        ),
        (
            Absence::refused(
                400,
                "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"1:4: parse error\"}",
            ),
            prometheus(),
            "policy `p` does not act, since the Prometheus query `sum(up{a=\"b\"})` is not known: \
             Prometheus cannot evaluate it (1:4: parse error); mend it under \
             kubernetes.scaling.metrics.p.prometheus",
        ),
        (
            Absence::refused(502, "<html>\nsomebody else's secret\n</html>"),
            prometheus(),
            "policy `p` does not act, since the Prometheus query `sum(up{a=\"b\"})` is not known: the \
             Prometheus that the operator asks answers with 502; whoever runs the operator sees to \
             its address, --prometheus",
        ),
        (
            Absence::no_answer("no answer\nwithin 10 s"),
            prometheus(),
            "policy `p` does not act, since the Prometheus query `sum(up{a=\"b\"})` is not known: the \
             Prometheus that the operator asks does not answer: no answer within 10 s; whoever runs \
             the operator sees to its address, --prometheus",
        ),
        (
            Absence::refused(404, "no custom metric  depth"),
            external(false),
            "policy `p` does not act, since the external metric `depth` is not known: who serves \
             external.metrics.k8s.io does not know it (no custom metric depth); see that it is \
             exported and that the adapter has a rule for it, or say under \
             kubernetes.scaling.metrics.p where it is",
        ),
        (
            Absence::refused(403, "depth.external.metrics.k8s.io is forbidden"),
            external(false),
            "policy `p` does not act, since the external metric `depth` is not known: it may not be \
             read (depth.external.metrics.k8s.io is forbidden); whoever runs the operator grants it \
             external.metrics.k8s.io, in the chart by rbac.customMetrics",
        ),
        (
            Absence::refused(503, "service unavailable\n"),
            cpu(),
            "policy `p` does not act, since the use of cpu is not known: who serves metrics.k8s.io \
             answers with 503 (service unavailable); see how the APIService and what is behind it do",
        ),
        (
            Absence::NothingReserved,
            cpu(),
            "policy `p` does not act, since the use of cpu is not known: the tasks reserve no cpu, \
             so there is no percentage; give cpu in the task definition or its containers",
        ),
        (
            Absence::SeveralValues(2),
            prometheus(),
            "policy `p` does not act, since the Prometheus query `sum(up{a=\"b\"})` is not known: it \
             gives 2 series; make it one, as with sum()",
        ),
    ] {
        assert_eq!(absence.message("p", &source), expected);
    }
    assert!(Metric::Math.source().is_none());
}

#[test]
fn of_somebody_elses_words_so_many_are_told() {
    let Absence::Refused(400, words) = Absence::refused(400, &"é \n".repeat(1000)) else {
        panic!()
    };
    assert!(
        words.chars().count() <= 201 && words.ends_with('…') && !words.contains('\n'),
        "{words}"
    );
    assert_eq!(Absence::refused(404, "404 page not found\n"), Absence::NotServed);
}

#[test]
fn quantities_are_those_of_kubernetes() {
    for (text, expected) in [
        ("250m", Some(0.25)),
        ("12Ki", Some(12_288.0)),
        ("1.5", Some(1.5)),
        ("3e2", Some(300.0)),
        ("3E", Some(3e18)),
        ("100n", Some(1e-7)),
        ("-1k", Some(-1000.0)),
        ("", None),
        ("m", None),
        ("1mm", None),
        ("inf", None),
        ("é", None),
    ] {
        match (quantity(text), expected) {
            (Some(found), Some(expected)) => {
                assert!((found - expected).abs() <= expected.abs() * 1e-12, "{text}: {found}");
            }
            (found, expected) => assert_eq!(found, expected, "{text}"),
        }
    }
}
