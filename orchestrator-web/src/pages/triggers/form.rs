//! Making and changing a trigger.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use orchestrator_proto::v1;

use super::draft::{self, FIELDS, Shape};
use super::view::find;
use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::{Fields, Form, Query};
use crate::input::{Faults, Input, Select, Tick};
use crate::link::{Link, encoded};
use crate::pages::queues;
use crate::text::shown_in_line;
use crate::viewer::Viewer;

/// What happens to instants while a job is active.
const OVERLAPS: &[(&str, &str)] =
    &[("BUFFER_ONE", "Remember the latest, run it afterwards"), ("SKIP", "Skip it"), ("ALLOW", "Run beside it")];

/// What happens to instants while every server was down.
const MISSED: &[(&str, &str)] = &[("ONCE", "Run once for the latest"), ("SKIP", "Skip them"), ("ALL", "Run them all")];

#[derive(Debug, Template)]
#[template(path = "triggers/form.html")]
struct Page {
    chrome: Chrome,
    heading: String,
    action: String,
    /// Where "Cancel" goes.
    back: String,
    submit: &'static str,
    shape: &'static str,
    updated_at: String,
    faults: Vec<String>,
    conflict: Option<Conflict>,
    name: Input,
    process: Input,
    path: Input,
    is_git: Tick,
    branch: Input,
    entry: Input,
    args: Input,
    blocking: Tick,
    priority: Input,
    workers: Vec<Worker>,
    other_workers: Input,
    when: When,
    policies: Policies,
}

/// Someone else changed the trigger while this form was open.
#[derive(Debug)]
struct Conflict {
    who: String,
    when: String,
    /// The trigger as it is now.
    link: String,
}

#[derive(Debug)]
struct Worker {
    name: String,
    is_chosen: bool,
}

/// What makes it fire.
#[derive(Debug)]
struct When {
    next_run: Input,
    cron: Input,
    zone: Input,
    zones: Vec<&'static str>,
    preview: String,
    queue: Input,
    queues: Vec<String>,
    min_batch: Input,
    max_parallel: Input,
}

#[derive(Debug)]
struct Policies {
    inputs: Vec<Input>,
    overlap: Select,
    overlap_most: Input,
    missed: Select,
    missed_most: Input,
    max_lateness: Input,
    ticks: Vec<Tick>,
    is_open: bool,
}

/// What the form is for.
struct Purpose {
    heading: String,
    action: String,
    back: String,
    submit: &'static str,
    shape: Shape,
}

impl Purpose {
    fn new(shape: Shape) -> Self {
        Self {
            heading: format!("New {} trigger", shape.as_str()),
            action: format!("/triggers/new/{}", shape.as_str()),
            back: "/triggers".to_owned(),
            submit: "Create trigger",
            shape,
        }
    }

    fn edit(trigger: &v1::Trigger) -> Self {
        let link = format!("/triggers/{}", encoded(&trigger.id));
        Self {
            heading: format!("Edit \u{201c}{}\u{201d}", shown_in_line(&trigger.name)),
            action: format!("{link}/edit"),
            back: link,
            submit: "Save changes",
            shape: Shape::of(trigger),
        }
    }
}

async fn page(viewer: &Viewer, purpose: Purpose, fields: &Fields, faults: &Faults) -> Result<Page, PageError> {
    let workers = viewer.admin()?.list_workers(v1::ListWorkersRequest {}).await?.into_inner().workers;
    let queues = match purpose.shape {
        Shape::Queue => queues::names(viewer).await?,
        Shape::Single | Shape::Scheduled => Vec::new(),
    };
    let input = |name, label| Input::new(name, label, fields, faults);
    let mut names: Vec<String> = workers.into_iter().map(|worker| worker.name).collect();
    names.extend(
        fields
            .all("worker")
            .filter(|name| !names.iter().any(|known| known == name))
            .map(str::to_owned)
            .collect::<Vec<_>>(),
    );
    let chosen: Vec<&str> = fields.all("worker").collect();
    Ok(Page {
        chrome: viewer.chrome("/triggers", purpose.heading.clone()),
        heading: purpose.heading,
        action: purpose.action,
        back: purpose.back,
        submit: purpose.submit,
        shape: purpose.shape.as_str(),
        updated_at: fields.text("updated_at").to_owned(),
        faults: faults.general.clone(),
        conflict: None,
        name: input("trigger_name", "Trigger Name"),
        process: input("process_name", "Process Name").hint("What jobs and logs show."),
        path: input("process_path", "Process Path")
            .hint("An absolute path on the worker, or the address of a git repository."),
        is_git: Tick::new("is_git_repo", "Process Path is a git repository", "", fields, faults),
        branch: input("git_branch", "Branch or tag").hint("The default branch when empty."),
        entry: input("entry_point", "File to run").hint("main.py is looked for when empty."),
        args: input("process_args", "Arguments").hint("Handed to the process as one text."),
        blocking: Tick::new("is_blocking", "Blocking", "Runs alone on its worker.", fields, faults),
        priority: input("priority", "Priority").kind("number").hint("Higher goes first."),
        workers: names.into_iter().map(|name| Worker { is_chosen: chosen.contains(&name.as_str()), name }).collect(),
        other_workers: Input { error: faults.of("worker_name"), ..input("other_workers", "Other workers") }
            .hint("Names of workers that are not connected yet, with commas between them."),
        when: when(viewer, fields, faults, queues),
        policies: policies(fields, faults),
    })
}

fn when(viewer: &Viewer, fields: &Fields, faults: &Faults, queues: Vec<String>) -> When {
    let input = |name, label| Input::new(name, label, fields, faults);
    let preview = Link::to("/triggers/preview")
        .with("cron_expr", fields.text("cron_expr"))
        .with("time_zone", fields.text("time_zone"));
    When {
        next_run: input("next_run", "Next Run")
            .kind("datetime-local")
            .hint(format!("In your zone, {}. Now when empty.", viewer.zone.name())),
        cron: input("cron_expr", "Cron expression").hint("Minute, hour, day of month, month, day of week: 0 6 * * 1-5"),
        zone: input("time_zone", "Time zone").hint("The server\u{2019}s zone when empty."),
        zones: chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).collect(),
        preview: preview.into_string(),
        queue: input("queue_name", "Queue Name"),
        queues,
        min_batch: input("min_batch_size", "Minimum batch size").kind("number").hint("New elements per job."),
        max_parallel: input("max_parallel", "Jobs at once").kind("number").hint("Also on several workers."),
    }
}

fn policies(fields: &Fields, faults: &Faults) -> Policies {
    let input = |name, label, hint: &str| Input::new(name, label, fields, faults).hint(hint);
    let tick = |name, label, hint| Tick::new(name, label, hint, fields, faults);
    let is_open = FIELDS.iter().skip_while(|field| **field != "timeout").any(|field| faults.of(field).is_some());
    Policies {
        inputs: vec![
            input("timeout", "Time limit", "The robot is stopped after this time. None when empty."),
            input("max_attempts", "Attempts", "1: never started again by itself.").kind("number"),
            input("retry_delay", "Between attempts", ""),
            input("max_consecutive_failures", "Failures until it stops", "In a row. 1 is as in OpenOrchestrator.")
                .kind("number"),
            input("stop_grace", "Time to stop", "Between the request to stop and the kill, at the time limit."),
            input("kill_grace", "Time to die", "Between the request and the kill, when someone kills it."),
            input("lost_after", "Wait for a lost job", "Then it counts as failed."),
        ],
        overlap: Select::new("overlap", "Due while it runs", OVERLAPS, fields, faults),
        overlap_most: input("overlap_most", "At once, at most", "Where it may run beside itself.").kind("number"),
        missed: Select::new("missed", "Missed while servers were down", MISSED, fields, faults),
        missed_most: input("missed_most", "Made up for, at most", "Where all of them run.").kind("number"),
        max_lateness: input("max_lateness", "Too late after", "A missed run older than this never runs."),
        ticks: vec![
            tick("stop_on_lost", "Stop when the server is out of reach", "The robot is killed before its lease ends."),
            tick("retry_lost", "Try again when lost", "Only together with the line above."),
            tick("keep_children", "Keep what it started", "Programs that outlive the robot are left alone."),
        ],
        is_open,
    }
}

/// `GET /triggers/new/{kind}`; with `?copy=`, with the values of another trigger.
pub(crate) async fn new(viewer: Viewer, Path(kind): Path<String>, Query(query): Query) -> Result<Response, PageError> {
    let shape = shape(&kind)?;
    let mut fields = draft::empty();
    let copied = query.trimmed("copy");
    if !copied.is_empty() {
        let trigger = find(&viewer, copied).await?;
        if Shape::of(&trigger) == shape {
            fields = draft::of(&trigger, viewer.zone);
            fields.set("trigger_name", &format!("{} (copy)", trigger.name));
            fields.set("updated_at", "");
        }
    }
    viewer.page(&page(&viewer, Purpose::new(shape), &fields, &Faults::default()).await?)
}

/// `POST /triggers/new/{kind}`
pub(crate) async fn create(
    viewer: Viewer,
    Path(kind): Path<String>,
    Form(fields): Form,
) -> Result<Response, PageError> {
    let shape = shape(&kind)?;
    let mut faults = Faults::default();
    let trigger = draft::read(&fields, shape, viewer.zone, &mut faults);
    if faults.is_empty() {
        let request = v1::CreateTriggerRequest { trigger: Some(trigger), repeat: false, paused: false };
        match viewer.triggers()?.create(request).await {
            Ok(answer) => {
                let made = answer.into_inner().trigger.unwrap_or_default();
                let to = format!("/triggers/{}", encoded(&made.id));
                return Ok(viewer.moved_with(&to, &format!("Trigger \u{201c}{}\u{201d} was created.", made.name)));
            }
            Err(status) => refuse(status.into(), &mut faults)?,
        }
    }
    viewer.refused(&page(&viewer, Purpose::new(shape), &fields, &faults).await?)
}

/// `GET /triggers/{trigger}/edit`
pub(crate) async fn edit(viewer: Viewer, Path(trigger): Path<String>) -> Result<Response, PageError> {
    let trigger = find(&viewer, &trigger).await?;
    let fields = draft::of(&trigger, viewer.zone);
    viewer.page(&page(&viewer, Purpose::edit(&trigger), &fields, &Faults::default()).await?)
}

/// `POST /triggers/{trigger}/edit`
pub(crate) async fn save(
    viewer: Viewer,
    Path(id): Path<String>,
    Form(mut fields): Form,
) -> Result<Response, PageError> {
    let now = viewer.triggers()?.get(v1::GetTriggerRequest { trigger: id }).await?.into_inner();
    let stored = now.trigger.unwrap_or_default();
    let mut faults = Faults::default();
    let mut conflict = None;
    let trigger =
        v1::Trigger { id: stored.id.clone(), ..draft::read(&fields, Shape::of(&stored), viewer.zone, &mut faults) };
    if faults.is_empty() {
        let request = v1::UpdateTriggerRequest { trigger: Some(trigger) };
        match viewer.triggers()?.update(request).await {
            Ok(answer) => {
                let name = answer.into_inner().trigger.unwrap_or_default().name;
                let to = format!("/triggers/{}", encoded(&stored.id));
                return Ok(viewer.moved_with(&to, &format!("Trigger \u{201c}{name}\u{201d} was saved.")));
            }
            Err(status) if status.code() == tonic::Code::Aborted => {
                let change = now.last_change.unwrap_or_default();
                conflict = Some(Conflict {
                    who: shown_in_line(&change.actor),
                    when: viewer.stamp(change.at.or(stored.updated_at)).exact(),
                    link: format!("/triggers/{}", encoded(&stored.id)),
                });
                // Whoever saves again has been told, and means it.
                let updated_at = draft::of(&stored, viewer.zone).text("updated_at").to_owned();
                fields.set("updated_at", &updated_at);
            }
            Err(status) => refuse(status.into(), &mut faults)?,
        }
    }
    let mut page = page(&viewer, Purpose::edit(&stored), &fields, &faults).await?;
    page.conflict = conflict;
    viewer.refused(&page)
}

/// What was typed wrong goes beside its field; what is no fault of the form becomes an error page.
fn refuse(error: PageError, faults: &mut Faults) -> Result<(), PageError> {
    let PageError::Refused(status) = &error else { return Err(error) };
    match status.code() {
        tonic::Code::AlreadyExists => faults.add("trigger_name", status.message()),
        tonic::Code::InvalidArgument => faults.refuse(&error, FIELDS),
        _ => return Err(error),
    }
    Ok(())
}

fn shape(kind: &str) -> Result<Shape, PageError> {
    Shape::named(kind).ok_or_else(|| PageError::not_found("there is no such kind of trigger"))
}
