use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use shared::adapters::stripe::requests;
use shared::app::App;
use shared::billing::fulfilment;
use shared::domain::Observation;
use shared::domain::Snapshot;
use shared::domain::UserId;
use shared::domain::error::Error;
use shared::domain::facts::Facts;
use shared::domain::facts::named_user;
use shared::domain::object::{flag, list, text};

use super::{Count, File, Problems, csv, failed, refused};

/// As many are compared at once.
const BATCH: usize = 500;

/// What a file says, by the customer's id.
#[derive(Debug, Default)]
pub(super) struct Named {
    file: String,
    lines: BTreeMap<String, Line>,
}

#[derive(Debug)]
struct Line {
    number: usize,
    user_id: String,
    email: Option<String>,
}

/// The customers of whom it is known whose they are.
#[derive(Debug, Default)]
pub(super) struct Customers {
    pub count: Count,
    pub nameless: usize,
    new: Vec<Customer>,
}

/// A customer as Stripe has them, but with what the file says.
#[derive(Debug)]
struct Customer {
    id: String,
    user_id: String,
    email: Option<String>,
    found: Snapshot,
}

pub(super) fn read(file: Option<File<'_>>, problems: &mut Problems) -> Named {
    let Some(file) = file else { return Named::default() };
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    for record in csv::read(file, &["user_id", "customer_id"], &["email"], problems) {
        let mut wrong = |what: String| problems.add(file.name, record.line, what);
        let (id, user_id) = (record.get("customer_id"), record.get("user_id").to_owned());
        let before = lines.get(id).filter(|before| before.user_id != user_id);
        if let Err(why) = UserId::try_from(user_id.clone()) {
            wrong(format!("user_id {why}"));
        } else if !id.starts_with("cus_") {
            wrong("customer_id must be an id of Stripe's, cus_...".to_owned());
        } else if let Some(before) = before {
            wrong(format!("{id} is another user's in line {}", before.number));
        } else {
            let email = Some(record.get("email").to_owned()).filter(|email| !email.is_empty());
            lines.insert(id.to_owned(), Line { number: record.line, user_id, email });
        }
    }
    Named { file: file.name.to_owned(), lines }
}

/// Goes through all of Stripe's customers, and finds out what is to be done. Changes nothing.
pub(super) async fn look(
    app: &App,
    named: &Named,
    problems: &mut Problems,
) -> anyhow::Result<Customers> {
    let (known, nameless) = at_stripe(app, named).await?;
    let mut customers = Customers { nameless, ..Customers::default() };
    let there: BTreeSet<&str> = known.iter().map(|customer| customer.id.as_str()).collect();
    let gone: Vec<_> = named.lines.iter().filter(|(id, _)| !there.contains(id.as_str())).collect();
    let as_json = |(id, line): &(&String, &Line)| json!({ "id": id, "user_id": line.user_id });
    let words = app.postgres.compare_customers(&gone.iter().map(as_json).collect()).await;
    for ((id, line), word) in gone.into_iter().zip(words.map_err(failed)?) {
        match word.as_str() {
            "erased" => customers.count.add(&word),
            _ => problems.add(&named.file, line.number, format!("Stripe has no customer {id}")),
        }
    }
    let mut known = known.into_iter();
    loop {
        let batch: Vec<Customer> = known.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return Ok(customers);
        }
        let words = batch.iter().map(Customer::to_json).collect();
        let words = app.postgres.compare_customers(&words).await.map_err(failed)?;
        for (customer, word) in batch.into_iter().zip(words) {
            match (word.as_str(), named.lines.get(&customer.id)) {
                ("taken", Some(line)) => {
                    let said = format!("{} is another user's already", customer.id);
                    problems.add(&named.file, line.number, said);
                }
                // What was heard first counts, and no line says otherwise.
                ("taken", None) => customers.count.add("same"),
                (word, _) => customers.count.add(word),
            }
            if word == "new" {
                customers.new.push(customer);
            }
        }
    }
}

/// All customers whom the file or their metadata name, and how many there are besides.
async fn at_stripe(app: &App, named: &Named) -> anyhow::Result<(Vec<Customer>, usize)> {
    let (mut known, mut nameless) = (Vec::new(), 0);
    let mut after: Option<String> = None;
    loop {
        let request = requests::list_customers(after.as_deref());
        let mut found = app.stripe.send(&request).await.map_err(refused)?;
        let page = found.object.take();
        for object in list(&page, "data") {
            let id = text(object, "id").unwrap_or_default().to_owned();
            let line = named.lines.get(&id);
            let user_id = line.map(|line| line.user_id.as_str()).or_else(|| named_user(object));
            let email = line.and_then(|line| line.email.as_deref()).or(text(object, "email"));
            match user_id {
                Some(user_id) => known.push(Customer {
                    id: id.clone(),
                    user_id: user_id.to_owned(),
                    email: email.map(str::to_owned),
                    found: found.clone(),
                }),
                None => nameless += 1,
            }
            after = Some(id);
        }
        if !flag(&page, "has_more") {
            return Ok((known, nameless));
        }
    }
}

impl Customers {
    /// Hears of each that is news.
    pub(super) async fn adopt(&self, app: &App) -> anyhow::Result<()> {
        for customer in &self.new {
            let facts = customer.facts().map_err(failed)?;
            let told = Observation::from_response(facts, &customer.found, app.clock.now())
                .without_emails();
            fulfilment::apply(app, told).await.map_err(failed)?;
        }
        Ok(())
    }
}

impl Customer {
    fn to_json(&self) -> Value {
        json!({ "id": self.id, "user_id": self.user_id, "email": self.email })
    }

    fn facts(&self) -> Result<Facts, Error> {
        let object = json!({
            "object": "customer",
            "id": self.id,
            "email": self.email,
            "metadata": { "userId": self.user_id },
        });
        Facts::of_event("customer.updated", 0, &object).map_err(Error::internal)
    }
}
