//! How does a service say that its count follows a forecast?
//!
//! The part `PredictiveScalingPolicyConfiguration` of the input of Application Auto Scaling's
//! `PutScalingPolicy`, with names in the manner of ECS.

use super::row::Shape::{Boolean, Integer, Number, Object, Objects, String};
use super::row::Verdict::Recorded;
use super::row::{Member, row};

/// The path of a member of a scaling policy.
macro_rules! policy {
    ($rest:literal) => {
        concat!("autoscaling.scalingPolicies[].", $rest)
    };
}

/// The path of a member of a predictive policy.
macro_rules! forecast {
    ($rest:literal) => {
        concat!("autoscaling.scalingPolicies[].predictiveScalingPolicyConfiguration.", $rest)
    };
}

/// The members about forecasts, their queries left out.
pub(super) const PREDICTIVE: &[Member] = &[
    row(
        policy!("predictiveScalingPolicyConfiguration"),
        Object,
        Recorded,
        "Scales ahead of a forecast of the load.",
    ),
    row(
        forecast!("metricSpecifications"),
        Objects,
        Recorded,
        "What to forecast and what to keep; exactly one entry.",
    )
    .required(),
    row(
        forecast!("metricSpecifications[].targetValue"),
        Number,
        Recorded,
        "Value of the scaling metric to keep.",
    )
    .required(),
    row(
        forecast!("metricSpecifications[].predefinedMetricPairSpecification"),
        Object,
        Recorded,
        "A named pair of load metric and scaling metric.",
    ),
    row(
        forecast!("metricSpecifications[].predefinedMetricPairSpecification.predefinedMetricType"),
        String,
        Recorded,
        "Name of the pair, e.g. ECSServiceCPUUtilization.",
    )
    .required(),
    row(
        forecast!("metricSpecifications[].predefinedMetricPairSpecification.resourceLabel"),
        String,
        Recorded,
        "Load balancer and target group meant, for request counts.",
    ),
    row(
        forecast!("metricSpecifications[].predefinedScalingMetricSpecification"),
        Object,
        Recorded,
        "A scaling metric known by name.",
    ),
    row(
        forecast!(
            "metricSpecifications[].predefinedScalingMetricSpecification.predefinedMetricType"
        ),
        String,
        Recorded,
        "Name of the metric, e.g. ECSServiceAverageCPUUtilization.",
    )
    .required(),
    row(
        forecast!("metricSpecifications[].predefinedScalingMetricSpecification.resourceLabel"),
        String,
        Recorded,
        "Load balancer and target group meant, for request counts.",
    ),
    row(
        forecast!("metricSpecifications[].predefinedLoadMetricSpecification"),
        Object,
        Recorded,
        "A load metric known by name.",
    ),
    row(
        forecast!("metricSpecifications[].predefinedLoadMetricSpecification.predefinedMetricType"),
        String,
        Recorded,
        "Name of the metric, e.g. ECSServiceTotalCPUUtilization.",
    )
    .required(),
    row(
        forecast!("metricSpecifications[].predefinedLoadMetricSpecification.resourceLabel"),
        String,
        Recorded,
        "Load balancer and target group meant, for request counts.",
    ),
    row(
        forecast!("metricSpecifications[].customizedScalingMetricSpecification"),
        Object,
        Recorded,
        "A scaling metric made of queries.",
    ),
    row(
        forecast!("metricSpecifications[].customizedLoadMetricSpecification"),
        Object,
        Recorded,
        "A load metric made of queries.",
    ),
    row(
        forecast!("metricSpecifications[].customizedCapacityMetricSpecification"),
        Object,
        Recorded,
        "A capacity metric made of queries.",
    ),
    row(
        forecast!("mode"),
        String,
        Recorded,
        "ForecastOnly or ForecastAndScale (default ForecastOnly).",
    ),
    row(
        forecast!("schedulingBufferTime"),
        Integer,
        Recorded,
        "Seconds by which tasks are started ahead, 0 to 3600 (default 300).",
    ),
    row(
        forecast!("maxCapacityBreachBehavior"),
        String,
        Recorded,
        "HonorMaxCapacity or IncreaseMaxCapacity (default HonorMaxCapacity).",
    ),
    row(
        forecast!("maxCapacityBuffer"),
        Integer,
        Recorded,
        "Percent above the forecast that IncreaseMaxCapacity may reach, 0 to 100.",
    ),
];

/// The path of a member of one kind of metric that is made of queries.
macro_rules! query {
    ($kind:literal, $rest:literal) => {
        concat!(forecast!("metricSpecifications[]."), $kind, $rest)
    };
}

/// The rows of the queries that one kind of metric is made of.
macro_rules! queries {
    ($kind:literal) => {
        &[
            row(
                query!($kind, ".metricDataQueries"),
                Objects,
                Recorded,
                "Metrics and expressions that together give one series of values.",
            )
            .required(),
            row(
                query!($kind, ".metricDataQueries[].id"),
                String,
                Recorded,
                "Name of this query, by which expressions refer to it; unique in the policy.",
            )
            .required(),
            row(
                query!($kind, ".metricDataQueries[].expression"),
                String,
                Recorded,
                "Metric math over the other queries; this or metricStat.",
            ),
            row(
                query!($kind, ".metricDataQueries[].metricStat"),
                Object,
                Recorded,
                "One metric and the statistic taken of it; this or expression.",
            ),
            row(
                query!($kind, ".metricDataQueries[].metricStat.metric"),
                Object,
                Recorded,
                "Which CloudWatch metric.",
            )
            .required(),
            row(
                query!($kind, ".metricDataQueries[].metricStat.metric.dimensions"),
                Objects,
                Recorded,
                "Dimensions the metric was published with.",
            ),
            row(
                query!($kind, ".metricDataQueries[].metricStat.metric.dimensions[].name"),
                String,
                Recorded,
                "Dimension name.",
            )
            .required(),
            row(
                query!($kind, ".metricDataQueries[].metricStat.metric.dimensions[].value"),
                String,
                Recorded,
                "Dimension value.",
            )
            .required(),
            row(
                query!($kind, ".metricDataQueries[].metricStat.metric.metricName"),
                String,
                Recorded,
                "Metric name.",
            ),
            row(
                query!($kind, ".metricDataQueries[].metricStat.metric.namespace"),
                String,
                Recorded,
                "Metric namespace, e.g. AWS/ECS.",
            ),
            row(
                query!($kind, ".metricDataQueries[].metricStat.stat"),
                String,
                Recorded,
                "Statistic, e.g. Average, Sum or p90.",
            )
            .required(),
            row(
                query!($kind, ".metricDataQueries[].metricStat.unit"),
                String,
                Recorded,
                "CloudWatch unit the values must have been published with.",
            ),
            row(
                query!($kind, ".metricDataQueries[].label"),
                String,
                Recorded,
                "Free text that says what the query stands for.",
            ),
            row(
                query!($kind, ".metricDataQueries[].returnData"),
                Boolean,
                Recorded,
                "Whether this query is the result; false for those that only feed expressions.",
            ),
        ]
    };
}

/// The queries of a scaling metric.
pub(super) const SCALING_QUERIES: &[Member] = queries!("customizedScalingMetricSpecification");

/// The queries of a load metric.
pub(super) const LOAD_QUERIES: &[Member] = queries!("customizedLoadMetricSpecification");

/// The queries of a capacity metric.
pub(super) const CAPACITY_QUERIES: &[Member] = queries!("customizedCapacityMetricSpecification");
