const UNITS: Record<string, number> = {
  '': 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** A quantity as Kubernetes writes it (`512Mi`, `1500m`, `1e3`) as a number, or null where it is none. */
export function quantity(text: string): number | null {
  const parts = /^([+-]?[\d.]+(?:[eE][+-]?\d+)?)([a-zA-Z]{0,2})$/.exec(text.trim());
  const unit = UNITS[parts?.[2] ?? ''];
  const value = Number(parts?.[1]);
  return parts && unit !== undefined && Number.isFinite(value) ? value * unit : null;
}

/** A quantity of bytes as people read it: 536870912 is 512 MiB. */
export function bytes(text: string): string {
  const value = quantity(text);
  if (value === null) return text;
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const step = Math.min(names.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(value, 1)) / 10)));
  const scaled = value / 2 ** (10 * step);
  return `${scaled >= 100 || Number.isInteger(scaled) ? Math.round(scaled) : scaled.toFixed(1)} ${names[step]}`;
}
