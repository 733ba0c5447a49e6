//! The administrators' pages.
