//! The robot of a queue trigger: writes down when its first instruction ran, takes its element and completes it.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::stamp;

/// The process name under which this program is the robot.
pub(crate) const PROCESS_NAME: &str = "stamp-and-claim";

/// The queue that its trigger watches.
pub(crate) const QUEUE: &str = "watched";

/// Called as a robot is: process name, endpoint, placeholder, arguments (a folder), trigger, job.
pub(crate) fn run(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let now = stamp::now();
    let argument = |index: usize| arguments.get(index).and_then(|text| text.to_str()).context("an argument is missing");
    let claimed = call(argument(2)?, "ClaimQueueElement", &json!({ "queueName": QUEUE }))?;
    let id = claimed["element"]["id"].as_str().context("there is no element")?;
    call(argument(2)?, "SetQueueElementStatus", &json!({ "element": id, "status": "DONE" }))?;
    // Last: whoever waits for the stamp finds that the work is done.
    stamp::write(Path::new(argument(4)?), argument(6)?, now)?;
    Ok(ExitCode::SUCCESS)
}

/// One call to the worker, which makes it for the job.
fn call(endpoint: &str, method: &str, message: &Value) -> anyhow::Result<Value> {
    let place = endpoint.strip_prefix("http://").context("the endpoint is no address")?.trim_end_matches('/');
    let token = std::env::var("ORCHESTRATOR_JOB_TOKEN").context("there is no token")?;
    let body = message.to_string();
    let mut stream = TcpStream::connect(place)?;
    write!(
        stream,
        "POST /rpc/orchestrator.v1.RobotService/{method} HTTP/1.1\r\nHost: {place}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{method}: {answer}");
    let document = answer.find('{').map_or("{}", |begin| &answer[begin..]);
    // Chunks end with more than the document.
    let mut documents = serde_json::Deserializer::from_str(document).into_iter();
    Ok(documents.next().context("no answer")??)
}
