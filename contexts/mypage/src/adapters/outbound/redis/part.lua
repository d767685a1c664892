-- A part of the live view, all of it from the same moment.
-- KEYS: the live generation's key. ARGV: the beginning of all keys, the index, then how it is read: 'rank' with the
-- first and the last place and '1' for backwards, or 'after' with an order id and how many.
-- Answers how many there are in all, order ids, rows; false without a view.
local live = redis.call('GET', KEYS[1])
if not live then return false end
local base = ARGV[1] .. string.match(live, '^%d+') .. ':'
local index, ids = base .. ARGV[2], nil
if ARGV[3] == 'after' then
  ids = redis.call('ZRANGE', index, ARGV[4], '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[5])
elseif ARGV[6] == '1' then
  ids = redis.call('ZRANGE', index, ARGV[4], ARGV[5], 'REV')
else
  ids = redis.call('ZRANGE', index, ARGV[4], ARGV[5])
end
local rows = {}
for i = 1, #ids do rows[i] = redis.call('GET', base .. 'row:' .. ids[i]) or '' end
return { redis.call('ZCARD', index), ids, rows }
