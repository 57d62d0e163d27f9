//! Wrong inputs, which Farebox must refuse.

use axum::http::Method;
use serde_json::json;
use shared::config::Secret;

use super::client::{Answer, Call};
use super::purchase::WEBHOOK;
use super::story::{StepResult, Story, Unpassed, skipped};

/// A signature of the right form. Stripe's would have another digest.
const FALSE_SIGNATURE: &str =
    "t=1767225600,v1=0000000000000000000000000000000000000000000000000000000000000000";

impl Story<'_> {
    pub(super) async fn send_no_token(&self) -> StepResult {
        self.read(None, Some(&self.user)).await?.expect_problem(401, "missing_token")?;
        Ok("refused with 401".to_owned())
    }

    /// Sends a real user's token: the settings of the identity provider must accept it.
    pub(super) async fn send_user_token(&self) -> StepResult {
        let token = self.user_token()?;
        self.read(Some(token), None).await?.expect(200)?;
        Ok("accepted".to_owned())
    }

    /// Names the story's user with another user's token.
    pub(super) async fn name_another_user(&self) -> StepResult {
        let token = self.user_token()?;
        let answer = self.read(Some(token), Some(&self.user)).await?;
        answer.expect_problem(403, "other_user")?;
        Ok("refused with 403".to_owned())
    }

    pub(super) async fn send_false_signature(&self) -> StepResult {
        let event = json!({ "id": "evt_smoke", "object": "event", "type": "customer.updated" });
        let call =
            Call { stripe_signature: Some(FALSE_SIGNATURE), body: Some(&event), ..Call::default() };
        let answer = self.client.call(Method::POST, WEBHOOK, call).await?;
        answer.expect_problem(400, "invalid_signature")?;
        Ok("a webhook with a false signature is refused with 400".to_owned())
    }

    fn user_token(&self) -> Result<&Secret, Unpassed> {
        self.options.user_token.as_ref().ok_or_else(|| skipped("no user's token is given"))
    }

    async fn read(&self, token: Option<&Secret>, user: Option<&str>) -> Result<Answer, Unpassed> {
        let call = Call { token, user, ..Call::default() };
        self.client.call(Method::GET, "/api/entitlements", call).await
    }
}
