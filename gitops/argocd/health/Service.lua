-- Healthy: the desired count of the newest deployment runs. Progressing: it is on its way. Degraded:
-- it will not get there by itself, or the newest deployment failed. Suspended: it waits for somebody.
local function condition(name)
  if obj.status == nil or obj.status.conditions == nil then return nil end
  for _, found in ipairs(obj.status.conditions) do
    if found.type == name and found.status == "True" then return found end
  end
  return nil
end

if obj.metadata.deletionTimestamp ~= nil then
  return {status = "Progressing", message = "tasks are being stopped"}
end
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "Linkspan has not seen this spec yet"}
end
local newest = nil
if obj.status.deployments ~= nil then newest = obj.status.deployments[1] end
if newest ~= nil and newest.rolloutState == "FAILED" then
  return {status = "Degraded", message = newest.rolloutStateReason or "the newest deployment failed"}
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
  if reconciling.reason == "DeploymentPaused" then
    return {status = "Suspended", message = reconciling.message}
  end
  -- An autoscaler at work is no news of the application's health.
  if reconciling.reason == "Scaling" and obj.spec.autoscaling ~= nil then
    return {status = "Healthy", message = reconciling.message}
  end
  return {status = "Progressing", message = reconciling.reason .. ": " .. reconciling.message}
end
return {status = "Progressing", message = "Linkspan has not said how it stands"}
