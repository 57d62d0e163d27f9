use serde_json::json;

use super::{facts_of, is_unreadable};

#[test]
fn a_customer_names_the_user_and_the_address() {
    let ann = json!({
        "id": "cus_1", "object": "customer", "email": "ann@example.com",
        "metadata": { "userId": "ann" },
    });
    let expected = json!({ "customer": {
        "id": "cus_1", "user_id": "ann", "email": "ann@example.com", "deleted": false,
    } });
    for verb in ["created", "updated"] {
        assert_eq!(facts_of(&format!("customer.{verb}"), ann.clone()), expected);
    }
    assert_eq!(facts_of("customer.deleted", ann)["customer"]["deleted"], true);
    let gone = json!({ "id": "cus_1", "object": "customer", "deleted": true });
    let expected = json!({ "customer": {
        "id": "cus_1", "user_id": null, "email": null, "deleted": true,
    } });
    assert_eq!(facts_of("customer.updated", gone), expected);
    assert!(is_unreadable("customer.updated", json!({ "email": "ann@example.com" })));
}

#[test]
fn a_card_or_a_tax_id_is_not_a_customer() {
    let card = json!({ "id": "card_1", "object": "card", "customer": "cus_1" });
    assert_eq!(facts_of("customer.source.deleted", card), json!({}));
    let tax = json!({ "id": "txi_1", "customer": "cus_1" });
    assert_eq!(facts_of("customer.tax_id.deleted", tax), json!({}));
}
