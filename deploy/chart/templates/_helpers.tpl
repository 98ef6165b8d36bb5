{{- define "module-controller.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* The name of all objects in the release's namespace. */}}
{{- define "module-controller.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "module-controller.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "module-controller.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- /* The name of objects outside it, which two releases in two namespaces do not share. */}}
{{- define "module-controller.outside" -}}
{{- $name := include "module-controller.fullname" . }}
{{- if eq $name .Release.Namespace }}{{ $name }}{{ else }}{{ printf "%s-%s" $name .Release.Namespace }}{{ end }}
{{- end }}

{{- define "module-controller.selector" -}}
app.kubernetes.io/name: {{ include "module-controller.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "module-controller.labels" -}}
{{ include "module-controller.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: controller
app.kubernetes.io/part-of: koupleless
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* By its digest where one is given. */}}
{{- define "module-controller.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- /* The board's Pods are none of the controller's: its Service and its policies do not select them. */}}
{{- define "module-controller.boardSelector" -}}
app.kubernetes.io/name: koupleless-board
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "module-controller.boardLabels" -}}
{{ include "module-controller.boardSelector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: board
app.kubernetes.io/part-of: koupleless
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* Where the broker that runs in the controller listens; empty where it runs elsewhere. */}}
{{- define "module-controller.brokerPort" -}}
{{- if and .Values.tunnels.mqtt (eq (lower (default "" .Values.env.MQTT_BROKER)) "embedded") }}
{{- default "1883" .Values.env.MQTT_PORT }}
{{- end }}
{{- end }}

{{- /* A role's binding to the controller's account, given the kind, the role's name and its namespace. */}}
{{- define "module-controller.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "module-controller.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "module-controller.fullname" .root }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}

{{- /* What the controller would refuse at its start is refused here. */}}
{{- define "module-controller.check" -}}
{{- if not (or .Values.tunnels.http .Values.tunnels.mqtt) }}
{{- fail "no tunnel is on: set tunnels.http or tunnels.mqtt" }}
{{- end }}
{{- if and .Values.tunnels.mqtt (not .Values.env.MQTT_BROKER) }}
{{- fail "tunnels.mqtt needs env.MQTT_BROKER: the broker's host, or embedded" }}
{{- end }}
{{- if gt (int .Values.replicas) 1 }}
{{- if include "module-controller.brokerPort" . }}
{{- fail "several replicas need one broker that all of them reach: env.MQTT_BROKER is not to be embedded" }}
{{- end }}
{{- /* Known only where Helm itself asks the cluster, and not where it renders for others. */}}
{{- with lookup "apps/v1" "Deployment" .Release.Namespace (include "module-controller.fullname" .) }}
{{- if and (eq .spec.strategy.type "Recreate") (gt (int .spec.replicas) 0) }}
{{- fail (printf "one replica that runs alone does not share its bases: first `kubectl scale deployment %s --namespace %s --replicas=0`" .metadata.name .metadata.namespace) }}
{{- end }}
{{- end }}
{{- if .Values.env.CLIENT_ID }}
{{- fail "leave env.CLIENT_ID out with several replicas: a second Pod of the same id acts for nothing" }}
{{- end }}
{{- end }}
{{- end }}
