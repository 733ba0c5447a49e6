//! From one key to the next without a pause: a new key in the file, a restart, encrypting anew, and away with the old one.

use std::path::Path;

use orchestrator_core::secret::{Key, KeyId, KeyRing, Plaintext};
use orchestrator_proto::v1 as pb;
use serde_json::json;

use crate::app::App;
use crate::error::{CliError, Result};
use crate::output::{Progress, printable};
use crate::secret_file;
use crate::serving::ServingError;

/// Passwords of one call.
const BATCH: u32 = 200;

pub(super) async fn status(app: &App) -> Result {
    app.printer.list(&keys(app).await?)
}

async fn keys(app: &App) -> Result<pb::GetKeysResponse> {
    Ok(app.connect().await?.credentials().get_keys(pb::GetKeysRequest {}).await?.into_inner())
}

fn read(path: &Path) -> Result<KeyRing> {
    let text = Plaintext::new(std::fs::read_to_string(path).map_err(CliError::file("read", path))?);
    if secret_file::is_open_to_others(path) {
        return Err(ServingError::OpenKey { path: path.to_owned() }.into());
    }
    KeyRing::parse(text.expose()).map_err(|source| ServingError::Key { path: path.to_owned(), source }.into())
}

fn write(path: &Path, keys: &KeyRing) -> Result {
    secret_file::replace(path, keys.render().expose()).map_err(CliError::file("write the keys to", path))
}

pub(super) fn rotate(app: &App, path: &Path, dry_run: bool) -> Result {
    let mut keys = read(path)?;
    if dry_run {
        let old = keys.reading().len() + 1;
        return Err(CliError::WouldChange {
            what: format!("{} would get a new key, beside {old} that stay for reading", path.display()),
        });
    }
    keys.rotate().map_err(CliError::Random)?;
    let (new, old) = (keys.writing().id().as_str().to_owned(), keys.reading().len());
    app.confirm(&format!(
        "Add a new key to {}, beside {old} that stay for reading? (For one server; with several use --stage.)",
        path.display()
    ))?;
    write(path, &keys)?;
    app.printer.note(
        "Next:  copy the file to the safe place, readable by you alone\n\
         \x20      restart the server; robots do not notice\n\
         \x20      orchestrator key reencrypt, then orchestrator key prune",
    );
    let sentence = format!("{} has the new key {new}; {old} old ones are kept for reading.", path.display());
    app.printer.own(&json!({ "file": path, "key": new, "reading": old }), || new.clone(), || printable(&sentence))
}

/// Adds a key that nothing is encrypted with yet.
pub(super) fn stage(app: &App, path: &Path, dry_run: bool) -> Result {
    let mut keys = read(path)?;
    if dry_run {
        return Err(CliError::WouldChange { what: format!("{} would get a new key for reading", path.display()) });
    }
    app.confirm(&format!("Add a new key for reading to {}?", path.display()))?;
    let new = keys.stage().map_err(CliError::Random)?.id().as_str().to_owned();
    write(path, &keys)?;
    app.printer.note(&format!(
        "Next:  copy the file to every server of this database and to the safe place, readable by their user alone\n\
         \x20      restart the servers, one after the other; robots do not notice\n\
         \x20      orchestrator key promote {new}, copy the file again, restart again\n\
         \x20      orchestrator key reencrypt, then orchestrator key prune"
    ));
    let sentence = format!("{} has the new key {new}, for reading only.", path.display());
    app.printer.own(&json!({ "file": path, "key": new }), || new.clone(), || printable(&sentence))
}

/// Makes a key the writing one that servers can read with already.
pub(super) async fn promote(app: &App, path: &Path, key: &KeyId) -> Result {
    let mut keys = read(path)?;
    let name = key.as_str();
    let known: Vec<&str> = keys.reading().iter().map(|key| key.id().as_str()).collect();
    if !known.contains(&name) {
        let why =
            if keys.writing().id() == key { "it is the writing one already" } else { "the file does not have it" };
        return Err(CliError::Usage {
            message: format!("{name} is no key for reading of {}: {why}", path.display()),
            next: (!known.is_empty()).then(|| format!("its keys for reading are: {}", known.join(", "))),
        });
    }
    if !self::keys(app).await?.keys.iter().any(|key| key.key_id == name && key.known) {
        return Err(CliError::Usage {
            message: format!("the server does not know the key {name} yet"),
            next: Some(
                "restart every server with this file first; ask each: orchestrator key status --url URL".to_owned(),
            ),
        });
    }
    app.confirm(&format!("Encrypt with {name} from now on? Every server of this database must know it."))?;
    keys.promote(key);
    write(path, &keys)?;
    app.printer.note(
        "Next:  copy the file to every server of this database, and restart them, one after the other\n\
         \x20      orchestrator key reencrypt, then orchestrator key prune",
    );
    let sentence = format!("{} writes with {name} from the next start of each server on.", path.display());
    app.printer.own(&json!({ "file": path, "key": name }), || name.to_owned(), || printable(&sentence))
}

pub(super) async fn reencrypt(app: &App, dry_run: bool) -> Result {
    let client = app.connect().await?;
    let before = client.credentials().get_keys(pb::GetKeysRequest {}).await?.into_inner();
    let old = |keys: &pb::GetKeysResponse| -> i64 {
        keys.keys.iter().filter(|key| !key.writing).map(|key| key.password_count).sum()
    };
    let total = usize::try_from(old(&before)).unwrap_or_default();
    if dry_run {
        app.printer.list(&before)?;
        return match total {
            0 => Ok(()),
            count => Err(CliError::WouldChange {
                what: format!("{count} passwords would be encrypted with the writing key"),
            }),
        };
    }
    let progress = Progress::new("Encrypting", total, app.printer.is_for_people());
    let mut all = pb::ReencryptResponse::default();
    loop {
        let step = client.credentials().reencrypt(pb::ReencryptRequest { limit: BATCH }).await?.into_inner();
        progress.add(usize::try_from(step.reencrypted_count).unwrap_or_default());
        all.reencrypted_count += step.reencrypted_count;
        (all.remaining_count, all.unreadable_count) = (step.remaining_count, step.unreadable_count);
        if step.reencrypted_count == 0 {
            break;
        }
    }
    drop(progress);
    if all.unreadable_count > 0 {
        app.printer.note(
            "Some passwords are encrypted with a key that the server does not have: put it back into the key file for \
             reading, or set these credentials anew. See: orchestrator key status",
        );
    }
    let sentence = match (all.reencrypted_count, all.remaining_count) {
        (0, 0) => "All passwords were encrypted with the writing key already.".to_owned(),
        (count, 0) => format!("{count} passwords are encrypted with the writing key now. Next: orchestrator key prune"),
        (count, left) => format!("{count} passwords are encrypted with the writing key now; {left} are not."),
    };
    app.printer.reply(&all, || all.reencrypted_count.to_string(), || sentence.clone())
}

pub(super) async fn prune(app: &App, path: &Path, dry_run: bool) -> Result {
    let keys = read(path)?;
    let there = self::keys(app).await?;
    let writing = there.keys.iter().find(|key| key.writing).map(|key| key.key_id.as_str()).unwrap_or_default();
    if writing != keys.writing().id().as_str() {
        return Err(CliError::Usage {
            message: format!("the server still writes with {writing}, the file says {}", keys.writing().id().as_str()),
            next: Some("restart the server with this file first".to_owned()),
        });
    }
    let used = |key: &&Key| there.keys.iter().any(|k| k.key_id == key.id().as_str() && k.password_count > 0);
    if let Some(key) = keys.reading().iter().find(used) {
        return Err(CliError::Usage {
            message: format!("passwords are still encrypted with key {}", key.id().as_str()),
            next: Some("orchestrator key reencrypt".to_owned()),
        });
    }
    let staged: Vec<&str> = keys.staged().iter().map(|key| key.id().as_str()).collect();
    if !staged.is_empty() {
        return Err(CliError::Usage {
            message: format!("{} is staged and not old: nothing is encrypted with it yet", staged.join(", ")),
            next: Some(format!("make it the writing one first: orchestrator key promote {}", staged[0])),
        });
    }
    let old: Vec<String> = keys.reading().iter().map(|key| key.id().as_str().to_owned()).collect();
    if old.is_empty() {
        return app
            .printer
            .own(&json!({ "removed": [] }), String::new, || "There is no old key in the file.".to_owned());
    }
    let names = old.join(", ");
    if dry_run {
        return Err(CliError::WouldChange { what: format!("{names} would be taken out of {}", path.display()) });
    }
    app.confirm(&format!("Take {names} out of {}? Backups of the database from before need them, and so does every server that was not restarted with the new one.", path.display()))?;
    write(path, &keys.without_old())?;
    let sentence = format!(
        "{names} is out of {}. Backups from before need the old file: keep it, too, but apart from them.",
        path.display()
    );
    app.printer.own(&json!({ "removed": old }), || names.clone(), || printable(&sentence))
}
