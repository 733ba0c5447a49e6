//! Output is always drained, kept within bounds, and nothing of it is lost silently.

use anyhow::Result;
use orchestrator_tests::{NewTrigger, World, on_both_databases, on_sqlite, seconds};

on_both_databases!(two_hundred_kilobytes_on_stderr_are_kept_whole);
on_sqlite!(a_hundred_megabytes_end_well_and_the_loss_is_announced);

async fn two_hundred_kilobytes_on_stderr_are_kept_whole(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let robot =
        world.python("robot", "sys.stderr.write(''.join(f'{number:09}\\n' for number in range(20_000)))\nprint('out')");
    world.create(NewTrigger::single("loud", &robot)).await;
    let job = world.ended_job_of("loud").await;
    assert_eq!(job.status, "DONE", "{}", job.reason);
    let output = world.output(&job.id).await?;
    let lines: Vec<String> = (0..20_000).map(|number| format!("{number:09}")).collect();
    let expected = lines.join("\n") + "\n";
    assert_eq!(output.stderr.len(), expected.len());
    assert!(output.stderr == expected, "the lines are not those that were written");
    assert_eq!((output.stdout.as_str(), output.system.as_str()), ("out\n", ""));
    let counted: Vec<i64> = (1..=i64::try_from(output.numbers.len())?).collect();
    assert_eq!(output.numbers, counted);
    Ok(())
}

async fn a_hundred_megabytes_end_well_and_the_loss_is_announced(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let robot = world.shell("robot", "echo the beginning\nyes 0123456789abcdef | head -c 100000000\necho the end");
    world.create(NewTrigger::single("flood", &robot)).await;
    let job = world.first_job_of("flood").await;
    let job = world.ended_within(&job.id, seconds(90)).await;
    assert_eq!(job.status, "DONE", "{}", job.reason);
    let output = world.output(&job.id).await?;
    assert!(output.stdout.starts_with("the beginning\n0123456789abcdef\n"));
    assert!(output.stdout.ends_with("the end\n"), "{:?}", output.system);
    assert!(output.stdout.len() < 50_000_000, "{} bytes were kept", output.stdout.len());
    let lost = 100_000_000 + "the beginning\nthe end\n".len() - output.stdout.len();
    assert!(output.system.contains(&lost.to_string()), "{lost} bytes are missing, and it says {:?}", output.system);
    Ok(())
}
