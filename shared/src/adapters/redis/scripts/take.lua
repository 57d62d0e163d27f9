-- Takes units from a bucket that refills evenly (the generic cell rate algorithm).
--
-- KEYS: the bucket, [idempotency key]
-- ARGV: fingerprint, limit, window, cost, now (times in microseconds)
-- Returns {'ok' or 'refused', remaining, full at}. A refused call changes nothing.
local limit, window = tonumber(ARGV[2]), tonumber(ARGV[3])
local cost, now = tonumber(ARGV[4]), tonumber(ARGV[5])
local unit = math.floor(window / limit)
local capacity = unit * limit

local function whole(number)
  return string.format('%.0f', number)
end

return once(KEYS[2], ARGV[1], function()
  local kept = tonumber(redis.call('GET', KEYS[1]) or '0')
  -- A bucket is at most empty, even if the last caller's clock is far ahead of this one's.
  local before = math.min(math.max(kept, now), now + capacity)
  local after = before + unit * cost
  local verdict, full_at = 'refused', before
  if after - now <= capacity then
    verdict, full_at = 'ok', after
    redis.call('SET', KEYS[1], whole(after), 'PX', whole(math.ceil((after - now) / 1000)))
  end
  local free = math.max(capacity - (full_at - now), 0)
  return {verdict, whole(math.floor(free / unit)), whole(full_at)}
end)
