//! The operations of the tag "Entitlements".

use serde_json::json;

use super::companion;
use super::operation::Operation;
use super::schemas::Schemas;
use crate::companion::stats::UserStats;
use crate::domain::Entitlements;
use crate::domain::error::ErrorCode::{
    AccountErased, DatabaseUnavailable, NothingIsSold, RedisUnavailable,
};
use crate::endpoints::{CHECK, ENTITLEMENTS, PLAN, check, plan};
use crate::http::Method::{Get, Patch, Post};

pub(super) fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    vec![get_entitlements(schemas), check_features(schemas), set_plan(schemas)]
}

fn get_entitlements(schemas: &mut Schemas) -> Operation {
    Operation::new(
            &ENTITLEMENTS,
            Get,
            "getEntitlements",
            "Get entitlements",
            "Returns the user's plan, their entitlement to every feature of the catalog, and \
             their credit balances. A user without a subscription has the catalog's default \
             plan. The response comes from the cache in Redis or, if Redis has no fresh value or \
             does not answer, from Postgres; the content is the same.",
        )
        .response::<Entitlements>(
            schemas,
            "The user's entitlements.",
            json!({
                "plan": "pro", "planName": "Pro", "planVersion": 2, "source": "stripe", "status": "active",
                "interval": "monthly", "quantity": 1, "trialEnd": null,
                "currentPeriodStart": "2026-03-01T00:00:00Z", "currentPeriodEnd": "2026-04-01T00:00:00Z",
                "cancelAtPeriodEnd": false, "cancelAt": null,
                "features": {
                    "scheduling": { "type": "boolean", "name": "Scheduling", "enabled": true },
                    "letters": {
                        "type": "metered", "name": "Letters", "unit": "letter", "limit": 5, "used": 3,
                        "remaining": 2, "overage": "hard", "resetsAt": "2026-04-01T00:00:00Z",
                    },
                    "mail_credits": {
                        "type": "credits", "name": "Mail credits", "unit": "mail_credit", "amount": 2,
                    },
                },
                "credits": {
                    "mail_credit": {
                        "balance": 11, "nextExpiry": { "at": "2026-04-01T00:00:00Z", "amount": 1 },
                    },
                },
                "version": 17,
            }),
        )
        .codes(&[NothingIsSold, AccountErased, DatabaseUnavailable])
}

fn check_features(schemas: &mut Schemas) -> Operation {
    Operation::new(
        &CHECK,
        Post,
        "checkFeatures",
        "Check features",
        "Checks whether the user may use a feature now or, with `checks`, each of up to 50 \
         features. A check counts no usage: report usage with `POST /api/usage`, which checks \
         the limit again. A refusal is not an error: the response has `allowed: false`, a \
         `reason` and, in `upgradeTo`, a plan that would allow it.",
    )
    .request::<check::CheckRequest>(schemas, json!({ "feature": "letters", "quantity": 3 }))
    .response::<check::CheckResponse>(
        schemas,
        "The result of each check.",
        json!({
            "feature": "letters", "allowed": false, "reason": "limit_reached", "balance": 2,
            "resetsAt": "2026-04-01T00:00:00Z", "upgradeTo": "pro",
        }),
    )
    .codes(&[AccountErased, DatabaseUnavailable])
}

fn set_plan(schemas: &mut Schemas) -> Operation {
    Operation::new(
        &PLAN,
        Patch,
        "setPlan",
        "Comp a plan",
        "Gives the user a plan without a subscription, for example under a contract, \
         as a courtesy or for a test. Only a service key or an admin may call it. This comp takes precedence over \
         a subscription until it ends. A later comp replaces it. Giving the catalog's default plan \
         ends it. Giving the same comp again changes nothing.",
    )
    .request::<plan::PlanComp>(
        schemas,
        json!({
            "plan": "Plus", "endsAt": "2027-01-01T00:00:00Z", "reason": "One year free for a beta tester",
        }),
    )
    .response::<UserStats>(schemas, "The user's stats with the new plan.", companion::stats())
    .codes(&[AccountErased, DatabaseUnavailable, RedisUnavailable])
}
