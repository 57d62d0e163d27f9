// What Farebox's routes take and answer. Rendered from the endpoint table by `farebox render`.

export interface ActivePlanComp {
  endsAt: string | null;
  plan: string;
  startsAt: string;
}

/** How often a price is paid. */
export type BillingInterval = "weekly" | "monthly" | "quarterly" | "yearly";

/** How far it came. */
export interface CacheWarmUpReport {
  /** Whether it came to the last of them. */
  isComplete: boolean;
  /** Why it stopped before. */
  problem: string | null;
  /** Users who are shown now. */
  shown: number;
}

export type CancellationTime = "period_end" | "now";

export interface Catalog {
  packs: Array<CatalogPack>;
  /** The cheapest first, as the product orders them. */
  plans: Array<CatalogPlan>;
}

/** The key of a plan or a credit pack in the catalog: `pro`, `mail_credits_10`. */
export type CatalogKey = string;

/** Credits to buy once. */
export interface CatalogPack {
  /** In whole minor units, such as cents. */
  amountMinor: number;
  credits: number;
  /** The amount in other currencies. */
  currencies: Record<string, number>;
  currency: string;
  description: string;
  /** Null where they do not expire. */
  expiresAfterDays: number | null;
  key: string;
  /** The most that one checkout sells; null where it has no limit of its own. */
  maxQuantity: number | null;
  name: string;
  /** What the credits are counted in: the unit of a feature. */
  unit: string;
  version: number;
}

export interface CatalogPlan {
  /** The plan of those who pay nothing. */
  default: boolean;
  description: string;
  /** What the plan gives of every feature of the product, by the feature's key. */
  features: Record<string, PlanFeature>;
  /** What a checkout calls it. */
  key: string;
  name: string;
  /** One for each interval, the shortest first; none where it costs nothing. */
  prices: Array<CatalogPrice>;
  /** 0 where there is no trial. */
  trialDays: number;
  /** Rises when anything about the plan changes; whoever has it keeps the version they bought. */
  version: number;
}

export interface CatalogPrice {
  /** In whole minor units, such as cents. */
  amountMinor: number;
  /** The amount in other currencies. */
  currencies: Record<string, number>;
  currency: string;
  interval: BillingInterval;
  /** The amount is for each seat. */
  perSeat: boolean;
}

/** What to do with them. */
export interface ChangeCreditsRequest {
  action: CreditAction;
  /** Above zero, but that `adjust` may take. */
  amount: SignedCount;
  /** To grant: when they go. */
  expiresAt?: string | null;
  /** What the app wants to remember of it. The ledger outlives its users: name nobody in it. */
  metadata?: Metadata | null;
  /** To grant: of credits that go at once the lowest is spent first; 50 if absent. */
  priority?: CreditPriority | null;
  /** To grant or adjust: why. The user can read it. */
  reason?: Reason | null;
  unit: CatalogKey;
  /** Whom this is about, as in the query. */
  userId?: string;
}

/** What to do with it. */
export interface ChangeSubscriptionRequest {
  action: SubscriptionAction;
  /** To change: how often it is paid. */
  interval?: BillingInterval | null;
  /** To change: how many seats. */
  quantity?: Quantity | null;
  /** To cancel: why. */
  reason?: Reason | null;
  /** To change: the other plan. */
  tier?: CatalogKey | null;
  /** Whom this is about, as in the query. */
  userId?: string;
  /** To cancel: `period_end`, if absent. */
  when?: CancellationTime | null;
}

/** A conversation, as it is kept in a user's history. */
export type ChatContent = string;

/** What a conversation was about, in a few words. */
export type ChatSummary = string;

/** One feature, or up to 50 in `checks`. */
export interface CheckRequest {
  checks?: Array<FeatureCheck> | null;
  feature?: CatalogKey | null;
  /** How many times; 1 if absent. */
  quantity?: PositiveCount | null;
  /** Whom this is about, as in the query. */
  userId?: string;
}

/** The answer to one check, or to each, in their order. */
export type CheckResponse = FeatureCheckResult | {
  checks: Array<FeatureCheckResult>;
};

/** What to buy: `tier` and `interval`, or `pack`. */
export interface CheckoutRequest {
  /** On one of the app's origins. */
  cancelUrl: string;
  /** One of the currencies it is sold in; its first if absent. */
  currency?: Currency | null;
  /** The customer's address at Stripe, for receipts; a trusted server may send `x-user-email` instead. Until a checkout is completed, notices of usage and credits go only to an address that a trusted server named. */
  email?: Email | null;
  interval?: BillingInterval | null;
  /** The credit pack's key in the catalog. */
  pack?: CatalogKey | null;
  /** Seats of a plan that has them, or how many packs; 1 if absent. */
  quantity?: Quantity | null;
  /** On one of the app's origins. `{CHECKOUT_SESSION_ID}` in it becomes the session's id. */
  successUrl: string;
  /** The plan's key in the catalog. */
  tier?: CatalogKey | null;
  /** Whom this is about, as in the query. */
  userId?: string;
}

/** Where the user pays. */
export interface CheckoutResponse {
  sessionId: string;
  url: string;
}

/** How a purchase stands. */
export interface CheckoutSession {
  amountMinor: number | null;
  currency: string | null;
  interval: string | null;
  /** `subscription` or `payment`. */
  mode: string;
  pack: string | null;
  /** `paid`, `unpaid` (a delayed payment method) or `no_payment_required` (a trial). */
  paymentStatus: string | null;
  plan: string | null;
  quantity: number | null;
  sessionId: string;
  /** `open`, `complete` or `expired`. */
  status: string;
  /** The status of the subscription that came of it. */
  subscriptionStatus: string | null;
}

export type CreditAction = "spend" | "grant" | "adjust";

export interface CreditExpiry {
  amount: number;
  at: string;
}

/** What is left of one gift of credits. */
export interface CreditGrantBalance {
  amount: number;
  createdAt: string;
  expiresAt: string | null;
  /** Where they are from: `purchase`, `plan`, `grant`, `adjust` or `opening`. */
  kind: string;
  /** Of those that expire at once the lowest is spent first. */
  priority: number;
  remaining: number;
}

/** Which of several gifts of credits is spent first, where they expire at once: the lowest, 0 to 100. */
export type CreditPriority = number;

/** What is held of one unit. */
export interface CreditUnitBalance {
  /** Below zero where more was taken back than there was: then nothing can be spent. */
  balance: number;
  /** In the order in which they are spent. */
  buckets: Array<CreditGrantBalance>;
  /** When the first of them go, and how many. */
  expiresAt: string | null;
  expiring: number | null;
  unit: string;
}

/** A currency as Stripe writes it: `usd`. */
export type Currency = string;

/** What is used of a feature in the period that runs. */
export interface CurrentUsage {
  feature: string;
  /** Null where there is none. */
  limit: number | null;
  /** How much of it went over a soft limit. */
  overage: number;
  periodStart: string;
  /** Null where it never starts again. */
  resetsAt: string | null;
  used: number;
}

/** What the job did. */
export interface DailyReport {
  /** Which events were applied, older than 30 days. */
  forgottenEvents: number;
  /** Idempotency keys of history entries, older than a day. */
  forgottenKeys: number;
  /** What others were told, more than 30 days ago. */
  forgottenMessages: number;
  /** What dead letters held, older than 30 days. */
  forgottenPayloads: number;
  /** Requests to Stripe, older than a day. */
  forgottenRequests: number;
  /** Idempotency keys of uses, older than a day. */
  forgottenUsageKeys: number;
  /** How what is here compared with Stripe. */
  reconciled: ReconciliationReport;
  /** Who is shown what they may do. */
  warmed: CacheWarmUpReport;
}

/** What became of the messages that were due. */
export interface DeliveryReport {
  /** Messages that were delivered, or had no recipient. */
  delivered: number;
  /** Messages that failed permanently. */
  givenUp: number;
  /** Messages that will be tried again. */
  retried: number;
}

export type DependencyStatus = "up" | "down";

/** An e-mail address, as far as anyone can tell without writing to it. */
export type Email = string;

/** What is held of one unit of credits. */
export interface EntitledCredits {
  /** Below zero where more was taken back than there was: then nothing can be spent. */
  balance: number;
  nextExpiry: CreditExpiry | null;
}

export type EntitledFeature = {
  enabled: boolean;
  name: string;
  type: "boolean";
} | {
  /** Null where there is none. */
  limit: number | null;
  name: string;
  overage: OveragePolicy;
  remaining: number | null;
  /** Null where it never starts again. */
  resetsAt: string | null;
  type: "metered";
  unit: string;
  used: number;
} | {
  amount: number;
  name: string;
  type: "credits";
  unit: string;
};

/** What a user may do. */
export interface Entitlements {
  cancelAt: string | null;
  cancelAtPeriodEnd: boolean;
  /** What is held of each unit of credits. */
  credits: Record<string, EntitledCredits>;
  currentPeriodEnd: string | null;
  currentPeriodStart: string | null;
  /** Every feature of the catalog, by its key. */
  features: Record<string, EntitledFeature>;
  interval: string | null;
  plan: string;
  planName: string;
  planVersion: number;
  /** Seats. */
  quantity: number | null;
  /** `stripe`, `grant` (given by hand) or `default` (for those who pay nothing). */
  source: string;
  /** The subscription's status; `none` without one. */
  status: string;
  trialEnd: string | null;
  /** Grows with every change. */
  version: number;
}

/** What kind of problem it is. Stable, for programs to match on. */
export type ErrorCode = "account_erased" | "admin_only" | "already_subscribed" | "auth_keys_unavailable" | "body_too_large" | "broken_body" | "cancellation_pending" | "change_planned" | "database_unavailable" | "expired_token" | "foreign_host" | "idempotency_key_reused" | "insufficient_credits" | "internal" | "invalid_host" | "invalid_input" | "invalid_signature" | "invalid_token" | "invalid_transfer_encoding" | "malformed_event" | "malformed_json" | "method_not_allowed" | "missing_body" | "missing_token" | "no_customer" | "no_subscription" | "not_found" | "not_in_good_standing" | "nothing_is_sold" | "nothing_to_resume" | "other_user" | "payload_forgotten" | "payment_confirmation_required" | "payment_failed" | "quota_exceeded" | "rate_limited" | "redis_unavailable" | "request_under_way" | "service_only" | "session_not_found" | "slow_body" | "storage_rate_limited" | "stripe_unavailable" | "subscription_changed" | "subscription_not_found" | "trial_is_over" | "unsupported_media_type" | "webhook_not_found" | "webhook_resolved";

/** An event of Stripe's, by its id. */
export type EventId = string;

/** An event that could not be applied, with what became of it. */
export interface FailedWebhook {
  /** How often it has failed. */
  attempts: number;
  /** Why it failed last. */
  cause: string;
  /** When it happened, by Stripe's clock. */
  createdAt: string;
  customerId: string | null;
  /** When it failed first. */
  failedAt: string;
  /** Stripe's id of the event. */
  id: string;
  /** When it is tried again by itself; null once only a person can help. */
  nextTryAt: string | null;
  /** Why it was set aside. */
  note: string | null;
  paymentId: string | null;
  resolvedAt: string | null;
  /** `applied`, `operator` (set aside by hand) or `erased` (with its user). */
  resolvedBy: string | null;
  retriedAt: string | null;
  type: string;
  userId: string | null;
}

export type FailedWebhookAction = "replay" | "resolve";

export interface FailedWebhookPage {
  /** The one that failed last first. */
  data: Array<FailedWebhook>;
  /** Names the next page; null on the last one. */
  nextCursor: string | null;
}

/** An event that could not be applied, with what it said. */
export interface FailedWebhookWithPayload {
  /** How often it has failed. */
  attempts: number;
  /** Why it failed last. */
  cause: string;
  /** When it happened, by Stripe's clock. */
  createdAt: string;
  customerId: string | null;
  /** When it failed first. */
  failedAt: string;
  /** Stripe's id of the event. */
  id: string;
  /** When it is tried again by itself; null once only a person can help. */
  nextTryAt: string | null;
  /** Why it was set aside. */
  note: string | null;
  /** The event as Stripe sent it; null once that is forgotten. */
  payload: unknown;
  paymentId: string | null;
  resolvedAt: string | null;
  /** `applied`, `operator` (set aside by hand) or `erased` (with its user). */
  resolvedBy: string | null;
  retriedAt: string | null;
  type: string;
  userId: string | null;
}

/** A page of dead letters, or the one that was asked for by its id. */
export type FailedWebhooksResponse = FailedWebhookWithPayload | FailedWebhookPage;

export interface FeatureCheck {
  feature: CatalogKey;
  /** How many times; 1 if absent. */
  quantity?: PositiveCount;
}

/** What one may ask of a feature: may it be used so many times? */
export interface FeatureCheckResult {
  allowed: boolean;
  /** How many more uses there are, or credits; null where there is no end, or nothing is counted. */
  balance: number | null;
  feature: string;
  /** Why not. */
  reason: RefusalReason | null;
  /** When it starts again from nothing. */
  resetsAt: string | null;
  /** The lowest plan on sale that would allow it. */
  upgradeTo: string | null;
}

export interface FieldDifference {
  field: string;
  /** What it is here; null for a subscription that was never heard of. */
  ours: unknown;
  stripes: unknown;
}

/** One thing wrong with the input. */
export interface FieldError {
  /** The field, as a path from the top of the input: `score`, `items[2].quantity`. */
  field: string;
  /** What is wrong with it, in words. */
  message: string;
}

/** When a plan grants its credits. */
export type GrantInterval = "billing_period";

/** What to do about a dead letter. */
export interface HandleFailedWebhookRequest {
  action: FailedWebhookAction;
  id: EventId;
  /** Why it is set aside; `resolve` needs one. */
  note?: Reason | null;
}

export interface HealthResponse {
  /** Always `ok`: whoever is not well does not answer. */
  status: string;
}

/** What was found. */
export interface LedgerAuditReport {
  /** Goes on from here; null at the end. */
  nextCursor: string | null;
  /** Where there are more than a hundred, the rest is on the next page. */
  problems: Array<LedgerProblem>;
  /** Rows of the ledger that were looked at. */
  rows: number;
  /** Users whose balances were. */
  users: number;
}

/** One row of the ledger. */
export interface LedgerEntry {
  /** Below zero where credits went. */
  amount: number;
  /** What was left after it. */
  balance: number;
  createdAt: string;
  id: number;
  /** `purchase` and `grant` came in, `spend` went; `plan`, `refund`, `dispute`, `expiry`, `adjust` and `opening` may be either. */
  kind: string;
  metadata: unknown;
  reason: string | null;
  /** The checkout session that brought it. */
  sessionId: string | null;
  unit: string;
}

/** What a user holds, and a page of what moved it. */
export interface LedgerPage {
  credits: Array<CreditUnitBalance>;
  /** The ledger, the latest first. */
  data: Array<LedgerEntry>;
  /** Names the next page; null on the last one. */
  nextCursor: string | null;
}

/** Something that is wrong with the ledger, or with what follows from it. */
export interface LedgerProblem {
  problem: string;
  /** Which of the user's rows; null where it is what they hold. */
  seq: number | null;
  userId: string;
}

/** What the app wants to remember of something: an object of at most 4 KB, in which there is no NUL, since Postgres cannot keep one. */
export type Metadata = Record<string, unknown>;

/** What the job did. */
export interface MinuteReport {
  /** What others had yet to be told. */
  messages: DeliveryReport;
  /** Events that had failed and were applied now. */
  replayed: number;
  /** Users for whom time alone changed something: credits began or ended, or a plan did. */
  settled: number;
  /** Events that failed once more. */
  stillFailing: number;
}

/** How a user feels, from 0 to 10; decimals allowed. */
export type MoodScore = number;

/** What happens at the limit of a metered feature. */
export type OveragePolicy = "hard" | "soft";

export interface PendingSubscriptionChange {
  expiresAt: string;
  interval: string | null;
  plan: string | null;
  quantity: number;
}

export interface PlanComp {
  /** Until then; for good if absent. */
  endsAt?: string | null;
  /** The plan's name or key in the catalog. */
  plan: PlanName;
  /** For the audit trail. */
  reason?: Reason | null;
  /** Whom this is about, as in the query. */
  userId?: string;
}

/** What one plan gives of one feature. */
export type PlanFeature = {
  enabled: boolean;
  name: string;
  type: "boolean";
} | {
  limit: number | null;
  name: string;
  overage: OveragePolicy;
  reset: UsageReset;
  type: "metered";
  unit: string;
} | {
  amount: number;
  every: GrantInterval;
  name: string;
  /** What is left of one period stays for the next. Left out where it does not, so that what was published before there was a choice is the same still. */
  rollover?: boolean;
  type: "credits";
  unit: string;
};

/** A plan, by its name or its key in the catalog. */
export type PlanName = string;

export interface PortalRequest {
  /** Where the customer comes back to, on one of the app's origins. */
  returnUrl: string;
  /** Whom this is about, as in the query. */
  userId?: string;
}

/** Where the customer goes. The address is theirs alone, and short-lived. */
export interface PortalResponse {
  url: string;
}

/** How many, at least one. */
export type PositiveCount = number;

/** The body of every answer that is not a success (RFC 9457). */
export type Problem = {
  code: ErrorCode;
  /** For people; the wording may change. */
  detail: string;
  /** For input: what is wrong, field by field. */
  errors?: Array<FieldError> | null;
  /** Quote it when you ask for help; the log line carries it too. */
  requestId: string;
  status: number;
  /** The status in words. */
  title: string;
  /** Always `about:blank`: `code` says what kind of problem it is. */
  type: string;
} & ({
  /** The page where the user can pay or confirm it. */
  paymentUrl: string;
} | {
  /** What has been used. */
  current: number;
  limit: number | null;
  /** The feature. */
  quota: string;
  resetsAt: string | null;
} | {
  /** What there is. */
  balance: number;
  /** What was asked for. */
  needed: number;
  unit: string;
} | object);

/** How many seats, or packs: 1 to 10,000. */
export type Quantity = number;

/** Whom a named limit applies to. */
export type RateLimitIdentifier = string;

export interface RateLimitRequest {
  /** The name of a configured limit, such as `review-code`. */
  action: string;
  /** Units to take; 1 if absent. */
  cost?: number;
  /** Whom to limit: a user id, an address, whatever the app tells apart. */
  identifier: RateLimitIdentifier;
}

export interface RateLimitResponse {
  allowed: boolean;
  /** Units in a full bucket. */
  limit: number;
  /** Units left. */
  remaining: number;
  /** When the whole limit is to be had again. */
  resetsAt: string;
}

/** What answers and what does not. */
export interface ReadinessResponse {
  postgres: DependencyStatus;
  redis: DependencyStatus;
  /** `ready`, or `degraded` if anything is down. */
  status: string;
}

/** Why something was done, in somebody's own words. */
export type Reason = string;

export interface ReconciliationFailure {
  /** The event's or the subscription's id at Stripe. */
  id: string;
  problem: string;
}

/** What came of a run. */
export interface ReconciliationReport {
  /** Those of them that were applied now. */
  applied: number;
  /** The first hundred of them. */
  drifted: Array<SubscriptionDrift>;
  /** Subscriptions that were not here as they are at Stripe. */
  drifts: number;
  /** Events and subscriptions that cannot be applied, the first hundred. */
  failed: Array<ReconciliationFailure>;
  /** Subscriptions that are none of ours. */
  foreign: number;
  /** Everything was gone through; else the next run goes on. */
  isComplete: boolean;
  /** Events and subscriptions that Stripe listed. */
  lookedAt: number;
  /** Events that were never heard of. */
  missedEvents: number;
  /** Subscriptions that live here and that Stripe does not have, the first hundred; they stay. */
  missingAtStripe: Array<string>;
  /** Why it stopped midway. */
  problem: string | null;
  /** Those of them that now are. */
  repaired: number;
  /** Subscriptions to a plan of the catalog whose user nothing names: its customer pays, and no user has it. */
  unnamed: number;
  /** The first hundred of them. */
  unnamedSubscriptions: Array<string>;
}

export type RefusalReason = "limit_reached" | "not_in_plan" | "past_due" | "no_customer";

/** A conversation to count. */
export interface SaveChatRequest {
  /** The conversation itself, for the user's history. */
  content?: ChatContent | null;
  /** What the conversation was about, for the dashboard. */
  summary: ChatSummary;
  /** Whom this is about, as in the query. */
  userId?: string;
}

export interface ScheduledSubscriptionChange {
  at: string;
  interval: string;
  plan: string;
  quantity: number;
}

export interface SetMoodRequest {
  score: MoodScore;
  /** Whom this is about, as in the query. */
  userId?: string;
}

/** How many more, or fewer below zero. */
export type SignedCount = number;

export interface Subscription {
  /** What one period costs, before discounts and taxes. */
  amountMinor: number | null;
  cancelAt: string | null;
  cancelAtPeriodEnd: boolean;
  canceledAt: string | null;
  cancellationReason: string | null;
  createdAt: string;
  currency: string | null;
  currentPeriodEnd: string | null;
  currentPeriodStart: string | null;
  endedAt: string | null;
  id: string;
  interval: string | null;
  /** What it becomes once that is paid for. */
  pendingChange: PendingSubscriptionChange | null;
  plan: string | null;
  planName: string | null;
  /** The version of the plan that was bought. */
  planVersion: number | null;
  /** Seats. */
  quantity: number;
  /** What it becomes when the period ends. */
  scheduledChange: ScheduledSubscriptionChange | null;
  trialEnd: string | null;
}

export type SubscriptionAction = "cancel" | "change" | "resume";

/** A subscription that is not here as it is at Stripe. */
export interface SubscriptionDrift {
  fields: Array<FieldDifference>;
  /** The subscription's id at Stripe. */
  id: string;
  /** Whose it is, where that is known. */
  userId: string | null;
}

/** What a user has. */
export interface SubscriptionResponse {
  /** A plan given by hand, which outranks the subscription. */
  granted: ActivePlanComp | null;
  /** The plan that counts, wherever it comes from; null while nothing is sold yet. */
  plan: string | null;
  planName: string | null;
  /** `stripe`, `grant` (given by hand) or `default` (for those who pay nothing). */
  source: string | null;
  /** The subscription's status; `none` without one. */
  status: string;
  subscription: Subscription | null;
  /** Whose it is; null in the replay of an answer from before this was said. */
  userId: string | null;
}

export interface TrackUsageEntry {
  feature: CatalogKey;
  metadata?: Metadata | null;
  /** How much; 1 if absent. */
  quantity?: PositiveCount;
}

/** One use, or up to 100 in `entries`. */
export interface TrackUsageRequest {
  entries?: Array<TrackUsageEntry> | null;
  feature?: CatalogKey | null;
  /** What the app wants to remember of it. */
  metadata?: Metadata | null;
  /** Of several: `all` (if absent), or each for itself. */
  mode?: UsageMode | null;
  /** How much; 1 if absent. */
  quantity?: PositiveCount | null;
  /** Whom this is about, as in the query. */
  userId?: string;
}

export type UsageMode = "each" | "all";

/** What a user uses, and what they have used. */
export interface UsagePage {
  /** Every feature that is counted, in the period that runs. */
  current: Array<CurrentUsage>;
  /** What was used by period, the latest first. */
  data: Array<UsagePeriod>;
  /** Names the next page; null on the last one. */
  nextCursor: string | null;
}

/** What was used of a feature in one period. */
export interface UsagePeriod {
  feature: CatalogKey;
  /** How much of it went over a soft limit. */
  overage: number;
  periodEnd: string | null;
  periodStart: string;
  used: number;
}

/** When a metered feature starts again from nothing. */
export type UsageReset = "never" | "month" | "billing_period" | "day";

/** What came of one use, or of each, in their order. */
export type UsageResponse = UsageResult | {
  entries: Array<UsageResult>;
};

/** What came of one. */
export interface UsageResult {
  /** False where it would have gone over a hard limit: then it was not counted. */
  allowed: boolean;
  feature: string;
  /** Null where there is none. */
  limit: number | null;
  /** How much of it went over a soft limit. */
  overage: number;
  resetsAt: string | null;
  /** What has been used in the period that runs. */
  used: number;
}

/** A user's stats, in the hash's own field names. */
export interface UserStats {
  /** Conversations saved so far. */
  conversations: number;
  /** Days on which the user signed in. */
  days_active: number;
  /** The UTC date of the last sign-in; null before the first. */
  last_login: string | null;
  /** Days in a row, up to the last sign-in. */
  login_streak: number;
  /** From 0 to 10. */
  mood_score: number;
  plan: string;
  /** Summaries of the last three conversations, newest first. */
  recent_conversations: Array<unknown>;
}

export interface WebhookResponse {
  received: boolean;
}

/** Every route: what its body is, and what it answers when it succeeds. */
export interface Routes {
  "DELETE /api/account": { body: undefined; answer: undefined };
  "GET /api/admin/ledger": { body: undefined; answer: LedgerAuditReport };
  "GET /api/admin/webhooks": { body: undefined; answer: FailedWebhooksResponse };
  "POST /api/admin/webhooks": { body: HandleFailedWebhookRequest; answer: FailedWebhook };
  "POST /api/chat/save": { body: SaveChatRequest; answer: UserStats };
  "POST /api/check": { body: CheckRequest; answer: CheckResponse };
  "GET /api/credits": { body: undefined; answer: LedgerPage };
  "POST /api/credits": { body: ChangeCreditsRequest; answer: LedgerEntry };
  "GET /api/cron/daily": { body: undefined; answer: DailyReport };
  "GET /api/cron/minute": { body: undefined; answer: MinuteReport };
  "GET /api/dashboard": { body: undefined; answer: UserStats };
  "GET /api/entitlements": { body: undefined; answer: Entitlements };
  "GET /api/health": { body: undefined; answer: HealthResponse };
  "GET /api/health/ready": { body: undefined; answer: ReadinessResponse };
  "PATCH /api/mood": { body: SetMoodRequest; answer: UserStats };
  "PATCH /api/plan": { body: PlanComp; answer: UserStats };
  "GET /api/plans": { body: undefined; answer: Catalog };
  "POST /api/rate-limit": { body: RateLimitRequest; answer: RateLimitResponse };
  "DELETE /api/session": { body: undefined; answer: undefined };
  "POST /api/session": { body: undefined; answer: UserStats };
  "GET /api/stripe/checkout-session": { body: undefined; answer: CheckoutSession };
  "POST /api/stripe/create-checkout-session": { body: CheckoutRequest; answer: CheckoutResponse };
  "POST /api/stripe/create-portal-session": { body: PortalRequest; answer: PortalResponse };
  "POST /api/stripe/webhook": { body: undefined; answer: WebhookResponse };
  "GET /api/subscription": { body: undefined; answer: SubscriptionResponse };
  "PATCH /api/subscription": { body: ChangeSubscriptionRequest; answer: SubscriptionResponse };
  "GET /api/usage": { body: undefined; answer: UsagePage };
  "POST /api/usage": { body: TrackUsageRequest; answer: UsageResponse };
  "POST /api/webhooks/stripe": { body: undefined; answer: WebhookResponse };
}
