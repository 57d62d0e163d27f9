// The request and response types of Farebox's routes. Rendered from the endpoint table by `farebox render`.

/** The result of a deletion that is not yet complete. */
export interface AccountDeletion {
  status: AccountDeletionStatus;
}

/** - `pending`: The user is erased from the database. Stripe, Redis or the identity provider did not answer; Farebox retries until each has. */
export type AccountDeletionStatus = "pending";

/** A page of everything that Farebox stores about a user. */
export interface AccountExport {
  /** The records, by type in the order of the types, and within a type from the oldest on. */
  data: Array<AccountRecord>;
  /** The cursor of the next page; null on the last page. */
  nextCursor: string | null;
}

/** One thing that Farebox stores about a user. */
export interface AccountRecord {
  /** The fields of the record. A field that was added since this document was written can be among them. */
  data: Record<string, unknown>;
  type: AccountRecordType;
}

/**
 * The kind of a record of an account, in the order of the export.
 * - `stats`: The live stats of the companion app, as `GET /api/dashboard` returns them.
 * - `account`: The account itself, with the address that the user gave at a checkout.
 * - `customer`: A customer at Stripe, with the e-mail address that Stripe last reported.
 * - `entitlement`: The plan that the user has now.
 * - `subscription`: A subscription at Stripe.
 * - `subscription_preview`: A change of the subscription whose price was computed.
 * - `plan_comp`: A plan that an operator gave without Stripe.
 * - `checkout_session`: A checkout session at Stripe.
 * - `stripe_request`: A change that Farebox requested from Stripe, with its parameters and its answer.
 * - `payment`: A payment, or an attempt to pay.
 * - `refund`: A refund of one of the payments.
 * - `dispute`: A dispute of one of the payments.
 * - `invoice`: An invoice, with its links at Stripe.
 * - `credit_balance`: The balance of one unit of credits.
 * - `credit_grant`: Credits that were given, and what remains of them.
 * - `ledger_entry`: A movement of credits.
 * - `usage_counter`: The usage of a metered feature in the latest period in which it was used.
 * - `usage_period`: The usage of a metered feature in an earlier period.
 * - `usage_entry`: One report of usage that has metadata.
 * - `history_entry`: An entry of the user's history, such as a review or a chat.
 * - `history_feedback`: The user's feedback on an entry of the history.
 * - `billing_event`: A change of a subscription, an invoice or a payment.
 * - `earlier_billing_event`: The same, from before Stripe's customer was known to be the user's.
 * - `outbox_message`: An e-mail or another message that is queued or was sent.
 * - `audit_entry`: A change by an operator or a trusted server.
 * - `failed_webhook`: An event from Stripe that could not be applied.
 * - `api_call`: A call of the API that was logged.
 * - `organisation_ledger_entry`: A movement of an organisation's credits that the user made as its member.
 * - `organisation_usage_entry`: A report of an organisation's usage that the user made as its member.
 * - `organisation_history_entry`: An entry of an organisation's history that the user added as its member.
 * - `organisation_history_feedback`: The user's feedback on an entry of an organisation's history.
 */
export type AccountRecordType = "stats" | "account" | "customer" | "entitlement" | "subscription" | "subscription_preview" | "plan_comp" | "checkout_session" | "stripe_request" | "payment" | "refund" | "dispute" | "invoice" | "credit_balance" | "credit_grant" | "ledger_entry" | "usage_counter" | "usage_period" | "usage_entry" | "history_entry" | "history_feedback" | "billing_event" | "earlier_billing_event" | "outbox_message" | "audit_entry" | "failed_webhook" | "api_call" | "organisation_ledger_entry" | "organisation_usage_entry" | "organisation_history_entry" | "organisation_history_feedback";

/** A plan given by an operator and currently in effect. */
export interface ActivePlanComp {
  /** Null if it lasts until it is replaced. */
  endsAt: string | null;
  plan: string;
  startsAt: string;
}

/** An entry to add to a user's history. */
export interface AddHistoryRequest {
  data?: EntryData;
  /** The URL, path or hash of the input. */
  inputRef?: InputReference;
  kind: EntryKind;
  /** The owner that the request is about, in place of the query parameter `ownerId`. */
  ownerId?: string;
  /** The text of the result. */
  result?: HistoryResult;
  score?: Score;
  tags?: Tags;
  title: HistoryTitle;
  /** The user that the request is about, in place of the query parameter `userId`. */
  userId?: string;
}

/** The body of a webhook to the app's server. */
export type AppEvent = {
  /** When it happened. */
  timestamp: string;
} & ({
  data: OwnedEntitlements;
  type: "entitlement.updated";
} | {
  data: OwnedSubscription;
  type: "subscription.created";
} | {
  data: OwnedSubscription;
  type: "subscription.updated";
} | {
  data: OwnedSubscription;
  type: "subscription.deleted";
} | {
  data: LowCredits;
  type: "credits.low";
} | {
  data: ReachedLimit;
  type: "limit.reached";
} | {
  data: FailedPayment;
  type: "payment.failed";
});

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
  /** True if the run reached the last user. If not, the next run continues. */
  isComplete: boolean;
  /** Why the run stopped early. */
  problem: string | null;
  /** The number of users whose entitlements were written to Redis. */
  shown: number;
}

/**
 * When a canceled subscription ends.
 * - `period_end`: When the current period ends.
 * - `now`: Immediately.
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
  /** The maximum number of packs in one checkout; null if the pack sets no limit. */
  maxQuantity: number | null;
  name: string;
  /** The unit of the credits, such as `mail_credit`. */
  unit: string;
  /** Increases with every change of the pack. */
  version: number;
}

/** A plan on sale. */
export interface CatalogPlan {
  /** True for the plan of users who pay nothing. */
  default: boolean;
  description: string;
  /** Every feature of the catalog and what the plan includes of it, by the feature's key. */
  features: Record<string, PlanFeature>;
  /** How much history a user with this plan keeps. */
  history: HistoryTerms;
  /** The plan's key, which a checkout takes as `tier`. */
  key: string;
  name: string;
  /** One price for each billing interval, the shortest first; empty for a free plan. */
  prices: Array<CatalogPrice>;
  /** The length of the free trial in days; 0 for none. */
  trialDays: number;
  /** Increases with every change of the plan. Subscribers keep the version they bought. */
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
  /** True if the price is for each seat. */
  perSeat: boolean;
}

/** A change to a user's credits. */
export type ChangeCreditsRequest = {
  action: CreditAction;
  /** The number of credits. Positive; `adjust` also accepts negative numbers. */
  amount: SignedCount;
  /** For `grant`: when the credits expire. Absent means never. */
  expiresAt?: string;
  /** The app's own data. The ledger is kept when an account is deleted, so it must not contain personal data. */
  metadata?: Metadata;
  /** The owner that the request is about, in place of the query parameter `ownerId`. */
  ownerId?: string;
  /** For `grant`: of credits that expire at the same time, the lowest priority is spent first; 50 if absent. */
  priority?: CreditPriority;
  /** Why the credits change. Required for `grant` and `adjust`. The user can read it. */
  reason?: Reason;
  /** The unit of credits, as the catalog names it. */
  unit: CatalogKey;
  /** The user that the request is about, in place of the query parameter `userId`. */
  userId?: string;
} & ({ action: "spend"; expiresAt?: never; priority?: never } | { action: "grant"; reason: Reason } | { action: "adjust"; reason: Reason; expiresAt?: never; priority?: never });

/** A change to a subscription. `action` decides which other fields are accepted. A `previewId` is sent without any other field. */
export type ChangeSubscriptionRequest = {
  action?: SubscriptionAction;
  /** For `change`: the new billing interval. */
  interval?: BillingInterval;
  /** The owner that the request is about, in place of the query parameter `ownerId`. */
  ownerId?: string;
  /** Makes the change that this preview has shown, for the price that it has shown. */
  previewId?: PreviewId;
  /** For `change`: the new number of seats. */
  quantity?: Quantity;
  /** For `cancel`: the customer's reason. */
  reason?: Reason;
  /** For `change`: the key of the new plan. */
  tier?: CatalogKey;
  /** The user that the request is about, in place of the query parameter `userId`. */
  userId?: string;
  /** For `cancel`: when the subscription ends; `period_end` if absent. */
  when?: CancellationTime;
} & ({ action: "change"; when?: never; reason?: never; previewId?: never } & ({ tier: CatalogKey } | { interval: BillingInterval } | { quantity: Quantity }) | { action: "cancel"; tier?: never; interval?: never; quantity?: never; previewId?: never } | { action: "resume"; tier?: never; interval?: never; quantity?: never; when?: never; reason?: never; previewId?: never } | { previewId: PreviewId; action?: never; tier?: never; interval?: never; quantity?: never; when?: never; reason?: never });

/** The text of a conversation, kept in the user's history. */
export type ChatContent = string;

/** A short summary of a conversation. */
export type ChatSummary = string;

/** One feature to check, in `feature` and `quantity`, or up to 50 in `checks`. */
export type CheckRequest = {
  /** Several checks. The results have the same order. */
  checks?: Array<FeatureCheck>;
  /** The feature's key in the catalog. Not together with `checks`. */
  feature?: CatalogKey;
  /** The owner that the request is about, in place of the query parameter `ownerId`. */
  ownerId?: string;
  /** The intended usage, or the credits needed; 1 if absent. Not together with `checks`. */
  quantity?: PositiveCount;
  /** The user that the request is about, in place of the query parameter `userId`. */
  userId?: string;
} & ({ feature: CatalogKey; checks?: never } | { checks: Array<FeatureCheck>; feature?: never; quantity?: never });

/** The result of the check or, for a request with `checks`, an object whose `checks` has the result of each. */
export type CheckResponse = FeatureCheckResult | {
  checks: Array<FeatureCheckResult>;
};

/** The mode of a Checkout session: `subscription` sells a plan, `payment` a credit pack. Stripe may add values. */
export type CheckoutMode = "subscription" | "payment" | (string & {});

/** The purchase: a plan in `tier` and `interval`, or a credit pack in `pack`. */
export type CheckoutRequest = {
  /** The URL to which Stripe redirects a customer who goes back, on one of the app's origins. */
  cancelUrl: string;
  /** One of the currencies in which the plan or pack is sold; its main currency if absent. */
  currency?: Currency;
  /** The customer's e-mail address, for receipts. It may be sent in the header `x-user-email` instead. Until the first checkout is completed, Farebox sends notices of usage and credits only to an address that a service key or an admin sent. */
  email?: Email;
  /** How often the plan is billed. Required with `tier`. */
  interval?: BillingInterval;
  /** The owner that the request is about, in place of the query parameter `ownerId`. */
  ownerId?: string;
  /** The credit pack's key in the catalog. */
  pack?: CatalogKey;
  /** The number of packs, or of seats if the plan is sold per seat; 1 if absent. */
  quantity?: Quantity;
  /** The URL to which Stripe redirects the customer after the payment, on one of the app's origins. Stripe replaces `{CHECKOUT_SESSION_ID}` in it with the session's id. */
  successUrl: string;
  /** The plan's key in the catalog. Not together with `pack`. */
  tier?: CatalogKey;
  /** The user that the request is about, in place of the query parameter `userId`. */
  userId?: string;
} & ({ interval: BillingInterval; tier: CatalogKey; pack?: never } | { pack: CatalogKey; tier?: never; interval?: never });

/** The Checkout session that was created. */
export interface CheckoutResponse {
  sessionId: string;
  /** The URL of the page where the customer pays. */
  url: string;
}

/** The state of a Checkout session and of the purchase in it. */
export interface CheckoutSession {
  /** The total in minor units, such as cents. */
  amountMinor: number | null;
  currency: string | null;
  interval: BillingInterval | null;
  mode: CheckoutMode;
  /** The key of the credit pack in this purchase. */
  pack: string | null;
  paymentStatus: PaymentStatus | null;
  /** The key of the plan in this purchase. */
  plan: string | null;
  /** The number of seats, or of packs. */
  quantity: number | null;
  sessionId: string;
  status: CheckoutStatus;
  /** The status of the subscription that the purchase created; null before it exists. */
  subscriptionStatus: SubscriptionStatus | null;
}

/** The status of a Checkout session. Stripe may add values. */
export type CheckoutStatus = "open" | "complete" | "expired" | (string & {});

/**
 * How a user's credits change.
 * - `spend`: Takes credits. Refused if the balance is smaller than the amount.
 * - `grant`: Gives credits. Requires a service key or an admin.
 * - `adjust`: Corrects a balance up or down, also below zero. Requires a service key or an admin.
 */
export type CreditAction = "spend" | "grant" | "adjust";

/** Credits that are going to expire. */
export interface CreditExpiry {
  /** The number of credits. */
  amount: number;
  at: string;
}

/** A credit grant and its remaining credits. */
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

/** The source of a credit grant. */
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
  /** The number of open credit grants, counted up to 1000. */
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
  /** True if unspent credits roll over to the next period. Absent means false. */
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

/** The result of one run of the daily job. */
export interface DailyReport {
  /** The number of rows deleted, or cleared of expired data, by table. The SQL table `retention` sets how long each table keeps its rows. */
  deleted: Record<string, number>;
  /** The number of API calls that were stored in the log. The minute job stores most. */
  loggedCalls: number;
  /** The partitions created and dropped. */
  partitions: PartitionReport;
  /** The result of the comparison with Stripe. */
  reconciled: ReconciliationReport;
  /** The result of warming the entitlement cache. */
  warmed: CacheWarmUpReport;
}

/** The result of a deletion. */
export interface DeleteHistoryResponse {
  /** The number of entries that this request deleted. */
  deleted: number;
}

/** The result of delivering outbox messages: e-mails, alerts and updates of other systems. */
export interface DeliveryReport {
  /** Messages that were delivered, or had no recipient. */
  delivered: number;
  /** Messages that failed permanently. */
  givenUp: number;
  /** Messages that will be retried. */
  retried: number;
}

/** The state of one store. */
export type DependencyStatus = "up" | "down";

/** An e-mail address. Its form is checked; whether mail arrives is not. */
export type Email = string;

/** A user's balance of one unit of credits. */
export interface EntitledCredits {
  /** Negative if a clawback or an adjustment took more credits than the user had. A negative balance cannot be spent. */
  balance: number;
  /** The credits that expire next; null if none do. */
  nextExpiry: CreditExpiry | null;
}

/** A user's entitlement to one feature. */
export type EntitledFeature = BooleanEntitlement | MeteredEntitlement | CreditsEntitlement;

/** A user's plan, what they may use, and their credit balances. */
export interface Entitlements {
  /** When a canceled subscription is going to end. */
  cancelAt: string | null;
  cancelAtPeriodEnd: boolean;
  /** The balance of each unit of credits, by the unit. */
  credits: Record<string, EntitledCredits>;
  currentPeriodEnd: string | null;
  currentPeriodStart: string | null;
  /** Every feature of the catalog, by its key. */
  features: Record<string, EntitledFeature>;
  /** Null for a plan without a subscription. */
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
  /** Grows with every change of the plan, usage and credits. Of two responses, the one with the greater version is newer. */
  version: number;
}

/** The app's own data of a history entry: a JSON object of at most 16 KB as text, at most 16 levels deep, without NUL characters. */
export type EntryData = Record<string, unknown>;

/** A user's feedback on an entry of their history. */
export interface EntryFeedback {
  /** The user's own words; null if there are none. */
  comment: string | null;
  /** From 1, the worst, to 5. */
  rating: number;
  /** When the feedback was last changed. */
  updatedAt: string;
}

/** The id of a history entry: a UUID. */
export type EntryId = string;

/** The kind of a history entry, in the app's words: `code_review`. */
export type EntryKind = string;

/**
 * The kind of problem. Codes are stable, so programs can match on them.
 * - `account_erased` (403): The user's account has been deleted.
 * - `admin_only` (403): Only an admin may call this.
 * - `already_subscribed` (409): The user already has a subscription. Change it instead.
 * - `auth_keys_unavailable` (503): The identity provider's keys could not be fetched. Try again.
 * - `body_too_large` (413): The body is larger than this route accepts.
 * - `broken_body` (400): The body ended before it was complete. Send the request again.
 * - `cancellation_pending` (409): The subscription is going to end. Undo that with `resume` first.
 * - `change_planned` (409): A change is scheduled for the period's end. Undo it with `resume` first.
 * - `database_unavailable` (503): Postgres did not answer. Try again, with the same Idempotency-Key.
 * - `expired_token` (401): The token has expired. Send a new one.
 * - `foreign_host` (403): The Host header names a host that this server does not serve.
 * - `history_entry_not_found` (404): The history has no such entry, or the plan no longer keeps it.
 * - `idempotency_key_reused` (422): The Idempotency-Key belongs to another request. Use a new one.
 * - `insufficient_credits` (402): The balance is smaller than the amount to spend.
 * - `insufficient_role` (403): The user's role in the organisation does not permit this.
 * - `internal` (500): An unexpected error in Farebox. Find its cause in the log by `requestId`.
 * - `invalid_host` (400): The Host header is missing or malformed.
 * - `invalid_input` (400): A field, parameter or header is missing or invalid; see `errors`.
 * - `invalid_signature` (400): The Stripe-Signature header is missing or too old, or does not match the body.
 * - `invalid_token` (401): Farebox does not accept the bearer token.
 * - `invalid_transfer_encoding` (400): The Transfer-Encoding header is not supported.
 * - `malformed_event` (400): The body is not a Stripe event.
 * - `malformed_json` (400): The body is not a JSON object.
 * - `method_not_allowed` (405): This path does not support the method. See the Allow header.
 * - `missing_body` (400): This route requires a JSON body.
 * - `missing_token` (401): The request needs exactly one Authorization header, with a bearer token.
 * - `no_customer` (409): The user has never started a checkout, so Stripe has no customer for them.
 * - `no_subscription` (409): The user has no subscription to change.
 * - `not_found` (404): There is nothing at this path.
 * - `not_in_good_standing` (409): The subscription has an unpaid invoice, which must be paid first.
 * - `nothing_is_sold` (404): No catalog is published yet.
 * - `nothing_to_resume` (409): The subscription is not paused, canceled or about to change.
 * - `other_user` (403): A user's token may act only for its user and its organisation.
 * - `paused_by_operator` (409): The app's operator has paused the subscription, and must resume it.
 * - `payload_forgotten` (409): The payload was deleted after 30 days. Resolve the event instead.
 * - `payment_confirmation_required` (402): The customer's bank requires them to confirm the payment, at `paymentUrl`. The change takes effect after that.
 * - `payment_failed` (402): The payment failed. The customer can pay at `paymentUrl`, if present.
 * - `preview_not_found` (404): The user has no such preview. Preview the change again.
 * - `preview_outdated` (409): The preview has expired, was confirmed before, or no longer holds. Nothing was charged. Preview the change again.
 * - `quota_exceeded` (402): The usage would exceed the plan's hard limit. Nothing was counted.
 * - `rate_limited` (429): Too many requests. Try again after the time in the Retry-After header.
 * - `redis_unavailable` (503): Redis did not answer. Try again, with the same Idempotency-Key.
 * - `request_in_progress` (409): Another request for this user is in progress at Stripe. Try again.
 * - `service_only` (403): Only a service key or an admin may do this.
 * - `session_not_found` (404): The user has no such Checkout session.
 * - `slow_body` (408): The body took too long to arrive.
 * - `storage_rate_limited` (429): The caller's requests stored too much data. Try again after the time in Retry-After.
 * - `stripe_unavailable` (503): Stripe did not answer. Try again, with the same Idempotency-Key.
 * - `subscription_changed` (409): The subscription has changed at Stripe. Get it again and retry.
 * - `subscription_not_found` (404): There is no such subscription, or it belongs to another user.
 * - `trial_already_used` (409): The user had a trial since this Idempotency-Key was first used. Use a new key.
 * - `unsupported_media_type` (415): The body must have the header Content-Type: application/json.
 * - `webhook_not_found` (404): No failed webhook has this id.
 * - `webhook_resolved` (409): The failed webhook was already applied or resolved.
 */
export type ErrorCode = "account_erased" | "admin_only" | "already_subscribed" | "auth_keys_unavailable" | "body_too_large" | "broken_body" | "cancellation_pending" | "change_planned" | "database_unavailable" | "expired_token" | "foreign_host" | "history_entry_not_found" | "idempotency_key_reused" | "insufficient_credits" | "insufficient_role" | "internal" | "invalid_host" | "invalid_input" | "invalid_signature" | "invalid_token" | "invalid_transfer_encoding" | "malformed_event" | "malformed_json" | "method_not_allowed" | "missing_body" | "missing_token" | "no_customer" | "no_subscription" | "not_found" | "not_in_good_standing" | "nothing_is_sold" | "nothing_to_resume" | "other_user" | "paused_by_operator" | "payload_forgotten" | "payment_confirmation_required" | "payment_failed" | "preview_not_found" | "preview_outdated" | "quota_exceeded" | "rate_limited" | "redis_unavailable" | "request_in_progress" | "service_only" | "session_not_found" | "slow_body" | "storage_rate_limited" | "stripe_unavailable" | "subscription_changed" | "subscription_not_found" | "trial_already_used" | "unsupported_media_type" | "webhook_not_found" | "webhook_resolved";

/** The id of a Stripe event. */
export type EventId = string;

/** The type of a Stripe event: `invoice.paid`. */
export type EventType = string;

/** A failed attempt to charge an invoice. */
export interface FailedPayment {
  amountDueMinor: number | null;
  currency: string | null;
  /** The number of failed attempts, including this one. */
  failedAttempts: number;
  /** The invoice's id at Stripe. */
  invoiceId: string;
  /** When Stripe tries again; null if it does not. */
  nextAttemptAt: string | null;
  /** The subscription's id at Stripe; null for another invoice. */
  subscriptionId: string | null;
  userId: string;
}

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
  /** When the minute job retries it; null if it is resolved or needs an operator. */
  nextTryAt: string | null;
  /** The operator's reason for resolving it without applying it. */
  note: string | null;
  /** The Stripe payment intent or charge that the event is about. */
  paymentId: string | null;
  /** When it was resolved; null while it is open. */
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
 * The action to take on a failed webhook.
 * - `replay`: Apply the event again now.
 * - `resolve`: Set the event aside without applying it.
 */
export type FailedWebhookAction = "replay" | "resolve";

/** A page of failed webhooks. */
export interface FailedWebhookPage {
  /** The webhooks, newest failure first. */
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
  /** When the minute job retries it; null if it is resolved or needs an operator. */
  nextTryAt: string | null;
  /** The operator's reason for resolving it without applying it. */
  note: string | null;
  /** The event as Stripe sent it. Farebox deletes it after 30 days; it is null from then on. */
  payload: unknown;
  /** The Stripe payment intent or charge that the event is about. */
  paymentId: string | null;
  /** When it was resolved; null while it is open. */
  resolvedAt: string | null;
  resolvedBy: WebhookResolution | null;
  /** When it was last retried. */
  retriedAt: string | null;
  /** The type of the Stripe event, such as `invoice.paid`. */
  type: string;
  /** The user whom the event is about, if known. */
  userId: string | null;
}

/** A page of failed webhooks or, if the query has an `id`, one of them with its payload. A page has `data`; a single webhook has `payload`. */
export type FailedWebhooksResponse = FailedWebhookWithPayload | FailedWebhookPage;

/** A feature of which a change of plan gives more or less. */
export interface FeatureChange {
  after: FeatureOffer;
  before: FeatureOffer;
  /** The feature's key in the catalog. */
  feature: string;
  name: string;
}

/** One of several checks. */
export interface FeatureCheck {
  /** The feature's key in the catalog. */
  feature: CatalogKey;
  /** The intended usage, or the credits needed; 1 if absent. */
  quantity?: PositiveCount;
}

/** The result of checking that a user may use a feature now. */
export interface FeatureCheckResult {
  allowed: boolean;
  /** The usage or the credits left; null if the feature is unlimited or not counted. */
  balance: number | null;
  /** The feature's key in the catalog. */
  feature: string;
  /** The reason why the feature may not be used; null if it may. */
  reason: RefusalReason | null;
  /** When the count returns to zero; null if it never does, or if nothing is counted. */
  resetsAt: string | null;
  /** The key of the lowest plan on sale that would allow it; null if it is allowed, or if no plan would allow it. */
  upgradeTo: string | null;
}

/** The part of a feature that a plan gives, if the feature is not credits. */
export interface FeatureOffer {
  /** Whether the plan includes the feature. */
  included: boolean;
  /** The usage that the plan includes in each period; null if it is unlimited or not counted. */
  limit: number | null;
  /** The handling of usage beyond the limit; null if nothing is counted. */
  overage: OveragePolicy | null;
}

/** A user's feedback in words. */
export type FeedbackComment = string;

/** A field of a subscription that differs between Farebox and Stripe. */
export interface FieldDifference {
  field: string;
  /** Farebox's value; null for a subscription that Farebox did not know. */
  ours: unknown;
  /** Stripe's value. */
  stripes: unknown;
}

/** One invalid field of the input. */
export interface FieldError {
  /** The field, as a path from the top of the input: `score`, `items[2].quantity`. */
  field: string;
  /** The problem with the field, in words. */
  message: string;
}

/**
 * When a plan grants its credits.
 * - `billing_period`: At the start of each billing period; monthly, also with yearly plans.
 */
export type GrantInterval = "billing_period";

/** An operator's decision about a failed webhook. */
export type HandleFailedWebhookRequest = {
  action: FailedWebhookAction;
  id: EventId;
  /** The reason for setting the event aside. Required for `resolve`, refused for `replay`. */
  note?: Reason;
} & ({ action: "replay"; note?: never } | { action: "resolve"; note: Reason });

/** The response of a running process. */
export interface HealthResponse {
  /** Always `ok`. */
  status: "ok";
}

/** An entry of a user's history, as a list shows it. Its result and data are in the whole entry. */
export interface HistoryEntry {
  /** The member who added the entry for the organisation; null if the owner did, or if the member is unknown or erased. */
  actorId: UserId | null;
  createdAt: string;
  /** The caller's own feedback; null if there is none. */
  feedback: EntryFeedback | null;
  id: EntryId;
  /** The URL, path or hash of the input; null if the entry has none. */
  inputRef: string | null;
  /** The kind of entry: `code_review`. A saved conversation is a `chat`. */
  kind: EntryKind;
  /** From 0 to 100; null for an entry without a score. */
  score: number | null;
  tags: Array<string>;
  /** The title. Of a `chat`, the summary. */
  title: string;
}

/** A page of a user's history. */
export interface HistoryPage {
  /** The entries, newest first. */
  data: Array<HistoryEntry>;
  /** The cursor of the next page; null on the last page. A page can have fewer entries than `limit`, or none, and still not be the last one. */
  nextCursor: string | null;
}

/** A page of a user's history or, for a request with `id`, one whole entry. */
export type HistoryResponse = HistoryPage | WholeEntry;

/** The text of a history entry's result. */
export type HistoryResult = string;

/** How much history a plan keeps. Older entries are deleted. */
export interface HistoryTerms {
  /** How many days an entry is kept; null for no limit. */
  keepDays: number | null;
  /** The maximum number of entries; null for no limit. A new entry replaces the oldest. */
  maxEntries: number | null;
}

/** The title of a history entry, as a list shows it. */
export type HistoryTitle = string;

/** A reference to the input of a history entry: its URL, a path or a hash. */
export type InputReference = string;

/** An invoice of Stripe. */
export interface Invoice {
  /** The amount that was or is to be paid: the total less the customer's credit. */
  amountDueMinor: number | null;
  amountPaidMinor: number | null;
  createdAt: string;
  currency: string | null;
  /** Stripe's page of the invoice, on which the customer can pay it. It opens without a login: null for members of an organisation who may not buy. */
  hostedUrl: string | null;
  /** The invoice's id at Stripe. */
  id: string;
  /** The display name of the plan or the pack. */
  name: string | null;
  number: string | null;
  /** The key of the credit pack that was bought. */
  pack: string | null;
  paidAt: string | null;
  /** The PDF. Null as `hostedUrl` is. */
  pdfUrl: string | null;
  periodEnd: string | null;
  /** The period of the subscription that it bills; null if it bills none. */
  periodStart: string | null;
  /** The key of the plan whose period it bills; null for a change within a period. */
  plan: string | null;
  status: InvoiceStatus;
  /** The subscription's id at Stripe; null for a single purchase. */
  subscriptionId: string | null;
  /** The taxes in the total; null if Stripe did not report them. */
  taxMinor: number | null;
  /** The total in minor units, after discounts and taxes. Negative if it became credit. */
  totalMinor: number | null;
}

/** An invoice that Stripe would create. */
export interface InvoicePreview {
  /** The amount to be charged. */
  amountDueMinor: number;
  /** The change of the amount due by the customer's balance at Stripe: `totalMinor` plus this is `amountDueMinor`. Negative if credit pays a part; positive if a debt is added, or if a negative total becomes credit for later invoices. */
  balanceMinor: number;
  currency: string;
  /** The discounts on the subtotal. */
  discountMinor: number;
  /** True if the invoice has more lines than `lines` shows. The amounts below include them. */
  hasMoreLines: boolean;
  lines: Array<InvoicePreviewLine>;
  /** The sum of the lines. */
  subtotalMinor: number;
  /** The taxes, both those in the prices and those added to them. */
  taxMinor: number;
  /** The total after discounts and taxes. Negative if the change gives back more than it costs. */
  totalMinor: number;
}

/** A line of an invoice that Stripe would create. */
export interface InvoicePreviewLine {
  /** The amount before discounts. Negative if it is credit for time that is not used. */
  amountMinor: number;
  /** Stripe's text, such as `Unused time on Basic after 14 Feb 2027`. */
  description: string;
  discountMinor: number;
  /** True if the line credits or charges a part of a period, because of the change. */
  isProration: boolean;
  periodEnd: string | null;
  periodStart: string | null;
  quantity: number | null;
  taxMinor: number;
}

/** The status of an invoice: `open` waits for its payment, `uncollectible` and `void` were given up. Stripe may add values. */
export type InvoiceStatus = "open" | "paid" | "uncollectible" | "void" | (string & {});

/** A page of a user's invoices. */
export interface InvoicesPage {
  /** Invoices, newest first. Drafts are left out. */
  data: Array<Invoice>;
  /** The cursor of the next page; null on the last page. */
  nextCursor: string | null;
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

/** An entry of the credit ledger. Entries are never changed or deleted. */
export interface LedgerEntry {
  /** The member who acted for the organisation; null if the owner acted, if Farebox posted the entry, or if the member's account has been deleted. */
  actorId: string | null;
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

/** The kind of a ledger entry: `purchase` is a credit pack, `plan` the credits of a billing period, `grant` credits given by an operator, `spend` credits that were spent, `refund` and `dispute` a clawback or its reversal, `expiry` credits that expired, `adjust` a correction, and `opening` a balance from another system. */
export type LedgerEntryKind = "purchase" | "plan" | "grant" | "spend" | "refund" | "dispute" | "expiry" | "adjust" | "opening";

/** A user's credit balances and a page of their ledger. */
export interface LedgerPage {
  /** The balance of each unit of credits. */
  credits: Array<CreditUnitBalance>;
  /** Ledger entries, newest first. */
  data: Array<LedgerEntry>;
  /** The cursor of the next page; null on the last page. */
  nextCursor: string | null;
}

/** One inconsistency in the credit ledger or in a balance. */
export interface LedgerProblem {
  /** A description of the problem. */
  problem: string;
  /** The number of the ledger entry; null if the problem is in the balance. */
  seq: number | null;
  /** The unit of the ledger entry; null if the problem is in the balance. */
  unit: string | null;
  userId: string;
}

/** Credits that run out. */
export interface LowCredits {
  /** The balance after the spend. */
  balance: number;
  /** How much of the credits after the latest grant is spent: 80 for four fifths, 100 for all. */
  percentUsed: number;
  unit: string;
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
  /** The usage left in the current period; null if usage is unlimited. */
  remaining: number | null;
  /** When the usage resets to zero; null if it never does. */
  resetsAt: string | null;
  type: "metered";
  unit: string;
  /** Usage in the current period. */
  used: number;
}

/** A feature whose usage is counted. A hard limit of 0 means that the plan does not include the feature. A limit of null means that usage is unlimited. */
export interface MeteredPlanFeature {
  limit: number | null;
  name: string;
  overage: OveragePolicy;
  reset: UsageReset;
  type: "metered";
  unit: string;
}

/** The result of one run of the minute job. */
export interface MinuteReport {
  /** The webhooks to the app whose delivery was due. */
  appWebhooks: DeliveryReport;
  /** The number of API calls that were stored in the log. */
  loggedCalls: number;
  /** The outbox messages whose delivery was due. */
  messages: DeliveryReport;
  /** The number of failed webhooks that were retried and applied. */
  replayed: number;
  /** The number of users whose entitlement was recomputed because time changed it: a plan, a comp or credits began or ended. */
  settled: number;
  /** The number of failed webhooks that failed again. */
  stillFailing: number;
}

/** A user's mood, from 0 to 10. Decimals are allowed. */
export type MoodScore = number;

/**
 * The handling of usage beyond the limit of a metered feature.
 * - `hard`: Usage beyond the limit is refused.
 * - `soft`: Usage beyond the limit is allowed, and counted as overage.
 */
export type OveragePolicy = "hard" | "soft";

/** A user's entitlement, as `GET /api/entitlements` answers it. */
export interface OwnedEntitlements {
  /** When a canceled subscription is going to end. */
  cancelAt: string | null;
  cancelAtPeriodEnd: boolean;
  /** The balance of each unit of credits, by the unit. */
  credits: Record<string, EntitledCredits>;
  currentPeriodEnd: string | null;
  currentPeriodStart: string | null;
  /** Every feature of the catalog, by its key. */
  features: Record<string, EntitledFeature>;
  /** Null for a plan without a subscription. */
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
  userId: string;
  /** Grows with every change of the plan, usage and credits. Of two responses, the one with the greater version is newer. */
  version: number;
}

/** A user's subscription, as `GET /api/subscription` answers it, without the customer's reason for a cancellation. */
export interface OwnedSubscription {
  subscription: Subscription;
  userId: string;
}

/** The partitions that a run of the daily job created and dropped. Each covers a day or a month. */
export interface PartitionReport {
  /** The partitions dropped with all their rows. */
  dropped: Array<string>;
  /** The partitions made for this month and the next two, or for today and the next six days. */
  made: Array<string>;
  /** The partitions that could not be made or dropped, because of a lock or of rows that are already in the default partition. */
  postponed: Array<string>;
}

/** The payment status of a Checkout session: `unpaid` waits for a delayed payment method, `no_payment_required` is a trial. Stripe may add values. */
export type PaymentStatus = "paid" | "unpaid" | "no_payment_required" | (string & {});

/** A change that takes effect once it is paid. */
export interface PendingSubscriptionChange {
  /** When Stripe discards the change if it is still unpaid. */
  expiresAt: string;
  interval: BillingInterval | null;
  plan: string | null;
  quantity: number;
}

/** A plan given by an operator, without a subscription. */
export interface PlanComp {
  /** When the comp ends. Absent means that it lasts until it is replaced. */
  endsAt?: string;
  /** The owner that the request is about, in place of the query parameter `ownerId`. */
  ownerId?: string;
  plan: PlanName;
  /** Why the plan is given, for the audit trail. */
  reason?: Reason;
  /** The user that the request is about, in place of the query parameter `userId`. */
  userId?: string;
}

/** Credits of which a change of plan grants more or less in each period. */
export interface PlanCreditsChange {
  after: number;
  before: number;
  /** The feature's key in the catalog. */
  feature: string;
  name: string;
  /** The unit of the credits. */
  unit: string;
}

/** A plan's terms for one feature. */
export type PlanFeature = BooleanPlanFeature | MeteredPlanFeature | CreditsPlanFeature;

/** A plan's name or its key in the catalog. */
export type PlanName = string;

/** The source of a plan: `stripe` is a subscription, `grant` a comp given by an operator, `default` the plan of users who pay nothing. */
export type PlanSource = "stripe" | "grant" | "default";

/** The customer portal session to create. */
export interface PortalRequest {
  /** The owner that the request is about, in place of the query parameter `ownerId`. */
  ownerId?: string;
  /** The URL of the portal's back link, on one of the app's origins. */
  returnUrl: string;
  /** The user that the request is about, in place of the query parameter `userId`. */
  userId?: string;
}

/** The portal session that was created. */
export interface PortalResponse {
  /** The URL of the portal page for this customer. It is short-lived. Do not give it to another user. */
  url: string;
}

/** A count of usage or credits: a positive integer that JavaScript represents exactly. */
export type PositiveCount = number;

/** The id of a preview of a subscription change: a UUID in lower case. */
export type PreviewId = string;

/**
 * The effect of a change.
 * - `upgrade`: The change takes effect now, and the difference is charged.
 * - `downgrade`: The change takes effect when the period ends.
 * - `trial_change`: The change takes effect now and costs nothing, because of the trial.
 * - `undo_scheduled_change`: A change that was scheduled is undone.
 * - `none`: The subscription is already as requested.
 */
export type PreviewKind = "upgrade" | "downgrade" | "trial_change" | "undo_scheduled_change" | "none";

/** A change of a subscription. At least one field is required; the others stay as they are. */
export type PreviewSubscriptionRequest = {
  /** The new billing interval. */
  interval?: BillingInterval;
  /** The owner that the request is about, in place of the query parameter `ownerId`. */
  ownerId?: string;
  /** The new number of seats. */
  quantity?: Quantity;
  /** The key of the new plan. */
  tier?: CatalogKey;
  /** The user that the request is about, in place of the query parameter `userId`. */
  userId?: string;
} & ({ tier: CatalogKey } | { interval: BillingInterval } | { quantity: Quantity });

/** A plan before or after a change. */
export interface PreviewedPlan {
  interval: BillingInterval | null;
  plan: string | null;
  planName: string | null;
  /** The number of seats. */
  quantity: number;
}

/** The body of every response that is not a success (RFC 9457, `application/problem+json`). `code` names the kind of problem, which decides the optional fields. */
export interface Problem {
  /** With `insufficient_credits`: the balance. */
  balance?: number;
  code: ErrorCode;
  /** With `quota_exceeded`: the usage in the current period. */
  current?: number;
  /** A message for people: the problem, and how to solve it. The wording may change. */
  detail: string;
  /** With `invalid_input` and `malformed_json`: the invalid fields. */
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

/** The subject that a rate limit counts by: a user id, an IP address, or another key of an app. */
export type RateLimitIdentifier = string;

/** Units to take from a rate limit. */
export interface RateLimitRequest {
  /** The name of a limit in the setting `RATE_LIMITS`, such as `review-code`. */
  action: string;
  /** The number of units to take; 1 if absent. */
  cost?: number;
  identifier: RateLimitIdentifier;
}

/** The result of taking from a rate limit. */
export interface RateLimitResponse {
  /** True if the units were taken. If false, none were taken. */
  allowed: boolean;
  /** The limit: the number of units available when nothing has been taken. */
  limit: number;
  /** The number of units left. */
  remaining: number;
  /** When all units are available again. */
  resetsAt: string;
}

/** A rating from 1, the worst, to 5. */
export type Rating = number;

/** A limit that the usage has reached. */
export interface ReachedLimit {
  /** The feature's key in the catalog. */
  feature: string;
  limit: number;
  /** When the usage resets to zero; null if it never does. */
  resetsAt: string | null;
  /** Usage in the current period. */
  used: number;
  userId: string;
}

/** The state of the stores that requests need. */
export interface ReadinessResponse {
  postgres: DependencyStatus;
  redis: DependencyStatus;
  /** `degraded` if any store is down. */
  status: "ready" | "degraded";
}

/** The reason for an action, as free text. */
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
  /** The first hundred drifted subscriptions, with the fields that differ. */
  drifted: Array<SubscriptionDrift>;
  /** The number of subscriptions that Farebox stored differently from Stripe. */
  drifts: number;
  /** The first hundred events and subscriptions that could not be applied. */
  failed: Array<ReconciliationFailure>;
  /** The number of subscriptions of erased users, or of unknown users to prices outside the catalog. */
  foreign: number;
  /** True if the run reached the end. If not, the next run continues. */
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
 * The reason why a feature may not be used.
 * - `limit_reached`: Less is left than the requested quantity.
 * - `not_in_plan`: The plan does not include the feature.
 * - `past_due`: The subscription is not paid, and its grace period is over.
 * - `no_customer`: No catalog is published, so no plan could allow anything.
 */
export type RefusalReason = "limit_reached" | "not_in_plan" | "past_due" | "no_customer";

/** A conversation to count and remember. */
export interface SaveChatRequest {
  /** The text of the conversation. If present, it is kept in the user's history. */
  content?: ChatContent;
  /** A short summary, shown on the dashboard. */
  summary: ChatSummary;
  /** The user that the request is about, in place of the query parameter `userId`. */
  userId?: string;
}

/** Feedback on an entry of the user's history. */
export interface SaveFeedbackRequest {
  /** The user's own words. Feedback without a comment removes an earlier comment. */
  comment?: FeedbackComment;
  /** The id of the entry. */
  entryId: EntryId;
  /** The owner that the request is about, in place of the query parameter `ownerId`. */
  ownerId?: string;
  rating: Rating;
  /** The user that the request is about, in place of the query parameter `userId`. */
  userId?: string;
}

/** The stored feedback. */
export interface SaveFeedbackResponse {
  /** Null if there is none. */
  comment: FeedbackComment | null;
  entryId: EntryId;
  rating: number;
  /** When the feedback was last changed. */
  updatedAt: string;
}

/** The id and the time of a new entry. */
export interface SavedEntry {
  /** Later than that of every earlier entry of this user. */
  createdAt: string;
  id: EntryId;
}

/** A change that takes effect when the current period ends. */
export interface ScheduledSubscriptionChange {
  /** When the change takes effect. */
  at: string;
  interval: BillingInterval;
  plan: string;
  quantity: number;
}

/** A score from 0 to 100 with at most two decimals. Percentages and scores of ten fit without conversion. */
export type Score = number;

/** A text to search for. */
export type SearchText = string;

/** The mood score to set. */
export interface SetMoodRequest {
  score: MoodScore;
  /** The user that the request is about, in place of the query parameter `userId`. */
  userId?: string;
}

/** A change of a count: an integer other than 0 that JavaScript represents exactly. */
export type SignedCount = number;

/** A Stripe subscription. */
export interface Subscription {
  /** The price of one period in minor units, before discounts and taxes. */
  amountMinor: number | null;
  cancelAt: string | null;
  cancelAtPeriodEnd: boolean;
  canceledAt: string | null;
  /** Why the subscription was or is going to be canceled: the reason that the app sent, or the one that Stripe reports. */
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
  /** The version of the plan that the customer bought. */
  planVersion: number | null;
  /** The number of seats. */
  quantity: number;
  /** A downgrade that takes effect when the period ends. */
  scheduledChange: ScheduledSubscriptionChange | null;
  trialEnd: string | null;
}

/**
 * The change to make to a subscription.
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

/** The id of a Stripe subscription. */
export type SubscriptionId = string;

/** The price and the effects of a change of a subscription. */
export interface SubscriptionPreview {
  /** The credits of which the new plan grants more or less in each period. */
  credits: Array<PlanCreditsChange>;
  current: PreviewedPlan;
  /** The invoice that the confirmed change leads to at once, to the cent; null if it leads to none. */
  dueNow: InvoicePreview | null;
  effect: PreviewKind;
  /** When the change takes effect; null if nothing changes. */
  effectiveAt: string | null;
  /** From then on the preview cannot be confirmed. */
  expiresAt: string;
  /** The features of which the new plan gives more or less. */
  features: Array<FeatureChange>;
  next: PreviewedPlan;
  /** The invoice of the next renewal as far as it is known today. Later changes of discounts, taxes, the balance or the subscription change it. */
  nextRenewal: InvoicePreview;
  /** When the subscription renews next. */
  nextRenewalAt: string | null;
  /** Confirms the change: send it as `previewId` to `PATCH /api/subscription`. */
  previewId: PreviewId;
}

/** A user's plan and the subscription behind it. */
export interface SubscriptionResponse {
  /** The plan given by an operator, which takes precedence over the subscription; null if there is none. */
  granted: ActivePlanComp | null;
  /** The key of the plan in effect; null before a catalog is published. */
  plan: string | null;
  planName: string | null;
  source: PlanSource | null;
  status: SubscriptionStatus;
  /** The current subscription or, if there is none, the last one. */
  subscription: Subscription | null;
  /** The owner: a user or an organisation; null only in the replay of a response stored by an older version. */
  userId: string | null;
}

/** The status of a subscription, as at Stripe; `none` for a user without a subscription. Stripe may add values. */
export type SubscriptionStatus = "active" | "trialing" | "past_due" | "canceled" | "unpaid" | "paused" | "incomplete" | "incomplete_expired" | "none" | (string & {});

/** A label of a history entry. */
export type Tag = string;

/** The labels of a history entry: at most ten, all different. */
export type Tags = Array<Tag>;

/** One of several usage entries. */
export interface TrackUsageEntry {
  /** The key of a metered feature. */
  feature: CatalogKey;
  /** The app's own data, kept with the entry. */
  metadata?: Metadata;
  /** The usage to add; 1 if absent. */
  quantity?: PositiveCount;
}

/** One usage entry, in `feature`, `quantity` and `metadata`, or up to 100 in `entries`. */
export type TrackUsageRequest = {
  /** Several entries. The results have the same order. */
  entries?: Array<TrackUsageEntry>;
  /** The key of a metered feature. Not together with `entries`. */
  feature?: CatalogKey;
  /** The app's own data, kept with the entry. Not together with `entries`. */
  metadata?: Metadata;
  /** With `entries`: what happens if one of them exceeds its limit; `all` if absent. */
  mode?: UsageMode;
  /** The owner that the request is about, in place of the query parameter `ownerId`. */
  ownerId?: string;
  /** The usage to add; 1 if absent. Not together with `entries`. */
  quantity?: PositiveCount;
  /** The user that the request is about, in place of the query parameter `userId`. */
  userId?: string;
} & ({ feature: CatalogKey; entries?: never; mode?: never } | { entries: Array<TrackUsageEntry>; feature?: never; quantity?: never; metadata?: never });

/**
 * How to handle several usage entries if one of them exceeds its limit.
 * - `all`: No entry is counted, and the request is refused.
 * - `each`: The other entries are counted.
 */
export type UsageMode = "all" | "each";

/** A user's current usage and a page of their past usage. */
export interface UsagePage {
  /** Usage of every metered feature in the current period. */
  current: Array<CurrentUsage>;
  /** Usage by period, newest first. */
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
 * - `billing_period`: Monthly, counted from the day the subscription began, also with yearly plans.
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
  /** True if the usage was counted; false if it would exceed a hard limit. */
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

/** The id of a user, from the app's identity provider (a token's `sub`), or of an organisation. An organisation's id begins with `org_` or `org:`. If the app has organisations, no user's id begins like that, so the two never collide. The id becomes part of Redis keys, which operators see, so it must be printable and short. Two different ids never make the same key, because the parts around them are fixed. */
export type UserId = string;

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

/** How a failed webhook was resolved: `applied` by a retry or a later event, `operator` by hand, `erased` together with its user. */
export type WebhookResolution = "applied" | "operator" | "erased";

/** Confirms to Stripe that the event was received. */
export interface WebhookResponse {
  /** Always true. */
  received: boolean;
}

/** An entry of a user's history with everything in it. */
export interface WholeEntry {
  /** The member who added the entry for the organisation; null if the owner did, or if the member is unknown or erased. */
  actorId: UserId | null;
  createdAt: string;
  /** The app's own data. */
  data: Record<string, unknown>;
  /** The caller's own feedback; null if there is none. */
  feedback: EntryFeedback | null;
  id: EntryId;
  /** The URL, path or hash of the input; null if the entry has none. */
  inputRef: string | null;
  /** The kind of entry: `code_review`. A saved conversation is a `chat`. */
  kind: EntryKind;
  /** The text of the result. Of a `chat`, the content. Null if the entry has none. */
  result: string | null;
  /** From 0 to 100; null for an entry without a score. */
  score: number | null;
  tags: Array<string>;
  /** The title. Of a `chat`, the summary. */
  title: string;
}

/** Every route, by method and path: the request's parameters and body, the body of a successful response, and the possible error codes. */
export interface Routes {
  /** deleteAccount: Delete an account. */
  "DELETE /api/account": {
    query: { "userId"?: string };
    headers: {};
    body: undefined;
    response: AccountDeletion;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "other_user" | "body_too_large" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
  };
  /** exportAccount: Export an account. */
  "GET /api/account": {
    query: { "userId"?: string; "limit"?: number; "cursor"?: string };
    headers: {};
    body: undefined;
    response: AccountExport;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "other_user" | "body_too_large" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable" | "redis_unavailable";
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
    query: { "userId"?: string; "ownerId"?: string };
    headers: {};
    body: CheckRequest;
    response: CheckResponse;
    errorCode: "broken_body" | "invalid_input" | "malformed_json" | "missing_body" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "other_user" | "slow_body" | "body_too_large" | "unsupported_media_type" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
  };
  /** getCredits: Get credit balances and ledger. */
  "GET /api/credits": {
    query: { "userId"?: string; "ownerId"?: string; "unit"?: CatalogKey; "limit"?: number; "cursor"?: string };
    headers: {};
    body: undefined;
    response: LedgerPage;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "other_user" | "body_too_large" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
  };
  /** changeCredits: Spend, grant or adjust credits. */
  "POST /api/credits": {
    query: { "userId"?: string; "ownerId"?: string };
    headers: { "Idempotency-Key"?: string };
    body: ChangeCreditsRequest;
    response: LedgerEntry;
    errorCode: "broken_body" | "invalid_input" | "malformed_json" | "missing_body" | "expired_token" | "invalid_token" | "missing_token" | "insufficient_credits" | "account_erased" | "insufficient_role" | "other_user" | "service_only" | "slow_body" | "body_too_large" | "unsupported_media_type" | "idempotency_key_reused" | "rate_limited" | "storage_rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
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
    query: { "userId"?: string; "ownerId"?: string };
    headers: {};
    body: undefined;
    response: Entitlements;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "other_user" | "nothing_is_sold" | "body_too_large" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
  };
  /** saveFeedback: Rate an entry of the history. */
  "POST /api/feedback": {
    query: { "userId"?: string; "ownerId"?: string };
    headers: { "Idempotency-Key"?: string };
    body: SaveFeedbackRequest;
    response: SaveFeedbackResponse;
    errorCode: "broken_body" | "invalid_input" | "malformed_json" | "missing_body" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "insufficient_role" | "other_user" | "history_entry_not_found" | "slow_body" | "body_too_large" | "unsupported_media_type" | "idempotency_key_reused" | "rate_limited" | "storage_rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
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
  /** deleteHistory: Delete an entry, or the whole history. */
  "DELETE /api/history": {
    query: { "userId"?: string; "ownerId"?: string; "id"?: EntryId; "all"?: "delete-all-history" };
    headers: {};
    body: undefined;
    response: DeleteHistoryResponse;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "insufficient_role" | "other_user" | "body_too_large" | "rate_limited" | "storage_rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
  };
  /** getHistory: Get the history, or one entry. */
  "GET /api/history": {
    query: { "userId"?: string; "ownerId"?: string; "id"?: EntryId; "kind"?: EntryKind; "tag"?: Tag; "minScore"?: Score; "maxScore"?: Score; "since"?: string; "until"?: string; "q"?: SearchText; "limit"?: number; "cursor"?: string };
    headers: {};
    body: undefined;
    response: HistoryResponse;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "other_user" | "history_entry_not_found" | "body_too_large" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
  };
  /** addHistory: Add an entry to the history. */
  "POST /api/history": {
    query: { "userId"?: string; "ownerId"?: string };
    headers: { "Idempotency-Key"?: string };
    body: AddHistoryRequest;
    response: SavedEntry;
    errorCode: "broken_body" | "invalid_input" | "malformed_json" | "missing_body" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "insufficient_role" | "other_user" | "slow_body" | "body_too_large" | "unsupported_media_type" | "idempotency_key_reused" | "rate_limited" | "storage_rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
  };
  /** listInvoices: List invoices. */
  "GET /api/invoices": {
    query: { "userId"?: string; "ownerId"?: string; "limit"?: number; "cursor"?: string };
    headers: {};
    body: undefined;
    response: InvoicesPage;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "other_user" | "body_too_large" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable" | "stripe_unavailable";
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
    query: { "userId"?: string; "ownerId"?: string };
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
    query: { "userId"?: string; "ownerId"?: string; "sessionId": string };
    headers: {};
    body: undefined;
    response: CheckoutSession;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "other_user" | "session_not_found" | "body_too_large" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable" | "stripe_unavailable";
  };
  /** createCheckoutSession: Create a Checkout session. */
  "POST /api/stripe/create-checkout-session": {
    query: { "userId"?: string; "ownerId"?: string };
    headers: { "x-user-email"?: Email; "Idempotency-Key"?: string };
    body: CheckoutRequest;
    response: CheckoutResponse;
    errorCode: "broken_body" | "invalid_input" | "malformed_json" | "missing_body" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "insufficient_role" | "other_user" | "slow_body" | "already_subscribed" | "request_in_progress" | "trial_already_used" | "body_too_large" | "unsupported_media_type" | "idempotency_key_reused" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable" | "stripe_unavailable";
  };
  /** createPortalSession: Create a customer portal session. */
  "POST /api/stripe/create-portal-session": {
    query: { "userId"?: string; "ownerId"?: string };
    headers: { "Idempotency-Key"?: string };
    body: PortalRequest;
    response: PortalResponse;
    errorCode: "broken_body" | "invalid_input" | "malformed_json" | "missing_body" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "insufficient_role" | "other_user" | "slow_body" | "no_customer" | "request_in_progress" | "body_too_large" | "unsupported_media_type" | "idempotency_key_reused" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable" | "stripe_unavailable";
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
    query: { "userId"?: string; "ownerId"?: string; "subscriptionId"?: SubscriptionId };
    headers: {};
    body: undefined;
    response: SubscriptionResponse;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "other_user" | "subscription_not_found" | "body_too_large" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
  };
  /** changeSubscription: Change, cancel or resume a subscription. */
  "PATCH /api/subscription": {
    query: { "userId"?: string; "ownerId"?: string };
    headers: { "Idempotency-Key"?: string };
    body: ChangeSubscriptionRequest;
    response: SubscriptionResponse;
    errorCode: "broken_body" | "invalid_input" | "malformed_json" | "missing_body" | "expired_token" | "invalid_token" | "missing_token" | "payment_confirmation_required" | "payment_failed" | "account_erased" | "insufficient_role" | "other_user" | "preview_not_found" | "slow_body" | "cancellation_pending" | "change_planned" | "no_subscription" | "not_in_good_standing" | "nothing_to_resume" | "paused_by_operator" | "preview_outdated" | "request_in_progress" | "subscription_changed" | "body_too_large" | "unsupported_media_type" | "idempotency_key_reused" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable" | "stripe_unavailable";
  };
  /** previewSubscription: Preview a change of a subscription. */
  "POST /api/subscription/preview": {
    query: { "userId"?: string; "ownerId"?: string };
    headers: {};
    body: PreviewSubscriptionRequest;
    response: SubscriptionPreview;
    errorCode: "broken_body" | "invalid_input" | "malformed_json" | "missing_body" | "expired_token" | "invalid_token" | "missing_token" | "payment_confirmation_required" | "payment_failed" | "account_erased" | "insufficient_role" | "other_user" | "slow_body" | "cancellation_pending" | "change_planned" | "no_subscription" | "not_in_good_standing" | "subscription_changed" | "body_too_large" | "unsupported_media_type" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable" | "stripe_unavailable";
  };
  /** getUsage: Get usage. */
  "GET /api/usage": {
    query: { "userId"?: string; "ownerId"?: string; "feature"?: CatalogKey; "limit"?: number; "cursor"?: string };
    headers: {};
    body: undefined;
    response: UsagePage;
    errorCode: "invalid_input" | "expired_token" | "invalid_token" | "missing_token" | "account_erased" | "other_user" | "body_too_large" | "rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
  };
  /** trackUsage: Report usage. */
  "POST /api/usage": {
    query: { "userId"?: string; "ownerId"?: string };
    headers: { "Idempotency-Key"?: string };
    body: TrackUsageRequest;
    response: UsageResponse;
    errorCode: "broken_body" | "invalid_input" | "malformed_json" | "missing_body" | "expired_token" | "invalid_token" | "missing_token" | "quota_exceeded" | "account_erased" | "insufficient_role" | "other_user" | "slow_body" | "body_too_large" | "unsupported_media_type" | "idempotency_key_reused" | "rate_limited" | "storage_rate_limited" | "internal" | "auth_keys_unavailable" | "database_unavailable";
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
