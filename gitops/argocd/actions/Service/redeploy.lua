-- Another value of the annotation starts a deployment.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["ecs.linkspan.dev/force-new-deployment"] = os.date("!%Y-%m-%dT%XZ")
return obj
