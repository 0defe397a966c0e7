//! What did somebody mean who wrote something close to the cluster query language?

/// The attributes that ECS itself gives to an instance, beside its capabilities.
pub const BUILT_IN_ATTRIBUTES: [&str; 10] = [
    "ecs.ami-id",
    "ecs.availability-zone",
    "ecs.awsvpc-trunk-id",
    "ecs.cpu-architecture",
    "ecs.instance-type",
    "ecs.os-family",
    "ecs.os-type",
    "ecs.outpost-arn",
    "ecs.subnet-id",
    "ecs.vpc-id",
];

/// The subjects beside attributes.
const SUBJECTS: [&str; 6] = [
    "task:group",
    "agentConnected",
    "agentVersion",
    "ec2InstanceId",
    "registeredAt",
    "runningTasksCount",
];

/// Letters and digits in lower case: `instanceType`, `instance_type` and `instance-type` are alike.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// The attribute of ECS that is probably meant by another name.
pub(super) fn attribute(name: &str) -> Option<&'static str> {
    if BUILT_IN_ATTRIBUTES.contains(&name) {
        return None;
    }
    let written = plain(name);
    let written = written.strip_prefix("ecs").unwrap_or(&written);
    let same = |known: &&&str| plain(known.trim_start_matches("ecs.")) == written;
    let known = BUILT_IN_ATTRIBUTES.iter().find(same).copied();
    known.or(match written {
        "az" | "zone" => Some("ecs.availability-zone"),
        "arch" | "architecture" => Some("ecs.cpu-architecture"),
        "os" => Some("ecs.os-type"),
        "ami" | "imageid" => Some("ecs.ami-id"),
        _ => None,
    })
}

/// The subject that is probably meant by a word that is none.
pub(super) fn subject(word: &str) -> Option<String> {
    let written = plain(word);
    if let Some(known) = SUBJECTS.iter().find(|known| plain(known) == written) {
        return Some((*known).to_owned());
    }
    let other = match written.as_str() {
        "instanceid" | "ec2instance" => Some("ec2InstanceId"),
        "group" | "taskgroups" => Some("task:group"),
        "runningtaskcount" | "runningtasks" | "taskcount" => Some("runningTasksCount"),
        "connected" => Some("agentConnected"),
        "registered" | "registeredon" => Some("registeredAt"),
        _ => None,
    };
    if let Some(known) = other {
        return Some(known.to_owned());
    }
    let (prefix, name) = word.split_once(':').unwrap_or(("", word));
    let is_prefix = prefix.is_empty()
        || matches!(plain(prefix).as_str(), "attribute" | "attributes" | "attr" | "attrs");
    let first = name.chars().next()?;
    let is_name = first.is_ascii_alphanumeric() && name.chars().all(super::scan::is_name_part);
    (is_prefix && is_name).then(|| format!("attribute:{}", attribute(name).unwrap_or(name)))
}

/// The operator that is probably meant by something that is none.
pub(super) fn operator(written: &str) -> Option<&'static str> {
    Some(match written.to_ascii_lowercase().as_str() {
        "=" | "===" | "is" | "eq" | "equal" | "equals" => "==",
        "<>" | "ne" | "!" | "!==" | "not_equal" | "not_equals" | "!equals" => "!=",
        "~" | "~=" | "==~" | "=~~" | "like" | "match" | "matches" => "=~",
        "not_match" | "not_matches" | "!matches" | "!=~" => "!~",
        "=>" | "ge" | "gte" | "greater_than_equal" | "greater_than_or_equal" => ">=",
        "=<" | "le" | "lte" | "less_than_equal" | "less_than_or_equal" => "<=",
        "gt" | "greater_than" => ">",
        "lt" | "less_than" => "<",
        "in" => "in",
        "not" | "notin" | "not_in" | "!in" => "not_in",
        "exist" | "exists" => "exists",
        "not_exist" | "not_exists" | "!exist" | "!exists" => "not_exists",
        _ => return None,
    })
}

/// The joining word that is probably meant.
pub(super) fn joint(written: &str) -> Option<&'static str> {
    match written.to_ascii_lowercase().as_str() {
        "and" | "&" | "&&&" | "," => Some("and"),
        "or" | "|" | "|||" => Some("or"),
        _ => None,
    }
}
