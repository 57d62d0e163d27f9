// An example of an app's use of docs/farebox.d.ts. The check compiles it and does not run it.
import type { EntitledFeature, Routes, SubscriptionResponse } from "../../docs/farebox";

type Sent<Route extends keyof Routes> = Pick<Routes[Route], "query" | "headers" | "body">;

declare function call<Route extends keyof Routes>(
  route: Route,
  sent: Sent<Route>,
): Promise<Routes[Route]["response"]>;

export async function track(key: string): Promise<number> {
  const body = { feature: "letters", quantity: 1 };
  const response = await call("POST /api/usage", { query: { userId: "user_1" }, headers: { "Idempotency-Key": key }, body });
  return "entries" in response ? response.entries.length : response.used;
}

/** The `type` of a feature determines its fields. */
export function remaining(feature: EntitledFeature): number | null {
  switch (feature.type) {
    case "boolean":
      return feature.enabled ? null : 0;
    case "metered":
      return feature.remaining;
    case "credits":
      return feature.amount;
  }
}

/** An editor suggests the known statuses. The type accepts unknown ones. */
export function isPastDue({ status }: SubscriptionResponse): boolean {
  return status === "past_due" || status === "a_future_status";
}

export function isOverQuota(code: Routes["POST /api/usage"]["errorCode"]): boolean {
  return code === "quota_exceeded";
}

// @ts-expect-error: the mood is a number.
void call("PATCH /api/mood", { query: {}, headers: {}, body: { score: "good" } });

const urls = { successUrl: "https://app.example/", cancelUrl: "https://app.example/" };
const buy = "POST /api/stripe/create-checkout-session";

void call(buy, { query: {}, headers: {}, body: { tier: "pro", interval: "monthly", ...urls } });
void call(buy, { query: {}, headers: {}, body: { pack: "ai_100", quantity: 2, ...urls } });
// @ts-expect-error: a plan and a pack are two purchases.
void call(buy, { query: {}, headers: {}, body: { tier: "pro", interval: "monthly", pack: "ai_100", ...urls } });
// @ts-expect-error: a plan needs an interval.
void call(buy, { query: {}, headers: {}, body: { tier: "pro", ...urls } });
// @ts-expect-error: an optional field is left out, never null.
void call(buy, { query: {}, headers: {}, body: { pack: "ai_100", quantity: null, ...urls } });
// @ts-expect-error: a grant needs a reason.
void call("POST /api/credits", { query: {}, headers: {}, body: { action: "grant", unit: "ai_credit", amount: 5 } });
