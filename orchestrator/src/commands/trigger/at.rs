//! `--at`: an instant, or what clocks show in the zone that belongs to it.

use chrono::NaiveDateTime;
use chrono_tz::Tz;
use orchestrator_core::cron::parse_zone;
use orchestrator_proto::v1 as pb;

use crate::arguments::{Moment, When, instant_in};
use crate::connection::Client;
use crate::error::{CliError, Result};

/// The moment that is meant, by the zone of a local time: the one that was given with it, or the server's.
pub(super) async fn in_zone_or_servers(client: &Client, at: When, zone: Option<Tz>) -> Result<Moment> {
    match at {
        When::Moment(_) if zone.is_some() => Err(CliError::Usage {
            message: "--zone is for a local time, and --at says its zone itself".to_owned(),
            next: Some("leave one of them out: --at '2026-11-22 12:00' --zone Europe/Copenhagen".to_owned()),
        }),
        When::Moment(moment) => Ok(moment),
        When::Local(local) => {
            let zone = if let Some(zone) = zone { zone } else { servers_zone(client).await? };
            moment(zone, local)
        }
    }
}

/// The same for a schedule, whose zone it is; the server's where it names none.
pub(super) async fn of_schedule(client: &Client, at: When, zone: &str) -> Result<Moment> {
    match at {
        When::Moment(moment) => Ok(moment),
        When::Local(local) if zone.is_empty() => moment(servers_zone(client).await?, local),
        When::Local(local) => moment(named(zone)?, local),
    }
}

/// The zone of this name.
pub(super) fn named(zone: &str) -> Result<Tz> {
    parse_zone(zone).map_err(|error| CliError::usage(format!("--zone: {error}")))
}

fn moment(zone: Tz, local: NaiveDateTime) -> Result<Moment> {
    Ok(Moment::At(instant_in(zone, local)?))
}

async fn servers_zone(client: &Client) -> Result<Tz> {
    let status = client.admin().get_status(pb::GetStatusRequest {}).await?.into_inner();
    parse_zone(&status.time_zone).map_err(|_| CliError::Usage {
        message: "the server does not say in which zone local times are meant".to_owned(),
        next: Some("name it: --zone Europe/Copenhagen".to_owned()),
    })
}
