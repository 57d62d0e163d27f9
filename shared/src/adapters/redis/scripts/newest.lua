-- Pushes parts of an entitlement, each unless Redis has one that is as new.
--
-- Each part has its own version and the moment until which it is fresh, because the push of a use may arrive
-- before the push of an earlier plan change: neither undoes the other. Of two copies of a part, the greater
-- version wins. With equal versions the one that is fresh for longer wins, since time alone changed it; an
-- equal copy overwrites, which repairs a damaged value.
--
-- `latest` is the last moment, in milliseconds, until which anything can be fresh; versions are moments too.
-- A part beyond it was written by a clock far ahead, or by another program, and counts as absent.

-- Whether a version replaces the stored one.
local function is_newer(version, stored, latest)
  version, stored = tonumber(version), tonumber(stored or '-1') or -1
  return version > stored or stored > latest and version <= latest
end

-- Reads from ARGV, from `first` on: unit, version, balance for each balance, then field, version, fresh
-- until, value for each part.
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
