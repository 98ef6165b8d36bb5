import type { ComponentChildren } from 'preact';
import { t } from '../texts';

export type Tone = 'ok' | 'work' | 'wait' | 'bad' | 'off';

// Each tone has a sign of its own, so that nothing is told by colour alone.
const SIGNS: Record<Tone, string> = { ok: '✓', work: '▸', wait: '‖', bad: '✕', off: '○' };

export function Badge({
  tone,
  children,
  title,
}: {
  tone: Tone;
  children: ComponentChildren;
  title?: string | undefined;
}) {
  return (
    <span class={`badge ${tone}`} title={title}>
      <span aria-hidden="true">{SIGNS[tone]}</span> <bdi>{children}</bdi>
    </span>
  );
}

const PHASES = new Map<string, Tone>(
  Object.entries({
    Succeeded: 'ok',
    Done: 'ok',
    Running: 'work',
    Releasing: 'work',
    Soaking: 'work',
    Gating: 'work',
    AwaitingConfirm: 'wait',
    Paused: 'wait',
    Failed: 'bad',
    Refused: 'bad',
    Invalid: 'bad',
  }),
);

export function phaseTone(phase: string): Tone {
  return PHASES.get(phase) ?? 'off';
}

/** Where a plan or a batch stands: the word that Kubernetes shows, so that it can be searched for. */
export function PhaseBadge({ phase, title }: { phase: string; title?: string | undefined }) {
  return (
    <Badge tone={phaseTone(phase)} title={title}>
      {phase || '–'}
    </Badge>
  );
}

export function WellBadge({ well, all }: { well: number; all: number }) {
  return (
    <Badge tone={all === 0 ? 'off' : well === all ? 'ok' : 'bad'} title={t('wellOf', { well, all })}>
      {well}/{all}
    </Badge>
  );
}
