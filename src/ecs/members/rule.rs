//! Which members does a rule that starts tasks have?
//!
//! The inputs of the `EventBridge` calls `PutRule` and `PutTargets`, with names in the
//! manner of ECS.

use super::row::Shape::{Boolean, Document, Integer, Object, Objects, String, StringMap, Strings};
use super::row::Verdict::{NotYet, Recorded, Refused};
use super::row::{Member, row};

/// The path of a member of the task that a target runs.
macro_rules! ecs {
    ($rest:literal) => {
        concat!("targets[].ecsParameters.", $rest)
    };
}

/// The members of a rule.
pub(super) const RULE: &[Member] = &[
    row("name", String, NotYet, "Rule name, unique on its event bus.").required(),
    row("scheduleExpression", String, NotYet, "When to run: `cron(...)` or `rate(...)`, in UTC."),
    row(
        "eventPattern",
        String,
        NotYet,
        "Events that trigger the rule, as a JSON pattern in a string.",
    ),
    row(
        "state",
        String,
        NotYet,
        "ENABLED, DISABLED or ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS (default ENABLED).",
    ),
    row("description", String, NotYet, "Free text."),
    row("roleArn", String, Recorded, "IAM role with which EventBridge would act."),
    row("tags", Objects, Recorded, "Up to 50 tags, each key once."),
    row("tags[].key", String, Recorded, "Tag key: 1 to 128 characters, not starting with `aws:`.")
        .required(),
    row("tags[].value", String, Recorded, "Tag value: up to 256 characters.").required(),
    row("eventBusName", String, NotYet, "Name or ARN of the event bus (default `default`)."),
    row("targets", Objects, NotYet, "What the rule starts; at most 5."),
    row("targets[].id", String, NotYet, "Target name, unique in the rule.").required(),
    row("targets[].arn", String, NotYet, "ARN of the cluster in which the task runs.").required(),
    row(
        "targets[].roleArn",
        String,
        Recorded,
        "IAM role with which EventBridge would start the task.",
    ),
    row(
        "targets[].input",
        String,
        NotYet,
        "Fixed JSON text handed to the target; for ECS the overrides of RunTask.",
    ),
    row(
        "targets[].inputPath",
        String,
        NotYet,
        "JSONPath of the part of the event that is handed on.",
    ),
    row("targets[].inputTransformer", Object, NotYet, "Builds the input from parts of the event."),
    row(
        "targets[].inputTransformer.inputPathsMap",
        StringMap,
        NotYet,
        "Names and the JSONPaths of the parts they stand for.",
    ),
    row(
        "targets[].inputTransformer.inputTemplate",
        String,
        NotYet,
        "Text in which `<name>` is replaced by that part.",
    )
    .required(),
    row(
        "targets[].kinesisParameters",
        Document,
        Refused("only ECS tasks are run by a rule; a task can write to the stream"),
        "Settings of a Kinesis stream as target.",
    ),
    row(
        "targets[].runCommandParameters",
        Document,
        Refused("only ECS tasks are run by a rule; a task can send the command"),
        "Settings of Systems Manager's Run Command as target.",
    ),
    row("targets[].ecsParameters", Object, NotYet, "The task to run."),
    row(
        ecs!("taskDefinitionArn"),
        String,
        NotYet,
        "Task definition to run, with or without a revision.",
    )
    .required(),
    row(ecs!("taskCount"), Integer, NotYet, "How many tasks to start (default 1)."),
    row(
        ecs!("launchType"),
        String,
        NotYet,
        "EC2, FARGATE or EXTERNAL; not with capacityProviderStrategy.",
    ),
    row(
        ecs!("networkConfiguration"),
        Object,
        NotYet,
        "Where tasks attach to the network; needed for network mode awsvpc.",
    ),
    row(
        ecs!("networkConfiguration.awsvpcConfiguration"),
        Object,
        NotYet,
        "Subnets, security groups and public address of a task's interface.",
    ),
    row(
        ecs!("networkConfiguration.awsvpcConfiguration.subnets"),
        Strings,
        NotYet,
        "IDs of 1 to 16 subnets, all of one VPC.",
    )
    .required(),
    row(
        ecs!("networkConfiguration.awsvpcConfiguration.securityGroups"),
        Strings,
        NotYet,
        "IDs of up to 5 security groups (default: the VPC's own group).",
    ),
    row(
        ecs!("networkConfiguration.awsvpcConfiguration.assignPublicIp"),
        String,
        NotYet,
        "Whether tasks get a public address: ENABLED or DISABLED (default DISABLED).",
    ),
    row(
        ecs!("platformVersion"),
        String,
        NotYet,
        "Fargate platform version, e.g. 1.4.0 (default LATEST).",
    ),
    row(
        ecs!("group"),
        String,
        NotYet,
        "Name that groups tasks for placement, up to 255 characters.",
    ),
    row(
        ecs!("capacityProviderStrategy"),
        Objects,
        NotYet,
        "How tasks are split over capacity providers; not with launchType.",
    ),
    row(
        ecs!("capacityProviderStrategy[].capacityProvider"),
        String,
        NotYet,
        "Name of a capacity provider that the cluster lists.",
    )
    .required(),
    row(
        ecs!("capacityProviderStrategy[].weight"),
        Integer,
        NotYet,
        "Share of the tasks left after every base, 0 to 1000 (default 0).",
    ),
    row(
        ecs!("capacityProviderStrategy[].base"),
        Integer,
        NotYet,
        "Tasks placed on this provider before weights count, 0 to 100000 (default 0).",
    ),
    row(
        ecs!("enableECSManagedTags"),
        Boolean,
        Recorded,
        "Adds AWS's own tag for the cluster to tasks (default false).",
    ),
    row(
        ecs!("enableExecuteCommand"),
        Boolean,
        NotYet,
        "Allows opening a shell in the tasks' containers (default false).",
    ),
    row(
        ecs!("placementConstraints"),
        Objects,
        NotYet,
        "Rules that a node must meet; at most 10, those of the task definition included.",
    ),
    row(
        ecs!("placementConstraints[].type"),
        String,
        NotYet,
        "distinctInstance (one task of a group per node) or memberOf (nodes that match \
         expression).",
    ),
    row(
        ecs!("placementConstraints[].expression"),
        String,
        NotYet,
        "Cluster query that nodes must match, up to 2000 characters; for memberOf only.",
    ),
    row(
        ecs!("placementStrategy"),
        Objects,
        NotYet,
        "How to choose among fitting nodes; at most 5 rules, applied in order.",
    ),
    row(ecs!("placementStrategy[].type"), String, NotYet, "random, spread or binpack."),
    row(
        ecs!("placementStrategy[].field"),
        String,
        NotYet,
        "spread: host, instanceId or attribute:NAME; binpack: cpu or memory; random: none.",
    ),
    row(
        ecs!("propagateTags"),
        String,
        NotYet,
        "TASK_DEFINITION copies the definition's tags to the task (default: none copied).",
    ),
    row(ecs!("referenceId"), String, Recorded, "Identifier that AWS's own services use."),
    row(ecs!("tags"), Objects, Recorded, "Up to 50 tags, each key once."),
    row(
        ecs!("tags[].key"),
        String,
        Recorded,
        "Tag key: 1 to 128 characters, not starting with `aws:`.",
    )
    .required(),
    row(ecs!("tags[].value"), String, Recorded, "Tag value: up to 256 characters.").required(),
    row(
        "targets[].batchParameters",
        Document,
        Refused("only ECS tasks are run by a rule; give the job as a task in ecsParameters"),
        "Settings of a Batch job as target.",
    ),
    row(
        "targets[].sqsParameters",
        Document,
        Refused("only ECS tasks are run by a rule; a task can send the message"),
        "Settings of an SQS queue as target.",
    ),
    row(
        "targets[].httpParameters",
        Document,
        Refused("only ECS tasks are run by a rule; a task can make the request"),
        "Settings of an HTTP endpoint as target.",
    ),
    row(
        "targets[].redshiftDataParameters",
        Document,
        Refused("only ECS tasks are run by a rule; a task can run the statement"),
        "Settings of a Redshift statement as target.",
    ),
    row(
        "targets[].sageMakerPipelineParameters",
        Document,
        Refused("only ECS tasks are run by a rule; a task can start the pipeline"),
        "Settings of a SageMaker pipeline as target.",
    ),
    row(
        "targets[].deadLetterConfig",
        Object,
        NotYet,
        "Where events go that could not be delivered.",
    ),
    row("targets[].deadLetterConfig.arn", String, NotYet, "ARN of an SQS queue."),
    row("targets[].retryPolicy", Object, NotYet, "How long delivery is tried."),
    row(
        "targets[].retryPolicy.maximumRetryAttempts",
        Integer,
        NotYet,
        "Most further tries, 0 to 185 (default 185).",
    ),
    row(
        "targets[].retryPolicy.maximumEventAgeInSeconds",
        Integer,
        NotYet,
        "Seconds after which no more tries are made, 60 to 86400 (default 86400).",
    ),
    row(
        "targets[].appSyncParameters",
        Document,
        Refused("only ECS tasks are run by a rule; a task can send the operation"),
        "Settings of an AppSync operation as target.",
    ),
];
