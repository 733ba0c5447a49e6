//! Machines that can start nothing: a disk that is full, a folder that cannot be written to.

use crate::fake::{Call, Fake};
use crate::world::World;

#[tokio::test]
async fn a_machine_that_can_write_nothing_says_so_before_it_hands_back_and_claims_nothing_until_it_can() {
    let world = World::with_slots(2).await;
    let agent = world.agent().await;
    // What is in the place of the list of jobs keeps it from being written, whoever runs this.
    let list = world.data().join("jobs.json");
    let _ = std::fs::remove_file(&list);
    std::fs::create_dir_all(list.join("in the way")).unwrap();
    world.fake.offer(world.job("true"));
    let ended = world.fake.ended().await;
    assert_eq!(ended.outcome, "NEVER_STARTED");
    let told = world.fake.calls(|call| match call {
        Call::Beat(beat) if !beat.trouble.is_empty() => Some(beat.trouble.clone()),
        Call::Finish(_) => Some("the end".to_owned()),
        _ => None,
    });
    assert!(told[0].contains("jobs.json") && told.contains(&"the end".to_owned()), "{told:?}");

    // The claim that waited already when the disk was full would still be answered; no other one comes.
    let claims = world.fake.count("claim");
    let beats = world.fake.count("beat");
    world.fake.eventually("some heartbeats", |fake| fake.count("beat") > beats + 3).await;
    assert_eq!(world.fake.count("claim"), claims);

    std::fs::remove_dir_all(&list).unwrap();
    let is_well = |fake: &Fake| {
        let told = fake.calls(|call| if let Call::Beat(beat) = call { Some(beat.trouble.clone()) } else { None });
        told.last().is_some_and(String::is_empty)
    };
    world.fake.eventually("word that there is room again", is_well).await;
    world.fake.offer(world.job("true"));
    world.fake.eventually("the robot's end", |fake| fake.finishes().iter().any(|end| end.outcome == "DONE")).await;
    world.stop(agent).await;
}
