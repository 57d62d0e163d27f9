//! Routes below `/api/chat`.

pub mod save;
