-- By its conditions Ready, Reconciling and Stalled, once they are about the present spec.
local function condition(name)
  if obj.status == nil or obj.status.conditions == nil then return nil end
  for _, found in ipairs(obj.status.conditions) do
    if found.type == name and found.status == "True" then return found end
  end
  return nil
end

if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "Linkspan has not seen this spec yet"}
end
local stalled = condition("Stalled")
if stalled ~= nil then
  return {status = "Degraded", message = stalled.reason .. ": " .. stalled.message}
end
local ready = condition("Ready")
if ready ~= nil then
  return {status = "Healthy", message = ready.message}
end
local reconciling = condition("Reconciling")
if reconciling ~= nil then
  return {status = "Progressing", message = reconciling.reason .. ": " .. reconciling.message}
end
return {status = "Progressing", message = "Linkspan has not said how it stands"}
