//! How does a service say that its count follows the load?
//!
//! The inputs of Application Auto Scaling's `RegisterScalableTarget`, `PutScalingPolicy` and
//! `PutScheduledAction`, with names in the manner of ECS, under `autoscaling` of a service.
//! Forecasts are in `predictive`.

use super::row::Shape::{Boolean, Integer, Number, Object, Objects, String, Timestamp};
use super::row::Verdict::{Approximated, Honoured, Recorded};
use super::row::{Member, row};

/// The path of a member of a scaling policy.
macro_rules! policy {
    ($rest:literal) => {
        concat!("autoscaling.scalingPolicies[].", $rest)
    };
}

/// The path of a member of a target tracking policy.
macro_rules! tracking {
    ($rest:literal) => {
        concat!("autoscaling.scalingPolicies[].targetTrackingScalingPolicyConfiguration.", $rest)
    };
}

/// What becomes of a cooldown.
const PAUSE: &str = "Kubernetes' autoscaler knows no pause between two changes: it may change the \
                     count tenfold, or freely downwards, within such a time, and waits for three \
                     minutes above the target, or fifteen below it, before that";

/// Where metrics come from.
const ELSEWHERE: &str = "the cluster has no CloudWatch: the metric is read from the custom or external \
                         metrics API, under a name that follows from CloudWatch's or as \
                         `kubernetes.scaling.metrics` says; metric math must be said there";
/// Where the count of requests comes from.
const REQUESTS: &str = "the count of requests is read as the external metric \
                        `alb_request_count_per_target`, or as `kubernetes.scaling.metrics` says";

/// The members about scaling, forecasts left out.
pub(super) const AUTOSCALING: &[Member] = &[
    row("autoscaling", Object, Honoured, "How the service's desired count follows its load."),
    row("autoscaling.scalableTarget", Object, Honoured, "Bounds within which the count is scaled."),
    row(
        "autoscaling.scalableTarget.minCapacity",
        Integer,
        Honoured,
        "Fewest tasks that scaling leaves; 0 is allowed.",
    ),
    row(
        "autoscaling.scalableTarget.maxCapacity",
        Integer,
        Honoured,
        "Most tasks that scaling reaches; at least minCapacity.",
    ),
    row(
        "autoscaling.scalableTarget.roleARN",
        String,
        Recorded,
        "IAM role with which AWS would scale.",
    ),
    row(
        "autoscaling.scalableTarget.suspendedState",
        Object,
        Honoured,
        "Which kinds of scaling are held back.",
    ),
    row(
        "autoscaling.scalableTarget.suspendedState.dynamicScalingInSuspended",
        Boolean,
        Honoured,
        "Holds back removal of tasks by policies (default false).",
    ),
    row(
        "autoscaling.scalableTarget.suspendedState.dynamicScalingOutSuspended",
        Boolean,
        Honoured,
        "Holds back addition of tasks by policies (default false).",
    ),
    row(
        "autoscaling.scalableTarget.suspendedState.scheduledScalingSuspended",
        Boolean,
        Honoured,
        "Holds back scheduled actions (default false).",
    ),
    row(
        "autoscaling.scalingPolicies",
        Objects,
        Honoured,
        "Policies that scale by metrics; a removal needs the consent of all.",
    ),
    row(policy!("policyName"), String, Honoured, "Policy name, unique in the service.").required(),
    row(
        policy!("policyType"),
        String,
        Honoured,
        "StepScaling, TargetTrackingScaling or PredictiveScaling.",
    ),
    row(
        policy!("stepScalingPolicyConfiguration"),
        Object,
        Honoured,
        "Steps taken according to how far an alarm's threshold is passed.",
    ),
    row(
        policy!("stepScalingPolicyConfiguration.adjustmentType"),
        String,
        Honoured,
        "ChangeInCapacity, PercentChangeInCapacity or ExactCapacity.",
    ),
    row(
        policy!("stepScalingPolicyConfiguration.stepAdjustments"),
        Objects,
        Honoured,
        "The steps, without gaps or overlaps.",
    ),
    row(
        policy!("stepScalingPolicyConfiguration.stepAdjustments[].metricIntervalLowerBound"),
        Number,
        Honoured,
        "Lower end, as distance from the threshold (default: no lower end).",
    ),
    row(
        policy!("stepScalingPolicyConfiguration.stepAdjustments[].metricIntervalUpperBound"),
        Number,
        Honoured,
        "Upper end, as distance from the threshold (default: no upper end).",
    ),
    row(
        policy!("stepScalingPolicyConfiguration.stepAdjustments[].scalingAdjustment"),
        Integer,
        Honoured,
        "Tasks, or percent, to add (negative: remove); with ExactCapacity the new count.",
    )
    .required(),
    row(
        policy!("stepScalingPolicyConfiguration.minAdjustmentMagnitude"),
        Integer,
        Honoured,
        "Fewest tasks to change by; PercentChangeInCapacity only.",
    ),
    row(
        policy!("stepScalingPolicyConfiguration.cooldown"),
        Integer,
        Honoured,
        "Seconds between two activities (default 300).",
    ),
    row(
        policy!("stepScalingPolicyConfiguration.metricAggregationType"),
        String,
        Honoured,
        "Average, Minimum or Maximum (default Average).",
    ),
    row(
        policy!("targetTrackingScalingPolicyConfiguration"),
        Object,
        Honoured,
        "Keeps a metric near a value.",
    ),
    row(
        tracking!("targetValue"),
        Number,
        Honoured,
        "Value to keep, in the metric's own unit, e.g. percent.",
    )
    .required(),
    row(
        tracking!("predefinedMetricSpecification"),
        Object,
        Honoured,
        "A metric known by name; this or customizedMetricSpecification.",
    ),
    row(
        tracking!("predefinedMetricSpecification.predefinedMetricType"),
        String,
        Honoured,
        "ECSServiceAverageCPUUtilization, ECSServiceAverageMemoryUtilization or \
         ALBRequestCountPerTarget.",
    )
    .required(),
    row(
        tracking!("predefinedMetricSpecification.resourceLabel"),
        String,
        Approximated(REQUESTS),
        "Load balancer and target group meant; for ALBRequestCountPerTarget only.",
    ),
    row(
        tracking!("customizedMetricSpecification"),
        Object,
        Approximated(ELSEWHERE),
        "Any CloudWatch metric; this or predefinedMetricSpecification.",
    ),
    row(tracking!("customizedMetricSpecification.metricName"), String, Honoured, "Metric name."),
    row(
        tracking!("customizedMetricSpecification.namespace"),
        String,
        Honoured,
        "Metric namespace.",
    ),
    row(
        tracking!("customizedMetricSpecification.dimensions"),
        Objects,
        Honoured,
        "Dimensions the metric was published with.",
    ),
    row(
        tracking!("customizedMetricSpecification.dimensions[].name"),
        String,
        Honoured,
        "Dimension name.",
    )
    .required(),
    row(
        tracking!("customizedMetricSpecification.dimensions[].value"),
        String,
        Honoured,
        "Dimension value.",
    )
    .required(),
    row(
        tracking!("customizedMetricSpecification.statistic"),
        String,
        Honoured,
        "Average, Minimum, Maximum, SampleCount or Sum.",
    ),
    row(
        tracking!("customizedMetricSpecification.unit"),
        String,
        Recorded,
        "CloudWatch unit of the values, e.g. Percent.",
    ),
    row(
        tracking!("customizedMetricSpecification.metrics"),
        Objects,
        Honoured,
        "Queries for metric math, in place of a single metric.",
    ),
    row(
        tracking!("customizedMetricSpecification.metrics[].expression"),
        String,
        Honoured,
        "Metric math over the other queries; this or metricStat.",
    ),
    row(
        tracking!("customizedMetricSpecification.metrics[].id"),
        String,
        Honoured,
        "Name of this query, by which expressions refer to it; unique in the policy.",
    )
    .required(),
    row(
        tracking!("customizedMetricSpecification.metrics[].label"),
        String,
        Honoured,
        "Free text that says what the query stands for.",
    ),
    row(
        tracking!("customizedMetricSpecification.metrics[].metricStat"),
        Object,
        Honoured,
        "One metric and the statistic taken of it; this or expression.",
    ),
    row(
        tracking!("customizedMetricSpecification.metrics[].metricStat.metric"),
        Object,
        Honoured,
        "Which CloudWatch metric.",
    )
    .required(),
    row(
        tracking!("customizedMetricSpecification.metrics[].metricStat.metric.dimensions"),
        Objects,
        Honoured,
        "Dimensions the metric was published with.",
    ),
    row(
        tracking!("customizedMetricSpecification.metrics[].metricStat.metric.dimensions[].name"),
        String,
        Honoured,
        "Dimension name.",
    )
    .required(),
    row(
        tracking!("customizedMetricSpecification.metrics[].metricStat.metric.dimensions[].value"),
        String,
        Honoured,
        "Dimension value.",
    )
    .required(),
    row(
        tracking!("customizedMetricSpecification.metrics[].metricStat.metric.metricName"),
        String,
        Honoured,
        "Metric name.",
    ),
    row(
        tracking!("customizedMetricSpecification.metrics[].metricStat.metric.namespace"),
        String,
        Honoured,
        "Metric namespace, e.g. AWS/ECS.",
    ),
    row(
        tracking!("customizedMetricSpecification.metrics[].metricStat.stat"),
        String,
        Honoured,
        "Statistic, e.g. Average, Sum or p90.",
    )
    .required(),
    row(
        tracking!("customizedMetricSpecification.metrics[].metricStat.unit"),
        String,
        Recorded,
        "CloudWatch unit the values must have been published with.",
    ),
    row(
        tracking!("customizedMetricSpecification.metrics[].returnData"),
        Boolean,
        Honoured,
        "Whether this query is the result; false for those that only feed expressions.",
    ),
    row(
        tracking!("scaleOutCooldown"),
        Integer,
        Approximated(PAUSE),
        "Seconds after an addition before the next one (default 300).",
    ),
    row(
        tracking!("scaleInCooldown"),
        Integer,
        Approximated(PAUSE),
        "Seconds after a removal before the next one (default 300).",
    ),
    row(tracking!("disableScaleIn"), Boolean, Honoured, "Never removes tasks (default false)."),
    row("autoscaling.scheduledActions", Objects, Honoured, "Changes of the bounds at set times."),
    row(
        "autoscaling.scheduledActions[].schedule",
        String,
        Honoured,
        "`at(yyyy-mm-ddThh:mm:ss)`, `rate(5 minutes)` or `cron(...)` with six fields.",
    ),
    row(
        "autoscaling.scheduledActions[].timezone",
        String,
        Honoured,
        "IANA time zone of at and cron, e.g. Europe/Berlin (default UTC).",
    ),
    row(
        "autoscaling.scheduledActions[].scheduledActionName",
        String,
        Honoured,
        "Action name, unique in the service: 1 to 256 characters.",
    )
    .required(),
    row(
        "autoscaling.scheduledActions[].startTime",
        Timestamp,
        Honoured,
        "Not before this time (UTC).",
    ),
    row(
        "autoscaling.scheduledActions[].endTime",
        Timestamp,
        Honoured,
        "Not after this time (UTC); nothing is reverted then.",
    ),
    row(
        "autoscaling.scheduledActions[].scalableTargetAction",
        Object,
        Honoured,
        "New bounds, one or both; they stay until changed again.",
    ),
    row(
        "autoscaling.scheduledActions[].scalableTargetAction.minCapacity",
        Integer,
        Honoured,
        "New minCapacity; fewer tasks are raised to it.",
    ),
    row(
        "autoscaling.scheduledActions[].scalableTargetAction.maxCapacity",
        Integer,
        Honoured,
        "New maxCapacity; more tasks are cut to it.",
    ),
];
