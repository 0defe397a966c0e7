//! Where is a policy's metric asked for, what does the answer say, and what is to be done where there
//! is none?
//!
//! For policies that the operator evaluates itself. It builds requests and reads answers; it sends
//! nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use crate::ecs::scaling::metric::{From, Source, per_task};

/// A request, with its path and query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// To the API server.
    Kubernetes(String),
    /// To the Prometheus that the admin has set, below its address.
    Prometheus(String),
}

/// The request for a metric of a service whose tasks the selector selects.
///
/// ```
/// use linkspan::ecs::scaling::metric::Metric;
/// use linkspan::plan::scaling::metrics::{Request, request};
/// let path = "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods?labelSelector=a%3Db";
/// let source = Metric::Cpu.source().unwrap();
/// assert_eq!(request(&source, "shop", "a=b"), Request::Kubernetes(path.to_owned()));
/// ```
pub fn request(source: &Source, namespace: &str, selector: &str) -> Request {
    let selected = format!("labelSelector={}", encoded(selector));
    Request::Kubernetes(match &source.from {
        From::Prometheus { query } => {
            return Request::Prometheus(format!("/api/v1/query?query={}", encoded(query)));
        }
        From::Resource { .. } => {
            format!("/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods?{selected}")
        }
        From::Pods { name } => format!(
            "/apis/custom.metrics.k8s.io/v1beta2/namespaces/{namespace}/pods/*/{}?{selected}",
            encoded(name)
        ),
        From::External { name, labels } => {
            let labels: Vec<String> =
                labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!(
                "/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/{}?labelSelector={}",
                encoded(name),
                encoded(&labels.join(","))
            )
        }
    })
}

/// The tasks whose metric is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tasks {
    /// How many run.
    pub running: i32,
    /// By pod: what it reserves of the resource that is meant, in CPUs or bytes.
    pub reserved: BTreeMap<String, f64>,
}

/// Why an answer holds no number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absence {
    /// Nobody serves the interface.
    NotServed,
    /// Who serves the interface refuses: the code of HTTP, and why, in one line.
    Refused(u16, String),
    /// Nobody answers, and why, in one line.
    NoAnswer(String),
    /// The interface has no value of this metric.
    NoValue,
    /// There is more than one value, and nothing says what they come to.
    SeveralValues(usize),
    /// What stands in the place of the number.
    NoNumber(String),
    /// The running tasks reserve nothing of it, so that there is no percentage.
    NothingReserved,
    /// No task runs, and only tasks have this metric.
    NoTasks,
}

/// The number that an answer says, one per task where the source is for the whole service.
///
/// Values of several external series are added, those of pods are averaged; the use of CPU and memory
/// is that of all tasks in percent of what they reserve together.
pub fn value(source: &Source, answer: &Value, tasks: &Tasks) -> Result<f64, Absence> {
    let number = match &source.from {
        From::Resource { resource } => utilization(resource, answer, tasks)?,
        From::External { .. } => sum(&values(answer)?),
        From::Pods { .. } => {
            let values = values(answer)?;
            #[allow(clippy::cast_precision_loss, reason = "a count of pods")]
            let count = values.len() as f64;
            sum(&values) / count
        }
        From::Prometheus { .. } => prometheus(answer)?,
    };
    Ok(if source.per_task { per_task(number, tasks.running) } else { number })
}

fn sum(values: &[f64]) -> f64 {
    values.iter().sum()
}

/// The values of `items`, at least one.
fn values(answer: &Value) -> Result<Vec<f64>, Absence> {
    let items = answer.get("items").and_then(Value::as_array).ok_or(Absence::NoValue)?;
    let values: Vec<f64> =
        items.iter().map(|item| quantity_at(item, "value")).collect::<Result<_, _>>()?;
    if values.is_empty() { Err(Absence::NoValue) } else { Ok(values) }
}

fn utilization(resource: &str, answer: &Value, tasks: &Tasks) -> Result<f64, Absence> {
    if tasks.running == 0 {
        return Err(Absence::NoTasks);
    }
    let items = answer.get("items").and_then(Value::as_array).ok_or(Absence::NoValue)?;
    let (mut used, mut reserved, mut known) = (0.0, 0.0, 0);
    for item in items {
        let name = item.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        // A pod of another slot, or one that is gone.
        let Some(share) = tasks.reserved.get(name) else { continue };
        let containers = item.get("containers").and_then(Value::as_array);
        for container in containers.into_iter().flatten() {
            let usage = container.get("usage").unwrap_or(&Value::Null);
            used += quantity_at(usage, resource)?;
        }
        reserved += share;
        known += 1;
    }
    match known {
        0 => Err(Absence::NoValue),
        _ if reserved <= 0.0 => Err(Absence::NothingReserved),
        _ => Ok(100.0 * used / reserved),
    }
}

fn prometheus(answer: &Value) -> Result<f64, Absence> {
    let result =
        answer.pointer("/data/result").and_then(Value::as_array).ok_or(Absence::NoValue)?;
    let of_kind = answer.pointer("/data/resultType").and_then(Value::as_str);
    let sample = match (of_kind, result.as_slice()) {
        (Some("scalar"), [_, value]) => value,
        (_, []) => return Err(Absence::NoValue),
        (_, [one]) => one.pointer("/value/1").ok_or(Absence::NoValue)?,
        (_, several) => return Err(Absence::SeveralValues(several.len())),
    };
    let text = sample.as_str().unwrap_or_default();
    let number: f64 = text.parse().map_err(|_| Absence::NoNumber(sample.to_string()))?;
    if number.is_finite() { Ok(number) } else { Err(Absence::NoNumber(text.to_owned())) }
}

fn quantity_at(raw: &Value, member: &str) -> Result<f64, Absence> {
    let value = raw.get(member).unwrap_or(&Value::Null);
    let read = match value {
        Value::String(text) => quantity(text),
        Value::Number(number) => number.as_f64(),
        _ => None,
    };
    read.ok_or_else(|| Absence::NoNumber(value.to_string()))
}

/// A quantity of Kubernetes: `250m`, `12Ki`, `1.5`, `3e2`.
pub fn quantity(text: &str) -> Option<f64> {
    if let Ok(plain) = text.parse::<f64>() {
        return Some(plain).filter(|plain| plain.is_finite());
    }
    let at = text.find(|letter: char| letter.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at_checked(at)?;
    let factor = match unit {
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024.0_f64.powi(2),
        "Gi" => 1024.0_f64.powi(3),
        "Ti" => 1024.0_f64.powi(4),
        "Pi" => 1024.0_f64.powi(5),
        "Ei" => 1024.0_f64.powi(6),
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

/// The most characters of somebody else's words that are told.
const MOST_WORDS: usize = 200;

/// Somebody else's words in one line, and not too many of them.
fn in_short(words: &str) -> String {
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MOST_WORDS {
        return line;
    }
    line.chars().take(MOST_WORDS).chain(['…']).collect()
}

impl Absence {
    /// What an answer that refuses means: its code of HTTP and its words.
    ///
    /// ```
    /// use linkspan::plan::scaling::metrics::Absence;
    /// assert_eq!(Absence::refused(404, "404 page not found\n"), Absence::NotServed);
    /// let unknown = Absence::refused(404, "the server could not find the metric depth for pods");
    /// assert_ne!(unknown, Absence::NotServed);
    /// ```
    pub fn refused(code: u16, words: &str) -> Self {
        // So the API server says that it knows no such group; who serves one gives a reason.
        if code == 404 && words.trim_start().starts_with("404 page not found") {
            return Self::NotServed;
        }
        // Prometheus gives its reason in JSON.
        let json = serde_json::from_str::<Value>(words).unwrap_or_default();
        let words = json.get("error").and_then(Value::as_str).unwrap_or(words);
        Self::Refused(code, in_short(words))
    }

    /// Nobody answers, for this reason.
    pub fn no_answer(why: &str) -> Self {
        Self::NoAnswer(in_short(why))
    }

    /// What to tell people: which metric does not come, and what to install or to change.
    pub fn message(&self, policy: &str, source: &Source) -> String {
        let elsewhere = format!("or say under kubernetes.scaling.metrics.{policy} where it is");
        let what = match &source.from {
            From::Resource { resource } => format!("the use of {resource}"),
            From::External { name, .. } => format!("the external metric `{name}`"),
            From::Pods { name } => format!("the metric `{name}` of the pods"),
            From::Prometheus { query } => format!("the Prometheus query `{query}`"),
        };
        let why = match (self, &source.from) {
            (Self::NotServed, From::Resource { .. }) => {
                "the cluster does not serve metrics.k8s.io; install metrics-server".to_owned()
            }
            (Self::NotServed, From::External { .. }) => format!(
                "the cluster does not serve external.metrics.k8s.io; install an adapter, \
                 {elsewhere}"
            ),
            (Self::NotServed, From::Pods { .. }) => format!(
                "the cluster does not serve custom.metrics.k8s.io; install an adapter, {elsewhere}"
            ),
            (Self::NotServed, From::Prometheus { .. }) => {
                "no Prometheus is asked; whoever runs the operator gives it the address of one by \
                 --prometheus URL"
                    .to_owned()
            }
            (Self::Refused(code, words), from) => refused(*code, words, from, policy),
            (Self::NoAnswer(why), From::Prometheus { .. }) => format!(
                "the Prometheus that the operator asks does not answer: {why}; whoever runs the \
                 operator sees to its address, --prometheus"
            ),
            (Self::NoAnswer(why), _) => {
                format!("the API server does not answer: {why}; it is asked again each minute")
            }
            (Self::NoValue, From::Resource { .. }) => {
                "no task has reported any yet; this takes about a minute after a start".to_owned()
            }
            (Self::NoValue, _) => format!("it has no value; see that it is exported, {elsewhere}"),
            (Self::SeveralValues(count), _) => {
                format!("it gives {count} series; make it one, as with sum()")
            }
            (Self::NoNumber(found), _) => format!("it gives {found}, which is no number"),
            (Self::NothingReserved, From::Resource { resource }) => format!(
                "the tasks reserve no {resource}, so there is no percentage; give {resource} in \
                 the task definition or its containers"
            ),
            (Self::NothingReserved, _) => "the tasks reserve nothing of it".to_owned(),
            (Self::NoTasks, _) => {
                "no task runs that could report it; a scheduled action or a higher minCapacity \
                 starts some"
                    .to_owned()
            }
        };
        format!("policy `{policy}` does not act, since {what} is not known: {why}")
    }
}

/// Why a metric is refused, and the way out.
fn refused(code: u16, words: &str, from: &From, policy: &str) -> String {
    let serves = match from {
        From::Resource { .. } => "metrics.k8s.io",
        From::External { .. } => "external.metrics.k8s.io",
        From::Pods { .. } => "custom.metrics.k8s.io",
        From::Prometheus { .. } if code == 400 || code == 422 => {
            return format!(
                "Prometheus cannot evaluate it ({words}); mend it under \
                 kubernetes.scaling.metrics.{policy}.prometheus"
            );
        }
        // Its words may be those of something else that is at that address.
        From::Prometheus { .. } => {
            return format!(
                "the Prometheus that the operator asks answers with {code}; whoever runs the operator \
                 sees to its address, --prometheus"
            );
        }
    };
    match code {
        401 | 403 => format!(
            "it may not be read ({words}); whoever runs the operator grants it {serves}, in the chart \
             by rbac.customMetrics"
        ),
        404 => format!(
            "who serves {serves} does not know it ({words}); see that it is exported and that the \
             adapter has a rule for it, or say under kubernetes.scaling.metrics.{policy} where it is"
        ),
        _ => format!(
            "who serves {serves} answers with {code} ({words}); see how the APIService and what is \
             behind it do"
        ),
    }
}

/// A text as part of a query: all but letters, digits and `-._~` as bytes in hexadecimal.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests;
