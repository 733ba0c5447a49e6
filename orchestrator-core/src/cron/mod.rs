//! When scheduled triggers fire: crontab expressions, IANA zones, and the instants they give.
//!
//! The grammar is that of cronsim 2.6, because expressions already stored by users were checked with it: five fields,
//! lists, ranges, steps, names, `L`, `LW`, `5L`, `1#2`, and 0 and 7 both Sunday. The two day fields are OR-ed unless
//! one of them starts with `*`. ASCII only, at most [`CronExpr::MAX_CHARS`] characters.
//!
//! The work is split by what each part may decide:
//!
//! - `parse` turns text into number lists and a day rule, and nothing else knows the syntax;
//! - `days` owns the calendar: which dates match, and whether any ever can;
//! - `wall` owns the clock face, and gives minutes and hours to the `cron` crate in a UTC frame, where that crate
//!   has neither weekdays nor transitions to get wrong;
//! - `next` and `zone` turn wall-clock times into instants.
//!
//! An expression whose minute or hour starts with `*` is a *wildcard*: it follows real elapsed time, so `*/15` fires in
//! both passes of an autumn overlap. Every other expression names *fixed times*: inside a spring gap they run once at
//! the first valid minute, inside an overlap once in the first pass.
//!
//! Invariants: an instant given for `after` is later than `after`, the work is bounded, and an expression that can
//! never fire is refused when it is parsed.
//!
//! ```
//! use chrono::{DateTime, Utc};
//! use orchestrator_core::cron::{CronExpr, parse_zone};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let expr = CronExpr::parse("30 2 * * *")?;
//! let zone = parse_zone("Europe/Copenhagen")?;
//! let evening_before_summer_time: DateTime<Utc> = "2026-03-28T20:00:00Z".parse()?;
//!
//! // 02:30 does not exist that night, so the robot starts at 03:00 local time.
//! let next = expr.next_after(evening_before_summer_time, zone);
//! assert_eq!(next, Some("2026-03-29T01:00:00Z".parse()?));
//! assert_eq!(expr.describe(), "at 02:30 every day");
//!
//! let error = CronExpr::parse("61 * * * *").unwrap_err();
//! assert!(error.to_string().starts_with("minute field: '61' is not a number from 0 to 59"));
//! # Ok(())
//! # }
//! ```

mod days;
mod describe;
mod error;
mod expr;
mod next;
mod numbers;
mod parse;
mod wall;
mod zone;

pub use error::{CronError, Field, Problem};
pub use expr::CronExpr;
pub use zone::{UnknownZone, parse_zone};
