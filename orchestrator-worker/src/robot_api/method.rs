use http::uri::PathAndQuery;

/// The service that is offered.
pub(super) const SERVICE: &str = "orchestrator.v1.RobotService";

/// Defines the methods by their names.
macro_rules! methods {
    ($($name:ident),+ $(,)?) => {
        /// A method of the service.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Method {
            $($name),+
        }

        impl Method {
            /// Every method.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name)),+
                }
            }

            /// Its path in gRPC.
            pub(super) fn path(self) -> PathAndQuery {
                PathAndQuery::from_static(match self {
                    $(Self::$name => concat!("/orchestrator.v1.RobotService/", stringify!($name))),+
                })
            }
        }
    };
}

methods![
    GetContext,
    Log,
    GetConstant,
    UpdateConstant,
    GetCredential,
    UpdateCredential,
    CreateQueueElement,
    BulkCreateQueueElements,
    ClaimQueueElement,
    ListQueueElements,
    SetQueueElementStatus,
    DeleteQueueElement,
    IsPausing,
    Pause,
];

/// The most bytes of a request that carries many things.
const BULK_BYTES: usize = 32 << 20;
/// The most bytes of any other.
const USUAL_BYTES: usize = 4 << 20;

/// How a call is treated while the server is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    /// The worker knows the answer.
    Known,
    /// It is kept on disk, and delivered later.
    Kept,
    /// It waits for the server, behind everything of its job that is kept.
    Waits,
}

impl Method {
    /// How a call of it is treated. Secrets are never kept, and what reads or takes something needs the answer.
    pub(super) fn treatment(self) -> Treatment {
        match self {
            Self::GetContext => Treatment::Known,
            Self::Log
            | Self::UpdateConstant
            | Self::CreateQueueElement
            | Self::BulkCreateQueueElements
            | Self::SetQueueElementStatus
            | Self::DeleteQueueElement
            | Self::Pause => Treatment::Kept,
            Self::GetConstant
            | Self::GetCredential
            | Self::UpdateCredential
            | Self::ClaimQueueElement
            | Self::ListQueueElements
            | Self::IsPausing => Treatment::Waits,
        }
    }

    /// The method with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|method| method.name() == name)
    }

    /// The most bytes that a request of it may have.
    pub(super) fn most_bytes(self) -> usize {
        if self == Self::BulkCreateQueueElements { BULK_BYTES } else { USUAL_BYTES }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost_reflect::DescriptorPool;

    use super::*;

    #[test]
    fn the_methods_are_those_of_the_service() {
        let pool = DescriptorPool::decode(orchestrator_proto::DESCRIPTORS).unwrap();
        let service = pool.get_service_by_name(SERVICE).unwrap();
        let there: BTreeSet<String> = service.methods().map(|method| method.name().to_owned()).collect();
        let listed: BTreeSet<String> = Method::ALL.iter().map(|method| method.name().to_owned()).collect();
        assert_eq!(listed, there);
        for method in Method::ALL {
            assert_eq!(method.path().as_str(), format!("/{SERVICE}/{}", method.name()));
        }
    }
}
