{{- /* What things are called, and what several templates say alike. */ -}}

{{- define "linkspan.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* The release's name, with the chart's name in it once. */ -}}
{{- define "linkspan.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "linkspan.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "linkspan.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "linkspan.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "linkspan.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name is needed where serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- /* The operator's account as the API server names it. */ -}}
{{- define "linkspan.username" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "linkspan.serviceAccount" . }}
{{- end }}

{{- define "linkspan.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "linkspan.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "linkspan.selectorLabels" -}}
app.kubernetes.io/name: {{ include "linkspan.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "linkspan.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end }}

{{- /* Whether extraEnv names the authorities that are trusted beside the API server's. */ -}}
{{- define "linkspan.trusts" -}}
{{- range .Values.extraEnv }}{{ if eq (toString .name) "SSL_CERT_FILE" }}yes{{ end }}{{ end }}
{{- end }}

{{- /* Which namespaces an admission policy looks at: those that are watched. */ -}}
{{- define "linkspan.policyNamespaces" -}}
{{- with .Values.watchNamespaces }}
namespaceSelector:
  matchExpressions:
    - key: kubernetes.io/metadata.name
      operator: In
      values: {{ toJson . }}
{{- end }}
{{- end }}

{{- /* Where the default CapacityProviders are mounted. */ -}}
{{- define "linkspan.defaults" -}}
/etc/linkspan
{{- end }}
