//! Checks that an event is from the Stripe account and the mode that this deployment serves.
//!
//! A signature proves that Stripe sent the event to this endpoint, but not from which account. A
//! Connect endpoint receives the events of every connected account, whose owners choose their own
//! metadata and product names.

use crate::app::App;
use crate::background::BackgroundTasks;
use crate::billing::alert;
use crate::domain::event::Event;

/// Why an event is ignored.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Foreign {
    #[error("the event is from another account")]
    Account,
    #[error("the event is from the other mode (test or live)")]
    Mode,
}

/// Returns why this event must be ignored; none if it must be applied.
pub fn foreign(app: &App, event: &Event) -> Option<Foreign> {
    let stripe = &app.config.stripe;
    if event.account.is_some() && event.account != stripe.account {
        Some(Foreign::Account)
    } else if event.livemode != stripe.is_live() {
        Some(Foreign::Mode)
    } else {
        None
    }
}

/// Reports an ignored event: in the log each time, and to operators once a day.
pub async fn report(app: &App, background: &BackgroundTasks, event: &Event, why: Foreign) {
    tracing::error!(event = event.id, kind = event.kind, ?why, "a Stripe event was ignored");
    let message =
        format!("Stripe event {} ({}) was ignored: {why}. {}", event.id, event.kind, why.remedy());
    alert::raise_daily(app, background, why.alert(), message).await;
}

impl Foreign {
    fn alert(self) -> &'static str {
        match self {
            Self::Account => alert::OTHER_ACCOUNT,
            Self::Mode => alert::OTHER_MODE,
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Account => {
                "To serve that account, set STRIPE_ACCOUNT to its id. Otherwise limit the webhook \
                 endpoint to events of your own account."
            }
            Self::Mode => {
                "STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET must have the same mode. The webhook \
                 endpoint of the other mode must not call this deployment."
            }
        }
    }
}
