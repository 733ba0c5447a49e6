//! The same for many triggers at once.

use std::fmt::Write as _;

use axum::response::Response;
use orchestrator_proto::v1;
use tonic::{Code, Status};

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
    let (mut done, mut refused) = (0_usize, Vec::new());
    let word = match form.text("act") {
        "enable" => "enabled",
        "disable" => "disabled",
        _ => return Err(Status::new(Code::InvalidArgument, "choose to enable or to disable").into()),
    };
    let mut triggers = viewer.triggers()?;
    for id in chosen {
        let trigger = id.to_owned();
        let answer = if word == "enabled" {
            triggers.enable(v1::EnableTriggerRequest { trigger, next_run: None }).await.map(drop)
        } else {
            triggers.disable(v1::DisableTriggerRequest { trigger }).await.map(drop)
        };
        match answer {
            Ok(()) => done += 1,
            Err(status) => refused.push(status),
        }
    }
    let mut message = match done {
        1 => format!("1 trigger is {word}."),
        done => format!("{done} triggers are {word}."),
    };
    if let Some(first) = refused.first() {
        // Writing to a string cannot fail.
        let _ = write!(message, " {} refused: {}", refused.len(), sentence(first.message()));
    }
    viewer.done(&message, "/triggers")
}
