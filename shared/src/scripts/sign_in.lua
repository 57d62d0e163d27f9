-- Counts a day once, however many sign-ins race, and the days in a row.
--
-- ARGV: fingerprint, today, yesterday (ISO dates, which compare as strings do)
local today, yesterday = ARGV[2], ARGV[3]
return update(function()
  local last = redis.call('GET', last_login)
  if last and last >= today then
    return
  end
  redis.call('SET', last_login, today)
  redis.call('HINCRBY', stats, 'days_active', '1')
  if last == yesterday then
    redis.call('HINCRBY', stats, 'login_streak', '1')
  else
    redis.call('HSET', stats, 'login_streak', '1')
  end
end)
