//! Which nodes have to carry which labels, for expressions that no pod template can say?
//!
//! A label is there while an expression needs it and chooses the node. It says only what is to be
//! written now; it never touches a label that Linkspan does not own.

use std::collections::{BTreeMap, BTreeSet};

use super::{NODE_LABEL_PREFIX, attributes};
use crate::ecs::query::{Instance, Query, evaluate};

/// The most expressions that are kept on nodes at once.
pub const MOST_LABELS: usize = 64;

/// Whether a namespace whose records ask for `own` of the labels that are in use may bring `more`. It
/// leaves as many free as it has then, so that no namespace takes them from all others; only the last
/// one of all needs no other to be free.
///
/// ```
/// use linkspan::plan::placement::node_labels::may_bring;
/// assert!(may_bring(32, 0, 0) && !may_bring(33, 0, 0) && !may_bring(1, 32, 32));
/// assert!(may_bring(16, 0, 32) && !may_bring(17, 0, 32), "what the first one left is shared again");
/// assert!(may_bring(1, 0, 63) && !may_bring(1, 1, 63) && !may_bring(1, 0, 64));
/// ```
pub fn may_bring(more: usize, own: usize, in_use: usize) -> bool {
    let free = MOST_LABELS.saturating_sub(in_use);
    more <= free && own.saturating_add(more) <= (free - more).saturating_add(1)
}

/// The labels of a node that are not as they should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// To be set, to `true`.
    pub add: BTreeSet<String>,
    /// To be taken away.
    pub remove: BTreeSet<String>,
}

/// What is to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// By the name of the node; nodes without a change are left out.
    pub nodes: BTreeMap<String, Change>,
    /// The labels of expressions beyond the bound, which no node gets: pods that ask for them wait.
    pub beyond: BTreeSet<String>,
}

/// A node: its name, the labels that it has, and what expressions can ask of it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
    /// What expressions can ask of it.
    pub instance: &'a Instance,
}

/// What is to be written on nodes so that they carry the labels of all expressions in use, which are
/// given by those labels. Beyond the bound, labels that are on a node already come first, so that
/// one expression too many takes nothing from those that work.
pub fn changes<'a>(
    nodes: impl IntoIterator<Item = Seen<'a>>,
    in_use: &BTreeMap<String, Query>,
) -> Changes {
    let nodes: Vec<Seen<'_>> = nodes.into_iter().collect();
    let keys = nodes.iter().flat_map(|node| node.labels.keys());
    let carried: BTreeSet<String> = keys.filter(|key| is_label(key)).cloned().collect();
    let kept = kept(in_use, &carried);
    let queries: BTreeMap<String, Query> = in_use
        .iter()
        .filter(|(key, _)| kept.contains(*key))
        .map(|(key, query)| (key.clone(), query.clone()))
        .collect();
    let mut changes = Changes {
        beyond: in_use.keys().filter(|key| !kept.contains(*key)).cloned().collect(),
        ..Changes::default()
    };
    for node in nodes {
        let wanted = chosen_by(&queries, node.instance);
        let has = |key: &String| node.labels.get(key).is_some_and(|value| value == "true");
        let ours = node.labels.keys().filter(|key| is_label(key));
        let change = Change {
            add: wanted.iter().filter(|key| !has(key)).cloned().collect(),
            remove: ours.filter(|key| !wanted.contains(*key)).cloned().collect(),
        };
        if change != Change::default() {
            changes.nodes.insert(node.name.to_owned(), change);
        }
    }
    changes
}

/// Which of the labels that are in use there can be: all of them up to the bound, beyond it those that
/// are carried by a node already, then the others, by name.
pub fn kept(in_use: &BTreeMap<String, Query>, carried: &BTreeSet<String>) -> BTreeSet<String> {
    let mut keys: Vec<&String> = in_use.keys().collect();
    keys.sort_by_key(|key| (!carried.contains(*key), *key));
    keys.into_iter().take(MOST_LABELS).cloned().collect()
}

/// The labels whose expressions choose a node.
pub fn chosen_by(in_use: &BTreeMap<String, Query>, instance: &Instance) -> BTreeSet<String> {
    let holds = |query: &Query| evaluate(&attributes::canonical(query), instance);
    in_use.iter().filter(|(_, query)| holds(query)).map(|(key, _)| key.clone()).collect()
}

/// Whether a label stands for an expression: sixteen hexadecimal digits behind the prefix. The other
/// labels under that prefix mean something else.
pub fn is_label(key: &str) -> bool {
    key.strip_prefix(NODE_LABEL_PREFIX).is_some_and(|hash| {
        hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

#[cfg(test)]
mod tests;
