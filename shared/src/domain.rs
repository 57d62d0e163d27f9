//! The rules, as types and pure functions: no I/O, no clock. A value that exists here is valid.

pub mod bucket;
mod mood_score;
mod rate;
mod text;
mod user_id;

pub use mood_score::MoodScore;
pub use rate::Rate;
pub use text::{Content, Identifier, Summary};
pub use user_id::UserId;
