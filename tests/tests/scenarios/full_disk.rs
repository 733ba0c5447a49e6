//! A disk that is full: what was acknowledged stays, and the server goes on when there is room again.

use std::process::Command;

use anyhow::{Result, ensure};
use orchestrator_tests::{Database, SOON, World, eventually, pb, run};

/// A small file system; unmounted on drop.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    /// None where this machine does not let us mount.
    fn mount(at: std::path::PathBuf) -> Option<Self> {
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"]).arg(&at).output();
        status.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }

    fn grow(&self) {
        let status = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&self.0).status();
        assert!(status.is_ok_and(|status| status.success()), "the disk did not grow");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the server may have it open for a moment longer. The world's folder could not go while this was in it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
        if let Some(folder) = self.0.parent() {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

#[tokio::test]
async fn a_full_disk_refuses_what_it_cannot_keep_and_loses_nothing() {
    let world = World::prepare(Database::Sqlite, 1).await;
    let disk = SmallDisk::mount(world.stage().folder("database"));
    if disk.is_none() {
        // Without the right to mount, the server may write no file larger than this (in KiB).
        world.server().start_after("trap '' XFSZ\nulimit -f 5000");
    }
    let world = world.started().await;
    run(world, async |world: &World| fill_up(world, disk.as_ref()).await).await;
}

async fn fill_up(world: &World, disk: Option<&SmallDisk>) -> Result<()> {
    let data = "x".repeat(2000);
    let mut acknowledged = Vec::new();
    let refused = loop {
        let elements = (0..100).map(|_| pb::NewElement { data: Some(data.clone()), ..pb::NewElement::default() });
        let request =
            pb::BulkCreateRequest { queue_name: "work".to_owned(), elements: elements.collect(), repeat: false };
        match world.api().queues().bulk_create(tokio_stream::iter([request])).await {
            Ok(answer) => acknowledged.push(answer.into_inner().created_count),
            Err(status) => break status,
        }
        ensure!(acknowledged.len() < 1000, "the disk is never full");
    };
    assert!(!acknowledged.is_empty(), "{refused:?}");
    let message = refused.message().to_lowercase();
    assert!(message.contains("disk") || message.contains("full"), "{refused:?}");
    world.server().still_runs()?;
    let expected: i64 = acknowledged.iter().sum();
    assert_eq!(world.queue("work").await?.new_count, expected);

    if let Some(disk) = disk {
        disk.grow();
    } else {
        world.server().stop().await;
        world.server().start_after("");
        world.server().start().await;
    }
    eventually("it takes more", SOON, async || {
        let said = world.cli(&["queue", "element", "add", "work"]).await;
        ensure!(said.code == Some(0), "{said}");
        Ok(())
    })
    .await;
    assert_eq!(world.queue("work").await?.new_count, expected + 1);
    world.server().kill_9();
    world.server().start().await;
    assert_eq!(world.queue("work").await?.new_count, expected + 1);
    Ok(())
}
