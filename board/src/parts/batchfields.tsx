import { useEffect, useRef } from 'preact/hooks';
import { announcement } from '../state/live';
import { t } from '../texts';
import { newBatch, type EnteredBatch } from './draft';
import { Field, NumberField } from './field';

interface Props {
  batches: EnteredBatch[];
  change: (batches: EnteredBatch[]) => void;
}

/** The batches of a new plan, to be added, moved and taken out. */
export function BatchFields({ batches, change }: Props) {
  const list = useRef<HTMLOListElement>(null);
  const focus = useRef<number | null>(null);
  useEffect(() => {
    if (focus.current === null) return;
    list.current?.children[focus.current]?.querySelector('input')?.focus();
    focus.current = null;
  });
  const set = (index: number, values: Partial<EnteredBatch>) =>
    change(batches.map((batch, at) => (at === index ? { ...batch, ...values } : batch)));
  const move = (from: number, to: number) => {
    const moved = [...batches];
    moved.splice(to, 0, ...moved.splice(from, 1));
    focus.current = to;
    change(moved);
  };
  const remove = (index: number) => {
    focus.current = Math.max(0, index - 1);
    announcement.value = t('new.removed', { n: index + 1 });
    change(batches.filter((_, at) => at !== index));
  };
  const add = () => {
    // The last batch takes all that are left, so a new one is wanted before it.
    const at = Math.max(0, batches.length - 1);
    focus.current = at;
    change([...batches.slice(0, at), newBatch(), ...batches.slice(at)]);
  };
  return (
    <>
      <ol class="batches" ref={list}>
        {batches.map((batch, index) => (
          <li key={batch.key}>
            <fieldset>
              <legend>{t('new.batch', { n: index + 1 })}</legend>
              <OneBatch batch={batch} set={(values) => set(index, values)} />
              <div class="buttons">
                <button
                  type="button"
                  class="small"
                  aria-disabled={index === 0}
                  onClick={() => index > 0 && move(index, index - 1)}
                >
                  {t('new.up')}
                </button>
                <button
                  type="button"
                  class="small"
                  aria-disabled={index === batches.length - 1}
                  onClick={() => index < batches.length - 1 && move(index, index + 1)}
                >
                  {t('new.down')}
                </button>
                <button
                  type="button"
                  class="small"
                  aria-disabled={batches.length === 1}
                  onClick={() => batches.length > 1 && remove(index)}
                >
                  {t('new.remove')}
                </button>
              </div>
            </fieldset>
          </li>
        ))}
      </ol>
      <button type="button" onClick={add}>
        {t('new.add')}
      </button>
    </>
  );
}

function OneBatch({ batch, set }: { batch: EnteredBatch; set: (values: Partial<EnteredBatch>) => void }) {
  return (
    <div class="fields">
      <Field label={t('new.batchName')}>
        {(id) => (
          <input id={id} required value={batch.name} onInput={(event) => set({ name: event.currentTarget.value })} />
        )}
      </Field>
      <Field label={t('new.size')} help={t('new.sizeHelp')}>
        {(id, help) => (
          <input
            id={id}
            aria-describedby={help}
            value={batch.size}
            onInput={(event) => set({ size: event.currentTarget.value })}
          />
        )}
      </Field>
      <NumberField label={t('new.count')} min={1} value={batch.count} set={(count) => set({ count })} />
      <NumberField
        label={t('new.soak')}
        min={0}
        value={batch.soakSeconds}
        set={(value) => set({ soakSeconds: value ?? 0 })}
      />
      <Field label={t('new.maxUnavailable')} help={t('new.maxUnavailableHelp')}>
        {(id, help) => (
          <input
            id={id}
            aria-describedby={help}
            value={batch.maxUnavailable}
            onInput={(event) => set({ maxUnavailable: event.currentTarget.value })}
          />
        )}
      </Field>
      <Field label={t('new.selector')} help={t('new.selectorHelp')}>
        {(id, help) => (
          <input
            id={id}
            aria-describedby={help}
            value={batch.selector}
            onInput={(event) => set({ selector: event.currentTarget.value })}
          />
        )}
      </Field>
      <label class="check">
        <input
          type="checkbox"
          checked={batch.confirm}
          onChange={(event) => set({ confirm: event.currentTarget.checked })}
        />
        {t('new.confirm')}
      </label>
    </div>
  );
}
