-- Pushes a user's full entitlement, and writes the name of the plan into their stats.
--
-- KEYS: .., credits hash, entitlement hash, [marker of a processed session]
-- ARGV: latest time, number of balances, version of the terms, name of the plan, lifetime of the marker in
--       seconds, unit, version, balance ..., field, version, end of freshness, value ...
local processed = KEYS[6]

if redis.call('EXISTS', erased) == 1 then
  return 'erased'
end
create()
if is_newer(ARGV[3], redis.call('HGET', stats, 'plan_version') or '0', tonumber(ARGV[1])) then
  redis.call('HSET', stats, 'plan', ARGV[4], 'plan_version', ARGV[3])
end
push(KEYS[4], KEYS[5], ARGV[1], ARGV[2], 6)
if processed and not redis.call('SET', processed, '1', 'EX', ARGV[5], 'NX') then
  return 'processed_before'
end
return 'pushed'
