//! Commands that need no noun: `status` and `whoami`.

use orchestrator_proto::v1 as pb;

use crate::app::App;
use crate::error::Result;

pub(crate) async fn status(app: &App) -> Result {
    let reply = app.connect().await?.admin().get_status(pb::GetStatusRequest {}).await?.into_inner();
    app.printer.single(&reply)
}

pub(crate) async fn whoami(app: &App) -> Result {
    let reply = app.connect().await?.admin().who_am_i(pb::WhoAmIRequest {}).await?.into_inner();
    app.printer.single(&reply)
}
