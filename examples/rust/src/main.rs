//! A robot in Rust: handles the invoices of a queue.

use anyhow::Context as _;
use orchestrator_client::{ElementStatus, RobotConnection, pb};
use serde::Deserialize;

const QUEUE: &str = "Invoices";

#[derive(Deserialize)]
struct Invoice {
    number: String,
    amount: i64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let robot = RobotConnection::from_args()?;
    if let Err(error) = work(&robot).await {
        // The job fails by the exit code; the log is where people look first.
        robot.log_error(&format!("{error:#}")).await?;
        return Err(error);
    }
    Ok(())
}

async fn work(robot: &RobotConnection) -> anyhow::Result<()> {
    robot.log_info(&format!("{} begins with '{}'", robot.process_name(), robot.process_arguments())).await?;
    let limit =
        robot.get_constant("Invoice limit").await?.parse().context("the constant 'Invoice limit' is no number")?;
    let mut count = 0;
    while !robot.is_trigger_pausing().await? {
        let Some(element) = robot.get_next_queue_element(QUEUE).await? else { break };
        let (status, message) = match handle(&element, limit) {
            Ok(receipt) => (ElementStatus::Done, receipt),
            // A person has to look at this one; the robot goes on.
            Err(why) => (ElementStatus::Failed, why),
        };
        robot.set_queue_element_status(&element.id, status, Some(&message)).await?;
        count += 1;
    }
    robot.log_info(&format!("{} handled {count} invoices", robot.process_name())).await?;
    Ok(())
}

fn handle(element: &pb::QueueElement, limit: i64) -> Result<String, String> {
    let invoice: Invoice =
        serde_json::from_str(element.data()).map_err(|error| format!("it cannot be read: {error}"))?;
    if invoice.amount > limit {
        return Err(format!("the amount {} is over the limit {limit}", invoice.amount));
    }
    Ok(format!("paid {} for {}", invoice.amount, invoice.number))
}
