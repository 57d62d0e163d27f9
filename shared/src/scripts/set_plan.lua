-- Shows the plan of an entitlement, unless that of a newer one is shown already.
--
-- ARGV: .., name of the plan, version of the entitlement
return update(function()
  local shown = tonumber(redis.call('HGET', stats, 'plan_version') or '0')
  if tonumber(ARGV[4]) > shown then
    redis.call('HSET', stats, 'plan', ARGV[3], 'plan_version', ARGV[4])
  end
end)
