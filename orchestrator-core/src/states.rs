//! The macro for states that are stored and sent by name.

/// A name that is not one of a closed set, with the names that are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{value}' is not a {what}; one of {expected}")]
pub struct UnknownName {
    /// What the name was meant to be, such as `queue element status`.
    pub what: &'static str,
    /// The name as given or stored.
    pub value: String,
    /// The names that would do, separated by commas.
    pub expected: &'static str,
}

/// Declares an enum without data, with its stored names (upper case, as the contract's columns hold them).
macro_rules! named_states {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name as it is stored and sent.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::states::UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::states::UnknownName {
                        what: $what,
                        value: text.to_owned(),
                        expected: concat!($($text, " ",)+).trim_ascii(),
                    }),
                }
            }
        }
    };
}

pub(crate) use named_states;
