-- Shows what a user has: their plan among their stats, and all that they may do.
--
-- KEYS: .., credits hash, entitlement hash, [mark of a session that was processed]
-- ARGV: version, number of balances, latest moment, name of the plan, seconds for which the mark stays,
--       unit, balance ..., field, fresh until, value ...
local processed = KEYS[6]

if redis.call('EXISTS', erased) == 1 then
  return 'erased'
end
create()
if is_newer(ARGV[1], redis.call('HGET', stats, 'plan_version') or '0', tonumber(ARGV[3])) then
  redis.call('HSET', stats, 'plan', ARGV[4], 'plan_version', ARGV[1])
end
show(KEYS[4], KEYS[5], ARGV[1], ARGV[2], ARGV[3], 6)
if processed and not redis.call('SET', processed, '1', 'EX', ARGV[5], 'NX') then
  return 'processed_before'
end
return 'shown'
