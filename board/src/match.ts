/** The names in a path that has the form of a pattern, or null; ":" stands for one name. */
export function match(pattern: string, path: string): string[] | null {
  const wanted = pattern.split('/');
  const found = (path.length > 1 ? path.replace(/\/$/, '') : path).split('/');
  if (wanted.length !== found.length) return null;
  const names: string[] = [];
  for (const [index, part] of wanted.entries()) {
    const other = found[index] ?? '';
    if (part !== ':') {
      if (part !== other) return null;
      continue;
    }
    if (other === '') return null;
    try {
      names.push(decodeURIComponent(other));
    } catch {
      return null;
    }
  }
  return names;
}
