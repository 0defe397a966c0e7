//! Which number does a scaling policy look at, and where does it come from?
//!
//! It names metrics; it fetches none.

use std::collections::BTreeMap;

/// What a policy scales by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metric {
    /// `ECSServiceAverageCPUUtilization`: percent of the CPU that the tasks reserve.
    Cpu,
    /// `ECSServiceAverageMemoryUtilization`: percent of the memory that the tasks reserve.
    Memory,
    /// `ALBRequestCountPerTarget`: requests per task and minute.
    RequestCountPerTarget {
        /// `ResourceLabel`: `app/<load balancer>/<id>/targetgroup/<target group>/<id>`.
        label: String,
    },
    /// A single CloudWatch metric.
    Named {
        /// `Namespace`.
        namespace: String,
        /// `MetricName`.
        name: String,
        /// `Dimensions`.
        dimensions: BTreeMap<String, String>,
    },
    /// Metric math, which only the source named for the policy can stand for.
    Math,
}

/// Where the cluster has the number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Through which interface.
    pub from: From,
    /// Whether the number is one for the whole service, to be divided by its tasks.
    pub per_task: bool,
}

/// The interface through which a number is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// `metrics.k8s.io`: use as percent of the tasks' requests.
    Resource {
        /// `cpu` or `memory`.
        resource: &'static str,
    },
    /// `external.metrics.k8s.io`, in the service's namespace.
    External {
        /// The metric's name.
        name: String,
        /// Its labels.
        labels: BTreeMap<String, String>,
    },
    /// `custom.metrics.k8s.io`, of the service's pods: their mean.
    Pods {
        /// The metric's name.
        name: String,
    },
    /// A query to the Prometheus that the admin has set.
    Prometheus {
        /// The query; its result must be one number.
        query: String,
    },
}

impl Metric {
    /// Where the number is looked for if nothing else is said; none for metric math.
    ///
    /// A CloudWatch metric is looked for in `external.metrics.k8s.io` under its namespace and name in
    /// lower case with underscores, its dimensions as labels in the same manner; the count of
    /// requests as `alb_request_count_per_target` with the label `target_group`.
    ///
    /// ```
    /// use linkspan::ecs::scaling::metric::{From, Metric};
    /// let metric = Metric::Named {
    ///     namespace: "AWS/SQS".into(),
    ///     name: "ApproximateNumberOfMessagesVisible".into(),
    ///     dimensions: [("QueueName".into(), "jobs".into())].into(),
    /// };
    /// assert_eq!(metric.source().unwrap().from, From::External {
    ///     name: "aws_sqs_approximate_number_of_messages_visible".into(),
    ///     labels: [("queue_name".into(), "jobs".into())].into(),
    /// });
    /// ```
    pub fn source(&self) -> Option<Source> {
        let from = match self {
            Self::Cpu => From::Resource { resource: "cpu" },
            Self::Memory => From::Resource { resource: "memory" },
            Self::RequestCountPerTarget { label } => From::External {
                name: "alb_request_count_per_target".to_owned(),
                labels: label
                    .split('/')
                    .skip_while(|part| *part != "targetgroup")
                    .nth(1)
                    .map(|group| ("target_group".to_owned(), group.to_owned()))
                    .into_iter()
                    .collect(),
            },
            Self::Named { namespace, name, dimensions } => From::External {
                name: snake(&format!("{namespace}_{name}")),
                labels: dimensions
                    .iter()
                    .map(|(name, value)| (snake(name), value.clone()))
                    .collect(),
            },
            Self::Math => return None,
        };
        Some(Source { from, per_task: false })
    }

    /// The metric in a few words.
    pub fn called(&self) -> String {
        match self {
            Self::Cpu => "CPU".to_owned(),
            Self::Memory => "memory".to_owned(),
            Self::RequestCountPerTarget { .. } => "requests per target".to_owned(),
            Self::Named { namespace, name, .. } if namespace.is_empty() => name.clone(),
            Self::Named { namespace, name, .. } => format!("{namespace} {name}"),
            Self::Math => "metric math".to_owned(),
        }
    }

    /// What the unit is, to be put behind a number.
    pub fn unit(&self) -> &'static str {
        match self {
            Self::Cpu | Self::Memory => " %",
            _ => "",
        }
    }
}

/// A number for the whole service, as one per task; with no task it counts as for one.
pub fn per_task(total: f64, tasks: i32) -> f64 {
    total / f64::from(tasks.max(1))
}

/// `QueueName` as `queue_name`, `CPUUtilization` as `cpu_utilization`.
fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| letters.get(at));
        let next_is_lower = letters.get(at + 1).is_some_and(char::is_ascii_lowercase);
        let starts_word = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && next_is_lower)
            });
        if starts_word {
            snake.push('_');
        }
        snake.push(if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' });
    }
    snake
}
