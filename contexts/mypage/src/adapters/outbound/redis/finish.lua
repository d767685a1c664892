-- Makes the next generation the live one, if it still is the next one.
-- KEYS: the live generation's key, the next one's. ARGV: the generation, what the live key is to say.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('DEL', KEYS[2])
return 1
