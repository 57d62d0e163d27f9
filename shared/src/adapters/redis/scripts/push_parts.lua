-- Pushes a user's full entitlement, or parts of it.
--
-- KEYS: erasure marker, credits hash, entitlement hash
-- ARGV: latest time, number of balances, unit, version, balance ..., field, version, end of freshness,
--       value ...
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'erased'
end
push(KEYS[2], KEYS[3], ARGV[1], ARGV[2], 3)
return 'pushed'
