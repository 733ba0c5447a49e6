//! The server dies between a commit that many callers share and its answers: they ask again, and everything is done once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use orchestrator_client::{
    Claim, Client, ClientBuilder, ElementFilter, ElementStatus, NewElement, RobotConnection, pb,
};
use orchestrator_tests::{Api, SOON, Wire, World, eventually, on_both_databases, rounds};
use tokio::task::{JoinSet, LocalSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

on_both_databases!(what_many_callers_ask_of_queues_is_done_once_though_the_server_dies_before_it_answers);

/// Callers share them by turns, so that one transaction is about both.
const QUEUES: [&str; 2] = ["left", "right"];
/// Callers of each of the three kinds.
const OF_A_KIND: usize = 8;
/// Whose answer the server dies before: those of programs, then those of robots.
const METHODS: [&str; 6] =
    ["Claim", "SetStatus", "Create", "ClaimQueueElement", "SetQueueElementStatus", "CreateQueueElement"];
/// For a call that is repeated until somebody answers; the machine is busy.
const PATIENCE: Duration = Duration::from_mins(2);

/// Makes an element, takes the oldest and finishes it, again and again: whoever has made more than it took finds one.
struct Caller {
    name: String,
    queue: &'static str,
    way: Way,
    turns: Arc<AtomicU32>,
}

enum Way {
    /// A program, one call after the other.
    Program(Client),
    /// A robot, whose elements belong to its job.
    Robot(Box<RobotConnection>),
    /// A program whose claim carries the completion of what it took before.
    Riding { server: Client, api: Api },
}

/// What a caller knows of its work.
struct Account {
    caller: String,
    queue: &'static str,
    made: Vec<String>,
    handed: Vec<String>,
}

async fn callers(world: &World, wire: &Wire) -> Result<Vec<Caller>> {
    let server = |token: &str| -> ClientBuilder { Client::builder(wire.url()).token(token).patience(PATIENCE) };
    let mut callers = Vec::new();
    for number in 0..OF_A_KIND {
        let program = Way::Program(server(world.admin_token()).connect().await?);
        // A token has one development job at a time.
        let token = world.token_of("USER", &format!("developer-{number}"), "ADMIN").await;
        let robot = Way::Robot(Box::new(RobotConnection::for_development("Robot", server(&token), "").await?));
        let api = Api::new(&wire.url(), world.admin_token());
        let riding = Way::Riding { server: server(world.admin_token()).connect().await?, api };
        for (kind, way) in [("program", program), ("robot", robot), ("riding", riding)] {
            let (name, queue) = (format!("{kind}-{number}"), QUEUES[number % QUEUES.len()]);
            callers.push(Caller { name, queue, way, turns: Arc::default() });
        }
    }
    Ok(callers)
}

impl Caller {
    async fn work(self, end: CancellationToken) -> Result<Account> {
        let Self { name, queue, way, turns } = self;
        let mut account = Account { caller: name, queue, made: Vec::new(), handed: Vec::new() };
        let mut riding = None;
        while !end.is_cancelled() {
            match &way {
                Way::Program(client) => account.turn_of_program(client).await?,
                Way::Robot(robot) => account.turn_of_robot(robot).await?,
                Way::Riding { server, api } => riding = Some(account.turn_of_riding(server, api, riding).await?),
            }
            turns.fetch_add(1, Ordering::Relaxed);
        }
        if let (Way::Riding { server, .. }, Some(last)) = (&way, riding) {
            server.queues().finish(&last, ElementStatus::Done, Some(&account.caller)).await?;
        }
        Ok(account)
    }
}

impl Account {
    fn is_handed(&mut self, element: Option<pb::QueueElement>) -> Result<pb::QueueElement> {
        let nothing = || format!("{} made one more than it took, and there is none in {}", self.caller, self.queue);
        let element = element.with_context(nothing)?;
        self.handed.push(element.id.clone());
        Ok(element)
    }

    async fn turn_of_program(&mut self, client: &Client) -> Result<()> {
        self.made.push(client.queues().create(self.queue, NewElement::default()).await?.id);
        let taken = client.queues().claim(self.queue, Claim::default()).await?;
        let element = self.is_handed(taken.into_iter().next())?;
        client.queues().finish(&element, ElementStatus::Done, Some(&self.caller)).await?;
        Ok(())
    }

    async fn turn_of_robot(&mut self, robot: &RobotConnection) -> Result<()> {
        self.made.push(robot.create_queue_element(self.queue, NewElement::default()).await?.id);
        let taken = robot.get_next_queue_element(self.queue).await?;
        let element = self.is_handed(taken)?;
        robot.set_queue_element_status(&element.id, ElementStatus::Done, Some(&self.caller)).await?;
        Ok(())
    }

    /// What was taken; it is completed in the next turn.
    async fn turn_of_riding(
        &mut self,
        server: &Client,
        api: &Api,
        before: Option<pb::QueueElement>,
    ) -> Result<pb::QueueElement> {
        self.made.push(server.queues().create(self.queue, NewElement::default()).await?.id);
        let complete = before.map(|element| pb::SetElementStatusRequest {
            element: element.id,
            status: "DONE".to_owned(),
            message: Some(self.caller.clone()),
            lease_token: Some(element.lease_token),
        });
        let mut request = pb::ClaimElementsRequest {
            queue_name: self.queue.to_owned(),
            call: Some(pb::Call { request_id: Uuid::new_v4().to_string(), repeat: false }),
            complete: complete.into_iter().collect(),
            ..pb::ClaimElementsRequest::default()
        };
        let answer = eventually("a claim that carries a completion is answered", PATIENCE, async || {
            let answer = api.queues().claim(request.clone()).await;
            request.call.as_mut().context("the call")?.repeat = true;
            Ok(answer?.into_inner())
        })
        .await;
        let refused: Vec<_> = answer.completed.iter().filter(|result| result.status != "DONE").collect();
        ensure!(refused.is_empty(), "{}: {refused:?}", self.caller);
        self.is_handed(answer.elements.into_iter().next())
    }
}

async fn what_many_callers_ask_of_queues_is_done_once_though_the_server_dies_before_it_answers(
    world: &World,
) -> Result<()> {
    // Callers are tasks of this thread.
    LocalSet::new().run_until(the_server_dies_now_and_then(world)).await
}

async fn the_server_dies_now_and_then(world: &World) -> Result<()> {
    let wire = world.wire().await;
    let end = CancellationToken::new();
    let (mut at_work, mut turns) = (JoinSet::new(), Vec::new());
    for caller in callers(world, &wire).await? {
        turns.push(Arc::clone(&caller.turns));
        at_work.spawn_local(caller.work(end.clone()));
    }
    for (death, method) in (0..rounds().max(6)).zip(METHODS.iter().cycle()) {
        everybody_goes_on(&mut at_work, &turns).await?;
        // So many have their answer no further than the wire; what the others ask for is anywhere in the server.
        wire.keep_answers(method);
        wire.has_kept(1 + death % 4).await;
        world.server().kill_9();
        wire.cut();
        world.server().start().await;
        wire.mend();
    }
    everybody_goes_on(&mut at_work, &turns).await?;
    end.cancel();
    let accounts: Vec<Account> = at_work.join_all().await.into_iter().collect::<Result<_>>()?;
    for queue in QUEUES {
        let accounts: Vec<&Account> = accounts.iter().filter(|account| account.queue == queue).collect();
        agrees(world, queue, &accounts).await?;
    }
    Ok(())
}

/// Waits until every caller has finished a turn that it began after this.
async fn everybody_goes_on(at_work: &mut JoinSet<Result<Account>>, turns: &[Arc<AtomicU32>]) -> Result<()> {
    let now = || -> Vec<u32> { turns.iter().map(|turns| turns.load(Ordering::Relaxed)).collect() };
    let before = now();
    eventually("every caller goes on", SOON * 3, async || {
        if let Some(ended) = at_work.try_join_next() {
            return Ok(ended?.and_then(|account| bail!("{} has stopped", account.caller)));
        }
        let waiting = before.iter().zip(now()).filter(|(before, now)| *now < *before + 2).count();
        ensure!(waiting == 0, "{waiting} do not");
        Ok(Ok(()))
    })
    .await
}

/// Whether a queue holds what its callers made, each element handed to one of them, once, and completed by that one.
async fn agrees(world: &World, queue: &str, accounts: &[&Account]) -> Result<()> {
    let made: BTreeSet<&String> = accounts.iter().flat_map(|account| &account.made).collect();
    let mut holder: BTreeMap<&str, &str> = BTreeMap::new();
    for account in accounts {
        for id in &account.handed {
            if let Some(other) = holder.insert(id, &account.caller) {
                panic!("{id} was handed to {other} and to {}", account.caller);
            }
        }
    }
    let client = Client::builder(world.server().url()).token(world.admin_token()).connect().await?;
    let elements = client.queues().elements(queue, ElementFilter::default(), usize::MAX).await?;
    assert_eq!(elements.iter().map(|element| &element.id).collect::<BTreeSet<_>>(), made, "lost or doubled");
    for element in &elements {
        let expected = ("DONE", 1, 1, holder.get(element.id.as_str()).copied());
        let found = (element.status.as_str(), element.attempt, element.lease_token, Some(element.message()));
        assert_eq!(found, expected, "{element:?}");
    }
    let found = world.queue(queue).await?;
    let counts =
        [found.new_count, found.in_progress_count, found.done_count, found.failed_count, found.abandoned_count];
    assert_eq!(counts, [0, 0, i64::try_from(made.len())?, 0, 0], "{queue}");
    Ok(())
}
