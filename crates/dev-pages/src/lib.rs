//! The look of the local stack's pages: layout, style sheet, navigation, tables, and the formats of
//! money and dates.
//!
//! Pages are server-rendered and work without scripts. One script adds copy buttons. Deliberately
//! absent: knowledge of Stripe, of Farebox, and of any page's content.

pub mod format;
pub mod layout;
pub mod navigation;
pub mod parts;
pub mod response;

pub use layout::{Notice, Section, document};
pub use navigation::{Link, with_links};
