//! What would happen to each thing in the file, and why.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::cron::parse_zone;
use orchestrator_core::policy::Policies;
use orchestrator_core::queue::ElementStatus;
use orchestrator_core::secret::Plaintext;
use orchestrator_core::text::{
    ConstantName, ConstantValue, CreatedBy, CredentialName, ElementData, Limits, QueueName, Reference, Username,
};
use orchestrator_proto::convert::{self, DraftContext};
use orchestrator_proto::v1 as pb;
use pb::trigger::Kind;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::ImportArgs;
use super::existing::Existing;
use super::source::{Constant, Credential, Element, Source, Trigger};
use super::times::{id_at, instant};
use crate::arguments::time_to_wire;
use crate::error::{CliError, Result};
use crate::output::{Cell, Column, Row, Tone};

/// What happens to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Action {
    Create,
    Replace,
    /// It is here already.
    Keep,
    /// It is not meant to be imported.
    Skip,
    /// It cannot be imported.
    Refuse,
    /// The server refused it.
    Fail,
}

/// One thing, or the elements of a queue that share their fate.
#[derive(Debug, Serialize)]
pub(super) struct Item {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) action: Action,
    pub(super) note: String,
    #[serde(skip)]
    pub(super) work: Work,
    /// How many elements it leaves out.
    #[serde(skip)]
    pub(super) left_out: usize,
}

/// What has to be sent for it.
#[derive(Debug, Default)]
pub(super) enum Work {
    #[default]
    None,
    Constant(pb::SetConstantRequest),
    Credential {
        name: String,
        username: String,
        password: Secret,
    },
    Trigger {
        trigger: Box<pb::Trigger>,
        paused: bool,
    },
    Elements {
        queue: String,
        elements: Vec<pb::ImportedElement>,
    },
}

/// Wiped when it has been used, and never shown.
pub(super) struct Secret(pub(super) Zeroizing<String>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) items: Vec<Item>,
}

impl Row for Item {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("Kind", |i, _| Cell::text(i.kind)),
        Column::new("Name", |i, _| Cell::text(&i.name)),
        Column::new("Import", |i, _| mark(i.action)),
        Column::new("Note", |i, _| Cell::text(&i.note)),
    ];

    fn handle(&self) -> &str {
        &self.name
    }
}

fn mark(action: Action) -> Cell {
    let (text, tone) = match action {
        Action::Create => ("create", Tone::Good),
        Action::Replace => ("replace", Tone::Held),
        Action::Keep => ("is here", Tone::Idle),
        Action::Skip => ("leave out", Tone::Idle),
        Action::Refuse => ("CANNOT", Tone::Bad),
        Action::Fail => ("REFUSED", Tone::Bad),
    };
    Cell { text: text.to_owned(), tone }
}

impl Plan {
    pub(super) fn count(&self, action: Action) -> usize {
        self.items.iter().filter(|item| item.action == action).count()
    }

    /// How many things would be different afterwards; each element counts.
    pub(super) fn changes(&self) -> usize {
        let weight = |item: &Item| match (item.action, &item.work) {
            (Action::Create, Work::Elements { elements, .. }) => elements.len(),
            (Action::Create | Action::Replace, _) => 1,
            _ => 0,
        };
        self.items.iter().map(weight).sum()
    }

    pub(super) fn made_paused(&self) -> usize {
        let made =
            |item: &&Item| item.kind == "trigger" && item.action == Action::Create && item.note.starts_with("paused");
        self.items.iter().filter(made).count()
    }

    /// How many elements are left out that robots may look up.
    pub(super) fn forgotten(&self) -> usize {
        self.items.iter().map(|item| item.left_out).sum()
    }

    /// How many of each.
    pub(super) fn summary(&self) -> String {
        let words = [
            (Action::Create, "to create"),
            (Action::Replace, "to replace"),
            (Action::Keep, "here already"),
            (Action::Skip, "left out"),
            (Action::Refuse, "that cannot be imported"),
            (Action::Fail, "refused by the server"),
        ];
        let counted = words.iter().map(|(action, word)| (self.count(*action), word)).filter(|(count, _)| *count > 0);
        counted.map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
    }

    fn push(&mut self, kind: &'static str, name: impl Into<String>, (action, note, work): Fate) {
        self.items.push(Item { kind, name: name.into(), action, note, work, left_out: 0 });
    }
}

type Fate = (Action, String, Work);

fn without_work(action: Action, note: impl Into<String>) -> Fate {
    (action, note.into(), Work::None)
}

/// The zone in which times are meant, and where that is known from.
fn zone_of(source: &Source, existing: &Existing, args: &ImportArgs) -> Result<Tz> {
    if let Some(zone) = args.zone.or(source.zone) {
        return Ok(zone);
    }
    parse_zone(&existing.zone).map_err(|_| CliError::Usage {
        message: "the file does not say in which zone its times are meant".to_owned(),
        next: Some("give it: --zone Europe/Copenhagen".to_owned()),
    })
}

pub(super) fn make(mut source: Source, existing: &Existing, args: &ImportArgs) -> Result<Plan> {
    let zone = zone_of(&source, existing, args)?;
    let mut plan = Plan::default();
    for constant in std::mem::take(&mut source.constants) {
        let name = constant.name.clone();
        plan.push("constant", name, of_constant(constant, existing, args));
    }
    for credential in std::mem::take(&mut source.credentials) {
        let name = credential.name.clone();
        plan.push("credential", name, of_credential(credential, existing, args));
    }
    let mut taken: BTreeSet<String> = existing.triggers.values().cloned().collect();
    for trigger in std::mem::take(&mut source.triggers) {
        let name = trigger.name.clone();
        plan.push("trigger", name, of_trigger(&trigger, zone, existing, args, &mut taken));
    }
    of_elements(&mut plan, source.elements, zone, existing, args);
    Ok(plan)
}

fn of_constant(constant: Constant, existing: &Existing, args: &ImportArgs) -> Fate {
    let value = constant.value.unwrap_or_default();
    let checked = ConstantName::parse(&constant.name).and_then(|_| ConstantValue::parse(&value, Limits::MOST));
    if let Err(error) = checked {
        return without_work(Action::Refuse, error.to_string());
    }
    let work = Work::Constant(pb::SetConstantRequest {
        name: constant.name.clone(),
        value: value.clone(),
        create_only: !args.overwrite,
    });
    if let Some((here, _)) = existing.constant(&constant.name).filter(|(here, _)| **here != constant.name) {
        return without_work(Action::Keep, format!("as \"{here}\": case and trailing blanks do not tell names apart"));
    }
    match existing.constants.get(&constant.name) {
        None => (Action::Create, String::new(), work),
        Some(here) if *here == value => without_work(Action::Keep, "with the same value"),
        Some(_) if args.overwrite => (Action::Replace, "the value here is another one".to_owned(), work),
        Some(_) => without_work(Action::Keep, "with another value; --overwrite replaces it"),
    }
}

fn of_credential(mut credential: Credential, existing: &Existing, args: &ImportArgs) -> Fate {
    let (name, username) = (credential.name.clone(), credential.username.take().unwrap_or_default());
    let Some(password) = credential.password.take().map(Zeroizing::new) else {
        return without_work(Action::Skip, "it was exported without its password");
    };
    let checked = CredentialName::parse(&name)
        .and_then(|_| Username::parse(&username, Username::DEFAULT_LIMIT))
        .map_err(|error| error.to_string());
    let checked = checked.and_then(|_| Plaintext::password(password.clone()).map_err(|error| error.to_string()));
    if let Err(problem) = checked {
        return without_work(Action::Refuse, problem);
    }
    let work = Work::Credential { name: name.clone(), username, password: Secret(password) };
    if let Some((here, _)) = existing.credential(&name).filter(|(here, _)| **here != name) {
        return without_work(Action::Keep, format!("as \"{here}\": case and trailing blanks do not tell names apart"));
    }
    match existing.credentials.get(&name) {
        None => (Action::Create, String::new(), work),
        Some(_) if args.overwrite => (Action::Replace, "user name and password".to_owned(), work),
        Some(_) => without_work(Action::Keep, "--overwrite replaces user name and password"),
    }
}

fn of_trigger(
    trigger: &Trigger,
    zone: Tz,
    existing: &Existing,
    args: &ImportArgs,
    taken: &mut BTreeSet<String>,
) -> Fate {
    let Ok(id) = Uuid::try_parse(&trigger.id) else {
        return without_work(Action::Refuse, format!("id: '{}' is not a UUID", trigger.id));
    };
    let id = id.to_string();
    if let Some(name) = existing.triggers.get(&id) {
        let note = if *name == trigger.name { String::new() } else { format!("as \"{name}\"") };
        return without_work(Action::Keep, note);
    }
    if trigger.kind.eq_ignore_ascii_case("single") && trigger.process_status.eq_ignore_ascii_case("done") {
        return without_work(Action::Skip, "it has fired");
    }
    let mut notes = Vec::new();
    let fired_there = matches!(trigger.process_status.to_uppercase().as_str(), "IDLE" | "RUNNING");
    let paused = !(args.enable && fired_there);
    notes.push(if paused { format!("paused (was {})", trigger.process_status) } else { "enabled".to_owned() });
    let mut message = match message_of(trigger, id, zone) {
        Ok(message) => message,
        Err(problem) => return without_work(Action::Refuse, problem),
    };
    if taken.contains(&message.name) {
        let numbered = |number: usize| format!("{} ({number})", message.name);
        // Of so many names one more than there are taken is free.
        let free = (2..taken.len() + 3).map(numbered).find(|name| !taken.contains(name));
        message.name = free.unwrap_or_default();
        notes.push(format!("as \"{}\": the name is taken", message.name));
    }
    if let Some(at) = single_time(&message).filter(|at| *at <= existing.now) {
        notes.push(format!("its time {} is past: it fires as soon as it is enabled", at.format("%F %R UTC")));
    }
    let unknown: Vec<&str> =
        message.worker_whitelist.iter().filter(|name| !existing.workers.contains(*name)).map(String::as_str).collect();
    if !unknown.is_empty() {
        notes.push(format!("only on {}, not connected yet", unknown.join(", ")));
    }
    let context = DraftContext { limits: most(), zone, existing: None };
    // As the server will, so that a dry run tells of it.
    let checked = convert::draft(message.clone(), context).map_err(|error| error.to_string());
    let checked = checked.and_then(|draft| draft.checked(existing.now).map_err(|error| error.to_string()));
    if let Err(problem) = checked {
        return without_work(Action::Refuse, problem);
    }
    taken.insert(message.name.clone());
    (Action::Create, notes.join("; "), Work::Trigger { trigger: Box::new(message), paused })
}

/// What a server may be set to take at most; one with lower limits says so itself.
fn most() -> Limits {
    Limits { data: Limits::MOST, process_args: Limits::MOST, constant_value: Limits::MOST }
}

fn single_time(trigger: &pb::Trigger) -> Option<Timestamp> {
    match &trigger.kind {
        Some(Kind::Single(single)) => crate::output::instant(single.next_run.as_ref()),
        _ => None,
    }
}

fn message_of(trigger: &Trigger, id: String, zone: Tz) -> Result<pb::Trigger, String> {
    // One failure ends the schedule there.
    let policies = pb::Policies { max_consecutive_failures: 1, ..convert::policies(&Policies::default()) };
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    Ok(pb::Trigger {
        id,
        name: trigger.name.clone(),
        process_name: trigger.process_name.clone(),
        process_path: trigger.process_path.clone(),
        process_args: given(&trigger.process_args),
        is_git_repo: trigger.is_git_repo.0,
        git_branch: given(&trigger.git_branch).filter(|_| trigger.is_git_repo.0),
        is_blocking: Some(trigger.is_blocking.0),
        priority: trigger.priority.unwrap_or_default(),
        worker_whitelist: whitelist(&trigger.scheduler_whitelist)?,
        policies: Some(policies),
        kind: Some(kind_of(trigger, zone)?),
        ..pb::Trigger::default()
    })
}

fn kind_of(trigger: &Trigger, zone: Tz) -> Result<Kind, String> {
    let missing = |what: &str| format!("{what} is missing");
    match trigger.kind.to_uppercase().as_str() {
        "SINGLE" => {
            let text = trigger.next_run.as_deref().ok_or_else(|| missing("next_run"))?;
            let at = instant(text, zone).ok_or_else(|| format!("next_run: '{text}' is no time"))?;
            Ok(Kind::Single(pb::SingleKind { next_run: Some(time_to_wire(at)) }))
        }
        "SCHEDULED" => Ok(Kind::Scheduled(pb::ScheduledKind {
            cron_expr: trigger.cron_expr.clone().ok_or_else(|| missing("cron_expr"))?,
            time_zone: zone.name().to_owned(),
            // The next instant after it is enabled.
            next_run: None,
        })),
        "QUEUE" => Ok(Kind::Queue(pb::QueueKind {
            queue_name: trigger.queue_name.clone().ok_or_else(|| missing("queue_name"))?,
            min_batch_size: trigger.min_batch_size.unwrap_or(1).max(1),
            max_parallel: 1,
        })),
        other => Err(format!("type: '{other}' is not known")),
    }
}

/// A list, or a text with one.
fn whitelist(value: &Value) -> Result<Vec<String>, String> {
    let bad = || format!("scheduler_whitelist: '{value}' is no list of names");
    let list = match value {
        Value::Null => return Ok(Vec::new()),
        Value::String(text) if text.trim().is_empty() => return Ok(Vec::new()),
        Value::String(text) => serde_json::from_str(text).map_err(|_| bad())?,
        Value::Array(list) => list.clone(),
        _ => return Err(bad()),
    };
    list.into_iter().map(|name| name.as_str().map(str::to_owned).ok_or_else(bad)).collect()
}

/// Elements are shown a queue and status at a time: there may be many.
fn of_elements(plan: &mut Plan, elements: Vec<Element>, zone: Tz, existing: &Existing, args: &ImportArgs) {
    let mut groups: BTreeMap<(String, String), Vec<pb::ImportedElement>> = BTreeMap::new();
    let mut left_out: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut here: BTreeMap<String, usize> = BTreeMap::new();
    for element in elements {
        let queue = element.queue_name.clone();
        let status = element.status.to_uppercase();
        if status != "NEW" && args.new_elements_only {
            *left_out.entry((queue, status)).or_default() += 1;
            continue;
        }
        let (id, reference) = (element.id.clone(), element.reference.clone().unwrap_or_default());
        match imported_element(element, &status, zone) {
            Ok(new) if existing.elements.contains(id_of(&new)) => {
                *here.entry(queue).or_default() += 1;
            }
            Ok(new) => groups.entry((queue, status)).or_default().push(new),
            Err(problem) => {
                plan.push("element", format!("{queue} / {reference} ({id})"), without_work(Action::Refuse, problem));
            }
        }
    }
    // By status, the new ones last: whoever takes one finds what was done before.
    for ((queue, status), mut elements) in groups {
        // Those of one call are handed out in the order of their ids.
        elements.sort_by(|one, other| id_of(one).cmp(id_of(other)));
        let note = match status.as_str() {
            "IN_PROGRESS" => {
                format!("{} elements that are IN_PROGRESS, held by nobody: no job takes them", elements.len())
            }
            status => format!("{} elements that are {status}", elements.len()),
        };
        plan.push("elements", queue.clone(), (Action::Create, note, Work::Elements { queue, elements }));
    }
    for (queue, count) in here {
        plan.push("elements", queue, without_work(Action::Keep, format!("{count} elements")));
    }
    for ((queue, status), count) in left_out {
        let note = format!("{count} elements that are {status}: robots that look them up would do their work again");
        plan.push("elements", queue, without_work(Action::Skip, note));
        if let Some(item) = plan.items.last_mut() {
            item.left_out = count;
        }
    }
}

fn id_of(element: &pb::ImportedElement) -> &str {
    element.element.as_ref().map_or("", |element| &element.id)
}

fn imported_element(element: Element, status: &str, zone: Tz) -> Result<pb::ImportedElement, String> {
    let there = Uuid::try_parse(&element.id).map_err(|_| format!("id: '{}' is not a UUID", element.id))?;
    let created = element.created_date.as_deref().ok_or("created_date is missing")?;
    let created = instant(created, zone).ok_or_else(|| format!("created_date: '{created}' is no time"))?;
    let status: ElementStatus =
        status.parse().map_err(|error: orchestrator_core::states::UnknownName| error.to_string())?;
    let message = element.message;
    let texts = || -> Result<(), orchestrator_core::text::TextError> {
        QueueName::parse(&element.queue_name)?;
        Reference::parse(element.reference.as_deref().unwrap_or_default(), Reference::DEFAULT_LIMIT)?;
        ElementData::parse(element.data.as_deref().unwrap_or_default(), Limits::MOST)?;
        CreatedBy::parse(element.created_by.as_deref().unwrap_or_default(), CreatedBy::DEFAULT_LIMIT)?;
        Ok(())
    };
    texts().map_err(|error| error.to_string())?;
    let id = id_at(created, there).to_string();
    let element =
        pb::NewElement { id, reference: element.reference, data: element.data, created_by: element.created_by };
    Ok(pb::ImportedElement { element: Some(element), status: status.to_string(), message })
}
