-- Removes a user's id from the calls in the API log that are not yet in Postgres.
--
-- KEYS: the log
-- ARGV: the part of a call's JSON that names the user
-- Returns the number of calls about the user.
local named, page = ARGV[1], 1000
local found, first = {}, 0
while true do
  local calls = redis.call('ZRANGE', KEYS[1], first, first + page - 1, 'WITHSCORES')
  for i = 1, #calls, 2 do
    local from, to = string.find(calls[i], named, 1, true)
    if from then
      local anonymous = string.sub(calls[i], 1, from - 1) .. string.sub(calls[i], to + 1)
      table.insert(found, {calls[i], calls[i + 1], anonymous})
    end
  end
  if #calls < 2 * page then
    break
  end
  first = first + page
end
-- Only now, because each change moves the ranks of other calls.
for _, call in ipairs(found) do
  redis.call('ZREM', KEYS[1], call[1])
  redis.call('ZADD', KEYS[1], call[2], call[3])
end
return #found
