pub mod checkout_session;
pub mod create_checkout_session;
pub mod create_portal_session;
pub mod webhook;
