//! `linkspan init`: what does one write for a first service?
//!
//! Manifests to begin with, with a comment at each choice: a web service with an Ingress, a backend that
//! others call, a worker that nobody calls. It looks at no cluster.

use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::ecs::reference::is_name;

/// `linkspan init`
#[derive(Debug, clap::Args)]
pub struct Init {
    /// What it is.
    #[arg(value_enum, value_name = "web|backend|worker")]
    what: What,
    /// What it is called.
    #[arg(value_name = "NAME")]
    name: String,
    /// The image of its container.
    #[arg(long, value_name = "IMAGE")]
    image: String,
    /// The port on which it listens; a worker has none.
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    port: u16,
    /// The host name under which a web service is reached (default: any).
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// CPU units of a task: 256 is a quarter of a core.
    #[arg(long, value_name = "UNITS", default_value_t = 256)]
    cpu: u32,
    /// MiB of a task.
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    memory: u32,
}

/// What a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// A web service behind an Ingress
    Web,
    /// A service that others call by its name
    Backend,
    /// A service that nobody calls: it takes its work from elsewhere
    Worker,
}

pub(super) fn run(arguments: &Init) -> io::Result<ExitCode> {
    let name = &arguments.name;
    if !is_name(name) || name.len() > 40 || name.to_lowercase() != *name || name.contains('_') {
        let rule = "must be 1 to 40 small letters, digits and -";
        return Err(io::Error::other(format!("the name {name} {rule}")));
    }
    super::print_out(&text(arguments))
}

/// A text in YAML: as JSON writes it, which is YAML too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn text(asked: &Init) -> String {
    let Init { what, name, image, port, host, cpu, memory } = asked;
    let image = quoted(image);
    let mut text = format!(
        "# The task definition: each change of it is a new revision, and the service rolls to it.
apiVersion: ecs.linkspan.dev/v1alpha1
kind: TaskDefinition
metadata:
  name: {name}
spec:
  family: {name}
  cpu: \"{cpu}\"
  memory: \"{memory}\"
  containerDefinitions:
    - name: {name}
      image: {image}
      essential: true
"
    );
    if *what == What::Worker {
        text.push_str(
            "      # Seconds that it has to end its work when it is told to stop.
      stopTimeout: 60
",
        );
    } else {
        let _ = write!(
            text,
            "      portMappings:
        - name: http
          containerPort: {port}
      # A task counts as healthy when this succeeds. The image must have the command.
      healthCheck:
        command: [CMD-SHELL, \"wget -q -O /dev/null http://localhost:{port}/ || exit 1\"]
        interval: 10
        timeout: 5
        retries: 3
        startPeriod: 10
"
        );
    }
    let percents = match what {
        What::Web | What::Backend => {
            "  # While it rolls, no task fewer than now and at most twice as many.
  deploymentConfiguration:
    minimumHealthyPercent: 100
    maximumPercent: 200
"
        }
        What::Worker => {
            "  # While it rolls, it may have half of its tasks, and needs no room for more.
  deploymentConfiguration:
    minimumHealthyPercent: 50
    maximumPercent: 100
"
        }
    };
    let _ = write!(
        text,
        "---
# The service. It follows the newest revision; `taskDefinition: {name}:1` would pin one.
apiVersion: ecs.linkspan.dev/v1alpha1
kind: Service
metadata:
  name: {name}
spec:
  serviceName: {name}
  taskDefinition: {name}
{percents}  placementStrategy:
    - type: spread
      field: attribute:ecs.availability-zone
  # From the second on, tasks come and go with the load. Without this block: desiredCount: 2.
  autoscaling:
    scalableTarget:
      minCapacity: 2
      maxCapacity: 10
    scalingPolicies:
      - policyName: cpu
        targetTrackingScalingPolicyConfiguration:
          targetValue: 60
          predefinedMetricSpecification:
            predefinedMetricType: ECSServiceAverageCPUUtilization
"
    );
    if *what == What::Web {
        let host = host.as_ref().map(|host| format!("host: {}\n      ", quoted(host)));
        let _ = write!(
            text,
            "---
# The way in: Linkspan makes the Kubernetes Service {name}, and an ingress controller serves this.
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
spec:
  rules:
    - {}http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: {name}
                port:
                  number: {port}
",
            host.unwrap_or_default()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use crate::render::{self, File, Options};

    fn asked(what: What) -> Init {
        Init {
            what,
            name: "shop".to_owned(),
            image: "example/shop:1".to_owned(),
            port: 8080,
            host: Some("shop.example".to_owned()),
            cpu: 256,
            memory: 512,
        }
    }

    #[test]
    fn what_is_printed_is_rendered_without_a_word_of_complaint() {
        for what in [What::Web, What::Backend, What::Worker] {
            let text = text(&asked(what));
            let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(&text).unwrap();
            assert_eq!(documents.len(), if what == What::Web { 3 } else { 2 }, "{text}");
            // An Ingress is none of Linkspan's.
            let ours = text.split("---\n").take(2).collect::<Vec<_>>().join("---\n");
            let file = File { name: "shop.yaml".to_owned(), bytes: ours.into_bytes() };
            let output = render::run(&[file], &Options::default());
            assert!(!output.failed, "{what:?}: {}", output.stderr);
            assert_eq!(output.stderr, "", "{what:?}");
            assert!(output.stdout.contains("kind: Deployment"), "{}", output.stdout);
            assert!(output.stdout.contains("kind: HorizontalPodAutoscaler"), "{}", output.stdout);
        }
    }

    #[test]
    fn an_image_is_text_whatever_it_looks_like() {
        let init = Init { image: "a: b #".to_owned(), ..asked(What::Worker) };
        let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(&text(&init)).unwrap();
        let image = documents.first().unwrap().pointer("/spec/containerDefinitions/0/image");
        assert_eq!(image.unwrap(), "a: b #");
    }
}
