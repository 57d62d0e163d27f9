-- Counts a day once, however many sign-ins are concurrent, and the consecutive days.
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
  -- Last: if a corrupt field causes an error above, the day can still be counted later.
  redis.call('SET', last_login, today)
end)
