//! Do the tests notice a mistake that is made on purpose?
//!
//! Each is made in a run of the one test that must then fail, in a process of its own. The list is
//! the same in every program that includes this; each tries those that its own tests notice.

use std::process::Command;

use linkspan::defect::Defect;

/// Which test of which program notices a mistake.
const NOTICED: &[(Defect, &str, &str)] = &[
    (Defect::FloorRoundsDown, "simulation", SEEDS),
    (Defect::CapRoundsUp, "simulation", SEEDS),
    (Defect::LowersAtOnce, "simulation", SEEDS),
    (Defect::EachByItself, "simulation", SEEDS_OF_SEVERAL),
    (Defect::ClosedBoundsAsTheyAre, "simulation", SEEDS),
    (Defect::ChildrenBeforeRecord, "simulation", SEEDS),
    (
        Defect::NoUidPrecondition,
        "simulation",
        "rollouts::a_write_that_comes_too_late_makes_nothing",
    ),
    (Defect::DefaultInHash, "simulation", "rollouts::fewer_tasks_in_mid_roll"),
    (Defect::WritesWhatIsThere, "laws", "settling_and_quiet"),
    (
        Defect::NameWithoutUid,
        "cluster",
        "conflicts::what_an_earlier_service_left_is_not_taken_over",
    ),
    (
        Defect::SelectorWithDeployment,
        "cluster",
        "rolling::a_new_revision_rolls_and_going_back_is_a_third",
    ),
    (
        Defect::AdoptsWhatIsThere,
        "cluster",
        "conflicts::a_service_of_somebody_else_is_left_alone_and_named",
    ),
    (Defect::NoDecodeGuard, "cluster", "malformed::an_object_that_cannot_be_read_harms_no_other"),
    (Defect::RendersAnew, "cluster", "versions::another_version_restarts_nothing"),
];

const SEEDS_OF_SEVERAL: &str =
    "seeds::random_runs_over_several_providers_keep_the_bounds_and_come_to_rest";
const SEEDS: &str = "seeds::random_runs_keep_the_bounds_and_come_to_rest";

/// Makes each mistake that a test of this program should notice, and sees that it does.
pub(crate) fn are_noticed(program: &str) {
    // What is no mistake needs no notice.
    let listed = |defect: &&Defect| NOTICED.iter().any(|(listed, ..)| listed == *defect);
    let missing: Vec<_> = Defect::ALL.iter().filter(|defect| !listed(defect)).collect();
    assert_eq!(missing, [&Defect::RendersOtherwise], "no test is named that notices these");

    for (defect, _, test) in NOTICED.iter().filter(|(_, by, _)| *by == program) {
        let run = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact"])
            .env("LINKSPAN_DEFECT", defect.name())
            // Enough for a mistake to show, and to see that what is waited for does not come.
            .env("SEEDS", "200")
            .env("LINKSPAN_PATIENCE_SECONDS", "15")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(
            !run.status.success() && said.contains("test result: FAILED. 0 passed; 1 failed"),
            "{test} does not notice {defect:?}:\n{said}"
        );
        tell!("defect {}: noticed by {test}", defect.name());
    }
}
