//! Which alarms and which targets of lifecycle hooks does a Cluster know?
//!
//! Its tables `alarms` and `hookTargets`. An alarm has the members of CloudWatch's PutMetricAlarm in
//! camelCase, as under `kubernetes.scaling.alarms` of a Service; a step scaling policy is triggered by
//! the row whose alarmActions name it, or by that which its Service names. A hook's target, in AWS a
//! Lambda function, is a task definition to run; no hook is called by this version.

use serde_json::{Value, json};

use super::derived;
use super::launch::Launch;
use super::resolve::Resolver;
use super::rows::Row;
use super::tables::Tables;
use crate::ecs::reference::{task_definition, text};
use crate::plan::scaling::read::judge_alarm;

/// An alarm, by its name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AlarmRow {
    raw: Value,
    name: String,
}

/// The target of a lifecycle hook.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HookTargetRow {
    target: String,
}

/// The members of an alarm.
const ALARM: [&str; 14] = [
    "alarmActions",
    "namespace",
    "metricName",
    "dimensions",
    "metrics",
    "statistic",
    "extendedStatistic",
    "unit",
    "period",
    "evaluationPeriods",
    "datapointsToAlarm",
    "threshold",
    "comparisonOperator",
    "treatMissingData",
];

impl Tables {
    /// The alarms as a service of a cluster sees them: of their actions those that may be its own
    /// policies, by the policies' names.
    ///
    /// An action that is a bare name may be that of any service, one that is an ARN says of which.
    pub fn alarms_for(&self, cluster: &str, service: &str) -> Vec<Value> {
        let ours = format!(":resource/ecs/service/{cluster}/{service}:policyName/");
        let own = |action: &Value| {
            let action = action.as_str()?;
            let named = action.split_once(&ours).map(|(_, name)| name);
            named.or((!action.starts_with("arn:")).then_some(action)).map(ToOwned::to_owned)
        };
        let alarm = |row: &AlarmRow| {
            let mut alarm = row.raw.clone();
            let actions = row.raw.get("alarmActions").and_then(Value::as_array);
            let actions: Vec<String> = actions.into_iter().flatten().filter_map(own).collect();
            if let Some(members) = alarm.as_object_mut() {
                members.insert("alarmActions".to_owned(), json!(actions));
            }
            alarm
        };
        self.alarms.iter().map(alarm).collect()
    }
}

impl Resolver<'_> {
    /// Notes which alarms and targets of hooks have no row. That deployments look at neither is said
    /// where they stand.
    pub(super) fn watched(&mut self, launch: &Launch) {
        let tables = &self.mapping.tables;
        let alarms = launch.alarms.iter().filter(|name| {
            let mut rows = tables.alarms.iter();
            !rows.any(|row| row.name == **name)
        });
        let hooks = launch.hook_targets.iter().filter(|target| {
            let mut rows = tables.hook_targets.iter();
            !rows.any(|row| row.target == **target)
        });
        let needs: Vec<_> = alarms
            .map(|name| derived::alarm_row(name))
            .chain(hooks.map(|target| derived::hook_target_row(target)))
            .collect();
        for need in needs {
            self.need(need);
        }
    }
}

/// Reads a row of `alarms`.
pub(super) fn alarm(row: &mut Row<'_>) -> Option<(String, AlarmRow)> {
    let name = row.required("alarmName", "the name of an alarm");
    row.known.extend(ALARM);
    judge_alarm(row.raw, &row.path, row.findings);
    let actions = match row.raw.get("alarmActions") {
        None | Some(Value::Null) => false,
        Some(Value::Array(actions)) => {
            for (at, action) in actions.iter().enumerate().filter(|(_, action)| !action.is_string())
            {
                let path = row.at(&format!("alarmActions[{at}]"));
                let rule = "must be the name or the ARN of a scaling policy";
                row.findings.refuse_value(path, crate::plan::judge::brief(action), rule);
            }
            !actions.is_empty()
        }
        Some(other) => {
            let path = row.at("alarmActions");
            let value = crate::plan::judge::brief(other);
            row.findings.refuse_value(path, value, "must be a list of names or ARNs");
            true
        }
    };
    if !actions {
        let path = row.path.clone();
        let message = "triggers a step scaling policy only where a Service names it under \
                       `kubernetes.scaling.alarms`; no deployment looks at it in this version of \
                       Linkspan";
        row.findings.differs(path, message);
    }
    let name = name?;
    Some((name.clone(), AlarmRow { raw: row.raw.clone(), name }))
}

/// Reads a row of `hookTargets`.
pub(super) fn hook_target(row: &mut Row<'_>) -> Option<(String, HookTargetRow)> {
    let target = row.required("hookTargetArn", "the ARN of a function, as in lifecycleHooks");
    let run = row.required("taskDefinition", "the task definition that runs in its place");
    if let Some(run) = run
        && let Err(why) = task_definition(&run)
    {
        let path = row.at("taskDefinition");
        row.findings.refuse(path, why);
    }
    let path = row.path.clone();
    row.findings.differs(path, "is kept without effect: this version of Linkspan calls no hooks");
    let target = target?;
    Some((target.clone(), HookTargetRow { target }))
}

/// The names of the alarms that a service's spec leaves to its Cluster.
pub(super) fn alarms_of(spec: &Value) -> Vec<String> {
    let list =
        |pointer: &str| spec.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let by_name = list("/kubernetes/scaling/alarms")
        .filter(|alarm| crate::plan::scaling::read::is_by_name(alarm))
        .filter_map(|alarm| text(alarm, "alarmName"));
    let of_deployments = list("/deploymentConfiguration/alarms/alarmNames")
        .filter_map(|name| name.as_str().filter(|name| !name.is_empty()).map(ToOwned::to_owned));
    by_name.chain(of_deployments).collect()
}

/// The targets of a service's lifecycle hooks.
pub(super) fn hook_targets_of(spec: &Value) -> Vec<String> {
    let hooks = spec.pointer("/deploymentConfiguration/lifecycleHooks").and_then(Value::as_array);
    hooks.into_iter().flatten().filter_map(|hook| text(hook, "hookTargetArn")).collect()
}
