//! The operations of the tag "Credits".

use serde_json::json;

use super::operation::Operation;
use super::schemas::Schemas;
use crate::adapters::postgres::LedgerEntry;
use crate::domain::CatalogKey;
use crate::domain::error::ErrorCode::{
    AccountErased, DatabaseUnavailable, InsufficientCredits, ServiceOnly,
};
use crate::endpoints::{ADMIN_LEDGER, CREDITS, admin, credits};
use crate::http::Method::{Get, Post};

pub(super) fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    vec![get_credits(schemas), change_credits(schemas), verify_ledger(schemas)]
}

fn get_credits(schemas: &mut Schemas) -> Operation {
    Operation::new(
        &CREDITS,
        Get,
        "getCredits",
        "Get credit balances and ledger",
        "Returns the user's balance of each unit of credits, with the first 100 of its open \
         credit grants, and a page of the ledger, newest entry first. Users may read their own \
         credits; with a service key, name the user.",
    )
    .query("unit", schemas.request::<CatalogKey>(), "Return only this unit of credits.")
    .paged()
    .response::<credits::LedgerPage>(
        schemas,
        "The user's balances and ledger.",
        json!({
            "credits": [{
                "unit": "mail_credit", "balance": 11,
                "expiresAt": "2026-04-01T00:00:00Z", "expiring": 1,
                "grants": [
                    {
                        "kind": "plan", "amount": 2, "remaining": 1, "priority": 50,
                        "expiresAt": "2026-04-01T00:00:00Z", "createdAt": "2026-03-01T00:00:00Z",
                    },
                    {
                        "kind": "purchase", "amount": 10, "remaining": 10, "priority": 50,
                        "expiresAt": null, "createdAt": "2026-03-02T09:30:00Z",
                    },
                ],
                "grantCount": 2,
            }],
            "data": [{
                "id": "mail_credit:42", "kind": "spend", "unit": "mail_credit", "amount": -1, "balance": 11,
                "reason": "A letter to Ann", "metadata": { "letter": "l_17" }, "sessionId": null,
                "createdAt": "2026-03-03T12:00:00Z", "actorId": null,
            }],
            "nextCursor": null,
        }),
    )
    .codes(&[AccountErased, DatabaseUnavailable])
}

fn change_credits(schemas: &mut Schemas) -> Operation {
    Operation::new(
            &CREDITS,
            Post,
            "changeCredits",
            "Spend, grant or adjust credits",
            "Changes a user's credits and returns the ledger entry. Users may `spend` their own \
             credits. Only a service key or an admin may `grant` or `adjust`, and must send a \
             `reason`. If the balance is smaller than the amount to spend, the request is refused \
             with `insufficient_credits` and nothing is taken. The credits that expire first are \
             spent first. An Idempotency-Key is kept with its ledger entry, which is never \
             deleted.",
        )
        .request::<credits::ChangeCreditsRequest>(
            schemas,
            json!({ "action": "spend", "unit": "mail_credit", "amount": 1, "metadata": { "letter": "l_17" } }),
        )
        .response::<LedgerEntry>(
            schemas,
            "The new ledger entry or, for a retry, the entry that the first request created.",
            json!({
                "id": "mail_credit:42", "kind": "spend", "unit": "mail_credit", "amount": -1, "balance": 11,
                "reason": null, "metadata": { "letter": "l_17" }, "sessionId": null,
                "createdAt": "2026-03-03T12:00:00Z", "actorId": null,
            }),
        )
        .idempotent("At any later time")
        .codes(&[InsufficientCredits, ServiceOnly, AccountErased, DatabaseUnavailable])
}

fn verify_ledger(schemas: &mut Schemas) -> Operation {
    Operation::new(
        &ADMIN_LEDGER,
        Get,
        "verifyLedger",
        "Verify the credit ledger",
        "Checks that every ledger entry follows from the previous one, that purchased credits \
         were paid for, and that every balance equals the sum of its ledger entries. It changes \
         nothing. Only an admin may call it. Each request runs for up to five seconds; send \
         `nextCursor` as `cursor` until it is null.",
    )
    .cursor()
    .response::<admin::ledger::LedgerAuditReport>(
        schemas,
        "The number of records checked, and the inconsistencies found.",
        json!({ "rows": 1204, "users": 311, "problems": [], "nextCursor": null }),
    )
    .codes(&[DatabaseUnavailable])
}
