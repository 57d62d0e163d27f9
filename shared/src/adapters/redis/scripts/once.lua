-- Runs `act` at most once per idempotency key, and returns the stored answer for a day.
--
-- `key` is nil if the request has no key. An answer is a list of strings. Only a success, whose first string
-- is 'ok', is stored: a refused call changed nothing and may be retried.
local function once(key, fingerprint, act)
  if not key then
    return act()
  end
  local seen = redis.call('HMGET', key, 'fingerprint', 'answer')
  if seen[1] then
    if seen[1] ~= fingerprint then
      return {'key_reused'}
    end
    return cjson.decode(seen[2])
  end
  local answer = act()
  if answer[1] == 'ok' then
    redis.call('HSET', key, 'fingerprint', fingerprint, 'answer', cjson.encode(answer))
    redis.call('EXPIRE', key, 86400)
  end
  return answer
end

