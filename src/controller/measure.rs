//! What do metrics say now? Asked once a period, for the policies whose plans want it.
//!
//! In the middle of each period, so that one sample falls into each. What comes of it is decided by
//! the plans, which are asked again by their own wake-up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http;
use futures::StreamExt;
use jiff::Timestamp;
use kube::Client;
use serde_json::Value;

use super::Shared;
use crate::plan::scaling::measured::{Measure, Measured};
use crate::plan::scaling::metrics::{Absence, Request, request};
use crate::world::ObjectKey;

/// How many requests are under way at once.
const AT_ONCE: usize = 8;
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);

/// What the last plans want to be measured.
#[derive(Default)]
pub(super) struct Wanted(Mutex<BTreeMap<ObjectKey, Vec<Measure>>>);

impl Wanted {
    /// Remembers what a plan wants.
    pub(super) fn by(&self, key: &ObjectKey, measures: &[Measure]) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if measures.is_empty() {
            all.remove(key);
        } else {
            all.insert(key.clone(), measures.to_vec());
        }
    }

    fn all(&self) -> BTreeMap<ObjectKey, Vec<Measure>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Who is asked.
#[derive(Clone)]
pub(crate) struct Asked {
    kubernetes: Client,
    /// A Prometheus, or what answers as one, where the admin has set its address.
    prometheus: Option<Client>,
}

impl Asked {
    /// # Errors
    /// The address of the Prometheus cannot be one.
    pub(crate) fn new(kubernetes: Client, prometheus: Option<http::Uri>) -> anyhow::Result<Self> {
        // Without any credentials: those of the API server are for the API server.
        let prometheus =
            prometheus.map(|address| Client::try_from(super::without_credentials(address)));
        Ok(Self { kubernetes, prometheus: prometheus.transpose()? })
    }
}

/// Measures, for ever.
pub(super) async fn follow(asked: Asked, shared: Arc<Shared>) {
    let period = shared.settings.scaling_timing.period.max(1);
    loop {
        tokio::time::sleep(until_middle(period, super::reconcile::now())).await;
        let wanted = shared.wanted.all();
        let mut each: Vec<(ObjectKey, Measure)> = Vec::new();
        for (key, measures) in &wanted {
            each.extend(measures.iter().map(|measure| (key.clone(), measure.clone())));
        }
        let answers: Vec<_> = futures::stream::iter(each)
            .map(|(key, measure)| {
                let asked = asked.clone();
                async move {
                    let answer = ask(&asked, &key.namespace, &measure).await;
                    (key, measure, answer)
                }
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let now = super::reconcile::now();
        let mut world = shared.write();
        world.measured.retain(|key, _| wanted.contains_key(key));
        for (key, measures) in &wanted {
            world.measured.entry(key.clone()).or_default().keep(measures);
        }
        for (key, measure, answer) in answers {
            let measured: &mut Measured = world.measured.entry(key).or_default();
            measured.take(&measure, &answer, now);
        }
    }
}

/// How long it is until the middle of the period, or of the next one.
fn until_middle(period: i64, now: Timestamp) -> Duration {
    let period = period.saturating_mul(1000);
    let into = now.as_millisecond().rem_euclid(period);
    let left = (period + period / 2 - into).rem_euclid(period);
    // Never the same middle twice.
    let left = if left < period / 20 { left + period } else { left };
    Duration::from_millis(u64::try_from(left).unwrap_or_default())
}

/// The answer, or why there is none.
pub(crate) async fn ask(
    asked: &Asked,
    namespace: &str,
    measure: &Measure,
) -> Result<Value, Absence> {
    let (client, path) = match request(&measure.source, namespace, &measure.selector) {
        Request::Kubernetes(path) => (&asked.kubernetes, path),
        Request::Prometheus(path) => (asked.prometheus.as_ref().ok_or(Absence::NotServed)?, path),
    };
    let request = http::Request::get(path).body(Vec::new());
    let request = request.map_err(|error| Absence::no_answer(&error.to_string()))?;
    match tokio::time::timeout(ANSWER, client.request::<Value>(request)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            tracing::debug!(policy = measure.policy, %error, "a metric cannot be read");
            Err(absence(&error))
        }
        Err(_) => Err(Absence::no_answer(&format!("no answer within {} s", ANSWER.as_secs()))),
    }
}

fn absence(error: &kube::Error) -> Absence {
    match error {
        kube::Error::Api(status) => Absence::refused(status.code, &status.message),
        other => Absence::no_answer(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_each_period_comes_once() {
        let at = |millis| Timestamp::from_millisecond(millis).unwrap_or_default();
        let wait = |now| until_middle(60, at(now)).as_millis();
        assert_eq!(wait(0), 30_000);
        assert_eq!(wait(29_000), 61_000, "woken a little early");
        assert_eq!(wait(30_000), 60_000);
        assert_eq!(wait(45_000), 45_000);
    }
}
