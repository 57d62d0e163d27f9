//! The operations of the tag "Account".

use serde_json::json;

use super::operation::Operation;
use super::schemas::Schemas;
use crate::domain::error::ErrorCode::{AccountErased, DatabaseUnavailable, RedisUnavailable};
use crate::endpoints::ACCOUNT;
use crate::endpoints::account::{AccountDeletion, AccountExport, DEFAULT_RECORDS, MAX_RECORDS};
use crate::http::Method::{Delete, Get};

pub(super) fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    let limit = json!({
        "type": "integer", "minimum": 1, "maximum": MAX_RECORDS, "default": DEFAULT_RECORDS,
    });
    vec![
        Operation::new(
            &ACCOUNT,
            Get,
            "exportAccount",
            "Export an account",
            "Returns everything that Farebox stores about a user, as records with a type. A small \
             account is one page. A page also ends after about a megabyte. Rows that are added \
             during the export are on a later page. Copies in the cache, and answers that are kept \
             for retries, are left out: they have nothing that the records do not have. Users may \
             export their own account; with a service key, name the user.",
        )
        .query("limit", limit, "The maximum number of stored records on the page. The first page also has the stats.")
        .cursor()
        .response::<AccountExport>(
            schemas,
            "A page of the user's records.",
            json!({
                "data": [
                    { "type": "account", "data": {
                        "id": "user_1", "createdAt": "2026-03-01T09:30:00.000000Z",
                        "stripeCustomerId": "cus_Nffr", "claimedEmail": null,
                        "entitlementVersion": 1772357400000_i64, "dueAt": "2026-04-01T00:00:00.000000Z",
                    } },
                    { "type": "ledger_entry", "data": {
                        "userId": "user_1", "unit": "credit", "seq": 1, "delta": 100,
                        "balanceAfter": 100, "kind": "purchase", "stripeSessionId": "cs_test_a1",
                        "paymentId": "pi_3M", "reason": null, "metadata": null,
                        "createdAt": "2026-03-01T09:31:02.000000Z",
                    } },
                ],
                "nextCursor": null,
            }),
        )
        .codes(&[AccountErased, DatabaseUnavailable, RedisUnavailable]),
        Operation::new(
            &ACCOUNT,
            Delete,
            "deleteAccount",
            "Delete an account",
            "Deletes the data that Farebox stores about the user, and the user's customer at Stripe, \
             which cancels their subscriptions. The credit ledger and the billing events are kept \
             without the user's id. The user's tokens stay valid until they expire, but every route \
             that stores data refuses them with `account_erased`. If Stripe, Redis or the identity \
             provider does not answer, the response is 202 and Farebox retries until it does. The \
             request is safe to repeat. An e-mail that is being sent at that moment may still \
             arrive. Users may delete their own account; with a service key, name the user.",
        )
        .empty("204", "The account is deleted everywhere.")
        .response_with::<AccountDeletion>(
            schemas,
            "202",
            "The account is deleted from the database. Farebox finishes the rest.",
            json!({ "status": "pending" }),
        )
        .codes(&[DatabaseUnavailable]),
    ]
}
