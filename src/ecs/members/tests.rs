//! Do the rows fit together?

use std::collections::BTreeSet;

use super::{Input, Member, Shape, Verdict};

/// Every row with its input.
fn rows() -> impl Iterator<Item = (Input, &'static Member)> {
    Input::ALL.into_iter().flat_map(|input| input.members().map(move |member| (input, member)))
}

/// The path of the object (or of the list) that a member is in, and that parent's shape.
fn parent(path: &str) -> Option<(&str, Shape)> {
    let (object, _) = path.rsplit_once('.')?;
    Some(object.strip_suffix("[]").map_or((object, Shape::Object), |list| (list, Shape::Objects)))
}

#[test]
fn a_path_stands_once_in_an_input() {
    let mut seen = BTreeSet::new();
    for (input, member) in rows() {
        assert!(seen.insert((input, member.path)), "{input:?} {} twice", member.path);
    }
}

#[test]
fn a_parent_is_an_object_and_stands_before_its_children() {
    let mut seen = BTreeSet::new();
    for (input, member) in rows() {
        if let Some((path, shape)) = parent(member.path) {
            assert!(seen.contains(&(input, path)), "{input:?} {} before {path}", member.path);
            assert_eq!(input.member(path).map(|row| row.shape), Some(shape), "{input:?} {path}");
        }
        seen.insert((input, member.path));
    }
}

#[test]
fn an_object_has_children() {
    let parents: BTreeSet<_> =
        rows().filter_map(|(input, row)| Some((input, parent(row.path)?.0))).collect();
    for (input, member) in rows() {
        let object = matches!(member.shape, Shape::Object | Shape::Objects);
        assert_eq!(parents.contains(&(input, member.path)), object, "{input:?} {}", member.path);
    }
}

#[test]
fn a_description_is_one_short_sentence() {
    for (input, Member { path, about, .. }) in rows() {
        assert!(about.len() > 1, "{input:?} {path} says nothing");
        assert!(about.ends_with('.'), "{input:?} {path}: {about}");
        assert!(about.chars().count() <= 140, "{input:?} {path}: {about}");
        assert!(!about.contains('\n') && !about.contains("  "), "{input:?} {path}: {about}");
    }
}

#[test]
fn a_verdict_that_differs_from_ecs_says_how() {
    for (input, Member { path, verdict, .. }) in rows() {
        if let Verdict::Approximated(text) | Verdict::Refused(text) = verdict {
            assert!(!text.is_empty() && !text.ends_with('.'), "{input:?} {path}: {text}");
        }
    }
}

#[test]
fn a_child_of_a_refused_member_is_refused() {
    for (input, member) in rows() {
        let above = parent(member.path).and_then(|(path, _)| input.member(path));
        if let Some(Verdict::Refused(why)) = above.map(|row| row.verdict) {
            assert_eq!(member.verdict, Verdict::Refused(why), "{input:?} {}", member.path);
        }
    }
}

#[test]
fn a_child_starts_a_deployment_exactly_as_its_parent_does() {
    for (input, member) in rows() {
        if let Some((path, _)) = parent(member.path) {
            let above = input.member(path).map(|row| row.rolls);
            assert_eq!(above, Some(member.rolls), "{input:?} {}", member.path);
        }
    }
}

#[test]
fn only_these_members_start_a_deployment() {
    let top: Vec<_> = rows()
        .filter(|(_, row)| row.rolls && parent(row.path).is_none())
        .map(|(input, row)| (input, row.path))
        .collect();
    let expected = [
        "taskDefinition",
        "loadBalancers",
        "serviceRegistries",
        "launchType",
        "capacityProviderStrategy",
        "platformVersion",
        "networkConfiguration",
        "serviceConnectConfiguration",
        "vpcLatticeConfigurations",
        "volumeConfigurations",
    ];
    assert_eq!(top, expected.map(|path| (Input::Service, path)));
}

#[test]
fn a_row_is_found_by_its_path() {
    for (input, member) in rows() {
        assert_eq!(input.member(member.path), Some(member));
    }
    assert_eq!(Input::Task.member("family"), None);
    assert_eq!(Input::TaskDefinition.member("containerDefinitions[]"), None);
}
