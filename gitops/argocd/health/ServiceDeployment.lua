-- The record of one deployment, by its verdict.
local state, why = nil, nil
if obj.status ~= nil then
  state, why = obj.status.rolloutState, obj.status.rolloutStateReason
end
if state == "COMPLETED" then
  return {status = "Healthy", message = why or state}
end
if state == "FAILED" then
  return {status = "Degraded", message = why or state}
end
return {status = "Progressing", message = why or "IN_PROGRESS"}
