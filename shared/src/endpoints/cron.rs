//! The jobs, called by the platform's scheduler. Each may run twice at once, and says what it did.

pub mod daily;
pub mod minute;
