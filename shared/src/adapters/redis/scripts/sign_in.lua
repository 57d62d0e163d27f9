-- Counts a day once, however many sign-ins race, and the days in a row.
--
-- ARGV: .., today, yesterday (ISO dates, which compare as strings do)
local today, yesterday = ARGV[3], ARGV[4]
return update(function()
  local last = redis.call('GET', last_login)
  if last and last >= today then
    return
  end
  redis.call('HINCRBY', stats, 'days_active', '1')
  if last == yesterday then
    redis.call('HINCRBY', stats, 'login_streak', '1')
  else
    redis.call('HSET', stats, 'login_streak', '1')
  end
  -- Last: an error above, over a field that somebody else spoiled, does not lose the day.
  redis.call('SET', last_login, today)
end)
