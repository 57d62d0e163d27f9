-- Sets the mood score.
--
-- ARGV: .., score
return update(function()
  redis.call('HSET', stats, 'mood_score', ARGV[3])
end)
