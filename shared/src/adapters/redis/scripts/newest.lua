-- Pushes parts of an entitlement. A part that Redis has in a newer version is skipped.
--
-- Each part has its own version and its own end of freshness, because the push of a usage entry may arrive
-- before the push of an earlier plan change. Neither overwrites the other. Of two copies of a part, the
-- greater version wins. With equal versions the one that is fresh for longer wins, since only the passing of
-- time changed it. An equal copy overwrites, which repairs a corrupt value.
--
-- `latest` is the last time, in milliseconds, until which a part can be fresh. Versions are times too. A part
-- beyond `latest` was written by a clock far ahead, or by another program, and counts as absent.

-- Returns whether a version replaces the stored one.
local function is_newer(version, stored, latest)
  version, stored = tonumber(version), tonumber(stored or '-1') or -1
  return version > stored or stored > latest and version <= latest
end

-- Reads ARGV from `first` on: unit, version and balance of each balance, then field, version, end of
-- freshness and value of each part.
local function push(credits, entitlement, latest, balances, first)
  latest = tonumber(latest)
  local at = first
  for _ = 1, tonumber(balances) do
    local unit, version, balance = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    if is_newer(version, redis.call('HGET', credits, 'version:' .. unit), latest) then
      redis.call('HSET', credits, unit, balance, 'version:' .. unit, version)
    end
    at = at + 3
  end
  while at < #ARGV do
    local field, version, fresh_until, value = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
    local stored = redis.call('HGET', entitlement, field) or ''
    local old_version, old_fresh = string.match(stored, '^(%d+) (%d+) ')
    old_version, old_fresh = tonumber(old_version or '-1'), tonumber(old_fresh or '0')
    local new_version, new_fresh = tonumber(version), tonumber(fresh_until)
    if is_newer(new_version, old_version, latest) or old_fresh > latest
      or new_version == old_version and new_fresh >= old_fresh then
      redis.call('HSET', entitlement, field, version .. ' ' .. fresh_until .. ' ' .. value)
    end
    at = at + 4
  end
  -- Versions must outlive the values.
  redis.call('EXPIRE', entitlement, 86400)
end
