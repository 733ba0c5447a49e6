//! A robot's output, read from real pipes.

use std::time::{Duration, Instant};

use orchestrator_worker::output::{CHUNK_LIMIT, OutputChunk, OutputContent, OutputLimit, OutputStream, OutputSummary};
use orchestrator_worker::process::{Children, Exit, RunningProcess};
use tokio::sync::mpsc;

use crate::world::World;

const PATIENCE: Duration = Duration::from_millis(500);

async fn receive_all(mut receiver: mpsc::Receiver<OutputChunk>) -> Vec<OutputChunk> {
    let mut chunks = Vec::new();
    while let Some(chunk) = receiver.recv().await {
        chunks.push(chunk);
    }
    chunks
}

async fn run(
    world: &World,
    mut process: RunningProcess,
    limit: OutputLimit,
) -> (Exit, OutputSummary, Vec<OutputChunk>) {
    let (drain, receiver) = world.drain(&mut process, limit);
    let ending = async {
        let exit = process.wait().await.expect("an end");
        process.sweep(Children::Kill).await;
        (exit, drain.end(PATIENCE).await)
    };
    let ((exit, summary), chunks) = tokio::join!(ending, receive_all(receiver));
    assert!(chunks.iter().map(|chunk| chunk.seq).eq(0..summary.chunk_count), "numbered without gaps");
    (exit, summary, chunks)
}

fn bytes_of(chunks: &[OutputChunk], stream: OutputStream) -> Vec<u8> {
    let of_stream = chunks.iter().filter(|chunk| chunk.stream == stream);
    let bytes = of_stream.filter_map(|chunk| match &chunk.content {
        OutputContent::Bytes(bytes) => Some(bytes.to_vec()),
        OutputContent::Lost { .. } => None,
    });
    bytes.flatten().collect()
}

fn lost(chunks: &[OutputChunk]) -> u64 {
    let markers = chunks.iter().filter_map(|chunk| match chunk.content {
        OutputContent::Lost { byte_count } => Some(byte_count),
        OutputContent::Bytes(_) => None,
    });
    markers.sum()
}

#[tokio::test]
async fn both_streams_are_read_and_bytes_stay_as_they_are() {
    let world = World::new().await;
    let process = world.bash(r"printf 'a\0b\xff\n'; printf 'err' >&2");
    let (exit, summary, chunks) = run(&world, process, OutputLimit::default()).await;
    assert_eq!(exit, Exit::Code(0));
    assert_eq!(bytes_of(&chunks, OutputStream::Stdout), b"a\0b\xff\n");
    assert_eq!(bytes_of(&chunks, OutputStream::Stderr), b"err");
    assert_eq!((summary.stdout_byte_count, summary.stderr_byte_count, summary.lost_byte_count), (5, 3, 0));
}

#[tokio::test]
async fn a_full_error_pipe_stops_no_robot() {
    let world = World::new().await;
    let process = world.bash("head -c 200000 /dev/zero | tr '\\0' x >&2; echo done");
    let (_, _, chunks) = run(&world, process, OutputLimit::default()).await;
    assert_eq!(bytes_of(&chunks, OutputStream::Stderr).len(), 200_000);
    assert_eq!(bytes_of(&chunks, OutputStream::Stdout), b"done\n");
}

#[tokio::test]
async fn of_a_hundred_megabytes_the_ends_are_kept_and_the_rest_is_counted() {
    let world = World::new().await;
    let process = world.python(
        "import sys\nline = b'%099d\\n'\nfor i in range(10000):\n  sys.stdout.buffer.write(b''.join(line % (i * 100 + k) for k in range(100)))",
    );
    let limit = OutputLimit { head_bytes: 1000, tail_bytes: 500 };
    let (exit, summary, chunks) = run(&world, process, limit).await;
    assert_eq!(exit, Exit::Code(0));
    assert_eq!((summary.stdout_byte_count, summary.lost_byte_count), (100_000_000, 100_000_000 - 1500));
    assert_eq!(lost(&chunks), summary.lost_byte_count);
    let text = String::from_utf8(bytes_of(&chunks, OutputStream::Stdout)).unwrap();
    let numbers: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(numbers, (0..10).chain(999_995..1_000_000).collect::<Vec<u32>>());
    assert!(chunks.iter().all(|chunk| !matches!(&chunk.content, OutputContent::Bytes(b) if b.len() > CHUNK_LIMIT)));
}

#[tokio::test]
async fn a_robot_does_not_wait_for_the_reader() {
    let world = World::new().await;
    let mut process = world.bash("head -c 20000000 /dev/zero; echo end");
    let (drain, receiver) = world.drain(&mut process, OutputLimit::default());
    // Nobody receives until the robot has ended.
    assert_eq!(process.wait().await.unwrap(), Exit::Code(0));
    process.sweep(Children::Kill).await;
    let (summary, chunks) = tokio::join!(drain.end(PATIENCE), receive_all(receiver));
    assert_eq!(summary.stdout_byte_count, 20_000_004);
    assert_eq!(summary.lost_byte_count, 20_000_004 - 2 * 1024 * 1024);
    assert!(bytes_of(&chunks, OutputStream::Stdout).ends_with(b"\0end\n"));
}

#[tokio::test]
async fn a_reader_that_goes_away_stops_no_robot() {
    let world = World::new().await;
    let mut process = world.bash("head -c 20000000 /dev/zero");
    let (drain, receiver) = world.drain(&mut process, OutputLimit::default());
    drop(receiver);
    assert_eq!(process.wait().await.unwrap(), Exit::Code(0));
    process.sweep(Children::Kill).await;
    assert_eq!(drain.end(PATIENCE).await.stdout_byte_count, 20_000_000);
}

#[tokio::test]
async fn output_is_passed_on_while_the_robot_runs() {
    let world = World::new().await;
    let mut process = world.bash("echo line; printf part; while [ ! -e go ]; do sleep 0.02; done");
    let (drain, mut receiver) = world.drain(&mut process, OutputLimit::default());
    assert_eq!(receiver.recv().await.unwrap().content, OutputContent::Bytes("line\n".into()));
    assert_eq!(receiver.recv().await.unwrap().content, OutputContent::Bytes("part".into()));
    world.write("go", "");
    process.wait().await.unwrap();
    process.sweep(Children::Kill).await;
    assert_eq!(drain.end(PATIENCE).await.chunk_count, 2);
}

#[tokio::test]
async fn a_kept_child_that_holds_the_pipe_does_not_hold_the_job() {
    let world = World::alone().await;
    let mut process =
        world.bash("setsid bash -c 'trap \"\" PIPE; while :; do echo noise; sleep 0.01; done' & echo said");
    let (drain, receiver) = world.drain(&mut process, OutputLimit::default());
    process.wait().await.unwrap();
    process.sweep(Children::Keep).await;
    let start = Instant::now();
    let (summary, chunks) = tokio::join!(drain.end(PATIENCE), receive_all(receiver));
    assert!(start.elapsed() < PATIENCE * 6, "took {:?}", start.elapsed());
    assert!(summary.stdout_byte_count >= 5);
    let text = String::from_utf8(bytes_of(&chunks, OutputStream::Stdout)).unwrap();
    assert!(text.contains("said\n"), "{text}");
    let sweep = crate::leftovers::kill_marked(&world, world.job).await;
    assert_eq!(sweep.survivors, []);
}
