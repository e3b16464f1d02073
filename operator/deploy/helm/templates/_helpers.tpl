{{- define "metal-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "metal-operator.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "metal-operator.serviceAccount" -}}
{{- default (include "metal-operator.fullname" .) .Values.serviceAccount.name }}
{{- end }}

{{- define "metal-operator.selector" -}}
app.kubernetes.io/name: {{ include "metal-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: manager
{{- end }}

{{- define "metal-operator.labels" -}}
app.kubernetes.io/name: {{ include "metal-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* Whether webhooks are served. */}}
{{- define "metal-operator.webhooks" -}}
{{- if and .Values.manager.enabled .Values.webhook.enable .Values.certManager.enable }}true{{ end }}
{{- end }}
