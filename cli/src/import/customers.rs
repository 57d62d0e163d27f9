//! Imports Stripe's customers, with the users that they belong to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use shared::adapters::stripe::requests;
use shared::app::App;
use shared::billing::fulfilment;
use shared::domain::Notices;
use shared::domain::Observation;
use shared::domain::Snapshot;
use shared::domain::UserId;
use shared::domain::error::Error;
use shared::domain::facts::Facts;
use shared::domain::facts::metadata_user_id;
use shared::domain::object::{flag, list, text};

use super::{Count, File, Problems, csv, failed, refused};

/// The number of customers compared in one call.
const BATCH: usize = 500;

/// The lines of the customers file, by the customer's id.
#[derive(Debug, Default)]
pub(super) struct CustomerFile {
    file: String,
    lines: BTreeMap<String, CustomerLine>,
}

#[derive(Debug)]
struct CustomerLine {
    number: usize,
    user_id: String,
    email: Option<String>,
}

/// The customers whose user is known.
#[derive(Debug, Default)]
pub(super) struct Customers {
    pub count: Count,
    pub without_user: usize,
    new: Vec<Customer>,
}

/// A Stripe customer, with the user from the file or the metadata.
#[derive(Debug)]
struct Customer {
    id: String,
    user_id: String,
    email: Option<String>,
    found: Snapshot,
}

pub(super) fn read(file: Option<File<'_>>, problems: &mut Problems) -> CustomerFile {
    let Some(file) = file else { return CustomerFile::default() };
    let mut lines: BTreeMap<String, CustomerLine> = BTreeMap::new();
    for record in csv::read(file, &["user_id", "customer_id"], &["email"], problems) {
        let mut wrong = |what: String| problems.add(file.name, record.line, what);
        let (id, user_id) = (record.get("customer_id"), record.get("user_id").to_owned());
        let before = lines.get(id).filter(|before| before.user_id != user_id);
        if let Err(why) = UserId::try_from(user_id.clone()) {
            wrong(format!("user_id {why}"));
        } else if !id.starts_with("cus_") {
            wrong("customer_id must be the id of a Stripe customer, cus_...".to_owned());
        } else if let Some(before) = before {
            wrong(format!("{id} belongs to another user in line {}", before.number));
        } else {
            let email = Some(record.get("email").to_owned()).filter(|email| !email.is_empty());
            lines.insert(id.to_owned(), CustomerLine { number: record.line, user_id, email });
        }
    }
    CustomerFile { file: file.name.to_owned(), lines }
}

/// Reads all of Stripe's customers and returns those to import. Changes nothing.
pub(super) async fn compare(
    app: &App,
    named: &CustomerFile,
    problems: &mut Problems,
) -> anyhow::Result<Customers> {
    let (known, without_user) = at_stripe(app, named).await?;
    let mut customers = Customers { without_user, ..Customers::default() };
    let there: BTreeSet<&str> = known.iter().map(|customer| customer.id.as_str()).collect();
    let gone: Vec<_> = named.lines.iter().filter(|(id, _)| !there.contains(id.as_str())).collect();
    let as_json =
        |(id, line): &(&String, &CustomerLine)| json!({ "id": id, "user_id": line.user_id });
    let verdicts = app.postgres.compare_customers(&gone.iter().map(as_json).collect()).await;
    for ((id, line), verdict) in gone.into_iter().zip(verdicts.map_err(failed)?) {
        match verdict.as_str() {
            "erased" => customers.count.add(&verdict),
            _ => problems.add(&named.file, line.number, format!("Stripe has no customer {id}")),
        }
    }
    let mut known = known.into_iter();
    loop {
        let batch: Vec<Customer> = known.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return Ok(customers);
        }
        let as_json = batch.iter().map(Customer::to_json).collect();
        let verdicts = app.postgres.compare_customers(&as_json).await.map_err(failed)?;
        for (customer, verdict) in batch.into_iter().zip(verdicts) {
            match (verdict.as_str(), named.lines.get(&customer.id)) {
                ("taken", Some(line)) => {
                    let problem = format!("{} already belongs to another user", customer.id);
                    problems.add(&named.file, line.number, problem);
                }
                // The user who has the customer keeps it. The file does not list this customer.
                ("taken", None) => customers.count.add("same"),
                (verdict, _) => customers.count.add(verdict),
            }
            if verdict == "new" {
                customers.new.push(customer);
            }
        }
    }
}

/// Lists the customers with a known user, and counts the others.
async fn at_stripe(app: &App, named: &CustomerFile) -> anyhow::Result<(Vec<Customer>, usize)> {
    let (mut known, mut without_user) = (Vec::new(), 0);
    let mut after: Option<String> = None;
    loop {
        let request = requests::list_customers(after.as_deref());
        let mut found = app.stripe.send(&request).await.map_err(refused)?;
        let page = found.object.take();
        for object in list(&page, "data") {
            let id = text(object, "id").unwrap_or_default().to_owned();
            let line = named.lines.get(&id);
            let user_id =
                line.map(|line| line.user_id.as_str()).or_else(|| metadata_user_id(object));
            let email = line.and_then(|line| line.email.as_deref()).or(text(object, "email"));
            match user_id {
                Some(user_id) => known.push(Customer {
                    id: id.clone(),
                    user_id: user_id.to_owned(),
                    email: email.map(str::to_owned),
                    found: found.clone(),
                }),
                None => without_user += 1,
            }
            after = Some(id);
        }
        if !flag(&page, "has_more") {
            return Ok((known, without_user));
        }
    }
}

impl Customers {
    /// Applies each new customer.
    pub(super) async fn adopt(&self, app: &App) -> anyhow::Result<()> {
        for customer in &self.new {
            let facts = customer.facts().map_err(failed)?;
            let observation = Observation::from_response(facts, &customer.found, app.clock.now())
                .with_notices(Notices::None);
            fulfilment::apply(app, observation).await.map_err(failed)?;
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
