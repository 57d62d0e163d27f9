//! Whether an event is of the Stripe account and the mode that this deployment serves.
//!
//! A signature says that Stripe sent an event to this endpoint, and not in which account it happened: an
//! endpoint of Connect is sent those of every connected account, whose owners write what they like into
//! their metadata and name their products as they like.

use crate::app::App;
use crate::background::BackgroundTasks;
use crate::billing::alert;
use crate::domain::event::Event;

/// Why an event is none of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Foreign {
    #[error("it happened in another account")]
    Account,
    #[error("it is of the other mode, test or live")]
    Mode,
}

/// Why this event is none of ours, if it is not.
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

/// Says that an event was ignored: in the log each time, to operators once a day.
pub async fn report(app: &App, background: &BackgroundTasks, event: &Event, why: Foreign) {
    tracing::error!(event = event.id, kind = event.kind, ?why, "an event was ignored");
    let message = format!(
        "An event of Stripe's was ignored, {} ({}): {why}. {}",
        event.id,
        event.kind,
        why.remedy()
    );
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
                "If that account is the one to serve, set STRIPE_ACCOUNT to its id; else let the \
                 webhook endpoint listen to events of your own account only."
            }
            Self::Mode => {
                "STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET must be of one mode, and the endpoint of \
                 the other mode must not call this deployment."
            }
        }
    }
}
