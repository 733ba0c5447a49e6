//! A database that does not answer, without saying that it is gone.

use std::time::Duration;

use orchestrator_db::{
    ClaimRequest, Db, DbError, DbOptions, ElementAnswer, LaneError, LaneOptions, LogFilter, PageRequest,
};
use sqlx::postgres::PgConnectOptions;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::world::*;
use crate::harness::{self, TestDb};
use crate::queue::world::{counts, request, t0};

conformance! {
    a_database_that_does_not_answer_keeps_no_caller_waiting_and_the_repetition_is_granted_what_it_did_after_all,
}

fn refused(answer: Result<ElementAnswer, LaneError>) -> std::sync::Arc<DbError> {
    let Err(LaneError::Db(error)) = answer else { panic!("{answer:?}") };
    error
}

async fn a_database_that_does_not_answer_keeps_no_caller_waiting_and_the_repetition_is_granted_what_it_did_after_all(
    db: TestDb,
) {
    let world = world_with(db, LaneOptions { patience: Duration::from_millis(200), ..LaneOptions::default() });
    world.stored(3).await;
    let wanted = request();
    let stopped = world.db.stopped().await;
    let error = refused(world.lanes.elements(claim_of(wanted.clone())).await);
    assert!(error.is_transient() && !error.is_contention(), "{error:?}");
    stopped.go_on().await;
    let repetition = claim_of(ClaimRequest { repeat: true, ..wanted });
    let granted = loop {
        // The statement that nobody waits for may still hold it up.
        match world.lanes.elements(repetition.clone()).await {
            Ok(answer) => break answer.claimed.unwrap().elements,
            Err(error) => assert!(matches!(error, LaneError::Db(error) if error.is_transient())),
        }
    };
    assert_eq!(granted.len(), 1);
    assert_eq!(taken(world.lanes.elements(repetition).await), granted);
    assert_eq!(counts(&world.db).await.in_progress, 1);
}

/// A way to the database on which connections can be forgotten, so that they stay open and nothing arrives any more, or cut.
struct Way {
    forgotten: watch::Sender<()>,
    cut: watch::Sender<()>,
    url: String,
}

impl Way {
    async fn to(url: &str) -> Self {
        let options: PgConnectOptions = url.parse().unwrap();
        let (host, port) = (options.get_host().to_owned(), options.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = format!("{host}:{}", listener.local_addr().unwrap().port());
        let there = format!("{host}:{port}");
        let (forgotten, cut) = (watch::Sender::new(()), watch::Sender::new(()));
        let way = Self { forgotten: forgotten.clone(), cut: cut.clone(), url: url.replace(&there, &here) };
        assert!(way.url.contains(&here), "{url}");
        let tasks = TaskTracker::new();
        let carried = tasks.clone();
        tasks.spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut far = TcpStream::connect(&there).await.unwrap();
                let (mut forgotten, mut cut) = (forgotten.subscribe(), cut.subscribe());
                carried.spawn(async move {
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = forgotten.changed() => std::future::pending::<()>().await,
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        way
    }

    fn forget(&self) {
        self.forgotten.send_replace(());
    }

    /// Ends the connections, and waits until they are.
    async fn cut(&self) {
        self.cut.send_replace(());
        while self.cut.receiver_count() > 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// Lanes whose connections may be forgotten on the way, with a call behind them.
async fn used_lanes(options: LaneOptions) -> (World, Way) {
    let db = harness::postgres().await;
    let way = Way::to(db.url()).await;
    let far = Db::open(&DbOptions::new(&way.url)).await.unwrap();
    let world = world_over(db, &far, options);
    world.stored(3).await;
    assert_eq!(taken(world.lanes.elements(claim()).await).len(), 1);
    (world, way)
}

#[tokio::test]
async fn a_lane_whose_connection_was_forgotten_in_use_fails_one_call_and_goes_on() {
    let (world, way) = used_lanes(LaneOptions { patience: Duration::from_millis(200), ..LaneOptions::default() }).await;
    way.forget();
    assert!(refused(world.lanes.elements(claim()).await).is_transient());
    assert_eq!(taken(world.lanes.elements(claim()).await).len(), 1);
    assert_eq!(counts(&world.db).await.in_progress, 2, "what did not arrive was not done");
}

#[tokio::test]
async fn a_connection_that_was_forgotten_while_nobody_called_fails_no_call() {
    let (world, way) = used_lanes(LaneOptions::default()).await;
    way.forget();
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(1)).await;
    tokio::time::resume();
    assert_eq!(taken(world.lanes.elements(claim()).await).len(), 1);
}

#[tokio::test]
async fn a_line_whose_connection_broke_is_written_on_another() {
    let (world, way) = used_lanes(LaneOptions::default()).await;
    for message in ["one", "two"] {
        world.lanes.log(vec![line(message, t0())]).await.unwrap();
        way.cut().await;
    }
    let mut tx = world.db.begin_read().await.unwrap();
    let (lines, _) = tx.log_list(&LogFilter::default(), &PageRequest::first(9)).await.unwrap();
    let written: Vec<_> = lines.rows.iter().map(|line| line.message.as_str()).collect();
    assert_eq!(written, ["two", "one"]);
}
