import { language } from '../state/language';

const ROOT = '/api/v1';

/** What went wrong with a request. Codes of the server, and two of our own: Network and Unreadable. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly suggestion: string,
    /** Seconds after which the server wants to be asked again. */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

/** The address of an endpoint; every request says in which language it wants its texts. */
export function address(path: string, lang: string): string {
  return `${ROOT}${path}${path.includes('?') ? '&' : '?'}lang=${lang}`;
}

function seconds(header: string | null): number | null {
  const value = Number(header);
  return header !== null && header.trim() !== '' && Number.isFinite(value) && value >= 0 ? value : null;
}

export async function errorOf(response: Response): Promise<ApiError> {
  let body: Partial<Record<'code' | 'message' | 'suggestion', unknown>> = {};
  try {
    body = ((await response.json()) ?? {}) as typeof body;
  } catch {
    // A proxy in between answers with a page of its own: the status is all there is.
  }
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  return new ApiError(
    response.status,
    text(body.code) || (response.status === 401 ? 'Unauthorized' : 'Unreadable'),
    text(body.message) || `HTTP ${response.status} ${response.statusText}`.trim(),
    text(body.suggestion),
    seconds(response.headers.get('retry-after')),
  );
}

async function send(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(address(path, language.value), { credentials: 'same-origin', cache: 'no-store', ...init });
  } catch (cause) {
    if (init.signal?.aborted && init.signal.reason?.name !== 'TimeoutError') throw cause;
    throw new ApiError(0, 'Network', '', '');
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

async function parsed<T>(response: Response): Promise<T> {
  try {
    return (await response.json()) as T;
  } catch {
    throw new ApiError(response.status, 'Unreadable', '', '');
  }
}

export async function read<T>(path: string, signal?: AbortSignal): Promise<T> {
  return parsed<T>(await send(path, signal ? { signal } : {}));
}

export async function write<T>(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<T | null> {
  const response = await send(path, {
    method,
    // The server takes nothing that changes something without this header: no other site can send it.
    headers: { 'x-koupleless-board': '1', 'content-type': 'application/json' },
    body: JSON.stringify(body ?? {}),
    signal: AbortSignal.timeout(60_000),
  });
  return response.status === 204 ? null : parsed<T>(response);
}

/** A path of names of the cluster, each one segment whatever is in it. */
export function path(...segments: string[]): string {
  return segments.map((segment) => '/' + encodeURIComponent(segment)).join('');
}
