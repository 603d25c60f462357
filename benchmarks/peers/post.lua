-- Posts the bodies of a folder in turn for so many seconds, and prints what came of it as JSON.
-- Arguments: the folder, how many bodies it has, the seconds, the content type, the connections.
local ffi = require("ffi")
ffi.cdef[[
   typedef struct { long seconds, micros; } moment;
   int gettimeofday(moment *, void *);
   int getpid();
   int kill(int, int);
]]
local SIGINT = 2
local A_LONG_TIME = 3600000
local moment = ffi.new("moment")
local posts, number, ends_at, connections, idle = {}, 0, nil, nil, 0
local threads = {}
calls_in_time = 0  -- read by done(), which runs in an interpreter of its own

local function now()
   ffi.C.gettimeofday(moment, nil)
   return tonumber(moment.seconds) + tonumber(moment.micros) / 1e6
end

function setup(thread)
   table.insert(threads, thread)
end

function init(args)
   local headers = { ["Content-Type"] = args[4] }
   for n = 0, tonumber(args[2]) - 1 do
      local file = assert(io.open(args[1] .. "/" .. n, "rb"))
      posts[n] = wrk.format("POST", nil, headers, file:read("*a"))
      file:close()
   end
   ends_at, connections = now() + tonumber(args[3]), tonumber(args[5])
end

-- wrk asks before the first request of each connection, and after each answer. When the time is up
-- no connection sends any more; when all have their last answer, wrk ends as after Ctrl-C. So no
-- request is cut off, and each that a server has stored is also counted.
function delay()
   if now() < ends_at then
      calls_in_time = calls_in_time + 1
      return 0
   end
   idle = idle + 1
   if idle == connections then
      ffi.C.kill(ffi.C.getpid(), SIGINT)
   end
   return A_LONG_TIME
end

function request()
   number = (number + 1) % (#posts + 1)
   return posts[number]
end

function done(summary, latency)
   local errors, calls = summary.errors, 0
   for _, thread in ipairs(threads) do
      calls = calls + thread:get("calls_in_time")
   end
   io.write(string.format(
      '\n{"calls_in_time": %d, "answers": %d, "refused": %d, "broken": %d, '
         .. '"median_ms": %.3f, "p99_ms": %.3f}\n',
      calls, summary.requests, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
