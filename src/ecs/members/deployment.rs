//! How does a service say that deployments are to go?
//!
//! The parts `deploymentConfiguration` and `deploymentController` of the input of `CreateService`.

use super::row::Shape::{Boolean, Document, Integer, Number, Object, Objects, String, Strings};
use super::row::Verdict::{Approximated, Honoured, NotYet, Recorded};
use super::row::{Member, row};

/// The members about deployments.
pub(super) const DEPLOYMENT: &[Member] = &[
    row(
        "deploymentConfiguration",
        Object,
        Honoured,
        "How a new revision takes over from the old one.",
    ),
    row(
        "deploymentConfiguration.deploymentCircuitBreaker",
        Object,
        NotYet,
        "Fails a rolling deployment whose tasks do not start or stay healthy.",
    ),
    row(
        "deploymentConfiguration.deploymentCircuitBreaker.enable",
        Boolean,
        NotYet,
        "Turns the circuit breaker on.",
    )
    .required(),
    row(
        "deploymentConfiguration.deploymentCircuitBreaker.rollback",
        Boolean,
        NotYet,
        "Returns to the last completed deployment after a failure.",
    )
    .required(),
    row(
        "deploymentConfiguration.deploymentCircuitBreaker.resetOnHealthyTask",
        Boolean,
        NotYet,
        "Starts counting failures afresh once a task is healthy (default true).",
    ),
    row(
        "deploymentConfiguration.deploymentCircuitBreaker.thresholdConfiguration",
        Object,
        NotYet,
        "How many failed tasks are too many (default BOUNDED_PERCENT of 50).",
    ),
    row(
        "deploymentConfiguration.deploymentCircuitBreaker.thresholdConfiguration.type",
        String,
        NotYet,
        "COUNT, BOUNDED_PERCENT (result kept within 3 to 200) or UNBOUNDED_PERCENT.",
    )
    .required(),
    row(
        "deploymentConfiguration.deploymentCircuitBreaker.thresholdConfiguration.value",
        Integer,
        NotYet,
        "Failed tasks, or percent of the desired count.",
    )
    .required(),
    row(
        "deploymentConfiguration.maximumPercent",
        Integer,
        Honoured,
        "Most tasks running or starting in a deployment, percent of desired (default 200; DAEMON \
         100).",
    ),
    row(
        "deploymentConfiguration.minimumHealthyPercent",
        Integer,
        Honoured,
        "Fewest healthy tasks in a deployment, percent of desired (default 100; DAEMON 0).",
    ),
    row("deploymentConfiguration.alarms", Object, NotYet, "Alarms that fail a deployment."),
    row(
        "deploymentConfiguration.alarms.alarmNames",
        Strings,
        NotYet,
        "Names of CloudWatch alarms.",
    )
    .required(),
    row(
        "deploymentConfiguration.alarms.rollback",
        Boolean,
        NotYet,
        "Returns to the last completed deployment after an alarm.",
    )
    .required(),
    row(
        "deploymentConfiguration.alarms.enable",
        Boolean,
        NotYet,
        "Turns the watch over the alarms on.",
    )
    .required(),
    row(
        "deploymentConfiguration.strategy",
        String,
        Approximated("ROLLING; the others are refused in this version"),
        "ROLLING, BLUE_GREEN, LINEAR or CANARY (default ROLLING).",
    )
    .harmless(&["ROLLING"]),
    row(
        "deploymentConfiguration.bakeTimeInMinutes",
        Integer,
        NotYet,
        "Minutes both revisions stay up after the shift, 0 to 1440; BLUE_GREEN needs it.",
    ),
    row(
        "deploymentConfiguration.lifecycleHooks",
        Objects,
        NotYet,
        "Stops at which a deployment calls out or waits.",
    ),
    row(
        "deploymentConfiguration.lifecycleHooks[].targetType",
        String,
        NotYet,
        "AWS_LAMBDA (default; calls a function) or PAUSE (waits for a person).",
    ),
    row(
        "deploymentConfiguration.lifecycleHooks[].hookTargetArn",
        String,
        NotYet,
        "ARN of the Lambda function; needed for AWS_LAMBDA, unused for PAUSE.",
    ),
    row(
        "deploymentConfiguration.lifecycleHooks[].roleArn",
        String,
        Recorded,
        "IAM role with which ECS would call the function.",
    ),
    row(
        "deploymentConfiguration.lifecycleHooks[].lifecycleStages",
        Strings,
        NotYet,
        "Stages that trigger it, e.g. PRE_SCALE_UP or POST_TEST_TRAFFIC_SHIFT.",
    ),
    row(
        "deploymentConfiguration.lifecycleHooks[].hookDetails",
        Document,
        NotYet,
        "Free data handed to the function.",
    ),
    row(
        "deploymentConfiguration.lifecycleHooks[].timeoutConfiguration",
        Object,
        NotYet,
        "What happens when the hook gives no answer.",
    ),
    row(
        "deploymentConfiguration.lifecycleHooks[].timeoutConfiguration.timeoutInMinutes",
        Integer,
        NotYet,
        "Minutes to wait, 1 to 20160 (default 1440).",
    ),
    row(
        "deploymentConfiguration.lifecycleHooks[].timeoutConfiguration.action",
        String,
        NotYet,
        "ROLLBACK or CONTINUE (default ROLLBACK).",
    ),
    row(
        "deploymentConfiguration.linearConfiguration",
        Object,
        NotYet,
        "Steps of the strategy LINEAR.",
    ),
    row(
        "deploymentConfiguration.linearConfiguration.stepPercent",
        Number,
        NotYet,
        "Percent of traffic per step, 3.0 to 100.0 in tenths (default 10.0).",
    ),
    row(
        "deploymentConfiguration.linearConfiguration.stepBakeTimeInMinutes",
        Integer,
        NotYet,
        "Minutes between steps, 0 to 1440 (default 6).",
    ),
    row(
        "deploymentConfiguration.canaryConfiguration",
        Object,
        NotYet,
        "First step of the strategy CANARY.",
    ),
    row(
        "deploymentConfiguration.canaryConfiguration.canaryPercent",
        Number,
        NotYet,
        "Percent of traffic the canary gets, 0.1 to 100.0 in tenths (default 5.0).",
    ),
    row(
        "deploymentConfiguration.canaryConfiguration.canaryBakeTimeInMinutes",
        Integer,
        NotYet,
        "Minutes before the rest follows, 0 to 1440 (default 10).",
    ),
    row(
        "deploymentConfiguration.earlySuccessCriteria",
        Object,
        NotYet,
        "Lets a ROLLING deployment succeed before every task is up.",
    ),
    row(
        "deploymentConfiguration.earlySuccessCriteria.enable",
        Boolean,
        NotYet,
        "Turns the early end on; the other two members are then needed (default false).",
    )
    .required(),
    row(
        "deploymentConfiguration.earlySuccessCriteria.healthyPercent",
        Integer,
        NotYet,
        "Healthy tasks that suffice, percent of desired, 0 to 100, at least minimumHealthyPercent.",
    ),
    row(
        "deploymentConfiguration.earlySuccessCriteria.sourceServiceRevisionCleanup",
        String,
        NotYet,
        "BLOCKING waits for the old tasks to be gone, DEFERRED does not.",
    ),
    row("deploymentController", Object, Honoured, "Who carries out deployments."),
    row(
        "deploymentController.type",
        String,
        Approximated("ECS; the others are refused in this version"),
        "ECS, CODE_DEPLOY or EXTERNAL; without the block: ECS.",
    )
    .harmless(&["ECS"])
    .required(),
];
