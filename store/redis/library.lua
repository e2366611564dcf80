-- The Functions of store/redis. The stored form of a record is feature.AppendRecord:
-- format, flags, event time (int64), sequence (uint64), big-endian, and the row.
-- Strings are never compared with <: Lua would do so by the server's locale.

local header = 18

local function corrupt(key)
  return redis.error_reply('SLUICECORRUPT ' .. string.format('%q', string.sub(key, 1, 64)))
end

local function sound(value)
  return #value >= header and string.byte(value, 1) == 1
end

-- newer compares (event time, sequence).
local function newer(a, b)
  local a1, a2, a3, a4 = struct.unpack('>i4I4I4I4', a, 3)
  local b1, b2, b3, b4 = struct.unpack('>i4I4I4I4', b, 3)
  if a1 ~= b1 then return a1 > b1 end
  if a2 ~= b2 then return a2 > b2 end
  if a3 ~= b3 then return a3 > b3 end
  return a4 > b4
end

-- hides compares (event time, version, sequence).
local function hides(a, aversion, b, bversion)
  local a1, a2 = struct.unpack('>i4I4', a, 3)
  local b1, b2 = struct.unpack('>i4I4', b, 3)
  if a1 ~= b1 then return a1 > b1 end
  if a2 ~= b2 then return a2 > b2 end
  if aversion ~= bversion then return aversion > bversion end
  return newer(a, b)
end

-- behind tells whether one of m buckets lacks the source's last acknowledged call.
local function behind(keys, args, n, m, at)
  local call = redis.call
  local form = '^' .. args[at + 2] .. ' (%d+) '
  for j = 1, m do
    local last = tonumber(args[at + 4 + j])
    if last > 0 then
      local mark = call('HGET', keys[n + m + j], args[at + 1])
      local number = mark and string.match(mark, form)
      if not number or tonumber(number) < last then return true end
    end
  end
  return false
end

-- extend sees to it that a key that several views need lives for expiry ms at least, 0
-- for ever: what another view needed of it stands. was is its PTTL before the write.
local function extend(key, expiry, was)
  if expiry == 0 then
    if was >= 0 then redis.call('PERSIST', key) end
  elseif was ~= -1 and was < expiry then
    redis.call('PEXPIRE', key, expiry)
  end
end

-- keys: n rows by bucket, m version lists, m marks if there is a source
-- args: field, expiry in ms, 1 if the rows' hashes are those of a group, length before
--       the entity, n, m, n records, m counts of rows, and with a source: source, token,
--       call, mark, m last calls
-- result: 1; -1 if a bucket lost an acknowledged call, and then nothing is written
local function stage(keys, args)
  local call = redis.call
  local field, expiry, grouped, head = args[1], tonumber(args[2]), args[3] == '1', tonumber(args[4])
  local n, m = tonumber(args[5]), tonumber(args[6])
  local at = 6 + n + m
  if args[at + 1] and behind(keys, args, n, m, at) then return -1 end
  local i = 0
  for j = 1, m do
    local fresh = {}
    for _ = 1, tonumber(args[6 + n + j]) do
      i = i + 1
      local key, value = keys[i], args[6 + i]
      local was = grouped and call('PTTL', key)
      local put = call('HSETNX', key, field, value) == 1 -- mostly it is new, and that is all
      if put then
        fresh[#fresh + 1] = string.sub(key, head + 1)
      else
        local old = call('HGET', key, field)
        if old ~= value then
          if not sound(old) then return corrupt(key) end
          put = newer(value, old)
          if put then call('HSET', key, field, value) end
        end
      end
      if put and grouped then extend(key, expiry, was)
      elseif put and expiry > 0 then call('PEXPIRE', key, expiry) end
    end
    if #fresh > 0 then
      call('RPUSH', keys[n + j], unpack(fresh))
      -- Rows of a group may outlive what their own view asks for, so their list stays.
      if expiry > 0 and not grouped then call('PEXPIRE', keys[n + j], expiry) end
    end
    if args[at + 1] then call('HSET', keys[n + m + j], args[at + 1], args[at + 4]) end
  end
  return 1
end

-- pop takes the entities of keys[2..] off the front of a version's list. Others that
-- stand there, because another process was faster, are put back.
local function pop(keys, head)
  local call = redis.call
  local got = call('LPOP', keys[1], #keys - 1)
  if not got then return end
  local same = true
  for i = 1, #got do
    if got[i] ~= string.sub(keys[i + 1], head + 1) then same = false end
  end
  if same then return end
  local mine = {}
  for i = 2, #keys do mine[string.sub(keys[i], head + 1)] = true end
  for i = 1, #got do
    if not mine[got[i]] then call('RPUSH', keys[1], got[i]) end
  end
end

-- keys: version list, rows
-- args: field, length before the entity, 1 to take the rows off the list
-- result: how many records went
local function drop(keys, args)
  local call = redis.call
  if args[3] == '1' then pop(keys, tonumber(args[2])) end
  local removed = 0
  for i = 2, #keys do removed = removed + call('HDEL', keys[i], args[1]) end
  return removed
end

local function number(field)
  if #field == 0 or #field > 8 then return nil end
  local n = 0
  for i = 1, #field do n = n * 256 + string.byte(field, i) end
  return n
end

-- useless returns the fields of a view's records in a key that a fold removes; nil if
-- the key is damaged. Fields without the view's prefix are other views'.
local function useless(key, floor, dead, prefix)
  local call, p = redis.call, #prefix
  local all = call('HGETALL', key)
  local below, best, bestversion, above = {}, nil, 0, false
  for i = 1, #all, 2 do
    if p == 0 or string.sub(all[i], 1, p) == prefix then
      local version, value = number(string.sub(all[i], p + 1)), all[i + 1]
      if not version or not sound(value) then return nil end
      if version > floor then
        above = true
      else
        below[#below + 1] = all[i]
        if not string.find(dead, string.format(',%.0f,', version), 1, true)
          and (not best or hides(value, version, best, bestversion)) then
          best, bestversion = value, version
        end
      end
    end
  end
  local keep = best and (above or string.byte(best, 2) % 2 == 0)
  local gone = {}
  for i = 1, #below do
    if not keep or number(string.sub(below[i], p + 1)) ~= bestversion then gone[#gone + 1] = below[i] end
  end
  return gone
end

-- keys: version list, rows
-- args: length before the entity, 1 to take the rows off the list, floor, dead
--       versions as ,1,2, what the view's fields begin with, and 1 if its rows are kept
--       for ever and its keys are its own: then they lose the expiry of a ttl that it had
-- result: how many records went
local function fold(keys, args)
  local call = redis.call
  local floor, removed = tonumber(args[3]), 0
  for i = 2, #keys do
    local gone = useless(keys[i], floor, args[4], args[5])
    if not gone then return corrupt(keys[i]) end
    if #gone > 0 then removed = removed + call('HDEL', keys[i], unpack(gone)) end
    if args[6] == '1' then call('PERSIST', keys[i]) end
  end
  if args[2] == '1' then pop(keys, tonumber(args[1])) end
  return removed
end

-- keys: rows; args: field, length before the entity
-- result: how many have a record of that version, and their bytes, entities included
local function stat(keys, args)
  local call = redis.call
  local head, rows, bytes = tonumber(args[2]), 0, 0
  for i = 1, #keys do
    local size = call('HSTRLEN', keys[i], args[1])
    if size > 0 then rows, bytes = rows + 1, bytes + size + #keys[i] - head end
  end
  return { rows, bytes }
end

-- keys: a bucket's mark of presence; args: what it is to say still, what it says then
-- result: 1 if it says that now; 0, and it stays as it is, if it said something else
local function turn(keys, args)
  local call = redis.call
  local was = call('GET', keys[1])
  if was == args[2] then return 1 end -- the first of a call that was repeated took effect
  if was ~= args[1] then return 0 end
  call('SET', keys[1], args[2])
  return 1
end

redis.register_function('sluice_3_stage', stage)
redis.register_function{ function_name = 'sluice_3_drop', callback = drop, flags = { 'allow-oom' } }
redis.register_function{ function_name = 'sluice_3_fold', callback = fold, flags = { 'allow-oom' } }
redis.register_function{ function_name = 'sluice_3_stat', callback = stat, flags = { 'no-writes' } }
redis.register_function('sluice_3_turn', turn)
