//! How does a service say by which ways it is reached, besides load balancers?
//!
//! The parts `serviceConnectConfiguration`, `vpcLatticeConfigurations` and `gatewayConnectors` of
//! the input of `CreateService`.

use super::row::Shape::{Boolean, Integer, Object, Objects, String, StringMap, Strings};
use super::row::Verdict::{NotYet, Recorded, Refused};
use super::row::{Member, Verdict, row};

/// The path of a member of a client alias.
macro_rules! alias {
    ($rest:literal) => {
        concat!("serviceConnectConfiguration.services[].clientAliases[].", $rest)
    };
}

/// Encryption between services: asked for, it is not left out.
const TLS: Verdict = Refused(
    "traffic between services is not encrypted here; take it out where that will do, or let a mesh \
     encrypt it",
);

/// The members about Service Connect, VPC Lattice and gateways.
pub(super) const CONNECT: &[Member] = &[
    row(
        "serviceConnectConfiguration",
        Object,
        NotYet,
        "Names under which services of one namespace reach each other.",
    )
    .rolls(),
    row(
        "serviceConnectConfiguration.enabled",
        Boolean,
        NotYet,
        "Turns Service Connect on; without services the tasks are clients only.",
    )
    .required()
    .rolls(),
    row(
        "serviceConnectConfiguration.namespace",
        String,
        NotYet,
        "Name or ARN of the namespace (default: the cluster's serviceConnectDefaults).",
    )
    .rolls(),
    row("serviceConnectConfiguration.services", Objects, NotYet, "Ports offered to the namespace.")
        .rolls(),
    row(
        "serviceConnectConfiguration.services[].portName",
        String,
        NotYet,
        "Name of a port mapping in the task definition.",
    )
    .required()
    .rolls(),
    row(
        "serviceConnectConfiguration.services[].discoveryName",
        String,
        NotYet,
        "Name in the namespace: up to 64 of a-z, 0-9, `_` and `-` (default: portName).",
    )
    .rolls(),
    row(
        "serviceConnectConfiguration.services[].clientAliases",
        Objects,
        NotYet,
        "Name and port that clients use; at most one.",
    )
    .rolls(),
    row(alias!("port"), Integer, NotYet, "Port that clients connect to, 0 to 65535.")
        .required()
        .rolls(),
    row(
        alias!("dnsName"),
        String,
        NotYet,
        "Host name for clients, up to 127 characters (default `discoveryName.namespace`).",
    )
    .rolls(),
    row(
        alias!("testTrafficRules"),
        Object,
        NotYet,
        "Which requests go to the new revision while it is tested.",
    )
    .rolls(),
    row(alias!("testTrafficRules.header"), Object, NotYet, "Chooses requests by a header.")
        .required()
        .rolls(),
    row(
        alias!("testTrafficRules.header.name"),
        String,
        NotYet,
        "Header name, e.g. X-Test-Version.",
    )
    .required()
    .rolls(),
    row(
        alias!("testTrafficRules.header.value"),
        Object,
        NotYet,
        "How the header's value is compared.",
    )
    .rolls(),
    row(
        alias!("testTrafficRules.header.value.exact"),
        String,
        NotYet,
        "Value the header must have.",
    )
    .required()
    .rolls(),
    row(
        "serviceConnectConfiguration.services[].ingressPortOverride",
        Integer,
        NotYet,
        "Port on which the proxy listens in the task (default with awsvpc: the containerPort).",
    )
    .rolls(),
    row(
        "serviceConnectConfiguration.services[].timeout",
        Object,
        NotYet,
        "Time limits of the proxy.",
    )
    .rolls(),
    row(
        "serviceConnectConfiguration.services[].timeout.idleTimeoutSeconds",
        Integer,
        NotYet,
        "Seconds an idle connection is kept; 0 is for ever (default 300, plain TCP 3600).",
    )
    .rolls(),
    row(
        "serviceConnectConfiguration.services[].timeout.perRequestTimeoutSeconds",
        Integer,
        NotYet,
        "Seconds a request may take; 0 is for ever; not for plain TCP.",
    )
    .rolls(),
    row(
        "serviceConnectConfiguration.services[].tls",
        Object,
        TLS,
        "Encrypts traffic between proxies.",
    )
    .rolls(),
    row(
        "serviceConnectConfiguration.services[].tls.issuerCertificateAuthority",
        Object,
        TLS,
        "Who issues the certificates.",
    )
    .required()
    .rolls(),
    row(
        "serviceConnectConfiguration.services[].tls.issuerCertificateAuthority.awsPcaAuthorityArn",
        String,
        TLS,
        "ARN of a private certificate authority.",
    )
    .rolls(),
    row(
        "serviceConnectConfiguration.services[].tls.kmsKey",
        String,
        TLS,
        "KMS key that protects the private keys.",
    )
    .rolls(),
    row(
        "serviceConnectConfiguration.services[].tls.roleArn",
        String,
        TLS,
        "IAM role with which ECS would fetch certificates.",
    )
    .rolls(),
    row(
        "serviceConnectConfiguration.logConfiguration",
        Object,
        NotYet,
        "Where the proxy's log goes.",
    )
    .rolls(),
    row(
        "serviceConnectConfiguration.logConfiguration.logDriver",
        String,
        NotYet,
        "json-file, syslog, journald, gelf, fluentd, awslogs, splunk or awsfirelens.",
    )
    .required()
    .rolls(),
    row(
        "serviceConnectConfiguration.logConfiguration.options",
        StringMap,
        NotYet,
        "Options of the log driver, by the driver's own names.",
    )
    .rolls(),
    row(
        "serviceConnectConfiguration.logConfiguration.secretOptions",
        Objects,
        NotYet,
        "Options whose values come from secrets.",
    )
    .rolls(),
    row(
        "serviceConnectConfiguration.logConfiguration.secretOptions[].name",
        String,
        NotYet,
        "Name of the driver option.",
    )
    .required()
    .rolls(),
    row(
        "serviceConnectConfiguration.logConfiguration.secretOptions[].valueFrom",
        String,
        NotYet,
        "ARN of a Secrets Manager secret or an SSM parameter.",
    )
    .required()
    .rolls(),
    row(
        "serviceConnectConfiguration.accessLogConfiguration",
        Object,
        NotYet,
        "Log of the requests that pass the proxy.",
    )
    .rolls(),
    row(
        "serviceConnectConfiguration.accessLogConfiguration.format",
        String,
        NotYet,
        "TEXT or JSON.",
    )
    .required()
    .rolls(),
    row(
        "serviceConnectConfiguration.accessLogConfiguration.includeQueryParameters",
        String,
        NotYet,
        "Whether URLs are logged with their query: ENABLED or DISABLED (default DISABLED).",
    )
    .rolls(),
    row(
        "serviceConnectConfiguration.containerConfigurations",
        Objects,
        NotYet,
        "Settings of the proxy container, one per entry, at most 10.",
    )
    .rolls(),
    row(
        "serviceConnectConfiguration.containerConfigurations[].logLevel",
        String,
        NotYet,
        "debug or info (default info).",
    )
    .rolls(),
    row(
        "vpcLatticeConfigurations",
        Objects,
        NotYet,
        "VPC Lattice target groups in which tasks are registered.",
    )
    .rolls(),
    row(
        "vpcLatticeConfigurations[].roleArn",
        String,
        Recorded,
        "IAM role with which ECS would manage VPC Lattice.",
    )
    .required()
    .rolls(),
    row("vpcLatticeConfigurations[].targetGroupArn", String, NotYet, "ARN of the target group.")
        .required()
        .rolls(),
    row(
        "vpcLatticeConfigurations[].portName",
        String,
        NotYet,
        "Name of a port mapping in the task definition.",
    )
    .required()
    .rolls(),
    row(
        "vpcLatticeConfigurations[].advancedConfiguration",
        Object,
        NotYet,
        "Second target group and listener rules, for BLUE_GREEN, LINEAR and CANARY.",
    )
    .rolls(),
    row(
        "vpcLatticeConfigurations[].advancedConfiguration.alternateTargetGroupArn",
        String,
        NotYet,
        "ARN of the target group that takes the other revision.",
    )
    .rolls(),
    row(
        "vpcLatticeConfigurations[].advancedConfiguration.productionListenerRule",
        String,
        NotYet,
        "ARN of the rule (or listener) that carries production traffic.",
    )
    .rolls(),
    row(
        "vpcLatticeConfigurations[].advancedConfiguration.testListenerRule",
        String,
        NotYet,
        "ARN of the rule (or listener) that carries test traffic.",
    )
    .rolls(),
    row(
        "gatewayConnectors",
        Objects,
        NotYet,
        "Connects the service to a gateway's entry; at most one.",
    ),
    row(
        "gatewayConnectors[].portName",
        String,
        NotYet,
        "Port of the service that gets the traffic.",
    )
    .required(),
    row("gatewayConnectors[].healthCheck", Object, NotYet, "How the gateway checks a task."),
    row("gatewayConnectors[].healthCheck.healthCheckProtocol", String, NotYet, "HTTP or HTTPS."),
    row("gatewayConnectors[].healthCheck.healthCheckPort", Integer, NotYet, "Port that is asked."),
    row(
        "gatewayConnectors[].healthCheck.healthCheckPath",
        String,
        NotYet,
        "Path that is asked for.",
    ),
    row(
        "gatewayConnectors[].healthCheck.healthCheckTimeoutSeconds",
        Integer,
        NotYet,
        "Seconds without an answer that count as a failure.",
    ),
    row(
        "gatewayConnectors[].healthCheck.healthCheckIntervalSeconds",
        Integer,
        NotYet,
        "Seconds between checks.",
    ),
    row(
        "gatewayConnectors[].healthCheck.healthyThresholdCount",
        Integer,
        NotYet,
        "Successes in a row that make a task healthy.",
    ),
    row(
        "gatewayConnectors[].healthCheck.unhealthyThresholdCount",
        Integer,
        NotYet,
        "Failures in a row that make a task unhealthy.",
    ),
    row(
        "gatewayConnectors[].healthCheck.matcher",
        Object,
        NotYet,
        "Answers that count as success.",
    ),
    row(
        "gatewayConnectors[].healthCheck.matcher.httpCode",
        String,
        NotYet,
        "HTTP status codes, e.g. `200-299`.",
    ),
    row(
        "gatewayConnectors[].healthCheck.matcher.grpcCode",
        String,
        NotYet,
        "gRPC status codes, e.g. `0`.",
    ),
    row("gatewayConnectors[].filters", Object, NotYet, "Which entries of the gateway are used."),
    row("gatewayConnectors[].filters.accessTypes", Strings, NotYet, "PUBLIC, PRIVATE or both."),
    row(
        "gatewayConnectors[].deregistrationDelay",
        Object,
        NotYet,
        "How long a leaving task still gets its open requests done.",
    ),
    row(
        "gatewayConnectors[].deregistrationDelay.timeoutSeconds",
        Integer,
        NotYet,
        "Seconds to wait, 0 to 3600 (default 300).",
    ),
];
