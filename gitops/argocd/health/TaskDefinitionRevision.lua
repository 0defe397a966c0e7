-- A revision never changes: it is there, ACTIVE or INACTIVE.
local status = "ACTIVE"
if obj.status ~= nil and obj.status.status ~= nil then status = obj.status.status end
return {status = "Healthy", message = status}
