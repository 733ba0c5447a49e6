use orchestrator_core::constant::Constant;
use orchestrator_core::text::{ActorName, ConstantName, ConstantValue};

use super::DecodeError;
use super::value::{instant, required, timestamp};
use crate::v1;

/// A constant as messages carry it.
pub fn constant(constant: &Constant) -> v1::Constant {
    v1::Constant {
        name: constant.name.as_str().to_owned(),
        value: constant.value.as_str().to_owned(),
        changed_at: Some(timestamp(constant.changed_at)),
        changed_by: constant.changed_by.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

/// Reads a constant as a server sent it. Its value was checked when it was stored, under that server's limit.
pub fn read_constant(message: v1::Constant) -> Result<Constant, DecodeError> {
    let changed_by = Some(message.changed_by).filter(|name| !name.is_empty());
    Ok(Constant {
        name: ConstantName::parse(&message.name)?,
        value: ConstantValue::from_stored(message.value),
        changed_at: instant("changed_at", required("changed_at", message.changed_at)?)?,
        changed_by: changed_by.map(ActorName::from_stored),
    })
}
