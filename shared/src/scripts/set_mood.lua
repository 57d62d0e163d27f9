-- Sets the mood score.
--
-- ARGV: fingerprint, score
return update(function()
  redis.call('HSET', stats, 'mood_score', ARGV[2])
end)
