-- Functions that the stats scripts share.
--
-- KEYS: stats hash, last login, erasure marker, [idempotency key, index of the user's keys]
-- ARGV: fingerprint, lifetime of the index in seconds, and the arguments of each script
local stats, last_login, erased = KEYS[1], KEYS[2], KEYS[3]

-- Creates the fields of a new user. Changes nothing for any other user.
local function create()
  redis.call('HSETNX', stats, 'conversations', '0')
  redis.call('HSETNX', stats, 'mood_score', '0')
  redis.call('HSETNX', stats, 'days_active', '0')
  redis.call('HSETNX', stats, 'login_streak', '0')
  redis.call('HSETNX', stats, 'recent_conversations', '[]')
  redis.call('HSETNX', stats, 'plan', 'Free')
end

-- Applies `change` to the stats and returns {'ok', last login, field, value, field, value ...}.
local function update(change)
  if redis.call('EXISTS', erased) == 1 then
    return {'erased'}
  end
  return once(KEYS[4], ARGV[1], function()
    create()
    change()
    if KEYS[5] then
      -- Erasing the user also deletes the answer stored under this key.
      redis.call('HSET', KEYS[5], KEYS[4], '')
      redis.call('EXPIRE', KEYS[5], ARGV[2])
    end
    local answer = redis.call('HGETALL', stats)
    table.insert(answer, 1, redis.call('GET', last_login) or '')
    table.insert(answer, 1, 'ok')
    return answer
  end)
end

