use serde_json::json;

use super::*;

fn home() -> Home {
    let event = json!({
        "id": "evt_1", "type": "invoice.paid", "created": 0, "data": { "object": { "id": "in_1" } },
    });
    let attempt = |status: Option<u16>, error: Option<&str>, next: Option<i64>| Attempt {
        at: 60,
        url: "http://shop.example/hook".to_owned(),
        status,
        error: error.map(str::to_owned),
        next,
    };
    Home {
        now: 0,
        switches: Switches { duplicate: true, delay_seconds: 5, ..Switches::default() },
        events: vec![
            (
                event.clone(),
                vec![attempt(Some(503), None, Some(360)), attempt(Some(200), None, None)],
            ),
            (event.clone(), vec![attempt(None, Some("refused <b>"), None)]),
            (event, Vec::new()),
        ],
        customers: vec![json!({
            "id": "cus_1", "email": "a<b>@example.com", "metadata": { "userId": "user_1" },
        })],
        subscriptions: vec![(
            "Pro <b>".to_owned(),
            json!({
                "id": "sub_1", "status": "active", "customer": "cus_1",
                "metadata": { "userId": "user_<2>" }, "items": { "data": [{
                    "quantity": 3, "current_period_end": 86_400,
                    "price": { "unit_amount": 999, "currency": "usd" },
                }] },
            }),
        )],
        sessions: vec![json!({
            "id": "cs_test_1", "amount_total": 999, "currency": "usd", "mode": "payment",
            "expires_at": 0, "customer": null, "customer_email": null,
        })],
        plans: vec!["pro".to_owned()],
        promotions: vec![("SAVE20".to_owned(), "20% off once".to_owned())],
        token: "secret".to_owned(),
    }
}

#[track_caller]
fn expect(page: &str, shown: &[&str]) {
    for part in shown {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[test]
fn the_home_page_shows_events_and_deliveries() {
    let page = page(&home(), None);
    expect(&page, &["1 Jan 1970, 00:00:00 UTC", "value=\"1mo\">Advance 1 month</button>"]);
    expect(&page, &["<span class=\"badge good\">200</span> <span class=\"unbroken\">2 attempts"]);
    expect(&page, &["refused &lt;b&gt;", "No attempts yet", "aria-label=\"Resend evt_1\""]);
    expect(&page, &["a&lt;b&gt;@example.com", "user_1", "href=\"/simulator/checkout/cs_test_1\""]);
    expect(&page, &["Renews on 2 Jan 1970", "$29.97 (3 × $9.99)", "user_&lt;2&gt;"]);
    expect(&page, &["Pro &lt;b&gt;", "<code>SAVE20</code>: 20% off once"]);
    let place = |part: &str| page.find(part).unwrap();
    assert!(place("Trigger an event") < place("id=\"events\""), "actions come first");
}

#[test]
fn a_failed_delivery_shows_the_next_attempt() {
    let attempts = home().events[0].1[..1].to_vec();
    let shown = last_attempt(&attempts).into_string();
    let next = "<span class=\"badge bad\">503</span><br><span class=\"muted\">next 1 Jan 1970, 00:06:00 UTC";
    assert!(shown.contains(next), "{shown}");
    let all = delivery_attempts(&home().events[0].1).into_string();
    expect(&all, &["1 Jan 1970, 00:01:00 UTC", ">503<", ">200<", "1 Jan 1970, 00:06:00 UTC"]);
}

#[test]
fn switches_show_their_values() {
    let page = page(&home(), None);
    expect(&page, &["name=\"duplicate\" value=\"on\" checked>", "name=\"delay_seconds\""]);
    expect(&page, &["value=\"5\"", "name=\"drop\" value=\"on\"><span>"]);
}

#[test]
fn all_events_and_plans_can_be_chosen() {
    let page = page(&home(), None);
    for event in trigger::EVENTS {
        expect(&page, &[&format!("<option value=\"{event}\"")]);
    }
    expect(&page, &["<option value=\"pro\">pro</option>"]);
}

#[test]
fn an_empty_account_has_placeholders() {
    let empty = Home {
        events: Vec::new(),
        customers: Vec::new(),
        subscriptions: Vec::new(),
        sessions: Vec::new(),
        ..home()
    };
    let page = page(&empty, None);
    expect(&page, &["No subscriptions yet.", "No customers yet."]);
    expect(&page, &["No events yet.", "with POST /v1/checkout/sessions"]);
}
