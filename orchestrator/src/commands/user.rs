//! `user`: people who sign in to the pages. A password is never on the command line.

use clap::Subcommand;
use orchestrator_core::identity::Role;
use orchestrator_proto::v1 as pb;

use crate::app::App;
use crate::arguments::role;
use crate::connection::Client;
use crate::error::{CliError, Result};
use crate::output::{self, Single as _};

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Lists users.
    List,
    /// Makes a user. The password is asked for, or read from standard input.
    Create {
        /// The name to sign in with.
        name: String,
        /// What it may do: viewer (look), operator (run, pause, kill, elements) or admin (everything).
        #[arg(long, default_value = "operator", value_parser = role)]
        role: Role,
        /// What the person is called, where that is not the name.
        #[arg(long, value_name = "TEXT")]
        display_name: Option<String>,
        /// Read the password from standard input even on a terminal.
        #[arg(long)]
        password_stdin: bool,
        /// Without a password: the person signs in with a link and then sets one.
        #[arg(long, conflicts_with = "password_stdin")]
        no_password: bool,
    },
    /// Sets the password of a user, whose other sessions end.
    Passwd {
        /// Its name or id; yourself unless given.
        user: Option<String>,
        /// Read the password from standard input even on a terminal; for your own the old one, a line end, and the new one.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Gives a user another role. Sessions end.
    Role {
        /// Its name or id.
        user: String,
        /// viewer, operator or admin.
        #[arg(value_parser = role)]
        role: Role,
    },
    /// Lets a user sign in no more. Sessions end.
    Disable {
        /// Its name or id.
        user: String,
    },
    /// Lets a user sign in again.
    Enable {
        /// Its name or id.
        user: String,
    },
    /// Deletes a user for good. Sessions end; what it did keeps its name, which is free again.
    Delete {
        /// Its name or id.
        user: String,
        /// Also when it is your own user.
        #[arg(long)]
        oneself: bool,
    },
    /// Makes a link that signs a user in once, within 10 minutes.
    Link {
        /// Its name or id.
        user: String,
    },
    /// Lists live sessions of browsers: a user's, or everyone's.
    Sessions {
        /// Its name or id.
        user: Option<String>,
    },
    /// Ends sessions of a user.
    SignOut {
        /// Its name or id.
        user: String,
        /// Only the session with this id.
        #[arg(long, value_name = "ID")]
        session: Option<String>,
    },
}

pub(crate) async fn run(command: UserCommand, app: &App) -> Result {
    match command {
        UserCommand::List => list(app).await,
        UserCommand::Create { name, role, display_name, password_stdin, no_password } => {
            let password = if no_password {
                String::new()
            } else {
                output::password(&format!("Password of \"{name}\""), password_stdin)?.expose().to_owned()
            };
            let display_name = display_name.unwrap_or_default();
            create(app, pb::CreateUserRequest { name, display_name, role: role.to_string(), password }).await
        }
        UserCommand::Passwd { user, password_stdin } => passwd(app, user, password_stdin).await,
        UserCommand::Role { user, role } => {
            update(app, pb::UpdateUserRequest { user, role: Some(role.to_string()), ..Default::default() }).await
        }
        UserCommand::Disable { user } => {
            app.confirm(&format!("Disable user \"{user}\" and end all its sessions?"))?;
            update(app, pb::UpdateUserRequest { user, disabled: Some(true), ..Default::default() }).await
        }
        UserCommand::Enable { user } => {
            update(app, pb::UpdateUserRequest { user, disabled: Some(false), ..Default::default() }).await
        }
        UserCommand::Delete { user, oneself } => delete(app, user, oneself).await,
        UserCommand::Link { user } => link(app, user).await,
        UserCommand::Sessions { user } => sessions(app, user).await,
        UserCommand::SignOut { user, session } => sign_out(app, user, session).await,
    }
}

async fn list(app: &App) -> Result {
    app.printer.list(&app.connect().await?.admin().list_users(pb::ListUsersRequest {}).await?.into_inner())
}

async fn create(app: &App, request: pb::CreateUserRequest) -> Result {
    let reply = app.connect().await?.admin().create_user(request).await?.into_inner();
    let user = reply.get()?;
    let next = if user.has_password { "" } else { " It has no password: make a link with user link." };
    app.printer.done(&reply, &user.name, &format!("User \"{}\" is made, as {}.{next}", user.name, user.role))
}

async fn passwd(app: &App, user: Option<String>, from_stdin: bool) -> Result {
    let client = app.connect().await?;
    let me = client.admin().who_am_i(pb::WhoAmIRequest {}).await?.into_inner();
    let Some(user) = user.filter(|user| !is_me(user, &me)) else {
        return own_passwd(app, &client, me, from_stdin).await;
    };
    let password = output::password(&format!("New password of \"{user}\""), from_stdin)?.expose().to_owned();
    let request = pb::SetPasswordRequest { user, password, old_password: String::new() };
    let reply = client.admin().set_password(request).await?.into_inner();
    let name = &reply.get()?.name;
    app.printer.done(&reply, name, &format!("The password of \"{name}\" is set; its sessions have ended."))
}

/// Whether this names the person who calls.
fn is_me(user: &str, me: &pb::WhoAmIResponse) -> bool {
    !me.user_id.is_empty() && (user == me.user_id || user.to_lowercase() == me.name.to_lowercase())
}

/// One's own password needs the old one.
async fn own_passwd(app: &App, client: &Client, me: pb::WhoAmIResponse, from_stdin: bool) -> Result {
    if me.user_id.is_empty() {
        return Err(CliError::Usage {
            message: format!("whose password? The token \"{}\" is no person's", me.name),
            next: Some(
                "orchestrator user passwd NAME, or sign in with your own: orchestrator login --user NAME".to_owned(),
            ),
        });
    }
    let (old_password, password) = output::old_and_new_password(&me.name, from_stdin)?;
    let request = pb::SetPasswordRequest {
        user: String::new(),
        password: password.expose().to_owned(),
        old_password: old_password.to_string(),
    };
    let reply = client.admin().set_password(request).await?.into_inner();
    app.printer.done(&reply, &me.name, "Your password is set; your other sessions have ended.")
}

async fn update(app: &App, request: pb::UpdateUserRequest) -> Result {
    let reply = app.connect().await?.admin().update_user(request).await?.into_inner();
    let user = reply.get()?;
    let what = if user.disabled_at.is_some() { "disabled".to_owned() } else { format!("enabled, as {}", user.role) };
    app.printer.done(&reply, &user.name, &format!("User \"{}\" is {what}.", user.name))
}

async fn delete(app: &App, user: String, oneself: bool) -> Result {
    app.confirm(&format!("Delete user \"{user}\" for good and end all its sessions?"))?;
    let request = pb::DeleteUserRequest { user, oneself };
    let reply = app.connect().await?.admin().delete_user(request).await?.into_inner();
    let name = &reply.get()?.name;
    let ended = match reply.ended_sessions {
        0 => String::new(),
        1 => " 1 session has ended.".to_owned(),
        count => format!(" {count} sessions have ended."),
    };
    app.printer.done(&reply, name, &format!("User \"{name}\" is deleted.{ended} What it did keeps its name."))
}

async fn link(app: &App, user: String) -> Result {
    let client = app.connect().await?;
    let reply = client.admin().create_sign_in_link(pb::CreateSignInLinkRequest { user }).await?.into_inner();
    let name = &reply.get()?.name;
    app.printer.note(&format!("Signs \"{name}\" in once, within 10 minutes. It is not shown again:"));
    let link = format!("{}{}", client.url().trim_end_matches('/'), reply.path);
    app.printer.reply(&reply, || link.clone(), || link.clone())
}

async fn sessions(app: &App, user: Option<String>) -> Result {
    let all = user.is_none();
    let request = pb::ListSessionsRequest { user: user.unwrap_or_default(), all };
    app.printer.list(&app.connect().await?.admin().list_sessions(request).await?.into_inner())
}

async fn sign_out(app: &App, user: String, session: Option<String>) -> Result {
    let which = if session.is_some() { "that session" } else { "all sessions" };
    app.confirm(&format!("End {which} of \"{user}\"?"))?;
    let request =
        pb::EndSessionsRequest { user: user.clone(), session: session.unwrap_or_default(), keep_current: false };
    let reply = app.connect().await?.admin().end_sessions(request).await?.into_inner();
    let ended = match reply.ended {
        1 => "1 session".to_owned(),
        count => format!("{count} sessions"),
    };
    app.printer.done(
        &reply,
        &user,
        &format!("{ended} of \"{user}\" ended; another server may accept them for 5 s more."),
    )
}
