//! Anything may happen in any order: two servers, three workers, five triggers, and verbs by the dice. After each step
//! the invariants of section 6 hold, and when the dust has settled every job has ended.

use std::time::Duration;

use orchestrator_core::id::TriggerId;
use orchestrator_core::job::{JobStatus, Outcome};
use orchestrator_core::policy::{Missed, Overlap, Policies};
use orchestrator_core::trigger::TriggerDraft;
use orchestrator_db::Grant;
use orchestrator_scheduler::{Condition, FinishError, HeartbeatError, JobError, StartError, TriggerError};

use crate::world::{Agent, World, admin, every_minute, queue, single, with};

const STEPS: usize = 400;

/// Dice that fall the same way for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 16) % u64::try_from(sides).unwrap()).unwrap()
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        if of.is_empty() { None } else { of.get(self.roll(of.len())) }
    }
}

struct Robot {
    agent: usize,
    grant: Grant,
}

struct Game {
    servers: [World; 2],
    agents: Vec<Agent>,
    triggers: Vec<TriggerId>,
    /// What workers believe to hold, also what they lost meanwhile.
    robots: Vec<Robot>,
    second: i64,
}

fn drafts() -> Vec<TriggerDraft> {
    let retrying = Policies {
        max_attempts: 2,
        retry_lost: true,
        stop_on_lost: true,
        retry_delay: Duration::from_secs(20),
        timeout: Some(Duration::from_secs(45)),
        ..Policies::default()
    };
    let parallel = Policies {
        overlap: Overlap::Allow { most: 3 },
        missed: Missed::All { most: 3 },
        lost_after: Duration::from_mins(2),
        ..Policies::default()
    };
    let mut lone = with(every_minute("lone"), Policies { overlap: Overlap::Skip, ..Policies::default() });
    lone.is_blocking = true;
    vec![
        with(every_minute("retrying"), retrying),
        with(every_minute("parallel"), parallel),
        lone,
        queue("q"),
        single("once", 30),
    ]
}

impl Game {
    async fn begin(world: World) -> Self {
        let other = world.another_server().await;
        let (mut agents, mut triggers) = (Vec::new(), Vec::new());
        for (name, slots) in [("a", 1), ("b", 2), ("c", 4)] {
            agents.push(world.agent(name, slots, false).await);
        }
        for draft in drafts() {
            triggers.push(world.create(draft).await);
        }
        Self { servers: [world, other], agents, triggers, robots: Vec::new(), second: 0 }
    }

    async fn step(&mut self, dice: &mut Dice) {
        let server = &self.servers[dice.roll(2)];
        match dice.roll(14) {
            0..=2 => {
                self.second += [1, 4, 12, 20, 40][dice.roll(5)];
                server.tick_at(self.second).await;
            }
            3 => {
                server.rescue_at(self.second).await;
            }
            4 | 5 => {
                let agent = dice.roll(3);
                let free = u32::try_from(1 + dice.roll(3)).unwrap();
                let granted = server.claim(&self.agents[agent], free).await;
                self.robots.extend(granted.into_iter().map(|grant| Robot { agent, grant }));
            }
            6..=9 => self.robot_speaks(dice).await,
            10 => self.heartbeat(dice).await,
            11 => self.administrator_acts(dice).await,
            12 => {
                server.add_elements("q", 1 + dice.roll(3)).await;
                if let Some(robot) = dice.pick(&self.robots) {
                    let mut tx = server.db.begin_write().await.unwrap();
                    let request = orchestrator_db::ClaimRequest {
                        job: Some(robot.grant.job.id),
                        ..orchestrator_db::ClaimRequest::new(
                            crate::world::queue_name("q"),
                            orchestrator_core::id::RequestId::generate(),
                        )
                    };
                    let _refused_when_over = tx.element_claim(&[request], server.server.now()).await.unwrap();
                    tx.commit().await.unwrap();
                }
            }
            _ if dice.roll(3) > 0 => self.heartbeat(dice).await,
            _ => self.agent_restarts(dice).await,
        }
        self.servers[0].check().await;
    }

    /// With a token that may long be stale.
    async fn robot_speaks(&self, dice: &mut Dice) {
        let server = &self.servers[dice.roll(2)];
        let Some(robot) = dice.pick(&self.robots) else { return };
        let agent = &self.agents[robot.agent];
        let (stale, before) = {
            let locked = server.locked(robot.grant.job.id).await;
            (locked.lease_token != robot.grant.lease.token, locked)
        };
        let accepted = match dice.roll(6) {
            0 | 1 => match server.try_start(agent, &robot.grant).await {
                Ok(_) => true,
                Err(StartError::LeaseLost(_)) => false,
                Err(StartError::Db(error)) => panic!("{error:?}"),
            },
            2 => finished(server.hand_back(agent, &robot.grant, "by the dice").await),
            roll => {
                let outcome = [Outcome::Done, Outcome::Failed, Outcome::Killed][roll - 3];
                finished(server.try_finish(agent, &robot.grant, outcome).await)
            }
        };
        if stale {
            assert!(!accepted, "I4: a stale token was believed");
            assert_eq!(server.locked(robot.grant.job.id).await, before, "I4: a stale token changed something");
        }
    }

    async fn heartbeat(&mut self, dice: &mut Dice) {
        let server = &self.servers[dice.roll(2)];
        let index = dice.roll(3);
        let agent = &self.agents[index];
        let held: Vec<_> = self.robots.iter().filter(|robot| robot.agent == index).collect();
        let pairs: Vec<_> = held.iter().map(|robot| (robot.grant.job.id, robot.grant.lease.token)).collect();
        let gone = match server.server.heartbeat(&agent.name, agent.session, &pairs, Condition::default()).await {
            Ok(answer) => answer.gone,
            Err(HeartbeatError::SessionOver) => return,
            Err(HeartbeatError::Db(error)) => panic!("{error:?}"),
        };
        if dice.roll(2) == 0 {
            self.robots.retain(|robot| !gone.contains(&(robot.grant.job.id, robot.grant.lease.token)));
        }
    }

    async fn administrator_acts(&self, dice: &mut Dice) {
        let server = &self.servers[dice.roll(2)];
        let trigger = *dice.pick(&self.triggers).unwrap();
        match dice.roll(10) {
            0 => drop(server.disable(trigger).await),
            1 | 2 | 8 | 9 => server.enable(trigger, None).await,
            3 => drop(server.kill(trigger).await),
            4 => drop(server.run_now(trigger).await),
            5 => {
                let index = self.triggers.iter().position(|id| *id == trigger).unwrap();
                match server.server.update_trigger(&admin(), trigger, drafts().remove(index), None).await {
                    Ok(_) => {}
                    Err(TriggerError::Db(error)) => panic!("{error:?}"),
                    Err(error) => panic!("{error}"),
                }
            }
            roll => {
                let Some(job) = dice.pick(&server.jobs(trigger).await).map(|job| job.id) else { return };
                let done = match roll {
                    6 => server.server.kill_job(&admin(), job).await,
                    _ => server.server.dismiss_job(&admin(), job).await,
                };
                if let Err(JobError::Db(error)) = done {
                    panic!("{error:?}");
                }
            }
        }
    }

    async fn agent_restarts(&mut self, dice: &mut Dice) {
        let server = &self.servers[dice.roll(2)];
        let index = dice.roll(3);
        if dice.roll(2) == 0 {
            self.robots.retain(|robot| robot.agent != index);
        }
        let of_agent = self.robots.iter().filter(|robot| robot.agent == index);
        let held = of_agent.map(|robot| (robot.grant.job.id, robot.grant.lease.token)).collect();
        let agent = &self.agents[index];
        let slots = [1, 2, 4][index];
        let registered = server.register_with(agent.name.as_str(), agent.instance, slots, held).await.unwrap();
        self.agents[index].session = registered.session;
    }

    /// All triggers are deleted, and nobody answers any more.
    async fn settle(self) {
        let world = &self.servers[0];
        for trigger in &self.triggers {
            world.delete(*trigger).await;
        }
        world.rescue_at(self.second + 30).await;
        world.rescue_at(self.second + 60).await;
        world.rescue_at(self.second + 4000).await;
        for trigger in &self.triggers {
            for job in world.jobs(*trigger).await {
                assert!(!job.state.status().is_active(), "I1: {} is {}", job.id, job.state.status());
            }
        }
    }
}

fn finished(answer: Result<JobStatus, FinishError>) -> bool {
    match answer {
        Ok(_) => true,
        Err(FinishError::LeaseLost(_) | FinishError::AlreadyEnded { .. }) => false,
        Err(FinishError::Db(error)) => panic!("{error:?}"),
    }
}

async fn play(world: World, seed: u64) {
    let mut game = Game::begin(world).await;
    let mut dice = Dice(seed);
    for _ in 0..STEPS {
        game.step(&mut dice).await;
    }
    game.settle().await;
}

macro_rules! games {
    ($($name:ident = $seed:literal on $database:ident),+ $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            play(World::$database().await, $seed).await;
        })+
    };
}

games! {
    the_invariants_hold_in_the_first_game = 0x9E37_79B9_7F4A_7C15 on sqlite,
    the_invariants_hold_in_the_second_game = 0xD1B5_4A32_D192_ED03 on sqlite,
    the_invariants_hold_in_the_third_game = 0x94D0_49BB_1331_11EB on sqlite,
    the_invariants_hold_in_the_fourth_game = 0xBF58_476D_1CE4_E5B9 on postgres,
}
