-- Shows what a user has, their plan and their credits, unless something newer is shown already.
--
-- KEYS: .., credits hash, [mark of a session that was processed]
-- ARGV: name of the plan, version, seconds for which the mark stays, unit, balance, unit, balance ...
local credits, processed = KEYS[4], KEYS[5]
local version = tonumber(ARGV[2])

if redis.call('EXISTS', erased) == 1 then
  return 'erased'
end
create()
if version > tonumber(redis.call('HGET', stats, 'plan_version') or '0') then
  redis.call('HSET', stats, 'plan', ARGV[1], 'plan_version', ARGV[2])
end
if version > tonumber(redis.call('HGET', credits, 'version') or '0') then
  redis.call('HSET', credits, 'version', ARGV[2])
  for place = 4, #ARGV, 2 do
    redis.call('HSET', credits, ARGV[place], ARGV[place + 1])
  end
end
if processed and not redis.call('SET', processed, '1', 'EX', ARGV[3], 'NX') then
  return 'processed_before'
end
return 'shown'
