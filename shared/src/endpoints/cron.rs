//! The scheduled jobs, called by the platform's scheduler. Two runs of a job may overlap. Each run
//! returns a report.

pub mod daily;
pub mod minute;
