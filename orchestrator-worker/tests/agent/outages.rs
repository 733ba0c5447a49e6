//! Servers that are away: nothing is lost, and nothing is out of order.

use tonic::Code;

use crate::fake::Trouble;
use crate::world::World;

#[tokio::test]
async fn output_of_an_outage_arrives_complete_in_order_and_before_the_end() {
    let world = World::new().await;
    let script = "echo first; echo x > $DIR/running; until [ -e $DIR/go ]; do sleep 0.02; done
        for i in $(seq 1 2000); do echo line $i; done; echo x > $DIR/done";
    world.fake.offer(world.job(script));
    let agent = world.agent().await;
    world.written("running").await;
    world.fake.go_away();
    world.write("go");
    world.written("done").await;
    world.fake.eventually("two beats without answer", |fake| fake.count("beat") > 3).await;
    world.fake.come_back();
    let refused = world.fake.count("finish");
    world.fake.eventually("the end", |fake| fake.count("finish") > refused).await;
    let lines: Vec<String> = (1..=2000).map(|number| format!("line {number}\n")).collect();
    assert_eq!(world.fake.output("STDOUT"), Some(format!("first\n{}", lines.concat())), "before the end was told");
    world.stop(agent).await;
}

#[tokio::test]
async fn output_that_is_stuck_does_not_keep_the_end_from_being_told() {
    let world = World::new().await;
    world.fake.always("output", Trouble::Refused(Code::Unavailable, "DATABASE_UNAVAILABLE"));
    world.fake.offer(world.job("echo late"));
    let agent = world.agent().await;
    assert_eq!(world.fake.ended().await.outcome, "DONE");
    assert_eq!(world.fake.output("STDOUT").as_deref(), Some(""));
    // The agent does not end before the output is on the server.
    world.stopping.soft.cancel();
    world.fake.heal("output");
    agent.ended().await;
    assert_eq!(world.fake.output("STDOUT").as_deref(), Some("late\n"));
}

#[tokio::test]
async fn a_session_that_is_over_while_the_server_is_away_is_replaced_when_it_is_back() {
    let world = World::new().await;
    let job = world.job("echo x > $DIR/running; until [ -e $DIR/go ]; do sleep 0.02; done");
    world.fake.offer(job.clone());
    let agent = world.agent().await;
    world.written("running").await;
    world.fake.always("register", Trouble::Refused(Code::Unavailable, "GONE"));
    world.fake.end_session();
    world.fake.eventually("tries to register", |fake| fake.count("register") > 3).await;
    world.write("go");
    world.fake.heal("register");
    assert_eq!(world.fake.ended().await.outcome, "DONE");
    world.stop(agent).await;
}

#[tokio::test]
async fn a_name_that_another_took_meanwhile_ends_what_was_held() {
    let world = World::new().await;
    world.fake.offer(world.job("echo $$ > $DIR/pid; sleep 1000"));
    let agent = world.agent().await;
    let pid = world.written("pid").await;
    world.fake.always("register", Trouble::Refused(Code::FailedPrecondition, "WORKER_NAME_TAKEN"));
    world.fake.end_session();
    world.fake.eventually("its robot is gone", |_| !crate::world::is_alive(&pid)).await;
    world.fake.heal("register");
    world.fake.eventually("a claim", |fake| fake.count("claim") == 2).await;
    assert!(world.fake.finishes().is_empty());
    world.stop(agent).await;
}

#[tokio::test]
async fn a_revoked_token_stops_no_robot_and_keeps_no_agent_from_ending() {
    let world = World::new().await;
    world.fake.offer(world.job("echo x > $DIR/running; until [ -e $DIR/go ]; do sleep 0.02; done; echo x > $DIR/done"));
    let agent = world.agent().await;
    world.written("running").await;
    for verb in ["register", "claim", "start", "beat", "finish", "leave"] {
        world.fake.always(verb, Trouble::Refused(Code::Unauthenticated, "TOKEN_REVOKED"));
    }
    world.write("go");
    world.written("done").await;
    world.fake.eventually("an end that is refused", |fake| fake.count("finish") > 0).await;
    world.stop(agent).await;
}
