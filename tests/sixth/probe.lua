-- Lists the rocks that luarocks knows of, and requires each that it is given.
local function text(value)
  return '"' .. value:gsub('[%c"\\]', function(found) return string.format("\\u%04x", found:byte()) end) .. '"'
end

local rocks, items, known = {}, {}, {}
for line in io.popen("luarocks list --porcelain 2>/dev/null"):lines() do
  local name, version = line:match("^(%S+)\t(%S+)")
  if name then
    known[name] = true
    rocks[#rocks + 1] = "[" .. text(name) .. "," .. text(version) .. "]"
  end
end
for _, name in ipairs(arg) do
  local works, problem = pcall(require, name)
  items[#items + 1] = known[name] and '{"problem":' .. text(works and "" or tostring(problem)) .. "}" or "null"
end
local answer = assert(io.open("/proc/self/fd/3", "w"))
answer:write('{"answer":', 40 + 2, ',"rocks":[', table.concat(rocks, ","), '],"items":[', table.concat(items, ","), "]}\n")
