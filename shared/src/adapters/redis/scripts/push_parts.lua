-- Pushes a user's whole entitlement, or parts of it.
--
-- KEYS: erased mark, credits hash, entitlement hash
-- ARGV: latest moment, number of balances, unit, version, balance ..., field, version, fresh until, value ...
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'erased'
end
push(KEYS[2], KEYS[3], ARGV[1], ARGV[2], 3)
return 'pushed'
