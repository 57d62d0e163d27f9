//! The companion app's live stats.

pub mod stats;
