import type { ComponentChildren } from 'preact';
import { match } from './match';
import { Base } from './pages/base';
import { Baseline } from './pages/baseline';
import { Bases } from './pages/bases';
import { Codes } from './pages/codes';
import { Events } from './pages/events';
import { Matrix } from './pages/matrix';
import { Me } from './pages/me';
import { Missing } from './pages/missing';
import { Module } from './pages/module';
import { Modules } from './pages/modules';
import { NewPlan } from './pages/newplan';
import { Plan } from './pages/plan';
import { Plans } from './pages/plans';
import { Overview } from './pages/overview';
import type { Key } from './texts';

/** What the navigation shows, in its order. */
export const NAVIGATION: readonly (readonly [string, Key])[] = [
  ['/', 'nav.overview'],
  ['/plans', 'nav.plans'],
  ['/modules', 'nav.modules'],
  ['/bases', 'nav.bases'],
  ['/matrix', 'nav.matrix'],
  ['/baseline', 'nav.baseline'],
  ['/events', 'nav.events'],
  ['/codes', 'nav.codes'],
];

type Make = (...names: string[]) => ComponentChildren;
const ROUTES: readonly (readonly [string, Make])[] = [
  ['/', () => <Overview />],
  ['/plans', () => <Plans />],
  ['/plans/new', () => <NewPlan />],
  ['/plans/:/:', (namespace = '', name = '') => <Plan namespace={namespace} name={name} />],
  ['/modules', () => <Modules />],
  ['/modules/:', (name = '') => <Module name={name} />],
  ['/bases', () => <Bases />],
  ['/bases/:', (node = '') => <Base node={node} />],
  ['/matrix', () => <Matrix />],
  ['/baseline', () => <Baseline />],
  ['/events', () => <Events />],
  ['/codes', () => <Codes />],
  ['/me', () => <Me />],
];

export function pageAt(path: string): ComponentChildren {
  for (const [pattern, make] of ROUTES) {
    const names = match(pattern, path);
    if (names) return make(...names);
  }
  return <Missing />;
}
