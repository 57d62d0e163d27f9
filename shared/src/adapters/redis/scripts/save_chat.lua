-- Counts a conversation and prepends its summary. The newest three summaries are kept.
--
-- ARGV: .., summary
return update(function()
  redis.call('HINCRBY', stats, 'conversations', '1')
  local kept, recent = pcall(cjson.decode, redis.call('HGET', stats, 'recent_conversations'))
  local newest = {ARGV[3]}
  if kept and type(recent) == 'table' then
    newest[2], newest[3] = recent[1], recent[2]
  end
  redis.call('HSET', stats, 'recent_conversations', cjson.encode(newest))
end)
