use super::*;

#[test]
fn every_file_of_shapes_parses() {
    for kind in ["invoice", "subscription", "charge", "checkout.session", "flow", "card", "phase"] {
        assert!(part(kind).as_object().is_some_and(|fields| !fields.is_empty()), "{kind}");
    }
}

#[test]
fn prices_are_described_as_on_invoices() {
    let mut world = World::default();
    world.insert(json!({ "id": "prod_1", "object": "product", "name": "Basic" }));
    let mut price =
        json!({ "id": "price_1", "currency": "usd", "unit_amount": 999, "product": "prod_1" });
    assert_eq!(describe(&world, &price, 1, "usd"), "Basic");
    price["recurring"] = json!({ "interval": "month", "interval_count": 1 });
    assert_eq!(describe(&world, &price, 2, "usd"), "2 × Basic (at $9.99 / month)");
    price["recurring"]["interval_count"] = json!(3);
    assert_eq!(describe(&world, &price, 1, "usd"), "1 × Basic (at $9.99 / every 3 months)");
}
