-- The globals of a script: Redis's globals only. A script cannot assign to them, so it cannot affect
-- the next script.
--
-- Deliberately absent: modules that reach outside (os, io, debug, package), functions that compile
-- (load, loadstring), because they accept harmful byte code, and coroutines, because they escape the
-- time limit.

local native = ...
local error, pcall, tostring, type, xpcall = error, pcall, tostring, type, xpcall

local world = { KEYS = {}, ARGV = {} }
for name in ([[_G _VERSION assert error getmetatable ipairs math next pairs rawequal rawget rawset
  select setmetatable string table tonumber tostring type unpack]]):gmatch("%S+") do
  world[name] = _G[name]
end

world.redis = { call = native.call, pcall = native.pcall, sha1hex = native.sha1hex }
world.cjson = { encode = native.encode, decode = native.decode, null = native.null }

function world.redis.error_reply(text)
  if type(text) ~= "string" then return { err = "ERR wrong number or type of arguments" } end
  text = text:gsub("^%-", "")
  if not text:find(" ", 1, true) then text = "ERR " .. text end
  return { err = text }
end

function world.redis.status_reply(text)
  if type(text) ~= "string" then return { err = "ERR wrong number or type of arguments" } end
  return { ok = text }
end

-- Passes the message of a caught error to the script.
local function caught(succeeded, ...)
  if succeeded then return true, ... end
  return false, native.caught((...))
end

function world.pcall(...) return caught(pcall(...)) end

function world.xpcall(call, handler)
  return xpcall(call, function(raised) return handler(native.caught(raised)) end)
end

local function readonly() error("Attempt to modify a readonly table", 2) end

for _, name in ipairs({ "redis", "cjson", "string", "table", "math" }) do
  local proxy = { __index = world[name], __newindex = readonly, __metatable = false }
  world[name] = setmetatable({}, proxy)
end

setmetatable(world, {
  __index = function(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end,
})
local globals, names, setmetatable = _G, {}, setmetatable
for name in pairs(globals) do names[#names + 1] = name end
for _, name in ipairs(names) do globals[name] = nil end
setmetatable(globals, {
  __metatable = false,
  __index = world,
  __newindex = readonly,
})

return function(script, keys, arguments)
  world.KEYS, world.ARGV = keys, arguments
  return xpcall(script, native.describe)
end
