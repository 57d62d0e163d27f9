// Measures @upstash/ratelimit: a sliding window for each of a thousand callers.

import { Ratelimit } from '@upstash/ratelimit'
import { Redis } from '@upstash/redis'
import { measure, settings } from './load.js'

const redis = new Redis({ url: settings.redis_url, token: settings.redis_token, enableTelemetry: false })
const limiter = new Ratelimit({
  redis,
  limiter: Ratelimit.slidingWindow(1_000_000, '60 s'),
  analytics: false,
})

await measure(async (number) => {
  const { success } = await limiter.limit(`user_${number % 1000}`)
  if (!success) throw new Error('a call was refused')
})
process.exit(0)
