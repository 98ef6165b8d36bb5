// What the server answers, as its contract has it. Times are RFC 3339 in UTC.

export interface NotShown {
  what: string;
  why: string;
}
export interface Seen {
  asOf: string;
  staleSince: string | null;
  notShown: NotShown[];
}
export type Listed<T> = Seen & { items: T[] };

export interface Right {
  what: string;
  namespace: string | null;
  verb: string;
  resource: string;
  allowed: boolean;
  reason: string;
}
export interface Session {
  user: string;
  groups: string[];
  cluster: string;
  version: string;
  proxied: boolean;
  rights: Right[];
}

export interface Counted {
  all: number;
  well: number;
}
export interface Attention {
  kind: 'plan' | 'base' | 'module' | 'pod' | 'replica';
  namespace: string;
  name: string;
  version: string;
  node: string;
  code: string;
  message: string;
  since: string | null;
  final: boolean;
}
export interface Replica {
  namespace: string;
  clientId: string;
  env: string;
  state: string;
  cutOff: boolean;
  renewed: string | null;
}
export type Overview = Seen & {
  bases: Counted;
  modules: Counted;
  unplaced: number;
  plans: { running: number; waiting: number; paused: number; failed: number };
  drift: number | null;
  replicas: Replica[];
  attention: Attention[];
  more: number;
};

export interface Named {
  kind: string;
  name: string;
}
export interface ModuleVersion {
  name: string;
  version: string;
}
export interface PlanSummary {
  namespace: string;
  name: string;
  target: Named;
  module: ModuleVersion;
  phase: string;
  code: string;
  message: string;
  suggestion: string;
  batch: string;
  attempt: number;
  paused: boolean;
  aborted: boolean;
  confirmable: number | null;
  bases: number;
  ready: number;
  unavailable: number;
  created: string | null;
}
export interface Batch {
  name: string;
  phase: string;
  bases: number;
  ready: number;
  size: string;
  count: number | null;
  selector: string;
  soakSeconds: number;
  confirm: boolean;
  maxUnavailable: string;
  nodes: string[];
}
export interface Failure {
  base: string;
  code: string;
  message: string;
}
export interface Metric {
  name: string;
  server: string;
  query: string;
  condition: string;
  reading: string;
  message: string;
}
export type ActionName = 'confirm' | 'pause' | 'resume' | 'retry' | 'abort';
export interface Action {
  name: ActionName;
  enabled: boolean;
  reason: string | null;
  number: number | null;
  command: string;
}
export type PlanDetail = Seen & {
  plan: PlanSummary;
  uid: string;
  resourceVersion: string;
  batches: Batch[];
  failures: Failure[];
  metrics: Metric[];
  health: { up: number; down: number; unknown: number; message: string } | null;
  held: string[];
  previewProblem: string | null;
  yaml: string;
  undo: string;
  actions: Action[];
};

export interface Target {
  namespace: string;
  kind: 'Deployment' | 'DaemonSet';
  name: string;
  modules: { name: string; version: string; url: string }[];
  plan: string | null;
  replicas: number | null;
}
export interface DraftBatch {
  name: string;
  selector: string;
  size: string;
  count: number | null;
  soakSeconds: number;
  confirm: boolean;
  maxUnavailable: string;
}
export interface Draft {
  namespace: string;
  name: string;
  target: Named;
  module: ModuleVersion;
  batches: DraftBatch[];
  readyTimeoutSeconds: number;
  maxFailed: number;
  healthPort: number | null;
  webContextPath: string;
}
export interface Preview {
  yaml: string;
  workload: string;
  batches: { name: string; nodes: string[] }[];
  problems: string[];
}
export interface Created {
  namespace: string;
  name: string;
  message: string;
}

export interface ModuleSummary {
  name: string;
  bases: number;
  well: number;
  all: number;
  versions: { version: string; all: number; well: number }[];
  namespaces: string[];
}
export interface Line {
  node: string;
  module: string;
  version: string;
  state: string;
  code: string;
  message: string;
  suggestion: string;
  since: string | null;
  url: string;
  unasked: 'InPlace' | 'ByHand' | null;
  namespace: string;
  pod: string;
  podReady: boolean | null;
  owner: Named | null;
  barred: boolean;
  well: boolean;
}
export interface Owner {
  namespace: string;
  kind: string;
  name: string;
  pods: number;
  ready: number;
  versions: string[];
}
export interface Group {
  env: string;
  base: string;
  cluster: string;
  version: string;
  all: number;
  well: number;
}
export type ModuleDetail = Seen & {
  name: string;
  lines: Line[];
  owners: Owner[];
  plans: PlanSummary[];
  groups: Group[];
};

export interface BaseSummary {
  node: string;
  identity: string;
  env: string;
  name: string;
  version: string;
  cluster: string;
  hostName: string;
  address: string;
  tunnel: string;
  port: string;
  ready: { status: string; reason: string; message: string; since: string | null } | null;
  memoryPressure: boolean;
  cordoned: boolean;
  memory: { free: string; all: string } | null;
  created: string | null;
  deleting: boolean;
  owner: string;
  renewed: string | null;
  modules: Counted;
}
export interface Condition {
  type: string;
  status: string;
  reason: string;
  message: string;
  since: string | null;
}
export interface Happened {
  at: string | null;
  kind: string;
  reason: string;
  message: string;
  about: { kind: string; namespace: string; name: string };
  count: number;
  /** The id of what the controller did, where it was the controller. */
  trace?: string;
}
export interface Difference {
  node: string;
  env: string;
  base: string;
  module: string;
  kind: 'Missing' | 'WrongVersion' | 'NotActive' | 'Extra';
  wanted: string | null;
  found: string | null;
}
export type BaseDetail = Seen & {
  base: BaseSummary;
  labels: Record<string, string>;
  taints: string[];
  conditions: Condition[];
  lines: Line[];
  events: Happened[];
  differences: Difference[];
  commands: string[];
};

export type Matrix = Seen & {
  nodes: string[];
  modules: string[];
  versions: string[];
  states: string[];
  cells: number[];
};
export type Baseline = Listed<Difference> & { checked: number; silent: string[] };
export interface Code {
  code: string;
  category: string;
  meaning: string;
  suggestion: string;
}

export type Kind = 'bases' | 'modules' | 'plans' | 'replicas';
