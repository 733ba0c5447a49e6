//! Talk to an orchestrator from Rust: administer it with a [`Client`], or be one of its robots with a
//! [`RobotConnection`].
//!
//! # A program that adds work and looks at it
//!
//! ```no_run
//! use orchestrator_client::{Client, ElementFilter, ElementStatus, NewElement};
//!
//! # async fn example() -> Result<(), orchestrator_client::Error> {
//! // ORCHESTRATOR_URL, ORCHESTRATOR_TOKEN or ORCHESTRATOR_TOKEN_FILE, ORCHESTRATOR_CA_CERT
//! let client = Client::from_env().await?;
//! client.queues().create("Invoices", NewElement::new("2026-0817", r#"{"amount": 12}"#)).await?;
//!
//! let failed = ElementFilter { statuses: vec![ElementStatus::Failed], ..ElementFilter::default() };
//! for element in client.queues().elements("Invoices", failed, 100).await? {
//!     println!("{} {}", element.reference(), element.message());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # A robot
//!
//! ```no_run
//! use orchestrator_client::{ElementStatus, RobotConnection};
//!
//! # async fn example() -> Result<(), orchestrator_client::Error> {
//! let robot = RobotConnection::from_args()?;
//! robot.log_info("begin").await?;
//! while let Some(element) = robot.get_next_queue_element("Invoices").await? {
//!     match handle(element.data()) {
//!         Ok(()) => robot.set_queue_element_status(&element.id, ElementStatus::Done, None).await?,
//!         Err(why) => robot.set_queue_element_status(&element.id, ElementStatus::Failed, Some(&why)).await?,
//!     }
//! }
//! # Ok(())
//! # }
//! # fn handle(_: &str) -> Result<(), String> { Ok(()) }
//! ```
//!
//! # Errors
//!
//! A refusal is not repeated and has a stable [`Code`]; what the server could not answer is tried again for the patience of
//! the client and then [`Error::Away`].
//!
//! ```no_run
//! # use orchestrator_client::{Client, Code, Error};
//! # async fn example(client: Client) -> Result<(), Error> {
//! match client.constants().get("limit").await {
//!     Ok(constant) => println!("{}", constant.value),
//!     Err(error) if error.is_not_found() => println!("there is none"),
//!     Err(Error::Refused(refusal)) if refusal.code == Code::RoleTooLow => println!("not for me: {refusal}"),
//!     Err(error) => return Err(error),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Answers are the messages of `orchestrator.v1`, here [`pb`]: their states are texts, because a newer server may know
//! states that this client does not.

mod client;
mod code;
mod error;
mod repeat;
mod robot;
mod services;
mod settings;

pub use orchestrator_core::queue::ElementStatus;
pub use orchestrator_core::secret::Plaintext;
pub use orchestrator_proto::v1 as pb;

pub use client::Client;
pub use code::Code;
pub use error::{Error, Refusal, SetupError};
pub use robot::{LogLevel, RobotConnection, RobotCredential};
pub use services::{
    Claim, Constants, Credentials, ElementFilter, JobFilter, Jobs, LogFilter, Logs, NewElement, Output, Queues,
    Revealed, Triggers, trigger,
};
pub use settings::ClientBuilder;
