// Measures @supabase/stripe-sync-engine: it verifies a signed event and stores the event's object.

import { readFileSync } from 'node:fs'
import { createHmac } from 'node:crypto'
import { createRequire } from 'node:module'
import { measure, settings } from './load.js'

// The package's ES module does not find its migrations, and reports this only to a logger.
const { StripeSync, runMigrations } = createRequire(import.meta.url)('@supabase/stripe-sync-engine')

const { concurrency, database_url, webhook_secret, events } = settings
const failed = (error) => {
  throw error
}
await runMigrations({
  databaseUrl: database_url,
  schema: 'stripe',
  logger: { info() {}, error: failed },
})
const sync = new StripeSync({
  poolConfig: { connectionString: database_url, max: concurrency, keepAlive: true },
  stripeSecretKey: 'sk_test_bench',
  stripeWebhookSecret: webhook_secret,
})

// Signs the events before the measurement.
const time = Math.floor(Date.now() / 1000)
const signed = readFileSync(events, 'utf8').trimEnd().split('\n').map((body) => {
  const signature = createHmac('sha256', webhook_secret).update(`${time}.${body}`).digest('hex')
  return { body, header: `t=${time},v1=${signature}` }
})

await measure(async (number) => {
  const { body, header } = signed[number % signed.length]
  await sync.processWebhook(body, header)
})
process.exit(0)
