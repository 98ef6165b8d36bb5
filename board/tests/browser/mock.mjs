// A server with the board's API and canned answers: what tests need of it is steered by `state`.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { answer, plan, preview, session } from './data.mjs';

const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

export async function startMock(dist) {
  const state = {
    sessions: new Set(),
    number: 1,
    acted: [],
    created: [],
    asked: [],
    streams: new Set(),
    refuse: false,
    many: false,
    fail: null,
    failWrites: null,
  };
  let tokens = 0;

  const json = (response, status, body, headers = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(body === undefined ? undefined : JSON.stringify(body));
  };
  const error = (response, status, code, message, suggestion = '') =>
    json(response, status, { code, message, suggestion }, status === 429 ? { 'retry-after': '2' } : {});
  const bodyOf = async (request) => {
    let text = '';
    for await (const piece of request) text += piece;
    return text ? JSON.parse(text) : {};
  };

  async function api(request, response, url) {
    const path = url.pathname.slice('/api/v1'.length);
    const language = url.searchParams.get('lang');
    state.asked.push(`${request.method} ${path}${url.search}`);
    if (state.refuse) return request.socket.destroy();
    if (language !== 'en' && language !== 'zh') return error(response, 422, 'Invalid', 'no lang');
    if (request.method !== 'GET' && request.headers['x-koupleless-board'] !== '1')
      return error(response, 403, 'Forbidden', 'no header');
    const cookie = /board=(\w+)/.exec(request.headers.cookie ?? '')?.[1];
    if (path === '/session' && request.method === 'POST') {
      const { token } = await bodyOf(request);
      if (token !== 'good')
        return error(response, 401, 'Unauthorized', language === 'zh' ? '令牌无效' : 'The token is not accepted');
      const made = `s${++tokens}`;
      state.sessions.add(made);
      return json(response, 204, undefined, { 'set-cookie': `board=${made}; HttpOnly; SameSite=Strict; Path=/` });
    }
    if (!state.sessions.has(cookie)) return error(response, 401, 'Unauthorized', 'not logged in');
    if (path === '/session') {
      if (request.method === 'GET') return json(response, 200, session);
      state.sessions.delete(cookie);
      return json(response, 204, undefined);
    }
    if (path === '/stream') {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      response.write(': hello\n\nid: 1\nevent: change\ndata: {"kinds":["bases","modules","plans","replicas"]}\n\n');
      state.streams.add(response);
      response.on('close', () => state.streams.delete(response));
      return;
    }
    if (state.fail) return error(response, ...state.fail);
    if (request.method === 'POST' && state.failWrites) return error(response, ...state.failWrites);
    if (request.method === 'POST') return write(response, path, url, await bodyOf(request));
    if (/^\/plans\/[^/]+\/[^/]+$/.test(path)) return json(response, 200, plan(state.number, language));
    const found = answer(path, language, state.many);
    return found ? json(response, 200, found) : error(response, 404, 'NotFound', 'there is no such thing');
  }

  function write(response, path, url, body) {
    if (path === '/plans/preview') return json(response, 200, preview(body));
    if (path === '/plans') {
      if (url.searchParams.get('dryRun') !== 'true') state.created.push(body);
      return json(response, 201, { namespace: body.namespace, name: body.name, message: 'accepted' });
    }
    const action = /^\/plans\/([^/]+)\/([^/]+)\/(\w+)$/.exec(path)?.[3];
    if (!action) return error(response, 404, 'NotFound', 'no such action');
    if (action === 'confirm' && body.number !== state.number)
      return error(response, 409, 'StaleConfirmation', `number ${body.number} is not offered any more`, 'look again');
    state.acted.push([action, body]);
    return json(response, 200, { message: `${action} was done` });
  }

  const server = createServer(async (request, response) => {
    try {
      const url = new URL(request.url, 'http://mock');
      response.setHeader('content-security-policy', CSP);
      response.setHeader('x-content-type-options', 'nosniff');
      if (url.pathname.startsWith('/api/')) return await api(request, response, url);
      const isFile = url.pathname.startsWith('/assets/') || url.pathname === '/favicon.svg';
      const file = isFile ? normalize(url.pathname) : '/index.html';
      const content = await readFile(join(dist, file));
      response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' });
      response.end(content);
    } catch (problem) {
      if (!response.headersSent) response.writeHead(problem.code === 'ENOENT' ? 404 : 500);
      response.end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    state,
    url: `http://127.0.0.1:${server.address().port}`,
    send: (event, data) =>
      state.streams.forEach((stream) => stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)),
    cut: () => state.streams.forEach((stream) => stream.destroy()),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
