-- Shows what a user may do, has used and holds, or a part of it.
--
-- KEYS: erased mark, credits hash, entitlement hash
-- ARGV: version, number of balances, latest moment, unit, balance ..., field, fresh until, value ...
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'erased'
end
show(KEYS[2], KEYS[3], ARGV[1], ARGV[2], ARGV[3], 4)
return 'shown'
