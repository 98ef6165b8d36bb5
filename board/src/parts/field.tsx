import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

interface Props {
  label: string;
  help?: string;
  children: (id: string, help: string | undefined) => ComponentChildren;
}

/** A field of a form with its label and, where it needs one, a help that is read with it. */
export function Field({ label, help, children }: Props) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(id, help ? id + 'help' : undefined)}
      {help && (
        <span id={id + 'help'} class="muted help">
          {help}
        </span>
      )}
    </div>
  );
}

interface NumberProps {
  label: string;
  min: number;
  value: number | null;
  set: (value: number | null) => void;
}

export function NumberField({ label, min, value, set }: NumberProps) {
  const take = (text: string) => {
    const entered = Number(text);
    set(text === '' || !Number.isInteger(entered) || entered < min ? null : entered);
  };
  return (
    <Field label={label}>
      {(id) => (
        <input
          id={id}
          type="number"
          min={min}
          step={1}
          value={value ?? ''}
          onChange={(event) => take(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}
