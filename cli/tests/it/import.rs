//! Imports an existing Stripe business into Farebox.

use std::path::PathBuf;

use farebox::import::{self, Count, File, Files, Imported};
use serde_json::json;

use crate::support::TestApp;

/// Three customers of a business whose events Farebox never received.
struct Before {
    ann: String,
    bob: String,
    nobody: String,
}

impl TestApp {
    /// `ann` is named in her customer's metadata, `bob` only in his subscription's. Bob's
    /// subscription has ended.
    async fn business_before(&self) -> Before {
        self.lose_webhooks();
        let price = self.plan_sold("starter").await.price;
        let mut customers = Vec::new();
        for (user, on_customer) in [("ann", true), ("bob", false), ("nobody", false)] {
            let email = format!("{user}@example.com");
            let mut form = vec![("email", email.as_str()), ("payment_method", "pm_card_visa")];
            form.extend(on_customer.then_some(("metadata[user_id]", user)));
            let customer = self.ask_stripe("POST", "/v1/customers", &form).await["id"].clone();
            let customer = customer.as_str().unwrap().to_owned();
            let mut form = vec![
                ("customer", customer.as_str()),
                ("items[0][price]", price.as_str()),
                ("trial_period_days", "30"),
            ];
            form.extend((user == "bob").then_some(("metadata[userId]", user)));
            let made = self.ask_stripe("POST", "/v1/subscriptions", &form).await["id"].clone();
            if user == "bob" {
                let path = format!("/v1/subscriptions/{}", made.as_str().unwrap());
                self.ask_stripe("DELETE", &path, &[]).await;
            }
            customers.push(customer);
        }
        let [ann, bob, nobody] = customers.try_into().unwrap();
        Before { ann, bob, nobody }
    }

    async fn import(
        &self,
        customers: Option<&str>,
        credits: Option<&str>,
    ) -> anyhow::Result<Imported> {
        let file = |name, text| File { name, text };
        let files = Files {
            customers: customers.map(|text| file("customers.csv", text)),
            credits: credits.map(|text| file("credits.csv", text)),
        };
        import::run(&self.inside(), files, false).await
    }

    /// Imports the business before, with credits.
    pub async fn import_business(&self) {
        self.business_before().await;
        let credits = "user_id,unit,credits\r\nann,ai_credit,250\r\n";
        self.import(None, Some(credits)).await.unwrap();
    }

    async fn refused(&self, customers: Option<&str>, credits: Option<&str>) -> Vec<String> {
        let before = self.tables().await;
        let refused = self.import(customers, credits).await.unwrap_err().to_string();
        assert_eq!(self.tables().await, before, "{refused}");
        refused.lines().skip(1).map(str::to_owned).collect()
    }
}

/// The file takes precedence over Stripe's metadata, ended subscriptions are imported too, no
/// e-mail is sent, and a second import changes nothing.
#[tokio::test]
async fn an_existing_business_is_imported_once() {
    let app = TestApp::selling("demo").await;
    let Before { ann, bob, nobody } = app.business_before().await;
    let customers = format!("user_id,customer_id,email\nnorman,{nobody},norman@example.com\n");
    let credits = "user_id,unit,credits\r\nann,ai_credit,250\r\nzoe,ai_credit,5\r\n";
    let imported = app.import(Some(&customers), Some(credits)).await.unwrap();
    assert_eq!(imported.customers, Count { new: 2, ..Count::default() });
    assert_eq!((imported.without_user, imported.subscriptions.repaired), (1, 3));
    assert!(imported.subscriptions.is_clean(), "{:?}", imported.subscriptions);
    assert_eq!(imported.credits, Count { new: 2, ..Count::default() });

    let found = |user: &'static str| {
        let app = &app;
        async move {
            let subscription = app.subscription(user).await;
            (subscription["plan"].clone(), subscription["status"].clone())
        }
    };
    assert_eq!(found("ann").await, (json!("starter"), json!("trialing")));
    assert_eq!(found("bob").await, (json!("free"), json!("canceled")));
    assert_eq!(found("norman").await, (json!("starter"), json!("trialing")));
    assert_eq!(app.stats("ann").await["plan"], "Starter");
    let owners = "select count(*) from stripe_customers where (id, user_id, email) in (
      select $$CUS_ANN$$, 'ann', 'ann@example.com'
      union all
      select $$CUS_NOBODY$$, 'norman', 'norman@example.com')";
    let owners = owners.replace("CUS_ANN", &ann).replace("CUS_NOBODY", &nobody);
    assert_eq!(app.count(&owners).await, 2);
    let of_bob = format!("select count(*) from accounts where stripe_customer_id = '{bob}'");
    assert_eq!(app.count(&of_bob).await, 1);
    let posted = "select sum(delta)::bigint from credit_transactions where kind = 'opening'";
    assert_eq!(app.count(posted).await, 255);
    assert_eq!(app.count("select count(*) from validate_credits_consistency()").await, 0);
    assert_eq!(app.count("select count(*) from outbox where kind = 'email'").await, 0);

    let before = app.tables().await;
    let again = app.import(Some(&customers), Some(credits)).await.unwrap();
    assert_eq!(app.tables().await, before);
    assert_eq!(again.customers, Count { same: 2, ..Count::default() });
    assert_eq!((again.subscriptions.drifts, again.credits.same), (0, 2));
}

/// A later import may name the user of an unnamed customer.
#[tokio::test]
async fn a_later_import_names_the_user_of_a_subscription() {
    let app = TestApp::selling("demo").await;
    let Before { nobody, .. } = app.business_before().await;
    let imported = app.import(None, None).await.unwrap();
    assert_eq!((imported.customers.new, imported.without_user), (1, 2));
    assert_eq!(app.subscription("norman").await["plan"], "free");
    let customers = format!("customer_id,user_id\n{nobody},norman\n");
    app.import(Some(&customers), None).await.unwrap();
    assert_eq!(app.subscription("norman").await["plan"], "starter");
}

/// All problems are reported at once, each with its line, before anything changes.
#[tokio::test]
async fn every_problem_of_the_files_is_reported_at_once() {
    let app = TestApp::selling("demo").await;
    let Before { ann, bob, .. } = app.business_before().await;
    let customers = format!(
        "user_id,customer_id\nann,{ann}\neve,{ann}\nbob,{bob},more\n\nbob,cus_unheard_of\n,{bob}\n"
    );
    let credits = "user_id,unit,credits\nann,ai_credit,5\nann,ai_credit,6\nann,gold,1\nann,ai_credit,-1\n\"ann\n";
    assert_eq!(
        app.refused(Some(&customers), Some(credits)).await,
        [
            "credits.csv:3: credits differ from line 2, which has the same user and unit"
                .to_owned(),
            "credits.csv:4: the catalog has no unit gold".to_owned(),
            "credits.csv:5: credits must be a whole number, 0 or more".to_owned(),
            "credits.csv:6: a quote is not closed".to_owned(),
            format!("customers.csv:3: {ann} belongs to another user in line 2"),
            "customers.csv:4: 3 fields instead of 2".to_owned(),
            "customers.csv:6: Stripe has no customer cus_unheard_of".to_owned(),
            "customers.csv:7: user_id must be 1 to 255 bytes without spaces, control or invisible \
             characters"
                .to_owned(),
        ]
    );
    let header = ["credits.csv:1: the first line must be the header user_id,unit,credits"];
    assert_eq!(app.refused(None, Some("ann,ai_credit,5\n")).await, header);
}

/// Another file does not overwrite earlier imports.
#[tokio::test]
async fn another_file_does_not_overwrite_an_import() {
    let app = TestApp::selling("demo").await;
    let Before { ann, .. } = app.business_before().await;
    app.import(None, Some("user_id,unit,credits\nann,ai_credit,5\n")).await.unwrap();
    let customers = format!("user_id,customer_id\neve,{ann}\n");
    assert_eq!(
        app.refused(Some(&customers), Some("user_id,unit,credits\nann,ai_credit,6\n")).await,
        [
            "credits.csv:2: credits differ from the opening balance of ai_credit imported before"
                .to_owned(),
            format!("customers.csv:2: {ann} already belongs to another user"),
        ]
    );
}

/// An erased user does not return with an old file.
#[tokio::test]
async fn erased_users_are_not_imported() {
    let app = TestApp::selling("demo").await;
    let Before { ann, .. } = app.business_before().await;
    let credits = Some("user_id,unit,credits\nann,ai_credit,5\n");
    app.import(None, credits).await.unwrap();
    app.delete("/api/account").bearer(&app.token("ann")).send().await.expect_status(204);
    let customers = format!("user_id,customer_id\nann,{ann}\n");
    let again = app.import(Some(&customers), credits).await.unwrap();
    assert_eq!((again.customers.erased, again.credits.erased), (1, 1), "{again:?}");
    assert!(again.subscriptions.is_clean(), "{again:?}");
    let named =
        "select count(*) from credit_transactions where user_id = 'ann' or source like '%ann%'";
    assert_eq!(app.count(named).await, 0);
    assert_eq!(app.count("select count(*) from accounts where id = 'ann'").await, 0);
}

/// The `farebox import` command; a dry run changes nothing.
#[tokio::test]
async fn a_dry_run_shows_the_import() {
    let app = TestApp::selling("demo").await;
    let Before { nobody, .. } = app.business_before().await;
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("import");
    std::fs::create_dir_all(&dir).unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let customers = file("customers.csv", &format!("user_id,customer_id\nnorman,{nobody}\n"));
    let credits = file("credits.csv", "user_id,unit,credits\nann,ai_credit,5\n");
    let args = ["import", "--customers", &customers, "--credits", &credits];
    let before = app.tables().await;
    let dry = app.farebox(&[&args[..], &["--dry-run"]].concat()).await;
    let output = String::from_utf8(dry.stdout).unwrap();
    assert!(dry.status.success(), "{output}");
    assert!(output.contains("customers          2 new, 0 unchanged"), "{output}");
    assert_eq!(app.tables().await, before);
    let done = app.farebox(&args).await;
    let output = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{output}");
    assert!(output.contains("differing          3, 3 repaired"), "{output}");
    let wrong = file("wrong.csv", "user_id,unit,credits\nann,gold,5\n");
    let refused = app.farebox(&["import", "--credits", &wrong]).await;
    let output = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(
        output,
        format!("farebox: nothing was changed:\n{wrong}:2: the catalog has no unit gold\n")
    );
}
