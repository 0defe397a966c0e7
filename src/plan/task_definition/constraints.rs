//! Do the placement constraints of a task definition keep ECS's rules?
//!
//! What they become is decided with each service that runs it, together with the service's own.

use serde_json::Value;

use crate::plan::finding::Findings;
use crate::plan::judge::is_empty;
use crate::plan::placement::affinity::{NodeLabels, affinity};
use crate::plan::placement::strategies::read_constraints;

const CONSTRAINTS: &str = "placementConstraints";

/// Judges `placementConstraints`; `fargate`: whether the task definition is for Fargate, too.
pub(super) fn judge_constraints(spec: &Value, fargate: bool, findings: &mut Findings) {
    let given = spec.get(CONSTRAINTS).filter(|given| !is_empty(given));
    if fargate && given.is_some() {
        let rule = "is not for Fargate, where there are no nodes to choose among; leave it out, or \
                    take FARGATE out of requiresCompatibilities";
        findings.refuse(CONSTRAINTS, rule);
        return;
    }
    let constraints = read_constraints((given, CONSTRAINTS), (None, ""), findings);
    affinity(&[], &constraints.expressions, NodeLabels::Denied, findings);
}
