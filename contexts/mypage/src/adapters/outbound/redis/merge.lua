-- Writes rows of one generation, each only where it is still as it was read.
-- KEYS: the live generation's key, the next one's. ARGV: the generation, its keys' beginning, milliseconds that the
-- next generation lives on (or empty); then for each row: order id, row as read (or empty), row, customer before, now.
-- Answers the order ids of rows that somebody else has changed meanwhile; false where nobody needs this generation.
local generation, base = ARGV[1], ARGV[2]
local live, next = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])
local is_live = live and string.match(live, '^%d+') == generation
if not is_live and next ~= generation then return false end
if ARGV[3] ~= '' then redis.call('PEXPIRE', KEYS[2], ARGV[3]) end
local changed = {}
for i = 4, #ARGV, 5 do
  local id, read, row, before, now = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local key = base .. 'row:' .. id
  if (redis.call('GET', key) or '') == read then
    redis.call('SET', key, row)
    if read == '' then redis.call('ZADD', base .. 'ids', id, id) end
    if before ~= now then
      if before ~= '' then redis.call('ZREM', base .. 'of:' .. before, id) end
      if now ~= '' then redis.call('ZADD', base .. 'of:' .. now, id, id) end
    end
  else
    changed[#changed + 1] = id
  end
end
return changed
