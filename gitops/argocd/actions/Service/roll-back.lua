-- Pins the task definition of the last deployment that was completed with another one.
if obj.status ~= nil and obj.status.deployments ~= nil then
  local newest = obj.status.deployments[1].taskDefinition
  for _, deployment in ipairs(obj.status.deployments) do
    if deployment.rolloutState == "COMPLETED" and deployment.taskDefinition ~= newest then
      obj.spec.taskDefinition = deployment.taskDefinition
      return obj
    end
  end
end
return obj
