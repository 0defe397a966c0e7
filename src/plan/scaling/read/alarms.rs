//! Which alarms trigger the step policies of a service?
//!
//! In AWS an alarm is an object of CloudWatch's whose action is the policy. Here it stands under
//! `kubernetes.scaling.alarms`, with the members of CloudWatch's PutMetricAlarm in camelCase, or in a row
//! of the Cluster's table `alarms`, with the same. An alarm of a Service that says only its name, and
//! which policies it triggers, is the row of that name. Of an alarm of the Service and a row that trigger
//! one policy, the Service's counts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::fields::{dimensions, is_absent, name, number, word};
use crate::ecs::reference::text;
use crate::ecs::scaling::alarm::{Alarm, Comparison, MissingData, Statistic};
use crate::ecs::scaling::metric::Metric;
use crate::plan::finding::Findings;
use crate::plan::task_definition::read::{objects, whole};

/// Where the alarms stand in the spec.
const PLACE: &str = "kubernetes.scaling";
/// Periods that one alarm can look at.
const MOST_PERIODS: i64 = 100;

/// The statistics that a number of samples can be brought to.
pub(super) const STATISTICS: [(&str, Statistic); 5] = [
    ("Average", Statistic::Average),
    ("Minimum", Statistic::Minimum),
    ("Maximum", Statistic::Maximum),
    ("Sum", Statistic::Sum),
    ("SampleCount", Statistic::SampleCount),
];

/// An alarm and the metric that it looks at.
#[derive(Clone, Debug)]
pub(super) struct Alarmed {
    pub(super) alarm: Alarm,
    pub(super) metric: Metric,
}

/// The alarms, by the policies that they trigger; none where the alarm is refused. `rows` are those of
/// the Cluster's table, each of which has been judged.
pub(super) fn read(
    kubernetes: &Value,
    rows: &[Value],
    findings: &mut Findings,
) -> BTreeMap<String, Option<Alarmed>> {
    let mut taken = BTreeSet::new();
    let mut alarms: BTreeMap<String, Option<Alarmed>> = BTreeMap::new();
    for (path, raw) in objects(kubernetes, "alarms", PLACE) {
        let name = name(raw, "alarmName", &path, &mut taken, findings);
        let alarm = match name.as_deref().filter(|_| is_by_name(raw)) {
            Some(name) => by_name(name, rows, &path, findings),
            None => alarm(raw, &path, findings),
        };
        let alarmed = name
            .zip(alarm)
            .map(|(name, (alarm, metric))| Alarmed { alarm: Alarm { name, ..alarm }, metric });
        for policy in actions(raw) {
            if alarms.contains_key(&policy) {
                let rule = format!(
                    "`{policy}` is triggered by another alarm already; one alarm can do it"
                );
                findings.refuse(format!("{path}.alarmActions"), rule);
                continue;
            }
            alarms.insert(policy, alarmed.clone());
        }
    }
    of_rows(rows, &mut alarms, findings);
    alarms
}

/// Whether an alarm leaves all that it watches to a row of its name.
pub fn is_by_name(raw: &Value) -> bool {
    WATCHED.into_iter().all(|member| is_absent(raw, member))
}

/// The members that say what an alarm watches.
const WATCHED: [&str; 5] =
    ["metricName", "metrics", "threshold", "comparisonOperator", "evaluationPeriods"];

fn by_name(
    name: &str,
    rows: &[Value],
    path: &str,
    findings: &mut Findings,
) -> Option<(Alarm, Metric)> {
    let named = |row: &&Value| text(row, "alarmName").as_deref() == Some(name);
    let Some(row) = rows.iter().find(named) else {
        let rule = format!(
            "nothing says what `{name}` watches: give it the members of CloudWatch's alarm here \
             (metricName, threshold, comparisonOperator, evaluationPeriods), or give the Cluster a row \
             with them in `kubernetes.alarms`"
        );
        findings.refuse(path, rule);
        return None;
    };
    alarm(row, path, &mut Findings::default())
}

/// Adds the rows that trigger policies for which the Service gives no alarm of its own.
fn of_rows(
    rows: &[Value],
    alarms: &mut BTreeMap<String, Option<Alarmed>>,
    findings: &mut Findings,
) {
    let mut by: BTreeMap<String, String> = BTreeMap::new();
    for row in rows {
        let read = alarm(row, "", &mut Findings::default());
        let Some((name, (alarm, metric))) = text(row, "alarmName").zip(read) else { continue };
        for policy in actions(row) {
            if let Some(first) = by.get(&policy) {
                let message = format!(
                    "alarms `{first}` and `{name}` of the Cluster both trigger policy `{policy}`; the \
                     first does"
                );
                findings.differs("autoscaling.scalingPolicies", message);
            } else if !alarms.contains_key(&policy) {
                let alarm = Alarm { name: name.clone(), ..alarm.clone() };
                alarms.insert(policy.clone(), Some(Alarmed { alarm, metric: metric.clone() }));
                by.insert(policy, name.clone());
            }
        }
    }
}

/// What is wrong with an alarm that stands elsewhere.
pub fn judge(raw: &Value, path: &str, findings: &mut Findings) {
    alarm(raw, path, findings);
}

/// The names of policies among `alarmActions`, which in AWS are ARNs that end in them.
fn actions(raw: &Value) -> Vec<String> {
    let actions = raw.get("alarmActions").and_then(Value::as_array);
    actions
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|action| match action.rsplit_once(":policyName/") {
            Some((_, name)) => name.to_owned(),
            None => action.to_owned(),
        })
        .collect()
}

fn alarm(raw: &Value, path: &str, findings: &mut Findings) -> Option<(Alarm, Metric)> {
    let refused = findings.refusals().count();
    let mut required = |member: &str, about: &str| {
        if is_absent(raw, member) {
            findings.refuse(format!("{path}.{member}"), format!("is required: {about}"));
        }
    };
    required("threshold", "the value to compare with");
    required("comparisonOperator", "GreaterThanOrEqualToThreshold and the like");
    required("evaluationPeriods", "over how many datapoints");
    let comparisons = [
        ("GreaterThanOrEqualToThreshold", Comparison::GreaterThanOrEqual),
        ("GreaterThanThreshold", Comparison::GreaterThan),
        ("LessThanThreshold", Comparison::LessThan),
        ("LessThanOrEqualToThreshold", Comparison::LessThanOrEqual),
    ];
    let treatments = [
        ("missing", MissingData::Missing),
        ("ignore", MissingData::Ignore),
        ("breaching", MissingData::Breaching),
        ("notBreaching", MissingData::NotBreaching),
    ];
    let comparison = word(raw, "comparisonOperator", path, &comparisons, findings);
    let missing = word(raw, "treatMissingData", path, &treatments, findings);
    let statistic = word(raw, "statistic", path, &STATISTICS, findings);
    if !is_absent(raw, "extendedStatistic") {
        let rule = "percentiles are not made of samples here: let the metric's source give the \
                    percentile, and use a statistic";
        findings.refuse(format!("{path}.extendedStatistic"), rule);
    }
    let period = period(raw, path, findings);
    let periods = whole(raw, "evaluationPeriods", path, 1..=MOST_PERIODS, findings);
    let most = periods.unwrap_or(MOST_PERIODS);
    let datapoints = whole(raw, "datapointsToAlarm", path, 1..=most, findings).or(periods);
    let metric = metric(raw, path, statistic, findings);
    if findings.refusals().count() > refused {
        return None;
    }
    let alarm = Alarm {
        name: String::new(),
        comparison: comparison?,
        threshold: number(raw, "threshold")?,
        period,
        evaluation_periods: usize::try_from(periods?).ok()?,
        datapoints_to_alarm: usize::try_from(datapoints?).ok()?,
        missing: missing.unwrap_or_default(),
        statistic: statistic.unwrap_or_default(),
    };
    Some((alarm, metric?))
}

/// `period` in seconds: 10, 20, 30, or whole minutes up to a day (default 60).
fn period(raw: &Value, path: &str, findings: &mut Findings) -> i64 {
    let Some(period) = whole(raw, "period", path, 10..=86_400, findings) else { return 60 };
    if !matches!(period, 10 | 20 | 30) && period % 60 != 0 {
        let rule = "must be 10, 20, 30 or a multiple of 60 seconds";
        findings.refuse_value(format!("{path}.period"), period, rule);
        return 60;
    }
    period
}

fn metric(
    raw: &Value,
    path: &str,
    statistic: Option<Statistic>,
    findings: &mut Findings,
) -> Option<Metric> {
    if !is_absent(raw, "metrics") {
        return Some(Metric::Math);
    }
    let Some(name) = text(raw, "metricName") else {
        findings.refuse(format!("{path}.metricName"), "is required: the metric's name");
        return None;
    };
    let namespace = text(raw, "namespace").unwrap_or_default();
    let metric = named(namespace, name, dimensions(raw, path, findings));
    let is_average = matches!(statistic, None | Some(Statistic::Average));
    if matches!(metric, Metric::Cpu | Metric::Memory) && !is_average {
        let rule = "the use of CPU and memory is known as the tasks' average only";
        findings.differs(format!("{path}.statistic"), rule);
    }
    Some(metric)
}

/// A metric by its name; those of ECS itself are known without any source.
pub(super) fn named(
    namespace: String,
    name: String,
    dimensions: BTreeMap<String, String>,
) -> Metric {
    match (namespace.as_str(), name.as_str()) {
        ("AWS/ECS", "CPUUtilization") => Metric::Cpu,
        ("AWS/ECS", "MemoryUtilization") => Metric::Memory,
        _ => Metric::Named { namespace, name, dimensions },
    }
}
