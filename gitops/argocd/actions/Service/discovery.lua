-- redeploy starts a deployment with nothing changed; roll-back pins the task definition of the last
-- deployment that was completed with another one.
local actions = {}
actions["redeploy"] = {["disabled"] = obj.metadata.deletionTimestamp ~= nil}
local earlier = nil
if obj.status ~= nil and obj.status.deployments ~= nil then
  for _, deployment in ipairs(obj.status.deployments) do
    if earlier == nil and deployment.rolloutState == "COMPLETED"
      and deployment.taskDefinition ~= obj.status.deployments[1].taskDefinition then
      earlier = deployment.taskDefinition
    end
  end
end
actions["roll-back"] = {["disabled"] = earlier == nil or obj.metadata.deletionTimestamp ~= nil}
return actions
