// GET /api/entitlements as an engineer writes it by hand: verify the token, then check the rate limit and
// read the cache at the same time, then read from Postgres what the cache lacks.

import { Ratelimit } from '@upstash/ratelimit'
import { Redis } from '@upstash/redis'
import { jwtVerify } from 'jose'
import pg from 'pg'

const {
  AUTH_HS256_SECRET,
  AUTH_ISSUER,
  DATABASE_URL,
  FAREBOX_SCHEMA = 'public',
  UPSTASH_REDIS_REST_TOKEN,
  UPSTASH_REDIS_REST_URL,
} = process.env

const secret = new TextEncoder().encode(AUTH_HS256_SECRET)
const redis = new Redis({
  url: UPSTASH_REDIS_REST_URL,
  token: UPSTASH_REDIS_REST_TOKEN,
  enableTelemetry: false,
})
const limiter = new Ratelimit({ redis, limiter: Ratelimit.slidingWindow(1200, '60 s'), analytics: false })
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 1 })

export async function handler(event) {
  const user = await userOf(event.headers.authorization)
  if (!user) return answer(401, { code: 'invalid_token' })
  const key = `node:entitlements:${user}`
  const [{ success }, cached] = await Promise.all([limiter.limit(user), redis.get(key)])
  if (!success) return answer(429, { code: 'rate_limited' })
  const entitlements = cached ?? (await load(user, key))
  console.error(JSON.stringify({ status: 200, source: cached ? 'cache' : 'database' }))
  return answer(200, entitlements)
}

async function userOf(authorization) {
  const token = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1]
  if (!token) return undefined
  try {
    const { payload } = await jwtVerify(token, secret, { issuer: AUTH_ISSUER, algorithms: ['HS256'] })
    return payload.sub
  } catch {
    return undefined
  }
}

/** Reads from Postgres, and caches the result until time changes it. */
async function load(user, key) {
  const now = new Date()
  const sql = `select ${FAREBOX_SCHEMA}.get_entitlements($1, $2) as found`
  const { rows } = await pool.query(sql, [user, now])
  const { found } = rows[0]
  const entitlements = shown(found)
  const fresh = found.fresh_until - now.getTime()
  if (fresh > 0) await redis.set(key, entitlements, { px: fresh })
  return entitlements
}

/** The public form of an entitlement. */
function shown({ terms, used, units }) {
  const { version, value: plan } = terms
  const parts = [...Object.values(used), ...Object.values(units)]
  return {
    plan: plan.plan,
    planName: plan.plan_name,
    planVersion: plan.plan_version,
    source: plan.source,
    status: plan.status,
    interval: plan.interval,
    quantity: plan.quantity,
    trialEnd: time(plan.trial_end),
    currentPeriodStart: time(plan.current_period_start),
    currentPeriodEnd: time(plan.current_period_end),
    cancelAtPeriodEnd: plan.cancel_at_period_end,
    cancelAt: time(plan.cancel_at),
    features: mapped(plan.features, (feature, key) => shownFeature(feature, used[key]?.value ?? 0)),
    credits: mapped(units, ({ value }) => ({
      balance: value.balance,
      nextExpiry: value.expires_at && { at: time(value.expires_at), amount: value.expiring },
    })),
    version: Math.max(version, ...parts.map((part) => part.version)),
  }
}

function shownFeature({ type, name, enabled, unit, amount, limit, overage, resets_at }, used) {
  if (type === 'boolean') return { type, name, enabled }
  if (type === 'credits') return { type, name, unit, amount }
  const remaining = limit === null ? null : Math.max(limit - used, 0)
  return { type, name, unit, limit, used, remaining, overage, resetsAt: time(resets_at) }
}

function mapped(object, change) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]))
}

function time(text) {
  return text && new Date(text).toISOString()
}

function answer(statusCode, body) {
  const headers = { 'content-type': 'application/json' }
  return { statusCode, headers, body: JSON.stringify(body) }
}
