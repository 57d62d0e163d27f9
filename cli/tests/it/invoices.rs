//! FX-9: `GET /api/invoices`, a user's invoices with their links.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::events::Customer;
use crate::support::{ApiResponse, Mode, Setup, TestApp};

impl TestApp {
    async fn list_invoices(&self, user: &str, query: &[(&str, &str)]) -> ApiResponse {
        let call = self.get("/api/invoices").bearer(&self.token(user));
        query.iter().fold(call, |call, (name, value)| call.query(name, value)).send().await
    }

    async fn invoices(&self, user: &str) -> Vec<Value> {
        let page = self.list_invoices(user, &[("limit", "100")]).await.expect_status(200).body;
        assert_eq!(page["nextCursor"], Value::Null);
        page["data"].as_array().unwrap().clone()
    }

    fn drop_webhooks(&self, drop: bool) {
        let mut switches = self.simulator.switches();
        switches.drop = drop;
        self.simulator.set_switches(switches);
    }

    /// A customer with a paid subscription of whose events Farebox received none. Then an event
    /// names its user.
    async fn customer_from_before(&self, user: &str) -> String {
        self.drop_webhooks(true);
        let price = self.plan_sold("team").await.price;
        let customer = self.ask_stripe("POST", "/v1/customers", &[]).await["id"].clone();
        let customer = customer.as_str().unwrap().to_owned();
        let form = [("customer", customer.as_str())];
        let card = self.ask_stripe("POST", "/v1/payment_methods/pm_card_visa/attach", &form).await;
        let form = [
            ("customer", customer.as_str()),
            ("items[0][price]", price.as_str()),
            ("default_payment_method", card["id"].as_str().unwrap()),
        ];
        let made = self.ask_stripe("POST", "/v1/subscriptions", &form).await;
        assert_eq!(made["status"], "active");
        self.advance("32d").await;
        self.simulator.delivered().await;
        self.drop_webhooks(false);
        let path = format!("/v1/customers/{customer}");
        self.ask_stripe("POST", &path, &[("metadata[userId]", user)]).await;
        self.simulator.delivered().await;
        self.deliver_outbox().await;
        customer
    }
}

fn field<'a>(invoices: &'a [Value], name: &str) -> Vec<&'a Value> {
    invoices.iter().map(|invoice| &invoice[name]).collect()
}

/// FX-9: plans, changes and packs, newest first, page by page.
#[tokio::test]
async fn a_user_sees_their_invoices_page_by_page() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "tier": "team", "interval": "monthly", "quantity": 2 })).await;
    app.buy("bob", json!({ "tier": "team", "interval": "monthly" })).await;
    app.advance("10d").await;
    app.buy("ann", json!({ "pack": "ai_100" })).await;
    app.advance("1h").await;
    app.change("ann", json!({ "action": "change", "quantity": 3 })).await.expect_status(200);
    app.simulator.delivered().await;
    app.advance("1mo").await;
    let all = app.invoices("ann").await;
    let team = json!("team");
    assert_eq!(field(&all, "plan"), [&team, &Value::Null, &Value::Null, &team]);
    assert_eq!(field(&all, "pack")[2], "ai_100");
    assert_eq!(field(&all, "name")[2..], ["100 AI credits", "Team"]);
    assert_eq!(field(&all, "totalMinor")[2..], [500, 4_800]);
    assert_eq!(all[0]["totalMinor"], 7_200);
    for invoice in &all {
        assert_eq!((&invoice["status"], &invoice["currency"]), (&json!("paid"), &json!("usd")));
        assert_eq!(invoice["amountPaidMinor"], invoice["totalMinor"]);
        assert_eq!(invoice["amountDueMinor"], invoice["totalMinor"]);
        assert_eq!(invoice["taxMinor"], 0);
        let page = invoice["hostedUrl"].as_str().unwrap();
        assert!(page.ends_with(invoice["id"].as_str().unwrap()), "{page}");
        assert!(invoice["pdfUrl"].as_str().unwrap().starts_with(page));
        assert!(invoice["number"].is_string() && invoice["paidAt"].is_string(), "{invoice}");
    }
    assert!(all[3]["periodEnd"].is_string() && all[3]["subscriptionId"].is_string());
    let single = (&all[2]["subscriptionId"], &all[2]["periodEnd"]);
    assert_eq!(single, (&Value::Null, &Value::Null));

    let (mut pages, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut query = vec![("limit", "1")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = app.list_invoices("ann", &query).await.expect_status(200).body;
        pages.extend(page["data"].as_array().unwrap().clone());
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = Some(next.to_owned());
    }
    assert_eq!(pages, all);
    let of_bob = app.list_invoices("bob", &[("cursor", cursor.as_deref().unwrap())]).await;
    let of_bob = of_bob.expect_status(200).body["data"].as_array().unwrap().clone();
    let of_ann = field(&all, "id");
    assert!(of_bob.iter().all(|it| !of_ann.contains(&&it["id"])), "a cursor shows no other user's");
    assert_eq!(app.invoices("zoe").await, [] as [Value; 0]);
    for (name, value) in [("limit", "0"), ("limit", "101"), ("cursor", "x"), ("cursor", "e30")] {
        app.list_invoices("ann", &[(name, value)]).await.expect_invalid(name);
    }
}

/// An open invoice shows what is due; a draft is not listed.
#[tokio::test]
async fn an_unpaid_invoice_is_listed_once_it_is_final() {
    let app = TestApp::selling("aira").await;
    app.buy("ann", json!({ "tier": "plus", "interval": "monthly" })).await;
    app.give_card("ann", "pm_card_chargeCustomerFail").await;
    app.advance("1mo").await;
    assert_eq!(app.at_stripe("invoice")[0]["status"], "draft");
    assert_eq!(app.invoices("ann").await.len(), 1);
    app.advance("2h").await;
    let all = app.invoices("ann").await;
    assert_eq!(field(&all, "status"), ["open", "paid"]);
    assert_eq!((&all[0]["amountDueMinor"], &all[0]["amountPaidMinor"]), (&json!(999), &json!(0)));
    assert_eq!(all[0]["paidAt"], Value::Null);
}

/// FX-9: Stripe is asked once for the invoices of a customer that Farebox did not create.
#[tokio::test]
async fn earlier_invoices_are_fetched_once() {
    let app = TestApp::selling("demo").await;
    app.customer_from_before("ann").await;
    app.deliver_outbox().await;
    let sent = "select count(*) from outbox where kind = 'email'";
    assert_eq!(app.count(sent).await, 0);
    // The first call loads the limiter's script into Redis.
    assert_eq!(app.invoices("zoe").await, [] as [Value; 0]);
    let flights = || (app.redis.flights(), app.postgres.flights(), app.stripe.flights());
    // The first limited call sends its script to Redis.
    app.subscription("ann").await;
    flights();
    let all = app.invoices("ann").await;
    assert_eq!(flights(), (1, 3, 1), "the limit; what is known, the list, what is known then");
    assert_eq!(field(&all, "status"), ["paid", "paid"]);
    assert_eq!(field(&all, "plan"), ["team", "team"]);
    assert_eq!(app.invoices("ann").await, all);
    assert_eq!(flights(), (1, 1, 0), "the limit, and one query");
    assert_eq!(app.count(sent).await, 0, "the invoices are old");

    // A customer that Farebox creates has no earlier invoices.
    app.buy("bob", json!({ "tier": "team", "interval": "monthly" })).await;
    flights();
    assert_eq!(app.invoices("bob").await.len(), 1);
    assert_eq!(flights(), (1, 1, 0));
    // A user without a customer has none at all.
    assert_eq!(app.invoices("zoe").await.len(), 0);
    assert_eq!(flights(), (1, 1, 0));
}

/// FX-9: two first requests at once store the same.
#[tokio::test]
async fn racing_first_requests_store_each_invoice_once() {
    let app = TestApp::selling("demo").await;
    app.customer_from_before("ann").await;
    let pages = join_all((0..8).map(|_| app.invoices("ann"))).await;
    assert!(pages.iter().all(|page| *page == pages[0] && page.len() == 2), "{pages:?}");
    assert_eq!(app.count("select count(*) from invoices").await, 2);
}

/// FX-9: a payment that the list shows first is recorded by its event, once.
#[tokio::test]
async fn the_event_of_a_listed_payment_still_counts() {
    let app = TestApp::selling("demo").await;
    app.customer_from_before("ann").await;
    let recorded = "select count(*) from billing_events where kind = 'invoice.paid'";
    assert_eq!(app.invoices("ann").await.len(), 2);
    assert_eq!(app.count(recorded).await, 0);
    let event = app.event("invoice.paid");
    for _ in 0..2 {
        app.deliver(&event).await.expect_status(200);
    }
    let again = app.event("invoice.payment_succeeded");
    app.deliver(&again).await.expect_status(200);
    assert_eq!(app.count(recorded).await, 1);
    let receipts = "select count(*) from outbox where key like 'receipt:%'";
    assert_eq!(app.count(receipts).await, 1);
    assert_eq!(app.invoices("ann").await.len(), 2);
}

/// FX-9: without Stripe, stored invoices are shown. If none are known, the error is clear.
#[tokio::test]
async fn without_stripe_known_invoices_are_listed() {
    for mode in [Mode::Down, Mode::Status(500), Mode::InvalidResponse] {
        let app = TestApp::selling("demo").await;
        app.customer_from_before("ann").await;
        app.stripe.set(mode).await;
        let before = app.tables().await;
        let refused = app.list_invoices("ann", &[]).await;
        refused.expect_problem(503, "stripe_unavailable");
        assert_eq!(app.tables().await, before, "{mode:?}");
        app.advance("1mo").await;
        assert_eq!(app.invoices("ann").await.len(), 1, "{mode:?}: the new one");
        app.stripe.set(Mode::Pass).await;
        assert_eq!(app.invoices("ann").await.len(), 3, "{mode:?}: asked again");
    }
}

/// FX-9: a user with several customers sees all of their invoices; an erased user's are deleted.
#[tokio::test]
async fn all_customers_of_a_user_are_listed_until_the_user_is_erased() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "pack": "ai_100" })).await;
    app.advance("1d").await;
    app.customer_from_before("ann").await;
    let all = app.invoices("ann").await;
    assert_eq!(field(&all, "totalMinor"), [2_400, 2_400, 500]);
    app.delete("/api/account").bearer(&app.token("ann")).send().await.expect_status(204);
    assert_eq!(app.count("select count(*) from invoices").await, 0);
    let shown = app.list_invoices("ann", &[]).await;
    assert!(shown.status == 403 || shown.body["data"] == json!([]), "{shown:?}");
    app.simulator.delivered().await;
    assert_eq!(app.count("select count(*) from invoices").await, 0);
}

/// Only links that a browser can open safely are shown: HTTPS, or the local simulator.
#[tokio::test]
async fn other_links_are_not_shown() {
    let app = Setup::default().sells("demo").start().await;
    let plan = app.plan_sold("starter").await;
    let ann = Customer::of("ann", app.now().as_second() - 60);
    app.deliver(&ann.named(0, "ann")).await.expect_status(200);
    let page = "https://invoice.stripe.com/i/x";
    for (number, (link, shown)) in [
        (page, json!(page)),
        ("http://invoice.stripe.com/i/x", Value::Null),
        ("javascript:alert(1)", Value::Null),
        ("https://invoice.stripe.com@evil.example/", Value::Null),
    ]
    .into_iter()
    .enumerate()
    {
        let mut event = ann.invoiced("paid", number as i64, &number.to_string(), &plan);
        event["data"]["object"]["hosted_invoice_url"] = json!(link);
        event["data"]["object"]["invoice_pdf"] = json!(link);
        app.deliver(&event).await.expect_status(200);
        let newest = &app.invoices("ann").await[0];
        assert_eq!((&newest["hostedUrl"], &newest["pdfUrl"]), (&shown, &shown), "{link}");
    }
}

/// FX-9: the order of events does not matter: the newest observation counts, and facts only grow.
#[tokio::test]
async fn every_order_of_events_lists_the_same() {
    let app = TestApp::selling("demo").await;
    let plan = app.plan_sold("starter").await;
    let mut listed = Vec::new();
    for (number, order) in
        [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]].into_iter().enumerate()
    {
        let user = format!("user{number}");
        let ann = Customer::of(&user, app.now().as_second() - 60);
        let mut open = ann.invoiced("payment_failed", 1, "1", &plan);
        let mut paid = ann.invoiced("paid", 2, "1", &plan);
        let mut later = ann.invoiced("payment_succeeded", 3, "1", &plan);
        for (event, total, tax, number) in [
            (&mut open, json!(900), json!([{ "amount": 100 }]), Value::Null),
            (&mut paid, json!(950), json!([{ "amount": 150 }]), json!("A-1")),
            (&mut later, json!(950), json!([{ "amount": 150 }]), Value::Null),
        ] {
            let object = &mut event["data"]["object"];
            object["created"] = json!(app.now().as_second() - 60);
            object["total"] = total;
            object["total_taxes"] = tax;
            object["number"] = number;
        }
        app.deliver(&ann.named(0, &user)).await.expect_status(200);
        let events = [open, paid, later];
        for place in order {
            app.deliver(&events[place]).await.expect_status(200);
            app.deliver(&events[place]).await.expect_status(200);
        }
        let [invoice] = &app.invoices(&user).await[..] else { panic!("one invoice") };
        let shown = ["status", "number", "totalMinor", "taxMinor", "amountPaidMinor"];
        listed.push(json!(shown.map(|name| invoice[name].clone())));
    }
    for shown in &listed {
        assert_eq!(*shown, json!(["paid", "A-1", 950, 150, 900]), "{listed:?}");
    }
}
