//! The companion app: the live stats that it shows.

pub mod stats;
