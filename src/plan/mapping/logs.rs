//! What do pods carry for the nodes' log agent, where that takes the part of a log driver?

use super::derived;
use super::resolve::Resolver;
use super::rows::is_annotation;
use crate::plan::task_definition::{ContainerIdentifiers, Identifiers, LogDriver};

impl Resolver<'_> {
    /// The annotations of the log drivers' rows, and what is said of drivers that have none.
    pub(super) fn logs(&mut self, identifiers: &Identifiers) {
        for (at, container) in identifiers.containers.iter().enumerate() {
            let Some(log) = &container.log else { continue };
            let path = format!("containerDefinitions[{at}].logConfiguration.logDriver");
            let rows = self.mapping.tables.log_drivers.iter().enumerate();
            let Some((row_at, row)) = rows.into_iter().find(|(_, row)| row.driver == log.driver)
            else {
                self.unmapped(path, &output(&log.driver), derived::log_row(&log.driver));
                continue;
            };
            self.used("logDrivers", row_at, &row.raw);
            for (name, value) in &row.annotations {
                self.annotate(container, log, name, value, &path);
            }
        }
    }

    /// An annotation of the pod, with the options in the place of `${…}`.
    fn annotate(
        &mut self,
        container: &ContainerIdentifiers,
        log: &LogDriver,
        name: &str,
        value: &str,
        path: &str,
    ) {
        let name = name.replace("${container}", &container.dns_name);
        let mut value = value.replace("${container}", &container.dns_name);
        for (option, given) in &log.options {
            value = value.replace(&format!("${{{option}}}"), given);
        }
        // What stands for an option that is not given stands for nothing.
        let value = without_placeholders(&value);
        if !is_annotation(&name) {
            let message =
                format!("annotation {name} is left out: its name is longer than a pod's can be");
            self.findings.differs(path, message);
            return;
        }
        let earlier = self.names.annotations.get(&name).filter(|earlier| **earlier != value);
        if earlier.is_some() {
            let message = format!(
                "annotation {name} of the pod says something else for an earlier container; with \
                 ${{container}} in its name, each has its own"
            );
            self.findings.differs(path, message);
            return;
        }
        self.names.annotations.insert(name, value);
    }
}

/// Where output goes that a driver would have taken.
fn output(driver: &str) -> String {
    let routed =
        if driver == "awsfirelens" { "no log router takes it from there, and " } else { "" };
    format!(
        "output goes to the container's standard output, where the node's log agent and `kubectl \
         logs` find it; {routed}the options of {driver} are kept without effect"
    )
}

fn without_placeholders(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((_, behind)) = after.split_once('}') else { break };
        plain.push_str(before);
        rest = behind;
    }
    plain + rest
}
