use orchestrator_core::id::InstanceId;
use orchestrator_core::lease::LeaseToken;

use super::*;

/// Greater than any process id that a system hands out.
const BASE: u32 = 1 << 30;

const NONE: [u32; 0] = [];

fn cookie() -> JobCookie {
    let grant = Grant { installation: InstanceId::generate(), lease_token: LeaseToken::new(3) };
    JobCookie::new(JobId::generate(), grant)
}

/// The next grant of the same job to the same agent.
fn granted_again(cookie: JobCookie) -> JobCookie {
    let grant = cookie.grant();
    JobCookie::new(cookie.job(), Grant { lease_token: LeaseToken::new(grant.lease_token.value() + 1), ..grant })
}

/// The same grant, as another installation would bear it.
fn elsewhere(cookie: JobCookie) -> JobCookie {
    JobCookie::new(cookie.job(), Grant { installation: InstanceId::generate(), ..cookie.grant() })
}

fn seen(pid: u32, parent: u32, cookie: Option<JobCookie>) -> Seen {
    Seen {
        identity: Identity { pid: BASE + pid, started: 1 },
        parent: Some(BASE + parent),
        group: None,
        name: String::new(),
        mark: cookie.map(|cookie| Mark { job: cookie.job(), grant: Some(cookie.grant()) }),
        is_dead: false,
    }
}

/// As an agent marks it that knows no grants.
fn bare(seen: Seen) -> Seen {
    Seen { mark: seen.mark.map(|mark| Mark { grant: None, ..mark }), ..seen }
}

fn in_group(group: u32, seen: Seen) -> Seen {
    Seen { group: Some(BASE + group), ..seen }
}

fn left(cookie: JobCookie, main: Option<u32>) -> Leftover {
    Leftover {
        job: cookie.job(),
        grant: Some(cookie.grant()),
        is_started: main.is_some(),
        main: main.map(|pid| Identity { pid: BASE + pid, started: 1 }),
        strays: Vec::new(),
    }
}

fn running(cookie: JobCookie, main: u32) -> Quarry {
    Quarry { tree: None, ..Quarry::running(cookie, TreeId::default(), BASE + main, HashSet::new()) }
}

fn found(quarry: &Quarry, snapshot: impl IntoIterator<Item = Seen>) -> Vec<u32> {
    let snapshot = Snapshot::of_all(snapshot);
    let mut pids: Vec<u32> = quarry.members(&snapshot, &[]).iter().map(|(seen, _)| seen.identity.pid - BASE).collect();
    pids.sort_unstable();
    pids
}

#[test]
fn what_a_member_started_belongs_to_the_tree_and_nothing_else_does() {
    let (ours, theirs) = (cookie(), cookie());
    let snapshot = [
        seen(1, 0, Some(ours)),
        seen(2, 1, None),
        seen(3, 2, None),
        seen(4, 0, None),
        seen(5, 0, Some(theirs)),
        seen(6, 5, None),
    ];
    assert_eq!(found(&Quarry::left(&left(ours, None)), snapshot), [1, 2, 3]);
}

#[test]
fn the_same_job_under_another_grant_is_somebody_elses() {
    let ours = cookie();
    let snapshot = || {
        [
            seen(1, 0, Some(ours)),
            seen(2, 0, Some(granted_again(ours))),
            seen(3, 2, None),
            seen(4, 0, Some(elsewhere(ours))),
            in_group(9, seen(5, 0, Some(elsewhere(ours)))),
        ]
    };
    assert_eq!(found(&Quarry::left(&left(ours, None)), snapshot()), [1]);
    assert_eq!(found(&Quarry::left(&left(ours, Some(9))), snapshot()), [1]);
}

#[test]
fn a_bare_id_is_enough_once_a_robot_was_started() {
    let ours = cookie();
    let snapshot = || [bare(seen(1, 0, Some(ours))), seen(2, 1, None), bare(seen(3, 0, Some(cookie())))];
    assert_eq!(found(&Quarry::left(&left(ours, Some(9))), snapshot()), [1, 2]);
    let of_earlier_version = Leftover { grant: None, ..left(ours, Some(9)) };
    assert_eq!(found(&Quarry::left(&of_earlier_version), snapshot()), [1, 2]);
    let before_its_start = Leftover { grant: None, ..left(ours, None) };
    assert_eq!(found(&Quarry::left(&before_its_start), snapshot()), NONE, "it may be another agent's by now");
}

#[test]
fn an_entry_of_an_earlier_version_has_no_claim_on_what_bears_a_grant() {
    let ours = cookie();
    let of_earlier_version = Leftover { grant: None, ..left(ours, Some(9)) };
    assert_eq!(found(&Quarry::left(&of_earlier_version), [seen(1, 0, Some(ours))]), NONE);
}

#[test]
fn a_recorded_main_process_is_found_without_any_mark_and_its_successor_is_not() {
    let ours = cookie();
    let main = in_group(1, seen(1, 0, None));
    let mut successor = main.clone();
    successor.identity.started += 1;
    let child = |of: u32| in_group(of, seen(2, of, None));
    let quarry = Quarry::left(&left(ours, Some(1)));
    assert_eq!(found(&quarry, [main, child(1)]), [1, 2]);
    assert_eq!(found(&quarry, [successor, child(1)]), NONE);
}

#[test]
fn a_group_is_known_by_its_leader_alone() {
    let quarry = Quarry::left(&left(cookie(), Some(1)));
    let (leader, member) = (in_group(1, seen(1, 0, None)), in_group(1, seen(2, 0, None)));
    assert_eq!(found(&quarry, [leader.clone(), member.clone()]), [1, 2]);
    assert_eq!(found(&quarry, [member.clone()]), NONE, "the number may be another's by now");
    let later = Seen { identity: Identity { started: 2, ..leader.identity }, ..leader };
    assert_eq!(found(&quarry, [later, member.clone()]), NONE, "another leader has that number now");
    let mut noted = left(cookie(), Some(1));
    noted.strays.push(member.identity);
    assert_eq!(found(&Quarry::left(&noted), [member]), [2], "but a member that was noted is known");
}

#[test]
fn what_was_found_by_its_parents_is_found_without_them() {
    let ours = cookie();
    let mut left = left(ours, None);
    let (parent, child) = (seen(1, 0, Some(ours)), seen(2, 1, None));
    let snapshot = Snapshot::of_all([parent, child.clone()]);
    let survivors: Vec<SweptProcess> =
        Quarry::left(&left).members(&snapshot, &[]).into_iter().map(|(seen, how)| swept(seen, how)).collect();
    left.remember(&survivors);
    assert_eq!(found(&Quarry::left(&left), [Seen { parent: Some(1), ..child }]), [2]);
}

#[test]
fn a_look_that_failed_does_not_say_that_nothing_is_left() {
    let blind = Sweep { is_blind: true, ..Sweep::default() };
    assert!(blind.has_survivors() && !Sweep::default().has_survivors());
}

#[test]
fn nobody_is_the_child_of_a_younger_process() {
    let ours = cookie();
    let mut parent = seen(1, 0, Some(ours));
    parent.identity.started = 5;
    let (before, after) =
        (seen(2, 1, None), Seen { identity: Identity { pid: BASE + 3, started: 5 }, ..seen(3, 1, None) });
    assert_eq!(found(&Quarry::left(&left(ours, None)), [parent, before, after]), [1, 3]);
}

#[test]
fn a_known_process_is_recognised_by_its_start_time_too() {
    let mut quarry = running(cookie(), 1);
    quarry.observe(&Snapshot::of_all([seen(2, 1, None)]));
    assert_eq!(found(&quarry, [seen(2, 0, None)]), [2]);
    let mut successor = seen(2, 0, None);
    successor.identity.started += 1;
    assert!(found(&quarry, [successor]).is_empty());
}

#[test]
fn a_stray_that_was_noted_is_found_and_its_successor_is_not() {
    let stray = seen(2, 0, None);
    let quarry = Quarry::left(&Leftover { strays: vec![stray.identity], ..left(cookie(), None) });
    assert_eq!(found(&quarry, [stray.clone(), seen(3, 2, None)]), [2, 3]);
    let successor = Seen { identity: Identity { started: 2, ..stray.identity }, ..stray };
    assert_eq!(found(&quarry, [successor]), NONE);
}

#[test]
fn ended_processes_and_this_one_are_no_members() {
    let cookie = cookie();
    let dead = Seen { is_dead: true, ..seen(1, 0, Some(cookie)) };
    let mut this = seen(2, 0, Some(cookie));
    this.identity.pid = std::process::id();
    let snapshot = Snapshot::of_all([dead, this]);
    assert!(Quarry::left(&left(cookie, None)).members(&snapshot, &[]).is_empty());
}
