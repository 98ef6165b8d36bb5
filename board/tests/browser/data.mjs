// What the mock server answers. Hostile values are in every place where the cluster may put a text.
export const HOSTILE = [
  '<img src=x onerror="window.pwned=1">',
  '"><script>window.pwned=1</script>',
  '\u202Egnp.exe\u2066{{constructor}}',
  'x'.repeat(300),
];
const [IMAGE, SCRIPT, BIDI, LONG] = HOSTILE;
const AT = '2026-11-29T10:00:00Z';
const seen = (rest) => ({ asOf: AT, staleSince: null, notShown: [{ what: `Pods ${IMAGE}`, why: SCRIPT }], ...rest });

const summary = (more) => ({
  namespace: 'shop', name: 'biz1-2.0.0', target: { kind: 'Deployment', name: 'biz1' }, module: { name: 'biz1', version: '2.0.0' },
  phase: 'AwaitingConfirm', code: '', message: 'batch beta has soaked', suggestion: '', batch: 'beta (1/3)', attempt: 0, paused: false, aborted: false,
  confirmable: 1, bases: 1000, ready: 1, unavailable: 0, created: AT, ...more,
});
const plans = [
  summary({}),
  summary({ name: 'biz2-1.0.1', phase: 'Running', confirmable: null, message: '' }),
  summary({ name: 'biz3-1.0.0', phase: 'Failed', code: 'Arklet.PullBizError', message: SCRIPT, suggestion: IMAGE, confirmable: null }),
  summary({ name: LONG.slice(0, 250), namespace: 'z', target: { kind: BIDI, name: LONG }, module: { name: IMAGE, version: LONG }, phase: 'Invalid', message: LONG, batch: SCRIPT, confirmable: null }),
  summary({ name: 'biz4-1.0.0', phase: 'Succeeded', confirmable: null, message: '' }),
];
const nodes = (count) => Array.from({ length: count }, (_, index) => `virtual-node-${String(index).padStart(4, '0')}`);

const action = (name, more) => ({ name, enabled: false, reason: 'Not now: the plan waits for a person.', number: null, command: `kubectl koupleless plan ${name} biz1-2.0.0 -n shop`, ...more });
export const plan = (number, language) => seen({
  plan: summary({ code: 'ModuleController.OverFiftyPercentBaseInstancesUnavaliable', suggestion: IMAGE, confirmable: number }), uid: 'u1', resourceVersion: '1',
  batches: [
    { name: 'beta', phase: 'AwaitingConfirm', bases: 1, ready: 1, size: '1', count: null, selector: 'ring=beta', soakSeconds: 600, confirm: true, maxUnavailable: '', nodes: nodes(1) },
    { name: 'rest', phase: 'Waiting', bases: 999, ready: 0, size: '', count: 2, selector: '', soakSeconds: 0, confirm: false, maxUnavailable: '10%', nodes: nodes(999) },
    { name: LONG, phase: IMAGE, bases: 0, ready: 0, size: LONG, count: null, selector: SCRIPT + LONG, soakSeconds: 3700, confirm: false, maxUnavailable: LONG, nodes: [] },
  ],
  failures: [{ base: 'virtual-node-0003', code: 'Arklet.PullBizError', message: IMAGE }, { base: LONG, code: SCRIPT, message: LONG }],
  metrics: [{ name: 'errors', server: 'http://prometheus:9090', query: `sum(rate(x{a="b"}[5m]))${LONG}`, condition: '< 0.01', reading: '0.002', message: SCRIPT }],
  health: { up: 2, down: 1, unknown: 1, message: SCRIPT },
  held: [...nodes(60), LONG], previewProblem: IMAGE, yaml: `kind: OperationPlan\nmetadata: {name: "${SCRIPT}"}\n# ${LONG}\n`, undo: `kubectl rollout undo deployment/biz1 -n shop ${LONG}`,
  actions: [
    action('confirm', { enabled: true, reason: null, number }),
    action('pause', { enabled: true, reason: null }),
    action('resume', { reason: language === 'zh' ? '工单没有暂停。' : 'The plan is not paused.' }),
    action('retry', { reason: `${IMAGE} ${LONG}` }),
    action('abort', { enabled: true, reason: null }),
  ],
});

const line = (index, more) => ({
  node: `virtual-node-${String(index).padStart(4, '0')}`, module: 'biz1', version: '1.0.0', state: 'ACTIVATED', code: '', message: '', suggestion: '', since: AT,
  url: 'https://example.com/biz1.jar', unasked: null, namespace: 'shop', pod: `biz1-${index}`, podReady: true, owner: { kind: 'Deployment', name: 'biz1' }, barred: false, well: true, ...more,
});
const lines = (count) => [
  line(1, { state: 'BROKEN', code: 'Arklet.InstallBizFailed', message: IMAGE, suggestion: SCRIPT, well: false, barred: true, podReady: false }),
  line(2, { node: LONG, module: SCRIPT, version: LONG, state: LONG, url: 'javascript:window.pwned=1', unasked: 'ByHand', pod: '', owner: null }),
  ...Array.from({ length: count }, (_, index) => line(index + 3)),
];
const base = (index, more) => ({
  node: `virtual-node-${String(index).padStart(4, '0')}`, identity: `base-${index}`, env: 'prod', name: 'base', version: '1.0.0', cluster: 'east', hostName: `host-${index}`, address: '10.0.0.1', tunnel: 'mqtt', port: '1238',
  ready: { status: 'True', reason: 'BaseReady', message: '', since: AT }, memoryPressure: false, cordoned: false, memory: { free: '402653184', all: '512Mi' }, created: AT, deleting: false, owner: 'replica-a', renewed: AT,
  modules: { all: 50, well: 50 }, ...more,
});
const bases = (count) => [
  base(0, { ready: { status: 'False', reason: 'BaseSilent', message: IMAGE, since: AT }, memoryPressure: true, cordoned: true, deleting: true, modules: { all: 3, well: 1 } }),
  base(1, { node: LONG, identity: SCRIPT, name: BIDI, version: LONG, cluster: IMAGE, hostName: LONG, ready: null, memory: null, created: null, owner: LONG }),
  ...Array.from({ length: count }, (_, index) => base(index + 2)),
];
const differences = [
  { node: 'virtual-node-0001', env: 'prod', base: 'base', module: 'biz1', kind: 'Missing', wanted: '1.0.0', found: null },
  { node: 'virtual-node-0002', env: 'prod', base: 'base', module: 'biz1', kind: 'WrongVersion', wanted: '1.0.0', found: LONG },
  { node: LONG, env: SCRIPT, base: IMAGE, module: LONG, kind: 'Extra', wanted: null, found: BIDI },
];
const events = [
  { at: AT, kind: 'Warning', reason: 'Arklet.PullBizError', message: IMAGE, about: { kind: 'Pod', namespace: 'shop', name: 'biz1-1' }, count: 12, trace: '4bf92f3577b34da6' },
  { at: null, kind: LONG, reason: LONG, message: LONG, about: { kind: SCRIPT, namespace: '', name: LONG }, count: 1 },
];
const codes = (language) => [
  { code: 'Arklet.PullBizError', category: language === 'zh' ? '安装相关' : 'Installing', meaning: language === 'zh' ? '拉包失败' : 'The package cannot be pulled', suggestion: language === 'zh' ? '请重试' : 'Try again' },
  { code: 'Arklet.InstallBizFailed', category: IMAGE, meaning: SCRIPT, suggestion: LONG },
  { code: 'Arklet.PullBizError', category: 'elsewhere', meaning: 'the same code twice', suggestion: '' },
  ...Array.from({ length: 20 }, (_, index) => ({ code: `User.Code${index}`, category: 'x', meaning: 'y', suggestion: 'z' })),
];

const NODES = 1000;
const MODULES = 50;
const cells = [];
for (let node = 0; node < NODES; node++) for (let module = 0; module < MODULES; module++) {
  if ((node * 7 + module) % 11 !== 0) cells.push(node, module, (node + module) % 3, (node * module) % 97 === 96 ? 1 : 0, (node * module) % 97 === 96 ? 0 : 1);
}
const matrix = { nodes: nodes(NODES), modules: Array.from({ length: MODULES }, (_, index) => `biz${index}`), versions: ['1.0.0', '2.0.0-rc.1', LONG], states: ['ACTIVATED', 'BROKEN'], cells };

const target = (name, more) => ({ namespace: 'shop', kind: 'Deployment', name, modules: [{ name, version: '1.0.0', url: 'https://example.com/x.jar' }], plan: null, replicas: 3, ...more });
export const session = {
  user: `system:serviceaccount:shop:${LONG.slice(0, 60)}`, groups: ['system:authenticated', SCRIPT], cluster: 'east-1', version: '1.0.0', proxied: false,
  rights: [
    { what: 'list nodes', namespace: null, verb: 'list', resource: 'nodes', allowed: true, reason: '' },
    { what: 'patch operationplans in shop', namespace: 'shop', verb: 'patch', resource: 'operationplans', allowed: false, reason: IMAGE },
  ],
};
export const preview = (draft) => ({
  yaml: `kind: OperationPlan\nname: ${draft.name}\n`, workload: `kubectl patch deployment ${draft.target.name} --patch '${IMAGE}'`,
  batches: draft.batches.map(({ name }) => ({ name, nodes: nodes(3) })), problems: [SCRIPT],
});

/** The answer to a path, or null where there is none. `many` makes the lists long. */
export function answer(path, language, many) {
  const count = many ? 1000 : 4;
  if (path === '/overview') return seen({
    bases: { all: 1000, well: 998 }, modules: { all: 50000, well: 49990 }, unplaced: 2, plans: { running: 1, waiting: 1, paused: 0, failed: 1 }, drift: 3,
    replicas: [{ namespace: 'koupleless', clientId: 'replica-a', env: 'prod', state: 'living', cutOff: false, renewed: AT }, { namespace: SCRIPT, clientId: LONG, env: IMAGE, state: 'killed', cutOff: true, renewed: null }],
    attention: [
      { kind: 'plan', namespace: 'shop', name: 'biz1-2.0.0', version: '', node: '', code: '', message: 'waits for a person', since: AT, final: true },
      { kind: 'base', namespace: '', name: 'virtual-node-0000', version: '', node: 'virtual-node-0000', code: 'BaseSilent', message: IMAGE, since: AT, final: false },
      { kind: 'module', namespace: 'shop', name: SCRIPT, version: LONG, node: LONG, code: 'Arklet.InstallBizFailed', message: LONG, since: null, final: true },
      { kind: 'pod', namespace: 'shop', name: 'biz9-1', version: '', node: '', code: 'Unschedulable', message: BIDI, since: AT, final: false },
      { kind: 'replica', namespace: 'koupleless', name: 'replica-b', version: '', node: '', code: '', message: 'cut off', since: AT, final: false },
    ], more: 7,
  });
  if (path === '/plans') return seen({ items: plans });
  if (path === '/targets') return seen({ items: [target('biz1'), target('biz2', { plan: IMAGE }), target(LONG.slice(0, 253))] });
  if (path === '/modules') return seen({ items: [{ name: 'biz1', bases: 1000, well: 990, all: 1000, versions: [{ version: '1.0.0', all: 900, well: 890 }, { version: LONG, all: 100, well: 100 }], namespaces: ['shop', SCRIPT] }, { name: IMAGE, bases: 1, well: 1, all: 1, versions: [], namespaces: [LONG] }] });
  if (path.startsWith('/modules/')) return seen({
    name: 'biz1', lines: lines(many ? 50_000 : 4), plans, owners: [{ namespace: 'shop', kind: 'Deployment', name: 'biz1', pods: 3, ready: 2, versions: ['1.0.0', LONG] }, { namespace: SCRIPT, kind: IMAGE, name: LONG, pods: 0, ready: 0, versions: [] }],
    groups: [{ env: 'prod', base: 'base', cluster: 'east', version: '1.0.0', all: 3, well: 2 }, { env: LONG, base: SCRIPT, cluster: IMAGE, version: BIDI, all: 1, well: 1 }],
  });
  if (path === '/bases') return seen({ items: bases(count) });
  if (path.startsWith('/bases/')) return seen({
    base: bases(0)[0], labels: { 'base.koupleless.io/name': 'base', [LONG]: SCRIPT }, taints: ['schedule.koupleless.io/virtual-node=True:NoExecute', IMAGE],
    conditions: [{ type: 'Ready', status: 'False', reason: 'BaseSilent', message: SCRIPT, since: AT }, { type: LONG, status: LONG, reason: LONG, message: LONG, since: null }],
    lines: lines(4), events, differences, commands: ['kubectl describe node virtual-node-0000', `kubectl koupleless describe base ${LONG}`],
  });
  if (path === '/matrix') return seen(matrix);
  if (path === '/baseline') return seen({ checked: 1000, silent: ['virtual-node-0000', LONG], items: differences });
  if (path === '/events') return seen({ items: events });
  if (path === '/codes') return { items: codes(language) };
  return null;
}
