// What Farebox's routes take and answer. Rendered from the endpoint table by `farebox render`.

/** A plan given by an operator that is in effect. */
export interface ActivePlanComp {
  /** Null if it lasts until it is replaced. */
  endsAt: string | null;
  plan: string;
  startsAt: string;
}

/** How often a price is billed. */
export type BillingInterval = "weekly" | "monthly" | "quarterly" | "yearly";

/** A feature that is on or off. */
export interface BooleanEntitlement {
  enabled: boolean;
  name: string;
  type: "boolean";
}

/** A feature that is on or off. */
export interface BooleanPlanFeature {
  enabled: boolean;
  name: string;
  type: "boolean";
}

/** The result of warming the entitlement cache. */
export interface CacheWarmUpReport {
  /** Whether the run reached the last user. If not, the next run continues. */
  isComplete: boolean;
  /** Why the run stopped early. */
  problem: string | null;
  /** The number of users whose entitlements were written to Redis. */
  shown: number;
}

/**
 * When a canceled subscription ends.
 * - `period_end`: When the paid period ends.
 * - `now`: At once.
 */
export type CancellationTime = "period_end" | "now";

/** The plans and credit packs on sale. */
export interface Catalog {
  packs: Array<CatalogPack>;
  /** In the catalog's order, usually from the cheapest to the most expensive. */
  plans: Array<CatalogPlan>;
}

/** The key of a plan or a credit pack in the catalog: `pro`, `mail_credits_10`. */
export type CatalogKey = string;

/** A credit pack on sale: a number of credits for one payment. */
export interface CatalogPack {
  /** The price in minor units, such as cents. */
  amountMinor: number;
  /** The number of credits in one pack. */
  credits: number;
  /** The price in other currencies, in minor units. */
  currencies: Record<string, number>;
  /** The currency of `amountMinor`. */
  currency: string;
  description: string;
  /** Null if the credits do not expire. */
  expiresAfterDays: number | null;
  /** The pack's key, which a checkout takes as `pack`. */
  key: string;
  /** The most packs in one checkout; null if the pack sets no limit. */
  maxQuantity: number | null;
  name: string;
  /** The unit of the credits, such as `mail_credit`. */
  unit: string;
  /** Rises with every change of the pack. */
  version: number;
}

/** A plan on sale. */
export interface CatalogPlan {
  /** Whether this is the plan of users who pay nothing. */
  default: boolean;
  description: string;
  /** What the plan includes of every feature of the catalog, by the feature's key. */
  features: Record<string, PlanFeature>;
  /** The plan's key, which a checkout takes as `tier`. */
  key: string;
  name: string;
  /** One price for each billing interval, the shortest first; empty for a free plan. */
  prices: Array<CatalogPrice>;
  /** The length of the free trial in days; 0 for none. */
  trialDays: number;
  /** Rises with every change of the plan. Subscribers keep the version they bought. */
  version: number;
}

/** The price of a plan for one billing interval. */
export interface CatalogPrice {
  /** The price in minor units, such as cents. */
  amountMinor: number;
  /** The price in other currencies, in minor units. */
  currencies: Record<string, number>;
  /** The currency of `amountMinor`. */
  currency: string;
  interval: BillingInterval;
  /** Whether the price is for each seat. */
  perSeat: boolean;
}

/** A change of a user's credits. */
export interface ChangeCreditsRequest {
  action: CreditAction;
  /** The number of credits. Positive; `adjust` also accepts negative numbers. */
  amount: SignedCount;
  /** For `grant`: when the credits expire. Absent means never. */
  expiresAt?: string | null;
  /** The app's own data. The ledger is kept when an account is deleted, so it must not contain personal data. */
  metadata?: Metadata | null;
  /** For `grant`: of credits that expire at the same time, the lowest priority is spent first; 50 if absent. */
  priority?: CreditPriority | null;
  /** Why the credits change. Required for `grant` and `adjust`. The user can read it. */
  reason?: Reason | null;
  /** The unit of credits, as the catalog names it. */
  unit: CatalogKey;
  /** The user whom the request is about, as in the query. */
  userId?: string;
}

/** A change of a subscription. `action` decides which other fields are accepted. */
export interface ChangeSubscriptionRequest {
  action: SubscriptionAction;
  /** For `change`: the new billing interval. */
  interval?: BillingInterval | null;
  /** For `change`: the new number of seats. */
  quantity?: Quantity | null;
  /** For `cancel`: the customer's reason. */
  reason?: Reason | null;
  /** For `change`: the key of the new plan. */
  tier?: CatalogKey | null;
  /** The user whom the request is about, as in the query. */
  userId?: string;
  /** For `cancel`: when the subscription ends; `period_end` if absent. */
  when?: CancellationTime | null;
}

/** The text of a conversation, kept in the user's history. */
export type ChatContent = string;

/** A short summary of a conversation. */
export type ChatSummary = string;

/** One feature to check, in `feature` and `quantity`, or up to 50 in `checks`. */
export interface CheckRequest {
  /** Several checks, answered in the same order. */
  checks?: Array<FeatureCheck> | null;
  /** The feature's key in the catalog. Not together with `checks`. */
  feature?: CatalogKey | null;
  /** The intended usage, or the credits needed; 1 if absent. Not together with `checks`. */
  quantity?: PositiveCount;
  /** The user whom the request is about, as in the query. */
  userId?: string;
}

/** The result of the check or, for a request with `checks`, an object whose `checks` has the result of each. */
export type CheckResponse = FeatureCheckResult | {
  checks: Array<FeatureCheckResult>;
};

/** What a Checkout session sells: `subscription` a plan, `payment` a credit pack. Stripe may add words. */
export type CheckoutMode = "subscription" | "payment" | (string & {});

/** The purchase: a plan in `tier` and `interval`, or a credit pack in `pack`. */
export interface CheckoutRequest {
  /** Where Stripe sends a customer who goes back, on one of the app's origins. */
  cancelUrl: string;
  /** A currency that the plan or pack is sold in; its main currency if absent. */
  currency?: Currency | null;
  /** The customer's e-mail address, for receipts. A service key may send it in `x-user-email` instead. Before the first completed checkout, notices of usage and credits go only to an address that a service key or an admin sent. */
  email?: Email | null;
  /** How often the plan is billed. Required with `tier`. */
  interval?: BillingInterval | null;
  /** The credit pack's key in the catalog. */
  pack?: CatalogKey | null;
  /** The number of seats of a plan that has seats, or of packs; 1 if absent. */
  quantity?: Quantity | null;
  /** Where Stripe sends the customer after the payment, on one of the app's origins. Stripe replaces `{CHECKOUT_SESSION_ID}` in it with the session's id. */
  successUrl: string;
  /** The plan's key in the catalog. Not together with `pack`. */
  tier?: CatalogKey | null;
  /** The user whom the request is about, as in the query. */
  userId?: string;
}

/** The Checkout session that was created. */
export interface CheckoutResponse {
  sessionId: string;
  /** The page where the customer pays. */
  url: string;
}

/** The state of a Checkout session and of the purchase in it. */
export interface CheckoutSession {
  /** The total in minor units, such as cents. */
  amountMinor: number | null;
  currency: string | null;
  interval: BillingInterval | null;
  mode: CheckoutMode;
  /** The key of the credit pack that is bought. */
  pack: string | null;
  paymentStatus: PaymentStatus | null;
  /** The key of the plan that is bought. */
  plan: string | null;
  /** The number of seats, or of packs. */
  quantity: number | null;
  sessionId: string;
  status: CheckoutStatus;
  /** The status of the subscription that the purchase created; null before it exists. */
  subscriptionStatus: SubscriptionStatus | null;
}

/** The status of a Checkout session, in Stripe's words. Stripe may add words. */
export type CheckoutStatus = "open" | "complete" | "expired" | (string & {});

/**
 * How a user's credits change.
 * - `spend`: Takes credits, if the balance has as many.
 * - `grant`: Gives credits. Only a service key or an admin may.
 * - `adjust`: Corrects a balance up or down, below zero too. Only a service key or an admin may.
 */
export type CreditAction = "spend" | "grant" | "adjust";

/** Credits that are going to expire. */
export interface CreditExpiry {
  /** The number of credits. */
  amount: number;
  at: string;
}

/** What is left of one credit grant. */
export interface CreditGrantBalance {
  /** The number of credits granted. */
  amount: number;
  createdAt: string;
  /** Null if the credits do not expire. */
  expiresAt: string | null;
  kind: CreditGrantSource;
  /** Of grants that expire at the same time, the lowest priority is spent first. */
  priority: number;
  /** The number of credits left. */
  remaining: number;
}

/** Where granted credits come from. */
export type CreditGrantSource = "purchase" | "plan" | "grant" | "adjust" | "opening";

/** The order in which credit grants that expire at the same time are spent: the lowest first, 0 to 100. */
export type CreditPriority = number;

/** A user's balance of one unit of credits, and the grants it consists of. */
export interface CreditUnitBalance {
  /** Negative if a clawback took more credits than the user had left; nothing can be spent then. */
  balance: number;
  /** When the next credits expire; null if none do. */
  expiresAt: string | null;
  /** The number of credits that expire at `expiresAt`. */
  expiring: number | null;
  /** The number of open credit grants; 1000 stands for 1000 and more. */
  grantCount: number;
  /** The user's first 100 open credit grants, in the order in which they are spent. */
  grants: Array<CreditGrantBalance>;
  unit: string;
}

/** Credits that the plan grants in each billing period. */
export interface CreditsEntitlement {
  /** The number of credits for one billing period. The balance is in `credits`. */
  amount: number;
  name: string;
  type: "credits";
  unit: string;
}

/** Credits that the plan grants in each billing period. */
export interface CreditsPlanFeature {
  amount: number;
  every: GrantInterval;
  name: string;
  /** Whether unspent credits stay for the next period. Absent means false. */
  rollover?: boolean;
  type: "credits";
  unit: string;
}

/** A currency as Stripe writes it: `usd`. */
export type Currency = string;

/** Usage of a metered feature in the current period. */
export interface CurrentUsage {
  /** The feature's key in the catalog. */
  feature: string;
  /** The plan's limit for a period; null if the plan sets none. */
  limit: number | null;
  /** Usage beyond a soft limit. */
  overage: number;
  periodStart: string;
  /** When the count returns to zero; null if it never does. */
  resetsAt: string | null;
  used: number;
}

/** What one run of the daily job did. */
export interface DailyReport {
  /** The number of rows deleted from each table, or cleared of what expired. The table `retention` says how long each keeps its rows. */
  deleted: Record<string, number>;
  /** The monthly partitions made and dropped. */
  partitions: PartitionReport;
  /** The result of the comparison with Stripe. */
  reconciled: ReconciliationReport;
  /** The result of warming the entitlement cache. */
  warmed: CacheWarmUpReport;
}

/** The result of delivering outbox messages: e-mails, alerts and updates of other systems. */
export interface DeliveryReport {
  /** Messages that were delivered, or had no recipient. */
  delivered: number;
  /** Messages that failed permanently. */
  givenUp: number;
  /** Messages that will be tried again. */
  retried: number;
}

/** Whether a store answers. */
export type DependencyStatus = "up" | "down";

/** An e-mail address. Its form is checked; whether mail arrives is not. */
export type Email = string;

/** A user's balance of one unit of credits. */
export interface EntitledCredits {
  /** Negative if a clawback took more credits than the user had left; nothing can be spent then. */
  balance: number;
  /** The credits that expire next; null if none do. */
  nextExpiry: CreditExpiry | null;
}

/** What a user may use of one feature. */
export type EntitledFeature = BooleanEntitlement | MeteredEntitlement | CreditsEntitlement;

/** A user's plan, what they may use, and their credit balances. */
export interface Entitlements {
  /** When the subscription is going to end, if it was canceled. */
  cancelAt: string | null;
  cancelAtPeriodEnd: boolean;
  /** The balance of each unit of credits, by the unit. */
  credits: Record<string, EntitledCredits>;
  currentPeriodEnd: string | null;
  currentPeriodStart: string | null;
  /** Every feature of the catalog, by its key. */
  features: Record<string, EntitledFeature>;
  /** Null for a plan that is not paid for. */
  interval: BillingInterval | null;
  /** The plan's key in the catalog. */
  plan: string;
  planName: string;
  planVersion: number;
  /** The number of seats. */
  quantity: number | null;
  source: PlanSource;
  status: SubscriptionStatus;
  trialEnd: string | null;
  /** Rises with changes of the plan, usage and credits. Of two responses the one with the greater version is newer. */
  version: number;
}

/**
 * What kind of problem it is. Stable, for programs to match on.
 * - `account_erased` (403): The user's account has been deleted.
 * - `admin_only` (403): Only an admin may call this.
 * - `already_subscribed` (409): The user has a subscription. Change it instead of buying another.
 * - `auth_keys_unavailable` (503): The identity provider's keys could not be fetched. Try again.
 * - `body_too_large` (413): The body is longer than this route accepts.
 * - `broken_body` (400): The body ended before it was complete.
 * - `cancellation_pending` (409): The subscription is going to end. Resume it first.
 * - `change_planned` (409): A change is scheduled for the end of the period. Resume first to undo it.
 * - `database_unavailable` (503): Postgres did not answer. Try again, with the same Idempotency-Key.
 * - `expired_token` (401): The token has expired. Send a new one.
 * - `foreign_host` (403): The request was made for another host.
 * - `idempotency_key_reused` (422): The Idempotency-Key came with another request. Use a new one.
 * - `insufficient_credits` (402): The balance is smaller than the amount to spend.
 * - `internal` (500): Something went wrong in Farebox. `requestId` finds it in the log.
 * - `invalid_host` (400): The Host header is missing or malformed.
 * - `invalid_input` (400): A field, query parameter or header has a value that is not accepted.
 * - `invalid_signature` (400): The Stripe-Signature header does not match the body, or is too old.
 * - `invalid_token` (401): The bearer token is not one that Farebox trusts.
 * - `invalid_transfer_encoding` (400): The Transfer-Encoding header is not one that is understood.
 * - `malformed_event` (400): The body is not a Stripe event.
 * - `malformed_json` (400): The body is not a JSON object.
 * - `method_not_allowed` (405): The path does not answer this method.
 * - `missing_body` (400): This route takes a JSON body.
 * - `missing_token` (401): Send one Authorization header with a bearer token.
 * - `no_customer` (409): The user has not bought anything yet, so there is no customer at Stripe.
 * - `no_subscription` (409): The user has no subscription to change.
 * - `not_found` (404): There is nothing at this path.
 * - `not_in_good_standing` (409): The subscription has an unpaid invoice. It must be paid first.
 * - `nothing_is_sold` (404): No catalog is published yet.
 * - `nothing_to_resume` (409): The subscription is neither paused, nor canceled, nor about to change.
 * - `other_user` (403): A user's token may only act for that user.
 * - `payload_forgotten` (409): The event's payload was deleted after 30 days. Resolve it instead.
 * - `payment_confirmation_required` (402): The bank wants the customer to confirm the payment at `paymentUrl`. Nothing changes until then.
 * - `payment_failed` (402): The payment failed. The customer can pay at `paymentUrl`, if it is there.
 * - `quota_exceeded` (402): The usage would exceed the plan's hard limit. Nothing was counted.
 * - `rate_limited` (429): Too many requests. Try again after the seconds in Retry-After.
 * - `redis_unavailable` (503): Redis did not answer. Try again, with the same Idempotency-Key.
 * - `request_in_progress` (409): Another request of this user to Stripe is in progress. Try again.
 * - `service_only` (403): Only a service key or an admin may do this.
 * - `session_not_found` (404): The user has no such Checkout session.
 * - `slow_body` (408): The body took too long to arrive.
 * - `storage_rate_limited` (429): The caller's requests store too much data a minute. Try again later.
 * - `stripe_unavailable` (503): Stripe did not answer. Try again, with the same Idempotency-Key.
 * - `subscription_changed` (409): The subscription has changed at Stripe. Get it again.
 * - `subscription_not_found` (404): There is no such subscription, or it belongs to another user.
 * - `trial_already_used` (409): The user has had a trial since the first request with this Idempotency-Key.
 * - `unsupported_media_type` (415): Send the body with Content-Type: application/json.
 * - `webhook_not_found` (404): No event with this id has failed.
 * - `webhook_resolved` (409): This event was settled before.
 */
export type ErrorCode = "account_erased" | "admin_only" | "already_subscribed" | "auth_keys_unavailable" | "body_too_large" | "broken_body" | "cancellation_pending" | "change_planned" | "database_unavailable" | "expired_token" | "foreign_host" | "idempotency_key_reused" | "insufficient_credits" | "internal" | "invalid_host" | "invalid_input" | "invalid_signature" | "invalid_token" | "invalid_transfer_encoding" | "malformed_event" | "malformed_json" | "method_not_allowed" | "missing_body" | "missing_token" | "no_customer" | "no_subscription" | "not_found" | "not_in_good_standing" | "nothing_is_sold" | "nothing_to_resume" | "other_user" | "payload_forgotten" | "payment_confirmation_required" | "payment_failed" | "quota_exceeded" | "rate_limited" | "redis_unavailable" | "request_in_progress" | "service_only" | "session_not_found" | "slow_body" | "storage_rate_limited" | "stripe_unavailable" | "subscription_changed" | "subscription_not_found" | "trial_already_used" | "unsupported_media_type" | "webhook_not_found" | "webhook_resolved";

/** An event of Stripe's, by its id. */
export type EventId = string;

/** What an event of Stripe's is about: `invoice.paid`. */
export type EventType = string;

/** A Stripe event that Farebox could not apply, and its state. */
export interface FailedWebhook {
  /** The number of failed attempts. */
  attempts: number;
  /** Why the last attempt failed. */
  cause: string;
  /** When Stripe created the event. */
  createdAt: string;
  /** The Stripe customer whom the event is about. */
  customerId: string | null;
  /** When Farebox first failed to apply it. */
  failedAt: string;
  /** The id of the Stripe event. */
  id: string;
  /** When the minute job retries it; null if it is settled or needs an operator. */
  nextTryAt: string | null;
  /** The operator's reason for setting it aside. */
  note: string | null;
  /** The Stripe payment intent or charge that the event is about. */
  paymentId: string | null;
  /** When it was settled; null while it is open. */
  resolvedAt: string | null;
  resolvedBy: WebhookResolution | null;
  /** When it was last retried. */
  retriedAt: string | null;
  /** The type of the Stripe event, such as `invoice.paid`. */
  type: string;
  /** The user whom the event is about, if known. */
  userId: string | null;
}

/**
 * What to do with a failed webhook.
 * - `replay`: Apply the event again now.
 * - `resolve`: Set the event aside without applying it.
 */
export type FailedWebhookAction = "replay" | "resolve";

/** A page of failed webhooks. */
export interface FailedWebhookPage {
  /** The webhooks, the latest failure first. */
  data: Array<FailedWebhook>;
  /** The cursor of the next page; null on the last page. */
  nextCursor: string | null;
}

/** A failed webhook with the event that Stripe sent. */
export interface FailedWebhookWithPayload {
  /** The number of failed attempts. */
  attempts: number;
  /** Why the last attempt failed. */
  cause: string;
  /** When Stripe created the event. */
  createdAt: string;
  /** The Stripe customer whom the event is about. */
  customerId: string | null;
  /** When Farebox first failed to apply it. */
  failedAt: string;
  /** The id of the Stripe event. */
  id: string;
  /** When the minute job retries it; null if it is settled or needs an operator. */
  nextTryAt: string | null;
  /** The operator's reason for setting it aside. */
  note: string | null;
  /** The event as Stripe sent it; null after 30 days, when Farebox deletes the payload. */
  payload: unknown;
  /** The Stripe payment intent or charge that the event is about. */
  paymentId: string | null;
  /** When it was settled; null while it is open. */
  resolvedAt: string | null;
  resolvedBy: WebhookResolution | null;
  /** When it was last retried. */
  retriedAt: string | null;
  /** The type of the Stripe event, such as `invoice.paid`. */
  type: string;
  /** The user whom the event is about, if known. */
  userId: string | null;
}

/** A page of failed webhooks or, if the query names an `id`, one of them with its payload. A page has `data`; a single webhook has `payload`. */
export type FailedWebhooksResponse = FailedWebhookWithPayload | FailedWebhookPage;

/** One of several checks. */
export interface FeatureCheck {
  /** The feature's key in the catalog. */
  feature: CatalogKey;
  /** The intended usage, or the credits needed; 1 if absent. */
  quantity?: PositiveCount;
}

/** Whether a user may use a feature now. */
export interface FeatureCheckResult {
  allowed: boolean;
  /** The usage or the credits left; null if the feature is unlimited or not counted. */
  balance: number | null;
  /** The feature's key in the catalog. */
  feature: string;
  /** Why the feature may not be used; null if it may. */
  reason: RefusalReason | null;
  /** When the count returns to zero; null if it never does, or if nothing is counted. */
  resetsAt: string | null;
  /** The key of the lowest plan on sale that would allow it; null if it is allowed, or if no plan would. */
  upgradeTo: string | null;
}

/** A field of a subscription that differs between Farebox and Stripe. */
export interface FieldDifference {
  field: string;
  /** Farebox's value; null for a subscription that Farebox did not know. */
  ours: unknown;
  /** Stripe's value. */
  stripes: unknown;
}

/** One thing wrong with the input. */
export interface FieldError {
  /** The field, as a path from the top of the input: `score`, `items[2].quantity`. */
  field: string;
  /** What is wrong with it, in words. */
  message: string;
}

/**
 * When a plan grants its credits.
 * - `billing_period`: At the start of each billing period, monthly with yearly plans too.
 */
export type GrantInterval = "billing_period";

/** An operator's decision about a failed webhook. */
export interface HandleFailedWebhookRequest {
  action: FailedWebhookAction;
  id: EventId;
  /** The reason for setting the event aside. Required for `resolve`, refused for `replay`. */
  note?: Reason | null;
}

/** The sign that a process answers. */
export interface HealthResponse {
  /** Always `ok`. A process that is not well does not answer. */
  status: "ok";
}

/** The result of one page of the ledger audit. */
export interface LedgerAuditReport {
  /** The cursor of the next page; null when the whole ledger has been checked. */
  nextCursor: string | null;
  /** The inconsistencies found. A page ends after about a hundred of them, or after five seconds. */
  problems: Array<LedgerProblem>;
  /** The number of ledger entries checked. */
  rows: number;
  /** The number of users whose balances were checked. */
  users: number;
}

/** One movement of credits. Entries are never changed or deleted. */
export interface LedgerEntry {
  /** Positive for credits received, negative for credits taken. */
  amount: number;
  /** The balance after this entry. */
  balance: number;
  createdAt: string;
  /** The unit and the entry's number among the user's entries of that unit: `mail_credit:7`. */
  id: string;
  kind: LedgerEntryKind;
  /** The metadata that the app sent with the request. */
  metadata: Metadata | null;
  reason: string | null;
  /** The Checkout session in which the credits were bought. */
  sessionId: string | null;
  /** The unit of credits, such as `mail_credit`. */
  unit: string;
}

/** What a ledger entry records: `purchase` a credit pack, `plan` the credits of a billing period, `grant` credits given by an operator, `spend` a spending, `refund` and `dispute` a clawback or its reversal, `expiry` credits that expired, `adjust` a correction, `opening` a balance brought from another system. */
export type LedgerEntryKind = "purchase" | "plan" | "grant" | "spend" | "refund" | "dispute" | "expiry" | "adjust" | "opening";

/** A user's credit balances and a page of their ledger. */
export interface LedgerPage {
  /** The balance of each unit of credits. */
  credits: Array<CreditUnitBalance>;
  /** Ledger entries, the latest first. */
  data: Array<LedgerEntry>;
  /** The cursor of the next page; null on the last page. */
  nextCursor: string | null;
}

/** One inconsistency in the credit ledger or in a balance. */
export interface LedgerProblem {
  /** The problem, in words. */
  problem: string;
  /** The number of the ledger entry; null if the problem is in the balance. */
  seq: number | null;
  /** The unit of the ledger entry; null if the problem is in the balance. */
  unit: string | null;
  userId: string;
}

/** The app's own data: a JSON object of at most 4 KB as text, without NUL characters. */
export type Metadata = Record<string, unknown>;

/** A feature whose usage is counted. */
export interface MeteredEntitlement {
  /** The plan's limit for a period; null if usage is unlimited. */
  limit: number | null;
  name: string;
  overage: OveragePolicy;
  /** The usage left; null if usage is unlimited. */
  remaining: number | null;
  /** When the count returns to zero; null if it never does. */
  resetsAt: string | null;
  type: "metered";
  unit: string;
  /** Usage in the current period. */
  used: number;
}

/** A feature whose usage is counted. A hard limit of 0 means that the plan does not include it; a limit of null, that usage is unlimited. */
export interface MeteredPlanFeature {
  limit: number | null;
  name: string;
  overage: OveragePolicy;
  reset: UsageReset;
  type: "metered";
  unit: string;
}

/** What one run of the minute job did. */
export interface MinuteReport {
  /** The outbox messages that were due. */
  messages: DeliveryReport;
  /** The number of failed webhooks that were applied. */
  replayed: number;
  /** The number of users whose entitlement was recomputed because time changed it: a plan, a comp or credits began or ended. */
  settled: number;
  /** The number of failed webhooks that failed again. */
  stillFailing: number;
}

/** A user's mood, from 0 to 10. Decimals are allowed. */
export type MoodScore = number;

/**
 * What happens at the limit of a metered feature.
 * - `hard`: Usage beyond the limit is refused.
 * - `soft`: Usage beyond the limit is allowed, and counted as overage.
 */
export type OveragePolicy = "hard" | "soft";

/** The partitions, of one month each, that a run of the daily job made and dropped. */
export interface PartitionReport {
  /** The partitions dropped with all their rows. */
  dropped: Array<string>;
  /** The partitions made for this month and the next two. */
  made: Array<string>;
  /** The partitions that could not be made or dropped, because of a lock or of rows that are already in the default partition. */
  postponed: Array<string>;
}

/** Whether a Checkout session is paid: `unpaid` waits for a delayed payment method, `no_payment_required` is a trial. Stripe may add words. */
export type PaymentStatus = "paid" | "unpaid" | "no_payment_required" | (string & {});

/** A change that waits for its payment. */
export interface PendingSubscriptionChange {
  /** When Stripe drops the change if it is still unpaid. */
  expiresAt: string;
  interval: BillingInterval | null;
  plan: string | null;
  quantity: number;
}

/** A plan given by an operator, without a subscription. */
export interface PlanComp {
  /** When the comp ends. Absent means that it lasts until it is replaced. */
  endsAt?: string | null;
  plan: PlanName;
  /** Why the plan is given, for the audit trail. */
  reason?: Reason | null;
  /** The user whom the request is about, as in the query. */
  userId?: string;
}

/** What a plan includes of one feature. */
export type PlanFeature = BooleanPlanFeature | MeteredPlanFeature | CreditsPlanFeature;

/** A plan's name or its key in the catalog. */
export type PlanName = string;

/** Where a plan comes from: `stripe` is a subscription, `grant` a comp given by an operator, `default` the plan of users who pay nothing. */
export type PlanSource = "stripe" | "grant" | "default";

/** A visit to the customer portal. */
export interface PortalRequest {
  /** Where the portal's back link leads, on one of the app's origins. */
  returnUrl: string;
  /** The user whom the request is about, as in the query. */
  userId?: string;
}

/** The portal session that was created. */
export interface PortalResponse {
  /** The portal's page for this customer. It is short-lived; give it to no other user. */
  url: string;
}

/** A count of usage or credits: a positive integer that JavaScript represents exactly. */
export type PositiveCount = number;

/** The body of every response that is not a success (RFC 9457, `application/problem+json`). `code` says what kind of problem it is, and which of the optional fields it has. */
export interface Problem {
  /** With `insufficient_credits`: the balance. */
  balance?: number;
  code: ErrorCode;
  /** With `quota_exceeded`: the usage in the current period. */
  current?: number;
  /** What is wrong and what to do, for people. The wording may change. */
  detail: string;
  /** With `invalid_input` and `malformed_json`: what is wrong, field by field. */
  errors?: Array<FieldError>;
  /** With `quota_exceeded`: the plan's limit for a period. */
  limit?: number | null;
  /** With `insufficient_credits`: the number of credits that were asked for. */
  needed?: number;
  /** With `payment_failed` and `payment_confirmation_required`: the page where the user can pay or confirm the payment, if there is one. */
  paymentUrl?: string;
  /** With `quota_exceeded`: the key of the feature. */
  quota?: string;
  /** The id of this request in Farebox's log, as in the header `X-Request-Id`. */
  requestId: string;
  /** With `quota_exceeded`: when the count returns to zero; null if it never does. */
  resetsAt?: string | null;
  status: number;
  /** The HTTP status in words. */
  title: string;
  /** Always `about:blank`. */
  type: "about:blank";
  /** With `insufficient_credits`: the unit of credits. */
  unit?: string;
}

/** A number of seats, or of credit packs: 1 to 10,000. */
export type Quantity = number;

/** The subject that a rate limit counts by: a user id, an IP address, or any other key of the app's. */
export type RateLimitIdentifier = string;

/** Units to take from a rate limit. */
export interface RateLimitRequest {
  /** The name of a limit in the setting `RATE_LIMITS`, such as `review-code`. */
  action: string;
  /** The number of units to take; 1 if absent. */
  cost?: number;
  identifier: RateLimitIdentifier;
}

/** Whether a rate limit allows an action. */
export interface RateLimitResponse {
  /** Whether the units were taken. If not, nothing was. */
  allowed: boolean;
  /** The number of units in the whole limit. */
  limit: number;
  /** The number of units left. */
  remaining: number;
  /** When the whole limit is available again. */
  resetsAt: string;
}

/** Which of the stores that requests need answer. */
export interface ReadinessResponse {
  postgres: DependencyStatus;
  redis: DependencyStatus;
  /** `degraded` if any store is down. */
  status: "ready" | "degraded";
}

/** Why something was done, in somebody's own words. */
export type Reason = string;

/** An event or a subscription that could not be applied. */
export interface ReconciliationFailure {
  /** The id of the event or the subscription at Stripe. */
  id: string;
  problem: string;
}

/** The result of a comparison with Stripe. */
export interface ReconciliationReport {
  /** The number of missed events that this run applied. */
  applied: number;
  /** The first hundred of them, with the fields that differ. */
  drifted: Array<SubscriptionDrift>;
  /** The number of subscriptions that Farebox stored differently from Stripe. */
  drifts: number;
  /** The first hundred events and subscriptions that could not be applied. */
  failed: Array<ReconciliationFailure>;
  /** The number of subscriptions to prices outside the catalog. */
  foreign: number;
  /** Whether the run reached the end. If not, the next run continues. */
  isComplete: boolean;
  /** The number of events and subscriptions that Stripe listed. */
  lookedAt: number;
  /** The number of events that no webhook had delivered. */
  missedEvents: number;
  /** The ids of the first hundred open subscriptions that Stripe does not list. Farebox keeps them. */
  missingAtStripe: Array<string>;
  /** Why the run stopped early. */
  problem: string | null;
  /** The number of drifted subscriptions that this run repaired. */
  repaired: number;
  /** The number of subscriptions to a plan of the catalog that name no user: the customer pays, and no user has the plan. */
  unnamed: number;
  /** The ids of the first hundred unnamed subscriptions. */
  unnamedSubscriptions: Array<string>;
}

/**
 * Why a feature may not be used.
 * - `limit_reached`: Less is left than was asked for.
 * - `not_in_plan`: The plan does not include the feature.
 * - `past_due`: The subscription is not paid, and its grace period is over.
 * - `no_customer`: No catalog is published, so no plan could allow anything.
 */
export type RefusalReason = "limit_reached" | "not_in_plan" | "past_due" | "no_customer";

/** A conversation to count and remember. */
export interface SaveChatRequest {
  /** The text of the conversation. If present, it is kept in the user's history. */
  content?: ChatContent | null;
  /** A short summary, shown on the dashboard. */
  summary: ChatSummary;
  /** The user whom the request is about, as in the query. */
  userId?: string;
}

/** A change that takes effect when the current period ends. */
export interface ScheduledSubscriptionChange {
  /** When the change takes effect. */
  at: string;
  interval: BillingInterval;
  plan: string;
  quantity: number;
}

/** A user's mood. */
export interface SetMoodRequest {
  score: MoodScore;
  /** The user whom the request is about, as in the query. */
  userId?: string;
}

/** A change of a count: an integer other than 0 that JavaScript represents exactly. */
export type SignedCount = number;

/** A subscription, as Stripe has it. */
export interface Subscription {
  /** The price of one period in minor units, before discounts and taxes. */
  amountMinor: number | null;
  cancelAt: string | null;
  cancelAtPeriodEnd: boolean;
  canceledAt: string | null;
  /** Why the subscription was or is going to be canceled: the app's reason, or Stripe's word. */
  cancellationReason: string | null;
  createdAt: string;
  currency: string | null;
  currentPeriodEnd: string | null;
  currentPeriodStart: string | null;
  endedAt: string | null;
  /** The subscription's id at Stripe. */
  id: string;
  interval: BillingInterval | null;
  /** An upgrade that takes effect once it is paid. */
  pendingChange: PendingSubscriptionChange | null;
  plan: string | null;
  planName: string | null;
  /** The version of the plan that was bought. */
  planVersion: number | null;
  /** The number of seats. */
  quantity: number;
  /** A downgrade that takes effect when the period ends. */
  scheduledChange: ScheduledSubscriptionChange | null;
  trialEnd: string | null;
}

/**
 * What to do with a subscription.
 * - `change`: Change the plan, the interval or the number of seats. An upgrade is charged and takes effect now; a downgrade takes effect when the period ends.
 * - `cancel`: Cancel the subscription.
 * - `resume`: Undo a cancellation or a scheduled change, or end a pause.
 */
export type SubscriptionAction = "change" | "cancel" | "resume";

/** A subscription that Farebox stores differently from Stripe. */
export interface SubscriptionDrift {
  /** The fields that differ. */
  fields: Array<FieldDifference>;
  /** The subscription's id at Stripe. */
  id: string;
  /** The user who has the subscription, if known. */
  userId: string | null;
}

/** A subscription, by its id at Stripe. */
export type SubscriptionId = string;

/** A user's plan and the subscription behind it. */
export interface SubscriptionResponse {
  /** The plan given by an operator, which takes precedence over the subscription; null if there is none. */
  granted: ActivePlanComp | null;
  /** The key of the plan in effect, from whatever source; null before a catalog is published. */
  plan: string | null;
  planName: string | null;
  source: PlanSource | null;
  status: SubscriptionStatus;
  /** The current subscription or, if there is none, the last one. */
  subscription: Subscription | null;
  /** The user; null only in the replay of a response stored by an older version. */
  userId: string | null;
}

/** The status of a subscription, in Stripe's words; `none` for a user without a subscription. Stripe may add words. */
export type SubscriptionStatus = "active" | "trialing" | "past_due" | "canceled" | "unpaid" | "paused" | "incomplete" | "incomplete_expired" | "none" | (string & {});

/** One of several usage entries. */
export interface TrackUsageEntry {
  /** The key of a metered feature. */
  feature: CatalogKey;
  /** The app's own data, kept with the entry. */
  metadata?: Metadata | null;
  /** The usage to add; 1 if absent. */
  quantity?: PositiveCount;
}

/** One usage entry, in `feature`, `quantity` and `metadata`, or up to 100 in `entries`. */
export interface TrackUsageRequest {
  /** Several entries, answered in the same order. */
  entries?: Array<TrackUsageEntry> | null;
  /** The key of a metered feature. Not together with `entries`. */
  feature?: CatalogKey | null;
  /** The app's own data, kept with the entry. Not together with `entries`. */
  metadata?: Metadata | null;
  /** With `entries`: what happens if one of them exceeds its limit; `all` if absent. */
  mode?: UsageMode | null;
  /** The usage to add; 1 if absent. Not together with `entries`. */
  quantity?: PositiveCount;
  /** The user whom the request is about, as in the query. */
  userId?: string;
}

/**
 * What happens if one of several usage entries exceeds its limit.
 * - `all`: No entry is counted, and the request is refused.
 * - `each`: The other entries are counted.
 */
export type UsageMode = "all" | "each";

/** A user's current usage and a page of their past usage. */
export interface UsagePage {
  /** Usage of every metered feature in the current period. */
  current: Array<CurrentUsage>;
  /** Usage by period, the latest first. */
  data: Array<UsagePeriod>;
  /** The cursor of the next page; null on the last page. */
  nextCursor: string | null;
}

/** Usage of a metered feature in one period, past or current. */
export interface UsagePeriod {
  feature: CatalogKey;
  /** Usage beyond a soft limit. */
  overage: number;
  /** Null for a feature whose count never resets. */
  periodEnd: string | null;
  periodStart: string;
  used: number;
}

/**
 * When the count of a metered feature returns to zero.
 * - `month`: On the first day of each calendar month, UTC.
 * - `billing_period`: Monthly, counted from the day the subscription began; with yearly plans too.
 * - `day`: At midnight UTC.
 * - `never`: The count never returns to zero.
 */
export type UsageReset = "month" | "billing_period" | "day" | "never";

/** The result of the entry or, for a request with `entries`, an object whose `entries` has the result of each. */
export type UsageResponse = UsageResult | {
  entries: Array<UsageResult>;
};

/** The outcome of one usage entry. */
export interface UsageResult {
  /** Whether the usage was counted. False if it would exceed a hard limit. */
  allowed: boolean;
  /** The feature's key in the catalog. */
  feature: string;
  /** The plan's limit for a period; null if the plan sets none. */
  limit: number | null;
  /** Usage beyond a soft limit in the current period. */
  overage: number;
  /** When the count returns to zero; null if it never does. */
  resetsAt: string | null;
  /** Usage in the current period, this entry included. */
  used: number;
}

/** A user's live stats in the companion app, under the field names of the Redis hash. */
export interface UserStats {
  /** The number of conversations saved. */
  conversations: number;
  /** The number of days on which the user signed in. */
  days_active: number;
  /** The UTC date of the last sign-in; null before the first. */
  last_login: string | null;
  /** The number of consecutive days up to the last sign-in. */
  login_streak: number;
  /** The mood that was last set, from 0 to 10. */
  mood_score: number;
  /** The name of the user's plan. */
  plan: string;
  /** The summaries of the last three conversations, newest first. Farebox writes strings; another program that shares the hash may write other values. */
  recent_conversations: Array<unknown>;
}

/** How a failed webhook was settled: `applied` by a retry or by a later event, `operator` set aside by hand, `erased` together with its user. */
export type WebhookResolution = "applied" | "operator" | "erased";

/** The confirmation that Stripe expects. */
export interface WebhookResponse {
  /** Always true. */
  received: boolean;
}

/** Every route, by its method and path: what a request has, what a successful response is, and the codes of the problems it may answer instead. */
export interface Routes {
  /** deleteAccount: Delete an account. */
  "DELETE /api/account": {
    query: { "userId"?: string };
    headers: {};
    body: undefined;
    response: undefined;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "other_user" | "body_too_large" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable" | "redis_unavailable" | "stripe_unavailable";
  };
  /** verifyLedger: Verify the credit ledger. */
  "GET /api/admin/ledger": {
    query: { "cursor"?: string };
    headers: {};
    body: undefined;
    response: LedgerAuditReport;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "admin_only" | "body_too_large" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
  };
  /** listFailedWebhooks: List failed webhooks. */
  "GET /api/admin/webhooks": {
    query: { "id"?: EventId; "status"?: "open" | "resolved" | "all"; "type"?: EventType; "limit"?: number; "cursor"?: string };
    headers: {};
    body: undefined;
    response: FailedWebhooksResponse;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "admin_only" | "webhook_not_found" | "body_too_large" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
  };
  /** handleFailedWebhook: Replay or resolve a failed webhook. */
  "POST /api/admin/webhooks": {
    query: {};
    headers: {};
    body: HandleFailedWebhookRequest;
    response: FailedWebhook;
    errorCode: "broken_body" | "invalid_input" | "malformed_json" | "missing_body" | "expired_token" | "invalid_token" | "missing_token" | "admin_only" | "webhook_not_found" | "slow_body" | "payload_forgotten" | "webhook_resolved" | "body_too_large" | "unsupported_media_type" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable" | "stripe_unavailable";
  };
  /** saveChat: Save a conversation. */
  "POST /api/chat/save": {
    query: { "userId"?: string };
    headers: { "Idempotency-Key"?: string };
    body: SaveChatRequest;
    response: UserStats;
    errorCode: "broken_body" | "invalid_input" | "malformed_json" | "missing_body" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "other_user" | "slow_body" | "body_too_large" | "unsupported_media_type" | "idempotency_key_reused" | "rate_limited" | "storage_rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable" | "redis_unavailable";
  };
  /** checkFeatures: Check features. */
  "POST /api/check": {
    query: { "userId"?: string };
    headers: {};
    body: CheckRequest;
    response: CheckResponse;
    errorCode: "broken_body" | "invalid_input" | "malformed_json" | "missing_body" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "other_user" | "slow_body" | "body_too_large" | "unsupported_media_type" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
  };
  /** getCredits: Get credit balances and ledger. */
  "GET /api/credits": {
    query: { "userId"?: string; "unit"?: CatalogKey; "limit"?: number; "cursor"?: string };
    headers: {};
    body: undefined;
    response: LedgerPage;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "other_user" | "body_too_large" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
  };
  /** changeCredits: Spend, grant or adjust credits. */
  "POST /api/credits": {
    query: { "userId"?: string };
    headers: { "Idempotency-Key"?: string };
    body: ChangeCreditsRequest;
    response: LedgerEntry;
    errorCode: "broken_body" | "invalid_input" | "malformed_json" | "missing_body" | "expired_token" | "invalid_token" | "missing_token" | "insufficient_credits" | "account_erased" | "other_user" | "service_only" | "slow_body" | "body_too_large" | "unsupported_media_type" | "idempotency_key_reused" | "rate_limited" | "storage_rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
  };
  /** runDailyJob: Run the daily job. */
  "GET /api/cron/daily": {
    query: {};
    headers: {};
    body: undefined;
    response: DailyReport;
    errorCode: "invalid_token" | "missing_token" | "body_too_large" | "internal" | "database_unavailable" | "redis_unavailable";
  };
  /** runMinuteJob: Run the minute job. */
  "GET /api/cron/minute": {
    query: {};
    headers: {};
    body: undefined;
    response: MinuteReport;
    errorCode: "invalid_token" | "missing_token" | "body_too_large" | "internal" | "database_unavailable";
  };
  /** getDashboard: Get a user's live stats. */
  "GET /api/dashboard": {
    query: { "userId"?: string };
    headers: {};
    body: undefined;
    response: UserStats;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "other_user" | "body_too_large" | "rate_limited" | "internal" | "auth_keys_unavailable" | "redis_unavailable";
  };
  /** getEntitlements: Get entitlements. */
  "GET /api/entitlements": {
    query: { "userId"?: string };
    headers: {};
    body: undefined;
    response: Entitlements;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "other_user" | "nothing_is_sold" | "body_too_large" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
  };
  /** getHealth: Check that the process answers. */
  "GET /api/health": {
    query: {};
    headers: {};
    body: undefined;
    response: HealthResponse;
    errorCode: "body_too_large" | "internal";
  };
  /** getReadiness: Check that the stores answer. */
  "GET /api/health/ready": {
    query: {};
    headers: {};
    body: undefined;
    response: ReadinessResponse;
    errorCode: "body_too_large" | "rate_limited" | "internal";
  };
  /** setMood: Set a user's mood. */
  "PATCH /api/mood": {
    query: { "userId"?: string };
    headers: {};
    body: SetMoodRequest;
    response: UserStats;
    errorCode: "broken_body" | "invalid_input" | "malformed_json" | "missing_body" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "other_user" | "slow_body" | "body_too_large" | "unsupported_media_type" | "rate_limited" | "internal" | "auth_keys_unavailable" | "redis_unavailable";
  };
  /** setPlan: Comp a plan. */
  "PATCH /api/plan": {
    query: { "userId"?: string };
    headers: {};
    body: PlanComp;
    response: UserStats;
    errorCode: "broken_body" | "invalid_input" | "malformed_json" | "missing_body" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "service_only" | "slow_body" | "body_too_large" | "unsupported_media_type" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable" | "redis_unavailable";
  };
  /** listPlans: List plans and credit packs. */
  "GET /api/plans": {
    query: {};
    headers: { "If-None-Match"?: string };
    body: undefined;
    response: Catalog;
    errorCode: "invalid_input" | "body_too_large" | "rate_limited" | "internal" | "database_unavailable";
  };
  /** takeRateLimit: Take from a rate limit. */
  "POST /api/rate-limit": {
    query: {};
    headers: { "Idempotency-Key"?: string };
    body: RateLimitRequest;
    response: RateLimitResponse;
    errorCode: "broken_body" | "invalid_input" | "malformed_json" | "missing_body" | "expired_token" | "invalid_token" | "missing_token" | "service_only" | "slow_body" | "body_too_large" | "unsupported_media_type" | "idempotency_key_reused" | "internal" | "auth_keys_unavailable";
  };
  /** signOut: Record a sign-out. */
  "DELETE /api/session": {
    query: { "userId"?: string };
    headers: {};
    body: undefined;
    response: undefined;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "other_user" | "body_too_large" | "rate_limited" | "storage_rate_limited" | "internal" | "auth_keys_unavailable";
  };
  /** signIn: Record a sign-in. */
  "POST /api/session": {
    query: { "userId"?: string };
    headers: { "Idempotency-Key"?: string };
    body: undefined;
    response: UserStats;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "other_user" | "body_too_large" | "idempotency_key_reused" | "rate_limited" | "storage_rate_limited" | "internal" | "auth_keys_unavailable" | "redis_unavailable";
  };
  /** getCheckoutSession: Get a Checkout session. */
  "GET /api/stripe/checkout-session": {
    query: { "userId"?: string; "sessionId": string };
    headers: {};
    body: undefined;
    response: CheckoutSession;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "other_user" | "session_not_found" | "body_too_large" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable" | "stripe_unavailable";
  };
  /** createCheckoutSession: Create a Checkout session. */
  "POST /api/stripe/create-checkout-session": {
    query: { "userId"?: string };
    headers: { "x-user-email"?: Email; "Idempotency-Key"?: string };
    body: CheckoutRequest;
    response: CheckoutResponse;
    errorCode: "broken_body" | "invalid_input" | "malformed_json" | "missing_body" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "other_user" | "slow_body" | "already_subscribed" | "request_in_progress" | "trial_already_used" | "body_too_large" | "unsupported_media_type" | "idempotency_key_reused" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable" | "stripe_unavailable";
  };
  /** createPortalSession: Create a customer portal session. */
  "POST /api/stripe/create-portal-session": {
    query: { "userId"?: string };
    headers: { "Idempotency-Key"?: string };
    body: PortalRequest;
    response: PortalResponse;
    errorCode: "broken_body" | "invalid_input" | "malformed_json" | "missing_body" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "other_user" | "slow_body" | "no_customer" | "request_in_progress" | "body_too_large" | "unsupported_media_type" | "idempotency_key_reused" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable" | "stripe_unavailable";
  };
  /** receiveStripeWebhook: Receive a Stripe event. */
  "POST /api/stripe/webhook": {
    query: {};
    headers: { "Stripe-Signature": string };
    body: {
      data: Record<string, unknown>;
      id: string;
      type: string;
    };
    response: WebhookResponse;
    errorCode: "broken_body" | "invalid_signature" | "malformed_event" | "slow_body" | "body_too_large" | "internal" | "database_unavailable" | "stripe_unavailable";
  };
  /** getSubscription: Get a subscription. */
  "GET /api/subscription": {
    query: { "userId"?: string; "subscriptionId"?: SubscriptionId };
    headers: {};
    body: undefined;
    response: SubscriptionResponse;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "other_user" | "subscription_not_found" | "body_too_large" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
  };
  /** changeSubscription: Change, cancel or resume a subscription. */
  "PATCH /api/subscription": {
    query: { "userId"?: string };
    headers: { "Idempotency-Key"?: string };
    body: ChangeSubscriptionRequest;
    response: SubscriptionResponse;
    errorCode: "broken_body" | "invalid_input" | "malformed_json" | "missing_body" | "expired_token" | "invalid_token" | "missing_token" | "payment_confirmation_required" | "payment_failed" | "account_erased" | "other_user" | "slow_body" | "cancellation_pending" | "change_planned" | "no_subscription" | "not_in_good_standing" | "nothing_to_resume" | "request_in_progress" | "subscription_changed" | "body_too_large" | "unsupported_media_type" | "idempotency_key_reused" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable" | "stripe_unavailable";
  };
  /** getUsage: Get usage. */
  "GET /api/usage": {
    query: { "userId"?: string; "feature"?: CatalogKey; "limit"?: number; "cursor"?: string };
    headers: {};
    body: undefined;
    response: UsagePage;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "other_user" | "body_too_large" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
  };
  /** trackUsage: Report usage. */
  "POST /api/usage": {
    query: { "userId"?: string };
    headers: { "Idempotency-Key"?: string };
    body: TrackUsageRequest;
    response: UsageResponse;
    errorCode: "broken_body" | "invalid_input" | "malformed_json" | "missing_body" | "expired_token" | "invalid_token" | "missing_token" | "quota_exceeded" | "account_erased" | "other_user" | "slow_body" | "body_too_large" | "unsupported_media_type" | "idempotency_key_reused" | "rate_limited" | "storage_rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
  };
  /** receiveStripeWebhookAlias: Receive a Stripe event at the alternative path. */
  "POST /api/webhooks/stripe": {
    query: {};
    headers: { "Stripe-Signature": string };
    body: {
      data: Record<string, unknown>;
      id: string;
      type: string;
    };
    response: WebhookResponse;
    errorCode: "broken_body" | "invalid_signature" | "malformed_event" | "slow_body" | "body_too_large" | "internal" | "database_unavailable" | "stripe_unavailable";
  };
}
