//! How many tasks go to which capacity provider?
//!
//! A `capacityProviderStrategy`: its rules, and the split of a count of tasks by `base` and
//! `weight`. It decides numbers only; which provider exists, and what it is, others know.

use serde_json::Value;

use super::fault::{Fault, whole};

/// The most items of one strategy.
const MOST_ITEMS: usize = 20;
const MOST_WEIGHT: u32 = 1000;
const MOST_BASE: u32 = 100_000;

/// One capacity provider of a strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its ECS name.
    pub capacity_provider: String,
    /// Its part of the tasks beyond the base, relative to the other weights; 0 to 1000.
    pub weight: u32,
    /// How many tasks it has before weights count; 0 to 100,000.
    pub base: u32,
}

/// A strategy that keeps ECS's rules: 1 to 20 items, each provider once, at most one base, at least
/// one weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strategy {
    items: Vec<Item>,
    weight_was_assumed: bool,
}

impl Strategy {
    /// Reads `capacityProviderStrategy`. Whether a provider is a Fargate one is asked of the
    /// caller: those are not mixed with others.
    ///
    /// # Errors
    /// Every rule that is broken.
    pub fn read(value: &Value, is_fargate: impl Fn(&str) -> bool) -> Result<Self, Vec<Fault>> {
        let Value::Array(list) = value else {
            return Err(vec![Fault::at("", "must be a list of objects")]);
        };
        let mut faults = Vec::new();
        let mut items: Vec<Item> = Vec::new();
        for (at, value) in list.iter().enumerate() {
            match item(value, at) {
                Ok(item) => items.push(item),
                Err(found) => faults.extend(found),
            }
        }
        // The rules about the whole say nothing of items that could not be read.
        if faults.is_empty() {
            faults = together(&items, is_fargate);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut weight_was_assumed = false;
        if let [only] = items.as_mut_slice()
            && only.weight == 0
        {
            (only.weight, weight_was_assumed) = (1, true);
        }
        Ok(Self { items, weight_was_assumed })
    }

    /// A strategy of one provider, which has all tasks.
    pub fn only(capacity_provider: &str) -> Self {
        let capacity_provider = capacity_provider.to_owned();
        Self {
            items: vec![Item { capacity_provider, weight: 1, base: 0 }],
            weight_was_assumed: false,
        }
    }

    /// Its items, in order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Whether it has one item of weight 0, which was taken for 1. ECS says only of several
    /// providers that not all weights may be 0.
    pub fn weight_was_assumed(&self) -> bool {
        self.weight_was_assumed
    }

    /// How many of so many tasks go to each item: first the base, then one after the other to the
    /// item that is furthest below its share by weight, of several the first. One task more takes
    /// none away from any item.
    ///
    /// ```
    /// use linkspan::ecs::strategy::Strategy;
    /// use serde_json::json;
    /// let strategy = Strategy::read(
    ///     &json!([{"capacityProvider": "A", "base": 1, "weight": 1},
    ///             {"capacityProvider": "B", "weight": 3}]),
    ///     |_| false,
    /// )?;
    /// assert_eq!(strategy.split(9), [3, 6]);
    /// assert_eq!(strategy.split(1), [1, 0]);
    /// # Ok::<(), Vec<linkspan::ecs::fault::Fault>>(())
    /// ```
    pub fn split(&self, count: u32) -> Vec<u32> {
        let mut split: Vec<u32> = self.items.iter().map(|item| item.base.min(count)).collect();
        let left = count - split.iter().sum::<u32>();
        // After as many tasks as all weights together every item has had exactly its weight, and
        // the shares begin anew: an item is never more than a whole task ahead of its share, since
        // only one that is behind gets a task.
        let all: u32 = self.items.iter().map(|item| item.weight).sum();
        let (rounds, rest) = (left / all.max(1), left % all.max(1));
        let mut given = vec![0_u32; self.items.len()];
        for so_far in 1..=rest {
            let below = |(item, given): (&Item, &u32)| {
                i64::from(so_far) * i64::from(item.weight) - i64::from(*given) * i64::from(all)
            };
            if let Some(at) = first_greatest(self.items.iter().zip(&given).map(below)) {
                add(&mut given, at, 1);
            }
        }
        for ((split, item), given) in split.iter_mut().zip(&self.items).zip(given) {
            *split += rounds * item.weight + given;
        }
        split
    }

    /// Where tasks are to be, if there are to be more than there are: none is taken away from where
    /// it runs, so that a change of weights alone moves nothing; each added one goes to the base,
    /// as long as that is not full, then to the item that is furthest below what [`Self::split`]
    /// has for it, of several the first.
    ///
    /// `current` has one number for each item; what it lacks counts as 0.
    pub fn grow(&self, current: &[u32], wanted: u32) -> Vec<u32> {
        let mut placed = self.aligned(current);
        let split = self.split(wanted);
        let mut left = wanted.saturating_sub(total(&placed));
        for (placed, item) in placed.iter_mut().zip(&self.items) {
            let added = item.base.min(wanted).saturating_sub(*placed).min(left);
            *placed += added;
            left -= added;
        }
        let below: Vec<u32> =
            split.iter().zip(&placed).map(|(s, p)| s.saturating_sub(*p)).collect();
        let added = level(&below, left, Order::FirstFirst);
        placed.iter().zip(added).map(|(placed, added)| placed + added).collect()
    }

    /// Where tasks are to be, if there are to be fewer than there are: none is added anywhere; each
    /// one that ends is taken from the item that is furthest above what [`Self::split`] has for it,
    /// of several the last. So the base stays until it is all that is left.
    pub fn shrink(&self, current: &[u32], wanted: u32) -> Vec<u32> {
        let placed = self.aligned(current);
        let split = self.split(wanted);
        let left = total(&placed).saturating_sub(wanted);
        let above: Vec<u32> =
            placed.iter().zip(&split).map(|(p, s)| p.saturating_sub(*s)).collect();
        let taken = level(&above, left, Order::LastFirst);
        placed.iter().zip(taken).map(|(placed, taken)| placed - taken).collect()
    }

    fn aligned(&self, current: &[u32]) -> Vec<u32> {
        let current = current.iter().copied().chain(std::iter::repeat(0));
        current.take(self.items.len()).collect()
    }
}

fn item(value: &Value, at: usize) -> Result<Item, Vec<Fault>> {
    let Value::Object(members) = value else {
        return Err(vec![Fault::of(format!("[{at}]"), value, "must be an object")]);
    };
    let mut faults = Vec::new();
    let mut number = |name: &str, most: u32| {
        whole(members.get(name), &format!("[{at}].{name}"), 0, 0..=most).unwrap_or_else(|fault| {
            faults.push(fault);
            0
        })
    };
    let (weight, base) = (number("weight", MOST_WEIGHT), number("base", MOST_BASE));
    let name = members.get("capacityProvider").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() {
        let path = format!("[{at}].capacityProvider");
        faults.push(Fault::at(path, "is required: name a capacity provider"));
    }
    if faults.is_empty() {
        Ok(Item { capacity_provider: name.to_owned(), weight, base })
    } else {
        Err(faults)
    }
}

/// The rules about all items together.
fn together(items: &[Item], is_fargate: impl Fn(&str) -> bool) -> Vec<Fault> {
    let mut faults = Vec::new();
    if items.is_empty() {
        faults.push(Fault::at("", "must have an item; leave it out for the cluster's default"));
    }
    if items.len() > MOST_ITEMS {
        let message = format!("may have at most {MOST_ITEMS} items");
        faults.push(Fault::of("", format!("a list of {} items", items.len()), message));
    }
    let mut with_base = items.iter().enumerate().filter(|(_, item)| item.base > 0);
    if let Some((first, _)) = with_base.next() {
        for (at, item) in with_base {
            let message = format!(
                "only one item may have a base above 0, and [{first}] has one; set it to 0"
            );
            faults.push(Fault::of(format!("[{at}].base"), item.base, message));
        }
    }
    if items.len() > 1 && items.iter().all(|item| item.weight == 0) {
        faults.push(Fault::at("", "of several items at least one must have a weight above 0"));
    }
    for (at, item) in items.iter().enumerate() {
        let name = &item.capacity_provider;
        let first = items.iter().position(|other| other.capacity_provider == *name);
        if let Some(first) = first.filter(|first| *first < at) {
            let message = format!("is named in [{first}] already; give one weight and one base");
            faults.push(Fault::of(
                format!("[{at}].capacityProvider"),
                format!("`{name}`"),
                message,
            ));
        }
    }
    if let Some((first, others)) = items.split_first() {
        let kind = is_fargate(&first.capacity_provider);
        let other = others.iter().position(|item| is_fargate(&item.capacity_provider) != kind);
        if let Some((at, item)) = other.and_then(|at| Some((at + 1, others.get(at)?))) {
            let message = format!(
                "Fargate providers and others cannot be mixed, and `{}` is {}; use two services",
                first.capacity_provider,
                if kind { "a Fargate one" } else { "another" },
            );
            let name = format!("`{}`", item.capacity_provider);
            faults.push(Fault::of(format!("[{at}].capacityProvider"), name, message));
        }
    }
    faults
}

fn total(placed: &[u32]) -> u32 {
    placed.iter().fold(0, |sum, placed| sum.saturating_add(*placed))
}

fn add(counts: &mut [u32], at: usize, added: u32) {
    if let Some(count) = counts.get_mut(at) {
        *count += added;
    }
}

/// Where the greatest number above 0 stands, of several the first.
fn first_greatest(numbers: impl Iterator<Item = i64>) -> Option<usize> {
    let best = numbers
        .enumerate()
        .filter(|(_, number)| *number > 0)
        .reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map(|(at, _)| at)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    FirstFirst,
    LastFirst,
}

/// Takes so many from piles, one after the other from the highest, without counting each: all piles
/// are cut to one level, and what is still to be taken comes from the piles of that level, in order.
fn level(piles: &[u32], mut left: u32, order: Order) -> Vec<u32> {
    let cut = |level: u32| -> u64 {
        piles.iter().map(|pile| u64::from(pile.saturating_sub(level))).sum()
    };
    // The lowest level at which no more is cut off than wanted.
    let (mut low, mut high) = (0, piles.iter().copied().max().unwrap_or(0));
    while low < high {
        let middle = low + (high - low) / 2;
        if cut(middle) <= u64::from(left) { high = middle } else { low = middle + 1 }
    }
    let mut taken: Vec<u32> = piles.iter().map(|pile| pile.saturating_sub(low)).collect();
    left = left.saturating_sub(total(&taken));
    let mut one_more = |(pile, taken): (&u32, &mut u32)| {
        if left > 0 && *pile > *taken && *pile - *taken == low {
            *taken += 1;
            left -= 1;
        }
    };
    match order {
        Order::FirstFirst => piles.iter().zip(&mut taken).for_each(&mut one_more),
        Order::LastFirst => piles.iter().zip(&mut taken).rev().for_each(&mut one_more),
    }
    taken
}

#[cfg(test)]
mod tests;
