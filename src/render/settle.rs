//! What comes of a world when nothing but Linkspan acts on it?
//!
//! Plans and carries out until no plan asks for a write, each object again when what it depends on
//! has changed: the operator without a cluster. Time stands still in it, so that what waits for time goes on waiting.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;

use crate::plan::{Moment, Write, plan};
use crate::world::{Kind, ObjectKey, Shelved, World};

/// After how many rounds a world that still changes is given up.
const MOST_ROUNDS: usize = 50;

/// Why a world did not settle: a mistake in Linkspan, not in its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsettled {
    /// It goes on changing; here is the object whose plan asked for the last write.
    Restless(ObjectKey),
    /// What a plan asked to be written is not of the kind that it should be.
    Malformed(ObjectKey, String),
}

impl fmt::Display for Unsettled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "internal error: ")?;
        match self {
            Self::Restless(key) => write!(f, "{key} does not settle in {MOST_ROUNDS} rounds"),
            Self::Malformed(key, why) => write!(f, "{key} is planned malformed: {why}"),
        }
    }
}

impl std::error::Error for Unsettled {}

/// Plans and carries out until there is nothing to write, and says how many writes it took.
///
/// # Errors
/// A defect of Linkspan: the world does not come to rest, or a write cannot be carried out.
pub fn settle(world: &mut World, now: Timestamp) -> Result<usize, Unsettled> {
    settle_watched(world, now, |_, _| {})
}

/// Settles, and shows every write beside the object for which it was planned.
///
/// # Errors
/// As [`settle`].
pub fn settle_watched(
    world: &mut World,
    now: Timestamp,
    mut watch: impl FnMut(&ObjectKey, &Write),
) -> Result<usize, Unsettled> {
    let moment = Moment::at(now);
    let mut writes = 0;
    let mut next: BTreeSet<ObjectKey> = planned(world).into_iter().collect();
    for round in 1.. {
        for root in std::mem::take(&mut next) {
            for write in plan(world, &root, &moment).writes {
                if round > MOST_ROUNDS {
                    return Err(Unsettled::Restless(root));
                }
                watch(&root, &write);
                let changed = world
                    .carry_out(&write)
                    .map_err(|why| Unsettled::Malformed(write.key().clone(), why.to_string()))?;
                next.extend(changed);
                writes += 1;
            }
        }
        if next.is_empty() {
            break;
        }
    }
    Ok(writes)
}

/// The objects that plans are made for, in the order of their kinds, namespaces and names.
fn planned(world: &World) -> Vec<ObjectKey> {
    fn keys<K: Shelved>(world: &World, keys: &mut Vec<ObjectKey>) {
        keys.extend(K::shelf(world).keys());
    }
    let mut planned = Vec::new();
    for kind in Kind::ALL {
        match kind {
            Kind::Cluster
            | Kind::CapacityProvider
            | Kind::TaskDefinition
            | Kind::TaskDefinitionRevision
            | Kind::Service
            | Kind::Task
            | Kind::Rule
            | Kind::Node => crate::world::each_kind!(kind, keys(world, &mut planned)),
            Kind::ServiceDeployment
            | Kind::Deployment
            | Kind::DaemonSet
            | Kind::ReplicaSet
            | Kind::Pod
            | Kind::Endpoints
            | Kind::DisruptionBudget
            | Kind::HorizontalPodAutoscaler
            | Kind::NetworkPolicy
            | Kind::Ingress => {}
        }
    }
    planned
}
