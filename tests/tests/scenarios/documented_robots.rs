//! The robots that the documentation shows do what it says.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use orchestrator_tests::{NewTrigger, World, eventually, on_sqlite, seconds};

on_sqlite!(the_robots_of_the_documentation_work);

const DOCUMENT: &str = include_str!("../../../docs/robots.md");

/// The first block of code below a heading in bold.
fn example(heading: &str) -> Result<&'static str> {
    let (_, below) = DOCUMENT.split_once(&format!("\n**{heading}**")).context("there is no such heading")?;
    let (_, block) = below.split_once("\n```").context("there is no code below it")?;
    let (_, code) = block.split_once('\n').context("the code is empty")?;
    Ok(code.split_once("\n```").context("the code has no end")?.0)
}

async fn the_robots_of_the_documentation_work(world: &World) -> Result<()> {
    world.cli(&["constant", "set", "limit", "ten"]).await.ok();
    let _worker = world.worker("here").configured("[interpreters]\n\".mjs\" = [\"node\"]\n").start().await;
    let mut robots = vec![("curl", "sh", 1), ("Python", "py", 3)];
    if Command::new("node").arg("--version").output().is_ok() {
        robots.push(("Node", "mjs", 0));
    }
    for (heading, extension, done) in robots {
        if done > 0 {
            world.fill("Invoices", done).await;
        }
        let before = world.queue("Invoices").await.map_or(0, |queue| queue.done_count);
        let file = world.stage().file(format!("{heading}.{extension}"), format!("{}\n", example(heading)?));
        world.create(NewTrigger::single(heading, &file)).await;
        let job = world.first_job_of(heading).await;
        let job = world.ended_within(&job.id, seconds(40)).await;
        ensure!(job.status == "DONE", "{heading} is {}: {}", job.status, job.reason);
        let after = world.queue("Invoices").await.map_or(0, |queue| queue.done_count);
        assert_eq!(usize::try_from(after - before)?, done, "{heading}");
        match heading {
            "curl" => assert_eq!(world.log_of(&job.id).await?, ["begun"]),
            "Node" => {
                eventually("what it printed", seconds(20), async || {
                    let said = world.output(&job.id).await?.stdout;
                    ensure!(said == "ten\n", "it is {said:?}");
                    Ok(())
                })
                .await;
            }
            _ => {}
        }
    }
    Ok(())
}
