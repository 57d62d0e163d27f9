//! The steps that use the plan: entitlements, a check, usage and credits.

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::basics::word;
use super::diagnosis::REPORT;
use super::purchase::shows;
use super::story::{StepResult, Story, Unpassed, failed, skipped};

impl Story<'_> {
    pub(super) async fn fetch_entitlements(&self) -> Result<Value, Unpassed> {
        self.call_for_user(Method::GET, "/api/entitlements", None, None).await?.expect(200)
    }

    pub(super) async fn read_entitlements(&mut self) -> StepResult {
        let found = self.fetch_entitlements().await?;
        let (plan, status) = (word(&found, "plan").to_owned(), word(&found, "status").to_owned());
        let features = found["features"].as_object().map_or(0, Map::len);
        let offer = self.offer.as_ref().filter(|_| self.has_plan);
        let is_expected = offer.is_none_or(|offer| shows(&found, &offer.plan));
        self.entitlements = Some(found);
        if !is_expected {
            return Err(failed(format!("the plan is {plan}, {status}"), REPORT));
        }
        Ok(format!("{plan}, {status}, {features} features"))
    }

    /// Checks a feature that the user's plan includes.
    pub(super) async fn check_feature(&self) -> StepResult {
        let is_included = |_: &str, terms: &Value| terms["enabled"] == true || has_room(terms);
        let Some((feature, _)) = self.feature(is_included)? else {
            return Err(skipped("the plan includes no feature"));
        };
        let question = json!({ "feature": feature });
        let answer = self.call_for_user(Method::POST, "/api/check", Some(&question), None).await?;
        match answer.expect(200)? {
            answer if answer["allowed"] == true => Ok(format!("{feature} is allowed")),
            answer => {
                let reason = word(&answer, "reason");
                Err(failed(format!("{feature} is refused: {reason}"), REPORT))
            }
        }
    }

    /// Counts usage twice with one idempotency key.
    pub(super) async fn track_usage(&self) -> StepResult {
        let Some((feature, terms)) = self.feature(|_, terms| has_room(terms))? else {
            return Err(skipped("the plan has no metered feature with room"));
        };
        let before = terms["used"].as_u64().unwrap_or_default();
        let (entry, key) = (json!({ "feature": feature }), format!("{}-usage", self.user));
        for _ in 0..2 {
            let path = "/api/usage";
            let counted = self.call_for_user(Method::POST, path, Some(&entry), Some(&key)).await?;
            let used = counted.expect(200)?["used"].as_u64();
            if used != Some(before + 1) {
                let found = format!("{feature}: used {before} before, {used:?} after one entry");
                return Err(failed(found, REPORT));
            }
        }
        let path = format!("/api/usage?feature={feature}");
        let page = self.call_for_user(Method::GET, &path, None, None).await?.expect(200)?;
        let current = page["current"].as_array().into_iter().flatten();
        let used =
            current.filter(|one| one["feature"] == *feature).find_map(|one| one["used"].as_u64());
        match used == Some(before + 1) {
            true => Ok(format!("{feature}: two calls with one key are counted once")),
            false => {
                Err(failed(format!("{feature}: {used:?} is used, not {}", before + 1), REPORT))
            }
        }
    }

    /// Grants two credits and spends one of them twice with one idempotency key.
    pub(super) async fn spend_credits(&self) -> StepResult {
        let Some((_, terms)) = self.feature(|_, terms| terms["type"] == "credits")? else {
            return Err(skipped("the catalog has no credits"));
        };
        let unit = word(terms, "unit");
        let before = self.balance(unit).await?;
        let grant = json!({
            "action": "grant", "unit": unit, "amount": 2, "reason": "farebox smoke",
        });
        let (key, path) = (format!("{}-grant", self.user), "/api/credits");
        let admin = self.options.admin_key.as_ref().unwrap_or(&self.options.service_key);
        let granted = self.call_with(admin, Method::POST, path, Some(&grant), Some(&key)).await?;
        granted.expect(200).map_err(of_admin_key)?;
        let (spend, key) = (
            json!({ "action": "spend", "unit": unit, "amount": 1 }),
            format!("{}-spend", self.user),
        );
        for _ in 0..2 {
            self.call_for_user(Method::POST, path, Some(&spend), Some(&key)).await?.expect(200)?;
        }
        match self.balance(unit).await? {
            after if after == before + 1 => {
                Ok(format!("{unit}: 2 granted, two spends with one key took 1"))
            }
            after => {
                let expected = before + 1;
                Err(failed(format!("the balance of {unit} is {after}, not {expected}"), REPORT))
            }
        }
    }

    async fn balance(&self, unit: &str) -> Result<i64, Unpassed> {
        let path = format!("/api/credits?unit={unit}");
        let page = self.call_for_user(Method::GET, &path, None, None).await?.expect(200)?;
        Ok(page["credits"][0]["balance"].as_i64().unwrap_or_default())
    }

    /// Finds a feature in the user's entitlements.
    fn feature(
        &self,
        fits: impl Fn(&str, &Value) -> bool,
    ) -> Result<Option<(&String, &Value)>, Unpassed> {
        let Some(entitlements) = &self.entitlements else {
            return Err(skipped("the entitlements are not known"));
        };
        let features = entitlements["features"].as_object().into_iter().flatten();
        Ok(features.into_iter().find(|(key, terms)| fits(key, terms)))
    }
}

/// True if the feature is metered, and its limit allows one more.
fn has_room(terms: &Value) -> bool {
    terms["type"] == "metered" && terms["remaining"].as_u64().is_none_or(|remaining| remaining > 0)
}

fn of_admin_key(unpassed: Unpassed) -> Unpassed {
    match unpassed {
        Unpassed::Failed { found, fix } if found.starts_with("401") => {
            failed(format!("the admin key is refused: {found}"), fix)
        }
        other => other,
    }
}
