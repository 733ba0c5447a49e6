//! The same for many triggers at once.

use std::fmt::Write as _;

use axum::response::Response;
use orchestrator_core::trigger::Hold;
use orchestrator_grpc::Channel;
use orchestrator_proto::v1;
use orchestrator_proto::v1::trigger_service_client::TriggerServiceClient;
use tonic::{Code, Status};

use super::change::is_over;
use crate::error::{PageError, sentence};
use crate::form::Form;
use crate::viewer::Viewer;

/// The most triggers in one go.
const MOST: usize = 1000;

/// `POST /triggers/bulk`, with `trigger` for each that was ticked, and `act`.
pub(crate) async fn change(viewer: Viewer, Form(form): Form) -> Result<Response, PageError> {
    let chosen: Vec<&str> = form.all("trigger").collect();
    if chosen.is_empty() || chosen.len() > MOST {
        let message = format!("{} triggers are chosen; it must be from 1 to {MOST}", chosen.len());
        return Err(Status::new(Code::InvalidArgument, message).into());
    }
    let (mut done, mut over, mut refused) = (0_usize, 0_usize, Vec::new());
    let word = match form.text("act") {
        "enable" => "enabled",
        "disable" => "disabled",
        _ => return Err(Status::new(Code::InvalidArgument, "choose to enable or to disable").into()),
    };
    let mut triggers = viewer.triggers()?;
    for id in chosen {
        let trigger = id.to_owned();
        let answer = if word == "enabled" {
            enable(&mut triggers, trigger).await
        } else {
            triggers.disable(v1::DisableTriggerRequest { trigger }).await.map(|_| true)
        };
        match answer {
            Ok(true) => done += 1,
            Ok(false) => over += 1,
            Err(status) => refused.push(status),
        }
    }
    let mut message = match done {
        1 => format!("1 trigger is {word}."),
        done => format!("{done} triggers are {word}."),
    };
    // Writing to a string cannot fail.
    let _ = match over {
        0 => Ok(()),
        1 => write!(message, " 1 has had its run and does not run again; to repeat it, Run now."),
        over => write!(message, " {over} have had their run and do not run again; to repeat one, Run now."),
    };
    if let Some(first) = refused.first() {
        let _ = write!(message, " {} refused: {}", refused.len(), sentence(first.message()));
    }
    viewer.done(&message, "/triggers")
}

/// Whether the trigger fires again. Who releases many at once does not mean those that are over: a single one that has had its
/// run would be run again by being enabled.
async fn enable(triggers: &mut TriggerServiceClient<Channel>, trigger: String) -> Result<bool, Status> {
    let found = triggers.get(v1::GetTriggerRequest { trigger: trigger.clone() }).await?.into_inner().trigger;
    if found.is_some_and(|found| found.hold == Hold::Done.as_str()) {
        return Ok(false);
    }
    let enabled = triggers.enable(v1::EnableTriggerRequest { trigger, next_run: None }).await?.into_inner().trigger;
    Ok(!is_over(&enabled.unwrap_or_default()))
}
