//! Does another capacity provider have nodes of this one, or size its group?
//!
//! Then its nodes are counted twice, and two would size one group. Neither is scaled until that is
//! settled. Fargate profiles are left out: several of them have the same nodes by their nature.

use super::seen::Seen;
use super::{CapacityProvider, Form, name_of, read};
use crate::api::Reason;
use crate::plan::conditions::Outcome;
use crate::plan::finding::Findings;
use crate::world::{ObjectKey, World};

/// What is to be said where it is so.
pub(super) fn shared(
    world: &World,
    key: &ObjectKey,
    provider: &CapacityProvider,
    seen: &Seen,
) -> Option<(Outcome, Reason, String)> {
    if matches!(provider.form, Form::FargateProfile(_)) {
        return None;
    }
    for other in world.capacity_providers.iter() {
        let name = other.metadata.name.as_deref();
        if name == Some(key.name.as_str()) || other.metadata.deletion_timestamp.is_some() {
            continue;
        }
        let Some(read) = read(&other.spec.0, name, &mut Findings::default()) else { continue };
        // Of two that claim one name, the younger is none.
        if matches!(read.form, Form::FargateProfile(_)) || read.name == provider.name {
            continue;
        }
        let other = name_of(&other.spec.0, name);
        if let (Some((_, own)), Some((_, theirs))) = (provider.managed(), read.managed())
            && own.is_same_object(theirs)
        {
            let message = format!(
                "kubernetes.scaleTargetRef: {own} is also sized by capacity provider `{other}`; name \
                 it in one of them only; neither scales it until then"
            );
            return Some((Outcome::Stalled, Reason::NodesShared, message));
        }
        let has = |node: &&String| {
            let node = world.nodes.get("", node);
            let labels = node.as_ref().and_then(|node| node.metadata.labels.as_ref());
            labels.is_some_and(|labels| read.nodes.selects(labels))
        };
        let mut both = seen.nodes.keys().filter(has);
        if let Some(first) = both.next() {
            let more = match both.count() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let message = format!(
                "node {first}{more} would also be of capacity provider `{other}`; tell the nodes of \
                 the two apart by kubernetes.nodeSelector; neither is scaled until then"
            );
            return Some((Outcome::Stalled, Reason::NodesShared, message));
        }
    }
    None
}
