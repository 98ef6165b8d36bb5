import { useState } from 'preact/hooks';
import { ApiError, path, write } from '../api/client';
import { useResource } from '../api/resource';
import type { Created, Draft, Kind, Listed, Preview, Target } from '../api/types';
import { Banner, ProblemBanner } from '../parts/banner';
import { BatchFields } from '../parts/batchfields';
import { draftOf, moduleOf, planName, sendable, targetKey, type Entered } from '../parts/draft';
import { Field, NumberField } from '../parts/field';
import { Page, Section } from '../parts/page';
import { PreviewView } from '../parts/previewview';
import { Wrapped } from '../parts/text';
import { sessionExpired } from '../state/session';
import { place, setQuery } from '../state/url';
import { t } from '../texts';

const KINDS: readonly Kind[] = ['plans'];

export function NewPlan() {
  const resource = useResource<Listed<Target>>('/targets', KINDS);
  return (
    <Page title={t('new.title')} resource={resource} once>
      {(data) => (data.items.length === 0 ? <p>{t('new.noTargets')}</p> : <Form targets={data.items} />)}
    </Page>
  );
}

type Shown = { of: string; preview: Preview };

function Form({ targets }: { targets: Target[] }) {
  const wanted = place.value.query.get('target') ?? '';
  const target = targets.find((one) => targetKey(one) === wanted) ?? null;
  const [entered, enter] = useState<Entered>(draftOf);
  const [problem, setProblem] = useState<ApiError | null>(null);
  const [shown, show] = useState<Shown | null>(null);
  const [said, say] = useState('');
  const [created, setCreated] = useState<Created | null>(null);
  const [busy, setBusy] = useState(false);
  const change = (values: Partial<Entered>) => enter({ ...entered, ...values });
  const module = moduleOf(target, entered);
  const name = entered.name ?? planName(target, module, entered.version);
  const draft = sendable(target, module, name, entered);

  const send = async (work: (draft: Draft) => Promise<void>) => {
    if (busy) return;
    say('');
    setCreated(null);
    setProblem(null);
    if (!draft) return say(t('new.incomplete'));
    setBusy(true);
    try {
      await work(draft);
    } catch (caught) {
      const known = caught instanceof ApiError ? caught : new ApiError(0, 'Network', '', '');
      if (known.status === 401) return sessionExpired();
      setProblem(known);
    } finally {
      setBusy(false);
    }
  };
  const fetchPreview = async (sent: Draft) => {
    const answer = await write<Preview>('POST', '/plans/preview', sent);
    if (answer) show({ of: JSON.stringify(sent), preview: answer });
  };
  const preview = () => send(fetchPreview);
  const dryRun = () =>
    send(async (sent) => {
      const answer = await write<Created>('POST', '/plans?dryRun=true', sent);
      say([t('new.dryRunDone'), answer?.message].filter(Boolean).join(' '));
    });
  const create = () =>
    send(async (sent) => {
      // The plan waits until the workload names it: the line for that has to be there afterwards.
      if (shown?.of !== JSON.stringify(sent)) await fetchPreview(sent);
      setCreated(await write<Created>('POST', '/plans?dryRun=false', sent));
    });

  return (
    <form class="draft" onSubmit={(event) => (event.preventDefault(), void preview())}>
      <Section title={t('new.target')}>
        <div class="fields">
          <Field label={t('new.target')} help={target?.plan ? t('new.targetPlan', { plan: target.plan }) : ''}>
            {(id, help) => (
              <select
                id={id}
                aria-describedby={help}
                required
                value={wanted}
                onChange={(event) => setQuery({ target: event.currentTarget.value })}
              >
                <option value="">{t('new.choose')}</option>
                {targets.map((one) => (
                  <option key={targetKey(one)} value={targetKey(one)}>
                    {`${one.namespace} / ${one.kind}/${one.name}`}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <Field label={t('new.module')}>
            {(id) => (
              <select
                id={id}
                value={module?.name ?? ''}
                onChange={(event) => change({ module: event.currentTarget.value })}
              >
                {(target?.modules ?? []).map((one) => (
                  <option key={one.name} value={one.name}>
                    {one.name}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <Field label={t('new.version')} help={module ? t('new.versionNow', { version: module.version }) : ''}>
            {(id, help) => (
              <input
                id={id}
                aria-describedby={help}
                required
                value={entered.version}
                onInput={(event) => change({ version: event.currentTarget.value })}
              />
            )}
          </Field>
          <Field label={t('new.name')}>
            {(id) => (
              <input
                id={id}
                required
                maxLength={253}
                value={name}
                onInput={(event) => change({ name: event.currentTarget.value })}
              />
            )}
          </Field>
        </div>
      </Section>
      <Section title={t('new.batches')}>
        <p class="muted">{t('new.batchesHelp')}</p>
        <BatchFields batches={entered.batches} change={(batches) => change({ batches })} />
      </Section>
      <Section title={t('new.limits')}>
        <div class="fields">
          <NumberField
            label={t('new.readyTimeout')}
            min={1}
            value={entered.readyTimeoutSeconds}
            set={(value) => change({ readyTimeoutSeconds: value ?? 600 })}
          />
          <NumberField
            label={t('new.maxFailed')}
            min={0}
            value={entered.maxFailed}
            set={(value) => change({ maxFailed: value ?? 0 })}
          />
          <NumberField
            label={t('new.healthPort')}
            min={1}
            value={entered.healthPort}
            set={(value) => change({ healthPort: value })}
          />
          <Field label={t('new.webContextPath')} help={t('new.webContextPathHelp')}>
            {(id, help) => (
              <input
                id={id}
                aria-describedby={help}
                maxLength={253}
                value={entered.webContextPath}
                onInput={(event) => change({ webContextPath: event.currentTarget.value })}
              />
            )}
          </Field>
        </div>
      </Section>
      <Section title={t('new.steps')}>
        <div class="buttons">
          <button type="submit" aria-disabled={busy}>
            {t('new.preview')}
          </button>
          <button type="button" aria-disabled={busy} onClick={() => void dryRun()}>
            {t('new.dryRun')}
          </button>
          <button type="button" class="primary" aria-disabled={busy} onClick={() => void create()}>
            {t('new.create')}
          </button>
        </div>
        <p role="status">{said}</p>
        <div role="status">{created && <CreatedNote created={created} />}</div>
        <ProblemBanner problem={problem} />
        {shown && <PreviewView preview={shown.preview} outdated={shown.of !== JSON.stringify(draft)} />}
      </Section>
    </form>
  );
}

function CreatedNote({ created }: { created: Created }) {
  return (
    <Banner tone="ok">
      {t('new.created')} <Wrapped text={created.message} />{' '}
      <a href={'/plans' + path(created.namespace, created.name)}>
        <bdi>{t('plan.title', { name: created.name })}</bdi>
      </a>
    </Banner>
  );
}
