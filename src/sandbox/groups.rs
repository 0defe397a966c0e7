//! Which nodes does a sandbox have? Three groups over three zones.

use super::control_plane::nodes::{CapacityType, NodeGroup};

/// An on-demand group, a spot group and a Fargate-style group, a node of each in each zone.
pub fn node_groups() -> [NodeGroup; 3] {
    [
        ("on-demand", CapacityType::OnDemand),
        ("spot", CapacityType::Spot),
        ("fargate", CapacityType::Fargate),
    ]
    .map(|(name, capacity_type)| NodeGroup {
        name: name.to_owned(),
        capacity_type,
        ..NodeGroup::default()
    })
}
