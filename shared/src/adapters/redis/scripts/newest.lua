-- Shows what a user may do, has used and holds, each part unless something as new is shown already.
--
-- Each field of the entitlement says which version it is of, and until when it is fresh: what was used
-- may be told before the plan that was changed earlier, and neither undoes the other. Of one version what
-- is fresh for longer is the newer; what is as fresh is the same, and mends what somebody spoiled.
--
-- `latest` is the last moment, in milliseconds, until which anything can be fresh; versions are moments too.
-- A part beyond it was written by a clock far ahead, or by another program, and counts as absent.

-- Whether a version may take the place of the one that is shown.
local function is_newer(version, shown, latest)
  version, shown = tonumber(version), tonumber(shown or '-1') or -1
  return version > shown or shown > latest and version <= latest
end

local function show(credits, entitlement, version, balances, latest, first)
  latest = tonumber(latest)
  local at = first
  for _ = 1, tonumber(balances) do
    local unit, balance = ARGV[at], ARGV[at + 1]
    local shown = redis.call('HGET', credits, 'version:' .. unit)
    if is_newer(version, shown, latest) then
      redis.call('HSET', credits, unit, balance, 'version:' .. unit, version)
    end
    at = at + 2
  end
  while at < #ARGV do
    local field, fresh_until, value = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    local shown = redis.call('HGET', entitlement, field) or ''
    local old_version, old_fresh = string.match(shown, '^(%d+) (%d+) ')
    old_version, old_fresh = tonumber(old_version or '-1'), tonumber(old_fresh or '0')
    local new_version, new_fresh = tonumber(version), tonumber(fresh_until)
    if is_newer(new_version, old_version, latest) or old_fresh > latest
      or new_version == old_version and new_fresh >= old_fresh then
      redis.call('HSET', entitlement, field, version .. ' ' .. fresh_until .. ' ' .. value)
    end
    at = at + 3
  end
  -- Longer than anything in it is fresh: the versions outlive the values.
  redis.call('EXPIRE', entitlement, 86400)
end
